"""The journal's tables as the code uses them; `migrations/` is how a database gets them.

Bodies are text, never a database's own JSON type: the hash chain needs back every byte that it covered.
"""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Integer, MetaData, Table, Text

metadata = MetaData()

plans = Table(
    "plans",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("plan_hash", Text, ForeignKey("plans.hash"), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("status", Text, nullable=False),
    Column("last_seq", Integer, nullable=False),
    Column("last_hash", Text, nullable=False),
    # The lease. The epoch only ever grows, so a writer that lost its lease never matches again.
    Column("epoch", Integer, nullable=False),
    Column("owner", Text, nullable=False),
    Column("owner_host", Text, nullable=False),
    Column("owner_pid", Integer, nullable=False),
    Column("owner_process", Text, nullable=False),
    Column("owner_since", Double, nullable=False),
    Column("heartbeat_at", Double, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("rollout_id", Text, ForeignKey("rollouts.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    # One tree instead of a table and its index: half the pages written for each event.
    sqlite_with_rowid=False,
)

requests = Table(
    "requests",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("rollout_id", Text, ForeignKey("rollouts.id"), nullable=False),
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
)
