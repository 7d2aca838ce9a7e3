r"""What fills were worth some time after they were made: the markout, which says whether they earn.

.. math:: d \, (P_{t+h} - p) \, q \, m - \text{fee}

of a fill of quantity q at price p, direction d (+1 a buy, -1 a sell), multiplier m, with the reference price P that was
last known to the bot a horizon h after it learnt of the fill; with reciprocals, :math:`1/p - 1/P`, for an inverse
contract. It is what the fill would have made had it been closed at P without a fee: a gain is positive on either side.
In basis points it is divided by the fill's own notional. Sums are of money, and a mean in basis points is the sum of
money over that of notional: a mean of the fills' basis points would count a small fill as much as a large one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mmverify.checks.books import RIGHT, Instrument, fills_table, ledger, restatements
from mmverify.checks.known import Rows, Times, timeline
from mmverify.checks.moments import session_end
from mmverify.checks.orderflow_positions import executions
from mmverify.checks.prices import best_prices
from mmverify.errors import UsageError
from mmverify.formulas.pnl import notional_exact, unrealized_pnl_exact
from mmverify.session.load import Session

_SECOND = 10**9
#: What a fill can be held against: mid of the book, mark price, last public trade; the tables that hold them.
REFERENCES = {"mid": "book", "mark": "marks", "trade": "trades"}


@dataclass(frozen=True, eq=False)
class Markouts:
    """The markouts of one symbol's fills.

    Parameters
    ----------
    instrument : Instrument
    rows, times : ndarray of int64, shape (m,)
        Row of `fills`; when the bot learnt of it. [ns]
    direction : ndarray of int64, shape (m,)
        +1 for a buy, -1 for a sell.
    prices, qtys : list of Fraction, length m
        [quote/base], [base or contracts]
    notional, fees : list of Fraction, length m
        [settlement currency]; a cost is positive.
    references : dict of int to list of Fraction or None
        By horizon, the price that each fill is held against, None where none was known or the session had ended. [s],
        [quote/base]
    left_out : int
        Executions that a correction or bust restated, or at price 0.
    """

    instrument: Instrument
    rows: Rows
    times: Times
    direction: Rows
    prices: list[Fraction]
    qtys: list[Fraction]
    notional: list[Fraction]
    fees: list[Fraction]
    references: dict[int, list[Fraction | None]]
    left_out: int

    def __len__(self) -> int:
        return len(self.rows)

    def net(self, horizon: int) -> list[Fraction | None]:
        """Return each fill's markout less its fee, None without a reference. [settlement currency]"""
        kind, multiplier = self.instrument.kind, self.instrument.multiplier
        fills = zip(self.direction.tolist(), self.prices, self.qtys, self.fees, self.references[horizon], strict=True)
        return [
            None
            if reference is None
            else unrealized_pnl_exact(sign * qty, price, reference, kind=kind, multiplier=multiplier) - fee
            for sign, price, qty, fee, reference in fills
        ]

    def bps(self, horizon: int, places: Iterable[int] | None = None) -> Fraction | None:
        """Return the markout of some fills, of all by default: money over notional, in basis points; None of none."""
        known = self._known(horizon, places)
        net, size = (sum((each[n] for each in known), Fraction(0)) for n in (0, 1))
        return 10_000 * net / size if known else None

    def error_bps(self, horizon: int, places: Iterable[int] | None = None) -> float | None:
        """Return the standard error of `bps`, as of independent fills; None of fewer than two. [bps]"""
        known = self._known(horizon, places)
        if len(known) < 2:
            return None
        net, size = np.array(known, dtype=np.float64).T
        off = net - net.sum() / size.sum() * size
        return float(10_000 * np.sqrt(len(known) / (len(known) - 1) * (off @ off)) / size.sum())

    def _known(self, horizon: int, places: Iterable[int] | None) -> list[tuple[Fraction, Fraction]]:
        """Return markout and notional of some fills that have a reference."""
        net, chosen = self.net(horizon), range(len(self)) if places is None else places
        return [(each, self.notional[n]) for n in chosen if (each := net[n]) is not None]


def markouts(session: Session, symbol: str, horizons: Sequence[int], *, against: str) -> Markouts:
    """Hold each distinct fill of a symbol against the price that was last known some time after it.

    Parameters
    ----------
    session : Session
    symbol : str
        A symbol of the instruments.
    horizons : sequence of int
        After the bot learnt of the fill. [s]
    against : {"mid", "mark", "trade"}
        The reference price: of the book after `mid_min_qty`, of `marks`, or the newest public trade.

    Returns
    -------
    Markouts

    Raises
    ------
    UsageError
        If the reference is none of these.
    """
    if against not in REFERENCES:
        raise UsageError(f"a markout against {against!r} is not known; should be one of {', '.join(REFERENCES)}")
    table, known, book = fills_table(session), executions(session, symbol), ledger(session, symbol)
    segments, repeats = restatements(table, known.line.rows, RIGHT, [])
    kept = ~repeats & np.asarray(known.prices != 0)
    kept[[place for n, target, _ in segments for place in (n, target)]] = False
    at = np.flatnonzero(kept)
    rows, times = known.line.rows[at], known.line.times[at]
    prices, qtys = [known.price(n) for n in at.tolist()], [known.qty(known.filled[n]) for n in at.tolist()]
    kind, multiplier = known.instrument.kind, known.instrument.multiplier
    return Markouts(
        known.instrument, rows, times, np.where(table.words("side").is_("buy")[rows], 1, -1), prices, qtys,
        [notional_exact(price, qty, kind=kind, multiplier=multiplier) for price, qty in zip(prices, qtys, strict=True)],
        [book.fees_at(n + 1) - book.fees_at(n) for n in at.tolist()],
        {each: _last_known(session, symbol, against, times + each * _SECOND) for each in horizons},
        int(np.sum(~repeats & ~table.words("kind").is_("correction", "bust")[known.line.rows])) - len(at),
    )  # fmt: skip


def _last_known(session: Session, symbol: str, against: str, at: Times) -> list[Fraction | None]:
    """Return the newest reference price at each time, None before the first and after the session's end."""
    inside = at <= session_end(session)
    if against == "mid":
        states, spans = best_prices(session, symbol, at, session.number("conventions", "mid_min_qty", 0) or Fraction(0))
        bests = [states.get(high, (None, None)) for _, high in spans]
        return [
            None if bid is None or ask is None or not is_in else (bid + ask) / 2
            for (bid, ask), is_in in zip(bests, inside.tolist(), strict=True)
        ]
    name = "mark" if against == "mark" else "price"
    table = session.table(REFERENCES[against], "ts_exchange", "ts_local", "symbol", name)
    column = table.decimals(name)
    line = timeline(session, table, table.words("symbol").is_(symbol) & np.asarray(column.ints > 0))
    newest = np.searchsorted(line.times, at, side="right") - 1
    return [
        column.fraction(int(line.rows[n])) if n >= 0 and is_in else None
        for n, is_in in zip(newest.tolist(), inside.tolist(), strict=True)
    ]
