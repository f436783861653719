"""Questions, withdrawals and deaths in any order: in the end everyone has an answer and nothing works on."""

import contextlib
import os
import random
import signal
import threading

import pytest

from tests.children.support import LONG, a_spec
from usfm_studio.children.supervisor import Child
from usfm_studio.document.errors import ChildDied, Interrupted

KINDS = [("echo", {"n": 1}), ("echo", {"n": 2}), ("sleep", {"seconds": 0.01}), ("patient", {}), ("steps", {"steps": 3})]


@pytest.mark.parametrize("seed", [0, 2, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 3, 4, 5))])
def test_everyone_gets_an_answer_whatever_happens(seed):
    choose = random.Random(seed)
    tickets, released = [], []
    child = Child(a_spec(retry=seed % 2, spare=seed > 1, restarts=1000, heartbeat_s=0.2, cancel_s=0.2))
    with child:
        for n in range(60):
            kind, body = choose.choice(KINDS)
            ticket = child.ask(kind, body, key=choose.choice([None, "a", "b"]))
            ticket.when_released(lambda n=n: released.append(n))
            tickets.append(ticket)
            if kind == "patient" or choose.random() < 0.2:
                choose.choice([ticket.cancel, lambda t=ticket: child.finish(t)])()
            if choose.random() < 0.06:
                child.ask("die", {"signal": "SIGKILL"})
            if choose.random() < 0.04 and child.pid is not None:
                with contextlib.suppress(ProcessLookupError, TypeError):
                    os.kill(child.pid, choose.choice([signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV]))
            if choose.random() < 0.3:
                tickets[-1].add_done_callback(lambda _: None)
                threading.Event().wait(0.01)
        assert child.ask("echo", {"end": True}).result(LONG * 2) == {"end": True}
    outcomes = [ticket.exception(LONG) for ticket in tickets]
    assert all(error is None or isinstance(error, Interrupted | ChildDied) for error in outcomes)
    for ticket, error in zip(tickets, outcomes, strict=True):
        if ticket.kind == "echo" and error is None:
            assert ticket.result() == ticket.body
    assert sorted(released) == list(range(60))


def test_many_threads_may_ask_one_child():
    with Child(a_spec()) as child:
        answers = {}

        def ask(n):
            for i in range(40):
                answers[n, i] = child.ask("echo", {"n": n, "i": i}).result(LONG)

        threads = [threading.Thread(target=ask, args=(n,), daemon=True) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
        assert answers == {(n, i): {"n": n, "i": i} for n in range(6) for i in range(40)}
