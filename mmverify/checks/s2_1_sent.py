"""The orders that section 2.1 looks at: each submit and replace request, with the terms and the quote behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.books import Instrument, instruments
from mmverify.checks.handwork import notional
from mmverify.checks.known import Rows, timeline
from mmverify.checks.orderflow import Flow, flow
from mmverify.numeric import Decimals, Mask, decimal_text
from mmverify.session.columns import Words
from mmverify.session.load import Session, Table, need_instruments

BUYS = ("quote_bid", "open_long", "close_short")
SELLS = ("quote_ask", "open_short", "close_long")
QUOTES = ("quote_bid", "quote_ask")
SHOWN = 3  # orders of a finding that are written out
REFUSED = "an order that the venue refuses quotes nothing and closes nothing"
_TRUTH = ("post_only", "reduce_only")

_SAMPLE = 200  # orders of a finding that are worked exactly; beside them the last and the costliest

Places = list[int]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sent:
    """The submits and replace requests of a session; a cell that one leaves empty is that of its order.

    Parameters
    ----------
    session : Session
    flow : Flow
    table : Table
        The table `order_events`.
    rows : ndarray of int64, shape (k,)
        Their rows in it.
    terms : ndarray of int64, shape (k,)
        The row of `instruments` that is in force at each.
    """

    session: Session
    flow: Flow
    table: Table
    rows: Rows
    terms: Rows
    _cache: dict[str, Rows] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, name: str) -> Rows:
        """Return the row whose cell of a column counts for each, -1 where none does.

        It is its own, else that of the price or quantity in force, of other columns the order's first.
        """
        if name not in self._cache:
            self._cache[name] = self._at(name)
        return self._cache[name]

    def _at(self, name: str) -> Rows:
        column = self.table.columns[name]
        known = column.known if isinstance(column, Decimals) else ~column.missing
        if name in ("price", "qty"):
            other = (self.flow.price_at if name == "price" else self.flow.qty_at)[self.rows]
        else:
            other = self.flow.lives.first[self.flow.lives.life[self.rows]]
            other = np.where(known[other], other, -1)
        return np.where(known[self.rows], self.rows, other)

    def text(self, place: int, name: str) -> str:
        """Write one cell, empty where there is none."""
        row, column = int(self.at(name)[place]), self.table.columns[name]
        if row < 0:
            return ""
        if isinstance(column, Decimals):
            return decimal_text(column.fraction(row))
        if isinstance(column, Words):
            return column.text(row)
        value = int(column.values[row])
        return str(bool(value)).lower() if name in _TRUTH else str(value)

    def among(self, name: str, *words: str) -> Mask:
        """Return which have one of these words in a column of text, in capitals or not."""
        names = self.table.words(name).names
        return np.array([each.lower() in words for each in names] + [False])[self.codes(name)]

    def codes(self, name: str) -> NDArray[np.int64]:
        """Return the code of each one's word in a column of text, -1 where there is none."""
        at = self.at(name)
        return np.where(at >= 0, self.table.words(name).codes[at], -1)

    def says(self, name: str) -> Mask:
        """Return which have a truth value in a column, and it is true."""
        at = self.at(name)
        return np.asarray((at >= 0) & (self.table.whole(name).values[at] == 1))

    def listed(self, name: str, column: str) -> tuple[Mask, Mask]:
        """Return whose instrument lists anything in a column of it, and whose word of `name` is on that list."""
        given = self.session.table("instruments", column).words(column)
        lists = [
            [each.strip().lower() for each in given.text(row).split(";") if each.strip()] for row in range(len(given))
        ]
        words = [each.lower() for each in self.table.words(name).names]
        table = np.array([[word in each for word in words] + [False] for each in lists], dtype=bool)
        return np.array([bool(each) for each in lists])[self.terms], table[self.terms, self.codes(name)]

    def offered(self, place: int, column: str) -> str:
        """Write the list that an order's instrument gives in a column."""
        return self.session.table("instruments", column).words(column).text(int(self.terms[place])).replace(";", ", ")

    def by_symbol(self, which: Mask) -> Iterator[tuple[str, Places]]:
        """Yield the symbols of some of them, each with their places."""
        symbols = self.table.words("symbol")
        codes = symbols.codes[self.rows]
        for code in np.unique(codes[which]).tolist():
            yield symbols.names[code], np.flatnonzero(which & (codes == code)).tolist()

    def where(self, places: Places) -> tuple[str, ...]:
        """Name the first few as findings do."""
        return tuple(self.table.where(int(self.rows[place])) for place in places[:5])

    def name(self, place: int) -> str:
        """Name an order by the id under which it is sent."""
        row = int(self.rows[place])
        return self.table.words("client_order_id").text(row) or self.table.words("order_id").text(row)

    def line(self, place: int, *columns: str) -> str:
        """Write one of them with some of its cells."""
        row = int(self.rows[place])
        cells = ((name, self.text(place, name)) for name in columns)
        shown = ", ".join(f"{name} {cell}" for name, cell in cells if cell)
        return f"{self.table.where(row)} {self.table.words('event').text(row)} {self.name(place)}: {shown}"

    def number(self, place: int, name: str) -> Fraction | None:
        """Return one number, None where it is not known."""
        row = int(self.at(name)[place])
        return self.table.decimals(name).fraction(row) if row >= 0 else None

    def worth(self, place: int, qty: Fraction, price: Fraction | None = None) -> Fraction | None:
        """Return what a quantity is worth at a price, the order's own unless given, in the settlement currency."""
        price = self.number(place, "price") if price is None else price
        return notional(self.instrument(place), price, qty) if price is not None and price > 0 else None

    def floats(self, places: Places, name: str) -> Floats:
        """Return one number of some of them as float64, NaN where it is not known."""
        at = self.at(name)[places]
        return np.where(at >= 0, self.table.decimals(name).floats()[at], np.nan)

    def sample(self, places: Places, qty: Floats, prices: Sequence[Floats]) -> Places:
        """Return which of some orders of one symbol stand for all: the first, the last, and the costliest.

        Parameters
        ----------
        places : list of int
        qty : ndarray of float64
            What each order's cost is reckoned on.
        prices : one or two ndarrays of float64
            Its price; of two, the cost is the difference.
        """
        is_inverse = self.instrument(places[0]).kind == "inverse"
        with np.errstate(divide="ignore", invalid="ignore"):
            worths = [qty / price if is_inverse else qty * price for price in prices]
        cost = np.abs(worths[0] - worths[1]) if len(worths) > 1 else worths[0]
        chosen = {*range(min(_SAMPLE, len(places))), len(places) - 1}
        if np.isfinite(cost).any():
            chosen.add(int(np.argmax(np.where(np.isfinite(cost), cost, -np.inf))))
        return sorted(chosen)

    def instrument(self, place: int) -> Instrument:
        """Return the market of one of them."""
        return instruments(self.session)[self.table.words("symbol").text(int(self.rows[place]))]

    def settle(self, place: int) -> str:
        """Return the settlement currency of one of them."""
        return self.instrument(place).settle


