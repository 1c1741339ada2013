"""Props in hands and on floors, built from tubes: bars, plates, dumbbells, bats, balls, ropes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import SIDES, HeldTube, Side, Tube, Vector
from actparse.synth.motion.reach import unit

Color = tuple[float, float, float]
OBJECTS = (
    *("bag", "ball", "barbell", "baseball_bat", "bicycle", "bottle", "box", "cup", "discus", "dumbbell", "hammer"),
    *("hurley", "mechanical_bull", "phone", "pull_up_bar", "punching_bag", "rope", "skateboard", "sled", "stick"),
    "weight_plate",
)
AnyTube = TypeVar("AnyTube", Tube, HeldTube, Tube | HeldTube)
STEEL: Color = (150.0, 150.0, 155.0)
DARK: Color = (60.0, 60.0, 64.0)
WOOD: Color = (170.0, 125.0, 80.0)
WHITE: Color = (230.0, 228.0, 220.0)
PLATES: tuple[Color, ...] = ((48, 48, 50), (170, 45, 45), (45, 65, 150), (60, 115, 65), (190, 165, 60))


def as_object(name: str, tubes: Iterable[AnyTube], index: int = 0) -> list[AnyTube]:
    """Return tubes as the parts of one object; `index` tells a person's objects of one name apart."""
    return [replace(tube, object_key=(name, index)) for tube in tubes]


def rod(start: Vector, end: Vector, radius: float, color: Color, sides: int = 6) -> Tube:
    """Build a bar with closed ends between two points."""
    steps = np.array([0.0, 0.0, 0.5, 1.0, 1.0])[:, None]
    return Tube(start + steps * (end - start), np.array([1e-3, radius, radius, radius, 1e-3]), color, sides)


def disc(center: Vector, axis: Vector, radius: float, width: float, color: Color, sides: int = 14) -> Tube:
    """Build a flat round plate about an axis."""
    steps = np.array([-0.5, -0.5, 0.5, 0.5])[:, None] * width
    return Tube(center + steps * unit(axis), np.array([1e-3, radius, radius, 1e-3]), color, sides)


def ball(center: Vector, radius: float, color: Color) -> Tube:
    """Build a ball."""
    steps = np.array([-1.0, -0.7, 0.0, 0.7, 1.0])
    path = center + steps[:, None] * np.array([0.0, radius, 0.0])
    return Tube(path, radius * np.sqrt(np.maximum(1 - steps**2, 1e-3)), color, 8, object_key=("ball", 0))


def line(path: NDArray[np.float64], radius: float, color: Color, sides: int = 4) -> Tube:
    """Build a rope or a cable along a path (K, 3)."""
    return Tube(path, np.full(len(path), radius), color, sides)


def barbell(center: Vector, axis: Vector, plate_radius: float, color: Color) -> list[Tube]:
    """Build a long bar with two plates at each end."""
    along = unit(axis)
    parts = [rod(center - 0.9 * along, center + 0.9 * along, 0.016, STEEL)]
    for sign in (-1.0, 1.0):
        parts.append(disc(center + sign * 0.68 * along, along, plate_radius, 0.05, color))
        parts.append(disc(center + sign * 0.74 * along, along, 0.8 * plate_radius, 0.04, DARK))
    return as_object("barbell", parts)


def held_rod(
    grip: Literal["both", "left", "right"],
    half_length: float,
    radius: float,
    color: Color,
    *,
    weight_radius: float = 0.0,
) -> list[HeldTube]:
    """Build a bar across one palm or through both hands, with an optional weight at each end."""
    axis, drop = np.array([1.0, 0.0, 0.0]), np.array([0.0, -0.02, 0.0]) if grip == "both" else np.array([0.0, 0.0, 0.0])
    shaft = rod(drop - half_length * axis, drop + half_length * axis, radius, color)
    parts = [HeldTube(grip, shaft.path, shaft.radii, color, shaft.sides)]
    for sign in (-1.0, 1.0) if weight_radius else ():
        end = disc(drop + sign * half_length * axis, axis, weight_radius, 0.07, DARK, 10)
        parts.append(HeldTube(grip, end.path, end.radii, DARK, end.sides))
    return parts


def dumbbell(side: Side) -> list[HeldTube]:
    """Build a dumbbell in one hand."""
    tubes = held_rod(side, 0.1, 0.015, STEEL, weight_radius=0.05)
    return as_object("dumbbell", tubes, SIDES.index(side))


def palm(wrist: Vector, direction: Vector, reach: float = 0.08) -> Vector:
    """Return the middle of a closed hand, `reach` metres from its wrist along the fingers."""
    return wrist + reach * direction
