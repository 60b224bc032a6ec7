"""A fake world with a clock that jumps, for the real engine and core: the bench of its tests."""
