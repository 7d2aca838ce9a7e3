"""4.3 Timing windows: how long quotes rest, what goes unanswered, rate limits, maintenance."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from audit.lives import Life, lives
from audit.market import is_quoting, sent
from audit.recorded import MILLISECOND, SECOND, Recorded, Row, Seen, ns, number, place, seen, shown
from audit.state import DONE

MOST_AGE = 60 * SECOND


def i4_3_1(session: Recorded) -> Seen:
    """A quote rests longer than `quote_max_age_ms` untouched; the threshold is unset or above 60 s."""
    limit = session.timing("quote_max_age_ms")
    quotes = [life for life in lives(session) if life.is_quote]
    violations = []
    if quotes and (limit is None or limit > MOST_AGE):
        was = "unset" if limit is None else f"{limit // MILLISECOND}"
        violations.append(f"session.toml timing.quote_max_age_ms was {was}, should be 60000 at most")
    refreshed: dict[tuple[str, str, Fraction | None], list[int]] = defaultdict(list)
    for row, ts in zip(*session.arrivals("quotes"), strict=True):
        if is_quoting(row):
            refreshed[row["symbol"], "buy", number(row["bid"])].append(ts)
            refreshed[row["symbol"], "sell", number(row["ask"])].append(ts)
    exercised = 0
    for life in quotes:
        for start, end, price, row in rests(life, session.end):
            times = refreshed[life.order.symbol, life.order.side, price]
            touched = [start, *times[bisect_right(times, start) : bisect_left(times, end)], end]
            age = max(after - before for before, after in pairwise(touched))
            exercised += 1
            if limit is not None and age > limit:
                was, most = shown(Fraction(age, MILLISECOND)), limit // MILLISECOND
                violations.append(
                    f"{place('order_events', row)} then rested {was} ms untouched, should be {most} at most"
                )
    return seen(exercised, violations)


def rests(life: Life, session_end: int) -> list[tuple[int, int, Fraction | None, Row]]:
    """Return (from, to, price, row of its begin) of each time that an order rested with no cancel or replace sent."""
    out: list[tuple[int, int, Fraction | None, Row]] = []
    since: tuple[int, Fraction | None, Row] | None = None
    is_asked = False  # a cancel or replace is open
    for moment in life.moments:
        if moment.event in ("cancel_request", "replace_request"):
            is_asked = True
        if moment.event in ("cancel_reject", "replace_ack", "replace_reject", "reconcile"):
            is_asked = moment.row["state"].startswith("PENDING")
        if since and (moment.is_done or is_asked or moment.event == "replace_ack"):
            end = moment.happened if moment.is_done else moment.ts
            out.append((since[0], max(since[0], end), *since[1:]))
            since = None
        if since is None and not (moment.is_done or is_asked or moment.event in ("submit", "timeout")):
            since = moment.ts, moment.price, moment.row
    if since and session_end > since[0]:
        out.append((since[0], session_end, *since[1:]))
    return out


ANSWERS = {
    "submit": ("ack", "reject", "partial_fill", "fill", "cancel_ack", "expire", "exchange_cancel", "liquidation"),
    "cancel_request": ("cancel_ack", "cancel_reject", "reject", "fill", "expire", "exchange_cancel", "liquidation"),
}
HANDLED = ("timeout", "cancel_request", "reconcile")


def i4_3_2(session: Recorded) -> Seen:
    """A submit or cancel stays unanswered and unhandled, or an open order is taken as gone at the session's end."""
    limits = {"submit": session.timing("ack_timeout_ms"), "cancel_request": session.timing("cancel_timeout_ms")}
    exercised, violations = 0, []
    for life in lives(session):
        for at, moment in enumerate(life.moments):
            limit = limits.get(moment.event)
            if limit is None or moment.ts + limit > session.end:
                continue
            after = life.moments[at + 1 :]
            answers = [
                other
                for other in after
                if other.event in ANSWERS[moment.event] or (other.is_done and not moment.is_done)
            ]
            first = min(answers, key=lambda other: other.ts, default=None)
            is_late = first is None or first.ts > moment.ts + limit
            if first and not is_late and (first.ts == moment.ts or str(first.ts) == first.row["ts_exchange"]):
                continue  # when the answer reached the bot is not recorded
            exercised += 1
            is_handled = any(other.event in HANDLED for other in after)
            if not is_handled and is_late:
                where = place("order_events", moment.row)
                violations.append(
                    f"{where} {moment.event} had no answer in {limit // MILLISECOND} ms, should be followed up"
                )
        last = life.moments[-1]
        if life.order.state in DONE and not last.is_done:
            where = place("order_events", last.row)
            violations.append(f"{where} state was {life.order.state}, should be open: nothing of the venue's ended it")
    return seen(exercised, violations)


