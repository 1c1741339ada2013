"""Parsing of a live source of unknown length; frames that arrive too fast are dropped."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from actparse.app.outputs import OVERLAY_FILE
from actparse.core.errors import ConfigError, OutputError, failure_line
from actparse.core.structures import FrameParse, Verdict, verdict_text
from actparse.parser import Parser
from actparse.report.overlay import MIN_PERSON_SCORE, QUALITY, draw_frame, enlargement, picture_size
from actparse.report.tracks import TrackLines
from actparse.stages.actions.tracks import FollowedTracks
from actparse.stages.together.decision import ActionEvidence, decide_action
from actparse.stages.together.object_evidence import object_evidence
from actparse.stages.tracking import Tracker, TrackerConfig
from actparse.video.decode import DecodedFrame
from actparse.video.encode import VideoWriter
from actparse.video.live import LiveReader

FRAMES_FILE = "frames.jsonl"
PART_SECONDS = 3600.0  # length of a part; a process that is killed loses at most the overlay of one


@dataclass(frozen=True)
class WatchedFrame:
    """A parsed frame, and the action according to the last seconds."""

    parse: FrameParse
    action: str
    action_scores: dict[str, float]  # action -> 0..1; the sum is at most 1, see `Calibration.consistency`
    verdict: Verdict = "known"  # whether the action is asserted; "nobody": no person in the last seconds

    @property
    def verdict_text(self) -> str:
        """The verdict on the last seconds in words, with the score; see `structures.verdict_text`."""
        return verdict_text(self.verdict, self.action, self.action_scores[self.action])


@dataclass(frozen=True)
class Moment:
    """A watched frame, and how well parsing keeps up with the source."""

    watched: WatchedFrame
    delay_seconds: float  # from the frame's arrival to its parse
    num_read: int  # frames of the source so far
    num_dropped: int  # frames that were to be parsed, but were skipped

    def to_dict(self) -> dict[str, Any]:
        """Convert the moment to plain JSON values."""
        watched = self.watched
        action = {"action": watched.action, "verdict": watched.verdict, "action_scores": watched.action_scores}
        counters = {"delay_seconds": self.delay_seconds, "num_read": self.num_read, "num_dropped": self.num_dropped}
        return {**action, **counters, "frame": asdict(self.watched.parse)}


def watch_frames(
    parser: Parser, frames: Iterable[DecodedFrame], *, memory_seconds: float = 10.0
) -> Iterator[WatchedFrame]:
    """Parse frames one by one; states and action depend on the frames so far, of which little is stored.

    Both are computed only from the persons' tracks: the networks on clips would need every frame of the source.

    Args:
        parser: its weights must include a network on keypoints; its stride is ignored.
        frames: in order of time, all of one size.
        memory_seconds: how long a frame counts for the action.

    Raises:
        ConfigError: the weights include no such network, or `memory_seconds` is not above 0.
    """
    if parser.bundle.tracks is None:
        raise ConfigError(f"watch: needs weights with a network on keypoints (tracks), got {parser.model['weights']}")
    if not memory_seconds > 0:
        raise ConfigError(f"memory_seconds must be greater than 0, got {memory_seconds}")
    tracker, actions = Tracker(TrackerConfig()), parser.bundle.tracks.actions
    conditioned = parser.config.condition_on_action
    followed = FollowedTracks(parser.bundle.tracks, condition_on_action=conditioned, memory_seconds=memory_seconds)
    recent: deque[FrameParse] = deque()
    for frame in frames:
        [parse] = followed.with_states(parser.people.parse([frame], tracker))
        recent.append(parse)
        while recent[0].time_seconds < parse.time_seconds - memory_seconds:
            recent.popleft()
        total, halves = followed.action_evidence, followed.half_evidence
        scores = total.by_action(actions)
        evidence = ActionEvidence(scores, scores, [half.by_action(actions) for half in halves])
        objects = object_evidence(recent, parser.bundle.action_of_object)
        decision = decide_action(evidence, objects, parser.bundle.calibration, has_persons=total.weight > 0)
        yield WatchedFrame(parse, decision.action, decision.scores, decision.verdict)


def watch_source(
    parser: Parser,
    source: str,
    *,
    seconds: float | None = None,
    out: Path | None = None,
    memory_seconds: float = 10.0,
    reconnects: int = 0,
    report: Callable[[str], None] | None = None,
) -> Generator[Moment, None, None]:
    """Parse a live source, each time the newest among every `parser.config.stride`-th frame.

    Args:
        parser: as for `watch_frames`.
        source: as for `LiveReader`.
        seconds: stop after this time of the source; None continues to its end.
        out: a folder for frames.jsonl, which grows line by line, and overlay.mp4, which is complete at the end. If they
            exist, and after every hour, new ones are begun: frames-2.jsonl and overlay-2.mp4.
        memory_seconds: as for `watch_frames`.
        reconnects: as for `LiveReader`.
        report: called with lines on the state of the source, as by `LiveReader`, and on an overlay that fails.

    Raises:
        ConfigError: as `watch_frames`, or `seconds` is not above 0.
        VideoError: the source cannot be opened, or shows nothing.
        SourceLostError: it fails later.
        OutputError: `out` cannot be written.
    """
    if seconds is not None and not seconds > 0:
        raise ConfigError(f"seconds must be greater than 0, got {seconds}")
    with ExitStack() as stack:
        reader = LiveReader(source, stride=parser.config.stride, reconnects=reconnects, report=report)
        _warm_up(parser, reader.size)
        stack.enter_context(reader)
        record = None if out is None else stack.enter_context(_Record(out, report or (lambda _: None)))
        arrivals: list[tuple[DecodedFrame, float]] = []  # the frame that is being parsed

        def frames() -> Iterator[DecodedFrame]:
            for live in reader:
                if seconds is not None and live.frame.time_seconds >= seconds:
                    return
                arrivals[:] = [(live.frame, live.arrival_seconds)]
                yield live.frame

        for watched in watch_frames(parser, frames(), memory_seconds=memory_seconds):
            frame, arrival_seconds = arrivals[0]
            moment = Moment(watched, time.monotonic() - arrival_seconds, reader.num_read, reader.num_dropped)
            if record is not None:
                record.add(frame, moment)
            yield moment


def _warm_up(parser: Parser, size: tuple[int, int]) -> None:
    """Run stage 1 once on a black frame of (height, width) filled by one person, because a first run takes seconds."""
    image = np.zeros((*size, 3), np.uint8)
    boxes = np.array([[0, 0, size[1], size[0]]], np.float32)
    people = parser.people
    people.persons.detect([image])
    people.parts.detect([image], [boxes], people.poses.estimate([image], [boxes]))


class _Record:
    """Writes the output files of a watched source to a folder, in parts; it never replaces a file."""

    def __init__(self, folder: Path, report: Callable[[str], None]) -> None:
        self._folder, self._report = folder, report
        self._writer: VideoWriter | None = None
        self._overlay: Path | None = None  # of this part; None after a failure
        self._start: float | None = None  # time of the part's first frame, seconds
        self._sides: dict[int, int] = {}  # by track: the side of its label

    def add(self, frame: DecodedFrame, moment: Moment) -> None:
        """Write a line of frames.jsonl and a frame of the overlay video.

        Raises:
            OutputError: the line cannot be written.
        """
        if self._start is not None and frame.time_seconds - self._start >= PART_SECONDS:
            self._end_part()
            self._begin_part()
        self._start = frame.time_seconds if self._start is None else self._start
        try:
            self._lines.write(json.dumps(moment.to_dict(), ensure_ascii=False, allow_nan=False) + "\n")
            self._lines.flush()
        except OSError as error:
            raise OutputError(f"{self._lines.name}: cannot be written: {error.strerror}") from None
        if self._overlay is not None:
            try:
                size = (frame.image.shape[0], frame.image.shape[1])
                factor = enlargement(size)
                if self._writer is None:
                    self._writer = VideoWriter(
                        self._overlay, size=picture_size(size, factor), quality=QUALITY, fast=True
                    )
                seconds, text = moment.watched.parse.time_seconds, moment.watched.verdict_text
                persons = TrackLines([moment.watched.parse], min_score=MIN_PERSON_SCORE).at(seconds)
                picture = draw_frame(frame.image, persons, text, seconds, factor=factor, sides=self._sides)
                self._writer.write(picture, frame.time_seconds - self._start)
            except Exception as error:
                self._report(
                    f"{failure_line(self._overlay, error)}; the lines of {self._lines.name} continue without it"
                )
                self._overlay = self._writer = None

    def _begin_part(self) -> None:
        """Open the files of the first number that no earlier or parallel run has used."""
        for part in count(1):
            frames, overlay = (
                self._folder / (name if part == 1 else name.replace(".", f"-{part}."))
                for name in (FRAMES_FILE, OVERLAY_FILE)
            )
            try:
                if not overlay.exists():
                    self._lines, self._overlay, self._start = frames.open("x", encoding="utf-8"), overlay, None
                    return
            except FileExistsError:
                pass

    def _end_part(self) -> None:
        self._lines.close()
        if self._start is None:
            Path(self._lines.name).unlink(missing_ok=True)  # nothing was watched
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except OutputError as error:
                self._report(str(error))

    def __enter__(self) -> _Record:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._begin_part()
        except OSError as error:
            raise OutputError(f"{self._folder}: cannot be written: {error.strerror}") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._end_part()  # also after an interrupt, so that the frames so far are saved
