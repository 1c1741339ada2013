"""The textures of a body: skin, face, hair and clothes, painted on its charts, equal on the left and the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.mesh import Floats
from actparse.synth.drawing.texture import clouds
from actparse.synth.drawing.triangles import TEXTURE_SIDE
from actparse.synth.people import look_varied as varied
from actparse.synth.people.garments import Cut
from actparse.synth.people.look import Look

Image = NDArray[np.uint8]
Singles = NDArray[np.float32]
CHARTS = ("face", "head", "torso", "arm", "leg")
WIDTHS = {"face": 0.22, "head": 0.5, "torso": 0.95, "arm": 0.27, "leg": 0.45}  # metres of all columns
# first and last row: metres about the middle of the head, metres above the hips, lengths of arm and leg
ROWS = {"face": (0.14, -0.14), "head": (0.2, -0.28), "torso": (0.62, -0.12), "arm": (-0.4, 3.0), "leg": (-0.3, 3.1)}
HEIGHTS = {"face": 0.28, "head": 0.48, "torso": 0.74, "arm": 0.95, "leg": 1.4}  # metres of all rows
WAIST, NECK, BELLY = 0.13, 0.575, 0.3  # metres above the hips: of trousers, of the neckline, of a short shirt's hem
EYE, BROW, MOUTH = (0.0315, 0.02), (0.032, 0.041), (0.0, -0.061)  # metres from the middle of the head
WRIST, ANKLE_ROW, SOLE = 1.93, 1.9, 2.72  # on the rows of arms and legs; below the ankle, rows are heights
BABY_AGE = 0.1
LOOSE_SHARE = 0.4  # of shirts that hang over the trousers
SKIRT_SHARE = 0.15  # of women who wear a skirt or a dress, beside those whose action suggests one
DYED_SHARE = 0.1  # of people whose hair may have any colour
SOLES = ((238, 236, 228), (238, 236, 228), (205, 200, 190), (40, 38, 36), (28, 28, 30), (150, 106, 66))  # RGB


@dataclass(frozen=True)
class Outfit:
    """The textures (L, TEXTURE_SIDE, TEXTURE_SIDE, 3) of the charts, and how far clothes stand off the body."""

    textures: Image
    thickness: dict[str, tuple[float, float, float]]  # chart -> first and last row, and metres
    hanging: tuple[Cut, ...]  # a skirt, a dress or a loose shirt; `textures` has one more layer for each


def dress(rng: np.random.Generator, look: Look, *, gender: float, age: float) -> Outfit:
    """Paint the clothes and colours of a look; `gender` and `age` are those of the body's shape."""
    return _Painter(rng, look, gender, age).outfit()


