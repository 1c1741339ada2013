from __future__ import annotations

import json
from pathlib import Path

import pytest

from actparse.cli import main
from actparse.errors import WeightsError
from actparse.models import describe, find_models
from actparse.vocabulary import PARTS
from bundles import ACTIONS, TRACK_STATES


def test_the_shipped_bundle_says_what_it_was_trained_on_and_reaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("tiny: ")
    assert "trained on: SynthTPS" in text
    tiny = describe("tiny")
    assert len(tiny.actions) == 18
    assert set(tiny.states) == set(PARTS)
    assert {"video accuracy", "persons AP50", "ROC score"} <= set(tiny.figures)
    assert not any("  " in name for name in tiny.figures)


def test_a_bundle_of_ones_own(random_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", str(random_bundle), "--json"]) == 0
    shipped, own = json.loads(capsys.readouterr().out)
    assert (shipped["name"], own["name"]) == ("tiny", "random")
    assert own["actions"] == list(ACTIONS)
    assert own["states"]["head"] == list(TRACK_STATES)
    assert own["facts"] == own["figures"] == {}
    assert own["num_bytes"] == sum(path.stat().st_size for path in random_bundle.glob("*.safetensors"))
    assert own["num_parameters"] == sum(network["num_parameters"] for network in own["networks"]) > 0


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="needs a bundled name"):
        find_models([tmp_path])
