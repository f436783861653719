"""The window around the image: theme, controls, the table of actions, header, pages, overlays, messages, assembly.

It knows the session and nothing below it. Read `actions.py` (everything that can be done), then `window.py`;
`app.py` starts the process.
"""
