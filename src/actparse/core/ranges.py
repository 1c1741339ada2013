"""Ranges of the numbers in a config: a range is a part of its field's type, as in Annotated[int, AT_LEAST_1]."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from actparse.core.errors import ConfigError


@dataclass(frozen=True)
class Range:
    """The range of a field's number, or of every number in a field that is a tuple; None is in every range."""

    needs: str
    contains: Callable[[float], bool]


AT_LEAST_1 = Range("at least 1", lambda value: value >= 1)
AT_LEAST_0 = Range("at least 0", lambda value: value >= 0)
ABOVE_0 = Range("greater than 0", lambda value: value > 0)
ABOVE_0_FINITE = Range("greater than 0 and finite", lambda value: 0 < value < math.inf)
AT_LEAST_1_FINITE = Range("at least 1 and finite", lambda value: 1 <= value < math.inf)
BELOW_1 = Range("at least 0 and less than 1", lambda value: 0 <= value < 1)
SHARE = Range("0 to 1", lambda value: 0 <= value <= 1)

Count = Annotated[int, AT_LEAST_1]
CountOrZero = Annotated[int, AT_LEAST_0]
CountOrNone = Annotated[int | None, AT_LEAST_1]
Size = Annotated[tuple[int, int], AT_LEAST_1]  # (height, width)
Counts = Annotated[tuple[int, ...], AT_LEAST_1]
NotNegative = Annotated[float, AT_LEAST_0]
Positive = Annotated[float, ABOVE_0]
AtLeast1 = Annotated[float, AT_LEAST_1_FINITE]
Factors = Annotated[tuple[float, float], ABOVE_0]  # lowest and highest
Below1 = Annotated[float, BELOW_1]
Share = Annotated[float, SHARE]


@cache
def field_types(config: Any) -> dict[str, Any]:
    """Return the type of each field of a dataclass, with its range."""
    hints = typing.get_type_hints(config, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(config)}


def numbers_in(value: Any) -> list[float]:
    """Return the number, or the numbers of a tuple; none for other values."""
    return [number for number in (value if isinstance(value, tuple) else (value,)) if isinstance(number, int | float)]


def expect_ranges(config: Any, prefix: str) -> None:
    """Check the numbers in the fields of a dataclass; `prefix` is the start of the error message.

    Raises:
        ConfigError: a number is outside its field's range.
    """
    for name, hint in field_types(config.__class__).items():
        value = getattr(config, name)
        for limits in getattr(hint, "__metadata__", ()):
            if not all(map(limits.contains, numbers_in(value))):
                raise ConfigError(f"{prefix}{name} must be {limits.needs}, got {value}")
