"""What the full-size recipes draw: mirrored and shifted boxes, mirrored labels, indices, divisions; their numbers."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from actparse.core.errors import DataError
from actparse.core.vocabulary import KEYPOINTS, PART_FLIP, PARTS
from actparse.data.division import held_out_names
from actparse.stages.inputs import InputNorm
from actparse.training.loop import ranks
from actparse.training.loop.schedule import rule_factor
from actparse.training.options import TrainOptions, say_nothing
from actparse.training.paper import index as index_module
from actparse.training.paper.action import CsnNumbers
from actparse.training.paper.builders import build_clips, build_persons
from actparse.training.paper.clip_tasks import CsnTask, TsnFlowTask
from actparse.training.paper.detection import BoxedImage, augmented, collated, in_mirror, padded, shifted
from actparse.training.paper.detector_tasks import PersonsTask
from actparse.training.paper.flow_reader import read_flow
from actparse.training.paper.index import VideoIndex, open_index
from actparse.training.paper.persons import PersonsNumbers
from actparse.training.paper.recipes import PAPER_RECIPES, numbers_of
from actparse.training.paper.spans import Span, frame_spans, segment_spans
from actparse.training.paper.splits import Split, divided, open_splits, read_images
from actparse.training.paper.states import StatesNumbers
from actparse.training.paper.tsn import TsnFlowNumbers, TsnRgbNumbers
from actparse.training.run_folder import RunFolder
from training.miniature import NUM_FRAMES, person_box, write_miniature

SMALL = StatesNumbers(depth_blocks=(1, 1, 1, 1), num_frames=4, crop_size=16, train_short_side=24, test_short_side=24)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=2)


@pytest.fixture(scope="module")
def split(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Split:
    index = open_index(data, "train", cache=tmp_path_factory.mktemp("cache"))
    return Split(index, tuple(range(len(index))))


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
    drawn = [augmented(sample, PersonsNumbers(), (0,), rng) for _ in range(300)]
    moved = [s for s in drawn if s.boxes.tolist() != sample.boxes.tolist()]
    assert 100 < len(moved) < 200  # a mirror leaves this box where it is
    assert max(abs(float(s.boxes[0, 0]) - 20) for s in moved) <= 32


def test_batch_is_padded_after_it_is_normalised() -> None:
    samples = [boxed((0, 0, 5, 5)), replace(boxed((0, 0, 5, 5)), image=np.zeros((20, 70, 3), np.uint8))]
    images = padded(collated(samples)["images"], InputNorm(mean=(10, 10, 10), std=(1, 1, 1)))
    assert images.shape == (2, 3, 64, 96)
    assert images[1, 0, 19, 69] == -10
    assert images[1, 0, 20, 0] == images[0, 0, 0, 60] == 0


def test_index_knows_frames_persons_and_states(split: Split) -> None:
    index = split.index
    video = index.names.index("train_lunge_1")
    assert len(index.times_of(video)) == NUM_FRAMES
    frame = index.frames_of(video)[10]
    assert index.video_of(frame) == video
    np.testing.assert_allclose(index.person_boxes[index.persons_of(frame)][0], person_box("lunge", 1, 10))
    person = index.truths(video)[10].persons[0]
    assert {name: part.state for name, part in person.parts.items()}["left_arm"] == "bend"
    assert len(split.frames(5)) == 4 * len(range(0, NUM_FRAMES, 5))


def test_an_index_that_was_stopped_goes_on(
    split: Split, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "PART_VIDEOS", 1)
    monkeypatch.setattr(index_module, "REPORTED_VIDEOS", 1)
    lines: list[str] = []

    def stop_after_two(line: str) -> None:
        lines.append(line)
        if line.startswith("indexed 2/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_index(data, "train", cache=tmp_path, report=stop_after_two)
    made = open_index(data, "train", cache=tmp_path, report=lines.append)
    assert lines == [f"indexed {done}/4 videos" for done in (1, 2, 3, 4)]  # no video was read twice
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
    expect_same_index(made, split.index)


def test_processes_index_what_one_does(
    split: Split, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "PART_VIDEOS", 1)
    monkeypatch.setattr(index_module, "FEW_JOBS", 0)
    expect_same_index(open_index(data, "train", cache=tmp_path), split.index)


def expect_same_index(index: VideoIndex, other: VideoIndex) -> None:
    for name, value in vars(other).items():
        np.testing.assert_array_equal(vars(index)[name], value, err_msg=name)


def test_damaged_index_says_so(data: Path, tmp_path: Path) -> None:
    open_index(data, "val", cache=tmp_path)
    next(tmp_path.glob("index-val-*.npz")).write_bytes(b"")
    with pytest.raises(DataError, match="damaged index"):
        open_index(data, "val", cache=tmp_path)


def test_videos_are_divided_where_there_is_no_val(split: Split, data: Path, tmp_path: Path) -> None:
    train, held_out = divided(split.index)
    assert sorted(train.videos + held_out.videos) == [0, 1, 2, 3]
    names = split.index.names
    assert {names[video] for video in held_out.videos} == held_out_names(names)
    held_out_by_seed = {divided(split.index, seed=seed)[1].videos for seed in range(8)}
    assert {len(videos) for videos in held_out_by_seed} == {1}
    assert len(held_out_by_seed) > 1
    whole, val = open_splits(data, tmp_path, lambda line: None)
    assert (len(whole.videos), len(val.videos)) == (4, 4)
    assert set(val.index.names).isdisjoint(whole.index.names)
    assert split.limited(2).videos == (0, 3)


def test_the_recipes_hold_out_what_their_seed_says(data: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for folder in ("train_videos", "train_annotations"):
        shutil.copytree(data / folder, root / folder)
    numbers = numbers_of("persons", {"split_seed": "3", "depth": "18"})
    task = build_persons("persons", numbers, root, RunFolder(tmp_path, "persons"), TrainOptions(report=say_nothing))
    assert isinstance(task, PersonsTask)
    names = task.held_out.index.names
    assert {names[video] for video in task.held_out.videos} == held_out_names(names, seed=3) != held_out_names(names)
    clips = numbers_of("states-arm", {"split_seed": "3", "depth_blocks": "1,1,1,1"})
    states = build_clips("states-arm", clips, root, RunFolder(tmp_path, "states-arm"), TrainOptions(report=say_nothing))
    assert isinstance(states, CsnTask)
    assert states.held_out.videos == task.held_out.videos
    divided_recipes = {name for name, recipe in PAPER_RECIPES.items() if hasattr(recipe.numbers, "split_seed")}
    assert divided_recipes == set(PAPER_RECIPES) - {"poses"}


def test_images_are_those_of_their_numbers(split: Split) -> None:
    video = split.index.names.index("train_lunge_1")
    for number, image in read_images(split.index, video, [0, 9, 31]).items():
        x1, y1, x2, y2 = person_box("lunge", 1, number).astype(int)
        np.testing.assert_allclose(image[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4].mean(axis=(0, 1)), (200, 60, 90), atol=12)
        assert image[y1 + 20, x1 - 4].max() < 140  # the block is not further left


def test_persons_sample_follows_the_block(split: Split) -> None:
    numbers = PersonsNumbers(depth=18, short_side=96, long_side=160, max_shift=8)
    task = PersonsTask(split, split, numbers)
    for row in range(0, task.num_samples, 5):
        sample = task.sample(row, np.random.default_rng(row))
        x1, y1, x2, y2 = sample.boxes[0].astype(int)
        inside = sample.image[y1 + 5 : y2 - 5, x1 + 5 : x2 - 5].astype(int)
        assert np.abs(inside[..., 0] - inside[..., 2]).mean() > 80  # red or blue, the background is grey
    once, again = (task.rows_of_step(0, 3, range(2))["images"] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


def test_spans_of_segments_and_frames(split: Split) -> None:
    segments = segment_spans(split, "arm", 1.6)
    assert [(s.first, s.end) for s in segments if s.video == 0] == [(0, 16), (16, 32)]
    frames = [s for s in frame_spans(split, "arm", 5, 8) if s.video == 0]
    assert [(s.first, s.end) for s in frames[:2]] == [(-4, 4), (1, 9)]
    assert {s.label for s in segments} == {("lunge", "bend", "none"), ("push_up", "none", "none")}


def states_task(split: Split, *labels: tuple[str, ...], **changes: str) -> CsnTask:
    spans = [Span(0, 0, NUM_FRAMES, label) for label in labels]
    return CsnTask("states-arm", (split, spans), (split, spans), replace(SMALL, **changes))


@pytest.mark.parametrize(
    ("mirror", "labels"),
    [("plain", {0}), ("off", {0}), ("sides", {0, 1})],
)
def test_mirrored_clip_and_its_label(split: Split, mirror: str, labels: set[int]) -> None:
    task = states_task(split, ("lunge", "bend", "none"), ("lunge", "none", "bend"), mirror=mirror)
    drawn = [task.sample(0, np.random.default_rng(seed)) for seed in range(12)]
    assert {label for _, _, label in drawn} == labels
    assert drawn[0][1].shape == (3, 4, 16, 16)
    assert drawn[0][0] == f"{split.index.names[0]} frames 0-31"


def test_label_without_a_mirror_image_is_not_mirrored(split: Split) -> None:
    task = states_task(split, ("lunge", "bend", "none"), mirror="sides")
    rng = np.random.default_rng(0)
    assert {task._mirrored_label(task.spans[0], rng) for _ in range(20)} == {(0, False)}


def test_two_processes_share_the_normaliser(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    task = PersonsTask(split, split, PersonsNumbers(depth=18, short_side=96, long_side=160, batch_size=2, num_gpus=1))
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


def test_flow_is_mirrored_with_its_sign(split: Split, tmp_path: Path) -> None:
    for video in split.index.names:
        (tmp_path / video).mkdir()
        for number in range(1, NUM_FRAMES):
            for axis, value in (("x", 228), ("y", 100)):
                cv2.imwrite(str(tmp_path / video / f"flow_{axis}_{number:05d}.jpg"), np.full((30, 40), value, np.uint8))
    assert read_flow(tmp_path, split.index.names[0], [4])[4][0, 0].tolist() == [228, 100]
    spans = [Span(0, 0, NUM_FRAMES, ("lunge",))]
    numbers = TsnFlowNumbers(crop_size=16, train_short_side=24)
    task = TsnFlowTask("action-tsn-flow", (split, spans), (split, spans), numbers, tmp_path)
    drawn = [task.sample(0, np.random.default_rng(seed))[1] for seed in range(8)]
    assert drawn[0].shape == (3, 10, 16, 16)
    assert {int(sample[0, 0, 0, 0]) for sample in drawn} == {228, 27}
    assert {int(sample[0, 1, 0, 0]) for sample in drawn} == {100}
    assert float(task._normalise(torch.full((1, 3, 10, 2, 2), 128)).abs().max()) == 0


def test_missing_flow_names_its_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"flow_x_00003.jpg: no such file"):
        read_flow(tmp_path, "video", [2])


@pytest.mark.parametrize(
    ("reading", "iteration", "rate"),
    [
        ("16-epochs-by-iteration", 0, 0.1),
        ("16-epochs-by-iteration", 8 * 239, 0.55),
        ("16-epochs-by-iteration", 16 * 239, 1.0),
        ("16-epochs-by-epoch", 15 * 239 - 1, 0.1 + 0.9 * 14 / 15),
        ("16-epochs-by-epoch", 15 * 239, 1.0),
        ("16-iterations", 8, 0.55),
        ("16-iterations", 16, 1.0),
        ("16-iterations", 32 * 239, 0.1),
        ("16-epochs-by-iteration", 48 * 239, 0.01),
    ],
)
def test_readings_of_the_warm_up(reading: str, iteration: int, rate: float) -> None:
    settings = CsnNumbers(warmup=reading).settings()  # type: ignore[arg-type]
    assert settings.step_rule is not None
    assert settings.learning_rate == pytest.approx(8e-5)
    assert rule_factor(settings.step_rule, iteration, 239) == pytest.approx(rate)


def test_readings_of_the_batch() -> None:
    assert CsnNumbers().settings().batch_size == 16
    assert CsnNumbers(batch="in-all").settings().batch_size == 4
    assert PersonsNumbers().settings().batch_size == 24
    assert PersonsNumbers(batch="in-all").settings().batch_size == 6


def test_tsn_can_train_as_its_public_recipe() -> None:
    reference = TsnRgbNumbers(training="reference").settings()
    assert reference.learning_rate == pytest.approx(0.01 / 16)
    assert reference.step_rule is not None
    assert (reference.step_rule.epochs, reference.nesterov) == (100, False)
    assert TsnRgbNumbers().settings() == CsnNumbers().settings()


def test_inference_as_published() -> None:
    stage = CsnNumbers().stage()
    assert (stage.num_frames, stage.frame_stride, stage.num_clips, stage.short_side) == (32, 2, 7, 256)
    assert (stage.rule, stage.crop, stage.frame_rate) == ("legacy", None, None)
    assert PersonsNumbers().stage().max_persons == 10
    assert StatesNumbers(level="frame").stage().num_clips == 1
