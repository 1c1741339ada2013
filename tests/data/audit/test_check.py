"""Every kind of fault planted in a SynthTPS tree, and found by its name and its file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actparse.cli import main
from actparse.data.annotation.faults import KINDS, Fault, FaultReport
from actparse.data.audit.check import check_dataset
from actparse.data.audit.decoding import decode_videos
from actparse.data.audit.index import open_annotations
from actparse.data.kinetics_tps import frame_name

VIDEO = "train_videos/deadlifting/s3_train_00000.mp4"
FOLDER = "train_annotations/deadlifting/s3_train_00000/s3_train_00000"
OTHER = "train_annotations/clean_and_jerk/s3_train_00001"
FRAME = f"{FOLDER}/img_00003.json"
FRAMES_OF_VIDEO = 12  # of seed 3


def report_of(root: Path, *, decode: bool = True) -> FaultReport:
    index = open_annotations(root, processes=1)
    facts = {split: decode_videos(root, split, processes=1) for split in index.splits} if decode else None
    return check_dataset(index, facts)


def change(root: Path, function: Callable[[Any], object], file: str = FRAME) -> None:
    """Let `function` change a JSON file's content."""
    content = json.loads((root / file).read_text())
    function(content)
    (root / file).write_text(json.dumps(content))


def with_person(function: Callable[[Any], object]) -> Callable[[Path], None]:
    return lambda root: change(root, lambda frame: function(frame["humans"][0]))


def with_text(file: str, text: str) -> Callable[[Path], object]:
    def plant(root: Path) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)

    return plant


def copied(source: str, target: str) -> Callable[[Path], object]:
    return lambda root: shutil.copytree(root / source, root / target)


def damage(root: Path) -> None:
    content = bytearray((root / VIDEO).read_bytes())
    half = len(content) // 2
    content[half:-1000] = np.random.default_rng(0).bytes(len(content) - half - 1000)
    (root / VIDEO).write_bytes(content)


def same_name(root: Path) -> None:
    """A video of the training split stands in the test split too, with other bytes."""
    target = root / "test_videos" / "deadlifting" / "s3_train_00000.mp4"
    target.write_bytes((root / "train_videos/clean_and_jerk/s3_train_00001.mp4").read_bytes() + b"\0")
    with (root / "list/video_test_flist.csv").open("a") as file:
        file.write(f"s3_train_00000,{len(list((root / OTHER / 's3_train_00001').iterdir()))}\n")
    shutil.copytree(root / OTHER / "s3_train_00001", root / "test_annotations/deadlifting/s3_train_00000")


def same_bytes(root: Path) -> None:
    shutil.copy(root / VIDEO, root / "test_videos/deadlifting/again.mp4")
    with (root / "list/video_test_flist.csv").open("a") as file:
        file.write(f"test_videos/deadlifting/again.mp4;{FRAMES_OF_VIDEO}\n")
    shutil.copytree(root / FOLDER, root / "test_annotations/deadlifting/again")


