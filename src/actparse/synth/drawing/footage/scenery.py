"""Surfaces of a place, drawn once for a camera and then bent into the frames that move little from it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.camera import Camera
from actparse.synth.drawing.mesh import Floats

Image = NDArray[np.uint8]
Singles = NDArray[np.float32]
Size = tuple[int, int]
MARGIN = 1.3  # a plate is this much wider and higher than the frame
MAX_PLATES = 3  # kept at a time
STILL_METRES = 0.02  # a camera that moved less shows no parallax
GRID = 8  # pixels between the points for which parallax is computed
MAX_LEVELS = 6  # of halved textures
PANORAMA = (-0.22, 1.0)  # elevation of the panorama's lower and upper border, radians


@dataclass(frozen=True)
class Panel:
    """A textured rectangle in the world.

    `texture` (H, W, 3) or (H, W, 4) with opacity; `corner` (3,) is its upper left corner in metres, `across` and `down`
    (3,) are its sides. `repeats` says how often the texture covers it across and down; 1 keeps its opacity at the rim.
    `light` (h, w) is the light that falls on it, a factor.
    """

    texture: Image
    corner: Floats
    across: Floats
    down: Floats
    repeats: tuple[float, float] = (1.0, 1.0)
    light: Singles | None = None

    def homography(self, camera: Camera) -> Floats:
        """Return the matrix (3, 3) from (u, v, 1), 0..1 across and down, to homogeneous pixels; its scale is depth."""
        matrix = camera.matrix()
        origin = matrix[:, :3] @ self.corner + matrix[:, 3]
        return np.stack((matrix[:, :3] @ self.across, matrix[:, :3] @ self.down, origin), axis=1)


@dataclass(frozen=True)
class Plate:
    """The picture (H, W, 3) of a place for one camera, wider and higher than a frame."""

    camera: Camera
    picture: Image


class Scenery:
    """The surfaces of a place in the light of its air; `draw` depends on the cameras alone."""

    def __init__(self, panorama: Image, panels: list[Panel], size: Size, *, fog: Floats, fog_metres: float) -> None:
        self._panorama, self._panels, self.size = panorama, panels, size
        self._fog, self._fog_metres = fog.astype(np.float32), fog_metres
        self._plates: OrderedDict[bytes, Plate] = OrderedDict()

    def draw(self, camera: Camera, anchor: Camera) -> Image:
        """Draw the place without people (H, W, 3).

        Args:
            camera: the camera of the frame.
            anchor: a camera close to it, the same for many frames: the place is painted for it and then bent.
        """
        plate = self._plate(anchor)
        height, width = self.size
        if np.abs(camera.eye - anchor.eye).max() < STILL_METRES:  # no parallax: the picture turns as a whole
            to_plate = _centred(_turn(camera, plate.camera))
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            turned = cv2.warpPerspective(
                plate.picture, to_plate, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
            )
            return np.asarray(turned, np.uint8)
        columns, lines = self._places_in_plate(camera, plate.camera)
        bent = cv2.remap(plate.picture, columns, lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(bent, np.uint8)

    def _places_in_plate(self, camera: Camera, plate_camera: Camera) -> tuple[Singles, Singles]:
        """Return columns and rows (H, W) in a plate of the pixels of a frame, interpolated from a grid."""
        height, width = self.size
        grid_height, grid_width = height // GRID + 2, width // GRID + 2
        x, y = np.meshgrid((np.arange(grid_width) + 0.5) * GRID, (np.arange(grid_height) + 0.5) * GRID)
        pixels = np.stack((x.ravel(), y.ravel(), np.ones(x.size)))  # (3, N)
        from_camera = np.array([panel.homography(camera) for panel in self._panels])  # (P, 3, 3)
        to_plate = np.array([panel.homography(plate_camera) for panel in self._panels])
        on_panel = np.linalg.inv(from_camera + np.eye(3) * 1e-9) @ pixels  # (P, 3, N)
        depth = np.where(np.abs(on_panel[:, 2]) > 1e-9, 1 / np.where(on_panel[:, 2] == 0, 1, on_panel[:, 2]), -1)
        u, v = on_panel[:, 0] * depth, on_panel[:, 1] * depth
        is_hit = (depth > 0.1) & (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)  # (P, N)
        last = len(self._panels) - 1 - np.argmax(is_hit[::-1], axis=0)  # the panel that is drawn last
        shown = np.take_along_axis(on_panel, last[None, None], axis=0)[0]  # (3, N)
        target = np.einsum("nij,jn->in", to_plate[last], shown)
        far = _turn(camera, plate_camera) @ pixels
        target = np.where(is_hit.any(axis=0), target, far)
        places = (target[:2] / np.where(np.abs(target[2]) < 1e-9, 1e-9, target[2]) - 0.5).astype(np.float32)
        enlarged = [
            cv2.resize(place.reshape(grid_height, grid_width), (grid_width * GRID, grid_height * GRID))
            for place in places
        ]
        columns, lines = (np.ascontiguousarray(place[:height, :width], np.float32) for place in enlarged)
        return columns, lines

    def _plate(self, anchor: Camera) -> Plate:
        key = np.concatenate((anchor.matrix().ravel(), anchor.center)).tobytes()
        if key in self._plates:
            return self._plates[key]
        height, width = (round(side * MARGIN) for side in self.size)
        shift = (np.array([width, height]) - self.size[::-1]) / 2
        camera = Camera(anchor.eye, anchor.target, anchor.focal, anchor.roll, anchor.center + shift)
        picture = self._sky(camera, (height, width))
        for panel in self._panels:
            _paint_panel(picture, panel, camera, self._fog, self._fog_metres)
        self._plates[key] = Plate(camera, picture)
        if len(self._plates) > MAX_PLATES:
            self._plates.popitem(last=False)
        return self._plates[key]

    def _sky(self, camera: Camera, size: Size) -> Image:
        """Return what is far away, in the directions of the pixels (H, W, 3)."""
        x, y, z = camera.rays(size)
        panorama_height, panorama_width = self._panorama.shape[:2]
        azimuth = np.arctan2(x, -z)
        elevation = np.arctan2(y, np.sqrt(x * x + z * z))
        columns = (azimuth / np.float32(2 * np.pi) + np.float32(0.5)) * np.float32(panorama_width)
        low, high = PANORAMA
        lines = (np.float32(high) - elevation) * np.float32(panorama_height / (high - low))
        lines = np.clip(lines, 0, panorama_height - 1)
        sky = cv2.remap(self._panorama, columns, lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return np.asarray(sky, np.uint8)


def _paint_panel(image: Image, panel: Panel, camera: Camera, fog: Singles, fog_metres: float) -> None:
    """Paint a panel over an image (H, W, 3) in place."""
    to_pixels = panel.homography(camera)
    if abs(np.linalg.det(to_pixels)) < 1e-9:
        return
    height, width = image.shape[:2]
    corners = to_pixels @ np.array([[0, 1, 1, 0], [0, 0, 1, 1], [1.0, 1, 1, 1]])
    left, top, right, bottom = 0, 0, width, height
    if corners[2].min() > 0.2:
        x, y = corners[:2] / corners[2]
        left, right = max(0, int(x.min()) - 1), min(width, int(x.max()) + 2)
        top, bottom = max(0, int(y.min()) - 1), min(height, int(y.max()) + 2)
    if corners[2].max() < 0.2 or left >= right or top >= bottom:
        return
    a = np.linalg.inv(to_pixels).astype(np.float32)
    columns = np.arange(left, right, dtype=np.float32) + np.float32(0.5)
    lines = (np.arange(top, bottom, dtype=np.float32) + np.float32(0.5))[:, None]
    w = a[2, 0] * columns + a[2, 1] * lines + a[2, 2]  # 1 / depth
    p = a[0, 0] * columns + a[0, 1] * lines + a[0, 2]
    q = a[1, 0] * columns + a[1, 1] * lines + a[1, 2]
    touched = (w > 1e-3) & (p > -0.01 * w) & (p < 1.01 * w) & (q > -0.01 * w) & (q < 1.01 * w)
    across, down, wide, tall = cv2.boundingRect(touched.view(np.uint8))
    if not wide:
        return
    window = (slice(down, down + tall), slice(across, across + wide))
    w, p, q = w[window], p[window], q[window]
    is_ahead = w > 1e-3
    inverse = 1 / np.where(is_ahead, w, 1)
    u, v = p * inverse, q * inverse
    step_u, step_v = _per_pixel(a[0], a[2], u, inverse), _per_pixel(a[1], a[2], v, inverse)
    opacity = np.clip(np.minimum(u, 1 - u) / step_u + 0.5, 0, 1) * np.clip(np.minimum(v, 1 - v) / step_v + 0.5, 0, 1)
    opacity *= is_ahead
    times_u, times_v = np.float32(panel.repeats[0]), np.float32(panel.repeats[1])
    colors = _sample(panel.texture, u * times_u, v * times_v, step_u * times_u, step_v * times_v)
    if colors.shape[2] == 4:
        opacity *= colors[..., 3] * np.float32(1 / 255)
        colors = colors[..., :3]
    if panel.light is not None:
        light_height, light_width = panel.light.shape
        light = cv2.remap(
            panel.light, u * np.float32(light_width - 1), v * np.float32(light_height - 1), cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        colors = colors * np.asarray(light, np.float32)[..., None]
    air = 1 - np.exp(inverse * np.float32(-1 / fog_metres))
    colors = colors + (fog - colors) * air[..., None]
    target = image[top:bottom, left:right][window]
    target[:] = np.clip(target + (colors - target) * opacity[..., None], 0, 255).astype(np.uint8)


def _per_pixel(numerator: Singles, denominator: Singles, value: Singles | Floats, inverse: Singles | Floats) -> Singles:
    """Return by how much a coordinate of a panel changes from a pixel to the next (h, w), in the steeper direction."""
    along_x = np.abs((numerator[0] - value * denominator[0]) * inverse)
    along_y = np.abs((numerator[1] - value * denominator[1]) * inverse)
    return np.asarray(np.maximum(np.maximum(along_x, along_y), 1e-6), np.float32)


def _sample(texture: Image, u: Singles, v: Singles, across: Singles, down: Singles) -> Singles:
    """Look a repeating texture up at (u, v), which change by `across` and `down` a pixel, from halved copies of it."""
    height, width = texture.shape[:2]
    step_x, step_y = across * np.float32(width), down * np.float32(height)
    level = np.log2(np.maximum(0.6 * np.minimum(step_x, step_y) + 0.4 * np.maximum(step_x, step_y), 1))
    level = np.minimum(level, MAX_LEVELS)
    u, v = u - np.floor(u), v - np.floor(v)
    result = np.zeros((*u.shape, texture.shape[2]), np.float32)
    first, last = int(level.min()), int(np.ceil(level.max()))
    for index in range(last + 1):
        if index >= first:
            weight = np.maximum(1 - np.abs(level - index), 0)
            left, top, wide, tall = cv2.boundingRect((weight > 0).view(np.uint8))
            if wide:
                window = (slice(top, top + tall), slice(left, left + wide))
                lines, columns = texture.shape[:2]
                x, y = (
                    u[window] * np.float32(columns) - np.float32(0.5),
                    v[window] * np.float32(lines) - np.float32(0.5),
                )
                looked_up = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
                result[window] += looked_up * weight[window][..., None]
        half = (max(1, texture.shape[1] // 2), max(1, texture.shape[0] // 2))
        texture = np.asarray(cv2.resize(texture, half, interpolation=cv2.INTER_AREA), np.uint8)
    return result


def _turn(earlier: Camera, later: Camera) -> Floats:
    """Return the matrix (3, 3) from pixels of one camera to those of another for what is far away."""
    to_rays = np.linalg.inv(_intrinsic(earlier) @ earlier.axes())
    turned: Floats = _intrinsic(later) @ later.axes() @ to_rays
    return turned


def _intrinsic(camera: Camera) -> Floats:
    return np.array([[camera.focal, 0, camera.center[0]], [0, camera.focal, camera.center[1]], [0, 0, 1.0]])


def _centred(bend: Floats) -> Floats:
    """Convert a homography of continuous coordinates to one of OpenCV's, whose pixels have their centre at 0."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    centred: Floats = np.linalg.inv(half) @ bend @ half
    return centred
