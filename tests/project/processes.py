"""Real processes for the tests: started with this checkout, killed by their own id, waited for with a limit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONG_S = 60


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env={**env, **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: object, **environment: str) -> tuple[int, str, str]:
    """Exit status, output, errors of a process that ends by itself."""
    with start(*arguments, **environment) as process:
        try:
            out, errors = process.communicate(timeout=LONG_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return process.returncode, out, errors


def acked(out: str) -> int:
    """The last position that a process was told is saved; 0 when none. A torn last line does not count."""
    whole = out[: out.rfind("\n") + 1].splitlines()
    return max((int(line.split()[1]) for line in whole if line.startswith("saved ")), default=0)
