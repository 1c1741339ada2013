"""The official baseline on a parse: states and actions from a random network, batches, boxes, what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from actparse.core.errors import ConfigError, ShapeError, WeightsError
from actparse.core.structures import FrameParse, ObjectParse, PartParse, PersonParse
from actparse.core.vocabulary import PARTS
from actparse.nets.baseline import Baseline, BaselineConfig
from actparse.nets.resnet import ResNetConfig
from actparse.nets.tracks import TrackConfig, TrackNet
from actparse.stages.actions.baseline import BaselineRecognizer, BaselineSettings, build_recognizer, frame_boxes
from actparse.weights.bundle import config_to_dict, load_network, save_network

ACTIONS = ("lunge", "push_up")
STATES = (("none",), *(("bend", "hold"),) * 9)
NET = BaselineConfig(
    backbone=ResNetConfig(
        block="basic", num_blocks=(1,), widths=(8,), strides=(2,), dilations=(1,), stem_width=8, stem_pool=False
    ),  # stride 4
    num_actions=2,
    num_states=tuple(map(len, STATES)),
    roi_channels=4,
    roi_size=2,
    width=8,
)
SETTINGS = BaselineSettings(short_side=48, max_frames=3)


@pytest.fixture(scope="module")
def recognizer() -> BaselineRecognizer:
    torch.manual_seed(0)
    return BaselineRecognizer(Baseline(NET).eval(), ACTIONS, STATES, SETTINGS)


def video(num_persons: list[int], *, num_parts: int = 10) -> tuple[list[np.ndarray], list[FrameParse]]:
    """A frame of 60 x 80 for each number, with so many persons in it."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (60, 80, 3), dtype=np.uint8) for _ in num_persons]
    frames = []
    for number, count in enumerate(num_persons):
        persons = []
        for track in range(1, count + 1):
            x, y = rng.uniform(0, 30, 2).tolist()
            parts = tuple(
                PartParse(name, (x, y + n, x + 9, y + n + 9), 0.5) for n, name in enumerate(PARTS[:num_parts])
            )
            persons.append(PersonParse(track, (x, y, x + 20, y + 30), 0.8, ((0.0, 0.0, 0.0),) * 17, parts))
        frames.append(FrameParse(5 * number, number / 2, tuple(persons)))
    return images, frames


def test_every_part_gets_a_state_of_its_own_words(recognizer: BaselineRecognizer) -> None:
    images, frames = video([2, 0, 1, 3])
    scores, parsed = recognizer.recognize(images, frames)
    assert list(scores) == list(ACTIONS)
    assert sum(scores.values()) == pytest.approx(1)
    assert [len(frame.persons) for frame in parsed] == [2, 0, 1, 3]
    for part in (part for frame in parsed for person in frame.persons for part in person.parts):
        known = STATES[PARTS.index(part.name)]
        assert part.state in known
        assert part.state_score is not None
        assert 1 / len(known) - 1e-6 <= part.state_score <= 1
    without_states = [
        replace(
            f,
            persons=tuple(
                replace(p, parts=tuple(replace(q, state=None, state_score=None) for q in p.parts)) for p in f.persons
            ),
        )
        for f in parsed
    ]
    assert without_states == frames


def test_batches_and_pieces_of_a_video_do_not_change_the_result(recognizer: BaselineRecognizer) -> None:
    images, frames = video([2, 0, 1, 3, 1])
    want, states = recognizer.recognize(images, frames)
    one = BaselineRecognizer(recognizer.net, ACTIONS, STATES, replace(SETTINGS, max_frames=1))
    got, same = one.recognize(images, frames)
    assert got == pytest.approx(want, abs=2e-3)  # sums in bfloat16 may differ with the batch
    assert [[p.track_id for p in f.persons] for f in same] == [[p.track_id for p in f.persons] for f in states]
    first, head = one.look(images[:2], frames[:2])
    second, tail = one.look(images[2:], frames[2:])
    assert (first + second).num_frames == 5
    assert (first + second).num_peopled == 4
    assert one.by_action(first + second) == pytest.approx(got, abs=1e-6)
    assert [*head, *tail] == same