PLANTED = [  # what is done, the kind it is found as, words of where, of what it needs, of what it got
    pytest.param(lambda r: (r / "list/object.txt").unlink(), "list", "list/object.txt", "one label", "no file"),
    pytest.param(
        lambda r: (r / "list/object.txt").write_text((r / "list/object.txt").read_text() + "ball\n"),
        *("list", "list/object.txt", "once", "'ball' twice"),
    ),
    pytest.param(
        lambda r: (r / "list/object.txt").write_bytes(b"b\xff"), "list", "list/object.txt", "UTF-8", "byte 255"
    ),
    pytest.param(
        lambda r: (r / "list/object.txt").unlink() or (r / "list/object.txt").mkdir(),
        *("list", "list/object.txt", "one label", "no regular file"),
    ),
    pytest.param(
        lambda r: (r / "list/video_train_flist.csv").unlink(), "list", "video_train_flist.csv", "frames", "no file"
    ),
    pytest.param(
        lambda r: (r / "list/video_train_flist.csv").open("a").write("nobody,5\n"),
        *("list", "video_train_flist.csv", "videos of train_videos", "'nobody'"),
    ),
    pytest.param(
        lambda r: (r / "list/video_train_flist.csv").open("a").write("rubbish\n"),
        *("list", "video_train_flist.csv: line 5", "video,frames", "rubbish"),
    ),
    pytest.param(
        lambda r: (r / "list/body_part.txt").open("a").write("tail\n"), "list", "body_part.txt", "ten", "'tail'"
    ),
    pytest.param(lambda r: shutil.rmtree(r / OTHER), "no-annotation", "s3_train_00001.mp4", OTHER, "none"),
    pytest.param(
        lambda r: [path.unlink() for path in (r / FOLDER).iterdir()], "no-annotation", VIDEO, "files in", "an empty"
    ),
    pytest.param(
        lambda r: shutil.rmtree(r / "train_annotations"), "no-annotation", "train_annotations", "a folder", "none"
    ),
    pytest.param(copied(FOLDER, "train_annotations/lunge/x"), "no-video", "train_annotations/lunge/x", "x.mp4", "none"),
    pytest.param(
        copied(FOLDER, "train_annotations/lunge/s3_train_00000"),
        *("no-video", "train_annotations/lunge/s3_train_00000", "train_videos/lunge", VIDEO),
    ),
    pytest.param(with_text("train_videos/lunge/notes.txt", ""), "odd-file", "train_videos/lunge/notes.txt", "", ""),
    pytest.param(with_text("train_annotations/notes.txt", ""), "odd-file", "train_annotations/notes.txt", "", ""),
    pytest.param(with_text(f"{FOLDER}/img_1.json", "{}"), "odd-file", f"{FOLDER}/img_1.json", "img_00001.json", ""),
    pytest.param(with_text(f"{FOLDER}/deep/img_00001.json", "{}"), "odd-file", f"{FOLDER}/deep", "", ""),
    pytest.param(
        lambda r: (
            (r / FOLDER / "img_00002.json").symlink_to("nowhere.json")
            if (r / FOLDER / "img_00002.json").unlink() is None
            else None
        ),
        *("odd-file", f"{FOLDER}/img_00002.json", "", ""),
    ),
    pytest.param(
        lambda r: shutil.copy(r / FRAME, r / FOLDER / "img_000003.json"),
        *("duplicate", f"{FOLDER}/img_00003.json", "one file for each frame", "img_000003.json too"),
    ),
    pytest.param(same_name, "duplicate", "test_videos/deadlifting/s3_train_00000.mp4", "a name", VIDEO),
    pytest.param(same_bytes, "duplicate", "test_videos/deadlifting/again.mp4", "of its own", f"the bytes of {VIDEO}"),
    pytest.param(
        lambda r: change(r, lambda frame: frame["humans"].append(frame["humans"][0])),
        *("duplicate", f"{FRAME}: humans[", "a number of its own", "1"),
    ),
    pytest.param(with_text(FRAME, '{"humans": ['), "json", FRAME, "a JSON file", "Expecting value"),
    pytest.param(with_text(FRAME, ""), "json", FRAME, "a JSON file", "Expecting value"),
    pytest.param(with_text(FRAME, "[" * 200_000), "json", FRAME, "a JSON file", "recursion"),
    pytest.param(lambda r: (r / FRAME).write_bytes(b"\xff\xfe\xff"), "json", FRAME, "a JSON file", "decode"),
    pytest.param(with_text(FRAME, "[]"), "field", f"{FRAME}: humans", "a list", "[]"),
    pytest.param(
        with_person(lambda p: p["parts"]["head"].pop("verb")),
        *("field", f"{FRAME}: humans[0].parts.head.verb", "text", "nothing"),
    ),
    pytest.param(
        with_person(lambda p: p.update(box=[1, 2, float("nan"), 4])),
        *("field", f"{FRAME}: humans[0].box", "four finite numbers", "NaN"),
    ),
    pytest.param(
        with_person(lambda p: p["parts"].update(tail={"box": [1, 2, 3, 4], "verb": "bend"})),
        *("unknown-part", f"{FRAME}: humans[0].parts.tail", "a word of its list", "'tail'"),
    ),
    pytest.param(
        with_person(lambda p: p["parts"]["head"].update(verb="flap")),
        *("unknown-state", f"{FRAME}: humans[0].parts.head.verb", "a word of its list", "'flap'"),
    ),
    pytest.param(
        lambda r: change(r, lambda frame: frame.update(objects=[{"name": "piano", "box": [1, 2, 3, 4]}])),
        *("unknown-object", f"{FRAME}: objects.piano", "a word of its list", "'piano'"),
    ),
    pytest.param(
        with_person(lambda p: p.update(box=[50, 20, 30, 40])),
        *("box-inverted", f"{FRAME}: humans[0].box", "an end", "[50, 20, 30, 40]"),
    ),
    pytest.param(
        with_person(lambda p: p["parts"]["head"].update(box=[5, 5, 5, 9])),
        *("box-empty", f"{FRAME}: humans[0].parts.head.box", "an area", "[5, 5, 5, 9]"),
    ),
    pytest.param(
        with_person(lambda p: p["parts"]["head"].update(box=[5, 5, 330.5, 9])),
        *("box-outside", f"{FRAME}: humans[0].parts.head.box", "320x240", "[5, 5, 330.5, 9]"),
    ),
    pytest.param(
        with_person(lambda p: p.update(box=[-3, 5, 30, 90])),
        *("box-outside", f"{FRAME}: humans[0].box", "320x240", "[-3, 5, 30, 90]"),
    ),
    pytest.param(lambda r: (r / FRAME).unlink(), "frame-missing", FRAME, "every frame", "no file"),
    pytest.param(
        lambda r: shutil.copy(r / FRAME, r / FOLDER / f"img_{FRAMES_OF_VIDEO + 1:05d}.json"),
        *("frame-beyond", f"img_{FRAMES_OF_VIDEO + 1:05d}.json", f"the video's {FRAMES_OF_VIDEO}", "a later one"),
    ),
    pytest.param(
        lambda r: change_count(r, 99), "frame-count", VIDEO, "99 frames, as list/video_train", f"{FRAMES_OF_VIDEO} that"
    ),
    pytest.param(with_text(VIDEO, "no video\n" * 100), "video-unreadable", VIDEO, "that decodes", "a video file"),
    pytest.param(with_text(VIDEO, ""), "video-unreadable", VIDEO, "that decodes", "an empty file"),
    pytest.param(damage, "video-damaged", VIDEO, "to its end", "damaged places"),
]
COMPANIONS = {  # faults that come with another by nature
    "video-damaged": {"frame-count", "frame-beyond"},
    "frame-beyond": {"frame-missing"},
}


