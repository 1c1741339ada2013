"""A bundle of small networks with random weights: it says nothing sensible, but it runs the whole way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from actparse.core.vocabulary import GROUP_PARTS, PARTS
from actparse.nets.baseline import Baseline, BaselineConfig
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.nets.detectors.yolof import Yolof, YolofConfig
from actparse.nets.poses.hrnet import Hrnet, HrnetConfig
from actparse.nets.resnet import ResNetConfig
from actparse.nets.tracks import TrackConfig, TrackNet
from actparse.stages.actions.baseline import BaselineSettings
from actparse.stages.actions.classifier import ClipConfig
from actparse.stages.actions.tracks import TracksConfig
from actparse.stages.people.parts import PartsConfig
from actparse.stages.people.persons import PersonsConfig
from actparse.stages.people.poses import PosesConfig
from actparse.weights.bundle import config_to_dict, save_network

ACTIONS = ("lunge", "push_up")
TRACK_STATES = ("hold", "none")  # of each person; the segments' states are all "bend"
BASELINE_STATES = ("bend", "step")
CLIPS = ClipConfig(num_frames=4, frame_stride=1, num_clips=2, frame_rate=10.0, short_side=32)


def write_random_bundle(folder: Path) -> Path:
    """Write every file that a parser needs."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    detectors = {
        "persons": (1, PersonsConfig(short_side=96, long_side=192, min_score=0.0)),
        "parts": (10, PartsConfig(size=64)),
        "parts-without-dots": (10, PartsConfig(size=64, dots=None)),
    }
    for kind, (num_classes, settings) in detectors.items():
        save_network(
            folder / f"{kind}.safetensors", _detector(num_classes), kind=kind, settings=config_to_dict(settings)
        )
    pose_net = Hrnet(
        HrnetConfig(width=8, num_modules=(1, 1, 1), num_blocks=1, stem_width=8, layer1_blocks=1, layer1_width=8)
    )
    poses = PosesConfig(size=(64, 64), decoding="dark", blur_kernel=3)
    save_network(folder / "poses.safetensors", pose_net, kind="poses", settings=config_to_dict(poses))
    labels = {"action": [[action] for action in ACTIONS]}
    for group, parts in GROUP_PARTS.items():
        labels[f"states-{group}"] = [[action, *("bend" for _ in parts)] for action in ACTIONS]
    for kind, rows in labels.items():
        settings = config_to_dict(CLIPS)
        save_network(
            folder / f"{kind}.safetensors", _csn(len(rows)), kind=kind, settings=settings, labels={"labels": rows}
        )
    tracks = TrackNet(TrackConfig(num_actions=2, num_states=(2,) * 10, num_instants=5, width=16, dilations=(1,)))
    words = {"actions": list(ACTIONS), "states": [list(TRACK_STATES)] * len(PARTS)}
    settings = config_to_dict(TracksConfig())
    save_network(folder / "tracks.safetensors", tracks, kind="tracks", settings=settings, labels=words)
    (folder / "bundle.json").write_text(json.dumps({"name": "random"}))
    return folder


def write_random_baseline(folder: Path, stage_1: Path) -> Path:
    """A bundle of the official baseline beside the detectors and the pose network of another one."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("persons", "poses", "parts"):
        shutil.copy(stage_1 / f"{kind}.safetensors", folder)
    backbone = ResNetConfig(
        block="basic", num_blocks=(1,), widths=(8,), strides=(2,), dilations=(1,), stem_width=8, stem_pool=False
    )
    config = BaselineConfig(
        backbone=backbone, num_actions=2, num_states=(2,) * len(PARTS), roi_channels=4, roi_size=2, width=8
    )
    words = {"actions": list(ACTIONS), "states": [list(BASELINE_STATES)] * len(PARTS)}
    settings = config_to_dict(BaselineSettings(short_side=48, max_frames=3))
    path = folder / "baseline.safetensors"
    save_network(path, Baseline(config), kind="baseline", settings=settings, labels=words)
    (folder / "bundle.json").write_text(json.dumps({"name": "random baseline"}))
    return folder


def _detector(num_classes: int) -> Yolof:
    backbone = ResNetConfig(block="basic", num_blocks=(1, 1, 1, 1), widths=(8,) * 4, stem_width=8, stem_pool=False)
    config = YolofConfig(
        backbone=backbone, num_classes=num_classes, encoder_channels=16, encoder_mid=8, prior_score=0.3
    )
    return Yolof(config)


def _csn(num_classes: int) -> Csn:
    return Csn(
        CsnConfig(num_classes=num_classes, num_blocks=(1, 1, 1, 1), widths=(8,) * 4, mid_widths=(4,) * 4, stem_width=4)
    )
