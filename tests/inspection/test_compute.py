"""Counting multiply-accumulates."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from actparse.cli import main
from actparse.core.errors import ConfigError
from actparse.core.vocabulary import GROUPS
from actparse.inspection.compute import (
    TABLE_3_CROP,
    VideoShape,
    all_states_macs,
    bundle_costs,
    clip_shape,
    costs_as_text,
    forward_macs,
    paper_costs,
    states_macs,
)
from actparse.nets import csn, tsn
from actparse.nets.clips.csn import Csn
from actparse.nets.clips.tsn import Tsn
from actparse.stages.actions.classifier import ClipClassifier, StateRecognizer, clip_image, share_trunks
from actparse.stages.actions.clip_inputs import flow_inputs
from actparse.stages.loading import BUNDLE_FILE, load_bundle
from actparse.training.recipes import tiny
from actparse.weights.bundle import load_network, save_network
from bundles import CLIPS, write_random_baseline


def test_one_convolution_is_counted_by_hand() -> None:
    assert forward_macs(nn.Conv2d(3, 8, 3, padding=1), (1, 3, 10, 20)) == 10 * 20 * 8 * 3 * 9


@pytest.mark.parametrize(
    ("depth", "bottleneck", "clip", "giga_macs"),
    [
        pytest.param(50, "ip", (32, 224, 224), 47.652, id="ip-50"),
        pytest.param(50, "ir", (32, 256, 340), 74.050, id="ir-50-wide"),
        pytest.param(101, "ip", (32, 224, 224), 63.559, id="ip-101"),
        pytest.param(152, "ip", (32, 224, 224), 83.295, id="ip-152"),
        pytest.param(152, "ip", (32, 256, 256), 108.793, id="ip-152-at-256"),
        pytest.param(152, "ir", (32, 256, 256), 96.713, id="ir-152-at-256"),
        pytest.param(152, "ir", (16, 224, 224), 37.024, id="ir-152-of-16-frames"),
    ],
)
def test_csn_computes_what_is_published(
    depth: int, bottleneck: str, clip: tuple[int, int, int], giga_macs: float
) -> None:
    with torch.device("meta"):
        net = csn(depth, bottleneck, 400)  # type: ignore[arg-type]
    assert forward_macs(net, (1, 3, *clip)) / 1e9 == pytest.approx(giga_macs, abs=0.0006)


@pytest.mark.parametrize(
    ("channels", "giga_macs"), [pytest.param(3, 4.088, id="rgb"), pytest.param(10, 4.363, id="flow")]
)
def test_tsn_computes_what_is_published(channels: int, giga_macs: float) -> None:
    with torch.device("meta"):
        net = tsn(50, channels, 400)
    assert forward_macs(net, (1, 1, channels, 224, 224)) / 1e9 == pytest.approx(giga_macs, abs=0.0006)


def test_states_of_a_ten_second_video_are_near_the_papers_table() -> None:
    costs = paper_costs(VideoShape(seconds=10, segment_seconds=10), crop=TABLE_3_CROP)
    assert all_states_macs(costs) / 1e12 == pytest.approx(3.498, abs=0.001)  # "Segment, 10.0 s" has 3.482


def test_full_size_networks_are_counted_on_the_clips_that_they_are_run_on() -> None:
    costs = paper_costs(VideoShape(seconds=10, segment_seconds=10, size=(256, 256)))
    assert costs[-1].input_shape == (3, 32, 256, 256)
    assert costs[-1].macs / 1e9 == pytest.approx(108.79, abs=0.01)  # published for ip-CSN-152 at 256
    assert paper_costs(VideoShape(size=(240, 320)))[-1].input_shape == (3, 32, 256, 341)


def test_shorter_segments_cost_in_proportion(random_bundle: Path) -> None:
    bundle = load_bundle(random_bundle)
    long, short = (bundle_costs(bundle, VideoShape(segment_seconds=seconds)) for seconds in (10.0, 2.5))
    assert [cost.name for cost in long][:4] == ["persons", "poses", "parts", "action"]
    for one, other in zip(long[4:], short[4:], strict=True):
        assert other.total_macs == 4 * one.total_macs
    assert "states-head" in costs_as_text(short)


def test_a_video_needs_a_length_and_a_size() -> None:
    with pytest.raises(ConfigError, match=r"video.size must be at least 1x1 pixel, got 320x0"):
        VideoShape(size=(0, 320))
    with pytest.raises(ConfigError, match=r"video.seconds must be greater than 0, got 0"):
        VideoShape(seconds=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"seconds": math.inf}, "video.seconds must be at most 86400, a day, got inf", id="endless"),
        pytest.param({"seconds": 1e300}, "video.seconds must be at most 86400, a day, got 1e+300", id="long"),
        pytest.param({"seconds": math.nan}, "video.seconds must be greater than 0, got nan", id="nan"),
        pytest.param({"frame_rate": math.inf}, "video.frame_rate must be at most 10000, got inf", id="rate"),
        pytest.param({"level": "frames"}, "video.level must be segment or frame, got 'frames'", id="level"),
        pytest.param({"segment_seconds": 1e-320}, "video.segment_seconds must be at least 0.1", id="segments"),
        pytest.param(
            {"persons_per_frame": math.inf}, "video.persons_per_frame must be at least 0 and fin", id="persons"
        ),
    ],
)
def test_a_video_s_numbers_have_limits(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        VideoShape(**changes)


def test_a_second_search_for_persons_costs_its_share_of_the_frame(random_bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(random_bundle, folder)
    persons = load_network(folder / "persons.safetensors")
    settings = {**persons.settings, "short_side": 128, "long_side": 256, "second_share": 0.5}
    save_network(folder / "persons.safetensors", persons.net, kind=persons.kind, settings=settings)
    first, second = bundle_costs(load_bundle(folder), VideoShape(seconds=10, size=(128, 256)))[:2]
    assert (first.name, second.name) == ("persons", "persons-second-size")
    assert second.input_shape == (3, 64, 128)
    assert second.passes == first.passes
    assert second.macs == pytest.approx(first.macs / 4, rel=0.05)


def test_the_baseline_costs_by_frames_and_persons(random_bundle: Path, tmp_path: Path) -> None:
    bundle = load_bundle(write_random_baseline(tmp_path / "bundle", random_bundle))
    one, two = (bundle_costs(bundle, VideoShape(persons_per_frame=number)) for number in (1, 2))
    assert [cost.name for cost in one] == ["persons", "poses", "parts", "baseline", "baseline, person"]
    assert one[3] == two[3]
    assert two[4].total_macs == 2 * one[4].total_macs > 0


@pytest.mark.parametrize("size", [(96, 128), (128, 96), (40, 60)], ids=str)
def test_a_network_on_flow_is_counted_on_its_stacks(size: tuple[int, int]) -> None:
    stage = tiny.TSN_FLOW_STAGE
    assert stage.flow is not None
    clip = clip_image(np.zeros((*size, 3), np.uint8), stage)  # (h, w, 3)
    stacks = flow_inputs(np.stack([clip] * stage.num_frames)[None], stage.flow, torch.device("cpu"))
    shape = clip_shape(stage, size, frames_first=True)
    assert shape == tuple(stacks.shape[1:])
    net = Tsn(replace(tiny.TSN_FLOW_NET, num_classes=2))
    classifier = ClipClassifier(net, [("lunge", "none"), ("lunge", "turn")], stage)
    video = VideoShape(size=size, seconds=9, segment_seconds=3)
    counted = states_macs(StateRecognizer({"head": classifier}), video)
    assert counted == forward_macs(net, (1, *shape)) * 3 * stage.num_clips


def test_a_trunk_that_networks_share_is_counted_once() -> None:
    labels, stage = [("lunge", "none"), ("lunge", "turn")], tiny.CLIPS_STAGE
    first, second = (ClipClassifier(Csn(replace(tiny.CLIPS_NET, num_classes=2)), labels, stage) for _ in range(2))
    video = VideoShape(size=(96, 128), seconds=9, segment_seconds=3)
    states = StateRecognizer({"head": first, "hip": second})
    alone, separate = states_macs(StateRecognizer({"head": first}), video), states_macs(states, video)
    assert separate == 2 * alone
    second.net.backbone.load_state_dict(first.net.backbone.state_dict())
    share_trunks(states.classifiers.values())
    heads = 2 * tiny.CLIPS_NET.widths[-1] * 3 * stage.num_clips
    assert states_macs(states, video) == alone + heads


def test_clips_along_tracks_are_counted_for_each_person() -> None:
    stage = tiny.TRACK_CLIPS_STAGE
    net = Csn(replace(tiny.CLIPS_NET, num_classes=2))
    states = StateRecognizer({"head": ClipClassifier(net, [("lunge", "none"), ("lunge", "turn")], stage)})
    video = VideoShape(size=(96, 128), seconds=9, segment_seconds=3, persons_per_frame=2.5)
    one = forward_macs(net, (1, 3, stage.num_frames, stage.short_side, stage.short_side))
    assert states_macs(states, video) == one * 3 * 2.5 * stage.num_clips


def test_a_frame_level_network_sees_one_clip_of_each_frame(random_bundle: Path) -> None:
    states = load_bundle(random_bundle).states
    assert states is not None
    video = VideoShape(seconds=10, frame_rate=10, stride=5, segment_seconds=10)
    segments, frames = states_macs(states, video), states_macs(states, replace(video, level="frame"))
    assert frames / segments == pytest.approx(20 / CLIPS.num_clips)


def test_the_command_counts_at_the_level_of_frames(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compute", "--seconds", "10", "--frame-rate", "10", "--level", "frame", "--json"]) == 0
    passes = {cost["name"]: cost["passes"] for cost in json.loads(capsys.readouterr().out)}
    assert passes["action"] == 7
    assert {passes[f"states-{group}"] for group in GROUPS} == {20}


def test_the_command_counts_at_the_level_of_the_weights(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, tmp_path: Path
) -> None:
    of_frames = shutil.copytree(random_bundle, tmp_path / "of-frames")
    record = json.loads((of_frames / BUNDLE_FILE).read_text())
    (of_frames / BUNDLE_FILE).write_text(json.dumps({**record, "inference": {"level": "frame"}}))
    options = ["compute", "--seconds", "10", "--frame-rate", "10", "--json", "--weights"]
    for bundle, level, passes in ((of_frames, [], 20), (of_frames, ["--level", "segment"], 3 * CLIPS.num_clips)):
        assert main([*options, str(bundle), *level]) == 0
        counted = {cost["name"]: cost["passes"] for cost in json.loads(capsys.readouterr().out)}
        assert counted["states-head"] == passes
