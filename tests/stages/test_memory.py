"""Memory that a network frees is kept for its next pass, which asks the system for few pages then."""

import platform
import subprocess
import sys

import pytest

PASSES = """
import resource, sys, torch
from actparse.nets.poses.movenet import Movenet, MovenetConfig
from actparse.stages.memory import keep_freed_memory
torch.set_num_threads(1)
if sys.argv[1] == "kept":
    assert keep_freed_memory()
net, crops = Movenet(MovenetConfig(width=1.0, size=192)).eval(), torch.zeros(8, 3, 192, 192)

def pages_of_a_pass():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    net(crops)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with torch.inference_mode():
    print(min(pages_of_a_pass() for _ in range(5)))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps memory on request")
def test_a_later_pass_asks_for_few_pages() -> None:
    pages = {
        how: int(subprocess.run([sys.executable, "-c", PASSES, how], check=True, capture_output=True, text=True).stdout)
        for how in ("freed", "kept")
    }
    assert pages["kept"] < pages["freed"] / 3
