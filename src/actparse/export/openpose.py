"""OpenPose's JSON, one file for each sampled frame, in the layout BODY_25.

A file is named as OpenPose names it, <video>_<frame, twelve digits>_keypoints.json, after the frame's index from 0;
frames that were not sampled have no file. The neck is the middle of the shoulders, MidHip the middle of the hips, each
with the lower confidence of the two. Toes and heels, which COCO's 17 keypoints lack, are 0, 0, 0: OpenPose's value for
"not detected". `person_id` is the track.
Source: OpenPose, doc/02_output.md.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import OutputError
from actparse.core.structures import FrameParse, VideoParse
from actparse.core.vocabulary import KEYPOINTS
from actparse.export.tables import video_name

JSON_VERSION = 1.3  # version of the files that OpenPose 1.3 and later write
MIDDLES = {"Neck": ("left_shoulder", "right_shoulder"), "MidHip": ("left_hip", "right_hip")}
BODY_25: tuple[tuple[str, str | None], ...] = (  # OpenPose's name, and the name of the COCO keypoint
    ("Nose", "nose"),
    ("Neck", None),
    ("RShoulder", "right_shoulder"),
    ("RElbow", "right_elbow"),
    ("RWrist", "right_wrist"),
    ("LShoulder", "left_shoulder"),
    ("LElbow", "left_elbow"),
    ("LWrist", "left_wrist"),
    ("MidHip", None),
    ("RHip", "right_hip"),
    ("RKnee", "right_knee"),
    ("RAnkle", "right_ankle"),
    ("LHip", "left_hip"),
    ("LKnee", "left_knee"),
    ("LAnkle", "left_ankle"),
    ("REye", "right_eye"),
    ("LEye", "left_eye"),
    ("REar", "right_ear"),
    ("LEar", "left_ear"),
    ("LBigToe", None),
    ("LSmallToe", None),
    ("LHeel", None),
    ("RBigToe", None),
    ("RSmallToe", None),
    ("RHeel", None),
)
EMPTY_LISTS = ("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d") + tuple(
    f"{kind}_keypoints_3d" for kind in ("pose", "face", "hand_left", "hand_right")
)


def body_25(keypoints: NDArray[np.float32]) -> NDArray[np.float64]:
    """Convert COCO's keypoints (17, 3) to OpenPose's (25, 3): x, y in pixels, confidence."""
    converted = np.zeros((len(BODY_25), 3))
    for index, (name, keypoint) in enumerate(BODY_25):
        if keypoint is not None:
            converted[index] = keypoints[KEYPOINTS.index(keypoint)]
        elif name in MIDDLES:
            left, right = (keypoints[KEYPOINTS.index(side)].astype(np.float64) for side in MIDDLES[name])
            converted[index] = (*(left[:2] + right[:2]) / 2, min(left[2], right[2]))
    return converted


def openpose_frame(frame: FrameParse) -> dict[str, Any]:
    """Return the JSON that OpenPose writes for one frame."""
    people = []
    for person in frame.persons:
        keypoints = body_25(person.keypoint_array()).round(4) + 0.0  # no -0
        lists: dict[str, list[float]] = {name: [] for name in EMPTY_LISTS}
        people.append({"person_id": [person.track_id], "pose_keypoints_2d": keypoints.reshape(-1).tolist()} | lists)
    return {"version": JSON_VERSION, "people": people}


def write_openpose(parse: VideoParse, folder: Path) -> Path:
    """Write a folder of files; an existing folder is replaced if it contains only such files.

    Returns:
        The folder.

    Raises:
        OutputError: the folder contains other files, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: needs a folder, got a file")
    other = next((path for path in folder.glob("*") if not path.name.endswith("_keypoints.json")), None)
    if other is not None:
        raise OutputError(f"{folder}: needs a new folder or one with only *_keypoints.json, got {other.name} in it")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name[:40]}-") as name:
            new_folder = Path(name) / "made"
            new_folder.mkdir()
            for frame in parse.frames:
                file = new_folder / f"{video_name(parse)}_{frame.index:012d}_keypoints.json"
                file.write_text(json.dumps(openpose_frame(frame), allow_nan=False), encoding="utf-8")
            if folder.exists():
                shutil.rmtree(folder)
            new_folder.rename(folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return folder
