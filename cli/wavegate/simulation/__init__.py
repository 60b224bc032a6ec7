"""A fake world with a clock that jumps, for the real engine and core: a test bench, and `wavegate simulate`."""
