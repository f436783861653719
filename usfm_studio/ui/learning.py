"""Runs, verdicts and models: what the learning pages show, and the acts they offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from time import monotonic

from PySide6.QtCore import QObject, QTimer, Signal

from usfm_studio.document.edit import Change, change_of
from usfm_studio.document.errors import Interrupted, StudioError
from usfm_studio.document.frame import FrameId
from usfm_studio.document.model_card import ModelCard
from usfm_studio.project.project import Project
from usfm_studio.ui.job import Job, hands
from usfm_studio.ui.navigation import Navigation
from usfm_studio.ui.parts import Whole
from usfm_studio.ui.readiness import Counting, Done
from usfm_studio.ui.state import STAGES, ModelRow, Notice, Readiness, TrainingState, Verdict
from usfm_studio.ui.verdicts import verdict_of
from usfm_studio.verbs import models as shelf_verb
from usfm_studio.verbs import runs
from usfm_studio.verbs.finetune import FinetuneArguments, FinetuneResult, Running
from usfm_studio.verbs.finetune import run as finetune
from usfm_studio.verbs.house import House
from usfm_studio.verbs.shelf import read_card, starter_for
from usfm_studio.verbs.steps import Apart, Event, Steps

TICK_MS = 1000
CURVE_MS = 100
"""Steps are told so often, however fast they come."""
DEFAULT_MINUTES = 5.0
INTERRUPTED = "run"
"""Key of the notice about runs that were interrupted."""


class Learning(QObject):
    """At most one run at a time. `training` stays after its end, until the next run, so that it can be looked at."""

    ended = Signal()
    """A run has come to its end, and its model was taken over or not."""

    def __init__(self, session: Whole, navigation: Navigation) -> None:
        super().__init__()
        self._session, self._navigation = session, navigation
        self.training: TrainingState | None = None
        self.verdict: Verdict | None = None
        self.models: tuple[ModelRow, ...] = ()
        self.interrupted: tuple[runs.InterruptedRun, ...] = ()
        self.counting = Counting(session)
        self.counting.setParent(self)
        self.counting.changed.connect(session.training_changed)
        self._job: Job | None = None
        self._running = Running()
        self._began, self._minutes = 0.0, DEFAULT_MINUTES
        self._tick = QTimer(self)
        self._tick.setInterval(TICK_MS)
        self._tick.timeout.connect(self._on_tick)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(CURVE_MS)
        self._soon.timeout.connect(session.training_changed)
        session.changed.connect(self._on_changed)

    @property
    def readiness(self) -> Readiness:
        """What a run for the kind of image in view would learn from."""
        return self.counting.readiness

    def enter(self, done: Mapping[FrameId, Done], interrupted: tuple[runs.InterruptedRun, ...]) -> None:
        """Another project was opened; runs of it that were interrupted are told."""
        self.interrupted = interrupted
        self.counting.enter(done)
        self.refresh()
        if interrupted:
            self._session.notice.emit(_about_interrupted(interrupted))

    def leave(self) -> None:
        """The project closes: the run ends, marked as interrupted; everything is forgotten."""
        if self._job is not None:
            self._job.cancel()
        self._tick.stop()
        self._soon.stop()
        self.training, self.verdict, self.models, self.interrupted = None, None, (), ()
        self.counting.leave()
        self._session.training_changed.emit()

    # --- the shelf ---------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read the shelf anew."""
        project = self._session.project
        self.models = tuple(_rows(project)) if project else ()
        self._session.training_changed.emit()

    def _on_changed(self, change: Change) -> None:
        if change.kinds & {"champion", "schema"}:
            self.refresh()

    @property
    def proposer(self) -> ModelCard | None:
        """Card of the model that proposes for the frame in view; None when none does."""
        project, instance = self._session.project, self._session.instance
        if project is None or instance is None:
            return None
        try:
            champion = project.models.champion(self._session.exam)
            if champion:
                return project.models.card(champion)
            starter = starter_for(instance, self._session.exam)
            return read_card(starter) if starter else None
        except StudioError:
            return None  # a model that is broken is told when it is to propose

    @property
    def proposer_shipped(self) -> bool:
        """True where the model that proposes came with the program."""
        project, card = self._session.project, self.proposer
        return project is not None and card is not None and project.models.champion(self._session.exam) != card.digest

    @property
    def proposer_name(self) -> str:
        """Name of the model that proposes for the frame in view; empty when none does."""
        card = self.proposer
        return card.name if card is not None else ""

    def promote(self, digest: str) -> None:
        """Let this model propose; its words replace the earlier one's on frames that nobody touched."""
        project = self._session.project
        if project is None:
            return
        try:
            edit = shelf_verb.promotion(project, project.models.card(digest))
        except StudioError as error:
            self._session.tell(error)
            return
        self._session.commit(edit)

    def rollback(self, exam: str | None = None) -> None:
        """Back to the model before the one in use for an exam group, by default that of the image in view."""
        project = self._session.project
        if project is None:
            return
        try:
            edit = shelf_verb.going_back(project, self._session.exam if exam is None else exam)
        except StudioError as error:
            self._session.tell(error)
            return
        self._session.commit(edit)

    # --- a run -------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """True while a run is on."""
        return self._job is not None and self._job.running

    def fine_tune(self, minutes: float | None = None) -> None:
        """Start a run on what is done for this kind of image; the window stays as usable as before."""
        project = self._session.project
        if project is None or self.running:
            return
        refusal = self._refusal(project)
        if refusal is not None:
            self._session.notice.emit(refusal)
            return
        self._minutes, self._began = minutes or DEFAULT_MINUTES, monotonic()
        self._running = Running()
        self.training = self._at_start(project, self._minutes * 60)
        arguments = FinetuneArguments(exam=self.training.exam, minutes=self._minutes)
        self._job = Job(
            self._learn(project, arguments, self._session.house, self._running),
            event=self._on_event,
            done=self._on_done,
            failed=self._on_failed,
            parent=self,
        ).start()
        self._tick.start()
        self._session.training_changed.emit()

    def _refusal(self, project: Project) -> Notice | None:
        """Why no run can begin now."""
        if self._session.read_only:
            text = project.read_only_reason or "There is no room on the disk for a new model."
            return Notice(kind="warning", title="Nothing is learned now", text=text)
        if not self.readiness.enough:
            return Notice(kind="info", title="Too little to learn from yet", text=self._what_is_missing())
        return None

    def _at_start(self, project: Project, seconds: float) -> TrainingState:
        """A run that begins, on what is done for the kind of image in view."""
        have = self.readiness
        champion = project.models.champion(have.exam)
        card = project.models.card(champion) if champion else None
        return TrainingState(
            running=True,
            name=have.exam.capitalize() or "Model",
            exam=have.exam,
            started=f"{datetime.now():%H:%M}",
            left_s=seconds,
            stages=_stages("reading"),
            champion_name=card.name if card else "",
            champion_score=card.comparison.get("challenger") if card else None,
            frames=have.frames,
            frames_empty=have.frames_empty,
            segment_frames=have.segment_frames,
            label_frames=have.label_frames,
        )

    def _learn(
        self, project: Project, arguments: FinetuneArguments, house: House, running: Running
    ) -> Steps[tuple[FinetuneResult, Verdict]]:
        result = yield from finetune(arguments, house, running)
        place_of = self._navigation.place_of
        verdict = yield Apart(lambda: verdict_of(project, result, place_of))
        return result, verdict

    def _what_is_missing(self) -> str:
        have = self.readiness
        frames, subjects = max(0, have.frames_needed - have.frames), max(0, have.subjects_needed - have.subjects)
        parts = []
        if frames:
            parts.append(f"{frames} more frame{'s' if frames > 1 else ''}")
        if subjects:
            parts.append(f"{subjects} more subject{'s' if subjects > 1 else ''}")
        return f"Finish {' of '.join(parts)} (Ctrl+Enter), then Ctrl+T."

    def stop(self) -> None:
        """Stop learning and go straight to the comparison with the best so far."""
        if self.running and self.training is not None:
            self._running.stop()
            self._set(replace(self.training, stopping=True, note="Stopping; the best so far is compared."))

    def cancel(self) -> None:
        """Give the run up; the model in use stays."""
        if self._job is not None and self._job.running:
            self._soon.stop()
            self._running.cancel()
            self._job.cancel()
            self._tick.stop()
            if self.training is not None:
                self._set(replace(self.training, running=False, left_s=None, note="Cancelled; nothing has changed."))

    def _on_tick(self) -> None:
        if self.training is not None and self.running:
            spent = monotonic() - self._began
            total = self._minutes * 60
            self._set(replace(self.training, percent=min(99.0, 100 * spent / total), left_s=max(0.0, total - spent)))

    def _on_event(self, event: Event) -> None:
        state, body = self.training, event.body
        if state is None:
            return
        if event.kind == "applied":
            self._session.announce(change_of(body["edit"]))
        elif event.kind == "stage":
            stage = str(body.get("stage", state.stage))
            self._set(
                replace(
                    state,
                    stage=stage,
                    stages=_stages(stage),
                    steps=body.get("steps", state.steps),
                    train_subjects=tuple(body.get("train_subjects", state.train_subjects)),
                    holdout_subjects=tuple(body.get("holdout_subjects", state.holdout_subjects)),
                )
            )
        elif event.kind == "step":
            self._on_step(state, event)
        elif event.kind == "holdout":
            point = (int(body.get("step", state.step)), float(body["holdout"]))
            self._set_soon(replace(state, holdout=(*state.holdout, point)))
        elif event.kind == "note":
            self._set(replace(state, note=str(body.get("note", ""))))

    def _on_step(self, state: TrainingState, event: Event) -> None:
        body = event.body
        step, loss = int(body["step"]), body.get("loss")
        losses = state.losses if loss is None else (*state.losses, (step, float(loss)))
        speed = body.get("steps_per_second", state.steps_per_second)
        self._set_soon(
            replace(state, step=step, steps=body.get("steps", state.steps), losses=losses, steps_per_second=speed)
        )

    def _on_done(self, answer: tuple[FinetuneResult, Verdict]) -> None:
        result, self.verdict = answer
        self._tick.stop()
        state = self.training
        if state is not None:
            self._set(replace(state, running=False, percent=100.0, left_s=None, stages=_stages("")))
        self.refresh()
        kind = "ok" if result.promoted else "info"
        self._session.notice.emit(
            Notice(
                kind=kind,
                title=self.verdict.title,
                text=self.verdict.sentence,
                button="See how",
                action="learn.verdict",
            )
        )
        self.ended.emit()

    def _on_failed(self, error: StudioError) -> None:
        self._tick.stop()
        if self.training is not None:
            self._set(replace(self.training, running=False, left_s=None, note=str(error)))
        if not isinstance(error, Interrupted):
            self._session.tell(error)

    def _set(self, state: TrainingState) -> None:
        self.training = state
        self._soon.stop()
        self._session.training_changed.emit()

    def _set_soon(self, state: TrainingState) -> None:
        self.training = state
        if not self._soon.isActive():
            self._soon.start()

    # --- runs that were interrupted ----------------------------------------------------------------------------

    def discard_interrupted(self) -> None:
        """Remove what interrupted runs left behind; the models in use stay."""
        project, gone = self._session.project, self.interrupted
        if project is None or not gone:
            return
        self.interrupted = ()
        for run in gone:
            hands().submit(runs.discard, project, run)
        self._session.settled.emit(INTERRUPTED)
        self._session.training_changed.emit()


