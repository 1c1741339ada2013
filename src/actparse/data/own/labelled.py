"""What every reader of label files makes: the labelled frames of one video, before words and names are checked."""

from __future__ import annotations

from dataclasses import dataclass, field

from actparse.data.kinetics_tps import FrameTruth


@dataclass(frozen=True)
class LabelledVideo:
    """The labels that one file has of one video."""

    where: str  # the label file, for messages
    video: str  # the video's file or its name, as the label file has it: not to be trusted as a path
    frames: dict[int, FrameTruth]  # by frame, from 0; a frame is there where a person is labelled
    action: str | None = None  # where the label file says it
    warnings: tuple[str, ...] = field(default=())  # labels that were left out, and why
