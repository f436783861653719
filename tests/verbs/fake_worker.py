"""A fine-tuning worker without torch: real process, real run folder, behaviour by `options["act"]`.

`learn`, `die`, `fail`, `hang`, `deaf` (does not heed a stop) and `early` (has no model yet) say how it goes on; where a
program of its own asks, the environment's FAKE_WORKER says so. What it is told of the run comes back as the answer's
`settings`.
"""

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from usfm_studio.children.serve import serve
from usfm_studio.document.errors import Interrupted, NotFound, NothingToLearn
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.snapshot import Snapshot
from usfm_studio.document.values_json import card_to
from usfm_studio.engine.learning.run_folder import CANCELLED, DONE, FAILED, RunFolder

TASKS = {"enhancement": "enhancement"}


def train(body, context):
    options = body["options"]
    folder = RunFolder(Path(body["run"]))
    folder.begin()
    snapshot = Snapshot.load(Path(body["snapshot"]))
    context.progress({"event": "stage", "stage": "learning", "left_s": 1.0})
    for step in range(options.get("steps", 2)):
        context.progress({"event": "step", "step": step + 1, "steps": 2, "loss": 0.5, "left_s": 1.0})
    act = options.get("act", os.environ.get("FAKE_WORKER", "learn"))
    if act == "early":
        time.sleep(60)
    digest = write_model(folder.model, body, options)
    folder.verdict.mkdir()
    context.progress({"event": "note", "note": "a model is there", "left_s": 1.0})
    if act == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "fail":
        error = NothingToLearn("There is nothing to learn from yet", "one subject only")
        folder.end(FAILED, str(error))
        raise error
    while act == "deaf" or (act == "hang" and not context.finish_early()):
        time.sleep(0.01)
        if context.cancelled():
            folder.end(CANCELLED)
            raise Interrupted("The fine-tuning was cancelled")
    result = answer(body, folder, digest, snapshot)
    folder.end(DONE, result=result)
    return result


def write_model(folder, body, options):
    folder.mkdir()
    weights = options.get("weights", "learned").encode()
    (folder / "model.safetensors").write_bytes(weights)
    digest = hashlib.sha256(weights).hexdigest()
    parents = ()
    if body["champion"]:
        parents = (json.loads((Path(body["champion"]) / "card.json").read_text())["digest"],)
    card = ModelCard(
        digest=digest, name=body["name"], task=TASKS.get(body["task"], "segmentation"),
        encoder="usfm_lite0", encoder_digest="e" * 64, exam=body["exam"], segments={1: "Head"},
        parents=parents, comparison=options.get("comparison", {}),
    )  # fmt: skip
    (folder / "card.json").write_text(json.dumps(card_to(card)))
    if options.get("wrong_digest"):
        (folder / "model.safetensors").write_bytes(b"something else")
    return digest


def answer(body, folder, digest, snapshot):
    return {
        "model": digest, "model_folder": str(folder.model), "promoted": body["options"].get("promoted", True),
        "reason": "better", "holdout": {"metric": "dice_all", "champion": None, "challenger": 0.9,
        "interval": [0.8, 0.95], "subjects": 2}, "train_subjects": len(snapshot.subjects), "seconds": 1.0,
        "settings": {"order": body}, "data_digest": snapshot.digest, "seed": body["seed"],
        "per_subject": {"P1": {"challenger": 0.9, "champion": None}}, "worst": body["options"].get("worst", []),
    }  # fmt: skip


def evaluate(body, context):
    snapshot = Snapshot.load(Path(body["snapshot"]))
    context.progress({"event": "progress", "done": 1, "total": len(snapshot.samples)})
    if json.loads((Path(body["model"]) / "card.json").read_text())["name"] == "Nothing to score":
        raise NotFound("There is nothing to score", "no frame has masks")
    return {"dice": 0.5, "interval": {}, "per_subject": {}, "told": body}


if __name__ == "__main__":
    sys.exit(serve({"train": train, "evaluate": evaluate}))
