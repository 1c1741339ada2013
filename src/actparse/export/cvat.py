"""CVAT for video 1.1: a track for each person, skeleton and body part, to be corrected in CVAT.

Every sampled frame is a keyframe; CVAT interpolates linearly between them. If a sampled frame lacks an object of the
frame before, a keyframe "outside" ends the object. Labels and attributes are those of docs/own-data.md, so that
corrected files can be used for training: `person` (with the attributes person, action), `skeleton`, and the ten parts
(person, state). A keypoint that is not confident is "outside", but keeps its position; a box without area at two
decimals is left out.
Source: CVAT's documentation "XML annotation format", version 1.1 (docs.cvat.ai/docs/other/xml_format), and its reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from xml.sax.saxutils import escape

from actparse.core.errors import DataError
from actparse.core.files import write_text, written_beside
from actparse.core.structures import PersonParse, VideoParse
from actparse.core.vocabulary import KEYPOINTS, PARTS
from actparse.export.angles import MIN_CONFIDENCE
from actparse.export.cvat_labels import UNDEFINED, cvat_labels, with_sublabels
from actparse.export.tables import video_name

NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # Source: XML 1.0, section 2.2

Lines = Iterator[str]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Shape:
    frame: int
    person: PersonParse
    box: Box | None  # None for a skeleton
    attributes: Mapping[str, str] = field(default_factory=dict)


def write_cvat(parse: VideoParse, path: Path, *, min_confidence: float = MIN_CONFIDENCE) -> Path:
    """Write the annotations to `path`, and the labels of the CVAT task beside it, <stem>_labels.json.

    Args:
        parse: of one video.
        path: of the XML file.
        min_confidence: a keypoint below it is "outside", 0..1.

    Returns:
        The path of the labels: the text for CVAT's "Raw" label constructor.

    Raises:
        DataError: a name has a character that XML cannot hold.
        OutputError: a file cannot be written.
    """
    labels = cvat_labels(parse)
    with written_beside(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in cvat_lines(parse, min_confidence=min_confidence))
    labels_path = path.with_name(f"{path.stem}_labels.json")
    write_text(labels_path, json.dumps([label.to_raw() for label in labels], ensure_ascii=False, indent=2))
    return labels_path


def cvat_lines(parse: VideoParse, *, min_confidence: float = MIN_CONFIDENCE) -> Lines:
    """Yield the lines of the XML file; arguments and errors as for `write_cvat`."""
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield "<annotations>"
    yield "  <version>1.1</version>"
    yield from _element("meta", _meta(parse), "  ")
    action = parse.action if parse.verdict == "known" else UNDEFINED
    track_index = 0
    for track_id in sorted({person.track_id for frame in parse.frames for person in frame.persons}):
        shapes_by_frame = [
            next((_shapes(frame.index, person, action) for person in frame.persons if person.track_id == track_id), {})
            for frame in parse.frames
        ]
        for label in ("person", "skeleton", *PARTS):
            if any(label in shapes for shapes in shapes_by_frame):
                yield f'  <track id="{track_index}" label="{label}" source="auto" group_id="{track_id}">'
                previous: _Shape | None = None
                for frame, shapes in zip(parse.frames, shapes_by_frame, strict=True):
                    shape = shapes.get(label)
                    if shape is not None:
                        yield from _shape_lines(shape, shape.frame, False, min_confidence)
                    elif previous is not None:
                        yield from _shape_lines(previous, frame.index, True, min_confidence)
                    previous = shape
                yield "  </track>"
                track_index += 1
    yield "</annotations>"


def _shapes(frame: int, person: PersonParse, action: str) -> dict[str, _Shape]:
    """Return the shapes of a person in a frame, by label."""
    track = {"person": str(person.track_id)}
    shapes = {"skeleton": _Shape(frame, person, None, track)}
    if _has_area(person.box):
        attributes = track | {"action": action, "score": f"{person.score:.4f}"}
        shapes["person"] = _Shape(frame, person, person.box, attributes)
    for part in person.parts:
        if _has_area(part.box):
            attributes = track | {"state": part.state or UNDEFINED, "score": f"{part.score:.4f}"}
            if part.state_score is not None:
                attributes["state_score"] = f"{part.state_score:.4f}"
            shapes[part.name] = _Shape(frame, person, part.box, attributes)
    return shapes


def _has_area(box: Box) -> bool:
    x1, y1, x2, y2 = (round(value, 2) for value in box)
    return x2 > x1 and y2 > y1


def _shape_lines(shape: _Shape, frame: int, outside: bool, min_confidence: float) -> Lines:
    if shape.box is None:
        yield f'    <skeleton frame="{frame}" keyframe="1" z_order="0">'
        for name, (x, y, confidence) in zip(KEYPOINTS, shape.person.keypoints, strict=True):
            hidden = int(outside or confidence < min_confidence)
            flags = f'outside="{hidden}" occluded="0" keyframe="1"'
            yield f'      <points label="{name}" {flags} points="{x:.2f},{y:.2f}"/>'
        end = "skeleton"
    else:
        sides = " ".join(f'{k}="{v:.2f}"' for k, v in zip(("xtl", "ytl", "xbr", "ybr"), shape.box, strict=True))
        flags = f'outside="{int(outside)}" occluded="0" keyframe="1"'
        yield f'    <box frame="{frame}" {flags} {sides} z_order="0">'
        end = "box"
    for name, value in shape.attributes.items():
        yield f'      <attribute name="{name}">{_text(value)}</attribute>'
    yield f"    </{end}>"


def _meta(parse: VideoParse) -> list[tuple[str, Any]]:
    labels = []
    for label in with_sublabels(cvat_labels(parse)):
        content: list[tuple[str, Any]] = [("name", label.name), ("type", label.type)]
        content.append(("attributes", [("attribute", attribute.to_xml()) for attribute in label.attributes]))
        content += [(name, text) for name, text in (("svg", label.svg), ("parent", label.parent)) if text]
        labels.append(("label", content))
    size = max([parse.video.num_frames, *(frame.index + 1 for frame in parse.frames)])
    task = [
        ("id", "1"),
        ("name", video_name(parse)),
        ("size", str(size)),
        ("mode", "interpolation"),
        ("overlap", "0"),
        ("bugtracker", ""),
        ("flipped", "False"),
        ("labels", labels),
        ("segments", [("segment", [("id", "1"), ("start", "0"), ("stop", str(size - 1)), ("url", "")])]),
        ("owner", [("username", ""), ("email", "")]),
        ("original_size", [("width", str(parse.video.width)), ("height", str(parse.video.height))]),
        ("source", PurePosixPath(parse.video.path.replace("\\", "/")).name),
    ]
    return [("task", task)]


def _element(name: str, content: Any, indent: str) -> Lines:
    """Yield the lines of an element whose content is text or a list of (name, content)."""
    if isinstance(content, str):
        yield f"{indent}<{name}>{_text(content)}</{name}>"
        return
    yield f"{indent}<{name}>"
    for inner, value in content:
        yield from _element(inner, value, indent + "  ")
    yield f"{indent}</{name}>"


def _text(value: str) -> str:
    invalid = NO_XML.search(value)
    if invalid:
        raise DataError(f"parse: XML cannot hold the character {invalid[0]!r} of {value!r}")
    return escape(value)
