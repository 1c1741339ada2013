"""Building the task that the loop trains, from a recipe's name and a dataset."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import GROUPS
from actparse.data.division import held_out_names
from actparse.data.kinetics_tps import KineticsTps
from actparse.stages.actions.classifier import ClipConfig
from actparse.synth.dataset import is_synthetic
from actparse.training.options import Report, TrainOptions
from actparse.training.recipes import tiny
from actparse.training.recipes.baseline import BaselineTask
from actparse.training.recipes.clips import ActionTask, ClipTask
from actparse.training.recipes.part_regression import PartRegressionTask
from actparse.training.recipes.parts import PartsTask
from actparse.training.recipes.persons import PersonsTask
from actparse.training.recipes.poses import PosesTask
from actparse.training.recipes.tracks import TracksTask
from actparse.training.rendered.clip_stream import ClipStreamConfig, open_clip_stream
from actparse.training.rendered.part_stream import PartStreamConfig, open_part_stream
from actparse.training.rendered.pose_stream import CropStream, StreamConfig, open_stream
from actparse.training.rendered.track_stream import TrackStream, TrackStreamConfig, open_track_stream
from actparse.training.run_folder import RunFolder
from actparse.training.samples.keypoint_cache import predicted_keypoints
from actparse.training.samples.levels import level_from_text
from actparse.training.samples.reading import StoreConfig
from actparse.training.samples.store import Store, open_store
from actparse.training.samples.stretches import Stretch, action_segments, action_stretches, state_stretches
from actparse.training.task import Task

StoreKeypoints = tuple[Store, NDArray[np.float32]]  # a split and the keypoints (P, 17, 3) of its persons
HELD_OUT_SPLITS = ("val", "test")  # the first annotated one is used
NUM_HELD_OUT_CROPS = 2000  # of the pose stream
NUM_HELD_OUT_PART_CROPS = 1000  # of the part stream


def open_splits(data: Path, out: Path, report: Report) -> tuple[Store, Store]:
    """Open the stores of the training split and the held-out split, decoding them if necessary.

    Held out is val or test if it is annotated, else a part of train, which is then excluded from training.

    Raises:
        DataError: the dataset has no split train, or nothing that can be held out.
    """
    dataset = KineticsTps(data)
    if "train" not in dataset.splits:
        raise DataError(f"{data}: training needs the split train, got {', '.join(dataset.splits)}")
    annotated = (split for split in HELD_OUT_SPLITS if split in dataset.splits and _is_annotated(dataset, split))
    held_out = next(annotated, None)

    def open_split(split: str, names: frozenset[str] | None = None) -> Store:
        return open_store(data, split, StoreConfig(), names=names, cache=cache_folder(data, out), report=report)

    if held_out is not None:
        return open_split("train"), open_split(held_out)
    names = frozenset(record.name for record in dataset.videos("train"))
    held_out_videos = held_out_names(names)
    if not held_out_videos:
        raise DataError(f"{data}: training needs an annotated val or test, or 3 videos in train, got {len(names)}")
    return open_split("train", names - held_out_videos), open_split("train", held_out_videos)


def _is_annotated(dataset: KineticsTps, split: str) -> bool:
    return any(record.annotations() for record in dataset.videos(split))


def cache_folder(data: Path, out: Path) -> Path:
    """Return the folder for decoded data: beside the dataset, or in the run's folder if the dataset is read-only."""
    return data / ".cache" if os.access(data, os.W_OK) else out / "cache"


def build_task(name: str, data: Path, run: RunFolder, options: TrainOptions) -> Task:
    """Build the task of a recipe, with new random weights.

    Args:
        name: a recipe that trains one network.
        data: the dataset's root.
        run: the recipe's files.
        options: of the run.
    """
    return _BUILDERS[name](name, data, run, options)


def _persons(name: str, data: Path, run: RunFolder, options: TrainOptions) -> Task:
    return PersonsTask(*open_splits(data, run.out, options.report), tiny.PERSONS_NET, tiny.PERSONS_STAGE)


def open_pose_streams(data: Path, out: Path, options: TrainOptions) -> tuple[CropStream, CropStream]:
    """Open the pose network's crops for training and for evaluation, rendering them if necessary."""
    folder, config = cache_folder(data, out), StreamConfig()
    num_held_out = min(NUM_HELD_OUT_CROPS, options.stream_crops)
    train = open_stream(folder, "train", options.stream_crops, config, report=options.report)
    return train, open_stream(folder, "val", num_held_out, config, report=options.report)


def _poses(name: str, data: Path, run: RunFolder, options: TrainOptions) -> Task:
    train, held_out = open_pose_streams(data, run.out, options)
    return PosesTask(train, held_out, tiny.POSES_NET, tiny.POSES_STAGE)


def _with_keypoints(data: Path, run: RunFolder, options: TrainOptions) -> tuple[StoreKeypoints, StoreKeypoints]:
    """Open the training and the held-out split, each with the keypoints of the run's pose network."""
    weights = RunFolder(run.out, "poses").weights
    train, held_out = open_splits(data, run.out, options.report)
    return (
        (train, predicted_keypoints(train, weights, report=options.report)),
        (held_out, predicted_keypoints(held_out, weights, report=options.report)),
    )


def _parts(name: str, data: Path, run: RunFolder, options: TrainOptions) -> Task:
    stage = tiny.PARTS_STAGE if name == "parts" else tiny.PARTS_STAGE_WITHOUT_DOTS
    return PartsTask(name, *_with_keypoints(data, run, options), tiny.PARTS_NET, stage)


