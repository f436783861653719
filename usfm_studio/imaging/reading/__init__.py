"""What the reader process does: everything that opens a file from outside, under limits of memory and time.

A file goes `source.py` -> `container.py` -> `elements.py` -> `dicom.py` (header, frame index) -> `pixels.py`; pictures
`still.py`. Every file has one outcome, a value or a reason. Read `describe.py` first; `main.py` is the process.
"""
