"""From frames to readings: the tables of sensors, the formulas, rounding, energy."""
