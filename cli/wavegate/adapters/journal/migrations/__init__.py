"""The schema's history, one file for each step, in order; they travel inside the wheel."""
