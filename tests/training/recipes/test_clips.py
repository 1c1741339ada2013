"""Clip tasks: labels, mirrors, determinism."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError
from actparse.core.vocabulary import GROUPS, GroupLabel, mirror_label
from actparse.data.flow_files import read_flow
from actparse.data.frames.index import VideoIndex, open_index
from actparse.data.frames.intervals import (
    ClipSource,
    Interval,
    index_videos,
    segments,
    store_videos,
    whole_videos,
    with_states,
)
from actparse.data.frames.store import Store, StoreConfig, open_store
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.nets.clips.tsn import Tsn, TsnConfig
from actparse.stages.actions.classifier import ClipClassifier, ClipConfig
from actparse.stages.actions.clip_inputs import FlowInput
from actparse.training.loop.optimisation import rule_factor
from actparse.training.recipes.clips import ActionTask, AuxiliaryHeads, ClipTask, stacked_flow
from actparse.training.recipes.hyperparameters import Mirror, changed
from actparse.training.recipes.paper_clips import PaperCsn, PaperTsnFlow, PaperTsnRgb
from actparse.training.recipes.tiny_clips import TinyClips
from actparse.training.runs.initial_weights import start_from
from actparse.training.samples.flow import FlowFiles
from actparse.training.samples.track_clips import track_videos
from actparse.video.flow import FAST_TVL1
from actparse.weights.bundle import save_network
from training.miniature import NUM_FRAMES, SIZE, write_miniature

NET = CsnConfig(num_blocks=(1, 1, 1, 1), widths=(8, 8, 8, 8), mid_widths=(4, 4, 4, 4), stem_width=8)
STAGE = ClipConfig(num_frames=4, frame_stride=1, num_clips=2, frame_rate=10.0, short_side=48)
TINY = TinyClips(net_config=NET, stage_config=STAGE)
PAPER = PaperCsn(depth_blocks=(1, 1, 1, 1), num_frames=4, crop_size=16, train_short_side=24, test_short_side=24)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=1)
    return open_store(root, "train", StoreConfig(frame_size=SIZE, clip_size=(48, 64), frame_rate=10.0))


def interval(
    frames: NDArray[np.uint8], *label: str, end: int = 32, groups: tuple[GroupLabel | None, ...] = ()
) -> Interval:
    source = ClipSource(frames, (0, len(frames)), Path("nowhere"), ("clip",))
    return Interval(source=source, first=0, end=end, label=label, group_labels=groups)


def build(store: Store, *labels: tuple[str, ...]) -> ClipTask:
    intervals = [interval(store.clips, *label) for label in labels]
    return ClipTask("states-arm", intervals, intervals, TINY)


def action_segments(store: Store) -> tuple[Interval, ...]:
    return segments(store_videos(store, 10.0), 3.0)


def action_videos(store: Store) -> tuple[Interval, ...]:
    return whole_videos(store_videos(store, 10.0))


def test_batch_has_clips_and_labels(store: Store) -> None:
    task = build(store, ("lunge", "bend", "none"), ("lunge", "none", "bend"))
    batch = task.batch(np.random.default_rng(0))
    assert batch["clips"].shape == (16, 4, 48, 64, 3)
    assert set(batch["labels"].tolist()) == {0, 1}
    again = task.batch(np.random.default_rng(0))
    assert torch.equal(batch["clips"], again["clips"])


def test_tracks_are_videos_of_squares_with_the_persons_states(store: Store) -> None:
    videos = list(track_videos(store, frame_rate=2.0, side=24))
    assert [video.action for video in videos] == list(store.actions)
    for video in videos:
        assert len(video.times) == 7  # annotated every half second
        squares = video.source.read(video.first + np.arange(7))
        assert {square.shape for square in squares} == {(24, 24, 3)}
        middles = np.array([square[12, 12] for square in squares], int)
        assert (np.abs(middles - middles[0]) < 25).all()  # the block stays in the middle, while it walks
    (lunge,) = (video for video in videos if video.action == "lunge")
    (labelled,) = segments([lunge], 3.0)
    assert labelled.group_labels[GROUPS.index("arm")] == ("lunge", "bend", "none")
    assert labelled.name == "person 1 of train_lunge_0 from frame 0"


def test_without_identities_there_are_no_tracks(store: Store) -> None:
    unknown = np.full_like(store.person_identities, -1)
    assert not list(track_videos(dataclasses.replace(store, person_identities=unknown), 2.0, 24))


def test_mirrored_clip_gets_the_mirrored_label(store: Store) -> None:
    marked = np.zeros((32, 48, 64, 3), np.uint8)
    marked[:, :, :32] = 255  # bright on the left
    task = build(store, ("lunge", "bend", "none"), ("lunge", "none", "bend"))
    task.intervals = (interval(marked, "lunge", "bend", "none"),)
    batch = task.batch(np.random.default_rng(0))
    is_mirrored = batch["clips"][..., 48:56, :].float().mean((1, 2, 3, 4)) > batch["clips"][..., 8:16, :].float().mean(
        (1, 2, 3, 4)
    )
    assert 0 < is_mirrored.sum() < 16
    assert batch["labels"].tolist() == is_mirrored.long().tolist()  # label 1 is ("lunge", "none", "bend")


def test_clip_is_not_mirrored_where_training_never_saw_the_label(store: Store) -> None:
    task = build(store, ("lunge", "bend", "none"), ("push_up", "none", "none"))
    task.intervals = (interval(store.clips, "lunge", "bend", "none"),)
    assert set(task.batch(np.random.default_rng(1))["labels"].tolist()) == {0}


def test_interval_shorter_than_a_clip_repeats_its_last_frame(store: Store) -> None:
    task = build(store, ("lunge", "none", "none"))
    task.intervals = (interval(store.clips, "lunge", "none", "none", end=2),)
    clips = task.batch(np.random.default_rng(0))["clips"]
    assert torch.equal(clips[:, 2], clips[:, 3])


def test_evaluation_counts_labels_and_states(store: Store) -> None:
    task = build(store, ("lunge", "none", "none"), ("push_up", "none", "none"))
    figures = task.evaluate(task.net, torch.device("cpu"))
    assert figures["state_accuracy"] == 1.0
    assert figures["accuracy"] == 0.5
    assert task.labels()["labels"] == [["lunge", "none", "none"], ["push_up", "none", "none"]]


def test_action_network_is_asked_for_the_groups_too(store: Store) -> None:
    segments = action_segments(store)
    task = ActionTask(segments, action_videos(store), TINY)
    batch = task.batch(np.random.default_rng(0))
    assert batch["group_labels"].shape == (16, 6)
    losses = task.losses(task.net, batch)
    assert set(losses) == {"label", "groups"}  # a dataset's clips have no keypoints
    losses["groups"].backward()  # type: ignore[no-untyped-call]
    assert task.net.cls_head.fc_cls.weight.grad is None
    assert task.net.backbone.conv1.conv.weight.grad is not None
    assert task.labels()["labels"] == [[action] for action in sorted(set(store.actions))]


def test_group_labels_follow_the_mirror(store: Store) -> None:
    labels = tuple(("lunge", "bend", "none") if group == "arm" else None for group in GROUPS)
    seen = [interval(store.clips, "lunge", groups=labels)]
    mirrored = tuple(label and mirror_label(label) for label in labels)
    task = ActionTask([*seen, interval(store.clips, "lunge", groups=mirrored)], [], TINY)
    task.intervals = tuple(seen)
    found = task.batch(np.random.default_rng(0))["group_labels"]
    assert set(found[:, GROUPS.index("arm")].tolist()) == {0, 1}
    assert (found[:, GROUPS.index("leg")] == -1).all()


def test_no_interval_is_an_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="states-arm: the training split has no labelled interval of frames"):
        build(store)


def test_state_networks_can_start_from_what_the_action_network_learnt_of_their_group(store: Store) -> None:
    task = ActionTask(action_segments(store), action_videos(store), TINY)
    starts = task.starts()
    assert list(starts) == [f"states-{group}" for group in GROUPS]
    arm, number = starts["states-arm"], GROUPS.index("arm")
    assert isinstance(arm.net, Csn)
    assert isinstance(task.helper, AuxiliaryHeads)
    assert torch.equal(arm.net.cls_head.fc_cls.weight, task.helper.groups[number].weight)
    assert torch.equal(arm.net.backbone.conv1.conv.weight, task.net.backbone.conv1.conv.weight)
    states = ClipTask("states-arm", with_states(action_segments(store), "arm"), [], TINY)
    assert arm.labels == states.labels()


def test_the_layers_for_the_groups_go_on_from_an_earlier_training(store: Store) -> None:
    segments = action_segments(store)
    earlier = ActionTask(segments, [], TINY)
    other = dataclasses.replace(segments[0], group_labels=(("lunge", "never seen"), *segments[0].group_labels[1:]))
    task = ActionTask([other, *segments[1:]], [], TINY)
    assert isinstance(task.helper, AuxiliaryHeads)
    mean = earlier.starts()["states-head"].net.get_parameter("cls_head.fc_cls.weight").mean(0)
    task.adopt({name: start for name, start in earlier.starts().items() if name != "states-foot"})
    for group, layer, index in zip(GROUPS, task.helper.groups, task.group_indices, strict=True):
        trained = earlier.starts()[f"states-{group}"]
        for label, row in index.items():
            labels = [tuple(known) for known in trained.labels["labels"]]
            if label == ("lunge", "never seen"):
                torch.testing.assert_close(layer.weight[row], mean)
            else:
                weight = trained.net.get_parameter("cls_head.fc_cls.weight")[labels.index(label)]
                assert torch.equal(layer.weight[row], weight) is (group != "foot")


def test_the_layers_for_the_groups_start_from_the_state_networks_of_a_bundle(store: Store, tmp_path: Path) -> None:
    earlier, task = (ActionTask(action_segments(store), [], TINY) for _ in range(2))
    assert isinstance(task.helper, AuxiliaryHeads)
    save_network(tmp_path / "action.safetensors", earlier.net, kind="action", settings={}, labels=earlier.labels())
    for name, start in earlier.starts().items():
        save_network(tmp_path / f"{name}.safetensors", start.net, kind=name, settings={}, labels=start.labels)
    fresh = task.helper.groups[0].weight.clone()
    start_from(task, tmp_path / "action.safetensors")
    assert torch.equal(task.helper.groups[0].weight, fresh)  # not a bundle yet
    (tmp_path / "bundle.json").write_text("{}")
    assert "states-head, states-arm" in start_from(task, tmp_path / "action.safetensors")
    for layer, start in zip(task.helper.groups, earlier.starts().values(), strict=True):
        weight = start.net.get_parameter("cls_head.fc_cls.weight")
        torch.testing.assert_close(layer.weight, weight, atol=1e-3, rtol=1e-2)  # the files are in float16


FLOW_STAGE = ClipConfig(
    num_frames=6, num_clips=1, frame_rate=10.0, short_side=48, flow=FlowInput(num_fields=2, tvl1=FAST_TVL1)
)
TSN = TsnConfig(
    block="basic",
    num_blocks=(1,) * 4,
    widths=(8,) * 4,
    mid_widths=(8,) * 4,
    stem_width=8,
    stem_kernel=3,
    stem_pool=False,
)


def test_a_network_on_flow_trains_on_what_it_will_read(store: Store, tmp_path: Path) -> None:
    source = ClipSource(store.clips[:12], (0, 12), tmp_path, ("clip",))
    drawn = Interval(source=source, first=3, end=9, label=("lunge",), group_labels=(None,) * len(GROUPS))
    flow = TinyClips(net_config=dataclasses.replace(TSN, in_channels=4), stage_config=FLOW_STAGE)
    task = ActionTask([drawn], [drawn], flow)
    classifier = ClipClassifier(task.net.eval(), task.label_list, FLOW_STAGE)
    read = classifier.inputs(store.clips[None, 3:9])  # (1, 2 stacks, 4, h, w)
    assert read.shape[:3] == (1, 2, 4)
    fields = np.stack(task.intervals[0].source.read(np.array([3, 4, 6, 7])))  # without the last one of each run
    assert torch.equal(stacked_flow(torch.from_numpy(fields[None]), 2), read)
    batch = task.batch(np.random.default_rng(0))
    assert set(task.losses(task.net, batch)) == {"label", "groups"}
    assert task.evaluate(task.net, torch.device("cpu"))["accuracy"] == 1.0


def test_tsn_takes_frames_of_a_clip_as_places(store: Store) -> None:
    tsn = TinyClips(net_config=TSN, stage_config=dataclasses.replace(STAGE, num_frames=3))
    task = ActionTask(action_segments(store), action_videos(store), tsn)
    batch = task.batch(np.random.default_rng(0))
    assert task.inputs(batch["clips"]).shape == (16, 3, 3, 48, 64)
    losses = task.losses(task.net, batch)
    assert isinstance(task.starts()["states-arm"].net, Tsn)
    sum(losses.values()).backward()  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Interval:
    """A video that is decoded on demand, as a whole."""
    root = write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=1)
    return whole_videos(index_videos(open_index(root, "train", cache=root / ".cache")))[0]


def paper_task(video: Interval, *labels: tuple[str, ...], mirror: Mirror) -> ClipTask:
    intervals = [dataclasses.replace(video, label=label) for label in labels]
    return ClipTask("states-arm", intervals, intervals, dataclasses.replace(PAPER, mirror=mirror))


@pytest.mark.parametrize(("mirror", "labels"), [("plain", {0}), ("off", {0}), ("sides", {0, 1})])
def test_mirrored_clip_and_its_label(video: Interval, mirror: Mirror, labels: set[int]) -> None:
    task = paper_task(video, ("lunge", "bend", "none"), ("lunge", "none", "bend"), mirror=mirror)
    drawn = [task.sample(0, np.random.default_rng(seed)) for seed in range(12)]
    assert {sample.label for sample in drawn} == labels
    assert drawn[0].frames.shape == (4, 16, 16, 3)
    assert drawn[0].name == "train_lunge_0 from frame 0"
    assert task.inputs(task.collate(drawn)["clips"]).shape == (12, 3, 4, 16, 16)


def test_label_without_a_mirror_image_is_not_mirrored(video: Interval) -> None:
    task = paper_task(video, ("lunge", "bend", "none"), mirror="sides")
    rng = np.random.default_rng(0)
    assert {task.draw_labels(task.intervals[0], rng) for _ in range(20)} == {(0, (), False)}


def test_flow_is_mirrored_with_its_sign(video: Interval, tmp_path: Path) -> None:
    (tmp_path / "train_lunge_0").mkdir()
    for number in range(1, NUM_FRAMES):
        for axis, value in (("x", 228), ("y", 100)):
            path = tmp_path / "train_lunge_0" / f"flow_{axis}_{number:05d}.jpg"
            cv2.imwrite(str(path), np.full((30, 40), value, np.uint8))
    assert read_flow(tmp_path, "train_lunge_0", [4])[4][0, 0].tolist() == [228, 100]
    files = FlowFiles(tmp_path, ("train_lunge_0",), np.array([0, NUM_FRAMES]))
    assert len(files.read(np.array([30, NUM_FRAMES - 1]))) == 2  # the last frame has no field
    interval = dataclasses.replace(video, source=files)
    hyperparameters = PaperTsnFlow(crop_size=16, train_short_side=24, test_short_side=24)
    task = ClipTask("action", [interval], [interval], hyperparameters)
    drawn = [task.sample(0, np.random.default_rng(seed)).frames for seed in range(8)]
    assert drawn[0].shape == (15, 16, 16, 2)  # three stacks of five fields
    assert {int(sample[0, 0, 0, 0]) for sample in drawn} == {228, 27}
    assert {int(sample[0, 0, 0, 1]) for sample in drawn} == {100}
    assert task.inputs(torch.full((1, 15, 2, 2, 2), 128)).shape == (1, 3, 10, 2, 2)
    assert float(task.inputs(torch.full((1, 15, 2, 2, 2), 128)).abs().max()) == 0
    assert task.evaluate(task.net, torch.device("cpu"))["accuracy"] == 1.0


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
    settings = PaperCsn(warmup=reading).settings()  # type: ignore[arg-type]
    assert settings.step_rule is not None
    factor = rule_factor(settings.step_rule, iteration, 239)
    assert settings.learning_rate * factor == pytest.approx(8e-5 * rate)


def test_readings_of_the_batch() -> None:
    assert PaperCsn().settings().batch_size == 16
    assert PaperCsn(batch="in-all").settings().batch_size == 4


def test_tsn_trains_as_its_public_recipe_or_as_csn() -> None:
    reference = PaperTsnRgb().settings()
    assert reference.learning_rate == pytest.approx(0.01 / 16)
    assert reference.step_rule is not None
    assert (reference.step_rule.epochs, reference.nesterov) == (100, False)
    assert PaperTsnRgb(training="paper").settings() == PaperCsn().settings()


def test_merged_labels_have_one_state_for_both_sides(video: Interval) -> None:
    assert isinstance(video.source, VideoIndex)
    videos = tuple(index_videos(open_index(video.source.root, "train", cache=video.source.folder)))
    labels = {
        pairs: {interval.group_labels[GROUPS.index("arm")] for interval in recipe.labelled(videos, ("arm",))}
        for pairs, recipe in (("joint", PaperCsn()), ("merged", changed(PaperCsn(), {"pairs": "merged"})))
    }
    assert labels["joint"] == {("lunge", "bend", "none"), ("push_up", "none", "none")}
    assert labels["merged"] == {("lunge", "bend", "bend"), ("push_up", "none", "none")}
    with pytest.raises(ConfigError, match="pairs must be one of joint, merged, got 'both'"):
        changed(PaperCsn(), {"pairs": "both"})
