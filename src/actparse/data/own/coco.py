"""COCO JSON with persons and body parts as categories.

Source: the COCO format; videos and frames as in its extensions for video (COCO-VID, YouTube-VIS).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actparse.core.errors import DataError
from actparse.core.vocabulary import PARTS
from actparse.core.words import expect_word, readable
from actparse.data.annotation.coco_fields import (
    MAX_FRAME,
    box_field,
    coco_entries,
    entries_by_id,
    id_field,
    is_crowd,
    read_coco_json,
    text_field,
    whole_field,
)
from actparse.data.annotation.frame_names import frame_numbers, video_of
from actparse.data.annotation.ids import Id, person_id
from actparse.data.annotation.keypoint_names import KeypointOrder, keypoint_order
from actparse.data.annotation.scan import shown
from actparse.data.kinetics_tps import Box
from actparse.data.own.assembling import FrameLabels
from actparse.data.own.labelled import LabelledVideo

PERSON = "person"


@dataclass(frozen=True)
class CocoImage:
    """An image of a COCO file: its video, its frame from 0, and its location for messages."""

    video: str
    frame: int
    location: str
    content: Mapping[str, Any]


def read_coco(
    path: Path, *, first_frame: int = 0, ignore: Sequence[str] = (), videos: Collection[str] = ()
) -> tuple[LabelledVideo, ...]:
    """Read the labelled videos of a COCO file; regions with many persons (iscrowd) are left out.

    Args:
        path: of the file.
        first_frame: number of a video's first frame in image names.
        ignore: categories that are skipped.
        videos: names of the videos that an image without a video_id may be of.

    Raises:
        DataError: the file is not COCO JSON, or a field does not follow docs/own-data.md.
    """
    raw = read_coco_json(path)
    categories, order, order_warnings = _categories(raw, str(path), ignore)
    images = coco_images(raw, str(path), first_frame=first_frame, videos=videos)
    annotations: dict[Id, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    crowds: Counter[str] = Counter()
    for location, content in coco_entries(raw, "annotations", str(path)):
        image = id_field(content, "image_id", images, location)
        if categories[id_field(content, "category_id", categories, location)] is None:
            continue
        if is_crowd(content, location):
            crowds[images[image].video] += 1
        else:
            annotations[image].append((location, content))
    labels: dict[str, FrameLabels] = {}
    for image, contents in annotations.items():
        video_labels = labels.setdefault(images[image].video, FrameLabels(str(path)))
        _add_frame(video_labels, images[image], contents, categories, order)
    results = []
    for video, video_labels in labels.items():
        frames, warnings = video_labels.frames()
        if crowds[video]:
            left_out = f"{path}: {crowds[video]} regions of {readable(video)} with many persons (iscrowd): left out"
            warnings = (*warnings, left_out)
        results.append(LabelledVideo(str(path), video, frames, None, (*order_warnings, *warnings)))
        order_warnings = ()
    return tuple(results)


def _categories(
    raw: Mapping[str, Any], where: str, ignore: Sequence[str]
) -> tuple[dict[Id, str | None], KeypointOrder, tuple[str, ...]]:
    """Return the names by id, None for skipped categories; the order of the persons' keypoints; its warnings."""
    names: dict[Id, str | None] = {}
    order, warnings = KeypointOrder(), tuple[str, ...]()
    for category_id, (location, content) in entries_by_id(raw, "categories", where).items():
        name = content.get("name")
        if name in ignore:
            names[category_id] = None
            continue
        text = name if isinstance(name, str) else shown(name)
        names[category_id] = expect_word(text, (PERSON, *PARTS), f"{location}.name (or name it in ignore_labels)")
        if name == PERSON:
            order = keypoint_order(content, location)
            warnings = order.warnings(location)
    return names, order, warnings


