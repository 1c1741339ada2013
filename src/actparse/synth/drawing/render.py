"""Painting: quads sorted by depth, filled into an image and into an id plane."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.camera import NEAR, Camera
from actparse.synth.drawing.mesh import Floats, Mesh, cross, normalised

Image = NDArray[np.uint8]
SHIFT = 3  # fractional bits of a polygon's corners


@dataclass(frozen=True)
class Light:
    """A distant lamp, and ambient light that is stronger from above."""

    direction: Floats  # (3,) towards the lamp
    diffuse: float
    ambient: float
    tint: Floats  # (3,) RGB factors


def paint(canvas: Image, mesh: Mesh, camera: Camera, light: Light) -> None:
    """Draw a mesh on `canvas` (H, W, 4): RGB and, in the fourth plane, the id of the nearest surface."""
    pixels, depths = camera.project(mesh.vertices)
    visible = _visible(pixels, depths, mesh.quads, canvas.shape[:2])
    order = visible[np.argsort(-depths[mesh.quads[visible]].mean(axis=1), kind="stable")]
    colors = _quad_colors(mesh, order, light)  # (P, 3)
    fills = np.concatenate((colors, mesh.ids[order, None]), axis=1).tolist()
    corners = pixels[mesh.quads[order]]  # (P, 4, 2)
    points = np.round(corners * (1 << SHIFT) - (1 << SHIFT) / 2).astype(np.int32)
    fill = cv2.fillConvexPoly
    for polygon, color in zip(points, fills, strict=True):
        fill(canvas, polygon, color, cv2.LINE_8, SHIFT)


def paint_textured(canvas: Image, mesh: Mesh, camera: Camera, light: Light, textures: Image) -> Image:
    """Draw a mesh with textures and smooth shading on `canvas` (H, W, 3).

    Args:
        canvas: RGB, drawn into.
        mesh: with `texels`.
        camera: a camera for an image of this size.
        light: see `Light`.
        textures: (L, S, S, 3), repeated in both directions; S is a power of two.

    Returns:
        The id plane (H, W), 0 where the canvas is untouched.
    """
    assert mesh.texels is not None, "a mesh without textures"
    pixels, depths = camera.project(mesh.vertices)
    visible = _visible(pixels, depths, mesh.quads, canvas.shape[:2])
    order = visible[np.argsort(-depths[mesh.quads[visible]].mean(axis=1), kind="stable")]
    corners = pixels[mesh.quads[order]]  # (P, 4, 2)
    points = np.round(corners * (1 << SHIFT) - (1 << SHIFT) / 2).astype(np.int32)
    nearest = np.zeros(canvas.shape[:2], np.int32)  # 1 + the position of the quad in the order
    fill = cv2.fillConvexPoly
    for quad_number, polygon in enumerate(points, start=1):
        fill(nearest, polygon, quad_number, cv2.LINE_8, SHIFT)
    pixel = np.flatnonzero(nearest)  # (N,)
    quad = nearest.ravel()[pixel] - 1
    row_indices, column_indices = np.divmod(pixel.astype(np.int32), np.int32(canvas.shape[1]))
    canvas.reshape(-1, 3)[pixel] = _pixel_colors(
        mesh, order, corners, quad, row_indices, column_indices, light, textures
    )
    return np.concatenate((np.zeros(1, np.uint8), mesh.ids[order]))[nearest]


def _pixel_colors(
    mesh: Mesh,
    order: NDArray[np.int64],
    corners: Floats,
    quad: NDArray[np.int32],
    row_indices: NDArray[np.int32],
    column_indices: NDArray[np.int32],
    light: Light,
    textures: Image,
) -> Image:
    """Return the colours (N, 3) of pixels that show the quads `quad` (N,), positions in `order`."""
    assert mesh.texels is not None
    middle = corners.mean(axis=1)  # (P, 2)
    u = (corners[:, 1] - corners[:, 0] + corners[:, 2] - corners[:, 3]) / 2
    v = (corners[:, 3] - corners[:, 0] + corners[:, 2] - corners[:, 1]) / 2
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    area = np.where(np.abs(area) < 1e-3, 1e-3, area)
    bright = _vertex_brightness(mesh, light)[mesh.quads[order]]  # (P, 4)
    table = np.concatenate(
        (
            np.stack((v[:, 1], -v[:, 0], -u[:, 1], u[:, 0]), axis=1) / area[:, None],
            middle - 0.5,
            mesh.texels[order],
            bright[:, :1],
            bright[:, 1:2] - bright[:, :1],
            bright[:, 3:] - bright[:, :1],
        ),
        axis=1,
    )
    a, b, c, d, x, y, layer, left, top, wide, tall, level, along, up = (
        np.take(column, quad) for column in np.ascontiguousarray(table.T, np.float32)
    )
    x, y = column_indices - x, row_indices - y
    s = np.clip(a * x + b * y + np.float32(0.5), 0, 1)
    t = np.clip(c * x + d * y + np.float32(0.5), 0, 1)
    side = textures.shape[1]
    column = (left + s * wide).astype(np.int32) & (side - 1)
    row = (top + t * tall).astype(np.int32) & (side - 1)
    texel = (layer.astype(np.int32) * side + row) * side + column
    brightness = level + s * along + t * up
    tints = (mesh.colors[order] * light.tint / 255).astype(np.float32)  # (P, 3)
    colors = np.take(textures.reshape(-1, 3), texel, axis=0) * np.take(tints, quad, axis=0)
    colors *= brightness[:, None]
    np.minimum(colors, 255, out=colors)  # no value is below 0
    return np.asarray(colors, np.uint8)


def _vertex_brightness(mesh: Mesh, light: Light) -> Floats:
    """Return the light (V,) on each vertex, from the mean direction of the quads around it."""
    corners = mesh.vertices[mesh.quads]  # (Q, 4, 3)
    # (Q, 3) with a length proportional to the area of the quad
    outward = cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    vertex_indices, count = mesh.quads.ravel(), len(mesh.vertices)
    sums = [np.bincount(vertex_indices, np.repeat(outward[:, axis], 4), count) for axis in range(3)]
    normals = normalised(np.stack(sums, axis=1))
    lambert = np.clip(normals @ light.direction, 0, 1)
    brightness: Floats = light.diffuse * lambert + light.ambient * (0.82 + 0.22 * normals[:, 1])
    return brightness


def _visible(pixels: Floats, depths: Floats, quads: NDArray[np.int64], size: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the indices (K,) of the quads that face the camera, are in front of it, and overlap the image."""
    height, width = size
    x, y = np.ascontiguousarray(pixels.T)[:, quads.T]  # (4, Q) each: a few long rows are fast to reduce
    turns = (x[2] - x[0]) * (y[3] - y[1]) - (y[2] - y[0]) * (x[3] - x[1])
    is_facing = turns < 0  # the sign of outward quads in an image whose y axis points down
    is_inside = (x.max(axis=0) >= 0) & (x.min(axis=0) < width) & (y.max(axis=0) >= 0) & (y.min(axis=0) < height)
    return np.flatnonzero(is_facing & is_inside & (depths[quads.T].min(axis=0) > NEAR))


