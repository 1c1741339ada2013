"""Clips along the tracks of annotated persons, cut out of a store's frames when they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.data.frames.annotations import FrameSource, Image, offsets_of
from actparse.data.frames.intervals import LabelledVideo
from actparse.data.frames.store import Store
from actparse.data.kinetics_tps import FrameTruth
from actparse.stages.actions.person_clips import person_squares
from actparse.video.time_line import step_at, visible_frames


@dataclass(frozen=True, eq=False)
class TrackSquares(FrameSource):
    """The squares around annotated persons, track after track."""

    store: Store
    frames: NDArray[np.int64]  # (L,) the store's frame of each square
    boxes: NDArray[np.float32]  # (L, 4) of the person in it
    offsets: NDArray[np.int64]  # (T + 1,)
    names: tuple[str, ...]  # (T,)
    side: int  # pixels

    def read(self, frames: NDArray[np.int64]) -> Sequence[Image]:
        """Return squares (side, side, 3)."""
        images = self.store.images(self.frames[frames].tolist())
        boxes = self.boxes[frames][:, None]  # (n, 1, 4)
        return [person_squares(image, box, self.side)[0] for image, box in zip(images, boxes, strict=True)]


def track_videos(store: Store, frame_rate: float, side: int) -> Iterator[LabelledVideo]:
    """Yield the track of each person as a video of squares, `frame_rate` of them per second, with the person's states.

    A store without identities has no tracks.
    """
    person_frames = store.person_frames  # (P,)
    tracked = np.flatnonzero(store.person_identities >= 0)
    keys = np.stack((store.frame_videos[person_frames[tracked]], store.person_identities[tracked]), axis=1)
    _, track_ids = np.unique(keys, axis=0, return_inverse=True)  # of the tracks
    track_ids = track_ids.reshape(-1)  # numpy 2.0 returns a column
    in_tracks = tracked[np.argsort(track_ids, kind="stable")]
    tracks = np.split(in_tracks, np.cumsum(np.bincount(track_ids))[:-1]) if len(tracked) else []
    times = [store.frame_times[person_frames[track]] for track in tracks]
    visible = [track[visible_frames(seconds, frame_rate)] for track, seconds in zip(tracks, times, strict=True)]
    squares = np.concatenate([np.zeros(0, np.int64), *visible])  # (L,) persons
    videos = [int(store.frame_videos[person_frames[track[0]]]) for track in tracks]
    source = TrackSquares(
        store=store,
        frames=person_frames[squares],
        boxes=store.person_boxes[squares],
        offsets=offsets_of([len(track) for track in visible]),
        names=tuple(
            f"person {store.person_identities[track[0]]} of {store.names[video]}"
            for track, video in zip(tracks, videos, strict=True)
        ),
        side=side,
    )
    for index, (track, seconds) in enumerate(zip(tracks, times, strict=True)):
        num_steps, truths = len(visible[index]), {}
        for person, time in zip(track.tolist(), seconds.tolist(), strict=True):
            frame = int(person_frames[person])
            truth = FrameTruth((store.truth(frame).persons[person - store.persons_of(frame).start],))
            truths[min(step_at(time - seconds[0], frame_rate), num_steps - 1)] = truth
        first, times_of_steps = int(source.offsets[index]), np.arange(num_steps) / frame_rate
        yield LabelledVideo(source, store.actions[videos[index]], first, times_of_steps, truths)
