# SPDX-License-Identifier: Apache-2.0
"""The panel as a program: builds and wires, and can paint itself into a file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QSize, Qt, QTimer
from PySide6.QtWidgets import QApplication

from kineograph import __version__
from kineograph.client import LinkSettings
from kineograph_gui.link import Link
from kineograph_gui.model.desk import Desk
from kineograph_gui.model.kept import KeptDraft
from kineograph_gui.model.notices import Notices
from kineograph_gui.model.settings import PanelSettings
from kineograph_gui.model.words import say
from kineograph_gui.ui.look import Dresser, Theme
from kineograph_gui.ui.tray import Tray, icon
from kineograph_gui.ui.window import PAGES, SIZE, MainWindow

SHOT_WAIT_MS = 8000
SHOT_SETTLE_MS = 250


class Panel(QObject):
    """Link, desk and window of one panel, and their end."""

    def __init__(
        self,
        app: QApplication,
        settings: PanelSettings,
        address: str | None,
        theme: str = "",
        link_settings: LinkSettings | None = None,
    ) -> None:
        super().__init__()
        self._open = True
        app.setStyleSheet("")  # a window is built bare and dressed once: a third of the time of dressing part by part
        start = settings.start_daemon and not address and not settings.address
        self.link = Link(address or settings.address or None, start_daemon=start)
        self.desk = Desk(self.link, settings)
        self.window = MainWindow(self.desk, settings)
        known = theme or settings.theme
        self.dresser = Dresser(app, Theme(known) if known in set(Theme) else Theme.SYSTEM)
        self.window.setWindowIcon(icon())
        self.notices = Notices(self.desk, self)
        self.tray = Tray(self.desk, self.notices, self.window)
        self.window.settings.themed.connect(lambda name: self.dresser.choose(Theme(name)))
        self.link.open(link_settings)

    def close(self) -> None:
        """Close the window, end the client's thread. A second call does nothing."""
        if not self._open:
            return
        self._open = False
        self.tray.hide()
        self.window.settings.form.model.close()
        self.window.watch.close_all()
        self.window.close()
        self.link.close()
        for part in (self.window, self.desk, self.link, self.dresser):
            part.deleteLater()


class Screenshot(QObject):
    """Waits until the page has something to show, paints it into a file, ends the program."""

    def __init__(self, panel: Panel, file: Path, page: str, size: QSize) -> None:
        super().__init__(panel)
        self._panel = panel
        self._file = file
        self._page = page
        self.code = 0
        self._posed = False
        panel.window.resize(size)
        panel.window.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
        panel.window.show()
        panel.window.show_page(page)
        self._left = SHOT_WAIT_MS // SHOT_SETTLE_MS
        self._timer = QTimer(self)
        self._timer.setInterval(SHOT_SETTLE_MS)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    def _look(self) -> None:
        self._left -= 1
        window = self._panel.window
        if not self._posed and self._left > 0 and not window.is_settled:
            return
        if not self._posed:  # and once more round the loop, so that the layout follows what has just come
            self._posed = True
            window.show_page(self._page)
            window.queue.player.show_middle()
            return
        self._timer.stop()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if not window.grab().save(str(self._file)):
            sys.stderr.write(say("said.not_saved", file=self._file) + "\n")
            self.code = 1
        QApplication.exit(self.code)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    options = _parser().parse_args(arguments)
    if options.page and options.page not in (*PAGES, "first"):
        sys.stderr.write(say("said.no_page", page=options.page, pages=", ".join((*PAGES, "first"))) + "\n")
        return 2
    if not _has_screen():
        if not options.screenshot:
            sys.stderr.write(say("said.no_screen") + "\n")
            return 1
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("Kineograph")
    app.setApplicationDisplayName(say("app"))
    app.setDesktopFileName("kineograph")
    settings = PanelSettings()
    panel = Panel(app, settings, options.connect, options.theme)
    if not options.screenshot:
        panel.window.new.go_on(KeptDraft(settings.draft_file), afresh=options.file is not None)
    if options.file is not None and panel.window.open_file(options.file):
        options.page = options.page or "new"
    elif not options.page and not panel.desk.settings.seen_first and not options.screenshot:
        options.page = "first"
    if options.screenshot:
        Screenshot(panel, options.screenshot, options.page or "queue", options.size)
    else:
        if options.page:
            panel.window.show_page(options.page)
        panel.window.show()
        panel.window.watch.resume()
    try:
        return app.exec()
    finally:
        panel.close()


def _has_screen() -> bool:
    """Whether a window can open; Qt ends the program where none can."""
    told = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return not sys.platform.startswith("linux") or any(os.environ.get(name) for name in told)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kineograph gui", description="Kineograph's desktop panel.")
    parser.add_argument(
        "file", nargs="?", type=Path, help="a rig or clip (.glb, .vrm, .bvh, .fbx, .usd) or a saved request to open"
    )
    parser.add_argument("--connect", metavar="ADDRESS", help="a daemon's address; default: this computer's own")
    parser.add_argument("--screenshot", metavar="FILE", type=Path, help="paint the window into FILE (.png) and exit")
    parser.add_argument("--page", metavar="NAME", help=f"which page: {', '.join((*PAGES, 'first'))}")
    parser.add_argument("--size", metavar="WxH", type=_size, default=SIZE, help="the window's size")
    parser.add_argument("--theme", choices=[str(t) for t in Theme], default="", help="light, dark, or as the system")
    parser.add_argument("--version", action="version", version=f"kineograph {__version__}")
    return parser


def _size(text: str) -> QSize:
    width, _, height = text.lower().partition("x")
    try:
        out = QSize(int(width), int(height))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; try 1280x720") from None
    if not (200 <= out.width() <= 8192 and 200 <= out.height() <= 8192):
        raise argparse.ArgumentTypeError(f"{text!r} is too small or too large (200 to 8192)")
    return out
