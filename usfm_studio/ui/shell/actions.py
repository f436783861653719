"""The one table of actions: menus, tool strip, palette, key sheet, key editor and tips come from it alone."""

from __future__ import annotations

from usfm_studio.document.annotation import State
from usfm_studio.ui.shell import gates
from usfm_studio.ui.shell.action import Action, Context, Desk, Situation
from usfm_studio.ui.shell.gates import every

GROUPS = ("Project", "Edit", "Go", "View", "Tools", "Review", "Label", "Model", "Help")
"""Groups in the order of the menu."""

_PAGE, _ALWAYS = Context.PAGE, Context.ALWAYS
_ON_FRAME = every(gates.project, gates.frame, gates.writable)
_ON_PROPOSAL = every(_ON_FRAME, gates.proposal)


def _step_group(desk: Desk, attribute: str, by: int) -> None:
    """Go to the first item of the next (or previous) study or patient."""
    navigation = desk.session.navigation
    values = [getattr(item.instance, attribute) for item in navigation.items]
    here = navigation.item_index
    if here < 0:
        return
    rows = range(here + by, len(values) if by > 0 else -1, by)
    found = next((row for row in rows if values[row] != values[here]), None)
    if found is None:
        return
    while by < 0 and found > 0 and values[found - 1] == values[found]:
        found -= 1
    navigation.go_item(found)


def _pick_segment(index: int) -> Action:
    def does(desk: Desk) -> None:
        desk.session.select_segment(desk.session.schema.segments[index].value)

    def title(situation: Situation) -> str:
        named = situation.segments[index] if index < len(situation.segments) else ""
        return f"Segment {index + 1}: {named}" if named else f"Segment {index + 1}"

    return Action(
        id=f"segment.{index + 1}", text=f"Segment {index + 1}", title=title, does=does, icon="stack-2",
        keys=(f"Digit{(index + 1) % 10}",), group="Label", enabled=every(gates.frame, gates.segment_at(index)),
        hint="Choose what the tools mark.", help="segments",
    )  # fmt: skip


def _toggle_label(index: int) -> Action:
    def does(desk: Desk) -> None:
        desk.session.reviewing.toggle_label(desk.session.schema.labels[index].name)

    def title(situation: Situation) -> str:
        named = situation.labels[index] if index < len(situation.labels) else ""
        return f"Label {index + 1}: {named}" if named else f"Label {index + 1}"

    return Action(
        id=f"label.{index + 1}", text=f"Label {index + 1}", title=title, does=does, icon="tag",
        keys=(f"Shift+Digit{index + 1}",), group="Label", enabled=every(_ON_FRAME, gates.label_at(index)),
        hint="Say it of the whole frame, or take it back.", help="labels",
    )  # fmt: skip


def _tool(name: str, text: str, key: str, icon: str, hint: str) -> Action:
    enabled = every(gates.frame) if name == "select" else every(gates.frame, gates.writable)
    return Action(
        id=f"tool.{name}", text=text, keys=(key,), icon=icon, group="Tools", hint=hint, help=f"tools-{name}",
        does=lambda d: d.canvas.set_tool(name), enabled=enabled, checked=lambda s: s.tool == name,
    )  # fmt: skip


def _state(state: State, text: str, key: str, icon: str, hint: str) -> Action:
    return Action(
        id=f"state.{state.value}", text=text, keys=(key,), icon=icon, group="Review", hint=hint, help="states",
        does=lambda d: d.session.reviewing.set_state(state), enabled=_ON_FRAME,
        checked=lambda s: s.state == state.value,
    )  # fmt: skip


