from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from actparse.core.errors import ConfigError, DataError
from actparse.core.structures import FrameParse, PartParse, PersonParse, VideoInfo, VideoParse
from actparse.core.vocabulary import KEYPOINTS, PARTS
from actparse.export.movements import RepetitionConfig
from actparse.export.repetitions import count_repetitions, find_exercise, repetitions_table

Angle = Callable[[float], float]  # seconds -> degrees


def squats(seconds: float, period: float = 2.0) -> float:
    """The angle of the knee: straight at 0, bent to 80 degrees in the middle of each period."""
    return 125 + 45 * math.cos(2 * math.pi * seconds / period)


def straight(seconds: float) -> float:
    return 170.0


def keypoints(left_knee: float, right_knee: float, *, confidence: float = 0.9) -> list[tuple[float, float, float]]:
    """A person seen from the side, hips at (200, 200); the shanks turn about the knees."""
    points = dict.fromkeys(KEYPOINTS, (200.0, 100.0))
    for side, degrees in (("left", left_knee), ("right", right_knee)):
        turn = math.radians(180 - degrees)
        points |= {f"{side}_hip": (200.0, 200.0), f"{side}_knee": (200.0, 300.0)}
        points[f"{side}_ankle"] = (200 + 100 * math.sin(turn), 300 + 100 * math.cos(turn))
    return [(*points[name], confidence) for name in KEYPOINTS]


def parse_of(
    left: Angle,
    right: Angle | None = None,
    *,
    seconds: float = 8.0,
    rate: float = 12.0,
    hidden: tuple[float, float] = (0.0, 0.0),
    noise: float = 0.0,
    shift: Callable[[float], tuple[float, float]] = lambda _: (0.0, 0.0),
    track: Callable[[float], int] = lambda _: 1,
) -> VideoParse:
    """A parse of one person, shifted by pixels; in the interval `hidden` nobody is detected."""
    rng = np.random.default_rng(3)
    frames = []
    for index in range(int(seconds * rate) + 1):
        time = index / rate
        points = np.array(keypoints(left(time), (right or left)(time)))
        x, y = shift(time)
        points[:, :2] += noise * rng.standard_normal((17, 2)) + (x, y)
        box = (100.0 + x, 80.0 + y, 300.0 + x, 420.0 + y)
        person = PersonParse(
            track_id=track(time),
            box=box,
            score=0.9,
            keypoints=tuple((float(x), float(y), float(c)) for x, y, c in points),
            parts=tuple(PartParse(name, box, 0.9) for name in PARTS),
        )
        is_hidden = hidden[0] <= time < hidden[1]
        frames.append(FrameParse(index, time, () if is_hidden else (person,)))
    info = VideoInfo("squats.mp4", 400, 440, len(frames), seconds, rate)
    return VideoParse(
        video=info, action="squatting", action_scores={"squatting": 1.0}, frames=tuple(frames), segments=(), model={}
    )


@pytest.mark.parametrize("noise", [0.0, 6.0], ids=["clean", "noisy"])
def test_four_squats_are_four_repetitions_with_their_times_and_angles(noise: float) -> None:
    counted = count_repetitions(parse_of(squats, noise=noise))
    assert (counted.exercise, counted.joint, counted.track_id) == ("squat", "knee", 1)
    assert [round(item.turn_seconds) for item in counted.items] == [1, 3, 5, 7]
    first = counted.items[0]
    assert 0 <= first.start_seconds < 0.6
    assert 1.4 < first.end_seconds <= 2.2
    assert first.left.smallest == pytest.approx(80, abs=12)
    assert first.left.largest == pytest.approx(170, abs=12)
    assert 0 < first.confidence <= 1


def test_noise_lowers_the_confidence() -> None:
    clean, noisy = (count_repetitions(parse_of(squats, noise=noise)).items[1].confidence for noise in (0.0, 8.0))
    assert noisy < clean


def test_a_person_who_stands_does_no_repetition() -> None:
    assert count_repetitions(parse_of(straight, noise=3.0), "squat").items == ()


def test_noise_is_no_repetition() -> None:
    assert count_repetitions(parse_of(straight, noise=20.0), "squat").items == ()


def test_shallow_squats_before_the_person_sits_down_count() -> None:
    def shallow(seconds: float) -> float:
        return 150 + 20 * math.cos(math.pi * seconds) if seconds < 6 else max(170 - 100 * (seconds - 6), 60.0)

    counted = count_repetitions(parse_of(shallow, seconds=10.0))
    assert [round(item.turn_seconds) for item in counted.items] == [1, 3, 5]


