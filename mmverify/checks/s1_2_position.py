"""Section 1.2, position and inventory: what the bot believes it holds, and how far its orders may take it."""

from __future__ import annotations

from mmverify.checks.s1_2_claims import corrections, partial_fills, running_sum
from mmverify.checks.s1_2_difference import exchange_difference
from mmverify.checks.s1_2_limit import limit_before_submit, races
from mmverify.checks.s1_2_signs import claimed_signs, exchange_signs, unrealized_signs

__all__ = [
    "claimed_signs", "corrections", "exchange_difference", "exchange_signs", "limit_before_submit", "partial_fills",
    "races", "running_sum", "unrealized_signs",
]  # fmt: skip
