"""Whether commands that are killed at random moments and started again end with what an undisturbed run writes.

python benchmarks/kill_resume.py --kills 50 --seed 1                   # each command; minutes for each of them
python benchmarks/kill_resume.py --command train synth --kills 5

The command and all its processes get SIGKILL: one of five times anywhere, else after it has begun to write. Then the
same command runs again, is perhaps killed again, and in the end finishes. Its files must be those of the undisturbed
run, byte for byte, apart from what a clock or a folder's name decides: UNSTEADY lists that. A command that finishes
early starts from nothing again, until all kills are done. One JSON line is printed for each command, and a line on
standard error for each kill.

The processes are forked from one that has imported the package, so that kills are not spent on its imports.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import hashlib
import http.server
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

from actparse import cli
from actparse.commands.training import DEFAULTS
from actparse.core.signals import end_on_signals
from actparse.synth.dataset import DatasetPlan, SplitPlan, write_dataset
from actparse.video.encode import VideoWriter
from actparse.weights import registry

MAX_KILLS = 8  # of one run, so that it ends
DOWNLOAD_BYTES = 12 << 20
PROCESSES = multiprocessing.get_context("forkserver")
IMPORTED = [f"actparse.{name}" for name in ("cli", "app.parsing", "data.flow", "data.audit.index", "training")]
STARTED: list[BaseProcess] = []
UNSTEADY: dict[str, list[tuple[str, bytes, bytes]]] = {  # command -> part of a file's name, pattern, replacement
    "train": [
        (r"log\.csv$", rb",[^,\n]*\n", b",\n"),  # the last column is the speed
        (r"_metrics\.json$", rb'"(\w*seconds\w*|\w*speed\w*)": [^,}]*', rb'"\1": 0'),
    ],
}


@dataclass(frozen=True)
class Case:
    """A command to kill: its inputs are made once; `arguments` gets the folder of the inputs and an empty one."""

    prepare: Callable[[Path], object]
    arguments: Callable[[Path, Path], list[str]]
    set_up: Callable[[Path, Path], object] = lambda inputs, out: None  # called in the process, before the command


def main() -> None:
    """Kill each command and print what came of it; exit with 1 if a file differs."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--command", nargs="+", choices=list(CASES), default=list(CASES))
    arguments.add_argument("--kills", type=int, default=50, help="of each command")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--keep", action="store_true", help="leave the folder of a run that differs")
    args = arguments.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    end_on_signals()
    atexit.register(end_processes)
    PROCESSES.set_forkserver_preload(IMPORTED)
    warm_up = PROCESSES.Process(target=int)
    warm_up.start()  # after the imports
    warm_up.join()
    is_good = True
    for name in args.command:
        with tempfile.TemporaryDirectory(prefix="kill-resume-") as folder, serve_file(Path(folder)) as address:
            os.environ["MIRROR"] = address
            line = run_case(name, Path(folder), args.kills, random.Random(f"{args.seed} {name}"))
            print(json.dumps(line), flush=True)
            is_good &= line["equal"] is True
            if args.keep and not line["equal"]:
                shutil.copytree(folder, f"{folder}-differs")
    sys.exit(not is_good)


