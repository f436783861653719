"""Masks and labels that other programs made, matched to our frames. Runs in the reader process."""
