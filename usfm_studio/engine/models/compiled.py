"""Networks on a CPU as graphs of ONNX Runtime: the same numbers in less than half of torch's time.

A graph serves inputs of every size and is made in a quarter of a second, so nothing of it is kept on disk. It is
compared with the network once before it is trusted. Callers fall back to torch on `CannotCompile` and `GraphFailed`.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from usfm_studio.engine.models.decoder import UNetDecoder
from usfm_studio.engine.models.features import MULTIPLE, Encoder, Features
from usfm_studio.engine.models.fuse import fused
from usfm_studio.engine.models.graph_rewriting import simplified
from usfm_studio.engine.models.recording import CannotRecord, recorded

MACHINES = ("x86_64", "AMD64")
"""Processors where it was measured. Elsewhere ONNX Runtime takes other paths, which may be slower than torch's."""
TOLERANCE = 1e-4
"""Of the largest value: what a graph may differ by from its network. Rounding alone gives about 1e-6."""
ERRORS_ALONE = 3
"""ONNX Runtime's level of logging."""

Flat = Callable[..., Sequence[Tensor]]


class CannotCompile(Exception):
    """There is no graph of this network here."""


class GraphFailed(RuntimeError):
    """A graph gave no answer, for another reason than a lack of memory."""


class CompiledEncoder:
    """What `Encoder.__call__` does, for grey input. `engine` names what computes."""

    def __init__(self, encoder: Encoder, threads: int) -> None:
        """Raises CannotCompile."""
        network = fused(encoder)
        self._strides = sorted(encoder.channels)

        def flat(x_B1HW: Tensor) -> Sequence[Tensor]:
            features = network(x_B1HW)
            return [*(features.maps[stride] for stride in self._strides), features.pooled_BD]

        self._run = compiled(flat, lambda rows, columns: [_noise(1, 1, rows, columns)], threads)
        self.engine = engine()

    def __call__(self, x_B1HW: Tensor) -> Features:
        """Features, float32. Raises GraphFailed, MemoryError."""
        *maps, pooled_BD = self._run(x_B1HW)
        return Features(dict(zip(self._strides, maps, strict=True)), pooled_BD)


class CompiledDecoder:
    """What `UNetDecoder.__call__` does over a pyramid."""

    def __init__(self, decoder: UNetDecoder, encoder: Encoder, threads: int) -> None:
        """Raises CannotCompile."""
        if decoder.stem is not None:
            raise CannotCompile("the decoder looks at the image too")
        network = fused(decoder)
        self._strides = sorted(encoder.channels)

        def flat(*maps: Tensor) -> Sequence[Tensor]:
            return [network(Features(dict(zip(self._strides, maps, strict=True)), maps[0]))]

        def examples(rows: int, columns: int) -> list[Tensor]:
            return [_noise(1, encoder.channels[s], rows // s, columns // s) for s in self._strides]

        self._run = compiled(flat, examples, threads)

    def __call__(self, features: Features, _x_B1HW: Tensor | None = None) -> Tensor:
        """Logits (B, K, H / 2, W / 2), float32. Raises GraphFailed, MemoryError."""
        return self._run(*(features.maps[stride] for stride in self._strides))[0]


def engine() -> str:
    """Name and version of what computes graphs. Raises CannotCompile where it is not installed."""
    return f"onnxruntime {_runtime().__version__}"


def compiled(network: Flat, examples: Callable[[int, int], list[Tensor]], threads: int) -> Callable[..., list[Tensor]]:
    """A function that computes what `network` does, on `threads` threads that do not spin while they wait.

    `examples` gives inputs for an image of so many rows and columns. Raises CannotCompile.
    """
    if platform.machine() not in MACHINES:
        raise CannotCompile(f"not measured on {platform.machine()}")
    ort = _runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = ERRORS_ALONE
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        content = simplified(recorded(network, examples(2 * MULTIPLE, 2 * MULTIPLE))).to_bytes()
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except CannotRecord as error:
        raise CannotCompile(str(error)) from error
    except Exception as error:  # the runtime's own classes stand straight under Exception
        raise CannotCompile(f"no graph can be made: {type(error).__name__}") from error
    run = _runner(session)
    _compare(network, run, examples(MULTIPLE, 3 * MULTIPLE))
    return run


def _runner(session: Any) -> Callable[..., list[Tensor]]:
    names = [each.name for each in session.get_inputs()]

    def run(*inputs: Tensor) -> list[Tensor]:
        arrays = [tensor.contiguous().numpy() for tensor in inputs]
        try:
            outputs = session.run(None, dict(zip(names, arrays, strict=True)))
        except Exception as error:
            if "alloc" in str(error):  # "Failed to allocate memory", "std::bad_alloc"
                raise MemoryError("the graph could not be given memory") from error
            raise GraphFailed(f"{type(error).__name__} from ONNX Runtime") from error
        return [torch.from_numpy(output) for output in outputs]

    return run


@torch.inference_mode()
def _compare(network: Flat, run: Callable[..., list[Tensor]], inputs: list[Tensor]) -> None:
    """Run both on a size that the graph has not seen. Raises CannotCompile."""
    try:
        answers = run(*inputs)
    except (GraphFailed, MemoryError) as error:
        raise CannotCompile(str(error)) from error
    for wanted, given in zip(network(*inputs), answers, strict=True):
        if wanted.shape != given.shape or not bool((wanted - given).abs().max() <= TOLERANCE * wanted.abs().max()):
            raise CannotCompile("the graph gives other numbers than the network")


def _noise(*shape: int) -> Tensor:
    """Drawn apart from torch's own numbers, on which a run of learning depends."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def _runtime() -> Any:
    """The package, imported when first needed: 0.14 s. It is told to tell nobody anything."""
    try:
        import onnxruntime
    except (ImportError, OSError) as error:  # OSError: a library that it needs is missing
        raise CannotCompile("ONNX Runtime cannot be imported") from error
    onnxruntime.set_default_logger_severity(ERRORS_ALONE)
    onnxruntime.disable_telemetry_events()
    return onnxruntime
