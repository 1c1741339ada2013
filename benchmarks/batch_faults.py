"""Whether `actparse batch` loses anything when workers, the driver, the head, the disk or the store fail at random.

python benchmarks/batch_faults.py --seed 1 --runs 20            # 200 videos, 10 of them bad; about an hour on two cores
python benchmarks/batch_faults.py --seed 1 --runs 2 --videos 40 --bad 5

Each run parses videos of one sampled frame on a Ray cluster of three nodes of one core on this machine. At random
moments each of the victims (default: a worker, the driver, the head) gets SIGKILL; the same command is then started
again. Every second run writes into a store in which every tenth call fails. One more run, as root, writes to a tmpfs
that fills up and is then made larger. Of each run the results must be there once, byte-equal to those of an undisturbed
run, and the bad videos in quarantine; the manifest must say the same, and the dataset have the same rows.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from actparse.video.encode import VideoWriter
from batch import start_cluster

TESTS = Path(__file__).parents[1] / "tests"
HEAD_SECONDS = "5"  # after which Ray's processes give up a head that has gone
NODES = 3  # of one core each
VICTIMS = ("worker", "driver", "head")
MAX_STARTS = 10  # of the command in one run
SIZE = (64, 96)  # height, width
FRAMES = 7  # of a video: 0.3 s
LONG_FRAMES = 30_000


def main() -> None:
    """Run everything and print one JSON line for each run; exit with 1 if a result is missing, double or different."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--runs", type=int, default=20)
    arguments.add_argument("--videos", type=int, default=200)
    arguments.add_argument("--bad", type=int, default=10, help="of the videos")
    arguments.add_argument("--time-limit", type=float, default=20.0, help="seconds for each video")
    arguments.add_argument(
        "--victims", nargs="+", choices=VICTIMS, default=VICTIMS, help="killed in each run, shuffled"
    )
    args = arguments.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_videos(root / "videos", args.videos, args.bad, args.seed)
        os.environ["PYTHONPATH"] = os.pathsep.join([str(register_flaky(root)), os.environ.get("PYTHONPATH", "")])
        os.environ.update(RAY_gcs_rpc_server_reconnect_timeout_s=HEAD_SECONDS)
        command = [sys.executable, "-m", "actparse", "batch", str(root / "videos"), "--weights", "tiny"]
        command += ["--stride", "12", "--no-overlay", "--no-report", "--time-limit", str(args.time_limit), "--json"]
        start = time.monotonic()
        subprocess.run([*command, "--out", str(root / "clean"), "--no-ray"], capture_output=True, check=False)
        clean = Output.of(root / "clean")
        is_good = report(clean, clean, args, {"run": "undisturbed", "seconds": time.monotonic() - start})
        if os.geteuid() == 0:
            is_good &= run_on_full_disk(command, root, clean, args)
        cluster = LocalCluster()
        try:
            for number in range(1, args.runs + 1):
                out = root / f"out-{number}"
                uri = f"flaky://{out}" if number % 2 == 0 else str(out)
                start = time.monotonic()
                victims = rng.sample(args.victims, len(args.victims))
                starts = run_with_kills([*command, "--out", uri], out, args.videos, cluster, victims, rng)
                values = {"run": number, "store": uri.partition(":")[0] if ":" in uri else "disk", "kills": victims}
                values |= {"starts": starts, "seconds": time.monotonic() - start}
                is_good &= report(Output.of(out), clean, args, values)
        finally:
            cluster.stop()
    print("all runs equal the undisturbed one" if is_good else "A RUN DIFFERS")
    sys.exit(not is_good)


