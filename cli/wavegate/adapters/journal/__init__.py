"""The journal in a database, SQLite or PostgreSQL: SQLAlchemy Core writes it, Alembic keeps its schema.

Looking at a file needs neither of them, so that names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wavegate.adapters.journal.chain import Finding
    from wavegate.adapters.journal.glance import read_glance
    from wavegate.adapters.journal.location import journal_location
    from wavegate.adapters.journal.looking import look_into_journal
    from wavegate.adapters.journal.opening import open_journal
    from wavegate.adapters.journal.owner import Owner, can_be_seen, is_died, owner_alive, this_process
    from wavegate.adapters.journal.reader import JournalReader
    from wavegate.adapters.journal.remembered import glance_at
    from wavegate.adapters.journal.status import status_after
    from wavegate.adapters.journal.store import SqlJournal

__all__ = [
    "Finding",
    "JournalReader",
    "Owner",
    "SqlJournal",
    "can_be_seen",
    "glance_at",
    "is_died",
    "journal_location",
    "look_into_journal",
    "open_journal",
    "owner_alive",
    "read_glance",
    "status_after",
    "this_process",
]

_HOME = {
    "Finding": "chain",
    "JournalReader": "reader",
    "Owner": "owner",
    "SqlJournal": "store",
    "can_be_seen": "owner",
    "glance_at": "remembered",
    "is_died": "owner",
    "journal_location": "location",
    "look_into_journal": "looking",
    "open_journal": "opening",
    "owner_alive": "owner",
    "read_glance": "glance",
    "status_after": "status",
    "this_process": "owner",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for from the module that has it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
