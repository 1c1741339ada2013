"""Procedural textures for the look "varied": cloth, skin, floors, walls and random pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Size = tuple[int, int]
CLOTH_SIDE = 64  # texels of a cloth's square texture, 1 cm each, repeated in both directions
SKIN_TONES = (
    (244, 214, 194), (232, 190, 160), (214, 165, 130), (190, 138, 102), (150, 104, 74), (112, 74, 54), (84, 56, 42),
    (58, 40, 32),
)  # fmt: skip


def any_color(rng: np.random.Generator) -> Floats:
    """Return a random RGB colour (3,), 0..255: greys, muted and saturated colours, from black to white."""
    kind = rng.random()
    saturation = rng.uniform(0, 30) if kind < 0.4 else rng.uniform(35, 140) if kind < 0.85 else rng.uniform(140, 245)
    value = rng.choice([rng.uniform(12, 60), rng.uniform(60, 200), rng.uniform(200, 252)])
    hsv = np.array([[[rng.uniform(0, 180), saturation, value]]], np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0], np.float64)


def place_color(rng: np.random.Generator) -> Floats:
    """Return a random RGB colour (3,) of walls, ground and furniture: mostly muted, often brown or green."""
    if rng.random() < 0.25:
        return any_color(rng)
    hue = rng.choice([rng.uniform(8, 28), rng.uniform(30, 75), rng.uniform(95, 118), rng.uniform(0, 180)])
    hsv = np.array([[[hue, min(abs(rng.normal(0, 55)), 160), rng.uniform(25, 245)]]], np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0], np.float64)


def skin_color(rng: np.random.Generator) -> Floats:
    """Return a skin colour (3,) between two neighbouring tones from very light to very dark."""
    tone = rng.uniform(0, len(SKIN_TONES) - 1)
    index = int(tone)
    tones = np.array(SKIN_TONES, float)
    mixed = tones[index] + (tone - index) * (tones[min(index + 1, len(tones) - 1)] - tones[index])
    return np.asarray(np.clip(mixed * rng.uniform(0.85, 1.1) + rng.normal(0, 3, 3), 8, 252), np.float64)


def clouds(rng: np.random.Generator, size: Size, *, octaves: int = 4, start: int = 3, fall: float = 1.7) -> Singles:
    """Return noise of several octaves (H, W), mean about 0, most of it in -1..1.

    Args:
        rng: random generator.
        size: (height, width).
        octaves: number of octaves; each has twice the cells of the previous one.
        start: number of cells of the first octave along the shorter side.
        fall: factor by which each octave is weaker than the previous one.
    """
    height, width = size
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        cells = start * 2**octave
        if cells > 2 * min(size):
            break
        grid_size = (max(2, cells * height // min(size)), max(2, cells * width // min(size)))
        grid = rng.standard_normal(grid_size, np.float32)
        flags = cv2.INTER_LINEAR if cells > 12 else cv2.INTER_CUBIC
        total += np.asarray(cv2.resize(grid, (width, height), interpolation=flags), np.float32) / fall**octave
    return total * np.float32(0.6)


def shaded(image: Floats | Singles, shade: Singles) -> Image:
    """Return an image (H, W, 3) or a colour (3,) times 1 + `shade` (H, W), as uint8."""
    return np.asarray(np.clip(np.asarray(image, np.float32) * (1 + shade)[..., None], 0, 255), np.uint8)


def cloth(rng: np.random.Generator, *, busy: float = 0.6) -> Image:
    """Return a garment's texture (CLOTH_SIDE, CLOTH_SIDE, 3); `busy` is the probability of a pattern."""
    base = any_color(rng)
    size = (CLOTH_SIDE, CLOTH_SIDE)
    folds = clouds(rng, size, octaves=4, start=2) * rng.uniform(0.04, 0.22) + rng.normal(0, 0.02, size)
    colors: Singles = np.broadcast_to(base.astype(np.float32), (*size, 3)).copy()
    if rng.random() < busy:
        pattern = CLOTH_PATTERNS[rng.integers(len(CLOTH_PATTERNS))]
        pattern(rng, colors)
    return shaded(colors, np.asarray(folds, np.float32))


def _stripes(rng: np.random.Generator, colors: Singles) -> None:
    period = int(rng.choice([4, 6, 8, 10, 16, 32]))
    width = max(1, int(period * rng.uniform(0.15, 0.6)))
    is_stripe = np.arange(CLOTH_SIDE) % period < width
    if rng.random() < 0.65:
        colors[is_stripe] = any_color(rng)
    else:
        colors[:, is_stripe] = any_color(rng)


