"""How long a certificate still holds, measured against what is wanted."""

from __future__ import annotations

from datetime import UTC, datetime

from wavegate.core.judgement import Judgement
from wavegate.core.outcomes import Reading

_DAY = 86400
_HOUR = 3600


def judge_expiry(where: str, not_after: float, now: float, valid_for: float) -> Judgement:
    """Return whether a certificate that holds until `not_after` does so for `valid_for` seconds from `now`.

    Instants are seconds since the epoch. The sentence names the day, in UTC.
    """
    left = not_after - now
    until = f"{datetime.fromtimestamp(not_after, UTC):%Y-%m-%d}"
    if left < valid_for:
        sentence = f"the certificate of {where} expires in {_show(left)} ({until})"
        return Judgement(Reading.BAD, f"{sentence}, wanted at least {_show(valid_for)}")
    return Judgement(Reading.GOOD, f"the certificate of {where} holds for {_show(left)} (until {until})")


def _show(seconds: float) -> str:
    """Return the time in whole days, below two days in hours; rounded down."""
    if seconds >= 2 * _DAY:
        return f"{int(seconds // _DAY)} days"
    hours = max(int(seconds // _HOUR), 0)
    return f"{hours} hour{'' if hours == 1 else 's'}" if hours else "less than an hour"
