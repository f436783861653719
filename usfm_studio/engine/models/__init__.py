"""Networks and their files: encoders, decoders, label heads, how a frame is placed, how a model is stored.

Read encoder.py first, then checkpoint.py. Nothing here knows of processes, projects or windows.
"""
