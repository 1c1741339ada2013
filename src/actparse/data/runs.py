"""Predictions of one method for a set of videos: a submission, a folder of pred_*.json, or a folder of parses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from actparse.core.errors import DataError
from actparse.core.structures import Detections
from actparse.core.vocabulary import PART_INDEX
from actparse.data.kinetics_tps import frame_name
from actparse.data.parses import find_parses, load_parse
from actparse.data.submission import (
    TpsFiles,
    load_predictions,
    parses_to_predictions,
    validate_predictions,
)


@dataclass(frozen=True)
class FrameBoxes:
    """Detections in one frame, with confidences: persons of label 0, parts with their index in PARTS as label."""

    persons: Detections
    parts: Detections


@dataclass(frozen=True)
class PredictionRun:
    """Predictions with a name; `boxes` and `folders` are only available for parses."""

    name: str
    files: TpsFiles
    boxes: Mapping[str, Mapping[str, FrameBoxes]] | None = None  # video -> frame -> boxes; None without confidences
    folders: Mapping[str, Path] = field(default_factory=dict)  # video -> folder of its parse

    @classmethod
    def of_parses(cls, name: str, parses: Mapping[str, Path], truth: TpsFiles) -> PredictionRun:
        """Read the parses of the truth's videos; `parses` are their files by the name of the video."""
        actions: dict[str, str] = {}
        parts: dict[str, dict[str, Any]] = {}
        boxes: dict[str, dict[str, FrameBoxes]] = {}
        for video in truth.videos:
            if video not in parses:
                raise DataError(f"{name}: needs a parse of every video of the truth, got none of {video}")
            parse = load_parse(parses[video])
            files = parses_to_predictions({video: parse})
            actions[video], parts[video] = files.videos[video], files.parts[video]
            frames = {frame_name(frame.index): frame for frame in parse.frames}
            boxes[video] = {}
            for frame_file in files.parts[video]:
                persons = frames[frame_file].persons
                parts_of_all = [part for person in persons for part in person.parts]
                boxes[video][frame_file] = FrameBoxes(
                    persons=Detections.of_persons(persons),
                    parts=detections([(part.box, part.score, PART_INDEX[part.name]) for part in parts_of_all]),
                )
        return cls(name, TpsFiles(actions, parts), boxes, {video: parses[video].parent for video in truth.videos})


def load_run(path: Path, truth: TpsFiles, *, name: str | None = None) -> PredictionRun:
    """Read predictions of any format and check them against the rules of the challenge.

    Args:
        path: a zip or folder with pred_*.json (or gt_*.json), or a folder of parses; parses of other videos than those
            of the truth are not read.
        truth: its videos must have predictions.
        name: of the run; None uses the name of the file or folder.

    Raises:
        DataError: a file is missing or invalid, or the predictions break a rule of the challenge.
    """
    name = name or (path.stem if path.is_file() else path.resolve().name)
    has_result_files = any((path / f"{prefix}_vid_result.json").exists() for prefix in ("pred", "gt"))
    parses = find_parses(path) if path.is_dir() and not has_result_files else {}
    run = PredictionRun.of_parses(name, parses, truth) if parses else PredictionRun(name, load_predictions(path))
    validate_predictions(run.files, truth)
    return run


def detections(items: list[tuple[Any, float, int]]) -> Detections:
    """Build detections from a list of (box, score, label)."""
    return Detections(
        np.array([box for box, _, _ in items], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in items], np.float32),
        np.array([label for _, _, label in items], np.int64),
    )
