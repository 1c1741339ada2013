"""Files of the evaluator: gt_*.json and pred_*.json, in a folder or a zip, and the challenge's submission.

The files are not trusted: zips are read in memory, member by member, and nothing is extracted.
"""

from __future__ import annotations

import json
import lzma
import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actparse.core.errors import DataError
from actparse.core.files import written_beside
from actparse.core.structures import VideoParse
from actparse.core.vocabulary import PART_INDEX
from actparse.data.kinetics_tps import FrameTruth, frame_name

EVALUATED_STRIDE = 5  # img_00001, img_00006, ...
MAX_HUMANS = 10  # of a frame
MAX_PROPOSALS = 5  # of a part
MAX_MEMBER_BYTES = 2**31  # of a zip's member, unpacked
MAX_PIXEL = 10**9  # limit of an integer coordinate; no image is larger
FRAME_NAME = re.compile(r"img_\d{5}\.json")


def frame_index(name: str) -> int:
    """Return the index, from 0, of a frame with this name: the inverse of `frame_name`.

    Raises:
        DataError: the name does not have this form.
    """
    if not FRAME_NAME.fullmatch(name):
        raise DataError(f"a frame's name must be img_ and five digits and .json, got {name!r}")
    return int(name[4:9]) - 1


@dataclass(frozen=True)
class TpsFiles:
    """Content of the evaluator's two files: {video: action} and {video: {frame: {"humans": [...]}}}."""

    videos: dict[str, str]
    parts: dict[str, dict[str, Any]]


def load_truth(folder: Path) -> TpsFiles:
    """Read gt_vid_result.json and gt_part_result.json.

    Raises:
        DataError: a file is missing, not JSON, or not in the evaluator's format.
    """
    truth = _load(folder, "gt")
    for video, frames in truth.parts.items():
        for frame, annotation in frames.items():
            for index, human in enumerate(annotation["humans"], start=1):
                _check_true_human(human, f"{folder}: video {video}, {frame}, person {index}")
    return truth


def _check_true_human(human: Any, where: str) -> None:
    """Check that the evaluator can read a person; boxes may be inverted, as some in Kinetics-TPS are."""
    parts = human.get("parts", {}) if isinstance(human, dict) else None
    if not isinstance(parts, dict) or not _is_four_numbers(human.get("box")):
        raise DataError(f"{where}: needs an object with a box of four finite numbers and parts, got {human!r:.80}")
    for name, part in parts.items():
        if not isinstance(part, dict) or not _is_four_numbers(part.get("box")) or "verb" not in part:
            raise DataError(f"{where}, {name}: needs a box of four finite numbers and a verb, got {part!r:.80}")


def load_predictions(path: Path) -> TpsFiles:
    """Read pred_vid_result.json and pred_part_result.json from a folder or a zip.

    A folder of truth may be scored too: gt_*.json are used if there is no pred_*.json.

    Raises:
        DataError: as `load_truth`, or the zip is damaged.
    """
    is_truth = path.is_dir() and not (path / "pred_vid_result.json").exists() and (path / "gt_vid_result.json").exists()
    if not is_truth:
        return _load(path, "pred")
    truth = _load(path, "gt")
    for frames in truth.parts.values():
        for content in frames.values():
            content["humans"] = [_as_proposal(human) for human in content["humans"]]
    return truth


def _as_proposal(human: Any) -> Any:
    """Convert a true person to the format of predictions: lists of one box and one state."""
    if not isinstance(human, dict) or not isinstance(human.get("parts"), dict):
        return human
    parts = {
        name: {**part, "box": [part.get("box")], "verb": [part.get("verb")]} if isinstance(part, dict) else part
        for name, part in human["parts"].items()
    }
    return {**human, "parts": parts}


def _load(path: Path, prefix: str) -> TpsFiles:
    videos, parts = (_read(path, f"{prefix}_{kind}_result.json") for kind in ("vid", "part"))
    for name, content in (("vid", videos), ("part", parts)):
        if not isinstance(content, dict):
            raise DataError(f"{path}: {prefix}_{name}_result.json must be an object, got {type(content).__name__}")
    for video, frames in parts.items():
        for frame, annotation in _items(frames, f"{path}: video {video}"):
            if not isinstance(annotation, dict) or not isinstance(annotation.get("humans"), list):
                raise DataError(f"{path}: video {video}, {frame}: needs an object with a list of humans")
    return TpsFiles(videos, parts)


def _items(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise DataError(f"{where}: needs an object of frames, got {type(value).__name__}")
    yield from value.items()


def _read(path: Path, name: str) -> Any:
    if path.is_dir():
        where = path / name
        try:
            text = where.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{where}: cannot be read: {error}") from None
    elif path.is_file():
        where = path
        try:
            with zipfile.ZipFile(path) as archive:
                members = [info for info in archive.infolist() if info.filename.rsplit("/", 1)[-1] == name]
                if len(members) != 1:
                    raise DataError(f"{path}: needs one {name} in the zip, got {len(members)}")
                if members[0].file_size > MAX_MEMBER_BYTES:
                    raise DataError(f"{path}: {name} must unpack to at most {MAX_MEMBER_BYTES} bytes")
                text = archive.read(members[0]).decode("utf-8")
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError) as error:
            raise DataError(f"{path}: needs a zip with {name}, got: {error}") from None
        except (UnicodeDecodeError, EOFError, OSError) as error:
            raise DataError(f"{path}: {name} cannot be read: {error}") from None
    else:
        raise DataError(f"{path}: no such file or folder")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: {name} needs JSON, got: {error}") from None


