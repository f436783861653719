"""The reader as others see it: a real process that may die, and a client that never does."""

import concurrent.futures
import json
import os
import queue
import signal
import sys
import time

import numpy as np
import pytest

from tests.imaging.making import COLOUR, GREY, a_dataset, a_file, an_instance, bytes_of
from usfm_studio.document.errors import Interrupted, NotFound, OutOfMemory, StudioError, Unreadable
from usfm_studio.document.snapshot import Snapshot
from usfm_studio.imaging import client
from usfm_studio.imaging.client import Reader, survey_from
from usfm_studio.imaging.description import descriptions_from

LIMIT_S = 60


@pytest.fixture(scope="module")
def shared_reader(tmp_path_factory):
    reader = Reader(cache_folder=tmp_path_factory.mktemp("cache"))
    yield reader
    reader.close()


@pytest.fixture
def wicked_reader(tmp_path, monkeypatch):
    """A reader process in which files whose name begins with a misdeed do it when they are described."""
    module = tmp_path / "wicked_reader.py"
    module.write_text(
        "import os, sys, time\n"
        "from usfm_studio.children.serve import serve\n"
        "from usfm_studio.imaging.reading import data_folder, main\n"
        "honest = main.describe\n"
        "def describe(path, member='', *, digest=False):\n"
        "    name = os.path.basename(path)\n"
        "    if name.startswith('abort'): os.abort()\n"
        "    if name.startswith('sleep'): time.sleep(600)\n"
        "    if name.startswith('spin'):\n"
        "        while True: pass\n"
        "    if name.startswith('eat'): bytearray(3 << 30)\n"
        "    return honest(path, member, digest=digest)\n"
        "main.describe = data_folder.describe = describe\n"
        "if __name__ == '__main__': sys.exit(serve(main.HANDLERS, on_start=main.quiet))\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setattr(client, "MODULE", "wicked_reader")
    monkeypatch.setattr(client, "SECONDS_PER_FILE", 1.0)
    monkeypatch.setattr(client, "SECONDS_PER_CHUNK", 2.0)
    reader = Reader(spare=True)
    yield reader
    reader.close()


def test_every_file_is_described_in_order(shared_reader, tmp_path):
    paths = [a_file(tmp_path, name=f"{n:03}.dcm") for n in range(120)]
    paths[60] = a_file(tmp_path, b"no image", "060.dcm")
    parts = []
    files = descriptions_from(shared_reader.describe(paths, on_part=parts.append).result(LIMIT_S))
    assert [d.path for d in files] == paths
    assert [d.ok for d in files] == [n != 60 for n in range(120)]
    assert sum(map(len, parts)) == 120
    assert len(parts) > 1


def test_nothing_to_describe_is_answered_at_once(shared_reader):
    assert shared_reader.describe([]).result(LIMIT_S) == {"files": []}


def test_a_survey_finds_and_describes(shared_reader, tmp_path):
    for name in ("b.dcm", "a.dcm"):
        a_file(tmp_path / "study", name=name)
    told = []
    ticket = shared_reader.survey(
        [tmp_path / "study", tmp_path / "absent"], digest=True, on_part=lambda part, total: told.append(total)
    )
    survey = survey_from(ticket.result(LIMIT_S))
    assert [d.instance.name for d in survey.files] == ["a.dcm", "b.dcm"]
    assert [item["path"] for item in survey.failed] == [str(tmp_path / "absent")]
    assert told == [2]


def test_two_files_that_claim_to_be_one_are_both_listed_and_noted(shared_reader, tmp_path):
    a_file(tmp_path, a_dataset(GREY), "one.dcm")
    a_file(tmp_path, a_dataset(GREY + 1), "other.dcm")
    survey = survey_from(shared_reader.survey([tmp_path], digest=True).result(LIMIT_S))
    assert len({d.instance.digest for d in survey.files}) == 2
    assert all("same SOPInstanceUID" in d.instance.notices[-1] for d in survey.files)


def test_pixels_arrive_read_only_with_their_digest(shared_reader, tmp_path):
    instance = an_instance(a_file(tmp_path, a_dataset(COLOUR)), digest=True)
    decoded = shared_reader.pixels(instance, 0).result(LIMIT_S)
    assert np.array_equal(decoded.array, COLOUR)
    assert not decoded.array.flags.writeable
    assert len(decoded.digest) == 64
    shared_reader.release(decoded)


def test_a_newer_request_of_the_same_key_takes_the_place_of_older_ones(shared_reader, tmp_path):
    loop = np.arange(30 * 12, dtype=np.uint16).astype(np.uint8).reshape(30, 3, 4)
    instance = an_instance(a_file(tmp_path, a_dataset(loop, frames=30)))
    tickets = [shared_reader.pixels(instance, index, key="shown") for index in range(30)]
    last = tickets[-1].result(LIMIT_S)
    assert np.array_equal(last.array, loop[29])
    done, _ = concurrent.futures.wait(tickets, LIMIT_S)
    assert len(done) == 30
    assert all(isinstance(t.exception(), Interrupted | None) for t in tickets)
    for ticket in tickets:
        if ticket.exception() is None:
            shared_reader.release(ticket.result())


def test_a_file_that_changed_or_left_is_not_shown_as_the_old_one(shared_reader, tmp_path):
    path = a_file(tmp_path)
    instance = an_instance(path, digest=True)
    shared_reader.release(shared_reader.pixels(instance, 0).result(LIMIT_S))
    with open(path, "ab") as file:  # noqa: PTH123
        file.write(b"\0")
    with pytest.raises(Unreadable, match="changed since"):
        shared_reader.pixels(instance, 0).result(LIMIT_S)
    os.rename(path, path + ".moved")  # noqa: PTH104
    with pytest.raises(NotFound, match="not there"):
        shared_reader.pixels(instance, 0).result(LIMIT_S)
    with pytest.raises(NotFound, match="no frame 2"):
        shared_reader.pixels(instance, 1).result(LIMIT_S)


def test_thumbnails_are_small_and_made_once(shared_reader, tmp_path):
    pixels = np.add.outer(np.arange(300) // 2, np.arange(400) // 4).astype(np.uint16) * 16
    instance = an_instance(a_file(tmp_path, a_dataset(pixels, BitsStored=12, HighBit=11)), digest=True)
    first = shared_reader.thumbnail(instance, 0, 96).result(LIMIT_S)["path"]
    stamp = os.stat(first).st_mtime_ns  # noqa: PTH116
    assert shared_reader.thumbnail(instance, 0, 96).result(LIMIT_S)["path"] == first
    assert os.stat(first).st_mtime_ns == stamp  # noqa: PTH116
    small = an_instance(first)
    assert max(small.rows, small.columns) == 96


@pytest.mark.parametrize("misdeed", ["abort", "sleep", "spin", "eat"])
def test_a_file_that_kills_its_reader_fails_alone(wicked_reader, tmp_path, misdeed):
    names = ["0.dcm", "1.dcm", f"{misdeed}.dcm", "3.dcm", "4.dcm"]
    paths = [a_file(tmp_path / "files", name=name) for name in names]
    files = descriptions_from(wicked_reader.describe(paths).result(LIMIT_S))
    assert [d.ok for d in files] == [True, True, False, True, True]
    assert misdeed in files[2].error
    assert files[2].instance is None


def test_many_guilty_files_do_not_tire_the_reader(wicked_reader, tmp_path):
    paths = [a_file(tmp_path / "files", name=f"{'abort' if n % 2 else 'good'}{n}.dcm") for n in range(14)]
    files = descriptions_from(wicked_reader.describe(paths).result(LIMIT_S))
    assert [d.ok for d in files] == [n % 2 == 0 for n in range(14)]


def test_a_killed_reader_comes_back_for_the_next_request(shared_reader, tmp_path):
    instance = an_instance(a_file(tmp_path))
    shared_reader.release(shared_reader.pixels(instance, 0).result(LIMIT_S))
    before = shared_reader.pids[0]
    os.kill(before, signal.SIGKILL)
    decoded = None
    deadline = time.monotonic() + LIMIT_S
    while decoded is None and time.monotonic() < deadline:
        try:
            decoded = shared_reader.pixels(instance, 0).result(LIMIT_S)
        except StudioError:
            continue
    assert decoded is not None
    assert shared_reader.pids[0] != before
    shared_reader.release(decoded)


def test_a_frame_that_needs_too_much_memory_fails_with_a_reason(shared_reader, tmp_path):
    rows = 8192
    ds = a_dataset(np.zeros((2, 2, 3), np.uint16), Rows=rows, Columns=rows)
    head = bytes_of(ds)
    path = tmp_path / "large.dcm"
    with path.open("wb") as file:
        at = head.rindex(b"\xe0\x7f\x10\x00")
        file.write(head[:at] + b"\xe0\x7f\x10\x00OW\0\0" + (rows * rows * 6).to_bytes(4, "little"))
        file.truncate(file.tell() + rows * rows * 6)
    instance = an_instance(str(path))
    with pytest.raises(OutOfMemory, match="memory"):
        shared_reader.pixels(instance, 0).result(LIMIT_S)
    small = an_instance(a_file(tmp_path))
    shared_reader.release(shared_reader.pixels(small, 0).result(LIMIT_S))


def test_cancelled_work_is_given_up_and_the_next_goes_on(shared_reader, tmp_path):
    paths = [a_file(tmp_path, name=f"{n:04}.dcm") for n in range(600)]
    ticket = shared_reader.describe(paths)
    assert ticket.cancel()
    with pytest.raises(Interrupted):
        ticket.result(LIMIT_S)
    assert descriptions_from(shared_reader.describe(paths[:1]).result(LIMIT_S))[0].ok


def test_two_processes_describe_together_and_keep_the_order(tmp_path):
    paths = [a_file(tmp_path, name=f"{n:03}.dcm") for n in range(230)]
    reader = Reader(workers=2)
    try:
        plain = descriptions_from(reader.describe(paths).result(LIMIT_S))
        assert len(reader.pids) == 2
        hashed = descriptions_from(reader.describe(paths, digest=True).result(LIMIT_S))
    finally:
        reader.close()
    assert [d.path for d in plain] == [d.path for d in hashed] == paths
    assert all(d.instance.digest for d in hashed)


def test_frames_given_back_are_used_again(tmp_path):
    reader = Reader()
    instance = an_instance(a_file(tmp_path))
    for _ in range(20):
        reader.release(reader.pixels(instance, 0).result(LIMIT_S))
    assert reader._pool.blocks == 1
    reader.close()


def test_a_frame_withdrawn_as_it_arrives_gives_its_memory_back(tmp_path, monkeypatch):
    reader = Reader()
    instance = an_instance(a_file(tmp_path))
    asked, whole = queue.SimpleQueue(), client.DecodedFrame

    def withdrawn_meanwhile(*parts):
        asked.get(timeout=LIMIT_S).cancel()
        return whole(*parts)

    monkeypatch.setattr(client, "DecodedFrame", withdrawn_meanwhile)
    ticket = reader.pixels(instance, 0)
    asked.put(ticket)
    with pytest.raises(Interrupted):
        ticket.result(LIMIT_S)
    monkeypatch.setattr(client, "DecodedFrame", whole)
    reader.release(reader.pixels(instance, 0).result(LIMIT_S))
    assert reader._pool.blocks == 1
    reader.close()


def test_answers_that_make_no_sense_are_errors_and_never_waited_for(tmp_path, monkeypatch):
    """What a child says is checked: it may be out of its mind."""
    module = tmp_path / "mad_reader.py"
    module.write_text(
        "import sys\n"
        "from usfm_studio.children.serve import serve\n"
        "mad = {'walk': {'found': [{'who': 1}], 'failed': []}, 'describe': {'files': []}, 'pixels': {'digest': 1},\n"
        "       'data_folder': {}}\n"
        "sys.exit(serve({kind: lambda body, context, answer=answer: answer for kind, answer in mad.items()}))\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setattr(client, "MODULE", "mad_reader")
    instance = an_instance(a_file(tmp_path))
    reader = Reader()
    try:
        for ask in (
            lambda: reader.survey([tmp_path]),
            lambda: reader.describe([tmp_path / "a", tmp_path / "b"]),
            lambda: reader.pixels(instance, 0),
        ):
            with pytest.raises(StudioError, match="makes no sense"):
                ask().result(LIMIT_S)
        assert reader._pool.blocks == 1
        reader.describe([]).result(LIMIT_S)
    finally:
        reader.close()


def test_a_data_folder_arrives_though_one_image_kills_the_reader(wicked_reader, tmp_path):
    for name in ("a.dcm", "abort.dcm", "z.dcm"):
        a_file(tmp_path / "data" / "images", a_dataset(GREY), name)
    answer = wicked_reader.data_folder_to_snapshot(tmp_path / "data", tmp_path / "out").result(LIMIT_S)
    assert [s.name for s in Snapshot.load(tmp_path / "out").samples] == ["a.dcm", "z.dcm"]
    assert [item["path"].rpartition("/")[2] for item in answer["failed"]] == ["abort.dcm"]


def test_no_name_of_a_patient_leaves_the_reader_but_in_its_answers(tmp_path, capfd):
    secret = "ZZTEST"
    whole = bytes_of(a_dataset(PatientName=f"{secret}^NOBODY", SpecificCharacterSet="ISO_IR 192"))
    at = whole.index(secret.encode())
    odd = whole[:at] + b"\xff" + whole[at + 1 :]
    paths = [a_file(tmp_path, content, f"{n}.dcm") for n, content in enumerate((whole, odd, whole[:600]))]
    reader = Reader()
    answer = reader.describe([*paths, str(tmp_path)]).result(LIMIT_S)
    words = reader._children[0].last_words
    reader.close()
    captured = capfd.readouterr()
    assert secret not in words + captured.out + captured.err
    assert secret in json.dumps(answer)
    assert not any(secret in (d.error or "") for d in descriptions_from(answer))
