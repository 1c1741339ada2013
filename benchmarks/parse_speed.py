"""How long `parse` takes against the video's own length, stage by stage, and how its memory grows with that length.

python benchmarks/parse_speed.py                     # 10 s at 1280x720 and 30 fps, two people, made here in a minute
python benchmarks/parse_speed.py --video lift.mp4    # a file of your own
python benchmarks/parse_speed.py --memory 10 60 600  # peak memory of those seconds of the video, played again and again

Each run is `actparse parse --timings`, with overlay and page, in a process of its own, as a user has it.
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
from fractions import Fraction
from pathlib import Path

import av

from actparse.synth.casting import build_cast
from actparse.synth.config import SceneConfig
from actparse.synth.scene import build_scene
from actparse.video.container import open_container, video_stream
from actparse.video.decode import probe
from actparse.video.encode import VideoWriter

CLIP_SECONDS = 10.0
SCENE = SceneConfig(
    size=(720, 1280), fps=30.0, supersampling=1, occluder_share=0.0, low_light_share=0.0, blur_share=0.0
)
ACTION, NUM_PERSONS = "deadlifting", 2


def main() -> None:
    """Measure and print one JSON line."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--video", type=Path, help="default: a clip that is rendered")
    arguments.add_argument("--weights", help="default: those of the command")
    arguments.add_argument("--stride", type=int, default=5)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument(
        "--memory", type=float, nargs="*", metavar="SECONDS", help="measure memory; default 10 60 600"
    )
    args = arguments.parse_args()
    options = ["--stride", str(args.stride), *(["--weights", args.weights] if args.weights else [])]
    with tempfile.TemporaryDirectory() as folder:
        clip = args.video or make_clip(Path(folder) / "two_people.mp4")
        if args.memory is None:
            metrics = measure_speed(clip, options, args.repeats)
        else:
            metrics = measure_memory(clip, options, args.memory or [10.0, 60.0, 600.0], Path(folder))
    print(json.dumps(metrics))


def make_clip(path: Path) -> Path:
    """Render a clip of 10 s, 1280x720, 30 fps, that two people are in."""
    seed = next(seed for seed in range(1000) if len(build_cast(seed, ACTION, config=SCENE).actors) == NUM_PERSONS)
    scene = build_scene(seed, ACTION, config=SCENE)
    with VideoWriter(path, size=SCENE.size, quality=20) as writer:
        for index in range(round(CLIP_SECONDS * SCENE.fps)):
            writer.write(scene.render(index / SCENE.fps).image, index / SCENE.fps)
    return path


def repeated(source: Path, path: Path, seconds: float) -> Path:
    """Play a video again and again, its packets copied, until about `seconds` are full; at least once."""
    duration = probe(source).duration_seconds
    with av.open(str(path), "w") as target:
        pictures, offset = None, 0
        for _ in range(max(1, round(seconds / duration))):
            with open_container(source) as container:
                stream = video_stream(container, source)
                pictures = pictures or target.add_stream_from_template(stream)
                for packet in container.demux(stream):
                    if packet.size and packet.pts is not None and packet.dts is not None:
                        packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, pictures
                        target.mux(packet)
                offset += round(Fraction(duration) / (stream.time_base or Fraction(1, 1000)))
    return path


def run_parse(video: Path, options: list[str]) -> tuple[float, dict[str, float], float]:
    """Wall seconds of the whole command, seconds by stage, and peak resident MiB."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "actparse",
            "parse",
            str(video),
            "--out",
            out,
            "--timings",
            "--json",
            "--quiet",
            *options,
        ]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdout is not None
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
    if process.returncode != 0:
        raise SystemExit(f"parse_speed: {text}")
    return seconds, json.loads(text)["timings"], usage.ru_maxrss / 1024


def measure_speed(clip: Path, options: list[str], repeats: int) -> dict[str, object]:
    """Median seconds of a parse, over the video's length, and of each stage."""
    info = probe(clip)
    runs = [run_parse(clip, options) for _ in range(repeats)]
    median = statistics.median(seconds for seconds, _, _ in runs)
    return {
        "video": f"{info.width}x{info.height}, {info.num_frames} frames, {info.duration_seconds:.1f} s",
        "seconds_per_second_of_video": round(median / info.duration_seconds, 3),
        "median_seconds": round(median, 2),
        "stage_seconds": {name: round(statistics.median(run[name] for _, run, _ in runs), 3) for name in runs[0][1]},
        "peak_mib": round(max(peak for _, _, peak in runs)),
    }


def measure_memory(clip: Path, options: list[str], lengths: list[float], folder: Path) -> dict[str, object]:
    """Peak resident MiB by seconds of video, and how much the longest needs more than the shortest."""
    peaks = {}
    for seconds in sorted(lengths):
        video = repeated(clip, folder / "repeated.mp4", seconds)
        peaks[f"{probe(video).duration_seconds:.0f} s"] = round(run_parse(video, options)[2])
    return {"peak_mib": peaks, "growth_mib": list(peaks.values())[-1] - next(iter(peaks.values()))}


if __name__ == "__main__":
    main()
