"""The data of the report page as plain lists for JSON: a track is one matrix of differences between its rows.

Ten minutes of several persons are millions of numbers; integers that mostly change little keep the page small.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.structures import PersonParse, VideoParse, verdict_text
from actparse.core.vocabulary import DOT_COLORS, DOT_RADII, KEYPOINTS, NUM_KEYPOINTS, PART_INDEX, PARTS, SKELETON
from actparse.export.angles import ANGLES, MIN_CONFIDENCE, person_angles
from actparse.export.repetitions import Repetitions
from actparse.report.mistakes import Mistakes
from actparse.report.overlay import LEFT, MIDDLE, MIN_PART_SCORE, MIN_PERSON_SCORE, RIGHT, side_color
from actparse.report.tracks import confident_tracks, drawn_objects

GRID = 2000  # coordinates are whole multiples of the longer side over this
TICKS = 10_000  # times are whole multiples of a second over this
MAX_ACTIONS = 10  # actions that are listed, the most probable first

COLUMNS: dict[str, int] = {  # number of columns of each value in a track's matrix, in this order
    "frame": 1,  # index into the parse's frames
    "score": 1,  # score of the person, percent
    "box": 4,  # xyxy, on the grid
    "seen": 1,  # bit k: keypoint k is confident
    "keypoints": 2 * NUM_KEYPOINTS,  # x, y, on the grid
    "found": 1,  # bit k: part k is drawn
    "parts": 4 * len(PARTS),  # xyxy, on the grid
    "states": len(PARTS),  # 0: unknown, otherwise the state's index in the page's list, from 1
    "state_scores": len(PARTS),  # percent
    "known": 1,  # bit a: angle a is known
    "angles": len(ANGLES),  # degrees
}
NUM_COLUMNS = sum(COLUMNS.values())
DRAWING: dict[str, Any] = {  # colours and thresholds of the overlay video, so that page and video look alike
    "ticks": TICKS,
    "left": LEFT,
    "right": RIGHT,
    "middle": MIDDLE,
    "part_colors": [side_color(part) for part in PARTS],
    "keypoint_colors": [side_color(keypoint) for keypoint in KEYPOINTS],
    "skeleton": SKELETON,
    "dot_colors": DOT_COLORS,
    "dot_radii": DOT_RADII,
}

Ints = NDArray[np.int64]


def page_data(
    parse: VideoParse,
    *,
    name: str,
    frame_times: NDArray[np.float64],
    video: str | None,
    mistakes: Mistakes | None,
    repetitions: Repetitions | None = None,
) -> dict[str, Any]:
    """Return all data of the page as plain values for JSON.

    Args:
        parse: the parse to show.
        name: name of the video.
        frame_times: (T,) seconds of all frames of the page's video, from 0; empty if there is no video.
        video: the video's file name or data URL; None for a page without a video.
        mistakes: the parse's mistakes, if the truth is known.
        repetitions: of one person, if they were counted.
    """
    start, end = shown_range(parse)
    tracks: dict[int, list[tuple[int, PersonParse]]] = defaultdict(list)  # each person with the index of its frame
    for row, frame in enumerate(parse.frames):
        for person in frame.persons:
            tracks[person.track_id].append((row, person))
    sure_ids = confident_tracks(parse.frames, MIN_PERSON_SCORE)
    persons = (person for frame in parse.frames for person in frame.persons)
    states = sorted({part.state for person in persons for part in person.parts if part.state is not None})
    actions = sorted(parse.action_scores.items(), key=lambda item: -item[1])[:MAX_ACTIONS]
    state_indices = {state: index for index, state in enumerate(states, start=1)}
    unit = max(parse.video.width, parse.video.height) / GRID
    return {
        "name": name,
        "video": {
            "source": video,
            "width": parse.video.width,
            "height": parse.video.height,
            "start": start,
            "end": end,
            "sound": parse.video.has_audio,
            "times": _steps(_ticks(frame_times)[:, None]),
        },
        "action": parse.action,
        "verdict": parse.verdict,
        "verdict_text": verdict_text(parse.verdict, parse.action) if parse.verdict == "known" else parse.verdict_text,
        "actions": [] if parse.verdict == "nobody" else actions,
        "explanation": parse.explanation,
        "reasons": [asdict(reason) for reason in parse.reasons],
        "warnings": list(parse.warnings),
        "model": parse.model,
        "drawing": {"unit": unit, **DRAWING},
        "parts": PARTS,
        "angles": ANGLES,
        "states": states,
        "times": _steps(_ticks([frame.time_seconds for frame in parse.frames])[:, None]),
        "indices": _steps(np.array([frame.index for frame in parse.frames], np.int64).reshape(-1, 1)),
        "columns": COLUMNS,
        "tracks": [
            {"id": track_id, "sure": track_id in sure_ids, "rows": _steps(_matrix(track, state_indices, unit))}
            for track_id, track in sorted(tracks.items())
        ],
        "objects": [
            [row, item.name, *(round(value / unit) for value in item.box)]
            for row, frame in enumerate(parse.frames)
            for item in drawn_objects(frame)
        ],
        "mistakes": None if mistakes is None else mistakes.to_dict(),
        "repetitions": None
        if repetitions is None
        else {
            "track": repetitions.track_id,
            "joint": repetitions.joint,
            "times": [[item.start_seconds, item.turn_seconds, item.end_seconds] for item in repetitions.items],
        },
    }


def shown_range(parse: VideoParse) -> tuple[float, float]:
    """Return the parsed time range (start, end), seconds of the source's presentation time."""
    if parse.segments:
        return parse.segments[0].start_seconds, parse.segments[-1].end_seconds
    return 0.0, parse.video.duration_seconds


