"""Hyperparameters of recipes: named interpretations where the paper is ambiguous, changes from text, and checks."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import torch

from actparse.core.errors import ConfigError
from actparse.training.options import TrainOptions
from actparse.training.run_folder import RunFolder
from actparse.training.task import StepRule, Task, TaskSettings

BatchReading = Literal["per-gpu", "in-all"]
WarmUp = Literal["16-epochs-by-iteration", "16-epochs-by-epoch", "16-iterations"]
Mirror = Literal["plain", "sides", "off"]
Level = Literal["segment", "frame"]
Crop = Literal["random-resized", "multi-scale"]
Pretraining = Literal["ig65m", "sports1m"]

MAX_COUNT = 2**31 - 1  # limit of any whole number
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")


@dataclass(frozen=True)
class Inputs:
    """What a task is built from: a dataset, the run's folder and options, and what the network is for."""

    kind: str  # of the network: "persons", "action", "states-arm", ...
    group: str | None  # part group of a state network
    data: Path  # root of the dataset
    run: RunFolder
    options: TrainOptions

    def poses(self) -> Path:
        """Return the run's pose network, which predicts the keypoints for other recipes."""
        return RunFolder(self.run.out, "poses").weights


class Hyperparameters(ABC):
    """The hyperparameters of one recipe, a frozen dataclass; `--set` changes fields that are numbers or words."""

    initial_settings: ClassVar[Mapping[str, str]] = {}  # settings of an initial file -> field that has to agree
    stored_as: ClassVar[torch.dtype] = torch.float32  # type of the weights in the network's file; as public checkpoints

    @abstractmethod
    def build(self, inputs: Inputs) -> Task:
        """Build the task with new random weights."""

    def expect_inputs(self, data: Path, options: TrainOptions) -> None:
        """Check files that the task needs in addition to a dataset, so that a long run fails before it starts."""
        return

    def num_rendered_clips(self, data: Path, options: TrainOptions) -> int:
        """Return how many rendered clips the task is trained on, in addition to a dataset."""
        return 0


Changed = TypeVar("Changed", bound=Hyperparameters)


@dataclass(frozen=True, kw_only=True)
class OneCycle(Hyperparameters):
    """Training of a tiny network by AdamW in one cycle of the learning rate."""

    stored_as: ClassVar[torch.dtype] = torch.float16

    batch_size: int
    learning_rate: float  # at the top of the cycle
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        names = [field.name for field in dataclasses.fields(self)]
        expect_ranges(
            self,
            at_least_1=("batch_size",),
            above_0=("learning_rate", *(name for name in names if name in ("zoom", "speed", "tempo"))),
            at_least_0=[name for name in names if name.endswith(("_decay", "_weight", "_jitter", "shift"))],
            shares=[name for name in names if name.endswith(("_share", "_smoothing", "_visible", "_dots"))],
        )

    def settings(self) -> TaskSettings:
        """Return the settings for the training loop."""
        return TaskSettings(
            batch_size=self.batch_size, learning_rate=self.learning_rate, weight_decay=self.weight_decay
        )


def step_settings(hyperparameters: Any, rule: StepRule, **changes: Any) -> TaskSettings:
    """Return the settings for SGD in steps, from the fields with the same names; `changes` replaces some of them."""
    names = ("batch_size", "learning_rate", "weight_decay", "max_gradient_norm", "momentum", "nesterov")
    fields = {name: getattr(hyperparameters, name) for name in names if name not in changes}
    return TaskSettings(optimizer="sgd", step_rule=rule, **fields, **changes)


def samples_of_step(batch: BatchReading, batch_size: int, num_gpus: int) -> int:
    """Return the samples of an optimiser step, with "a mini-batch of A on B GPUs" read as A per GPU or A in total."""
    return batch_size * num_gpus if batch == "per-gpu" else batch_size


