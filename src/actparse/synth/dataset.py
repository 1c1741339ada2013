"""The files of SynthTPS: videos and annotation in the folders of Kinetics-TPS; one seed determines each video.

<root>/<split>_videos/<action>/<video>.mp4
<root>/<split>_annotations/<action>/<video>/<video>/img_00001.json ...
<root>/<split>_truth/gt_vid_result.json, gt_part_result.json
<root>/list/body_part.txt, part_stat.txt, object.txt, video_<split>_flist.csv
<root>/manifest.json
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from actparse.core.errors import ConfigError, DataError
from actparse.core.files import file_sha256, write_text
from actparse.core.pools import in_order
from actparse.core.vocabulary import PARTS
from actparse.data.kinetics_tps import frame_name
from actparse.data.submission import EVALUATED_STRIDE
from actparse.synth.actions.registry import ACTIONS, ACTIONS_V1
from actparse.synth.annotate import ObjectTruth, PersonTruth
from actparse.synth.config import VIDEO_PRESETS, SceneConfig
from actparse.synth.motion.props import OBJECTS
from actparse.synth.scene import build_scene
from actparse.video.encode import VideoWriter

GENERATOR = "SynthTPS-2.3"  # changes if the same seed gives a different video or annotation
EARLIER_GENERATORS = ("SynthTPS-2.0", "SynthTPS-2.1", "SynthTPS-2.2")  # their datasets can be used, but no longer made
GENERATOR_V1 = "SynthTPS-1.1"  # of the benchmark SynthTPS-v1, whose videos stay as they are
PLAN_FILE = "plan.json"
MIN_FRAMES, MAX_FRAMES = 100, 120  # length of a video, 10 to 12 s
SPLIT_CODES = {"train": 0, "val": 1, "test": 2, "hard": 3}


@dataclass(frozen=True)
class SplitPlan:
    """The videos of one split: `count` videos, numbered from 0, from one `seed`."""

    name: str  # "train", "val", "test", or "hard", which the look "video" films in a way that is hard to parse
    count: int
    seed: int


@dataclass(frozen=True)
class VideoPlan:
    """One video to make: its path, its action, and the seed of everything else."""

    split: str
    name: str
    action: str
    seed: int
    num_frames: int

    def to_dict(self, annotation_sha256: str, video_sha256: str) -> dict[str, Any]:
        """Return the video as it is written to manifest.json, with the hashes of its annotation and of its file."""
        return {
            "split": self.split,
            "action": self.action,
            "seed": self.seed,
            "num_frames": self.num_frames,
            "annotation_sha256": annotation_sha256,
            "video_sha256": video_sha256,
        }


@dataclass(frozen=True)
class DatasetPlan:
    """The videos of a dataset and how they look."""

    splits: tuple[SplitPlan, ...]
    actions: tuple[str, ...] = ACTIONS
    look: str = "video"  # of the scenes; see `SceneConfig`
    body: str = "mesh"
    generator: str = GENERATOR

    def __post_init__(self) -> None:
        SceneConfig(look=self.look, body=self.body)  # checks both

    def videos(self, split: str | None = None) -> list[VideoPlan]:
        """Return the videos of all splits, or of one."""
        plans = [plan for plan in self.splits if split in (None, plan.name)]
        return [video for plan in plans for video in plan_videos(plan, self.actions)]

    def scene_config(self, split: str) -> SceneConfig:
        """Return the configuration of the scenes of a split."""
        return split_config(self.look, split, self.body)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as it is written to plan.json."""
        splits = {plan.name: {"count": plan.count, "seed": plan.seed} for plan in self.splits}
        if self.generator == GENERATOR_V1:
            return {"generator": GENERATOR_V1, "splits": splits, "v1": True}
        return {"generator": self.generator, "splits": splits, "look": self.look, "body": self.body}

    def write_file(self, root: Path) -> None:
        """Write plan.json into a dataset's folder.

        Raises:
            DataError: the folder has another plan.
            OutputError: the file cannot be written.
        """
        path, record = root / PLAN_FILE, self.to_dict()
        if not path.exists():
            write_text(path, json.dumps(record, indent=1, sort_keys=True))
            return
        try:
            existing = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path}: needs JSON, got {error}") from None
        if existing != record:
            raise DataError(
                f"{path}: needs the plan {json.dumps(record)}, got {json.dumps(existing)}; choose another folder"
            )


BENCHMARKS: dict[str, DatasetPlan] = {
    "SynthTPS-v1": DatasetPlan(
        (SplitPlan("train", 640, 1001), SplitPlan("val", 64, 1001), SplitPlan("test", 128, 1001)),
        actions=ACTIONS_V1,
        look="plain",
        body="tubes",
        generator=GENERATOR_V1,
    ),
    "SynthTPS-v2": DatasetPlan(
        (
            SplitPlan("train", 960, 2001),
            SplitPlan("val", 96, 2001),
            SplitPlan("test", 192, 2001),
            SplitPlan("hard", 96, 2001),
        )
    ),
}


