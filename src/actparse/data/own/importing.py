"""From the YAML file of a dataset of one's own to a tree in Kinetics-TPS's folders."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from actparse.core.errors import DataError
from actparse.core.vocabulary import PART_GROUP
from actparse.core.words import expect_word, readable, suggestion
from actparse.data.kinetics_tps import VIDEO_SUFFIXES, FrameTruth, KineticsTps, read_frame_truth
from actparse.data.own.coco import read_coco, read_state_rows
from actparse.data.own.config import OwnConfig, SplitConfig, is_description, read_config
from actparse.data.own.cvat import read_cvat
from actparse.data.own.labelled import LabelledVideo
from actparse.data.own.states import with_states
from actparse.data.own.tree import GENERATOR, OwnVideo, read_manifest, write_tree
from actparse.data.submission import EVALUATED_STRIDE

TRAIN, VAL, TEST = "train", "val", "test"
MAX_BYTES = 16 << 20  # of the CSV file of actions


@dataclass(frozen=True)
class ImportReport:
    """What was made: videos by split, labelled frames, and a line for everything that was left out."""

    root: Path
    videos: dict[str, int]
    num_frames: int
    warnings: tuple[str, ...]

    def to_text(self) -> str:
        """For a person."""
        counts = ", ".join(f"{count} {split}" for split, count in self.videos.items())
        return f"{self.root}: {sum(self.videos.values())} videos ({counts}), {self.num_frames} labelled frames"


def dataset_root(path: Path) -> tuple[Path, ImportReport | None]:
    """The root of a dataset: the folder itself, or what a YAML file describes, imported where that is not yet done.

    Args:
        path: a dataset's folder, or a YAML file; its tree lies beside it, in .cache/<the file's stem>.

    Returns:
        The root, and what was imported now.

    Raises:
        ConfigError: the YAML file is not as it should be.
        DataError: a label file is not.
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
    """Read all labels, hold them against the words and the videos, and write the tree.

    Args:
        config: of the dataset.
        root: where the tree goes.

    Raises:
        DataError: a label file is not as it should be, says a word that the lists lack, or names a video that is not
            there.
        VideoError: a video cannot be read.
        OutputError: the tree cannot be written.
    """
    key = _key(config)
    files = find_videos(config.videos) if config.kind != "kinetics-tps" else _videos_of_tree(config.videos)
    labelled = list(_read_labels(config))
    frames, said = _by_video(labelled, files)
    warnings = [line for video in labelled for line in video.warnings]
    if config.state_rows:
        frames = _with_rows(config, frames, files)
    actions = _actions(config, said, files, frames)
    for name, truths in frames.items():
        _expect_states(config, name, truths)
    splits = divide(config.split, {name: actions[name] for name in frames}, config.path)
    videos = [OwnVideo(name, files[name], splits[name], actions[name], frames[name]) for name in sorted(frames)]
    write_tree(root, videos, config.all_states(), key=key)
    counts = {split: list(splits.values()).count(split) for split in (TRAIN, VAL, TEST)}
    return ImportReport(
        root=root,
        videos={split: count for split, count in counts.items() if count},
        num_frames=sum(map(len, frames.values())),
        warnings=(*warnings, *_warnings(config, videos, files)),
    )


