from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import KEYPOINTS, PARTS
from actparse.synth.actions.registry import ACTIONS, build_performer
from actparse.synth.annotate import VISIBLE
from actparse.synth.config import SceneConfig
from actparse.synth.drawing.camera import Camera
from actparse.synth.drawing.render import Light
from actparse.synth.drawing.triangles import paint_triangles, vertex_normals
from actparse.synth.motion.figure import SIDES, Pose
from actparse.synth.people.body import IDS_PER_PERSON, PART_IDS, TRUNK_ID, Joints, solve
from actparse.synth.people.look import Look
from actparse.synth.people.mesh_skin import MeshSkin
from actparse.synth.people.outfit import dress
from actparse.synth.people.rig import Rig, about, part_way, swing, twist
from actparse.synth.people.shape import ADULT, FILE, Shape, body_model, build_shape, draw_phenotypes
from actparse.synth.scene import build_scene

LIGHT = Light(np.array([0.0, 1.0, 0.0]), 0.5, 0.5, np.ones(3))
SMALL = SceneConfig(size=(120, 160), body="mesh")
BABY, CHILD, ELDER = (0.5, 0.0, 0.5, 0.5, 0.5, 0.5), (0.5, 1 / 3, 0.5, 0.5, 0.5, 0.5), (0.5, 1.0, 0.5, 0.5, 0.5, 0.5)


def standing(shape: Shape) -> Joints:
    k = shape.sizes.scale
    hands = {"left": np.array([0.27, 0.85, 0.05]) * k, "right": np.array([-0.27, 0.85, 0.05]) * k}
    feet = {"left": np.array([0.12, 0.08, 0.0]) * k, "right": np.array([-0.12, 0.08, 0.0]) * k}
    return solve(Pose(np.array([0, shape.sizes.standing_pelvis_height, 0]), hands=hands, feet=feet), shape.sizes)


def skin_of(shape: Shape, seed: int = 0) -> MeshSkin:
    rng = np.random.default_rng(seed)
    return MeshSkin(shape, dress(rng, Look(rng, {}), gender=shape.gender, age=shape.age))


def test_the_file_is_small_and_has_three_levels_of_detail() -> None:
    assert FILE.stat().st_size < 6e6
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() in (FILE.parent / "NOTICE").read_text(encoding="utf-8")
    counts = [len(level.faces) for level in body_model().levels]
    assert counts == pytest.approx([12_000, 4_000, 1_500], rel=0.01)
    for level in body_model().levels:
        assert set(level.parts.tolist()) == {*PART_IDS.values(), TRUNK_ID}


@pytest.mark.parametrize(
    ("phenotypes", "lowest", "highest"),
    [
        pytest.param(BABY, 0.5, 0.85, id="baby"),
        pytest.param(CHILD, 1.1, 1.5, id="child"),
        pytest.param(ADULT, 1.6, 1.95, id="adult"),
        pytest.param(ELDER, 1.6, 1.95, id="elder"),
    ],
)
def test_bodies_of_all_ages_stand_with_their_soles_on_the_floor(
    phenotypes: tuple[float, ...], lowest: float, highest: float
) -> None:
    shape = build_shape(phenotypes)
    assert lowest < np.ptp(shape.vertices[:, 1]) < highest
    vertices = skin_of(shape).surface(standing(shape), 1, level=0).vertices
    assert vertices[:, 1].min() == pytest.approx(0, abs=0.02)
    assert np.ptp(vertices[:, 1]) == pytest.approx(np.ptp(shape.vertices[:, 1]), rel=0.05)


@pytest.mark.parametrize("action", ACTIONS)
def test_bones_end_at_the_joints_of_the_pose(action: str) -> None:
    rng = np.random.default_rng(3)
    shape = build_shape(draw_phenotypes(rng))
    performer = build_performer(action, rng, shape.sizes)
    rig = Rig(shape)
    for seconds in (1.0, 4.0, 7.5):
        joints = solve(performer.at(seconds).pose, shape.sizes)
        transforms = rig.transforms(joints)
        assert np.linalg.det(transforms[:, :, :3]) == pytest.approx(np.ones(len(transforms)))
        for side, end in zip(SIDES, (".L", ".R"), strict=True):
            for first, second, start, stop in (
                ("upperarm02", "lowerarm01", joints.shoulders, joints.elbows),
                ("lowerarm02", "wrist", joints.elbows, joints.wrists),
                ("upperleg02", "lowerleg01", joints.hips, joints.knees),
                ("lowerleg02", "foot", joints.knees, joints.ankles),
            ):
                root = {"upperarm02": "upperarm01", "upperleg02": "upperleg01"}.get(first, first[:-1] + "1") + end
                assert rig.move(first + end, shape.points[root]) == pytest.approx(start[side], abs=0.01)
                assert rig.move(first + end, shape.points[second + end]) == pytest.approx(stop[side], abs=0.01)
            hand = rig.move("wrist" + end, shape.points["finger3-1" + end]) - joints.wrists[side]
            assert hand @ joints.hands[side] > 0.95 * np.linalg.norm(hand)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_parts_and_keypoints_are_where_the_body_is_drawn(level: int) -> None:
    shape = build_shape(ADULT)
    skin, joints = skin_of(shape), standing(shape)
    camera = Camera(np.array([0, 1.0, 4]), np.array([0, 0.95, 0]), 900.0, 0.0, np.array([320.0, 240.0]))
    canvas = np.zeros((480, 640, 3), np.uint8)
    ids = paint_triangles(canvas, skin.surface(joints, 2, level=level), camera, LIGHT, np.stack(skin.textures))
    parts = ids.astype(int) - 2 * IDS_PER_PERSON
    counts = np.bincount(parts[ids > 0], minlength=TRUNK_ID + 1)
    assert (counts[1:] > 60).all()
    for name in PARTS:  # the body faces the camera: its left is on the right of the picture
        columns = np.nonzero(parts == PART_IDS[name])[1]
        if name.startswith("left"):
            assert columns.mean() > 320, name
        elif name.startswith("right"):
            assert columns.mean() < 320, name
        else:
            assert columns.mean() == pytest.approx(320, abs=4), name
    inside = cv2.dilate((ids > 0).astype(np.uint8), np.ones((5, 5), np.uint8))
    points = dict(zip(KEYPOINTS, camera.project(skin.keypoints(joints))[0], strict=True))
    for name, (x, y) in points.items():
        assert inside[round(y), round(x)], name
    for name in ("nose", "left_eye", "right_eye"):
        x, y = points[name]
        assert parts[round(y), round(x)] == PART_IDS["head"]
    assert parts[round(points["left_knee"][1]), round(points["left_knee"][0])] == PART_IDS["left_leg"]