def test_no_parts_no_persons_no_frames(recognizer: BaselineRecognizer) -> None:
    images, frames = video([1, 2], num_parts=0)
    seen, parsed = recognizer.look(images, frames)
    assert parsed == frames
    assert seen.num_peopled == 0
    assert not seen.people.any()
    images, nobody = video([0, 0])
    scores, parsed = recognizer.recognize(images, nobody)
    assert parsed == nobody
    assert sum(scores.values()) == pytest.approx(1)
    assert recognizer.recognize([], []) == ({"lunge": 0.5, "push_up": 0.5}, [])


def test_boxes_follow_the_frame_to_its_new_size() -> None:
    _, frames = video([1, 0, 2], num_parts=2)
    box = (1.0, 2.0, 3.0, 4.0)
    things = (ObjectParse("bat", box, 0.3), ObjectParse("bat", box, 0.29), ObjectParse("skateboard", box, 0.9))
    frames[1] = replace(frames[1], objects=things)
    boxes = frame_boxes(frames, np.array([2, 3, 2, 3], np.float32), {"bat"})
    person = frames[2].persons[1]
    x1, y1, x2, y2 = person.box
    assert boxes.persons[2].tolist() == pytest.approx([2 * x1, 3 * y1, 2 * x2, 3 * y2])
    assert boxes.parts[2, 1].tolist() == pytest.approx(np.multiply(person.parts[1].box, (2, 3, 2, 3)).tolist())
    assert not boxes.parts[:, 2:].any()
    assert boxes.person_frames.tolist() == [0, 2, 2]
    assert boxes.objects.tolist() == [[2, 6, 6, 12]]
    assert boxes.object_frames.tolist() == [1]
    assert SETTINGS.resized((60, 80)) == (48, 64)
    assert SETTINGS.resized((16, 16000)) == (1, 4 * 48)  # the memory of a long strip is limited


def test_objects_change_the_states_if_the_network_was_trained_with_them(recognizer: BaselineRecognizer) -> None:
    images, frames = video([1, 1])
    bat = ObjectParse("bat", (5.0, 5.0, 40.0, 40.0), 0.9)
    with_bat = [replace(frames[0], objects=(bat,)), frames[1]]
    trained = BaselineRecognizer(recognizer.net, ACTIONS, STATES, SETTINGS, ["bat"])
    _, without = trained.recognize(images, frames)
    _, with_one = trained.recognize(images, with_bat)
    assert with_one[0].persons != without[0].persons
    assert with_one[1] == without[1]
    assert recognizer.recognize(images, with_bat)[1][0].persons == without[0].persons


def test_a_stored_network_comes_back(recognizer: BaselineRecognizer, tmp_path: Path) -> None:
    path = tmp_path / "baseline.safetensors"
    labels = {"actions": list(ACTIONS), "states": list(map(list, STATES))}
    settings = config_to_dict(SETTINGS)
    save_network(path, recognizer.net, kind="baseline", settings=settings, labels=labels, dtype=torch.float32)
    again = build_recognizer(load_network(path))
    assert again.settings == SETTINGS
    assert again.net.config == NET
    images, frames = video([1, 2])
    assert again.recognize(images, frames) == recognizer.recognize(images, frames)
    save_network(path, recognizer.net, kind="baseline", settings=settings, labels={**labels, "actions": ["lunge"]})
    with pytest.raises(WeightsError, match=re.escape("baseline: labels.actions must be 2 names, got ['lunge']")):
        build_recognizer(load_network(path))
    save_network(path, recognizer.net, kind="baseline", settings=settings, labels={**labels, "objects": ["bat"]})
    assert build_recognizer(load_network(path)).objects == {"bat"}
    save_network(path, recognizer.net, kind="baseline", settings=settings, labels={**labels, "objects": [3]})
    with pytest.raises(WeightsError, match=re.escape("baseline: labels.objects must be names, got [3]")):
        build_recognizer(load_network(path))
    save_network(path, TrackNet(TrackConfig(width=8)), kind="tracks", settings={})
    with pytest.raises(WeightsError, match="tracks: needs a Baseline, got a TrackNet"):
        build_recognizer(load_network(path))


def test_what_does_not_fit_is_refused(recognizer: BaselineRecognizer) -> None:
    images, frames = video([1, 1])
    with pytest.raises(ShapeError, match="images must be 2, one for each frame, got 1"):
        recognizer.recognize(images[:1], frames)
    with pytest.raises(ShapeError, match="images must be of one size"):
        recognizer.recognize([images[0], images[1][:30]], frames)
    with pytest.raises(ConfigError, match=r"baseline\.max_frames must be at least 1, got 0"):
        BaselineSettings(max_frames=0)
