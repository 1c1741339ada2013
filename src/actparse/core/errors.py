"""What a user can get wrong. Each message is one line: the file or field, what it needs, what it got."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class ActparseError(ValueError):
    """Base of every error that the person at the keyboard can mend; the command shows it as one line, exit code 2."""


class ConfigError(ActparseError):
    """A field of a config or an option of a command is out of its range."""


class ShapeError(ActparseError):
    """An array or tensor does not have the shape that the function documents."""


class VideoError(ActparseError):
    """A video cannot be read or written."""


class DataError(ActparseError):
    """A dataset, an annotation, a parse or a submission is not what its format says."""


class WeightsError(ActparseError):
    """A checkpoint is missing, damaged, or does not fit the network."""


class TrainingError(ActparseError):
    """A training run cannot start, go on, or be resumed."""


class OutputError(ActparseError):
    """A result cannot be written where it should go."""


def named(where: object, error: ActparseError) -> str:
    """An error's line, beginning with the file or folder that it is about."""
    line = str(error)
    return line if line.startswith(str(where)) else f"{where}: {line}"


class Shaped(Protocol):
    """An array or a tensor."""

    @property
    def shape(self) -> Sequence[int]: ...


def expect_shape(name: str, array: Shaped, shape: tuple[int | None, ...]) -> None:
    """Check an array's shape; None stands for any length.

    Raises:
        ShapeError: the number of axes or the length of one differs.
    """
    got = tuple(array.shape)
    if len(got) != len(shape) or any(want is not None and want != have for want, have in zip(shape, got, strict=True)):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ShapeError(f"{name} must have shape ({wanted}), got {got}")
