"""A corpus of images without masks, to learn from: shards, their index, and who is drawn when.

Torch-free, so that verbs may use it; knows no project and no reader process. The writing way is `preparing.py`
(`sector.py`, `thinning.py`), then `shards.py`, then `index.py`; the reading way is `index.py`, `sampler.py`,
`reading.py`. Read `columns.py` first.
"""
