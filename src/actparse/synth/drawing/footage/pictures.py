"""Things on walls and far away, drawn flat: windows, posters, shelves, skies, hills, trees, spectators, fences."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from actparse.synth.drawing.footage.materials import (
    SIDE,
    VARIANTS,
    Floats,
    Image,
    Singles,
    line_noise,
    material,
    mixed,
    tiled_noise,
    tinted,
    to_image,
)
from actparse.synth.drawing.footage.scenery import PANORAMA
from actparse.synth.drawing.texture import any_color, clouds, place_color

PANORAMA_WIDTH = 2048
PANORAMA_HEIGHT = round(PANORAMA_WIDTH / (2 * np.pi) * (PANORAMA[1] - PANORAMA[0]))
HORIZON = round(PANORAMA_HEIGHT * PANORAMA[1] / (PANORAMA[1] - PANORAMA[0]))  # row of the panorama
PIXELS_PER_METRE = 64  # of walls and of what stands in front of them

# random generator, wall (H, W, 3) in place, left and width in pixels of the free space
WallThing = Callable[[np.random.Generator, Image, int, int], None]
SKIES: dict[str, tuple[tuple[int, int, int], tuple[int, int, int], float]] = {  # above, at the horizon, clouds
    "blue": ((74, 124, 190), (176, 202, 224), 0.3), "clouds": ((96, 138, 190), (190, 206, 220), 0.9),
    "grey": ((168, 172, 178), (206, 208, 210), 0.5), "white": ((214, 216, 218), (230, 230, 228), 0.1),
    "evening": ((92, 108, 150), (240, 178, 120), 0.5), "night": ((14, 16, 24), (30, 32, 42), 0.1),
}  # fmt: skip


def words(rng: np.random.Generator, count: int) -> str:
    """Return words that can be pronounced and mean nothing, mostly in capitals."""
    consonants, vowels = "BCDFGHKLMNPRSTVWZ", "AEIOU"
    text = []
    for _ in range(count):
        syllables = int(rng.integers(1, 4))
        text.append("".join(consonants[rng.integers(17)] + vowels[rng.integers(5)] for _ in range(syllables)))
    joined = " ".join(text)
    return joined if rng.random() < 0.6 else joined.capitalize()


def panorama(rng: np.random.Generator, sky: str, silhouettes: tuple[str, ...], ground: Floats) -> Image:
    """Draw what is far away in all directions (PANORAMA_HEIGHT, PANORAMA_WIDTH, 3); elevations as in `PANORAMA`."""
    above, horizon, cloudiness = SKIES[sky]
    level = np.clip(np.arange(PANORAMA_HEIGHT)[::-1] - (PANORAMA_HEIGHT - HORIZON), 0, None) / HORIZON
    share = (np.sqrt(level)[:, None] * np.ones(PANORAMA_WIDTH // 2)).astype(np.float32)  # half as wide: skies are soft
    column = mixed(np.array(horizon, np.float32), np.array(above, float), share[:, :1])
    colors = np.broadcast_to(column, (*share.shape, 3))
    if cloudiness:
        noise = np.asarray(cv2.resize(tiled_noise(rng, 5, cells=(8, 4), side=SIDE // 2), share.shape[::-1]), np.float32)
        cover = np.clip(noise * 0.6 + cloudiness - 0.45, 0, 1) * np.minimum(1, 0.4 + share * 2)
        tone = 0.5 * np.array(horizon) + 0.5 * np.array([250.0, 250, 250]) if sky != "night" else np.full(3, 40.0)
        colors = mixed(colors, tone, cover)
        colors = mixed(colors, 0.75 * np.asarray(above, float), np.clip(cover - 0.65, 0, 0.35) * 0.8)
    image = np.asarray(cv2.resize(to_image(colors), (PANORAMA_WIDTH, PANORAMA_HEIGHT)), np.uint8)
    image[HORIZON:] = np.clip(0.5 * ground + 0.5 * np.array(horizon), 0, 255)
    for name in silhouettes:
        SILHOUETTES[name](rng, image)
    return image


def _ridge(rng: np.random.Generator, image: Image, height: float, color: Floats, haze: float) -> None:
    top = HORIZON - np.clip(height * (0.55 + 0.4 * line_noise(rng, 6, cells=8, length=PANORAMA_WIDTH)), 2, None)
    first = max(0, int(top.min()))
    hill = image[first:HORIZON]  # only these rows change
    texture = np.asarray(cv2.resize(tiled_noise(rng, 5, cells=(12, 6), side=SIDE // 2), image.shape[1::-1]), np.float32)
    shade = texture[first:HORIZON] * np.float32(0.13)
    colors = mixed(tinted(color, shade), image[HORIZON - 1].astype(np.float32)[None], np.full(shade.shape, haze))
    is_hill = np.arange(first, HORIZON)[:, None] > top
    hill[is_hill] = to_image(colors)[is_hill]


def hills(rng: np.random.Generator, image: Image) -> None:
    """Draw two ranges of hills, the near one green."""
    _ridge(rng, image, 46, np.array([112.0, 124, 112]), 0.55)
    _ridge(rng, image, 22, np.array([84.0, 104, 66]), 0.25)


def mountains(rng: np.random.Generator, image: Image) -> None:
    """Draw two ranges of mountains behind a wood."""
    _ridge(rng, image, 110, np.array([186.0, 196, 212]), 0.25)
    _ridge(rng, image, 50, np.array([122.0, 136, 152]), 0.3)
    woods(rng, image)


def woods(rng: np.random.Generator, image: Image) -> None:
    """Draw the distant edge of a wood."""
    top = HORIZON - 9 - 9 * np.abs(line_noise(rng, 6, cells=40, length=PANORAMA_WIDTH))
    leaves = np.tile(material("foliage", int(rng.integers(VARIANTS))), (1, 4, 1))[:PANORAMA_HEIGHT, :PANORAMA_WIDTH]
    row_indices = np.arange(PANORAMA_HEIGHT)[:, None]
    is_wood = (row_indices > top) & (row_indices < HORIZON)
    image[is_wood] = np.asarray(leaves[is_wood] * 0.6 + 0.25 * image[HORIZON - 1].mean(axis=0), np.uint8)


def skyline(rng: np.random.Generator, image: Image) -> None:
    """Draw the buildings of a town, with rows of windows."""
    x = 0
    while x < PANORAMA_WIDTH:
        width, height = int(rng.integers(16, 70)), int(rng.integers(12, 90))
        tone = np.clip(place_color(rng) * 0.5 + 60, 30, 210)
        block = image[HORIZON - height : HORIZON, x : x + width]
        block[:] = tone
        step = int(rng.integers(4, 9))
        block[1::step, :] = tone * 0.75
        block[:, 2::step] = np.clip(block[:, 2::step] * rng.uniform(0.7, 1.25), 0, 255)
        x += width + int(rng.integers(0, 20))


def sea(rng: np.random.Generator, image: Image) -> None:
    """Draw the sea up to the horizon."""
    water = material("water", int(rng.integers(VARIANTS)))
    lines = PANORAMA_HEIGHT - HORIZON
    band = np.asarray(cv2.resize(water[:160], (PANORAMA_WIDTH, lines), interpolation=cv2.INTER_AREA), np.float32)
    haze = np.linspace(0.55, 0.05, lines, dtype=np.float32)[:, None] * np.ones((1, PANORAMA_WIDTH), np.float32)
    image[HORIZON:] = to_image(mixed(band, image[HORIZON - 2].astype(np.float32)[None], haze))


SILHOUETTES: dict[str, Callable[[np.random.Generator, Image], None]] = {
    draw.__name__: draw for draw in (hills, mountains, sea, skyline, woods)
}


def _frame(wall: Image, box: tuple[int, int, int, int], color: Floats, width: int) -> None:
    x, y, w, h = box
    cv2.rectangle(wall, (x, y), (x + w - 1, y + h - 1), color.tolist(), width)


def window(rng: np.random.Generator, wall: Image, left: int, width: int) -> None:
    """Draw a window that is brighter than the wall: sky and blurred green outside, bars, often blinds."""
    height = wall.shape[0]
    w, h = min(width, int(rng.integers(60, 170))), int(height * rng.uniform(0.35, 0.7))
    y = int(height * rng.uniform(0.08, 0.2))
    view = clouds(rng, (h, w), octaves=3, start=2)
    outside = mixed(np.full((h, w, 3), 238, np.float32), np.array([170.0, 200, 190]), np.clip(view + 0.1, 0, 1))
    outside[h // 2 :] = mixed(outside[h // 2 :], np.array([130.0, 160, 110]), np.clip(view[h // 2 :] + 0.4, 0, 0.7))
    if rng.random() < 0.35:
        outside[:: int(rng.integers(4, 9))] *= 0.7
    wall[y : y + h, left : left + w] = to_image(outside)
    color = np.full(3, rng.choice([40.0, 120.0, 235.0]))
    for x in np.linspace(left, left + w, int(rng.integers(2, 5)))[1:-1]:
        cv2.line(wall, (int(x), y), (int(x), y + h), color.tolist(), 3)
    cv2.line(wall, (left, y + h // 3), (left + w, y + h // 3), color.tolist(), 3)
    _frame(wall, (left, y, w, h), color, 5)


def poster(rng: np.random.Generator, wall: Image, left: int, width: int) -> None:
    """Draw a sheet with words, often with a disc and a frame."""
    w, h = min(width, int(rng.integers(34, 110))), int(rng.integers(40, 100))
    y = int(wall.shape[0] * rng.uniform(0.2, 0.4))
    h = min(h, wall.shape[0] - y)
    sheet = np.full((h, w, 3), any_color(rng), np.uint8)
    if rng.random() < 0.6:
        share = np.clip(clouds(rng, (h, w), octaves=4, start=2) + 0.5, 0, 1)
        sheet[:] = to_image(mixed(sheet.astype(np.float32), any_color(rng), share))
    ink = any_color(rng).tolist()
    for line in range(int(rng.integers(1, 5))):
        scale = float(rng.uniform(0.25, 0.6))
        cv2.putText(sheet, words(rng, 1), (4, 14 + 16 * line), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA)
    if rng.random() < 0.5:
        cv2.circle(sheet, (w // 2, h * 2 // 3), max(4, w // 4), any_color(rng).tolist(), -1, cv2.LINE_AA)
    wall[y : y + h, left : left + w] = sheet
    if rng.random() < 0.5:
        _frame(wall, (left, y, w, h), np.full(3, rng.uniform(20, 120)), 3)


def sign(rng: np.random.Generator, wall: Image, left: int, width: int) -> None:
    """Draw a word in large letters on the wall."""
    ink = any_color(rng).tolist()
    y = int(wall.shape[0] * rng.uniform(0.22, 0.4))
    cv2.putText(wall, words(rng, 1), (left, y), cv2.FONT_HERSHEY_SIMPLEX, float(rng.uniform(0.8, 2.0)), ink,
                int(rng.integers(2, 6)), cv2.LINE_AA)  # fmt: skip


def mirror(rng: np.random.Generator, wall: Image, left: int, width: int) -> None:
    """Draw a mirror: a pale, blurred image of the wall opposite and of the floor."""
    height = wall.shape[0]
    w = min(width, int(rng.integers(100, 320)))
    y, bottom = int(height * 0.18), height - int(rng.integers(2, 24))
    h = bottom - y
    field = clouds(rng, (h, w), octaves=4, start=3) * 0.18
    image = tinted(np.array([176.0, 182, 184]) * rng.uniform(0.6, 1.0), field)
    image[int(h * 0.72) :] *= np.float32(rng.uniform(0.5, 0.8))
    for _ in range(int(rng.integers(2, 7))):
        x, wide = int(rng.integers(0, w)), int(rng.integers(4, 30))
        image[int(h * rng.uniform(0.1, 0.5)) : int(h * 0.85), x : x + wide] *= np.float32(rng.uniform(0.45, 1.2))
    wall[y:bottom, left : left + w] = cv2.GaussianBlur(to_image(image), (0, 0), 2.2)
    for x in range(left, left + w, int(rng.integers(60, 110))):
        cv2.line(wall, (x, y), (x, bottom), (90, 94, 98), 1)


def door(rng: np.random.Generator, wall: Image, left: int, width: int) -> None:
    """Draw a closed door down to the floor."""
    w, h = min(width, 60), min(int(2.05 * PIXELS_PER_METRE), wall.shape[0])
    color = place_color(rng)
    top = wall.shape[0] - h
    wall[top:, left : left + w] = to_image(tinted(color, clouds(rng, (h, w), octaves=3) * 0.06))
    _frame(wall, (left, top, w, h + 6), np.clip(color * 0.7, 0, 255), 3)
    cv2.circle(wall, (left + w - 9, top + h // 2), 3, (200, 190, 150), -1)


def shelf(rng: np.random.Generator, wall: Image, left: int, width: int) -> None:
    """Draw shelves with books, boxes and pots down to the floor."""
    w, boards = min(width, int(rng.integers(70, 170))), int(rng.integers(3, 6))
    h = min(int(rng.uniform(1.2, 2.2) * PIXELS_PER_METRE), wall.shape[0] - 4)
    top, wood = wall.shape[0] - h, place_color(rng)
    wall[top:, left : left + w] = np.clip(wood * 0.45, 0, 255)
    step = h // boards
    for board in range(boards):
        bottom, x = top + (board + 1) * step - 4, left + 3
        while x < left + w - 8:
            wide, tall = int(rng.integers(3, 16)), int(step * rng.uniform(0.3, 0.8))
            if rng.random() < 0.85:
                wall[bottom - tall : bottom, x : x + wide] = place_color(rng)
            x += wide + int(rng.integers(0, 3))
        wall[bottom : bottom + 4, left : left + w] = wood
    _frame(wall, (left, top, w, h + 4), wood, 3)


def weights(rng: np.random.Generator, wall: Image, left: int, width: int) -> None:
    """Draw a rack with bars, plates and dumbbells in front of the wall."""
    w = min(width, int(rng.integers(90, 220)))
    base, steel = wall.shape[0], np.full(3, rng.uniform(30, 150))
    for x in (left + 3, left + w - 4):
        cv2.line(wall, (x, base), (x, base - int(rng.uniform(70, 150))), steel.tolist(), 5, cv2.LINE_AA)
    for y in range(base - 18, base - int(rng.integers(50, 110)), -26):
        cv2.line(wall, (left, y + 10), (left + w, y + 10), (steel * 0.8).tolist(), 4, cv2.LINE_AA)
        x = left + 8
        while x < left + w - 8:
            radius = int(rng.integers(4, 12))
            tone = any_color(rng) if rng.random() < 0.2 else np.full(3, rng.uniform(22, 62))
            cv2.circle(wall, (x, y + 8 - radius), radius, tone.tolist(), -1, cv2.LINE_AA)
            cv2.circle(wall, (x, y + 8 - radius), max(1, radius // 3), np.clip(tone * 1.9, 0, 255).tolist(), -1)
            x += 2 * radius + int(rng.integers(1, 8))


def stripe(rng: np.random.Generator, wall: Image, left: int, width: int) -> None:
    """Draw a painted band or a wainscot along the whole wall."""
    top = int(wall.shape[0] * rng.uniform(0.45, 0.75))
    bottom = wall.shape[0] if rng.random() < 0.6 else top + int(rng.integers(6, 24))
    tint = any_color(rng) / 190
    wall[top:bottom] = np.clip(wall[top:bottom] * tint, 0, 255).astype(np.uint8)


def bars(rng: np.random.Generator, wall: Image, left: int, width: int) -> None:
    """Draw wall bars of a gymnasium: many thin rungs, which look like limbs."""
    w, wood = min(width, 150), np.array([190.0, 150, 100]) * rng.uniform(0.7, 1.1)
    for y in range(max(0, wall.shape[0] - 170), wall.shape[0] - 4, 11):
        cv2.line(wall, (left, y), (left + w, y), wood.tolist(), 3, cv2.LINE_AA)
        cv2.line(wall, (left, y + 3), (left + w, y + 3), (wood * 0.45).tolist(), 1)
    for x in (left, left + w // 2, left + w):
        cv2.line(wall, (x, max(0, wall.shape[0] - 176)), (x, wall.shape[0]), (wood * 0.8).tolist(), 5)


def pipes(rng: np.random.Generator, wall: Image, left: int, width: int) -> None:
    """Draw pipes, cables or a hose, lit from one side."""
    color = any_color(rng)
    for _ in range(int(rng.integers(1, 4))):
        x = left + int(rng.integers(0, width))
        path = [[x, -5], [x, int(wall.shape[0] * rng.uniform(0.2, 0.8))], [x + int(rng.normal(0, 90)), wall.shape[0]]]
        thick = int(rng.integers(2, 9))
        for shift, tone in ((0, 0.7), (-1, 1.1)):
            points = np.array(path, np.int32) + [shift, 0]
            cv2.polylines(wall, [points], False, np.clip(color * tone, 0, 255).tolist(), max(1, thick + 2 * shift),
                          cv2.LINE_AA)  # fmt: skip


def facade(rng: np.random.Generator, wall: Image, left: int, width: int) -> None:
    """Draw the windows, doors, shop fronts and signs of a house along the whole wall."""
    glass = np.array([70.0, 84, 96]) * rng.uniform(0.6, 1.6)
    stone = np.clip(wall.mean(axis=(0, 1)) * rng.uniform(0.6, 1.4), 0, 255)
    storey, step = 3 * PIXELS_PER_METRE, int(rng.integers(90, 190))
    wide, tall = int(step * rng.uniform(0.35, 0.6)), int(storey * rng.uniform(0.4, 0.6))
    for bottom in range(wall.shape[0] - storey - 20, 0, -storey):
        for x in range(step // 3, wall.shape[1] - wide, step):
            y = max(0, bottom - tall)
            pane = glass * rng.uniform(0.5, 1.5)
            share = np.linspace(0.7, 1.25, bottom - y)[:, None, None]
            wall[y:bottom, x : x + wide] = np.clip(pane * share, 0, 255).astype(np.uint8)
            _frame(wall, (x, y, wide, bottom - y), stone, 4)
            cv2.line(wall, (x + wide // 2, y), (x + wide // 2, bottom), stone.tolist(), 2)
    x = int(rng.integers(0, 60))
    while x < wall.shape[1] - 80:  # the ground floor
        kind, wide = rng.random(), int(rng.integers(90, 230))
        top = wall.shape[0] - int(2.3 * PIXELS_PER_METRE)
        if kind < 0.5:
            wall[top : wall.shape[0] - 24, x : x + wide] = np.clip(glass * rng.uniform(0.4, 1.7), 0, 255)
            wall[top - 26 : top, x : x + wide] = any_color(rng)[None, None]
            cv2.putText(wall, words(rng, 1), (x + 6, top - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.8,
                        any_color(rng).tolist(), 2, cv2.LINE_AA)  # fmt: skip
            _frame(wall, (x, top, wide, wall.shape[0] - 24 - top), stone, 4)
        elif kind < 0.8:
            door(rng, wall, x, wide)
        x += wide + int(rng.integers(20, 160))


WALL_THINGS: dict[str, WallThing] = {
    draw.__name__: draw for draw in (bars, door, facade, mirror, pipes, poster, shelf, sign, stripe, weights, window)
}


def cutout(name: str, rng: np.random.Generator, metres: tuple[float, float]) -> Image:
    """Draw something that stands on the ground (H, W, 4) with opacity; `metres` is its (width, height)."""
    size = (max(16, round(metres[1] * PIXELS_PER_METRE)), max(16, round(metres[0] * PIXELS_PER_METRE)))
    colors, opacity = CUTOUTS[name](rng, size)
    return np.dstack((to_image(colors), np.clip(opacity * 255, 0, 255).astype(np.uint8)))


def _repeated(name: str, rng: np.random.Generator, size: tuple[int, int]) -> Singles:
    texture = material(name, int(rng.integers(VARIANTS)))
    copies = (-(-size[0] // texture.shape[0]), -(-size[1] // texture.shape[1]), 1)
    return np.tile(texture, copies)[: size[0], : size[1]].astype(np.float32)


def hedge(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Singles, Singles]:
    """Draw bushes or the edge of a wood with a ragged top."""
    height, width = size
    top = clouds(rng, (8, width), octaves=7, start=1)[0] * height * 0.22 + height * 0.25
    depth = np.arange(height, dtype=np.float32)[:, None] - top
    ragged = depth + clouds(rng, size, octaves=6, start=6) * 10
    colors = _repeated("foliage", rng, size) * np.linspace(1.05, 0.6, height, dtype=np.float32)[:, None, None]
    return colors, np.clip(ragged / 3, 0, 1)


def tree(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Singles, Singles]:
    """Draw a tree: trunk, branches, a crown with holes."""
    height, width = size
    wood = np.zeros(size, np.uint8)
    bottom = np.array([width * 0.5, height])
    fork = np.array([width * rng.uniform(0.42, 0.58), height * rng.uniform(0.45, 0.62)])
    thick = max(2, int(width * rng.uniform(0.03, 0.07)))
    cv2.line(wood, bottom.astype(int).tolist(), fork.astype(int).tolist(), 255, 2 * thick)
    crown = np.zeros(size, np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for _ in range(int(rng.integers(5, 9))):
        tip = np.array([width * rng.uniform(0.15, 0.85), height * rng.uniform(0.1, 0.42)])
        cv2.line(wood, fork.astype(int).tolist(), tip.astype(int).tolist(), 255, max(1, thick // 2))
        radius = width * rng.uniform(0.14, 0.24)
        crown = np.maximum(crown, 1.15 - np.hypot(x - tip[0], (y - tip[1]) * 1.2) / np.float32(radius))
    crown += clouds(rng, size, octaves=6, start=6, fall=1.4) * 0.5
    crown -= np.clip(np.maximum(np.abs(x / width - 0.5) - 0.4, 0.1 - y / height) * 10, 0, 1) ** 2  # no straight rim
    leafy = np.clip(crown * 8, 0, 1)
    bark = tinted(np.array([92.0, 78, 62]) * rng.uniform(0.7, 1.2), clouds(rng, size, octaves=6, start=8) * 0.2)
    light = np.linspace(1.15, 0.7, height, dtype=np.float32)[:, None, None]
    return mixed(bark, _repeated("foliage", rng, size) * light, leafy), np.maximum(leafy, wood.astype(np.float32) / 255)


def fence(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Singles, Singles]:
    """Draw a fence of boards, of bars or of wire."""
    height, width = size
    opacity = np.zeros(size, np.float32)
    kind = rng.integers(3)
    step = int(rng.integers(10, 30))
    if kind == 2:
        y, x = np.mgrid[:height, :width]
        opacity[((x + y) % 9 < 1) | ((x - y) % 9 < 1)] = 0.7
        step = 128
    for x in range(4, width, step):
        opacity[:, x : x + (step * 3 // 4 if kind == 0 else 5)] = 1
    for y in (int(height * 0.12), int(height * 0.85)):
        opacity[y : y + 5] = 1
    color = place_color(rng)
    return tinted(color, clouds(rng, size, octaves=6, start=4) * 0.12), opacity


def stand(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Singles, Singles]:
    """Draw rows of seats with spectators, too small and blurred to be anyone."""
    height, width = size
    image = np.full((*size, 3), rng.uniform(40, 120), np.uint8)
    step = 26
    seats = any_color(rng)
    full = rng.uniform(0.2, 0.95)
    for y in range(step, height, step):
        image[y - 8 : y + 3] = np.clip(seats * rng.uniform(0.7, 1.0), 0, 255)
        for x in range(int(rng.integers(0, 14)), width, 15):
            if rng.random() < full:
                shift = int(rng.integers(-3, 4))
                cv2.ellipse(image, (x, y + 2), (6, 10), 0.0, 180.0, 360.0, any_color(rng).tolist(), -1)
                skin = np.array([206.0, 160, 130]) * rng.uniform(0.4, 1.1)
                cv2.circle(image, (x + shift // 2, y - 10 + shift), 4, skin.tolist(), -1)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 2.0), np.float32), np.ones(size, np.float32)


def banner(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Singles, Singles]:
    """Draw the boards of advertisers around a pitch or a court."""
    height, width = size
    image = np.empty((*size, 3), np.uint8)
    x = 0
    while x < width:
        wide = int(rng.integers(90, 260))
        image[:, x : x + wide] = any_color(rng)
        scale = height / 34 * float(rng.uniform(0.6, 0.9))
        cv2.putText(image, words(rng, 1), (x + 8, int(height * 0.75)), cv2.FONT_HERSHEY_SIMPLEX, scale,
                    any_color(rng).tolist(), max(1, height // 18), cv2.LINE_AA)  # fmt: skip
        x += wide
    return image.astype(np.float32), np.ones(size, np.float32)


def car(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Singles, Singles]:
    """Draw a parked car from its side."""
    height, width = size
    image, mask = np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8)
    paint = any_color(rng)
    outline = np.array([[0.02, 0.82], [0.02, 0.55], [0.2, 0.45], [0.33, 0.1], [0.68, 0.08], [0.82, 0.42], [0.98, 0.52],
                        [0.98, 0.82]]) * [width, height]  # fmt: skip
    cv2.fillPoly(mask, [outline.astype(np.int32)], 255, cv2.LINE_AA)
    image[:] = to_image(paint * np.linspace(1.2, 0.55, height)[:, None, None] * np.ones((1, width, 1)))
    glass = np.array([[0.25, 0.44], [0.36, 0.16], [0.66, 0.14], [0.77, 0.42]]) * [width, height]
    cv2.fillPoly(image, [glass.astype(np.int32)], (46, 56, 64), cv2.LINE_AA)
    cv2.line(image, (int(width * 0.5), int(height * 0.12)), (int(width * 0.5), int(height * 0.8)),
             (paint * 0.6).tolist(), 2)  # fmt: skip
    for x in (0.22, 0.8):
        for radius, tone in ((0.19, 24), (0.11, 150)):
            center = (int(width * x), int(height * 0.81))
            cv2.circle(image, center, int(height * radius), (tone, tone, tone), -1, cv2.LINE_AA)
            cv2.circle(mask, center, int(height * 0.19), 255, -1, cv2.LINE_AA)
    return image.astype(np.float32), np.asarray(mask / 255, np.float32)


def sofa(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Singles, Singles]:
    """Draw a sofa from the front, at times with cushions."""
    height, width = size
    cloth = tinted(place_color(rng), clouds(rng, size, octaves=6, start=3) * 0.08)
    opacity = np.zeros(size, np.float32)
    opacity[: int(height * 0.9), int(width * 0.03) : int(width * 0.97)] = 1
    opacity[: int(height * 0.3), : int(width * 0.12)] = 0
    opacity[: int(height * 0.3), int(width * 0.88) :] = 0
    for x in (0.06, 0.9):
        opacity[int(height * 0.9) :, int(width * x) : int(width * (x + 0.03))] = 1
    cloth[int(height * 0.5) : int(height * 0.68)] *= 1.15
    cloth[int(height * 0.68) : int(height * 0.72)] *= 0.5
    for x in (0.13, 0.5, 0.87):
        cloth[: int(height * 0.7), int(width * x) - 1 : int(width * x) + 2] *= 0.65
    for _ in range(int(rng.integers(0, 3))):
        x, side = int(rng.uniform(0.2, 0.7) * width), int(height * 0.4)
        cloth[int(height * 0.2) : int(height * 0.2) + side, x : x + side] = any_color(rng)
    return cloth, opacity


CUTOUTS: dict[str, Callable[[np.random.Generator, tuple[int, int]], tuple[Singles, Singles]]] = {
    draw.__name__: draw for draw in (banner, car, fence, hedge, sofa, stand, tree)
}
