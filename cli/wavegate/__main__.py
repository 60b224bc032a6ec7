"""`python -m wavegate` is the same as `wavegate`."""

from wavegate.main import main

main()
