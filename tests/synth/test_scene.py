from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import KEYPOINTS, PARTS
from actparse.synth.actions.registry import ACTIONS, OTHER_MOTIONS
from actparse.synth.annotate import VISIBLE, ObjectIds, ObjectTruth, annotate
from actparse.synth.casting import build_cast
from actparse.synth.config import SceneConfig
from actparse.synth.dataset import GENERATOR_V1
from actparse.synth.drawing.camera import Camera, draw_framing
from actparse.synth.drawing.mesh import NO_PERSON, box_mesh, cross, joined, tube_mesh
from actparse.synth.drawing.render import Light, paint
from actparse.synth.motion.figure import Pose, Tube
from actparse.synth.motion.props import OBJECTS
from actparse.synth.people.body import IDS_PER_PERSON, PART_IDS, TRUNK_ID, Skin, draw_sizes, solve
from actparse.synth.people.look import Look
from actparse.synth.scene import build_scene

SMALL = SceneConfig(size=(120, 160))
LIGHT = Light(np.array([0.0, 1.0, 0.0]), 0.5, 0.5, np.ones(3))


def camera() -> Camera:
    """At (0, 1, 4), looking along -z: 100 pixels to the metre at z = 0."""
    return Camera(np.array([0, 1.0, 4]), np.array([0, 1.0, 0]), 400.0, 0.0, np.array([160.0, 120.0]))


def standing(scale: float = 1.0) -> tuple[Pose, object]:
    sizes = draw_sizes(np.random.default_rng(0))
    hands = {"left": np.array([0.3, 0.8, 0.1]), "right": np.array([-0.3, 0.8, 0.1])}
    feet = {"left": np.array([0.12, 0.08, 0.0]), "right": np.array([-0.12, 0.08, 0.0])}
    return Pose(np.array([0, sizes.standing_pelvis_height, 0]), hands=hands, feet=feet), sizes


def test_the_camera_projects_metres_to_pixels() -> None:
    pixels, depths = camera().project(np.array([[0.5, 1.0, 0.0], [0.0, 0.5, 0.0]]))
    assert pixels.tolist() == [[210.0, 120.0], [160.0, 170.0]]
    assert depths.tolist() == [4.0, 4.0]
    homogeneous = camera().matrix() @ np.array([0.5, 1.0, 0.0, 1.0])
    assert (homogeneous[:2] / homogeneous[2]).tolist() == pytest.approx([210.0, 120.0])


def test_what_is_nearer_hides_what_is_behind() -> None:
    near = box_mesh(np.array([0.0, 1, 1]), np.full(3, 0.4), np.array([255.0, 0, 0]))
    far = box_mesh(np.array([0.0, 1, -1]), np.full(3, 1.0), np.array([0.0, 255, 0]))
    canvas = np.zeros((240, 320, 4), np.uint8)
    paint(canvas, joined([near, far]), camera(), LIGHT)
    red, green, _, identity = canvas[120, 160].tolist()
    assert red > 80
    assert green == 0
    assert identity == 255
    assert canvas[90, 130, 1] > 80


def test_tubes_face_outwards() -> None:
    path = np.array([[0, 0.5, 0], [0, 0.5, 0], [0, 1.5, 0], [0, 1.5, 0]], float)
    mesh = tube_mesh(Tube(path, np.array([1e-3, 0.2, 0.2, 1e-3]), (200.0, 200.0, 200.0), 12))
    corners = mesh.vertices[mesh.quads]
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    outwards = corners.mean(axis=1) - [0, 1.0, 0]
    assert ((normals * outwards).sum(axis=1) > -1e-9).all()


