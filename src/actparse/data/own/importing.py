"""Import of a custom dataset: from its YAML file to a tree in the layout of Kinetics-TPS."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import PART_GROUP
from actparse.core.words import expect_word, readable, suggestion, summarised
from actparse.data.annotation.csv_table import read_csv
from actparse.data.kinetics_tps import VIDEO_SUFFIXES, FrameTruth, KineticsTps, read_frame_truth
from actparse.data.own.assembling import FrameLabels
from actparse.data.own.coco import read_coco
from actparse.data.own.config import OwnConfig, SplitConfig, is_description, read_config
from actparse.data.own.cvat import read_cvat
from actparse.data.own.labelled import LabelledVideo
from actparse.data.own.states import read_state_rows, with_states
from actparse.data.own.tree import GENERATOR, OwnVideo, read_manifest, write_tree
from actparse.data.submission import EVALUATED_STRIDE
from actparse.video.decode import frame_times

TRAIN, VAL, TEST = "train", "val", "test"


@dataclass(frozen=True)
class ImportReport:
    """Result of an import: number of videos by split, of labelled frames, and a warning for everything left out."""

    root: Path
    videos: dict[str, int]
    num_frames: int
    warnings: tuple[str, ...]

    def to_text(self) -> str:
        """Return the counts as one line of text."""
        counts = ", ".join(f"{count} {split}" for split, count in self.videos.items())
        return f"{self.root}: {sum(self.videos.values())} videos ({counts}), {self.num_frames} labelled frames"


def dataset_root(path: Path) -> tuple[Path, ImportReport | None]:
    """Return the root of a dataset: the folder itself, or the tree of a YAML file, which is imported if necessary.

    Args:
        path: a dataset's folder, or a YAML file; its tree is written beside it, to .cache/<the file's stem>.

    Returns:
        The root, and the report of an import, None if none was necessary.

    Raises:
        ConfigError: the YAML file is invalid.
        DataError: a label file is invalid.
    """
    if not is_description(path):
        return path, None
    config = read_config(path)
    root = path.parent / ".cache" / path.stem
    manifest = read_manifest(root)
    if manifest is not None and manifest.get("key") == _key(config):
        return root, None
    return root, import_dataset(config, root)


def import_dataset(config: OwnConfig, root: Path) -> ImportReport:
    """Read all labels, check them against the words and the videos, and write the tree.

    Args:
        config: of the dataset.
        root: folder of the tree.

    Raises:
        DataError: a label file is invalid, or has a word that the lists lack or a video that does not exist.
        VideoError: a video cannot be read.
        OutputError: the tree cannot be written.
    """
    key = _key(config)
    files = find_videos(config.videos) if config.kind != "kinetics-tps" else _videos_of_tree(config.videos)
    labelled = list(_read_labels(config, files))
    times = {name: frame_times(files[name]) for name in {video_name(v.video, files, v.where) for v in labelled}}
    frames, labelled_actions = _by_video(labelled, files, times)
    warnings = [line for video in labelled for line in video.warnings]
    if config.state_rows:
        frames = _with_rows(config, frames, files, times)
    actions = _actions(config, labelled_actions, files, frames)
    for name, frame, person in ((n, f, p) for n in frames for f, truth in frames[n].items() for p in truth.persons):
        for part, part_truth in person.parts.items():
            where = f"{name}: frame {frame}, person {person.identity or person.number}: the state of {part}"
            expect_word(part_truth.state, config.states.get(PART_GROUP[part], ()), where)
    splits = divide(config.split, {name: actions[name] for name in frames}, config.path)
    videos = [
        OwnVideo(name, files[name], splits[name], actions[name], frames[name], len(times[name]))
        for name in sorted(frames)
    ]
    write_tree(root, videos, config.all_states(), key=key)
    counts = {split: list(splits.values()).count(split) for split in (TRAIN, VAL, TEST)}
    return ImportReport(
        root=root,
        videos={split: count for split, count in counts.items() if count},
        num_frames=sum(map(len, frames.values())),
        warnings=(*summarised(warnings), *_warnings(config, videos, files)),
    )


def _key(config: OwnConfig) -> str:
    """Return a hash of the YAML file, the label files, and the sizes and times of the videos."""
    digest = hashlib.sha256(GENERATOR.encode())
    sources = [config.path, *config.labels, *config.state_rows, *([config.action_of] if config.action_of else [])]
    for path in sources:
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    patterns = ("*/*/*/*", "*/*/*/*/*") if config.kind == "kinetics-tps" else ()  # annotation files, nested or not
    for pattern in ("*", "*/*", "*/*/*", *patterns):
        for path in sorted(config.videos.glob(pattern)):
            if path.is_file():
                status = path.stat()
                digest.update(json.dumps([str(path), status.st_size, status.st_mtime_ns]).encode())
    return digest.hexdigest()


def find_videos(folder: Path) -> dict[str, Path]:
    """Return the videos of a folder and its subfolders, by name.

    Raises:
        DataError: there is no such folder, no video in it, or two have the same name.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: needs a folder of videos, got no such folder")
    videos: dict[str, Path] = {}
    for path in sorted((*folder.glob("*"), *folder.glob("*/*"))):
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file() and not path.name.startswith("."):
            if path.stem in videos:
                raise DataError(f"{path}: a video's name must be unique, got it also as {videos[path.stem]}")
            videos[path.stem] = path
    if not videos:
        raise DataError(f"{folder}: needs videos ({', '.join(VIDEO_SUFFIXES)}), got none")
    return videos


