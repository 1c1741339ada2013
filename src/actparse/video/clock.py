"""Presentation times: from time stamps to seconds that start at 0, ascend, and bridge the jumps of a clock."""

from __future__ import annotations

import av
from av.video.stream import VideoStream

DIGITS = 6  # decimals of a time in seconds, so that 0.3 s is 0.3 for any time base and start of the stream
JUMP_SECONDS = 10.0  # in formats whose clock may jump, a longer gap is a jump. Source: FFmpeg's -dts_delta_threshold


class FrameClock:
    """Converts the frames' time stamps to times that start at 0 and never decrease."""

    def __init__(self, step: float, *, stamped: bool = True, may_jump: bool = False) -> None:
        self.step = step  # seconds between the last two frames with different time stamps
        self.stamped = stamped  # False: frames have no time stamps, and `read` is not to be used
        self.last: float | None = None  # time of the last frame, seconds
        self.stamp = 0.0  # time stamp of the last frame, seconds
        self.jumps: list[float] = []  # times at which the clock jumped back, or ahead if it may, seconds
        self._may_jump = may_jump
        self._origin = 0.0

    def read(self, frame: av.VideoFrame) -> float:
        """Return the frame's time in seconds; if the stamp is missing or jumps, continue with the previous step."""
        return self.advance(None if frame.time is None else float(frame.time))

    def advance(self, stamp: float | None) -> float:
        """Return the time of the next frame in seconds, from its time stamp or, without one, by the previous step."""
        self.stamp = self.stamp + self.step if stamp is None else stamp
        if self.last is None:
            self._origin = self.stamp
        elif self.is_gap(round(self.stamp - self._origin, DIGITS) - self.last):
            self._origin = self.stamp - self.last - self.step
            self.jumps.append(round(self.last + self.step, DIGITS))
        seconds = round(self.stamp - self._origin, DIGITS)
        if self.last is not None and seconds > self.last:
            self.step = seconds - self.last
        self.last = seconds
        return seconds

    def is_gap(self, seconds: float) -> bool:
        """Tell whether the stamps of successive frames cannot be this far apart, so that the clock has jumped."""
        return seconds < 0 or (self._may_jump and seconds > JUMP_SECONDS)


class PacketStamps:
    """Assigns packets to the frames that come out of them, so that frames after a lost one keep their indices."""

    def __init__(self, step: float, *, stamped: bool) -> None:
        self.num_failures = 0  # packets that could not be decoded and whose frames are not counted as lost yet
        self.num_lost = 0  # frames that should have come before the last one, but could not be decoded
        self._step, self._stamped = step, stamped  # seconds between frames in formats without stamps
        self._stamps: list[float] = []  # of packets without a frame so far, seconds

    def add(self, packet: av.Packet[VideoStream]) -> None:
        """Store the stamp of a packet that is going to be decoded."""
        stamp = packet.pts if self._stamped else packet.dts
        if packet.size and not packet.is_discard and stamp is not None:
            self._stamps.append(float(stamp * packet.time_base))

    def take(self, frame: av.VideoFrame) -> float | None:
        """Return the frame's stamp in seconds, if it is known, and count the frames that were lost before it.

        Unstamped formats store the frames' stamps in ascending order, whatever the order of the frames.
        """
        if not self._stamped:
            num_failures = min(self.num_failures, max(len(self._stamps) - 1, 0))
            first, rest = self._stamps[:1], self._stamps[num_failures:]
            stamp, self._stamps = (rest[0], rest[1:]) if rest else (None, [])
            num_lost = round((rest[0] - first[0]) / self._step) if num_failures else 0
        else:
            stamp = frame.time
            num_lost = sum(other < stamp for other in self._stamps) if stamp is not None and self.num_failures else 0
            self._stamps = [other for other in self._stamps if stamp is None or other > stamp]
        self.num_lost += num_lost
        self.num_failures = max(0, self.num_failures - num_lost)
        return stamp
