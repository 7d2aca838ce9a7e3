"""Mistakes of P&L."""

from __future__ import annotations

from fractions import Fraction

from mmverify.defects import Planted, defect
from mmverify.defects.rebook import rebook
from mmverify.defects.recording import Recording, first


@defect("1.3.1", "deep", also="1.2.1 1.2.3 1.3.2 1.3.4")
def fill_lost_after_a_flip(recording: Recording) -> Planted:
    """One fill in the middle of the history is never booked."""
    rows = recording["fills"]
    lost = first(rows, lambda row: row.get("kind", "trade") == "trade", after=0.5)
    rebook(recording, [row for row in rows if row["exec_id"] != rows[lost]["exec_id"]])
    return Planted((), Fraction(0))
