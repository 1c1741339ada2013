"""Recipe "objects": a detector of a dataset's objects on whole frames, which learns as the person detector does.

The paper has no such network. The baseline gets its boxes; the hyperparameters are those of the person detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from actparse.core.errors import DataError
from actparse.core.ranges import Count
from actparse.core.structures import Detections
from actparse.data.frames.annotations import Annotations
from actparse.nets.detectors.yolof import YolofConfig
from actparse.stages.people.objects import ObjectsConfig
from actparse.stages.people.persons import FrameDetectorConfig
from actparse.training.recipes import tiny
from actparse.training.recipes.hyperparameters import Inputs
from actparse.training.recipes.persons import FramesTask, PaperFrames, TinyPersons
from actparse.training.samples.splits import open_stores
from actparse.training.task import Task


@dataclass(frozen=True, kw_only=True)
class TinyObjects(TinyPersons):
    """Hyperparameters of the tiny object detector."""

    net_config: YolofConfig = tiny.OBJECTS_NET
    stage_config: FrameDetectorConfig = tiny.OBJECTS_STAGE

    def build(self, inputs: Inputs) -> Task:
        """Build the task on decoded frames."""
        return ObjectsTask(*open_stores(inputs.data, inputs.run.out, inputs.options), self)


@dataclass(frozen=True, kw_only=True)
class PaperObjects(PaperFrames):
    """Hyperparameters of the object detector."""

    stage_type = ObjectsConfig

    max_objects: Count = 10  # ours; as many as persons

    def build(self, inputs: Inputs) -> Task:
        """Build the task on key frames that are decoded on demand."""
        return ObjectsTask(*self.open_splits(inputs), self)


class ObjectsTask(FramesTask):
    """The object detector: it learns from frames with an object, as YOLOF in mmdet does, and is evaluated on all."""

    def __init__(self, train: Annotations, held_out: Annotations, hyperparameters: TinyObjects | PaperObjects) -> None:
        """Build the network for the objects that occur in the training split.

        Raises:
            DataError: no object is annotated.
        """
        if not train.object_classes:
            raise DataError("objects: the training split has no annotated object")
        frames = np.flatnonzero(np.diff(train.object_offsets)).tolist()
        super().__init__("objects", train, held_out, hyperparameters, frames, train.object_classes)

    def truth(self, data: Annotations, frame: int) -> Detections:
        """Return the annotated objects of a frame, without those that do not occur in the training split."""
        objects = data.objects_of(frame)
        names = data.object_names(objects)
        is_learnt = np.array([name in self.names for name in names], bool)
        labels = np.array([self.names.index(name) for name in names if name in self.names], np.int64)
        return Detections.of_truth(data.object_boxes[objects][is_learnt], labels)

    def labels(self) -> Mapping[str, Any]:
        """Return the names of the objects."""
        return {"objects": list(self.names)}
