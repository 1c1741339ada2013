"""Bundles of trained networks at both sizes: what they consist of, and that they load."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from actparse.core.errors import TrainingError
from actparse.core.progress import discard_line
from actparse.core.vocabulary import GROUPS
from actparse.nets.poses.hrnet import Hrnet
from actparse.parser import ParserConfig
from actparse.stages.loading import load_bundle
from actparse.training import run_recipe
from actparse.training.recipes.registry import BUNDLE_RECIPES
from actparse.training.run_folder import Plan, RunFolder, write_json
from actparse.training.runs.bundles import assemble_complete
from actparse.training.runs.start import _options_for, estimate
from actparse.weights.bundle import load_network, save_network
from training.miniature import write_miniature
from training.small import (
    SMALL_BASELINE,
    SMALL_CSN,
    SMALL_HRNET,
    SMALL_PARTS,
    SMALL_PERSONS,
    paper_options,
    tiny_options,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=1)


def write_record(out: Path, name: str, level: str) -> None:
    plan = Plan(1, 0, 1, hyperparameters={"level": level, "segment_seconds": 3.0})
    write_json(RunFolder(out, name).plan, asdict(plan))


def test_every_network_of_the_bundle_has_a_recipe() -> None:
    wanted = {"persons", "poses", "parts", "tracks", "action", *(f"states-{group}" for group in GROUPS)}
    assert wanted | {"parts-without-dots"} == set(BUNDLE_RECIPES)
    assert {recipe.kind for recipe in BUNDLE_RECIPES.values()} == set(BUNDLE_RECIPES)


def test_an_estimate_of_the_bundle_starts_nothing(data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    assert run_recipe("tiny", data, tmp_path, tiny_options(only_estimate=True, report=lines.append)) == {}
    assert len(lines) == 1
    assert lines[0].startswith("tiny: about")
    assert list(tmp_path.iterdir()) == []


def test_estimate_counts_jobs_side_by_side() -> None:
    assert estimate({"persons": 30.0, "poses": 50.0}, 2).startswith("tiny: about 40 minutes with 2 networks at a time")


def test_networks_of_the_bundle_start_from_those_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "persons.safetensors").touch()
    known = tiny_options(init=tmp_path, minutes=9.0, steps=None)
    assert _options_for("persons", known, {"persons": 4.0}).init == tmp_path / "persons.safetensors"
    assert _options_for("poses", known, {"poses": 5.0}).init is None
    with pytest.raises(TrainingError, match="tiny starts from a folder with a file for each network, got --init"):
        run_recipe("tiny", tmp_path, tmp_path / "run", tiny_options(init=tmp_path / "persons.safetensors"))


@pytest.mark.slow
def test_tiny_makes_a_bundle_that_loads(data: Path, tmp_path: Path) -> None:
    figures = run_recipe("tiny", data, tmp_path, tiny_options(steps=1))
    assert set(figures) == set(BUNDLE_RECIPES)
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.model["weights"] == "tiny"
    assert set(bundle.labels.group_labels) == set(GROUPS)
    assert run_recipe("tiny", data, tmp_path, tiny_options(steps=1, resume=True)) == figures
    with pytest.raises(TrainingError, match="holds a run of tiny already"):
        run_recipe("tiny", data, tmp_path, tiny_options(steps=1))


@pytest.mark.slow
def test_bundle_of_all_networks_loads(data: Path, tmp_path: Path) -> None:
    save_network(tmp_path / "hrnet.safetensors", Hrnet(SMALL_HRNET), kind="hrnet", settings={}, dtype=torch.float32)
    run_recipe("poses", data, tmp_path, paper_options({"width": "32"}, init=tmp_path / "hrnet.safetensors"))
    run_recipe("persons", data, tmp_path, paper_options(SMALL_PERSONS, steps=1))
    run_recipe("action", data, tmp_path, paper_options(SMALL_CSN, steps=1))
    assert not (tmp_path / "bundle").exists()
    for name, source in [("parts", "persons"), *((f"states-{group}", "action") for group in GROUPS)]:
        net = load_network(tmp_path / f"{source}.safetensors")
        settings = {"size": 96} if name == "parts" else net.settings
        labels = {"labels": [["lunge", *["none"] * (1 if name[7:] in ("head", "hip") else 2)]] * 2}
        save_network(tmp_path / f"{name}.safetensors", net.net, kind=name, settings=settings, labels=labels)
        shutil.copy(tmp_path / "persons_metrics.json", tmp_path / f"{name}_metrics.json")
        write_record(tmp_path, name, "segment" if name == "states-foot" else "frame")
    with pytest.raises(TrainingError, match=r"of one level, got .* states-leg frame 3 s, states-foot segment 3 s"):
        run_recipe("parts-without-dots", data, tmp_path, paper_options({**SMALL_PARTS, "dots": "no"}, steps=1))
    write_record(tmp_path, "states-foot", "frame")
    assemble_complete("paper", tmp_path, discard_line)
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.model["weights"] == "paper"
    assert bundle.persons.config.max_persons == 10
    record = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert (record["inference"]["stride"], record["inference"]["segment_seconds"]) == (5, 3.0)
    assert ParserConfig.of(tmp_path / "bundle").level == "frame"
    run_recipe("action-ir", data, tmp_path, paper_options(SMALL_CSN, steps=1))
    ensemble = load_bundle(tmp_path / "bundle-ensemble")
    assert ensemble.action is not None
    assert [weight for _, weight in ensemble.action.members] == [0.875, 0.125]
    assert ensemble.model["weights"] == "paper-ensemble"
    run_recipe("baseline", data, tmp_path, paper_options(SMALL_BASELINE, steps=1))
    assert load_bundle(tmp_path / "bundle-baseline").baseline is not None
