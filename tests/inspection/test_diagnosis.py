from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from actparse import Parser
from actparse.core.errors import ConfigError
from actparse.core.vocabulary import GROUPS
from actparse.data.kinetics_tps import KineticsTps
from actparse.data.shares import count_states
from actparse.inspection.diagnosis import diagnose
from actparse.inspection.diagnosis_video import Variant, VideoFindings, examine_video
from actparse.metrics import tps_score
from actparse.parser import ParserConfig
from actparse.synth import causes, dataset
from actparse.synth.dataset import SplitPlan, write_dataset
from plans import plain


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:  # short videos: the rest is the same
        patch.setattr(dataset, "MIN_FRAMES", 16)
        patch.setattr(dataset, "MAX_FRAMES", 16)
        write_dataset(root, plain(SplitPlan("test", 2, 9)))
    return root


@pytest.fixture(scope="module", autouse=True)
def few_routines() -> Iterator[None]:
    """Count the planted causes in few routines of each action, which takes less time."""
    shares = causes.planted_shares(6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(causes, "planted_shares", lambda: shares)
        yield


@pytest.fixture(scope="module")
def findings(data: Path, random_bundle: Path) -> VideoFindings:
    parser = Parser.load(random_bundle, device="cpu")
    return examine_video(parser, KineticsTps(data).videos("test")[0], None)


def score(findings: VideoFindings, *variants: Variant) -> list[float]:
    name = findings.record.name
    truth = ({name: "a"}, {name: findings.true_frames()})
    found = [({name: "a"}, {name: findings.frames(variant, {})}) for variant in variants]
    return [tps_score(truth, predicted).part_state_correctness[name] for predicted in found]


def test_truth_in_every_stage_does_not_lower_the_score(findings: VideoFindings) -> None:
    predicted, parts, states = score(findings, Variant.PREDICTED, Variant.TRUE_PARTS, Variant.TRUE_STATES)
    assert parts >= predicted
    assert states >= predicted


def test_everything_is_measured(data: Path, random_bundle: Path) -> None:
    seen: list[tuple[int, int]] = []
    parser = Parser.load(random_bundle, device="cpu")
    progress = lambda done, total: seen.append((done, total))  # noqa: E731
    figures = diagnose(parser, data, weights=random_bundle, progress=progress)
    assert seen == [(1, 2), (2, 2)]
    assert figures.num_videos == 2
    assert set(figures.scores) == {variant.value for variant in Variant}
    assert set(figures.states["predicted, each person"]) == set(GROUPS)
    assert all(0 <= value["roc_score"] <= 1 for value in figures.scores.values())
    assert figures.scores["true action"]["video_accuracy"] == 1.0
    ceiling, prior = figures.states["best label shared by all"], figures.states["commonest of the predicted action"]
    assert all(ceiling[group] >= prior[group] for group in GROUPS if ceiling[group] == ceiling[group])
    assert figures.causes["any order (chance)"]["first_two"] == pytest.approx(100 / 3)
    assert figures.causes["reasons of the parse"]["videos"] == 0  # random weights name no action rightly
    json.dumps(figures.to_dict(), allow_nan=False)
    text = figures.to_text()
    for name in (
        "persons AP50",
        "swap rate",
        "parts AP50, dots",
        "parts AP50, no dots",
        "everything predicted",
        "planted cause",
    ):
        assert name in text


def test_the_commonest_states_are_those_of_the_training(data: Path, random_bundle: Path) -> None:
    parser = Parser.load(random_bundle, device="cpu")
    figures = diagnose(parser, data, weights=random_bundle, limit=1)
    assert "counted in the split test" in figures.to_text()  # no training split, and the weights have no counts
    observed = [(action, {"head": "never"}, 1.0) for action in parser.bundle.labels.actions]
    trained = Parser(replace(parser.bundle, shares=count_states(observed)))
    figures = diagnose(trained, data, weights=random_bundle, limit=1)
    assert "counted in the training data of the weights" in figures.to_text()
    assert figures.states["commonest of the predicted action"]["head"] == 0


def test_the_truth_of_the_evaluator_gives_the_same_figures(data: Path, random_bundle: Path, tmp_path: Path) -> None:
    root = shutil.copytree(data, tmp_path / "data")
    shutil.rmtree(root / "test_annotations")
    shutil.copytree(data / "test_annotations", root / "train_annotations")
    shutil.copytree(data / "test_videos", root / "train_videos")
    parser = Parser.load(random_bundle, device="cpu")
    expected = diagnose(parser, data, weights=random_bundle, limit=1)
    figures = diagnose(parser, root, truth=root / "test_truth", weights=random_bundle, limit=1)
    assert figures.num_persons == expected.num_persons > 0
    for name, row in expected.states.items():
        if name != "commonest of the predicted action":  # counted in another split
            assert figures.states[name] == pytest.approx(row, nan_ok=True)
    without_keypoints = {name: row for name, row in expected.scores.items() if name != Variant.TRUE_DOTS.value}
    assert figures.scores == without_keypoints
    for name in ("persons AP50", "parts AP50, dots (true person boxes)", "video accuracy"):
        assert figures.stages[name] == expected.stages[name]


def test_a_stride_that_passes_over_evaluated_frames_is_an_error(data: Path, random_bundle: Path) -> None:
    parser = Parser.load(random_bundle, device="cpu", config=ParserConfig(stride=2))
    with pytest.raises(ConfigError, match="stride must divide 5, got 2"):
        diagnose(parser, data, weights=random_bundle)
