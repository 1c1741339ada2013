"""COCO JSON: persons and body parts as annotations, and as a list of results for evaluators.

Images are the sampled frames, named <video>/frame_000005.jpg after the frame's index from 0. Keys in addition to those
of COCO contain the video, `frame_index`, `time_seconds`, `track_id`, `state`. Boxes are [x, y, width, height] in
pixels. In annotations a keypoint that is not confident is not labelled (0, 0, 0), any other is visible (x, y, 2);
results contain all keypoints with their confidence.
Source: the COCO data and result formats; videos as in COCO-VID.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from actparse.core.files import write_text
from actparse.core.structures import PartParse, PersonParse, VideoParse
from actparse.core.vocabulary import KEYPOINTS, PART_INDEX, PARTS, SKELETON
from actparse.export.angles import MIN_CONFIDENCE
from actparse.export.tables import video_name

PERSON_ID = 1  # of the category; the parts follow in the order of PARTS
CATEGORY_IDS = {"person": PERSON_ID} | {part: PERSON_ID + 1 + index for part, index in PART_INDEX.items()}

Json = dict[str, Any]
PERSON_CATEGORY: Json = {
    "id": PERSON_ID,
    "name": "person",
    "supercategory": "person",
    "keypoints": list(KEYPOINTS),
    "skeleton": [[first + 1, second + 1] for first, second in SKELETON],  # COCO counts from 1
}
PART_CATEGORIES = [{"id": CATEGORY_IDS[part], "name": part, "supercategory": "body part"} for part in PARTS]


def coco_dataset(parse: VideoParse, *, parts: bool = True, min_confidence: float = MIN_CONFIDENCE) -> Json:
    """Return a COCO dataset with images, categories and annotations; persons have keypoints.

    Args:
        parse: of one video.
        parts: False leaves out the body parts, as evaluators of keypoints need it.
        min_confidence: a keypoint below it is not labelled, 0..1.
    """
    video = {"id": 1, "name": video_name(parse), "width": parse.video.width, "height": parse.video.height}
    images, annotations = list[Json](), list[Json]()
    for image_id, frame in enumerate(parse.frames, start=1):
        file = {"id": image_id, "file_name": f"{video['name']}/frame_{frame.index:06d}.jpg"}
        size = {"width": parse.video.width, "height": parse.video.height}
        time = {"video_id": 1, "frame_index": frame.index, "time_seconds": frame.time_seconds}
        images.append(file | size | time)
        for person in frame.persons:
            track = {"track_id": person.track_id}
            annotation = _annotation(PERSON_ID, image_id, person)
            annotations.append(annotation | track | _keypoint_fields(person, min_confidence))
            for part in person.parts if parts else ():
                state_score = None if part.state_score is None else _rounded(part.state_score, 4)
                state = {"state": part.state, "state_score": state_score}
                annotations.append(_annotation(CATEGORY_IDS[part.name], image_id, part) | track | state)
    return {
        "info": {
            "description": parse.video.path,
            "action": parse.action,
            "verdict": parse.verdict,
            "action_scores": parse.action_scores,
        },
        "licenses": [],
        "videos": [video],
        "images": images,
        "categories": [PERSON_CATEGORY, *(PART_CATEGORIES if parts else [])],
        "annotations": [{"id": index} | content for index, content in enumerate(annotations, start=1)],
    }


def coco_results(parse: VideoParse) -> list[Json]:
    """Return the boxes of persons and parts with their scores, for an evaluator of boxes."""
    results = list[Json]()
    for image_id, frame in enumerate(parse.frames, start=1):
        for person in frame.persons:
            items: list[tuple[str, PersonParse | PartParse]] = [("person", person)]
            items += [(part.name, part) for part in person.parts]
            for name, item in items:
                box = {"bbox": _xywh(item), "score": _rounded(item.score, 4)}
                results.append({"image_id": image_id, "category_id": CATEGORY_IDS[name]} | box)
    return results


def coco_keypoint_results(parse: VideoParse) -> list[Json]:
    """Return the poses with their scores, for an evaluator of keypoints, each keypoint as x, y, confidence."""
    return [
        {
            "image_id": image_id,
            "category_id": PERSON_ID,
            "keypoints": [_rounded(value, 4) for point in person.keypoints for value in point],
            "bbox": _xywh(person),
            "score": _rounded(person.score, 4),
        }
        for image_id, frame in enumerate(parse.frames, start=1)
        for person in frame.persons
    ]


def write_coco(parse: VideoParse, path: Path, *, parts: bool = True, min_confidence: float = MIN_CONFIDENCE) -> Path:
    """Write the dataset to `path` and the results beside it, <stem>_results.json.

    Returns:
        The path of the results.

    Raises:
        OutputError: a file cannot be written.
    """
    results = path.with_name(f"{path.stem}_results.json")
    write_text(path, _to_json(coco_dataset(parse, parts=parts, min_confidence=min_confidence)))
    write_text(results, _to_json(coco_results(parse) if parts else coco_keypoint_results(parse)))
    return results


def _to_json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def _annotation(category_id: int, image_id: int, item: PersonParse | PartParse) -> Json:
    xywh = _xywh(item)
    return {
        "image_id": image_id,
        "category_id": category_id,
        "bbox": xywh,
        "area": _rounded(xywh[2] * xywh[3], 2),
        "iscrowd": 0,
        "score": _rounded(item.score, 4),
    }


def _keypoint_fields(person: PersonParse, min_confidence: float) -> Json:
    is_confident = [confidence >= min_confidence for _, _, confidence in person.keypoints]
    keypoints = [
        value
        for (x, y, _), is_labelled in zip(person.keypoints, is_confident, strict=True)
        for value in ((_rounded(x, 2), _rounded(y, 2), 2) if is_labelled else (0, 0, 0))
    ]
    return {"keypoints": keypoints, "num_keypoints": sum(is_confident)}


def _xywh(item: PersonParse | PartParse) -> list[float]:
    x1, y1, x2, y2 = item.box
    return [_rounded(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)]


def _rounded(value: float, decimals: int) -> float:
    return round(float(value), decimals) + 0.0  # no -0
