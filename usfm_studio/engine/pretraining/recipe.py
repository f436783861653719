"""A recipe: all that can be set of a pre-training run, from a TOML file and `key=value` words.

Every field has its range here; what is unknown, of a wrong type or out of range is refused by name, with the nearest
key that exists.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from usfm_studio.document.errors import NotFound, WrongUsage
from usfm_studio.document.resources import resource
from usfm_studio.engine.models.encoder import ENCODERS
from usfm_studio.engine.pretraining.losses import LOSS_PRESETS, LossSettings
from usfm_studio.engine.pretraining.masking import MASK_PRESETS, MaskSettings

RANDOM = "random"
RECIPE_MOST = 1 << 16
SIDE = 32
"""Images are squares whose side is a multiple of this."""

Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0)]
Natural = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1, le=10**9)]


class Crop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Random resized crop inside the sector's bounding box: share of its area, width over height, mirrored or not.

    Never upside down: up is where the probe is.
    """

    scale: tuple[Share, Share] = (0.35, 1.0)
    ratio: tuple[Positive, Positive] = (0.75, 4 / 3)
    flip: Share = 0.5


class Sampling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Organs by `n ** alpha`, no image expected more often than `cap` times an epoch of `draws` (0: one an image)."""

    alpha: Share = 0.5
    cap: Positive = 10.0
    draws: Natural = 0


class Optimiser(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """AdamW. Rates are absolute: nothing is scaled by the batch. `warmup` is a share of the steps, `floor` of the rate.

    `clip` is the gradient norm that is kept, 0 for none.
    """

    encoder: Positive = 1e-4
    decoder: Positive = 1e-3
    weight_decay: Annotated[float, Meta(ge=0)] = 0.05
    betas: tuple[Share, Share] = (0.9, 0.95)
    warmup: Share = 0.05
    floor: Share = 0.01
    clip: Annotated[float, Meta(ge=0)] = 3.0
    ema: Annotated[float, Meta(ge=0, lt=1)] = 0.999


class Probing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every `every` of the steps on fold 1 of the labelled folders `data` (none: no probe).

    `patience`: the run stops after so many probes in a row without a new best; 0 for never.
    """

    data: tuple[str, ...] = ()
    every: Annotated[float, Meta(gt=0, le=1)] = 0.05
    patience: Natural = 0


class Logging(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line in metrics.jsonl every so many steps, pictures every `pictures` of the steps (0: none), TensorBoard."""

    every: Count = 10
    pictures: Share = 0.05
    tensorboard: bool = False


class Keeping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A checkpoint every so many minutes, and at least every `steps` where that is not 0; the `last` ones stay."""

    minutes: Annotated[float, Meta(gt=0)] = 10.0
    steps: Natural = 0
    last: Annotated[int, Meta(ge=1, le=100)] = 2


class PretrainRecipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run. `init`: the name of an encoder that ships, an ENCODER folder, or `random`. `data`: a packed corpus.

    `batch` images a rank go through the network together, `accumulate` times before a step. `batch_norm`: `fixed`
    (statistics as at the start) or `train`. `skips_most`: the share of unreadable images above which the run stops.
    `licence` and `attribution`: what the encoder's card says of the data.
    """

    encoder: str = "usfm_lite0"
    init: str = ""
    data: str = ""
    out: str = ""
    seed: Annotated[int, Meta(ge=0, lt=2**31)] = 0
    px: Annotated[int, Meta(ge=SIDE, le=1024, multiple_of=SIDE)] = 224
    batch: Annotated[int, Meta(ge=1, le=1 << 16)] = 32
    accumulate: Annotated[int, Meta(ge=1, le=1 << 16)] = 1
    steps: Count = 1000
    precision: Literal["auto", "bf16", "f32"] = "auto"
    batch_norm: Literal["fixed", "train"] = "fixed"
    channels_last: bool = False
    activation_checkpointing: bool = False
    compile: bool = False
    workers: Annotated[int, Meta(ge=0, le=256)] = 1
    skips_most: Share = 0.05
    licence: str = ""
    attribution: tuple[str, ...] = ()
    mask: MaskSettings = MASK_PRESETS["ours"]
    loss: LossSettings = LOSS_PRESETS["ours"]
    crop: Crop = Crop()
    sampler: Sampling = Sampling()
    optimiser: Optimiser = Optimiser()
    probe: Probing = Probing()
    log: Logging = Logging()
    keep: Keeping = Keeping()

    @property
    def start(self) -> str:
        """Where the weights come from: `init`, or else the encoder's own name."""
        return self.init or self.encoder

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return body


PRESETS: dict[str, Mapping[str, Any]] = {"mask": MASK_PRESETS, "loss": LOSS_PRESETS}
MAY_CHANGE = frozenset({
    "out", "data", "init", "probe", "log", "keep", "workers", "compile", "activation_checkpointing", "skips_most",
    "batch", "accumulate", "licence", "attribution",
})  # fmt: skip
"""What `--resume` may find changed, since it changes no number but by rounding. The run looks by itself at the corpus,
the starting weights and the images a step."""


def find_recipe(name: str) -> Path:
    """The file: a path, or the name of a recipe that ships. Raises NotFound."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = sorted(resource("recipes").glob("*.toml"))
    for recipe in shipped:
        if name in (recipe.stem, recipe.name):
            return recipe
    known = ", ".join(recipe.stem for recipe in shipped)
    raise NotFound(f"There is no recipe {path.name}", "no such file", f"Recipes that ship: {known}.")


def read_recipe(path: Path, changes: Sequence[str] = ()) -> PretrainRecipe:
    """The recipe of a TOML file with `key=value` words applied in order. Raises WrongUsage naming the key."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotFound("The recipe cannot be read", error.strerror or str(error)) from error
    if len(content) > RECIPE_MOST:
        raise _wrong("it is larger than a recipe can be")
    try:
        body = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _wrong(f"{path.name} is not TOML: {error}") from error
    return recipe_of(body, changes)


def recipe_of(body: dict[str, Any], changes: Sequence[str] = ()) -> PretrainRecipe:
    """The recipe of plain values with `key=value` words applied in order. Raises WrongUsage naming the key."""
    for change in changes:
        _change(body, change)
    _refuse_unknown(body, PretrainRecipe, "")
    for part, presets in PRESETS.items():
        if part in body:
            body[part] = _from_preset(part, body[part], presets)
    try:
        recipe = msgspec.convert(body, PretrainRecipe)
    except msgspec.ValidationError as error:
        raise _wrong(_words(str(error))) from error
    _check(recipe)
    return recipe


def differences(old: PretrainRecipe, new: PretrainRecipe) -> list[str]:
    """Keys whose values differ and must not when a run is resumed."""
    before, after = dict(_leaves(old.to_json())), dict(_leaves(new.to_json()))
    return [
        key
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key) and key.split(".")[0] not in MAY_CHANGE
    ]


