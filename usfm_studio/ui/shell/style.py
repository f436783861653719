"""What Qt's own widgets need to match: a palette and a small sheet (fields, menus, tips, scroll bars)."""

from __future__ import annotations

from PySide6.QtGui import QColor, QPalette

from usfm_studio.ui.shell.tokens import RADIUS, RADIUS_CARD, Tokens


def palette(t: Tokens) -> QPalette:
    """The theme as a QPalette."""
    made = QPalette()
    role = QPalette.ColorRole
    for part, value in (
        (role.Window, t.panel), (role.WindowText, t.text), (role.Base, t.field), (role.AlternateBase, t.card),
        (role.Text, t.text), (role.Button, t.raised), (role.ButtonText, t.text), (role.BrightText, t.text),
        (role.Highlight, t.accent), (role.HighlightedText, t.on_accent), (role.Link, t.accent),
        (role.ToolTipBase, t.raised), (role.ToolTipText, t.text), (role.PlaceholderText, t.disabled),
        (role.Mid, t.line), (role.Midlight, t.line2), (role.Dark, t.line2), (role.Shadow, t.shadow),
        (role.Accent, t.accent),
    ):  # fmt: skip
        made.setColor(part, QColor(value))
    for part in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, part, QColor(t.disabled))
    return made


def sheet(t: Tokens) -> str:
    """The theme for the few widgets of Qt that we do not paint ourselves."""
    return f"""
QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line2}; border-radius: {RADIUS}px;
  padding: 5px 8px; }}
QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox {{ background: {t.field}; color: {t.text};
  border: 1px solid {t.line2}; border-radius: {RADIUS}px; padding: 0 7px; min-height: 30px;
  selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
QPlainTextEdit, QTextEdit {{ padding: 5px 7px; }}
QLineEdit:hover, QPlainTextEdit:hover, QSpinBox:hover, QDoubleSpinBox:hover {{ border-color: {t.line_hover}; }}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus {{
  border-color: {t.accent}; }}
QLineEdit:disabled, QPlainTextEdit:disabled, QSpinBox:disabled {{ border-color: {t.line}; color: {t.disabled}; }}
QLineEdit[error="true"] {{ border-color: {t.error}; }}
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button, QDoubleSpinBox::down-button {{ width: 0; }}
QMenu {{ background: {t.raised}; border: 1px solid {t.line2}; border-radius: {RADIUS_CARD}px; padding: 4px; }}
QMenu::item {{ min-height: 32px; padding: 0 12px 0 6px; border-radius: {RADIUS}px; color: {t.text}; }}
QMenu::item:selected {{ background: {t.selected}; }}
QMenu::item:disabled {{ color: {t.disabled}; background: transparent; }}
QMenu::icon {{ padding-left: 10px; }}
QMenu::item:checked {{ background: {t.hover}; }}
QMenu::item:checked:selected {{ background: {t.selected}; }}
QMenu::separator {{ height: 1px; background: {t.line2}; margin: 4px 8px; }}
QComboBox {{ combobox-popup: 0; }}
QComboBox QAbstractItemView {{ background: {t.raised}; border: 1px solid {t.line2}; border-radius: {RADIUS}px;
  padding: 3px; outline: 0; }}
QComboBox QAbstractItemView::item {{ min-height: 30px; padding: 0 6px; border-radius: {RADIUS}px; color: {t.text}; }}
QComboBox QAbstractItemView::item:hover, QComboBox QAbstractItemView::item:selected {{ background: {t.selected};
  color: {t.text}; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
QScrollBar::handle {{ background: {t.line2}; border-radius: 3px; margin: 2px; }}
QScrollBar::handle:vertical {{ min-height: 28px; }}
QScrollBar::handle:horizontal {{ min-width: 28px; }}
QScrollBar::handle:hover {{ background: {t.line_hover}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QScrollArea, QAbstractScrollArea {{ border: none; background: transparent; }}
"""
