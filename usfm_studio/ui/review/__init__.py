"""The inspector at the right: segments, labels of the frame, and tabs for proposal, learning, models and history.

It shows the session's state and asks for acts; it decides nothing. Read `inspector.py` first.
"""
