"""The clothes of the look "varied": patterned cloth, skin of any tone, shoes, hats, gloves, props in hands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.mesh import Floats
from actparse.synth.drawing.texture import any_color, cloth, grained, skin, skin_color
from actparse.synth.motion.figure import SIDES, HeldTube, Side
from actparse.synth.motion.props import as_object
from actparse.synth.people.look import Loft, Look

LAYERS = ("features", "skin", "hair", "shirt", "trousers", "shoes", "sole", "gloves", "hat", "extra")
FEATURES, SKIN, HAIR, SHIRT, TROUSERS, SHOES, SOLE, GLOVES, HAT, EXTRA = range(len(LAYERS))
WHITE = 255.0
LENGTHS = {"torso": 1.0, "upper_arm": 0.29, "forearm": 0.26, "thigh": 0.43, "shin": 0.42, "foot": 0.2, "skirt": 0.5}
# share of people whose left and right limbs differ in dress: a bandage, one glove, one rolled trouser leg
ODD_SHARE = 0.1
NOTHING = -1.0  # length of a missing sleeve or trouser leg
FIRST_IN_HAND = 10  # index of the first object that a look puts into a hand; those of a motion have lower ones


class VariedLook(Look):
    """Build and clothes of a body in the look "varied"; `textures` belong to the layers of its lofts.

    Args:
        rng: generator of the plain look; the same values are drawn from it, so that a seed gives the same motions.
        hints: probabilities by name, as for `Look`.
        varied: generator of everything that the plain look does not have.
        detail: factor on the number of sides of round surfaces.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        hints: Mapping[str, float],
        varied: np.random.Generator,
        *,
        detail: float = 1.0,
    ) -> None:
        super().__init__(rng, hints, detail=detail)
        self.skin = skin_color(varied)
        self.fat = float(np.clip(varied.normal(1.06, 0.17), 0.8, 1.6))
        self._limb = float(np.clip(self.fat**0.6 * varied.normal(1.0, 0.12), 0.75, 1.32))
        self._hand_size = float(varied.uniform(0.95, 1.25))
        self._foot_length, self._foot_width = varied.uniform(0.95, 1.12), varied.uniform(0.88, 1.25)
        self._loose = varied.uniform(1.0, 1.16, 2)  # shirt, trousers
        self.topless = bool(varied.random() < (0.05 if self.feminine else 0.14))
        self._over_hips = bool(varied.random() < 0.5)  # whether the shirt hangs over the trousers
        self._high_collar = bool(varied.random() < 0.15)
        self.hat = str(varied.choice(["none", "none", "none", "none", "cap", "beanie", "brim", "bald", "bulky"]))
        self.cap = self.hat == "cap"
        sleeve = self._sleeve(varied)
        trousers = self._trousers(varied)
        differs = varied.random(4) < ODD_SHARE
        self._sleeves = {"left": sleeve, "right": self._sleeve(varied) if differs[0] else sleeve}
        self._legs = {"left": trousers, "right": self._trousers(varied) if differs[1] else trousers}
        gloves = bool(self.gloves or varied.random() < 0.12)
        self.sleeve, self.trouser_length = self._sleeves["left"], self._legs["left"]
        self._has_glove = {"left": gloves, "right": gloves != bool(differs[2] and varied.random() < 0.5)}
        self._has_pad: dict[str, bool] = {  # on knee and elbow
            side: bool(varied.random() < (0.5 if differs[3] else 0.06)) for side in SIDES
        }
        self.barefoot = bool(self.barefoot or varied.random() < 0.12)
        self._socks = float(varied.choice([0.0, varied.uniform(0.05, 0.35), varied.uniform(0.35, 0.8)]))
        self.textures = _textures(varied, self.skin, one_piece=bool(varied.random() < 0.08))
        self.props = {side: _draw_hand_prop(varied, side) for side in SIDES if varied.random() < 0.22}

    def _sleeve(self, rng: np.random.Generator) -> float:
        """Draw the end of the sleeve: 0..1 on the upper arm, 1..2 on the forearm."""
        if self.topless or self.midriff or rng.random() < 0.2:
            return NOTHING
        return float(rng.choice([rng.uniform(0.15, 0.8), rng.uniform(0.3, 0.9), rng.uniform(1.1, 1.8), 2.1, 2.1]))

    def _trousers(self, rng: np.random.Generator) -> float:
        """Draw the end of the trousers: 0..1 on the thigh, 1..2 on the shin."""
        return float(rng.choice([rng.uniform(0.05, 0.5), rng.uniform(0.4, 0.95), rng.uniform(1.1, 1.7), 2.1, 2.1, 2.1]))

    def _build_loft(
        self,
        name: str,
        part: str,
        steps: Floats,
        across: Floats,
        deep: Floats,
        sides: int,
        layers: Sequence[int] | int,
        *,
        frame: str = "",
        hip_rings: int = 0,
    ) -> Loft:
        bands = np.broadcast_to(np.asarray(layers, np.int64), (len(steps) - 1,))
        sides = max(4, round(sides * self._detail))
        length = LENGTHS.get((frame or name).split("_", 1)[-1], LENGTHS.get(frame or name, 0.1))
        tint = np.full((len(bands), 3), WHITE)
        return Loft(name, part, steps, across, deep, sides, tint, hip_rings, frame, bands, length)

    def _cover(self, loft: Loft, length: float, first: float, layer: int, loose: float) -> Loft:
        """Cover the loft of a bone with cloth of `length`, with a hem at its end; keep the layers beyond it.

        On the scale of `length` the bone begins at `first` (0 or 1). `loose` is the width factor of the cloth.
        """
        if length <= first:
            return loft
        cut = min(length - first, float(loft.steps[-1]) - 0.04)
        steps = np.sort(np.concatenate((loft.steps, [cut, cut])))
        cut_index = int(np.searchsorted(steps, cut))
        across, deep = (np.interp(steps, loft.steps, widths) for widths in (loft.across, loft.deep))
        is_covered = np.arange(len(steps)) <= cut_index
        assert loft.layers is not None
        bare = loft.layers[np.clip(np.searchsorted(loft.steps, steps[:-1], side="right") - 1, 0, len(loft.layers) - 1)]
        layers = np.where(np.arange(len(steps) - 1) <= cut_index, layer, bare)
        width_at_step = np.interp(steps, [0.0, 0.3], [1.0, loose])  # cloth is tight at the upper joint
        scale = np.where(is_covered, width_at_step, 1.0)
        tint = np.full((len(layers), 3), WHITE)
        return replace(loft, steps=steps, across=across * scale, deep=deep * scale, layers=layers, colors=tint)

    def _trunk(self) -> list[Loft]:
        lofts = super()._trunk()
        shirt = SKIN if self.topless else SHIRT
        hips = [TROUSERS, TROUSERS, *([shirt if self._over_hips and not self.topless else TROUSERS] * 2)]
        belly = SKIN if self.midriff else shirt
        collar = SHIRT if self._high_collar else SKIN
        bands = [*hips, belly, belly, shirt, shirt, shirt, shirt, SKIN if self.tank else shirt, collar, collar]
        loose = np.where(np.isin([*bands, bands[-1]], (SHIRT,)), self._loose[0] ** 0.6, 1.0)
        torso, neck, *skirt = lofts
        torso = replace(torso, across=torso.across * loose, deep=torso.deep * loose)
        clothed = [_set_layers(torso, bands, LENGTHS["torso"]), _set_layers(neck, [SKIN] * 2, 0.15)]
        if skirt:
            clothed.append(replace(_set_layers(skirt[0], [TROUSERS] * 3, LENGTHS["skirt"]), hip_rings=1))
        return clothed

    def _head(self) -> list[Loft]:
        lofts = []
        for loft in super()._head():
            kind = loft.name.split("_", 1)[-1] if loft.name.startswith(SIDES) else loft.name
            bands = len(loft.steps) - 1
            if kind == "hair":
                if self.hat == "bald":
                    continue
                layers = [HAIR, HAIR] + [HAIR if self.hat in ("none", "bulky") else HAT] * (bands - 2)
                width = {"bulky": 1.3, "beanie": 1.08, "brim": 1.06}.get(self.hat, 1.0)
                hair = replace(loft, across=loft.across * width, deep=loft.deep * width)
                lofts.append(_set_layers(hair, layers, 0.125))
            elif kind in ("eye", "pupil", "mouth"):
                lofts.append(replace(loft, layers=np.full(bands, FEATURES)))
            else:
                layer = {"hair_back": HAIR, "brow": HAIR, "brim": HAT}.get(kind, SKIN)
                lofts.append(_set_layers(loft, [layer] * bands, 0.125))
        if self.hat == "brim":
            brim = np.array([0.09, 0.17, 0.17, 0.09])
            lofts.append(
                self._build_loft(
                    "hat_brim", "head", np.array([0.5, 0.5, 0.58, 0.58]), brim, brim * 1.1, 12, HAT, frame="head"
                )
            )
        return lofts

    def _arm(self, side: str) -> list[Loft]:
        k = self._limb * (0.92 if self.feminine else 1.06)
        upper = np.array([0.02, 0.048, 0.054, 0.051, 0.044, 0.039, 0.015]) * np.array([1, k**0.4, k**0.7, k, k, k, k])
        fore = np.array([0.015, 0.039, 0.043, 0.036, 0.028, 0.018]) * np.array([k, k, k, k, k**0.5, k**0.5])
        part, length = f"{side}_arm", self._sleeves[side]
        bones = [
            self._build_loft(
                f"{side}_upper_arm", part, np.array([-0.1, -0.02, 0.15, 0.4, 0.7, 1.0, 1.06]), upper, upper, 9, SKIN
            ),
            self._build_loft(
                f"{side}_forearm", part, np.array([-0.06, 0.0, 0.25, 0.6, 0.95, 1.02]), fore, fore * 0.9, 9, SKIN
            ),
        ]
        lofts = [self._cover(bone, length, first, SHIRT, self._loose[0]) for first, bone in enumerate(bones)]
        if self._has_pad[side]:
            lofts.append(self._band(bones[1], [0.0, 0.0, 0.22, 0.22], k))
        return lofts

    def _band(self, bone: Loft, steps: Sequence[float], k: float) -> Loft:
        """Build a pad or a bandage around a limb."""
        positions = np.array(steps)
        widths = np.interp(positions, bone.steps, bone.across) * np.array([0.9, 1.25, 1.25, 0.9])
        return self._build_loft(f"{bone.name}_band", bone.part, positions, widths, widths, 9, EXTRA, frame=bone.name)

    def _hand(self, side: str) -> list[Loft]:
        layer, width = (GLOVES, 1.25) if self._has_glove[side] else (SKIN, 1.0)
        lofts = []
        for loft in super()._hand(side):
            steps = loft.steps * self._hand_size if loft.name.endswith("palm") else loft.steps
            scale = width * self._hand_size
            scaled = replace(loft, steps=steps, across=loft.across * scale, deep=loft.deep * scale)
            lofts.append(_set_layers(scaled, [layer] * (len(loft.steps) - 1), 0.095))
        return lofts

    def _leg(self, side: str) -> list[Loft]:
        k, part = self._limb, f"{side}_leg"
        thigh = np.array([0.035, 0.083, 0.086, 0.076, 0.062, 0.053, 0.02]) * k
        shin = np.array([0.02, 0.053, 0.057, 0.046, 0.037, 0.032]) * np.array([k, k, k, k, k**0.5, k**0.5])
        bones = [
            self._build_loft(
                f"{side}_thigh", part, np.array([-0.14, 0.0, 0.2, 0.5, 0.8, 1.0, 1.06]), thigh, thigh * 1.05, 10, SKIN
            ),
            self._build_loft(
                f"{side}_shin", part, np.array([-0.06, 0.0, 0.25, 0.6, 0.9, 1.03]), shin,
                shin * np.array([1, 1, 1.12, 1.06, 1, 1]), 9, SKIN,
            ),
        ]  # fmt: skip
        length = self._legs[side]
        lofts = [self._cover(bone, length, first, TROUSERS, self._loose[1]) for first, bone in enumerate(bones)]
        if self._socks and not self.barefoot:
            lofts.append(self._sock(bones[1], side))
        if self._has_pad[side]:
            lofts.append(self._band(bones[1], [-0.05, -0.05, 0.22, 0.22], k))
        return [*lofts, *self._foot(side)]

    def _sock(self, shin: Loft, side: str) -> Loft:
        steps = np.array([1 - self._socks, 1 - self._socks, 1.0])
        widths = np.interp(steps, shin.steps, shin.across) * np.array([0.98, 1.06, 1.06])
        return self._build_loft(f"{side}_sock", f"{side}_leg", steps, widths, widths, 9, EXTRA, frame=f"{side}_shin")

    def _foot(self, side: str) -> list[Loft]:
        part, frame = f"{side}_foot", f"{side}_foot"
        steps = np.array([-0.3, -0.22, 0.05, 0.4, 0.75, 1.0]) * self._foot_length
        across = np.array([0.018, 0.036, 0.04, 0.045, 0.046, 0.014]) * self._foot_width
        deep = np.array([0.018, 0.046, 0.05, 0.04, 0.028, 0.01])
        if self.barefoot:
            return [self._build_loft(frame, part, steps, across * 0.9, deep, 8, SKIN)]
        sole = self._build_loft(
            f"{side}_sole", part, steps * 1.03, across * 1.08, np.full(6, 0.014), 8, SOLE, frame=f"{side}_sole"
        )
        return [self._build_loft(frame, part, steps, across, deep, 8, SHOES), sole]


