import hashlib
import json
import os
import struct
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save

from tests.engine.making import a_card, a_frame, a_model, parts_of
from usfm_studio.document.errors import BadModel
from usfm_studio.engine.models.catalogue import find_encoder, read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import load_model, save_model, tensors_of
from usfm_studio.engine.models.predictor import Predictor

WEIGHTS = "model.safetensors"


def rewritten(folder, content):
    """The model with other weights of the right digest: what a stranger would make."""
    (folder / WEIGHTS).write_bytes(content)
    with_card(folder, digest=hashlib.sha256(content).hexdigest())


def with_card(folder, **changes):
    path = folder / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def with_header(header, body=b""):
    """A safetensors file made by hand."""
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(content)) + content + body


def refused(folder, words=None):
    began = time.process_time()
    with pytest.raises(BadModel, match=words):
        load_model(folder)
    assert time.process_time() - began < 5


def test_a_model_comes_back_as_it_was_saved(tmp_path):
    card = a_card(segments=("cyst", "wall"), labels=("benign", "malignant"), exam="breast")
    _, decoder, head = parts_of(card)
    saved = save_model(tmp_path / "m", card, tensors_of(decoder=decoder, label_head=head))
    model = load_model(tmp_path / "m")
    assert model.card == saved
    assert saved.digest == hashlib.sha256((tmp_path / "m" / WEIGHTS).read_bytes()).hexdigest()
    assert saved.encoder_digest == read_card(shipped_encoder()).digest
    assert torch.equal(model.decoder.head.weight, decoder.head.weight.half().float())
    assert torch.equal(model.label_head.deviation_D, head.deviation_D)
    assert not any(part.training for part in model.parts().values())


def test_a_model_with_its_own_encoder_needs_no_other_and_carries_its_terms(tmp_path):
    card = a_card()
    encoder, decoder, _ = parts_of(card)
    with torch.no_grad():
        encoder.conv_stem.weight.mul_(1.5)
    saved = save_model(tmp_path / "m", card, tensors_of(encoder=encoder, decoder=decoder))
    assert saved.encoder_digest == saved.digest
    assert {p.name for p in (tmp_path / "m").iterdir()} == {WEIGHTS, "card.json", "LICENSE", "NOTICE"}
    assert torch.equal(load_model(tmp_path / "m").encoder.conv_stem.weight, encoder.conv_stem.weight.half().float())


def test_saving_again_replaces_the_folder_and_leaves_nothing_beside_it(tmp_path):
    first = a_model(tmp_path / "m", seed=0)
    second = a_model(tmp_path / "m", seed=1)
    assert first.digest != second.digest
    assert load_model(tmp_path / "m").card == second
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_save_that_fails_leaves_the_old_model(tmp_path, monkeypatch):
    card = a_model(tmp_path / "m")
    real, left = os.fsync, []

    def fsync(fd):
        if not left:
            raise OSError(28, "No space left on device")
        left.pop()
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    for passes in range(3):  # weights, card, folder
        left[:] = [None] * passes
        with pytest.raises(OSError, match="No space"):
            a_model(tmp_path / "m", seed=1)
        assert load_model(tmp_path / "m").card == card
        assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_an_encoder_folder_can_be_named_beside_those_that_ship(tmp_path):
    encoder, decoder, _ = parts_of(a_card())
    own = replace(a_card(segments=()), task="encoder", encoder="usfm_lite0", settings={})
    bare = {name.removeprefix("encoder."): t for name, t in tensors_of(encoder=encoder).items()}
    bare["conv_stem.weight"] = bare["conv_stem.weight"] * 2
    own = save_model(tmp_path / "encoder", own, bare)
    card = replace(a_card(), encoder_digest=own.digest)
    save_model(tmp_path / "m", card, tensors_of(decoder=decoder))
    assert find_encoder(own.digest, [tmp_path / "encoder"]) == tmp_path / "encoder"
    model = load_model(tmp_path / "m", [tmp_path / "encoder"])
    assert torch.equal(model.encoder.conv_stem.weight, bare["conv_stem.weight"].float())
    refused(tmp_path / "m", "needs the encoder")


def test_a_changed_byte_is_noticed(tmp_path):
    a_model(tmp_path / "m")
    content = bytearray((tmp_path / "m" / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (tmp_path / "m" / WEIGHTS).write_bytes(content)
    refused(tmp_path / "m", "not those that its card describes")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("decoder.head.bias"), "1 tensors are missing"),
        (lambda t: t.update({"../../a": torch.zeros(1)}), "foreign"),
        (lambda t: t.update({"decoder.head.bias": torch.zeros(3)}), "shape"),
        (lambda t: t.update({"decoder.head.bias": torch.tensor([0, float("nan")])}), "not numbers"),
        (lambda t: t.update({"decoder.head.bias": torch.tensor([0, float("inf")])}), "not numbers"),
        (lambda t: t.update({"decoder.head.bias": torch.zeros(2, dtype=torch.int64)}), "unknown type"),
        (lambda t: t.update({f"x{i}": torch.zeros(0) for i in range(5000)}), "more than 4096|broken header"),
    ],
)
def test_tensors_other_than_the_architectures_are_refused(tmp_path, change, words):
    a_model(tmp_path / "m")
    tensors = load_file(tmp_path / "m" / WEIGHTS)
    change(tensors)
    rewritten(tmp_path / "m", save(tensors))
    refused(tmp_path / "m", words)


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01",
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 200_000_000) + b"{}",
        with_header(b"[]"),
        with_header(b"{" * 100_000),
        with_header(b"[" * 1_000_000),
        with_header(b"\xff\xfe"),
        with_header({"__metadata__": {"a": "x" * 5_000_000}}),
        with_header({f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(300_000)}),
        with_header({"decoder.head.bias": ENTRY | {"shape": [2**62, 2**62]}}, bytes(8)),
        with_header({"decoder.head.bias": ENTRY | {"shape": [-2]}}, bytes(8)),
        with_header({"decoder.head.bias": ENTRY | {"data_offsets": [0, 2**63]}}, bytes(8)),
        with_header({"decoder.head.bias": ENTRY | {"data_offsets": "0"}}, bytes(8)),
    ],
    ids=range(14),
)
def test_a_hostile_weights_file_is_refused_quickly(tmp_path, content):
    a_model(tmp_path / "m")
    rewritten(tmp_path / "m", content)
    refused(tmp_path / "m")


