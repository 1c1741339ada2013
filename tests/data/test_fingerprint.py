"""The short name of videos and annotations, by which computed data are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actparse.data.fingerprint import fingerprint
from actparse.data.kinetics_tps import KineticsTps
from training.miniature import write_miniature


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_miniature(tmp_path, videos_per_action=1)


def test_the_same_files_have_the_same_name(root: Path) -> None:
    records = KineticsTps(root).videos("train")
    assert fingerprint(records, 1) == fingerprint(KineticsTps(root).videos("train"), 1)
    assert fingerprint(records, 1) != fingerprint(records, 2)
    assert fingerprint(records) != fingerprint(records[:1])


def test_a_changed_annotation_is_another_name(root: Path) -> None:
    records = KineticsTps(root).videos("train")
    names = {fingerprint(records)}
    path = next(iter(records[0].annotations().values()))
    path.write_text(path.read_text().replace("bend", "none"))
    os.utime(path, ns=(1, 1))
    names.add(fingerprint(records))
    path.unlink()
    names.add(fingerprint(records))
    assert len(names) == 3
