"""The networks: only nn.Module, from tensors to tensors, with sizes from a dataclass config.

In this package `resnet`, `yolof` ... are the functions that build a network; modules of these names contain its parts.
"""

from actparse.nets.baseline import baseline
from actparse.nets.clips.csn import csn
from actparse.nets.clips.tsn import tsn
from actparse.nets.detectors.nanodet import nanodet
from actparse.nets.detectors.yolof import yolof
from actparse.nets.poses.hrnet import hrnet
from actparse.nets.poses.movenet import movenet
from actparse.nets.resnet import resnet

__all__ = ["baseline", "csn", "hrnet", "movenet", "nanodet", "resnet", "tsn", "yolof"]
