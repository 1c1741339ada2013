"""A contact sheet of SynthTPS: several moments of every action, with part boxes on the last one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import OutputError
from actparse.core.files import written_beside
from actparse.synth.actions.registry import ACTIONS
from actparse.synth.config import SceneConfig
from actparse.synth.dataset import split_config
from actparse.synth.scene import Rendered, build_scene

Image = NDArray[np.uint8]
TIMES = (1.0, 3.5, 6.5)  # seconds
ACTIONS_PER_ROW = 2
SHEET_FILE = "synth-sheet.jpg"
CAPTION = 16  # height of the caption, pixels
WARM, COLD, MIDDLE = (255, 150, 40), (60, 160, 255), (150, 225, 110)  # RGB


def write_sheet(path: Path, *, seed: int = 0, look: str = "video", body: str = "mesh") -> None:
    """Render the sheet as a JPEG file.

    Raises:
        ConfigError: there is no such look or body.
        OutputError: the file cannot be written.
    """
    config = replace(split_config(look, "train", body), sizes=())  # all frames of one size
    strips = [action_strip(action, seed + index, config) for index, action in enumerate(ACTIONS)]
    strips += [np.zeros_like(strips[0])] * (-len(strips) % ACTIONS_PER_ROW)
    sheet_rows = [
        np.hstack(strips[start : start + ACTIONS_PER_ROW]) for start in range(0, len(strips), ACTIONS_PER_ROW)
    ]
    sheet = np.vstack(sheet_rows)
    success, data = cv2.imencode(".jpg", np.ascontiguousarray(sheet[..., ::-1]), (cv2.IMWRITE_JPEG_QUALITY, 88))
    if not success:
        raise OutputError(f"{path}: the sheet cannot be encoded")
    with written_beside(path) as temporary_path:
        temporary_path.write_bytes(data.tobytes())


def action_strip(action: str, seed: int, config: SceneConfig | None = None) -> Image:
    """Render moments of one scene side by side below the action's name; the last one shows the ground truth."""
    scene = build_scene(seed, action, config=config)
    moments = [scene.render(time) for time in TIMES]
    pictures = [moment.image for moment in moments[:-1]] + [with_truth(moments[-1])]
    strip = np.hstack(pictures)
    title = np.full((CAPTION, strip.shape[1], 3), 24, np.uint8)
    text = action.replace("_", " ")
    cv2.putText(title, text, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (240, 240, 235), 1, cv2.LINE_AA)
    return np.vstack((title, strip))


def with_truth(moment: Rendered) -> Image:
    """Return the frame with part boxes in warm colours on the left side and cold ones on the right."""
    picture: Image = moment.image.copy()
    for person in moment.persons:
        for name, box in person.parts.items():
            color = WARM if name.startswith("left") else COLD if name.startswith("right") else MIDDLE
            x1, y1, x2, y2 = (round(value) for value in box)
            cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), color, 1)
    return picture