def test_a_knee_that_bends_towards_the_camera_is_warned_of() -> None:
    parse = parse_of(straight)
    frames = []
    for frame in parse.frames:
        (person,) = frame.persons
        points = np.array(person.keypoints)
        hips = [KEYPOINTS.index(f"{side}_hip") for side in ("left", "right")]
        points[hips, 1] = 300 - 100 * abs(math.cos(math.pi * frame.time_seconds / 2))  # the thighs point to the camera
        turned = replace(person, keypoints=tuple((float(x), float(y), float(c)) for x, y, c in points))
        frames.append(replace(frame, persons=(turned,)))
    counted = count_repetitions(replace(parse, frames=tuple(frames)), "squat")
    assert counted.items == ()
    assert [warning for warning in counted.warnings if "film from the side" in warning]
    assert counted.warnings[0].startswith("the knee changes by only ")
    assert count_repetitions(parse_of(squats)).warnings == ()
    assert count_repetitions(parse_of(straight), "squat").warnings == ()


def test_another_person_who_does_repetitions_is_named() -> None:
    front, behind = parse_of(straight), parse_of(squats)
    frames = []
    for a, b in zip(front.frames, behind.frames, strict=True):
        (other,) = b.persons
        frames.append(replace(a, persons=(*a.persons, replace(other, track_id=2, score=0.5))))
    parse = replace(front, frames=tuple(frames))
    assert count_repetitions(parse, "squat").warnings == ("person 1 does none, person 2 does 4: choose with --person",)
    assert len(count_repetitions(parse, "squat", track_id=2).items) == 4


def test_a_person_who_gets_another_number_is_counted_through() -> None:
    parse = parse_of(squats, track=lambda time: 1 if time < 4.4 else 2)
    counted = count_repetitions(parse, "squat")
    assert [round(item.turn_seconds) for item in counted.items] == [1, 3, 5, 7]
    assert counted.continued_by == (2,)
    assert counted.warnings == ("person 1 is continued by 2, counted as the same: choose one with --person",)
    assert len(count_repetitions(parse, "squat", track_id=1).items) == 2


def test_somebody_who_is_there_all_the_time_continues_nobody() -> None:
    front, behind = parse_of(squats, seconds=10.0, hidden=(4.0, 6.0)), parse_of(squats, seconds=10.0)
    frames = [
        replace(a, persons=(*a.persons, *(replace(p, track_id=2, score=0.2) for p in b.persons)))
        for a, b in zip(front.frames, behind.frames, strict=True)
    ]
    counted = count_repetitions(replace(front, frames=tuple(frames)), "squat")
    assert counted.continued_by == ()
    assert [round(item.turn_seconds) for item in counted.items] == [1, 3, 7, 9]


def hops(seconds: float) -> float:
    """The height of hops over a rope, 1.5 a second, pixels; a trunk has 100."""
    return 20 * max(0.0, math.sin(3 * math.pi * seconds))


@pytest.mark.parametrize("noise", [0.0, 2.0], ids=["clean", "noisy"])
def test_hops_count_whatever_the_camera_does(noise: float) -> None:
    def pan(seconds: float) -> tuple[float, float]:
        return 0.0, 15 * math.sin(seconds) - hops(seconds)

    counted = count_repetitions(parse_of(straight, shift=pan, noise=noise), "jump")
    assert len(counted.items) == 12


def test_stooping_and_small_steps_between_hops_do_not_count() -> None:
    def move(seconds: float) -> tuple[float, float]:
        stoop = 60 * math.sin(math.pi * (seconds - 3) / 2) if 3 <= seconds < 5 else 0.0
        is_hop = seconds < 2 or seconds >= 6
        return 0.0, stoop - (hops(seconds) if is_hop else 0.2 * hops(seconds))

    assert len(count_repetitions(parse_of(straight, shift=move), "jump").items) == 6