def run_case(name: str, root: Path, num_kills: int, rng: random.Random) -> dict[str, object]:
    """Run a command undisturbed, then with kills; return the counts, and the files that differ."""
    case = CASES[name]
    inputs, clean, out = root / "inputs", root / "clean", root / "out"
    case.prepare(inputs)
    start = time.monotonic()
    process = start_process(name, inputs, clean)
    begin = wait_for_change(clean, process, {}) - start
    process.join()
    code = process.exitcode
    seconds = time.monotonic() - start
    expected = read_folder(clean, name)
    kills, runs, resumed, differing = 0, 0, 0, dict[str, str]()
    if code or not expected:
        return {"command": name, "equal": False, "differing": {"": f"the undisturbed run ended with code {code}"}}
    while kills < num_kills:
        shutil.rmtree(out, ignore_errors=True)
        runs += 1
        for attempt in range(MAX_KILLS + 1):
            process = start_process(name, inputs, out)
            if attempt == MAX_KILLS or kills == num_kills:
                process.join()
                break
            before = sizes_of(out)
            if rng.random() < 0.2:
                process.join(rng.uniform(0, begin))
            else:
                wait_for_change(out, process, before)
                process.join(rng.uniform(0, seconds - begin))
            if process.exitcode is not None:
                break
            resumed += bool(sizes_of(out))
            kill(process)
            kills += 1
            print(f"{name}: {kills}/{num_kills} kills in {runs} runs", file=sys.stderr)
        code = process.exitcode
        results = read_folder(out, name)
        for file in sorted({*expected, *results}):
            if results.get(file) != expected.get(file):
                reason = "missing" if file not in results else "too many" if file not in expected else "other content"
                differing[file] = f"{reason}, run {runs}"
        if code:
            differing[""] = f"run {runs} ended with code {code}"
        if differing:
            break
    return {
        "command": name,
        "kills": kills,
        "after_first_write": resumed,
        "runs": runs,
        "files": len(expected),
        "undisturbed_seconds": round(seconds, 1),
        "equal": not differing,
        "differing": differing,
    }


def start_process(name: str, inputs: Path, out: Path) -> BaseProcess:
    """Start a command in a process group of its own."""
    process = PROCESSES.Process(target=run_command, args=(name, inputs, out, os.environ["MIRROR"]))
    process.start()
    STARTED.append(process)
    return process


def run_command(name: str, inputs: Path, out: Path, mirror: str) -> None:
    """Run a command in this process, without its output; `mirror` is the address of the file to download."""
    os.setsid()
    os.environ["MIRROR"] = mirror  # which the process that was forked has not got
    for stream in (sys.stdout, sys.stderr):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    case = CASES[name]
    case.set_up(inputs, out)
    sys.exit(cli.main(case.arguments(inputs, out)))


def kill(process: BaseProcess) -> None:
    """End a process and those that it has started by SIGKILL."""
    assert process.pid is not None
    with contextlib.suppress(ProcessLookupError):  # it has no group yet, and no children
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def end_processes() -> None:
    """End what still runs, as after Ctrl-C."""
    for process in STARTED:
        if process.exitcode is None:
            kill(process)


def wait_for_change(folder: Path, process: BaseProcess, before: dict[str, int]) -> float:
    """Wait until the files below a folder differ from `before` or the process ends; return the time."""
    while process.exitcode is None and sizes_of(folder) == before:
        time.sleep(0.05)
    return time.monotonic()


def sizes_of(folder: Path) -> dict[str, int]:
    """Return the size of each file below a folder."""
    sizes = {}
    for name, _, files in os.walk(folder):  # which skips folders that have just been renamed
        for file in files:
            with contextlib.suppress(OSError):
                sizes[f"{name}/{file}"] = Path(name, file).stat().st_size
    return sizes


