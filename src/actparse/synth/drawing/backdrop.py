"""Scenery: a floor, the wall or trees behind it, the sky, and furniture, in hand-made palettes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.camera import Camera
from actparse.synth.drawing.mesh import Floats, Mesh, box_mesh, tube_mesh
from actparse.synth.drawing.texture import add_thing, surface
from actparse.synth.motion.figure import Tube

Image = NDArray[np.uint8]
Singles = NDArray[np.float32]
Color = tuple[int, int, int]
TEXTURE = 512  # side of a texture, pixels
Build = Callable[[np.random.Generator, Floats, Floats], list[Mesh]]  # random generator, position, colour -> meshes
PANORAMA_METRES = 26.0  # width of the wall that its texture covers before it repeats
FADE_FROM = np.float32(5)  # multiple of a ray of `Camera.rays` beyond which the pattern of the floor fades


@dataclass(frozen=True)
class Place:
    """A kind of scenery: colours to choose from, and the patterns of its surfaces."""

    floors: tuple[Color, ...]
    walls: tuple[Color, ...]
    floor_pattern: str  # "tiles", "planks", "grass", "asphalt", "mat"
    wall_pattern: str  # "panels", "brick", "curtain", "trees", "skyline"
    sky: bool  # whether the sky is visible above the wall
    wall_distance: tuple[float, float]  # metres behind the people
    wall_height: float  # metres; the sky is above it
    furniture: tuple[str, ...]


PLACES: dict[str, Place] = {
    "gym": Place(
        ((72, 74, 78), (96, 92, 88), (58, 60, 66), (120, 104, 84)),
        ((170, 168, 160), (120, 128, 136), (150, 138, 124), (98, 104, 112), (176, 160, 140)),
        "mat", "panels", False, (2.5, 6.0), 4.0, ("rack", "bench", "box", "ball", "post"),
    ),
    "room": Place(
        ((150, 116, 82), (118, 88, 62), (170, 150, 124), (140, 140, 138)),
        ((206, 198, 182), (176, 186, 186), (190, 172, 158), (150, 160, 150), (214, 206, 200)),
        "planks", "panels", False, (1.8, 4.0), 3.2, ("cabinet", "lamp", "plant", "box", "chair"),
    ),
    "stage": Place(
        ((92, 66, 48), (60, 52, 50), (44, 42, 48), (110, 84, 60)),
        ((84, 34, 38), (40, 44, 66), (52, 40, 60), (60, 62, 64), (96, 70, 48)),
        "planks", "curtain", False, (2.5, 5.0), 5.0, ("post", "lamp", "box", "speaker"),
    ),
    "street": Place(
        ((104, 104, 106), (128, 122, 114), (88, 88, 92), (140, 132, 120)),
        ((148, 120, 100), (128, 124, 118), (160, 146, 126), (112, 118, 124)),
        "asphalt", "brick", True, (4.0, 9.0), 6.0, ("post", "box", "bench", "plant", "fence"),
    ),
    "field": Place(
        ((86, 116, 58), (104, 124, 66), (128, 118, 82), (150, 128, 94)),
        ((62, 92, 56), (78, 98, 62), (92, 98, 84), (70, 84, 70)),
        "grass", "trees", True, (9.0, 18.0), 4.5, ("fence", "post", "bench", "tree"),
    ),
    "park": Place(
        ((98, 122, 68), (134, 126, 104), (112, 116, 84), (144, 138, 120)),
        ((66, 96, 60), (88, 108, 70), (104, 112, 90), (72, 88, 66)),
        "grass", "trees", True, (6.0, 14.0), 5.0, ("tree", "bench", "post", "plant", "fence"),
    ),
    "snow": Place(
        ((226, 230, 236), (208, 216, 228), (236, 236, 238)),
        ((70, 88, 82), (104, 118, 116), (176, 186, 196), (88, 96, 104)),
        "asphalt", "trees", True, (7.0, 16.0), 4.5, ("tree", "fence", "post", "tree"),
    ),
    "concert": Place(
        ((36, 34, 40), (52, 46, 48), (28, 30, 38)),
        ((58, 30, 84), (30, 44, 96), (92, 32, 44), (26, 28, 36), (116, 72, 36)),
        "planks", "curtain", False, (3.0, 7.0), 6.0, ("speaker", "post", "speaker", "lamp"),
    ),
    "arena": Place(
        ((160, 132, 96), (126, 104, 80), (110, 96, 88), (70, 74, 96)),
        ((120, 88, 60), (92, 60, 50), (70, 76, 92), (150, 128, 100)),
        "mat", "panels", False, (3.0, 7.0), 5.0, ("fence", "post", "box", "speaker"),
    ),
}  # fmt: skip


def noise(rng: np.random.Generator, size: tuple[int, int], octaves: int = 5) -> Floats:
    """Draw smooth noise (H, W) in 0..1; its borders match well enough for a texture that repeats."""
    height, width = size
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        grid = rng.random((3 * 2**octave + 1, 4 * 2**octave + 1)).astype(np.float32)
        layer = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        total += np.asarray(layer, np.float32) / 1.7**octave
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / (high - low), np.float64)


def floor_texture(rng: np.random.Generator, pattern: str, color: Color) -> Image:
    """Draw the texture of a floor of 8 x 8 metres (TEXTURE, TEXTURE, 3)."""
    grain = {"grass": 0.5, "asphalt": 0.25, "mat": 0.12, "planks": 0.2, "tiles": 0.1}[pattern]
    shade = 1 - grain / 2 + grain * noise(rng, (TEXTURE, TEXTURE), 7)
    texture = np.asarray(color, float) * shade[..., None]
    step = int(rng.integers(22, 60))
    if pattern in ("tiles", "mat"):
        for start in range(0, TEXTURE, step * (2 if pattern == "mat" else 1)):
            texture[start : start + 2] *= 0.75
            texture[:, start : start + 2] *= 0.75
    if pattern == "planks":
        for start in range(0, TEXTURE, step // 2):
            texture[:, start : start + step // 2] *= rng.uniform(0.88, 1.08)
            texture[:, start : start + 1] *= 0.7
    if pattern == "asphalt" and rng.random() < 0.5:
        start = int(rng.integers(60, TEXTURE - 60))
        texture[:, start : start + 6] = 205
    return np.clip(texture, 0, 255).astype(np.uint8)


def wall_texture(rng: np.random.Generator, place: Place, color: Color) -> Image:
    """Draw the wall or trees behind the floor (TEXTURE / 4, TEXTURE, 4): RGB and opacity; row 0 is the top."""
    size = (TEXTURE // 4, TEXTURE)
    texture = np.asarray(color, float) * (0.85 + 0.3 * noise(rng, size)[..., None])
    opacity = np.full(size, 255, np.uint8)
    if place.wall_pattern == "panels":
        _panels(rng, texture)
    elif place.wall_pattern == "brick":
        texture[::5] *= 0.82
        step = int(rng.integers(45, 90))
        glass = rng.uniform(60, 170) * np.ones(3)  # of windows
        for x in range(10, TEXTURE - 30, step):
            for y in range(8, TEXTURE // 4 - 40, 42):
                texture[y : y + 24, x : x + 20] = glass * rng.uniform(0.8, 1.15)
    elif place.wall_pattern == "curtain":
        folds = 0.8 + 0.25 * np.sin(np.arange(TEXTURE) * rng.uniform(0.35, 0.7) + 2 * rng.random())
        texture *= folds[None, :, None]
    else:
        _trees(rng, texture, opacity, color)
    return np.dstack((np.clip(texture, 0, 255).astype(np.uint8), opacity))


def _panels(rng: np.random.Generator, texture: Floats) -> None:
    height, width = texture.shape[:2]
    texture[int(height * 0.8) :] *= rng.uniform(0.7, 1.0)
    for start in range(int(rng.integers(0, 40)), width, int(rng.integers(40, 110))):
        texture[:, start : start + 2] *= 0.85
    for _ in range(int(rng.integers(2, 7))):  # pictures, mirrors, windows, boards
        x, y = int(rng.integers(0, width - 60)), int(rng.integers(5, height // 2))
        w, h = int(rng.integers(14, 60)), int(rng.integers(12, 50))
        inside = rng.uniform(60, 230) * np.ones(3) + rng.normal(0, 18, 3)
        texture[y : y + h, x : x + w] = inside * (0.9 + 0.2 * noise(rng, (h, w), 3)[..., None])[: height - y]
        for edge in (y, y + h - 1):
            texture[min(edge, height - 1), x : x + w] *= 0.6
        for edge in (x, x + w - 1):
            texture[y : y + h, edge] *= 0.6


def _trees(rng: np.random.Generator, texture: Floats, opacity: Image, color: Color) -> None:
    height, width = opacity.shape
    crowns = np.zeros_like(opacity)
    for _ in range(70):
        center = (int(rng.integers(0, width)), int(height * rng.uniform(0.25, 0.95)))
        axes = (int(rng.integers(8, 34)), int(rng.integers(10, 34)))
        cv2.ellipse(crowns, center, axes, 0.0, 0.0, 360.0, 255, -1)
        shade = np.asarray(color) * rng.uniform(0.7, 1.15) * (1 + rng.normal(0, 0.05, 3))
        cv2.ellipse(texture, center, axes, 0.0, 0.0, 360.0, shade.tolist(), -1)
    texture *= 0.8 + 0.4 * noise(rng, (height, width), 7)[..., None]
    crowns[int(height * 0.85) :] = 255
    opacity[:] = cv2.GaussianBlur(crowns, (0, 0), 1.0)


class Backdrop:
    """The surfaces behind and below the people, drawn in perspective for any camera."""

    def __init__(self, rng: np.random.Generator, place: Place, size: tuple[int, int]) -> None:
        self.place, self.size = place, size
        self._floor, self._wall = self._surfaces(rng)
        self._floor_mean = self._floor.reshape(-1, 3).mean(axis=0)
        self._distance = rng.uniform(*place.wall_distance)
        warm = rng.uniform(-12, 12)
        self._sky = np.array([[165 + warm, 185, 208 - warm], [212 + warm, 218, 222 - warm]]) * rng.uniform(0.75, 1.08)
        rng.random()  # unused, but without this draw a seed would give other scenery than in SynthTPS-1
        self._offset = rng.uniform(0, PANORAMA_METRES)
        self._turn = rng.uniform(-0.5, 0.5)  # rotation of the floor's pattern, radians
        self._last: tuple[Floats, Image] | None = None

    def _surfaces(self, rng: np.random.Generator) -> tuple[Image, Image]:
        """Draw the textures of the floor and of the wall."""
        floor = self.place.floors[rng.integers(len(self.place.floors))]
        wall = self.place.walls[rng.integers(len(self.place.walls))]
        return floor_texture(rng, self.place.floor_pattern, floor), wall_texture(rng, self.place, wall)

    def draw(self, camera: Camera) -> Image:
        """Draw the scenery without people (H, W, 3)."""
        key = np.concatenate((camera.matrix().ravel(), camera.center))
        if self._last is not None and np.array_equal(self._last[0], key):
            return self._last[1].copy()
        rays = camera.rays(self.size)  # (3, H, W)
        reach = np.float32(camera.eye[1]) / np.maximum(-rays[1], np.float32(1e-3))  # length of the ray to the floor
        reach_wall = np.float32(camera.eye[2] + self._distance) / np.maximum(-rays[2], np.float32(1e-3))
        on_floor = (rays[1] < -1e-3) & (reach < reach_wall)  # (H, W)
        image = np.empty((*self.size, 3), np.uint8)
        row_indices = np.flatnonzero(~on_floor.all(axis=1))
        if len(row_indices):
            self._draw_wall(image, slice(0, int(row_indices[-1]) + 1), camera, rays, reach_wall)
        row_indices = np.flatnonzero(on_floor.any(axis=1))
        if len(row_indices):
            self._draw_floor(image, slice(int(row_indices[0]), None), camera, rays, reach, on_floor)
        self._last = (key, image)
        return image.copy()

    def _draw_sky(self, up: Singles) -> Image:
        """Return the colours (R, W, 3) of rays that rise by `up` (R, W)."""
        levels = np.linspace(0, 1, 256)[:, None]
        table = np.clip(self._sky[1] * (1 - levels) + self._sky[0] * levels, 0, 255).astype(np.uint8)  # (256, 3)
        sky: Image = np.take(table, np.clip(up * 408, 0, 255).astype(np.uint8), axis=0)
        return sky

    def _draw_wall(self, image: Image, row_range: slice, camera: Camera, rays: Singles, reach: Singles) -> None:
        x = np.float32(camera.eye[0] + self._offset) + reach[row_range] * rays[0, row_range]
        y = np.float32(camera.eye[1]) + reach[row_range] * rays[1, row_range]
        columns = x * np.float32(TEXTURE / PANORAMA_METRES)
        height = self._wall.shape[0]
        lines = np.clip((1 - y / np.float32(self.place.wall_height)) * np.float32(height), 0, height - 1)
        wall = cv2.remap(self._wall, columns, lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        if not self.place.sky:
            image[row_range] = wall[..., :3]
            return
        edge = np.clip((np.float32(self.place.wall_height) - y) * 4, 0, 1) * (rays[2, row_range] < -1e-3)
        opacity = (wall[..., 3] * edge * np.float32(1 / 255))[..., None]
        sky = self._draw_sky(rays[1, row_range])
        image[row_range] = (sky + (wall[..., :3] - sky.astype(np.float32)) * opacity).astype(np.uint8)

    def _draw_floor(
        self, image: Image, row_range: slice, camera: Camera, rays: Singles, reach: Singles, on_floor: NDArray[np.bool_]
    ) -> None:
        length = reach[row_range]
        x = np.float32(camera.eye[0]) + length * rays[0, row_range]
        z = np.float32(camera.eye[2]) + length * rays[2, row_range]
        cos, sin = (np.float32(f(self._turn) * TEXTURE / 8) for f in (np.cos, np.sin))  # the texture covers 8 m
        floor = cv2.remap(
            self._floor, cos * x - sin * z, sin * x + cos * z, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )
        far_rows = np.flatnonzero((length > FADE_FROM).any(axis=1))
        if len(far_rows):  # fine patterns fade out because they would flicker
            upper = slice(0, int(far_rows[-1]) + 1)
            fade = np.clip((length[upper] - FADE_FROM) * np.float32(1 / 12), 0, 1)[..., None]
            floor[upper] = (floor[upper] + (self._floor_mean.astype(np.float32) - floor[upper]) * fade).astype(np.uint8)
        np.copyto(image[row_range], floor, where=on_floor[row_range][..., None])


class VariedBackdrop(Backdrop):
    """Scenery of the look "varied": photo-like surfaces, or in a share of scenes a single flat picture."""

    def __init__(self, rng: np.random.Generator, place: Place, size: tuple[int, int]) -> None:
        super().__init__(rng, place, size)
        self._flat = surface(rng, size) if rng.random() < 0.2 else None

    def _surfaces(self, rng: np.random.Generator) -> tuple[Image, Image]:
        if rng.random() < 0.1:
            return super()._surfaces(rng)
        floor, wall = surface(rng, (TEXTURE, TEXTURE)), surface(rng, (TEXTURE // 4, TEXTURE))
        for _ in range(int(rng.integers(0, 30))):
            add_thing(rng, wall)
        return floor, np.dstack((wall, np.full(wall.shape[:2], 255, np.uint8)))

    def draw(self, camera: Camera) -> Image:
        """Draw the scenery without people (H, W, 3)."""
        return super().draw(camera) if self._flat is None else self._flat.copy()


METAL = np.array([96.0, 98.0, 104.0])
WOOD = np.array([126.0, 94.0, 62.0])


def furniture(rng: np.random.Generator, kind: str, position: Floats) -> list[Mesh]:
    """Build a piece of furniture of `FURNITURE` at (x, 0, z) metres."""
    tone = np.array([rng.uniform(50, 190)] * 3) + rng.normal(0, 14, 3)
    return FURNITURE[kind](rng, position, tone)


def _box(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    size = rng.uniform(0.3, 0.8, 3)
    return [box_mesh(position + [0, size[1] / 2, 0], size, tone)]


def _cabinet(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    size = np.array([rng.uniform(0.5, 1.4), rng.uniform(0.8, 1.9), 0.5])
    return [box_mesh(position + [0, size[1] / 2, 0], size, WOOD * rng.uniform(0.7, 1.2))]


def _speaker(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    size = np.array([rng.uniform(0.5, 0.8), rng.uniform(0.9, 1.5), 0.5])
    return [box_mesh(position + [0, size[1] / 2, 0], size, tone * 0.4)]


def _seat(length: float) -> Build:
    def build(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
        legs = [
            box_mesh(position + [x, 0.2, 0], np.array([0.06, 0.4, 0.35]), METAL) for x in (-length / 2.4, length / 2.4)
        ]
        return [box_mesh(position + [0, 0.43, 0], np.array([length, 0.07, 0.4]), WOOD * rng.uniform(0.7, 1.2)), *legs]

    return build


def _rack(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    posts = [box_mesh(position + [x, 0.6, 0], np.array([0.06, 1.2, 0.3]), METAL) for x in (-0.6, 0.6)]
    shelf = box_mesh(position + [0, 0.55, 0], np.array([1.3, 0.05, 0.3]), METAL)
    return [*posts, shelf, *(_ball(position + [x, 0.68, 0], 0.1, tone * 0.5) for x in (-0.4, -0.1, 0.2, 0.45))]


def _gym_ball(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    return [_ball(position + [0, 0.3, 0], 0.3, tone)]


def _plant(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    green = np.array([60.0, 100, 52])
    spots = [position + rng.normal(0, 0.12, 3) + [0, 0.75, 0] for _ in range(4)]
    pot = box_mesh(position + [0, 0.2, 0], np.array([0.3, 0.4, 0.3]), WOOD * rng.uniform(0.7, 1.2))
    return [pot, *(_ball(spot, rng.uniform(0.12, 0.25), green) for spot in spots)]


def _tree(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    height = rng.uniform(2.2, 3.5)
    green = np.array([70.0, 104, 56]) * rng.uniform(0.75, 1.2)
    spots = [position + rng.normal(0, 0.5, 3) * [1, 0.6, 1] + [0, height, 0] for _ in range(5)]
    crown = [_ball(spot, rng.uniform(0.5, 0.9), green * rng.uniform(0.85, 1.15)) for spot in spots]
    return [_post_mesh(position, height, 0.11, np.array([92.0, 74, 56])), *crown]


def _fence(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    rails = [box_mesh(position + [0, y, 0], np.array([4.0, 0.06, 0.05]), tone) for y in (0.5, 0.95)]
    posts = [box_mesh(position + [x, 0.5, 0], np.array([0.07, 1.0, 0.07]), tone) for x in (-1.8, -0.6, 0.6, 1.8)]
    return [*rails, *posts]


def _post(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    return [_post_mesh(position, 2.6, 0.04, METAL)]


def _lamp(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    return [_post_mesh(position, 2.0, 0.04, METAL), _ball(position + [0, 2.0, 0], 0.16, np.array([235.0, 226, 200]))]


FURNITURE: dict[str, Build] = {
    "ball": _gym_ball,
    "bench": _seat(1.3),
    "box": _box,
    "cabinet": _cabinet,
    "chair": _seat(0.45),
    "fence": _fence,
    "lamp": _lamp,
    "plant": _plant,
    "post": _post,
    "rack": _rack,
    "speaker": _speaker,
    "tree": _tree,
}


def _ball(center: Floats, radius: float, color: Floats) -> Mesh:
    steps = np.linspace(-1, 1, 7)
    path = center + steps[:, None] * np.array([0.0, radius, 0.0])
    radii = radius * np.sqrt(np.maximum(1 - steps**2, 1e-3))
    return tube_mesh(Tube(path, radii, _rgb(color), 9))


def _post_mesh(position: Floats, height: float, radius: float, color: Floats) -> Mesh:
    path = position + np.array([[0, 0, 0], [0, height / 2, 0], [0, height, 0], [0, height, 0]])
    return tube_mesh(Tube(path, np.array([radius, radius, radius, 1e-3]), _rgb(color), 8))


def _rgb(color: Floats) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in color)
    return red, green, blue
