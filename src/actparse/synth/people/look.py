"""The clothes of a body: the lofts of its surface with their colours, equal on the left and the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import PARTS
from actparse.synth.drawing.mesh import Floats
from actparse.synth.motion.figure import SIDES, HeldTube, Side

SKINS = ((236, 200, 175), (224, 178, 145), (198, 150, 115), (160, 110, 80), (110, 72, 52), (82, 56, 42))
HAIRS = ((32, 26, 22), (60, 42, 30), (96, 66, 40), (160, 130, 85), (140, 138, 136), (120, 62, 34))


@dataclass(frozen=True)
class Loft:
    """Rings along an axis: positions `steps` (1 is its end), half widths `across` and `deep` in metres at scale 1."""

    name: str
    part: str  # one of PARTS, or "trunk"
    steps: Floats
    across: Floats
    deep: Floats
    sides: int
    colors: Floats  # (rings - 1, 3) RGB
    hip_rings: int = 0  # number of bands, from the first, that belong to the part "hip"
    frame: str = ""  # name of the frame that it follows; empty: `name`
    layers: NDArray[np.int64] | None = None  # (rings - 1,) texture indices of the bands; None: plain colours
    length: float = 0.1  # length of the axis in metres, for the scale of the textures

    def quad_colors(self) -> Floats:
        """Return the colours of the quads (Q, 3), RGB."""
        return np.repeat(self.colors, self.sides, axis=0)

    def quad_parts(self) -> NDArray[np.int64]:
        """Return the parts of the quads (Q,): 1..10 in the order of PARTS, 11 for the trunk."""
        part_id = PARTS.index(self.part) + 1 if self.part in PARTS else len(PARTS) + 1
        bands = np.full(len(self.steps) - 1, part_id)
        bands[: self.hip_rings] = PARTS.index("hip") + 1
        return np.repeat(bands, self.sides)

    def quad_texels(self) -> Floats:
        """Return `Mesh.texels` of the quads (Q, 5): a texel is 1 cm, columns run around the loft, rows along it."""
        layers = np.zeros(len(self.steps) - 1) if self.layers is None else self.layers
        around = -100 * 2 * np.pi * float(np.mean(np.concatenate((self.across, self.deep))))
        down = -100 * self.length * self.steps
        side, bands = np.arange(self.sides) / self.sides, len(layers)
        columns = np.stack(
            (
                np.repeat(layers, self.sides),
                np.tile(side * around, bands),
                np.repeat(down[:-1], self.sides),
                np.full(bands * self.sides, around / self.sides),
                np.repeat(np.diff(down), self.sides),
            ),
            axis=1,
        )
        return np.asarray(columns, np.float64)


class Look:
    """The colours and clothes of a person, drawn from a seed; `hints` are probabilities by name."""

    textures: Sequence[NDArray[np.uint8]] = ()  # textures of the lofts' layers; empty: plain colours
    props: Mapping[Side, list[HeldTube]] = MappingProxyType({})  # props for hands that would be empty

    topless = False
    hat = "none"  # "beanie", "brim", "bulky" or "bald" in the look "varied"

    def __init__(self, rng: np.random.Generator, hints: Mapping[str, float], *, detail: float = 1.0) -> None:
        self._detail = detail
        self.skin = np.array(SKINS[rng.integers(len(SKINS))]) * rng.uniform(0.9, 1.08) + rng.normal(0, 4, 3)
        self.hair = np.array(HAIRS[rng.integers(len(HAIRS))], float) * rng.uniform(0.8, 1.2)
        self.feminine = bool(rng.random() < 0.5)
        self.fat = float(np.clip(rng.normal(1.0, 0.12), 0.8, 1.35))
        self.shirt, self.trousers = cloth_color(rng), cloth_color(rng, dark=0.6)
        self.shoes, self.cap_color, self.glove_color = cloth_color(rng), cloth_color(rng), cloth_color(rng)
        self.midriff = self._chance(rng, hints, "midriff", 0.03)
        self.tank = self._chance(rng, hints, "tank", 0.15)
        self.sleeve = 0.0 if self.tank or self.midriff else float(rng.choice([0.55, 0.55, 0.6, 2.0]))
        self.trouser_length = float(rng.choice([0.55, 0.75, 2.0, 2.0, 2.0]))
        self.gloves = self._chance(rng, hints, "gloves", 0.02)
        self.cap = self._chance(rng, hints, "cap", 0.15)
        self.barefoot = self._chance(rng, hints, "barefoot", 0.06)
        self.skirt = self._chance(rng, hints, "skirt", 0.12 if self.feminine else 0.0)
        self.long_hair = self.feminine and bool(rng.random() < 0.7)
        self.stripes = int(rng.integers(0, 5))  # 1 and 2 give the shirt a pattern
        self.second = cloth_color(rng)
        rng.uniform(0.97, 1.03, 4)  # not used; drawn so that what follows stays the same for a seed

    @staticmethod
    def _chance(rng: np.random.Generator, hints: Mapping[str, float], name: str, default: float) -> bool:
        return bool(rng.random() < hints.get(name, default))

    def lofts(self) -> list[Loft]:
        """Return all surfaces of the body, in metres at scale 1."""
        lofts = [*self._trunk(), *self._head()]
        for side in SIDES:
            lofts += [*self._arm(side), *self._hand(side), *self._leg(side)]
        return lofts

    def _loft(
        self,
        name: str,
        part: str,
        steps: Sequence[float],
        across: Sequence[float] | Floats,
        deep: Sequence[float] | Floats,
        sides: int,
        colors: Sequence[Floats] | Floats | tuple[int, int, int],
        *,
        hip_rings: int = 0,
    ) -> Loft:
        bands = np.broadcast_to(np.asarray(colors, float), (len(steps) - 1, 3))
        sides = max(4, round(sides * self._detail))
        return Loft(name, part, np.array(steps), np.array(across), np.array(deep), sides, bands, hip_rings)

    def _trunk(self) -> list[Loft]:
        f, chest = self.fat, 1.1 if self.feminine else 1.0
        waist = 0.92 if self.feminine else 1.0
        skin, shirt, trousers = self.skin, self.shirt, self.trousers
        belly = skin if self.midriff else shirt
        second = self.second * 0.6 + shirt * 0.4 if self.stripes in (1, 2) else shirt
        colors = [trousers, trousers, trousers, trousers, belly, belly, second, shirt, second, shirt]
        colors += [skin if self.tank else shirt, skin, skin]
        torso = self._loft(
            "torso",
            "trunk",
            [-0.13, -0.11, -0.06, 0.0, 0.07, 0.14, 0.2, 0.27, 0.34, 0.4, 0.44, 0.475, 0.5, 0.53],
            [0.02, 0.11, 0.155 * f, 0.168 * f, 0.155 * f, 0.14 * f * waist, 0.138 * f * waist, 0.155 * f, 0.17, 0.178]
            + [0.172, 0.13, 0.085, 0.06],
            [0.02, 0.085, 0.11 * f, 0.12 * f, 0.11 * f, 0.1 * f, 0.1 * f, 0.112 * f, 0.118 * f * chest, 0.113 * chest]
            + [0.1, 0.082, 0.068, 0.058],
            14,
            colors,
            hip_rings=4,
        )
        neck = self._loft("neck", "head", [0.0, 0.35, 0.7], [0.058, 0.054, 0.054], [0.06, 0.056, 0.056], 10, skin)
        if not self.skirt:
            return [torso, neck]
        widths = [0.16 * f, 0.185 * f, 0.22, 0.25]
        skirt = self._loft(
            "skirt", "trunk", [0.0, 0.3, 0.7, 1.0], widths, [0.12 * f, 0.15 * f, 0.19, 0.22], 14, trousers * 0.95
        )
        return [torso, neck, skirt]

    def _head(self) -> list[Loft]:
        skin, hair = self.skin, self.cap_color if self.cap else self.hair
        lofts = [
            self._loft(
                "head",
                "head",
                [-1.0, -0.9, -0.65, -0.35, 0.0, 0.35, 0.65, 0.88, 1.0],
                [0.02, 0.045, 0.064, 0.076, 0.083, 0.086, 0.076, 0.05, 0.012],
                [0.025, 0.06, 0.082, 0.09, 0.096, 0.1, 0.09, 0.06, 0.015],
                12,
                skin,
            ),
            self._loft(
                "hair",
                "head",
                [-0.3, -0.2, 0.1, 0.4, 0.7, 0.95, 1.06],
                [0.062, 0.084, 0.091, 0.095, 0.084, 0.055, 0.012],
                [0.04, 0.068, 0.084, 0.1, 0.094, 0.06, 0.012],
                12,
                [self.hair, self.hair, hair, hair, hair, hair],
            ),
            self._loft("nose", "head", [0, 0.6, 1.0], [0.008, 0.015, 0.01], [0.008, 0.018, 0.008], 6, skin * 0.93),
            self._loft("mouth", "head", [0, 0.5, 1.0], [0.003, 0.009, 0.003], [0.003, 0.007, 0.003], 5, (150, 72, 70)),
        ]
        if self.cap:
            lofts.append(
                self._loft("brim", "head", [0, 0.4, 1.0], [0.072, 0.07, 0.03], [0.01, 0.01, 0.006], 8, hair * 0.85)
            )
        if self.long_hair:
            lofts.append(
                self._loft("hair_back", "head", [0, 0.4, 1.0], [0.07, 0.06, 0.02], [0.035, 0.03, 0.01], 8, self.hair)
            )
        for side in SIDES:
            lofts += [
                self._loft(
                    f"{side}_eye", "head", [0, 0.5, 1.0], [0.003, 0.01, 0.003], [0.003, 0.007, 0.003], 5, (240,) * 3
                ),
                self._loft(
                    f"{side}_pupil",
                    "head",
                    [0, 0.5, 1.0],
                    [0.004, 0.008, 0.004],
                    [0.003, 0.006, 0.003],
                    5,
                    (35, 28, 24),
                ),
                self._loft(
                    f"{side}_brow", "head", [0, 0.5, 1.0], [0.003, 0.006, 0.003], [0.003, 0.006, 0.003], 5, self.hair
                ),
                self._loft(
                    f"{side}_ear", "head", [0, 0.5, 1.0], [0.012, 0.022, 0.01], [0.005, 0.01, 0.005], 6, skin * 0.92
                ),
            ]
        return lofts

    def _arm(self, side: str) -> list[Loft]:
        f, skin, shirt = self.fat**0.5, self.skin, self.shirt
        muscle = 0.9 if self.feminine else 1.05
        bands = [shirt if self.sleeve > step else skin for step in (-0.1, 0.0, 0.1, 0.35, 0.6, 0.9)]
        steps = [-0.1, -0.02, 0.15, 0.4, 0.7, 1.0, 1.06]
        widths = np.array([0.02, 0.05, 0.056 * f, 0.052 * f, 0.044 * f, 0.039, 0.015]) * muscle
        loose = np.where(np.array(steps) < self.sleeve, 1.08, 1.0)
        fore = np.array([0.015, 0.039, 0.043 * f, 0.036, 0.027, 0.015]) * muscle
        return [
            self._loft(f"{side}_upper_arm", f"{side}_arm", steps, widths * loose, widths * loose, 9, bands),
            self._loft(
                f"{side}_forearm",
                f"{side}_arm",
                [-0.06, 0.0, 0.25, 0.6, 0.95, 1.02],
                fore,
                fore * 0.92,
                9,
                shirt if self.sleeve > 1 else skin,
            ),
        ]

    def _hand(self, side: str) -> list[Loft]:
        color, width = (self.glove_color, 1.6) if self.gloves else (self.skin * 0.98, 1.0)
        palm = np.array([0.022, 0.034, 0.04, 0.036])
        part = f"{side}_hand"
        lofts = [
            self._loft(
                f"{side}_palm", part, [-0.1, 0.25, 0.7, 1.05], palm * width, palm * 0.45 * width * width, 7, color
            )
        ]
        finger = np.array([0.0095, 0.0095, 0.008]) * width * (1.5 if self.gloves else 1.0)
        tip = np.array([0.0085, 0.008, 0.004]) * width * (1.5 if self.gloves else 1.0)
        for index in range(4):
            lofts.append(self._loft(f"{side}_finger_{index}a", part, [0, 0.5, 1.05], finger, finger, 5, color))
            lofts.append(self._loft(f"{side}_finger_{index}b", part, [0, 0.6, 1.0], tip, tip, 5, color))
        thumb = np.array([0.012, 0.013, 0.005]) * width
        lofts.append(self._loft(f"{side}_thumb", part, [0, 0.5, 1.0], thumb, thumb, 5, color))
        return lofts

    def _leg(self, side: str) -> list[Loft]:
        f, skin, trousers = self.fat, self.skin, self.trousers
        length = self.trouser_length
        steps = [-0.14, 0.0, 0.2, 0.5, 0.8, 1.0, 1.06]
        bands = [trousers if length > step else skin for step in (-0.1, 0.0, 0.2, 0.5, 0.7, 0.95)]
        widths = np.array([0.035, 0.083 * f, 0.086 * f, 0.076 * f, 0.06 * f**0.5, 0.053, 0.02])
        loose = 1.12 if length > 1 else 1.0
        shin = np.array([0.02, 0.053, 0.057 * f**0.5, 0.046, 0.037, 0.03])
        shin_loose = np.array([1, 1, 1, loose, loose**2, loose**2])
        shoe, sole = (skin, skin * 0.9) if self.barefoot else (self.shoes, self.shoes * 0.6 + 60)
        return [
            self._loft(f"{side}_thigh", f"{side}_leg", steps, widths, widths * 1.05, 10, bands),
            self._loft(
                f"{side}_shin",
                f"{side}_leg",
                [-0.06, 0.0, 0.25, 0.6, 0.9, 1.03],
                shin * shin_loose,
                shin * shin_loose * np.array([1, 1, 1.12, 1.06, 1, 1]),
                9,
                trousers if length > 1 else skin,
            ),
            self._loft(
                f"{side}_foot",
                f"{side}_foot",
                [-0.3, -0.22, 0.05, 0.4, 0.75, 1.0],
                [0.018, 0.036, 0.04, 0.045, 0.046, 0.014],
                [0.018, 0.046, 0.05, 0.04, 0.028, 0.01],
                8,
                [sole, shoe, shoe, shoe, sole],
            ),
        ]


def cloth_color(rng: np.random.Generator, *, dark: float = 1.0) -> Floats:
    """Draw a muted colour, RGB 0..255; a value of `dark` below 1 darkens it."""
    gray = rng.random() < 0.35
    saturation = rng.uniform(0, 25) if gray else rng.uniform(50, 170)
    value = rng.uniform(35, 235) * dark + (1 - dark) * 30
    hsv = np.array([[[rng.uniform(0, 180), saturation, value]]], np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0], np.float64)
