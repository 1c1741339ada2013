"""A program that shows moving stripes as a camera would, in real time: MPEG-TS with H.264 to an address.

python publisher.py ADDRESS NUM_FRAMES FRAMES_PER_SECOND
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction

import av
import numpy as np

GIVE_UP_SECONDS = 60.0  # without anybody who listens


def open_output(address: str, rate: int) -> tuple[av.container.OutputContainer, av.VideoStream]:
    """Connect; who listens may come later."""
    start = time.monotonic()
    while True:
        try:
            container = av.open(address, "w", format="mpegts", options={"flush_packets": "1"})
            stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "tune": "zerolatency"})
            stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
            stream.gop_size, stream.time_base = rate, Fraction(1, rate)
            container.start_encoding()
            return container, stream
        except OSError:
            if time.monotonic() - start > GIVE_UP_SECONDS:
                raise
            time.sleep(0.05)


def main(address: str, num_frames: int, rate: int) -> None:
    columns = np.arange(128)
    container, stream = open_output(address, rate)
    with container:
        start = time.monotonic()
        for number in range(num_frames):
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
            stripes = (128 + 100 * np.sin((columns + 3 * number) / 9)).astype(np.uint8)
            image = np.broadcast_to(stripes[None, :, None], (96, 128, 3)).copy()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