def _plaid(rng: np.random.Generator, colors: Singles) -> None:
    for _ in range(int(rng.integers(1, 4))):
        period = int(rng.choice([8, 16, 32]))
        is_stripe = (np.arange(CLOTH_SIDE) + int(rng.integers(period))) % period < max(
            1, int(period * rng.uniform(0.1, 0.5))
        )
        color = any_color(rng).astype(np.float32)
        colors[is_stripe] = 0.5 * colors[is_stripe] + 0.5 * color
        colors[:, is_stripe] = 0.5 * colors[:, is_stripe] + 0.5 * color


def _gradient(rng: np.random.Generator, colors: Singles) -> None:
    wave = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(CLOTH_SIDE) / CLOTH_SIDE)).astype(np.float32)
    share = wave[:, None, None] if rng.random() < 0.6 else wave[None, :, None]
    colors += share * (any_color(rng).astype(np.float32) - colors)


def _camouflage(rng: np.random.Generator, colors: Singles) -> None:
    for _ in range(int(rng.integers(1, 4))):
        colors[clouds(rng, (CLOTH_SIDE, CLOTH_SIDE), octaves=3, start=int(rng.integers(3, 9))) > 0.35] = any_color(rng)


def _print(rng: np.random.Generator, colors: Singles) -> None:
    """Draw a picture or letters on the chest of a shirt."""
    center = (int(rng.integers(36, 48)), int(rng.integers(24, 40)))
    if rng.random() < 0.5:
        word = "".join(chr(int(code)) for code in rng.integers(65, 91, int(rng.integers(2, 6))))
        origin = (max(center[0] - 14, 0), center[1])
        scale = float(rng.uniform(0.35, 0.8))
        canvas = np.ascontiguousarray(colors, np.uint8)
        ink, thickness = any_color(rng).tolist(), int(rng.integers(1, 3))
        cv2.putText(canvas, word, origin, cv2.FONT_HERSHEY_DUPLEX, scale, ink, thickness)
        colors[:] = canvas
        return
    for _ in range(int(rng.integers(1, 5))):
        position = (center[0] + int(rng.normal(0, 5)), center[1] + int(rng.normal(0, 5)))
        axes = (int(rng.integers(2, 12)), int(rng.integers(2, 12)))
        cv2.ellipse(colors, position, axes, float(rng.uniform(0, 180)), 0.0, 360.0, any_color(rng).tolist(), -1)


