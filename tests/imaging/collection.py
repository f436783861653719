"""Where test files lie: a few in the repository, and a larger collection of real, made and broken ones beside it.

The collection lies in the folder that the environment variable USFM_STUDIO_DICOM names; tests that need it are skipped
where it is not set.
"""

import csv
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "tests" / "data" / "dicom"
COLLECTION = Path(os.environ.get("USFM_STUDIO_DICOM", BUNDLED / "collection"))

needs_collection = pytest.mark.skipif(not COLLECTION.is_dir(), reason="the collection of DICOM files is not here")


def table(name):
    """Rows of a table of the collection; none where it is not there."""
    path = COLLECTION / name
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