def _set_layers(loft: Loft, layers: Sequence[int], length: float) -> Loft:
    tint = np.full((len(layers), 3), WHITE)
    return replace(loft, layers=np.array(layers, np.int64), colors=tint, length=length)


def _textures(rng: np.random.Generator, tone: Floats, *, one_piece: bool) -> tuple[NDArray[np.uint8], ...]:
    """Draw a texture for each of `LAYERS`."""
    features = grained(rng, np.full(3, WHITE), 0.02)
    hair = np.array([rng.uniform(10, 90), rng.uniform(8, 70), rng.uniform(5, 55)])
    if rng.random() < 0.3:
        hair = rng.uniform(120, 235) * np.array([1.0, rng.uniform(0.7, 1), rng.uniform(0.35, 1)])
    shirt = cloth(rng)
    trousers = shirt if one_piece else cloth(rng, busy=0.35)
    shoes, sole = grained(rng, any_color(rng), 0.15), grained(rng, any_color(rng), 0.08)
    if rng.random() < 0.3:
        shoes = cloth(rng)
    return (
        features, skin(rng, tone), grained(rng, hair, 0.25), shirt, trousers, shoes, sole,
        grained(rng, any_color(rng), 0.1), cloth(rng, busy=0.3), cloth(rng, busy=0.3),
    )  # fmt: skip


