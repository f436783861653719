"""Lengths, areas and ellipses from masks and calibration. Pure functions; no Qt, no torch, no files."""
