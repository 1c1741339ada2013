from __future__ import annotations

import numpy as np

from actparse.synth.drawing.camera import Camera
from actparse.synth.drawing.footage.sight import TIMES, Sight, inside, unhidden
from actparse.synth.drawing.mesh import box_mesh

CAMERA = Camera(np.array([0.0, 1, 5]), np.array([0.0, 1, 0]), 200.0, 0.0, np.array([100.0, 100]))
POINTS = np.stack((np.linspace(-1, 1, 17), np.ones(17), np.zeros(17)), axis=1)  # a row across the picture


def sight(min_keypoints: int) -> Sight:
    pixels = np.tile(CAMERA.project(POINTS)[0], (len(TIMES), 1, 1))
    points = np.tile(POINTS, (len(TIMES), 1, 1))
    return Sight([CAMERA] * len(TIMES), points, np.ones((len(TIMES), 17), bool), pixels, min_keypoints=min_keypoints)


def test_points_near_the_border_or_too_near_the_camera_do_not_count() -> None:
    assert inside(CAMERA, POINTS, (200, 200)).all()
    assert inside(CAMERA, POINTS * [3, 1, 1], (200, 200)).sum() == 13  # |x| < 2.35 m
    assert not inside(CAMERA, POINTS + [0, 0, 4.8], (200, 200)).any()


def test_somebody_in_front_hides_what_is_behind_and_nobody_behind_hides_anything() -> None:
    ahead, behind = (np.full((1, 17, 3), [0.0, 1.0, z]) for z in (2.5, -2.5))
    assert unhidden(CAMERA.eye, POINTS, behind).all()
    hidden = np.flatnonzero(~unhidden(CAMERA.eye, POINTS, ahead))
    assert hidden.tolist() == [6, 7, 8, 9, 10]  # 0.26 m to each side of the middle, at twice the distance
    assert unhidden(CAMERA.eye, POINTS, np.zeros((0, 17, 3))).all()


def test_a_thing_is_added_while_enough_remains_in_sight() -> None:
    wall = [box_mesh(np.array([-0.5, 1.0, 2.5]), np.array([1.0, 0.5, 0.1]), np.zeros(3))]  # hides the left half
    assert sight(8).try_add_meshes(wall)
    assert not sight(9).try_add_meshes(wall)
    strict = sight(8)
    assert strict.try_add_meshes(wall)
    assert strict.try_add_meshes(wall)  # it hides nothing more
    assert strict.try_add_meshes([box_mesh(np.array([0.0, 1.0, -3]), np.array([9.0, 9.0, 0.1]), np.zeros(3))])  # behind
    assert not strict.try_add_layer(np.ones((200, 200), bool), (0, 0))
    assert sight(0).try_add_layer(np.ones((200, 200), bool), (0, 0))


def test_a_moving_cover_counts_where_it_is_at_each_time() -> None:
    stripe = np.ones((200, 30), bool)
    away = np.zeros((len(TIMES), 2), np.int64)
    assert sight(11).try_add_layer(stripe, (86, 0), away)  # it hides six keypoints
    assert not sight(12).try_add_layer(stripe, (86, 0))
    assert sight(17).try_add_layer(stripe, (85, 0), away + [150, 0])