_PROJECT = (
    Action(id="project.open_study", text="Open a study …", keys=("Ctrl+O",), icon="file-import", group="Project",
           does=lambda d: d.front.open_study(), context=_ALWAYS, help="open",
           hint="DICOM files, a DICOMDIR, pictures or a zip. Files stay where they are."),
    Action(id="project.open_folder", text="Open a folder …", keys=("Ctrl+Shift+O",), icon="folder-open",
           group="Project", does=lambda d: d.front.open_folder(), context=_ALWAYS, help="open",
           hint="Everything below it, sorted by patient, study and series."),
    Action(id="project.open", text="Open another project …", icon="database", group="Project", help="projects",
           does=lambda d: d.front.open_project(), context=_ALWAYS, hint="A folder that this program has made before."),
    Action(id="project.sample", text="Try the sample", icon="player-play", group="Project", help="sample",
           does=lambda d: d.front.open_sample(), context=_ALWAYS, hint="Public studies to try everything on."),
    Action(id="import.show", text="Files read", icon="clipboard-list", group="Project", context=_ALWAYS, help="import",
           does=lambda d: d.front.show_page("import"), enabled=every(gates.project, gates.files_seen),
           hint="What came in, what did not, and why."),
    Action(id="import.cancel", text="Stop reading files", icon="circle-x", group="Project", context=_ALWAYS,
           does=lambda d: d.session.bringing_in.cancel(), enabled=every(gates.project, gates.importing),
           hint="What was read so far stays.", help="import"),
    Action(id="project.export", text="Export …", keys=("Ctrl+E",), icon="upload", group="Project", context=_ALWAYS,
           does=lambda d: d.front.export(), enabled=every(gates.project, gates.items), help="export",
           hint="DICOM SEG, masks, COCO and more; each file is read again before it is called done."),
    Action(id="project.saved", text="Saved?", keys=("Ctrl+S",), icon="device-floppy", group="Project",
           does=lambda d: d.front.show_saved(), enabled=gates.project, context=_ALWAYS, help="saving",
           hint="Every act is written at once; this only says when."),
    Action(id="project.close", text="Close the project", icon="door-exit", group="Project", context=_ALWAYS,
           does=lambda d: d.front.close_project(), enabled=gates.project, help="projects",
           hint="Back to the first page. Nothing is lost."),
    Action(id="app.settings", text="Settings …", keys=("Ctrl+Comma",), icon="settings", group="Project",
           does=lambda d: d.front.show_settings(), context=_ALWAYS, hint="Theme, size, motion, keys.", help="settings"),
    Action(id="app.quit", text="Quit", keys=("Ctrl+Q",), icon="x", group="Project", context=_ALWAYS,
           does=lambda d: d.front.quit(), help="saving",
           hint="Everything is written. A run that learns ends without a model."),
)  # fmt: skip

_EDIT = (
    Action(id="edit.undo", text="Undo", keys=("Ctrl+Z",), icon="arrow-back-up", group="Edit", context=_ALWAYS,
           does=lambda d: d.session.undo(), enabled=every(gates.writable, gates.undo), repeats=True,
           title=lambda s: f"Undo: {s.undo_name}" if s.undo_name else "Undo", help="undo",
           hint="Take the last act back, on whichever frame it was."),
    Action(id="edit.redo", text="Redo", keys=("Ctrl+Shift+Z", "Ctrl+Y"), icon="arrow-forward-up", group="Edit",
           does=lambda d: d.session.redo(), enabled=every(gates.writable, gates.redo), repeats=True, context=_ALWAYS,
           title=lambda s: f"Redo: {s.redo_name}" if s.redo_name else "Redo", help="undo",
           hint="Do again what was taken back."),
    Action(id="edit.cancel", text="Let go", keys=("Esc",), icon="x", group="Edit", help="tools-select",
           does=lambda d: d.canvas.cancel(), hint="Once: the stroke. Twice: the tool."),
)  # fmt: skip