def true_humans(frame: FrameTruth) -> dict[str, Any]:
    """Return one frame's annotation in the evaluator's format."""
    return {
        "humans": [
            {"box": list(p.box), "parts": {n: {"box": list(q.box), "verb": q.state} for n, q in p.parts.items()}}
            for p in frame.persons
        ]
    }


def parses_to_predictions(parses: Mapping[str, VideoParse]) -> TpsFiles:
    """Convert parses to the evaluator's format: every fifth frame, the ten best persons, one proposal for each part.

    Args:
        parses: by the name of the video.
    """
    parts: dict[str, dict[str, Any]] = {}
    for name, parse in parses.items():
        parts[name] = {}
        for frame in (frame for frame in parse.frames if frame.index % EVALUATED_STRIDE == 0):
            best = sorted(frame.persons, key=lambda person: -person.score)[:MAX_HUMANS]
            humans = []
            for index, person in enumerate(best, start=1):
                proposals = {
                    part.name: {"number": index, "box": [list(part.box)], "verb": [part.state], "name": part.name}
                    for part in person.parts
                    if part.state is not None
                }
                humans.append({"number": index, "box": list(person.box), "parts": proposals})
            parts[name][frame_name(frame.index)] = {"humans": humans}
    return TpsFiles({name: parse.action for name, parse in parses.items()}, parts)


def validate_predictions(predictions: TpsFiles, truth: TpsFiles | None = None) -> None:
    """Check predictions against the rules of the challenge.

    Raises:
        DataError: a rule is broken; the message names the video and, if it applies, the frame, the person and the part.
    """
    for video in truth.videos if truth is not None else ():
        if video not in predictions.videos:
            raise DataError(f"submission: video {video} is missing")
    for video, action in predictions.videos.items():
        if not isinstance(action, str):
            raise DataError(f"submission: the action of video {video} must be text, got {action!r}")
        if video not in predictions.parts:
            raise DataError(f"submission: video {video} has an action and no frames")
    for video, frames in predictions.parts.items():
        if video not in predictions.videos:
            raise DataError(f"submission: video {video} has frames and no action")
        for frame, content in _items(frames, f"submission: video {video}"):
            where = f"submission: video {video}, {frame}"
            if not FRAME_NAME.fullmatch(frame):
                raise DataError(f"{where}: a frame's name must be img_ and five digits and .json")
            humans = content.get("humans") if isinstance(content, dict) else None
            if not isinstance(humans, list):
                raise DataError(f"{where}: needs a list of humans")
            if len(humans) > MAX_HUMANS:
                raise DataError(f"{where}: at most {MAX_HUMANS} persons are allowed, got {len(humans)}")
            for index, human in enumerate(humans, start=1):
                _check_human(human, f"{where}, person {index}")


def _check_human(human: Any, where: str) -> None:
    if not isinstance(human, dict) or not isinstance(human.get("parts", {}), dict):
        raise DataError(f"{where}: needs an object with a box and parts")
    _check_box(human.get("box"), where)
    for name, part in human.get("parts", {}).items():
        if name not in PART_INDEX:
            raise DataError(f"{where}: unknown part {name!r}")
        boxes, states = (part.get(key) if isinstance(part, dict) else None for key in ("box", "verb"))
        if not isinstance(boxes, list) or not isinstance(states, list):
            raise DataError(f"{where}, {name}: needs lists of boxes and verbs")
        if len(boxes) != len(states):
            raise DataError(f"{where}, {name}: boxes and verbs must pair up, got {len(boxes)} and {len(states)}")
        if len(boxes) > MAX_PROPOSALS:
            raise DataError(f"{where}, {name}: at most {MAX_PROPOSALS} proposals are allowed, got {len(boxes)}")
        for box, state in zip(boxes, states, strict=True):
            _check_box(box, f"{where}, {name}")
            if not isinstance(state, str):
                raise DataError(f"{where}, {name}: a verb must be text, got {state!r}")


def _check_box(box: Any, where: str) -> None:
    if not _is_four_numbers(box):
        raise DataError(f"{where}: a box must be four finite numbers, got {box!r}")
    if box[2] < box[0] or box[3] < box[1]:
        raise DataError(f"{where}: a box must be x1, y1, x2, y2 with x1 <= x2 and y1 <= y2, got {box!r}")


def _is_four_numbers(box: Any) -> bool:
    if not isinstance(box, list) or len(box) != 4:
        return False
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in box):
        return False
    return all(abs(value) < MAX_PIXEL if isinstance(value, int) else math.isfinite(value) for value in box)


def write_submission(path: Path, files: TpsFiles) -> None:
    """Write the challenge's zip, completely or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with written_beside(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("pred_vid_result.json", files.videos), ("pred_part_result.json", files.parts)):
            archive.writestr(name, json.dumps(content, ensure_ascii=False, allow_nan=False))
