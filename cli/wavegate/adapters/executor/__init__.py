"""Runs batches on this machine with ansible-runner, and says how each host ended."""

from wavegate.adapters.executor.launch import Launch
from wavegate.adapters.executor.local import LocalExecutor

__all__ = ["Launch", "LocalExecutor"]
