"""A verb in the event loop: driven to one end, whatever happens on the way."""

import threading
from concurrent.futures import Future

import pytest

from usfm_studio.document.errors import Interrupted, NotFound, StudioError
from usfm_studio.ui.job import Job, end_all
from usfm_studio.verbs.steps import Apart, Await, Event


class Ends:
    """What became of a verb."""

    def __init__(self, steps, **more):
        self.events, self.done, self.failed = [], [], []
        self.job = Job(
            steps, event=more.pop("event", self.events.append), done=self.done.append, failed=self.failed.append, **more
        )
        self.job.start()

    @property
    def over(self):
        return len(self.done) + len(self.failed)


def test_events_answers_and_the_result_arrive_in_order(qapp, qtbot):
    ticket = Future()

    def verb():
        yield Event("began")
        answer = yield Await(ticket)
        yield Event("answered", {"answer": answer})
        return answer + 1

    ends = Ends(verb())
    qtbot.waitUntil(lambda: bool(ends.events))
    assert ends.job.running
    ticket.set_result(41)
    qtbot.waitUntil(lambda: ends.over == 1)
    assert [event.kind for event in ends.events] == ["began", "answered"]
    assert ends.done == [42]
    assert not ends.job.running


def test_work_apart_leaves_the_window_thread_and_its_error_comes_back(qapp, qtbot):
    seen = []

    def work():
        seen.append(threading.current_thread().name)
        raise OSError(28, "No space left on device")

    def verb():
        try:
            yield Apart(work)
        except OSError as error:
            seen.append(error.errno)
            raise

    ends = Ends(verb())
    qtbot.waitUntil(lambda: ends.over == 1)
    assert seen[0].startswith("apart")
    assert seen[1] == 28
    assert "the disk is full" in str(ends.failed[0])


@pytest.mark.parametrize(
    ("raised", "what"),
    [
        (NotFound("It is not there", "gone"), "It is not there"),
        (ValueError("patient ZZTEST"), "Something went wrong in the program"),
        (MemoryError(), "There is too little memory for this"),
    ],
)
def test_every_error_of_a_verb_becomes_words(qapp, qtbot, raised, what):
    def verb():
        yield Event("began")
        raise raised

    ends = Ends(verb())
    qtbot.waitUntil(lambda: ends.over == 1)
    assert ends.failed[0].what == what
    assert "ZZTEST" not in str(ends.failed[0])


def test_a_listener_that_fails_does_not_stop_the_verb(qapp, qtbot):
    def listener(event):
        raise RuntimeError("a panel's mistake")

    def verb():
        yield Event("one")
        yield Event("two")
        return "done"

    ends = Ends(verb(), event=listener)
    qtbot.waitUntil(lambda: ends.over == 1)
    assert ends.done == ["done"]


def test_cancel_closes_the_verb_and_says_nothing(qapp, qtbot):
    closed, ticket = [], Future()

    def verb():
        try:
            yield Await(ticket)
        finally:
            closed.append(True)

    ends = Ends(verb())
    qtbot.wait(20)
    ends.job.cancel()
    ends.job.cancel()
    assert closed == [True]
    ticket.set_result(1)  # too late: nobody is there any more
    qtbot.wait(20)
    assert ends.over == 0


@pytest.mark.parametrize("when", ["before", "waiting", "between"])
def test_interrupt_lets_the_verb_keep_what_it_has(qapp, qtbot, when):
    kept, ticket = [], Future()

    def verb():
        try:
            yield Event("began")
            yield Await(ticket)
        except Interrupted:
            kept.append(True)
            yield Event("kept")
            raise

    ends = Ends(verb())
    if when == "between":
        ends.job._event = lambda event: (ends.events.append(event), ends.job.interrupt("you asked for it"))
    elif when == "waiting":
        qtbot.waitUntil(lambda: bool(ends.events))
        qtbot.wait(10)
        ends.job.interrupt("you asked for it")
        ends.job.interrupt("twice is once")
    else:
        ends.job.interrupt("you asked for it")
    qtbot.waitUntil(lambda: ends.over == 1)
    assert isinstance(ends.failed[0], Interrupted)
    assert kept == ([] if when == "before" else [True])
    ticket.set_result(1)
    qtbot.wait(20)
    assert ends.over == 1


def test_interrupt_waits_for_work_apart(qapp, qtbot):
    let_go, order = threading.Event(), []

    def work():
        let_go.wait(10)
        order.append("worked")

    def verb():
        try:
            yield Apart(work)
        except Interrupted:
            order.append("interrupted")
            raise

    ends = Ends(verb())
    qtbot.wait(20)
    ends.job.interrupt("you asked for it")
    qtbot.wait(20)
    assert order == []
    let_go.set()
    qtbot.waitUntil(lambda: ends.over == 1)
    assert order == ["worked", "interrupted"]


def test_the_end_of_a_project_is_told_to_every_verb_that_still_runs(qapp, qtbot):
    def verb():
        yield Await(Future())

    several = [Ends(verb()) for _ in range(3)]
    qtbot.wait(20)
    end_all("the project was closed")
    assert [str(ends.failed[0]) for ends in several] == ["Stopped: the project was closed."] * 3
    assert not any(ends.job.running for ends in several)


def test_progress_of_a_child_is_shown_while_it_is_waited_for(qapp, qtbot):
    from queue import SimpleQueue

    events, ticket = SimpleQueue(), Future()

    def verb():
        yield Await(ticket, events)

    ends = Ends(verb())
    events.put(Event("progress", {"done": 1}))
    qtbot.waitUntil(lambda: len(ends.events) == 1)
    events.put(Event("progress", {"done": 2}))
    ticket.set_result(None)
    qtbot.waitUntil(lambda: ends.over == 1)
    assert [event.body["done"] for event in ends.events] == [1, 2]


def test_a_verb_that_cannot_be_closed_cleanly_does_no_harm(qapp, qtbot):
    def verb():
        try:
            yield Await(Future())
        finally:
            raise StudioError("A temporary folder stays")

    ends = Ends(verb())
    qtbot.wait(20)
    ends.job.cancel()
    assert not ends.job.running
