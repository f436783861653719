"""An engine without torch: it says of every frame what a test wants, and notes what it was asked."""

from __future__ import annotations

from concurrent.futures import Future
from types import MappingProxyType

import numpy as np

from usfm_studio.engine.doors import Encoded, Enhanced, LessonsLacking, ProposalParts


class Released:
    """What tells when the engine has let go of the pixels."""

    def __init__(self):
        self.callbacks = []
        self.released = False

    def when_released(self, callback):
        if self.released:
            callback()
        else:
            self.callbacks.append(callback)

    def release(self):
        self.released = True
        for callback in self.callbacks:
            callback()
        self.callbacks.clear()


class Answers(Future):
    def __init__(self):
        super().__init__()
        self.ticket = Released()


class FakeEngine:
    """`says` is {"ids": value painted in the upper left quarter, "labels": ..., "confidences": ...}."""

    def __init__(self, **says):
        self.says = {"value": 1, "labels": {}, "predicted_dice": {}, **says}
        self.asked = []
        self.lessons, self.known = [], set()
        self.pooled_of = {}
        self.error = None
        self.hold = False

    def propose(self, frames, model, *, key=None, on_proposal=None, probabilities=False):
        self.asked.append([frame.key for frame in frames])
        answers = Answers()
        if self.error is not None:
            answers.set_exception(self.error)
        elif not self.hold:
            answers.set_result([self.parts(frame, probabilities) for frame in frames])
        if not self.hold:
            answers.ticket.release()
        self.last = answers
        return answers

    def instant(self, frames, lessons, encoder, group, *, key=None):
        """It knows a lesson once that was sent whole, until `forget` (as a host does that is killed)."""
        self.lessons.append(lessons)
        self.known |= {(lesson.key, lesson.revision) for lesson in lessons if lesson.pixels is not None}
        lacking = tuple(lesson.key for lesson in lessons if (lesson.key, lesson.revision) not in self.known)
        answers = self.last = Answers()
        if self.error is not None or lacking:
            answers.set_exception(self.error or LessonsLacking(lacking))
        elif not self.hold:
            answers.set_result([self.parts(frame, False) for frame in frames])
        if not self.hold or lacking:
            answers.ticket.release()
        return answers

    def encode(self, frames, model, *, key=None, maps=None, placement=""):
        """Numbers that follow from the pixels' digest, unless `pooled_of` has others."""
        answers = Answers()
        said = [self.pooled_of.get(f.key, [int(f.digest[:2], 16) / 9, int(f.digest[2:4], 16) / 9]) for f in frames]
        answers.set_result(
            [Encoded(key=f.key, pooled=np.array(p, np.float32)) for f, p in zip(frames, said, strict=True)]
        )
        answers.ticket.release()
        return answers

    def forget(self):
        self.known.clear()

    def enhance(self, frames, model):
        """Flat grey of each frame's size."""
        self.asked.append([frame.key for frame in frames])
        answers = Answers()
        if self.error is not None:
            answers.set_exception(self.error)
        else:
            answers.set_result([Enhanced(key=f.key, pixels=np.full(f.shape, 99, np.uint8)) for f in frames])
        answers.ticket.release()
        return answers

    def parts(self, frame, probabilities):
        rows, columns = frame.shape[:2]
        value = self.says["value"]
        ids = np.zeros((rows, columns), np.uint8)
        ids[: rows // 2, : columns // 2] = value
        ids.flags.writeable = False
        chances = np.full((2, rows, columns), 0.5, np.float16) if probabilities else None
        return ProposalParts(
            key=frame.key,
            ids=ids,
            confidences=MappingProxyType({value: 0.8} if value else {}),
            predicted_dice=MappingProxyType(self.says["predicted_dice"]),
            labels=MappingProxyType(self.says["labels"]),
            probabilities=chances,
        )

    def keep_in(self, cache_folder):
        self.cache_folder = cache_folder

    def warm(self, model):
        ready = Future()
        ready.set_result({})
        return ready

    def device(self):
        ready = Future()
        ready.set_result(
            {"kind": "cpu", "name": "Fake", "precision": "float32", "threads": 2, "free_bytes": 1 << 30,
             "encode_ms": 1.5, "torch": "0"}
        )  # fmt: skip
        return ready

    def stop(self):
        pass
