from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from actparse.core.errors import OutputError, VideoError
from actparse.core.structures import (
    FrameParse,
    ObjectParse,
    PartParse,
    PersonParse,
    SegmentParse,
    VideoInfo,
    VideoParse,
)
from actparse.report.labels import Label, place_labels, text_size
from actparse.report.overlay import (
    MIDDLE,
    Easel,
    caption,
    draw_frame,
    enlarged_size,
    enlargement,
    picture_size,
    state_lines,
    write_overlay,
)
from actparse.report.tracks import TrackLines
from actparse.video.decode import read_frames
from actparse.video.encode import VideoWriter
from actparse.video.pictures.yuv import Matrix, Yuv420, rgb_to_yuv_color, yuv_to_frame

SIDES = ("left", "right")
NO_POSE = ((0.0, 0.0, 0.0),) * 17


def person(track_id: int, x: float) -> PersonParse:
    parts = (PartParse("head", (x + 10, 20, x + 20, 30), 0.9, "turn", 0.8),)
    return PersonParse(track_id, (x, 20, x + 30, 80), 0.9, NO_POSE, parts)


def parse_of(num_frames: int, *frames: FrameParse, size: tuple[int, int] = (120, 160)) -> VideoParse:
    info = VideoInfo("v.mp4", size[1], size[0], num_frames, num_frames / 10, 10.0)
    segment = SegmentParse(0.0, num_frames / 10, 0, num_frames)
    return VideoParse(info, "front_raises", {"front_raises": 0.75}, frames, (segment,))


def gray_video(path: Path, num_frames: int, size: tuple[int, int] = (120, 160)) -> Path:
    with VideoWriter(path, size=size) as writer:
        for number in range(num_frames):
            writer.write(np.full((*size, 3), 90, np.uint8), number / 10)
    return path


def test_persons_move_on_straight_lines_between_samples() -> None:
    lines = TrackLines([FrameParse(0, 0.0, (person(1, 10),)), FrameParse(5, 0.5, (person(1, 30),))])
    assert lines.at(0.25)[0].box.tolist() == [20, 20, 50, 80]
    assert lines.at(0.25)[0].parts[0].tolist() == [30, 20, 40, 30]
    assert lines.at(0.9)[0].box.tolist() == [30, 20, 60, 80]
    assert lines.at(1.2) == []


def test_objects_are_those_of_the_nearest_sample() -> None:
    board, bat = (ObjectParse(name, (100.0, 60.0, 140.0, 70.0), 0.6) for name in ("skateboard", "baseball_bat"))
    lines = TrackLines([FrameParse(0, 0.0, (), (board,)), FrameParse(5, 0.5, (), (bat,)), FrameParse(10, 1.0)])
    assert [lines.objects_at(time) for time in (0.2, 0.3, 0.9, 2.0)] == [(board,), (bat,), (), ()]
    assert TrackLines([]).objects_at(0.0) == ()
    unsure = replace(board, score=0.4)
    assert TrackLines([FrameParse(0, 0.0, (), (unsure, bat))]).objects_at(0.0) == (bat,)


def test_an_object_is_drawn_with_its_name() -> None:
    y, u, v = (np.full(size, 90, np.uint8) for size in ((480, 640), (240, 320), (240, 320)))
    easel = Easel("", (480, 640), factor=1, matrix="bt601")
    board = ObjectParse("skateboard", (200.0, 300.0, 300.0, 340.0), 0.6)
    coded = easel.draw(Yuv420(y, u, v, "bt601"), [], 0.0, objects=[board])
    assert (coded.y[300, 202:298] > 200).all()
    assert (coded.y[302:338, 200] > 200).all()
    assert coded.y[285:299, 200:260].min() < 60  # the plate under the name
    assert (coded.y[:250] == 90).all()


def test_the_caption_asserts_what_the_verdict_does() -> None:
    parse = parse_of(10)
    assert caption(parse) == "front raises 75 %"
    assert caption(replace(parse, verdict="unknown")) == "no known action (closest: front raises 75 %)"
    assert caption(replace(parse, verdict="nobody")) == "nobody found"


def test_a_gap_is_not_bridged() -> None:
    present = [0, 4]
    frames = [FrameParse(5 * k, k / 2, (person(1, 10),) if k in present else ()) for k in range(5)]
    lines = TrackLines(frames)
    assert [len(lines.at(t)) for t in (0.0, 0.3, 1.0, 1.9, 2.0)] == [1, 1, 0, 0, 1]


def test_every_frame_is_drawn_with_its_time(tmp_path: Path) -> None:
    video = gray_video(tmp_path / "v.mp4", 12)
    frames = [FrameParse(k, k / 10, (person(1, 10 + k),)) for k in (0, 5, 10)]
    write_overlay(parse_of(12, *frames), video, tmp_path / "out" / "overlay.mp4")
    drawn = list(read_frames(tmp_path / "out" / "overlay.mp4"))
    assert [frame.time_seconds for frame in drawn] == pytest.approx([k / 10 for k in range(12)])
    height, width = picture_size((120, 160), 4)
    assert drawn[0].image.shape == (height + height % 2, width + width % 2, 3)
    assert (tmp_path / "out").is_dir()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["overlay.mp4"]