def test_points_of_the_face_lie_on_its_surface() -> None:
    for phenotypes in (ADULT, CHILD, ELDER):
        shape = build_shape(phenotypes)
        skin, joints = skin_of(shape), standing(shape)
        vertices = skin.surface(joints, 1, level=0).vertices
        for point in skin.keypoints(joints)[:5]:
            assert np.linalg.norm(vertices - point, axis=1).min() < 0.02


def test_normals_point_outwards() -> None:
    shape = build_shape(ADULT)
    faces = body_model().levels[2].faces
    normals = vertex_normals(shape.vertices, faces)
    torso = [index for index, name in enumerate(body_model().bone_names) if name == "spine02"]
    is_torso = np.asarray(body_model().weights[:, torso].todense()).ravel()[: faces.max() + 1] > 0.6
    outwards = (shape.vertices - shape.points["spine02"])[: faces.max() + 1][is_torso]
    assert is_torso.sum() > 5
    assert ((normals[: faces.max() + 1][is_torso] * outwards)[:, [0, 2]].sum(axis=1) > 0).mean() > 0.9


def test_a_fist_is_shorter_than_an_open_hand() -> None:
    shape = build_shape(ADULT)
    joints, rig = standing(shape), Rig(shape)
    reach = {}
    for grip in (0.0, 1.0):
        joints.grips["left"] = grip
        rig.transforms(joints)
        tip = rig.move("finger3-3.L", shape.points["finger3-3.L"])
        reach[grip] = (tip - joints.wrists["left"]) @ joints.hands["left"]
    assert reach[1.0] < 0.75 * reach[0.0]


def test_rotations_turn_as_they_say() -> None:
    x, y, z = np.eye(3)
    assert about(z, np.pi / 2) @ x == pytest.approx(y)
    assert swing(x, y) @ x == pytest.approx(y)
    assert swing(x, x) == pytest.approx(np.eye(3))
    assert part_way(np.eye(3), about(z, 1.0), 0.25) == pytest.approx(about(z, 0.25))
    assert twist(np.eye(3), about(x, 0.7) @ swing(x, x), x) == pytest.approx(0.7)
    half_turn = about(y, np.pi)
    assert part_way(np.eye(3), half_turn, 1.0) == pytest.approx(half_turn, abs=1e-6)


@pytest.mark.parametrize("look", ["plain", "varied"])
def test_every_action_renders_with_shaped_bodies(look: str) -> None:
    config = SceneConfig(size=(120, 160), body="mesh", look=look)
    persons = []
    for seed, action in enumerate(ACTIONS):
        rendered = build_scene(seed, action, config=config).render(3.0)
        assert rendered.image.shape == (120, 160, 3)
        persons += rendered.persons
    assert len(persons) >= len(ACTIONS) // 2
    visible = np.concatenate([person.keypoints[:, 2] == VISIBLE for person in persons])
    assert visible.mean() > 0.3
    assert {part for person in persons for part in person.parts} == set(PARTS)


def test_an_unknown_body_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"phenotypes must be 6 values: gender, age, .*; got \(0\.5,\)"):
        build_shape((0.5,))
    with pytest.raises(ConfigError, match=r"scene\.body must be one of tubes, mesh, got 'clay'"):
        SceneConfig(body="clay")


PROGRAM = """
import hashlib
from actparse.synth.config import SceneConfig
from actparse.synth.scene import build_scene
rendered = build_scene(4, "salsa_dancing", config=SceneConfig(size=(120, 160), body="mesh")).render(1.5)
print(hashlib.sha256(rendered.image.tobytes() + rendered.ids.tobytes()).hexdigest())
"""


def test_frames_do_not_depend_on_the_number_of_threads() -> None:
    hashes = set()
    for threads in ("1", "2"):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        run = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        hashes.add(run.stdout)
    rendered = build_scene(4, "salsa_dancing", config=SMALL).render(1.5)
    assert rendered.persons
    assert len(hashes) == 1
