"""Files in and out. `client.py`, `description.py` and `formats.py` are for everybody and open no file.

`reading/`, `annotations/` and `writing/` run in the reader process alone: codecs and files from strangers stay there.
Read `client.py`, then `reading/main.py`.
"""
