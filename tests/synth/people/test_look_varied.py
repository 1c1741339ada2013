from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import PARTS
from actparse.synth.casting import build_cast
from actparse.synth.config import SceneConfig
from actparse.synth.drawing.camera import Camera
from actparse.synth.drawing.mesh import NO_PERSON, box_mesh, joined, textured
from actparse.synth.drawing.render import Light, paint, paint_textured
from actparse.synth.motion.figure import SIDES, Pose
from actparse.synth.people.body import IDS_PER_PERSON, PART_IDS, Skin, draw_sizes, solve
from actparse.synth.people.look import Look
from actparse.synth.people.look_varied import LAYERS, VariedLook
from actparse.synth.scene import build_scene

VARIED = SceneConfig(size=(120, 160), look="varied")
STILL = replace(VARIED, moving_camera_share=0.0, close_share=0.0)
LIGHT = Light(np.array([0.0, 1.0, 0.0]), 0.5, 0.5, np.ones(3))


def camera() -> Camera:
    return Camera(np.array([0, 1.0, 4]), np.array([0, 1.0, 0]), 400.0, 0.0, np.array([160.0, 120.0]))


def varied_look(seed: int) -> VariedLook:
    return VariedLook(np.random.default_rng(seed), {}, np.random.default_rng([seed, 1]))


def test_a_seed_says_everything() -> None:
    first, second, other = (build_scene(seed, "lunge", config=VARIED).render(2.0) for seed in (5, 5, 6))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.ids, second.ids)
    assert [p.box for p in first.persons] == [p.box for p in second.persons]
    assert not np.array_equal(first.image, other.image)


def test_the_plain_look_is_the_default_and_has_no_textures() -> None:
    default, plain, varied = (
        build_scene(7, "lunge", config=config).render(1.0)
        for config in (SceneConfig(size=(120, 160)), SceneConfig(size=(120, 160), look="plain"), VARIED)
    )
    assert np.array_equal(default.image, plain.image)
    assert not np.array_equal(default.image, varied.image)
    assert not Look(np.random.default_rng(0), {}).textures


def test_a_varied_look_takes_as_many_draws_as_a_plain_one() -> None:
    """So that a seed moves people alike in both looks."""
    plain, varied = np.random.default_rng(3), np.random.default_rng(3)
    Look(plain, {"cap": 0.5})
    VariedLook(varied, {"cap": 0.5}, np.random.default_rng(0))
    assert plain.random() == varied.random()


def test_people_do_the_same_in_both_looks() -> None:
    upright = replace(STILL, turned_share=0.0)
    plain = build_cast(11, "lunge", config=replace(upright, look="plain"))
    varied = build_cast(11, "lunge", config=upright)
    for time in (0.0, 2.3):
        np.testing.assert_allclose(varied.keypoints(time)[0], plain.keypoints(time)[0])
        assert varied.keypoints(time)[1] == plain.keypoints(time)[1]


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_boxes_are_those_of_the_pixels_in_the_id_plane(seed: int) -> None:
    config = replace(VARIED, turned_share=1.0, covered_share=1.0)
    rendered = build_scene(seed, "country_line_dancing", config=config).render(1.5)
    for person in rendered.persons:
        for name, box in person.parts.items():
            rows, columns = np.nonzero(rendered.ids == person.identity * IDS_PER_PERSON + PART_IDS[name])
            assert box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert person.part_pixels[name] == len(rows)


def test_a_turned_camera_turns_the_keypoints_about_the_middle_of_the_frame() -> None:
    upright = build_cast(21, "lunge", config=replace(STILL, turned_share=0.0))
    turned = build_cast(21, "lunge", config=replace(STILL, turned_share=1.0))
    roll = turned.camera.start.roll - upright.camera.start.roll
    assert abs(roll) > 0.05
    before, after = (cast.keypoints(0.0)[0] - cast.camera.at(0.0).center for cast in (upright, turned))
    cos, sin = np.cos(roll), np.sin(roll)
    np.testing.assert_allclose(after, before @ np.array([[cos, sin], [-sin, cos]]), atol=1e-6)
    persons = build_scene(21, "lunge", config=replace(STILL, turned_share=1.0)).render(0.0).persons
    for person in persons:
        np.testing.assert_allclose(person.keypoints[:, :2] - turned.camera.at(0.0).center, after[person.identity - 1])


