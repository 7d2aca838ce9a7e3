"""The objects of the contract: for each its reference, its histories, and which item a difference belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from mmverify.conformance.faults import UNDEFINED
from mmverify.conformance.inputs import NAN, SIDE, Case, Conventions, Strategy, fills
from mmverify.conformance.precision import agrees
from mmverify.conformance.target import Outcome
from mmverify.errors import IllegalTransition, Undefined
from mmverify.formulas import rational
from mmverify.replay.breaker import Breaker
from mmverify.replay.order_book import OrderBook
from mmverify.replay.order_state import EVENTS, OPEN, STATES, Order
from mmverify.replay.position import Position
from mmverify.replay.rate_limit import RateLimiter

Step = tuple[str, tuple[Any, ...], dict[str, Any]]
State = dict[str, Any]


@dataclass
class Moment:
    """A step of a history: what was before it, what should have come of it, what did."""

    step: Step
    before: State
    expected: Any
    after: State
    outcome: Outcome
    shows: State
    repeated: bool
    wrong: list[str] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether the step should have been refused."""
        return isinstance(self.expected, Exception)


@dataclass(frozen=True)
class Machine:
    """An object of the contract: its reference, its histories, what it shows, and whose a difference is."""

    model: Callable[..., Any]
    shows: tuple[str, ...]
    cases: Callable[[Conventions], Strategy]
    item: Callable[[Moment], str]
    result: bool = False
    scales: Callable[[tuple[Any, ...], Sequence[Step]], dict[str, Any]] = lambda make, steps: {}


# --- Position ---------------------------------------------------------------------------------------------------------


@st.composite
def _positions(draw: st.DrawFn, tried: Conventions) -> Case:
    kind, multiplier = draw(st.sampled_from(["linear", "inverse", "spot"])), draw(st.sampled_from([1, 10]).map(Decimal))
    fee = st.integers(-3, 9).map(lambda n: Decimal(n).scaleb(-2))
    steps: list[Step] = []
    for n, (side, price, qty) in enumerate(draw(fills(size=5))):
        odd = draw(st.sampled_from(["", "", "", "", "again", "price", "qty", "side", "nan"]))
        exec_id = f"E{n}"
        args: tuple[Any, ...] = (exec_id, side, price, qty, draw(fee))
        if odd == "again" and steps:
            args = draw(st.sampled_from(steps))[1]
        elif odd in ("price", "qty", "side", "nan"):
            bad = {"price": (2, Decimal(0)), "qty": (3, Decimal(-1)), "side": (1, "hold"), "nan": (2 + n % 2, NAN)}[odd]
            args = (*args[: bad[0]], bad[1], *args[bad[0] + 1 :])
        steps.append(("fill", args, {}))
    basis = draw(st.sampled_from(tried["cost_basis"]))
    return {"make": (kind, multiplier, basis), "steps": steps}


def _position_scales(make: tuple[Any, ...], steps: Sequence[Step]) -> dict[str, Any]:
    sound = [
        args
        for _, args, _ in steps
        if all(n == n and (place == 4 or n > 0) for place, n in enumerate(args) if place > 1)
    ]
    inverse = make[0] == "inverse"
    worth = [rational(q) / rational(p) if inverse else rational(q) * rational(p) for _, _, p, q, _ in sound]
    whole = sum((rational(q) for _, _, _, q, _ in sound), Fraction(0))
    least = min((rational(q) for _, _, _, q, _ in sound), default=Fraction(1))
    top = max((rational(p) for _, _, p, _, _ in sound), default=Fraction(1))
    return {
        "qty": whole, "fees": sum((abs(rational(f)) for *_, f in sound), Fraction(0)),
        "realized": sum(worth, Fraction(0)) * rational(make[1]), "avg_px": top * whole / least,
    }  # fmt: skip


def _position_item(moment: Moment) -> str:
    if moment.refused:
        return "2.3.2" if moment.outcome.kind in ("refused", "error") else UNDEFINED
    if moment.repeated:
        return "2.2.6"
    if "qty" in moment.wrong:
        was, should = moment.shows.get("qty"), moment.after["qty"]
        if isinstance(was, int | float | Decimal | Fraction) and was * (1 if should > 0 else -1) < 0 and should:
            return "1.2.4"
        partial = moment.before["qty"] * should > 0 and abs(should) < abs(moment.before["qty"])
        return "1.2.3" if partial else "1.2.1"
    return "1.3.3" if "fees" in moment.wrong else "1.3.1" if moment.wrong else "1.2.1"


# --- Order ------------------------------------------------------------------------------------------------------------

