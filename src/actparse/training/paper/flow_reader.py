"""Optical flow from the 8-bit files of data.flow_files, one field for each pair of frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.data.flow_files import FLOW_FOLDER, SUFFIXES, field_stem
from actparse.training.options import TrainOptions
from actparse.video.flow import FlowBytes


def flow_folder(data: Path, options: TrainOptions) -> Path:
    """Return the folder of a dataset's flow: the one in the options, or the default below the dataset."""
    return options.flow or data / FLOW_FOLDER


def read_flow(folder: Path, name: str, indices: Sequence[int]) -> dict[int, FlowBytes]:
    """Read some flow fields (H, W, 2) of a video, x and y, and return them by index from 0.

    Raises:
        DataError: a file is missing or not an image, or x and y differ in size.
    """
    fields = {}
    for index in sorted(set(indices)):
        x, y = (_read(folder / name, field_stem(index, axis)) for axis in "xy")
        if x.shape != y.shape:
            raise DataError(f"{folder / name}: flow {index + 1} x and y differ in size: {x.shape} and {y.shape}")
        fields[index] = np.stack((x, y), axis=2)
    return fields


def _read(folder: Path, stem: str) -> NDArray[np.uint8]:
    for suffix in SUFFIXES:
        path = folder / f"{stem}{suffix}"
        if path.is_file():
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if image is None:
                raise DataError(f"{path}: needs an image, got a file that does not decode")
            return np.asarray(image, np.uint8)
    raise DataError(f"{folder / stem}.jpg: no such file; `actparse data flow` makes the flow of a dataset")
