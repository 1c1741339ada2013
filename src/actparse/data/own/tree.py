"""Custom dataset in the layout of Kinetics-TPS, which all other code reads."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actparse.core.errors import DataError, OutputError
from actparse.core.files import write_text
from actparse.core.vocabulary import PARTS
from actparse.data.audit.lists import BODY_PARTS, PART_STATES
from actparse.data.audit.lists import FOLDER as LISTS
from actparse.data.kinetics_tps import SPLITS, FrameTruth, PersonTruth, frame_name
from actparse.data.submission import EVALUATED_STRIDE

MANIFEST = "manifest.json"
TRAINED_PARTS = "trained_parts"  # in the manifest: number of labelled parts in the training videos
FAMILY = "own-data-"  # prefix of generators; a tree of an earlier one is replaced
GENERATOR = f"{FAMILY}2"  # increase it when the same labels give another tree: it changes the tree's key
MADE = {MANIFEST, LISTS, *(f"{split}_{kind}" for split in SPLITS for kind in ("videos", "annotations", "truth"))}
MADE |= {".cache", "flow"}  # computed from the tree


@dataclass(frozen=True)
class OwnVideo:
    """One video with its split, action and labelled frames."""

    name: str  # its file's name without the suffix
    path: Path
    split: str
    action: str
    frames: Mapping[int, FrameTruth]  # by frame index, from 0
    num_frames: int

    def write(self, root: Path) -> None:
        """Write the annotation below `root`, and a hard link to the video if the file system can, else a copy."""
        target = root / f"{self.split}_videos" / self.action / self.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(self.path.resolve(), target)
        except OSError:
            shutil.copyfile(self.path, target)
        folder = root / f"{self.split}_annotations" / self.action / self.name / self.name
        folder.mkdir(parents=True)
        for frame, truth in self.frames.items():
            text = json.dumps(frame_to_dict(truth), separators=(",", ":"))
            (folder / frame_name(frame)).write_text(text, encoding="ascii")


def read_manifest(root: Path) -> dict[str, Any] | None:
    """Return the manifest of a tree; None if it was not written by an import of a custom dataset."""
    try:
        raw = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return raw if isinstance(raw, dict) and str(raw.get("generator")).startswith(FAMILY) else None


def write_tree(root: Path, videos: Sequence[OwnVideo], states: Sequence[str], *, key: str) -> None:
    """Write the tree to a temporary folder, then move it to `root`; an earlier import is replaced.

    Args:
        root: folder of the tree.
        videos: with unique names.
        states: of all part groups.
        key: hash of the sources of the tree.

    Raises:
        DataError: `root` has other content.
        OutputError: a file cannot be written.
    """
    _expect_replaceable(root)
    temporary = root.with_name(f".{root.name}.{os.getpid()}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        for video in videos:
            video.write(temporary)
        _write_lists(temporary, videos, states)
        _write_truth(temporary, videos)
        trained = (truth for video in videos if video.split == "train" for truth in video.frames.values())
        trained_persons = (person for truth in trained for person in truth.persons)
        digest = hashlib.sha256()
        for video in videos:
            frames = {frame: frame_to_dict(truth) for frame, truth in video.frames.items()}
            digest.update(json.dumps([video.split, video.action, video.name, frames]).encode())
        manifest = {
            **{"generator": GENERATOR, "key": key, "annotation_sha256": digest.hexdigest()},
            TRAINED_PARTS: sum(len(person.parts) + len(person.unstated) for person in trained_persons),
        }
        write_text(temporary / MANIFEST, json.dumps(manifest, indent=1))
        shutil.rmtree(root, ignore_errors=True)
        temporary.replace(root)
    except OSError as error:
        raise OutputError(f"{root}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _expect_replaceable(root: Path) -> None:
    """Check that a folder to be replaced only has an earlier import and files computed from it."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return
    if read_manifest(root) is None:
        raise DataError(f"{root}: needs an empty folder or a dataset imported before, got something else")
    others = sorted(path.name for path in root.iterdir() if path.name not in MADE)
    if others:
        raise DataError(f"{root}: needs a dataset imported before and nothing else, got {others[0]} in it")


def frame_to_dict(truth: FrameTruth) -> dict[str, Any]:
    """Convert a frame to Kinetics-TPS's format, with extra keys keypoints and identity; an unknown state is null."""
    return {"humans": [_human(person) for person in truth.persons]}


def _human(person: PersonTruth) -> dict[str, Any]:
    labels: dict[str, tuple[Sequence[float], str | None]] = {
        **{name: (part.box, part.state) for name, part in person.parts.items()},
        **{name: (box, None) for name, box in person.unstated.items()},
    }
    parts = {
        name: {"number": person.number, "box": list(labels[name][0]), "verb": labels[name][1], "name": name}
        for name in PARTS
        if name in labels
    }
    human: dict[str, Any] = {"number": person.number, "box": list(person.box), "parts": parts}
    if person.keypoints is not None:
        human["keypoints"] = [[round(x, 2), round(y, 2), int(v)] for x, y, v in person.keypoints.tolist()]
    if person.identity is not None:
        human["identity"] = person.identity
    return human


def _write_lists(root: Path, videos: Sequence[OwnVideo], states: Sequence[str]) -> None:
    write_text(root / LISTS / BODY_PARTS, "\n".join(PARTS) + "\n")
    write_text(root / LISTS / PART_STATES, "\n".join(states) + "\n")
    for split in SPLITS:
        split_videos = [video for video in videos if video.split == split]
        if split_videos:
            lines = [f"{video.path.name},{video.num_frames}" for video in split_videos]
            write_text(root / LISTS / f"video_{split}_flist.csv", "\n".join(lines) + "\n")


def _write_truth(root: Path, videos: Sequence[OwnVideo]) -> None:
    """Write the truth for `actparse evaluate`: every fifth frame if labelled, only parts with a state."""
    for split in SPLITS:
        split_videos = [video for video in videos if video.split == split]
        if split_videos:
            folder = root / f"{split}_truth"
            write_text(folder / "gt_vid_result.json", json.dumps({video.name: video.action for video in split_videos}))
            parts: dict[str, dict[str, Any]] = {video.name: {} for video in split_videos}
            for video in split_videos:
                for frame, truth in video.frames.items():
                    if frame % EVALUATED_STRIDE == 0:
                        plain = [replace(p, keypoints=None, identity=None, unstated={}) for p in truth.persons]
                        parts[video.name][frame_name(frame)] = {"humans": list(map(_human, plain))}
            write_text(folder / "gt_part_result.json", json.dumps(parts))
