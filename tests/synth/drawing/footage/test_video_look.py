from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import KEYPOINTS
from actparse.synth.annotate import VISIBLE
from actparse.synth.casting import build_cast
from actparse.synth.config import VIDEO_PRESETS, VIDEO_SIZES, SceneConfig
from actparse.synth.drawing.footage.graphics import draw_graphics
from actparse.synth.drawing.footage.sensor import draw_sensor
from actparse.synth.drawing.footage.shots import ShotShares, draw_shots
from actparse.synth.drawing.footage.sight import TIMES
from actparse.synth.drawing.mesh import NO_PERSON
from actparse.synth.people.body import IDS_PER_PERSON
from actparse.synth.scene import Scene, build_scene

SMALL = replace(VIDEO_PRESETS["train"], sizes=((96, 128), (128, 96)))
SHARES = ShotShares(cut=0.0, close=0.0, turned=0.0, moving=0.0, bottom=0.0, side=0.0, top=0.0)
STANDING = np.zeros((len(TIMES), 1, len(KEYPOINTS), 3))  # one person, 0.1 to 1.7 m above the ground, not moving
STANDING[..., 1] = np.linspace(1.7, 0.1, len(KEYPOINTS))
HASH = """
import cv2, hashlib
cv2.setNumThreads({threads})
from dataclasses import replace
from actparse.synth.config import VIDEO_PRESETS
from actparse.synth.scene import build_scene
digest = hashlib.sha256()
for seed, action in ((3, "lunge"), (4, "salsa_dancing")):
    scene = build_scene(seed, action, config=replace(VIDEO_PRESETS["hard"], sizes=((96, 128), (128, 96))))
    for time in (0.5, 6.0):
        rendered = scene.render(time)
        digest.update(rendered.image.tobytes() + rendered.ids.tobytes())
print(digest.hexdigest())
"""


def scenes(config: SceneConfig, count: int) -> list[Scene]:
    actions = ("lunge", "salsa_dancing", "pull_ups", "hitting_baseball", "push_up")
    return [build_scene(seed, actions[seed % len(actions)], config=config) for seed in range(count)]


@pytest.mark.parametrize("preset", list(VIDEO_PRESETS))
def test_each_preset_renders_videos_of_several_sizes(preset: str) -> None:
    config, sizes, people = VIDEO_PRESETS[preset], set(), 0
    for scene in scenes(config, 8):
        rendered = scene.render(2.0)
        assert rendered.image.shape == (*scene.size, 3)
        assert rendered.ids.shape == scene.size
        assert scene.size in VIDEO_SIZES
        sizes.add(scene.size)
        people += len(rendered.persons)
    assert len(sizes) >= 3
    assert people >= 8


def test_without_sizes_a_video_has_the_size_of_its_config() -> None:
    assert build_scene(1, "lunge", config=SceneConfig(look="video", size=(96, 128))).size == (96, 128)
    with pytest.raises(ConfigError, match=r"scene\.sizes must be at least 32 x 32, got \(8, 99\)"):
        SceneConfig(sizes=((96, 96), (8, 99)))


