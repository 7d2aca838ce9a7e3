"""The objects of the contract: lists of calls, played on the target's object and on the reference side by side.

A case is ``{"make": arguments of the constructor, "steps": [(method, arguments, keyword arguments)]}``. After each step
what both came to and what both show is compared; the first difference ends the case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from mmverify.conformance.faults import ERROR, UNDEFINED, items_of
from mmverify.conformance.judge import Failure, Seen, agrees
from mmverify.conformance.specs import NAN, PRICE, QTY, SIDE, Case, Conventions, Strategy, choice, fills
from mmverify.conformance.target import Outcome, Target, shown
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
    steps: Sequence[Step]
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
def _positions(draw: st.DrawFn, stated: Conventions) -> Case:
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
    basis = draw(choice(stated, "cost_basis", ["fifo", "lifo", "average"]))
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
        partial = moment.before["qty"] != 0 and abs(should) < abs(moment.before["qty"])
        return "1.2.3" if partial else "1.2.1"
    return "1.3.3" if "fees" in moment.wrong else "1.3.1" if moment.wrong else "1.2.1"


# --- Order ------------------------------------------------------------------------------------------------------------

_PREFIXES = [
    "", "ack", "ack part", "part", "ack cancel_request", "ack replace_request", "ack part cancel_request", "cancel_request",
    "ack part replace_request", "ack rest", "ack cancel_request cancel_ack", "ack part cancel_request cancel_ack", "ack expire",
    "reject", "ack cancel_request rest", "ack part exchange_cancel", "ack replace_request replace_ack",
]  # fmt: skip
_TOKENS = (*(event for event in EVENTS if event not in ("submit", "reconcile", "fill", "partial_fill")), "part", "rest", "over",
           "again", "bad", "teleport")  # fmt: skip


@st.composite
def _orders(draw: st.DrawFn, stated: Conventions) -> Case:
    """Draw a life: a way to one of the states, then whatever comes. Fills are sized as the reference has it by then."""
    kind = draw(st.sampled_from([None, "inverse"]))
    unit = draw(st.sampled_from([Decimal(1), Decimal("0.1")]))
    make = (draw(SIDE), Decimal(100), 3 * unit, *([kind] if kind else []))
    tokens = draw(st.sampled_from(_PREFIXES)).split() + draw(st.lists(st.sampled_from(_TOKENS), max_size=4))
    prices = draw(st.lists(st.integers(90, 110).map(Decimal), min_size=1, max_size=3))
    new_qty = draw(st.integers(1, 5)) * unit
    order, steps = Order(*make), []
    asked = False
    for n, token in enumerate(tokens):
        left = order.qty - order.cum_qty
        price = prices[n % len(prices)]
        if token in ("part", "rest", "over", "bad"):
            qty = {"part": unit, "over": Decimal(9), "bad": Decimal(-1)}.get(token) or Decimal(
                left.numerator
            ) / left.denominator
            if qty == 0 or order.state == "REJECTED":
                continue
            whole = token != "bad" and rational(qty) >= left
            event = "fill" if whole else "partial_fill"
            step: Step = ("apply", (event,), {"qty": qty, "price": price, "exec_id": f"E{n}"})
        elif token == "again":
            booked = [step for step in steps if "exec_id" in step[2] and step[2]["qty"] > 0]
            if not booked:
                continue
            step = booked[-1]
        elif token.startswith("replace_") and token != "replace_reject":
            if order.state == "PENDING_CANCEL":
                continue
            step = ("apply", (token,), {"qty": new_qty, "price": price})
        else:
            step = ("apply", (token,), {})
        if asked and token in ("cancel_request", "cancel_reject"):
            break  # with a cancel and a replace open at once the map leaves too much open
        steps.append(step)
        try:
            order.apply(*step[1], **step[2])
        except (IllegalTransition, Undefined):
            continue
        asked = asked or token == "replace_request"
        asked = asked and not (token in ("replace_ack", "replace_reject") or order.state not in OPEN)
    return {"make": make, "steps": steps}


def _order_item(moment: Moment) -> str:
    event, before = moment.step[1][0], moment.before["state"]
    state = moment.shows.get("state")
    fill = event in ("fill", "partial_fill")
    if moment.repeated:
        return "2.2.6"
    if state not in STATES or (moment.refused and event not in EVENTS):
        return "2.2.1"
    if moment.refused:
        bad = any(value != value or value <= 0 for key, value in moment.step[2].items() if key in ("qty", "price"))
        if moment.outcome.kind == "value" and bad:
            return UNDEFINED
        return "2.2.4" if fill and before not in ("REJECTED", "CANCELED", "EXPIRED") else "2.2.2"
    if before in ("CANCELED", "REJECTED", "EXPIRED") and fill and moment.wrong != ["avg_px"]:
        return "2.2.3"
    if "state" in moment.wrong or moment.outcome.kind != "value":
        return "2.2.2"
    cum, leaves = moment.shows.get("cum_qty"), moment.shows.get("leaves_qty")
    if (
        moment.wrong == ["cum_qty", "leaves_qty"]
        and fill
        and agrees(moment.after["cum_qty"] + moment.after["leaves_qty"], _add(cum, leaves), scale=9)
    ):
        return "1.2.3"
    return "2.2.4"


def _add(one: Any, other: Any) -> Any:
    try:
        return one + other
    except TypeError:
        return None


# --- Book -------------------------------------------------------------------------------------------------------------


class _Book(OrderBook):
    """The reference, which shows levels as lists and refuses nothing of its own."""

    def __init__(self, depth: int | None = None) -> None:
        super().__init__(depth)
        self.all = OrderBook() if depth else self
        self.depth = depth

    def apply(self, kind: str, seq: Any, prev_seq: Any, levels: Any) -> None:
        """Apply to the book, and to one that drops no level."""
        super().apply(kind, seq, prev_seq, levels)
        if self.all is not self:
            self.all.apply(kind, seq, prev_seq, levels)


@st.composite
def _books(draw: st.DrawFn, stated: Conventions) -> Case:
    depth = draw(st.sampled_from([None, None, None, 2]))
    level = st.tuples(SIDE, st.integers(0, 4), st.integers(0, 3))
    crossing, size = draw(st.booleans()), 2
    last, high, steps = 10, 0, list[Step]()
    start = draw(st.sampled_from(["snapshot", "snapshot", "snapshot", "delta"]))
    for n, token in enumerate([start, *draw(st.lists(st.sampled_from(
        ["delta", "delta", "next", "heartbeat", "overlap", "gap", "old", "again", "snapshot", "bad", "badside"]), max_size=6))]):  # fmt: skip
        levels = []
        for side, tick, qty in draw(st.lists(level, min_size=1, max_size=3)):
            price = 100 - tick if side == "buy" else 100 + (tick if crossing else tick + 1)
            levels.append(
                (
                    "bid" if side == "buy" else "ask",
                    Decimal(price + (3 if crossing and side == "buy" and tick == 0 else 0)),
                    Decimal(qty),
                )
            )
        kind, seq, prev = "delta", last + 1, last
        if token == "snapshot":
            kind, seq, prev = "snapshot", max(last, high) + draw(st.integers(0, 2)), None
            levels = [(side, price, qty + 1) for side, price, qty in levels]
        elif token == "next":
            prev = None
        elif token == "heartbeat":
            levels = []
        elif token == "overlap":
            prev, seq = last - 1, last + size
        elif token == "gap":
            seq, prev = last + 4, last + 3
        elif token == "old":
            seq, prev = last - 1, last - 2
        elif token == "again" and steps:
            steps.append(steps[-1])
            continue
        elif token in ("bad", "badside"):
            levels.append(("bid", Decimal(-1), Decimal(1)) if token == "bad" else ("middle", Decimal(100), Decimal(1)))
        steps.append(("apply", (kind, seq, prev, levels), {}))
        if token not in ("old", "bad", "badside"):
            last = seq
        high = max(high, seq)
    return {"make": () if depth is None else (depth,), "steps": steps}


def _book_item(moment: Moment) -> str:
    kind, seq, _, levels = moment.step[1]
    valid = moment.shows.get("valid")
    if moment.refused:
        return "5.2.3" if len(levels) > 1 or moment.outcome.kind != "value" else UNDEFINED
    ignored = all(moment.after[key] == moment.before[key] for key in ("bids", "asks", "seq", "valid"))
    if kind == "delta" and ignored and moment.before["seq"] is not None and seq <= moment.before["seq"]:
        return "5.2.4"
    if "valid" in moment.wrong or not isinstance(valid, bool):
        crossed = moment.after["whole"] and moment.after["bids"] and moment.after["asks"]
        close = crossed and moment.after["bids"][0][0] >= moment.after["asks"][0][0]
        return "3.1.1" if close else "5.2.4" if moment.repeated else "3.1.5"
    sides = [(moment.after[side], moment.shows.get(side)) for side in ("bids", "asks")]
    if all(
        sorted(map(tuple, should)) == sorted(map(tuple, was))
        for should, was in sides
        if isinstance(was, list) and all(isinstance(e, list) for e in was)
    ):
        return "3.1.2"
    if moment.after["bids"] and moment.shows.get("bids") == [list(each) for each in moment.after["asks"]]:
        return "3.1.1"
    if moment.after["depth"] and any(isinstance(was, list) and len(was) != len(should) for should, was in sides):
        return "3.1.6"
    return "3.1.3"


# --- RateLimiter and Breaker ------------------------------------------------------------------------------------------


@st.composite
def _limiters(draw: st.DrawFn, stated: Conventions) -> Case:
    limit, window, ts, steps = draw(st.integers(1, 6)), draw(st.integers(1, 10)), draw(st.integers(0, 20)), list[Step]()
    for _ in range(draw(st.integers(1, 8))):
        ts += draw(st.sampled_from([0, 1, window - 1, window, window + 1]))
        steps.append(("allow", (ts, draw(st.integers(1, 4) | st.sampled_from([1, 1, -1]))), {}))
    scale = draw(st.sampled_from([1, 10**8]))
    return {"make": (limit, window * scale), "steps": [(m, (ts * scale, weight), k) for m, (ts, weight), k in steps]}


@st.composite
def _breakers(draw: st.DrawFn, stated: Conventions) -> Case:
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
    "Position": Machine(Position, ("qty", "avg_px", "realized", "fees"), lambda stated: _positions(stated), _position_item, scales=_position_scales),
    "Order": Machine(Order, ("state", "cum_qty", "leaves_qty", "avg_px"), lambda stated: _orders(stated), _order_item),
    "Book": Machine(_Book, ("bids", "asks", "valid"), lambda stated: _books(stated), _book_item),
    "RateLimiter": Machine(RateLimiter, (), lambda stated: _limiters(stated), _plain_item("4.3.3"), result=True),
    "Breaker": Machine(Breaker, ("tripped",), lambda stated: _breakers(stated), _plain_item("1.4.4")),
}  # fmt: skip
#: Arguments that make no object, and steps that are refused, beside those of the histories.
MISMADE = {
    "Position": [("option", Decimal(1), "fifo"), ("linear", Decimal(1), "hifo"), ("linear", Decimal(0), "fifo")],
    "Order": [("hold", Decimal(1), Decimal(1)), ("buy", Decimal(0), Decimal(1)), ("buy", Decimal(1), Decimal(-1)), ("buy", NAN, Decimal(1))],
    "Book": [], "RateLimiter": [(-1, 10), (1, 0)], "Breaker": [(NAN, 10), (Decimal(1), -1)],
}  # fmt: skip


# --- the replay -------------------------------------------------------------------------------------------------------


def strategy(name: str, stated: Conventions) -> Strategy:
    """Draw histories of an object, some with a constructor that must refuse."""
    bad = [{"make": make, "steps": []} for make in MISMADE[name]]
    return MACHINES[name].cases(stated) | st.sampled_from(bad) if bad else MACHINES[name].cases(stated)


def _of_model(name: str, model: Any) -> State:
    state = {key: getattr(model, key) for key in MACHINES[name].shows}
    if name == "Book":
        bid, ask = model.best()
        crossed = bid is not None and ask is not None and bid > ask
        state |= {"seq": model.seq, "whole": model.valid or crossed, "depth": model.depth}
        state |= {"every": (model.all.bids[: model.depth], model.all.asks[: model.depth])}
    return state


def _differences(name: str, model: Any, state: State, shows: State, scales: dict[str, Any]) -> list[str]:
    if name == "Book":
        if shows["valid"] is not state["valid"]:
            return ["valid"]
        got, kept = [shows["bids"], shows["asks"]], [(state["bids"], state["asks"]), state["every"]]
        return [] if not state["valid"] or any(agrees(list(each), got) for each in kept) else ["bids", "asks"]
    wrong = []
    for key, should in state.items():
        was = shows[key]
        if key == "avg_px" and should is None:
            fine = was is None or (isinstance(was, int | float | Decimal | Fraction) and was == 0)
        else:
            fine = agrees(should, was, scale=scales.get(key), direct=key in ("qty", "fees", "cum_qty", "leaves_qty"))
        if not fine:
            wrong.append(key)
    return wrong


def call_text(name: str, case: Case, steps: Sequence[Step]) -> str:
    """Write a history as the calls that it is."""
    lines = [f"{name}({', '.join(map(shown, case['make']))})"]
    for method, args, kwargs in steps:
        lines.append(
            f"{method}({', '.join([*map(shown, args), *(f'{key}={shown(value)}' for key, value in kwargs.items())])})"
        )
    return "; ".join(lines)


def _show(state: State, keys: Sequence[str]) -> str:
    return ", ".join(f"{key} {_value(state.get(key))}" for key in keys)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def replay(target: Target, name: str, case: Case) -> Seen:
    """Play a history on the target's object and on the reference; the first difference is the failure."""
    machine, own = MACHINES[name], items_of(name)
    given = target.given(case["make"])
    made = target.watch(lambda: target.exposed[name](*given), read=lambda value: value)
    try:
        model = machine.model(*given)
    except Undefined as error:
        if made.kind == "refused":
            return Seen((UNDEFINED, ERROR))
        item = ERROR if made.kind == "error" else own[0] if made.kind == "hang" else UNDEFINED
        was = "an object" if made.kind == "value" else made.words
        return Seen(
            (UNDEFINED, ERROR), Failure(item, call_text(name, case, []), was, f"an error: {error}", outcome=made)
        )
    if made.kind != "value":
        return Seen(own[:-2], Failure(own[0], call_text(name, case, []), made.words, "an object", outcome=made))
    made_object, exercised, before = made.value, set[str](), _of_model(name, model)
    scales = {key: _scale for key, _scale in machine.scales(case["make"], case["steps"]).items()}
    if name == "Order":
        scales = dict.fromkeys(("cum_qty", "leaves_qty"), 30) | {"avg_px": 1000}
    for n, step in enumerate(case["steps"]):
        method, args, kwargs = step
        if name == "Book" and args[0] == "snapshot" and any(early[0] > args[1] for early in model._early):
            break  # whether deltas that came before their snapshot are kept is not judged
        try:
            expected = getattr(model, method)(*target.given(args), **target.given(kwargs))
        except (Undefined, IllegalTransition) as error:
            expected = error
        outcome = target.watch(
            lambda m=method, a=args, k=kwargs: getattr(made_object, m)(*target.given(a), **target.given(k))
        )
        after = _of_model(name, model)
        look = target.watch(lambda: {key: getattr(made_object, key) for key in machine.shows}, read=lambda value: value)
        shows = target.watch(lambda look=look: {key: value for key, value in look.value.items()}, read=_plain_state)
        moment = Moment(
            step,
            before,
            expected,
            after,
            outcome,
            shows.value or {},
            case["steps"][:n],
            _repeated(case["steps"][:n], step, name),
        )
        exercised |= {UNDEFINED, ERROR} if moment.refused else set(own[:-2])
        item = _judge(name, machine, moment, look if look.kind != "value" else shows, model, scales)
        if item:
            keys = moment.wrong or machine.shows
            was = outcome.words or _show(moment.shows, keys) or str(outcome)
            error = f"{type(expected).__name__}: {expected}" if moment.refused else ""
            should = f"refused ({error})" if moment.refused else _show(after, keys) or shown(expected)
            work = (f"before the last call: {_show(before, machine.shows)}",) if machine.shows else ()
            failure = Failure(item, call_text(name, case, case["steps"][: n + 1]), was, should, work, outcome=outcome)
            return Seen(tuple(sorted(exercised | {item})), failure)
        before = _of_model(name, model)
    return Seen(tuple(sorted(exercised)))