def test_a_body_stands_on_its_feet_with_left_on_the_left() -> None:
    pose, sizes = standing()
    joints = solve(pose, sizes)
    points = dict(zip(KEYPOINTS, joints.keypoints(sizes.scale), strict=True))
    assert points["nose"][1] > points["left_shoulder"][1] > points["left_hip"][1] > points["left_knee"][1]
    for name in ("eye", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        assert points[f"left_{name}"][0] > points[f"right_{name}"][0]
    lengths = [np.linalg.norm(joints.knees[s] - joints.hips[s]) for s in ("left", "right")]
    assert lengths == pytest.approx([sizes.thigh] * 2, abs=1e-6)


def test_a_skin_shows_every_part_where_its_joints_are() -> None:
    pose, sizes = standing()
    joints = solve(pose, sizes)
    mesh = Skin(sizes, Look(np.random.default_rng(1), {"skirt": 0.0})).mesh(joints, person=2)
    canvas = np.zeros((240, 320, 4), np.uint8)
    paint(canvas, mesh, camera(), LIGHT)
    seen = set((canvas[..., 3][canvas[..., 3] > 0] - 2 * IDS_PER_PERSON).tolist())
    assert {PART_IDS[name] for name in PARTS} <= seen
    pixels, _ = camera().project(joints.keypoints(sizes.scale))
    truth = annotate(canvas[..., 3], 2, pixels, np.ones(17, bool), dict.fromkeys(PARTS, "none"))
    assert truth is not None
    assert set(truth.parts) == set(PARTS)
    assert (truth.keypoints[:, 2] == VISIBLE).sum() >= 15
    for name in ("left_ankle", "right_knee", "left_wrist"):
        x, y, _ = truth.keypoints[KEYPOINTS.index(name)]
        assert truth.box[0] <= x <= truth.box[2]
        assert truth.box[1] <= y <= truth.box[3]
    assert truth.parts["left_leg"][0] > truth.parts["right_leg"][0]  # it looks at the camera


@pytest.mark.parametrize("action", [*ACTIONS, *OTHER_MOTIONS])
def test_every_action_renders_with_truth(action: str) -> None:
    scene = build_scene(11, action, config=SMALL)
    moments = [scene.render(time) for time in (0.0, 4.0)]
    assert moments[0].image.shape == (120, 160, 3)
    assert any(moment.persons for moment in moments)
    for person in (person for moment in moments for person in moment.persons):
        assert set(person.states) == set(PARTS)
        for name, (x1, y1, x2, y2) in person.parts.items():
            assert 0 <= x1 < x2 <= 160, name
            assert 0 <= y1 < y2 <= 120, name
            assert person.box[0] <= x1
            assert person.box[3] >= y2


def test_a_seed_says_everything() -> None:
    first, second, other = (build_scene(seed, "lunge", config=SMALL).render(2.0) for seed in (5, 5, 6))
    assert np.array_equal(first.image, second.image)
    assert [p.box for p in first.persons] == [p.box for p in second.persons]
    assert not np.array_equal(first.image, other.image)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ConfigError, match="action must be one of"):
        build_scene(0, "sleeping")
    with pytest.raises(ConfigError, match=r"scene\.fps must be greater than 0"):
        SceneConfig(fps=0)
    with pytest.raises(ConfigError, match=r"scene\.top_crop_share must be 0\.\.1, got 2"):
        SceneConfig(top_crop_share=2)
    for detail in (0.0, math.inf):
        with pytest.raises(ConfigError, match=r"scene\.detail must be greater than 0 and finite, got (0\.0|inf)"):
            SceneConfig(detail=detail)


def test_the_truth_is_left_out_where_nobody_asks() -> None:
    scene = build_scene(11, "lunge", config=SMALL)
    asked, not_asked = scene.render(1.0), scene.render(1.0, with_truth=False)
    assert asked.persons
    assert not_asked.persons == ()
    assert np.array_equal(asked.image, not_asked.image)


def test_cross_products_of_one_and_of_many_agree() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 5, 3))
    assert cross(a, b) == pytest.approx(np.cross(a, b))
    for row, (one, other) in enumerate(zip(a, b, strict=True)):
        assert np.array_equal(cross(one, other), cross(a, b)[row])


def test_a_share_of_the_scenes_is_cut_by_a_border() -> None:
    rng = np.random.default_rng(3)
    drawn = [draw_framing(rng, bottom=0.15, side=0.07, top=0.03, lying=False) for _ in range(4000)]
    cut = [np.mean([getattr(framing, name) > 0 for framing in drawn]) for name in ("bottom", "top", "left", "right")]
    assert cut == pytest.approx([0.15, 0.0255, 0.035, 0.035], abs=0.015)
    assert all(0 <= framing.bottom <= 0.6 and framing.left * framing.right == 0 for framing in drawn)


@pytest.mark.parametrize(
    ("border", "outside"),
    [
        pytest.param("bottom_crop_share", lambda points: (points[:, 15:, 1] > 240).mean(), id="feet below the picture"),
        pytest.param("top_crop_share", lambda points: (points[:, :5, 1] < 0).mean(), id="heads over the picture"),
        pytest.param(
            "side_crop_share",
            lambda points: ((points[..., 0] < 0) | (points[..., 0] > 320)).any(axis=1).mean(),
            id="a joint beyond a side",
        ),
    ],
)
def test_a_border_cuts_the_main_performer(border: str, outside: Callable[[np.ndarray], float]) -> None:
    none = {"bottom_crop_share": 0.0, "side_crop_share": 0.0, "top_crop_share": 0.0}
    seeds, share = range(30), {}
    for name, config in (("whole", SceneConfig(**none)), ("cut", SceneConfig(**none | {border: 1.0}))):
        share[name] = outside(
            np.stack([build_cast(seed, "front_raises", config=config).keypoints(1.0)[0][0] for seed in seeds])
        )
    assert share["cut"] > share["whole"] + 0.4