def open_part_streams(data: Path, run: RunFolder, options: TrainOptions) -> tuple[StoreKeypoints, StoreKeypoints]:
    """Open the part stream's training and held-out crops, each with the keypoints of the run's pose network."""
    folder, config, weights = cache_folder(data, run.out), PartStreamConfig(), RunFolder(run.out, "poses").weights
    num_held_out = min(NUM_HELD_OUT_PART_CROPS, options.stream_crops)
    train = open_part_stream(folder, "train", options.stream_crops, config, report=options.report)
    held_out = open_part_stream(folder, "val", num_held_out, config, report=options.report)
    return (
        (train, predicted_keypoints(train, weights, report=options.report)),
        (held_out, predicted_keypoints(held_out, weights, report=options.report)),
    )


def _parts_of_people(name: str, data: Path, run: RunFolder, options: TrainOptions) -> Task:
    return PartsTask("parts", *open_part_streams(data, run, options), tiny.PARTS_NET, tiny.PARTS_STAGE)


def _part_regression(name: str, data: Path, run: RunFolder, options: TrainOptions) -> Task:
    return PartRegressionTask(*open_part_streams(data, run, options), tiny.PART_REGRESSION_NET, tiny.PART_FUSION_STAGE)


def open_tracks(data: Path, out: Path, options: TrainOptions) -> TrackStream | None:
    """Open the simulated tracks that complement a SynthTPS dataset; return None for other datasets."""
    if not is_synthetic(data) or not options.stream_tracks:
        return None
    folder, config = cache_folder(data, out), TrackStreamConfig()
    return open_track_stream(folder, options.stream_tracks, config, report=options.report)


def _tracks(name: str, data: Path, run: RunFolder, options: TrainOptions) -> Task:
    stream = open_tracks(data, run.out, options)
    stage = tiny.TRACKS_STAGE if name == "tracks" else tiny.PEOPLE_TRACKS_STAGE
    return TracksTask(*_with_keypoints(data, run, options), stream, tiny.TRACKS_NET, stage)


def _baseline(name: str, data: Path, run: RunFolder, options: TrainOptions) -> Task:
    return BaselineTask(*open_splits(data, run.out, options.report), tiny.BASELINE_NET, tiny.BASELINE_STAGE)


def num_rendered_clips(name: str, data: Path, options: TrainOptions) -> int:
    """Return how many rendered clips a recipe trains on at size tiny."""
    uses_clips = name in tiny.VIDEO_NETWORKS or name == "action-pretrained" or name.startswith("states-")
    if not uses_clips or not is_synthetic(data) or level_from_text(options.changes) is not None:
        return 0
    return options.stream_clips


def open_clips(data: Path, out: Path, options: TrainOptions) -> tuple[Stretch, ...]:
    """Open the rendered clips that complement a SynthTPS dataset; return none for other datasets."""
    if not is_synthetic(data):
        return ()
    return open_clip_stream(cache_folder(data, out), options.stream_clips, ClipStreamConfig(), report=options.report)


def _action(name: str, data: Path, run: RunFolder, options: TrainOptions) -> Task:
    train, held_out = open_splits(data, run.out, options.report)
    net, stage = tiny.VIDEO_NETWORKS[name]
    segments = _training_segments(name, train, stage, data, run, options)
    return ActionTask(segments, action_stretches(held_out), net, stage, report=options.report)


def _pretrained(name: str, data: Path, run: RunFolder, options: TrainOptions) -> Task:
    clips = open_clips(data, run.out, options)
    if not clips:
        raise DataError(
            f"{name}: needs a SynthTPS dataset and rendered clips, got {options.stream_clips} clips for {data}"
        )
    _, held_out = open_splits(data, run.out, options.report)
    return ActionTask(clips, action_stretches(held_out), tiny.CLIPS_NET, tiny.CLIPS_STAGE, report=options.report)


def _states(name: str, data: Path, run: RunFolder, options: TrainOptions) -> Task:
    group, net, stage = name.removeprefix("states-"), tiny.CLIPS_NET, tiny.CLIPS_STAGE
    train, held_out = open_splits(data, run.out, options.report)
    segments = _training_segments(name, train, stage, data, run, options)
    level = level_from_text(options.changes)
    if level is None:
        held_out_segments = action_segments(held_out)
    else:
        held_out_segments, stage = level.stretches(held_out, stage), level.stage(stage)
    return ClipTask(name, state_stretches(segments, group), state_stretches(held_out_segments, group), net, stage)


def _training_segments(
    name: str, train: Store, stage: ClipConfig, data: Path, run: RunFolder, options: TrainOptions
) -> tuple[Stretch, ...]:
    """Return the training data of a clip network: segments and rendered clips, or the intervals of its level."""
    level = level_from_text(options.changes)
    if level is None:
        actions = set(train.actions)
        clips = (clip for clip in open_clips(data, run.out, options) if clip.label[0] in actions)
        return (*action_segments(train), *clips)
    options.report(f"{name}: labels of {level}; rendered clips are left out, as each has one label for its two seconds")
    return level.stretches(train, stage)


Builder = Callable[[str, Path, RunFolder, TrainOptions], Task]
_BUILDERS: dict[str, Builder] = {
    "persons": _persons,
    "poses": _poses,
    "parts": _parts,
    "parts-without-dots": _parts,
    "tracks": _tracks,
    "parts-people": _parts_of_people,
    "part-regression": _part_regression,
    "tracks-people": _tracks,
    "baseline": _baseline,
    **dict.fromkeys(tiny.VIDEO_NETWORKS, _action),
    "action-pretrained": _pretrained,
    **{f"states-{group}": _states for group in GROUPS},
}
