"""Pages for inspecting a dataset: a contact sheet of its videos, and frames with their truth drawn on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError, VideoError
from actparse.core.files import write_text, written_beside
from actparse.core.vocabulary import NUM_KEYPOINTS, PART_INDEX, PARTS
from actparse.core.words import expect_word
from actparse.data.kinetics_tps import SPLITS, FrameTruth, KineticsTps, PersonTruth, VideoRecord, read_frame_truth
from actparse.report.inline import data_url, jpeg
from actparse.report.overlay import FONT, INK, MIN_SHORT_SIDE, PAPER, draw_frame
from actparse.report.templating import render
from actparse.report.tracks import PersonAt
from actparse.video.decode import read_frames

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Progress = Callable[[int, int], None]  # takes the number of finished videos and that of all videos
SHEET_FILE, PAGE_FILE = "sheet.jpg", "index.html"
TILE = (240, 320)  # (height, width) of a video on the sheet, pixels
CAPTION = 36  # height below a tile, pixels
MAX_COLUMNS = 6
TEXT_SCALE = 0.42  # scale of OpenCV's font on the sheet
JPEG_QUALITY = 82


@dataclass(frozen=True, kw_only=True)
class ShowConfig:
    """Selection of the videos and frames to show."""

    actions: tuple[str, ...] = ()  # empty for all
    splits: tuple[str, ...] = ()  # empty for all
    max_videos: int = 60  # taken from all actions in turn
    frames_per_video: int = 4

    def __post_init__(self) -> None:
        for name in ("max_videos", "frames_per_video"):
            if getattr(self, name) < 1:
                raise ConfigError(f"show.{name} must be at least 1, got {getattr(self, name)}")

    def choose(self, dataset: KineticsTps) -> tuple[list[tuple[str, VideoRecord]], int]:
        """Choose videos from all actions in turn; return them by action and name, and the number of candidates."""
        for action in self.actions:
            expect_word(action, dataset.actions, f"{dataset.root}: action")
        for split in self.splits:
            expect_word(split, dataset.splits, f"{dataset.root}: split")
        by_action: dict[str, list[tuple[str, VideoRecord]]] = defaultdict(list)
        for split in self.splits or dataset.splits:
            for record in dataset.videos(split):
                if not self.actions or record.action in self.actions:
                    by_action[record.action].append((split, record))
        rounds = zip_longest(*(by_action[action] for action in sorted(by_action)))
        in_turn = [item for items in rounds for item in items if item is not None]
        chosen = sorted(in_turn[: self.max_videos], key=lambda item: (item[1].action, item[1].name))
        return chosen, len(in_turn)


@dataclass(frozen=True)
class Shown:
    """The written files, and a line for each video that could not be shown."""

    sheet: Path
    page: Path
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Frame:
    index: int
    time_seconds: float
    image: Image  # resized to MIN_SHORT_SIDE
    persons: tuple[PersonAt, ...]  # pixels of `image`
    truth: FrameTruth

    def to_dict(self, action: str) -> dict[str, Any]:
        """Draw the frame and its truth, and return the page's values."""
        title = f"{action.replace('_', ' ')}  frame {self.index}"
        picture = draw_frame(self.image, self.persons, title, self.time_seconds)
        texts = []
        for person in self.truth.persons:
            states = [f"{name} {person.parts[name].state}" for name in PARTS if name in person.parts]
            boxes = [name for name in PARTS if name in person.unstated]
            facts = [", ".join(states) or "no states"]
            facts += [f"without a state: {', '.join(boxes)}"] if boxes else []
            facts += [f"{(person.keypoints[:, 2] > 0).sum()} keypoints"] if person.keypoints is not None else []
            texts.append(f"person {person.number if person.identity is None else person.identity}: {'; '.join(facts)}")
        return {
            "index": self.index,
            "time_seconds": self.time_seconds,
            "source": data_url(jpeg(picture, quality=JPEG_QUALITY), "image/jpeg"),
            "height": picture.shape[0],
            "width": picture.shape[1],
            "persons": texts,
        }


