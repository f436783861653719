"""Carrying masks through a loop: from key frames that a person marked to all other frames.

`carrying` is the door: it matches features of the frozen encoder with those of the key frames (`matching`), joins a
fine-tuned model's answer where there is one, and hands back what it does not trust (`drift`). `baselines` are what it
must beat. Nothing here knows the window or files. Read `carrying.py` first.
"""
