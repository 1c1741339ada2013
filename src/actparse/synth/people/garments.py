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
    pleats: int = 0  # number of folds around the hem
    depth: float = 0.0  # of the folds at the hem, metres


def hang(shape: Shape, vertices: Floats, cut: Cut) -> Garment:
    """Lay a garment around a body at rest.

    Args:
        shape: the body.
        vertices: (V, 3) its surface in the clothes beneath.
        cut: the form.
    """
    model, scale = body_model(), shape.sizes.scale
    finest = model.levels[0]
    body_parts = np.full(len(vertices), len(PARTS) + 1)
    body_parts[finest.faces] = finest.parts[:, None]
    beneath = np.flatnonzero(np.isin(body_parts, TRUNK_PARTS))
    body = vertices[beneath]
    hips = float(shape.points["upperleg01.L"][1] + shape.points["upperleg01.R"][1]) / 2
    num_rings = max(3, round((cut.top - cut.bottom) / RING_METRES))
    heights = hips + np.linspace(cut.top, cut.bottom, num_rings) * scale
    angles = np.arange(SIDES) * (2 * np.pi / SIDES)
    directions = np.stack((np.sin(angles), np.cos(angles)), axis=1)  # (SIDES, 2) x, z; the first is the front
    center = np.array([0.0, float(body[np.abs(body[:, 1] - hips) < SLAB_METRES * scale, 2].mean())])
    radii = np.zeros((num_rings, SIDES))
    for ring, height in enumerate(heights):
        slab = body[np.abs(body[:, 1] - height) < SLAB_METRES * scale][:, [0, 2]] - center
        radii[ring] = (slab @ directions.T).max(axis=0, initial=0.05 * scale)
    below = np.maximum(0, hips / scale - heights / scale)  # metres
    hanging = np.maximum.accumulate(radii, axis=0)  # cloth falls straight down from the widest ring above it
    share = np.clip(below / 0.12, 0, 1)[:, None]
    radii = (1 - share) * radii + share * hanging
    folds = np.cos(cut.pleats * angles) * cut.depth * np.linspace(0, 1, num_rings)[:, None] ** 2
    closing = np.minimum(np.arange(num_rings) / 2, 1)[:, None]  # the top edge lies on the body
    radii += (cut.ease * closing + cut.flare * below[:, None] + folds) * scale
    points = np.stack(
        (
            center[0] + radii * directions[:, 0],
            np.broadcast_to(heights[:, None], radii.shape),
            center[1] + radii * directions[:, 1],
        ),
        axis=2,
    ).reshape(-1, 3)
    nearest = cKDTree(body).query(points, k=NUM_NEAREST)[1]  # (G, NUM_NEAREST)
    mean = csr_matrix(
        (
            np.full(nearest.size, 1 / NUM_NEAREST),
            beneath[nearest].ravel(),
            np.arange(len(points) + 1) * NUM_NEAREST,
        ),
        shape=(len(points), len(vertices)),
    )
    weights = _smoothed(csr_matrix(mean @ model.weights), num_rings)
    faces, texels = _tube(num_rings, heights, hips, scale, radii)
    parts = _majority(body_parts[beneath[nearest]], faces)
    inner = faces[:, ::-1] + len(points)  # with vertices of its own, whose normals point inwards
    return Garment(
        np.concatenate((points, points)),
        csr_matrix(vstack((weights, weights))),
        np.concatenate((faces, inner)),
        np.concatenate((texels, texels[:, ::-1])),
        np.concatenate((parts, parts)),
    )


def _smoothed(weights: csr_matrix, num_rings: int) -> csr_matrix:
    """Average weights along each ring, so that the cloth between the legs follows both."""
    index = np.arange(num_rings * SIDES).reshape(num_rings, SIDES)
    steps = [np.roll(index, shift, axis=1).ravel() for shift in (-2, -1, 0, 1, 2)]
    for _ in range(2):
        weights = csr_matrix(sum(weights[step] for step in steps) / len(steps))
    return weights


def _tube(
    num_rings: int, heights: Floats, hips: float, scale: float, radii: Floats
) -> tuple[NDArray[np.int64], Floats]:
    index = np.arange(num_rings * SIDES).reshape(num_rings, SIDES)
    right = np.roll(index, -1, axis=1)
    quads = np.stack((index[:-1], index[1:], right[1:], right[:-1]), axis=2).reshape(-1, 4)
    faces = np.stack((quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]), axis=1).reshape(-1, 3)
    first, last = TORSO_ROWS
    rows = ((heights - hips) / scale - first) / (last - first)  # (R,)
    columns = np.arange(SIDES + 1) / SIDES + 0.5  # the middle of a texture is in front
    corner = np.stack(np.broadcast_arrays(columns[None], rows[:, None]), axis=2)  # (R, SIDES + 1, 2)
    square = np.stack((corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]), axis=2).reshape(-1, 4, 2)
    texels = np.stack((square[:, [0, 1, 2]], square[:, [0, 2, 3]]), axis=1).reshape(-1, 3, 2)
    return faces, texels


def _majority(parts: NDArray[np.int64], faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the most frequent part under each triangle; `parts` (G, K) are those near each vertex."""
    near = parts[faces].reshape(len(faces), -1)
    counts = np.stack([(near == part).sum(axis=1) for part in TRUNK_PARTS], axis=1)
    majority: NDArray[np.int64] = np.asarray(TRUNK_PARTS)[counts.argmax(axis=1)]
    return majority
