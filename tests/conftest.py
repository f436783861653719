"""What holds for every test: no screen, no network, no spinning threads, no file of the person who runs them."""

import atexit
import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

# Before anything imports torch or Qt.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["HF_HUB_OFFLINE"] = "1"

_HOME = tempfile.mkdtemp(prefix="usfm-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
for _kind in ("CONFIG", "CACHE", "DATA", "STATE"):
    os.environ[f"XDG_{_kind}_HOME"] = os.path.join(_HOME, _kind.lower())  # noqa: PTH118

settings.register_profile(
    "usual",
    deadline=None,  # the machine may be busy
    derandomize=True,  # the same examples for everyone
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
settings.register_profile(
    "thorough",
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow],
    database=DirectoryBasedExampleDatabase(".cache/hypothesis"),
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))