def test_overlaps_holes_truncation_and_trailing_bytes_are_refused(tmp_path):
    a_model(tmp_path / "m")
    good = (tmp_path / "m" / WEIGHTS).read_bytes()
    length = struct.unpack("<Q", good[:8])[0]
    header, body = json.loads(good[8 : 8 + length]), good[8 + length :]
    names = sorted((k for k in header if k != "__metadata__"), key=lambda k: header[k]["data_offsets"])
    last = dict(header)
    start, end = last[names[-1]]["data_offsets"]
    size = end - start
    overlap = header | {names[-1]: header[names[-1]] | {"data_offsets": [start - size, end - size]}}
    hole = header | {names[-1]: header[names[-1]] | {"data_offsets": [start + 64, end + 64]}}
    for content in (
        with_header(overlap, body),
        with_header(hole, body + bytes(64)),
        good[:-4],
        good + b"tail",
        good[: 8 + length // 2],
    ):
        rewritten(tmp_path / "m", content)
        refused(tmp_path / "m")


def test_a_file_far_longer_than_its_header_says_is_not_read(tmp_path):
    a_model(tmp_path / "m")
    with (tmp_path / "m" / WEIGHTS).open("r+b") as file:
        file.truncate(1 << 40)  # a hole: it takes no room
    refused(tmp_path / "m", "longer or shorter")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input_px": 0}, "input size"),
        ({"input_px": 10**9}, "input size"),
        ({"input_px": "256; rm"}, "card is wrong"),
        ({"encoder": "../../etc"}, "does not know"),
        ({"encoder_digest": "0" * 64}, "needs the encoder"),
        ({"segments": {"0": "a"}}, "numbered"),
        ({"segments": {}}, "other outputs"),
        ({"labels": ["a"]}, "other outputs"),
        ({"temperature": 0}, "temperature"),
        ({"foreign": 1}, "no field foreign"),
        ({"settings": {}}, "neither"),
        ({"settings": {"architecture": {"decoder": {"widths": [9**9] * 4, "convs": 1}}}}, "card is wrong"),
        ({"settings": {"architecture": {"decoder": {"kind": "os.system", "widths": [8] * 4, "convs": 1}}}}, "wrong"),
        ({"settings": {"architecture": {"label_head": {"masked": True}}}, "labels": ["a"], "segments": {}}, "mask"),
        ({"preprocessing": {"placement": "twist"}}, "card is wrong"),
        ({"preprocessing": {"min_area_px": -1}}, "card is wrong"),
        ({"preprocessing": {"hook": "x"}}, "card is wrong"),
    ],
)
def test_a_card_that_makes_no_sense_is_refused(tmp_path, changes, words):
    a_model(tmp_path / "m")
    with_card(tmp_path / "m", **changes)
    refused(tmp_path / "m", words)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"digest": 1}', b"\xff", b"[" * 100_000, b" " * 2_000_000])
def test_a_card_that_is_none_is_refused(tmp_path, content):
    a_model(tmp_path / "m")
    (tmp_path / "m" / "card.json").write_bytes(content)
    refused(tmp_path / "m")


def test_a_folder_without_a_model_is_refused(tmp_path):
    refused(tmp_path / "nowhere", "card.json")
    a_model(tmp_path / "m")
    (tmp_path / "m" / WEIGHTS).unlink()
    refused(tmp_path / "m")


def test_seeded_changes_of_a_good_model_load_whole_or_are_refused(tmp_path):
    a_model(tmp_path / "m")
    card, good = (tmp_path / "m" / "card.json").read_bytes(), (tmp_path / "m" / WEIGHTS).read_bytes()
    header = 8 + struct.unpack("<Q", good[:8])[0]
    rng = np.random.default_rng(0)
    for _ in range(30):
        changed = bytearray(good)
        for _ in range(rng.integers(1, 4)):
            changed[rng.integers(0, header)] = rng.integers(0, 256)
        (tmp_path / "m" / "card.json").write_bytes(card)
        rewritten(tmp_path / "m", bytes(changed))
        try:
            model = load_model(tmp_path / "m")
        except BadModel:
            continue
        assert Predictor(model).predict(a_frame()).ids.shape == (90, 120)
