"""What the pointer does: small state machines over image coordinates. No Qt; no drawing, writing or saving.

Read `tool.py` first (events, answers, scene), then `strokes.py` and `brush.py`.
"""
