"""Layers over the picture in the look "varied": objects close to the camera, captions, letterbox bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.mesh import NO_PERSON, Floats
from actparse.synth.drawing.texture import any_color, draw_limb, skin_color, surface

Image = NDArray[np.uint8]
Size = tuple[int, int]
MAX_COVERED = 0.45  # share of the frame; a layer that hides more is dropped


@dataclass(frozen=True)
class Overlay:
    """A picture (H, W, 3) with its opaque pixels (H, W) bool; it slides by up to `slide` (2,) pixels in `seconds`."""

    image: Image
    opaque: NDArray[np.bool_]
    slide: Floats
    seconds: float = 5.0

    def shift_at(self, time_seconds: float) -> NDArray[np.int64]:
        """Return by how many pixels (x, y) it has moved at a time."""
        shift = np.round(self.slide * np.sin(time_seconds / self.seconds * 2 * np.pi))
        return np.asarray(shift, np.int64)

    def put(self, image: Image, ids: Image, time_seconds: float) -> None:
        """Draw the overlay on an image (H, W, 3) and mark its pixels in the id plane (H, W), both in place."""
        shift = self.shift_at(time_seconds)
        source, target = zip(*(_overlap_slices(int(by)) for by in shift[::-1]), strict=True)  # rows, columns
        opaque = self.opaque[source]
        image[target][opaque] = self.image[source][opaque]
        ids[target][opaque] = NO_PERSON


def _overlap_slices(shift: int) -> tuple[slice, slice]:
    """Return the slice of an axis that stays inside after a shift, and its new position."""
    if shift >= 0:
        return slice(None, -shift or None), slice(shift, None)
    return slice(-shift, None), slice(None, shift)


def draw_overlays(
    rng: np.random.Generator, size: Size, people: Floats, *, occluder_share: float, is_video: bool = False
) -> list[Overlay]:
    """Draw the occluders in front of people and the text or bars over the picture.

    Args:
        rng: random generator.
        size: (height, width), pixels.
        people: (K, 2) keypoints of the people, pixels; each occluder is placed near one of them.
        occluder_share: probability of an occluder.
        is_video: whether the occluders are those of the look "video", without text or bars.
    """
    overlays = []
    kinds = VIDEO_OCCLUDERS if is_video else OCCLUDERS
    inside = people[(people >= 0).all(axis=1) & (people < np.array(size[::-1])).all(axis=1)]
    if len(inside) and rng.random() < occluder_share:
        for _ in range(int(rng.integers(1, 3))):
            build = kinds[rng.integers(len(kinds))]
            slide = rng.normal(0, 0.08 * min(size), 2) if rng.random() < 0.5 else np.zeros(2)
            overlays.append(_overlay(rng, size, build, inside[rng.integers(len(inside))], slide))
    for build, share in () if is_video else ((_caption, 0.15), (_letterbox, 0.08)):
        if rng.random() < share:
            overlays.append(_overlay(rng, size, build, np.zeros(2), np.zeros(2)))
    return [overlay for overlay in overlays if 0 < overlay.opaque.mean() < MAX_COVERED]


# random generator, image, mask (H, W) 0 or 255, position
Draw = Callable[[np.random.Generator, Image, Image, Floats], None]


def _overlay(rng: np.random.Generator, size: Size, draw: Draw, position: Floats, slide: Floats) -> Overlay:
    image = np.zeros((*size, 3), np.uint8)
    mask = np.zeros(size, np.uint8)
    draw(rng, image, mask, position)
    return Overlay(image, mask > 0, slide)


def _box(rng: np.random.Generator, image: Image, mask: Image, position: Floats) -> None:
    """Draw furniture, the edge of a wall or a sign: a rotated rectangle beside or over the point."""
    reach = min(mask.shape) * rng.uniform(0.06, 0.5, 2)
    center = position + rng.normal(0, 0.5, 2) * reach
    angle = 0.0 if rng.random() < 0.6 else float(rng.uniform(0, 90))
    corners = cv2.boxPoints((tuple(center.tolist()), tuple(reach.tolist()), angle))
    cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 255)
    image[:] = surface(rng, mask.shape)


def _bars(rng: np.random.Generator, image: Image, mask: Image, position: Floats) -> None:
    """Draw a fence, a cage, a rail or a pole."""
    reach = 2 * max(mask.shape)
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)]) + rng.normal(0, 0.03)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    width = int(rng.integers(1, max(3, min(mask.shape) // 14)))
    count = int(rng.choice([1, 1, 2, 5]))
    gap = width + rng.uniform(0.05, 0.3) * min(mask.shape)
    color = any_color(rng)
    for index in range(count):
        middle = position + across * gap * (index - count // 2)
        start, end = (np.round(middle + sign * reach * along).astype(int).tolist() for sign in (-1, 1))
        for plane, ink in ((mask, 255), (image, np.clip(color * rng.uniform(0.8, 1.2), 0, 255).tolist())):
            cv2.line(plane, start, end, ink, width)


def _foliage(rng: np.random.Generator, image: Image, mask: Image, position: Floats) -> None:
    reach = min(mask.shape) * rng.uniform(0.08, 0.25)
    base = np.array([rng.uniform(40, 130), rng.uniform(70, 160), rng.uniform(30, 90)])
    for _ in range(int(rng.integers(15, 90))):
        center = np.round(position + rng.normal(0, reach, 2)).astype(int).tolist()
        axes = (int(rng.integers(2, 12)), int(rng.integers(1, 6)))
        angle = float(rng.uniform(0, 180))
        leaf = np.clip(base * rng.uniform(0.5, 1.5), 0, 255).tolist()
        for plane, ink in ((mask, 255), (image, leaf)):
            cv2.ellipse(plane, center, axes, angle, 0.0, 360.0, ink, -1)


def _limb(rng: np.random.Generator, image: Image, mask: Image, position: Floats) -> None:
    """Draw an arm or a leg of a person close to the camera."""
    for _ in range(int(rng.integers(1, 3))):
        limb = np.zeros_like(image)
        draw_limb(
            rng, limb, position + rng.normal(0, 0.15, 2) * min(mask.shape), min(mask.shape) * rng.uniform(0.25, 0.8)
        )
        is_limb = limb.any(axis=2)
        image[is_limb] = limb[is_limb]
        mask[is_limb] = 255


def _blob(rng: np.random.Generator, image: Image, mask: Image, position: Floats) -> None:
    """Draw a head or shoulder, a ball or a pot: an ellipse."""
    axes = np.maximum(2, np.round(min(mask.shape) * rng.uniform(0.04, 0.22, 2))).astype(int).tolist()
    center = np.round(position + rng.normal(0, 12, 2)).astype(int).tolist()
    cv2.ellipse(mask, center, axes, float(rng.uniform(0, 180)), 0.0, 360.0, 255, -1)
    image[:] = surface(rng, mask.shape)


def _onlooker(rng: np.random.Generator, image: Image, mask: Image, position: Floats) -> None:
    """Draw the head and the shoulders of somebody in front of the camera, out of focus, at the lower border."""
    height, width = mask.shape
    radius = round(min(height, width) * rng.uniform(0.09, 0.2))
    x, y = round(float(position[0])), height - round(radius * rng.uniform(0.0, 1.6))
    cloth, hair = any_color(rng) * rng.uniform(0.3, 1.0), skin_color(rng) * rng.uniform(0.1, 0.9)
    shapes = (((x, y + round(2.6 * radius)), (round(2.3 * radius), round(1.7 * radius)), cloth),
              ((x, y), (round(0.8 * radius), radius), hair))  # fmt: skip
    for center, axes, color in shapes:
        for plane, ink in ((mask, 255), (image, color.tolist())):
            cv2.ellipse(plane, center, axes, 0.0, 0.0, 360.0, ink, -1)
    image[:] = cv2.GaussianBlur(image, (0, 0), radius * 0.12)


def _doorway(rng: np.random.Generator, image: Image, mask: Image, position: Floats) -> None:
    """Draw the edge of a wall, a door or a machine close to the camera: it covers one side of the frame."""
    height, width = mask.shape
    reach, lean = round(width * rng.uniform(0.05, 0.3)), round(rng.normal(0, 0.03) * width)
    left = bool(position[0] < width / 2)
    rim = (reach, reach + lean) if left else (width - reach, width - reach + lean)
    side = 0 if left else width
    corners = np.array([[side, 0], [rim[0], 0], [rim[1], height], [side, height]])
    cv2.fillConvexPoly(mask, corners.astype(np.int32), 255)
    image[:] = cv2.GaussianBlur(surface(rng, mask.shape), (0, 0), min(height, width) / 80)


def _caption(rng: np.random.Generator, image: Image, mask: Image, position: Floats) -> None:
    """Draw lines of text with or without a box behind them, or a logo in a corner."""
    height, width = mask.shape
    scale = float(rng.uniform(0.35, 1.1) * height / 240)
    thick = int(rng.integers(1, 3))
    font = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX]))
    for _ in range(int(rng.integers(1, 3))):
        letters = [chr(int(code)) for code in rng.integers(65, 91, int(rng.integers(4, 22)))]
        text = "".join(" " if rng.random() < 0.15 else letter for letter in letters)
        (text_width, text_height), baseline = cv2.getTextSize(text, font, scale, thick)
        x = int(rng.integers(0, max(1, width - min(text_width, width // 2))))
        y = int(rng.choice([text_height + 4, height - baseline - 4, rng.integers(text_height, height)]))
        ink, paper = any_color(rng).tolist(), any_color(rng).tolist()
        if rng.random() < 0.4:
            corners = (x - 4, y - text_height - 4), (x + text_width + 4, y + baseline + 2)
            for plane, color in ((mask, 255), (image, paper)):
                cv2.rectangle(plane, *corners, color, -1)
        for plane, color in ((mask, 255), (image, ink)):
            cv2.putText(plane, text, (x, y), font, scale, color, thick)


def _letterbox(rng: np.random.Generator, image: Image, mask: Image, position: Floats) -> None:
    """Draw bars of one colour above and below, or left and right."""
    share = rng.uniform(0.05, 0.17)
    if rng.random() < 0.5:
        bar = max(1, round(mask.shape[0] * share))
        mask[:bar] = mask[-bar:] = 255
    else:
        bar = max(1, round(mask.shape[1] * share))
        mask[:, :bar] = mask[:, -bar:] = 255
    image[:] = 0 if rng.random() < 0.8 else any_color(rng)


OCCLUDERS: tuple[Draw, ...] = (_box, _box, _bars, _bars, _foliage, _limb, _limb, _blob)
VIDEO_OCCLUDERS: tuple[Draw, ...] = (_bars, _doorway, _limb, _onlooker, _onlooker)
