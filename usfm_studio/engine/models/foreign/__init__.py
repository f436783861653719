"""Checkpoints of other programs: read as tensors alone, recognised by their names and shapes, written as an encoder.

Read convert.py first. Runs in a process of its own (`engine.importer`), under limits of memory and time.
"""
