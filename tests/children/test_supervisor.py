"""Children answer, misbehave, die and come back; who asked always learns what became of it."""

import os
import signal
import threading
import time

import psutil
import pytest

from tests.children.support import LONG, a_spec, error_of
from usfm_studio.children.messages import Cancel
from usfm_studio.children.process import Process
from usfm_studio.children.supervisor import Busy, Child, Dead, Ready, Starting, Stopped, Waiting
from usfm_studio.document.errors import ChildDied, Interrupted, OutOfMemory, StudioError, Unreadable, WrongVersion

MIB = 1024 * 1024


def wait_for(condition):
    until = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.005)


def _group(pid):
    try:
        return os.getpgid(pid) if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else None
    except (ProcessLookupError, psutil.NoSuchProcess):
        return None


def _lives(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def child():
    """One well-treated child for the tests that leave it as it was."""
    with Child(a_spec()) as child:
        yield child


class TestAnswers:
    def test_a_child_answers(self, child):
        assert child.ask("echo", {"a": [1, 2.5, None, "ü\udc80"]}).result(LONG) == {"a": [1, 2.5, None, "ü\udc80"]}

    def test_answers_come_in_the_order_of_the_questions(self, child):
        order = []
        tickets = [child.ask("echo", {"n": n}) for n in range(50)]
        for ticket in tickets:
            ticket.add_done_callback(lambda t: order.append(t.result()["n"]))
        tickets[-1].result(LONG)
        wait_for(lambda: len(order) == 50)
        assert order == list(range(50))

    def test_progress_comes_before_the_answer(self, child):
        seen = []
        ticket = child.ask("steps", {"steps": 5}, on_progress=lambda body: seen.append(body["step"]))
        assert ticket.result(LONG) == {"steps": 5}
        assert seen == [0, 1, 2, 3, 4]

    def test_an_error_keeps_its_class_and_words(self, child):
        error = error_of(child.ask("refuse", {}))
        assert type(error) is Unreadable
        assert (error.what, error.why) == ("The file cannot be read", "it is shorter than it says")
        assert error.hint == "Copy it again."

    def test_an_unexpected_error_is_told_by_class_and_place_alone(self, child):
        error = error_of(child.ask("stumble", {}))
        assert type(error) is StudioError
        assert error.why.startswith("KeyError at misbehaving.py:")
        assert "ZZTEST" not in str(error)
        assert child.ask("echo", {}).result(LONG) == {}

    def test_an_answer_that_cannot_travel_is_an_error(self, child):
        assert "TypeError" in error_of(child.ask("unsendable", {})).why

    def test_a_question_that_cannot_travel_is_the_askers_mistake(self, child):
        with pytest.raises(TypeError):
            child.ask("echo", {"it": object()}).result(LONG)

    def test_an_unknown_question_is_refused(self, child):
        assert "flatter" in str(error_of(child.ask("flatter", {})))

    def test_what_a_library_prints_does_not_spoil_the_channel(self, child):
        assert child.ask("talk", {"bytes": 300_000}).result(LONG) == {"talked": True}
        assert child.ask("echo", {}).result(LONG) == {}

    def test_replies_of_100_mb_to_a_slow_reader_do_not_deadlock(self, child):
        replies = []
        for _ in range(2):
            child.ask("big", {"bytes": 100 * MIB}).add_done_callback(
                lambda t: (time.sleep(0.3), replies.append(len(t.result()["text"])))
            )
        question = {"text": "x" * (50 * MIB)}
        assert child.ask("echo", question).result(LONG) == question
        assert replies == [50 * MIB] * 2

    def test_waiting_on_the_reading_thread_is_refused(self, child):
        outcome = []

        def callback(_):
            try:
                child.ask("echo", {}).result(1)
            except RuntimeError as error:
                outcome.append(error)

        child.ask("sleep", {"seconds": 0.3}).add_done_callback(callback)
        wait_for(lambda: outcome)

    def test_callbacks_that_fail_do_no_harm(self, child):
        def bad(*_):
            raise ZeroDivisionError

        ticket = child.ask("steps", {"steps": 2}, on_progress=bad)
        ticket.when_released(bad)
        assert ticket.result(LONG) == {"steps": 2}
        assert child.ask("echo", {}).result(LONG) == {}


class TestWithdrawal:
    def test_the_latest_of_a_key_takes_the_place_of_those_that_wait(self, child):
        holds = child.ask("patient", {})  # until it is given up: nothing behind it can be answered too early
        first = child.ask("echo", {"n": 1}, key="prompt")
        second = child.ask("echo", {"n": 2}, key="prompt")
        other = child.ask("echo", {"n": 0}, key="other")
        third = child.ask("echo", {"n": 3}, key="prompt")
        assert isinstance(error_of(first), Interrupted)
        assert isinstance(error_of(second), Interrupted)
        holds.cancel()
        assert third.result(LONG) == {"n": 3}
        assert other.result(LONG) == {"n": 0}

    def test_the_latest_of_a_key_takes_the_place_of_the_one_at_work(self, child):
        first = child.ask("patient", {}, key="prompt")
        assert child.ask("echo", {"n": 2}, key="prompt").result(LONG) == {"n": 2}
        assert isinstance(error_of(first), Interrupted)

    def test_a_cancelled_request_fails_at_once_and_is_released_when_the_child_lets_go(self, child):
        begun, released = threading.Event(), threading.Event()
        ticket = child.ask("sleep", {"seconds": 0.5})
        ticket.when_released(released.set)
        wait_for(lambda: child.state == Busy())
        assert ticket.cancel()
        assert isinstance(error_of(ticket), Interrupted)
        assert not released.is_set()
        assert released.wait(LONG)
        assert not ticket.cancel()
        ticket.when_released(begun.set)
        assert begun.is_set()

    def test_a_request_asked_to_finish_answers_with_its_best(self, child):
        begun = threading.Event()
        ticket = child.ask("patient", {}, on_progress=lambda _: begun.set())
        assert begun.wait(LONG)
        child.finish(ticket)
        assert ticket.result(LONG) == {"best": True}

    def test_a_request_that_does_not_finish_in_its_time_is_ended_by_force(self):
        with Child(a_spec(restarts=0, retry=0)) as child:
            ticket = child.ask("sleep", {"seconds": 1000})
            wait_for(lambda: child.state == Busy())
            child.finish(ticket, within_s=0.2)
            error = error_of(ticket)
            assert isinstance(error, ChildDied)
            assert "in the time left to it" in error.why

    def test_a_request_that_finishes_in_its_time_is_answered(self, child):
        begun = threading.Event()
        ticket = child.ask("patient", {}, on_progress=lambda _: begun.set())
        assert begun.wait(LONG)
        child.finish(ticket, within_s=LONG)
        assert ticket.result(LONG) == {"best": True}
        assert child.ask("echo", {"after": 1}).result(LONG) == {"after": 1}

    def test_a_child_that_does_not_heed_a_cancel_is_replaced(self):
        with Child(a_spec(cancel_s=0.3)) as child:
            ticket = child.ask("sleep", {"seconds": 1000})
            wait_for(lambda: child.state == Busy())
            ticket.cancel()
            assert child.ask("echo", {}).result(LONG) == {}


class TestDeaths:
    @pytest.mark.parametrize("name", ["SIGABRT", "SIGSEGV", "SIGKILL"])
    def test_a_question_that_kills_fails_and_the_next_is_answered(self, name):
        with Child(a_spec(retry=0, spare=True)) as child:
            error = error_of(child.ask("die", {"signal": name}))
            assert type(error) is ChildDied
            assert name in error.why
            assert str(error).startswith("The test child stopped: ")
            assert child.ask("echo", {}).result(LONG) == {}

    def test_a_question_blamed_for_a_death_is_not_asked_twice(self, tmp_path):
        with Child(a_spec(retry=0)) as child:
            assert isinstance(error_of(child.ask("die_once", {"path": str(tmp_path / "seen")})), ChildDied)

    def test_a_stateless_question_is_asked_once_more(self, tmp_path):
        with Child(a_spec(retry=1)) as child:
            pid = child.ask("who", {}).result(LONG)["pid"]
            assert child.ask("die_once", {"path": str(tmp_path / "seen")}).result(LONG)["pid"] not in (pid, None)

    def test_a_question_that_kills_twice_fails(self):
        with Child(a_spec(retry=1)) as child:
            assert isinstance(error_of(child.ask("die", {"signal": "SIGKILL"})), ChildDied)
            assert child.ask("echo", {}).result(LONG) == {}

    def test_a_question_over_its_time_fails_and_is_not_asked_again(self):
        with Child(a_spec(retry=1, seconds_per_request=0.5, spare=True)) as child:
            error = error_of(child.ask("sleep", {"seconds": 1000}))
            assert type(error) is ChildDied
            assert error.why == "no answer within 0.5 seconds"
            assert child.ask("sleep", {"seconds": 0.7}, timeout_s=LONG).result(LONG) == {"slept": True}

    def test_a_stopped_process_is_found_out_by_its_silence(self):
        with Child(a_spec(heartbeat_s=0.1, retry=0)) as child:
            pid = child.ask("who", {}).result(LONG)["pid"]
            ticket = child.ask("patient", {})
            wait_for(lambda: child.state == Busy())
            os.kill(pid, signal.SIGSTOP)
            assert error_of(ticket).why == "it stopped answering"
            assert not psutil.pid_exists(pid)

    def test_a_process_that_sleeps_with_the_interpreters_lock_is_found_out(self):
        with Child(a_spec(heartbeat_s=0.1, retry=0)) as child:
            assert error_of(child.ask("hold_gil", {"seconds": 1000})).why == "it stopped answering"

    def test_a_process_that_calculates_with_the_interpreters_lock_is_left_alone(self):
        with Child(a_spec(heartbeat_s=0.1, retry=0)) as child:
            assert child.ask("spin_gil", {"digits": 6}).result(LONG) == {"spun": True}

    def test_a_child_that_talks_without_end_is_over_its_time_too(self):
        with Child(a_spec(retry=0, seconds_per_request=0.3)) as child:
            assert "no answer within" in error_of(child.ask("flood", {})).why

    def test_what_a_dead_child_left_behind_ends_with_it(self):
        with Child(a_spec(retry=0)) as child:
            pid = child.ask("who", {}).result(LONG)["pid"]
            error_of(child.ask("orphan", {}))
            wait_for(lambda: not [p for p in psutil.pids() if _group(p) == pid])

    def test_garbage_on_the_pipe_ends_the_child(self):
        with Child(a_spec(retry=0)) as child:
            assert error_of(child.ask("garbage", {})).why == "it sent something unreadable"
            assert child.ask("echo", {}).result(LONG) == {}

    def test_a_child_that_closes_its_pipe_is_replaced(self):
        with Child(a_spec(retry=0)) as child:
            assert error_of(child.ask("close_pipe", {})).why == "it stopped answering"
            assert child.ask("echo", {}).result(LONG) == {}

    def test_too_much_memory_is_an_error_not_a_death(self):
        with Child(a_spec(memory_bytes=1024 * MIB)) as child:
            pid = child.ask("who", {}).result(LONG)["pid"]
            assert isinstance(error_of(child.ask("eat", {"bytes": 3 * 1024 * MIB})), OutOfMemory)
            assert child.ask("who", {}).result(LONG)["pid"] == pid

    def test_an_exit_without_a_word_is_told(self):
        with Child(a_spec(retry=0)) as child:
            assert error_of(child.ask("leave", {"status": 7})).why == "it ended by itself (exit status 7)"

    def test_an_idle_child_that_is_killed_comes_back(self):
        with Child(a_spec()) as child:
            pid = child.ask("who", {}).result(LONG)["pid"]
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: child.pid not in (pid, None) and child.state == Ready())

    def test_answers_recycle_a_process(self):
        with Child(a_spec(recycle=2, spare=True)) as child:
            pids = [child.ask("who", {}).result(LONG)["pid"] for _ in range(4)]
            assert pids[0] == pids[1] != pids[2] == pids[3]

    def test_a_process_that_dies_with_its_last_answer_takes_nothing_along(self):
        """The answer that was due for recycling is read only after the death: the keeper was busy meanwhile."""
        others = psutil.Process().children()
        with Child(a_spec(recycle=1, spare=True, retry=0)) as child:

            def wait_for_death(body):
                wait_for(lambda: _group(body["pid"]) is None)

            ticket = child.ask("answer_and_die", {"seconds": 0.3}, on_progress=wait_for_death)
            assert ticket.result(LONG) == {"answered": True}
            assert child.ask("echo", {"n": 1}).result(LONG) == {"n": 1}
            wait_for(lambda: child.state == Ready())
        wait_for(lambda: not [p for p in psutil.Process().children() if p not in others and _lives(p)])

    def test_a_child_without_restarts_stays_away_after_its_first_death(self):
        with Child(a_spec(retry=0, restarts=0)) as child:
            error = error_of(child.ask("die", {"signal": "SIGKILL"}))
            assert "again; other" in error.hint
            assert "It is started again" not in error.hint, "nobody starts it again"
            wait_for(lambda: isinstance(child.state, Dead))
            assert child.pid is None
            assert str(error_of(child.ask("echo", {}))) == str(error)

    def test_nothing_is_written_to_a_process_whose_input_is_closed(self, tmp_path):
        """Its descriptor's number may be that of another file by then."""
        spec = a_spec()
        process = Process(spec.module, (), spec.settings(os.getpid()), spec.env)
        stdin = process.stdin
        process.close_input()
        with (tmp_path / "bystander").open("w+b", buffering=0) as bystander:
            os.dup2(bystander.fileno(), stdin)
            try:
                process.send(Cancel(1))
            finally:
                os.close(stdin)
                process.kill()
                process.wait(LONG)
                process.close()
            assert (tmp_path / "bystander").read_bytes() == b""