def change_count(root: Path, count: int) -> None:
    path = root / "list/video_train_flist.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([f"s3_train_00000,{count}", *(line for line in lines if "00000" not in line)]))


def test_a_clean_tree_has_no_fault(clean_tree: Path) -> None:
    report = report_of(clean_tree)
    assert report.faults == ()
    assert report.looked_at["train"]["videos"] == 4
    assert report.looked_at["test"]["annotation files"] in range(12, 15)
    assert "nothing is wrong" in report.to_text(max_shown=5)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-16-le"])
def test_lists_as_spreadsheets_save_them(tree: Path, encoding: str) -> None:
    for path in (tree / "list").iterdir():
        path.write_text(path.read_text(), encoding=encoding)
    assert report_of(tree).faults == ()


def test_a_list_in_another_encoding_says_which_it_needs(tree: Path) -> None:
    (tree / "list/video_train_flist.csv").write_bytes("vid\xe9o,5\n".encode("latin-1"))
    fault = next(f for f in report_of(tree, decode=False).faults if f.kind == "list")
    assert "in UTF-8 or UTF-16" in fault.needs
    assert fault.got == "byte 233 at 3"


@pytest.mark.parametrize(("plant", "kind", "where", "needs", "got"), PLANTED)
def test_a_planted_fault_is_named(
    tree: Path, plant: Callable[[Path], object], kind: str, where: str, needs: str, got: str
) -> None:
    plant(tree)
    report = report_of(tree)
    found = [fault for fault in report.faults if fault.kind == kind and where in fault.where]
    assert any(needs in fault.needs and got in fault.got for fault in found), report.faults
    assert set(report.counts()) <= {kind, "frame-missing", *COMPANIONS.get(kind, ())}
    assert len(report.faults) < 10


def test_every_kind_is_planted() -> None:
    assert {str(planted.values[1]) for planted in PLANTED} == set(KINDS)


