"""Moments that checks are held to: what [timing] allows, and when the session ends."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from mmverify.session.load import Session
from mmverify.session.schema import TABLES

_MS = 10**6


def deadline(session: Session, name: str) -> int | None:
    """Return a setting of [timing] in ns, None where it is not set."""
    value = session.number("timing", name)
    return None if value is None else int(value * _MS)


def moment(said: Any) -> int:
    """Return a time of session.toml in ns, UTC where it states no offset."""
    at = said if isinstance(said, datetime) else datetime.fromisoformat(said)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return int(at.replace(microsecond=0).timestamp()) * 10**9 + at.microsecond * 1000


@lru_cache(maxsize=8)
def session_end(session: Session) -> int:
    """Return the session's end, ns: as session.toml says, else the last time of any table by the bot's clock."""
    said = session.settings.get("session", {}).get("end")
    if said is not None:
        return moment(said)
    last = 0
    for name in (name for name in session.sources if "ts_local" in TABLES[name]):
        times = session.table(name, "ts_local").whole("ts_local")
        last = max(last, int(times.values[~times.missing].max(initial=0)))
    return last