def test_people_come_in_every_orientation() -> None:
    config = replace(STILL, turned_share=1.0)
    ways = []
    for seed in range(24):
        points = build_cast(seed, "juggling_balls", config=config).keypoints(0.0)[0][0]
        up = points[5:7].mean(axis=0) - points[11:13].mean(axis=0)  # hips to shoulders
        ways.append(int(np.degrees(np.arctan2(up[0], -up[1])) // 90))
    assert set(ways) == {-2, -1, 0, 1}


def test_limbs_are_dressed_alike_on_both_sides_of_most_people() -> None:
    same = 0
    for seed in range(40):
        lofts = {loft.name: loft for loft in varied_look(seed).lofts()}
        pairs = [(lofts[f"left_{bone}"], lofts[f"right_{bone}"]) for bone in ("upper_arm", "forearm", "thigh", "shin")]
        same += all(np.array_equal(left.steps, right.steps) for left, right in pairs)
    assert 24 <= same < 40


def test_every_look_has_a_texture_for_each_layer_and_both_bare_and_clothed_limbs_occur() -> None:
    layers = set()
    for seed in range(20):
        look = varied_look(seed)
        assert len(look.textures) == len(LAYERS)
        for loft in look.lofts():
            assert loft.layers is not None
            assert len(loft.layers) == len(loft.steps) - 1 == len(loft.colors)
            if loft.name.startswith("left_thigh"):
                layers |= set(loft.layers.tolist())
    assert {LAYERS.index("skin"), LAYERS.index("trousers")} <= layers


def test_hands_and_feet_have_a_real_length() -> None:
    sizes = draw_sizes(np.random.default_rng(0))
    wrists = {"left": np.array([0.3, 0.8, 0.1]), "right": np.array([-0.3, 0.8, 0.1])}
    ankles = {"left": np.array([0.12, 0.08, 0.0]), "right": np.array([-0.12, 0.08, 0.0])}
    joints = solve(Pose(np.array([0, sizes.standing_pelvis_height, 0]), hands=wrists, feet=ankles), sizes)
    torso = np.linalg.norm(joints.shoulders["left"] - joints.hips["left"])
    for seed in range(10):
        mesh = Skin(sizes, varied_look(seed)).mesh(joints, person=1)
        for side in SIDES:
            hand, foot = (
                mesh.vertices[np.unique(mesh.quads[mesh.ids == IDS_PER_PERSON + PART_IDS[f"{side}_{part}"]])]
                for part in ("hand", "foot")
            )
            assert 0.18 < ((hand - joints.wrists[side]) @ joints.hands[side]).max() / torso < 0.5
            along = (foot - joints.ankles[side]) @ joints.feet[side]
            assert 0.22 < np.ptp(along) / sizes.scale < 0.32  # metres
            assert along.max() > -2 * along.min()  # most of it lies before the ankle


def test_textured_painting_covers_what_plain_painting_covers() -> None:
    near = box_mesh(np.array([0.0, 1, 1]), np.full(3, 0.4), np.array([255.0, 0, 0]))
    far = box_mesh(np.array([0.0, 1, -1]), np.full(3, 1.0), np.array([0.0, 255, 0]))
    plain = np.zeros((240, 320, 4), np.uint8)
    paint(plain, joined([near, far]), camera(), LIGHT)
    canvas = np.zeros((240, 320, 3), np.uint8)
    white = np.full((2, 8, 8, 3), 255, np.uint8)
    white[1] //= 2
    ids = paint_textured(canvas, joined([textured(near, 0), textured(far, 1)]), camera(), LIGHT, white)
    assert np.array_equal(ids, plain[..., 3])
    assert (ids == NO_PERSON).sum() > 5000
    red, green, blue = canvas[120, 160].tolist()
    assert red > 80
    assert green == blue == 0
    assert 20 < canvas[90, 130, 1] < plain[90, 130, 1]  # the second texture is half as bright


@pytest.mark.parametrize("name", ["turned_share", "close_share", "covered_share"])
def test_wrong_settings_are_named(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"scene\.{name} must be 0\.\.1, got 1\.5"):
        SceneConfig(**{name: 1.5})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"scene\.look must be one of plain, varied, video, got 'odd'"):
        SceneConfig(look="odd")


def test_every_action_renders_in_the_varied_look() -> None:
    people = 0
    for seed, action in enumerate(("push_up", "pull_ups", "hammer_throw", "capoeira")):
        rendered = build_scene(seed, action, config=VARIED).render(3.0)
        assert rendered.image.shape == (120, 160, 3)
        people += len(rendered.persons)
        assert all(set(person.states) == set(PARTS) for person in rendered.persons)
    assert people > 1
