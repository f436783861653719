"""The vocabulary of the house: pure values and edits (standard library and numpy only).

It knows no file format, no SQL, no process, no Qt and no torch. Read `frame.py` first, then `mask.py` and `edit.py`.
"""
