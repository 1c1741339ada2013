"""Bodies with a shape: all ages and builds of both sexes, from a small parametric mesh (see data/NOTICE)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from scipy.sparse import csr_matrix

from actparse.core.errors import ConfigError
from actparse.synth.drawing.mesh import Floats
from actparse.synth.motion.figure import BodySizes

FILE = Path(__file__).parent / "data" / "body.safetensors"
NUM_LEVELS = 3  # of detail: about 12,000, 4,000 and 1,500 triangles
PHENOTYPES = ("gender", "age", "muscle", "weight", "height", "proportions")
ADULT = (0.5, 2 / 3, 0.5, 0.5, 0.5, 0.5)  # the values of PHENOTYPES of the body that texture coordinates refer to
ANCHORS = ((0, 1), (-1 / 3, 0, 1 / 3, 2 / 3, 1), (0, 0.5, 1), (0, 0.5, 1), (0, 1), (0, 1), (0, 0.5, 1), (0, 0.5, 1))
TRUNK_LENGTH = 0.47  # metres from the hips to the shoulders of the person of scale 1, for whom motions are written
ANKLE_HEIGHT = 0.08  # metres, of the same person
GRID = 1e-5  # metres; shaped bodies are rounded to it, so that they are equal on all machines


@dataclass(frozen=True)
class Level:
    """The triangles of one level of detail: they use the first `num_vertices` vertices."""

    num_vertices: int
    faces: NDArray[np.int64]  # (T, 3)
    parts: NDArray[np.int64]  # (T,) 1..10 in the order of PARTS, 11 the trunk
    charts: NDArray[np.int64]  # (T,) indices of `BodyModel.charts`
    texels: Floats  # (T, 3, 2) column and row at each corner, 0..1


@dataclass(frozen=True)
class BodyModel:
    """The parametric body; V vertices, the coarsest level's first, P points, B bones, K components of shape."""

    mean: Floats  # (V, 3)
    basis: Floats  # (K, V, 3)
    points_mean: Floats  # (P, 3)
    points_basis: Floats  # (K, P, 3)
    point_names: tuple[str, ...]  # heads of the bones and keypoints
    bone_names: tuple[str, ...]
    weights: csr_matrix  # (V, B), four bones a vertex
    mask: NDArray[np.bool_]  # (S, 26) factors of each phenotype shape
    projection: Floats  # (S, K)
    offset: Floats  # (K,)
    charts: tuple[str, ...]
    levels: tuple[Level, ...]  # the finest first

    def shaped(self, phenotypes: tuple[float, ...]) -> tuple[Floats, dict[str, Floats]]:
        """Return the vertices (V, 3) and the named points of a body with these values of PHENOTYPES, 0..1."""
        if len(phenotypes) != len(PHENOTYPES):
            raise ConfigError(f"phenotypes must be {len(PHENOTYPES)} values: {', '.join(PHENOTYPES)}; got {phenotypes}")
        factors = [np.full(3, 1 / 3)]  # of the three origins
        for value, anchors in zip((*phenotypes, 0.5, 0.5), ANCHORS, strict=True):
            factors.append(np.array([np.interp(value, anchors, row) for row in np.eye(len(anchors))]))
        shape_weights = np.where(self.mask, np.concatenate(factors), 1.0).prod(axis=1)  # (S,)
        # sums without BLAS: their order does not depend on the number of threads
        coefficients = np.einsum("s,sk->k", shape_weights, self.projection, optimize=False) - self.offset
        vertices = self.mean + np.einsum("k,kvc->vc", coefficients, self.basis, optimize=False)
        points = self.points_mean + np.einsum("k,kpc->pc", coefficients, self.points_basis, optimize=False)
        rounded = np.round(points / GRID) * GRID
        return np.round(vertices / GRID) * GRID, dict(zip(self.point_names, rounded, strict=True))