def _dots(rng: np.random.Generator, colors: Singles) -> None:
    step, color = int(rng.choice([8, 16])), any_color(rng).tolist()
    for y in range(step // 2, CLOTH_SIDE, step):
        for x in range(step // 2, CLOTH_SIDE, step):
            cv2.circle(colors, (x, y), max(1, step // 4), color, -1)


def _flowers(rng: np.random.Generator, colors: Singles) -> None:
    inks = [any_color(rng).tolist() for _ in range(3)]
    for _ in range(40):
        position = (int(rng.integers(CLOTH_SIDE)), int(rng.integers(CLOTH_SIDE)))
        axes = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
        cv2.ellipse(colors, position, axes, float(rng.uniform(0, 180)), 0.0, 360.0, inks[int(rng.integers(3))], -1)


def _panel(rng: np.random.Generator, colors: Singles) -> None:
    """Draw a second colour on a part of the circumference: a side stripe, an open jacket."""
    first, width = int(rng.integers(CLOTH_SIDE)), int(rng.integers(3, 26))
    colors[:, (first + np.arange(width)) % CLOTH_SIDE] = any_color(rng)


CLOTH_PATTERNS: tuple[Callable[[np.random.Generator, Singles], None], ...] = (
    _stripes, _plaid, _gradient, _camouflage, _print, _print, _dots, _flowers, _panel,
)  # fmt: skip


def skin(rng: np.random.Generator, color: Floats) -> Image:
    """Return a skin's texture (CLOTH_SIDE, CLOTH_SIDE, 3): blotches, grain, sometimes tattoos or hair."""
    size = (CLOTH_SIDE, CLOTH_SIDE)
    shade = clouds(rng, size, octaves=4) * rng.uniform(0.03, 0.12) + rng.normal(0, 0.015, size)
    colors: Singles = np.broadcast_to(color.astype(np.float32), (*size, 3)).copy()
    red = clouds(rng, size, octaves=2) * rng.uniform(0, 0.06)
    colors[..., 0] *= 1 + red
    if rng.random() < 0.08:
        ink = clouds(rng, size, octaves=3, start=6) > 0.5
        colors[ink] = colors[ink] * 0.5 + np.array([20, 28, 38], np.float32)
    return shaded(colors, np.asarray(shade, np.float32))


def grained(rng: np.random.Generator, color: Floats, grain: float) -> Image:
    """Return one colour with noise (CLOTH_SIDE, CLOTH_SIDE, 3): hair, leather, paint."""
    size = (CLOTH_SIDE, CLOTH_SIDE)
    shade = clouds(rng, size, octaves=4) * grain + rng.normal(0, grain / 2, size)
    if rng.random() < 0.5:
        shade = shade + grain * 1.5 * rng.standard_normal((1, CLOTH_SIDE))
    return shaded(color, np.asarray(shade, np.float32))


def surface(rng: np.random.Generator, size: Size) -> Image:
    """Return a photo-like surface or scene (H, W, 3), of a random kind."""
    build = SURFACES[rng.integers(len(SURFACES))]
    return build(rng, size)


def _noise_photo(rng: np.random.Generator, size: Size) -> Image:
    """Draw blended colours, like a photo far out of focus."""
    fields = [clouds(rng, size, octaves=6, start=int(rng.integers(1, 5)), fall=rng.uniform(1.3, 2.2)) for _ in range(2)]
    low, high, other = (place_color(rng).astype(np.float32) for _ in range(3))
    share = np.clip(fields[0] + 0.5, 0, 1)[..., None]
    mixed = low + share * (high - low)
    mixed += np.clip(fields[1], 0, 1)[..., None] * (other - mixed)
    return np.asarray(np.clip(mixed, 0, 255), np.uint8)


def _gradient_wall(rng: np.random.Generator, size: Size) -> Image:
    height, width = size
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    angle = rng.uniform(0, 2 * np.pi)
    share = 0.5 + 0.35 * (np.cos(angle) * x + np.sin(angle) * y)
    low, high = (place_color(rng).astype(np.float32) for _ in range(2))
    return shaded(low + share[..., None] * (high - low), clouds(rng, size, octaves=5) * rng.uniform(0.01, 0.1))


def _planks(rng: np.random.Generator, size: Size) -> Image:
    height, width = size
    base = np.array([rng.uniform(70, 215), rng.uniform(50, 165), rng.uniform(30, 120)])
    grid = rng.standard_normal((max(2, height // 2), max(2, width // 40)), np.float32)
    shade = np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32) * 0.08
    step = int(rng.integers(8, 40))
    for start in range(0, height, step):
        shade[start : start + step] += rng.normal(0, 0.09)
        shade[start] -= 0.35
    wood = shaded(base, shade)
    return wood if rng.random() < 0.5 else np.ascontiguousarray(cv2.resize(wood.transpose(1, 0, 2), (width, height)))


def _bricks(rng: np.random.Generator, size: Size) -> Image:
    height, width = size
    rows, columns = int(rng.integers(6, 20)), int(rng.integers(12, 60))
    brick, mortar = place_color(rng), place_color(rng)
    brick_height, brick_width = max(3, height // rows), max(4, width // columns)
    y, x = np.mgrid[:height, :width]
    x = x + (y // brick_height % 2) * (brick_width // 2)
    tone = rng.normal(0, 0.14, (height // brick_height + 1, width // brick_width + 2)).astype(np.float32)
    shade = tone[y // brick_height, x // brick_width] + clouds(rng, size, octaves=6) * np.float32(0.08)
    image = shaded(brick, shade)
    image[(y % brick_height == 0) | (x % brick_width == 0)] = mortar
    return image


def _grass(rng: np.random.Generator, size: Size) -> Image:
    base = np.array([rng.uniform(40, 150), rng.uniform(80, 170), rng.uniform(20, 90)])
    shade = clouds(rng, size, octaves=3) * np.float32(0.2)
    blades = rng.standard_normal((size[0] // 3 + 1, size[1]), np.float32)
    return shaded(base, shade + np.asarray(cv2.resize(blades, size[::-1]), np.float32) * rng.uniform(0.08, 0.3))


def _tiles(rng: np.random.Generator, size: Size) -> Image:
    height, width = size
    step = int(rng.integers(10, 60))
    y, x = np.mgrid[:height, :width] // step
    first, second = place_color(rng), place_color(rng)
    colors = np.where(((x + y) % 2 == 0)[..., None], first, second if rng.random() < 0.5 else first * 0.95)
    image = shaded(colors.astype(np.float32), clouds(rng, size, octaves=5) * np.float32(0.1))
    image[::step], image[:, ::step] = second, second
    return image


def _clutter(rng: np.random.Generator, size: Size) -> Image:
    """Draw many overlapping objects of all sizes, like shelves, crowds and rooms."""
    image = _noise_photo(rng, size)
    for _ in range(int(rng.integers(15, 70))):
        add_thing(rng, image)
    return image


def _windows(rng: np.random.Generator, size: Size) -> Image:
    image = _gradient_wall(rng, size)
    height, width = size
    window_height, window_width = int(rng.integers(12, max(13, height // 2))), int(rng.integers(10, 70))
    gap, glass, frame = int(rng.integers(4, 40)), place_color(rng), place_color(rng).tolist()
    for y in range(int(rng.integers(0, window_height)), height, window_height + gap):
        for x in range(int(rng.integers(0, window_width)), width, window_width + gap):
            image[y : y + window_height, x : x + window_width] = np.clip(glass * rng.uniform(0.6, 1.2), 0, 255)
            cv2.rectangle(image, (x, y), (x + window_width, y + window_height), frame, 1)
    return image


def _foliage(rng: np.random.Generator, size: Size) -> Image:
    base = np.array([rng.uniform(40, 120), rng.uniform(70, 140), rng.uniform(30, 80)])
    image = shaded(base * 0.6, clouds(rng, size, octaves=6) * np.float32(0.3))
    for _ in range(250):
        position = (int(rng.integers(size[1])), int(rng.integers(size[0])))
        axes = (int(rng.integers(1, 9)), int(rng.integers(1, 6)))
        leaf = np.clip(base * rng.uniform(0.5, 1.6) + rng.normal(0, 8, 3), 0, 255).tolist()
        cv2.ellipse(image, position, axes, float(rng.uniform(0, 180)), 0.0, 360.0, leaf, -1)
    return image


SURFACES: tuple[Callable[[np.random.Generator, Size], Image], ...] = (
    _noise_photo, _noise_photo, _gradient_wall, _planks, _bricks, _grass, _tiles, _clutter, _clutter, _clutter,
    _windows, _foliage,
)  # fmt: skip


def add_thing(rng: np.random.Generator, image: Image) -> None:
    """Draw one random object into an image (H, W, 3): a box, a blob, a bar, a word, or a limb."""
    height, width = image.shape[:2]
    position = np.array([rng.uniform(0, width), rng.uniform(0, height)])
    reach = min(height, width) * rng.uniform(0.04, 0.4)
    kind = rng.random()
    if kind < 0.35:
        points = cv2.boxPoints(
            (tuple(position), (reach * rng.uniform(0.2, 2), reach), float(rng.choice([0, 0, rng.uniform(0, 90)])))
        )
        cv2.fillConvexPoly(image, np.round(points).astype(np.int32), place_color(rng).tolist())
    elif kind < 0.5:
        axes = (max(1, int(reach * rng.uniform(0.2, 1))), max(1, int(reach * rng.uniform(0.2, 1))))
        cv2.ellipse(
            image,
            tuple(position.astype(int).tolist()),
            axes,
            float(rng.uniform(0, 180)),
            0.0,
            360.0,
            place_color(rng).tolist(),
            -1,
        )
    elif kind < 0.65:
        step = rng.normal(0, 2 * reach, 2)
        start, end = np.round(position - step).astype(int).tolist(), np.round(position + step).astype(int).tolist()
        cv2.line(image, start, end, place_color(rng).tolist(), int(rng.integers(1, max(2, int(reach * 0.25) + 2))))
    elif kind < 0.75:
        word = "".join(chr(int(code)) for code in rng.integers(65, 123, int(rng.integers(3, 12))))
        origin = tuple(position.astype(int).tolist())
        cv2.putText(
            image, word, origin, cv2.FONT_HERSHEY_SIMPLEX, float(rng.uniform(0.3, 1.2)), place_color(rng).tolist(), 1
        )
    else:
        draw_limb(rng, image, position, reach * 1.5)


def draw_limb(rng: np.random.Generator, image: Image, start: Sequence[float] | Floats, length: float) -> None:
    """Draw a shape like an arm or a leg: two tapering bones, cloth or skin, with an ellipse at the end."""
    color = skin_color(rng) if rng.random() < 0.6 else any_color(rng)
    angle = rng.uniform(0, 2 * np.pi)
    bend = rng.uniform(-2, 2)
    points = [np.asarray(start, float)]
    for turn in (angle, angle + bend):
        points.append(points[-1] + length / 2 * np.array([np.cos(turn), np.sin(turn)]))
    thickness = max(1.0, length * rng.uniform(0.07, 0.14))
    colors = [any_color(rng) if rng.random() < 0.4 else color, color]
    for index in range(2):
        for share in np.linspace(0, 1, max(2, int(length / 2 / max(thickness * 0.5, 1)) + 1)):
            point = points[index] + share * (points[index + 1] - points[index])
            radius = max(1, round(thickness * (1 - 0.3 * (index + share) / 2)))
            tone = np.clip(colors[index] * (0.85 + 0.2 * share), 0, 255)
            cv2.circle(image, tuple(np.round(point).astype(int).tolist()), radius, tone.tolist(), -1)
    end = np.round(points[-1]).astype(int).tolist()
    axes = (max(1, round(thickness * 1.5)), max(1, round(thickness * 0.9)))
    cv2.ellipse(
        image, end, axes, float(np.degrees(angle + bend)), 0.0, 360.0, np.clip(color * 1.05, 0, 255).tolist(), -1
    )