_PREFIXES = [
    "", "ack", "ack part", "part", "ack cancel_request", "ack replace_request", "ack part cancel_request",
    "cancel_request", "ack part replace_request", "ack rest", "ack cancel_request cancel_ack", "ack expire", "reject",
    "ack part cancel_request cancel_ack", "ack cancel_request rest", "ack part exchange_cancel",
    "ack replace_request replace_ack",
]  # fmt: skip
_FILLS = ("part", "rest", "over", "again", "bad")
_TOKENS = [*(e for e in EVENTS if e not in ("submit", "reconcile", "fill", "partial_fill")), *_FILLS, "teleport"]


def _life(make: tuple[Any, ...], tokens: Sequence[str], unit: Decimal, prices: Sequence[Decimal], new: Decimal) -> Case:
    """Turn tokens into a history; fills are sized as the reference has the order by then."""
    order, steps, asked = Order(*make), list[Step](), False
    for n, token in enumerate(tokens):
        price, exec_id = prices[n % len(prices)], f"E{n}"
        step: Step = ("apply", (token,), {})
        if token in ("part", "rest", "over", "bad"):
            left = order.qty - order.cum_qty
            rest = Decimal(left.numerator) / left.denominator
            qty = {"part": unit, "rest": rest, "over": Decimal(9), "bad": Decimal(-1)}[token]
            event = "fill" if token != "bad" and rational(qty) >= left else "partial_fill"
            step = ("apply", (event,), {"qty": qty, "price": price, "exec_id": exec_id})
            if qty == 0 or order.state == "REJECTED":
                continue
        elif token == "again":
            booked = [step for step in steps if "exec_id" in step[2] and step[2]["qty"] > 0]
            if not booked:
                continue
            step = booked[-1]
        elif token in ("replace_request", "replace_ack"):
            if order.state == "PENDING_CANCEL":
                continue
            step = ("apply", (token,), {"qty": new, "price": price})
        elif asked and token in ("cancel_request", "cancel_reject"):
            break  # with a cancel and a replace open at once the map leaves too much open
        steps.append(step)
        try:
            order.apply(*step[1], **step[2])
        except (IllegalTransition, Undefined):
            continue
        answered = token in ("replace_ack", "replace_reject") or order.state not in OPEN
        asked = (asked or token == "replace_request") and not answered
    return {"make": make, "steps": steps}


@st.composite
def _orders(draw: st.DrawFn, tried: Conventions) -> Case:
    """Draw a life: a way to one of the states, then whatever comes."""
    kind = draw(st.sampled_from([(), ("inverse",)]))
    unit = draw(st.sampled_from([Decimal(1), Decimal("0.1")]))
    tokens = draw(st.sampled_from(_PREFIXES)).split() + draw(st.lists(st.sampled_from(_TOKENS), max_size=4))
    prices = draw(st.lists(st.integers(90, 110).map(Decimal), min_size=1, max_size=3))
    return _life((draw(SIDE), Decimal(100), 3 * unit, *kind), tokens, unit, prices, draw(st.integers(1, 5)) * unit)


def every_event() -> list[Case]:
    """Return each event in each state of an order."""
    make, one = ("buy", Decimal(100), Decimal(3)), Decimal(1)
    lives = [[*prefix.split(), token] for prefix in _PREFIXES for token in _TOKENS]
    return [_life(make, tokens, one, [Decimal(90), Decimal(91)], Decimal(2)) for tokens in lives]


def _order_item(moment: Moment) -> str:
    event, before = moment.step[1][0], moment.before["state"]
    fill, late = event in ("fill", "partial_fill"), before in ("CANCELED", "REJECTED", "EXPIRED")
    if late and fill and moment.shows.get("state") in ("FILLED", "PARTIALLY_FILLED"):
        return "2.2.3"
    if moment.repeated:
        return "2.2.6"
    if moment.shows.get("state") not in STATES or (moment.refused and event not in EVENTS[1:]):
        return "2.2.1"
    if moment.refused:
        bad = any(value != value or value <= 0 for key, value in moment.step[2].items() if key in ("qty", "price"))
        if moment.outcome.kind == "value" and bad:
            return UNDEFINED
        return "2.2.2" if not fill else "2.2.3" if late else "2.2.4"
    if late and fill and ("state" in moment.wrong or moment.outcome.kind != "value" or not _moved(moment)):
        return "2.2.3"
    if fill and ("cum_qty" in moment.wrong or moment.outcome.kind != "value"):
        both = (moment.shows.get("cum_qty"), moment.shows.get("leaves_qty"))
        return "1.2.3" if _moved(moment) and (late or _sums_to(moment.after, both)) else "2.2.4"
    return "2.2.2" if "state" in moment.wrong or moment.outcome.kind != "value" else "2.2.4"


def _moved(moment: Moment) -> bool:
    """Say whether cum_qty is another one than before the step."""
    return not agrees(moment.before["cum_qty"], moment.shows.get("cum_qty"), scale=9)