def coco_images(
    raw: Mapping[str, Any], where: str, *, first_frame: int = 0, videos: Collection[str] = ()
) -> dict[Id, CocoImage]:
    """Return the images of a COCO file by id; arguments as in `read_coco`.

    Raises:
        DataError: the video or the frame of an image is missing or uncertain, or two images are the same frame.
    """
    listed_videos = entries_by_id(raw, "videos", where) if "videos" in raw else {}
    entries = entries_by_id(raw, "images", where)
    video_names: dict[Id, str] = {}
    files: dict[str, dict[str, str]] = defaultdict(dict)  # video -> location -> file, of images without a frame
    for image_id, (location, content) in entries.items():
        file = text_field(content.get("file_name", "-"), f"{location}.file_name").replace("\\", "/")
        if "video_id" in content:
            video_location, video = listed_videos[id_field(content, "video_id", listed_videos, location)]
            name: str | None = text_field(video.get("file_name", video.get("name")), f"{video_location}.name")
        else:
            name = video_of(file, videos)
        if not name:
            needs = "needs a video_id, or a file_name VIDEO/NUMBER.jpg"
            raise DataError(f"{location}: {needs}, got {readable(file)!r}")
        video_names[image_id] = name
        if not {"frame_index", "frame_id"} & set(content):
            files[name][location] = file
    by_name = {location: n for video, names in files.items() for location, n in frame_numbers(names, video).items()}
    images: dict[Id, CocoImage] = {}
    taken: dict[tuple[str, int], CocoImage] = {}
    for image_id, (location, content) in entries.items():
        if location in by_name:
            frame = by_name[location] - first_frame
            if not 0 <= frame <= MAX_FRAME:
                needs = f"needs a number from first_frame ({first_frame}) on"
                raise DataError(f"{location}: {needs}, got {by_name[location]}")
        else:
            key = "frame_index" if "frame_index" in content else "frame_id"
            frame = whole_field(content[key], f"{location}.{key}")
        image = CocoImage(video_names[image_id], frame, location, content)
        other = taken.setdefault((image.video, frame), image)
        if other is not image and other.content.get("file_name") != content.get("file_name"):
            got = f"frame {frame} of {readable(image.video)} also from {other.location.rpartition(': ')[2]}"
            raise DataError(f"{location}: needs a frame that no other image has, got {got}")
        images[image_id] = image
    return images


def _add_frame(
    labels: FrameLabels,
    image: CocoImage,
    contents: Sequence[tuple[str, dict[str, Any]]],
    names: Mapping[Id, str | None],
    order: KeypointOrder,
) -> None:
    """Add the persons and parts of an image; if it has only one person, no track_id is needed."""
    persons = [content for _, content in contents if names[content["category_id"]] == PERSON]
    for location, content in contents:
        name, track = str(names[content["category_id"]]), _field(content, "track_id")
        if track is None and len(persons) > 1:
            raise DataError(f"{location}: needs a track_id, the image has {len(persons)} persons, got none")
        track = _field(persons[0], "track_id") if persons and track is None else track
        identity = 1 if track is None else person_id(track, f"{location}.track_id")
        x1, y1, x2, y2 = box_field(content.get("bbox"), f"{location}.bbox")
        if x2 <= x1 or y2 <= y1:
            needs = "must have a width and a height above 0"
            raise DataError(f"{location}.bbox {needs}, got {shown(content.get('bbox'))}")
        box: Box = (x1, y1, x2, y2)
        if name != PERSON:
            state = _field(content, "state")
            if state is not None and not isinstance(state, str):
                raise DataError(f"{location}.state must be text, got {shown(state)}")
            labels.add_part(image.frame, identity, name, box, state or None, location)
            continue
        labels.add_person(image.frame, identity, box, location)
        if content.get("keypoints"):
            keypoints = order.read_labels(content["keypoints"], f"{location}.keypoints")
            labels.add_keypoints(image.frame, identity, keypoints, location)


def _field(content: Mapping[str, Any], key: str) -> Any:
    """Return an additional field: a key of the annotation, or one of its attributes, as in CVAT's export."""
    attributes = content.get("attributes")
    return content.get(key, attributes.get(key) if isinstance(attributes, dict) else None)
