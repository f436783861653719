"""A worker without torch that answers `probe` with what it was told; real process, real snapshots."""

import sys
from pathlib import Path

from usfm_studio.children.serve import serve
from usfm_studio.document.snapshot import Snapshot


def probe(body, context):
    read = {name: Snapshot.load(Path(folder)) for name, folder in body["folders"].items()}
    context.progress({"event": "progress", "done": 1, "total": 2, "what": "discs"})
    return {"knn": None, "fewshot": {"5": 0.5}, "told": body, "read": {n: len(s.samples) for n, s in read.items()}}


if __name__ == "__main__":
    sys.exit(serve({"probe": probe}))
