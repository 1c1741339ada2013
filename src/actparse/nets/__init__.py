"""The networks: nn.Module only, tensors in, tensors out, sized by a dataclass config.

`resnet`, `yolof` ... here are the functions that build a network; the modules of those names hold their parts.
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
