"""Section 5.3, pauses: how long the bot waits after 503, and after a refusal for its rate."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.known import Rows, Times
from mmverify.checks.moments import deadline
from mmverify.checks.s5_3_requests import Requests, ms, requests_of
from mmverify.numeric import Mask
from mmverify.session.load import Session

_MS = 10**6
_OUTAGE = 600 * 10**9  # refusals that are further apart are of two outages
_SHOWN = 4  # requests of an outage that are written out


# --- 5.3.2 ------------------------------------------------------------------------------------------------------------
class Retry(NamedTuple):
    """A request that was sent again while the venue was down: the pause before it and the one before that [ns].

    Parameters
    ----------
    place : int
        The request.
    run : tuple of int
        The last refusals before it.
    """

    place: int
    run: tuple[int, ...]
    pause: int
    last: int


def backoff(session: Session) -> Looked:
    """While the venue answers 503 or says maintenance, each pause before a request is longer than the last."""
    asked = requests_of(session)
    return gather(_of_endpoint(asked, code) for code in np.unique(asked.endpoint[asked.down]).tolist())


def _of_endpoint(asked: Requests, code: int) -> Looked:
    found = [each for run in outages(asked, np.flatnonzero(asked.endpoint == code)) for each in _retries(asked, run)]
    short = [each for each in found if each.pause <= each.last]
    return Looked(len(found), (_hurried(asked, short),) if short else ())


def outages(asked: Requests, mine: Rows) -> list[list[int]]:
    """Return the outages of one endpoint: the refusals of each, then the request that ended it, where there is one.

    A request that went before the last refusal was heard repeats nothing.

    Parameters
    ----------
    asked : Requests
    mine : ndarray of int64
        Places of the endpoint's requests.
    """
    down = np.flatnonzero(asked.down[mine])
    out, run, at = list[list[int]](), list[int](), int(down[0]) if down.size else len(mine)
    while at < len(mine):
        place, ts = int(mine[at]), int(asked.sent[mine[at]])
        at += 1
        if run and ts < asked.heard[run[-1]]:
            continue
        if run and ts - asked.sent[run[-1]] > _OUTAGE:
            out.append(run)
            run = []
        if asked.down[place]:
            run.append(place)
            continue
        if run:
            out.append([*run, place])
        run, following = [], int(np.searchsorted(down, at))
        at = int(down[following]) if following < len(down) else len(mine)
    return [*out, run] if run else out


def _retries(asked: Requests, run: list[int]) -> Iterator[Retry]:
    """Yield the requests of an outage that had two refusals before them."""
    pauses = np.diff(asked.sent[run]).tolist()
    for n in range(2, len(run)):
        yield Retry(run[n], tuple(run[max(n - _SHOWN, 0) : n]), pauses[n - 1], pauses[n - 2])


def _hurried(asked: Requests, short: list[Retry]) -> Breach:
    first, endpoint = short[0], asked.endpoint_of(short[0].place)
    lines = [asked.line(first.run[0])]
    for before, place in zip(first.run, (*first.run[1:], first.place), strict=True):
        lines.append(f"{ms(int(asked.sent[place] - asked.sent[before]))} ms later: {asked.line(place)}")
    lines.append(f"{ms(first.pause)} ms is not more than {ms(first.last)} ms")
    return Breach(
        key=endpoint, where=tuple(asked.where(each.place) for each in short[:5]), count=len(short),
        was=f"{endpoint} was asked again after {ms(first.pause)} ms while the venue was down",
        should=f"more than {ms(first.last)} ms, the pause before that", work=tuple(lines), amount=None, currency="",
        loss="tries at a venue that is down use up the rate limit that the first cancel after it needs, and bring a "
        "ban closer; what that costs cannot be known",
        cause=_pace(asked, short),
    )  # fmt: skip


def _pace(asked: Requests, short: list[Retry]) -> str:
    """Say what gives just these pauses."""
    if any(each.pause != each.last for each in short):
        return ""
    grew = [len(set(np.diff(asked.sent[list(each.run)]).tolist())) > 1 for each in short]
    if not any(grew):
        return "the pause is the same each time"
    return "the pause has a cap, and stays there" if all(grew) else ""


# --- 5.3.4 ------------------------------------------------------------------------------------------------------------
class Wait(NamedTuple):
    """A refusal for its rate, and from when until when nothing may be sent [ns]."""

    place: int
    start: int
    end: int


@lru_cache(maxsize=8)
def waits(session: Session) -> tuple[Wait, ...]:
    """Return the waits that the venue asked for, in the order of the requests that it refused.

    Parameters
    ----------
    session : Session

    Returns
    -------
    tuple of Wait
        A wait begins with the answer; where that has no time, with the request, and those that the clocks leave open
        are not held to it.
    """
    asked, skew = requests_of(session), deadline(session, "max_clock_skew_ms") or 0
    wait, response = asked.table.decimals("retry_after_ms"), asked.table.whole("ts_response")
    out = []
    for n in np.flatnonzero(asked.limited & wait.known[asked.rows]).tolist():
        row, heard = int(asked.rows[n]), int(asked.heard[n])
        start = heard + (skew if response.missing[row] else 0)
        out.append(Wait(n, start, heard + int(wait.fraction(row) * _MS)))
    return tuple(out)


def is_shared(session: Session) -> bool:
    """Say whether one rate limit is of all endpoints."""
    return any(str(limit.get("endpoint")) == "*" for limit in session.settings.get("rate_limit", ()))


def retry_after(session: Session) -> Looked:
    """After 429, 418 or a rate-limit code nothing goes to the limited endpoints before `retry_after_ms` is over."""
    asked, every = requests_of(session), waits(session)
    silent = int(asked.limited.sum()) - len(every)
    notes = (f"{silent} refusals for the rate state no retry_after_ms: how long to wait is not judged",) * bool(silent)
    groups: dict[int, list[Wait]] = {}
    for wait in every:
        groups.setdefault(-1 if is_shared(session) else int(asked.endpoint[wait.place]), []).append(wait)
    found = []
    for code, mine in groups.items():
        among = np.flatnonzero(asked.endpoint == code) if code >= 0 else np.arange(len(asked))
        early, behind = _early(asked.sent[among], mine)
        if early.any():
            pairs = zip(among[early].tolist(), behind[early].tolist(), strict=True)
            found.append(_too_early(asked, code, [(place, mine[at]) for place, at in pairs]))
    return Looked(len(every), tuple(found), notes)


def _early(sent: Times, barred: list[Wait]) -> tuple[Mask, Rows]:
    """Return which requests went within a wait, and the one of these waits that ends last of those that had begun."""
    order = np.argsort([wait.start for wait in barred], kind="stable")
    start = np.array([wait.start for wait in barred], dtype=np.int64)[order]
    end = np.array([wait.end for wait in barred], dtype=np.int64)[order]
    longest = np.maximum.accumulate(end)
    leads = np.maximum.accumulate(np.where(end == longest, np.arange(len(end)), 0))
    begun = np.searchsorted(start, sent, side="left") - 1
    early = (begun >= 0) & (longest[begun] > sent)
    return early, order[leads[begun]]


def _too_early(asked: Requests, code: int, early: list[tuple[int, Wait]]) -> Breach:
    place, wait = early[0]
    sent, heard = int(asked.sent[place]), int(asked.heard[wait.place])
    asked_for, waited = wait.end - heard, sent - heard
    endpoint = asked.endpoint_of(wait.place)
    return Breach(
        key=endpoint if code >= 0 else "all endpoints",
        where=(*(asked.where(each) for each, _ in early[:4]), asked.where(wait.place)), count=len(early),
        was=f"{asked.endpoint_of(place)} was asked {ms(waited)} ms after {endpoint} was refused for its rate",
        should=f"{ms(asked_for)} ms at least, its retry_after_ms",
        work=(
            asked.line(wait.place), asked.line(place),
            f"sent {ms(waited)} ms after that answer, {ms(asked_for)} - {ms(waited)} = {ms(wait.end - sent)} ms too "
            "early",
        ),
        amount=None, currency="",
        loss="a venue answers what comes before the wait is over with a longer one, then with a ban: until then no "
        "order can be cancelled. What that costs cannot be known",
        cause=_count(asked, early),
    )  # fmt: skip


def _count(asked: Requests, early: list[tuple[int, Wait]]) -> str:
    """Say what the wait was counted from, where that gives just these requests."""
    counted = [int(asked.sent[wait.place]) + wait.end - int(asked.heard[wait.place]) for _, wait in early]
    if counted == [int(asked.sent[place]) for place, _ in early]:
        return "the wait was counted from when the request was sent, not from its answer"
    return ""
