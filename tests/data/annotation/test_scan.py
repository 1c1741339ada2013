"""One annotation file read to its end, whatever is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actparse.core.words import readable
from actparse.data.annotation.scan import (
    EMPTY,
    INVERTED,
    MAX_BYTES,
    MAX_FAULTS,
    MISSING,
    NO_BOX,
    VALID,
    BoxRows,
    FrameScan,
    read_box,
    shown,
)

HEAD = {"number": 1, "box": [1, 2, 3, 4], "verb": "bend", "name": "head"}
PERSON: dict[str, Any] = {"number": 1, "box": [0, 0, 9, 9.5], "parts": {"head": HEAD}}


def scan(tmp_path: Path, content: Any) -> tuple[BoxRows, FrameScan]:
    path = tmp_path / "img_00007.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    rows = BoxRows()
    frame = FrameScan(rows, 6, "f")
    frame.read(path)
    return rows, frame


def test_a_sound_file_becomes_a_row_for_each_box(tmp_path: Path) -> None:
    ball = {"name": "ball", "box": [1, 1, 2, 2]}
    rows, frame = scan(tmp_path, {"humans": [{**PERSON, "objects": {"bat": {"box": [3, 3, 4, 4]}}}], "objects": [ball]})
    assert (frame.faults, frame.num_persons) == ([], 1)
    assert rows.frame == [6] * 4
    assert rows.person == [0, 0, 0, None]
    assert rows.part == [None, "head", None, None]
    assert rows.object == [None, None, "bat", "ball"]
    assert rows.state == [None, "bend", None, None]
    assert rows.box[0] == (0, 0, 9, 9.5)
    assert rows.validity == [VALID] * 4


def test_a_person_without_a_number_is_no_fault(tmp_path: Path) -> None:
    _, frame = scan(tmp_path, {"humans": [{"box": PERSON["box"]}]})
    assert frame.faults == []


def test_nobody_is_no_fault(tmp_path: Path) -> None:
    rows, frame = scan(tmp_path, {"humans": [], "unknown": {"keys": "are fine"}})
    assert (len(rows), frame.faults, frame.num_persons) == (0, [], 0)


@pytest.mark.parametrize(
    ("content", "where", "needs", "got"),
    [
        pytest.param("3", "humans", "a list", "3", id="number"),
        pytest.param({"people": []}, "humans", "a list", "nothing", id="other key"),
        pytest.param({"humans": {"a": 1}}, "humans", "a list", "an object of 1 keys", id="object for list"),
        pytest.param({"humans": [None]}, "humans[0]", "an object", "nothing", id="null person"),
        pytest.param({"humans": [{**PERSON, "parts": [1]}]}, "humans[0].parts", "an object", "[1]", id="parts"),
        pytest.param({"humans": [{**PERSON, "number": "1"}]}, "humans[0].number", "a whole number", '"1"', id="number"),
        pytest.param({"humans": [{**PERSON, "number": True}]}, "humans[0].number", "a whole number", "true", id="bool"),
        pytest.param(
            {"humans": [{**PERSON, "number": None}]}, "humans[0].number", "a whole number", "nothing", id="null number"
        ),
        pytest.param({"humans": [{**PERSON, "box": None}]}, "humans[0].box", "four finite", "nothing", id="no box"),
        pytest.param(
            {"humans": [{**PERSON, "box": [[1], 2, 3, 4]}]}, "humans[0].box", "four finite", "a list of 4", id="nested"
        ),
        pytest.param(
            {"humans": [{"box": [1, 2, 3, 4], "parts": {"head": 5}}]},
            *("humans[0].parts.head", "an object with a box and a verb", "5"),
            id="part",
        ),
        pytest.param(
            {"humans": [{"box": [1, 2, 3, 4], "parts": {"hip": HEAD}}]},
            *("humans[0].parts.hip.name", "'hip' as its key", '"head"'),
            id="name and key",
        ),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, content: Any, where: str, needs: str, got: str) -> None:
    (fault,) = scan(tmp_path, content)[1].faults
    assert (fault.kind, fault.where) == ("field", f"f: {where}")
    assert needs in fault.needs
    assert fault.got == got


def test_what_is_right_beside_a_fault_is_kept(tmp_path: Path) -> None:
    rows, frame = scan(tmp_path, {"humans": [7, PERSON]})
    assert frame.num_persons == 2
    assert rows.person == [1, 1]


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ("{", "Expecting property name"),
        ("[" * 100_000, "recursion"),
        ('{"humans": [' + "9" * 5000 + "]}", "integer string conversion"),
        (" " * (MAX_BYTES + 1), "more than 16 MB"),
    ],
    ids=["cut", "deep", "long number", "large"],
)
def test_what_is_no_json_is_one_fault(tmp_path: Path, content: str, got: str) -> None:
    rows, frame = scan(tmp_path, content)
    (fault,) = frame.faults
    assert (fault.kind, fault.where, frame.num_persons, len(rows)) == ("json", "f", None, 0)
    assert got in fault.got


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    frame = FrameScan(BoxRows(), 0, "f")
    frame.read(tmp_path / "nothing.json")
    assert frame.faults[0].got == "No such file or directory"


def test_a_file_of_nothing_but_faults_is_cut_short(tmp_path: Path) -> None:
    _, frame = scan(tmp_path, {"humans": [None] * 1000})
    assert len(frame.faults) == MAX_FAULTS + 1
    assert frame.faults[-1].got == "900 more faults of its fields"


@pytest.mark.parametrize(
    ("raw", "validity"),
    [
        ([1, 2, 3, 4], VALID),
        ([3, 2, 1, 4], INVERTED),
        ([1, 2, 1, 4], EMPTY),
        ([1, 2, 3], MISSING),
        ([1, 2, 3, "4"], MISSING),
        ([1, 2, 3, True], MISSING),
        ([1, 2, 3, float("nan")], MISSING),
        ([1, 2, 3, float("inf")], MISSING),
        ([1, 2, 3, 10**400], MISSING),
        ({"x": 1}, MISSING),
        (None, MISSING),
    ],
)
def test_a_box_is_judged(raw: Any, validity: str) -> None:
    box, found = read_box(raw)
    assert found == validity
    assert (box == NO_BOX) == (validity == MISSING)


def test_text_is_made_fit_to_be_written() -> None:
    assert readable("Füße") == "Füße"
    assert readable("a\ud800b") == "a?b"
    assert len(readable("x" * 10_000)) == 200
    assert len(shown("x" * 10_000)) == 80
    assert shown({"a": [[[]]]}) == "an object of 1 keys"


WORDS = st.sampled_from(["humans", "box", "parts", "head", "verb", "name", "number", "objects"]) | st.text(max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)


@given(humans=st.lists(JSON, max_size=3), objects=JSON)
def test_anything_is_read_to_its_end(tmp_path_factory: pytest.TempPathFactory, humans: Any, objects: Any) -> None:
    rows, frame = scan(tmp_path_factory.mktemp("any"), {"humans": humans, "objects": objects})
    assert frame.num_persons == len(humans)
    assert len({len(column) for column in vars(rows).values()}) == 1