def test_a_cut_is_no_jump_and_hides_none() -> None:
    def cut(seconds: float) -> tuple[float, float]:
        return (0.0, -hops(seconds)) if 3 <= seconds < 3.9 else (250.0, 90.0 - hops(seconds))

    counted = count_repetitions(parse_of(straight, shift=cut), "jump")
    assert len(counted.items) in (11, 12)  # a hop may be at a cut
    still = parse_of(straight, shift=lambda time: (0.0, 0.0) if 3 <= time < 3.9 else (250.0, 90.0))
    assert count_repetitions(still, "jump").items == ()
    pan = parse_of(straight, shift=lambda time: (0.0, -40 * time) if time < 4 else (600.0, -40 * (time - 4)))
    assert count_repetitions(pan, "jump").items == ()


Point = tuple[float, float, float]  # x, y, confidence


def with_points(parse: VideoParse, change: Callable[[FrameParse, str, Point], Point]) -> VideoParse:
    """The parse with each keypoint of its person changed, by frame and name."""
    frames = []
    for frame in parse.frames:
        pairs = zip(KEYPOINTS, frame.persons[0].keypoints, strict=True)
        points = tuple(change(frame, name, point) for name, point in pairs)
        frames.append(replace(frame, persons=(replace(frame.persons[0], keypoints=points),)))
    return replace(parse, frames=tuple(frames))


def is_face(name: str) -> bool:
    return name.partition("_")[2] in ("eye", "ear") or name == "nose"


def hopping_without(is_hidden: Callable[[FrameParse, str], bool]) -> VideoParse:
    """Twelve hops of a person whose head is 41 pixels above the shoulders, some keypoints hidden."""

    def change(frame: FrameParse, name: str, point: Point) -> Point:
        x, y, confidence = point
        return x, y - 41 * is_face(name), 0.05 if is_hidden(frame, name) else confidence

    return with_points(parse_of(straight, shift=lambda time: (0.0, -hops(time)), noise=1.0), change)


def test_a_cut_to_a_nearer_camera_divides_the_hops() -> None:
    def near(person: PersonParse) -> PersonParse:
        points = tuple((200 + 2.5 * (x - 200), 250 + 2.5 * (y - 250), c) for x, y, c in person.keypoints)
        return replace(person, keypoints=points, box=(-50.0, -175.0, 450.0, 675.0))

    parse = parse_of(straight, shift=lambda time: (0.0, -hops(time)))
    frames = tuple(
        replace(frame, persons=tuple(map(near, frame.persons))) if frame.time_seconds >= 6 else frame
        for frame in parse.frames
    )
    assert len(count_repetitions(replace(parse, frames=frames), "jump").items) == 12


