"""The account itself, which no bookkeeping convention touches: what was held first, moved by fills, is held last."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mmverify.checks.books import fills_table, instruments, ledger
from mmverify.checks.known import timeline
from mmverify.session.load import Session


@dataclass(frozen=True)
class Holding:
    """One asset of the venue's wallet: recomputed from the venue's first row, and as its last row states it.

    `trades` is what spot fills moved, each execution once and as corrected; `fees` are signed, a cost positive.
    """

    name: str
    opening: Fraction
    transfers: Fraction
    trades: Fraction
    fees: Fraction
    stated: Fraction

    @property
    def due(self) -> Fraction:
        """What should be held last."""
        return self.opening + self.transfers + self.trades - self.fees


def wallet(session: Session) -> list[Holding]:
    """Recompute each asset that the venue states a balance of: opening + transfers + spot trades - fees.

    Derivatives settle elsewhere (realized P&L, funding), so that only spot fills enter.
    """
    table = session.table("balances")
    total, assets, at = table.decimals("total"), table.words("asset"), table.whole("ts_local").values
    of_venue = table.words("source").is_("exchange") & total.known
    found = []
    for asset in assets.names:
        rows = np.flatnonzero(of_venue & assets.is_(asset))
        if rows.size:
            first, last = int(rows[0]), int(rows[-1])
            trades, fees = _moved(session, asset, int(at[last]))
            transfers = _transferred(session, asset, int(at[last]))
            found.append(Holding(asset, total.fraction(first), transfers, trades, fees, total.fraction(last)))
    return found


def _moved(session: Session, asset: str, until: int) -> tuple[Fraction, Fraction]:
    """Return what spot fills booked until a time moved of an asset, and the fees that they took of it."""
    table = fills_table(session)
    symbols, ids, kind = table.words("symbol"), table.words("exec_id"), table.words("kind")
    price, qty, fee = table.decimals("price"), table.decimals("qty"), table.decimals("fee")
    line = timeline(session, table)
    trades: dict[tuple[str, str], Fraction] = {}
    seen: set[tuple[str, str]] = set()
    root: dict[tuple[str, str], tuple[str, str]] = {}
    fees = Fraction(0)
    for row in line.rows[line.times <= until].tolist():
        market = instruments(session)[symbols.text(row)]
        execution = (market.symbol, ids.text(row))
        if market.kind != "spot" or execution in seen:
            continue
        seen.add(execution)
        restated = (market.symbol, table.words("correction_of").text(row) or ids.text(row))
        root[execution] = root.get(restated, restated)
        amount = qty.fraction(row) * (1 if table.words("side").text(row) == "buy" else -1)
        change = amount * (market.base == asset) - amount * price.fraction(row) * (market.quote == asset)
        trades[root[execution]] = Fraction(0) if kind.text(row) == "bust" else change
        fees += fee.fraction(row) * (table.words("fee_asset").text(row) == asset)
    return sum(trades.values(), Fraction(0)), fees


def _transferred(session: Session, asset: str, until: int) -> Fraction:
    table = session.table("transfers", "ts_exchange", "ts_local", "asset", "amount")
    line = timeline(session, table, table.words("asset").is_(asset))
    amounts = table.decimals("amount")
    return sum((amounts.fraction(int(row)) for row in line.rows[line.times <= until]), Fraction(0))


def positions(session: Session) -> list[tuple[str, Fraction, Fraction]]:
    """Return symbol, position by the fills, and the venue's last statement of it, where it makes one."""
    table = session.table("positions")
    qty, at = table.decimals("qty"), table.whole("ts_local").values
    found = []
    for symbol in dict.fromkeys(fills_table(session).words("symbol").names):
        rows = np.flatnonzero(table.words("source").is_("exchange") & table.words("symbol").is_(symbol) & qty.known)
        if rows.size:
            last = int(rows[-1])
            book = ledger(session, symbol)
            known = int(book.line.span(at[[last]])[1][0])
            found.append((symbol, book.qty_at(known), qty.fraction(last)))
    return found
