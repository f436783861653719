"""The reader process: what a file is, its frames, its scale and its times, under limits of memory and time.

It knows no project, no Qt and no torch, and raises one StudioError for whatever is wrong with a file. Read `main.py`
(the requests), then `describe.py` and `frames.py`; how frames are found is in `frame_index.py`.
"""