def plan_splits(num_videos: int, *, seed: int, test_share: float = 0.2) -> tuple[SplitPlan, ...]:
    """Divide a number of videos between train and test; an empty split is left out.

    Raises:
        ConfigError: the number is less than 1, or the share is not in 0..1.
    """
    if num_videos < 1:
        raise ConfigError(f"videos must be at least 1, got {num_videos}")
    if not 0 <= test_share <= 1:
        raise ConfigError(f"test_share must be 0..1, got {test_share}")
    num_test = round(num_videos * test_share)
    plans = (SplitPlan("train", num_videos - num_test, seed), SplitPlan("test", num_test, seed))
    return tuple(plan for plan in plans if plan.count)


def plan_videos(plan: SplitPlan, actions: Sequence[str] = ACTIONS) -> list[VideoPlan]:
    """Plan the videos of a split: actions in turn, with separate seeds, so that each video can be made alone."""
    videos = []
    for index in range(plan.count):
        sequence = np.random.SeedSequence([plan.seed, SPLIT_CODES[plan.name], index])
        seed, draw = (int(value) for value in sequence.generate_state(2, np.uint64))
        name = f"s{plan.seed}_{plan.name}_{index:05d}"
        num_frames = MIN_FRAMES + draw % (MAX_FRAMES - MIN_FRAMES + 1)
        videos.append(VideoPlan(plan.name, name, actions[index % len(actions)], seed, num_frames))
    return videos


def read_plan(root: Path) -> DatasetPlan | None:
    """Return the plan of a dataset that this generator, an earlier one or SynthTPS-1.1 made; None for other folders."""
    try:
        raw = json.loads((root / PLAN_FILE).read_text(encoding="utf-8"))
        if raw["generator"] not in (GENERATOR, *EARLIER_GENERATORS, GENERATOR_V1):
            return None
        splits = tuple(
            SplitPlan(name, int(raw["splits"][name]["count"]), int(raw["splits"][name]["seed"]))
            for name in raw["splits"]
        )
        if raw["generator"] != GENERATOR_V1:
            return DatasetPlan(splits, look=raw["look"], body=raw["body"], generator=raw["generator"])
        look, body = raw.get("look", "plain"), raw.get("body", "tubes")
        return DatasetPlan(splits, ACTIONS_V1, look, body, GENERATOR_V1)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ConfigError, RecursionError):
        return None


def is_synthetic(root: Path) -> bool:
    """Return whether this generator, an earlier one or SynthTPS-1.1 made the dataset in a folder."""
    return read_plan(root) is not None


