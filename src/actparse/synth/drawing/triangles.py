"""Triangles with textures and smooth shading: bodies, and all that is drawn together with them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.camera import NEAR, Camera
from actparse.synth.drawing.mesh import Floats, Mesh, cross, normalised
from actparse.synth.drawing.render import SHIFT, Light

Image = NDArray[np.uint8]
Ints = NDArray[np.int64]
MIN_HEIGHT = 1.5  # pixels; a thinner triangle has one colour
TEXTURE_SIDE = 128  # texels of each texture, which repeats in both directions; a power of two


@dataclass(frozen=True)
class Triangles:
    """A surface: `vertices` (V, 3) metres; `faces` (T, 3) indices, counterclockwise from outside.

    `layers` (T,) are indices of textures, `texels` (T, 3, 2) the column and row at each corner, `tints` (T, 3) RGB
    factors in 0..255, `ids` (T,) as in `Rendered.ids`.
    """

    vertices: Floats
    faces: Ints
    layers: Ints
    texels: Floats
    tints: Floats
    ids: NDArray[np.uint8]


def joined_triangles(surfaces: list[Triangles]) -> Triangles:
    """Join one or more surfaces into one."""
    firsts = np.cumsum([0, *(len(surface.vertices) for surface in surfaces[:-1])])
    return Triangles(
        np.concatenate([surface.vertices for surface in surfaces]),
        np.concatenate([surface.faces + first for surface, first in zip(surfaces, firsts, strict=True)]),
        np.concatenate([surface.layers for surface in surfaces]),
        np.concatenate([surface.texels for surface in surfaces]),
        np.concatenate([surface.tints for surface in surfaces]),
        np.concatenate([surface.ids for surface in surfaces]),
    )


def triangulated(mesh: Mesh) -> Triangles:
    """Split the quads of a mesh; without textures of its own it shows layer 0."""
    quads = mesh.quads
    faces = np.stack((quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]), axis=1).reshape(-1, 3)
    quad_texels = np.zeros((len(quads), 5)) if mesh.texels is None else mesh.texels
    left, top, wide, tall = quad_texels[:, 1:].T
    corners = np.stack(
        (
            np.stack((left, top), axis=1),
            np.stack((left + wide, top), axis=1),
            np.stack((left + wide, top + tall), axis=1),
            np.stack((left, top + tall), axis=1),
        ),
        axis=1,
    )  # (Q, 4, 2)
    return Triangles(
        mesh.vertices,
        faces,
        np.repeat(quad_texels[:, 0].astype(np.int64), 2),
        np.stack((corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]), axis=1).reshape(-1, 3, 2),
        np.repeat(mesh.colors, 2, axis=0),
        np.repeat(mesh.ids, 2),
    )


def vertex_normals(vertices: Floats, faces: Ints) -> Floats:
    """Return the mean directions (V, 3) of the triangles around each vertex, weighted by area."""
    corners = vertices[faces.T]  # (3, T, 3)
    outward = cross(corners[1] - corners[0], corners[2] - corners[0])
    sums = [np.bincount(faces.ravel(), np.repeat(outward[:, axis], 3), len(vertices)) for axis in range(3)]
    return normalised(np.stack(sums, axis=1))


def paint_triangles(canvas: Image, surface: Triangles, camera: Camera, light: Light, textures: Image) -> Image:
    """Draw a surface on `canvas` (H, W, 3), the nearest triangles last.

    Args:
        canvas: RGB, drawn into.
        surface: triangles in the world.
        camera: a camera for an image of this size.
        light: see `Light`.
        textures: (L, TEXTURE_SIDE, TEXTURE_SIDE, 3).

    Returns:
        The id plane (H, W), 0 where the canvas is untouched.
    """
    pixels, depths = camera.project(surface.vertices)
    order = _visible_by_depth(pixels, depths, surface.faces, canvas.shape[:2])
    corners = pixels[surface.faces[order]]  # (P, 3, 2)
    points = np.round(corners * (1 << SHIFT) - (1 << SHIFT) / 2).astype(np.int32)
    nearest = np.zeros(canvas.shape[:2], np.int32)  # 1 + the position of the triangle in the order
    fill = cv2.fillConvexPoly
    for index, polygon in enumerate(points, start=1):
        fill(nearest, polygon, index, cv2.LINE_8, SHIFT)
    pixel = np.flatnonzero(nearest)  # (N,)
    position = nearest.ravel()[pixel] - 1
    row, column = np.divmod(pixel.astype(np.int32), np.int32(canvas.shape[1]))
    values = np.concatenate(
        (_brightness(surface, light)[surface.faces[order]][..., None], surface.texels[order]), axis=2
    )  # (P, 3, 3): brightness, column and row at each corner
    slopes = _slopes(corners, values).T.astype(np.float32)  # (9, P)
    planes = [np.take(plane, position) for plane in slopes]
    bright, across, down = (planes[i] * column + planes[i + 1] * row + planes[i + 2] for i in (0, 3, 6))
    mask = TEXTURE_SIDE - 1
    layer = np.take(surface.layers[order].astype(np.int32), position)
    texel = (layer * TEXTURE_SIDE + (down.astype(np.int32) & mask)) * TEXTURE_SIDE + (across.astype(np.int32) & mask)
    tints = (surface.tints[order] * light.tint / 255).astype(np.float32)  # (P, 3)
    colors = np.take(textures.reshape(-1, 3), texel, axis=0) * np.take(tints, position, axis=0)
    colors *= bright[:, None]
    np.clip(colors, 0, 255, out=colors)
    canvas.reshape(-1, 3)[pixel] = colors.astype(np.uint8)
    return np.concatenate((np.zeros(1, np.uint8), surface.ids[order]))[nearest]


def _brightness(surface: Triangles, light: Light) -> Floats:
    """Return the light (V,) on each vertex."""
    normals = vertex_normals(surface.vertices, surface.faces)
    lambert = np.clip(normals @ light.direction, 0, 1)
    brightness: Floats = light.diffuse * lambert + light.ambient * (0.82 + 0.22 * normals[:, 1])
    return brightness


def _slopes(corners: Floats, values: Floats) -> Floats:
    """Return for each value of a triangle its change per column and per row and its value at pixel (0, 0), (P, 9).

    Args:
        corners: (P, 3, 2) pixels, with the corner of the image at 0.
        values: (P, 3, 3) three values at each corner.
    """
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    longest = np.sqrt(np.maximum((first**2).sum(axis=1), (second**2).sum(axis=1)))
    is_thin = np.abs(area) < MIN_HEIGHT * longest  # its values would change too fast from pixel to pixel
    scale = np.where(is_thin, 0.0, 1 / np.where(is_thin, 1.0, area))[:, None]
    rise, rise2 = values[:, 1] - values[:, 0], values[:, 2] - values[:, 0]  # (P, 3)
    per_column = (rise * second[:, 1:] - rise2 * first[:, 1:]) * scale
    per_row = (rise2 * first[:, :1] - rise * second[:, :1]) * scale
    middle = corners.mean(axis=1) - 0.5
    start = values.mean(axis=1) - per_column * middle[:, :1] - per_row * middle[:, 1:]
    return np.stack((per_column, per_row, start), axis=2).reshape(-1, 9)


def _visible_by_depth(pixels: Floats, depths: Floats, faces: Ints, size: tuple[int, ...]) -> Ints:
    """Return the indices (P,) of the triangles that face the camera and overlap the image, the farthest first."""
    height, width = size
    x, y = np.ascontiguousarray(pixels.T)[:, faces.T]  # (3, T) each
    turns = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    inside = (x.max(axis=0) >= 0) & (x.min(axis=0) < width) & (y.max(axis=0) >= 0) & (y.min(axis=0) < height)
    corner_depths = depths[faces.T]
    visible = np.flatnonzero((turns < 0) & inside & (corner_depths.min(axis=0) > NEAR))
    return visible[np.argsort(-corner_depths[:, visible].sum(axis=0), kind="stable")]