def read_folder(folder: Path, name: str) -> dict[str, str]:
    """Return the SHA-256 of each file below a folder, without what may differ, by its path."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        file = str(path.relative_to(folder))
        if path.is_file():
            data = describe_checkpoint(path) if path.suffix == ".ckpt" else path.read_bytes()
            data = data.replace(os.fsencode(folder), b"OUT")
            for part, pattern, replacement in UNSTEADY.get(name, []):
                if re.search(part, file):
                    data = re.sub(pattern, replacement, data)
            hashes[file] = hashlib.sha256(data).hexdigest()
    return hashes


def describe_checkpoint(path: Path) -> bytes:
    """Return all values of a checkpoint as text; its bytes also say which of its texts are one object in memory."""
    import torch

    def describe(value: object) -> str:
        if isinstance(value, torch.Tensor):
            content = hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()
            return f"{value.dtype} {tuple(value.shape)} {content}"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{key!r}: {describe(inner)}' for key, inner in value.items())}}}"
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(describe, value))}]"
        return repr(value)

    return describe(torch.load(path, map_location="cpu", weights_only=True)).encode()


def write_clips(folder: Path) -> None:
    """Write three videos of half a second: a bright block that moves over a pattern."""
    folder.mkdir(parents=True)
    for index in range(3):
        ground = np.kron(np.random.default_rng(index).integers(0, 200, (6, 8, 3)), np.ones((20, 20, 1)))
        with VideoWriter(folder / f"{index}.mp4", size=(120, 160)) as writer:
            for number in range(12):
                image = ground.astype(np.uint8)
                image[20:110, 4 * number : 4 * number + 25] = 240
                writer.write(image, number / 24)


def write_small_dataset(folder: Path) -> None:
    """Write a dataset of four rendered videos."""
    splits = SplitPlan("train", 3, 1), SplitPlan("test", 1, 2)
    write_dataset(folder, DatasetPlan(splits, look="plain", body="tubes"))


@contextlib.contextmanager
def serve_file(root: Path) -> Iterator[str]:
    """Serve ROOT/inputs/weights.bin slowly, also from a byte on; yield the address of its folder."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = (root / "inputs" / "weights.bin").read_bytes()
            match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            first = int(match[1]) if match else 0
            self.send_response(206 if match else 200)
            if match:
                self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - first))
            self.end_headers()
            with contextlib.suppress(OSError):  # the client was killed
                for start in range(first, len(data), 1 << 18):
                    self.wfile.write(data[start : start + (1 << 18)])
                    time.sleep(0.02)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def write_download(folder: Path) -> None:
    """Write the file that the server has."""
    folder.mkdir(parents=True)
    (folder / "weights.bin").write_bytes(random.Random(0).randbytes(DOWNLOAD_BYTES))


def serve_only_download(inputs: Path, out: Path) -> None:
    """Let the registry name this file, and the cache be the folder `out`."""
    os.environ["ACTPARSE_CACHE"] = str(out)
    sha256 = hashlib.sha256((inputs / "weights.bin").read_bytes()).hexdigest()
    file = replace(registry.CHECKPOINTS[0], name="test", file="weights.bin", sha256=sha256, shards={})
    registry.CHECKPOINTS = [file]


def save_each_step(inputs: Path, out: Path) -> None:
    """Let a training run write a checkpoint after each step."""
    DEFAULTS["tiny"]["checkpoint_seconds"] = 0.0


SYNTH = ["--videos", "3", "--test-share", "0.34", "--look", "plain", "--body", "tubes", "--processes", "1"]
CASES = {
    "parse": Case(
        write_clips,
        lambda inputs, out: ["parse", str(inputs), "--out", str(out), "--weights", "tiny", "--stride", "6"],
    ),
    "synth": Case(
        lambda inputs: inputs.mkdir(),
        lambda _, out: ["synth", str(out), *SYNTH],
    ),
    "data-flow": Case(
        write_small_dataset,
        lambda inputs, out: [
            *("data", "flow", str(inputs), "--out", str(out)),
            *("--short-side", "48", "--processes", "1"),
        ],
    ),
    "data-index": Case(
        write_small_dataset,
        lambda inputs, out: ["data", "index", str(inputs), "--cache", str(out), "--processes", "1"],
    ),
    "weights-pull": Case(
        write_download,
        lambda *_: ["weights", "pull", "test", "--mirror", os.environ["MIRROR"]],
        serve_only_download,
    ),
    "train": Case(
        write_small_dataset,
        lambda inputs, out: [
            *("train", "persons", "--data", str(inputs), "--out", str(out)),
            *("--steps", "6", "--device", "cpu", "--seed", "1", "--stream-frames", "24"),
        ],
        save_each_step,
    ),
}


if __name__ == "__main__":
    main()
