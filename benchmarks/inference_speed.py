"""Claim: on a CPU a frame is predicted at least twice as fast as by the networks as they were trained, at equal masks.

Side by side, taken in turns in one run, the best of several (other programs only ever add time): the networks as they
were trained, in single precision; folded and in channels-last order; compiled, as the program does it; with bfloat16
throughout, where the CPU has such products; the same graph in OpenVINO, where that is installed. Wall and processor
time on one and two threads, three sizes; before that, what a start costs, and with `--data FOLDER MODEL` (repeated)
Dice on the folder's fold 0 by every way, and how far its masks agree with those of the first.

Run: `python benchmarks/inference_speed.py [--rounds 15] [--data FOLDER MODEL]...`
"""

import argparse
import csv
import os
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import cv2
import numpy as np
import torch

from usfm_studio.document.splits import fold_of
from usfm_studio.engine.device import FULL, Device, choose_device
from usfm_studio.engine.models import compiled, recording
from usfm_studio.engine.models.blueprint import DecoderPlan, Preparation
from usfm_studio.engine.models.catalogue import read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import LoadedModel, build_decoder, load_encoder, load_model
from usfm_studio.engine.models.fuse import fused
from usfm_studio.engine.models.graph_rewriting import simplified
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.scoring.masks import dice

PLANS = {"light decoder": ((64, 48, 32, 16), 1), "wide decoder": ((96, 64, 48, 32), 2)}
SIZES = (256, 320, 448)
FOLDS = 5


class AsTrained(Predictor):
    """The same way through, with the networks as they are: plain order of memory, nothing folded, single precision."""

    def __init__(self, model: LoadedModel, device: Device) -> None:
        super().__init__(model, replace(device, precision=FULL), compile=False)
        self._encoder, self._decoder = model.encoder, model.decoder

    @torch.inference_mode()
    def _encode(self, x_BCHW):
        return self._encoder(x_BCHW)  # not rounded to half

    def _to_device(self, tensor):
        return tensor


class InBfloat16(Predictor):
    """Everything that autocast allows, the encoder included; hopelessly slow where the CPU has no such products."""

    def __init__(self, model: LoadedModel, device: Device) -> None:
        super().__init__(model, replace(device, precision="bf16"), compile=False)
        encoder = self._encoder

        def cast(x_BCHW):
            with self.device.autocast():
                return encoder(x_BCHW).map(torch.Tensor.float)

        self._encoder = cast


class Rounded(Predictor):
    """The encoder with weights and the result of every convolution rounded, sums in single precision, on any CPU.

    This is what autocast to that type does to the masks; it says nothing of speed.
    """

    kind = torch.bfloat16

    def __init__(self, model: LoadedModel, device: Device) -> None:
        super().__init__(model, replace(device, precision=FULL), compile=False)
        for module in self._encoder.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight.data = module.weight.data.to(self.kind).float()
                module.register_forward_hook(lambda _m, _x, y: y.to(self.kind).float())


class RoundedToFloat16(Rounded):
    kind = torch.float16


WAYS = {
    "as trained": AsTrained,
    "folded, channels-last": lambda model, device: Predictor(model, device, compile=False),
    "compiled": Predictor,
}
IF_FAST = {"bfloat16 throughout": InBfloat16}
MASKS_OF = WAYS | {"encoder as in bfloat16": Rounded, "encoder as in float16": RoundedToFloat16}


def a_model(plan: str, px: int) -> LoadedModel:
    encoder = load_encoder(shipped_encoder())
    widths, convs = PLANS[plan]
    card = replace(read_card(shipped_encoder()), task="segmentation", segments={1: "a"}, input_px=px)
    decoder = build_decoder(DecoderPlan(widths=widths, convs=convs), encoder, 1).eval()
    return LoadedModel(card, Preparation(), encoder, decoder, None)


def best_of(rounds: int, acts: dict) -> dict:
    """Seconds (wall, processor) of each act, the smallest of so many turns."""
    best = {name: [float("inf")] * 2 for name in acts}
    for turn in range(rounds + 2):
        for name, act in acts.items():
            wall, cpu = time.perf_counter(), time.process_time()
            act()
            took = time.perf_counter() - wall, time.process_time() - cpu
            if turn >= 2:
                best[name] = [min(a, b) for a, b in zip(best[name], took, strict=True)]
    return best


def table(title: str, best: dict) -> None:
    print(f"  {title}")
    first = next(iter(best.values()))
    for name, (wall, cpu) in best.items():
        print(
            f"    {name:22s} wall {1000 * wall:7.1f} ms ({first[0] / wall:4.2f} x)   "
            f"processor {1000 * cpu:7.1f} ms ({first[1] / cpu:4.2f} x)"
        )


