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
with torch.inference_mode():
    net(crops)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        net(crops)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps memory on request")
def test_a_second_pass_asks_for_few_pages() -> None:
    pages = {
        how: int(subprocess.run([sys.executable, "-c", PASSES, how], check=True, capture_output=True, text=True).stdout)
        for how in ("freed", "kept")
    }
    assert pages["kept"] < pages["freed"] / 3
