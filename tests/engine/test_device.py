"""What the machine computes on, and how."""

import torch

from usfm_studio.engine.device import MOST_A_CORE, choose_device, usable_cores


def test_no_more_threads_are_started_than_the_cores_can_use():
    before = torch.get_num_threads()
    try:
        assert choose_device("cpu", 1).threads == 1
        assert choose_device("cpu", 100_000).threads == MOST_A_CORE * usable_cores() == torch.get_num_threads()
        assert choose_device("cpu").threads == usable_cores()
    finally:
        torch.set_num_threads(before)