class _Painter:
    def __init__(self, rng: np.random.Generator, look: Look, gender: float, age: float) -> None:
        self._rng, self._look = rng, look
        side = np.arange(TEXTURE_SIDE)
        self._column = ((side + 0.5) / TEXTURE_SIDE).astype(np.float32)[None]  # (1, S)
        self._skin_grain = (clouds(rng, (TEXTURE_SIDE, TEXTURE_SIDE), octaves=4, start=6) * 0.035).astype(np.float32)
        self._is_male, self._is_adult = gender < 0.5, age > 0.52
        self._skirt = look.skirt or (not self._is_male and rng.random() < SKIRT_SHARE)
        self._trouser_length = min(look.trouser_length, 0.5) if self._skirt else look.trouser_length
        self._long_hair = rng.random() < (0.06 if self._is_male else 0.75)
        self._bald = bool(self._is_male and self._is_adult and rng.random() < 0.12)
        self._beard = self._is_male and self._is_adult and rng.random() < 0.35
        self._beard_strength = float(rng.uniform(0.25, 0.9))
        self._fringe = float(rng.uniform(0.055, 0.085))
        gray = np.clip((age - 0.8) / 0.2, 0, 1) * rng.uniform(0.3, 1.0)
        self._hair = np.asarray(look.hair) * (1 - gray) + np.array([190, 188, 184]) * gray
        self._barefoot = look.barefoot or (age < BABY_AGE and rng.random() < 0.7)
        self._shaft = float(rng.choice([ANKLE_ROW, ANKLE_ROW, 1.75, 1.5]))  # the upper row of the shoes
        self._has_laces, self._has_cap = rng.random(2) < (0.7, 0.4)
        self._glasses = str(rng.choice(["none", "clear", "dark"], p=(0.84, 0.1, 0.06))) if age > BABY_AGE else "none"
        self._sleeve_ease = float(rng.choice([0.006, 0.006, 0.012, 0.018]))  # metres between body and cloth
        self._leg_ease = float(rng.choice([0.007, 0.007, 0.014, 0.024]))
        self._dip = float(rng.choice([0.03, 0.05, 0.09]))  # of the neckline in front, metres
        self._is_dyed = bool(look.textures and rng.random() < DYED_SHARE)
        self._is_topless = look.topless and self._is_male
        self._has_midriff = look.midriff or look.topless

    def outfit(self) -> Outfit:
        """Paint all charts."""
        textures = [self._face(), self._head(), self._torso(), self._arm(), self._leg()]
        look = self._look
        sleeve, legs = look.sleeve, self._trouser_length
        thickness = {
            "torso": (NECK, -0.2, 0.005),
            "arm": (-0.4, sleeve, self._sleeve_ease) if sleeve > 0 else (0.0, 0.0, 0.0),
            "leg": (-0.3, legs, self._leg_ease),
            "shoe": (self._shaft, 3.2, 0.0 if self._barefoot else 0.01),
            "sole": (SOLE, 3.2, 0.0 if self._barefoot else 0.011),
            "hair": (0.2, 0.07, 0.0 if self._bald else 0.014),
        }
        cuts, cloths = self._hanging()
        return Outfit(np.stack([*textures, *cloths]), thickness, cuts)

    def _hanging(self) -> tuple[tuple[Cut, ...], list[Image]]:
        """Draw what hangs over the body, with the cloth of each."""
        rng, look = self._rng, self._look
        if self._skirt:
            is_dress = not self._has_midriff and rng.random() < 0.5
            pleats = int(rng.choice([0, 5, 6, 8]))
            cut = Cut(
                top=rng.uniform(0.3, 0.36) if is_dress else WAIST + 0.02,
                bottom=-float(rng.choice([0.28, 0.4, 0.55, 0.72])) * rng.uniform(0.9, 1.1),
                flare=rng.uniform(0.05, 0.4),
                pleats=pleats,
                depth=rng.uniform(0.008, 0.02) if pleats else 0.0,
            )
            layer, color = (varied.SHIRT, look.shirt) if is_dress else (varied.TROUSERS, look.trousers)
        elif self._has_midriff or rng.random() > LOOSE_SHARE:
            return (), []
        else:
            ease = rng.uniform(0.012, 0.035)
            cut = Cut(
                top=rng.uniform(0.36, 0.42),
                bottom=-rng.uniform(-0.02, 0.14),
                flare=rng.uniform(0.0, 0.15),
                ease=ease,
                pleats=int(rng.choice([3, 5, 7])),
                depth=ease * rng.uniform(0.3, 0.8),
            )
            layer, color = varied.SHIRT, look.shirt
        return (cut,), [self._finish(self._fabric(layer, color, "torso"))]

    def _row(self, chart: str) -> Singles:
        first, last = ROWS[chart]
        share = (np.arange(TEXTURE_SIDE, dtype=np.float32) + 0.5) / TEXTURE_SIDE
        return (first + share * (last - first)).astype(np.float32)[:, None]

    def _fabric(self, layer: int, color: Floats, chart: str) -> Singles:
        """Return cloth for a whole chart (S, S, 3): the texture of the look, or its colour with a weave."""
        if self._look.textures:
            texture = self._look.textures[layer]
            side = texture.shape[0]
            columns = (self._column[0] * WIDTHS[chart] * 100).astype(int) % side
            lines = ((np.arange(TEXTURE_SIDE) + 0.5) / TEXTURE_SIDE * HEIGHTS[chart] * 100).astype(int) % side
            return np.asarray(texture[lines[:, None], columns], np.float32)
        folds = clouds(self._rng, (TEXTURE_SIDE, TEXTURE_SIDE), octaves=3, start=4) * 0.05
        return np.asarray(np.asarray(color, np.float32) * (1 + folds[..., None]), np.float32)

    def _skin(self) -> Singles:
        return np.asarray(np.asarray(self._look.skin) * (1 + self._skin_grain[..., None]), np.float32)

    def _hair_color(self) -> Singles:
        """Return the colour of hair (3,), dyed or natural."""
        color = self._look.textures[varied.HAIR].mean(axis=(0, 1)) if self._is_dyed else self._hair
        return np.asarray(color, np.float32)

    def _put(self, image: Singles, mask: NDArray[np.bool_], paint: Singles) -> None:
        np.copyto(image, paint, where=mask[..., None])

    def _put_softly(self, image: Singles, distance: Singles, width: float, paint: Singles) -> None:
        """Paint where a distance is above 0, with an edge as wide as `width` in its units."""
        share = np.clip(distance / np.float32(width) + np.float32(0.5), 0, 1)
        image += share[..., None] * (paint - image)

    def _finish(self, image: Singles) -> Image:
        return np.asarray(np.clip(image, 0, 255), np.uint8)

    def _arm(self) -> Image:
        image, row = self._skin(), self._row("arm")
        full = np.broadcast_to(row, (TEXTURE_SIDE, TEXTURE_SIDE))
        if self._look.sleeve > 0:
            cloth = self._fabric(varied.SHIRT, self._look.shirt, "arm")
            hem = np.abs(row - min(self._look.sleeve, WRIST) + 0.06) < 0.02
            self._put(image, full < min(self._look.sleeve, WRIST), cloth * np.where(hem, 0.85, 1.0)[..., None])
        if self._look.gloves:
            self._put(image, full > WRIST, self._fabric(varied.GLOVES, self._look.glove_color, "arm"))
        return self._finish(image)

    def _leg(self) -> Image:
        image, row, look = self._skin(), self._row("leg"), self._look
        full = np.broadcast_to(row, (TEXTURE_SIDE, TEXTURE_SIDE))
        if not self._barefoot:
            self._paint_shoes(image, full)
        length = min(self._trouser_length, 1.97)
        hem = np.abs(row - length + 0.04) < 0.015
        cloth = self._fabric(varied.TROUSERS, look.trousers, "leg")
        self._put(image, full < length, cloth * np.where(hem, 0.85, 1.0)[..., None])
        return self._finish(image)

    def _paint_shoes(self, image: Singles, row: Singles) -> None:
        """Paint a shoe with a sole, a toe cap, a heel, laces and a rim around the ankle; columns go around the leg."""
        rng, front = self._rng, np.abs(self._column - 0.5)  # (1, S) 0 in front, 0.5 behind
        shoes = self._fabric(varied.SHOES, self._look.shoes, "leg")
        self._put(image, row > self._shaft, shoes)
        trim = np.clip(
            shoes * rng.uniform(0.45, 0.8) if shoes.mean() > 90 else shoes * 0.6 + rng.uniform(50, 150), 0, 255
        )
        self._put(image, np.abs(row - self._shaft - 0.03) < 0.03, trim)
        self._put(image, (front > 0.43) & (row > 2.1), trim)
        if self._has_cap:
            self._put(image, (front < 0.16) & (row > 2.5), trim)
        if self._has_laces:
            tongue = (front < 0.1) & (np.abs(row - 2.22) < 0.26)
            self._put(image, tongue, shoes * 0.7)
            lace = np.full_like(shoes, 235 if shoes.mean() < 170 else 60)
            self._put(image, tongue & ((row * 9.4) % 1 < 0.45) & (front > 0.015), lace)
        sole = np.array(SOLES[rng.integers(len(SOLES))], np.float32)
        self._put(image, row > SOLE, np.broadcast_to(sole, image.shape))
        self._put(image, np.abs(row - SOLE) < 0.02, np.broadcast_to(sole * 0.5, image.shape))

    def _torso(self) -> Image:
        image, row, look = self._skin(), self._row("torso"), self._look
        full = np.broadcast_to(row, (TEXTURE_SIDE, TEXTURE_SIDE))
        shirt = self._fabric(varied.SHIRT, look.shirt, "torso")
        if not look.textures and look.stripes in (1, 2):
            second = np.asarray(look.second * 0.6 + look.shirt * 0.4, np.float32)
            shirt = np.where(((row * 16).astype(int) % 2 == 1)[..., None], second, shirt)
        front = np.clip(1.2 - np.abs(self._column - 0.5) / 0.13, 0, 1)  # (1, S) 1 in the middle of the front
        neckline = NECK - self._dip * front
        if not self._is_topless:
            bottom = BELLY if self._has_midriff else -1.0
            depth = np.minimum(neckline - row, row - bottom).astype(np.float32)  # (S, S) metres below the neckline
            hem = np.where((depth > 0.003) & (depth < 0.016), np.float32(0.85), np.float32(1))[..., None]
            self._put_softly(image, depth, 0.012, shirt * hem)
        trousers = self._fabric(varied.TROUSERS, look.trousers, "torso")
        self._put(image, full < WAIST, trousers)
        self._put(image, np.abs(full - WAIST) < 0.008, trousers * 0.8)
        return self._finish(image)

    def _head(self) -> Image:
        image, row = self._skin(), self._row("head")
        angle = np.abs(self._column - 0.5) * 360  # (1, S) degrees from the front
        cap = self._look.cap or self._look.hat in ("beanie", "brim")
        nape = -0.2 if self._long_hair else -0.06
        line = np.interp(angle, [0, 45, 62, 75, 98, 112, 180], [self._fringe] * 2 + [0.045, 0.01, 0.03, nape, nape])
        if not self._bald:
            strands = np.asarray(
                cv2.resize(self._rng.standard_normal((6, 64), np.float32), (TEXTURE_SIDE, TEXTURE_SIDE))
            )
            strands[:, TEXTURE_SIDE // 2 :] = strands[:, TEXTURE_SIDE // 2 - 1 :: -1]
            hair = (self._hair_color() * (1 + 0.13 * strands)[..., None]).astype(np.float32)
            self._put_softly(image, (row - line + 0.004 * strands).astype(np.float32), 0.016, hair)
        if cap:
            self._put(
                image,
                np.broadcast_to(row > 0.06, image.shape[:2]),
                self._fabric(varied.HAT, self._look.cap_color, "head"),
            )
        return self._finish(image)

    def _face(self) -> Image:
        image, y = self._skin(), self._row("face")
        x = (0.5 - self._column) * WIDTHS["face"]
        skin = np.asarray(self._look.skin, np.float32)
        hair = self._hair_color()

        def ellipse(center: Sequence[float], size: Sequence[float]) -> Singles:
            """Return the squared distances from the middle, 1 at the border; both sides at once."""
            squares = ((np.abs(x) - center[0]) / size[0]) ** 2 + ((y - center[1]) / size[1]) ** 2
            return np.asarray(squares, np.float32)

        def shade(weight: Floats | Singles, color: Floats | Singles) -> None:
            image[:] = image + weight[..., None].astype(np.float32) * (np.asarray(color, np.float32) - image)

        reddish = np.clip(skin * [1.04, 0.86, 0.84], 0, 255)
        shade(0.5 * np.exp(-ellipse((0.045, -0.03), (0.028, 0.025))), reddish)
        if self._beard:
            jaw = 1 / (1 + np.exp((y + 0.052 + 0.45 * np.abs(x) * (np.abs(x) < 0.05)) * 300))
            shade(self._beard_strength * jaw, hair)
            shade(self._beard_strength * np.clip(1.6 - ellipse((0.0, -0.043), (0.026, 0.007)), 0, 1), hair)
        lips = (
            np.clip(skin * [0.82, 0.56, 0.56] + [18, 0, 0], 0, 255) if not self._is_male else skin * [0.84, 0.66, 0.64]
        )
        shade(np.clip(2 - 1.5 * ellipse(MOUTH, (0.024, 0.0085)), 0, 1), lips)
        shade(np.clip(2 - 2 * ellipse(MOUTH, (0.022, 0.0018)), 0, 0.8), skin * 0.35)
        shade(0.35 * np.exp(-ellipse(EYE, (0.021, 0.015))), skin * 0.6)
        brow_y = BROW[1] + 0.004 * np.clip((np.abs(x) - 0.015) / 0.03, 0, 1)
        brow = ((np.abs(x) - BROW[0]) / 0.019) ** 2 + ((y - brow_y) / (0.005 if self._is_male else 0.0036)) ** 2
        shade(np.clip(1.6 - brow, 0, 0.85), hair * 0.8)
        shade(np.clip(2.2 - 1.6 * ellipse(EYE, (0.0155, 0.0068)), 0, 1), skin * 0.3)
        shade(np.clip(2.5 - 2.5 * ellipse(EYE, (0.0138, 0.0055)), 0, 1), np.array([238, 236, 232]))
        iris = np.array([(70, 45, 25), (70, 45, 25), (80, 100, 120), (85, 95, 60)][self._rng.integers(4)])
        shade(np.clip(3 - 3 * ellipse(EYE, (0.0062, 0.0062)), 0, 1), iris)
        shade(np.clip(3 - 3 * ellipse(EYE, (0.0032, 0.0032)), 0, 1), np.array([12, 12, 14]))
        nostril = ((np.abs(x) - 0.009) / 0.005) ** 2 + ((y + 0.026) / 0.003) ** 2
        shade(np.clip(1.4 - nostril, 0, 0.6), skin * 0.45)
        if not self._bald:
            line = self._fringe - 0.15 * np.clip(np.abs(x) - 0.05, 0, 1)
            shade(np.clip((y - line) * 250, 0, 1), hair)
        if self._glasses != "none":
            frame_color = np.array([(20, 20, 22), (90, 60, 40), (150, 150, 155)][self._rng.integers(3)])
            lens = np.sqrt(ellipse((EYE[0], EYE[1] - 0.003), (0.025, 0.019)))
            if self._glasses == "dark":
                shade(np.clip((1 - lens) * 8, 0, 0.9), np.array([22, 22, 26]))
            shade(np.clip(1.5 - np.abs(lens - 1) * 9, 0, 1), frame_color)
            is_bridge = (np.abs(y - EYE[1]) < 0.0022) & ((np.abs(x) < 0.008) | (np.abs(x) > 0.056))
            shade(is_bridge.astype(np.float32), frame_color)
        if self._look.cap or self._look.hat in ("beanie", "brim"):
            shade(np.broadcast_to(y > 0.06, image.shape[:2]).astype(np.float32), self._look.cap_color)
        return self._finish(np.asarray(cv2.GaussianBlur(image, (0, 0), 0.6), np.float32))