_GO = (
    Action(id="frame.next", text="Next frame", keys=("Right", "Down"), icon="chevron-right", group="Go",
           does=lambda d: d.session.navigation.step(1), enabled=gates.frame, repeats=True, help="moving",
           hint="On a still: the next item."),
    Action(id="frame.previous", text="Previous frame", keys=("Left", "Up"), icon="chevron-left", group="Go",
           does=lambda d: d.session.navigation.step(-1), enabled=gates.frame, repeats=True, help="moving",
           hint="On a still: the previous item."),
    Action(id="frame.ahead", text="10 frames ahead", keys=("Shift+Right",), icon="chevron-right", group="Go",
           does=lambda d: d.session.navigation.step(10), enabled=gates.frame, repeats=True, help="moving",
           hint="On stills: 10 items."),
    Action(id="frame.back", text="10 frames back", keys=("Shift+Left",), icon="chevron-left", group="Go",
           does=lambda d: d.session.navigation.step(-10), enabled=gates.frame, repeats=True, help="moving",
           hint="On stills: 10 items."),
    Action(id="frame.first", text="First frame", keys=("Home",), icon="player-skip-back", group="Go",
           does=lambda d: d.session.navigation.first(), enabled=gates.frame, help="moving",
           hint="The loop's first, or the first item."),
    Action(id="frame.last", text="Last frame", keys=("End",), icon="player-skip-forward", group="Go",
           does=lambda d: d.session.navigation.last(), enabled=gates.frame, help="moving",
           hint="The loop's last, or the last item."),
    Action(id="loop.play", text="Play or stop", keys=("Space", "C"), icon="player-play", group="Go",
           does=lambda d: d.session.navigation.toggle_play(), held=lambda d, on: d.canvas.set_panning(on),
           enabled=every(gates.frame, gates.loop), checked=lambda s: s.playing, help="loops",
           hint="At the rate of the recording. Space held: drag moves the image."),
    Action(id="loop.slower", text="Slower", keys=("Alt+Down",), icon="player-play", group="Go", repeats=True,
           does=lambda d: d.session.navigation.faster(-1), enabled=every(gates.frame, gates.loop), help="loops",
           hint="One step down in frames a second."),
    Action(id="loop.faster", text="Faster", keys=("Alt+Up",), icon="player-play", group="Go", repeats=True,
           does=lambda d: d.session.navigation.faster(1), enabled=every(gates.frame, gates.loop), help="loops",
           hint="One step up in frames a second."),
    Action(id="item.next", text="Next item", keys=("D", "PgDown"), icon="chevron-right", group="Go", repeats=True,
           does=lambda d: d.session.navigation.step_item(1), enabled=gates.items, hint="Down the worklist.",
           help="moving"),
    Action(id="item.previous", text="Previous item", keys=("A", "PgUp"), icon="chevron-left", group="Go", repeats=True,
           does=lambda d: d.session.navigation.step_item(-1), enabled=gates.items, hint="Up the worklist.",
           help="moving"),
    Action(id="item.suggested", text="Suggested next", keys=("N",), icon="target-arrow", group="Go", help="worklist",
           does=lambda d: d.session.navigation.next_open(), enabled=gates.items,
           hint="The next item that waits for you."),
    Action(id="study.next", text="Next study", keys=("Ctrl+Right",), icon="chevron-right", group="Go",
           does=lambda d: _step_group(d, "study_uid", 1), enabled=gates.items, hint="Its first item.", help="moving"),
    Action(id="study.previous", text="Previous study", keys=("Ctrl+Left",), icon="chevron-left", group="Go",
           does=lambda d: _step_group(d, "study_uid", -1), enabled=gates.items, hint="Its first item.", help="moving"),
    Action(id="patient.next", text="Next patient", keys=("Ctrl+Down",), icon="chevron-right", group="Go",
           does=lambda d: _step_group(d, "subject", 1), enabled=gates.items, hint="Their first item.", help="moving"),
    Action(id="patient.previous", text="Previous patient", keys=("Ctrl+Up",), icon="chevron-left", group="Go",
           does=lambda d: _step_group(d, "subject", -1), enabled=gates.items, hint="Their first item.", help="moving"),
    Action(id="page.work", text="Back to work", keys=("Esc",), icon="arrow-left", group="Go", context=_PAGE,
           does=lambda d: d.front.show_page("work"), enabled=every(gates.project, gates.elsewhere),
           hint="To the image. Learning and reading go on.", help="moving"),
)  # fmt: skip

