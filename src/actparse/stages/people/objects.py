"""Objects on whole frames, with the person detector's network and input, and a dataset's classes of objects.

The paper has no such network. The official baseline of Kinetics-TPS pools features from the boxes of objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actparse.core.errors import ConfigError
from actparse.nets.detectors.yolof import Yolof
from actparse.stages.people.persons import FrameDetector, FrameDetectorConfig


@dataclass(frozen=True, kw_only=True)
class ObjectsConfig(FrameDetectorConfig):
    """Settings of the object detector."""

    kind = "objects"

    max_objects: int = 10  # of all classes in a frame

    @property
    def max_boxes(self) -> int:
        """The largest number of objects in a frame."""
        return self.max_objects


class ObjectDetector(FrameDetector):
    """An object detector with YOLOF; the label of a box is its index in `names`."""

    def __init__(self, net: Yolof, config: ObjectsConfig, names: Sequence[str]) -> None:
        """Wrap a network.

        Raises:
            ConfigError: `names` are not those of its classes.
        """
        if len(names) != net.config.num_classes:
            raise ConfigError(f"objects: needs {net.config.num_classes} names, one for each class, got {len(names)}")
        super().__init__(net, config)
        self.names = tuple(names)
