"""A pose as one vector of values that can be mixed, shifted and mirrored: the unit that motions are written in.

Positions are in metres for a person of scale 1 (about 1.75 m tall), in the frame of the person (`figure`); a larger
body stretches them. When this person stands, the pelvis is at 0.944, the shoulders at 1.4 and the ankles at 0.08; an
arm is 0.55 long, a leg 0.85.
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
    "prop": 3,  # position of a prop that no hand holds
    "travel": 3,  # moves the person
    "heading": 1,  # turns the person about the vertical axis through `travel`
}


CHANNELS: dict[str, slice] = {
    name: slice(int(end) - width, int(end))
    for (name, width), end in zip(_WIDTHS.items(), np.cumsum(list(_WIDTHS.values())), strict=True)
}
NUM_VALUES = sum(_WIDTHS.values())


def _mirror_table() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return for each value of the mirrored vector the index of its source value, and its sign."""
    order, signs = np.arange(NUM_VALUES), np.ones(NUM_VALUES)
    for name, channel in CHANNELS.items():
        source = name.translate(str.maketrans({}))
        if name.startswith("left_"):
            source = "right_" + name.removeprefix("left_")
        elif name.startswith("right_"):
            source = "left_" + name.removeprefix("right_")
        order[channel] = np.arange(NUM_VALUES)[CHANNELS[source]]
        if name in _ROTATIONS:
            signs[channel] = (1.0, -1.0, -1.0)
        elif name == "heading":
            signs[channel] = -1.0
        elif _WIDTHS[name] == 3:
            signs[channel.start] = -1.0
    return order, signs


_MIRROR_ORDER, _MIRROR_SIGNS = _mirror_table()


@dataclass(frozen=True)
class Key:
    """A pose or an offset to a pose: `values` (NUM_VALUES,). Every method returns a new Key."""

    values: NDArray[np.float64]

    def read(self, name: str) -> NDArray[np.float64]:
        """Return the values of a channel, (3,) or (1,)."""
        return self.values[CHANNELS[name]]

    def put(self, name: str, *value: float) -> Key:
        """Set the values of a channel."""
        values = self.values.copy()
        values[CHANNELS[name]] = value
        return Key(values)

    def shift(self, name: str, *offset: float) -> Key:
        """Add an offset to a channel."""
        values = self.values.copy()
        values[CHANNELS[name]] += offset
        return Key(values)

    def on(self, side: Side, limb: str, outward: float, up: float, forward: float) -> Key:
        """Set the limb channel of one side; `outward` is the distance from the middle of the body."""
        return self.put(f"{side}_{limb}", SIDE_SIGN[side] * outward, up, forward)

    def nudge(self, side: Side, limb: str, outward: float, up: float, forward: float) -> Key:
        """Add an offset to the limb channel of one side."""
        return self.shift(f"{side}_{limb}", SIDE_SIGN[side] * outward, up, forward)

    def pair(self, limb: str, outward: float, up: float, forward: float) -> Key:
        """Set a limb channel on both sides, mirrored."""
        return self.on("left", limb, outward, up, forward).on("right", limb, outward, up, forward)

    def nudge_pair(self, limb: str, outward: float, up: float, forward: float) -> Key:
        """Add an offset to a limb channel on both sides, mirrored."""
        return self.nudge("left", limb, outward, up, forward).nudge("right", limb, outward, up, forward)

    def grip(self, left: float, right: float) -> Key:
        """Close the hands: 0 is open, 1 a fist."""
        return self.put("left_grip", left).put("right_grip", right)

    def mirrored(self) -> Key:
        """Return the mirror image of the pose, with left and right exchanged."""
        return Key(self.values[_MIRROR_ORDER] * _MIRROR_SIGNS)

    def plus(self, offset: Key, weight: float = 1.0) -> Key:
        """Add an offset, multiplied by `weight`."""
        return Key(self.values + weight * offset.values)


NOTHING = Key(np.zeros(NUM_VALUES))  # the offset that changes nothing


def standing(*, stance: float = 0.12, slouch: float = 0.03) -> Key:
    """Return an upright pose with hanging arms and each foot `stance` from the middle."""
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
    """Interpolate from `first` (weight 0) to `second` (weight 1)."""
    return Key(first.values + (second.values - first.values) * weight)


def ease(progress: float) -> float:
    """Map 0..1 to 0..1 with zero speed at both ends; values outside are clipped."""
    x = min(max(progress, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


def wave(cycles: float) -> float:
    """Return the sine of a phase in cycles."""
    return float(np.sin(2 * np.pi * cycles))


def bump(cycles: float) -> float:
    """Return a value that goes from 0 to 1 and back once a cycle, with zero speed at 0 and at 1."""
    return float(0.5 - 0.5 * np.cos(2 * np.pi * cycles))


def half_bump(cycles: float) -> float:
    """Return a bump in the first half of every cycle and 0 in the second, for sides that take turns."""
    progress = cycles % 1.0
    return bump(progress * 2.0) if progress < 0.5 else 0.0


def total(offsets: Sequence[Key]) -> Key:
    """Return the sum of the offsets."""
    return Key(np.sum([offset.values for offset in offsets], axis=0)) if offsets else NOTHING
