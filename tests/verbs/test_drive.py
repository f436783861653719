"""The command line's driver: events in order, answers and errors sent in, interruption thrown in once."""

import threading
from concurrent.futures import Future
from queue import SimpleQueue

import pytest

from usfm_studio.document.errors import Interrupted, NotFound
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.steps import Apart, Await, Event, answer, progress


def done(value):
    future = Future()
    future.set_result(value)
    return future


def failing(error):
    future = Future()
    future.set_exception(error)
    return future


def test_answers_are_sent_in_and_events_are_shown_in_order():
    events, shown = SimpleQueue(), []
    for n in (1, 2):
        events.put(progress(n, 2))

    def verb():
        yield Event("note", {"note": "begins"})
        first = yield Await(done("a"), events)
        second = yield Apart(lambda: "b")
        return first + second

    assert drive(verb(), shown.append) == "ab"
    assert [event.kind for event in shown] == ["note", "progress", "progress"]
    assert [event.body["done"] for event in shown[1:]] == [1, 2]


@pytest.mark.parametrize("wish", [Await(failing(NotFound("Gone"))), Apart(lambda: 1 // 0)])
def test_an_error_is_thrown_in_where_the_verb_waits(wish):
    def verb():
        try:
            yield wish
        except (NotFound, ZeroDivisionError) as error:
            return type(error)

    assert drive(verb()) in (NotFound, ZeroDivisionError)


def test_an_error_that_the_verb_does_not_know_comes_out():
    def verb():
        yield Await(failing(NotFound("Gone")))

    with pytest.raises(NotFound):
        drive(verb())


def test_interruption_is_thrown_in_once_so_that_the_verb_can_save_what_it_has():
    never, saved = Future(), []

    def verb():
        try:
            yield Await(never)
        except Interrupted:
            saved.append((yield Await(done("table"))))
            saved.append((yield Apart(lambda: "written")))
            raise

    with pytest.raises(Interrupted):
        drive(verb(), interrupted=lambda: True)
    assert saved == ["table", "written"]


@pytest.mark.parametrize("wish", [progress(1, 2), Apart(lambda: 3)])
def test_a_verb_that_never_waits_is_interrupted_all_the_same(wish):
    def verb():
        while True:
            yield wish

    with pytest.raises(Interrupted):
        drive(verb(), interrupted=lambda: True)


def test_a_request_is_taken_back_when_the_verb_is_interrupted():
    asked = Future()

    def verb():
        yield from answer(asked)

    with pytest.raises(Interrupted):
        drive(verb(), interrupted=lambda: True)
    assert asked.cancelled()


def test_a_request_is_taken_back_when_the_verb_is_closed():
    asked = Future()
    steps = answer(asked)
    next(steps)
    steps.close()
    assert asked.cancelled()


def test_an_answered_request_is_left_alone():
    asked = done(1)
    steps = answer(asked)
    next(steps)
    with pytest.raises(StopIteration):
        steps.send(1)
    assert not asked.cancelled()


def test_what_was_taken_back_elsewhere_is_an_interruption():
    asked = Future()
    asked.cancel()

    def verb():
        yield Await(asked)

    with pytest.raises(Interrupted):
        drive(verb())


def test_a_verb_is_closed_whatever_happens():
    closed = []

    def verb():
        try:
            yield Apart(lambda: 1)
        finally:
            closed.append(True)

    def broken(_event):
        raise KeyboardInterrupt

    def showing():
        try:
            yield progress(1, 1)
        finally:
            closed.append(True)

    drive(verb())
    with pytest.raises(KeyboardInterrupt):
        drive(showing(), broken)
    assert closed == [True, True]


def test_an_answer_that_comes_later_is_waited_for_and_its_events_are_shown_meanwhile():
    later, events, shown = Future(), SimpleQueue(), []
    told = threading.Event()

    def show(event):
        shown.append(event.body["done"])
        told.set()

    def work():
        events.put(progress(1, 2))
        assert told.wait(30)
        events.put(progress(2, 2))
        later.set_result("late")

    def verb():
        return (yield Await(later, events))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert drive(verb(), show) == "late"
    thread.join(30)
    assert shown == [1, 2]
