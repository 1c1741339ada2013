"""The surface of a shaped body in its clothes: posed by the rig, skinned, and ready to be drawn."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from actparse.synth.drawing.mesh import Floats
from actparse.synth.drawing.triangles import TEXTURE_SIDE, Triangles, joined_triangles, vertex_normals
from actparse.synth.people.body import IDS_PER_PERSON, Joints
from actparse.synth.people.garments import hang
from actparse.synth.people.outfit import CHARTS, ROWS, Outfit
from actparse.synth.people.rig import Rig
from actparse.synth.people.shape import Shape, body_model

FACE_POINTS = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
SHOE_STEPS = 40  # of smoothing, which turns toes into the tip of a shoe
LEVEL_PIXELS = (360.0, 190.0)  # pixels a person is tall, above which the finest and the middle level are drawn


class MeshSkin:
    """The surface of one body: the shape at rest, and a rig that poses it."""

    def __init__(self, shape: Shape, outfit: Outfit) -> None:
        self.shape, self.outfit, self.sizes = shape, outfit, shape.sizes
        self.height = float(np.ptp(shape.vertices[:, 1]))  # metres
        self.textures = tuple(outfit.textures)
        self._first_layer = 0
        self._rig = Rig(shape)
        self._vertices = self._dressed()
        self._garments = [hang(shape, self._vertices, cut) for cut in outfit.hanging]
        self._face = np.stack([shape.points[name] for name in FACE_POINTS])

    def surface(self, joints: Joints, person: int, *, level: int) -> Triangles:
        """Return the surface at a solved pose, in the frame of the person.

        Args:
            joints: the solved pose, of a body with the sizes of this shape.
            person: index of the person, from 1.
            level: level of detail, 0 the finest.
        """
        model = body_model()
        detail = model.levels[level]
        transforms = self._rig.transforms(joints)
        count = detail.num_vertices
        vertices = _skinned(model.weights[:count], transforms, self._vertices[:count])
        body = Triangles(
            vertices,
            detail.faces,
            detail.charts + self._first_layer,
            detail.texels * TEXTURE_SIDE,
            np.broadcast_to(255.0, (len(detail.faces), 3)),
            (person * IDS_PER_PERSON + detail.parts).astype(np.uint8),
        )
        if not self._garments:
            return body
        cloths = [
            Triangles(
                _skinned(garment.weights, transforms, garment.vertices),
                garment.faces,
                np.full(len(garment.faces), self._first_layer + layer),
                garment.texels * TEXTURE_SIDE,
                np.broadcast_to(255.0, (len(garment.faces), 3)),
                (person * IDS_PER_PERSON + garment.parts).astype(np.uint8),
            )
            for layer, garment in enumerate(self._garments, start=len(CHARTS))
        ]
        return joined_triangles([body, *cloths])

    def keypoints(self, joints: Joints) -> Floats:
        """Return the 17 COCO keypoints (17, 3) at a solved pose: those of the face lie on the surface."""
        points = joints.keypoints(self.shape.sizes.scale)
        points[:5] = self._rig.move_head(joints, self._face)
        return points

    def shift_layers(self, first: int) -> None:
        """Add `first` to the texture indices of this body, its position among the textures of the scene."""
        self._first_layer += first

    def _dressed(self) -> Floats:
        """Return the vertices (V, 3) at rest, with hair and loose clothes along their normals, and shoes over toes."""
        model, vertices = body_model(), self.shape.vertices
        finest = model.levels[0]
        charts, rows = _chart_positions()
        offsets = np.zeros(len(rows))
        for name, (first, last, metres) in self.outfit.thickness.items():
            chart = {"shoe": "leg", "sole": "leg", "hair": "head"}.get(name, name)
            members = [CHARTS.index(chart)] + ([CHARTS.index("face")] if name == "hair" else [])
            low, high = min(first, last), max(first, last)
            is_covered = np.isin(charts, members) & (rows > low) & (rows < high)
            offsets[is_covered] = metres
            if name == "shoe" and metres > 0:
                vertices = _smoothed(vertices, is_covered, SHOE_STEPS)
        for _ in range(2):  # without steps at hems and shoes
            offsets = _neighbour_means() @ offsets
        return vertices + vertex_normals(vertices, finest.faces) * offsets[:, None] * self.shape.sizes.scale


def _skinned(weights: csr_matrix, transforms: Floats, rest: Floats) -> Floats:
    """Move vertices (N, 3) at rest with the motions (B, 3, 4) of bones, by their weights (N, B)."""
    blended = (weights @ transforms.reshape(-1, 12)).reshape(-1, 3, 4)
    vertices: Floats = blended[:, :, 3] + np.einsum("vij,vj->vi", blended[:, :, :3], rest, optimize=False)
    return vertices


@cache
def _chart_positions() -> tuple[NDArray[np.int64], Floats]:
    """Return a chart (V,) that shows each vertex and the vertex's row (V,) on it, in the units of `ROWS`."""
    finest = body_model().levels[0]
    num_vertices = finest.num_vertices
    charts, rows = np.zeros(num_vertices, np.int64), np.zeros(num_vertices)
    charts[finest.faces] = finest.charts[:, None]
    for index, chart in enumerate(CHARTS):
        first, last = ROWS[chart]
        corners, texels = finest.faces[finest.charts == index], finest.texels[finest.charts == index, :, 1]
        is_on_chart = charts[corners] == index
        rows[corners[is_on_chart]] = first + texels[is_on_chart] * (last - first)
    return charts, rows


@cache
def _neighbour_means() -> csr_matrix:
    """Return the matrix (V, V) that averages the neighbours of each vertex."""
    finest = body_model().levels[0]
    pairs = finest.faces[:, [0, 1, 1, 2, 2, 0, 1, 0, 2, 1, 0, 2]].reshape(-1, 2)
    size = finest.num_vertices
    adjacency = csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    adjacency.data[:] = 1.0
    return csr_matrix(adjacency.multiply(1 / np.asarray(adjacency.sum(axis=1))))


def _smoothed(vertices: Floats, moves: NDArray[np.bool_], steps: int) -> Floats:
    means, vertices = _neighbour_means()[moves], vertices.copy()
    for _ in range(steps):
        vertices[moves] = means @ vertices
    return vertices


def level_of(pixels: float) -> int:
    """Return the level of detail of a person who is `pixels` tall."""
    return sum(pixels < limit for limit in LEVEL_PIXELS)
