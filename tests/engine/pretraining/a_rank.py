"""One rank of a run as a process: `python -m tests.engine.pretraining.a_rank ACT CORPUS OUT [KEY=VALUE…]`.

Acts: `gradient` saves the first step's gradient; `run` does a run and prints its result; `vanish` ends without a word
after two steps; `freeze` stops itself there, alive but silent.
"""

import json
import os
import signal
import sys
from pathlib import Path

from safetensors.torch import save_file

from tests.engine.pretraining.runs import SMALL, Line, a_run
from usfm_studio.document.errors import StudioError
from usfm_studio.engine.pretraining import ranks
from usfm_studio.engine.pretraining.batches import Batches, stream
from usfm_studio.engine.pretraining.ranks import Place, World
from usfm_studio.engine.pretraining.recipe import recipe_of
from usfm_studio.engine.pretraining.starting import device_of, starting_encoder
from usfm_studio.engine.pretraining.step import Step

ranks.BEAT_S, ranks.LOST_S = 0.5, 25.0


class Telling(Line):
    def progress(self, body):
        super().progress(body)
        if body["event"] == "lost":
            print(json.dumps(body), flush=True)


class Going(Telling):
    def __init__(self, end):
        super().__init__()
        self.asked, self.end = 0, end

    def finish_early(self):
        self.asked += 1
        if self.asked == 3:
            self.end()
        return False


def gradient(corpus, out, changes):
    place = Place.from_environment()
    recipe = recipe_of({"data": str(corpus)}, [*SMALL, *changes])
    with World(place).join(gpu=False, on_lost=lambda error: os._exit(1)) as world:
        encoder, _ = starting_encoder(recipe)
        step = Step(recipe, encoder, device_of(recipe, "cpu", 1, place), world)
        step.optimiser.step = lambda: save_file(
            {n: p.grad.clone() for n, p in step.model.named_parameters()}, f"{out}-{place.rank}.safetensors"
        )
        outcome = step.run(
            0, stream(Batches(recipe, place), 0, workers=0, pinned=False), lambda batch: world.sum([0.0]), True
        )
        print(json.dumps({"loss": float(outcome.loss), "ratio": float(outcome.gradient_ratio)}))


def main():
    act, corpus, out, *changes = sys.argv[1:]
    if act == "gradient":
        return gradient(corpus, Path(out), changes)
    ends = {"vanish": lambda: os._exit(9), "freeze": lambda: os.kill(os.getpid(), signal.SIGSTOP)}
    line = Going(ends[act]) if act in ends else Telling()
    try:
        print(json.dumps(a_run(corpus, out, *changes, line=line)))
    except StudioError as error:
        print(json.dumps({"error": str(error)}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
