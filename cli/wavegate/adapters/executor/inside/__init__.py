"""Programs that run beside wavegate, started by path: they import nothing of it, and it nothing of them."""
