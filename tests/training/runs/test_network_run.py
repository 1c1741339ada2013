"""Training of single networks end to end on a miniature dataset, at both sizes: a few steps, files, resume, errors."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from actparse.cli import main
from actparse.core.errors import ConfigError, DataError, TrainingError, WeightsError
from actparse.core.files import file_sha256
from actparse.core.vocabulary import GROUPS
from actparse.data.kinetics_tps import KineticsTps
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.nets.clips.tsn import Tsn, TsnConfig
from actparse.nets.poses.hrnet import Hrnet
from actparse.stages.loading import BUNDLE_FILE, bundle_folder
from actparse.synth.actions.registry import ACTIONS as SYNTH_ACTIONS
from actparse.synth.dataset import PLAN_FILE, DatasetPlan
from actparse.training import run_recipe
from actparse.training.recipes import tiny, tiny_clips
from actparse.training.recipes.parts import PartsTask
from actparse.training.recipes.persons import PersonsTask
from actparse.training.recipes.poses import PosesTask
from actparse.training.recipes.tracks import TracksTask
from actparse.training.rendered.clip_stream import ClipStreamConfig
from actparse.training.run_folder import RunFolder, read_plan
from actparse.weights.bundle import load_network, save_network
from training.miniature import ACTIONS, NUM_FRAMES, write_miniature
from training.small import (
    SMALL_BASELINE,
    SMALL_CLIPS,
    SMALL_CSN,
    SMALL_HRNET,
    SMALL_PARTS,
    SMALL_PERSONS,
    paper_options,
    tiny_options,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=2)


def test_persons_leaves_a_network_that_its_stage_can_use(data: Path, tmp_path: Path) -> None:
    figures = run_recipe("persons", data, tmp_path, tiny_options())
    file = load_network(tmp_path / "persons.safetensors")
    assert file.kind == "persons"
    assert file.settings["short_side"] == tiny.PERSONS_STAGE.short_side
    assert json.loads((tmp_path / "persons_metrics.json").read_text()) == figures
    assert {"ap", "ap50", "ap75", "frames", "persons", "steps", "seed"} == set(figures)
    lines: list[str] = []
    assert run_recipe("persons", data, tmp_path, tiny_options(steps=9, resume=True, report=lines.append)) == figures
    assert lines == ["persons: is finished already in 2 steps; use a different --out to train again"]


@pytest.mark.parametrize("name", ["persons", "action", "states-arm", "baseline"])
def test_what_is_trained_on_is_not_measured(name: str, data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    metrics = run_recipe(name, data, tmp_path, tiny_options(train_on="all", report=lines.append))
    assert metrics == {"steps": 2, "seed": 0, "train_on": "all"}
    assert f"{name}: trains on all annotated videos, so no held-out metrics are measured" in lines
    plan = read_plan(RunFolder(tmp_path, name))
    assert plan.train_on == "all"
    assert plan.num_samples > 0
    with pytest.raises(TrainingError, match="the run trains on all, got train; use a different --out"):
        run_recipe(name, data, tmp_path, tiny_options(resume=True))


def test_full_size_trains_on_all_without_checks(data: Path, tmp_path: Path) -> None:
    changes = {"depth_blocks": "1,1,1,1", "num_frames": "4", "crop_size": "32", "train_short_side": "40"}
    options = paper_options(changes, train_on="all")
    metrics = run_recipe("action", data, tmp_path, options)
    assert metrics == {"steps": 2, "seed": 0, "train_on": "all"}
    assert not RunFolder(tmp_path, "action").checks.exists()
    plan = read_plan(RunFolder(tmp_path, "action"))
    assert plan.num_samples == 2 * len(KineticsTps(data).videos("train"))
    for option, change in (("--keep best", {"keep": "best"}), ("--check-every", {"check_every": 1})):
        with pytest.raises(TrainingError, match=f"{option} needs held-out videos, got --train-on all, which leaves"):
            run_recipe("action", data, tmp_path / "other", replace(options, **change))


@pytest.mark.parametrize("name", ["persons", "action", "states-arm", "baseline"])
def test_a_tiny_run_can_be_checked_on_the_way(name: str, data: Path, tmp_path: Path) -> None:
    run_recipe(name, data, tmp_path, tiny_options(check_every=1, keep="best"))
    checks = list(csv.DictReader((tmp_path / name / "checks.csv").open()))
    assert [row["step"] for row in checks] == ["1", "2"]


def test_the_figure_of_a_check_is_one_that_networks_are_measured_by() -> None:
    measured = json.loads((bundle_folder("tiny") / BUNDLE_FILE).read_text())["metrics"]
    for task, name in ((PersonsTask, "persons"), (PosesTask, "poses"), (PartsTask, "parts"), (TracksTask, "tracks")):
        assert task.metric in measured[name]


def test_states_start_from_the_action_network(data: Path, tmp_path: Path) -> None:
    net = Csn(tiny.CLIPS_NET)
    save_network(tmp_path / "action.safetensors", net, kind="action", settings={}, dtype=torch.float32)
    run_recipe("states-arm", data, tmp_path, tiny_options(steps=1))
    trained = load_network(tmp_path / "states-arm.safetensors")
    assert trained.labels["labels"] == [["lunge", "bend", "none"], ["push_up", "none", "none"]]
    before, after = (n.state_dict()["backbone.conv1.conv.weight"] for n in (net, trained.net))
    assert torch.allclose(before, after, atol=2e-3)  # one small step away


def test_a_network_of_rendered_clips_alone_is_a_start(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    with pytest.raises(DataError, match="action-pretrained: needs a SynthTPS dataset and rendered clips, got 4"):
        run_recipe("action-pretrained", copy, tmp_path, tiny_options(stream_clips=4))
    (copy / PLAN_FILE).write_text(json.dumps(DatasetPlan(()).to_dict()))
    small = ClipStreamConfig(rendered_size=(72, 96), clips_per_shard=4)
    monkeypatch.setattr(tiny_clips, "ClipStreamConfig", lambda: small)
    figures = run_recipe("action-pretrained", copy, tmp_path, tiny_options(stream_clips=4))
    assert (figures["labels"], figures["intervals"]) == (4, 4)
    weights = tmp_path / "action-pretrained.safetensors"
    assert load_network(weights).labels["labels"] == [[action] for action in sorted(SYNTH_ACTIONS[:4])]

    lines: list[str] = []
    figures = run_recipe("action", copy, tmp_path, tiny_options(init=weights, steps=1, report=lines.append))
    assert figures["start"] == file_sha256(weights)
    assert f"action: starts from {weights}; fresh: " in "\n".join(lines)  # it knows no label of the data
    before, after = (
        load_network(tmp_path / f"{name}.safetensors").net.state_dict()["backbone.conv1.conv.weight"]
        for name in ("action-pretrained", "action")
    )
    assert torch.allclose(before, after, atol=4e-3)  # one small step away
    of_frames = tiny_options(init=weights, steps=1, changes={"level": "frame"}, report=lines.append)
    run_recipe("action", copy, tmp_path / "frames", of_frames)
    assert sum(line.startswith(f"action: starts from {weights}; fresh: ") for line in lines) == 2
    with pytest.raises(DataError, match="action-pretrained: needs a SynthTPS dataset and rendered clips"):
        run_recipe(
            "action-pretrained", copy, tmp_path / "level", tiny_options(stream_clips=4, changes={"level": "frame"})
        )


def test_levels_have_labels_of_their_own(data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    frame = {"level": "frame"}
    figures = run_recipe("states-arm", data, tmp_path, tiny_options(steps=1, changes=frame, report=lines.append))
    assert figures["intervals"] == 4 * len(range(0, NUM_FRAMES, 5))
    assert any("states-arm: labels of single frames; rendered clips are left out" in line for line in lines)
    assert load_network(tmp_path / "states-arm.safetensors").settings["num_clips"] == 1
    assert run_recipe("states-arm", data, tmp_path, tiny_options(changes=frame, resume=True)) == figures
    with pytest.raises(TrainingError, match=r"recipe\.json: the run has level frame, got None; use a different --out"):
        run_recipe("states-arm", data, tmp_path, tiny_options(resume=True))
    run_recipe("action", data, tmp_path, tiny_options(steps=1, changes={"segment_seconds": "1"}))
    assert load_network(tmp_path / "action.safetensors").settings["num_clips"] == 7


def test_a_run_may_have_a_rate_of_its_own(data: Path, tmp_path: Path) -> None:
    rate = {"learning_rate": "1e-9"}
    net = Csn(tiny.CLIPS_NET)
    save_network(tmp_path / "start.safetensors", net, kind="action", settings={}, dtype=torch.float32)
    init = tmp_path / "start.safetensors"
    run_recipe("states-arm", data, tmp_path, tiny_options(steps=1, changes=rate, init=init))
    name = "backbone.conv1.conv.weight"
    trained = load_network(tmp_path / "states-arm.safetensors").net.state_dict()[name]
    assert torch.equal(trained, net.state_dict()[name].half().float())  # it did not move
    (tmp_path / "states-arm_metrics.json").unlink()
    assert json.loads((tmp_path / "states-arm" / "recipe.json").read_text())["hyperparameters"]["learning_rate"] == 1e-9
    with pytest.raises(TrainingError, match=r"the run has learning_rate 1e-09, got 0\.0025; use a different --out"):
        run_recipe("states-arm", data, tmp_path, tiny_options(steps=1, init=init, resume=True))


def test_a_run_goes_on_with_the_data_that_it_began_with(data: Path, tmp_path: Path) -> None:
    run_recipe("states-arm", data, tmp_path, tiny_options(steps=1))
    run = RunFolder(tmp_path, "states-arm")
    run.metrics.unlink()
    plan = json.loads(run.plan.read_text())
    run.plan.write_text(json.dumps({**plan, "num_samples": plan["num_samples"] + 1}))
    with pytest.raises(TrainingError, match=r"recipe\.json: the run trains on \d+ samples, got \d+"):
        run_recipe("states-arm", data, tmp_path, tiny_options(steps=1, resume=True))
    run.plan.unlink()
    (run.folder / "plan.json").write_text("{}")
    with pytest.raises(TrainingError, match=r"plan\.json: is of an earlier version, whose runs do not resume"):
        run_recipe("states-arm", data, tmp_path, tiny_options(steps=1, resume=True))


@pytest.mark.parametrize(
    ("recipe", "sample"),
    [
        pytest.param("persons", r"train_\w+ frame \d+", id="persons"),
        pytest.param("baseline", r"train_\w+ frames [\d, ]+", id="baseline"),
        pytest.param("states-arm", r"train_\w+ from frame \d+", id="clips"),
    ],
)
def test_a_loss_that_is_no_number_names_its_samples(recipe: str, sample: str, data: Path, tmp_path: Path) -> None:
    too_fast = {"learning_rate": "1e35"}
    with pytest.raises(TrainingError, match=rf"is (nan|inf) at step \d, samples {sample}, {sample}"):
        run_recipe(recipe, data, tmp_path, tiny_options(steps=6, changes=too_fast))


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        pytest.param("cats", ConfigError, "RECIPE at size tiny must be one of persons", id="unknown"),
        pytest.param("parts", TrainingError, "run the recipe poses first", id="without-poses"),
    ],
)
def test_what_cannot_start_says_why(name: str, error: type[Exception], text: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(error, match=text):
        run_recipe(name, data, tmp_path, tiny_options())


def test_full_size_persons(data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    figures = run_recipe("persons", data, tmp_path, paper_options(SMALL_PERSONS, report=lines.append))
    assert {"ap", "ap50", "frames", "persons", "steps"} <= set(figures)
    assert figures["frames"] == 4 * len(range(0, NUM_FRAMES, 5))
    file = load_network(tmp_path / "persons.safetensors")
    assert (file.kind, file.settings["max_persons"], file.settings["short_side"]) == ("persons", 10, 96)
    assert file.net.state_dict()["backbone.conv1.weight"].dtype == torch.float32
    record = json.loads((tmp_path / "persons" / "recipe.json").read_text())
    assert record["hyperparameters"]["nesterov"] is True
    assert any(line.startswith("persons: 2 steps of 2 samples; one sample took") for line in lines)
    assert (tmp_path / "persons" / "best.ckpt").is_file()
    assert run_recipe("persons", data, tmp_path, paper_options(SMALL_PERSONS, resume=True)) == figures
    other = paper_options({**SMALL_PERSONS, "nesterov": "no"}, resume=True)
    with pytest.raises(TrainingError, match="the run has nesterov True, got False"):
        run_recipe("persons", data, tmp_path, other)
    (tmp_path / "persons_metrics.json").unlink()
    with pytest.raises(TrainingError, match="the run has nesterov True, got False"):
        run_recipe("persons", data, tmp_path, other)


def test_persons_on_two_devices(data: Path, tmp_path: Path) -> None:
    """Their loss is averaged over the devices, in the estimate before the start too."""
    figures = run_recipe("persons", data, tmp_path, paper_options(SMALL_PERSONS, steps=1, num_devices=2, log_every=1))
    assert figures["steps"] == 1
    assert figures["frames"] == 4 * len(range(0, NUM_FRAMES, 5))  # of both devices
    rows = list(csv.DictReader((tmp_path / "persons" / "log.csv").open()))
    assert all(0 < float(row[term]) < 10 for row in rows for term in ("classification", "boxes"))


def test_poses_are_used_as_they_are(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="needs --init"):
        run_recipe("poses", data, tmp_path, paper_options({}))
    net = Hrnet(SMALL_HRNET)
    (tmp_path / "from").mkdir()
    save_network(tmp_path / "from" / "hrnet.safetensors", net, kind="hrnet", settings={}, dtype=torch.float32)
    with pytest.raises(WeightsError, match="needs an HRNet of width 48, got a Hrnet of 32"):
        run_recipe("poses", data, tmp_path, paper_options({}, init=tmp_path / "from"))
    small = {"width": "32", "size": "64,64"}
    other = {"size": [64, 64], "decoding": "dark"}
    save_network(tmp_path / "dark.safetensors", net, kind="hrnet", settings=other, dtype=torch.float32)
    with pytest.raises(WeightsError, match="needs decoding dark, got standard: --set decoding"):
        run_recipe("poses", data, tmp_path, paper_options(small, init=tmp_path / "dark.safetensors"))
    lines: list[str] = []
    run_recipe("poses", data, tmp_path, paper_options(small, init=tmp_path / "from", report=lines.append))
    assert lines == ["poses: HRNet-w48 from COCO as it is, without any fine-tuning; nothing was trained"]
    kept = load_network(tmp_path / "poses.safetensors").net.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in net.state_dict().items())
    figures = run_recipe("parts", data, tmp_path, paper_options(SMALL_PARTS, steps=1))
    assert {"ap50", "ap50_by_class", "swapped", "persons"} <= set(figures)
    assert load_network(tmp_path / "parts.safetensors").settings["dots"] is not None
    assert (data / ".cache").is_dir()


def test_an_estimate_of_parts_does_not_look_for_poses(data: Path, tmp_path: Path) -> None:
    (tmp_path / "poses.safetensors").write_bytes(b"a pose network that nobody opens")
    lines: list[str] = []
    run_recipe("parts", data, tmp_path, paper_options(SMALL_PARTS, only_estimate=True, report=lines.append))
    assert any("parts: " in line and "GB" in line for line in lines)
    assert not (tmp_path / "parts.safetensors").exists()


def test_parts_need_poses(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="run the recipe poses first"):
        run_recipe("parts", data, tmp_path, paper_options(SMALL_PARTS))


def test_action_starts_from_an_imported_backbone(data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    start = Csn(CsnConfig(num_classes=400, num_blocks=(1, 1, 1, 1)))
    save_network(tmp_path / "csn.safetensors", start, kind="csn", settings={}, dtype=torch.float32)
    figures = run_recipe("action", data, tmp_path, paper_options(SMALL_CSN, init=tmp_path, report=lines.append))
    assert figures["intervals"] == 4
    assert figures["start"] == file_sha256(tmp_path / "csn.safetensors")
    other = {"norm": {"mean": [110.0, 100.0, 95.0]}}
    save_network(tmp_path / "sports.safetensors", start, kind="csn", settings=other, dtype=torch.float32)
    with pytest.raises(WeightsError, match=r"needs norm .*110\.0.* --set pretraining="):
        run_recipe("action", data, tmp_path / "other", paper_options(SMALL_CSN, init=tmp_path / "sports.safetensors"))
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


@pytest.mark.parametrize(("level", "intervals"), [("segment", 4), ("frame", 4 * len(range(0, NUM_FRAMES, 5)))])
def test_states_of_segments_and_frames(data: Path, tmp_path: Path, level: str, intervals: int) -> None:
    changes = {**SMALL_CSN, "level": level, "segment_seconds": "3", "mirror": "sides"}
    figures = run_recipe("states-arm", data, tmp_path, paper_options(changes, steps=1))
    assert figures["intervals"] == intervals
    assert {"accuracy", "state_accuracy"} <= set(figures)


def test_an_ir_network_starts_from_sports_1m(data: Path, tmp_path: Path) -> None:
    start = Csn(CsnConfig(num_classes=400, num_blocks=(1, 1, 1, 1), bottleneck="ir"))
    save_network(tmp_path / "csn-ir.safetensors", start, kind="csn", settings={}, dtype=torch.float32)
    run_recipe("states-ir-leg", data, tmp_path, paper_options(SMALL_CSN, steps=1, init=tmp_path))
    file = load_network(tmp_path / "states-ir-leg.safetensors")
    assert isinstance(file.net, Csn)
    assert file.net.config.bottleneck == "ir"
    assert file.settings["norm"]["mean"] == [110.2008, 100.63983, 95.99475]
    record = json.loads((tmp_path / "states-ir-leg" / "recipe.json").read_text())
    assert record["hyperparameters"]["ensemble"] == [3.515, 1.0]


def test_tsn_on_frames(data: Path, tmp_path: Path) -> None:
    run_recipe("states-tsn-rgb-leg", data, tmp_path, paper_options(SMALL_CLIPS, steps=1))
    file = load_network(tmp_path / "states-tsn-rgb-leg.safetensors")
    assert (file.kind, file.settings["num_frames"], file.settings["num_clips"]) == ("states-leg", 1, 7)


def test_tsn_on_flow_files(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="actparse data flow"):
        run_recipe("action-tsn-flow", data, tmp_path / "none", paper_options(SMALL_CLIPS, steps=1, flow=tmp_path))
    write_flow(data, tmp_path / "flow")
    start = Tsn(TsnConfig(num_classes=1000))
    save_network(tmp_path / "tsn.safetensors", start, kind="tsn", settings={}, dtype=torch.float32)
    changes = {**SMALL_CLIPS, "first_convolution": "mean", "training": "paper", "learning_rate": "1e-9"}
    run_recipe(
        "action-tsn-flow", data, tmp_path, paper_options(changes, steps=1, flow=tmp_path / "flow", init=tmp_path)
    )
    weight = load_network(tmp_path / "action-tsn-flow.safetensors").net.state_dict()["backbone.conv1.conv.weight"]
    mean = start.state_dict()["backbone.conv1.conv.weight"].mean(dim=1, keepdim=True)
    torch.testing.assert_close(weight, mean.expand(-1, 10, -1, -1), atol=1e-6, rtol=0)


def test_tsn_on_flow_that_the_command_wrote(tmp_path: Path) -> None:
    data = write_miniature(tmp_path / "data", videos_per_action=1)
    assert main(["data", "flow", str(data), "--short-side", "16", "--processes", "1"]) == 0
    assert len(list(data.glob("flow/*/flow_x_*.jpg"))) == 4 * (NUM_FRAMES - 1)
    figures = run_recipe("states-tsn-flow-arm", data, tmp_path / "run", paper_options(SMALL_CLIPS, steps=1))
    assert (figures["steps"], figures["intervals"]) == (1, 2)
    file = load_network(tmp_path / "run" / "states-tsn-flow-arm.safetensors")
    assert file.settings["flow"]["num_fields"] == 5


def test_the_official_baseline(data: Path, tmp_path: Path) -> None:
    start = Tsn(TsnConfig(num_classes=1000, block="basic", num_blocks=(2, 2, 2, 2), widths=(64, 128, 256, 512)))
    save_network(tmp_path / "tsn.safetensors", start, kind="tsn", settings={}, dtype=torch.float32)
    lines: list[str] = []
    changes = {**SMALL_BASELINE, "learning_rate": "1e-9"}
    figures = run_recipe(
        "baseline", data, tmp_path, paper_options(changes, steps=1, init=tmp_path, report=lines.append)
    )
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
        run_recipe("baseline", data, tmp_path / "other", paper_options({**changes, "depth": "34"}, init=tmp_path))


def write_flow(data: Path, folder: Path) -> None:
    for path in data.glob("*_videos/*/*.mp4"):
        (folder / path.stem).mkdir(parents=True)
        for number in range(1, NUM_FRAMES):
            for axis in "xy":
                cv2.imwrite(str(folder / path.stem / f"flow_{axis}_{number:05d}.jpg"), np.full((60, 80), 128, np.uint8))