@dataclass(frozen=True)
class _Video:
    record: VideoRecord
    split: str
    num_annotated: int  # annotated frames
    frames: tuple[_Frame, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the page's values."""
        return {
            "name": self.record.name,
            "action": self.record.action,
            "split": self.split,
            "num_annotated": self.num_annotated,
            "frames": [frame.to_dict(self.record.action) for frame in self.frames],
        }

    def tile(self) -> Image:
        """Draw the middle frame, fitted into TILE, with two lines of text."""
        frame = self.frames[len(self.frames) // 2]
        height, width = frame.image.shape[:2]
        scale = min(TILE[0] / height, TILE[1] / width)
        persons = [replace(person.scaled(scale), states={}) for person in frame.persons]
        small = draw_frame(_resize(frame.image, scale), persons, "", frame.time_seconds)[: round(height * scale)]
        tile = np.full((TILE[0] + CAPTION, TILE[1], 3), INK, np.uint8)
        top, left = (TILE[0] - small.shape[0]) // 2, (TILE[1] - small.shape[1]) // 2
        tile[top : top + small.shape[0], left : left + small.shape[1]] = small
        _write(tile, self.record.action.replace("_", " "), TILE[0] + 15)
        _write(tile, f"{self.record.name}  ({self.split})", TILE[0] + 30)
        return tile

    @classmethod
    def read(cls, record: VideoRecord, split: str, num_frames: int) -> _Video:
        """Read some frames of a video, evenly spaced among the annotated ones.

        Raises:
            DataError: none of the frames has a person, or an annotation is invalid.
            VideoError: the video cannot be read.
        """
        paths = record.annotations()
        picked = evenly(list(paths), num_frames)
        truths = {index: read_frame_truth(paths[index]) for index in picked}
        if not any(truth.persons for truth in truths.values()):
            raise DataError(f"{record.annotation_dir}: needs annotated persons to show, got none")
        frames: list[_Frame] = []
        with read_frames(record.path) as reader:
            for frame in reader:
                if frame.index in truths:
                    truth, scale = truths[frame.index], MIN_SHORT_SIDE / min(frame.image.shape[:2])
                    persons = tuple(person_at(person).scaled(scale) for person in truth.persons)
                    frames.append(_Frame(frame.index, frame.time_seconds, _resize(frame.image, scale), persons, truth))
                if frame.index >= max(truths):
                    break
        if not frames:
            raise DataError(f"{record.path}: needs a frame that is annotated, got none up to {max(truths)}")
        return cls(record, split, len(paths), tuple(frames))


def show_dataset(
    root: Path, out: Path, config: ShowConfig, *, name: str | None = None, progress: Progress | None = None
) -> Shown:
    """Write the sheet and the page.

    Args:
        root: root folder of the dataset.
        out: the folder for both.
        config: the selection of videos and frames.
        name: name of the dataset for the title; None for that of the root.
        progress: called with the number of finished videos and that of all videos.

    Raises:
        DataError: there is no dataset, no such split or action, or no annotated video to show.
        OutputError: a file cannot be written.
    """
    chosen, total = config.choose(KineticsTps(root))
    videos, warnings = [], []
    for num_done, (split, record) in enumerate(chosen, start=1):
        try:
            videos.append(_Video.read(record, split, config.frames_per_video))
        except (DataError, VideoError) as error:
            warnings.append(str(error))
        if progress:
            progress(num_done, len(chosen))
    if not videos:
        raise DataError(f"{root}: needs an annotated video to show, got {warnings[0] if warnings else 'none'}")
    sheet, page = out / SHEET_FILE, out / PAGE_FILE
    with written_beside(sheet) as beside:
        beside.write_bytes(jpeg(contact_sheet([video.tile() for video in videos]), quality=JPEG_QUALITY))
    actions = sorted({video.record.action for video in videos})
    values = {
        "title": f"Frames of {name or root.name}",
        "subtitle": f"{len(videos)} of {total} videos, {len(actions)} actions. Boxes and states are the labels'.",
        "actions": actions,
        "splits": [split for split in SPLITS if any(video.split == split for video in videos)],
        "videos": [video.to_dict() for video in videos],
    }
    write_text(page, render("dataset.html", values))
    return Shown(sheet, page, tuple(warnings))


def evenly(values: Sequence[int], count: int) -> list[int]:
    """Select at most `count` of some values, evenly spaced, each from the middle of its interval."""
    if len(values) <= count:
        return list(values)
    return [values[int((n + 0.5) * len(values) / count)] for n in range(count)]


def person_at(person: PersonTruth) -> PersonAt:
    """Convert an annotated person to the form that the overlay draws; a part without a state has only its box."""
    boxes = person.part_boxes()
    parts, scores = np.zeros((len(PARTS), 4)), np.zeros(len(PARTS))
    for name, box in boxes.items():
        parts[PART_INDEX[name]], scores[PART_INDEX[name]] = box, 1.0
    keypoints = np.zeros((NUM_KEYPOINTS, 3))
    if person.keypoints is not None:
        keypoints[:] = person.keypoints
        keypoints[:, 2] = keypoints[:, 2] > 0
    track_id = person.number if person.identity is None else person.identity
    states = {name: part.state for name, part in person.parts.items()}
    return PersonAt(track_id, np.array(person.box), keypoints, parts, scores, states)


def _resize(image: Image, scale: float) -> Image:
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    rule = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=rule), np.uint8)


def _write(tile: Image, text: str, base: int) -> None:
    """Write a line of text, smaller if the tile is narrower."""
    width = cv2.getTextSize(text, FONT, TEXT_SCALE, 1)[0][0]
    scale = TEXT_SCALE * min(1.0, (tile.shape[1] - 8) / max(width, 1))
    cv2.putText(tile, text, (4, base), FONT, scale, PAPER, 1, cv2.LINE_AA)


def contact_sheet(tiles: Sequence[Image]) -> Image:
    """Arrange tiles of one size side by side, row after row."""
    columns = min(MAX_COLUMNS, int(np.ceil(np.sqrt(len(tiles)))))
    filled = [*tiles, *[np.full_like(tiles[0], INK)] * (-len(tiles) % columns)]
    return np.vstack([np.hstack(filled[start : start + columns]) for start in range(0, len(filled), columns)])
