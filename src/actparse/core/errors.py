"""Errors that a user can fix. Each message is one line: the file or field, what it needs, what it got."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class ActparseError(ValueError):
    """Base class for errors that the user can fix; the command prints it as one line and exits with code 2."""


class ConfigError(ActparseError):
    """A field of a config or an option of a command is invalid."""


class ShapeError(ActparseError):
    """An array or tensor does not have the shape that the function documents."""


class VideoError(ActparseError):
    """A video cannot be read or written."""


class DataError(ActparseError):
    """A dataset, an annotation, a parse or a submission does not follow its format."""


class WeightsError(ActparseError):
    """A checkpoint is missing, damaged, or does not fit the network."""


class TrainingError(ActparseError):
    """A training run cannot start, continue or resume."""


class OutputError(ActparseError):
    """A result cannot be written to its destination."""


def named(where: object, error: ActparseError) -> str:
    """Return an error's message, beginning with the file or folder that it is about."""
    line = str(error)
    return line if line.startswith(str(where)) else f"{where}: {line}"


def failure_line(where: object, error: Exception) -> str:
    """Return one line on any error, beginning with the file or folder that it is about."""
    if isinstance(error, ActparseError):
        return named(where, error)
    if isinstance(error, OSError):
        return f"{error.filename or where}: {error.strerror or error}"
    if isinstance(error, MemoryError):
        return f"{where}: needs more memory than this machine has free"
    reason = next(iter(str(error).strip().splitlines()), "")
    return f"{where}: failed unexpectedly: {type(error).__name__}{': ' if reason else ''}{reason}"


class Shaped(Protocol):
    """An array or a tensor."""

    @property
    def shape(self) -> Sequence[int]: ...


def expect_shape(name: str, array: Shaped, shape: tuple[int | None, ...]) -> None:
    """Check an array's shape; None matches any length.

    Raises:
        ShapeError: the number of axes or the length of an axis differs.
    """
    got = tuple(array.shape)
    if len(got) != len(shape) or any(n is not None and n != length for n, length in zip(shape, got, strict=True)):
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        raise ShapeError(f"{name} must have shape ({expected}), got {got}")