def largest(amounts: Iterable[Fraction | None]) -> Fraction | None:
    """Return the largest amount of those that are known, None where none is."""
    return max((amount for amount in amounts if amount is not None), default=None)


@lru_cache(maxsize=8)
def orders_sent(session: Session) -> Sent:
    """Read the submits and replace requests of a session.

    Raises
    ------
    EvidenceError
        For a symbol without an instrument.
    """
    replayed = flow(session)
    table = session.table(
        "order_events", "ts_local", "symbol", "client_order_id", "order_id", "event", "side", "type", "tif",
        "post_only", "reduce_only", "level", "price", "qty", "orig_client_order_id", "ts_expires", "intent",
    )  # fmt: skip
    need_instruments(session, "order_events", table.words("symbol"))
    rows = np.flatnonzero(replayed.is_("submit", "replace_request"))
    return Sent(session, replayed, table, rows, _terms(session, table, rows))


def _terms(session: Session, table: Table, rows: Rows) -> Rows:
    given = session.table("instruments", "symbol", "ts_from")
    since, symbols = given.whole("ts_from"), table.words("symbol")
    from_then = np.where(since.missing, np.iinfo(np.int64).min, since.values)
    out = np.full(len(rows), -1, dtype=np.int64)
    for code in np.unique(symbols.codes[rows]).tolist():
        mine = np.flatnonzero(symbols.codes[rows] == code)
        own = np.flatnonzero(given.words("symbol").is_(symbols.names[code]))
        own = own[np.argsort(from_then[own], kind="stable")]
        begun = np.searchsorted(from_then[own], table.whole("ts_local").values[rows[mine]], side="right")
        out[mine] = own[np.maximum(begun - 1, 0)]
    return out


