"""Where the paper can be read in several ways: the names of the readings, and what they have in common."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from actparse.core.errors import ConfigError

Numbers = TypeVar("Numbers")
BatchReading = Literal["per-gpu", "in-all"]
WarmUp = Literal["16-epochs-by-iteration", "16-epochs-by-epoch", "16-iterations"]
Mirror = Literal["plain", "sides", "off"]
Level = Literal["segment", "frame"]
Crop = Literal["random-resized", "multi-scale"]
Pretraining = Literal["ig65m", "sports1m"]

MAX_COUNT = 2**31 - 1  # of any whole number
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")


def samples_of_step(batch: BatchReading, batch_size: int, num_gpus: int) -> int:
    """Samples of an optimiser step: "a mini-batch of `batch_size` on `num_gpus` GPUs", on each of them or in all."""
    return batch_size * num_gpus if batch == "per-gpu" else batch_size


def changed(numbers: Numbers, changes: Mapping[str, str]) -> Numbers:
    """A recipe's numbers with some of its fields read from text.

    Raises:
        ConfigError: there is no such field, or the text is none of its values.
    """
    hints = typing.get_type_hints(type(numbers))
    values: dict[str, Any] = {}
    for name, text in changes.items():
        if name not in hints:
            raise ConfigError(f"train: no number {name!r} in this recipe; it has {', '.join(sorted(hints))}")
        values[name] = _value(hints[name], text, name)
    return dataclasses.replace(numbers, **values)  # type: ignore[type-var]


def _value(hint: Any, text: str, name: str) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if text == "none":
            return None
        hint = next(option for option in typing.get_args(hint) if option is not type(None))
    if typing.get_origin(hint) is Literal:
        return _chosen(text, typing.get_args(hint), name)
    if hint is bool:
        return _chosen(text.lower(), (*_YES, *_NO), name) in _YES
    if typing.get_origin(hint) is tuple:
        return _values(typing.get_args(hint), text, name)
    try:
        return hint(text)
    except ValueError:
        raise ConfigError(f"train: {name} must be {getattr(hint, '__name__', hint)}, got {text!r}") from None


def _values(kinds: tuple[Any, ...], text: str, name: str) -> tuple[Any, ...]:
    """Some numbers, with commas between them; the last of `kinds` is ... where there may be any number of them."""
    items, is_open = text.split(","), kinds[-1] is Ellipsis
    try:
        if is_open or len(items) == len(kinds):
            return tuple(kinds[0](item) for item in items)
    except ValueError:
        pass
    count = "" if is_open else f"{len(kinds)} "
    word = "whole numbers" if kinds[0] is int else "numbers"
    raise ConfigError(f"train: {name} must be {count}{word} with commas between, got {text!r}")


def _chosen(text: str, allowed: tuple[str, ...], name: str) -> str:
    if text not in allowed:
        raise ConfigError(f"train: {name} must be one of {', '.join(allowed)}, got {text!r}")
    return text


def expect_ranges(
    numbers: Any,
    *,
    at_least_1: Sequence[str] = (),
    at_least_0: Sequence[str] = (),
    above_0: Sequence[str] = (),
    below_1: Sequence[str] = (),
    shares: Sequence[str] = (),
) -> None:
    """Check a recipe's numbers: all are finite, and those that are named, or every number of theirs, in a range.

    Args:
        numbers: a dataclass; a field that is None passes.
        at_least_1: its fields that must be that.
        at_least_0: the same.
        above_0: the same.
        below_1: at least 0 and less than 1.
        shares: 0 to 1.

    Raises:
        ConfigError: a number is not.
    """
    for field in dataclasses.fields(numbers):
        for value in _numbers_in(getattr(numbers, field.name)):
            if isinstance(value, int) and abs(value) > MAX_COUNT:
                raise ConfigError(f"train: {field.name} must be at most {MAX_COUNT}, got {value}")
            if not math.isfinite(value):
                raise ConfigError(f"train: {field.name} must be finite, got {value}")
    ranges: tuple[tuple[Sequence[str], str, Callable[[float], bool]], ...] = (
        (at_least_1, "at least 1", lambda value: value >= 1),
        (at_least_0, "at least 0", lambda value: value >= 0),
        (above_0, "greater than 0", lambda value: value > 0),
        (below_1, "at least 0 and less than 1", lambda value: 0 <= value < 1),
        (shares, "0 to 1", lambda value: 0 <= value <= 1),
    )
    for names, needs, fits in ranges:
        for name in names:
            value = getattr(numbers, name)
            if not all(map(fits, _numbers_in(value))):
                raise ConfigError(f"train: {name} must be {needs}, got {value}")


def _numbers_in(value: Any) -> tuple[float, ...]:
    values = value if isinstance(value, tuple) else (value,)
    return tuple(number for number in values if isinstance(number, int | float))


def described(numbers: Any) -> list[str]:
    """One line for each number: its field, its value, and the other readings where it has names for them."""
    hints = typing.get_type_hints(type(numbers))
    lines = []
    for field in dataclasses.fields(numbers):
        value, hint = getattr(numbers, field.name), hints[field.name]
        readings = typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
        others = ", ".join(reading for reading in readings if reading != value)
        lines.append(f"{field.name:20} {value}" + (f" (or {others})" if others else ""))
    return lines
