from __future__ import annotations

import json
from pathlib import Path

import pytest

from actparse.cli import main
from actparse.core.errors import WeightsError
from actparse.core.vocabulary import PARTS
from actparse.inspection.models import describe, find_models
from bundles import ACTIONS, TRACK_STATES


def test_the_shipped_bundles_say_what_they_were_trained_on_and_reach(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("people: ")
    assert "\ntiny: " in text
    assert "trained on: SynthTPS" in text
    tiny, people = describe("tiny"), describe("people")
    assert {"video accuracy", "persons AP50", "ROC score"} <= set(tiny.figures)
    assert {"persons found", "PCK@0.2 of the torso"} <= set(people.figures)
    assert {"data", "training", "licence"} <= set(people.facts)
    for model, num_actions in ((tiny, 24), (people, 24)):
        assert len(model.actions) == num_actions
        assert set(model.states) == set(PARTS)
        assert not any("  " in name for name in model.figures)


def test_the_default_bundle_has_the_licences_of_its_networks() -> None:
    folder = describe("people").folder
    notice = (folder / "NOTICE").read_text(encoding="utf-8")
    for words in (
        "MoveNet",
        "NanoDet",
        "Apache License 2.0",
        "MIT License",
        "Permission is hereby granted",
        "Changes:",
    ):
        assert words in notice
    assert sum(path.stat().st_size for path in folder.iterdir()) < 30e6


def test_a_bundle_of_ones_own(random_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", str(random_bundle), "--json"]) == 0
    *shipped, own = json.loads(capsys.readouterr().out)
    assert ([model["name"] for model in shipped], own["name"]) == (["people", "tiny"], "random")
    assert own["actions"] == list(ACTIONS)
    assert own["states"]["head"] == list(TRACK_STATES)
    assert own["facts"] == own["figures"] == {}
    assert own["num_bytes"] == sum(path.stat().st_size for path in random_bundle.glob("*.safetensors"))
    assert own["num_parameters"] == sum(network["num_parameters"] for network in own["networks"]) > 0


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="needs a bundled name"):
        find_models([tmp_path])
