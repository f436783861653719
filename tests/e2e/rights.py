"""A child that may do no more than an ordinary user: limits and rights are set in it, never in pytest's process."""

from __future__ import annotations

import ctypes
import os
import resource
import sys

PR_CAPBSET_DROP = 24
OVERRIDES = (1, 2, 3)
"""CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER: by which root passes over the modes of files."""


def as_an_ordinary_user() -> None:
    """For `preexec_fn`: root without its rights over files, so that modes count (other users need no change)."""
    if os.getuid() == 0 and sys.platform == "linux":
        for right in OVERRIDES:
            ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, right, 0, 0, 0)


def with_small_files(nbytes: int):
    """For `preexec_fn`: no file may grow beyond so many bytes (EFBIG, as on a full disk)."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, nbytes))

    return limit
