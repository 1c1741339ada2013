"""Content embedded in a page, so that it opens from disk without a network: style, script, pictures."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import OutputError


def asset(name: str) -> str:
    """Return the text of a file in report/assets."""
    return files("actparse.report").joinpath("assets", name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Return the hash by which a content security policy names an inline script or style."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode('ascii')}"


def data_url(content: bytes, kind: str) -> str:
    """Return a data URL that contains a file; `kind` is its media type."""
    return f"data:{kind};base64,{b64encode(content).decode('ascii')}"


def jpeg(image: NDArray[np.uint8], *, quality: int) -> bytes:
    """Encode an image (H, W, 3) RGB as a JPEG file; `quality` is OpenCV's, 0..100.

    Raises:
        OutputError: the image is larger than JPEG allows.
    """
    is_encoded, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), (cv2.IMWRITE_JPEG_QUALITY, quality))
    if not is_encoded:
        raise OutputError(f"a picture of {image.shape[1]}x{image.shape[0]} pixels cannot be encoded as JPEG")
    return data.tobytes()