def graph_of(encoder):
    network, strides = fused(encoder), sorted(encoder.channels)

    def flat(x):
        features = network(x)
        return [*(features.maps[s] for s in strides), features.pooled_BD]

    return simplified(recording.recorded(flat, [torch.rand(1, 1, 64, 64)])).to_bytes()


def with_openvino(encoder, x, threads: int):
    """The encoder in OpenVINO, or None where it is not installed."""
    try:
        import openvino
    except ImportError:
        return None
    core = openvino.Core()
    network = core.read_model(graph_of(encoder))
    network.reshape([1, *x.shape[1:]])
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(network, "CPU", settings).create_infer_request()
    return lambda: request.infer([x.numpy()], share_inputs=True, share_outputs=True)


def encoders(model: LoadedModel, predictors: dict, prepared, threads: int) -> dict:
    acts = {name: lambda p=p: p.embed([prepared]) for name, p in predictors.items()}
    other = with_openvino(model.encoder, torch.from_numpy(prepared.x_CHW)[None], threads)
    return acts | ({"OpenVINO, this size": other} if other else {})


def whole_ways(predictors: dict, frame) -> dict:
    return {name: lambda p=p: p.predict(frame) for name, p in predictors.items()}


@torch.inference_mode()
def speeds(rounds: int) -> None:
    rng = np.random.default_rng(0)
    for threads in (1, 2):
        device = choose_device("cpu", threads)
        for px in SIZES:
            print(f"{threads} thread(s), {px} px, load {os.getloadavg()[0]:.1f}")
            frame = rng.integers(0, 255, (px * 7 // 8, px)).astype(np.uint8)
            for number, plan in enumerate(PLANS):
                model = a_model(plan, px)
                ways = WAYS if device.precision == FULL else WAYS | IF_FAST
                predictors = {name: way(model, device) for name, way in ways.items()}
                if number == 0:
                    prepared = predictors["compiled"].prepare(frame)
                    table("encoder", best_of(rounds, encoders(model, predictors, prepared, threads)))
                table(f"pixels to mask, {plan}", best_of(rounds, whole_ways(predictors, frame)))


def start() -> None:
    """What must happen before the first answer, processor seconds on one thread."""
    device = choose_device("cpu", 1)
    model = a_model("light decoder", 256)
    times = [time.process_time()]
    engine = compiled.engine()
    print(f"start: importing {engine} {time.process_time() - times[0]:.2f} s")
    for name in ("folded, channels-last", "compiled"):
        times = [time.process_time()]
        predictor = WAYS[name](model, device)
        times.append(time.process_time())
        for size_rc in ((256, 256), (224, 256)):
            predictor.predict(np.zeros(size_rc, np.uint8))
            times.append(time.process_time())
        made, first, other = np.diff(times)
        print(f"    {name:22s} made in {made:.2f} s, first answer {first:.3f}, first of another size {other:.3f}")


def masks(folder: Path, model_folder: Path) -> None:
    """Dice of both ways on the frames that the model has not learned from, and of one way against the other."""
    device = choose_device("cpu", 1)
    model = load_model(model_folder)
    predictors = {name: way(model, device) for name, way in MASKS_OF.items()}
    with (folder / "subjects.csv").open(newline="") as file:
        tests = sorted(row["file"] for row in csv.DictReader(file) if fold_of(row["subject"], FOLDS) == 0)
    scores = {name: [] for name in predictors}
    agreement = {name: [] for name in predictors}
    for name in tests:
        frame = cv2.imread(str(folder / "images" / name), cv2.IMREAD_GRAYSCALE)
        reference = cv2.imread(str((folder / "masks" / name).with_suffix(".png")), cv2.IMREAD_UNCHANGED)
        said = {way: predictor.predict(frame).ids for way, predictor in predictors.items()}
        for value in model.card.segments:
            wanted = reference > 0 if reference.max() == 255 else reference == value
            for way, ids in said.items():
                if wanted.any():
                    scores[way].append(dice(ids == value, wanted))
                agreement[way].append(dice(ids == value, said["as trained"] == value))
    base = float(np.mean(scores["as trained"]))
    print(f"{folder.name}: {len(tests)} frames, Dice as trained {base:.4f}")
    for way in list(MASKS_OF)[1:]:
        print(
            f"    {way:22s} Dice {np.mean(scores[way]):.4f} ({np.mean(scores[way]) - base:+.5f}), "
            f"agrees {np.mean(agreement[way]):.5f} (worst {min(agreement[way]):.4f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--data", nargs=2, action="append", type=Path, default=[], metavar=("FOLDER", "MODEL"))
    options = parser.parse_args()
    device = choose_device("cpu")
    print(f"{device.name}, decoder in {device.precision}, torch {torch.__version__}")
    start()
    for folder, model in options.data:
        masks(folder, model)
    if options.rounds:
        speeds(options.rounds)


if __name__ == "__main__":
    main()
