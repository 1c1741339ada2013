"""A dataset of a few tiny videos in Kinetics-TPS's folders: a coloured block walks, its parts are stripes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import NUM_KEYPOINTS, PARTS
from actparse.video.encode import VideoWriter

SIZE = (96, 128)  # (height, width)
FPS = 10.0
NUM_FRAMES = 32
ACTIONS = ("lunge", "push_up")
OBJECTS = {"lunge": ("ball", [80.0, 60.0, 100.0, 80.0]), "push_up": ("bar", [90.0, 60.0, 122.0, 84.0])}


def write_miniature(root: Path, *, videos_per_action: int = 2, with_objects: bool = False) -> Path:
    """Write the splits train and val; returns `root`. The first half of each video may have an object of its action."""
    for split in ("train", "val"):
        for number, action in enumerate(ACTIONS):
            for copy in range(videos_per_action):
                name, seed = f"{split}_{action}_{copy}", 10 * number + copy
                _write_video(root, split, action, name, seed=seed, with_objects=with_objects)
    (root / "list").mkdir()
    (root / "list" / "body_part.txt").write_text("\n".join(PARTS) + "\n")
    (root / "list" / "part_stat.txt").write_text("bend\nnone\n")
    return root


def person_box(action: str, seed: int, index: int) -> NDArray[np.float32]:
    """Where the block is: upright for one action, lying for the other."""
    width, height = (24.0, 60.0) if action == ACTIONS[0] else (60.0, 24.0)
    x = 10.0 + seed + index
    return np.array([x, 20.0, x + width, 20.0 + height], np.float32)


def _write_video(root: Path, split: str, action: str, name: str, *, seed: int, with_objects: bool) -> None:
    path = root / f"{split}_videos" / action / f"{name}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = root / f"{split}_annotations" / action / name / name
    folder.mkdir(parents=True)
    with VideoWriter(path, size=SIZE) as writer:
        for index in range(NUM_FRAMES):
            box = person_box(action, seed, index)
            image = np.full((*SIZE, 3), 60 + 40 * (seed % 3), np.uint8)
            x1, y1, x2, y2 = box.astype(int)
            image[y1:y2, x1:x2] = (200, 60, 90) if action == ACTIONS[0] else (60, 180, 200)
            content: dict[str, Any] = {"humans": [_human(box, action)]}
            if with_objects and index < NUM_FRAMES // 2:
                label, corners = OBJECTS[action]
                left, top, right, bottom = map(int, corners)
                image[top:bottom, left:right] = (250, 250, 20)
                content["objects"] = [{"name": label, "box": corners}]
            writer.write(image, index / FPS)
            (folder / f"img_{index + 1:05d}.json").write_text(json.dumps(content))


def _human(box: NDArray[np.float32], action: str) -> dict[str, Any]:
    x1, y1, x2, y2 = map(float, box)
    parts = {}
    for number, name in enumerate(PARTS):
        top = y1 + (y2 - y1) * number / len(PARTS)
        state = "bend" if name == "left_arm" and action == ACTIONS[0] else "none"
        stripe = [x1, top, x2, min(y2, top + (y2 - y1) / 3)]
        parts[name] = {"number": 1, "box": stripe, "verb": state, "name": name}
    keypoints = [[x1 + (x2 - x1) * k / 16, y1 + (y2 - y1) * k / 16, 2] for k in range(NUM_KEYPOINTS)]
    return {"number": 1, "box": [x1, y1, x2, y2], "parts": parts, "keypoints": keypoints, "identity": 1}
