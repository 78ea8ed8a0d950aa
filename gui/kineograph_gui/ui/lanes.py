# SPDX-License-Identifier: Apache-2.0
"""The timeline of a new job: prompts, keys, path and pins in three lanes. Double-click adds, a drag moves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from kineograph_gui.model.draft import Draft
from kineograph_gui.model.words import say
from kineograph_gui.ui.look import color

TITLE_PX = 108
RULER_PX = 20
LANE_PX = 30
EDGE_PX = 6
REACH_PX = 8
_LEFT = int(Qt.AlignmentFlag.AlignLeft) | int(Qt.AlignmentFlag.AlignVCenter)


class Kind(StrEnum):
    """What can be selected."""

    PROMPT = "prompt"
    KEY = "key"
    WAY = "way"
    PIN = "pin"


LANES = ((Kind.PROMPT,), (Kind.KEY,), (Kind.WAY, Kind.PIN))


@dataclass(frozen=True)
class Item:
    """One thing in a lane: a span, or a mark when ``stop`` equals ``start``."""

    kind: Kind
    index: int
    start: int
    stop: int
    text: str = ""


class Lanes(QWidget):
    """Shows a draft; says what the hand asks for."""

    scrubbed = Signal(int)
    chosen_changed = Signal()
    asked_new = Signal(str, int)  # kind, frame
    asked_edit = Signal()
    moved = Signal(str, int, int)  # kind, index, frame: a mark's new frame, a prompt's new end
    stretched = Signal(str, int, int)  # kind, index, frame: the new end of a mark that holds
    removed = Signal(str, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.items: list[Item] = []
        self.frames = 90
        self.frame = 0
        self.chosen: tuple[Kind, int] | None = None
        self._drag = ""
        self.setFixedHeight(RULER_PX + LANE_PX * len(LANES) + 6)
        self.setMinimumWidth(320)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(say("lanes.name"))
        self.setToolTip(say("lanes.tip"))

    # --- what is shown ------------------------------------------------------------------------------------------------
    def show_draft(self, draft: Draft, frame: int) -> None:
        """Another draft or frame."""
        self.items, start = [], 0
        for i, block in enumerate(draft.blocks):
            self.items.append(Item(Kind.PROMPT, i, start, start + block.frames, block.prompt))
            start += block.frames
        self.items += [Item(Kind.KEY, i, k.frame, k.frame) for i, k in enumerate(draft.keys)]
        self.items += [Item(Kind.WAY, i, w.frame, w.frame) for i, w in enumerate(draft.waypoints)]
        self.items += [Item(Kind.PIN, i, p.frame, p.last) for i, p in enumerate(draft.pins)]
        self.frames, self.frame = max(draft.frames, *(i.stop for i in self.items), 1), frame
        if self.chosen is not None and self.item(*self.chosen) is None:
            self.chosen = None
        self.update()

    def item(self, kind: Kind, index: int) -> Item | None:
        """A thing by its kind and number."""
        return next((i for i in self.items if i.kind is kind and i.index == index), None)

    def choose(self, kind: Kind, index: int) -> None:
        """Select a thing."""
        self.chosen = (kind, index)
        self.update()
        self.chosen_changed.emit()

    def x_of(self, frame: float) -> float:
        """Pixels of a frame."""
        return TITLE_PX + (self.width() - TITLE_PX - 10) * frame / max(self.frames, 1)

    def frame_at(self, x: float) -> int:
        """The frame of a pixel."""
        share = (x - TITLE_PX) / max(self.width() - TITLE_PX - 10, 1)
        return int(min(max(round(share * self.frames), 0), self.frames))

    def y_of(self, lane: int) -> float:
        """The top of a lane."""
        return RULER_PX + LANE_PX * lane

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), color("base"))
        self._paint_ruler(painter)
        for lane in range(len(LANES)):
            top = self.y_of(lane)
            painter.setPen(QPen(color("line"), 1))
            painter.drawLine(QPointF(0, top), QPointF(self.width(), top))
            painter.setPen(color("quiet"))
            painter.drawText(QRectF(8, top, TITLE_PX - 12, LANE_PX), _LEFT, say(f"lanes.lane_{lane}"))
        for item in self.items:
            self._paint_item(painter, item)
        x = self.x_of(self.frame)
        painter.setPen(QPen(color("accent"), 1.5))
        painter.drawLine(QPointF(x, 2), QPointF(x, self.height() - 2))
        self._paint_head(painter, x)
        if self.hasFocus():
            painter.setPen(QPen(color("accent"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()

    def _paint_ruler(self, painter: QPainter) -> None:
        step = next((s for s in (1, 5, 10, 20, 30, 60, 120, 300, 600, 1500) if self.frames / s <= 14), 6000)
        painter.setPen(color("quiet"))
        for frame in range(0, self.frames + 1, step):
            x = self.x_of(frame)
            painter.drawText(QRectF(x - 24, 0, 48, RULER_PX), int(Qt.AlignmentFlag.AlignCenter), str(frame))

    def _paint_head(self, painter: QPainter, x: float) -> None:
        """The frame that is looked at, over the ruler's own number."""
        text = str(self.frame)
        wide = painter.fontMetrics().horizontalAdvance(text) + 10
        box = QRectF(min(max(x - wide / 2, 0), self.width() - wide), 2, wide, RULER_PX - 4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color("accent"))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(color("on_accent"))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)

    def _paint_item(self, painter: QPainter, item: Item) -> None:
        chosen = self.chosen == (item.kind, item.index)
        box = self.box(item)
        painter.setPen(QPen(color("accent" if chosen else "line"), 2 if chosen else 1))
        if item.kind is Kind.PROMPT:
            painter.setBrush(color("accent", 60 if item.text else 18))
            painter.drawRoundedRect(box, 4, 4)
            painter.setPen(color("text" if item.text else "quiet"))
            text = item.text or say("details.free")
            room = box.adjusted(6, 0, -6, 0)
            shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, max(int(room.width()), 0))
            painter.drawText(room, _LEFT, shown)
            return
        self._paint_span(painter, item, chosen=chosen)
        painter.setPen(QPen(color("text" if chosen else "base"), 1.5))
        at = box.center()
        painter.setBrush(color({Kind.KEY: "text", Kind.WAY: "accent"}.get(item.kind, "off")))
        if chosen:
            painter.setBrush(color("accent"))
        if item.kind is Kind.WAY:
            painter.drawEllipse(at, 6, 6)
        else:
            painter.drawPolygon(QPolygonF([at + QPointF(*d) for d in ((0, -7), (7, 0), (0, 7), (-7, 0))]))

    def _paint_span(self, painter: QPainter, item: Item, *, chosen: bool) -> None:
        if item.stop > item.start:
            y = self.box(item).center().y()
            paint = color("accent" if chosen else "off")
            painter.setPen(QPen(paint, 4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(QPointF(self.x_of(item.start), y), QPointF(self.x_of(item.stop), y))

    def box(self, item: Item) -> QRectF:
        """Where a thing is drawn."""
        lane = next(i for i, kinds in enumerate(LANES) if item.kind in kinds)
        top = self.y_of(lane)
        left, right = self.x_of(item.start), self.x_of(item.stop)
        if item.kind is Kind.PROMPT:
            return QRectF(left + 1, top + 4, max(right - left - 2, 3), LANE_PX - 8)
        return QRectF(left - REACH_PX, top + LANE_PX / 2 - REACH_PX, 2 * REACH_PX, 2 * REACH_PX)

    # --- hands --------------------------------------------------------------------------------------------------------
    def _hit(self, at: QPointF) -> Item | None:
        found = [i for i in self.items if self.box(i).adjusted(-1, -3, 1, 3).contains(at)]
        return found[-1] if found else None

    def _end_at(self, at: QPointF) -> Item | None:
        """A mark that holds, by its end."""
        for item in reversed(self.items):
            if item.kind is not Kind.PROMPT and item.stop > item.start:
                end = QPointF(self.x_of(item.stop), self.box(item).center().y())
                if (at - end).manhattanLength() <= REACH_PX:
                    return item
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        item, end = self._hit(at), self._end_at(at)
        self._drag = ""
        if item is None and end is not None:
            self.choose(end.kind, end.index)
            self._drag = "stretch"
        elif item is not None:
            self.choose(item.kind, item.index)
            if item.kind is not Kind.PROMPT:
                self._drag = "mark"
                self.scrubbed.emit(item.start)
            elif abs(at.x() - self.x_of(item.stop)) <= EDGE_PX:
                self._drag = "end"
        elif at.x() >= TITLE_PX - REACH_PX:
            self._drag = "scrub"
            self.scrubbed.emit(self.frame_at(at.x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        frame = self.frame_at(event.position().x())
        if self._drag == "scrub":
            self.scrubbed.emit(frame)
        elif self._drag == "stretch" and self.chosen is not None:
            self.stretched.emit(str(self.chosen[0]), self.chosen[1], frame)
        elif self._drag and self.chosen is not None:
            self.moved.emit(str(self.chosen[0]), self.chosen[1], frame)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag = ""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self._hit(at) is not None:
            self.asked_edit.emit()
            return
        lane = int((at.y() - RULER_PX) // LANE_PX)
        if 0 <= lane < len(LANES) and at.x() >= TITLE_PX:
            self.asked_new.emit(str(LANES[lane][0]), self.frame_at(at.x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        far = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        step = {Qt.Key.Key_Left: -far, Qt.Key.Key_Right: far}.get(key)
        turn = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(key)
        chosen = self.item(*self.chosen) if self.chosen is not None else None
        if step is not None and chosen is not None and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            there = chosen.stop if chosen.kind is Kind.PROMPT else chosen.start
            self.moved.emit(str(chosen.kind), chosen.index, max(there + step, 0))
        elif step is not None:
            self.scrubbed.emit(min(max(self.frame + step, 0), self.frames))
        elif turn is not None and self.items:
            now = self.items.index(chosen) if chosen is not None else -turn
            item = self.items[(now + turn) % len(self.items)]
            self.choose(item.kind, item.index)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and chosen is not None:
            self.removed.emit(str(chosen.kind), chosen.index)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and chosen is not None:
            self.asked_edit.emit()
        else:
            super().keyPressEvent(event)
