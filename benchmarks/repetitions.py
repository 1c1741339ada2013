"""How many repetitions are counted, against the motion that SynthTPS drew, and against counts of real clips.

python benchmarks/repetitions.py DATA [--split test] [--weights tiny] [--stride 1] [--parses DIR]
python benchmarks/repetitions.py --counts counts.json --parses DIR
python benchmarks/repetitions.py --seed 77123 [--videos 90]
python benchmarks/repetitions.py --seed 81003 --look video [--videos 96]

DATA is a dataset of `actparse synth`; the truth is counted from the performers' joints in space, without noise: a
repetition is a turning point that stands out by 45 % of the most prominent one; in a jump both feet rise by 4 cm.
Only what can be seen counts: half of the repetition must be in the picture, in the shot that shows the turning point.
With --seed, the videos of a dataset of this seed are not rendered; the performer's keypoints with noise are counted,
as the cameras show them: with --look video through cuts, and unknown outside the picture.
counts.json is {"name of the parse": {"exercise": "lunge", "count": 4}}.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks, peak_widths

from actparse.core.errors import ActparseError, DataError
from actparse.core.structures import FrameParse, PersonParse, VideoInfo, VideoParse
from actparse.core.vocabulary import KEYPOINTS
from actparse.data.kinetics_tps import KineticsTps, VideoRecord, read_frame_truth
from actparse.data.parses import find_parses, load_parse
from actparse.export.angles import JOINT_POINTS
from actparse.export.movements import EXERCISES, HIPS, SHOULDERS, SIDES
from actparse.export.repetitions import EXERCISE_OF_ACTION, count_repetitions
from actparse.parser import Parser, ParserConfig
from actparse.synth.actions.registry import ACTIONS, ACTIONS_V1
from actparse.synth.casting import Actor, Cast, build_cast
from actparse.synth.config import LOOKS, SceneConfig
from actparse.synth.dataset import DatasetPlan, SplitPlan, read_plan
from actparse.synth.drawing.footage.shots import Shots

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
TRUTH_STEP = 1 / 30  # seconds
KEYPOINT_SECONDS, KEYPOINT_RATE = 10, 10  # of a video of --seed, keypoints a second
KEYPOINT_NOISE = 0.02  # standard deviation, of the person's height
MIN_SHARE = 0.45  # of the prominence of the most prominent turning point
MIN_DEGREES, MIN_HEIGHT = 20.0, 0.04  # degrees and metres; smaller movements are no repetitions
WIDTH_SHARE = 0.8  # of the prominence: how far below the turning point a repetition starts and ends
MAX_OFFSET = 2.0  # of the keypoints of an annotation from those of the motion, pixels; they are rounded
ANKLES = [KEYPOINTS.index(f"{side}_ankle") for side in SIDES]


def main() -> int:
    """Measure and print a table; an error is one line."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", nargs="?", type=Path)
    arguments.add_argument("--split", default="test")
    arguments.add_argument("--weights", default="tiny")
    arguments.add_argument("--stride", type=int, default=1)
    arguments.add_argument("--parses", type=Path, help="folder of parses; without it the videos are parsed")
    arguments.add_argument("--counts", type=Path, help="JSON file of counts, for videos that are not SynthTPS")
    arguments.add_argument("--seed", type=int, help="of a dataset that is not rendered")
    arguments.add_argument("--videos", type=int, default=90, help="in the dataset of --seed, of all actions")
    arguments.add_argument("--look", choices=LOOKS, default="plain", help="of the dataset of --seed")
    args = arguments.parse_args()
    try:
        if args.seed is not None:
            rows = measure_keypoints(args.seed, args.videos, args.look)
        else:
            rows = measure_counts(args.counts, args.parses) if args.counts else measure_dataset(args)
    except ActparseError as error:
        print(error, file=sys.stderr)
        return 2
    print_table(rows)
    return 0


def measure_counts(counts: Path, parses: Path) -> list[tuple[str, str, int, int]]:
    """Return (exercise, video, true count, count) of each video that was counted by hand."""
    files = find_parses(parses)
    rows = []
    for name, entry in json.loads(counts.read_text()).items():
        counted = count_repetitions(load_parse(files[name]), entry["exercise"])
        rows.append((entry["exercise"], name, int(entry["count"]), len(counted.items)))
    return rows


