from __future__ import annotations

import numpy as np
import pytest

from actparse.synth.drawing.camera import Camera
from actparse.synth.drawing.footage.clutter import CLUTTER, clutter
from actparse.synth.drawing.footage.materials import MATERIALS, SIDE, material
from actparse.synth.drawing.footage.places import RELATED, SETTINGS, build_surroundings
from actparse.synth.drawing.footage.scenery import Panel, Scenery

SIZE = (96, 128)
FAR = np.full((400, 2048, 3), 200, np.uint8)


def camera(x: float = 0.0) -> Camera:
    return Camera(np.array([x, 1.5, 5.0]), np.array([0.0, 1.0, 0.0]), 120.0, 0.0, np.array([64.0, 48.0]))


@pytest.mark.parametrize("name", list(MATERIALS))
def test_a_material_repeats_without_a_seam(name: str) -> None:
    texture = material(name, 0).astype(float)
    assert texture.shape == (SIDE, SIDE, 3)
    rows, columns = (np.abs(np.diff(texture, axis=axis)).mean(axis=(1 - axis, 2)) for axis in (0, 1))
    assert np.abs(texture[0] - texture[-1]).mean() <= 1.5 * rows.max() + 1
    assert np.abs(texture[:, 0] - texture[:, -1]).mean() <= 1.5 * columns.max() + 1


@pytest.mark.parametrize("place", list(SETTINGS))
def test_every_place_is_drawn_for_every_height_of_the_camera(place: str) -> None:
    eyes = np.array([[0.5, height, 5.0] for height in (0.15, 3.5)])
    surroundings, same = (build_surroundings(np.random.default_rng(3), place, SIZE, eyes) for _ in range(2))
    assert surroundings.name == place or place in RELATED
    for eye in eyes:
        view = Camera(eye, np.array([0.0, 1.0, 0.0]), 120.0, 0.0, np.array([64.0, 48.0]))
        picture = surroundings.scenery.draw(view, view)
        assert picture.shape == (*SIZE, 3)
        assert picture.std() > 2
        assert np.array_equal(picture, same.scenery.draw(view, view))


def test_every_place_of_an_action_has_settings() -> None:
    assert {name for names in RELATED.values() for name in names} <= set(SETTINGS)


def test_a_panel_is_where_the_camera_projects_it() -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    panel = Panel(red, np.array([-0.5, 1.5, 0.0]), np.array([1.0, 0, 0]), np.array([0, -1.0, 0]))
    scenery = Scenery(FAR, [panel], SIZE, fog=np.zeros(3), fog_metres=1e9)
    picture = scenery.draw(camera(), camera())
    corners, _ = camera().project(np.array([[-0.5, 1.5, 0], [0.5, 0.5, 0]]))
    y, x = np.nonzero(picture[..., 1] < 60)
    assert (x.min(), y.min()) == pytest.approx(corners[0], abs=1.5)
    assert (x.max() + 1, y.max() + 1) == pytest.approx(corners[1], abs=1.5)


@pytest.mark.parametrize("x", [0.0, 0.01, 0.25])
def test_a_picture_bent_from_another_camera_is_nearly_that_of_the_camera_itself(x: float) -> None:
    rng = np.random.default_rng(0)
    ground = Panel(material("planks", 0), np.array([-8.0, 0, -8]), np.array([16.0, 0, 0]), np.array([0, 0, 16.0]),
                   repeats=(0.5, 0.5))  # fmt: skip
    wall = Panel(rng.integers(0, 255, (6, 9, 3), np.uint8), np.array([-8.0, 4, -3]), np.array([16.0, 0, 0]),
                 np.array([0, -4.0, 0]))  # fmt: skip
    scenery = Scenery(FAR, [ground, wall], SIZE, fog=np.zeros(3), fog_metres=1e9)
    itself, bent = scenery.draw(camera(x), camera(x)), scenery.draw(camera(x), camera())
    far_off = scenery.draw(camera(x + 1.0), camera(x + 1.0))
    error = np.abs(itself.astype(float) - bent).mean()
    assert error < 6
    assert error < np.abs(itself.astype(float) - far_off).mean() / 3


@pytest.mark.parametrize("kind", list(CLUTTER))
def test_things_stand_on_the_ground(kind: str) -> None:
    for seed in range(3):
        meshes = clutter(np.random.default_rng(seed), kind, np.array([1.0, 0, -2]))
        low = min(mesh.vertices[:, 1].min() for mesh in meshes)
        assert -0.1 < low < 0.9
