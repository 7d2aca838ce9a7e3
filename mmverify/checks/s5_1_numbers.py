"""5.1.3: every claim is a number or empty: no NaN, no infinity."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.claims import places
from mmverify.checks.known import Rows
from mmverify.checks.orderflow_positions import executions
from mmverify.checks.tape import tape
from mmverify.numeric import Decimals, decimal_text
from mmverify.session.columns import Words
from mmverify.session.load import Session, Table
from mmverify.session.schema import TABLES

#: What each check reads beside the table that it needs.
_BESIDE = {
    "signals": (),
    "quotes": ("bot_book",),
    "pnl": ("positions", "balances"),
    "order_events": ("stops", "risk_events"),
    "equity": (),
}
_LOSSES = {
    "signals": "a price or a width made of it is NaN too: what was quoted by it cannot be known",
    "quotes": "every comparison with NaN is false, so no limit on a price or a width holds; what that costs cannot be "
    "known",
    "pnl": "a sum with NaN in it is NaN: no limit on a loss holds any more, and what is lost meanwhile is not known",
    "order_events": "an average or a remainder of NaN equals nothing: the order is never full and never empty, and "
    "what is sized or closed by it cannot be known",
    "equity": "a drawdown of NaN passes no threshold: the stop on a loss is off for as long as it stands",
}
_SHOWN = 6  # cells of a row that are written out
_SAMPLE = 200  # rows that a cause has to explain


def signal_numbers(session: Session) -> Looked:
    """Each signal is a number or empty."""
    return _numbers(session, "signals")


def quote_numbers(session: Session) -> Looked:
    """Each number of a quoting decision, and of the bot's own book, is one."""
    return _numbers(session, "quotes")


def account_numbers(session: Session) -> Looked:
    """Each number of P&L, position and balance is one."""
    return _numbers(session, "pnl")


def order_numbers(session: Session) -> Looked:
    """Each number of an order, a stop and a risk event is one."""
    return _numbers(session, "order_events")


def equity_numbers(session: Session) -> Looked:
    """Equity, high-water mark and drawdown are numbers."""
    return _numbers(session, "equity")


def _numbers(session: Session, about: str) -> Looked:
    looked, found = 0, list[Breach]()
    for name in (about, *_BESIDE[about]):
        if not session.has(name):
            continue
        columns = [column.name for column in TABLES[name].values() if column.type in ("dec", "udec")]
        table = session.table(name)
        looked += sum(int(np.sum(~table.decimals(each).missing)) for each in columns)
        broken = [each for each in columns if table.decimals(each).nan.any()]
        for scope, rows in _by_scope(table, broken):
            found.append(_not_a_number(session, about, table, scope, rows, broken))
    return Looked(looked, tuple(found))


def _scope(table: Table) -> Words | None:
    """Return the column that tells what a row is about: the signal's name, a symbol, an asset, a rule."""
    name = next((each for each in ("name", "symbol", "asset", "rule") if each in table.columns), None)
    return table.words(name) if name else None


def _by_scope(table: Table, broken: list[str]) -> Iterator[tuple[str, Rows]]:
    if not broken:
        return
    wrong, words = np.logical_or.reduce([table.decimals(each).nan for each in broken]), _scope(table)
    if words is None:
        yield "", np.flatnonzero(wrong)
        return
    codes = words.codes[wrong]
    for code in np.unique(codes).tolist():
        yield words.names[code] if code >= 0 else "", np.flatnonzero(wrong & (words.codes == code))


def _not_a_number(session: Session, about: str, table: Table, scope: str, rows: Rows, broken: list[str]) -> Breach:
    first = int(rows[0])
    bad = [each for each in broken if table.decimals(each).nan[rows].any()]
    here = [each for each in bad if table.decimals(each).nan[first]]
    what = f"{', '.join(here)} of {scope or table.name}"
    return Breach(
        key=f"{table.name} {scope}".rstrip(), where=places(table, rows.tolist()), count=len(rows),
        was=f"{what} {'were' if len(here) > 1 else 'was'} NaN or infinite",
        should="a number, or empty where there is none",
        work=tuple(_line(table, row) for row in rows[:2].tolist()), amount=None, currency="", loss=_LOSSES[about],
        cause=_denominator(session, table, rows, bad),
    )  # fmt: skip


def _line(table: Table, row: int) -> str:
    """Write the numbers of a row."""
    cells = []
    for name, column in table.columns.items():
        if isinstance(column, Decimals) and not column.missing[row]:
            value = "no number" if column.nan[row] else decimal_text(column.fraction(row))
            cells.append(f"{name} {value}")
    words = _scope(table)
    return f"{table.where(row)} {words.text(row) if words else ''}: {', '.join(cells[:_SHOWN])}".replace(" :", ":")


def _denominator(session: Session, table: Table, rows: Rows, bad: list[str]) -> str:
    """Name the denominator that is 0 in all of these rows, where it can be seen."""
    if table.name == "equity" and bad == ["drawdown"]:
        mark = table.decimals("high_water")
        is_first = bool(rows[0] == np.argmin(table.whole("ts_local").values)) and len(rows) == 1
        if is_first or not np.any(mark.known[rows] & np.asarray(np.not_equal(mark.ints[rows], 0))):
            return "a share of a high-water mark that is not there yet"
    is_vwap = table.name == "signals" and table.words("name").text(int(rows[0])) == "vwap"
    if is_vwap and all(_is_empty_window(session, table, row) for row in rows[:_SAMPLE].tolist()):
        return "a window without a trade, 0 / 0"
    if table.name == "order_events" and bad == ["avg_px"]:
        filled = table.decimals("cum_qty")
        if np.all(filled.known[rows] & np.asarray(np.equal(filled.ints[rows], 0))):
            return "the average price of an order without a fill, 0 / 0"
    if table.name == "pnl" and "unrealized" in bad and session.has("fills", "instruments"):
        symbols = table.words("symbol")
        if all(
            _is_flat(session, symbols.text(row), int(table.whole("ts_local").values[row])) for row in rows[:_SAMPLE]
        ):
            return "the average price of a position that is flat, 0 / 0"
    return ""


def _is_flat(session: Session, symbol: str, at: int) -> bool:
    if symbol not in session.table("instruments", "symbol").words("symbol").names:
        return False
    known = executions(session, symbol)
    low, high = (int(each[0]) for each in known.line.span(np.array([at])))
    return any(not known.position[count] for count in range(low, high + 1))


def _is_empty_window(session: Session, table: Table, row: int) -> bool:
    start, end, symbol = table.whole("window_start"), table.whole("window_end"), table.words("symbol").text(row)
    if start.missing[row] or end.missing[row] or not session.has("trades", "instruments"):
        return False
    low, high = tape(session, symbol).window(int(start.values[row]), int(end.values[row]))
    return low == high
