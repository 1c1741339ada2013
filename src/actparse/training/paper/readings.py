"""Where the paper can be read in several ways: the names of the readings, and what they have in common."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from actparse.errors import ConfigError

Numbers = TypeVar("Numbers")
BatchReading = Literal["per-gpu", "in-all"]
WarmUp = Literal["16-epochs-by-iteration", "16-epochs-by-epoch", "16-iterations"]
Mirror = Literal["plain", "sides", "off"]
Level = Literal["segment", "frame"]
Crop = Literal["random-resized", "multi-scale"]
Pretraining = Literal["ig65m", "sports1m"]

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
    try:
        if typing.get_origin(hint) is tuple:
            kind = typing.get_args(hint)[0]
            return tuple(kind(item) for item in text.split(","))
        return hint(text)
    except ValueError:
        raise ConfigError(f"train: {name} must be {getattr(hint, '__name__', hint)}, got {text!r}") from None


def _chosen(text: str, allowed: tuple[str, ...], name: str) -> str:
    if text not in allowed:
        raise ConfigError(f"train: {name} must be one of {', '.join(allowed)}, got {text!r}")
    return text


def described(numbers: Any) -> list[str]:
    """One line for each number: its field and its value."""
    return [f"{field.name:20} {getattr(numbers, field.name)}" for field in dataclasses.fields(numbers)]
