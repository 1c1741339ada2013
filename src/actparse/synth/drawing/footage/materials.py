"""Photo-like surfaces of the look "video" that repeat without a seam: wood, brick, grass, cloth and others."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
SIDE = 512  # side of a material, pixels
METRES = 4.0  # side of a material on the ground or on a wall
VARIANTS = 6  # different textures of each material


@cache
def material(name: str, variant: int) -> Image:
    """Return the texture (SIDE, SIDE, 3) of a material of `MATERIALS`, do not change it; `variant` is 0..VARIANTS-1."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), variant])
    texture = to_image(MATERIALS[name](rng))
    texture.setflags(write=False)
    return texture


def tiled_noise(
    rng: np.random.Generator, octaves: int, *, cells: tuple[int, int] = (3, 3), fall: float = 1.8, side: int = SIDE
) -> Singles:
    """Return noise (side, side) that repeats without a seam, standard deviation 1.

    Args:
        rng: random generator.
        octaves: number of octaves; each has twice the cells of the previous one.
        cells: (rows, columns) of the first octave.
        fall: factor by which each octave is weaker than the previous one.
        side: height and width, pixels.
    """
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        grid_rows, grid_columns = (min(count * 2**octave, side) for count in cells)
        grid = np.pad(rng.standard_normal((grid_rows, grid_columns), np.float32), 2, mode="wrap")
        size = (round(side * (grid_columns + 4) / grid_columns), round(side * (grid_rows + 4) / grid_rows))
        large = np.asarray(cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC), np.float32)
        left, top = (size[0] - side) // 2, (size[1] - side) // 2
        total += large[top : top + side, left : left + side] / np.float32(fall**octave)
    return np.asarray((total - total.mean()) / max(float(total.std()), 1e-6), np.float32)


def line_noise(rng: np.random.Generator, octaves: int, *, cells: int, length: int) -> Singles:
    """Return noise along a line (length,) that repeats without a seam, standard deviation 1; see `tiled_noise`."""
    total = np.zeros(length)
    for octave in range(octaves):
        count = min(cells * 2**octave, length)
        knots = rng.standard_normal(count)
        places = np.arange(length) * (count / length)
        total += np.interp(places, np.arange(count + 1), np.append(knots, knots[0])) / 1.8**octave
    return np.asarray(total / total.std(), np.float32)


def tinted(color: Floats, shade: Singles | Floats) -> Singles:
    """Return a colour (3,) times 1 + `shade` (H, W), as (H, W, 3)."""
    return np.asarray(np.asarray(color, np.float32) * (1 + shade)[..., None], np.float32)


def to_image(values: Singles | Floats) -> Image:
    """Clip values (H, W, 3) to 0..255 and convert them to uint8."""
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def mixed(low: Singles, high: Singles | Floats, share: Singles) -> Singles:
    """Blend two pictures (H, W, 3), or a picture with a colour, by `share` (H, W) in 0..1."""
    return np.asarray(low + (np.asarray(high, np.float32) - low) * np.clip(share, 0, 1)[..., None], np.float32)


def _speckle(rng: np.random.Generator, strength: float) -> Singles:
    return np.asarray(rng.standard_normal((SIDE, SIDE), np.float32) * np.float32(strength), np.float32)


def planks(rng: np.random.Generator) -> Singles:
    """Draw boards with a grain, different tones and dark joints, their ends offset."""
    count = int(rng.choice([16, 20, 32, 40]))
    base = np.array([[166, 118, 74], [140, 98, 64], [196, 152, 104], [112, 78, 54], [178, 142, 110]])[rng.integers(5)]
    grain = tiled_noise(rng, 4, cells=(48, 2), fall=1.4) * 0.06 + tiled_noise(rng, 4) * 0.05
    board = np.arange(SIDE) * count // SIDE
    offsets, tones = rng.integers(0, SIDE, count), rng.normal(0, 0.09, (count, 3)).astype(np.float32)
    along = (np.arange(SIDE)[None] + offsets[board][:, None]) * 3 // SIDE % 3
    shade = grain + tones[board[:, None], along]
    is_joint = np.diff(board, prepend=-1) != 0
    shade[is_joint] -= 0.3
    shade[np.diff(along, axis=1, prepend=along[:, :1]) != 0] -= 0.3
    return tinted(base, shade)


def tiles(rng: np.random.Generator) -> Singles:
    """Draw square tiles with two-pixel joints."""
    count = int(rng.choice([4, 8, 10, 16]))
    base = np.array([[196, 190, 180], [150, 146, 140], [210, 206, 200], [128, 112, 98], [104, 110, 116]])[
        rng.integers(5)
    ]
    cell = np.arange(SIDE) * count // SIDE
    tones = rng.normal(0, 0.035, (count, count)).astype(np.float32)
    shade = tones[cell[:, None], cell[None]] + tiled_noise(rng, 6, cells=(4, 4)) * 0.035
    joint = np.diff(cell, prepend=-1) != 0
    shade[joint | np.roll(joint, 1)] -= 0.22
    shade[:, joint | np.roll(joint, 1)] -= 0.22
    return tinted(base, shade)