def test_boxes_lie_where_they_belong() -> None:
    frame = np.full((120, 160, 3), 90, np.uint8)
    persons = TrackLines([FrameParse(0, 0.0, (person(1, 10),))]).at(0.0)
    picture = draw_frame(frame, persons, "title", 0.0, factor=4)
    assert picture[160:240, 40].mean() > 150  # the person's left edge
    assert np.abs(picture[120, 85:115].mean(axis=0) - MIDDLE).max() < 40  # the head's box
    assert (picture[300:400, 400:600] == 90).all()


def test_a_person_with_nothing_to_say_has_a_number_alone() -> None:
    frame = np.full((120, 160, 3), 90, np.uint8)
    quiet = replace(person(1, 10), parts=(PartParse("head", (20, 40, 30, 50), 0.9, "none", 0.8),))
    persons = TrackLines([FrameParse(0, 0.0, (quiet,))]).at(0.0)
    picture = draw_frame(frame, persons, "title", 0.0, factor=4)
    assert (picture[:480, 180:] == 90).all()
    assert picture[84:92, 44:54].mean() > 150  # the number's plate, in the corner of the box


def test_a_number_keeps_off_a_label() -> None:
    frame = np.full((480, 640, 3), 90, np.uint8)
    box = (0.0, 0.0, 640.0, 480.0)  # leaves no place beside it
    parts = (PartParse("head", (300, 10, 340, 60), 0.0, "turn", 0.8),)
    persons = TrackLines([FrameParse(0, 0.0, (PersonParse(7, box, 0.9, NO_POSE, parts),))]).at(0.0)
    picture = draw_frame(frame, persons, "title", 0.0)[:480]
    plates = [picture[4:12, 3:6], picture[4:12, -6:-3], picture[-12:-4, 3:6], picture[-12:-4, -6:-3]]
    assert [bool(plate.mean() > 200) for plate in plates].count(True) == 1


def test_text_stays_on_its_backing() -> None:
    for size in ((480, 640), (1080, 1920)):
        frame = np.full((*size, 3), 200, np.uint8)
        parts = tuple(PartParse(f"{side}_leg", (0, 0, 0, 0), 0.0, f"{side} stretch straight", 0.8) for side in SIDES)
        one = PersonParse(1, (10, 10, 100, 200), 0.9, NO_POSE, parts)
        picture = draw_frame(frame, TrackLines([FrameParse(0, 0.0, (one,))]).at(0.0), "", 0.0)[: size[0], 120:]
        backing = np.argwhere((picture < 100).all(axis=2))
        changed = np.argwhere((picture != 200).any(axis=2))
        assert (changed.max(axis=0) <= backing.max(axis=0)).all()


def test_a_long_title_leaves_room_for_the_clock() -> None:
    frame = np.full((480, 480, 3), 90, np.uint8)
    bars = [draw_frame(frame, [], "x" * length, 3.5)[480:] for length in (1, 80)]
    assert np.array_equal(bars[0][:, -60:], bars[1][:, -60:])


def test_a_part_of_the_video_begins_at_zero_with_its_own_sound(tmp_path: Path) -> None:
    video = gray_video(tmp_path / "v.mp4", 12)
    write_overlay(parse_of(12), video, tmp_path / "o.mp4", time_range=(0.45, 0.95))
    assert [f.time_seconds for f in read_frames(tmp_path / "o.mp4")] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    with pytest.raises(VideoError, match="needs at least one frame in the asked time, got none"):
        write_overlay(parse_of(12), video, tmp_path / "p.mp4", time_range=(5.0, 6.0))
    assert not (tmp_path / "p.mp4").exists()