def _quad_colors(mesh: Mesh, order: NDArray[np.int64], light: Light) -> Floats:
    corners = mesh.vertices[mesh.quads[order]]  # (P, 4, 3)
    normals = normalised(cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]))
    lambert = np.clip(normals @ light.direction, 0, 1)
    brightness = light.diffuse * lambert + light.ambient * (0.82 + 0.22 * normals[:, 1])
    return np.clip(mesh.colors[order] * brightness[:, None] * light.tint, 0, 255)


def cast_shadow(image: Image, bones: Floats, radii: Floats, camera: Camera, light: Light, *, strength: float) -> None:
    """Darken the floor of `image` (H, W, 3) under bones (B, 2, 3), world metres, with half widths (B,)."""
    height, width = image.shape[:2]
    small = camera.scaled(0.5)
    mask = np.zeros((height // 2, width // 2), np.uint8)
    slope = light.direction / max(float(light.direction[1]), 0.45)
    ground = bones - slope * np.maximum(bones[..., 1:2], 0)  # (B, 2, 3) intersections of the lamp's rays with the floor
    ground[..., 1] = 0
    pixels, depths = small.project(ground)
    for line, depth, radius in zip(pixels, depths, radii, strict=True):
        if depth.min() > 0.5 and np.abs(line).max() < 4000:
            thickness = max(1, round(1.3 * radius * small.focal / float(depth.mean())))
            start, end = np.round(line).astype(int).tolist()
            cv2.line(mask, start, end, 255, thickness)
    soft = cv2.resize(cv2.GaussianBlur(mask, (0, 0), 1.8), (width, height))
    left, top, across, down = cv2.boundingRect(soft)
    window = (slice(top, top + down), slice(left, left + across))
    shade = 1 - strength * soft[window].astype(np.float32)[..., None] / 255
    image[window] = (image[window] * shade).astype(np.uint8)
