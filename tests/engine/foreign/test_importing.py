"""The importer as a process: hostile, torn and foreign files end in one message, and nothing of them runs."""

import io
import os
import pickle
import struct
import tarfile
import zipfile

import pytest
import torch

from tests.engine.foreign import published
from usfm_studio.document.errors import BadModel
from usfm_studio.engine.models.catalogue import read_card
from usfm_studio.engine.models.foreign.reading import LEGACY, read_checkpoint
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House
from usfm_studio.verbs.models import ModelsArguments, run

pytestmark = pytest.mark.timeout(500)


def bring(file, out, **more):
    return drive(run(ModelsArguments(act="import", model=str(file), out=out, **more), House())).models[0]


class Touches:
    """What a malicious checkpoint does: a command, run by the unpickler."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.fixture(scope="module")
def body():
    return published.official(published.beit(width=32, heads=2, depth=1))


@pytest.mark.slow
def test_a_checkpoint_becomes_an_encoder_folder(tmp_path, body):
    torch.save({"state_dict": body, "epoch": 1, "head": {"weight": torch.ones(2)}}, tmp_path / "USFM_latest.pth")
    entry = bring(tmp_path / "USFM_latest.pth", tmp_path / "usfm", licence="CC-BY-NC 4.0")
    assert (entry["path"], entry["task"], entry["name"]) == (str(tmp_path / "usfm"), "encoder", "USFM_latest")
    assert (entry["licence"], entry["spare"]) == ("CC-BY-NC 4.0", {"head": 1})
    assert read_card(tmp_path / "usfm").digest == entry["digest"]


@pytest.mark.parametrize("new", [True, False])
def test_a_pickle_that_would_run_is_refused_and_does_not_run(tmp_path, body, new):
    mark, file = tmp_path / "ran", tmp_path / "evil.pth"
    torch.save({"model": body, "x": Touches(mark)}, file, _use_new_zipfile_serialization=new)
    with pytest.raises(BadModel, match=r"would run (posix|nt)\.system"):
        bring(file, tmp_path / "out") if new else read_checkpoint(file)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["evil.pth"]


def test_memory_that_a_file_only_claims_is_not_given(tmp_path):
    """An old file whose storage says 2^38 numbers: the reading process has not got them, and says so."""
    file = tmp_path / "huge.pth"
    torch.save({"cls_token": torch.zeros(7654321)}, file, _use_new_zipfile_serialization=False)
    content, claimed = file.read_bytes(), struct.pack("<i", 7654321)
    assert content.count(b"J" + claimed) >= 2
    file.write_bytes(content.replace(b"J" + claimed, b"\x8a\x05" + struct.pack("<q", 2**38)[:5], 1)[: 1 << 16])
    with pytest.raises(BadModel, match=r"memory|damaged"):
        bring(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def cut(content):
    return content[: len(content) // 2]


def packed(content):
    """The same archive with members pressed: it may claim any size."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member) if member.filename.endswith("pkl") else bytes(1_000_000))
    return out.getvalue()


def a_tar(_content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            archive.addfile(tarfile.TarInfo(name))
    return out.getvalue()


def a_program(_content):
    out = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), out)
    return out.getvalue()


def saved(value):
    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: b"", "it is empty"),
        (lambda _: b"x", "neither torch's nor safetensors'"),
        (lambda _: b"\x89PNG" + bytes(400), "neither torch's nor safetensors'"),
        (cut, "cut short"),
        (lambda c: c[:-30], "cut short"),
        (lambda c: c[:64] + bytes(64) + c[128:], "cut short|damaged"),
        (packed, "more than it has room for"),
        (a_tar, "2017"),
        (a_program, "TorchScript"),
        (lambda _: LEGACY, "cut short|damaged"),
        (lambda _: LEGACY + b"\x80\x02M\xe9\x03." + b"\x80\x02}.", "cut short|damaged|no tensors"),
        (lambda _: pickle.dumps({"a": 1}), "could run a program"),
        (lambda _: saved([1, 2]), "no tensors under names"),
        (lambda _: saved({"a": 1}), "no tensors under names"),
        (lambda _: saved({"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": torch.ones(1)}}}}}}}}), "no tensors"),
        (lambda _: struct.pack("<Q", 2**60) + b"{}", "neither"),
        (lambda _: struct.pack("<Q", 2) + b"{}", "no encoder"),
        (lambda _: struct.pack("<Q", 100) + b"{" * 100, "header"),
    ],
    ids=range(18),
)
def test_a_file_that_is_no_checkpoint_is_one_message(tmp_path, body, change, words):
    from usfm_studio.engine.models.foreign.convert import convert

    file = tmp_path / "file.pth"
    file.write_bytes(change(saved(body)))
    with pytest.raises(BadModel, match=words) as raised:
        convert(file, tmp_path / "out")
    assert raised.value.what == "file.pth cannot be used"
    assert not (tmp_path / "out").exists()


def test_a_place_that_is_taken_is_refused_before_anything_is_read(tmp_path):
    from usfm_studio.document.errors import WrongUsage

    (tmp_path / "file.pth").write_bytes(b"x")
    (tmp_path / "file").mkdir()
    with pytest.raises(WrongUsage, match="not replaced"):
        bring(tmp_path / "file.pth", tmp_path / "file")


def test_an_imported_encoder_goes_onto_the_shelf(tmp_path, body):
    torch.save({"state_dict": body, "epoch": 1, "head": {"weight": torch.ones(2)}}, tmp_path / "mine.pt")
    with House.at(tmp_path / "p", create=True) as house:
        arguments = ModelsArguments(act="import", model=str(tmp_path / "mine.pt"), licence="CC-BY-NC 4.0")
        (entry,) = drive(run(arguments, house)).models
        assert (entry["licence"], entry["champion"], entry["spare"]) == ("CC-BY-NC 4.0", False, {"head": 1})
        assert [card.digest for card in house.project.models.cards()] == [entry["digest"]]
