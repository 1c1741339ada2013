"""Garments that hang over a body: skirts, dresses and loose shirts, as rings of vertices with skinning weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from scipy.spatial import cKDTree

from actparse.core.vocabulary import PARTS
from actparse.synth.drawing.mesh import Floats
from actparse.synth.people.shape import Shape, body_model

SIDES = 26  # of a ring
RING_METRES = 0.045  # from one ring to the next, about
SLAB_METRES = 0.03  # above and below a ring, where the body determines its width
NUM_NEAREST = 24  # vertices of the body whose weights a vertex of a garment takes
EASE = 0.012  # metres between body and cloth
LEAST_RADIUS = 0.05  # metres, where a ring is below the feet
HIP_METRES = 0.12  # under the hips, over which cloth leaves the body
TORSO_ROWS = (0.62, -0.12)  # metres above the hips of the first and last row of the textures
TRUNK_PARTS = (PARTS.index("hip") + 1, PARTS.index("left_leg") + 1, PARTS.index("right_leg") + 1, len(PARTS) + 1)


@dataclass(frozen=True)
class Garment:
    """A piece of cloth at rest; G vertices, B bones of the body, T triangles of its outside, then of its inside."""

    vertices: Floats  # (G, 3)
    weights: csr_matrix  # (G, B)
    faces: NDArray[np.int64]  # (T, 3)
    texels: Floats  # (T, 3, 2) column and row at each corner, in repeats of the texture
    parts: NDArray[np.int64]  # (T,) the parts of the body under it, 1..10 in the order of PARTS, 11 the trunk


@dataclass(frozen=True, kw_only=True)
class Cut:
    """The form of a garment."""

    top: float  # metres above the hips of the person of scale 1
    bottom: float  # the same
    flare: float  # metres by which the radius grows for each metre down from the hips
    ease: float = EASE  # metres between the body and the cloth at the top
    pleats: int = 0  # number of folds around the hem, at most SIDES / 3
    depth: float = 0.0  # of the folds at the hem, metres


def hang(shape: Shape, vertices: Floats, cut: Cut) -> Garment:
    """Lay a garment around a body at rest.

    Args:
        shape: the body.
        vertices: (V, 3) its surface in the clothes beneath.
        cut: the form.
    """
    model, scale = body_model(), shape.sizes.scale
    body_parts = np.full(len(vertices), len(PARTS) + 1)
    body_parts[model.levels[0].faces] = model.levels[0].parts[:, None]
    beneath = np.flatnonzero(np.isin(body_parts, TRUNK_PARTS))
    body = vertices[beneath]
    hips = float(shape.points["upperleg01.L"][1] + shape.points["upperleg01.R"][1]) / 2
    num_rings = max(3, round((cut.top - cut.bottom) / RING_METRES))
    heights = np.linspace(cut.top, cut.bottom, num_rings)  # metres above the hips at scale 1
    points = rings(body, hips + heights * scale, heights, scale, cut).reshape(-1, 3)
    nearest = beneath[cKDTree(body).query(points, k=NUM_NEAREST)[1]]  # (G, NUM_NEAREST)
    weights = mean_weights(nearest, model.weights, num_rings)
    faces, texels = tube(heights)
    near = body_parts[nearest][faces].reshape(len(faces), -1)  # (T, 3 * NUM_NEAREST) parts
    counts = np.stack([(near == part).sum(axis=1) for part in TRUNK_PARTS], axis=1)
    parts = np.asarray(TRUNK_PARTS)[counts.argmax(axis=1)]  # the most frequent one
    inner = faces[:, ::-1] + len(points)  # with separate vertices, whose normals point inwards
    return Garment(
        np.concatenate((points, points)),
        csr_matrix(vstack((weights, weights))),
        np.concatenate((faces, inner)),
        np.concatenate((texels, texels[:, ::-1])),
        np.concatenate((parts, parts)),
    )


def rings(body: Floats, levels: Floats, heights: Floats, scale: float, cut: Cut) -> Floats:
    """Place the vertices (R, SIDES, 3) of rings around a body; cloth falls straight down from the widest one.

    Args:
        body: (N, 3) vertices of trunk and legs at rest.
        levels: (R,) y of the rings, metres, from the top.
        heights: (R,) the same above the hips, at scale 1.
        scale: of the body.
        cut: the form.
    """
    angles = np.arange(SIDES) * (2 * np.pi / SIDES)
    directions = np.stack((np.sin(angles), np.cos(angles)), axis=1)  # (SIDES, 2) x, z; the first is the front
    hips = float(levels[0]) - float(heights[0]) * scale
    center_z = float(body[np.abs(body[:, 1] - hips) < SLAB_METRES * scale, 2].mean())
    radii = np.zeros((len(levels), SIDES))
    for ring, level in enumerate(levels):
        slab = body[np.abs(body[:, 1] - level) < SLAB_METRES * scale][:, [0, 2]] - (0.0, center_z)
        reach = np.einsum("nc,sc->ns", slab, directions, optimize=False)
        radii[ring] = reach.max(axis=0, initial=LEAST_RADIUS * scale)
    below = np.maximum(-heights, 0)[:, None]  # metres under the hips
    share = np.clip(below / HIP_METRES, 0, 1)
    radii = (1 - share) * radii + share * np.maximum.accumulate(radii, axis=0)
    folds = np.cos(cut.pleats * angles) * cut.depth * np.linspace(0, 1, len(levels))[:, None] ** 2
    closing = np.minimum(np.arange(len(levels)) / 2, 1)[:, None]  # the top edge lies on the body
    radii += (cut.ease * closing + cut.flare * below + folds) * scale
    x, z = radii * directions[:, 0], center_z + radii * directions[:, 1]
    return np.stack((x, np.broadcast_to(levels[:, None], radii.shape), z), axis=2)


def mean_weights(nearest: NDArray[np.int64], body_weights: csr_matrix, num_rings: int) -> csr_matrix:
    """Return the skinning weights (G, B) of vertices: the mean of the nearest ones (G, K) of the body, smoothed."""
    count, num_nearest = nearest.shape
    offsets = np.arange(count + 1) * num_nearest
    mean = csr_matrix(
        (np.full(nearest.size, 1 / num_nearest), nearest.ravel(), offsets), (count, body_weights.shape[0])
    )
    weights = csr_matrix(mean @ body_weights)
    index = np.arange(count).reshape(num_rings, SIDES)
    for _ in range(2):  # the cloth between the legs follows both
        steps = [np.roll(index, shift, axis=1).ravel() for shift in (-2, -1, 0, 1, 2)]
        weights = csr_matrix(sum(weights[step] for step in steps) / len(steps))
    return weights


def tube(heights: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return triangles (T, 3) between rings, and their texels (T, 3, 2) on a texture with the rows of TORSO_ROWS."""
    index = np.arange(len(heights) * SIDES).reshape(-1, SIDES)
    right = np.roll(index, -1, axis=1)
    quads = np.stack((index[:-1], index[1:], right[1:], right[:-1]), axis=2).reshape(-1, 4)
    faces = np.stack((quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]), axis=1).reshape(-1, 3)
    first, last = TORSO_ROWS
    lines = (heights - first) / (last - first)  # (R,)
    columns = np.arange(SIDES + 1) / SIDES + 0.5  # the middle of a texture is in front
    corner = np.stack(np.broadcast_arrays(columns[None], lines[:, None]), axis=2)  # (R, SIDES + 1, 2)
    square = np.stack((corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]), axis=2).reshape(-1, 4, 2)
    return faces, np.stack((square[:, [0, 1, 2]], square[:, [0, 2, 3]]), axis=1).reshape(-1, 3, 2)
