"""Section 3.1, order book management: the bot's book and its use against every update that the venue sent."""

from __future__ import annotations

from mmverify.checks.s3_1_gaps import gap_recovery
from mmverify.checks.s3_1_levels import kept_levels, level_quantities, sorted_levels
from mmverify.checks.s3_1_sides import book_sides, quotes_on_crossed_books
from mmverify.checks.s3_1_stale import stale_books

__all__ = [
    "book_sides",
    "gap_recovery",
    "kept_levels",
    "level_quantities",
    "quotes_on_crossed_books",
    "sorted_levels",
    "stale_books",
]
