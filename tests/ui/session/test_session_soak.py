"""Long work: two thousand strokes, five hundred frames, a hundred proposals, and no memory that stays."""

import gc
import os

import psutil
import pytest

from tests.ui.session.desk import FRAMES, HEAD, LOOP, crown
from usfm_studio.document.edit import paint
from usfm_studio.document.mask import Mask

pytestmark = pytest.mark.slow
STROKES, FRAMES_SEEN, PROPOSALS = 2000, 500, 100
GROWTH = 1.15


def rss(pids=(None,)):
    """Memory of these processes, in bytes, shared memory counted by its part (PSS)."""
    gc.collect()
    return sum(psutil.Process(pid or os.getpid()).memory_full_info().pss for pid in pids)


def grown(work, times, measure=rss, *, full_after=0.1):
    """Memory after all of the work against memory after its first part, when what is kept on purpose is full."""
    level = 0
    for number in range(times):
        work(number)
        if number == int(times * full_after):
            level = measure()
    return measure() / level


def test_two_thousand_strokes(desk):
    session = desk.session

    def stroke(number):
        if number % 100 == 0:
            desk.go(number // 100 % 4)
        before = session.mask()
        ids = before.to_array()
        ids[number % 50 : number % 50 + 5, number * 7 % 80 : number * 7 % 80 + 15] = 1 + number % 3
        session.reviewing.draw(paint("Brush", session.current.id, before, Mask.from_array(ids)))
        if number % 10 == 9:
            session.undo()
        if number % 50 == 0:
            desk.quiet()

    assert grown(stroke, STROKES, full_after=0.4) < GROWTH  # the history keeps its newest 64 MB at hand
    desk.quiet()
    assert session.saved.kind == "saved"
    assert len(desk.notices) < 20
    desk.heard.clear()


def test_five_hundred_frames(desk):
    pictures, pool = desk.session.navigation.pictures, desk.session.house.reader._pool

    def look(number):
        if number % 3:
            desk.go(LOOP, index=number % FRAMES)
        else:
            desk.go(number % 4)
        desk.wait(lambda: desk.session.pixels is not None)
        if number % 20 == 0:
            pictures.clear()
            desk.session.navigation._show(None)
            desk.heard.clear()

    pids = (None, *desk.session.house.reader.pids)
    assert grown(look, FRAMES_SEEN, lambda: rss(pids)) < GROWTH
    desk.wait(lambda: len(pool._used) == len(pictures._kept))


def test_a_hundred_proposals(awake, tmp_path):
    desk = awake
    crown(desk.project, tmp_path / "m")

    def propose(number):
        desk.go(number % 4)
        desk.wait(lambda: not desk.session.proposing.busy)
        desk.session.proposing.here()
        desk.wait(lambda: not desk.session.proposing.busy)
        desk.heard.clear()

    pids = (None, desk.session.house.engine.pid)
    assert grown(propose, PROPOSALS, lambda: rss(pids)) < GROWTH
    assert len(desk.session.proposing.children()) < 5
    assert desk.session.exam == HEAD
