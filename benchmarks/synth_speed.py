"""Measure how fast SynthTPS renders each look: frames a second on one core, and what a frame and a scene cost.

python benchmarks/synth_speed.py [--scenes 6] [--frames 20]

All looks are rendered in one process, in turns, at 320x240 with two people who lunge or dance; times are those of the
processor.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import replace

import cv2

from actparse.synth.casting import build_cast
from actparse.synth.config import VIDEO_PRESETS, SceneConfig
from actparse.synth.scene import build_scene

ACTIONS = ("lunge", "salsa_dancing", "front_raises")
CONFIGS = {
    "plain": SceneConfig(blur_share=0.0),  # a frame with motion blur is three frames
    "varied": SceneConfig(look="varied", blur_share=0.0),
    "video": replace(VIDEO_PRESETS["train"], sizes=(), blur_share=0.0),
}
FRAMES_A_SECOND = 10


def main() -> None:
    """Print a row for each look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=6, help="scenes of each look")
    parser.add_argument("--frames", type=int, default=20, help="frames of each scene")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    build, render = defaultdict(float), defaultdict(float)
    seeds = [seed for seed in range(1000) if is_pair(seed)][: args.scenes]
    for seed in seeds:
        for look, config in CONFIGS.items():
            start = time.process_time()
            scene = build_scene(seed, ACTIONS[seed % len(ACTIONS)], config=config)
            middle = time.process_time()
            for frame in range(args.frames):
                scene.render(frame / FRAMES_A_SECOND)
            build[look] += middle - start
            render[look] += time.process_time() - middle
    num_frames = len(seeds) * args.frames
    print(f"{'look':8}{'frames/s':>10}{'ratio':>8}{'ms a frame':>12}{'ms a scene':>12}")
    for look in CONFIGS:
        rate, plain_rate = num_frames / render[look], num_frames / render["plain"]
        print(f"{look:8}{rate:10.1f}{rate / plain_rate:8.2f}{1000 / rate:12.1f}{1000 * build[look] / len(seeds):12.1f}")


def is_pair(seed: int) -> bool:
    """Return whether two people are in the scene of a seed; they are the same in all looks."""
    return len(build_cast(seed, ACTIONS[seed % len(ACTIONS)], config=CONFIGS["plain"]).actors) == 2


if __name__ == "__main__":
    main()
