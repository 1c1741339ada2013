"""What `actparse batch` costs beside `parse` in a loop on one machine's processes, and how its memory grows.

python benchmarks/batch.py                       # 40 rendered clips of 2 s, three pairs of runs in turn
python benchmarks/batch.py --videos 200 --seconds 1
python benchmarks/batch.py --nodes 2 --videos 200 --seconds 1   # Ray: two nodes of one core against one

Both parse the same videos with one process and one thread, without drawings. The loop is `actparse parse` of the
folder, which loads the weights once. Times are of whole commands; the ratio is that of the medians of this run. Memory
is the largest of driver and child over each tenth of the results. The seconds and bytes for each video are what the
arithmetic of docs/scale.md needs.

With --nodes N it compares Ray clusters of one and of N nodes on this machine, which needs N free cores. Each node
is bound to a separate core, the driver and Ray's head to that of the first node. `ratio` is that of the medians of the
videos a second, from the start of the workers to the end of the last video.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from actparse.synth.dataset import DatasetPlan, SplitPlan, write_dataset
from actparse.video.decode import read_frames
from actparse.video.encode import VideoWriter

OPTIONS = ["--weights", "tiny", "--no-overlay", "--no-report", "--quiet"]


def main() -> None:
    """Measure and print one JSON line."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--videos", type=int, default=40)
    arguments.add_argument("--seconds", type=float, default=2.0, help="length of each video")
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--nodes", type=int, help="compare Ray clusters of one and of this number of nodes")
    args = arguments.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_videos(root / "videos", args.videos, args.seconds)
        if args.nodes:
            print(json.dumps(compare_nodes(root, args.nodes, args.repeats)))
            return
        times: dict[str, list[float]] = {"parse": [], "batch": []}
        memory: list[float] = []
        for repeat in range(args.repeats):
            for command, values in times.items():
                out = root / f"{command}-{repeat}"
                call = [sys.executable, "-m", "actparse", command, str(root / "videos"), "--out", str(out), *OPTIONS]
                call += ["--no-ray", "--workers", "1"] if command == "batch" else []
                seconds, peaks = run(call, out, args.videos)
                values.append(seconds)
                memory = peaks if command == "batch" else memory
        parse, batch = (statistics.median(times[command]) for command in ("parse", "batch"))
        out = root / "batch-0"
        num_bytes = sum(path.stat().st_size for path in out.glob("results/**/*") if path.is_file())
        table_bytes = sum(path.stat().st_size for path in out.glob("dataset/**/*") if path.is_file())
    print(
        json.dumps(
            {
                "videos": args.videos,
                "video_seconds": args.seconds,
                "parse_seconds": [round(value, 2) for value in times["parse"]],
                "batch_seconds": [round(value, 2) for value in times["batch"]],
                "ratio": round(batch / parse, 3),
                "seconds_per_video": round(batch / args.videos, 3),
                "result_bytes_per_video": num_bytes // args.videos,
                "dataset_bytes_per_video": table_bytes // args.videos,
                "memory_mb": [round(value) for value in memory],
            }
        )
    )


def compare_nodes(root: Path, num_nodes: int, repeats: int) -> dict[str, Any]:
    """Parse all videos on one node and on several, in turn; return the rates in videos a second and their ratio."""
    rates: dict[int, list[float]] = {1: [], num_nodes: []}
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < num_nodes:
        raise SystemExit(f"--nodes must be at most {len(cores)}, the number of cores, got {num_nodes}")
    for repeat in range(repeats):
        for count, values in rates.items():
            cluster = start_cluster(count, cores=cores[:num_nodes])
            call = [sys.executable, "-m", "actparse", "batch", str(root / "videos"), "--address", cluster.address]
            call += ["--out", str(root / f"nodes-{count}-{repeat}"), *OPTIONS, "--json"]
            try:
                answer = json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE).stdout)
            finally:
                cluster.shutdown()
            values.append(answer["run"]["parsed"] / answer["run"]["elapsed_seconds"])
    medians = {count: statistics.median(values) for count, values in rates.items()}
    return {
        "videos": len(list((root / "videos").iterdir())),
        "videos_per_second": {count: [round(rate, 3) for rate in values] for count, values in rates.items()},
        "ratio": round(medians[num_nodes] / medians[1], 3),
    }


def start_cluster(num_nodes: int, *, cores: Sequence[int] = ()) -> Any:
    """Start a Ray cluster of nodes of one core on this machine.

    With `cores`, each node is bound to one of them, and this thread with what it starts later to the first one.
    """
    from ray.cluster_utils import Cluster

    os.environ.update(RAY_worker_niceness="0")  # as all other processes of this machine
    settings = {"num_cpus": 1, "object_store_memory": 80 << 20}
    cluster = Cluster()
    for index in range(num_nodes):
        if cores:
            os.sched_setaffinity(0, {cores[index]})
        cluster.add_node(**settings, **({} if index else {"include_dashboard": False}))
    if cores:
        os.sched_setaffinity(0, {cores[0]})
    return cluster


def make_videos(folder: Path, num_videos: int, seconds: float) -> None:
    """Write videos of different content: the start of one rendered clip, each with other brightness."""
    folder.mkdir(parents=True)
    source = folder.parent / "source"
    write_dataset(source, DatasetPlan((SplitPlan("test", 1, 5),), look="plain", body="tubes"))
    path = next(source.rglob("*.mp4"))
    with read_frames(path) as reader:
        frames = [frame for frame in reader if frame.time_seconds < seconds]
    for number in range(num_videos):
        with VideoWriter(folder / f"{number:03}.mp4", size=frames[0].image.shape[:2]) as writer:
            for frame in frames:
                image = np.clip(frame.image.astype(np.int16) + number % 40, 0, 255).astype(np.uint8)
                image[:2, :2] = number
                writer.write(image, frame.time_seconds)


def run(call: list[str], out: Path, num_videos: int) -> tuple[float, list[float]]:
    """Run a command; return its seconds and the largest memory in MB over each tenth of its results."""
    peaks = [0.0] * 10
    start = time.perf_counter()
    with subprocess.Popen(call, stdout=subprocess.DEVNULL) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            num_results = len(list(out.rglob("parse.json")))
            tenth = min(9, 10 * num_results // num_videos)
            try:
                family = [root, *root.children(recursive=True)]
                peaks[tenth] = max(peaks[tenth], sum(member.memory_info().rss for member in family) / 1e6)
            except psutil.Error:
                pass  # one of them has just ended
            time.sleep(0.2)
    assert process.returncode == 0
    return time.perf_counter() - start, peaks


if __name__ == "__main__":
    main()
