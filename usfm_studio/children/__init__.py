"""Processes and their messages: supervision, framed messages, shared arrays, limits, log.

It knows neither Qt nor torch nor DICOM. Read `messages.py`, then `serve.py` (a child's side) and `supervisor.py`
(the parent's side).
"""
