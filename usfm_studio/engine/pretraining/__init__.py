"""Pre-training of an encoder on images without labels: corrupt an image in two ways, recover the clean one.

What is removed: rings of its spectrum (`rings.py`), then cells of its picture (`masking.py`), in this order. What is
asked back: the clean pixels and the removed bins (`losses.py`). Every draw comes from a counter (`draws.py`), so a
run can be repeated and resumed exactly. This room knows nothing of projects or people's marks. Read `masking.py` first.
"""
