"""Painting: quads sorted by depth, filled into an image with an id plane beside the colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.data.synth.camera import NEAR, Camera
from actparse.data.synth.mesh import Floats, Mesh, cross, normalised

Image = NDArray[np.uint8]
SHIFT = 3  # fractional bits of a polygon's corners


@dataclass(frozen=True)
class Light:
    """A lamp far away and the light that comes from everywhere, more from above."""

    direction: Floats  # (3,) towards the lamp
    diffuse: float
    ambient: float
    tint: Floats  # (3,) RGB factors


def paint(canvas: Image, mesh: Mesh, camera: Camera, light: Light) -> None:
    """Draw a mesh over `canvas` (H, W, 4): RGB and, in the fourth plane, the id of the nearest surface."""
    pixels, depths = camera.project(mesh.vertices)
    corners = pixels[mesh.quads]  # (Q, 4, 2)
    depth = depths[mesh.quads]  # (Q, 4)
    height, width = canvas.shape[:2]
    a, b = corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]
    faces = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0  # outward quads turn this way in an image whose y points down
    inside = (
        (corners[..., 0].max(axis=1) >= 0)
        & (corners[..., 0].min(axis=1) < width)
        & (corners[..., 1].max(axis=1) >= 0)
        & (corners[..., 1].min(axis=1) < height)
    )
    kept = np.flatnonzero(faces & inside & (depth.min(axis=1) > NEAR))
    order = kept[np.argsort(-depth[kept].mean(axis=1), kind="stable")]
    colors = _shaded(mesh, order, light)  # (P, 3)
    fills = np.concatenate((colors, mesh.ids[order, None]), axis=1).tolist()
    points = np.round(corners[order] * (1 << SHIFT) - (1 << SHIFT) / 2).astype(np.int32)
    fill = cv2.fillConvexPoly
    for polygon, color in zip(points, fills, strict=True):
        fill(canvas, polygon, color, cv2.LINE_8, SHIFT)


def _shaded(mesh: Mesh, order: NDArray[np.int64], light: Light) -> Floats:
    corners = mesh.vertices[mesh.quads[order]]  # (P, 4, 3)
    normals = normalised(cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]))
    lambert = np.clip(normals @ light.direction, 0, 1)
    brightness = light.diffuse * lambert + light.ambient * (0.82 + 0.22 * normals[:, 1])
    return np.clip(mesh.colors[order] * brightness[:, None] * light.tint, 0, 255)


def cast_shadow(image: Image, bones: Floats, radii: Floats, camera: Camera, light: Light, *, strength: float) -> None:
    """Darken the floor of `image` (H, W, 3) under bones (B, 2, 3), world metres, of the given half widths (B,)."""
    height, width = image.shape[:2]
    small = camera.scaled(0.5)
    mask = np.zeros((height // 2, width // 2), np.uint8)
    slope = light.direction / max(float(light.direction[1]), 0.45)
    ground = bones - slope * np.maximum(bones[..., 1:2], 0)  # (B, 2, 3) where the lamp's rays meet the floor
    ground[..., 1] = 0
    pixels, depths = small.project(ground)
    for line, depth, radius in zip(pixels, depths, radii, strict=True):
        if depth.min() > 0.5 and np.abs(line).max() < 4000:
            thickness = max(1, round(1.3 * radius * small.focal / float(depth.mean())))
            start, end = np.round(line).astype(int).tolist()
            cv2.line(mask, start, end, 255, thickness)
    soft = cv2.GaussianBlur(mask, (0, 0), 1.8)
    shade = 1 - strength * cv2.resize(soft, (width, height)).astype(np.float32)[..., None] / 255
    image[:] = (image * shade).astype(np.uint8)
