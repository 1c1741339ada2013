"""The full-size recipes end to end on a miniature dataset, with sizes made small by their own numbers."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from actparse.cli import main
from actparse.core.errors import ConfigError, DataError, TrainingError, WeightsError
from actparse.core.vocabulary import GROUPS
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.nets.clips.tsn import Tsn, TsnConfig
from actparse.nets.poses.hrnet import Hrnet, HrnetConfig
from actparse.parser import ParserConfig
from actparse.stages.loading import load_bundle
from actparse.training import TrainOptions, run_recipe
from actparse.training.options import say_nothing
from actparse.training.paper.bundle import assemble_if_complete
from actparse.training.paper.readings import described
from actparse.training.paper.recipes import PAPER_RECIPES, numbers_of
from actparse.weights.bundle import file_sha256, load_network, save_network
from training.miniature import ACTIONS, NUM_FRAMES, write_miniature

SMALL_DETECTOR = {"depth": "18", "batch_size": "2", "num_gpus": "1", "warmup_iterations": "1", "epochs": "1"}
SMALL_PERSONS = {**SMALL_DETECTOR, "short_side": "96", "long_side": "160", "milestones": "1"}
SMALL_PARTS = {**SMALL_DETECTOR, "size": "96", "milestones": "1"}
SMALL_CLIPS = {"batch_size": "2", "num_gpus": "1", "train_short_side": "48", "crop_size": "32", "test_short_side": "48"}
SMALL_HRNET = HrnetConfig(width=32, num_modules=(1, 1, 1), num_blocks=1)
SMALL_CSN = {**SMALL_CLIPS, "num_frames": "4", "num_clips": "2", "depth_blocks": "1,1,1,1"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=2)


def options(changes: dict[str, str], **more: Any) -> TrainOptions:
    fixed = {"size": "paper", "steps": 2, "device": "cpu", "precision": "float32", "report": say_nothing}
    return TrainOptions(**{**fixed, "changes": changes, **more})


def test_every_network_of_the_paper_has_a_recipe() -> None:
    groups = [f"states-{group}" for group in GROUPS]
    assert {"persons", "poses", "parts", "parts-without-dots", "action", *groups} <= set(PAPER_RECIPES)
    assert {"action-tsn-rgb", "action-tsn-flow", "states-tsn-rgb-arm", "states-tsn-flow-foot"} <= set(PAPER_RECIPES)


def test_persons(data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    figures = run_recipe("persons", data, tmp_path, options(SMALL_PERSONS, report=lines.append))
    assert {"ap", "ap50", "frames", "persons", "steps"} <= set(figures)
    assert figures["frames"] == 4 * len(range(0, NUM_FRAMES, 5))
    file = load_network(tmp_path / "persons.safetensors")
    assert (file.kind, file.settings["max_persons"], file.settings["short_side"]) == ("persons", 10, 96)
    assert file.net.state_dict()["backbone.conv1.weight"].dtype == torch.float32
    assert json.loads((tmp_path / "persons_numbers.json").read_text())["nesterov"] is True
    assert any(line.startswith("persons: 2 steps of 2 samples; one sample took") for line in lines)
    assert (tmp_path / "persons" / "best.ckpt").is_file()
    assert run_recipe("persons", data, tmp_path, options(SMALL_PERSONS, resume=True)) == figures
    other = options({**SMALL_PERSONS, "nesterov": "no"}, resume=True)
    with pytest.raises(TrainingError, match="the run has nesterov True, got False"):
        run_recipe("persons", data, tmp_path, other)
    (tmp_path / "persons_metrics.json").unlink()
    with pytest.raises(TrainingError, match="the run has nesterov True, got False"):
        run_recipe("persons", data, tmp_path, other)


def test_persons_on_two_devices(data: Path, tmp_path: Path) -> None:
    """Their loss is averaged over the devices, in the estimate before the start too."""
    figures = run_recipe("persons", data, tmp_path, options(SMALL_PERSONS, steps=1, num_devices=2, log_every=1))
    assert figures["steps"] == 1
    rows = list(csv.DictReader((tmp_path / "persons" / "log.csv").open()))
    assert all(0 < float(row[term]) < 10 for row in rows for term in ("classification", "boxes"))


def test_poses_are_used_as_they_are(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="needs --init"):
        run_recipe("poses", data, tmp_path, options({}))
    net = Hrnet(SMALL_HRNET)
    (tmp_path / "from").mkdir()
    save_network(tmp_path / "from" / "hrnet.safetensors", net, kind="hrnet", settings={}, dtype=torch.float32)
    with pytest.raises(WeightsError, match="needs an HRNet of width 48, got a Hrnet of 32"):
        run_recipe("poses", data, tmp_path, options({}, init=tmp_path / "from"))
    small = {"width": "32", "size": "64,64"}
    other = {"size": [64, 64], "decoding": "dark"}
    save_network(tmp_path / "dark.safetensors", net, kind="hrnet", settings=other, dtype=torch.float32)
    with pytest.raises(WeightsError, match="needs decoding dark, got standard: --set decoding"):
        run_recipe("poses", data, tmp_path, options(small, init=tmp_path / "dark.safetensors"))
    lines: list[str] = []
    run_recipe("poses", data, tmp_path, options(small, init=tmp_path / "from", report=lines.append))
    assert lines == ["poses: HRNet-w48 from COCO as it is, without any fine-tuning; nothing was trained"]
    kept = load_network(tmp_path / "poses.safetensors").net.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in net.state_dict().items())
    figures = run_recipe("parts", data, tmp_path, options(SMALL_PARTS, steps=1))
    assert {"ap50", "ap50_by_class", "swapped", "persons"} <= set(figures)
    assert load_network(tmp_path / "parts.safetensors").settings["dots"] is not None
    assert (data / ".cache").is_dir()


def test_an_estimate_of_parts_does_not_look_for_poses(data: Path, tmp_path: Path) -> None:
    (tmp_path / "poses.safetensors").write_bytes(b"a pose network that nobody opens")
    lines: list[str] = []
    run_recipe("parts", data, tmp_path, options(SMALL_PARTS, only_estimate=True, report=lines.append))
    assert any("parts: " in line and "GB" in line for line in lines)
    assert not (tmp_path / "parts.safetensors").exists()


def test_parts_need_poses(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="run the recipe poses first"):
        run_recipe("parts", data, tmp_path, options(SMALL_PARTS))


def test_action_starts_from_an_imported_backbone(data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    start = Csn(CsnConfig(num_classes=400, num_blocks=(1, 1, 1, 1)))
    save_network(tmp_path / "csn.safetensors", start, kind="csn", settings={}, dtype=torch.float32)
    figures = run_recipe("action", data, tmp_path, options(SMALL_CSN, init=tmp_path, report=lines.append))
    assert figures["stretches"] == 4
    assert figures["start"] == file_sha256(tmp_path / "csn.safetensors")
    other = {"norm": {"mean": [110.0, 100.0, 95.0]}}
    save_network(tmp_path / "sports.safetensors", start, kind="csn", settings=other, dtype=torch.float32)
    with pytest.raises(WeightsError, match=r"needs norm .*110\.0.* --set pretraining="):
        run_recipe("action", data, tmp_path / "other", options(SMALL_CSN, init=tmp_path / "sports.safetensors"))
    assert [line.partition("; fresh: ")[2] for line in lines if "fresh" in line] == [
        "cls_head.fc_cls.weight, cls_head.fc_cls.bias"
    ]
    file = load_network(tmp_path / "action.safetensors")
    assert file.labels["labels"] == [[action] for action in ACTIONS]
    norms = {name: value for name, value in start.state_dict().items() if ".bn." in name}
    trained = file.net.state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in norms.items())  # frozen
    moved = trained["backbone.conv1.conv.weight"] - start.state_dict()["backbone.conv1.conv.weight"]
    assert 0 < float(moved.abs().max()) < 1e-2


@pytest.mark.parametrize(("level", "stretches"), [("segment", 4), ("frame", 4 * len(range(0, NUM_FRAMES, 5)))])
def test_states_of_segments_and_frames(data: Path, tmp_path: Path, level: str, stretches: int) -> None:
    changes = {**SMALL_CSN, "level": level, "segment_seconds": "3", "mirror": "sides"}
    figures = run_recipe("states-arm", data, tmp_path, options(changes, steps=1))
    assert figures["stretches"] == stretches
    assert {"accuracy", "state_accuracy"} <= set(figures)


def test_an_ir_network_starts_from_sports_1m(data: Path, tmp_path: Path) -> None:
    start = Csn(CsnConfig(num_classes=400, num_blocks=(1, 1, 1, 1), bottleneck="ir"))
    save_network(tmp_path / "csn-ir.safetensors", start, kind="csn", settings={}, dtype=torch.float32)
    run_recipe("states-ir-leg", data, tmp_path, options(SMALL_CSN, steps=1, init=tmp_path))
    file = load_network(tmp_path / "states-ir-leg.safetensors")
    assert isinstance(file.net, Csn)
    assert file.net.config.bottleneck == "ir"
    assert file.settings["norm"]["mean"] == [110.2008, 100.63983, 95.99475]
    numbers = json.loads((tmp_path / "states-ir-leg_numbers.json").read_text())
    assert numbers["ensemble"] == [3.515, 1.0]
    assert described(numbers_of("states-ir-leg", {"ensemble": "none"}))[-1].split() == ["ensemble", "None"]
    assert numbers_of("action-ir", {"ensemble": "2,1"}).ensemble == (2.0, 1.0)


def test_a_reading_is_shown_beside_the_others() -> None:
    lines = described(numbers_of("action", {"warmup": "16-iterations"}))
    assert f"{'warmup':20} 16-iterations (or 16-epochs-by-iteration, 16-epochs-by-epoch)" in lines


def test_tsn_on_frames(data: Path, tmp_path: Path) -> None:
    run_recipe("states-tsn-rgb-leg", data, tmp_path, options(SMALL_CLIPS, steps=1))
    file = load_network(tmp_path / "states-tsn-rgb-leg.safetensors")
    assert (file.settings["num_frames"], file.settings["num_clips"]) == (1, 7)


def test_tsn_on_flow_files(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="actparse data flow"):
        run_recipe("action-tsn-flow", data, tmp_path / "none", options(SMALL_CLIPS, steps=1, flow=tmp_path))
    write_flow(data, tmp_path / "flow")
    start = Tsn(TsnConfig(num_classes=1000))
    save_network(tmp_path / "tsn.safetensors", start, kind="tsn", settings={}, dtype=torch.float32)
    changes = {**SMALL_CLIPS, "first_convolution": "mean", "learning_rate": "1e-9"}
    run_recipe("action-tsn-flow", data, tmp_path, options(changes, steps=1, flow=tmp_path / "flow", init=tmp_path))
    weight = load_network(tmp_path / "action-tsn-flow.safetensors").net.state_dict()["backbone.conv1.conv.weight"]
    mean = start.state_dict()["backbone.conv1.conv.weight"].mean(dim=1, keepdim=True)
    torch.testing.assert_close(weight, mean.expand(-1, 10, -1, -1), atol=1e-6, rtol=0)


def test_tsn_on_flow_that_the_command_wrote(tmp_path: Path) -> None:
    data = write_miniature(tmp_path / "data", videos_per_action=1)
    assert main(["data", "flow", str(data), "--short-side", "16", "--processes", "1"]) == 0
    assert len(list(data.glob("flow/*/flow_x_*.jpg"))) == 4 * (NUM_FRAMES - 1)
    figures = run_recipe("states-tsn-flow-arm", data, tmp_path / "run", options(SMALL_CLIPS, steps=1))
    assert (figures["steps"], figures["stretches"]) == (1, 2)
    file = load_network(tmp_path / "run" / "states-tsn-flow-arm.safetensors")
    assert file.settings["flow"]["num_fields"] == 5


SMALL_BASELINE = {
    "depth": "18",
    "batch_size": "2",
    "train_size": "48,64",
    "test_short_side": "48",
    "width": "16",
    "roi_channels": "8",
}


def test_the_official_baseline(data: Path, tmp_path: Path) -> None:
    start = Tsn(TsnConfig(num_classes=1000, block="basic", num_blocks=(2, 2, 2, 2), widths=(64, 128, 256, 512)))
    save_network(tmp_path / "tsn.safetensors", start, kind="tsn", settings={}, dtype=torch.float32)
    lines: list[str] = []
    changes = {**SMALL_BASELINE, "learning_rate": "1e-9"}
    figures = run_recipe("baseline", data, tmp_path, options(changes, steps=1, init=tmp_path, report=lines.append))
    assert (figures["videos"], set(figures["states"])) == (4, set(GROUPS))
    assert any(line.startswith("baseline: starts from") and "; fresh: reduce.weight" in line for line in lines)
    file = load_network(tmp_path / "baseline.safetensors")
    assert file.labels["actions"] == list(ACTIONS)
    assert file.labels["states"][:2] == [["none"], ["bend", "none"]]
    before, after = start.state_dict(), file.net.state_dict()
    same = {"conv1.bn.weight": "bn1.weight", "downsample.conv.weight": "downsample.0.weight"}
    for tsn, resnet in same.items():
        assert torch.equal(before[f"backbone.layer2.0.{tsn}"], after[f"backbone.layer2.0.{resnet}"])
    with pytest.raises(WeightsError, match="cannot start from it"):
        run_recipe("baseline", data, tmp_path / "other", options({**changes, "depth": "34"}, init=tmp_path))


def write_flow(data: Path, folder: Path) -> None:
    for path in data.glob("*_videos/*/*.mp4"):
        (folder / path.stem).mkdir(parents=True)
        for number in range(1, NUM_FRAMES):
            for axis in "xy":
                cv2.imwrite(str(folder / path.stem / f"flow_{axis}_{number:05d}.jpg"), np.full((60, 80), 128, np.uint8))


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        pytest.param("cats", {}, "at size paper must be one of persons", id="recipe"),
        pytest.param("persons", {"cats": "3"}, "no number 'cats' in this recipe; it has backbone_rate", id="number"),
        pytest.param("action", {"warmup": "never"}, "warmup must be one of 16-epochs-by-iteration", id="reading"),
        pytest.param("action", {"epochs": "some"}, "epochs must be int, got 'some'", id="text"),
        pytest.param("action", {"epochs": "0"}, "epochs must be at least 1, got 0", id="range"),
        pytest.param("action", {"epochs": "9" * 12}, "epochs must be at most 2147483647", id="count"),
        pytest.param(
            "action", {"depth_blocks": "1,2"}, "depth_blocks must be 4 whole numbers with .* '1,2'", id="length"
        ),
        pytest.param("action", {"depth_blocks": "1,2,0,1"}, "depth_blocks must be at least 1", id="no block"),
        pytest.param("action", {"gamma": "nan"}, "gamma must be finite, got nan", id="nan"),
        pytest.param("action", {"weight_decay": "inf"}, "weight_decay must be finite, got inf", id="endless"),
        pytest.param("action", {"learning_rate": "-1"}, "learning_rate must be greater than 0, got -1.0", id="rate"),
        pytest.param("action", {"milestones": "0,1"}, r"milestones must be at least 1, got \(0, 1\)", id="milestones"),
        pytest.param("action", {"momentum": "0"}, "nesterov needs a momentum greater than 0", id="momentum"),
        pytest.param("action-ir", {"ensemble": "-1,1"}, "ensemble must be at least 0", id="ensemble"),
        pytest.param("states-arm", {"segment_seconds": "1e-9"}, "segment_seconds must be at least 0.1", id="segments"),
        pytest.param("action-tsn-rgb", {"num_segments": "0"}, "num_segments must be at least 1", id="places"),
        pytest.param("baseline", {"train_size": "5"}, "train_size must be 2 whole numbers with .* '5'", id="size"),
        pytest.param("baseline", {"zoom": "2,1"}, r"zoom must be two numbers, the smaller first, got \(2.0", id="zoom"),
        pytest.param("persons", {"max_shift": "-1"}, "max_shift must be at least 0, got -1", id="shift"),
        pytest.param("persons", {"depth": "49"}, "depth must be one of 18, 34, 50, 101, 152, got 49", id="depth"),
        pytest.param("parts", {"padding": "0.5"}, "padding must be at least 1, got 0.5", id="padding"),
        pytest.param("poses", {"size": "100,100"}, "size must be multiples of 32", id="pose size"),
    ],
)
def test_wrong_numbers(name: str, changes: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        numbers_of(name, changes)


@pytest.mark.slow
def test_bundle_of_all_networks_loads(data: Path, tmp_path: Path) -> None:
    save_network(tmp_path / "hrnet.safetensors", Hrnet(SMALL_HRNET), kind="hrnet", settings={}, dtype=torch.float32)
    run_recipe("poses", data, tmp_path, options({"width": "32"}, init=tmp_path / "hrnet.safetensors"))
    run_recipe("persons", data, tmp_path, options(SMALL_PERSONS, steps=1))
    run_recipe("action", data, tmp_path, options(SMALL_CSN, steps=1))
    assert not (tmp_path / "bundle").exists()
    for name, source in [("parts", "persons"), *((f"states-{group}", "action") for group in GROUPS)]:
        net = load_network(tmp_path / f"{source}.safetensors")
        settings = {"size": 96} if name == "parts" else net.settings
        labels = {"labels": [["lunge", *["none"] * (1 if name[7:] in ("head", "hip") else 2)]] * 2}
        save_network(tmp_path / f"{name}.safetensors", net.net, kind=name, settings=settings, labels=labels)
        shutil.copy(tmp_path / "persons_metrics.json", tmp_path / f"{name}_metrics.json")
        numbers = {"level": "segment" if name == "states-foot" else "frame", "segment_seconds": 3.0}
        (tmp_path / f"{name}_numbers.json").write_text(json.dumps(numbers))
    with pytest.raises(TrainingError, match=r"of one level, got .* states-leg frame 3 s, states-foot segment 3 s"):
        run_recipe("parts-without-dots", data, tmp_path, options({**SMALL_PARTS, "dots": "no"}, steps=1))
    (tmp_path / "states-foot_numbers.json").write_text(json.dumps({"level": "frame", "segment_seconds": 3.0}))
    assemble_if_complete(tmp_path, say_nothing)
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.model["weights"] == "paper"
    assert bundle.persons.config.max_persons == 10
    record = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert (record["inference"]["stride"], record["inference"]["segment_seconds"]) == (5, 3.0)
    assert ParserConfig.of(tmp_path / "bundle").level == "frame"
    run_recipe("action-ir", data, tmp_path, options(SMALL_CSN, steps=1))
    ensemble = load_bundle(tmp_path / "bundle-ensemble")
    assert ensemble.action is not None
    assert [weight for _, weight in ensemble.action.members] == [0.875, 0.125]
    assert ensemble.model["weights"] == "paper-ensemble"
    run_recipe("baseline", data, tmp_path, options(SMALL_BASELINE, steps=1))
    assert load_bundle(tmp_path / "bundle-baseline").baseline is not None