def measure_dataset(args: argparse.Namespace) -> list[tuple[str, str, int, int]]:
    """Return (exercise, video, true count, count) of each video of a repeated movement."""
    plan = read_plan(args.data)
    if plan is None:
        raise DataError(f"{args.data}: needs a dataset of `actparse synth`")
    seeds = {video.name: video.seed for video in plan.videos(args.split)}
    files = find_parses(args.parses) if args.parses else {}
    parser = (
        None
        if args.parses
        else Parser.load(args.weights, device="cpu", config=replace(ParserConfig.of(args.weights), stride=args.stride))
    )
    rows = []
    for video in KineticsTps(args.data).videos(args.split):
        exercise = EXERCISE_OF_ACTION.get(video.action)
        if exercise is None:
            continue
        parse = parser.parse(video.path) if parser is not None else load_parse(files[video.name])
        cast = build_cast(seeds[video.name], video.action, config=plan.scene_config(args.split))
        expect_same_people(video, cast)
        actor, num_counted = cast.actors[0], 0  # the first one performs; that nobody is detected is an error, too
        if any(frame.persons for frame in parse.frames):
            counted = count_repetitions(parse, exercise)
            actor, num_counted = nearest_actor(cast, parse, counted.track_id), len(counted.items)
        is_shown = shown_moments(annotated_inside(video, cast.actors.index(actor) + 1), cast, exercise)
        true = true_count(actor, exercise, parse.frames[-1].time_seconds, is_shown)
        rows.append((exercise, video.name, true, num_counted))
        print(*rows[-1], file=sys.stderr)
    return rows


