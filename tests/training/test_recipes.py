"""Recipes end to end on a miniature dataset: a few steps, files, resume, errors, and the whole bundle."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from actparse.core.errors import ConfigError, DataError, TrainingError, WeightsError
from actparse.core.vocabulary import GROUPS
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.stages.loading import BUNDLE_FILE, bundle_folder, load_bundle
from actparse.synth.actions.registry import ACTIONS
from actparse.synth.dataset import GENERATOR, PLAN_FILE
from actparse.training import RECIPES, TrainOptions, run_recipe
from actparse.training.options import say_nothing
from actparse.training.recipes import builders, tiny
from actparse.training.recipes.parts import PartsTask
from actparse.training.recipes.persons import PersonsTask
from actparse.training.recipes.poses import PosesTask
from actparse.training.recipes.registry import COMPARED_RECIPES, NETWORK_RECIPES, PEOPLE_RECIPES
from actparse.training.recipes.tracks import TracksTask
from actparse.training.rendered.clip_stream import ClipStreamConfig
from actparse.training.run_folder import RunFolder
from actparse.training.runs.bundle_run import ORDER, _options_for, estimate
from actparse.training.runs.jobs import Job, run_jobs
from actparse.training.runs.network_files import load_initial
from actparse.weights.bundle import file_sha256, load_network, save_network
from training.miniature import NUM_FRAMES, write_miniature


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=1)


def options(**changes: Any) -> TrainOptions:
    return TrainOptions(
        **{"steps": 2, "device": "cpu", "report": say_nothing, "stream_crops": 1000, "stream_clips": 0, **changes}
    )


def test_every_network_of_the_bundle_has_a_recipe() -> None:
    wanted = {"persons", "poses", "parts", "tracks", "action", *(f"states-{group}" for group in GROUPS)}
    assert wanted | {"parts-without-dots", "tiny", *COMPARED_RECIPES, *PEOPLE_RECIPES} == set(RECIPES)
    assert set(ORDER) == set(NETWORK_RECIPES)


def test_persons_leaves_a_network_that_its_stage_can_use(data: Path, tmp_path: Path) -> None:
    figures = run_recipe("persons", data, tmp_path, options())
    file = load_network(tmp_path / "persons.safetensors")
    assert file.kind == "persons"
    assert file.settings["short_side"] == tiny.PERSONS_STAGE.short_side
    assert json.loads((tmp_path / "persons_metrics.json").read_text()) == figures
    assert {"ap", "ap50", "ap75", "frames", "persons", "steps", "seed"} == set(figures)
    lines: list[str] = []
    assert run_recipe("persons", data, tmp_path, options(steps=9, resume=True, report=lines.append)) == figures
    assert lines == ["persons: is finished already in 2 steps; use a different --out to train again"]


@pytest.mark.parametrize("name", ["persons", "action", "states-arm", "baseline"])
def test_a_tiny_run_can_be_checked_on_the_way(name: str, data: Path, tmp_path: Path) -> None:
    run_recipe(name, data, tmp_path, options(check_every=1, keep="best"))
    checks = list(csv.DictReader((tmp_path / name / "checks.csv").open()))
    assert [row["step"] for row in checks] == ["1", "2"]


def test_the_figure_of_a_check_is_one_that_networks_are_measured_by() -> None:
    measured = json.loads((bundle_folder("tiny") / BUNDLE_FILE).read_text())["metrics"]
    for task, name in ((PersonsTask, "persons"), (PosesTask, "poses"), (PartsTask, "parts"), (TracksTask, "tracks")):
        assert task.metric in measured[name]


def test_states_start_from_the_action_network(data: Path, tmp_path: Path) -> None:
    net = Csn(tiny.CLIPS_NET)
    save_network(tmp_path / "action.safetensors", net, kind="action", settings={}, dtype=torch.float32)
    run_recipe("states-arm", data, tmp_path, options(steps=1))
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
        run_recipe("action-pretrained", copy, tmp_path, options(stream_clips=4))
    (copy / PLAN_FILE).write_text(json.dumps({"generator": GENERATOR}))
    small = ClipStreamConfig(rendered_size=(72, 96), clips_per_shard=4)
    monkeypatch.setattr(builders, "ClipStreamConfig", lambda: small)
    figures = run_recipe("action-pretrained", copy, tmp_path, options(stream_clips=4))
    assert (figures["labels"], figures["stretches"]) == (4, 2)
    weights = tmp_path / "action-pretrained.safetensors"
    assert load_network(weights).labels["labels"] == [[action] for action in sorted(ACTIONS[:4])]

    lines: list[str] = []
    figures = run_recipe("action", copy, tmp_path, options(init=weights, steps=1, report=lines.append))
    assert figures["start"] == file_sha256(weights)
    assert f"action: starts from {weights}, states-head, states-arm, states-hand" in "\n".join(lines)
    before, after = (
        load_network(tmp_path / f"{name}.safetensors").net.state_dict()["backbone.conv1.conv.weight"]
        for name in ("action-pretrained", "action")
    )
    assert torch.allclose(before, after, atol=4e-3)  # one small step away
    of_frames = options(init=weights, steps=1, changes={"level": "frame"}, report=lines.append)
    run_recipe("action", copy, tmp_path / "frames", of_frames)
    assert sum(line.startswith(f"action: starts from {weights}, states-head, states-arm") for line in lines) == 2
    with pytest.raises(ConfigError, match="action-pretrained can change learning_rate at size tiny, got level"):
        run_recipe("action-pretrained", copy, tmp_path, options(changes={"level": "frame"}))


def test_what_others_wait_for_is_trained_first(data: Path, tmp_path: Path) -> None:
    started: list[str] = []

    def stop_at_the_first(running: list[str]) -> None:
        started.extend(running)
        raise KeyboardInterrupt

    jobs = {
        "other": Job("persons", data, tmp_path, options()),
        "first": Job("action", data, tmp_path, options()),
        "later": Job("states-arm", data, tmp_path, options(), ("first",)),
    }
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, slots=2, report=say_nothing, changed=stop_at_the_first)
    assert started == ["first"]


def test_no_training_outlives_the_command_that_was_killed(data: Path, tmp_path: Path) -> None:
    endless = "TrainOptions(steps=1000000, device='cpu', log_every=1)"
    code = (
        "from pathlib import Path; from actparse.training.runs.jobs import Job, run_jobs, without_report; "
        "from actparse.training.options import TrainOptions; "
        f"job = Job('persons', Path({str(data)!r}), Path({str(tmp_path)!r}), without_report({endless})); "
        "run_jobs({'persons': job}, slots=1, report=print)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = RunFolder(tmp_path, "persons").log
    deadline = time.monotonic() + 120
    while not log.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    children = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert log.is_file()
    assert not alive


def test_levels_have_labels_of_their_own(data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    frame = {"level": "frame"}
    figures = run_recipe("states-arm", data, tmp_path, options(steps=1, changes=frame, report=lines.append))
    assert figures["stretches"] == 2 * len(range(0, NUM_FRAMES, 5))
    assert figures["changes"] == frame
    assert any("states-arm: labels of single frames; rendered clips are left out" in line for line in lines)
    assert load_network(tmp_path / "states-arm.safetensors").settings["num_clips"] == 1
    assert run_recipe("states-arm", data, tmp_path, options(changes=frame, resume=True)) == figures
    with pytest.raises(TrainingError, match=r"was begun with \{'level': 'frame'\}, got none"):
        run_recipe("states-arm", data, tmp_path, options(resume=True))
    run_recipe("action", data, tmp_path, options(steps=1, changes={"segment_seconds": "1"}))
    assert load_network(tmp_path / "action.safetensors").settings["num_clips"] == 7


def test_a_run_may_have_a_rate_of_its_own(data: Path, tmp_path: Path) -> None:
    rate = {"learning_rate": "1e-9"}
    net = Csn(tiny.CLIPS_NET)
    save_network(tmp_path / "start.safetensors", net, kind="action", settings={}, dtype=torch.float32)
    init = tmp_path / "start.safetensors"
    figures = run_recipe("states-arm", data, tmp_path, options(steps=1, changes=rate, init=init))
    assert figures["changes"] == rate
    name = "backbone.conv1.conv.weight"
    trained = load_network(tmp_path / "states-arm.safetensors").net.state_dict()[name]
    assert torch.equal(trained, net.state_dict()[name].half().float())  # it did not move
    (tmp_path / "states-arm_metrics.json").unlink()
    with pytest.raises(
        TrainingError, match=r"was begun with \{'learning_rate': '1e-9'\}, got none\. Use a different --out"
    ):
        run_recipe("states-arm", data, tmp_path, options(steps=1, init=init, resume=True))


def test_a_run_goes_on_with_the_data_that_it_began_with(data: Path, tmp_path: Path) -> None:
    run_recipe("states-arm", data, tmp_path, options(steps=1))
    run = RunFolder(tmp_path, "states-arm")
    run.metrics.unlink()
    plan = json.loads(run.plan.read_text())
    run.plan.write_text(json.dumps({**plan, "num_samples": plan["num_samples"] + 1}))
    with pytest.raises(TrainingError, match=r"plan\.json: the run trains on \d+ samples, got \d+\. Use the same data"):
        run_recipe("states-arm", data, tmp_path, options(steps=1, resume=True))
    run.plan.write_text(json.dumps({name: value for name, value in plan.items() if name != "num_samples"}))
    run_recipe("states-arm", data, tmp_path, options(steps=1, resume=True))  # of an earlier version


@pytest.mark.parametrize(
    ("recipe", "sample"),
    [
        pytest.param("persons", r"train_\w+ frame \d+", id="persons"),
        pytest.param("baseline", r"train_\w+", id="baseline"),
        pytest.param("states-arm", r"train_\w+ from clip frame \d+", id="clips"),
    ],
)
def test_a_loss_that_is_no_number_names_its_samples(recipe: str, sample: str, data: Path, tmp_path: Path) -> None:
    too_fast = {"learning_rate": "1e35"}
    with pytest.raises(TrainingError, match=rf"is (nan|inf) at step \d, samples {sample}, {sample}"):
        run_recipe(recipe, data, tmp_path, options(steps=6, changes=too_fast))


def test_another_backbone_cannot_be_started_from(tmp_path: Path) -> None:
    small = CsnConfig(num_blocks=(1, 1, 1, 1), widths=(8,) * 4, mid_widths=(4,) * 4, stem_width=8)
    save_network(tmp_path / "a.safetensors", Csn(small), kind="action", settings={})
    with pytest.raises(WeightsError, match="cannot start from it: backbone"):
        load_initial(Csn(tiny.CLIPS_NET), tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        pytest.param("cats", ConfigError, "RECIPE must be one of persons", id="unknown"),
        pytest.param("parts", TrainingError, "run the recipe poses first", id="without-poses"),
    ],
)
def test_what_cannot_start_says_why(name: str, error: type[Exception], text: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(error, match=text):
        run_recipe(name, data, tmp_path, options())


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        pytest.param(
            "action",
            {"epochs": "3"},
            "action can change learning_rate, level, segment_seconds at size tiny, got epochs",
            id="other",
        ),
        pytest.param("persons", {"level": "frame"}, "persons can change learning_rate at size tiny", id="recipe"),
        pytest.param("tiny", {"learning_rate": "1"}, "tiny has no numbers to change at size tiny", id="bundle"),
        pytest.param("persons", {"learning_rate": "0"}, "learning_rate must be a number greater than 0", id="rate"),
        pytest.param("persons", {"learning_rate": "fast"}, "greater than 0, got 'fast'", id="rate in words"),
        pytest.param("action", {"level": "video"}, "level must be segment or frame, got video", id="level"),
        pytest.param("action", {"segment_seconds": "0"}, "segment_seconds must be at least 0.1, got 0", id="zero"),
        pytest.param("action", {"segment_seconds": "1e-9"}, "segment_seconds must be at least 0.1, got 1e-09", id="ns"),
        pytest.param("action", {"segment_seconds": "nan"}, "segment_seconds must be at least 0.1, got nan", id="nan"),
        pytest.param("action", {"segment_seconds": "x"}, "segment_seconds must be a number, got 'x'", id="text"),
    ],
)
def test_wrong_changes(name: str, changes: dict[str, str], text: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=text):
        run_recipe(name, data, tmp_path, options(changes=changes))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({"minutes": 1.0}, "at most one of minutes, epochs and steps", id="two-lengths"),
        pytest.param({"steps": 0}, "train.steps must be greater than 0", id="no-steps"),
        pytest.param({"steps": None, "minutes": math.nan}, "train.minutes must be greater than 0 and", id="nan"),
        pytest.param({"steps": None, "epochs": math.inf}, "train.epochs must be .* finite, got inf", id="endless"),
        pytest.param({"seed": -1}, "train.seed must be at least 0 and at most 4294967295, got -1", id="seed"),
        pytest.param({"seed": 2**32}, "train.seed must be .*, got 4294967296", id="large-seed"),
        pytest.param({"threads": 0}, "train.threads must be at least 1", id="no-threads"),
        pytest.param({"device": "tpu"}, "train.device must be one of auto, cpu, cuda", id="device"),
    ],
)
def test_options_are_checked(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        options(**changes)


def test_an_estimate_of_the_bundle_starts_nothing(data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    assert run_recipe("tiny", data, tmp_path, options(only_estimate=True, report=lines.append)) == {}
    assert len(lines) == 1
    assert lines[0].startswith("tiny: about")
    assert list(tmp_path.iterdir()) == []


def test_estimate_counts_jobs_side_by_side() -> None:
    assert estimate({"persons": 30.0, "poses": 50.0}, 2).startswith("tiny: about 40 minutes with 2 networks at a time")


def test_networks_of_the_bundle_start_from_those_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "persons.safetensors").touch()
    known = options(init=tmp_path, minutes=9.0, steps=None)
    assert _options_for("persons", known, {"persons": 4.0}).init == tmp_path / "persons.safetensors"
    assert _options_for("poses", known, {"poses": 5.0}).init is None
    with pytest.raises(TrainingError, match="tiny starts from a folder with a file for each network, got --init"):
        run_recipe("tiny", tmp_path, tmp_path / "run", options(init=tmp_path / "persons.safetensors"))


@pytest.mark.slow
def test_tiny_makes_a_bundle_that_loads(data: Path, tmp_path: Path) -> None:
    figures = run_recipe("tiny", data, tmp_path, options(steps=1))
    assert set(figures) == set(NETWORK_RECIPES)
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.model["weights"] == "tiny"
    assert set(bundle.labels.group_labels) == set(GROUPS)
    assert run_recipe("tiny", data, tmp_path, options(steps=1, resume=True)) == figures
    with pytest.raises(TrainingError, match="holds a run of tiny already"):
        run_recipe("tiny", data, tmp_path, options(steps=1))


def test_a_classifier_of_other_labels_stays_fresh(tmp_path: Path) -> None:
    config = CsnConfig(num_blocks=(1, 1, 1, 1), widths=(8,) * 4, mid_widths=(4,) * 4, stem_width=8, num_classes=2)
    stored, net = Csn(config), Csn(config)
    labels = {"labels": [["lunge"], ["push_up"]]}
    save_network(tmp_path / "a.safetensors", stored, kind="action", settings={}, labels=labels, dtype=torch.float32)
    fresh = load_initial(net, tmp_path / "a.safetensors", labels={"labels": [["lunge"], ["deadlifting"]]})
    assert fresh == ("cls_head.fc_cls.weight", "cls_head.fc_cls.bias")
    assert load_initial(net, tmp_path / "a.safetensors", labels=labels) == ()
    assert torch.equal(net.cls_head.fc_cls.weight, stored.cls_head.fc_cls.weight)
