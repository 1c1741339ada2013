"""A recording for the Rerun viewer (the extra "rerun"): video, boxes, skeletons, lanes of states, curves of angles.

Timelines are `time`, presentation time, and `frame`, the frame's index from 0. Entities:

    video                            the video itself, if one is given
    video/persons, video/parts       boxes of each sampled frame
    video/keypoints/<track>          skeletons; keypoints that are not confident are left out
    states/<track>/<part>            a lane of states
    angles/<track>/<angle>_deg       a curve in degrees
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from actparse.core.errors import ConfigError, VideoError
from actparse.core.files import written_beside
from actparse.core.structures import PartParse, PersonParse, VideoParse
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
        video: an MP4 to embed in the recording; None leaves it out.
        min_confidence: of keypoints, 0..1.

    Raises:
        VideoError: the video is no MP4 that Rerun reads.
        OutputError: the file cannot be written.
    """
    with written_beside(path) as temporary:
        stream = rr.RecordingStream(APPLICATION)
        stream.save(temporary)
        stream.send_recording_name(video_name(parse))
        stream.set_log_time_enabled(False)  # this machine's clock has no meaning for the video
        if video is not None:
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
        _log_frames(stream, parse, min_confidence)
        _log_states(stream, parse)
        _log_angles(stream, parse, min_confidence)
        stream.disconnect()


def _log_frames(stream: rr.RecordingStream, parse: VideoParse, min_confidence: float) -> None:
    person_class = rr.ClassDescription(
        info=rr.AnnotationInfo(id=PERSON_CLASS, label="person"),
        keypoint_annotations=[rr.AnnotationInfo(id=index, label=name) for index, name in enumerate(KEYPOINTS)],
        keypoint_connections=SKELETON,
    )
    stream.log("video", rr.AnnotationContext([person_class]), static=True)
    previous_tracks: set[int] = set()
    for frame in parse.frames:
        stream.set_time("time", duration=frame.time_seconds)
        stream.set_time("frame", sequence=frame.index)
        stream.log("video/persons", _boxes(frame.persons, [f"person {person.track_id}" for person in frame.persons]))
        parts = [part for person in frame.persons for part in person.parts]
        part_labels = [part.name if part.state is None else f"{part.name}: {part.state}" for part in parts]
        stream.log("video/parts", _boxes(parts, part_labels, show_labels=False))
        for person in frame.persons:
            points = person.keypoint_array()
            indices = np.flatnonzero(points[:, 2] >= min_confidence)
            pose = rr.Points2D(points[indices, :2], class_ids=PERSON_CLASS, keypoint_ids=indices)
            stream.log(f"video/keypoints/{person.track_id}", pose)
        tracks = {person.track_id for person in frame.persons}
        for track_id in previous_tracks - tracks:
            stream.log(f"video/keypoints/{track_id}", rr.Clear(recursive=False))
        previous_tracks = tracks
    stream.reset_time()


def _boxes(
    items: Sequence[PersonParse | PartParse], labels: list[str], *, show_labels: bool | None = None
) -> rr.Boxes2D:
    boxes = np.array([item.box for item in items], np.float32).reshape(-1, 4)
    return rr.Boxes2D(array=boxes, array_format=rr.Box2DFormat.XYXY, labels=labels, show_labels=show_labels)


def _log_states(stream: rr.RecordingStream, parse: VideoParse) -> None:
    for (track_id, part), intervals in groupby(
        state_intervals(parse), key=lambda interval: (interval.track_id, interval.part)
    ):
        changes: dict[float, str] = {}
        for interval in intervals:
            changes[interval.start_seconds] = interval.state
            changes.setdefault(interval.end_seconds, "")  # no state, unless the next interval starts here
        stream.send_columns(
            f"states/{track_id}/{part}",
            indexes=[rr.TimeColumn("time", duration=list(changes))],
            columns=rr.StateChange.columns(state=list(changes.values())),
        )


def _log_angles(stream: rr.RecordingStream, parse: VideoParse, min_confidence: float) -> None:
    persons_by_track: dict[int, list[tuple[float, PersonParse]]] = {}
    for frame in parse.frames:
        for person in frame.persons:
            persons_by_track.setdefault(person.track_id, []).append((frame.time_seconds, person))
    for track_id, timed_persons in persons_by_track.items():
        times = np.array([time for time, _ in timed_persons])
        angles = person_angles([person for _, person in timed_persons], min_confidence=min_confidence)  # (N, 9)
        for name, values in zip(ANGLES, angles.T, strict=True):
            is_known = ~np.isnan(values)
            if is_known.any():
                stream.send_columns(
                    f"angles/{track_id}/{name}_deg",
                    indexes=[rr.TimeColumn("time", duration=times[is_known])],
                    columns=rr.Scalars.columns(scalars=values[is_known]),
                )