@cache
def body_model() -> BodyModel:
    """Read the parametric body of the package."""
    with safe_open(FILE, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        metadata = file.metadata()
    bone_names = tuple(json.loads(metadata["bones"]))
    num_vertices = len(arrays["mean"])
    weights = csr_matrix(
        (
            arrays["weights"].ravel().astype(np.float64),
            arrays["bones"].ravel().astype(np.int32),
            np.arange(num_vertices + 1, dtype=np.int32) * 4,
        ),
        shape=(num_vertices, len(bone_names)),
    )
    levels = []
    for index in range(NUM_LEVELS):
        faces = arrays[f"faces{index}"].astype(np.int64)
        levels.append(
            Level(
                int(faces.max()) + 1,
                faces,
                arrays[f"parts{index}"].astype(np.int64),
                arrays[f"charts{index}"].astype(np.int64),
                arrays[f"texels{index}"].astype(np.float64),
            )
        )
    return BodyModel(
        mean=arrays["mean"].astype(np.float64),
        basis=arrays["basis"] * arrays["basis_scale"].astype(np.float64)[:, None, None],
        points_mean=arrays["points_mean"].astype(np.float64),
        points_basis=arrays["points_basis"].astype(np.float64),
        point_names=tuple(json.loads(metadata["points"])),
        bone_names=bone_names,
        weights=weights,
        mask=arrays["phenotype_mask"].astype(bool),
        projection=arrays["phenotype_projection"].astype(np.float64),
        offset=arrays["phenotype_offset"].astype(np.float64),
        charts=tuple(json.loads(metadata["charts"])),
        levels=tuple(levels),
    )


@dataclass(frozen=True)
class Shape:
    """One person's body at rest: x to the left, y up, z forward, metres; arms hang obliquely."""

    gender: float  # 0 male .. 1 female
    age: float  # 0 a baby, 1/3 a child, 2/3 a young adult, 1 an elder
    vertices: Floats  # (V, 3)
    points: dict[str, Floats]
    sizes: BodySizes


def build_shape(phenotypes: tuple[float, ...]) -> Shape:
    """Build the body with these values of PHENOTYPES; its feet are adjusted to the ankles' height of the motions."""
    model = body_model()
    vertices, points = model.shaped(phenotypes)

    def length(first: str, second: str) -> float:
        return float(np.linalg.norm(points[second] - points[first]))

    trunk = (points["upperarm01.L"] + points["upperarm01.R"] - points["upperleg01.L"] - points["upperleg01.R"])[1] / 2
    scale = float(trunk) / TRUNK_LENGTH
    feet = [index for index, name in enumerate(model.bone_names) if name.startswith(("foot", "toes"))]
    share = np.asarray(model.weights[:, feet].sum(axis=1)).ravel()  # (V,) of the feet
    ankle = float(points["foot.L"][1])
    stretch = ANKLE_HEIGHT * scale / (ankle - float(vertices[:, 1].min()))
    below = np.minimum(vertices[:, 1] - ankle, 0)
    vertices[:, 1] += share * below * (stretch - 1)
    for name, point in points.items():
        if name.startswith("toe"):
            point[1] = ankle + (point[1] - ankle) * stretch
    sizes = BodySizes(
        scale=scale,
        thigh=length("upperleg01.L", "lowerleg01.L"),
        shin=length("lowerleg01.L", "foot.L"),
        upper_arm=length("upperarm01.L", "lowerarm01.L"),
        forearm=length("lowerarm01.L", "wrist.L"),
        shoulder_half_width=length("upperarm01.L", "upperarm01.R") / 2,
        hip_half_width=length("upperleg01.L", "upperleg01.R") / 2,
    )
    return Shape(phenotypes[0], phenotypes[1], vertices, points, sizes)


def draw_phenotypes(rng: np.random.Generator, *, is_baby: bool = False) -> tuple[float, ...]:
    """Draw the values of PHENOTYPES: both sexes, mostly adults, some children and elders, and all builds; or a baby."""
    kind = rng.random()
    age = rng.uniform(0.56, 0.78)
    if kind < 0.14:
        age = rng.uniform(0.28, 0.5)  # a child
    elif kind > 0.86:
        age = rng.uniform(0.8, 1.0)
    if is_baby:
        age = rng.uniform(0.0, 0.06)
    build = np.clip(
        rng.normal((0.5, 0.5, 0.3, 0.45), (0.2, 0.2, 0.17, 0.2)), 0.02, 0.98
    )  # muscle, weight, height, proportions
    gender = float(np.clip(rng.choice([0.0, 1.0]) + rng.normal(0, 0.12), 0, 1))
    return (gender, float(age), *build.tolist())