def test_nobody_is_found_where_another_person_stands() -> None:
    ids = np.full((60, 60), 255, np.uint8)  # furniture
    ids[10:50, 20:40] = 7 * IDS_PER_PERSON + PART_IDS["hip"]
    points = np.full((17, 2), 30.0)
    states = dict.fromkeys(PARTS, "none")
    assert [annotate(ids, number, points, np.ones(17, bool), states) for number in (1, 6)] == [None, None]
    truth = annotate(ids, 7, points, np.ones(17, bool), states)
    assert truth is not None
    assert truth.box == truth.parts["hip"] == (20.0, 10.0, 40.0, 50.0)
    assert truth.part_pixels == {"hip": 800}


def test_a_part_of_nine_pixels_is_not_annotated() -> None:
    ids = np.zeros((60, 60), np.uint8)
    ids[10:50, 20:40] = IDS_PER_PERSON + PART_IDS["hip"]
    ids[5, 20:29] = IDS_PER_PERSON + PART_IDS["head"]
    ids[55, 20:30] = IDS_PER_PERSON + PART_IDS["left_foot"]
    truth = annotate(ids, 1, np.full((17, 2), 30.0), np.ones(17, bool), dict.fromkeys(PARTS, "none"))
    assert truth is not None
    assert set(truth.parts) == {"hip", "left_foot"}
    assert truth.box == (20.0, 5.0, 40.0, 56.0)  # of all visible pixels


def test_objects_are_annotated_where_they_are_visible() -> None:
    objects = ObjectIds(num_persons=2)
    bar, ball, other_ball = objects.id_of(1, ("bar", 0)), objects.id_of(1, ("ball", 0)), objects.id_of(2, ("ball", 0))
    assert objects.id_of(1, ("bar", 0)) == bar > 2 * IDS_PER_PERSON + TRUNK_ID
    assert len({bar, ball, other_ball, objects.id_of(1, ("ball", 1)), objects.id_of(1, None)}) == 5
    ids = np.zeros((60, 80), np.uint8)
    ids[5:9, 10:50] = bar
    ids[6, 20:30] = NO_PERSON  # something in front of the middle
    ids[20:22, 70:74] = ball  # too few pixels
    ids[30:36, 2:8] = other_ball
    assert objects.annotate(ids) == (ObjectTruth("bar", (10, 5, 50, 9)), ObjectTruth("ball", (2, 30, 8, 36)))
    many, none_free = ObjectIds(num_persons=14), ObjectIds(num_persons=15)
    assert [many.id_of(1, ("ball", index)) for index in range(16)] == list(range(240, NO_PERSON + 1))
    assert {none_free.id_of(1, ("ball", index)) for index in range(3)} == {NO_PERSON}
    assert many.annotate(np.full((4, 4), NO_PERSON, np.uint8)) == none_free.annotate(ids) == ()


@pytest.mark.parametrize(
    ("action", "names"),
    [
        ("deadlifting", {"barbell"}),
        ("juggling_balls", {"ball"}),
        ("pull_ups", {"pull_up_bar"}),
        ("punching_bag", {"punching_bag"}),
        ("skateboarding", {"skateboard"}),
        ("push_up", set()),
    ],
)
def test_the_things_of_an_action_are_objects(action: str, names: set[str]) -> None:
    moment = build_scene(5, action).actors[0].joints_at(2.0)[1]
    assert {tube.object_key[0] for tube in moment.props if tube.object_key} == names


def test_every_object_is_in_the_list() -> None:
    actors = [build_scene(5, name).actors[0] for name in (*ACTIONS, *OTHER_MOTIONS)]
    props = [prop for actor in actors for time in (0.5, 2.0, 4.0) for prop in actor.performer.at(time).props]
    names = {prop.object_key[0] for prop in props if prop.object_key}
    assert len(names) > 10
    assert names <= set(OBJECTS)


def test_the_seeds_of_synthtps_1_1_show_what_they_showed() -> None:
    """Another picture of the same seed needs another `dataset.GENERATOR_V1`: data on disk and weights rest on it."""
    persons = build_scene(1003, "lunge").render(5.3).persons
    assert GENERATOR_V1 == "SynthTPS-1.1"
    assert [person.box for person in persons] == [
        pytest.approx((133, 29, 262, 206), abs=1),
        pytest.approx((81, 8, 158, 142), abs=1),
    ]
    assert persons[0].parts["head"] == pytest.approx((176, 29, 205, 69), abs=1)
    assert [person.states["left_leg"] for person in persons] == ["bend", "bend"]


def test_a_cast_does_what_its_scene_shows() -> None:
    scene = build_scene(11, "lunge")
    cast = build_cast(11, "lunge")
    for time in (0.0, 2.3):
        points, states = cast.keypoints(time)
        assert points.shape == (len(scene.actors), 17, 2)
        for person in scene.render(time).persons:
            np.testing.assert_allclose(points[person.identity - 1], person.keypoints[:, :2], atol=1e-9)
            assert states[person.identity - 1] == person.states
