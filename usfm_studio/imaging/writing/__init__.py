"""Exports: a snapshot in, a folder of files out, whole or not at all, read back before it is called done."""
