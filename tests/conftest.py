"""What every test relies on."""

from __future__ import annotations

import signal

import pytest


def pytest_configure() -> None:
    """Let Ctrl-C reach the commands under test also when a script started the tests in the background.

    A shell ignores SIGINT in what it puts into the background, and an ignored signal is inherited.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_LONGEST = ("test_simul", "test_faults", "test_rollouts")
"""Files that take longest: they go first, so that no process works alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the longest files tested first."""
    items.sort(key=lambda item: not item.path.name.startswith(_LONGEST))
