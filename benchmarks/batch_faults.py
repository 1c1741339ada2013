"""Whether `actparse batch` loses anything when workers, the driver, the head, the disk or the store fail at random.

python benchmarks/batch_faults.py --seed 1 --runs 20            # 200 videos, 10 of them bad; hours on two cores
python benchmarks/batch_faults.py --seed 1 --runs 2 --videos 40 --bad 5

Each run parses short videos on a Ray cluster of three nodes of one core on this machine. At random moments a worker,
the driver or the head gets SIGKILL; the same command is then started again. Every second run writes into a store in
which every tenth call fails. One more run, as root, writes to a tmpfs that fills up and is then made larger. Of each
run the results must be there once, byte-equal to those of an undisturbed run, and the bad videos in quarantine.
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
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from actparse.video.encode import VideoWriter
from batch import start_cluster

TESTS = Path(__file__).parents[1] / "tests"
HEAD_SECONDS = "5"  # after which Ray's processes give up a head that has gone
KILLS = 4  # in each run
NODES = 3  # of one core each
LONG_FRAMES = 30_000


def main() -> None:
    """Run everything and print one JSON line for each run; exit with 1 if a result is missing, double or different."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--runs", type=int, default=20)
    arguments.add_argument("--videos", type=int, default=200)
    arguments.add_argument("--bad", type=int, default=10, help="of the videos")
    arguments.add_argument("--time-limit", type=float, default=30.0)
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
        clean = read_results(root / "clean")
        report(clean, clean, root / "clean", args, {"run": "undisturbed", "seconds": time.monotonic() - start})
        is_good = len(clean) == args.videos - args.bad
        if os.geteuid() == 0:
            is_good &= run_on_full_disk(command, root, clean, args)
        for number in range(1, args.runs + 1):
            out = root / f"out-{number}"
            uri = f"flaky://{out}" if number % 2 == 0 else str(out)
            start = time.monotonic()
            kills = run_with_kills([*command, "--out", uri], out, args.videos, rng)
            values = {"run": number, "store": uri.partition(":")[0] if ":" in uri else "disk", "kills": kills}
            is_good &= report(read_results(out), clean, out, args, {**values, "seconds": time.monotonic() - start})
    print("all runs equal the undisturbed one" if is_good else "A RUN DIFFERS")
    sys.exit(not is_good)


def make_videos(folder: Path, num_videos: int, num_bad: int, seed: int) -> None:
    """Write videos of half a second and 120 x 160 pixels; the bad ones are text, empty, cut off, and one endless."""
    folder.mkdir(parents=True)
    for number in range(num_videos):
        path = folder / f"{number:04}.mp4"
        is_endless = number == num_bad - 1
        write_video(path, num_frames=LONG_FRAMES if is_endless else 12, seed=seed * 100_000 + number)
        if number < num_bad - 1:
            data = path.read_bytes()
            path.write_bytes((b"no video %d" % number, b"", data[: len(data) // 2])[number % 3])


def write_video(path: Path, *, num_frames: int, seed: int) -> None:
    """Write a bright block that moves over a pattern."""
    generator = np.random.default_rng(seed)
    ground = np.kron(generator.integers(0, 200, (6, 8, 3)), np.ones((20, 20, 1))).astype(np.uint8)  # (120, 160, 3)
    with VideoWriter(path, size=(120, 160)) as writer:
        for number in range(num_frames):
            image = ground.copy()
            x = (4 * number) % 130
            image[20:110, x : x + 25] = 240
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


def read_results(out: Path) -> dict[str, str]:
    """Return the SHA-256 of each result, by its key."""
    paths = out.glob("results/*/*/parse.json")
    return {path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def report(
    results: dict[str, str], clean: dict[str, str], out: Path, args: argparse.Namespace, values: dict[str, Any]
) -> bool:
    """Print what a run has left; return whether it equals the undisturbed one."""
    num_failed = len(list((out / "failed").glob("*.json")))
    is_good = results == clean and num_failed == args.bad and len(results) == args.videos - args.bad
    line = {"results_once": len(results), "quarantined": num_failed, "equal": results == clean}
    print(json.dumps({**values, "seconds": round(values["seconds"], 1), **line}), flush=True)
    return is_good


def run_on_full_disk(command: list[str], root: Path, clean: dict[str, str], args: argparse.Namespace) -> bool:
    """Write to a tmpfs that is too small, make it larger, and start again."""
    out = root / "tmpfs"
    out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(out)], check=True)
    start = time.monotonic()
    try:
        first = subprocess.run([*command, "--out", str(out), "--no-ray"], capture_output=True, check=False)
        before = len(read_results(out))
        subprocess.run(["mount", "-o", "remount,size=512m", str(out)], check=True)
        subprocess.run([*command, "--out", str(out), "--no-ray"], capture_output=True, check=False)
        values = {"run": "full disk", "first_exit": first.returncode, "results_before": before}
        print(json.dumps({"message": json.loads(first.stdout or b"{}").get("error")}))
        return report(read_results(out), clean, out, args, {**values, "seconds": time.monotonic() - start})
    finally:
        subprocess.run(["umount", str(out)], check=False)


def run_with_kills(command: list[str], out: Path, num_videos: int, rng: random.Random) -> dict[str, int]:
    """Run a command on a cluster to its end while parts of both are killed; return the number of kills of each."""
    kills = {"worker": 0, "driver": 0, "head": 0}
    targets = sorted(rng.uniform(0.02, 0.8) * num_videos for _ in range(KILLS))  # results at which something is killed
    victims = rng.sample(["worker", "worker", "driver", "head"], KILLS)
    cluster = start_cluster(NODES)
    driver = start_driver(command, cluster)
    try:
        while True:
            if driver.poll() is not None:
                if driver.returncode in (0, 1):
                    return kills
                driver = start_driver(command, cluster)
            if targets and len(read_results(out)) >= targets[0]:
                time.sleep(rng.uniform(0, 1))
                victim = victims[len(targets) - 1]
                targets.pop(0)
                kills[victim] += 1
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
                    cluster.shutdown()
                    cluster = start_cluster(NODES)
                    driver = start_driver(command, cluster)
            time.sleep(0.2)
    finally:
        kill(driver)
        cluster.shutdown()


def start_driver(command: list[str], cluster: Any) -> subprocess.Popen[bytes]:
    """Start the command on a cluster."""
    command = [*command, "--address", cluster.address]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


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