class TestStarts:
    def test_a_child_starts_with_the_first_question_and_tells_its_states(self):
        child, states = Child(a_spec()), []
        child.on_state(states.append)
        assert child.state == Stopped()
        assert child.pid is None
        try:
            child.ask("echo", {}).result(LONG)
            wait_for(lambda: child.state == Ready())
        finally:
            child.stop()
        assert states == [Starting(), Busy(), Ready(), Stopped()]

    def test_a_child_that_dies_while_starting_is_given_up_after_its_restarts(self):
        with Child(a_spec("die", restarts=2)) as child:
            states = []
            child.on_state(states.append)
            error = error_of(child.ask("echo", {}))
            assert type(error) is ChildDied
            assert "2 times in a row" in error.why
            wait_for(lambda: isinstance(child.state, Dead))
            assert any(isinstance(state, Waiting) and state.seconds == 0.5 for state in states)
            assert str(error_of(child.ask("echo", {}))) == str(error) == child.state.why

    def test_a_child_of_another_version_is_refused_at_once(self):
        with Child(a_spec("version")) as child:
            assert type(error_of(child.ask("echo", {}))) is WrongVersion

    def test_a_reason_not_to_start_reaches_who_asks(self):
        with Child(a_spec("refuse")) as child:
            error = error_of(child.ask("echo", {}))
            assert type(error) is Unreadable
            assert error.what == "The model cannot be read"

    def test_a_missing_module_is_named(self):
        with Child(a_spec(module="usfm_studio.nothing", restarts=1)) as child:
            assert isinstance(error_of(child.ask("echo", {})), ChildDied)

    def test_a_start_has_its_limit(self):
        with Child(a_spec("slow", start_s=0.3, restarts=1)) as child:
            assert "did not start within 0.3 seconds" in error_of(child.ask("echo", {})).why

    def test_a_child_given_up_can_be_started_again(self, tmp_path):
        child = Child(a_spec("die", restarts=1))
        error_of(child.ask("echo", {}))
        wait_for(lambda: isinstance(child.state, Dead))
        child.spec = a_spec()
        child.start()
        try:
            assert child.ask("echo", {}).result(LONG) == {}
        finally:
            child.stop()

    def test_settings_reach_the_process(self):
        with Child(a_spec("one", "two", nice=3)) as child:
            seen = child.ask("who", {}).result(LONG)
        assert seen["nice"] >= 3
        assert seen["group_nice"] in (None, str(min(seen["nice"], 5)))  # its session yields too
        assert seen["argv"][1:] == ["one", "two"]
        assert seen["env"]["OMP_WAIT_POLICY"] == "PASSIVE"
        assert seen["env"]["OPENBLAS_NUM_THREADS"] == os.environ.get("OPENBLAS_NUM_THREADS", "1")

    def test_stopping_ends_the_process_and_answers_everyone(self):
        child = Child(a_spec()).start()
        pid = child.ask("who", {}).result(LONG)["pid"]
        tickets = [child.ask("sleep", {"seconds": 1000}), child.ask("echo", {})]
        child.stop(wait_s=LONG)
        assert all(isinstance(error_of(t), Interrupted) for t in tickets)
        assert not psutil.pid_exists(pid)
        assert isinstance(error_of(child.ask("echo", {})), Interrupted)

    def test_killing_does_not_wait(self):
        child = Child(a_spec()).start()
        pid = child.ask("who", {}).result(LONG)["pid"]
        child.kill(wait_s=LONG)
        assert not psutil.pid_exists(pid)
