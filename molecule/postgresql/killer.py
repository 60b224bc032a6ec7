"""Wait until a migration is in the middle of copying, then kill its program. Usage: killer.py MAJOR."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

WAIT = """
do $$ declare until timestamptz := clock_timestamp() + interval '200 seconds'; begin
  loop
    perform pg_stat_clear_snapshot();
    exit when exists (select from pg_stat_progress_copy where tuples_processed > 1000);
    if clock_timestamp() > until then raise 'no migration came'; end if;
    perform pg_sleep(0.005);
  end loop;
end $$;
"""
psql = [f"/usr/lib/postgresql/{sys.argv[1]}/bin/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres"]
as_postgres = ["/usr/sbin/runuser", "-u", "postgres", "--"]
subprocess.run([*as_postgres, *psql], input=WAIT, text=True, check=True, cwd="/")
killed = []
for process in Path("/proc").glob("[0-9]*"):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        if (process / "cmdline").read_bytes() == b"/usr/bin/python3\0-\0":
            os.kill(int(process.name), signal.SIGKILL)
            killed.append(process.name)
if len(killed) != 1:
    sys.exit(f"killed {killed}")