def write_dataset(
    root: Path, plan: DatasetPlan, *, processes: int = 1, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Make a dataset; existing videos of the same plan are kept.

    Args:
        root: folder of the dataset, created if it is missing.
        plan: the videos and their look.
        processes: number of videos made in parallel.
        progress: called with the number of finished videos and the number of all videos.

    Returns:
        The path of manifest.json, which is written last.

    Raises:
        DataError: the folder contains a dataset with another plan, or this is a plan of an earlier generator.
        OutputError: a file cannot be written.
    """
    if plan.generator in EARLIER_GENERATORS:
        raise DataError(f"{root}: {plan.generator} can no longer be made, only {GENERATOR}")
    videos = plan.videos()
    plan.write_file(root)
    hashes = {}
    for name, sha256 in _write_videos(root, plan, videos, processes):
        hashes[name] = sha256
        if progress:
            progress(len(hashes), len(videos))
    for split in plan.splits:
        _write_truth(root, split.name, plan.videos(split.name))
    _write_lists(root, plan)
    records = {v.name: v.to_dict(hashes[v.name], file_sha256(video_path(root, v))) for v in videos}
    manifest = {"plan": plan.to_dict(), "videos": records}
    write_text(root / "manifest.json", json.dumps(manifest, indent=1, sort_keys=True))
    return root / "manifest.json"


def _write_videos(
    root: Path, plan: DatasetPlan, videos: Sequence[VideoPlan], processes: int
) -> Iterator[tuple[str, str]]:
    """Make the videos; yield the name of each finished video and the hash of its annotation."""
    configs = {split.name: plan.scene_config(split.name) for split in plan.splits}
    with_objects = plan.generator == GENERATOR
    if processes <= 1:
        for video in videos:
            yield video.name, write_video(root, video, config=configs[video.split], with_objects=with_objects)
        return
    jobs = [(root, video, configs[video.split], with_objects) for video in videos]
    hashes = in_order(_write_on_one_core, jobs, processes=processes)
    yield from zip((video.name for video in videos), hashes, strict=True)


def split_config(look: str, split: str, body: str) -> SceneConfig:
    """Return the configuration of the scenes of a split; that of the look "video" depends on it.

    Raises:
        ConfigError: there is no such look or body.
    """
    if look != "video":
        return SceneConfig(look=look, body=body)
    return replace(VIDEO_PRESETS["hard" if split == "hard" else "train"], body=body)


def _write_on_one_core(root: Path, video: VideoPlan, config: SceneConfig, with_objects: bool) -> str:
    """Make a video with one thread, for use in a worker process; return the hash of its annotation."""
    cv2.setNumThreads(1)
    return write_video(root, video, config=config, with_objects=with_objects)


def write_video(root: Path, video: VideoPlan, *, config: SceneConfig | None = None, with_objects: bool = True) -> str:
    """Make one video and its annotation, perhaps with objects, unless both exist; default look: "plain" with tubes.

    Returns:
        SHA-256 of the annotation, as hexadecimal text.
    """
    path = video_path(root, video)
    folder = annotation_folder(root, video)
    if path.exists() and folder.is_dir():
        return _annotation_hash(folder)
    config = config or SceneConfig()
    scene = build_scene(video.seed, video.action, config=config)
    temporary_folder = folder.with_name(folder.name + ".part")
    for outdated in (folder, temporary_folder):  # before there is a video: one without its folder is made again
        shutil.rmtree(outdated, ignore_errors=True)
    temporary_folder.mkdir(parents=True)
    with VideoWriter(path, size=scene.size, quality=20, reproducible=True) as writer:
        for index in range(video.num_frames):
            rendered = scene.render(index / config.fps)
            writer.write(rendered.image, index / config.fps)
            annotation = frame_annotation(rendered.persons, rendered.objects if with_objects else None)
            text = json.dumps(annotation, separators=(",", ":"))
            (temporary_folder / frame_name(index)).write_text(text, encoding="ascii")
    temporary_folder.replace(folder)
    return _annotation_hash(folder)


def video_path(root: Path, video: VideoPlan) -> Path:
    """Return the path of a video's file."""
    return root / f"{video.split}_videos" / video.action / f"{video.name}.mp4"


def annotation_folder(root: Path, video: VideoPlan) -> Path:
    """Return the folder of a video's annotation, which contains the video's name twice, as in Kinetics-TPS."""
    return root / f"{video.split}_annotations" / video.action / video.name / video.name


def _annotation_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def frame_annotation(persons: Sequence[PersonTruth], objects: Sequence[ObjectTruth] | None = None) -> dict[str, Any]:
    """Convert ground truth to the format of Kinetics-TPS, plus keypoints (x, y, visibility) and identity.

    Args:
        persons: of one frame.
        objects: of the frame; None leaves out the entry "objects", as in versions before SynthTPS-2.1.
    """
    humans = [_human(index, person) for index, person in enumerate(persons, start=1)]
    if objects is None:
        return {"humans": humans}
    return {"humans": humans, "objects": [{"name": item.name, "box": _round_box(item.box)} for item in objects]}


def _human(index: int, person: PersonTruth) -> dict[str, Any]:
    parts = {
        name: {"number": index, "box": _round_box(person.parts[name]), "verb": person.states[name], "name": name}
        for name in PARTS
        if name in person.parts
    }
    keypoints = [[round(float(x), 2), round(float(y), 2), int(v)] for x, y, v in person.keypoints]
    box = _round_box(person.box)
    return {"number": index, "box": box, "parts": parts, "keypoints": keypoints, "identity": person.identity}


def _round_box(box: Sequence[float] | np.ndarray[Any, Any]) -> list[float]:
    return [round(float(value), 2) for value in box]


def _write_truth(root: Path, split: str, videos: Sequence[VideoPlan]) -> None:
    parts: dict[str, dict[str, Any]] = {}
    for video in videos:
        parts[video.name] = {}
        for name in (frame_name(index) for index in range(0, video.num_frames, EVALUATED_STRIDE)):
            humans = json.loads((annotation_folder(root, video) / name).read_text("ascii"))["humans"]
            evaluated = [{key: human[key] for key in ("number", "box", "parts")} for human in humans]
            parts[video.name][name] = {"humans": evaluated}
    truth = root / f"{split}_truth"
    write_text(truth / "gt_vid_result.json", json.dumps({video.name: video.action for video in videos}))
    write_text(truth / "gt_part_result.json", json.dumps(parts))


def _write_lists(root: Path, plan: DatasetPlan) -> None:
    folder = root / "list"
    write_text(folder / "body_part.txt", "\n".join(PARTS) + "\n")
    write_text(folder / "object.txt", "\n".join(OBJECTS) + "\n")  # `data check` needs it without objects, too
    states: set[str] = set()
    for split in plan.splits:
        truth = json.loads((root / f"{split.name}_truth" / "gt_part_result.json").read_text(encoding="utf-8"))
        humans = (human for frames in truth.values() for frame in frames.values() for human in frame["humans"])
        states |= {part["verb"] for human in humans for part in human["parts"].values()}
        lines = [f"{video.name},{video.num_frames}" for video in plan.videos(split.name)]
        write_text(folder / f"video_{split.name}_flist.csv", "\n".join(lines) + "\n")
    write_text(folder / "part_stat.txt", "\n".join(sorted(states)) + "\n")
