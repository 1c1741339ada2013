"""Networks that a dataset of one's own cannot teach are taken as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from actparse.core.errors import TrainingError
from actparse.data.own.tree import GENERATOR, MANIFEST
from actparse.stages.loading import bundle_folder
from actparse.training import TrainOptions
from actparse.training.run_folder import RunFolder
from actparse.training.runs.start import keep_networks


def kept(folder: Path, manifest: dict[str, Any], init: Path | None) -> tuple[set[str], list[str]]:
    """Which networks stand in the run's folder, and what was said."""
    (folder / MANIFEST).write_text(json.dumps(manifest))
    lines: list[str] = []
    out = folder / "run"
    keep_networks(folder, out, TrainOptions(steps=1, init=init, report=lines.append))
    names = {path.stem for path in out.glob("*.safetensors")}
    assert all(RunFolder(out, name).is_finished for name in names)
    return names, lines


@pytest.mark.parametrize(
    ("manifest", "names"),
    [
        pytest.param({"generator": GENERATOR, "trained_parts": 9}, {"poses"}, id="own"),
        pytest.param(
            {"generator": GENERATOR, "trained_parts": 0}, {"poses", "parts", "parts-without-dots"}, id="no-parts"
        ),
        pytest.param({"plan": {}}, set(), id="another-dataset"),
    ],
)
def test_what_is_kept(manifest: dict[str, Any], names: set[str], tmp_path: Path) -> None:
    found, lines = kept(tmp_path, manifest, bundle_folder("tiny"))
    assert found == names
    assert len(lines) == len(names)
    assert kept(tmp_path, manifest, None) == (names, [])  # finished: nothing to do


def test_without_a_network_to_keep(tmp_path: Path) -> None:
    names, lines = kept(tmp_path, {"generator": GENERATOR, "trained_parts": 9}, None)
    assert names == set()
    assert lines == [
        "poses: cannot be trained on own data, so rendered people are used; --init tiny uses the bundle's network"
    ]
    with pytest.raises(TrainingError, match="parts: the training videos label no body part; needs --init tiny"):
        kept(tmp_path, {"generator": GENERATOR, "trained_parts": 0}, None)
