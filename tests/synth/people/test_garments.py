"""Skirts, dresses and loose shirts: they lie outside the body, follow it, and hide what is under them."""

from __future__ import annotations

import numpy as np
import pytest

from actparse.core.vocabulary import PARTS
from actparse.synth.drawing.triangles import vertex_normals
from actparse.synth.motion.figure import Pose
from actparse.synth.people.body import IDS_PER_PERSON, solve
from actparse.synth.people.garments import SIDES, Cut, Garment, hang
from actparse.synth.people.look import Look
from actparse.synth.people.mesh_skin import MeshSkin
from actparse.synth.people.outfit import dress
from actparse.synth.people.shape import ADULT, Shape, build_shape, draw_phenotypes

SKIRT = Cut(top=0.15, bottom=-0.4, flare=0.2)


def garment_of(shape: Shape, cut: Cut = SKIRT) -> Garment:
    return hang(shape, shape.vertices, cut)


@pytest.mark.parametrize("seed", range(4))
def test_a_garment_lies_outside_every_body(seed: int) -> None:
    shape = build_shape(draw_phenotypes(np.random.default_rng(seed), is_baby=seed == 3))
    garment = garment_of(shape)
    outside = garment.vertices[: len(garment.vertices) // 2].reshape(-1, SIDES, 3)
    scale = shape.sizes.scale
    hips = float(shape.points["upperleg01.L"][1])
    assert outside[0, 0, 1] == pytest.approx(hips + 0.15 * scale, abs=0.01)
    assert outside[-1, 0, 1] == pytest.approx(hips - 0.4 * scale, abs=0.01)
    for ring in outside[3:]:
        slab = shape.vertices[
            (np.abs(shape.vertices[:, 1] - ring[0, 1]) < 0.01) & (np.abs(shape.vertices[:, 0]) < 0.2 * scale)
        ]
        assert (slab[:, [0, 2]].max(axis=0) < ring[:, [0, 2]].max(axis=0)).all()
        assert (slab[:, [0, 2]].min(axis=0) > ring[:, [0, 2]].min(axis=0)).all()


def test_it_has_an_outside_and_an_inside_with_the_parts_beneath() -> None:
    shape = build_shape(ADULT)
    garment = garment_of(shape)
    half, count = len(garment.faces) // 2, len(garment.vertices) // 2
    normals = vertex_normals(garment.vertices, garment.faces)
    middle = garment.vertices.mean(axis=0)
    outwards = ((garment.vertices - middle) * normals)[:, [0, 2]].sum(axis=1)
    assert (outwards[:count] > 0).all()
    assert (outwards[count:] < 0).all()
    assert (garment.parts[:half] == garment.parts[half:]).all()
    left, right, hip = (PARTS.index(name) + 1 for name in ("left_leg", "right_leg", "hip"))
    assert {left, right, hip} <= set(garment.parts.tolist())
    x = garment.vertices[garment.faces].mean(axis=1)[:, 0]
    assert x[garment.parts == left].mean() > 0 > x[garment.parts == right].mean()
    assert np.asarray(garment.weights.sum(axis=1)) == pytest.approx(np.ones((2 * count, 1)))


def test_it_follows_the_legs() -> None:
    shape = build_shape(ADULT)
    look = Look(np.random.default_rng(0), {"skirt": 1.0})
    assert look.skirt
    skin = MeshSkin(shape, dress(np.random.default_rng(1), look, gender=1.0, age=shape.age))
    assert len(skin.textures) == 6
    k = shape.sizes.scale
    hands = {"left": np.array([0.27, 0.85, 0.05]) * k, "right": np.array([-0.27, 0.85, 0.05]) * k}
    pelvis = np.array([0, shape.sizes.standing_pelvis_height, 0])
    low, high = np.array([0.12, 0.08, 0.0]) * k, np.array([0.12, 0.5, 0.3]) * k
    mirrored = np.array([-1, 1, 1])
    surfaces = []
    for left in (low, high):
        joints = solve(Pose(pelvis, hands=hands, feet={"left": left, "right": low * mirrored}), shape.sizes)
        surfaces.append(skin.surface(joints, 1, level=2))
    cloth = surfaces[0].layers == 5
    hem = np.unique(surfaces[0].faces[cloth])
    moved = np.linalg.norm(surfaces[1].vertices[hem] - surfaces[0].vertices[hem], axis=1)
    is_left = surfaces[0].vertices[hem, 0] > 0.05
    is_right = surfaces[0].vertices[hem, 0] < -0.05
    assert moved[is_left].max() > 0.15
    assert moved[is_left].mean() > 3 * moved[is_right].mean()
    assert (surfaces[0].ids // IDS_PER_PERSON == 1).all()
