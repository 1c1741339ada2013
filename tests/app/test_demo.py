"""What a stranger runs first: the shipped bundle on a clip that it never saw."""

from __future__ import annotations

from pathlib import Path

import pytest

from actparse.app.demo import run_demo
from actparse.stages.loading import bundle_folder, bundled_names
from actparse.synth import dataset
from actparse.video.decode import read_frames

MAX_BUNDLE_BYTES = 30_000_000
NUM_FRAMES = 41  # two segments


def test_the_shipped_bundle_is_small_and_has_a_card() -> None:
    assert "tiny" in bundled_names()
    folder = bundle_folder("tiny")
    assert sum(path.stat().st_size for path in folder.glob("*.safetensors")) < MAX_BUNDLE_BYTES
    card = (folder / "README.md").read_text(encoding="utf-8")
    for word in ("seed", "commit", "AP50", "swap", "ROC", "limits"):
        assert word.lower() in card.lower(), word


def test_the_demo_parses_and_scores_its_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "MIN_FRAMES", NUM_FRAMES)  # a shorter clip; the rest is the same
    monkeypatch.setattr(dataset, "MAX_FRAMES", NUM_FRAMES)
    result = run_demo(tmp_path, device="cpu")
    assert result.parse.video.num_frames == NUM_FRAMES
    assert len(list(read_frames(result.overlay))) == result.parse.video.num_frames
    assert result.report.is_file()
    assert result.score.part_state_correctness.keys() == {result.name}
    persons = [person for frame in result.parse.frames for person in frame.persons]
    assert len(persons) >= len(result.parse.frames)  # somebody is found
    assert result.score.part_state_correctness[result.name] > 0.2  # and most of what is said of them is not noise
