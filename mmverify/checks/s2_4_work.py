"""Words of section 2.4's findings: an order's row with its terms, and what was left of it then."""

from __future__ import annotations

from fractions import Fraction

from mmverify.checks.orderflow import Flow
from mmverify.numeric import decimal_text
from mmverify.replay.order_state import DONE, STATES

DONE_CODES = [n for n, state in enumerate(STATES) if state in DONE]


def line(replayed: Flow, row: int) -> str:
    """Write a row as it stands: event, ids, market, terms, state."""
    table = replayed.table
    old = table.words("orig_client_order_id").text(row)
    name = table.words("client_order_id").text(row) or table.words("order_id").text(row) or "without an id"
    cells = [f"{table.where(row)} {table.words('event').text(row)} {name}" + (f" for {old}" if old else "")]
    cells[0] += f" of {table.words('symbol').text(row)}"
    for column in ("price", "qty", "cum_qty"):
        decimals = table.decimals(column)
        if decimals.known[row]:
            cells.append(f"{column} {decimal_text(decimals.fraction(row))}")
    return f"{', '.join(cells)}: {table.words('state').text(row) or 'no state'}"


def left(replayed: Flow, row: int) -> Fraction:
    """Return what was left of an order after a row, by its own events."""
    qty, cum = int(replayed.qty_at[row]), int(replayed.cum_at[row])
    table = replayed.table
    size = table.decimals("qty").fraction(qty) if qty >= 0 else Fraction(0)
    return max(Fraction(0), size - (table.decimals("cum_qty").fraction(cum) if cum >= 0 else 0))
