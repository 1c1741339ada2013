"""Render videos of people who do none of the known actions, to calibrate on: held-out motions of SynthTPS.

python benchmarks/other_motions.py OUT [--videos 24] [--seed 1]
actparse parse OUT --weights BUNDLE --out parses/other --no-overlay --no-report
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from actparse.synth.config import SceneConfig
from actparse.synth.scene import build_scene
from actparse.training.rendered.track_stream import HELD_OUT_MOTIONS
from actparse.video.encode import VideoWriter

SECONDS, RATE = 8.0, 10  # of a video; frames per second


def main() -> None:
    """Write OUT/MOTION_NUMBER.mp4 for each video; the motions take turns."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--videos", type=int, default=24)
    arguments.add_argument("--seed", type=int, default=1)
    asked = arguments.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for number in range(asked.videos):
        motion = HELD_OUT_MOTIONS[number % len(HELD_OUT_MOTIONS)]
        seed = int(np.random.default_rng((asked.seed, number)).integers(2**62))
        path = asked.out / f"{motion}_{number}.mp4"
        render(path, motion, seed)
        print(path)


def render(path: Path, motion: str, seed: int) -> None:
    """Render one scene as a video."""
    config = SceneConfig()
    scene = build_scene(seed, motion, config=config)
    with VideoWriter(path, size=config.size) as writer:
        for frame in range(round(SECONDS * RATE)):
            writer.write(scene.render(frame / RATE).image, frame / RATE)


if __name__ == "__main__":
    main()