def rubber(rng: np.random.Generator) -> Singles:
    """Draw the dark mats of a gym: flecks of colour and wide joints."""
    base = np.array([[52, 52, 56], [66, 68, 72], [40, 42, 46], [80, 76, 74]])[rng.integers(4)]
    colors = tinted(base, tiled_noise(rng, 6) * 0.06 + _speckle(rng, 0.1))
    fleck = rng.random((SIDE, SIDE), np.float32) < rng.uniform(0.002, 0.02)
    colors[fleck] = np.array([[150, 150, 155], [90, 110, 170], [170, 90, 80]])[rng.integers(3)]
    joint = np.arange(SIDE) % (SIDE // 4) < 2
    colors[joint] *= 0.6
    colors[:, joint] *= 0.6
    return colors


def concrete(rng: np.random.Generator) -> Singles:
    """Draw grey concrete with stains."""
    base = np.full(3, rng.uniform(105, 175)) + rng.normal(0, 5, 3)
    stains = np.minimum(tiled_noise(rng, 6), 0.4) * 0.05
    return tinted(base, stains + tiled_noise(rng, 3, cells=(60, 60)) * 0.03 + _speckle(rng, 0.02))


def asphalt(rng: np.random.Generator) -> Singles:
    """Draw asphalt with cracks."""
    base = np.full(3, rng.uniform(78, 130)) + rng.normal(0, 3, 3)
    colors = tinted(base, tiled_noise(rng, 6) * 0.045 + _speckle(rng, 0.12))
    crack = np.abs(tiled_noise(rng, 5, cells=(2, 2), fall=1.6)) < 0.012
    colors[crack] *= 0.7
    return colors


def paving(rng: np.random.Generator) -> Singles:
    """Draw slabs or cobbles in rows that are offset by half a stone."""
    lines, columns = int(rng.choice([8, 16, 20])), int(rng.choice([8, 12, 16]))
    base = np.array([[150, 142, 132], [168, 132, 112], [132, 132, 134], [176, 164, 144]])[rng.integers(4)]
    y, x = np.mgrid[:SIDE, :SIDE]
    line = y * lines // SIDE
    x = (x + line % 2 * (SIDE // columns // 2)) % SIDE
    column = x * columns // SIDE
    tones = rng.normal(0, 0.08, (lines, columns)).astype(np.float32)
    shade = tones[line, column] + tiled_noise(rng, 6, cells=(5, 5)) * 0.06 + _speckle(rng, 0.03)
    shade[(np.diff(line, axis=0, prepend=-1) != 0) | (np.diff(column, axis=1, prepend=-1) != 0)] -= 0.35
    return tinted(base, shade)


def grass(rng: np.random.Generator) -> Singles:
    """Draw a lawn: clumps, blades, dry patches."""
    base = np.array([[92, 118, 54], [78, 108, 50], [116, 128, 66], [104, 128, 58]])[rng.integers(4)]
    blades = tiled_noise(rng, 2, cells=(110, 220), fall=1.2) * 0.15 + tiled_noise(rng, 6) * 0.1
    colors = tinted(base, blades + _speckle(rng, 0.06))
    dry = np.clip(tiled_noise(rng, 5, cells=(2, 2)) - rng.uniform(0.3, 1.6), 0, 1) * 0.7
    return mixed(colors, tinted(np.array([150.0, 134, 86]), blades), dry)


def turf(rng: np.random.Generator) -> Singles:
    """Draw mown grass in stripes, or artificial turf."""
    colors = tinted(np.array([70.0, 124, 54]) * rng.uniform(0.8, 1.15), tiled_noise(rng, 3, cells=(90, 180)) * 0.09)
    stripe = (np.arange(SIDE) < SIDE // 2).astype(np.float32)[:, None, None]
    return np.asarray(colors * (1 + np.float32(rng.uniform(0, 0.14)) * stripe), np.float32)


def sand(rng: np.random.Generator) -> Singles:
    """Draw sand with footprints."""
    base = np.array([[206, 184, 146], [188, 164, 126], [222, 206, 176]])[rng.integers(3)]
    prints = tiled_noise(rng, 4, cells=(14, 14), fall=1.5)
    relief = np.roll(prints, 2, axis=0) - prints
    return tinted(base, relief * 0.12 + tiled_noise(rng, 4) * 0.03 + _speckle(rng, 0.03))


def dirt(rng: np.random.Generator) -> Singles:
    """Draw bare, dry earth."""
    base = np.array([[150, 112, 80], [168, 108, 76], [128, 106, 84]])[rng.integers(3)]
    return tinted(base, tiled_noise(rng, 7, cells=(5, 5), fall=1.5) * 0.08 + _speckle(rng, 0.05))


def snow(rng: np.random.Generator) -> Singles:
    """Draw snow: soft blue hollows and tracks."""
    bumps = tiled_noise(rng, 5, cells=(5, 5), fall=1.9)
    relief = np.roll(bumps, 3, axis=0) - bumps
    colors = tinted(np.array([232.0, 236, 242]), relief * 0.1 + _speckle(rng, 0.012))
    return mixed(colors, np.array([186.0, 202, 226]), np.clip(-bumps * 0.15, 0, 0.4))


def water(rng: np.random.Generator) -> Singles:
    """Draw water with waves and glints."""
    base = np.array([[70, 112, 130], [56, 92, 112], [96, 132, 140]])[rng.integers(3)]
    waves = tiled_noise(rng, 4, cells=(24, 4), fall=1.4)
    return mixed(tinted(base, waves * 0.13), np.array([232.0, 238, 240]), np.clip(waves - 1.9, 0, 1))


def carpet(rng: np.random.Generator) -> Singles:
    """Draw a carpet of one colour."""
    base = np.array([[120, 96, 84], [96, 104, 124], [142, 132, 120], [96, 56, 60], [70, 92, 84]])[rng.integers(5)]
    return tinted(base, tiled_noise(rng, 2, cells=(128, 128)) * 0.1 + tiled_noise(rng, 4) * 0.04)


def plaster(rng: np.random.Generator) -> Singles:
    """Draw white plaster, to be tinted."""
    return tinted(np.full(3, 205.0), tiled_noise(rng, 7, fall=1.6) * 0.03 + _speckle(rng, 0.012))


def brick(rng: np.random.Generator) -> Singles:
    """Draw bricks of different tones with rough mortar; 52 courses in 4 m."""
    lines, columns = 52, 16
    base = np.array([[150, 84, 64], [168, 110, 86], [126, 78, 66], [176, 150, 128], [200, 196, 190]])[rng.integers(5)]
    y, x = np.mgrid[:SIDE, :SIDE]
    line = y * lines // SIDE
    column = (x + line % 2 * (SIDE // columns // 2)) % SIDE * columns // SIDE
    tones = rng.normal(0, 0.12, (lines, columns)).astype(np.float32)
    colors = tinted(base, tones[line, column] + tiled_noise(rng, 6, cells=(6, 6)) * 0.06 + _speckle(rng, 0.04))
    is_mortar = (np.diff(line, axis=0, prepend=-1) != 0) | (np.diff(column, axis=1, prepend=-1) != 0)
    colors[is_mortar] = 0.35 * colors[is_mortar] + 0.65 * np.float32(rng.uniform(120, 190))
    return colors


def boards(rng: np.random.Generator) -> Singles:
    """Draw upright wooden boards or panels of a wall."""
    return np.ascontiguousarray(planks(rng).transpose(1, 0, 2))


def curtain(rng: np.random.Generator) -> Singles:
    """Draw the folds of a hanging cloth."""
    x = np.arange(SIDE) / SIDE * 2 * np.pi
    base = np.array([[112, 30, 36], [44, 46, 66], [36, 36, 40], [90, 84, 78], [66, 36, 80]])[rng.integers(5)]
    phase = tiled_noise(rng, 2, cells=(1, 3)) * 0.5
    folds = sum(np.sin(x * count + rng.uniform(0, 6) + phase) / 1.5**index for index, count in enumerate((9, 17, 31)))
    return tinted(base, np.asarray(folds, np.float32) * 0.24 + _speckle(rng, 0.02))


def sheet_metal(rng: np.random.Generator) -> Singles:
    """Draw ribbed sheet metal."""
    base = np.array([[150, 156, 160], [90, 104, 118], [172, 170, 164]])[rng.integers(3)]
    ribs = np.sin(np.arange(SIDE) / SIDE * 2 * np.pi * 32).astype(np.float32) * 0.1
    return tinted(base, ribs[None] + tiled_noise(rng, 5, cells=(2, 6)) * 0.04)


def foliage(rng: np.random.Generator) -> Singles:
    """Draw leaves in the light and in the shade: a hedge, the edge of a wood."""
    base = np.array([rng.uniform(62, 104), rng.uniform(88, 116), rng.uniform(42, 64)])
    leaves = tiled_noise(rng, 3, cells=(60, 60), fall=1.1) * 0.3
    colors = tinted(base, leaves + tiled_noise(rng, 5, cells=(5, 5), fall=1.4) * 0.2 - 0.1)
    return mixed(colors, np.array([236.0, 240, 224]), (leaves > 0.78).astype(np.float32) * 0.35)


MATERIALS: dict[str, Callable[[np.random.Generator], Singles]] = {
    draw.__name__: draw
    for draw in (
        asphalt, boards, brick, carpet, concrete, curtain, dirt, foliage, grass, paving, planks, plaster, rubber, sand,
        sheet_metal, snow, tiles, turf, water,
    )
}  # fmt: skip
