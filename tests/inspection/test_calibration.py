"""From folders of parses to the verdict in a parse."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from actparse.cli import main
from actparse.core.errors import ConfigError, DataError, WeightsError
from actparse.core.structures import VideoParse
from actparse.inspection.calibration import action_of_name, calibrate
from actparse.metrics.calibration import Calibration
from actparse.parser import Parser
from actparse.stages.loading import bundle_calibration, load_bundle
from bundles import ACTIONS
from example_parse import example_parse


def put(
    folder: Path, score: float, *, action: str = "lunge", calibration: Calibration | None = None, share: float = 1.0
) -> Path:
    """Write a parse whose best action has a score."""
    other = next(name for name in ACTIONS if name != action)
    model = {"weights": "random"}
    if calibration is not None:
        power = 1 / calibration.temperature
        score = score**power / (score**power + (1 - score) ** power)
        model["calibration"] = json.dumps(asdict(calibration))
    factor = 1.0 if calibration is None else share**calibration.consistency
    scores = {action: factor * score, other: factor * (1 - score)}
    parse = replace(example_parse(), action=action, action_scores=scores, model=model)
    folder.mkdir(parents=True)
    (folder / "parse.json").write_text(parse.to_json())
    return folder


@pytest.fixture
def parses(tmp_path: Path) -> Path:
    """Two known videos that are named rightly, one that is not, two unknown ones and one without anybody."""
    put(tmp_path / "known" / "lunge_1", 0.9)
    put(tmp_path / "known" / "push_up" / "v123", 0.8, action="push_up")
    put(tmp_path / "known" / "push_up_7", 0.55)
    put(tmp_path / "other" / "surfing", 0.6)
    put(tmp_path / "other" / "violin", 0.95)
    empty = put(tmp_path / "other" / "sea", 0.5) / "parse.json"
    empty.write_text(replace(VideoParse.from_json(empty.read_text()), verdict="nobody").to_json())
    return tmp_path


def test_a_bundle_is_calibrated_on_its_parses(parses: Path, random_bundle: Path) -> None:
    found = calibrate(random_bundle, parses / "known", parses / "other")
    fitted = found.fitted
    assert (fitted.num_right, fitted.num_wrong, fitted.num_unknown, found.num_nobody) == (2, 1, 2, 1)
    assert (fitted.right_rejected, fitted.wrong_rejected, fitted.unknown_rejected) == (0.0, 1.0, 0.5)
    assert found.to_dict()["calibration"]["min_probability"] == fitted.calibration.min_probability
    assert ["unknown", "2", "50.0"] in [line.split() for line in found.to_text().splitlines()]


def test_parses_of_a_calibrated_bundle_are_the_same(parses: Path, random_bundle: Path) -> None:
    before = calibrate(random_bundle, parses / "known", parses / "other").fitted
    shutil.rmtree(parses / "known" / "lunge_1")
    put(parses / "known" / "lunge_1", 0.9, calibration=Calibration(temperature=2.0))
    after = calibrate(random_bundle, parses / "known", parses / "other").fitted
    assert after.calibration.temperature == pytest.approx(before.calibration.temperature)
    assert after.calibration.min_probability == pytest.approx(before.calibration.min_probability)


def test_the_share_of_the_weaker_half_is_read_from_the_parses(tmp_path: Path, random_bundle: Path) -> None:
    consistent = Calibration(temperature=2.0, consistency=0.5)
    put(tmp_path / "known" / "lunge_1", 0.8, calibration=consistent, share=0.9)
    put(tmp_path / "known" / "push_up_1", 0.8, action="push_up", calibration=consistent)
    put(tmp_path / "other" / "surfing", 0.8, calibration=consistent, share=0.2)
    fitted = calibrate(random_bundle, tmp_path / "known", tmp_path / "other").fitted
    assert fitted.calibration.consistency == 0.5
    assert (fitted.right_rejected, fitted.unknown_rejected) == (0.0, 1.0)
    put(tmp_path / "other" / "violin", 0.8)
    with pytest.raises(DataError, match=r"needs parses with one consistency, got 0\.0, 0\.5"):
        calibrate(random_bundle, tmp_path / "known", tmp_path / "other")


def test_true_actions_may_come_from_a_truth(parses: Path, random_bundle: Path) -> None:
    truth = {"lunge_1": "push_up", "v123": "push_up", "push_up_7": "lunge"}
    fitted = calibrate(random_bundle, parses / "known", parses / "other", truth=truth).fitted
    assert (fitted.num_right, fitted.num_wrong) == (2, 1)
    with pytest.raises(DataError, match=r"v123/parse\.json: needs a truth, one of lunge, push_up; got 'v123'"):
        calibrate(random_bundle, parses / "known", parses / "other", truth={"lunge_1": "lunge", "push_up_7": "lunge"})


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("a/push_up_7/parse.json", "push_up"),
        ("a/push_up/parse.json", "push_up"),
        ("push/v1/parse.json", "push"),
        ("a/pushing/parse.json", None),
    ],
    ids=str,
)
def test_names_tell_the_action(path: str, action: str | None) -> None:
    assert action_of_name(Path(path), ["push", "push_up"]) == action


def test_what_cannot_be_calibrated_is_named(parses: Path, random_bundle: Path) -> None:
    (parses / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: needs folders with parse\.json, got none"):
        calibrate(random_bundle, parses / "known", parses / "empty")
    with pytest.raises(DataError, match="needs a parse with the weights 'tiny', got 'random'"):
        calibrate("tiny", parses / "known", parses / "other")
    with pytest.raises(DataError, match="needs its true action in the name of its folder or of the one above"):
        calibrate(random_bundle, parses / "other", parses / "other")
    path = put(parses / "known" / "lunge_2", 0.9) / "parse.json"
    path.write_text(path.read_text().replace('"weights": "random"', '"weights": "random", "calibration": "{"'))
    with pytest.raises(DataError, match=r"model\.calibration must be a calibration as JSON"):
        calibrate(random_bundle, parses / "known", parses / "other")


def test_the_command_stores_what_a_parser_reads(
    parses: Path, random_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = parses / "bundle"
    shutil.copytree(random_bundle, bundle)
    folders = ["--known", str(parses / "known"), "--unknown", str(parses / "other")]
    assert main(["calibrate", "--weights", str(bundle), *folders]) == 0
    assert bundle_calibration(bundle) == Calibration()
    assert "min_probability" in capsys.readouterr().out
    assert main(["calibrate", "--weights", str(bundle), *folders, "--write", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert load_bundle(bundle).calibration == Calibration(**printed["calibration"])
    record = json.loads((bundle / "bundle.json").read_text())
    assert record["name"] == "random"
    assert record["metrics"]["calibration"]["num_nobody"] == 1
    assert json.loads(Parser.load(bundle, device="cpu").model["calibration"]) == printed["calibration"]


def test_a_shipped_bundle_is_not_written(parses: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in parses.glob("**/parse.json"):
        path.write_text(path.read_text().replace('"weights": "random"', '"weights": "tiny"'))
    folders = ["--known", str(parses / "known"), "--unknown", str(parses / "other")]
    assert main(["calibrate", "--weights", "tiny", *folders, "--write"]) == 2
    assert "--write: needs the path of a bundle's folder, got the shipped bundle 'tiny'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        ([], r"bundle\.json: calibration must be an object, got \[\]"),
        ({"temperature": -1}, "calibration.temperature must be greater than 0 and finite, got -1"),
        ({"min_probability": "high"}, r"bundle\.json: calibration: "),
        ({"threshold": 0.5}, "unknown field 'threshold'; known are consistency, min_probability, temperature"),
    ],
    ids=str,
)
def test_a_broken_calibration_is_named(tmp_path: Path, calibration: object, message: str) -> None:
    (tmp_path / "bundle.json").write_text(json.dumps({"name": "broken", "calibration": calibration}))
    with pytest.raises(WeightsError, match=message):
        bundle_calibration(tmp_path)


def test_max_rejected_is_checked(parses: Path, random_bundle: Path) -> None:
    with pytest.raises(ConfigError, match="max_rejected must be"):
        calibrate(random_bundle, parses / "known", parses / "other", max_rejected=-1)