def test_a_rule_of_every_other_frame_is_no_fault(tree: Path) -> None:
    for path in sorted((tree / FOLDER).iterdir())[1::2]:
        path.unlink()
    assert report_of(tree).faults == ()


def test_a_frame_number_beyond_measure_costs_nothing(tree: Path) -> None:
    shutil.copy(tree / FRAME, tree / FOLDER / "img_999999999.json")
    (tree / "list/video_train_flist.csv").unlink()
    kinds = set(report_of(tree, decode=False).counts())
    assert kinds == {"list", "frame-missing"}


def test_many_faults_of_a_file_are_one_line(tree: Path) -> None:
    moved: set[str] = set()

    def move(person: Any) -> None:
        for name, part in person["parts"].items():
            part["box"] = [-9, 1, 2, 3]
            moved.add(name)

    with_person(move)(tree)
    (fault,) = report_of(tree).faults
    assert (fault.kind, fault.where.partition(":")[0]) == ("box-outside", FRAME)
    first = fault.where.rpartition("parts.")[2].removesuffix(".box")
    named = {name.rpartition("parts.")[2] for name in fault.got.partition("likewise ")[2].split(", ")}
    assert {first, *named} == moved


def test_all_missing_and_late_frames_are_named(tree: Path) -> None:
    for late in (FRAMES_OF_VIDEO, FRAMES_OF_VIDEO + 1):
        shutil.copy(tree / FRAME, tree / FOLDER / frame_name(late))
    for frame in (1, 2, 3, 5):
        (tree / FOLDER / frame_name(frame)).unlink()
    faults = {fault.kind: fault for fault in report_of(tree).faults}
    assert faults["frame-missing"].where.endswith("img_00002.json")
    assert faults["frame-missing"].got == "no file, likewise img_00003.json to img_00004.json, img_00006.json"
    assert faults["frame-beyond"].got == f"a later one, likewise {frame_name(FRAMES_OF_VIDEO + 1)}"


def test_only_a_video_that_changes_is_decoded_again(tree: Path) -> None:
    seen: list[tuple[int, int]] = []
    decode_videos(tree, "train", progress=lambda *counts: seen.append(counts))
    assert seen[-1] == (4, 4)
    damage(tree)
    again: list[tuple[int, int]] = []
    facts = decode_videos(tree, "train", progress=lambda *counts: again.append(counts))
    assert again == [(1, 1)]
    assert facts[VIDEO].damage is not None
    assert len(list((tree / ".cache/videos/train").iterdir())) == 4


def test_odd_names_stay_on_one_line() -> None:
    fault = Fault("odd-file", "a\nb\udcff\x1b[31m", "x", "y")
    assert fault.line == "a\\nb\\udcff\\x1b[31m: needs x, got y"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command_says_it_by_its_exit_code(capsys: pytest.CaptureFixture[str], tree: Path, tmp_path: Path) -> None:
    assert run(capsys, "data", "check", tree)[0] == 0
    for number in range(1, 13):
        change(tree, lambda frame: frame["humans"][0].update(box=[9, 9, 9, 9]), f"{FOLDER}/img_{number:05d}.json")
    code, out, err = run(capsys, "data", "check", tree, "--json", tmp_path / "faults.json", "--shown", 2)
    assert (code, err) == (1, "")
    assert "box-empty: 12 boxes of zero area" in out
    assert "and 10 more" in out
    content = json.loads((tmp_path / "faults.json").read_text())
    assert content["counts"] == {"box-empty": 12}
    assert len(content["faults"]) == 12
    assert set(content["faults"][0]) == {"kind", "where", "needs", "got"}
    assert json.loads(run(capsys, "data", "check", tree, "--json")[1]) == content


@pytest.mark.parametrize("command", ["check", "stats", "index"])
def test_what_the_user_can_mend_is_one_line(
    capsys: pytest.CaptureFixture[str], tree: Path, tmp_path: Path, command: str
) -> None:
    for arguments, message in (
        ([tmp_path / "nowhere"], "nowhere: needs a folder train_videos"),
        ([tree, "--processes", 0], "processes must be at least 1"),
        ([tree, "--cache", tree / "manifest.json"], "cannot be written"),
    ):
        code, _, err = run(capsys, "data", command, *arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err
