"""Claim: from a mouse event of a stroke to its repaint takes at most 8 ms (p95), at 1024x768 and at 4096x4096 alike.

Real mouse events go to a real window; the clock stops when the repaint they cause is done. In the same run: a bare
tiled canvas (one disc into 256 px tiles and the tiles shown, nothing else) as the floor, and, with `--napari-python
PATH` naming an interpreter that has napari, napari's Labels layer. Wall times depend on what else the machine does;
processor times hardly do, so both are printed.

    python benchmarks/stroke_to_repaint.py [--napari-python PATH] [--save]

Without a display it runs offscreen (napari then cannot); with one, on it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

if not os.environ.get("DISPLAY") and sys.platform.startswith("linux"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, Qt
from PySide6.QtGui import QImage, QMouseEvent, QPainter
from PySide6.QtWidgets import QApplication, QWidget

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "stroke_to_repaint.txt"
VIEW = (944, 672)
FRAMES = ((1024, 768), (4096, 4096))
BRUSHES = (20.0, 200.0, 2000.0)  # image pixels; a brush larger than the frame is left out
STROKES, MOVES = 4, 60
TILE = 256


def a_frame(width, height):
    rng = np.random.default_rng(1)
    return rng.integers(0, 120, (height, width), dtype=np.uint8)


def a_stroke(number):
    """Points of one stroke in the view: 5 px apart, wavy."""
    x0, y0 = VIEW[0] * 0.28, VIEW[1] * 0.3 + 45 * number
    return [QPointF(x0 + 5 * i, y0 + 60 * float(np.sin(i / 6))) for i in range(MOVES)]


class Clock:
    """Sends a mouse event to a widget and measures until a repaint is done."""

    def __init__(self, widget, painted):
        self.widget, self.painted = widget, painted
        self.wall, self.cpu = [], []

    def send(self, kind, at, button, buttons):
        event = QMouseEvent(
            kind, at, QPointF(self.widget.mapToGlobal(at.toPoint())), button, buttons, Qt.KeyboardModifier.NoModifier
        )
        before, wall, cpu = self.painted(), time.perf_counter(), time.process_time()
        QApplication.sendEvent(self.widget, event)
        while self.painted() == before and time.perf_counter() - wall < 1.0:
            QApplication.processEvents()
        self.wall.append(1000 * (time.perf_counter() - wall))
        self.cpu.append(1000 * (time.process_time() - cpu))
        QApplication.processEvents()  # what the repaint left to do is not the event's

    def strokes(self):
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        for number in range(STROKES):
            points = a_stroke(number)
            self.send(QEvent.Type.MouseButtonPress, points[0], left, left)
            for point in points[1:]:
                self.send(QEvent.Type.MouseMove, point, none, left)
            self.send(QEvent.Type.MouseButtonRelease, points[-1], left, none)
        return {"wall": self.wall, "cpu": self.cpu}


def ours(width, height, brush):
    sys.path.insert(0, str(ROOT))
    from usfm_studio.document.frame import FrameId
    from usfm_studio.document.mask import Mask
    from usfm_studio.document.rasterise import disc, paint_spans
    from usfm_studio.ui.canvas.styles import SegmentStyle
    from usfm_studio.ui.canvas.view import CanvasView
    from usfm_studio.ui.shell.theme import apply_theme
    from usfm_studio.ui.tools.brush import Brush

    class Counted(CanvasView):
        paints = 0

        def paintEvent(self, event):
            super().paintEvent(event)
            self.paints += 1

    apply_theme(QApplication.instance())
    canvas = Counted()
    canvas.resize(*VIEW)
    canvas.show_frame(a_frame(width, height), FrameId("a" * 64, 0))
    accepted = paint_spans(Mask.empty((height, width)), disc((width * 0.6, height * 0.55), height * 0.3), 2).mask
    proposed = paint_spans(Mask.empty((height, width)), disc((width * 0.45, height * 0.5), height * 0.4), 3).mask
    styles = {v: SegmentStyle(colour=c, name=c) for v, c in ((1, "#56B4E9"), (2, "#E69F00"), (3, "#009E73"))}
    canvas.set_masks(accepted, proposed, styles, {3: 0.9})
    canvas.set_tool(Brush())
    canvas.set_segment(1, "Fetal head")
    canvas.set_brush_size(brush)
    canvas.set_painting(overwrite=True, pressure_sizes=False)  # so that every event changes pixels
    canvas.commits.connect(lambda commit: canvas.update_tiles(commit.edit.after.keys(), commit.mask))
    canvas.show()
    QApplication.processEvents()
    result = Clock(canvas, lambda: canvas.paints).strokes()
    canvas.close()
    canvas.deleteLater()
    return result


class BareCanvas(QWidget):
    """The floor: a disc into tiles of ids, the touched tiles composed and shown."""

    def __init__(self, pixels, brush):
        super().__init__()
        self.pixels, self.radius, self.paints = pixels, brush / 2, 0
        self.ids = np.zeros(pixels.shape, np.uint8)
        self.scale = min(VIEW[0] / pixels.shape[1], VIEW[1] / pixels.shape[0])
        rows, columns = -(-pixels.shape[0] // TILE), -(-pixels.shape[1] // TILE)
        self.tiles = {(r, c): self.compose(r, c) for r in range(rows) for c in range(columns)}
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def compose(self, r, c):
        part = np.s_[r * TILE : (r + 1) * TILE, c * TILE : (c + 1) * TILE]
        grey, ids = self.pixels[part], self.ids[part]
        rgb = np.repeat(grey[:, :, None], 4, axis=2)
        rgb[:, :, 0] = np.where(ids > 0, 233, grey)
        return QImage(rgb.data, grey.shape[1], grey.shape[0], rgb.strides[0], QImage.Format.Format_RGB32).copy()

    def mousePressEvent(self, event):
        self.dab(event.position())

    mouseMoveEvent = mousePressEvent
    mouseReleaseEvent = mousePressEvent

    def dab(self, at):
        x, y, r = at.x() / self.scale, at.y() / self.scale, self.radius
        x0, y0 = max(0, int(x - r)), max(0, int(y - r))
        x1, y1 = min(self.ids.shape[1], int(x + r) + 1), min(self.ids.shape[0], int(y + r) + 1)
        yy, xx = np.ogrid[y0:y1, x0:x1]
        self.ids[y0:y1, x0:x1][(xx - x) ** 2 + (yy - y) ** 2 <= r * r] = 1
        for tr in range(y0 // TILE, (y1 - 1) // TILE + 1):
            for tc in range(x0 // TILE, (x1 - 1) // TILE + 1):
                self.tiles[tr, tc] = self.compose(tr, tc)
        s = self.scale
        self.update(QRect(int(x0 * s) - 1, int(y0 * s) - 1, int((x1 - x0) * s) + 3, int((y1 - y0) * s) + 3))

    def paintEvent(self, event):
        painter = QPainter(self)
        painter.scale(self.scale, self.scale)
        for (r, c), image in self.tiles.items():
            box = QRect(int(c * TILE * self.scale), int(r * TILE * self.scale), int(TILE * self.scale) + 2, 0)
            box.setHeight(int(TILE * self.scale) + 2)
            if event.rect().intersects(box):
                painter.drawImage(c * TILE, r * TILE, image)
        painter.end()
        self.paints += 1


def bare(width, height, brush):
    canvas = BareCanvas(a_frame(width, height), brush)
    canvas.resize(*VIEW)
    canvas.show()
    QApplication.processEvents()
    result = Clock(canvas, lambda: canvas.paints).strokes()
    canvas.close()
    canvas.deleteLater()
    return result


def napari(width, height, brush):
    """Runs in napari's own interpreter."""
    import napari as peer

    viewer = peer.Viewer(show=True)
    viewer.window.resize(VIEW[0] + 300, VIEW[1] + 150)
    viewer.add_image(a_frame(width, height))
    labels = viewer.add_labels(np.zeros((height, width), np.uint8))
    labels.mode, labels.brush_size, labels.selected_label = "paint", brush, 1
    scene = viewer.window._qt_viewer.canvas._scene_canvas
    paints = [0]
    scene.events.draw.connect(lambda event: paints.__setitem__(0, paints[0] + 1), position="last")
    for _ in range(20):
        QApplication.processEvents()
        time.sleep(0.02)
    result = Clock(scene.native, lambda: paints[0]).strokes()
    result["painted"] = int(np.count_nonzero(labels.data))
    result["version"] = peer.__version__
    viewer.close()
    return result


