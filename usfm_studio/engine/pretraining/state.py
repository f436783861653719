"""A run's state as tensors and plain facts, and back. What is here, and the recipe, determine every later step.

There is no state of a random generator: all draws are functions of the seed and of the step (`draws.py`, `batches.py`),
and no gradient scaler: bfloat16 needs none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from usfm_studio.engine.models.checkpoint import COUNTER
from usfm_studio.engine.pretraining.step import Step

AVERAGE = "average"
MOMENTS = ("exp_avg", "exp_avg_sq")
NORMS = "loss.norms"


def tensors_of_run(step: Step) -> dict[str, Tensor]:
    """Everything of a run that is a tensor, float32, by name."""
    found = {name: tensor.float() for name, tensor in _network_tensors(step)}
    for name, parameter in step.model.named_parameters():
        state = step.optimiser.state.get(parameter, {})
        for moment in MOMENTS:
            held = state.get(moment)
            found[f"{moment}.{name}"] = torch.zeros_like(parameter) if held is None else held
    return found


def facts_of_run(step: Step) -> dict[str, Any]:
    """What of the state is no float32 tensor: counts, and the balance of the losses in full precision."""
    counts = {int(state["step"]) for state in step.optimiser.state.values() if "step" in state}
    loss = step.loss.state_dict()
    return {
        "optimiser_steps": max(counts, default=0),
        "loss": {name: value.double().flatten().tolist() for name, value in loss.items()},
    }


def shapes_of_run(step: Step) -> dict[str, tuple[int, ...]]:
    """Names and shapes that a checkpoint of this run must have."""
    found = {name: tuple(tensor.shape) for name, tensor in _network_tensors(step)}
    for name, parameter in step.model.named_parameters():
        found |= {f"{moment}.{name}": tuple(parameter.shape) for moment in MOMENTS}
    return found


@torch.no_grad()
def restore(step: Step, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Put a checkpoint's state into a freshly built run. Raises KeyError, RuntimeError where it does not fit."""
    for name, tensor in _network_tensors(step):
        tensor.copy_(tensors[name])
    count = float(facts["optimiser_steps"])
    for name, parameter in step.model.named_parameters() if count else ():
        state: dict[str, Any] = {m: torch.empty_like(parameter).copy_(tensors[f"{m}.{name}"]) for m in MOMENTS}
        state["step"] = torch.tensor(count, dtype=torch.float32, device=parameter.device)
        step.optimiser.state[parameter] = state
    held = step.loss.state_dict()
    step.loss.load_state_dict(
        {
            name: torch.tensor(facts["loss"][name], dtype=torch.float64).to(value.dtype).view(value.shape)
            for name, value in held.items()
        }
    )


def _network_tensors(step: Step) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of the networks and the averaged encoder; BatchNorm's counters, which nothing reads, left out."""
    parts: dict[str, nn.Module] = {**step.model.parts(), AVERAGE: step.average}
    for part, module in parts.items():
        for name, tensor in module.state_dict(keep_vars=True).items():
            if not name.endswith(COUNTER):
                yield f"{part}.{name}", tensor