def _sums_to(state: State, both: tuple[Any, Any]) -> bool:
    """Say whether cum_qty and leaves_qty make the order's quantity, though each is wrong."""
    if not all(isinstance(each, int | float | Decimal | Fraction) for each in both):
        return False
    return agrees(state["cum_qty"] + state["leaves_qty"], both[0] + both[1], scale=9)


# --- Book -------------------------------------------------------------------------------------------------------------


class _Book(OrderBook):
    """The reference, which shows levels as lists and refuses nothing of its own."""

    def __init__(self, depth: int | None = None) -> None:
        super().__init__(depth)
        self.all = OrderBook() if depth else self
        self.depth = depth

    @property
    def newest(self) -> int:
        """The highest seq of the deltas that a snapshot may come to stand before, -1 where there is none."""
        return max((seq for seq, *_ in self._kept), default=-1)

    def apply(self, kind: str, seq: Any, prev_seq: Any, levels: Any) -> None:
        """Apply to the book, and to one that drops no level."""
        super().apply(kind, seq, prev_seq, levels)
        if self.all is not self:
            self.all.apply(kind, seq, prev_seq, levels)


def _levels(crossing: bool) -> Strategy:
    """Draw one to three levels around 100; `crossing` lets bids and asks meet and pass."""

    def priced(drawn: tuple[str, int, int]) -> tuple[str, Decimal, Decimal]:
        side, tick, qty = drawn
        if side == "bid":
            return side, Decimal(100 - tick + (3 if crossing and tick == 0 else 0)), Decimal(qty)
        return side, Decimal(100 + tick + (0 if crossing else 1)), Decimal(qty)

    level = st.tuples(st.sampled_from(["bid", "ask"]), st.integers(0, 4), st.integers(0, 3)).map(priced)
    return st.lists(level, min_size=1, max_size=3)


#: By what a message is, the sequence number and the one before it, both less the last.
_NUMBERED: dict[str, tuple[int, int | None]] = {
    "delta": (1, 0), "heartbeat": (1, 0), "bad": (1, 0), "badside": (1, 0), "next": (1, None), "overlap": (2, -1),
    "gap": (4, 3), "old": (-1, -2),
}  # fmt: skip
_MESSAGES = [*_NUMBERED, "delta", "again", "snapshot"]


@st.composite
def _books(draw: st.DrawFn, tried: Conventions) -> Case:
    depth = draw(st.sampled_from([None, None, None, 2]))
    some = _levels(draw(st.booleans()))
    last, high, steps = 10, 0, list[Step]()
    start = draw(st.sampled_from(["snapshot", "snapshot", "snapshot", "delta"]))
    for token in [start, *draw(st.lists(st.sampled_from(_MESSAGES), max_size=6))]:
        levels = draw(some)
        if token == "again":
            steps.append(steps[-1])
            continue
        if token == "snapshot":
            seq = max(last, high) + draw(st.integers(0, 2))
            levels = [(side, price, qty + 1) for side, price, qty in levels]
            steps.append(("apply", ("snapshot", seq, None, levels), {}))
        else:
            ahead, before = _NUMBERED[token]
            seq = last + ahead
            bad = [("bid", Decimal(-1), Decimal(1))] if token == "bad" else [("middle", Decimal(100), Decimal(1))]
            levels = [] if token == "heartbeat" else levels + bad if token.startswith("bad") else levels
            steps.append(("apply", ("delta", seq, None if before is None else last + before, levels), {}))
        if token not in ("old", "bad", "badside"):
            last = seq
        high = max(high, seq)
    return {"make": () if depth is None else (depth,), "steps": steps}


def _book_item(moment: Moment) -> str:
    kind, seq, _, levels = moment.step[1]
    last, after = moment.before["seq"], moment.after
    if moment.refused:
        return "5.2.3" if len(levels) > 1 or moment.outcome.kind != "value" else UNDEFINED
    ignored = all(after[key] == moment.before[key] for key in ("bids", "asks", "seq", "valid"))
    if kind == "delta" and ignored and last is not None and seq <= last:
        return "5.2.4"
    if not after["whole"] or moment.outcome.kind != "value":
        return "3.1.5"
    shown = [moment.shows[key] for key in ("bids", "asks")]
    if not all(isinstance(side, list) and all(map(_readable, side)) for side in shown):
        return "3.1.3"
    right = shown in ([_lists(after["bids"]), _lists(after["asks"])], [_lists(side) for side in after["every"]])
    back = kind == "snapshot" or (last is not None and seq <= last)
    same = shown == [_lists(moment.before[key]) for key in ("bids", "asks")]
    waits = after["valid"] and moment.shows["valid"] is False and not right and not _crossed(*shown)
    if (same and back) or waits:  # what it shows until it has the snapshot that it waits for is not judged
        return "3.1.5"
    if not right:
        return _level_item(moment, shown)
    return "3.1.1" if after["bids"] and after["asks"] and after["bids"][0][0] >= after["asks"][0][0] else "3.1.5"