def _videos_of_tree(root: Path) -> dict[str, Path]:
    dataset = KineticsTps(root)
    records = [record for split in dataset.splits for record in dataset.videos(split)]
    videos = {record.name: record.path for record in records}
    if len(videos) < len(records):
        raise DataError(f"{root}: a video's name must be unique in all splits, got one twice")
    return videos


def _read_labels(config: OwnConfig, files: Mapping[str, Path]) -> Iterator[LabelledVideo]:
    if config.kind == "cvat":
        for path in config.labels:
            yield from read_cvat(path, ignore=config.ignore_labels)
    elif config.kind == "coco":
        for path in config.labels:
            yield from read_coco(path, first_frame=config.first_frame, ignore=config.ignore_labels, videos=files)
    else:
        dataset = KineticsTps(config.videos)
        for record in (record for split in dataset.splits for record in dataset.videos(split)):
            frames = {frame: read_frame_truth(path) for frame, path in record.annotations().items()}
            labelled = {frame: truth for frame, truth in frames.items() if truth.persons}
            yield LabelledVideo(str(record.annotation_dir), record.path.name, labelled, record.action)


def _by_video(
    labelled: Sequence[LabelledVideo], files: Mapping[str, Path], times: Mapping[str, NDArray[np.float64]]
) -> tuple[dict[str, dict[int, FrameTruth]], dict[str, str]]:
    """Return frames and actions by video name; frames that several files label must agree."""
    frames: dict[str, dict[int, FrameTruth]] = defaultdict(dict)
    sources: dict[str, str] = {}
    actions: dict[str, str] = {}
    for video in labelled:
        name = video_name(video.video, files, video.where)
        end = len(times[name])
        beyond = sorted(frame for frame in video.frames if frame >= end)
        if beyond:
            needs = f"needs frames of {name}, which has {end} (0 to {end - 1})"
            more = f" and {len(beyond) - 1} more past its end" if len(beyond) > 1 else ""
            raise DataError(f"{video.where}: {needs}, got frame {beyond[0]}{more}")
        merged = FrameLabels(video.where)
        for frame in sorted(set(frames[name]) & set(video.frames)):
            merged.add_frame(frame, frames[name][frame], sources[name])
            merged.add_frame(frame, video.frames[frame], f"{video.where} (and {sources[name]})")
        frames[name] |= video.frames | merged.frames()[0]
        sources[name] = video.where
        if video.action is not None and actions.setdefault(name, video.action) != video.action:
            raise DataError(
                f"{video.where}: needs the action {actions[name]!r} of {name}, got {readable(video.action)!r}"
            )
    return {name: dict(sorted(truths.items())) for name, truths in frames.items() if truths}, actions


def video_name(text: str, files: Mapping[str, Path], where: str) -> str:
    """Return the name of a label file's video, given as file name with or without folders and suffix.

    Raises:
        DataError: there is no such video.
    """
    last = text.replace("\\", "/").rpartition("/")[2]
    for name, path in files.items():
        if last in (path.name, name):
            return name
    stem = last.rpartition(".")[0]
    if stem in files:
        return stem
    hint = suggestion(stem or last, files)
    raise DataError(f"{where}: needs a video {readable(last)!r} among those of the folder, got none{hint}")


