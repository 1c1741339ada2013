"""Shadows of people on the ground: one that the lamp casts, soft or hard, and a dark patch where they touch it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.camera import Camera
from actparse.synth.drawing.mesh import Floats
from actparse.synth.drawing.render import Light

Image = NDArray[np.uint8]
TOUCH_METRES = 0.3  # what is lower darkens the ground below it


def shade_ground(image: Image, bones: Floats, radii: Floats, camera: Camera, light: Light, *, strength: float) -> None:
    """Darken the ground of `image` (H, W, 3) in place under bones (B, 2, 3), world metres, with half widths (B,)."""
    height, width = image.shape[:2]
    half = camera.scaled(0.5)
    mask = np.zeros(((height + 1) // 2, (width + 1) // 2), np.uint8)
    slope = light.direction / max(float(light.direction[1]), 0.4)
    _draw_lines(mask, bones - slope * np.maximum(bones[..., 1:2], 0), radii, half, round(255 * strength))
    softness = 0.6 + 3.0 * light.ambient / (light.ambient + light.diffuse)
    cast = cv2.GaussianBlur(mask, (0, 0), softness * height / 240)
    mask[:] = 0
    is_low = bones[..., 1].min(axis=1) < TOUCH_METRES
    _draw_lines(mask, bones[is_low] * [1.0, 0, 1.0], radii[is_low] * 1.4, half, 130)
    touch = cv2.GaussianBlur(mask, (0, 0), 1.6 * height / 240)
    dark = np.asarray(cv2.resize(cv2.add(cast, touch), (width, height)), np.uint8)
    left, top, across, down = cv2.boundingRect(dark)
    if across:
        window = image[top : top + down, left : left + across]
        share = cv2.cvtColor(cv2.bitwise_not(dark[top : top + down, left : left + across]), cv2.COLOR_GRAY2RGB)
        window[:] = cv2.multiply(window, share, scale=1 / 255)


def _draw_lines(mask: Image, bones: Floats, radii: Floats, camera: Camera, tone: int) -> None:
    ground = bones.copy()
    ground[..., 1] = 0
    pixels, depths = camera.project(ground)
    for line, depth, radius in zip(pixels, depths, radii, strict=True):
        if depth.min() > 0.5 and np.abs(line).max() < 4000:
            thickness = max(1, round(1.3 * radius * camera.focal / float(depth.mean())))
            start, end = np.round(line).astype(int).tolist()
            cv2.line(mask, start, end, tone, thickness)