_VIEW = (
    Action(id="view.nearer", text="Zoom in", keys=("Ctrl+Plus", "Ctrl+Equal"), icon="zoom-in", group="View",
           does=lambda d: d.canvas.zoom_by(1.25), enabled=gates.frame, repeats=True, help="zoom",
           hint="Also Ctrl and the wheel, around the mouse."),
    Action(id="view.farther", text="Zoom out", keys=("Ctrl+Minus",), icon="zoom-out", group="View", repeats=True,
           does=lambda d: d.canvas.zoom_by(0.8), enabled=gates.frame, help="zoom",
           hint="Also Ctrl and the wheel, around the mouse."),
    Action(id="view.fit", text="Whole image", keys=("Ctrl+Digit0",), icon="zoom-scan", group="View",
           does=lambda d: d.canvas.fit(), enabled=gates.frame, hint="As large as it fits.", help="zoom"),
    Action(id="view.actual", text="One to one", keys=("Ctrl+Digit1",), icon="aspect-ratio", group="View",
           does=lambda d: d.canvas.actual_size(), enabled=gates.frame, help="zoom",
           hint="One pixel of the image on one pixel of the screen."),
    Action(id="view.zoom_drag", text="Zoom by dragging", keys=("Z",), icon="zoom-in", group="View", help="zoom",
           does=lambda d: d.canvas.fit(), held=lambda d, on: d.canvas.set_zooming(on), enabled=gates.frame,
           hint="Hold Z and drag up or down. A tap shows the whole image."),
    Action(id="view.reset_levels", text="Reset window and level", keys=("Ctrl+Shift+Digit0",), icon="contrast",
           group="View", does=lambda d: d.canvas.reset_levels(), enabled=gates.frame, help="levels",
           hint="As the file has them. The right button, dragged, sets them."),
    Action(id="view.auto_levels", text="Automatic window and level", keys=("Ctrl+J",), icon="adjustments",
           group="View", does=lambda d: d.canvas.auto_levels(), enabled=gates.frame, help="levels",
           hint="From what is in view."),
    Action(id="view.invert", text="Black for white", keys=("Ctrl+I",), icon="circle-half-2", group="View",
           does=lambda d: d.canvas.toggle_inverted(), enabled=gates.frame, checked=lambda s: s.inverted,
           hint="Invert the greys. The file stays as it is.", help="levels"),
    Action(id="view.overlays", text="Outlines", keys=("X",), icon="eye", group="View", help="overlays",
           does=lambda d: d.canvas.toggle_overlays(), held=lambda d, on: d.canvas.set_peeking(on),
           enabled=gates.frame, checked=lambda s: s.overlays, hint="Show or hide all. Held: look underneath."),
    Action(id="view.look", text="Outline or fill", keys=("Shift+X",), icon="droplet-half", group="View",
           does=lambda d: d.canvas.next_look(), enabled=gates.frame, help="overlays",
           hint="The rim inside the outline, or the outline alone."),
    Action(id="view.fainter", text="Fainter overlays", keys=("O",), icon="droplet", group="View", repeats=True,
           does=lambda d: d.canvas.change_opacity(-1), enabled=gates.frame, hint="One step.", help="overlays"),
    Action(id="view.stronger", text="Stronger overlays", keys=("Shift+O",), icon="droplet", group="View",
           does=lambda d: d.canvas.change_opacity(1), enabled=gates.frame, hint="One step.", help="overlays",
           repeats=True),
    Action(id="view.information", text="Texts on the image", keys=("I",), icon="info-circle", group="View",
           does=lambda d: d.canvas.toggle_information(), enabled=gates.frame, help="overlays",
           hint="Who, which frame, zoom and scale, in the corners."),
    Action(id="view.worklist", text="Worklist", keys=("F7",), icon="list-details", group="View", context=_ALWAYS,
           does=lambda d: d.front.toggle_worklist(), enabled=gates.project, checked=lambda s: s.worklist_shown,
           hint="All items with their states.", help="worklist"),
    Action(id="view.panels", text="Hide panels", keys=("F4", "Ctrl+Backslash"), icon="layout-sidebar-right",
           group="View", does=lambda d: d.front.toggle_panels(), enabled=gates.project, context=_ALWAYS,
           checked=lambda s: s.panels_hidden, hint="All the room to the image.", help="window"),
    Action(id="view.full_screen", text="Full screen", keys=("F11",), icon="maximize", group="View", context=_ALWAYS,
           does=lambda d: d.front.toggle_full_screen(), checked=lambda s: s.full_screen, help="window",
           hint="The window over the whole screen."),
    Action(id="view.next_zone", text="Next part of the window", keys=("F6",), icon="arrow-right", group="View",
           does=lambda d: d.front.next_zone(1), context=_ALWAYS, help="keyboard",
           hint="Image, worklist, panels: the keyboard goes round."),
    Action(id="view.previous_zone", text="Previous part of the window", keys=("Shift+F6",), icon="arrow-left",
           group="View", does=lambda d: d.front.next_zone(-1), context=_ALWAYS, help="keyboard",
           hint="The same, backwards."),
)  # fmt: skip

