"""What every test relies on."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let Ctrl-C reach the commands under test also when a script started the tests in the background.

    A shell ignores SIGINT in what it puts into the background, and an ignored signal is inherited.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
