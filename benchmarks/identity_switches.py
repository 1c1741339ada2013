"""Identity switches of the tracker beside those of ByteTrack, on the same detections of a dataset of `actparse synth`.

python benchmarks/identity_switches.py DATA [--split test] [--weights tiny]   # ByteTrack needs: pip install trackers

A tracker that leaves a person out makes no switch there, so the coverage stands beside the switches: the share of the
true persons in sampled frames that have a track with IoU 0.5.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from actparse.core.errors import ActparseError
from actparse.core.structures import FrameParse
from actparse.data.kinetics_tps import KineticsTps, read_frame_truth
from actparse.metrics.identity import MIN_IOU, Box, TrackedFrame, identity_switches
from actparse.metrics.tps import match_persons
from actparse.parser import Parser

Assign = Callable[[Sequence[FrameParse]], list[list[int | None]]]  # a video's frames -> the track of each person
BYTETRACK = {"minimum_consecutive_frames": 1, "minimum_iou_threshold": 0.05, "track_activation_threshold": 0.1}


@dataclass(frozen=True)
class Video:
    """The annotated sampled frames of a video, and the true boxes by identity."""

    frames: tuple[FrameParse, ...]
    truth: tuple[dict[int, Box], ...]


def main() -> int:
    """Parse the videos, measure, and print a line for each tracker."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--split", default="test")
    arguments.add_argument("--weights", default="tiny")
    args = arguments.parse_args()
    try:
        parser = Parser.load(args.weights, device="cpu")
        videos = []
        for record in KineticsTps(args.data).videos(args.split):
            frames = parser.observe(record.path).frames
            annotated = tuple(frame for frame in frames if record.frame_path(frame.index).is_file())
            truth = (read_frame_truth(record.frame_path(frame.index)).persons for frame in annotated)
            boxes = tuple({p.identity: p.box for p in persons if p.identity is not None} for persons in truth)
            videos.append(Video(annotated, boxes))
            print(f"{len(videos)}: {record.name}", file=sys.stderr)
    except ActparseError as error:
        print(error, file=sys.stderr)
        return 2
    trackers: dict[str, Assign] = {"actparse": own_tracks}
    if find_spec("trackers"):
        trackers["ByteTrack"] = bytetrack_tracks
    for name, assign in trackers.items():
        switches, num_tracks, coverage = measure(videos, assign)
        share = 100 * switches / max(num_tracks, 1)
        print(f"{name:12}{switches} switches of {num_tracks} persons, {share:.1f} per 100; coverage {coverage:.1f} %")
    return 0


def own_tracks(frames: Sequence[FrameParse]) -> list[list[int | None]]:
    """Return the tracks of the parse."""
    return [[person.track_id for person in frame.persons] for frame in frames]


def bytetrack_tracks(frames: Sequence[FrameParse]) -> list[list[int | None]]:
    """Run ByteTrack on the persons of the parse; None for those that it leaves out."""
    from supervision import Detections
    from trackers import ByteTrackTracker

    tracker = ByteTrackTracker(**BYTETRACK)
    tracks = []
    for frame in frames:
        count = len(frame.persons)
        detections = Detections(
            xyxy=np.array([person.box for person in frame.persons], float).reshape(-1, 4),
            confidence=np.array([person.score for person in frame.persons], float),
            class_id=np.zeros(count, int),
            data={"row": np.arange(count)},
        )
        result = tracker.update(detections)
        ids: list[int | None] = [None] * count
        for row, track in zip(result.data.get("row", ()), result.tracker_id, strict=True):
            ids[int(row)] = int(track) if track >= 0 else None
        tracks.append(ids)
    return tracks


def measure(videos: Sequence[Video], assign: Assign) -> tuple[int, int, float]:
    """Return the switches, the persons that were tracked, and the coverage in per cent."""
    switches = num_tracks = covered = total = 0
    for video in videos:
        tracked = []
        for frame, truth, ids in zip(video.frames, video.truth, assign(video.frames), strict=True):
            boxes = {t: p.box for p, t in zip(frame.persons, ids, strict=True) if t is not None}
            tracked.append(TrackedFrame(truth, boxes))
            covered += len(match_persons(list(truth.values()), list(boxes.values()), MIN_IOU))
            total += len(truth)
        result = identity_switches(tracked)
        switches, num_tracks = switches + result.switches, num_tracks + result.tracks
    return switches, num_tracks, 100 * covered / max(total, 1)


if __name__ == "__main__":
    sys.exit(main())
