"""The person detector's recipe: images with boxes, their augmentation and batches, and the stage's preprocessing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from actparse.core.vocabulary import KEYPOINTS, PART_FLIP, PARTS
from actparse.data.frames.index import VideoIndex, open_index
from actparse.stages.inputs import InputNorm
from actparse.stages.people.persons import YolofPersons
from actparse.training.loop import ranks
from actparse.training.recipes.persons import PaperPersons, PersonsTask, padded
from actparse.video.augmentation import BoxedImage, in_mirror, shifted, zoomed
from training.miniature import write_miniature


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> VideoIndex:
    root = write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=2)
    return open_index(root, "train", cache=tmp_path_factory.mktemp("cache")).select(range(4), stride=5)


def boxed(*boxes: tuple[float, ...], labels: tuple[int, ...] = (0,)) -> BoxedImage:
    image = np.zeros((40, 60, 3), np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[int(y1) : int(y2), int(x1) : int(x2)] = 255
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[KEYPOINTS.index("left_wrist")] = (10, 12, 1)
    return BoxedImage("name", image, np.array(boxes, np.float32), np.array(labels, np.int64), keypoints)


def bright(image: np.ndarray) -> list[int]:
    rows, columns = np.nonzero(image[..., 0])
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def test_mirror_exchanges_sides() -> None:
    sample = in_mirror(boxed((5, 10, 20, 30), labels=(PARTS.index("left_hand"),)), PART_FLIP)
    assert sample.boxes.tolist() == [[40, 10, 55, 30]] == [bright(sample.image)]
    assert sample.labels.tolist() == [PARTS.index("right_hand")]
    assert sample.keypoints[KEYPOINTS.index("right_wrist")].tolist() == [50, 12, 1]


@pytest.mark.parametrize(("x", "y"), [(7, -4), (-5, 6), (0, 0)])
def test_shift_moves_pixels_boxes_and_keypoints(x: int, y: int) -> None:
    sample = shifted(boxed((10, 10, 30, 25)), x, y)
    assert sample.boxes.tolist() == [[10 + x, 10 + y, 30 + x, 25 + y]] == [bright(sample.image)]
    assert sample.keypoints[KEYPOINTS.index("left_wrist"), :2].tolist() == [10 + x, 12 + y]


def test_shift_drops_slivers_but_not_the_last_box() -> None:
    pair = boxed((0, 0, 20, 20), (30, 10, 50, 30), labels=(0, 3))
    sample = shifted(pair, -19, 0)
    assert sample.labels.tolist() == [3]
    alone = boxed((0, 0, 20, 20))
    assert shifted(alone, -19, 0) is alone


def test_shares_of_mirrors_and_shifts() -> None:
    sample = boxed((20, 10, 40, 30))
    rng = np.random.default_rng(0)
    drawn = [PaperPersons().augment(sample, (0,), rng) for _ in range(300)]
    moved = [s for s in drawn if s.boxes.tolist() != sample.boxes.tolist()]
    assert 100 < len(moved) < 200  # a mirror leaves this box where it is
    assert max(abs(float(s.boxes[0, 0]) - 20) for s in moved) <= 32


def test_batch_is_padded_after_it_is_normalised() -> None:
    samples = [boxed((0, 0, 5, 5)), replace(boxed((0, 0, 5, 5)), image=np.zeros((20, 70, 3), np.uint8))]
    images = padded(
        [torch.from_numpy(s.image).permute(2, 0, 1) for s in samples], InputNorm(mean=(10, 10, 10), std=(1, 1, 1)), 32
    )
    assert images.shape == (2, 3, 64, 96)
    assert images[1, 0, 19, 69] == -10
    assert images[1, 0, 20, 0] == images[0, 0, 0, 60] == 0


def test_a_zoom_moves_pixels_and_boxes() -> None:
    sample = boxed((20, 10, 40, 30))
    rng = np.random.default_rng(1)
    moved = zoomed(sample, rng, zoom=(1.5, 1.5), max_shift=0.1, min_visible=0.5)
    x1, y1, x2, y2 = moved.boxes[0]
    assert (x2 - x1, y2 - y1) == pytest.approx((30, 30), abs=0.01)
    middle = moved.image[round(y1) + 3 : round(y2) - 3, round(x1) + 3 : round(x2) - 3]
    assert middle.min() == 255
    assert not len(zoomed(boxed((50, 30, 60, 40)), rng, zoom=(9.0, 9.0), max_shift=0.0, min_visible=0.5).boxes)


def test_persons_sample_follows_the_block(frames: VideoIndex) -> None:
    hyperparameters = PaperPersons(depth=18, short_side=96, long_side=160, max_shift=8)
    task = PersonsTask(frames, frames, hyperparameters)
    for row in range(0, task.num_samples, 5):
        sample = task.sample(row, np.random.default_rng(row))
        x1, y1, x2, y2 = sample.boxes[0].astype(int)
        inside = sample.image[y1 + 5 : y2 - 5, x1 + 5 : x2 - 5].astype(int)
        assert np.abs(inside[..., 0] - inside[..., 2]).mean() > 80  # red or blue, the background is grey
    once, again = (task.rows_of_step(0, 3, range(2))["images"] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


def test_two_processes_share_the_normaliser(frames: VideoIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    task = PersonsTask(frames, frames, PaperPersons(depth=18, short_side=96, long_side=160, batch_size=2, num_gpus=1))
    net = task.net.eval()
    batch = task.rows_of_step(0, 0, range(2))
    whole = task.losses(net, batch)
    counts = []
    monkeypatch.setattr(ranks, "mean_over_processes", lambda value: counts.append(float(value)) or value)
    parts = [task.rows_of_step(0, 0, range(n, n + 1)) for n in range(2)]
    for part in parts:
        task.losses(net, part)
    mean = torch.tensor(sum(counts) / 2)
    monkeypatch.setattr(ranks, "mean_over_processes", lambda value: mean)
    shares = [task.losses(net, part) for part in parts]
    for term, value in whole.items():
        torch.testing.assert_close(sum(share[term] for share in shares) / 2, value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("short_side", [pytest.param(100, id="enlarged"), pytest.param(24, id="shrunk")])
def test_training_sees_what_the_stage_sees(frames: VideoIndex, short_side: int) -> None:
    """The stage shrinks by area below one half, and pads to the stride; so does training."""
    hyperparameters = PaperPersons(depth=18, short_side=short_side, long_side=160, mirror_share=0.0, shift_share=0.0)
    task = PersonsTask(frames, frames, hyperparameters)
    inputs: list[Tensor] = []
    handle = task.net.register_forward_pre_hook(lambda net, arguments: inputs.append(arguments[0]))
    YolofPersons(task.net.eval(), task.stage).detect(frames.images([0]))
    task.losses(task.net, task.collate([task.sample(0, np.random.default_rng(0))]))
    handle.remove()
    torch.testing.assert_close(inputs[1], inputs[0])


def test_readings_of_the_batch() -> None:
    assert PaperPersons().settings().batch_size == 24
    assert PaperPersons(batch="in-all").settings().batch_size == 6