def i4_3_3(session: Recorded) -> Seen:
    """A window of requests passes limit x (1 - margin), or margin is unset."""
    exercised, violations = 0, []
    rows, times = session.arrivals("requests")
    for limit in session.settings.get("rate_limit", ()):
        mine = [pair for pair in zip(times, rows, strict=True) if limit["endpoint"] in ("*", pair[1]["endpoint"])]
        exercised += len(mine)
        if "margin" not in limit:
            violations.append(f"session.toml rate_limit {limit['endpoint']} margin was unset, should be set")
        allowed, window = Fraction(str(limit["limit"])), int(Fraction(str(limit["window_s"])) * SECOND)
        most = allowed * (1 - Fraction(str(limit.get("margin", 0))))
        for row, weight in loads(mine, limit.get("kind", "sliding"), window, allowed):
            if weight > most:
                where, name = place("requests", row), limit["endpoint"]
                violations.append(f"{where} was weight {shown(weight)} under {name}, should be {shown(most)} at most")
    return seen(exercised, violations)


def loads(requests: Sequence[tuple[int, Row]], kind: str, window: int, limit: Fraction) -> list[tuple[Row, Fraction]]:
    """Return the weight in the window at each request.

    Sliding: of (t - window, t]. Fixed: since the window's begin, a multiple of its length. Bucket: what has not leaked
    out, the limit in each window's time.
    """
    out: list[tuple[Row, Fraction]] = []
    recent: deque[tuple[int, Fraction]] = deque()
    total, before = Fraction(0), 0
    for ts, row in requests:
        weight = number(row["weight"])
        weight = Fraction(1) if weight is None else weight
        if kind == "bucket":
            total = max(Fraction(0), total - limit * (ts - before) / window)
        while recent and kind != "bucket":
            is_past = recent[0][0] <= ts - window if kind == "sliding" else recent[0][0] // window < ts // window
            if not is_past:
                break
            total -= recent.popleft()[1]
        recent.append((ts, weight))
        total, before = total + weight, ts
        out.append((row, total))
    return out


def i4_3_4(session: Recorded) -> Seen:
    """An order is submitted, or left resting, inside a maintenance window."""
    windows = [(ns(str(window["start"])), ns(str(window["end"]))) for window in session.settings.get("maintenance", ())]
    begin = min((ns(row["ts_local"]) for row in session["order_events"]), default=session.end)
    windows = [window for window in windows if window[0] < session.end and window[1] > begin]
    exercised, violations = len(list(sent(session))) if windows else 0, []
    for start, end in windows:
        for row in sent(session):
            if start <= ns(row["ts_local"]) < end:
                violations.append(f"{place('order_events', row)} was sent in maintenance, should wait for its end")
        for life in lives(session):
            before = life.at(start)
            if before is None or before.is_done or before.cancel_open or life.order.row["origin"] == "exchange":
                continue
            ended = next((moment for moment in life.moments if moment.ts > start and moment.is_done), None)
            if ended is None or ended.happened > start:
                where = place("order_events", before.row)
                violations.append(f"{where} was left resting into maintenance, should be cancelled before")
    return seen(exercised, violations)
