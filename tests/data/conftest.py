"""A small SynthTPS tree, made once, and copies of it to break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from actparse.synth import dataset
from actparse.synth.dataset import SplitPlan, write_dataset
from plans import plain


@pytest.fixture(scope="session")
def clean_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four training videos of four actions and one to test, a second and a bit each; not to be changed."""
    root = tmp_path_factory.mktemp("clean")
    with pytest.MonkeyPatch.context() as patch:  # short videos: the rest is the same
        patch.setattr(dataset, "MIN_FRAMES", 12)
        patch.setattr(dataset, "MAX_FRAMES", 14)
        write_dataset(root, plain(SplitPlan("train", 4, 3), SplitPlan("test", 1, 3)))
    return root


@pytest.fixture
def tree(clean_tree: Path, tmp_path: Path) -> Path:
    """A copy of it without an index."""
    return Path(shutil.copytree(clean_tree, tmp_path / "tree", ignore=shutil.ignore_patterns(".cache")))
