"""What a page carries within it, so that it opens from disk and asks no network: style, script, pictures."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import OutputError


def asset(name: str) -> str:
    """A file of report/assets."""
    return files("actparse.report").joinpath("assets", name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """How a content security policy names an inline script or style."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode('ascii')}"


def data_url(content: bytes, kind: str) -> str:
    """The address that holds a file itself; `kind` is its media type."""
    return f"data:{kind};base64,{b64encode(content).decode('ascii')}"


def jpeg(image: NDArray[np.uint8], *, quality: int) -> bytes:
    """An image (H, W, 3) RGB as a JPEG file; `quality` is OpenCV's, 0..100.

    Raises:
        OutputError: it is larger than JPEG can hold.
    """
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), (cv2.IMWRITE_JPEG_QUALITY, quality))
    if not done:
        raise OutputError(f"a picture of {image.shape[1]}x{image.shape[0]} pixels cannot be encoded as JPEG")
    return data.tobytes()
