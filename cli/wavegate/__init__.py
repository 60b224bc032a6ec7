"""wavegate rolls a change out to a fleet in waves, with a gate between them."""

__version__ = "0.1.0"
