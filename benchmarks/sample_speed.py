"""How many training samples a core reads in a second: one frame of a detector, and the 32 x 2 frames of a clip.

python benchmarks/sample_speed.py [--samples 12]

Frames are decoded from the beginning of the video to the last one that a sample needs. "stored" reads the same frame of
a detector from the frame cache, in both of its forms; "faster" is its ratio to "decoded", the bar is 5. For the cache:
its size on the disk and the seconds in which it is written, for one video. Seconds are those of the processor, with one
thread.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from actparse.data.frames.frame_cache import CachedVideo, FrameForm
from actparse.data.frames.index import decode_frames
from actparse.video.encode import VideoWriter

SIZES = ((256, 340), (720, 1280))  # (height, width): Kinetics as it is often stored, and as it is on the web
FRAME_RATE = 30.0
NUM_FRAMES = 300  # ten seconds
STRIDE = 5  # from one evaluated frame to the next
CLIP = np.arange(32) * 2
FORMS: tuple[FrameForm, ...] = ("jpeg", "png")


def main() -> None:
    """Measure and print a JSON line for each size."""
    parser = argparse.ArgumentParser(description="Measure how many training samples a core reads in a second.")
    parser.add_argument("--samples", type=int, default=12, help="of each kind; of stored frames ten times as many")
    samples = parser.parse_args().samples
    cv2.setNumThreads(1)
    for height, width in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            rates = measure(Path(folder), (height, width), samples)
        print(json.dumps({"size": f"{width}x{height}", "samples per core-second": rates}), flush=True)


def measure(folder: Path, size: tuple[int, int], samples: int) -> dict[str, Any]:
    """Return the samples of each kind that are read in a second."""
    video, every = folder / "video.mp4", np.arange(0, NUM_FRAMES, STRIDE)
    write_video(video, size)
    rng = np.random.default_rng(0)
    evaluated, starts = rng.choice(every, samples), rng.integers(0, NUM_FRAMES - CLIP[-1], samples)
    decoded = per_second(lambda sample: decode(video, evaluated[sample : sample + 1]), samples)
    rates: dict[str, Any] = {"decoded": decoded}
    for form in FORMS:
        cached = CachedVideo(video, tuple(every.tolist()), (0.0, NUM_FRAMES / FRAME_RATE), folder, form)
        start = time.process_time()
        cached.write(cached.path)
        written_seconds = time.process_time() - start
        rate = per_second(lambda sample: cached.read(evaluated[sample % samples, None].tolist()), 10 * samples)  # noqa: B023
        megabytes = cached.path.stat().st_size / 1e6
        rates[f"stored as {form}"] = {
            "rate": rate,
            "faster": round(rate / decoded, 1),
            "written in s": round(written_seconds, 1),
            "MB": round(megabytes, 1),
        }
    return {**rates, "clip": per_second(lambda sample: decode(video, starts[sample] + CLIP), samples)}


def write_video(path: Path, size: tuple[int, int]) -> None:
    """Write ten seconds of a texture that moves, with noise as of a camera."""
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (size[0], size[1] + NUM_FRAMES, 3), np.uint8), (0, 0), 4)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    with VideoWriter(path, size=size) as writer:
        for index in range(NUM_FRAMES):
            noise = rng.integers(0, 9, (*size, 3), np.uint8)
            writer.write(cv2.add(texture[:, index : index + size[1]], noise), index / FRAME_RATE)


def decode(video: Path, indices: np.ndarray) -> list[np.ndarray]:
    """Read frames as a training sample does."""
    seconds = (float(indices.min()) / FRAME_RATE, float(indices.max()) / FRAME_RATE + 0.5 / FRAME_RATE)
    return decode_frames(video, indices.tolist(), (max(0.0, seconds[0] - 0.5 / FRAME_RATE), seconds[1]))


def per_second(read: Callable[[int], object], samples: int) -> float:
    """Return how many samples are read in a second of the processor."""
    start = time.process_time()
    for sample in range(samples):
        read(sample)
    return round(samples / (time.process_time() - start), 1)


if __name__ == "__main__":
    main()
