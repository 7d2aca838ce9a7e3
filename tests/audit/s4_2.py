"""4.2 The hot path, from the recorded passes of it."""

from __future__ import annotations

from itertools import pairwise

from audit.recorded import Recorded, Seen, ns, number, place, seen

STAGES = ("ts_receive", "ts_book", "ts_signal", "ts_send")


def i4_2_1(session: Recorded) -> Seen:
    """The stage times of a pass are not in order."""
    violations = []
    for row in session["latency"]:
        for earlier, later in pairwise(name for name in STAGES if row[name]):
            if ns(row[later]) < ns(row[earlier]):
                violations.append(f"{place('latency', row)} {later} was {row[later]}, should be {row[earlier]} or more")
    return seen(len(session["latency"]), violations)


def i4_2_2(session: Recorded) -> Seen:
    """A pass was blocked."""
    return _above_zero(session, "blocked_us")


def i4_2_3(session: Recorded) -> Seen:
    """A pass allocated, the session's first one aside: the path is not steady yet."""
    return _above_zero(session, "allocations", first=1)


def i4_2_4(session: Recorded) -> Seen:
    """Tick-to-order at the 99.9th percentile is past `max_tick_to_order_us`."""
    most = session.settings.get("timing", {}).get("max_tick_to_order_us")
    passes = sorted((ns(row["ts_send"]) - ns(row["ts_receive"]), row["#"]) for row in session["latency"])
    if most is None or not passes:
        return seen(0, ())
    rank = -(-999 * len(passes) // 1000)  # the smallest that 99.9 % do not pass
    took, at = passes[rank - 1]
    late = f"latency:{at} was the 99.9th percentile at {took / 1000} us, should be {most} at most"
    return seen(len(passes), [late] if took > (number(str(most)) or 0) * 1000 else ())


def i4_2_5(session: Recorded) -> Seen:
    """A pass waited for its log."""
    return _above_zero(session, "log_us")


def _above_zero(session: Recorded, column: str, first: int = 0) -> Seen:
    given = [(row, value) for row in session["latency"][first:] if (value := number(row[column])) is not None]
    return seen(
        len(given),
        [f"{place('latency', row)} {column} was {row[column]}, should be 0" for row, value in given if value > 0],
    )
