"""The text face: argument parsing, progress and results on a terminal. Read `main.py` first."""