def _key(config: OwnConfig) -> str:
    """Changes with the YAML file, a label file, or a video."""
    digest = hashlib.sha256(GENERATOR.encode())
    lists = [config.path, *config.labels, *config.state_rows, *([config.action_of] if config.action_of else [])]
    for path in lists:
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
    """The videos of a folder and of the folders in it, by name.

    Raises:
        DataError: there is no such folder, no video in it, or two have one name.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: needs a folder of videos, got no such folder")
    found: dict[str, Path] = {}
    for path in sorted((*folder.glob("*"), *folder.glob("*/*"))):
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file() and not path.name.startswith("."):
            if path.stem in found:
                raise DataError(f"{path}: a video's name must be unique, got it also as {found[path.stem]}")
            found[path.stem] = path
    if not found:
        raise DataError(f"{folder}: needs videos ({', '.join(VIDEO_SUFFIXES)}), got none")
    return found


def _videos_of_tree(root: Path) -> dict[str, Path]:
    dataset = KineticsTps(root)
    records = [record for split in dataset.splits for record in dataset.videos(split)]
    found = {record.name: record.path for record in records}
    if len(found) < len(records):
        raise DataError(f"{root}: a video's name must be unique in all splits, got one twice")
    return found


def _read_labels(config: OwnConfig) -> Iterator[LabelledVideo]:
    if config.kind == "cvat":
        for path in config.labels:
            yield from read_cvat(path, ignore=config.ignore_labels)
    elif config.kind == "coco":
        for path in config.labels:
            yield from read_coco(path, first_frame=config.first_frame, ignore=config.ignore_labels)
    else:
        yield from _read_tree(config.videos)


def _read_tree(root: Path) -> Iterator[LabelledVideo]:
    dataset = KineticsTps(root)
    for record in (record for split in dataset.splits for record in dataset.videos(split)):
        frames = {frame: read_frame_truth(path) for frame, path in record.annotations().items()}
        labelled = {frame: truth for frame, truth in frames.items() if truth.persons}
        yield LabelledVideo(str(record.annotation_dir), record.path.name, labelled, record.action)


def _by_video(
    labelled: Sequence[LabelledVideo], files: Mapping[str, Path]
) -> tuple[dict[str, dict[int, FrameTruth]], dict[str, str]]:
    """Frames and actions by the video's name; several files may have labels of one video, of other frames each."""
    frames: dict[str, dict[int, FrameTruth]] = defaultdict(dict)
    actions: dict[str, str] = {}
    for video in labelled:
        name = video_name(video.video, files, video.where)
        both = sorted(set(frames[name]) & set(video.frames))
        if both:
            raise DataError(
                f"{video.where}: needs frames of {name} that no other file labels, got frame {both[0]} again"
            )
        frames[name].update(video.frames)
        if video.action is not None and actions.setdefault(name, video.action) != video.action:
            raise DataError(
                f"{video.where}: needs the action {actions[name]!r} of {name}, got {readable(video.action)!r}"
            )
    return {name: dict(sorted(found.items())) for name, found in frames.items() if found}, actions


