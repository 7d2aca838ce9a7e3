"""Words of section 2.2's findings: an order's rows as they stand, what they are worth, the average of its fills."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from mmverify.checks.books import instruments
from mmverify.checks.claims import Suspects
from mmverify.checks.handwork import notional, text
from mmverify.checks.orderflow import Flow
from mmverify.checks.orderflow_positions import Executions
from mmverify.numeric import Mask, decimal_text
from mmverify.replay.order_state import NONE, STATES
from mmverify.session.load import Session

SHOWN = 3  # rows of a finding that are written out
_FILLS = 6  # fills of an order that are


def by_symbol(replayed: Flow, which: Mask) -> Iterator[tuple[str, list[int]]]:
    """Yield the symbols of some rows, each with its rows."""
    symbols = replayed.table.words("symbol")
    for symbol in symbols.names:
        rows = np.flatnonzero(which & symbols.is_(symbol)).tolist()
        if rows:
            yield symbol, rows


def worth(session: Session, replayed: Flow, row: int, qty: Fraction) -> tuple[Fraction | None, str]:
    """Return what a quantity of a row's order is worth at the price in force, and in which currency."""
    symbol = replayed.table.words("symbol").text(row)
    instrument = instruments(session).get(symbol)
    at = int(replayed.price_at[row])
    price = replayed.table.decimals("price").fraction(at) if at >= 0 else Fraction(0)
    if instrument is None or price <= 0 or not qty:
        return None, session.currency or ""
    return notional(instrument, price, abs(qty)), instrument.settle


def largest(
    session: Session, replayed: Flow, rows: Iterable[int], qty: Callable[[int], Fraction]
) -> tuple[Fraction | None, str]:
    """Return the largest worth of a quantity of some rows."""
    found = [worth(session, replayed, row, qty(row)) for row in rows]
    priced = [(amount, currency) for amount, currency in found if amount is not None]
    return max(priced) if priced else found[0]


def order_name(flow: Flow, row: int) -> str:
    """Name the order of a row by the id that it has then."""
    at = int(flow.id_at[row])
    return flow.table.words("client_order_id").text(at if at >= 0 else row) or flow.table.words("order_id").text(row)


def state_before(flow: Flow, row: int) -> str:
    """Name the order's state before a row."""
    code = int(flow.state_before[row])
    return STATES[code] if code >= 0 else NONE


def row_line(flow: Flow, row: int) -> str:
    """Write a row as it stands: event, order, quantities, state."""
    table = flow.table
    cells = [f"{table.where(row)} {table.words('event').text(row)} {table.words('client_order_id').text(row)}"]
    for name in ("qty", "cum_qty", "leaves_qty", "avg_px"):
        column = table.decimals(name)
        if column.known[row] and (name != "avg_px" or column.ints[row]):
            cells.append(f"{name} {decimal_text(column.fraction(row))}")
    return f"{', '.join(cells)}: {table.words('state').text(row) or 'no state'}"


def before_line(flow: Flow, row: int) -> str:
    """Write the row of the same order before a row, empty where there is none."""
    before = int(flow.lives.previous[row])
    return row_line(flow, before) if before >= 0 else ""


def story(flow: Flow, rows: Sequence[int]) -> tuple[str, ...]:
    """Write some rows, each after the one of the same order before it."""
    lines = (line for row in rows for line in (before_line(flow, row), row_line(flow, row)) if line)
    return tuple(dict.fromkeys(lines))


def legal_line(flow: Flow, row: int) -> str:
    """Say what the map allows at a row."""
    may = sorted(flow.choices[int(flow.choice[row])])
    event, before = flow.table.words("event").text(row), state_before(flow, row)
    return f"the map: {event} in {before} leads to {' or '.join(may)}" if may else f"the map has no {event} in {before}"


def average_work(flow: Flow, known: Executions, row: int, count: int) -> tuple[str, ...]:
    """Work an order's average price from its distinct fills."""
    reports = known.of_life(int(flow.lives.life[row]))
    mine = [n for n in reports.tolist() if n < count and known.filled[n]]
    average = known.average(int(flow.lives.life[row]), count) or Fraction(0)
    lines = [f"fills:{int(known.line.rows[n]) + 1}: {text(known.qty(known.filled[n]))} at {text(known.price(n))}"
             for n in mine[:_FILLS]]  # fmt: skip
    if len(mine) <= _FILLS and not known.restated[mine].any():
        fills = [(known.qty(known.filled[n]), known.price(n)) for n in mine]
        terms = [(text(qty), text(price)) for qty, price in fills]
        size = " + ".join(qty for qty, _ in terms)
        if known.instrument.kind == "inverse":
            if all(price for _, price in fills):
                average = sum((qty for qty, _ in fills), Fraction(0)) / sum(qty / price for qty, price in fills)
            sums = f"({size}) / ({' + '.join(f'{qty}/{price}' for qty, price in terms)})"
        else:
            sums = f"({' + '.join(f'{qty} x {price}' for qty, price in terms)}) / ({size})"
        lines.append(f"{sums} = {decimal_text(average)}")
    else:
        lines.append(f"{len(mine)} reports in all, average {decimal_text(average)}")
    claimed = flow.table.decimals("avg_px").fraction(row)
    return (*lines, f"{flow.table.where(row)} claims {decimal_text(claimed)}: off by {decimal_text(claimed - average)}")


def average_suspects(flow: Flow, known: Executions, newest: dict[int, int]) -> Suspects:
    """Yield known ways to average an order's fills wrongly."""

    def fills(row: int) -> list[tuple[Fraction, Fraction]]:
        reports = known.of_life(int(flow.lives.life[row])).tolist()
        return [(known.qty(known.filled[n]), known.price(n)) for n in reports if n < newest[row] and known.filled[n]]

    def mean(weigh: Callable[[Fraction], Fraction]) -> Callable[[int], list[Fraction]]:
        def of_row(row: int) -> list[Fraction]:
            mine = [(weigh(qty), price) for qty, price in fills(row)]
            total = sum((weight for weight, _ in mine), Fraction(0))
            return [sum((weight * price for weight, price in mine), Fraction(0)) / total] if total else []

        return of_row

    def of_order(row: int) -> list[Fraction]:
        at = int(flow.price_at[row])
        return [flow.table.decimals("price").fraction(at)] if at >= 0 else []

    yield "the mean of the fills' prices, whatever their quantities", mean(lambda qty: Fraction(1))
    if known.instrument.kind == "inverse":
        yield "an arithmetic average, as of a linear contract", mean(lambda qty: qty)
    yield "the order's own price, not that of its fills", of_order
