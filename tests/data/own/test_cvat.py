"""CVAT for video: tracks to frames by hand-made files; what breaks a rule is named with its line."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from actparse.core.errors import DataError
from actparse.core.vocabulary import KEYPOINTS, PARTS
from actparse.data.own.cvat import read_cvat
from actparse.data.own.cvat_labels import own_labels
from actparse.data.own.labelled import LabelledVideo

PLACE = 'xtl="0" ytl="0" xbr="10" ybr="20"'


def box(frame: int, place: str = PLACE, *, outside: int = 0, **attributes: str) -> str:
    said = "".join(f'<attribute name="{name}">{value}</attribute>' for name, value in attributes.items())
    return f'<box frame="{frame}" keyframe="1" outside="{outside}" occluded="0" {place}>{said}</box>'


def track(label: str, *shapes: str, more: str = "") -> str:
    return f'<track id="0" label="{label}" {more}>\n' + "\n".join(shapes) + "\n</track>"


def document(*tracks: str, meta: str = "<source>clip.mp4</source>") -> str:
    return f"<annotations><version>1.1</version><meta>{meta}</meta>\n" + "\n".join(tracks) + "\n</annotations>"


def read(folder: Path, text: str, *, ignore: tuple[str, ...] = ()) -> LabelledVideo:
    path = folder / "labels.xml"
    path.write_text(text, encoding="utf-8")
    (video,) = read_cvat(path, ignore=ignore)
    return video


FAR = 'xtl="100" ytl="0" xbr="110" ybr="20"'
PERSON, OTHER = (track("person", box(0, place, person="1")) for place in (PLACE, FAR))


def test_boxes_move_between_keyframes_and_states_do_not(tmp_path: Path) -> None:
    person = track("person", box(0, person="7"), box(4, 'xtl="8" ytl="0" xbr="18" ybr="20"', person="7"))
    arm = track("left_arm", box(0, person="7", state="bent"), box(2, person="7", state="straight"), box(4, person="7"))
    video = read(tmp_path, document(person, arm))
    assert video.video == "clip.mp4"
    assert [video.frames[n].persons[0].box[0] for n in range(5)] == [0, 2, 4, 6, 8]
    persons = [video.frames[n].persons[0] for n in range(5)]
    assert [p.parts["left_arm"].state if p.parts else None for p in persons] == ["bent"] * 2 + ["straight"] * 2 + [None]
    assert persons[4].unstated == {"left_arm": (0, 0, 10, 20)}
    assert {p.identity for p in persons} == {7}


def test_outside_ends_a_track_and_nothing_moves_towards_it(tmp_path: Path) -> None:
    far = 'xtl="100" ytl="0" xbr="110" ybr="20"'
    shapes = (box(1, person="1"), box(3, far, outside=1, person="1"), box(6, person="1"))
    video = read(tmp_path, document(track("person", *shapes)))
    assert sorted(video.frames) == [1, 2, 6]
    assert video.frames[2].persons[0].box == (0, 0, 10, 20)


@pytest.mark.parametrize("place", ['xtl="0" ytl="0" xbr="0" ybr="0"', 'xtl="9" ytl="9" xbr="3" ybr="3"', ""])
def test_the_end_of_a_track_needs_no_size(place: str, tmp_path: Path) -> None:
    shapes = (box(1, person="1"), box(3, place, outside=1, person="1"), box(99, place, outside=1, person="1"))
    assert sorted(read(tmp_path, document(track("person", *shapes))).frames) == [1, 2]


def test_equal_tracks_are_one(tmp_path: Path) -> None:
    hip = track("hip", box(0, person="1"))
    state = track("hip", box(0, PLACE.replace('"10"', '"10.004"'), person="1", state="bent"))
    video = read(tmp_path, document(PERSON, PERSON, hip, state))
    assert [person.parts["hip"].state for person in video.frames[0].persons] == ["bent"]
    with pytest.raises(DataError, match="needs one state of hip of person 1 in frame 0, got 'straight' after 'bent'"):
        read(tmp_path, document(PERSON, state, track("hip", box(0, person="1", state="straight"))))


def test_skeletons_with_other_points(tmp_path: Path) -> None:
    point = '<points label="{}" outside="0" occluded="0" keyframe="1" points="{},2"/>'
    names = {"Left Wrist": 3, "neck": 8, "nose": 4}
    points = "".join(point.format(name, x) for name, x in names.items())
    shape = f'<skeleton frame="0">{points}<attribute name="person">1</attribute></skeleton>'
    video = read(tmp_path, document(PERSON, track("skeleton", shape)))
    keypoints = video.frames[0].persons[0].keypoints
    assert keypoints is not None
    assert [keypoints[KEYPOINTS.index(name), 0] for name in ("left_wrist", "nose")] == [3, 4]
    assert "the keypoints neck are not among the 17" in video.warnings[0]
    with pytest.raises(DataError, match=r"a skeleton.keypoints must be names like left_shoulder.*got left_wirst"):
        read(tmp_path, document(PERSON, track("skeleton", shape.replace("Left Wrist", "left_wirst"))))


def test_many_labels_without_a_person_are_summarised(tmp_path: Path) -> None:
    tracks = [track("hip", box(0, person=str(number))) for number in range(2, 300)]
    video = read(tmp_path, document(PERSON, *tracks))
    assert len(video.warnings) == 13
    assert video.warnings[-1] == "... and 286 more lines like the last"


def test_two_lines_cannot_fill_the_memory(tmp_path: Path) -> None:
    long = track("person", box(0, person="1"), box(10**7, person="1"))
    with pytest.raises(DataError, match="needs at most 10000000 labels over all frames of its tracks, got 10000001"):
        read(tmp_path, document(long))


def test_a_task_that_shows_every_third_frame(tmp_path: Path) -> None:
    meta = "<task><id>5</id><frame_filter>step=3</frame_filter></task><source>clip.mp4</source>"
    video = read(tmp_path, document(track("person", box(0, person="1"), box(9, person="1")), meta=meta))
    assert sorted(video.frames) == [0, 3, 6, 9]


def test_groups_do_what_the_attribute_does(tmp_path: Path) -> None:
    tracks = (
        track("person", box(0), more='group_id="2"'),
        track("head", box(0, state="up"), more='group_id="2"'),
        track("person", box(0, person="3")),
    )
    persons = read(tmp_path, document(*tracks)).frames[0].persons
    assert [(p.identity, list(p.parts)) for p in persons] == [(3, []), (6, ["head"])]  # 3, and group 2 counted from 4


def test_a_skeleton_becomes_keypoints(tmp_path: Path) -> None:
    points = (
        '<points label="nose" outside="0" occluded="0" keyframe="1" points="{x},2"/>'
        '<points label="left_wrist" outside="0" occluded="1" keyframe="1" points="3,4"/>'
        '<points label="right_wrist" outside="1" occluded="0" keyframe="1" points="5,6"/>'
        '<attribute name="person">1</attribute>'
    )
    skeletons = [f'<skeleton frame="{n}" keyframe="1">{points.format(x=x)}</skeleton>' for n, x in ((0, 1), (2, 5))]
    person = track("person", box(0, person="1"), box(2, person="1"))
    keypoints = read(tmp_path, document(person, track("skeleton", *skeletons))).frames[1].persons[0].keypoints
    assert keypoints is not None
    assert keypoints[KEYPOINTS.index("nose")].tolist() == [3, 2, 2]
    assert keypoints[KEYPOINTS.index("left_wrist")].tolist() == [3, 4, 1]
    assert np.count_nonzero(keypoints[:, 2]) == 2


def test_what_has_no_person_is_left_out_with_a_word(tmp_path: Path) -> None:
    tracks = (track("person", box(0, person="1")), track("hip", box(0, person="1"), box(2, person="1")))
    video = read(tmp_path, document(*tracks))
    assert sorted(video.frames) == [0]
    (line,) = video.warnings
    assert "hip of person 1 in 2 frames, from frame 1 on, without the person's box: left out" in line


def test_the_action_is_what_all_persons_say(tmp_path: Path) -> None:
    tracks = [track("person", box(0, person="1", action="squat")), track("person", box(0, person="2", action="squat"))]
    assert read(tmp_path, document(*tracks)).action == "squat"
    tracks[1] = track("person", box(0, person="2", action="__undefined__"))
    assert read(tmp_path, document(*tracks)).action == "squat"
    tracks[1] = track("person", box(0, person="2", action="press"))
    with pytest.raises(DataError, match=r"must be the same for all persons, got 'press' \(line \d+\) and 'squat'"):
        read(tmp_path, document(*tracks))


def test_a_project_holds_several_videos(tmp_path: Path) -> None:
    meta = "<project><tasks>{}</tasks></project>".format(
        "".join(f"<task><id>{n}</id><source>{name}.mp4</source></task>" for n, name in ((4, "a"), (9, "b")))
    )
    tracks = (
        track("person", box(0, person="1"), more='task_id="9"'),
        track("person", box(5, person="1"), more='task_id="4"'),
    )
    path = tmp_path / "p.xml"
    path.write_text(document(*tracks, meta=meta))
    assert {video.video: list(video.frames) for video in read_cvat(path)} == {"a.mp4": [5], "b.mp4": [0]}


def test_without_a_source_the_file_has_the_videos_name(tmp_path: Path) -> None:
    assert read(tmp_path, document(track("person", box(0, person="1")), meta="")).video == "labels"


def test_a_zip_is_read_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "task.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../annotations.xml", document(track("person", box(0, person="1"))))
    (video,) = read_cvat(path)
    assert list(video.frames) == [0]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "")
    with pytest.raises(DataError, match="needs a zip with one XML file, got 0"):
        read_cvat(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_zip_is_named(tmp_path: Path, compression: int) -> None:
    path = tmp_path / "task.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("annotations.xml", document(track("person", box(0, person="1"))))
    content = bytearray(path.read_bytes())
    content[60:110] = bytes(50)  # within the member
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"task\.zip: needs an XML file or a zip with one, got"):
        read_cvat(path)


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><annotations>&b;</annotations>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("no xml", "needs XML, got: ", id="no-xml"),
        pytest.param(BOMB, "line 1: needs XML without a document type", id="entities"),
        pytest.param("<kml/>", "needs <annotations> of CVAT for video, got <kml>", id="other-root"),
        pytest.param('<annotations><image id="0"/></annotations>', "got 'CVAT for images'", id="images"),
        pytest.param(document(track("left_am", box(0))), "line 2: a label .*did you mean 'left_arm'", id="label"),
        pytest.param(
            document(track("head", '<polygon frame="0"/>')), "head needs a rectangle, got a polygon", id="kind"
        ),
        pytest.param(document(track("head", box(0))), "line 2: a track of head needs the attribute person", id="whose"),
        pytest.param(document(track("head", box(0, person="x"))), "must be one whole number, got 'x'", id="number"),
        pytest.param(
            document(track("head", box(0, person="1"), box(1, person="2"))), "one whole number, got", id="two-numbers"
        ),
        pytest.param(document(PERSON, OTHER), "a second box of person 1 in frame 0", id="same-person-twice"),
        pytest.param(
            document(PERSON, *(track("hip", box(0, place, person="1")) for place in (PLACE, FAR))),
            "one hip of person 1 in frame 0",
            id="part-twice",
        ),
        pytest.param(document(track("person", box(1), box(1))), "frames of a track must ascend, got 1", id="order"),
        pytest.param(document(track("person", box(10**8))), "frame must be a whole number up to", id="late-frame"),
        pytest.param(
            document(track("person", box(0, PLACE.replace('"10"', '"nan"')))), "xbr must be a finite number", id="nan"
        ),
        pytest.param(document(track("person", box(0, PLACE.replace('"10"', '"0"')))), "area above zero", id="no-area"),
        pytest.param(document(track("person", box(0, PLACE + ' rotation="9"'))), "upright rectangles", id="rotation"),
    ],
)
def test_what_breaks_a_rule_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "labels.xml"))
    assert "\n" not in str(caught.value)


def test_labels_can_be_left_aside(tmp_path: Path) -> None:
    tracks = (PERSON, track("barbell", '<polygon frame="0"/>'))
    assert list(read(tmp_path, document(*tracks), ignore=("barbell",)).frames) == [0]


def test_the_labels_of_the_constructor_are_those_that_are_read() -> None:
    labels = own_labels(["squat"], {"leg": ["bent"]})
    assert [label["name"] for label in labels] == ["person", *PARTS, "skeleton"]
    leg = next(label for label in labels if label["name"] == "left_leg")
    state = next(attribute for attribute in leg["attributes"] if attribute["name"] == "state")
    assert state["values"] == ["__undefined__", "bent"]
    assert state["mutable"]
    skeleton = labels[-1]
    assert [point["name"] for point in skeleton["sublabels"]] == list(KEYPOINTS)
    assert skeleton["svg"].count("<circle") == len(KEYPOINTS)
