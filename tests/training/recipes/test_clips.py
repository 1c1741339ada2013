"""Clip tasks: labels, mirrors, determinism."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import GROUPS, GroupLabel, mirror_label
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.nets.clips.tsn import Tsn, TsnConfig
from actparse.stages.actions.classifier import ClipClassifier, ClipConfig
from actparse.stages.actions.clip_inputs import FlowInput
from actparse.training.recipes.clips import ActionTask, ClipTask, augmented_flow, stacked_flow
from actparse.training.samples.reading import StoreConfig
from actparse.training.samples.store import Store, open_store
from actparse.training.samples.stretches import ClipSource, Stretch, action_segments, action_stretches, state_stretches
from actparse.video.flow import FAST_TVL1
from training.miniature import SIZE, write_miniature

NET = CsnConfig(num_blocks=(1, 1, 1, 1), widths=(8, 8, 8, 8), mid_widths=(4, 4, 4, 4), stem_width=8)
STAGE = ClipConfig(num_frames=4, frame_stride=1, num_clips=2, frame_rate=10.0, short_side=48)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=1)
    return open_store(root, "train", StoreConfig(frame_size=SIZE, clip_size=(48, 64)))


def stretch(
    frames: NDArray[np.uint8], *label: str, end: int = 32, groups: tuple[GroupLabel | None, ...] = ()
) -> Stretch:
    source = ClipSource(frames, (0, len(frames)), Path("nowhere"))
    return Stretch(source=source, first=0, end=end, label=label, group_labels=groups)


def build(store: Store, *labels: tuple[str, ...]) -> ClipTask:
    stretches = [stretch(store.clips, *label) for label in labels]
    return ClipTask("states-arm", stretches, stretches, NET, STAGE)


def test_batch_has_clips_and_labels(store: Store) -> None:
    task = build(store, ("lunge", "bend", "none"), ("lunge", "none", "bend"))
    batch = task.batch(np.random.default_rng(0))
    assert batch["clips"].shape == (16, 4, 48, 64, 3)
    assert set(batch["labels"].tolist()) == {0, 1}
    again = task.batch(np.random.default_rng(0))
    assert torch.equal(batch["clips"], again["clips"])


def test_mirrored_clip_gets_the_mirrored_label(store: Store) -> None:
    marked = np.zeros((32, 48, 64, 3), np.uint8)
    marked[:, :, :32] = 255  # bright on the left
    task = build(store, ("lunge", "bend", "none"), ("lunge", "none", "bend"))
    task.stretches = (stretch(marked, "lunge", "bend", "none"),)
    batch = task.batch(np.random.default_rng(0))
    is_mirrored = batch["clips"][..., 48:56, :].float().mean((1, 2, 3, 4)) > batch["clips"][..., 8:16, :].float().mean(
        (1, 2, 3, 4)
    )
    assert 0 < is_mirrored.sum() < 16
    assert batch["labels"].tolist() == is_mirrored.long().tolist()  # label 1 is ("lunge", "none", "bend")


def test_clip_is_not_mirrored_where_training_never_saw_the_label(store: Store) -> None:
    task = build(store, ("lunge", "bend", "none"), ("push_up", "none", "none"))
    task.stretches = (stretch(store.clips, "lunge", "bend", "none"),)
    assert set(task.batch(np.random.default_rng(1))["labels"].tolist()) == {0}


def test_stretch_shorter_than_a_clip_repeats_its_last_frame(store: Store) -> None:
    task = build(store, ("lunge", "none", "none"))
    task.stretches = (stretch(store.clips, "lunge", "none", "none", end=2),)
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
    task = ActionTask(segments, action_stretches(store), NET, STAGE)
    batch = task.batch(np.random.default_rng(0))
    assert batch["group_labels"].shape == (16, 6)
    losses = task.losses(task.net, batch)
    assert set(losses) == {"label", "groups"}
    losses["groups"].backward()  # type: ignore[no-untyped-call]
    assert task.net.cls_head.fc_cls.weight.grad is None
    assert task.net.backbone.conv1.conv.weight.grad is not None
    assert task.labels()["labels"] == [[action] for action in sorted(set(store.actions))]


def test_group_labels_follow_the_mirror(store: Store) -> None:
    labels = tuple(("lunge", "bend", "none") if group == "arm" else None for group in GROUPS)
    seen = [stretch(store.clips, "lunge", groups=labels)]
    mirrored = tuple(label and mirror_label(label) for label in labels)
    task = ActionTask([*seen, stretch(store.clips, "lunge", groups=mirrored)], [], NET, STAGE)
    task.stretches = tuple(seen)
    found = task.batch(np.random.default_rng(0))["group_labels"]
    assert set(found[:, GROUPS.index("arm")].tolist()) == {0, 1}
    assert (found[:, GROUPS.index("leg")] == -1).all()


def test_no_stretches_is_an_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="states-arm: the training split has no labelled stretch of frames"):
        build(store)


def test_state_networks_can_start_from_what_the_action_network_learnt_of_their_group(store: Store) -> None:
    task = ActionTask(action_segments(store), action_stretches(store), NET, STAGE)
    starts = task.starts()
    assert list(starts) == [f"states-{group}" for group in GROUPS]
    arm, number = starts["states-arm"], GROUPS.index("arm")
    assert isinstance(arm.net, Csn)
    assert isinstance(task.helper, torch.nn.ModuleList)
    assert torch.equal(arm.net.cls_head.fc_cls.weight, task.helper[number].weight)
    assert torch.equal(arm.net.backbone.conv1.conv.weight, task.net.backbone.conv1.conv.weight)
    states = ClipTask("states-arm", state_stretches(action_segments(store), "arm"), [], NET, STAGE)
    assert arm.labels == states.labels()


def test_the_layers_for_the_groups_go_on_from_an_earlier_training(store: Store) -> None:
    segments = action_segments(store)
    earlier = ActionTask(segments, [], NET, STAGE)
    other = dataclasses.replace(segments[0], group_labels=(("lunge", "never seen"), *segments[0].group_labels[1:]))
    task = ActionTask([other, *segments[1:]], [], NET, STAGE)
    assert isinstance(task.helper, torch.nn.ModuleList)
    fresh = task.helper[0].weight.clone()
    task.adopt({name: start for name, start in earlier.starts().items() if name != "states-foot"})
    for group, layer, index in zip(GROUPS, task.helper, task.group_indices, strict=True):
        trained = earlier.starts()[f"states-{group}"]
        for label, row in index.items():
            labels = [tuple(known) for known in trained.labels["labels"]]
            if label == ("lunge", "never seen"):
                assert torch.equal(layer.weight[row], fresh[row])
            else:
                weight = trained.net.get_parameter("cls_head.fc_cls.weight")[labels.index(label)]
                assert torch.equal(layer.weight[row], weight) is (group != "foot")


def test_a_stretch_has_a_name_for_messages(store: Store) -> None:
    video = action_segments(store)[-1]
    offset = store.clip_offsets[1]
    assert video.name == f"{store.names[1]} from clip frame {video.first - offset}"
    around_a_frame = dataclasses.replace(video, first=int(offset) - 3, video=(int(offset), int(store.clip_offsets[2])))
    assert around_a_frame.name == f"{store.names[1]} from clip frame 0"
    assert stretch(store.clips, "lunge").name == "rendered clip 0 of nowhere from clip frame 0"


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
    source = ClipSource(store.clips[:12], (0, 12), tmp_path)
    drawn = Stretch(source=source, first=3, end=9, label=("lunge",), group_labels=(None,) * len(GROUPS))
    task = ActionTask([drawn], [drawn], dataclasses.replace(TSN, in_channels=4), FLOW_STAGE)
    classifier = ClipClassifier(task.net.eval(), task.label_list, FLOW_STAGE)
    read = classifier.inputs(store.clips[None, 3:9])  # (1, 2 stacks, 4, h, w)
    assert read.shape[:3] == (1, 2, 4)
    cached = stacked_flow(torch.from_numpy(task.flow[source][3:9][None].copy()), task.stage.flow or FlowInput())
    assert torch.equal(cached, read)
    batch = task.batch(np.random.default_rng(0))
    assert set(task.losses(task.net, batch)) == {"label", "groups"}
    assert task.evaluate(task.net, torch.device("cpu"))["accuracy"] == 1.0


def test_mirrored_flow_runs_the_other_way() -> None:
    fields = np.full((1, 24, 32, 2), 128, np.uint8)
    fields[..., 0] = 200
    rng = np.random.default_rng(0)
    assert augmented_flow(fields, rng, mirror=False)[0, 12, 16].tolist() == [200, 128]
    assert augmented_flow(fields, rng, mirror=True)[0, 12, 16].tolist() == [55, 128]


def test_tsn_takes_frames_of_a_clip_as_places(store: Store) -> None:
    task = ActionTask(action_segments(store), action_stretches(store), TSN, dataclasses.replace(STAGE, num_frames=3))
    batch = task.batch(np.random.default_rng(0))
    assert task.inputs(batch["clips"]).shape == (16, 3, 3, 48, 64)
    losses = task.losses(task.net, batch)
    assert isinstance(task.starts()["states-arm"].net, Tsn)
    sum(losses.values()).backward()  # type: ignore[union-attr]
