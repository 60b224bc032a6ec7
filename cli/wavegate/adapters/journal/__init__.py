"""The journal in a database: SQLAlchemy Core for the data, Alembic for the schema's history, SQLite today."""

from wavegate.adapters.journal.chain import Finding
from wavegate.adapters.journal.location import journal_location
from wavegate.adapters.journal.opening import open_journal
from wavegate.adapters.journal.owner import Owner, is_died, owner_alive, this_process
from wavegate.adapters.journal.status import status_after
from wavegate.adapters.journal.store import SqlJournal

__all__ = [
    "Finding",
    "Owner",
    "SqlJournal",
    "is_died",
    "journal_location",
    "open_journal",
    "owner_alive",
    "status_after",
    "this_process",
]