def test_a_frame_depends_on_its_time_alone_in_every_process_and_with_any_threads() -> None:
    digests = set()
    for threads in (1, 4):
        command = [sys.executable, "-c", HASH.format(threads=threads)]
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
        digests.add(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert len(digests) == 1
    scene, same = (build_scene(9, "lunge", config=replace(SMALL, moving_camera_share=1.0)) for _ in range(2))
    later = scene.render(11.0).image
    for time in (0.0, 4.0, 8.0, 11.0):
        frame = same.render(time).image
    assert hashlib.sha256(frame.tobytes()).digest() == hashlib.sha256(later.tobytes()).digest()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"bars_share": 1.0, "graphics_share": 0.0}, id="bars"),
        pytest.param({"cut_share": 1.0, "moving_camera_share": 1.0}, id="cuts"),
        pytest.param({"turned_share": 1.0}, id="rolled"),
        pytest.param({"combing_share": 1.0, "blur_share": 1.0}, id="combed and blurred"),
    ],
)
def test_visible_keypoints_are_on_their_person(changes: dict[str, float]) -> None:
    count = 0
    for seed in range(6):
        scene = build_scene(seed, "front_raises", config=replace(SMALL, **changes))
        cast = build_cast(seed, "front_raises", config=replace(SMALL, **changes))
        for time in (0.4, 5.0):
            rendered = scene.render(time)
            points, _ = cast.keypoints(time)
            for person in rendered.persons:
                np.testing.assert_allclose(points[person.identity - 1], person.keypoints[:, :2], atol=1e-6)
                for x, y, visibility in person.keypoints:
                    if visibility == VISIBLE:
                        row, column = int(y), int(x)
                        ids = rendered.ids[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
                        assert (ids // IDS_PER_PERSON == person.identity).any()
                        count += 1
    assert count > 6 * len(KEYPOINTS) / 2


def test_a_cut_changes_the_camera_at_once_and_nothing_before_it() -> None:
    shots = draw_shots(np.random.default_rng(1), STANDING, (2.0, 1.4), (96, 128), replace(SHARES, cut=1.0))
    assert shots.starts[0] == 0.0
    assert len(shots.starts) == len(shots.paths) >= 2
    cut = shots.starts[1]
    before, after = shots.at(cut - 1e-6), shots.at(cut)
    assert np.abs(before.eye - after.eye).max() > 0.05
    assert shots.at(cut - 0.5).eye == pytest.approx(before.eye, abs=0.1)
    assert shots.seconds_in_shot(cut + 0.25) == pytest.approx(0.25)


def test_cameras_are_at_all_heights_and_show_the_person() -> None:
    rng = np.random.default_rng(0)
    shots = [draw_shots(rng, STANDING, (2.0, 1.4), (96, 128), SHARES) for _ in range(200)]
    heights = np.array([shot.start.eye[1] for shot in shots])
    assert heights.min() < 0.4
    assert heights.max() > 2.5
    pixels = np.array([shot.start.project(np.array([[0.0, 0.1, 0], [0.0, 1.7, 0]]))[0] for shot in shots])
    inside = ((pixels > 0) & (pixels < [128, 96])).all(axis=(1, 2))
    assert inside.mean() > 0.75
    shares = (pixels[:, 0, 1] - pixels[:, 1, 1]) / 96
    assert 0.4 < np.median(shares) < 0.85


@pytest.mark.parametrize("action", ["hopscotch", "surfing_crowd"])
def test_every_shot_shows_the_main_performer(action: str) -> None:
    config = replace(SMALL, cut_share=1.0, close_share=0.5, covered_share=1.0, occluder_share=1.0, graphics_share=1.0)
    for seed in range(2):
        scene = build_scene(seed, action, config=config)
        for time in (0.7, 5.0, 9.5):
            (first, *_) = [person for person in scene.render(time).persons if person.identity == 1]
            assert (first.keypoints[:, 2] > 0).sum() >= 4


def test_the_sensor_changes_colours_and_keeps_the_size() -> None:
    image = np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8)
    for seed in range(10):
        sensor = draw_sensor(np.random.default_rng(seed), (96, 128), strength=0.5)
        exposed = sensor.encode(sensor.expose(image, 1.0, 0.1))
        assert exposed.shape == image.shape
        assert not np.array_equal(exposed, image)
        assert np.array_equal(exposed, sensor.encode(sensor.expose(image, 1.0, 0.1)))


def test_sensor_and_codec_leave_the_id_plane_untouched() -> None:
    good, poor = (replace(SMALL, poor_share=share, graphics_share=0.0, covered_share=0.0) for share in (0.0, 1.0))
    for one, other in zip(scenes(good, 4), scenes(poor, 4), strict=True):
        assert np.array_equal(one.render(1.0).ids, other.render(1.0).ids)


def test_opaque_graphics_hide_people_and_keep_to_their_times() -> None:
    shown = 0
    for seed in range(40):
        for graphic in draw_graphics(np.random.default_rng(seed), (96, 128), share=1.0):
            frame, ids = np.zeros((96, 128, 3), np.uint8), np.full((96, 128), 17, np.uint8)
            graphic.put(frame, ids, graphic.start + 0.01)
            shown += int((ids == NO_PERSON).sum())
            assert set(np.unique(ids)) <= {17, NO_PERSON}
            if graphic.period:
                ids[:] = 17
                graphic.put(frame, ids, graphic.end + 1e-3)
                assert (ids == 17).all() or graphic.end >= graphic.period - 1e-3
    assert shown > 1000


def test_nobody_draws_graphics_for_a_share_of_none() -> None:
    assert draw_graphics(np.random.default_rng(0), (96, 128), share=0.0) == []
