"""What several tests use: a bundle with random weights and a small video."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from actparse.video.encode import VideoWriter

# A job that a shell started in the background ignores interrupts, and so would every command that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def random_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bundle with random weights."""
    from bundles import write_random_bundle

    return write_random_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def small_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven seconds of 96 x 128 pixels at 10 frames a second, with moving stripes."""
    path = tmp_path_factory.mktemp("video") / "ein kleiner Füm.mp4"
    columns = np.arange(128)
    with VideoWriter(path, size=(96, 128)) as writer:
        for number in range(70):
            stripes = (128 + 100 * np.sin((columns + 3 * number) / 9)).astype(np.uint8)
            writer.write(np.broadcast_to(stripes[None, :, None], (96, 128, 3)).copy(), number / 10)
    return path
