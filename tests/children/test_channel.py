"""Messages go through a pipe and come out as they went in, whole or in pieces; anything else is refused."""

import math
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.children.support import LONG
from usfm_studio.children.channel import HEADER, LARGEST, MAGIC, BadMessage, Channel, ChannelClosed, Framer, encode
from usfm_studio.children.messages import (
    Cancel,
    Done,
    Failed,
    Finish,
    Goodbye,
    Heartbeat,
    Hello,
    Progress,
    Request,
    error_of,
    failed,
)
from usfm_studio.document.errors import ERRORS, StudioError

numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters())  # lone surrogates too: file names that are no UTF-8 hold them
values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
bodies = st.dictionaries(words, values, max_size=4)
ids = st.integers(0, 2**63 - 1)
messages = st.one_of(
    st.builds(Hello, ids, ids),
    st.builds(Request, ids, words, bodies),
    st.builds(Progress, ids, bodies),
    st.builds(Done, ids, bodies),
    st.builds(Failed, ids, words, words, words, words),
    st.builds(Cancel, ids),
    st.builds(Finish, ids),
    st.just(Heartbeat()),
    st.just(Goodbye()),
)


@given(st.lists(messages, max_size=4), st.data())
def test_messages_survive_any_cut(sent, data):
    stream = b"".join(encode(message) for message in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    framer, came = Framer(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        came += framer.feed(stream[start:end])
    assert came == sent


@given(st.binary(min_size=HEADER.size))
def test_foreign_bytes_are_refused_or_waited_for_never_trusted(data):
    framed = HEADER.pack(MAGIC, len(data)) + data
    for stream in (data, framed):
        try:
            for message in Framer().feed(stream):
                assert isinstance(message, Hello | Request | Progress | Done | Failed | Cancel | Finish)
        except BadMessage:
            pass


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1]", b'{"type":"Done","id":"one","body":{}}', b'{"type":"Nothing"}', b"[" * 200_000]
)
def test_what_is_no_message_is_refused(body):
    with pytest.raises(BadMessage):
        Framer().feed(HEADER.pack(MAGIC, len(body)) + body)


def test_a_message_longer_than_allowed_is_refused_before_it_is_read():
    with pytest.raises(BadMessage):
        Framer().feed(HEADER.pack(MAGIC, LARGEST + 1))


def test_numpy_numbers_and_paths_travel_and_nan_becomes_null():
    body = {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": Path("a") / "b", "e": math.nan}
    (message,) = Framer().feed(encode(Done(1, body)))
    assert message.body == {"a": 0.5, "b": 3, "c": True, "d": "a/b", "e": None}


def test_a_body_that_json_cannot_carry_is_refused():
    with pytest.raises(TypeError):
        encode(Done(1, {"array": np.zeros(3)}))


@pytest.fixture
def pipes():
    to_child, from_parent = os.pipe()
    to_parent, from_child = os.pipe()
    fds = {to_child, from_parent, to_parent, from_child}
    yield Channel(to_parent, from_parent), Channel(to_child, from_child), fds
    for fd in fds:
        os.close(fd)


def test_a_channel_carries_messages_both_ways_from_several_threads(pipes):
    parent, child, _ = pipes
    parent.send(Hello(1, 2))
    assert child.receive(LONG) == Hello(1, 2)
    text = "x" * 300_000
    threads = [threading.Thread(target=child.send, args=(Done(n, {"text": text}),), daemon=True) for n in range(4)]
    for thread in threads:
        thread.start()
    came = [parent.receive(LONG) for _ in threads]
    assert sorted(message.id for message in came) == [0, 1, 2, 3]
    assert all(message.body == {"text": text} for message in came)


def test_waiting_for_a_message_has_an_end(pipes):
    with pytest.raises(TimeoutError):
        pipes[0].receive(0.01)


def test_a_closed_channel_says_so(pipes):
    parent, child, fds = pipes
    for fd in (child._read_fd, child._write_fd):
        os.close(fd)
        fds.remove(fd)
    with pytest.raises(ChannelClosed):
        parent.receive(LONG)
    with pytest.raises(ChannelClosed):
        parent.send(Heartbeat())


@pytest.mark.parametrize("kind", ERRORS.values())
def test_errors_keep_their_class_across_the_pipe(kind):
    (message,) = Framer().feed(encode(failed(3, kind("what", "why", "hint"))))
    error = error_of(message)
    assert type(error) is kind
    assert (error.what, error.why, error.hint) == ("what", "why", "hint")


def test_an_unknown_error_becomes_a_plain_one_and_endless_words_are_cut():
    error = error_of(Failed(3, "os.system", "x" * 1_000_000))
    assert type(error) is StudioError
    assert len(error.what) == 2000
