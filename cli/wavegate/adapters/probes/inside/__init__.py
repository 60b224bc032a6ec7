"""What runs inside of processes that probes start."""