def changed(hyperparameters: Changed, changes: Mapping[str, str]) -> Changed:
    """Return a recipe's hyperparameters with some of its fields read from text.

    Raises:
        ConfigError: there is no such field, or the text is not a valid value of it.
    """
    hints = changeable(hyperparameters)
    values: dict[str, Any] = {}
    for name, text in changes.items():
        if name not in hints:
            raise ConfigError(f"train: no hyperparameter {name!r} in this recipe; it has {', '.join(sorted(hints))}")
        values[name] = _value(hints[name], text, name)
    return dataclasses.replace(hyperparameters, **values)  # type: ignore[type-var]


def changeable(hyperparameters: Any) -> dict[str, Any]:
    """Return the type of each field that a text can change, by name: all but nested configs."""
    hints = typing.get_type_hints(type(hyperparameters))
    names = (field.name for field in dataclasses.fields(hyperparameters))
    return {name: hints[name] for name in names if not dataclasses.is_dataclass(getattr(hyperparameters, name))}


def _value(hint: Any, text: str, name: str) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if text == "none":
            return None
        hint = next(option for option in typing.get_args(hint) if option is not type(None))
    if typing.get_origin(hint) is Literal:
        return _expect_choice(text, typing.get_args(hint), name)
    if hint is bool:
        return _expect_choice(text.lower(), (*_YES, *_NO), name) in _YES
    if typing.get_origin(hint) is tuple:
        return _values(typing.get_args(hint), text, name)
    try:
        return hint(text)
    except ValueError:
        raise ConfigError(f"train: {name} must be {getattr(hint, '__name__', hint)}, got {text!r}") from None


def _values(kinds: tuple[Any, ...], text: str, name: str) -> tuple[Any, ...]:
    """Read numbers separated by commas; the last of `kinds` is ... if any count of them is allowed."""
    items, is_open = text.split(","), kinds[-1] is Ellipsis
    try:
        if is_open or len(items) == len(kinds):
            return tuple(kinds[0](item) for item in items)
    except ValueError:
        pass
    count = "" if is_open else f"{len(kinds)} "
    word = "whole numbers" if kinds[0] is int else "numbers"
    raise ConfigError(f"train: {name} must be {count}{word} with commas between, got {text!r}")


def _expect_choice(text: str, allowed: tuple[str, ...], name: str) -> str:
    if text not in allowed:
        raise ConfigError(f"train: {name} must be one of {', '.join(allowed)}, got {text!r}")
    return text


def expect_ranges(
    hyperparameters: Any,
    *,
    at_least_1: Sequence[str] = (),
    at_least_0: Sequence[str] = (),
    above_0: Sequence[str] = (),
    below_1: Sequence[str] = (),
    shares: Sequence[str] = (),
) -> None:
    """Check a recipe's hyperparameters: all numbers are finite, and those in the named fields are within a range.

    In a field that is a tuple, every number has to be within the range.

    Args:
        hyperparameters: a dataclass; a field that is None passes.
        at_least_1: fields that must be at least 1.
        at_least_0: fields that must be at least 0.
        above_0: fields that must be greater than 0.
        below_1: fields that must be at least 0 and less than 1.
        shares: fields that must be in 0 to 1.

    Raises:
        ConfigError: a number is outside its range.
    """
    for field in dataclasses.fields(hyperparameters):
        for value in _numbers_in(getattr(hyperparameters, field.name)):
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
            value = getattr(hyperparameters, name)
            if not all(map(fits, _numbers_in(value))):
                raise ConfigError(f"train: {name} must be {needs}, got {value}")


def _numbers_in(value: Any) -> tuple[float, ...]:
    values = value if isinstance(value, tuple) else (value,)
    return tuple(item for item in values if isinstance(item, int | float))


def described(hyperparameters: Any) -> list[str]:
    """Return one line for each hyperparameter: field, value, and the other interpretations if they have names."""
    lines = []
    for name, hint in changeable(hyperparameters).items():
        value = getattr(hyperparameters, name)
        choices = typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
        others = ", ".join(choice for choice in choices if choice != value)
        lines.append(f"{name:20} {value}" + (f" (or {others})" if others else ""))
    return lines
