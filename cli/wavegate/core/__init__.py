"""What decides: pure functions of data and time. No I/O, no clock, no randomness without a seed."""
