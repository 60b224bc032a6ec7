"""Documents of the intranet service, kept in one JSON file that is always written as a whole."""

import json
import threading
from pathlib import Path

VERSION = "@VERSION@"
# 1.0 wrote no format; 1.1 adds it to the file that it finds, and 1.0 reads past it.
FORMAT = None if VERSION == "1.0" else 2


class Documents:
    """The documents of one data directory; created with a first document when there are none."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "documents.json"
        self._lock = threading.Lock()
        if not self._path.exists():
            self._write({"documents": [{"title": "Welcome to the intranet"}]})
        self._migrate()

    def all(self) -> list[dict[str, str]]:
        """Return all documents, oldest first."""
        found: list[dict[str, str]] = self._read()["documents"]
        return found

    def add(self, document: dict[str, str]) -> int:
        """Keep one more document and return how many there are."""
        with self._lock:
            data = self._read()
            data["documents"].append(document)
            self._write(data)
            return len(data["documents"])

    def _migrate(self) -> None:
        data = self._read()
        if FORMAT and data.get("format") != FORMAT:
            self._write({"format": FORMAT, **data})

    def _read(self) -> dict:
        return json.loads(self._path.read_text(encoding="utf-8"))

    def _write(self, data: dict) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        new.replace(self._path)
