"""The dataset of a batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from actparse.core.errors import OutputError
from actparse.scale.dataset import write_dataset
from actparse.scale.store import Store


def test_a_folder_of_the_user_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "dataset" / "notes.txt"
    path.parent.mkdir()
    path.write_text("mine")
    with pytest.raises(OutputError, match="is not the dataset of a batch; use a different --out"):
        write_dataset(Store(str(tmp_path)), [])
    assert path.read_text() == "mine"


def test_other_files_beside_the_tables_stay(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write("dataset/_complete.json", b"{}")
    store.write("dataset/notes.txt", b"mine")
    store.write("dataset/parts/action=squat/part-00000.parquet", b"old")
    write_dataset(store, [])
    assert store.read("dataset/notes.txt") == b"mine"
    assert not (tmp_path / "dataset" / "parts").exists()
