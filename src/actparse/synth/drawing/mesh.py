"""Meshes of quads with round cross-sections, from which bodies, props and furniture are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import Tube

Floats = NDArray[np.float64]
NO_PERSON = 255  # id of surfaces that belong to nobody but hide people


@dataclass(frozen=True)
class Mesh:
    """Quads in one frame: `vertices` (V, 3) metres; `quads` (Q, 4) indices; `colors` (Q, 3) RGB; `ids` (Q,) uint8.

    `texels` (Q, 5), in the look "varied": the index of a texture, its column and row at the first corner of the quad,
    and the distances in columns and rows to the opposite corner. None: every quad has one colour.
    """

    vertices: Floats
    quads: NDArray[np.int64]
    colors: Floats
    ids: NDArray[np.uint8]
    texels: Floats | None = None


def ring_quads(num_rings: int, sides: int, first: int = 0) -> NDArray[np.int64]:
    """Return the quads between neighbouring rings, ((num_rings - 1) * sides, 4) indices, facing outwards."""
    ring = np.arange(num_rings - 1)[:, None] * sides
    side = np.arange(sides)[None]
    next_side = (side + 1) % sides
    quads = np.stack((ring + side, ring + next_side, ring + sides + next_side, ring + sides + side), axis=-1)
    return first + quads.reshape(-1, 4)


def circle(sides: int) -> tuple[Floats, Floats]:
    """Return cosine and sine of evenly spaced angles, (sides,) each."""
    angles = 2 * np.pi * np.arange(sides) / sides
    return np.cos(angles), np.sin(angles)


def normalised(vectors: Floats) -> Floats:
    """Scale vectors (..., 3) to length 1; zero vectors stay zero."""
    lengths = np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
    unit: Floats = vectors / np.maximum(lengths, 1e-9)
    return unit


def cross(a: Floats, b: Floats) -> Floats:
    """Return the cross product of vectors (..., 3); faster than that of numpy for small arrays."""
    if a.ndim == b.ndim == 1:  # plain floats are ten times as fast as arrays of one value
        (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
        return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
    x1, y1, z1 = a[..., 0], a[..., 1], a[..., 2]
    x2, y2, z2 = b[..., 0], b[..., 1], b[..., 2]
    return np.stack((y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2), axis=-1)


def tube_mesh(tube: Tube, surface_id: int = NO_PERSON) -> Mesh:
    """Build the surface of a tube with one id along its path, closed where its radius is almost 0."""
    path = np.asarray(tube.path, np.float64)
    steps = np.diff(path, axis=0)
    tangents = normalised(np.concatenate((steps[:1], steps[:-1] + steps[1:], steps[-1:])))  # (K, 3)
    is_degenerate = (tangents**2).sum(axis=1) < 0.5  # two rings at one point: use the direction of the path
    tangents[is_degenerate] = normalised(path[-1] - path[0])
    reference = np.where(np.abs(tangents[:, 1:2]) > 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    if tube.flat != 1:
        reference = np.broadcast_to(np.array(tube.up), tangents.shape)
    u = normalised(cross(reference, tangents))
    v = tube.flat * cross(tangents, u)
    cos, sin = circle(tube.sides)
    rings = cos[None, :, None] * u[:, None] + sin[None, :, None] * v[:, None]  # (K, S, 3)
    vertices = path[:, None] + np.asarray(tube.radii, np.float64)[:, None, None] * rings
    quads = ring_quads(len(path), tube.sides)
    colors = np.broadcast_to(np.asarray(tube.color, np.float64), (len(quads), 3))
    return Mesh(vertices.reshape(-1, 3), quads, colors, np.full(len(quads), surface_id, np.uint8))


def box_mesh(center: Floats, size: Floats, color: Floats) -> Mesh:
    """Build an upright box: `center` (3,), `size` (3,) metres."""
    corners = np.array(
        [[x, y, z] for y in (-0.5, 0.5) for x, z in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))]
    )
    quads = np.array([[0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7], [4, 5, 6, 7], [3, 2, 1, 0]])
    colors = np.broadcast_to(np.asarray(color, np.float64), (6, 3))
    return Mesh(center + corners * size, quads, colors, np.full(6, NO_PERSON, np.uint8))


def moved(mesh: Mesh, rotation: Floats, offset: Floats) -> Mesh:
    """Rotate a mesh by (3, 3), then shift it by (3,)."""
    return Mesh(mesh.vertices @ rotation.T + offset, mesh.quads, mesh.colors, mesh.ids, mesh.texels)


def joined(meshes: list[Mesh]) -> Mesh:
    """Join one or more meshes into one."""
    firsts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    texels = [mesh.texels for mesh in meshes if mesh.texels is not None]
    if len(texels) not in (0, len(meshes)):
        raise AssertionError("some meshes have textures and some have none")
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.quads + first for mesh, first in zip(meshes, firsts, strict=True)]),
        np.concatenate([mesh.colors for mesh in meshes]),
        np.concatenate([mesh.ids for mesh in meshes]),
        np.concatenate(texels) if texels else None,
    )


def textured(mesh: Mesh, layer: int, *, texels: float = 24.0) -> Mesh:
    """Add texture `layer` to a mesh; each quad shows a square of `texels` texels."""
    if mesh.texels is not None:
        return mesh
    quad_texels = np.tile([float(layer), 0.0, 0.0, texels, texels], (len(mesh.quads), 1))
    quad_texels[:, 1] = np.arange(len(mesh.quads)) * 7.0  # neighbouring quads show different pieces of the texture
    return Mesh(mesh.vertices, mesh.quads, mesh.colors, mesh.ids, quad_texels)