_TOOLS = (
    _tool("select", "Select", "V", "pointer", "Click an area to choose it; drag to move the image."),
    _tool("brush", "Brush", "B", "brush", "Paint the chosen segment. Ctrl erases, Shift+click draws straight."),
    _tool("eraser", "Eraser", "E", "eraser", "Take away from the chosen segment. Ctrl paints."),
    _tool("polygon", "Polygon", "P", "polygon", "Click corner by corner; Enter or a double-click closes."),
    _tool("smart", "Smart", "S", "target-arrow", "Click what belongs, Ctrl+click what does not, or drag a box."),
    _tool("lasso", "Lasso", "L", "lasso", "Draw around an area. Ctrl takes it away."),
    Action(id="brush.larger", text="Larger brush", keys=("Plus", "Equal", "BracketRight"), icon="plus", group="Tools",
           does=lambda d: d.canvas.resize_brush(1), enabled=gates.frame, repeats=True, help="tools-brush",
           hint="Also Shift and the wheel."),
    Action(id="brush.smaller", text="Smaller brush", keys=("Minus", "BracketLeft"), icon="minus", group="Tools",
           does=lambda d: d.canvas.resize_brush(-1), enabled=gates.frame, repeats=True, help="tools-brush",
           hint="Also Shift and the wheel."),
    Action(id="segment.next", text="Next marked area", keys=("Tab",), icon="select", group="Tools", repeats=True,
           does=lambda d: d.canvas.next_segment(1), enabled=gates.frame, help="segments",
           hint="Choose what is marked or proposed here, one after the other."),
    Action(id="segment.previous", text="Previous marked area", keys=("Shift+Tab",), icon="select", group="Tools",
           does=lambda d: d.canvas.next_segment(-1), enabled=gates.frame, repeats=True, help="segments",
           hint="The same, backwards."),
)  # fmt: skip

_REVIEW = (
    Action(id="proposal.accept", text="Accept", keys=("Enter",), icon="check", group="Review", enabled=_ON_PROPOSAL,
           does=lambda d: d.session.reviewing.accept(), help="review",
           hint="The chosen proposal becomes yours; with none chosen, all of this frame."),
    Action(id="frame.done", text="Accept all, done, next", keys=("Ctrl+Enter",), icon="checks", group="Review",
           does=lambda d: d.session.reviewing.accept_all_and_next(), enabled=_ON_FRAME, help="review",
           hint="Mark this frame as done and go to the next that waits."),
    Action(id="proposal.reject", text="Reject", keys=("Del",), icon="x", group="Review", enabled=_ON_PROPOSAL,
           does=lambda d: d.session.reviewing.reject(), help="review",
           hint="It stays away: this model does not bring it back."),
    Action(id="proposal.reject_all", text="Reject all proposals on this frame", keys=("Shift+Del",), icon="circle-x",
           group="Review", does=lambda d: d.session.reviewing.reject_all(), enabled=_ON_PROPOSAL, help="review",
           hint="None of them comes back."),
    _state(State.FLAGGED, "Flag", "F", "flag", "To be looked at again; it does not train."),
    _state(State.NOTHING, "Nothing to mark", "U", "circle-off", "Looked at, nothing there: it trains as empty."),
    _state(State.UNUSABLE, "Unusable", "Shift+U", "ban", "Leave this frame out of everything."),
)  # fmt: skip