@pytest.mark.parametrize("hidden", ["hip", "right", "shoulder or hip"])
def test_hops_count_whichever_points_of_the_body_are_visible(hidden: str) -> None:
    def is_hidden(frame: FrameParse, name: str) -> bool:
        word = ("shoulder", "hip")[frame.index // 3 % 2] if hidden == "shoulder or hip" else hidden
        return word in name

    assert len(count_repetitions(hopping_without(is_hidden), "jump").items) == 12


def test_nods_are_no_jumps() -> None:
    def nod(frame: FrameParse, name: str, point: Point) -> Point:
        x, y, confidence = point
        return x, y - 25 * is_face(name) * max(0.0, math.sin(2 * math.pi * frame.time_seconds)), confidence

    assert count_repetitions(with_points(parse_of(straight, noise=0.5), nod), "jump").items == ()


def test_the_confidence_of_jumps_is_that_of_the_visible_points() -> None:
    counted = count_repetitions(hopping_without(lambda _, name: "hip" in name), "jump")
    assert min(item.confidence for item in counted.items) > 0.5
    assert counted.warnings == ()


def test_hands_that_rise_a_little_are_no_raise() -> None:
    def raising(trunks: float) -> VideoParse:
        def change(frame: FrameParse, name: str, point: Point) -> Point:
            rise = 100 * trunks * (1 - math.cos(math.pi * frame.time_seconds)) / 2
            return (200.0, 210.0 - rise, 0.9) if "wrist" in name else point

        return with_points(parse_of(straight), change)

    assert count_repetitions(raising(0.2), "raise").items == ()
    assert len(count_repetitions(raising(0.8), "raise").items) == 4


def test_steps_are_no_deadlift_but_small_movements_of_a_named_joint_count() -> None:
    def steps(seconds: float) -> float:
        return 165 - 13 * (1 - math.cos(math.pi * seconds))

    counted = count_repetitions(parse_of(steps), "squat")
    assert counted.items == ()
    assert counted.warnings == (
        "the largest movement is 26 degrees: a repetition needs 30, or count with --exercise knee",
    )
    assert len(count_repetitions(parse_of(steps), "knee").items) == 4
    counted = count_repetitions(parse_of(lambda seconds: 165 - 7 * (1 - math.cos(math.pi * seconds))), "knee")
    assert counted.warnings == ("the largest movement is 14 degrees: a repetition needs 20",)


def test_small_movements_between_few_large_ones_do_not_count() -> None:
    def sparse(seconds: float) -> float:
        within = seconds % 20
        depth = 90.0 if within < 1 else 28.0
        return 170 - depth * max(0.0, math.sin(math.pi * within)) if int(within) % 4 == 0 else 170.0

    counted = count_repetitions(parse_of(sparse, seconds=40.0), "squat")
    assert [item.turn_seconds for item in counted.items] == pytest.approx([0.5, 20.5], abs=0.2)


def test_a_joint_that_is_mostly_hidden_is_warned_of() -> None:
    counted = count_repetitions(parse_of(squats, seconds=12.0, hidden=(4.0, 11.0)))
    assert counted.warnings == ("the knee is visible in 41 % of the time only",)


def test_the_last_half_of_a_repetition_does_not_count() -> None:
    assert len(count_repetitions(parse_of(squats, seconds=5.0)).items) == 2  # ends at the bottom of the third


def test_lunges_of_both_sides_count() -> None:
    def left(seconds: float) -> float:
        return squats(seconds) if seconds % 4 < 2 else 170.0

    def right(seconds: float) -> float:
        return squats(seconds) if seconds % 4 >= 2 else 170.0

    counted = count_repetitions(parse_of(left, right), "lunge")
    assert len(counted.items) == 4
    assert counted.items[0].asymmetry > 60
    assert counted.items[0].left.range > counted.items[0].right.range


def test_one_joint_has_no_other_side() -> None:
    counted = count_repetitions(parse_of(squats, straight), "left_knee")
    assert len(counted.items) == 4
    assert math.isnan(counted.items[0].right.range)
    assert math.isnan(counted.items[0].asymmetry)


def test_repetitions_before_and_after_a_long_gap_count() -> None:
    counted = count_repetitions(parse_of(squats, seconds=12.0, hidden=(4.0, 7.9)))
    assert [round(item.turn_seconds) for item in counted.items] == [1, 3, 9, 11]


def test_frames_of_one_time_hold_no_repetition() -> None:
    parse = parse_of(squats)
    frozen = tuple(replace(frame, time_seconds=1.0) for frame in parse.frames)
    assert count_repetitions(replace(parse, frames=frozen)).items == ()


def test_few_samples_are_warned_of() -> None:
    counted = count_repetitions(parse_of(squats, rate=3.0))
    assert any("3.0 sampled frames a second" in warning for warning in counted.warnings)


def test_a_joint_that_is_never_visible_is_warned_of() -> None:
    counted = count_repetitions(parse_of(squats), config=RepetitionConfig(min_confidence=0.95))
    assert counted.items == ()
    assert any("not visible" in warning for warning in counted.warnings)


def test_an_action_that_is_no_exercise_needs_a_name() -> None:
    parse = parse_of(squats)
    with pytest.raises(ConfigError, match="exercise must be given for the action 'capoeira'"):
        find_exercise(VideoParse(**{**vars(parse), "action": "capoeira"}))


def test_an_unknown_exercise_suggests_a_known_one() -> None:
    with pytest.raises(ConfigError, match=r"got 'squad'.*squat"):
        count_repetitions(parse_of(squats), "squad")


def test_a_person_who_is_not_in_the_parse_is_an_error() -> None:
    with pytest.raises(DataError, match="person must be one of 1, got 7"):
        count_repetitions(parse_of(squats), track_id=7)


def test_nobody_is_an_error() -> None:
    with pytest.raises(DataError, match="got nobody"):
        count_repetitions(parse_of(squats, hidden=(0.0, 99.0)))


def test_the_table_has_a_row_each_and_null_for_an_invisible_side() -> None:
    table = repetitions_table(count_repetitions(parse_of(squats, straight), "left_knee"), "squats")
    assert table["repetition"].to_pylist() == [1, 2, 3, 4]
    assert table["video"].to_pylist() == ["squats"] * 4
    assert table["right_range_deg"].to_pylist() == [None] * 4
    assert table["left_range_deg"].to_pylist()[0] > 80
