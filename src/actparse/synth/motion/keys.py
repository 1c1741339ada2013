"""A pose as one row of numbers that can be mixed, shifted and mirrored; the alphabet that motions are written in.

Positions are metres of a person of scale 1 (about 1.75 m tall), in the person's own frame (`figure`); a bigger body
stretches them. The pelvis of that person stands at 0.944, the shoulders at 1.4, the ankles at 0.08; an arm is 0.55
long, a leg 0.85.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import SIDE_SIGN, SIDES, Side

STAND = 0.944  # pelvis height of the person of scale 1 with nearly straight legs
ANKLE = 0.08  # ankle height of a flat foot

_ROTATIONS = ("pelvis_rotation", "spine_rotation", "head_rotation")  # pitch, yaw, roll
_LIMBS = ("hand", "foot", "elbow_pole", "knee_pole", "hand_direction", "foot_direction")
_WIDTHS: dict[str, int] = {
    "pelvis": 3,
    **dict.fromkeys(_ROTATIONS, 3),
    **{f"{side}_{limb}": 3 for limb in _LIMBS for side in SIDES},
    "left_grip": 1,
    "right_grip": 1,
    "prop": 3,  # where a free prop is
    "travel": 3,  # moves the whole person
    "heading": 1,  # turns the whole person about the vertical axis through `travel`
}


def _slices() -> dict[str, slice]:
    ends = np.cumsum(list(_WIDTHS.values()))
    return {name: slice(int(end) - width, int(end)) for (name, width), end in zip(_WIDTHS.items(), ends, strict=True)}


CHANNELS: dict[str, slice] = _slices()
NUM_VALUES = sum(_WIDTHS.values())


def _mirror_table() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each value of the mirrored row: which value it comes from, and its sign."""
    order, signs = np.arange(NUM_VALUES), np.ones(NUM_VALUES)
    for name, place in CHANNELS.items():
        other = name.translate(str.maketrans({}))
        if name.startswith("left_"):
            other = "right_" + name.removeprefix("left_")
        elif name.startswith("right_"):
            other = "left_" + name.removeprefix("right_")
        order[place] = np.arange(NUM_VALUES)[CHANNELS[other]]
        if name in _ROTATIONS:
            signs[place] = (1.0, -1.0, -1.0)
        elif name == "heading":
            signs[place] = -1.0
        elif _WIDTHS[name] == 3:
            signs[place.start] = -1.0
    return order, signs


_MIRROR_ORDER, _MIRROR_SIGNS = _mirror_table()


@dataclass(frozen=True)
class Key:
    """A pose, or an offset to one: `values` (NUM_VALUES,). Every method returns a new Key."""

    values: NDArray[np.float64]

    def read(self, name: str) -> NDArray[np.float64]:
        """A channel's values, (3,) or (1,)."""
        return self.values[CHANNELS[name]]

    def put(self, name: str, *value: float) -> Key:
        """Set a channel."""
        values = self.values.copy()
        values[CHANNELS[name]] = value
        return Key(values)

    def shift(self, name: str, *offset: float) -> Key:
        """Add to a channel."""
        values = self.values.copy()
        values[CHANNELS[name]] += offset
        return Key(values)

    def on(self, side: Side, limb: str, outward: float, up: float, forward: float) -> Key:
        """Set one side's limb channel; `outward` counts away from the body's middle."""
        return self.put(f"{side}_{limb}", SIDE_SIGN[side] * outward, up, forward)

    def nudge(self, side: Side, limb: str, outward: float, up: float, forward: float) -> Key:
        """Add to one side's limb channel."""
        return self.shift(f"{side}_{limb}", SIDE_SIGN[side] * outward, up, forward)

    def pair(self, limb: str, outward: float, up: float, forward: float) -> Key:
        """Set a limb channel on both sides, mirrored."""
        return self.on("left", limb, outward, up, forward).on("right", limb, outward, up, forward)

    def nudge_pair(self, limb: str, outward: float, up: float, forward: float) -> Key:
        """Add to a limb channel on both sides, mirrored."""
        return self.nudge("left", limb, outward, up, forward).nudge("right", limb, outward, up, forward)

    def grip(self, left: float, right: float) -> Key:
        """Close the hands: 0 open .. 1 fist."""
        return self.put("left_grip", left).put("right_grip", right)

    def mirrored(self) -> Key:
        """The same pose seen in a mirror: left and right change places."""
        return Key(self.values[_MIRROR_ORDER] * _MIRROR_SIGNS)

    def plus(self, offset: Key, weight: float = 1.0) -> Key:
        """Add an offset, `weight` times."""
        return Key(self.values + weight * offset.values)


NOTHING = Key(np.zeros(NUM_VALUES))  # the offset that changes nothing


def standing(*, stance: float = 0.12, slouch: float = 0.03) -> Key:
    """Upright, arms hanging, feet `stance` from the middle."""
    return (
        NOTHING.put("pelvis", 0.0, STAND, 0.0)
        .put("spine_rotation", slouch, 0.0, 0.0)
        .pair("foot", stance, ANKLE, 0.0)
        .pair("foot_direction", 0.25, -0.12, 1.0)
        .pair("knee_pole", 0.2, 0.0, 1.0)
        .pair("elbow_pole", 0.5, -0.6, -0.6)
        .pair("hand", 0.25, 0.855, 0.04)
        .grip(0.3, 0.3)
    )


def mix(first: Key, second: Key, weight: float) -> Key:
    """From `first` (weight 0) to `second` (weight 1)."""
    return Key(first.values + (second.values - first.values) * weight)


def ease(progress: float) -> float:
    """0..1 to 0..1 with rest at both ends; outside it is clipped."""
    x = min(max(progress, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


def wave(cycles: float) -> float:
    """Sine of a number of cycles."""
    return float(np.sin(2 * np.pi * cycles))


def bump(cycles: float) -> float:
    """0 to 1 and back once a cycle, at rest at 0 and at 1."""
    return float(0.5 - 0.5 * np.cos(2 * np.pi * cycles))


def half_bump(cycles: float) -> float:
    """A bump in the first half of every cycle, rest in the second; for what two sides do by turns."""
    place = cycles % 1.0
    return bump(place * 2.0) if place < 0.5 else 0.0


def total(offsets: Sequence[Key]) -> Key:
    """The sum of offsets."""
    return Key(np.sum([offset.values for offset in offsets], axis=0)) if offsets else NOTHING
