"""Replaces secrets wherever text leaves memory: journal, reports, output files, the terminal."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = "********"
_SHORTEST = 4


class Redactor:
    """Replaces every secret, also in its JSON, Python, shell and URL spellings, by `********`.

    Secrets shorter than four characters are left alone: masking them would garble every text and hide
    nothing. Of a secret with several lines each line counts by itself as well.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form.strip()) >= _SHORTEST}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        return self._pattern.sub(MASK, text) if self._pattern else text


def _forms(secret: str) -> Iterator[str]:
    for part in {secret, secret.strip(), *secret.splitlines()}:
        for ascii_only in (True, False):
            escaped = json.dumps(part, ensure_ascii=ascii_only)[1:-1]
            yield from (escaped, json.dumps(escaped, ensure_ascii=ascii_only)[1:-1])
        yield part
        yield repr(part)[1:-1]
        yield shlex.quote(part).strip("'")
        yield from (quote(part), quote(part, safe=""), quote_plus(part))
