"""Make files of every kind below /srv/data: odd names, a link, an empty folder, an owner, much to read."""

import os
import random
from pathlib import Path

top = Path("/srv/data")
(top / "it's \"odd\" [1]*").mkdir(parents=True)
(top / "it's \"odd\" [1]*" / "fünf 50%\n").write_text("odd\n")
(top / "empty").mkdir()
(top / "empty").chmod(0o2750)
(top / "link").symlink_to("nowhere at all")
(top / "secret").write_text("for one only\n")
(top / "secret").chmod(0o600)
os.chown(top / "secret", 1, 2)
(top / "cache").mkdir()
(top / "cache" / "of no use").write_text("x\n")
made = random.Random(4)
for number in range(300):
    (top / f"file {number}").write_bytes(made.randbytes(2000))
(top / "big").write_bytes(made.randbytes(60_000_000))