def _draw_hand_prop(rng: np.random.Generator, side: Side) -> list[HeldTube]:
    """Draw a phone, bottle, dumbbell, stick, ball, cup or bag in one hand."""
    kind = str(rng.choice(["phone", "bottle", "dumbbell", "stick", "ball", "bag", "cup"]))
    return as_object(kind, _hand_prop(rng, side, kind), FIRST_IN_HAND + SIDES.index(side))


def _hand_prop(rng: np.random.Generator, side: Side, kind: str) -> list[HeldTube]:
    red, green, blue = any_color(rng).tolist()
    color = (red, green, blue)

    def tube(axis: Floats, steps: Sequence[float], radii: Sequence[float], sides: int = 8) -> HeldTube:
        return HeldTube(side, np.array(steps)[:, None] * axis, np.array(radii), color, sides)

    x, y = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    if kind == "phone":
        return [tube(y, [-0.07, -0.07, 0.08, 0.08], [1e-3, 0.04, 0.04, 1e-3], 4)]
    if kind in ("bottle", "cup"):
        height = 0.2 if kind == "bottle" else 0.07
        radius = rng.uniform(0.025, 0.045)
        return [tube(y, [-0.06, -0.06, height * 0.6, height, height], [1e-3, radius, radius, radius * 0.5, 1e-3])]
    if kind == "dumbbell":
        end = rng.uniform(0.04, 0.09)
        bar = tube(x, [-0.12, 0.12], [0.015, 0.015], 6)
        return [bar, *(tube(x, [a, a, a + 0.07, a + 0.07], [1e-3, end, end, 1e-3]) for a in (-0.17, 0.1))]
    if kind == "stick":
        half_length, radius = rng.uniform(0.15, 0.9), rng.uniform(0.008, 0.03)
        axis = x if rng.random() < 0.6 else y
        return [tube(axis, [-half_length, -half_length, half_length, half_length], [1e-3, radius, radius, 1e-3], 6)]
    if kind == "ball":
        radius = rng.uniform(0.035, 0.13)
        steps = np.linspace(-1, 1, 6)
        return [tube(y, (steps * radius).tolist(), (radius * np.sqrt(np.maximum(1 - steps**2, 1e-3))).tolist(), 9)]
    radius = rng.uniform(0.08, 0.2)
    return [tube(y, [-0.03, -0.12, -0.14, -0.45, -0.45], [0.01, 0.02, radius, radius, 1e-3], 4)]