def _readable(level: Any) -> bool:
    return (
        isinstance(level, list)
        and len(level) == 2
        and all(isinstance(n, int | float | Decimal | Fraction) for n in level)
    )


def _crossed(bids: list[list[Any]], asks: list[list[Any]]) -> bool:
    """Say whether the levels that are shown cross by themselves."""
    return bool(bids and asks and bids[0][0] > asks[0][0])


def _level_item(moment: Moment, shown: list[list[Any]]) -> str:
    """Return the item that the levels of a book fail."""
    should = [_lists(moment.after[key]) for key in ("bids", "asks")]
    if sorted(shown[0]) == sorted(should[1]) and sorted(shown[1]) == sorted(should[0]):
        return "3.1.1"
    prices = [[level[0] for level in side] for side in shown]
    if prices != [sorted(set(prices[0]), reverse=True), sorted(set(prices[1]))]:
        return "3.1.2"
    depth, every = moment.after["depth"], moment.after["whole_book"]
    deep = depth and any(len(side) > depth for side in every)
    kept = all(level in _lists(every[n]) for n, side in enumerate(shown) for level in side)
    return "3.1.6" if deep and kept else "3.1.3"


def _lists(levels: Any) -> list[list[Any]]:
    return [list(level) for level in levels]


# --- RateLimiter and Breaker ------------------------------------------------------------------------------------------


@st.composite
def _limiters(draw: st.DrawFn, tried: Conventions) -> Case:
    limit, window, ts, steps = draw(st.integers(1, 6)), draw(st.integers(1, 10)), draw(st.integers(0, 20)), list[Step]()
    for _ in range(draw(st.integers(1, 8))):
        ts += draw(st.sampled_from([0, 1, window - 1, window, window + 1]))
        steps.append(("allow", (ts, draw(st.integers(1, 4) | st.sampled_from([1, 1, -1]))), {}))
    scale = draw(st.sampled_from([1, 10**8]))
    return {"make": (limit, window * scale), "steps": [(m, (ts * scale, weight), k) for m, (ts, weight), k in steps]}


@st.composite
def _breakers(draw: st.DrawFn, tried: Conventions) -> Case:
    threshold, cooldown, ts, steps = (
        Decimal(draw(st.integers(1, 5))) / 10,
        draw(st.integers(0, 9)),
        draw(st.integers(0, 9)),
        list[Step](),
    )
    value = st.sampled_from([Decimal(0), threshold, threshold - Decimal("0.01"), threshold + 1, NAN])
    for _ in range(draw(st.integers(1, 6))):
        ts += draw(st.sampled_from([0, 1, cooldown, max(cooldown - 1, 0)]))
        steps.append(draw(st.sampled_from([("update", (ts, draw(value)), {}), ("reset", (ts,), {})])))
    return {"make": (threshold, cooldown), "steps": steps}


def _plain_item(item: str) -> Callable[[Moment], str]:
    return lambda moment: UNDEFINED if moment.refused else item


MACHINES: dict[str, Machine] = {
    "Position": Machine(
        Position, ("qty", "avg_px", "realized", "fees"), _positions, _position_item, scales=_position_scales
    ),
    "Order": Machine(
        Order,
        ("state", "cum_qty", "leaves_qty", "avg_px"),
        _orders,
        _order_item,
        scales=lambda make, steps: {"cum_qty": 30, "leaves_qty": 30, "avg_px": 1000},
    ),
    "Book": Machine(_Book, ("bids", "asks", "valid"), _books, _book_item),
    "RateLimiter": Machine(RateLimiter, (), _limiters, _plain_item("4.3.3"), result=True),
    "Breaker": Machine(Breaker, ("tripped",), _breakers, _plain_item("1.4.4")),
}
#: Arguments that make no object, and steps that are refused, beside those of the histories.
MISMADE: dict[str, list[tuple[Any, ...]]] = {
    "Position": [("option", Decimal(1), "fifo"), ("linear", Decimal(1), "hifo"), ("linear", Decimal(0), "fifo")],
    "Order": [
        ("hold", Decimal(1), Decimal(1)),
        ("buy", Decimal(0), Decimal(1)),
        ("buy", Decimal(1), Decimal(-1)),
        ("buy", NAN, Decimal(1)),
    ],
    "Book": [],
    "RateLimiter": [(-1, 10), (1, 0)],
    "Breaker": [(NAN, 10), (Decimal(1), -1)],
}
