"""Prompts through a real host process."""

import os
import signal

import numpy as np
import pytest

from tests.engine.making import a_frame
from tests.engine.prompting.test_clicker import disc
from usfm_studio.document.errors import BadModel, WrongUsage
from usfm_studio.document.prompts import Box, Click, Scribble
from usfm_studio.engine.client import Engine
from usfm_studio.engine.doors import FramePixels
from usfm_studio.engine.models.catalogue import shipped_encoder, shipped_prompter
from usfm_studio.engine.prompting.session import iou_of
from usfm_studio.engine.requests import mark_of, prompt_of

LONG = 150
FRAME = FramePixels(key="a", digest="d" * 64, array=a_frame(180, 240))
WANTED = disc((180, 240), 90, 120, 45)
pytestmark = pytest.mark.timeout(170)


@pytest.fixture(scope="module")
def engine():
    engine = Engine(device="cpu", threads=1)
    engine.start()
    yield engine
    engine.stop()


def test_prompts_travel_as_they_are():
    for prompt in (Click((1.5, 2.0), False), Box((0.0, 1.0), (5.0, 6.0)), Scribble(((1.0, 2.0), (3.0, 4.0)))):
        assert prompt_of(mark_of(prompt)) == prompt


def test_the_host_answers_refines_and_outlives_a_kill(engine):
    ahead = engine.prompt(FRAME, [], shipped_prompter())
    assert not ahead.result(LONG)[0].any()
    clicks = [Click((120.0, 90.0))]
    (mask,) = engine.prompt(FRAME, clicks, shipped_prompter()).result(LONG)
    assert mask.dtype == np.uint8
    assert not mask.flags.writeable
    assert iou_of(mask > 0, WANTED) > 0.8
    clicks.append(Click((120.0, 60.0), positive=False))
    (less,) = engine.prompt(FRAME, clicks, shipped_prompter(), mask).result(LONG)
    assert less[60, 120] == 0
    assert not (less & ~mask).any()
    os.kill(engine.pid, signal.SIGKILL)
    (again,) = engine.prompt(FRAME, clicks, shipped_prompter(), mask).result(LONG)
    assert np.array_equal(again, less)


def test_what_makes_no_sense_is_refused_and_the_host_goes_on(engine):
    with pytest.raises(WrongUsage, match="outside the frame"):
        engine.prompt(FRAME, [Click((999.0, 5.0))], shipped_prompter()).result(LONG)
    with pytest.raises(WrongUsage, match="does not fit"):
        engine.prompt(FRAME, [Click((9.0, 5.0))], shipped_prompter(), np.zeros((3, 3), np.uint8)).result(LONG)
    with pytest.raises(BadModel, match="does not answer prompts"):
        engine.prompt(FRAME, [Click((9.0, 5.0))], shipped_encoder()).result(LONG)
    assert engine.prompt(FRAME, [Click((120.0, 90.0))], shipped_prompter()).result(LONG)[0].any()