def _plain_state(state: State) -> State:
    from mmverify.conformance.target import plain

    return {key: plain(value) for key, value in state.items()}


def _repeated(steps: Sequence[Step], step: Step, name: str) -> bool:
    if name == "Book":
        return step in steps
    exec_id = step[1][0] if name == "Position" else step[2].get("exec_id")
    return exec_id is not None and any(
        exec_id == (args[0] if name == "Position" else kwargs.get("exec_id")) for _, args, kwargs in steps
    )


def _judge(name: str, machine: Machine, moment: Moment, shows: Outcome, model: Any, scales: dict[str, Any]) -> str:
    """Return the item that a step fails, empty where it is as it should be."""
    outcome = moment.outcome
    if outcome.kind == "hang" or shows.kind != "value":
        return items_of(name)[0]
    if moment.refused:
        moment.wrong = _differences(name, model, moment.after, moment.shows, scales)
        if outcome.kind == "error":
            return ERROR
        silent = outcome.kind == "value" and (name == "Order" or (machine.result and outcome.value is not None))
        return machine.item(moment) if moment.wrong or silent else ""
    early = name == "Breaker" and moment.step[0] == "reset" and outcome.kind == "refused"
    if outcome.kind != "value" and not early:
        return machine.item(moment)
    if (
        name == "Order"
        and moment.step[1][0] == "partial_fill"
        and moment.before["state"] in ("PENDING_CANCEL", "PENDING_REPLACE")
    ):
        if moment.shows.get("state") == "PARTIALLY_FILLED" and moment.after["state"] == moment.before["state"]:
            model.state = moment.after["state"] = "PARTIALLY_FILLED"  # the map leaves it open
    moment.wrong = _differences(name, model, moment.after, moment.shows, scales)
    if moment.wrong or (machine.result and outcome.value is not moment.expected):
        return machine.item(moment)
    return ""
