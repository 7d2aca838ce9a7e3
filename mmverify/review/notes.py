"""Notes of a review: conventions that were assumed, waivers that count for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from mmverify.checks import Item
from mmverify.review.config import Waiver
from mmverify.review.results import Finding
from mmverify.session.load import Session


def assumed(session: Session) -> list[str]:
    """Say which conventions a session does not state, and what was assumed."""
    stated = session.settings.get("conventions", {})
    used = {"cost_basis": "pnl", "unrealized_price": "pnl", "realized": "pnl", "conversion": "pnl",
            "volatility": "signals", "ema_init": "signals"}  # fmt: skip
    return [
        f"{session.name}: session.toml does not state conventions.{name}; {session.convention(name)} was assumed"
        for name, table in used.items()
        if name not in stated and session.has(table)
    ]


def idle(waiver: Waiver, chosen: Mapping[str, Item], findings: Sequence[Finding], today: date) -> str:
    """Say of a waiver that waives nothing why it does not."""
    own = [finding for finding in findings if waiver.target in (finding.id, finding.item)]
    if waiver.target.partition(":")[0] not in chosen or (waiver.expires >= today and any(f.waived for f in own)):
        return ""
    why = "there is none for CRITICAL" if own else "there is no such finding"
    if waiver.expires < today:
        why = "it has expired"
    said = f"{waiver.reason}; {waiver.owner}, until {waiver.expires}"
    return f"the waiver of {waiver.target} ({said}) counts for nothing: {why}"