ROLES = {"ours": ours, "bare": bare, "napari": napari}


def measured(role, python, width, height, brush):
    """One measurement in a process of its own; None where that failed (the reason goes to stderr)."""
    command = [python, __file__, "--role", role, "--frame", f"{width}x{height}", "--brush", str(brush)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    line = next((text for text in done.stdout.splitlines() if text.startswith("{")), None)
    if line is None:
        print(done.stderr[-2000:], file=sys.stderr)
        return None
    return json.loads(line)


def row(role, result):
    if result is None:
        return f"{role:>8}  could not be measured"
    wall, cpu = np.percentile(result["wall"], (50, 95)), np.percentile(result["cpu"], (50, 95))
    return f"{role:>8}  wall p50 {wall[0]:7.2f}  p95 {wall[1]:7.2f}   cpu p50 {cpu[0]:7.2f}  p95 {cpu[1]:7.2f}   ms"


def report(napari_python):
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    where = "offscreen" if os.environ.get("QT_QPA_PLATFORM") == "offscreen" else "on a display"
    yield f"stroke event to repaint, view {VIEW[0]}x{VIEW[1]}, {where}, {STROKES} strokes of {MOVES} events"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}"
    yield f"{machine}, Python {platform.python_version()}, at {commit}"
    roles = [("ours", sys.executable), ("bare", sys.executable)]
    roles += [("napari", napari_python)] if napari_python else []
    for width, height in FRAMES:
        for brush in BRUSHES:
            if brush > min(width, height):
                continue
            yield f"\n{width}x{height}, brush {brush:.0f} px"
            results = {role: measured(role, python, width, height, brush) for role, python in roles}
            yield from (row(role, result) for role, result in results.items())
            held = {role: np.percentile(r["cpu"], 95) for role, r in results.items() if r}
            if "ours" in held and "napari" in held:
                yield f"{'':>8}  napari / ours (cpu p95): {held['napari'] / held['ours']:.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--napari-python", help="an interpreter that has napari")
    parser.add_argument("--save", action="store_true", help=f"keep the result in {RESULTS.relative_to(ROOT)}")
    parser.add_argument("--role", choices=ROLES, help=argparse.SUPPRESS)
    parser.add_argument("--frame", default="1024x768", help=argparse.SUPPRESS)
    parser.add_argument("--brush", type=float, default=20.0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.role:
        application = QApplication.instance() or QApplication([])
        width, height = map(int, asked.frame.split("x"))
        print(json.dumps(ROLES[asked.role](width, height, asked.brush)), flush=True)
        application.processEvents()
        os._exit(0)  # what a peer leaves behind at its end is not measured
    lines = []
    for line in report(asked.napari_python):
        print(line, flush=True)
        lines.append(line)
    if asked.save:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