def make_videos(folder: Path, num_videos: int, num_bad: int, seed: int) -> None:
    """Write videos of 0.3 s and 64 x 96 pixels; the bad ones are text, empty, cut off, and one endless."""
    folder.mkdir(parents=True)
    for number in range(num_videos):
        path = folder / f"{number:04}.mp4"
        is_endless = number == num_bad - 1
        write_video(path, num_frames=LONG_FRAMES if is_endless else FRAMES, seed=seed * 100_000 + number)
        if number < num_bad - 1:
            data = path.read_bytes()
            path.write_bytes((b"no video %d" % number, b"", data[: len(data) // 2])[number % 3])


def write_video(path: Path, *, num_frames: int, seed: int) -> None:
    """Write a bright block that moves over a pattern."""
    generator = np.random.default_rng(seed)
    ground = np.kron(generator.integers(0, 200, (4, 6, 3)), np.ones((16, 16, 1))).astype(np.uint8)  # (64, 96, 3)
    with VideoWriter(path, size=SIZE) as writer:
        for number in range(num_frames):
            image = ground.copy()
            x = (4 * number) % 80
            image[10:60, x : x + 15] = 240
            writer.write(image, number / 24)


def register_flaky(root: Path) -> Path:
    """Return a folder for PYTHONPATH by which fsspec knows the store of tests/flaky_store.py in every process."""
    folder = root / "packages"
    about = folder / "flaky_store-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: flaky-store\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[fsspec.specs]\nflaky = flaky_store:FlakyFileSystem\n")
    (folder / "flaky_store.py").write_text((TESTS / "flaky_store.py").read_text())
    return folder


@dataclass(frozen=True)
class Output:
    """What a run has left."""

    results: dict[str, str]  # SHA-256 of each parse.json, by its key
    num_quarantined: int
    states: dict[str, int]  # videos in the manifest with each state
    rows: dict[str, int]  # of each table of the dataset

    @classmethod
    def of(cls, out: Path) -> Output:
        """Read the folder of a run."""
        paths = out.glob("results/*/*/parse.json")
        states = pq.read_table(out / "manifest.parquet", columns=["state"])["state"].to_pylist()
        return cls(
            {path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths},
            len(list(out.glob("failed/*.json"))),
            dict(Counter(states)),
            {path.name: ds.dataset(path, partitioning="hive").count_rows() for path in out.glob("dataset/[!_.]*")},
        )


def count_results(out: Path) -> int:
    """Return the number of committed results."""
    return sum(1 for _ in out.glob("results/*/*/parse.json"))


def report(output: Output, clean: Output, args: argparse.Namespace, values: dict[str, Any]) -> bool:
    """Print what a run has left; return whether it is complete and equals the undisturbed one."""
    num_good = args.videos - args.bad
    line = {"results_once": len(output.results), "quarantined": output.num_quarantined, "equal": output == clean}
    print(json.dumps({**values, "seconds": round(values["seconds"], 1), **line}), flush=True)
    if output != clean:
        print(json.dumps({"states": output.states, "rows": output.rows}), flush=True)
    is_complete = (len(output.results), output.num_quarantined) == (num_good, args.bad)
    return is_complete and output == clean and output.states == {"done": num_good, "failed": args.bad}


def run_on_full_disk(command: list[str], root: Path, clean: Output, args: argparse.Namespace) -> bool:
    """Write to a tmpfs that is too small, make it larger, and start again."""
    out = root / "tmpfs"
    out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(out)], check=True)
    start = time.monotonic()
    try:
        first = subprocess.run([*command, "--out", str(out), "--no-ray"], capture_output=True, check=False)
        before = count_results(out)
        subprocess.run(["mount", "-o", "remount,size=512m", str(out)], check=True)
        subprocess.run([*command, "--out", str(out), "--no-ray"], capture_output=True, check=False)
        values = {"run": "full disk", "first_exit": first.returncode, "results_before": before}
        print(json.dumps({"message": json.loads(first.stdout or b"{}").get("error")}))
        return report(Output.of(out), clean, args, {**values, "seconds": time.monotonic() - start})
    finally:
        subprocess.run(["umount", str(out)], check=False)


class LocalCluster:
    """A Ray cluster on this machine, which is started when it is first used and again after its head was killed."""

    def __init__(self) -> None:
        self._cluster: Any = None

    def start_driver(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a command on the cluster."""
        self._cluster = self._cluster or start_cluster(NODES)
        command = [*command, "--address", self._cluster.address]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        """End all processes of the cluster."""
        if self._cluster is not None:
            self._cluster.shutdown()
        self._cluster = None


def run_with_kills(
    command: list[str],
    out: Path,
    num_videos: int,
    cluster: LocalCluster,
    victims: Sequence[str],
    rng: random.Random,
) -> int:
    """Run a command on a cluster to its end while parts of both are killed; return how often it was started."""
    targets = sorted(rng.uniform(0.02, 0.8) * num_videos for _ in victims)  # results at which something is killed
    waiting = deque(zip(targets, victims, strict=True))
    driver = cluster.start_driver(command)
    starts = 1
    try:
        while True:
            if driver.poll() in (0, 1) or (driver.returncode is not None and starts == MAX_STARTS):
                return starts
            if driver.returncode is not None:
                driver = cluster.start_driver(command)
                starts += 1
            if waiting and count_results(out) >= waiting[0][0]:
                time.sleep(rng.uniform(0, 1))
                _, victim = waiting.popleft()
                if victim == "worker":
                    kill(rng.choice(processes("RayWorker") or [driver]))
                elif victim == "driver":
                    kill(driver)
                else:
                    kill(processes("gcs_server")[0])
                    try:
                        driver.wait(60)
                    except subprocess.TimeoutExpired:
                        kill(driver)
                    cluster.stop()
                    driver = cluster.start_driver(command)  # whatever code Ray ended it with
                    starts += 1
            time.sleep(0.2)
    finally:
        kill(driver)


def processes(name: str) -> list[psutil.Process]:
    """Return the processes below this one with a name."""
    return [process for process in psutil.Process().children(recursive=True) if name in process.name()]


def kill(process: psutil.Process | subprocess.Popen[bytes]) -> None:
    """End a process by SIGKILL."""
    try:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    except (ProcessLookupError, psutil.Error):
        pass


if __name__ == "__main__":
    main()
