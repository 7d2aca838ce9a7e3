"""Section 1.4, breakers: each trips when its metric passes, and nothing is sent until a reset that is not too soon."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache, partial

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.claims import places
from mmverify.checks.known import Rows, Times, timeline
from mmverify.checks.moments import deadline, session_end
from mmverify.checks.orderflow import flow
from mmverify.checks.orderflow_exposure import exposure
from mmverify.checks.orderflow_positions import executions
from mmverify.checks.s1_4_metrics import Breaker, Crossing, breakers, crossings
from mmverify.checks.s2_2_work import order_name, row_line, worth
from mmverify.numeric import Mask, decimal_text
from mmverify.replay.order_state import EVENTS
from mmverify.session.load import Session, Table

_SECOND = 10**9
_CANCEL = EVENTS.index("cancel_request")


@dataclass(frozen=True, eq=False)
class _Acts:
    """The trips, resets and overrides in order of time."""

    table: Table
    rows: list[int]

    def ts(self, row: int) -> int:
        return int(self.table.whole("ts_local").values[row])

    def text(self, row: int, column: str) -> str:
        return self.table.words(column).text(row)

    def is_about(self, row: int, symbol: str) -> bool:
        return self.text(row, "symbol") in ("", "*", symbol)

    def is_same(self, trip: int, reset: int) -> bool:
        """Say whether a reset may be of a trip."""
        named = self.text(reset, "symbol") in ("", self.text(trip, "symbol"))
        return named and self.text(trip, "rule") == self.text(reset, "rule")


def _acts(session: Session) -> _Acts:
    table = session.table("risk_events", "ts_local", "rule", "event", "symbol", "action")
    acts = table.words("event").is_("trip", "reset", "override")
    return _Acts(table, timeline(session, table, acts).rows.tolist())


def breaker_trips(session: Session) -> Looked:
    """A breaker whose metric comes to its threshold has tripped before the next submit."""
    stated, acts = breakers(session), _acts(session)
    if not stated:
        return Looked(0, (), ("session.toml states no breaker",))
    table = session.table("order_events", "ts_local", "symbol", "event")
    submits = np.flatnonzero(table.words("event").is_("submit"))
    submits = submits[np.argsort(table.whole("ts_local").values[submits], kind="stable")]
    by_symbol = {name: submits[table.words("symbol").is_(name)[submits]] for name in table.words("symbol").names}
    times = table.whole("ts_local").values
    lag = deadline(session, "claim_lag_ms") or 0
    looked, found = 0, []
    for breaker in stated:
        mine = [row for row in acts.rows if acts.text(row, "rule") == breaker.name]
        mine = [row for row in mine if acts.text(row, "event") in ("trip", "reset")]
        standing = cache(partial(_standing, acts, mine))
        missed: dict[str, list[tuple[Crossing, int]]] = {}
        for crossing in crossings(session, breaker):
            among = by_symbol.get(crossing.symbol, submits[:0]) if crossing.symbol else submits
            at = int(np.searchsorted(times[among], crossing.ts + lag, side="right"))
            if at < len(among):
                looked += 1
                if not standing(crossing.symbol).is_tripped(crossing.ts, int(times[among[at]])):
                    missed.setdefault(crossing.symbol, []).append((crossing, int(among[at])))
        does_trip = any(acts.text(row, "event") == "trip" for row in mine)
        found += [_not_tripped(session, breaker, each, does_trip=does_trip) for each in missed.values()]
    return Looked(looked, tuple(found), _unread(session, stated))


def _unread(session: Session, stated: tuple[Breaker, ...]) -> tuple[str, ...]:
    needs = {"drawdown": "equity", "daily_loss": "equity", "stale": "book", "reject_rate": "", "message_rate": "",
             "position": ""}  # fmt: skip
    notes = [f"breaker {each.name}: metric {each.metric!r} is not known" for each in stated if each.metric not in needs]
    for each in stated:
        table = needs.get(each.metric, "")
        if table and not session.has(table):
            notes.append(f"breaker {each.name} is not judged: the session has no table {table}")
    return tuple(notes)


@dataclass(frozen=True, eq=False)
class _Standing:
    """The trips and resets of a breaker in order of time, as a symbol sees them."""

    ts: Times
    trips: Mask

    def is_tripped(self, since: int, until: int) -> bool:
        """Say whether a trip stood when the threshold was passed, or came by `until`."""
        first, newest = (int(np.searchsorted(self.ts, since, side=side)) for side in ("left", "right"))
        stop = int(np.searchsorted(self.ts, until, side="right"))
        return bool(np.any(self.trips[first:stop])) or bool(newest and self.trips[newest - 1])


def _standing(acts: _Acts, mine: list[int], symbol: str) -> _Standing:
    rows = [row for row in mine if not symbol or acts.is_about(row, symbol)]
    trips = [acts.text(row, "event") == "trip" for row in rows]
    return _Standing(np.array([acts.ts(row) for row in rows], dtype=np.int64), np.array(trips, dtype=bool))


def _not_tripped(session: Session, breaker: Breaker, missed: list[tuple[Crossing, int]], *, does_trip: bool) -> Breach:
    replayed = flow(session)
    crossing, row = missed[0]
    named = f" of {crossing.symbol}" if crossing.symbol else ""
    value, threshold = decimal_text(crossing.value), decimal_text(breaker.threshold)
    gap = decimal_text(Fraction(int(replayed.ts[row]) - crossing.ts, _SECOND), 3)
    is_at = does_trip and breaker.metric != "stale" and all(each.value == breaker.threshold for each, _ in missed)
    amount, currency = _worth(session, row)
    return Breach(
        key=f"{breaker.name} {crossing.symbol} no trip".replace("  ", " "),
        where=places(replayed.table, [each for _, each in missed]), count=len(missed),
        was=f"{breaker.metric}{named} was {value} and {breaker.name} did not trip before the next submit",
        should=f"a trip at {threshold}, before anything is sent",
        work=(f"{breaker.metric}{named} comes to {value}, at or above {threshold}",
              f"{gap} s later: {row_line(replayed, row)}", f"no trip of {breaker.name} stands or comes between"),
        amount=amount, currency=currency,
        loss="the order that was sent past the threshold, at its price; all that followed it comes on top"
        if amount is not None else "what was sent past the threshold has no price to be valued at",
        cause="the breaker trips only above its threshold" if is_at else "",
    )  # fmt: skip


def _worth(session: Session, row: int) -> tuple[Fraction | None, str]:
    """Return what the order of a row is worth at its price."""
    replayed = flow(session)
    qty = replayed.table.decimals("qty")
    amount, currency = worth(session, replayed, row, qty.fraction(row) if qty.known[row] else Fraction(0))
    return amount, currency if amount is not None else ""


# --- after a trip -----------------------------------------------------------------------------------------------------


def after_trips(session: Session) -> Looked:
    """Nothing but reduce_only is sent between trip and reset, nothing is left resting, and no reset comes too soon."""
    acts, stated = _acts(session), {each.name: each for each in breakers(session)}
    patience = deadline(session, "cancel_timeout_ms")
    looked, found, notes = 0, list[Breach](), list[str]()
    sent, left = dict[str, list[tuple[int, int]]](), dict[str, list[tuple[int, int]]]()
    soon, overridden = dict[str, list[tuple[int, int]]](), dict[str, list[int]]()
    has_orders = session.has("order_events", "instruments")
    live = _live(session, acts) if has_orders else {}
    tripped = dict[str, dict[str, int]]()  # the newest trip of a rule and symbol
    place = {row: n for n, row in enumerate(acts.rows)}
    for n, row in enumerate(acts.rows):
        rule, event = acts.text(row, "rule"), acts.text(row, "event")
        if event == "override":
            looked += 1
            overridden.setdefault(rule, []).append(row)
        elif event == "reset":
            trips = [each for each in tripped.get(rule, {}).values() if acts.is_same(each, row)]
            cooldown = stated[rule].cooldown if rule in stated else None
            if trips and cooldown is not None:
                looked += 1
                newest = max(trips, key=place.__getitem__)
                if acts.ts(row) < acts.ts(newest) + cooldown:
                    soon.setdefault(rule, []).append((newest, row))
        elif event == "trip":
            looked += 1
            tripped.setdefault(rule, {})[acts.text(row, "symbol")] = row
            if has_orders:
                for ask in _sent(session, acts, n):
                    sent.setdefault(f"{rule} {_symbol(session, ask)}", []).append((row, ask))
                action = acts.text(row, "action") or (stated[rule].action if rule in stated else "")
                if action in ("cancel_all", "halt") and patience is not None:
                    count, resting = _left(session, acts, row, patience, live.get(acts.ts(row), []))
                    looked += count
                    for life in resting:
                        key = f"{rule} {_symbol(session, int(flow(session).lives.first[life]))}"
                        left.setdefault(key, []).append((row, life))
    if patience is None:
        notes.append("without cancel_timeout_ms it is not judged whether a trip left orders resting")
    found += [_sent_breach(session, acts, key, each) for key, each in sent.items()]
    found += [_left_breach(session, acts, key, each, patience or 0) for key, each in left.items()]
    found += [_soon_breach(acts, stated[rule], each) for rule, each in soon.items()]
    found += [_overridden(acts, rule, rows) for rule, rows in overridden.items()]
    return Looked(looked, tuple(found), tuple(notes))


def _symbol(session: Session, row: int) -> str:
    return flow(session).table.words("symbol").text(row)


@lru_cache(maxsize=8)
def _asks(session: Session) -> tuple[Rows, Times, Mask]:
    """Return the rows of what was asked for, their times in order, and which may only reduce."""
    names = session.table("order_events", "symbol").words("symbol").names
    asks = [exposure(session, name).asks for name in names]
    rows = np.concatenate([each.rows for each in asks]) if asks else np.zeros(0, dtype=np.int64)
    reducing = np.concatenate([each.reduce_only for each in asks]) if asks else np.zeros(0, dtype=bool)
    ts = flow(session).ts[rows]
    order = np.lexsort((rows, ts))
    return rows[order], ts[order], reducing[order]


def _sent(session: Session, acts: _Acts, n: int) -> list[int]:
    """Return what was asked for between a trip and its reset that does not only reduce."""
    trip, (rows, ts, reducing) = acts.rows[n], _asks(session)
    resets = (row for row in acts.rows[n:] if acts.text(row, "event") == "reset" and acts.is_same(trip, row))
    end = next((acts.ts(row) for row in resets), session_end(session) + 1)
    first = int(np.searchsorted(ts, acts.ts(trip), side="right"))
    last = int(np.searchsorted(ts, end, side="left"))
    mine = rows[first:last][~reducing[first:last]].tolist()
    return [row for row in mine if acts.is_about(trip, _symbol(session, row))]


def _live(session: Session, acts: _Acts) -> dict[int, list[int]]:
    """Return, by the time of a trip, the orders that were live by their events."""
    replayed = flow(session)
    start = replayed.ts[replayed.lives.first]
    end = np.where(replayed.done >= 0, replayed.ts[replayed.done], np.iinfo(np.int64).max)
    trips = np.unique([acts.ts(row) for row in acts.rows if acts.text(row, "event") == "trip"]).astype(np.int64)
    low, high = np.searchsorted(trips, start, side="right"), np.searchsorted(trips, end, side="left")
    out: dict[int, list[int]] = {}
    for life in np.flatnonzero((low < high) & ~replayed.is_foreign).tolist():
        for ts in trips[low[life] : min(high[life], np.searchsorted(trips, _complete(session, life)))].tolist():
            out.setdefault(ts, []).append(life)
    return out


def _left(session: Session, acts: _Acts, trip: int, patience: int, live: list[int]) -> tuple[int, list[int]]:
    """Return how many live orders a trip is about, and those that nothing was done about in time."""
    replayed, ts = flow(session), acts.ts(trip)
    if ts + patience > session_end(session):
        return 0, []
    mine = [life for life in live if acts.is_about(trip, _symbol(session, int(replayed.lives.first[life])))]
    return len(mine), [life for life in mine if not _is_ended(session, life, ts, patience)]


def _is_ended(session: Session, life: int, ts: int, patience: int) -> bool:
    """Say whether an order was done in time, or its cancel sent: just before the trip counts too."""
    replayed, due = flow(session), ts + patience
    rows, done = replayed.lives.rows_of(life), int(replayed.done[life])
    sent = replayed.ts[rows[replayed.event[rows] == _CANCEL]]
    is_sent = bool(np.any((sent > ts - patience) & (sent <= due)))
    return is_sent or _complete(session, life) <= due or (done >= 0 and int(replayed.ts[done]) <= due)


def _complete(session: Session, life: int) -> int:
    """Return when the reports had filled an order, a time beyond all where they did not."""
    replayed = flow(session)
    row = int(replayed.lives.rows_of(life)[-1])
    known = executions(session, _symbol(session, row))
    qty = replayed.table.decimals("qty")
    at = [int(each) for each in (replayed.qty_at[row], replayed.asked[row]) if each >= 0]
    reports = known.of_life(life)
    if not at or not reports.size:
        return int(np.iinfo(np.int64).max)
    most = max(qty.fraction(each) for each in at) * 10**known.digits
    done = np.flatnonzero(np.cumsum(known.filled[reports]) >= most)
    return int(known.line.times[reports[done[0]]]) if done.size else int(np.iinfo(np.int64).max)


# --- words ------------------------------------------------------------------------------------------------------------


def _said(acts: _Acts, row: int) -> str:
    symbol = acts.text(row, "symbol")
    return f"{acts.table.where(row)}: {acts.text(row, 'rule')} {acts.text(row, 'event')}" + (
        f" of {symbol}" if symbol not in ("", "*") else ""
    )


def _since(later: int, earlier: int) -> str:
    return decimal_text(Fraction(later - earlier, _SECOND), 3)


def _sent_breach(session: Session, acts: _Acts, key: str, sent: list[tuple[int, int]]) -> Breach:
    replayed = flow(session)
    trip, row = sent[0]
    rows = list(dict.fromkeys(row for _, row in sent))
    amounts = [_worth(session, each) for each in rows]
    priced = [amount for amount, _ in amounts if amount is not None]
    return Breach(
        key=f"{key} sent", where=places(replayed.table, rows), count=len(rows),
        was=f"{order_name(replayed, row)} was sent {_since(int(replayed.ts[row]), acts.ts(trip))} s after "
        f"{acts.text(trip, 'rule')} tripped",
        should="nothing but reduce_only before its reset", work=(_said(acts, trip), row_line(replayed, row)),
        amount=sum(priced, Fraction(0)) if priced else None,
        currency=next((currency for amount, currency in amounts if amount is not None), ""),
        loss="all orders that were sent while the breaker should have held them, at their prices"
        if priced else "what was sent while the breaker should have held it has no price to be valued at",
    )  # fmt: skip


def _left_breach(session: Session, acts: _Acts, key: str, left: list[tuple[int, int]], patience: int) -> Breach:
    replayed = flow(session)
    trip, life = left[0]
    firsts = [int(replayed.lives.first[each]) for _, each in left]
    amounts = [_worth(session, each) for each in dict.fromkeys(firsts)]
    priced = [amount for amount, _ in amounts if amount is not None]
    rows = replayed.lives.rows_of(life)
    later = rows[(replayed.ts[rows] > acts.ts(trip)) & replayed.is_("cancel_request")[rows]]
    followed = f"cancelled {_since(int(replayed.ts[later[0]]), acts.ts(trip))} s after the trip" if later.size else (
        "never cancelled after it"
    )  # fmt: skip
    name = order_name(replayed, firsts[0])
    return Breach(
        key=f"{key} resting", where=(*places(acts.table, [trip]), *places(replayed.table, firsts)), count=len(left),
        was=f"{name} was left resting when {acts.text(trip, 'rule')} tripped",
        should=f"a cancel request within {decimal_text(Fraction(patience, 10**6))} ms",
        work=(row_line(replayed, firsts[0]), _said(acts, trip), f"{name} was {followed}"),
        amount=sum(priced, Fraction(0)) if priced else None,
        currency=next((currency for amount, currency in amounts if amount is not None), ""),
        loss="all orders that could still be filled after the trip, whole and at their prices"
        if priced else "what was left resting has no price to be valued at",
    )  # fmt: skip


def _soon_breach(acts: _Acts, breaker: Breaker, soon: list[tuple[int, int]]) -> Breach:
    trip, reset = soon[0]
    waited, asked = _since(acts.ts(reset), acts.ts(trip)), decimal_text(Fraction(breaker.cooldown or 0, _SECOND))
    return Breach(
        key=f"{breaker.name} reset", where=places(acts.table, [reset for _, reset in soon]), count=len(soon),
        was=f"{breaker.name} was reset after {waited} s", should=f"{asked} s at least, its cooldown_s",
        work=(_said(acts, trip), f"{_said(acts, reset)}, {waited} s later; {waited} < {asked}"), amount=None,
        currency="", loss="trading went on in what the breaker stopped it for; what that costs cannot be known",
    )  # fmt: skip


def _overridden(acts: _Acts, rule: str, rows: list[int]) -> Breach:
    return Breach(
        key=f"{rule} override", where=places(acts.table, rows), count=len(rows), was=f"{rule} was overridden",
        should="a reset after its cooldown, by nobody's hand", work=tuple(_said(acts, row) for row in rows[:2]),
        amount=None, currency="", loss="a breaker that can be overridden holds only as long as nobody is in a hurry; "
        "what that costs cannot be known",
    )  # fmt: skip
