"""Whether commands that are killed at random moments and started again end with what an undisturbed run writes.

python benchmarks/kill_resume.py --kills 50 --seed 1                   # each command; minutes for each of them
python benchmarks/kill_resume.py --command train synth --kills 5

The command and all its processes get SIGKILL: one of five times anywhere, else after it has begun to write. Then the
same command runs again, is perhaps killed again, and in the end finishes. Its files must be those of the undisturbed
run, byte for byte, apart from what a clock or a folder's name decides: UNSTEADY lists that. A command that finishes
early starts from nothing again, until all kills are done. One JSON line is printed for each command.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import hashlib
import http.server
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from actparse.core.signals import end_on_signals
from actparse.synth.dataset import DatasetPlan, SplitPlan, write_dataset
from actparse.video.encode import VideoWriter

PROGRAM = [sys.executable, "-m", "actparse"]
MAX_KILLS = 8  # of one run, so that it ends
DOWNLOAD_BYTES = 12 << 20
STARTED: list[subprocess.Popen[bytes]] = []
PULL = """
import dataclasses, sys
from actparse.cli import main
from actparse.weights import registry
file, sha256, address = sys.argv[1:]
registry.CHECKPOINTS = [dataclasses.replace(registry.CHECKPOINTS[0], name="test", file=file, sha256=sha256, shards={})]
sys.exit(main(["weights", "pull", "test", "--mirror", address]))
"""
TRAIN = """
import sys
from actparse.cli import main
from actparse.commands.training import DEFAULTS
DEFAULTS["tiny"]["checkpoint_seconds"] = 0.0  # a checkpoint after each step
sys.exit(main(sys.argv[1:]))
"""
UNSTEADY: dict[str, list[tuple[str, bytes, bytes]]] = {  # command -> part of a file's name, pattern, replacement
    "train": [
        (r"log\.csv$", rb",[^,\n]*\n", b",\n"),  # the last column is the speed
        (r"_metrics\.json$", rb'"(\w*seconds\w*|\w*speed\w*)": [^,}]*', rb'"\1": 0'),
    ],
}


@dataclass(frozen=True)
class Case:
    """A command to kill: its inputs are made once; `command` gets the folder of the inputs and an empty one."""

    prepare: Callable[[Path], object]
    command: Callable[[Path, Path], list[str]]


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
    process = start_process(case.command(inputs, clean))
    begin = wait_for_change(clean, process, {}) - start
    code = process.wait()
    seconds = time.monotonic() - start
    expected = read_folder(clean, name)
    kills, runs, resumed, differing = 0, 0, 0, dict[str, str]()
    if code or not expected:
        return {"command": name, "equal": False, "differing": {"": f"the undisturbed run ended with code {code}"}}
    while kills < num_kills:
        shutil.rmtree(out, ignore_errors=True)
        runs += 1
        for attempt in range(MAX_KILLS + 1):
            process = start_process(case.command(inputs, out))
            if attempt == MAX_KILLS or kills == num_kills:
                code = process.wait()
                break
            before = sizes_of(out)
            if rng.random() < 0.2:
                wait(process, rng.uniform(0, begin))
            else:
                wait_for_change(out, process, before)
                wait(process, rng.uniform(0, seconds - begin))
            if process.poll() is not None:
                code = process.returncode
                break
            resumed += bool(sizes_of(out))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
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


def start_process(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True
    )
    STARTED.append(process)
    return process


def end_processes() -> None:
    """End what still runs, as after Ctrl-C."""
    for process in STARTED:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for some seconds, or until the process ends."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def wait_for_change(folder: Path, process: subprocess.Popen[bytes], before: dict[str, int]) -> float:
    """Wait until the files below a folder differ from `before` or the process ends; return the time."""
    while process.poll() is None and sizes_of(folder) == before:
        time.sleep(0.02)
    return time.monotonic()


def sizes_of(folder: Path) -> dict[str, int]:
    """Return the size of each file below a folder."""
    sizes = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # it has just been renamed
            if path.is_file():
                sizes[str(path)] = path.stat().st_size
    return sizes


def read_folder(folder: Path, name: str) -> dict[str, str]:
    """Return the SHA-256 of each file below a folder, without what may differ, by its path."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        file = str(path.relative_to(folder))
        if path.is_file():
            data = path.read_bytes().replace(os.fsencode(folder), b"OUT")
            for part, pattern, replacement in UNSTEADY.get(name, []):
                if re.search(part, file):
                    data = re.sub(pattern, replacement, data)
            hashes[file] = hashlib.sha256(data).hexdigest()
    return hashes


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


def pull_command(inputs: Path, out: Path) -> list[str]:
    """Return the command that downloads the file into the cache."""
    sha256 = hashlib.sha256((inputs / "weights.bin").read_bytes()).hexdigest()
    call = [sys.executable, "-c", PULL, "weights.bin", sha256, os.environ["MIRROR"]]
    return ["env", f"ACTPARSE_CACHE={out}", *call]


SYNTH = ["--videos", "3", "--test-share", "0.34", "--look", "plain", "--body", "tubes", "--processes", "1"]
CASES = {
    "parse": Case(
        write_clips,
        lambda inputs, out: [*PROGRAM, "parse", str(inputs), "--out", str(out), "--weights", "tiny", "--stride", "6"],
    ),
    "synth": Case(
        lambda inputs: inputs.mkdir(),
        lambda _, out: [*PROGRAM, "synth", str(out), *SYNTH],
    ),
    "data-flow": Case(
        write_small_dataset,
        lambda inputs, out: [
            *(*PROGRAM, "data", "flow", str(inputs), "--out", str(out)),
            *("--short-side", "48", "--processes", "1"),
        ],
    ),
    "data-index": Case(
        write_small_dataset,
        lambda inputs, out: [*PROGRAM, "data", "index", str(inputs), "--cache", str(out), "--processes", "1"],
    ),
    "weights-pull": Case(write_download, pull_command),
    "train": Case(
        write_small_dataset,
        lambda inputs, out: [
            *(sys.executable, "-c", TRAIN, "train", "persons", "--data", str(inputs), "--out", str(out)),
            *("--steps", "6", "--device", "cpu", "--seed", "1", "--stream-frames", "200"),
        ],
    ),
}


if __name__ == "__main__":
    main()
