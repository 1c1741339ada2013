"""The networks: only nn.Module, from tensors to tensors, with sizes from a dataclass config.

In this package `resnet`, `yolof` ... are the functions that build a network; modules of these names contain its parts.
"""

from actparse.nets.baseline import baseline
from actparse.nets.csn import csn
from actparse.nets.hrnet import hrnet
from actparse.nets.movenet import movenet
from actparse.nets.nanodet import nanodet
from actparse.nets.resnet import resnet
from actparse.nets.tsn import tsn
from actparse.nets.yolof import yolof

__all__ = ["baseline", "csn", "hrnet", "movenet", "nanodet", "resnet", "tsn", "yolof"]