_LABEL = (*(_pick_segment(n) for n in range(10)), *(_toggle_label(n) for n in range(9)))

_MODEL = (
    Action(id="propose.here", text="Propose here", keys=("Y",), icon="sparkles", group="Model",
           does=lambda d: d.session.proposing.here(), enabled=every(_ON_FRAME, gates.model), help="proposals",
           hint="Ask the model about this frame. What you accepted stays."),
    Action(id="propose.everywhere", text="Propose on all items", keys=("Shift+Y",), icon="stack-2", group="Model",
           does=lambda d: d.session.proposing.everywhere(), enabled=every(_ON_FRAME, gates.model), help="proposals",
           hint="All frames that nobody has worked on."),
    Action(id="model.fine_tune", text="Fine-tune on your corrections", keys=("Ctrl+T",), icon="school", group="Model",
           does=lambda d: d.session.learning.fine_tune(), context=_ALWAYS, help="learning",
           enabled=every(gates.project, gates.writable, gates.idle, gates.trainable),
           hint="Learns in the background; the better of old and new model stays."),
    Action(id="learn.show", text="Show the run", icon="trending-up", group="Model", context=_ALWAYS,
           does=lambda d: d.front.show_page("learn"), enabled=gates.project, help="learning",
           hint="How far, is it getting better, who is kept for testing."),
    Action(id="training.stop", text="Stop and keep the best", icon="player-stop", group="Model", context=_ALWAYS,
           does=lambda d: d.session.learning.stop(), enabled=gates.training, help="learning",
           hint="Goes straight to the comparison."),
    Action(id="training.cancel", text="Cancel learning", icon="circle-x", group="Model", context=_ALWAYS,
           does=lambda d: d.session.learning.cancel(), enabled=gates.training, help="learning",
           hint="The run is thrown away; the model in use stays."),
    Action(id="runs.discard", text="Discard interrupted runs", icon="circle-x", group="Model", context=_ALWAYS,
           does=lambda d: d.session.learning.discard_interrupted(), help="learning",
           enabled=every(gates.project, gates.writable, gates.interrupted),
           hint="What a run that was cut short has left behind; models in use stay."),
    Action(id="learn.verdict", text="Compare old and new model", icon="trending-up", group="Model", context=_ALWAYS,
           does=lambda d: d.front.show_page("verdict"), enabled=every(gates.project, gates.verdict), help="verdict",
           hint="Subject by subject, worst frames first."),
    Action(id="model.roll_back", text="Go back to the earlier model", icon="history", group="Model", context=_ALWAYS,
           does=lambda d: d.session.learning.rollback(), help="verdict",
           enabled=every(gates.project, gates.writable, gates.earlier_model),
           hint="The model that proposed before this one proposes again."),
)  # fmt: skip

_HELP = (
    Action(id="help.palette", text="Find an action …", keys=("Ctrl+Shift+P", "Ctrl+K"), icon="command", group="Help",
           does=lambda d: d.front.show_palette(), context=_ALWAYS, help="palette", hint="Everything, by its name."),
    Action(id="help.keys", text="All keys", keys=("Shift+F1", "Ctrl+Slash"), icon="keyboard", group="Help",
           does=lambda d: d.front.show_sheet(), context=_ALWAYS, help="keyboard", hint="On one page."),
    Action(id="help.edit_keys", text="Change keys …", icon="keyboard", group="Help", context=_ALWAYS,
           does=lambda d: d.front.show_keys(), hint="Your own keys; a clash is told.", help="keyboard"),
    Action(id="help.open", text="Guide", keys=("F1",), icon="help-circle", group="Help", context=_ALWAYS,
           does=lambda d: d.front.show_help(), hint="What is what, on this computer.", help="guide"),
)  # fmt: skip

ACTIONS: tuple[Action, ...] = (*_PROJECT, *_EDIT, *_GO, *_VIEW, *_TOOLS, *_REVIEW, *_LABEL, *_MODEL, *_HELP)
"""Everything that can be done, in the order of the menus."""

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}


def in_group(group: str) -> tuple[Action, ...]:
    """The actions of one group."""
    return tuple(action for action in ACTIONS if action.group == group)
