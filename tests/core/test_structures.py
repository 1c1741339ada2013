from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from actparse.core.errors import DataError, ShapeError, expect_shape
from actparse.core.structures import (
    Detections,
    FrameParse,
    PartParse,
    PersonParse,
    Reason,
    SegmentParse,
    Verdict,
    VideoInfo,
    VideoParse,
    json_schema,
    verdict_text,
)
from actparse.core.vocabulary import (
    GROUP_PARTS,
    KEYPOINT_FLIP,
    KEYPOINTS,
    PART_FLIP,
    PARTS,
    mirror_label,
    states_by_part,
)


def small_parse() -> VideoParse:
    parts = (PartParse("head", (1.0, 2.0, 3.0, 4.5), 0.9, "none", 0.8), PartParse("left_arm", (0, 0, 1, 1), 0.5))
    person = PersonParse(1, (0.0, 0.0, 10.0, 20.0), 0.75, ((1.0, 2.0, 0.5),) * 17, parts)
    return VideoParse(
        video=VideoInfo("ein film.mp4", 320, 240, 100, 10.0, 10.0),
        action="lunge",
        action_scores={"lunge": 0.9, "push_up": 0.1},
        frames=(FrameParse(0, 0.0, (person,)), FrameParse(5, 0.5)),
        segments=(SegmentParse(0.0, 10.0, 0, 100, {"head": "none"}, {"head": 0.8}),),
        warnings=("cut off",),
        reasons=(Reason("head", "none", 0.5, 0.0, 2.5, 1), Reason("left_arm", "bend", -0.25, 0.5, 1.0)),
        explanation="Lunge: the head is still.",
    )


def test_json_round_trip() -> None:
    parse = small_parse()
    assert VideoParse.from_json(parse.to_json()) == parse


def test_json_follows_the_published_schema() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(small_parse().to_json()), schema)


def test_files_of_the_first_schema_have_no_reasons() -> None:
    raw = json.loads(small_parse().to_json()) | {"schema_version": "1.0"}
    del raw["reasons"], raw["explanation"]
    jsonschema.validate(raw, json_schema())
    parse = VideoParse.from_json(json.dumps(raw))
    assert (parse.reasons, parse.explanation, parse.action) == ((), "", "lunge")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_files_before_the_verdict_assert_their_action(version: str) -> None:
    raw = json.loads(small_parse().to_json()) | {"schema_version": version}
    del raw["verdict"]
    jsonschema.validate(raw, json_schema())
    parse = VideoParse.from_json(json.dumps(raw))
    assert (parse.verdict, parse.action, parse.schema_version) == ("known", "lunge", version)
    assert parse.verdict_text == "lunge 90 %"


@pytest.mark.parametrize(
    ("verdict", "score", "text"),
    [
        ("known", 0.934, "push up 93 %"),
        ("known", None, "push up"),
        ("unknown", 0.31, "no known action (closest: push up 31 %)"),
        ("unknown", None, "no known action (closest: push up)"),
        ("nobody", 0.5, "nobody found"),
    ],
    ids=str,
)
def test_the_words_of_a_verdict(verdict: Verdict, score: float | None, text: str) -> None:
    assert verdict_text(verdict, "push_up", score) == text


@pytest.mark.parametrize("verdict", ["unknown", "nobody"])
def test_a_verdict_is_kept(verdict: Verdict) -> None:
    parse = replace(small_parse(), verdict=verdict)
    jsonschema.validate(json.loads(parse.to_json()), json_schema())
    assert VideoParse.from_json(parse.to_json()) == parse


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"schema_version": "2.0"}, "schema_version must be 1.x, got 2.0", id="other major version"),
        pytest.param({"action": ...}, "missing or of another type: 'action'", id="missing field"),
        pytest.param({"frames": [{"index": 0}]}, "missing or of another type", id="broken frame"),
        pytest.param({"action": "squat"}, "the action 'squat' has no score", id="action without score"),
        pytest.param({"segments": [{"start_seconds": "soon"}]}, "could not convert", id="broken segment"),
        pytest.param({"frames": [{"index": 1e999}]}, "needs JSON text, got Infinity", id="no number"),
        pytest.param({"verdict": "perhaps"}, "unknown verdict 'perhaps'", id="another verdict"),
        pytest.param({"reasons": [{"part": "tail"}]}, "unknown part 'tail'", id="reason of no part"),
    ],
)
def test_a_broken_parse_is_named(change: dict[str, object], message: str) -> None:
    raw = json.loads(small_parse().to_json()) | change
    text = json.dumps({key: value for key, value in raw.items() if value is not ...})
    with pytest.raises(DataError, match=message):
        VideoParse.from_json(text)


@pytest.mark.parametrize("text", ["{", "[" * 100_000], ids=["cut off", "deep"])
def test_text_that_is_not_json_is_named(text: str) -> None:
    with pytest.raises(DataError, match="needs JSON text"):
        VideoParse.from_json(text)


def test_a_number_past_all_bounds_is_named() -> None:
    text = small_parse().to_json().replace('"first_frame": 0', '"first_frame": 1e999')
    with pytest.raises(DataError, match="missing or of another type: cannot convert float infinity"):
        VideoParse.from_json(text)


def test_fields_of_a_later_minor_version_are_passed_over() -> None:
    raw = json.loads(small_parse().to_json()) | {"schema_version": "1.9", "new": 1}
    raw["video"]["new"] = raw["segments"][0]["new"] = raw["frames"][0]["new"] = 1
    parse = VideoParse.from_json(json.dumps(raw))
    assert (parse.video, parse.segments) == (small_parse().video, small_parse().segments)


def test_detections_select_by_score() -> None:
    found = Detections(
        np.arange(12, dtype=np.float32).reshape(3, 4), np.array([0.2, 0.9, 0.5], np.float32), np.zeros(3, np.int64)
    )
    assert found.above(0.5).scores.tolist() == [np.float32(0.9), 0.5]
    assert found.top(2).boxes[:, 0].tolist() == [4, 8]
    assert len(found.above(2.0)) == 0


@pytest.mark.parametrize(
    ("names", "flip"), [(PARTS, PART_FLIP), (KEYPOINTS, KEYPOINT_FLIP)], ids=["parts", "keypoints"]
)
def test_flips_change_sides_and_undo_themselves(names: tuple[str, ...], flip: tuple[int, ...]) -> None:
    swap = {"left": "right", "right": "left"}
    for name, index in zip(names, flip, strict=True):
        side, _, rest = name.partition("_")
        assert names[index] == (f"{swap[side]}_{rest}" if side in swap else name)
    assert [flip[index] for index in flip] == list(range(len(names)))


def test_labels_name_both_sides() -> None:
    assert states_by_part("leg", ("lunge", "bend", "none")) == {"left_leg": "bend", "right_leg": "none"}
    assert mirror_label(("lunge", "bend", "none")) == ("lunge", "none", "bend")
    assert mirror_label(("lunge", "turn")) == ("lunge", "turn")
    assert [part for parts in GROUP_PARTS.values() for part in parts] == list(PARTS)


def test_expect_shape_names_what_it_got() -> None:
    expect_shape("boxes", np.zeros((0, 4)), (None, 4))
    with pytest.raises(ShapeError, match=r"boxes must have shape \(any, 4\), got \(2, 5\)"):
        expect_shape("boxes", np.zeros((2, 5)), (None, 4))