def _matrix(track: Sequence[tuple[int, PersonParse]], state_indices: dict[str, int], unit: float) -> Ints:
    """Return one track as a matrix (N, NUM_COLUMNS)."""
    persons = [person for _, person in track]
    keypoints = np.array([person.keypoints for person in persons], np.float64)  # (N, 17, 3)
    is_confident = keypoints[..., 2] >= MIN_CONFIDENCE  # (N, 17)
    angles = person_angles(persons)  # (N, 9)
    has_angle = ~np.isnan(angles)
    part_boxes, is_drawn, states, state_scores = _parts(persons, state_indices)
    columns = {
        "frame": [frame for frame, _ in track],
        "score": [100 * person.score for person in persons],
        "box": np.array([person.box for person in persons]) / unit,
        "seen": _bits(is_confident),
        "keypoints": _fill_from_previous(keypoints[..., :2] / unit, is_confident),
        "found": _bits(is_drawn),
        "parts": _fill_from_previous(part_boxes / unit, is_drawn),
        "states": states,
        "state_scores": 100 * state_scores,
        "known": _bits(has_angle),
        "angles": _fill_from_previous(angles[..., None], has_angle),
    }
    matrix = [np.asarray(columns[name], np.float64).reshape(len(track), width) for name, width in COLUMNS.items()]
    return np.rint(np.concatenate(matrix, axis=1)).astype(np.int64)


def _parts(
    persons: Sequence[PersonParse], state_indices: dict[str, int]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], Ints, NDArray[np.float64]]:
    """Return the parts of N persons: boxes (N, 10, 4) pixels, whether they are drawn, indices and scores of states."""
    shape = (len(persons), len(PARTS))
    boxes, is_drawn = np.zeros((*shape, 4)), np.zeros(shape, np.bool_)
    states, scores = np.zeros(shape, np.int64), np.zeros(shape)
    for row, person in enumerate(persons):
        for part in person.parts:
            index = row, PART_INDEX[part.name]
            boxes[index], is_drawn[index] = part.box, part.score >= MIN_PART_SCORE
            if part.state is not None:
                states[index], scores[index] = state_indices[part.state], part.state_score or 0.0
    return boxes, is_drawn, states, scores


def _fill_from_previous(values: NDArray[np.float64], is_valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Replace invalid values (N, K, D) by those of the previous row, so that their step is 0; 0 before the first."""
    last = np.maximum.accumulate(np.where(is_valid, np.arange(len(is_valid))[:, None], 0), axis=0)  # (N, K)
    filled = np.take_along_axis(values, last[..., None], axis=0)
    return np.where(np.logical_or.accumulate(is_valid, axis=0)[..., None], filled, 0.0)


def _bits(flags: NDArray[np.bool_]) -> Ints:
    """Encode flags (N, K) as one integer per row, the first flag in the lowest bit."""
    return np.asarray((flags.astype(np.int64) << np.arange(flags.shape[1])).sum(axis=1), np.int64)


def _steps(matrix: Ints) -> list[int]:
    """Flatten a matrix (N, C) row by row, each row except the first as its difference to the previous one."""
    steps: list[int] = np.diff(matrix, axis=0, prepend=0).ravel().tolist()
    return steps


def _ticks(seconds: Sequence[float] | NDArray[np.float64]) -> Ints:
    return np.rint(np.asarray(seconds, np.float64) * TICKS).astype(np.int64)
