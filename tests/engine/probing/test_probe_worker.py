"""The request `probe` through the real worker."""

import pytest

from tests.engine.probing.making import a_snapshot
from usfm_studio.document.errors import Interrupted, NotFound
from usfm_studio.engine.prober_client import probe

WAIT_S = 170.0


@pytest.fixture(scope="module")
def shot(tmp_path_factory):
    return a_snapshot(tmp_path_factory.mktemp("shot") / "discs", (2, 2, 2, 1, 1))


@pytest.mark.slow
def test_two_encoders_are_held_against_each_other(shot):
    events = []
    work = probe(
        "usfm_lite0", {"discs": shot.folder}, against="random:usfm_lite0", quick=True, threads=1, device="cpu",
        on_event=events.append,
    )  # fmt: skip
    try:
        body = work.ticket.result(WAIT_S)
    finally:
        work.close()
    assert body["against"]["digest"] == "random:usfm_lite0:0"
    assert body["verdict"]["approved"] is False
    assert "no folder has 10 subjects" in body["verdict"]["reason"]
    assert "fewshot5" in body["verdict"]["differences"]
    assert events[-1] == {"event": "progress", "done": 16, "total": 16, "what": "discs"}


def test_errors_and_the_end_come_in_words(shot):
    work = probe("usfm_base", {"discs": shot.folder}, threads=1, device="cpu")
    try:
        with pytest.raises(NotFound):
            work.ticket.result(WAIT_S)
    finally:
        work.close()
    work = probe("usfm_lite0", {"discs": shot.folder}, threads=1, device="cpu")
    try:
        work.cancel()
        with pytest.raises(Interrupted):
            work.ticket.result(WAIT_S)
    finally:
        work.close()
