"""A recording for the Rerun viewer (the extra "rerun"): video, boxes, skeletons, lanes of states, lines of angles.

Timelines are `time`, presentation time, and `frame`, the frame's number from 0. Entities:

    video                            the video itself, where one is given
    video/persons, video/parts       boxes of each sampled frame
    video/keypoints/<track>          skeletons; keypoints that are not confident are left out
    states/<track>/<part>            a lane of states
    angles/<track>/<angle>_deg       a line of degrees
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np

from actparse.core.errors import ConfigError, VideoError
from actparse.core.files import written_beside
from actparse.core.structures import FrameParse, PersonParse, VideoParse
from actparse.core.vocabulary import KEYPOINTS, SKELETON
from actparse.export.angles import ANGLES, MIN_CONFIDENCE, person_angles
from actparse.export.segments import state_intervals
from actparse.export.tables import video_name

try:
    import rerun as rr
except ModuleNotFoundError:
    raise ConfigError("a Rerun recording needs rerun: pip install 'actparse[rerun]'") from None

APPLICATION = "actparse"
PERSON_CLASS = 1  # of the annotation context that holds the skeleton


def write_rerun(
    parse: VideoParse, path: Path, *, video: Path | None = None, min_confidence: float = MIN_CONFIDENCE
) -> None:
    """Write a .rrd file.

    Args:
        parse: of one video.
        path: of the recording.
        video: an MP4 that goes into the recording; None leaves it out.
        min_confidence: of keypoints, 0..1.

    Raises:
        VideoError: the video is no MP4 that Rerun reads.
        OutputError: the file cannot be written.
    """
    with written_beside(path) as beside:
        stream = rr.RecordingStream(APPLICATION)
        stream.save(beside)
        stream.send_recording_name(video_name(parse))
        stream.set_log_time_enabled(False)  # the clock of this machine says nothing of the video
        if video is not None:
            _log_video(stream, video)
        _log_frames(stream, parse, min_confidence)
        _log_states(stream, parse)
        _log_angles(stream, parse, min_confidence)
        stream.disconnect()


def _log_video(stream: rr.RecordingStream, video: Path) -> None:
    try:
        asset = rr.AssetVideo(path=video)
        nanoseconds = asset.read_frame_timestamps_nanos()
    except (OSError, RuntimeError, ValueError) as error:
        raise VideoError(f"{video}: needs an MP4 that Rerun reads, got: {str(error).splitlines()[0]}") from None
    stream.log("video", asset, static=True)
    stream.send_columns(
        "video",
        indexes=[rr.TimeColumn("time", duration=1e-9 * nanoseconds)],
        columns=rr.VideoFrameReference.columns_nanos(nanoseconds),
    )


def _log_frames(stream: rr.RecordingStream, parse: VideoParse, min_confidence: float) -> None:
    points = [rr.AnnotationInfo(id=number, label=name) for number, name in enumerate(KEYPOINTS)]
    person = rr.ClassDescription(
        info=rr.AnnotationInfo(id=PERSON_CLASS, label="person"),
        keypoint_annotations=points,
        keypoint_connections=SKELETON,
    )
    stream.log("video", rr.AnnotationContext([person]), static=True)
    before: set[int] = set()
    for frame in parse.frames:
        stream.set_time("time", duration=frame.time_seconds)
        stream.set_time("frame", sequence=frame.index)
        _log_boxes(stream, frame)
        for found in frame.persons:
            stream.log(f"video/keypoints/{found.track_id}", _points(found, min_confidence))
        here = {found.track_id for found in frame.persons}
        for track_id in before - here:
            stream.log(f"video/keypoints/{track_id}", rr.Clear(recursive=False))
        before = here
    stream.reset_time()


def _log_boxes(stream: rr.RecordingStream, frame: FrameParse) -> None:
    xyxy = rr.Box2DFormat.XYXY
    persons = frame.persons
    parts = [part for person in persons for part in person.parts]
    stream.log(
        "video/persons",
        rr.Boxes2D(
            array=np.array([person.box for person in persons], np.float32).reshape(-1, 4),
            array_format=xyxy,
            labels=[f"person {person.track_id}" for person in persons],
        ),
    )
    stream.log(
        "video/parts",
        rr.Boxes2D(
            array=np.array([part.box for part in parts], np.float32).reshape(-1, 4),
            array_format=xyxy,
            labels=[part.name if part.state is None else f"{part.name}: {part.state}" for part in parts],
            show_labels=False,
        ),
    )


def _points(person: PersonParse, min_confidence: float) -> rr.Points2D:
    keypoints = person.keypoint_array()
    sure = np.flatnonzero(keypoints[:, 2] >= min_confidence)
    return rr.Points2D(keypoints[sure, :2], class_ids=PERSON_CLASS, keypoint_ids=sure)


def _log_states(stream: rr.RecordingStream, parse: VideoParse) -> None:
    for (track_id, part), intervals in groupby(state_intervals(parse), key=lambda row: (row.track_id, row.part)):
        changes: dict[float, str] = {}
        for interval in intervals:
            changes[interval.start_seconds] = interval.state
            changes.setdefault(interval.end_seconds, "")  # no state, until the next interval takes its place
        stream.send_columns(
            f"states/{track_id}/{part}",
            indexes=[rr.TimeColumn("time", duration=list(changes))],
            columns=rr.StateChange.columns(state=list(changes.values())),
        )


def _log_angles(stream: rr.RecordingStream, parse: VideoParse, min_confidence: float) -> None:
    rows: dict[int, list[tuple[float, PersonParse]]] = {}
    for frame in parse.frames:
        for person in frame.persons:
            rows.setdefault(person.track_id, []).append((frame.time_seconds, person))
    for track_id, seen in rows.items():
        times = np.array([time for time, _ in seen])
        angles = person_angles([person for _, person in seen], min_confidence=min_confidence)  # (N, 9)
        for name, values in zip(ANGLES, angles.T, strict=True):
            known = ~np.isnan(values)
            if known.any():
                stream.send_columns(
                    f"angles/{track_id}/{name}_deg",
                    indexes=[rr.TimeColumn("time", duration=times[known])],
                    columns=rr.Scalars.columns(scalars=values[known]),
                )