@pytest.mark.parametrize(("size", "factor"), [((480, 640), 1), ((121, 161), 4), ((135, 241), 2), ((487, 641), 1)])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_the_coded_picture_looks_like_the_drawn_one(size: tuple[int, int], factor: int, matrix: Matrix) -> None:
    posed = tuple((20.0 + 2 * k, 25.0 + 3 * k, 0.9) for k in range(17))
    frame = FrameParse(0, 0.0, (replace(person(1, 10), keypoints=posed), person(2, 70)))
    persons = TrackLines([frame]).at(0.0)
    drawn = draw_frame(np.full((*size, 3), 90, np.uint8), persons, "lunge  80%", 0.0, factor=factor)
    chroma = np.full((-(-size[0] // 2), -(-size[1] // 2)), 128, np.uint8)
    y, _, _ = rgb_to_yuv_color((90, 90, 90), matrix)
    coded = Easel("lunge  80%", size, factor=factor, matrix=matrix).draw(
        Yuv420(np.full(size, y, np.uint8), chroma, chroma, matrix), persons, 0.0
    )
    height, width = drawn.shape[:2]
    assert coded.size == (height + height % 2, width + width % 2)
    shown = coded_to_rgb(coded)[:height, :width]
    differences = np.abs(shown.astype(int) - drawn)  # colour is coded at half the size, brightness is not
    assert np.abs(shown.mean(axis=2) - drawn.mean(axis=2)).mean() < 1.5
    assert differences.mean() < 3
    assert differences[-5:].max() <= 6  # the bar below the text


def coded_to_rgb(picture: Yuv420) -> NDArray[np.uint8]:
    space = Colorspace.ITU709 if picture.matrix == "bt709" else Colorspace.ITU601
    frame = yuv_to_frame(picture).reformat(format="rgb24", src_colorspace=space, dst_colorspace=space)
    return frame.to_ndarray()


def test_what_nobody_is_in_stays_as_it_was_coded() -> None:
    rng = np.random.default_rng(0)
    y, u, v = (rng.integers(16, 236, size, np.uint8) for size in ((480, 640), (240, 320), (240, 320)))
    at_left = replace(person(1, 10), box=(10, 20, 60, 200), parts=())
    persons = TrackLines([FrameParse(0, 0.0, (at_left,))]).at(0.0)
    coded = Easel("", (480, 640), factor=1, matrix="bt601").draw(Yuv420(y, u, v, "bt601"), persons, 0.0)
    assert (coded.y[20:200, 10] > 200).all()
    inside = np.s_[100:120, 20:40]  # of the box, away from its lines
    assert np.array_equal(coded.y[inside], y[inside])
    assert np.array_equal(coded.u[50:60, 10:20], u[50:60, 10:20])
    assert np.array_equal(coded.y[:480, 200:], y[:, 200:])
    assert np.array_equal(coded.v[:240, 100:], v[:, 100:])


def test_states_are_said_once_for_both_sides() -> None:
    states = {"head": "none", "left_arm": "bend", "right_arm": "bend", "left_foot": "step_on", "right_foot": "tiptoe"}
    assert [text for text, _ in state_lines(states)] == ["arms: bend", "L foot: step on", "R foot: tiptoe"]


def test_labels_keep_off_each_other_and_inside() -> None:
    boxes = [np.array([100.0 + 30 * k, 100, 160 + 30 * k, 300]) for k in range(4)]
    labels = [Label(box, [("person", MIDDLE), ("arms: bend", MIDDLE)]) for box in boxes]
    spots = []
    for label, (x, y) in place_labels(labels, (480, 640), 0.42):
        width, height, _ = text_size(label.lines, 0.42)
        spots.append((x, y, x + width, y + height))
    for n, a in enumerate(spots):
        assert a[0] >= 0
        assert a[1] >= 0
        assert a[2] <= 640
        assert a[3] <= 480
        for b in spots[n + 1 :]:
            assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1])


def test_nothing_is_left_where_it_cannot_be_written(tmp_path: Path) -> None:
    video = gray_video(tmp_path / "v.mp4", 3)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write_overlay(parse_of(3), video, tmp_path / "file" / "overlay.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "v.mp4"]


def test_a_label_keeps_its_side_until_that_is_clearly_worse() -> None:
    lines = [("person", MIDDLE), ("arms: bend", MIDDLE)]
    person, sides = np.array([200.0, 100.0, 260.0, 300.0]), dict[int, int]()
    place_labels([Label(person, lines, 7)], (480, 640), 0.42, sides)
    right = sides[7]
    width = text_size(lines, 0.42)[0]
    neighbour = person + [64 + 0.8 * width, 0, 64 + 0.8 * width, 0]  # over a fifth of the label
    place_labels([Label(person, lines, 7), Label(neighbour, lines, 8)], (480, 640), 0.42, sides)
    assert sides[7] == right
    near = person + [64, 0, 64, 0]  # over all of it
    place_labels([Label(person, lines, 7), Label(near, lines, 8)], (480, 640), 0.42, sides)
    assert sides[7] != right


@pytest.mark.parametrize(
    ("size", "factor", "enlarged"),
    [
        pytest.param((120, 160), 4, (480, 640), id="small"),
        pytest.param((1080, 1920), 1, (1080, 1920), id="large enough"),
        pytest.param((100, 1920), 2, (200, 3840), id="a strip, as far as players go"),
        pytest.param((64, 3600), 1, (64, 3600), id="a longer strip"),
        pytest.param((4320, 8192), 0.5, (2160, 4096), id="8K"),
        pytest.param((16, 16000), 0.256, (4, 4096), id="a very long strip"),
        pytest.param((1, 4096), 1, (1, 4096), id="a line"),
    ],
)
def test_the_overlay_is_no_longer_than_players_take(
    size: tuple[int, int], factor: float, enlarged: tuple[int, int]
) -> None:
    assert enlargement(size) == pytest.approx(factor)
    assert enlarged_size(size, enlargement(size)) == enlarged