def _about_interrupted(interrupted: tuple[runs.InterruptedRun, ...]) -> Notice:
    many = len(interrupted) > 1
    began = datetime.fromisoformat(interrupted[-1].started).astimezone() if interrupted[-1].started else None
    when = f", the last one begun on {began:%d %B at %H:%M}" if many and began else ""
    when = f", begun on {began:%d %B at %H:%M}" if began and not many else when
    title = f"{len(interrupted)} fine-tunings were interrupted" if many else "A fine-tuning was interrupted"
    return Notice(
        kind="warning",
        title=f"{title}{when}",
        text="The model in use stayed as it was. Ctrl+T learns again from all that is done.",
        button="Discard",
        action="runs.discard",
        key=INTERRUPTED,
    )


def _rows(project: Project) -> list[ModelRow]:
    rows = []
    for card in project.models.cards():
        interval = card.comparison.get("interval")
        rows.append(
            ModelRow(
                card=card,
                champion=project.models.champion(card.exam) == card.digest,
                shipped=False,
                score=card.comparison.get("challenger"),
                interval=(float(interval[0]), float(interval[1])) if interval else None,
            )
        )
    rows.sort(key=lambda row: row.card.created, reverse=True)
    return rows


def _stages(now: str) -> tuple[tuple[str, str], ...]:
    names = [key for key, _ in STAGES]
    at = names.index(now) if now in names else len(names) if now == "" else 0
    return tuple((words, "done" if i < at else "running" if i == at else "todo") for i, (_, words) in enumerate(STAGES))