def _with_rows(
    config: OwnConfig,
    frames: Mapping[str, dict[int, FrameTruth]],
    files: Mapping[str, Path],
    times: Mapping[str, NDArray[np.float64]],
) -> dict[str, dict[int, FrameTruth]]:
    frames_with_states = dict(frames)
    for path in config.state_rows:
        for video, rows in read_state_rows(path).items():
            name = video_name(video, files, str(path))
            for row in rows:
                allowed = {state for part in row.parts for state in config.states.get(PART_GROUP[part], ())}
                expect_word(row.state, sorted(allowed), f"{row.place}: state")
            if name in frames_with_states:
                frames_with_states[name] = with_states(frames_with_states[name], rows, times[name])
    return frames_with_states


def _actions(
    config: OwnConfig, labelled: Mapping[str, str], files: Mapping[str, Path], names: Mapping[str, object]
) -> dict[str, str]:
    """Return the action of each labelled video: from the CSV file, else from its labels, else from its folder."""
    listed: dict[str, str] = {}
    if config.action_of is not None:
        table = read_csv(config.action_of, required=("video", "action"))
        for row in table.rows:
            cells = table.named(row)
            name = video_name(cells["video"], files, row.where)
            if name in listed:
                raise DataError(f"{row.where}: needs each video once, got {name} again")
            listed[name] = cells["action"]
    actions = {}
    for name in names:
        where, action = str(config.action_of), listed.get(name)
        if action is None:
            where, action = f"{name}: the attribute action", labelled.get(name)
        if action is None and files[name].parent.resolve() != config.videos.resolve():
            where, action = f"{files[name]}: its folder, an action", files[name].parent.name
        if action is None:
            needs = "needs an action: in action_of, as an attribute of its persons, or as the name of its folder"
            raise DataError(f"{files[name]}: {needs}, got none")
        actions[name] = expect_word(action, config.actions, where)
    return actions


def divide(config: SplitConfig, actions: Mapping[str, str], where: Path) -> dict[str, str]:
    """Choose the split of each video; returns them by name.

    Without `config.val`, a share of each action's videos is held out, never all: the first ones by a hash of their
    names and the seed.

    Args:
        config: settings of the split.
        actions: of the videos, by name.
        where: start of the messages.

    Raises:
        DataError: the config has an unknown name, or no video is left for training.
    """
    for split, names in (("val", config.val), ("test", config.test)):
        for name in names:
            expect_word(name, sorted(actions), f"{where}: split.{split}: a labelled video")
    splits = {name: VAL if name in config.val else TEST if name in config.test else TRAIN for name in actions}
    if not config.val:
        by_action: dict[str, list[str]] = defaultdict(list)
        for name in actions:
            if splits[name] == TRAIN:
                by_action[actions[name]].append(name)
        for candidates in by_action.values():
            ranked = sorted(candidates, key=lambda name: hashlib.sha256(f"{config.seed}/{name}".encode()).hexdigest())
            count = max(1, round(config.val_share * len(ranked))) if config.val_share else 0
            splits |= dict.fromkeys(ranked[: min(count, len(ranked) - 1)], VAL)
    if TRAIN not in splits.values():
        raise DataError(f"{where}: split: needs a video to train on, got none")
    return splits


def _warnings(config: OwnConfig, videos: Sequence[OwnVideo], files: Mapping[str, Path]) -> Iterator[str]:
    """Yield warnings that the user should know before training."""
    unlabelled = sorted(set(files) - {video.name for video in videos})
    if unlabelled:
        yield f"{config.videos}: {len(unlabelled)} videos have no labels and are left out, {unlabelled[0]} among them"
    needs = f"one of the frames 0, {EVALUATED_STRIDE}, {2 * EVALUATED_STRIDE}, ... must be labelled"
    yield from summarised(
        [
            f"{video.name}: its parts cannot be evaluated: {needs}, got frame {min(video.frames)} first"
            for video in videos
            if video.split != TRAIN and not any(frame % EVALUATED_STRIDE == 0 for frame in video.frames)
        ]
    )
    trained_actions = {video.action for video in videos if video.split == TRAIN}
    untrained = [action for action in config.actions if action not in trained_actions]
    yield from summarised([f"{config.path}: no training video shows the action {action!r}" for action in untrained])
    if all(video.split == TRAIN for video in videos):
        yield f"{config.path}: no video is held out, and training needs some: more videos of an action, or split.val"
