"""Hyperparameters of recipes: named interpretations where the paper is ambiguous, changes from text, and checks."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import torch

from actparse.core.errors import ConfigError
from actparse.core.ranges import Count, NotNegative, Positive, expect_ranges, field_types, numbers_in
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

    needs: ClassVar[tuple[str, ...]] = ()  # recipes whose weights must exist in the run's folder
    initial_settings: ClassVar[Mapping[str, str]] = {}  # settings of an initial file -> field that has to agree
    stored_as: ClassVar[torch.dtype] = torch.float32  # type of the weights in the network's file; as public checkpoints
    trains_on_videos: ClassVar[bool] = True  # of the dataset; False: only on rendered data, or on nothing

    def __post_init__(self) -> None:
        """Check that all numbers are finite and within their fields' ranges.

        Raises:
            ConfigError: a number is outside its range.
        """
        for name in field_types(type(self)):
            for number in numbers_in(getattr(self, name)):
                if isinstance(number, int) and abs(number) > MAX_COUNT:
                    raise ConfigError(f"train: {name} must be at most {MAX_COUNT}, got {number}")
                if not math.isfinite(number):
                    raise ConfigError(f"train: {name} must be finite, got {number}")
        expect_ranges(self, "train: ")

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

    batch_size: Count
    learning_rate: Positive  # at the top of the cycle
    weight_decay: NotNegative = 0.01

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


def changeable(hyperparameters: Hyperparameters) -> dict[str, Any]:
    """Return the type of each field that a text can change, by name: all but nested configs."""
    hints = field_types(type(hyperparameters))
    names = (name for name in hints if not dataclasses.is_dataclass(getattr(hyperparameters, name)))
    return {name: hints[name].__origin__ if hasattr(hints[name], "__metadata__") else hints[name] for name in names}


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


def described(hyperparameters: Hyperparameters) -> list[str]:
    """Return one line for each hyperparameter: field, value, and the other interpretations if they have names."""
    lines = []
    for name, hint in changeable(hyperparameters).items():
        value = getattr(hyperparameters, name)
        choices = typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
        others = ", ".join(choice for choice in choices if choice != value)
        lines.append(f"{name:20} {value}" + (f" (or {others})" if others else ""))
    return lines
