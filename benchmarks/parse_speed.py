"""How fast `parse` is against the video's own length, stage by stage, and how its memory grows with the video's length.

python benchmarks/parse_speed.py            # a 10 s video at 320x240, median of 5
python benchmarks/parse_speed.py --memory   # peak memory for 10 s and for 10 minutes, each in a fresh process
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from actparse.data.synth.dataset import SplitPlan, plan_videos, write_dataset
from actparse.parser import Parser
from actparse.video.decode import read_frames
from actparse.video.encode import VideoWriter

CLIP_SECONDS = 10.0


def main() -> None:
    """Measure and print one JSON line."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--weights", default="tiny")
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--memory", action="store_true")
    arguments.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    args = arguments.parse_args()
    if args.peak_of:
        Parser.load(args.weights, device="cpu").parse(args.peak_of)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder))
        figures = measure_memory(clip, args.weights) if args.memory else measure_speed(clip, args.weights, args.repeats)
    print(json.dumps(figures))


def make_clip(folder: Path) -> Path:
    """A SynthTPS video of exactly 10 s."""
    plan = SplitPlan("test", 1, 424_242)
    write_dataset(folder / "data", [plan])
    video = plan_videos(plan)[0]
    source = folder / "data" / "test_videos" / video.action / f"{video.name}.mp4"
    return repeat(source, folder / "ten_seconds.mp4", CLIP_SECONDS)


def repeat(source: Path, path: Path, seconds: float) -> Path:
    """Play a video again and again until `seconds` are full."""
    frames = [frame.image for frame in read_frames(source)]
    height, width = frames[0].shape[:2]
    with VideoWriter(path, size=(height, width)) as writer:
        for number in range(round(seconds * 10)):
            writer.write(frames[number % len(frames)], number / 10)
    return path


def measure_speed(clip: Path, weights: str, repeats: int) -> dict[str, object]:
    """Median seconds of a parse over the video's length, and the share of each stage."""
    parser = Parser.load(weights, device="cpu")
    parser.parse(clip)  # the first run pays for memory and for kernels
    seconds, stages = [], []
    for _ in range(repeats):
        parser.timer.seconds.clear()
        start = time.perf_counter()
        parser.parse(clip)
        seconds.append(time.perf_counter() - start)
        stages.append(dict(parser.timer.seconds))
    median = {name: round(statistics.median(run[name] for run in stages), 3) for name in stages[0]}
    return {
        "seconds_per_second_of_video": round(statistics.median(seconds) / CLIP_SECONDS, 4),
        "median_seconds": round(statistics.median(seconds), 3),
        "stage_seconds": median,
    }


def measure_memory(clip: Path, weights: str) -> dict[str, float]:
    """Peak resident MiB for 10 s and for 10 minutes of video, and the difference."""
    long = repeat(clip, clip.with_name("ten_minutes.mp4"), 600.0)
    peaks = []
    for video in (clip, long):
        command = [sys.executable, __file__, "--weights", weights, "--peak-of", str(video)]
        peaks.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return {
        "peak_mib_10_s": round(peaks[0]),
        "peak_mib_10_min": round(peaks[1]),
        "growth_mib": round(peaks[1] - peaks[0]),
    }


if __name__ == "__main__":
    main()
