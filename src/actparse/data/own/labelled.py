"""Output of every reader of label files: the labelled frames of one video, before words and names are checked."""

from __future__ import annotations

from dataclasses import dataclass, field

from actparse.data.kinetics_tps import FrameTruth


@dataclass(frozen=True)
class LabelledVideo:
    """The labels of one video in one file."""

    where: str  # the label file, for messages
    video: str  # the video's file or its name, as in the label file: not to be trusted as a path
    frames: dict[int, FrameTruth]  # by frame index, from 0; only frames with a labelled person
    action: str | None = None  # None if the label file does not contain it
    warnings: tuple[str, ...] = field(default=())  # labels that were left out, with the reason
