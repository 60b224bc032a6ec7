"""Write down that a scenario took its role there and back. Usage, in the project: evidence.py ROLE HOST..."""

from __future__ import annotations

import sys
from pathlib import Path

from wavegate.adapters.tried_roles import keep_tried

if __name__ == "__main__":
    print(keep_tried(Path.cwd(), sys.argv[1], sys.argv[2:]))