# --- the quote behind an order ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Behind:
    """Quoting orders, each beside the quotes that it may be based on: the newest of its symbol and level then.

    Where nothing says an order's level, the quotes of every level of that decision.

    Parameters
    ----------
    places : ndarray of int64, shape (m,)
        Places of the orders among those sent.
    queue : ndarray of int64
        Rows of `quotes`, in order of time within a symbol and level.
    begin, start, stop : ndarray of int64, shape (m,)
        Where in the queue each order's symbol and level begins, and from where to where its quotes are.
    """

    places: Rows
    queue: Rows
    begin: Rows
    start: Rows
    stop: Rows

    def newest(self, fits: Callable[[Rows, Rows], Mask]) -> Rows:
        """Return the row of the newest quote of each order that fits, -1 where none does.

        Parameters
        ----------
        fits : callable
            (numbers of orders here, rows of quotes) -> which of these pairs fit.
        """
        out = np.full(len(self.places), -1, dtype=np.int64)
        left, at = np.flatnonzero(self.stop > self.start), self.stop - 1
        while left.size:
            quotes = self.queue[at[left]]
            good = fits(left, quotes)
            out[left[good]] = quotes[good]
            left = left[~good]
            at[left] -= 1
            left = left[at[left] >= self.start[left]]
        return out

    @property
    def last(self) -> Rows:
        """Row of the newest quote of each order, -1 where there is none."""
        return self.newest(lambda orders, quotes: np.ones(len(orders), dtype=bool))

    @property
    def before(self) -> Rows:
        """Row of the quote before those of each order, -1 where there is none."""
        older = self.start - 1
        return np.where(older >= self.begin, self.queue[older] if len(self.queue) else -1, -1)


def quotes_behind(sent: Sent, which: Mask) -> Behind:
    """Find the quotes behind some of the orders that were sent."""
    session = sent.session
    table = session.table("quotes", "ts_local", "symbol", "level")
    places = np.flatnonzero(which)
    symbols, level_at = sent.table.words("symbol"), sent.at("level")[places]
    levels = np.where(level_at >= 0, sent.table.whole("level").values[level_at], -1)
    times = sent.table.whole("ts_local").values[sent.rows[places]]
    quoted = np.where(table.whole("level").missing, 0, table.whole("level").values)
    begin, start, stop = np.zeros((3, len(places)), dtype=np.int64)
    keys, group = np.unique(np.stack([symbols.codes[sent.rows[places]], levels]), axis=1, return_inverse=True)
    by_group = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=keys.shape[1]))
    queue: list[Rows] = []
    done = 0
    for number, (code, level) in enumerate(keys.T.tolist()):
        mine = by_group[ends[number - 1] if number else 0 : ends[number]]
        own = table.words("symbol").is_(symbols.names[code])
        line = timeline(session, table, own if level < 0 else own & (quoted == level))
        low, high = line.span(times[mine])
        first = np.maximum(low - 1, 0)
        if level < 0 and len(line):
            first = np.searchsorted(line.times, line.times[np.minimum(first, len(line) - 1)], side="left")
        begin[mine], start[mine], stop[mine] = done, done + np.minimum(first, high), done + high
        queue.append(line.rows)
        done += len(line)
    return Behind(places, np.concatenate(queue) if queue else np.zeros(0, dtype=np.int64), begin, start, stop)


def same_number(one: Decimals, ones: Rows, other: Decimals, others: Rows) -> Mask:
    """Return where two columns hold the same number, in rows of each."""
    scale = max(one.scale, other.scale)
    same = one.at_scale(scale)[ones] == other.at_scale(scale)[others]
    return np.asarray(same & one.known[ones] & other.known[others])
