"""2.2.1: the steps that the bot recorded, beside those of the legal map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmverify.checks import Breach
from mmverify.checks import s2_2_work as work
from mmverify.checks.claims import places
from mmverify.checks.orderflow import Flow, flow
from mmverify.numeric import Mask
from mmverify.replay.order_state import EVENTS, NONE, STATES, transitions
from mmverify.session.load import Session

Codes = NDArray[np.signedinteger[Any]]
#: (event, state before, state after) -> (rows, rows that are not legal).
Steps = dict[tuple[str, str, str], tuple[int, int]]


def observed_map(session: Session, within: Mask | None = None) -> Steps:
    """Count the recorded steps, and how many of each the map does not allow.

    Parameters
    ----------
    session : Session
    within : ndarray of bool, shape (n,), optional
        Rows of `order_events` that count; all of them unless given.

    Returns
    -------
    dict
        (event, state before, state after) -> (rows, rows that are not legal), in the map's order of events. The state
        before an order's first is ``(none)``; a word outside the map stands as it is recorded.
    """
    replayed = flow(session)
    state = replayed.table.words("state")
    newest = replayed.lives.before(replayed.lives.latest(~state.missing), -1)
    before = np.where(newest >= 0, state.codes[newest], -1) if len(newest) else newest
    wrong = ~replayed.judged | ~replayed.is_legal
    told = ~state.missing if within is None else ~state.missing & within
    return _counted(replayed, state.names, before, state.codes, wrong, told)


def replayed_map(session: Session, within: Mask | None = None) -> Steps:
    """Count the steps that the recorded events alone make by the map: for a session that records no states.

    Parameters
    ----------
    session, within
        As of `observed_map`.

    Returns
    -------
    dict
        As of `observed_map`; an event that the map does not have in the state before is not legal.
    """
    replayed = flow(session)
    wrong = np.array([not each for each in replayed.choices], dtype=bool)[replayed.choice]
    named = ~replayed.table.words("event").missing
    told = named if within is None else named & within
    return _counted(replayed, STATES, replayed.state_before, replayed.state, wrong, told)


def _counted(replayed: Flow, states: Sequence[str], before: Codes, after: Codes, wrong: Mask, which: Mask) -> Steps:
    """Count the steps of some rows between states, given by their places in `states`, -1 where there was none."""
    event, size = replayed.table.words("event"), len(states) + 1
    told = np.flatnonzero(which)
    steps = (event.codes[told].astype(np.int64) * size + before[told] + 1) * size + after[told]
    counts = np.bincount(steps)
    illegal = np.bincount(steps[wrong[told]], minlength=len(counts))
    found = {}
    for step in np.flatnonzero(counts).tolist():
        kind, was, now = step // size**2, step // size % size - 1, step % size
        names = (event.names[kind], states[was] if was >= 0 else NONE, states[now])
        found[names] = (int(counts[step]), int(illegal[step]))
    return dict(sorted(found.items(), key=lambda entry: (_place(entry[0][0]), entry[0])))


def _place(event: str) -> int:
    return EVENTS.index(event) if event in EVENTS else len(EVENTS)


def seen_map(session: Session) -> tuple[str, ...]:
    """Write the observed map in a line, beside the size of the legal one; nothing where no state was recorded."""
    seen, legal = observed_map(session), {(step.event, step.before, step.after) for step in transitions()}
    steps = [
        f"{event}: {before} -> {after} {count}" + (f" ({wrong} not legal)" if wrong else "")
        for (event, before, after), (count, wrong) in seen.items()
    ]
    head = f"{len(legal & set(seen))} of the {len(legal)} steps of the legal map were recorded"
    return (f"{head}: {'; '.join(steps)}",) if steps else ()


def unmapped(replayed: Flow, name: str, rows: list[int], known: tuple[str, ...]) -> Breach:
    """Word the rows whose event or state is none of the map's."""
    words = replayed.table.words(name)
    all_words = list(dict.fromkeys(words.text(row) for row in rows))
    lines = [work.row_line(replayed, row) for row in rows[: work.SHOWN]]
    if name == "state":
        lines += [work.legal_line(replayed, row) for row in rows[:1]]
    return Breach(
        key=name, where=places(replayed.table, rows), count=len(rows), was=f"{name} was {' and '.join(all_words[:3])}",
        should=f"one of {', '.join(known)}", work=tuple(lines), amount=None, currency="",
        loss=f"an order whose {name} nothing in the bot names is handled by whatever branch comes last",
        cause="a word of the venue's was passed on unmapped" if not any(w.upper() in known for w in all_words) else "",
    )  # fmt: skip
