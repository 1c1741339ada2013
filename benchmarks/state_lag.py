"""By how many seconds part states come after the pose, action by action: the lag at which the two agree best.

python benchmarks/state_lag.py                               # the generator's own states
python benchmarks/state_lag.py --weights tiny --data DIR     # states that a parse reads, against the true pose of DIR
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from actparse.core.files import without_nan
from actparse.core.vocabulary import PARTS
from actparse.data.kinetics_tps import KineticsTps, VideoRecord, read_frame_truth
from actparse.metrics.state_lag import PoseTrack, best_lag
from actparse.metrics.tps import match_persons
from actparse.parser import Parser, ParserConfig
from actparse.synth.actions.registry import ACTIONS
from actparse.synth.casting import build_cast
from actparse.synth.config import SceneConfig

STEP_SECONDS = 0.05
SECONDS = 22.0
FRAME_SECONDS = 0.1  # of SynthTPS's videos
FIRST_SEED = 77_000
HUMAN_IOU = 0.5  # of a found and a true person that are the same


def main() -> None:
    """Measure and print a line for each action."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--routines", type=int, default=12, help="scenes of each action")
    arguments.add_argument("--weights", help="measure what this bundle reads, on --data")
    arguments.add_argument("--data", type=Path, help="a SynthTPS folder")
    arguments.add_argument("--split", default="test")
    arguments.add_argument("--stride", type=int, help="parse every STRIDE-th frame; default: as `parse`")
    arguments.add_argument("--json", type=Path)
    args = arguments.parse_args()
    if (args.weights is None) != (args.data is None):
        arguments.error("--weights and --data need each other")
    if args.stride is not None and (args.weights is None or args.stride < 1):
        arguments.error("--stride must be at least 1, and needs --weights and --data")
    lags = (
        of_generator(args.routines)
        if args.weights is None
        else of_parses(args.weights, args.data, args.split, stride=args.stride)
    )
    print("best lag per action, s (below 0: states lead the pose)")
    for action, lag in lags.items():
        print(f"{action:24s}{lag:7.2f}")
    worst = max((abs(lag) for lag in lags.values() if not math.isnan(lag)), default=math.nan)
    print(f"{'largest':24s}{worst:7.2f}")
    if args.json:
        metrics = {action: without_nan(round(lag, 3)) for action, lag in lags.items()}
        args.json.write_text(json.dumps(metrics, indent=1))


def of_generator(num_scenes: int, actions: tuple[str, ...] = ACTIONS) -> dict[str, float]:
    """Measure the generator's own states on people who do the action."""
    times = np.arange(0.0, SECONDS, STEP_SECONDS)
    lags = {}
    for number, action in enumerate(actions):
        tracks = [generated_track(FIRST_SEED + 1000 * number + scene, action, times) for scene in range(num_scenes)]
        lags[action] = best_lag(tracks, STEP_SECONDS)
    return lags


def generated_track(seed: int, action: str, times: np.ndarray) -> PoseTrack:
    """Return what the first person of a scene does at each time."""
    cast = build_cast(seed, action, config=SceneConfig(bystander_share=0.0))
    seen = [cast.keypoints(float(time)) for time in times]
    said = [[states[0][part] for part in PARTS] for _, states in seen]
    return PoseTrack(np.stack([points[0] for points, _ in seen]), np.array(said))


def of_parses(weights: str, root: Path, split: str, *, stride: int | None) -> dict[str, float]:
    """Measure the states that a bundle reads off the videos of a split against the annotated keypoints."""
    config = ParserConfig.of(weights)
    parser = Parser.load(weights, device="cpu", config=replace(config, stride=stride or config.stride))
    tracks: dict[str, list[PoseTrack]] = defaultdict(list)
    for video in KineticsTps(root).videos(split):
        tracks[video.action] += parsed_tracks(parser, video)
        print(f"\r{sum(map(len, tracks.values()))} people", end="", file=sys.stderr)
    print(file=sys.stderr)
    return {action: best_lag(found, FRAME_SECONDS) for action, found in sorted(tracks.items())}


def parsed_tracks(parser: Parser, video: VideoRecord) -> list[PoseTrack]:
    """Pose and read states of everyone who is annotated in all frames of a video of 10 frames a second."""
    parse = parser.parse(video.path)
    truth = {index: read_frame_truth(path).persons for index, path in video.annotations().items()}
    keypoints: dict[int, dict[int, np.ndarray]] = defaultdict(dict)  # identity -> frame -> (17, 2)
    said: dict[int, dict[int, list[str]]] = defaultdict(dict)  # identity -> frame -> states of the ten parts
    for index, persons in truth.items():
        for person in persons:
            if person.identity is not None and person.keypoints is not None:
                keypoints[person.identity][index] = person.keypoints[:, :2]
    for frame in parse.frames:
        persons = truth.get(frame.index, ())
        pairs = match_persons([p.box for p in persons], [p.box for p in frame.persons], HUMAN_IOU)
        for true, found in pairs.items():
            states = {part.name: part.state for part in frame.persons[found].parts}
            identity = persons[true].identity
            if identity is not None:
                said[identity][frame.index] = [states.get(part) or "unknown" for part in PARTS]
    frames = np.array(sorted(truth))
    return [
        PoseTrack(
            np.stack([keypoints[identity][index] for index in frames]),
            np.array([said[identity][min(said[identity], key=lambda at: abs(at - index))] for index in frames]),
        )
        for identity in said
        if len(keypoints[identity]) == len(frames)
    ]


if __name__ == "__main__":
    main()
