"""Parsing and scoring of held-out videos by several methods; stage 1, which they share, runs once per video."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, starmap
from pathlib import Path

import numpy as np

from actparse.core.errors import DataError
from actparse.core.structures import Detections, FrameParse, VideoParse
from actparse.core.vocabulary import PARTS
from actparse.data.division import held_out_names
from actparse.data.evaluation import read_truth_files
from actparse.data.kinetics_tps import FrameTruth, KineticsTps, VideoRecord, frame_name, read_truths
from actparse.data.submission import EVALUATED_STRIDE, TpsFiles, parses_to_predictions, true_humans
from actparse.inspection.diagnosis_video import (
    HUMAN_IOU,
    annotated_parts,
    annotated_persons,
    part_detections,
    true_keypoints,
)
from actparse.metrics import tps_score
from actparse.metrics.coco import average_precision
from actparse.metrics.states import StateAccuracy
from actparse.metrics.tps import match_persons
from actparse.parser import Observed, Parser, ParserConfig
from actparse.stages.people.parts import PartDetector
from actparse.stages.people.persons import PersonDetector
from actparse.stages.people.poses import PoseEstimator
from actparse.stages.people.refine import grow_persons
from actparse.video.decode import read_frames

Progress = Callable[[int, int], None]
Figures = dict[str, float]
SPLITS = ("test", "val")  # the first with annotated videos is used


@dataclass(frozen=True)
class HeldOutVideo:
    """A video that no network was trained on, and its annotations at the evaluated frames."""

    record: VideoRecord
    truth: dict[int, FrameTruth]  # by frame index, from 0


def held_out_videos(
    root: Path, *, split: str | None = None, seed: int = 0, limit: int | None = None, truth: Path | None = None
) -> list[HeldOutVideo]:
    """List the videos that a table is measured on.

    Args:
        root: root folder of the dataset.
        split: None for test or val or, if neither is annotated, the part of train that training holds out.
        seed: seed of that part, the same as training's `split_seed`.
        limit: only the first videos, at most this many.
        truth: folder with gt_*.json of the split, by default test, instead of the dataset's annotation of each frame.

    Raises:
        DataError: no video of the split is annotated, or a file of `truth` is invalid.
    """
    dataset = KineticsTps(root)
    if truth is not None:
        records = dataset.videos(split or "test")
        truths = read_truth_files(truth, records)
        return [HeldOutVideo(record, truths[record.name]) for record in records if record.name in truths][:limit]
    choices = [name for name in SPLITS if name in dataset.splits] if split is None else [split]
    for name in choices:
        videos = _annotated_videos(dataset.videos(name), limit)
        if videos:
            return videos
    if split is None and "train" in dataset.splits:
        records = dataset.videos("train")
        names = held_out_names((record.name for record in records), seed=seed)
        videos = _annotated_videos([record for record in records if record.name in names], limit)
        if videos:
            return videos
    wanted = split or "test, val or a part of train"
    raise DataError(f"{root}: needs annotated videos of {wanted} to measure on, got none")


def _annotated_videos(records: Sequence[VideoRecord], limit: int | None) -> list[HeldOutVideo]:
    videos = (HeldOutVideo(record, read_truths(record, stride=EVALUATED_STRIDE)) for record in records)
    return list(islice((video for video in videos if video.truth), limit))


@dataclass
class _Predictions:
    """One method's predictions in the evaluator's form; whole parses of hundreds of videos would fill the memory."""

    files: TpsFiles = field(default_factory=lambda: TpsFiles({}, {}))
    states: StateAccuracy = field(default_factory=StateAccuracy)

    def add(self, video: HeldOutVideo, parse: VideoParse) -> None:
        """Add the predictions for one video."""
        files = parses_to_predictions({video.record.name: parse})
        self.files.videos.update(files.videos)
        self.files.parts.update(files.parts)
        _count_states(parse, video.truth, self.states)


@dataclass(frozen=True)
class Variant:
    """A variant of a method that integrates the outputs of the same networks differently."""

    method: str  # the method whose networks are used
    integrate: Callable[[Parser, Observed], VideoParse]
    rests_on: str = ""  # digest of its inputs other than the networks


TRUE_DOTS = "parts, dots of the truth"
BOXES = ("persons", "persons, pose", "parts", "parts, pose", TRUE_DOTS)  # rows of Table II; the last is ours
NO_VARIANTS: Mapping[str, Variant] = {}


def score_methods(
    parsers: Mapping[str, Parser],
    videos: Sequence[HeldOutVideo],
    *,
    variants: Mapping[str, Variant] = NO_VARIANTS,
    progress: Progress | None = None,
) -> dict[str, Figures]:
    """Parse the videos with every method and score them by the official rules.

    Args:
        parsers: the parsers of the methods, by name.
        videos: videos to measure on.
        variants: variants of the methods, by name; they do not run any network again.
        progress: called with the number of finished videos and that of all videos.

    Returns:
        For each method and variant, in percent: roc_score, video_accuracy, and the accuracy of states by part group.
    """
    predictions = {name: _Predictions() for name in (*parsers, *variants)}
    for num_done, video in enumerate(videos, start=1):
        frames_by_stage_1: dict[tuple[str, ...], tuple[FrameParse, ...]] = {}
        for name, parser in parsers.items():
            config = parser.config
            files = (parser.model.get(kind, "") for kind in ("persons", "objects", "poses", "parts"))
            key = (*files, str(config.stride), str(config.min_keypoint_confidence))  # of the inputs of stage 1
            observed = parser.observe(video.record.path, stage_1=frames_by_stage_1.get(key))
            frames_by_stage_1[key] = observed.frames
            predictions[name].add(video, parser.integrate(observed))
            for variant_name, variant in variants.items():
                if variant.method == name:
                    predictions[variant_name].add(video, variant.integrate(parser, observed))
        if progress:
            progress(num_done, len(videos))
    truth = TpsFiles(
        {video.record.name: video.record.action for video in videos},
        {v.record.name: {frame_name(n): true_humans(frame) for n, frame in v.truth.items()} for v in videos},
    )
    metrics: dict[str, Figures] = {}
    for name, method in predictions.items():
        score = tps_score(truth, method.files)
        shares = {"roc_score": 100 * score.roc_score, "video_accuracy": 100 * score.video_accuracy}
        metrics[name] = shares | method.states.by_group()
    return metrics


def _count_states(parse: VideoParse, truth: Mapping[int, FrameTruth], accuracy: StateAccuracy) -> None:
    """Count every annotated part; a person that was not detected gets the states of the segment, if any."""
    frames = {frame.index: frame for frame in parse.frames}
    for frame_index, frame in truth.items():
        persons = frames[frame_index].persons if frame_index in frames else ()
        pairs = match_persons([p.box for p in frame.persons], [list(p.box) for p in persons], HUMAN_IOU)
        shared = next((s.states for s in parse.segments if s.first_frame <= frame_index < s.end_frame), {})
        for row, person in enumerate(frame.persons):
            states = {part.name: part.state for part in persons[pairs[row]].parts} if row in pairs else {}
            for name, part in person.parts.items():
                accuracy.add(name, part.state, states.get(name) or shared.get(name))


def box_figures(
    persons: PersonDetector,
    poses: PoseEstimator,
    parts: PartDetector,
    parts_without_dots: PartDetector,
    videos: Sequence[HeldOutVideo],
    *,
    progress: Progress | None = None,
) -> dict[str, Figures]:
    """Measure Table II: AP of persons before and after the pose grows their boxes, AP of parts without and with dots.

    Parts are detected in true person boxes, so that only the part detector is evaluated.

    Returns:
        ap and ap50 in percent for each name in BOXES; TRUE_DOTS only if every person is annotated with keypoints.
    """
    people = [person for video in videos for frame in video.truth.values() for person in frame.persons]
    has_keypoints = all(person.keypoints is not None for person in people)
    confidence = ParserConfig().min_keypoint_confidence
    results: dict[str, list[Detections]] = {name: [] for name in BOXES if has_keypoints or name != TRUE_DOTS}
    truth: list[FrameTruth] = []
    for num_done, video in enumerate(videos, start=1):
        frames = [frame for frame in read_frames(video.record.path) if frame.index in video.truth]
        images, annotated = [frame.image for frame in frames], [video.truth[frame.index] for frame in frames]
        detections = persons.detect(images)
        keypoints = poses.estimate(images, [boxes_of_frame.boxes for boxes_of_frame in detections])
        results["persons"] += detections
        results["persons, pose"] += [
            grow_persons(persons_of_frame, points, min_confidence=confidence, size=(image.shape[0], image.shape[1]))
            for persons_of_frame, points, image in zip(detections, keypoints, images, strict=True)
        ]
        boxes = [np.array([p.box for p in frame.persons], np.float32).reshape(-1, 4) for frame in annotated]
        keypoints = poses.estimate(images, boxes)
        results["parts"] += starmap(part_detections, parts_without_dots.detect(images, boxes, keypoints))
        results["parts, pose"] += starmap(part_detections, parts.detect(images, boxes, keypoints))
        if has_keypoints:
            keypoints = list(map(true_keypoints, annotated))
            results[TRUE_DOTS] += starmap(part_detections, parts.detect(images, boxes, keypoints))
        truth += annotated
        if progress:
            progress(num_done, len(videos))
    true_persons, true_parts = list(map(annotated_persons, truth)), list(map(annotated_parts, truth))
    precisions = {
        name: average_precision(true_persons, detections, ("person",))
        if name.startswith("persons")
        else average_precision(true_parts, detections, PARTS)
        for name, detections in results.items()
    }
    return {name: {"ap": precision.ap, "ap50": precision.ap50} for name, precision in precisions.items()}
