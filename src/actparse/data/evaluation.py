"""Official score of files on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from actparse.core.errors import ConfigError, DataError
from actparse.core.vocabulary import PARTS
from actparse.data.kinetics_tps import (
    VIDEO_SUFFIXES,
    FrameTruth,
    KineticsTps,
    VideoRecord,
    frame_of,
    frame_truth_from_dict,
)
from actparse.data.runs import PredictionRun, load_run
from actparse.data.submission import EVALUATED_STRIDE, TpsFiles, load_truth
from actparse.metrics import TpsScore, tps_score

THRESHOLDS = tuple(tenths / 10 for tenths in range(1, 10))  # of part state correctness, for accuracies in the output


def evaluate(
    truth: Path, predictions: Path, *, split: str | None = None, human_iou: float = 0.5, part_iou: float = 0.3
) -> TpsScore:
    """Score predictions against the truth.

    Args:
        truth: a folder with gt_vid_result.json and gt_part_result.json, or a dataset's root.
        predictions: a folder or a zip with pred_vid_result.json and pred_part_result.json, or a folder of parses.
        split: of a dataset's root.
        human_iou: as in `tps_score`.
        part_iou: as in `tps_score`.

    Raises:
        DataError: a file is missing or invalid, or the predictions break a rule of the challenge.
    """
    truth_files = load_truth(truth_folder(truth, split))
    return tps_score(truth_files, load_run(predictions, truth_files).files, human_iou, part_iou)


def truth_folder(path: Path, split: str | None) -> Path:
    """Return the folder of gt_*.json.

    Raises:
        DataError: they are neither in `path` nor in its <split>_truth.
    """
    if (path / "gt_vid_result.json").is_file() and split is None:
        return path
    folders = sorted(folder.name.removesuffix("_truth") for folder in path.glob("*_truth"))
    if split is None and folders:
        raise DataError(f"{path}: a dataset's root needs --split, one of {', '.join(folders)}")
    folder = path / f"{split}_truth"
    if not (folder / "gt_vid_result.json").is_file():
        raise DataError(
            f"{folder if split else path}: needs gt_vid_result.json and gt_part_result.json, got no such file"
        )
    return folder


def load_runs(paths: Sequence[Path], truth: TpsFiles, names: Sequence[str]) -> list[PredictionRun]:
    """Read one run or two; without given names, runs of the same name are distinguished by their paths.

    Raises:
        ConfigError: there are more names than runs, or a name is empty or a duplicate.
        DataError: as `load_run`.
    """
    if len(names) > len(paths):
        raise ConfigError(f"--name must be given at most once for each of {len(paths)} predictions, got {len(names)}")
    runs = [load_run(path, truth, name=name) for path, name in zip_longest(paths, names)]
    run_names = [run.name for run in runs]
    if len(set(run_names)) < len(run_names):
        if names:
            raise ConfigError(f"--name must differ from one run to the other, got {run_names[0]!r} twice")
        runs = [replace(run, name=str(path)) for run, path in zip(runs, paths, strict=True)]
    return runs


def read_truth_files(folder: Path, records: Sequence[VideoRecord]) -> dict[str, dict[int, FrameTruth]]:
    """Read the evaluated frames of gt_vid_result.json and gt_part_result.json, by video and frame index, from 0.

    Args:
        folder: of the two files.
        records: videos of the dataset; those that the files do not name are left out.

    Raises:
        DataError: a file is missing or invalid, or names a video or an action that the dataset does not have.
    """
    files, actions = load_truth(folder), {record.name: record.action for record in records}
    for video, action in files.videos.items():
        if action != actions.get(video):
            got = f"a folder of {actions[video]}" if video in actions else "no such video"
            raise DataError(f"{folder}: gt_vid_result.json needs the dataset's video {video} of {action!r}, got {got}")
        if video not in files.parts:
            raise DataError(f"{folder}: gt_part_result.json needs the frames of video {video}, got none")
    return {video: _evaluated_frames(files.parts[video], f"{folder}: video {video}") for video in files.videos}


def _evaluated_frames(frames: Mapping[str, Any], where: str) -> dict[int, FrameTruth]:
    truths = {}
    for name, content in frames.items():
        index, truth = frame_of(name), frame_truth_from_dict(content, f"{where}, {name}")
        if index is None:
            raise DataError(f"{where}: a frame's name must be img_ and five digits and .json, got {name!r}")
        if [len(human.get("parts") or {}) for human in content["humans"]] != [len(p.parts) for p in truth.persons]:
            raise DataError(f"{where}, {name}: needs parts of {', '.join(PARTS)}, each with a verb, got others")
        if index % EVALUATED_STRIDE == 0:
            truths[index] = truth
    return dict(sorted(truths.items()))


def videos_of_truth(folder: Path) -> dict[str, Path]:
    """Return the videos beside a dataset's <split>_truth, by name; none if it is not a dataset's folder.

    Raises:
        DataError: two videos share a name.
    """
    split = folder.name.removesuffix("_truth")
    if split == folder.name or not (folder.parent / f"{split}_videos").is_dir():
        return {}
    return {record.name: record.path for record in KineticsTps(folder.parent).videos(split)}


def videos_in(folder: Path) -> dict[str, Path]:
    """Return all videos below a folder, by stem.

    Raises:
        DataError: it is no folder, or two videos share a name.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: needs a folder of videos, got no folder")
    videos: dict[str, Path] = {}
    for path in sorted(path for path in folder.glob("**/*") if path.suffix.lower() in VIDEO_SUFFIXES):
        if path.stem in videos:
            raise DataError(f"{path}: a video's name must be unique, got it also in {videos[path.stem].parent}")
        videos[path.stem] = path
    return videos


def score_to_dict(score: TpsScore) -> dict[str, Any]:
    """Return the metrics of the official score, for JSON."""
    return {
        "roc_score": score.roc_score,
        "video_accuracy": score.video_accuracy,
        "accuracy_at": {str(threshold): score.accuracy_at(threshold) for threshold in THRESHOLDS},
        "part_state_correctness": score.part_state_correctness,
    }