def video_name(text: str, files: Mapping[str, Path], where: str) -> str:
    """The video that a label file means: by its file's name, with or without folders and the suffix.

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
    config: OwnConfig, frames: Mapping[str, dict[int, FrameTruth]], files: Mapping[str, Path]
) -> dict[str, dict[int, FrameTruth]]:
    found = dict(frames)
    for path in config.state_rows:
        for video, rows in read_state_rows(path).items():
            name = video_name(video, files, str(path))
            for row in rows:
                known = {state for part in row.parts for state in config.states.get(PART_GROUP[part], ())}
                expect_word(row.state, sorted(known), f"{row.place}: state")
            found[name] = with_states(found.get(name, {}), rows, files[name])
    return {name: truths for name, truths in found.items() if truths}


def _actions(
    config: OwnConfig, said: Mapping[str, str], files: Mapping[str, Path], names: Mapping[str, object]
) -> dict[str, str]:
    """The action of each labelled video: of the CSV file, else of its labels, else of the folder that it lies in."""
    listed = {} if config.action_of is None else _read_actions(config.action_of, files)
    found = {}
    for name in names:
        where, action = str(config.action_of), listed.get(name)
        if action is None:
            where, action = f"{name}: the attribute action", said.get(name)
        if action is None and files[name].parent.resolve() != config.videos.resolve():
            where, action = f"{files[name]}: its folder, an action", files[name].parent.name
        if action is None:
            needs = "needs an action: in action_of, as an attribute of its persons, or as the name of its folder"
            raise DataError(f"{files[name]}: {needs}, got none")
        found[name] = expect_word(action, config.actions, where)
    return found


def _read_actions(path: Path, files: Mapping[str, Path]) -> dict[str, str]:
    """A CSV file with the columns video and action."""
    found: dict[str, str] = {}
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: needs at most {MAX_BYTES >> 20} MB, got more")
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            if not {"video", "action"} <= set(table.fieldnames or ()):
                got = readable(", ".join(table.fieldnames or ())) or "none"
                raise DataError(f"{path}: needs the columns video and action, got {got}")
            for row in table:
                name = video_name(str(row["video"] or "").strip(), files, f"{path}: line {table.line_num}")
                if name in found:
                    raise DataError(f"{path}: line {table.line_num}: needs each video once, got {name} again")
                found[name] = str(row["action"] or "").strip()
    except OSError as error:
        raise DataError(f"{path}: needs a CSV file, got: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: needs a CSV file in UTF-8, got: {error}") from None
    return found


def _expect_states(config: OwnConfig, name: str, frames: Mapping[int, FrameTruth]) -> None:
    for frame, truth in frames.items():
        for person in truth.persons:
            for part, stated in person.parts.items():
                where = f"{name}: frame {frame}, person {person.identity or person.number}: the state of {part}"
                expect_word(stated.state, config.states.get(PART_GROUP[part], ()), where)


def divide(config: SplitConfig, actions: Mapping[str, str], where: Path) -> dict[str, str]:
    """The split of each video, by its name.

    Args:
        config: how.
        actions: by the videos' names.
        where: begins the messages.

    Raises:
        DataError: a name that is not there, or nothing left to train on.
    """
    for split, names in (("val", config.val), ("test", config.test)):
        for name in names:
            expect_word(name, sorted(actions), f"{where}: split.{split}: a labelled video")
    splits = {name: VAL if name in config.val else TEST if name in config.test else TRAIN for name in actions}
    if not config.val:
        left = {name: actions[name] for name in actions if splits[name] == TRAIN}
        splits |= dict.fromkeys(_drawn(left, config), VAL)
    if TRAIN not in splits.values():
        raise DataError(f"{where}: split: needs a video to train on, got none")
    return splits


def _drawn(actions: Mapping[str, str], config: SplitConfig) -> Iterator[str]:
    """A share of each action's videos, but not all: the first ones by a hash of their names and the seed."""
    by_action: dict[str, list[str]] = defaultdict(list)
    for name, action in actions.items():
        by_action[action].append(name)
    for names in by_action.values():
        ranked = sorted(names, key=lambda name: hashlib.sha256(f"{config.seed}/{name}".encode()).hexdigest())
        wanted = max(1, round(config.val_share * len(names))) if config.val_share else 0
        yield from ranked[: min(wanted, len(names) - 1)]


def _warnings(config: OwnConfig, videos: Sequence[OwnVideo], files: Mapping[str, Path]) -> Iterator[str]:
    """What a person should know before training."""
    bare = sorted(set(files) - {video.name for video in videos})
    if bare:
        yield f"{config.videos}: {len(bare)} videos have no labels and are left out, {bare[0]} among them"
    for video in videos:
        if video.split != TRAIN and not any(frame % EVALUATED_STRIDE == 0 for frame in video.frames):
            needs = f"one of the frames 0, {EVALUATED_STRIDE}, {2 * EVALUATED_STRIDE}, ... must be labelled"
            yield f"{video.name}: its parts cannot be judged: {needs}, got frame {min(video.frames)} first"
    trained = {video.action for video in videos if video.split == TRAIN}
    for action in config.actions:
        if action not in trained:
            yield f"{config.path}: no training video shows the action {action!r}"
    if all(video.split == TRAIN for video in videos):
        yield f"{config.path}: no video is held out, and training needs some: more videos of an action, or split.val"
