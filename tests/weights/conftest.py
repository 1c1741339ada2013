"""What several tests use: public checkpoints' entries by the golden rule, and a web server with files."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from golden_rule import detection_weights

GOLDEN = Path(__file__).parents[1] / "golden"
Entries = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="session")
def mmdet() -> Entries:
    """The public YOLOF R-50 checkpoint's names, with the fixtures' values."""
    return golden_entries("yolof_r50_256x320")


@pytest.fixture(scope="session")
def detectron2(mmdet: Entries) -> Entries:
    """The same network as detectron2 stores it, with a bias in front of every batch norm of encoder and subnets."""
    names: dict[str, str] = json.loads((GOLDEN / "yolof_r50_key_map.json").read_text())
    entries = {names[name]: value.copy() for name, value in mmdet.items() if name in names}
    rng = np.random.default_rng(7)
    for name, value in mmdet.items():
        if name.endswith(".conv.weight"):
            bias = rng.standard_normal(len(value)).astype(np.float32)
            entries[names[name].removesuffix("weight") + "bias"] = bias
            entries[names[name.removesuffix("conv.weight") + "bn.running_mean"]] += bias
    constants = {"pixel_mean": np.zeros((3, 1, 1)), "pixel_std": np.ones((3, 1, 1))}
    return entries | constants | {"anchor_generator.cell_anchors.0": np.zeros((5, 4))}


@pytest.fixture(scope="session")
def mmpose() -> Entries:
    """The public HRNet-w32 checkpoint's names, with the fixtures' values."""
    return golden_entries("hrnet_w32_256x192")


def golden_entries(case: str) -> Entries:
    """Every entry that the public checkpoint of a golden case has."""
    with np.load(GOLDEN / f"{case}.npz") as golden:
        shapes = [tuple(json.loads(str(shape))) for shape in golden["param_shapes"]]
        return detection_weights([str(name) for name in golden["param_names"]], shapes)


@dataclass
class FileServer:
    """A web server on this machine; the fields say how well it behaves."""

    files: dict[str, bytes]
    knows_ranges: bool = True
    cut_at: list[int] = field(default_factory=list)  # bytes after which the next transfers end, one for each
    pause_seconds: float = 0.0  # after each piece of 64 KiB
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path and Range
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, server: FileServer, *args: object) -> None:
        self.what = server
        super().__init__(*args)  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """One file, or what is asked of it."""
        asked = self.headers["Range"]
        self.what.requests.append((self.path, asked))
        content = self.what.files.get(self.path.lstrip("/"))
        if content is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.what.knows_ranges else 0
        if start >= len(content) and start:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self._send(content[start:])
        return None

    def _send(self, content: bytes) -> None:
        end = self.what.cut_at.pop(0) if self.what.cut_at else len(content)
        pause = threading.Event()
        for at in range(0, end, 1 << 16):
            try:
                self.wfile.write(content[at : min(at + (1 << 16), end)])
            except OSError:
                return  # the other side has gone
            pause.wait(self.what.pause_seconds)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server without files."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    what = FileServer({})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, what)) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        what.url = f"http://127.0.0.1:{listening.server_port}"
        yield what
        listening.shutdown()
        thread.join()
