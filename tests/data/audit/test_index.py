"""The index says what the files say, is never stale, and goes on where it was stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from actparse.cli import main
from actparse.core.errors import DataError
from actparse.data.audit.index import BOX_COLUMNS, FILE_COLUMNS, AnnotationIndex, open_annotations
from actparse.data.audit.listing import find_splits, list_annotations
from actparse.data.kinetics_tps import KineticsTps, frame_of, read_frame_truth

NUM_ACTIONS = 30
VIDEOS_OF_ACTION = 8


def open_here(root: Path) -> tuple[AnnotationIndex, list[tuple[int, int]]]:
    """The index, and what it told of its progress."""
    steps: list[tuple[int, int]] = []
    return open_annotations(root, processes=1, progress=lambda done, total: steps.append((done, total))), steps


def test_a_video_is_as_its_files_say(tree: Path) -> None:
    index, _ = open_here(tree)
    assert index.splits == ("train", "test")
    for split in index.splits:
        for record in KineticsTps(tree).videos(split):
            truths = index.truths(split, record.action, record.name)
            assert sorted(truths) == list(range(len(list(record.annotation_dir.iterdir()))))
            for frame, truth in truths.items():
                wanted = read_frame_truth(record.frame_path(frame))
                assert [person.number for person in truth.persons] == [person.number for person in wanted.persons]
                for person, want in zip(truth.persons, wanted.persons, strict=True):
                    assert person.box == pytest.approx(want.box)
                    assert {name: part.state for name, part in person.parts.items()} == {
                        name: part.state for name, part in want.parts.items()
                    }
                    assert all(part.box == pytest.approx(want.parts[name].box) for name, part in person.parts.items())


def test_the_tables_have_their_columns(tree: Path) -> None:
    index, _ = open_here(tree)
    assert index.boxes("train").schema == BOX_COLUMNS
    assert index.files("train").schema == FILE_COLUMNS
    assert index.boxes("test", ["part", "state"]).column_names == ["part", "state"]
    assert index.files("train").num_rows == len(list(tree.glob("train_annotations/*/*/*/*.json")))
    with pytest.raises(DataError, match="split must be one of train, test, got 'val'"):
        index.boxes("val")
    with pytest.raises(DataError, match="needs lunge/nobody"):
        index.truths("train", "lunge", "nobody")


def test_two_processes_make_the_same(tree: Path, tmp_path: Path) -> None:
    one = open_annotations(tree, cache=tmp_path / "one", processes=1)
    two = open_annotations(tree, cache=tmp_path / "two", processes=2)
    for split in one.splits:
        assert one.boxes(split).equals(two.boxes(split))
        assert one.files(split).equals(two.files(split))


def test_only_what_changed_is_read_again(tree: Path) -> None:
    index, steps = open_here(tree)
    assert steps[-1] == (index.num_files, index.num_files)
    before = index.boxes("train").num_rows
    assert open_here(tree)[1] == []
    path = next((tree / "train_annotations/deadlifting").rglob("img_00003.json"))
    path.write_text(json.dumps({"humans": []}))
    index, steps = open_here(tree)
    (video,) = (video for video in index.listings["train"].videos if video.action == "deadlifting")
    assert steps == [(len(video.files), len(video.files))]
    assert index.boxes("train").num_rows < before
    shards = {path.name.partition(".")[0] for path in (index.folder / "train").iterdir()}
    assert shards == {shard.key for shard in index.shards if shard.split == "train"}


def test_what_cannot_be_read_is_a_row_with_its_fault(tree: Path) -> None:
    path = next((tree / "train_annotations/deadlifting").rglob("img_00003.json"))
    path.write_text("{")
    index, _ = open_here(tree)
    (fault,) = index.faults("train")
    assert (fault.kind, fault.where) == ("json", path.relative_to(tree).as_posix())
    assert 2 not in index.truths("train", "deadlifting", "s3_train_00000")
    assert index.files("train")["persons"].null_count == 1


def test_hostile_content_is_written_too(tree: Path) -> None:
    path = next((tree / "train_annotations/deadlifting").rglob("img_00003.json"))
    far = {"box": [-16777217, 0, 999999999, 5], "verb": "\ud800" * 9, "name": "../../etc"}
    humans = [{"box": [0, 0, 1, 1], "parts": {"../../etc": far, "\ud83d": far, "head": far}}] + [{}] * 40_000
    path.write_text(json.dumps({"humans": humans, "objects": {"a" * 100_000: {"box": None}}}))
    index, _ = open_here(tree)
    assert "../../etc" in index.boxes("train", ["part"])["part"].to_pylist()
    assert index.truths("train", "deadlifting", "s3_train_00000")[2].persons[0].parts["head"].box[2] == 1e9


def test_a_damaged_index_is_named(tree: Path) -> None:
    index, _ = open_here(tree)
    path = index.shards[0].path(index.folder, "boxes")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match="a damaged index, remove it to build it again"):
        index.boxes("train")


def test_a_tree_of_annotation_alone_will_do(tree: Path) -> None:
    for split in ("train", "test"):
        shutil.rmtree(tree / f"{split}_videos")
    assert find_splits(tree) == ("train", "test")
    assert open_here(tree)[0].boxes("train").num_rows > 0


def test_a_name_that_stands_once_is_read_too(tree: Path) -> None:
    folder = tree / "train_annotations/deadlifting/s3_train_00000"
    before = open_here(tree)[0].boxes("train").num_rows
    for path in (folder / folder.name).iterdir():
        path.rename(folder / path.name)
    (folder / folder.name).rmdir()
    assert open_here(tree)[0].boxes("train").num_rows == before
    assert list_annotations(tree, "train").odd == ()


@pytest.mark.parametrize(
    ("name", "frame"),
    [("img_00001.json", 0), ("a/img_123456.json", 123455), ("img_00000.json", None), ("img_1.json", None), ("x", None)],
)
def test_a_file_is_of_a_frame(name: str, frame: int | None) -> None:
    assert frame_of(name) == frame


@pytest.fixture
def large_tree(clean_tree: Path, tmp_path: Path) -> Path:
    """NUM_ACTIONS actions, so as many shards: long enough to be stopped half-way."""
    source = clean_tree / "train_annotations/deadlifting/s3_train_00000/s3_train_00000"
    for action in range(NUM_ACTIONS):
        for number in range(VIDEOS_OF_ACTION):
            name = f"v{action}_{number}"
            shutil.copytree(source, tmp_path / "large" / "train_annotations" / f"action{action:02}" / name / name)
    return tmp_path / "large"


def start(root: Path, processes: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "actparse.cli", "data", "index", str(root), "--processes", str(processes)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=dict(os.environ)
    )


def wait_for_shards(root: Path, count: int) -> None:
    end = time.monotonic() + 60
    while len(whole_shards(root)) < count:
        assert time.monotonic() < end
        time.sleep(0.002)


def whole_shards(root: Path) -> list[Path]:
    return list((root / ".cache/annotations/train").glob("[!.]*.files.parquet"))


def tables(index: AnnotationIndex) -> Any:
    return index.boxes("train"), index.files("train")


def test_a_build_that_was_killed_goes_on(large_tree: Path, tmp_path: Path) -> None:
    process = start(large_tree, 1)
    wait_for_shards(large_tree, 2)
    process.kill()
    process.communicate()
    num_done = len(whole_shards(large_tree))
    assert 2 <= num_done < NUM_ACTIONS
    index, steps = open_here(large_tree)
    assert len(steps) == NUM_ACTIONS - num_done
    assert len(whole_shards(large_tree)) == NUM_ACTIONS
    fresh = open_annotations(large_tree, cache=tmp_path / "fresh", processes=1)
    assert all(here.equals(there) for here, there in zip(tables(index), tables(fresh), strict=True))


def test_no_process_outlives_one_that_was_killed(large_tree: Path) -> None:
    process = start(large_tree, 2)
    wait_for_shards(large_tree, 2)
    children = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert len(children) >= 2
    assert not alive


def test_an_interrupt_is_one_line_from_all_processes(large_tree: Path) -> None:
    process = start(large_tree, 2)
    wait_for_shards(large_tree, 4)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "actparse: interrupted\n")
    assert len(whole_shards(large_tree)) < NUM_ACTIONS


def test_the_command_builds_it(capsys: pytest.CaptureFixture[str], tree: Path, tmp_path: Path) -> None:
    assert main(["data", "index", str(tree), "--cache", str(tmp_path / "cache")]) == 0
    out = capsys.readouterr().out
    assert "rows of" in out
    assert out.endswith(f"{tmp_path / 'cache' / 'annotations'}\n")
    assert not (tree / ".cache").exists()