def keys_of(kind: type[Any] = PretrainRecipe, at: str = "") -> list[str]:
    """All keys of a recipe, those of its parts with a dot."""
    found = []
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            found += keys_of(field.type, f"{at}{field.encode_name}.")
        else:
            found.append(f"{at}{field.encode_name}")
    return found + ([f"{at}preset"] if at.rstrip(".") in PRESETS else [])


def _change(body: dict[str, Any], change: str) -> None:
    key, sign, text = change.partition("=")
    key = key.strip()
    if not sign or not key:
        raise _wrong(f'"{change}" is not of the form key=value')
    *parts, last = key.split(".")
    for part in parts:
        body = body.setdefault(part, {})
        if not isinstance(body, dict):
            raise _wrong(_unknown(key))
    body[last] = _value(key, text.strip())


def _value(key: str, text: str) -> Any:
    """What the text means where the key stands: TOML, or the bare words for a text."""
    if _is_text(key):
        return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return [text] if key == "probe.data" else text


def _is_text(key: str) -> bool:
    kind: Any = PretrainRecipe
    for part in key.split("."):
        if not (isinstance(kind, type) and issubclass(kind, Struct)):
            return False
        if part == "preset":
            return True
        kind = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}.get(part)
    return kind is str or getattr(kind, "__origin__", None) is Literal


def _refuse_unknown(body: Mapping[str, Any], kind: type[Any], at: str) -> None:
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in body.items():
        if key == "preset" and at.rstrip(".") in PRESETS:
            continue
        if key not in fields:
            raise _wrong(_unknown(f"{at}{key}"))
        inner = fields[key]
        if isinstance(inner, type) and issubclass(inner, Struct):
            if not isinstance(value, Mapping):
                raise _wrong(f"{at}{key} is a part with keys of its own: [{at}{key}]")
            _refuse_unknown(value, inner, f"{at}{key}.")


def _unknown(key: str) -> str:
    near = _nearest(key, keys_of())
    return f'the key "{key}" is unknown' + (f"; did you mean {near}?" if near else "")


def _nearest(key: str, known: Iterable[str]) -> str:
    """The known key that is most alike, by its whole name or by its last part."""
    names = list(known)
    if found := difflib.get_close_matches(key, names, 1, 0.6):
        return found[0]
    lasts = {name.rpartition(".")[2]: name for name in names}
    found = difflib.get_close_matches(key.rpartition(".")[2], lasts, 1, 0.6)
    return lasts[found[0]] if found else ""


def _from_preset(part: str, body: dict[str, Any], presets: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the part's preset (`ours` if none is named) under those that are given."""
    name = body.get("preset", "ours")
    if name not in presets:
        near = _nearest(str(name), presets)
        hint = f"; did you mean {near}?" if near else ""
        raise _wrong(f"{part}.preset is {name!r}, not one of {', '.join(presets)}{hint}")
    values: dict[str, Any] = msgspec.to_builtins(presets[name])
    return {**values, **{key: value for key, value in body.items() if key != "preset"}}


def _words(text: str) -> str:
    """msgspec's message with the key in front."""
    said, _, where = text.partition(" - at `$")
    key = re.sub(r"\[(\d+|\.\.\.)\]", "", where.rstrip("`")).lstrip(".")
    return f"{key}: {said[:1].lower()}{said[1:]}" if key else said


def _leaves(body: Mapping[str, Any], at: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in body.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{at}{key}.")
        else:
            yield f"{at}{key}", value


def _check(recipe: PretrainRecipe) -> None:
    """What no single field can tell."""
    if recipe.encoder not in ENCODERS:
        near = _nearest(recipe.encoder, ENCODERS)
        known = ", ".join(ENCODERS)
        raise _wrong(f'encoder: "{recipe.encoder}" is none of {known}' + (f"; did you mean {near}?" if near else ""))
    for name, (low, high) in (("crop.scale", recipe.crop.scale), ("crop.ratio", recipe.crop.ratio)):
        if not 0 < low <= high:
            raise _wrong(f"{name}: the first number is above 0 and not above the second")


def _wrong(why: str) -> WrongUsage:
    return WrongUsage("The recipe cannot be used", why, "See docs/pretraining.md for all keys.")