def measure_keypoints(seed: int, num_videos: int, look: str) -> list[tuple[str, str, int, int]]:
    """Return (exercise, video, true count, count from noisy keypoints) of each planned video of a repeated movement."""
    rng = np.random.default_rng(seed)
    rows = []
    actions, body = (ACTIONS_V1, "tubes") if look == "plain" else (ACTIONS, "mesh")
    plan = DatasetPlan((SplitPlan("test", num_videos, seed),), actions=actions, look=look, body=body)
    for video in plan.videos():
        exercise = EXERCISE_OF_ACTION.get(video.action)
        if exercise is None:
            continue
        cast = build_cast(video.seed, video.action, config=plan.scene_config("test"))
        height, width = cast.lens.frame if cast.lens else SceneConfig().size
        is_inside = []  # (17,) of each frame
        frames = []
        for index in range(KEYPOINT_SECONDS * KEYPOINT_RATE + 1):
            points = cast.keypoints(index / KEYPOINT_RATE)[0][0]  # (17, 2) of the performer
            is_inside.append((points > 0).all(axis=1) & (points < (width, height)).all(axis=1) | (look == "plain"))
            points = points + KEYPOINT_NOISE * np.ptp(points, axis=0).max() * rng.standard_normal(points.shape)
            keypoints = tuple((float(x), float(y), float(c)) for (x, y), c in zip(points, is_inside[-1], strict=True))
            box = (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
            person = PersonParse(track_id=1, box=box, score=1.0, keypoints=keypoints, parts=())
            frames.append(FrameParse(index, index / KEYPOINT_RATE, (person,)))
        info = VideoInfo(video.name, width, height, len(frames), KEYPOINT_SECONDS, KEYPOINT_RATE)
        parse = VideoParse(info, video.action, {video.action: 1.0}, tuple(frames), (), {})
        is_shown = shown_moments(is_inside, cast, exercise)
        true = true_count(cast.actors[0], exercise, KEYPOINT_SECONDS, is_shown)
        rows.append((exercise, video.name, true, len(count_repetitions(parse, exercise).items)))
        print(*rows[-1], file=sys.stderr)
    return rows


def expect_same_people(record: VideoRecord, cast: Cast) -> None:
    """Raise if the annotations are not of these people: another version of the generator may have moved them."""
    for frame, path in record.annotations().items():
        projected, _ = cast.keypoints(frame / SceneConfig().fps)  # (N, 17, 2)
        for person in read_frame_truth(path).persons:
            if person.identity is not None and person.keypoints is not None:
                is_there = person.identity <= len(projected)
                offset = np.abs(projected[person.identity - 1] - person.keypoints[:, :2]).max() if is_there else np.inf
                if offset > MAX_OFFSET:
                    raise DataError(f"{path}: its people are not those of this generator: render the dataset again")
                return
    raise DataError(f"{record.name}: needs annotated keypoints and identities")


def nearest_actor(cast: Cast, parse: VideoParse, track_id: int) -> Actor:
    """Return the actor whose keypoints are nearest to those of a track."""
    distances = []
    for frame in parse.frames:
        for person in frame.persons:
            if person.track_id == track_id:
                points = np.array(person.keypoints)[:, :2]
                projected, _ = cast.keypoints(frame.time_seconds)  # (N, 17, 2)
                distances.append(np.linalg.norm(projected - points, axis=2).mean(axis=1))
    return cast.actors[int(np.median(distances, axis=0).argmin())]


def true_count(actor: Actor, exercise: str, seconds: float, is_shown: Callable[[float, float, float], bool]) -> int:
    """Count the repetitions of an actor until a time.

    Args:
        actor: whose joints in space are followed.
        exercise: one of EXERCISES.
        seconds: length of the video.
        is_shown: of the start, the turning point and the end of a repetition, in seconds: whether it can be seen.
    """
    movement = EXERCISES[exercise]
    times = np.arange(0, seconds, TRUTH_STEP)
    points = np.stack([actor.keypoints(actor.joints_at(float(time))[0]) for time in times])  # (T, 17, 3)
    if movement.measure == "height":
        values = [points[:, ANKLES, 1].min(axis=1)]  # of the lower foot: a jump takes both feet off the floor
    else:
        values = [space_angle(points, JOINT_POINTS[f"{side}_{movement.joint}"]) for side in SIDES]
    turned = [value if movement.opens else -value for value in values]
    signal = np.max(turned, axis=0) if movement.by_side else np.mean(turned, axis=0)
    turns, peaks = find_peaks(signal, prominence=MIN_HEIGHT if movement.measure == "height" else MIN_DEGREES)
    prominences = peaks["prominences"]
    least = 0.0 if movement.measure == "height" else MIN_SHARE * prominences.max(initial=0.0)
    starts, ends = peak_widths(signal, turns, rel_height=WIDTH_SHARE)[2:]
    return sum(
        bool(prominence >= least) and is_shown(*(TRUTH_STEP * np.array(moments)))
        for prominence, *moments in zip(prominences, starts, turns, ends, strict=True)
    )


def shown_moments(is_inside: Sequence[Bools], cast: Cast, exercise: str) -> Callable[[float, float, float], bool]:
    """Return whether a repetition can be seen: half of it is in the picture, in the shot of its turning point.

    Args:
        is_inside: (17,) of each frame, whether a keypoint is in the picture.
        cast: whose cameras film it.
        exercise: one of EXERCISES.
    """
    joint = EXERCISES[exercise].joint
    sides = [[KEYPOINTS.index(point) for point in JOINT_POINTS[f"{side}_{joint}"]] for side in SIDES]
    groups = [SHOULDERS, HIPS] if EXERCISES[exercise].measure == "height" else sides
    is_visible = np.any([np.array(is_inside)[:, group].all(axis=1) for group in groups], axis=0)  # (T,)
    times = np.arange(len(is_visible)) / SceneConfig().fps
    shots = np.array([cast.camera.index_at(float(t)) if isinstance(cast.camera, Shots) else 0 for t in times])

    def is_shown(start: float, turn: float, end: float) -> bool:
        during = (times >= start) & (times <= end)
        return bool((is_visible & (shots == shots[np.abs(times - turn).argmin()]))[during].mean() >= 0.5)

    return is_shown


def annotated_inside(record: VideoRecord, identity: int) -> list[Bools]:
    """Return which keypoints (17,) of a person are in the picture, for each frame of a rendered video."""
    rows = []
    for path in record.annotations().values():
        persons = [person for person in read_frame_truth(path).persons if person.identity == identity]
        visibility = persons[0].keypoints[:, 2] if persons and persons[0].keypoints is not None else np.zeros(17)
        rows.append(visibility > 0)
    return rows


def space_angle(points: Floats, names: tuple[str, str, str]) -> Floats:
    """Return the angle (T,) in space at the middle one of three keypoints, degrees."""
    first, middle, last = (points[:, KEYPOINTS.index(name)] for name in names)  # (T, 3)
    a, b = first - middle, last - middle
    cos = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return np.asarray(np.degrees(np.arccos(cos.clip(-1, 1))))


def print_table(rows: list[tuple[str, str, int, int]]) -> None:
    """Print by exercise the videos, and the shares of equal counts and of counts that differ by at most one."""
    by_exercise: dict[str, list[int]] = defaultdict(list)
    for exercise, _, true, counted in rows:
        by_exercise[exercise].append(counted - true)
    by_exercise["all"] = [counted - true for _, _, true, counted in rows]
    print(f"{'exercise':12}{'videos':>8}{'equal %':>9}{'within 1 %':>12}{'mean error':>12}")
    for exercise, errors in by_exercise.items():
        e = np.array(errors)
        print(f"{exercise:12}{len(e):8}{100 * (e == 0).mean():9.0f}{100 * (abs(e) <= 1).mean():12.0f}{e.mean():12.2f}")


if __name__ == "__main__":
    sys.exit(main())
