"""CVAT for video 1.1: held to the documented format, read again by the reader of own data."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lxml import etree

from actparse.core.errors import DataError
from actparse.core.structures import VideoParse
from actparse.core.vocabulary import KEYPOINTS, PARTS
from actparse.data.own.cvat import read_cvat
from actparse.export.cvat import write_cvat
from example_parse import example_parse

SCHEMA = etree.XMLSchema(file=str(Path(__file__).with_name("cvat-for-video-1.1.xsd")))


def written(parse: VideoParse, folder: Path) -> Path:
    write_cvat(parse, folder / "cvat.xml")
    return folder / "cvat.xml"


def test_the_file_follows_the_documented_format(tmp_path: Path) -> None:
    SCHEMA.assertValid(etree.parse(written(example_parse(), tmp_path)))


def test_the_schema_takes_the_example_of_the_documentation() -> None:
    SCHEMA.assertValid(etree.parse(Path(__file__).with_name("cvat-documented-example.xml")))


def test_a_parse_without_persons_does_too(tmp_path: Path) -> None:
    parse = example_parse()
    empty = replace(parse, frames=tuple(replace(frame, persons=()) for frame in parse.frames))
    root = etree.parse(written(empty, tmp_path))
    SCHEMA.assertValid(root)
    assert not root.findall("track")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param((' keyframe="1"', "", 1), "keyframe", id="no keyframe"),
        pytest.param(('outside="0"', 'outside="no"', 1), "outside", id="flag"),
        pytest.param(("<version>1.1", "<version>1.2", 1), "version", id="version"),
        pytest.param(('label="left_hand"', 'label="hand"', 1), "trackLabels|key", id="unknown label"),
        pytest.param(('points="', 'points="x', 1), "points", id="no point"),
    ],
)
def test_the_schema_finds_what_is_wrong(change: tuple[str, str, int], message: str, tmp_path: Path) -> None:
    text = written(example_parse(), tmp_path).read_text(encoding="utf-8").replace(*change)
    assert not SCHEMA.validate(etree.fromstring(text.encode()).getroottree())
    assert re.search(message, str(SCHEMA.error_log))


def test_the_reader_of_own_data_gives_the_parse_back(tmp_path: Path) -> None:
    parse = example_parse()
    (video,) = read_cvat(written(parse, tmp_path))
    assert (video.video, video.action) == ("two people.mp4", "lunge")
    for frame in parse.frames:
        truth = {person.identity: person for person in video.frames[frame.index].persons}
        assert set(truth) == {person.track_id for person in frame.persons}
        for person in frame.persons:
            read = truth[person.track_id]
            assert read.box == pytest.approx(person.box, abs=0.005)
            boxes = {name: part.box for name, part in read.parts.items()} | read.unstated
            assert boxes == {part.name: pytest.approx(part.box, abs=0.005) for part in person.parts}
            assert {name: part.state for name, part in read.parts.items()} == {
                part.name: part.state for part in person.parts if part.state is not None
            }
            keypoints = person.keypoint_array()
            sure = keypoints[:, 2] >= 0.25
            assert read.keypoints is not None
            assert np.abs(read.keypoints[sure, :2] - keypoints[sure, :2]).max() < 0.006
            assert read.keypoints[:, 2].tolist() == [2 if seen else 0 for seen in sure]


def test_an_action_that_is_not_asserted_is_left_to_say(tmp_path: Path) -> None:
    path = written(replace(example_parse(), verdict="unknown"), tmp_path)
    root = etree.parse(path)
    assert {found.text for found in root.xpath("track/box/attribute[@name='action']")} == {"__undefined__"}
    (video,) = read_cvat(path)
    assert video.action is None


def test_a_track_goes_outside_at_the_sampled_frame_that_lacks_it(tmp_path: Path) -> None:
    root = etree.parse(written(example_parse(), tmp_path))
    (track,) = root.xpath("track[@label='person'][@group_id='2']")
    assert [(box.get("frame"), box.get("outside"), box.get("keyframe")) for box in track] == [
        ("0", "0", "1"),
        ("5", "1", "1"),
        ("10", "0", "1"),
        ("15", "1", "1"),
    ]
    (skeleton,) = root.xpath("track[@label='skeleton'][@group_id='2']")
    outside = [{points.get("outside") for points in shape.findall("points")} for shape in skeleton]
    assert outside == [{"0", "1"}, {"1"}, {"0", "1"}, {"1"}]  # the right wrist is never sure


def test_labels_for_the_task_name_everything_that_is_used(tmp_path: Path) -> None:
    root = etree.parse(written(example_parse(), tmp_path))
    labels = {label["name"]: label for label in json.loads((tmp_path / "cvat_labels.json").read_text(encoding="utf-8"))}
    assert set(labels) == {"person", "skeleton", *PARTS}
    assert [point["name"] for point in labels["skeleton"]["sublabels"]] == list(KEYPOINTS)
    (state,) = [attribute for attribute in labels["left_hand"]["attributes"] if attribute["name"] == "state"]
    assert (state["values"], state["mutable"]) == (["__undefined__", "hold", "none"], True)
    for track in root.findall("track"):
        known = {attribute["name"] for attribute in labels[track.get("label")]["attributes"]}
        assert {attribute.get("name") for shape in track for attribute in shape.findall("attribute")} <= known
    svg = etree.fromstring(f"<svg>{labels['skeleton']['svg']}</svg>")
    assert [circle.get("data-label-name") for circle in svg.findall("circle")] == list(KEYPOINTS)


def test_a_box_without_area_is_left_out(tmp_path: Path) -> None:
    parse = example_parse()
    frame = parse.frames[0]
    person = frame.persons[0]
    flat = replace(person.parts[0], box=(5.0, 5.0, 5.001, 9.0))
    frame = replace(frame, persons=(replace(person, parts=(flat, *person.parts[1:])),))
    root = etree.parse(written(replace(parse, frames=(frame,)), tmp_path))
    assert {track.get("label") for track in root.findall("track")} == {"person", "skeleton", *PARTS[1:-1]}


def test_names_are_escaped_and_what_xml_cannot_hold_is_named(tmp_path: Path) -> None:
    states = ('<b> & "c"', "]]>", "持つ", "x")
    parse = example_parse(hand_states=states, path="a & b/<x>.mp4")
    root = etree.parse(written(parse, tmp_path))
    SCHEMA.assertValid(root)
    (track,) = root.xpath("track[@label='left_hand'][@group_id='1']")
    assert tuple(track.xpath("box/attribute[@name='state']/text()")) == states
    assert root.findtext("meta/task/source") == "<x>.mp4"
    with pytest.raises(DataError, match=r"XML cannot hold the character '\\x07'"):
        write_cvat(example_parse(hand_states=("be\aep",) * 4), tmp_path / "no.xml")
    assert not (tmp_path / "no.xml").exists()
