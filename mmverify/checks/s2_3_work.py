"""What the checks of section 2.3 share: every count of reports that a claim may know, and a fill in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmverify.checks.books import fills_table
from mmverify.checks.handwork import text
from mmverify.checks.known import Rows
from mmverify.session.load import Session


def counts(low: Rows, high: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Yield the claims that may know of that many reports, and how many: the most of each first, down to the fewest."""
    left = np.arange(len(low))
    less = 0
    while left.size:
        yield left, high[left] - less
        less += 1
        left = left[high[left] - less >= low[left]]


def fill_line(session: Session, row: int) -> str:
    """Write a row of `fills` as it stands: side, quantity, price, fee."""
    table = fills_table(session)
    side, asset = table.words("side").text(row), table.words("fee_asset").text(row)
    qty, price, fee = (text(table.decimals(name).fraction(row)) for name in ("qty", "price", "fee"))
    return f"{table.where(row)} {table.words('exec_id').text(row)}: {side} {qty} at {price}, fee {fee} {asset}"
