"""The window around the image: theme, controls, the table of actions, header, pages, overlays, messages, assembly.

It knows the session and nothing below it. Read `actions.py` (everything that can be done), then `window.py`.
Other rooms of `ui` use its theme and controls; it knows none of them (`rooms.py`).
"""
