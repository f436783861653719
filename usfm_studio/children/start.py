"""First code of every child: `python -P -m usfm_studio.children.start SETTINGS MODULE ARGUMENTS…`.

It sets the limits before the module (and torch, and the codecs) is imported, then runs it as `__main__`.
"""

from __future__ import annotations

import runpy
import sys

from usfm_studio.children import limits, wire


def main() -> None:
    """Take the pipes, set the limits, run the module."""
    settings = limits.Settings.parse(sys.argv[1])
    module = sys.argv[2]
    wire.take(settings)
    limits.apply(settings)
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
