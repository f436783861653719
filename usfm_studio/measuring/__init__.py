"""Numbers from masks and calibration: areas now, lengths and formulas later. No Qt, no torch."""
