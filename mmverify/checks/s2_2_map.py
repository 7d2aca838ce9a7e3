"""2.2.1: the steps that the bot recorded, beside those of the legal map."""

from __future__ import annotations

import numpy as np

from mmverify.checks import Breach
from mmverify.checks import s2_2_work as work
from mmverify.checks.claims import places
from mmverify.checks.orderflow import Flow, flow
from mmverify.replay.order_state import EVENTS, NONE, transitions
from mmverify.session.load import Session


def observed_map(session: Session) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Count the recorded steps, and how many of each the map does not allow.

    Parameters
    ----------
    session : Session

    Returns
    -------
    dict
        (event, state before, state after) -> (rows, rows that are not legal), in the map's order of events. The state
        before an order's first is ``(none)``; a word outside the map stands as it is recorded.
    """
    replayed = flow(session)
    event, state = replayed.table.words("event"), replayed.table.words("state")
    newest = replayed.lives.before(replayed.lives.latest(~state.missing), -1)
    before = np.where(newest >= 0, state.codes[newest], -1) if len(newest) else newest
    told = np.flatnonzero(~state.missing)
    size = len(state.names) + 1
    steps = (event.codes[told].astype(np.int64) * size + before[told] + 1) * size + state.codes[told]
    counts = np.bincount(steps)
    wrong = np.bincount(steps[(~replayed.judged | ~replayed.is_legal)[told]], minlength=len(counts))
    found = {}
    for step in np.flatnonzero(counts).tolist():
        kind, was, now = step // size**2, step // size % size - 1, step % size
        names = (event.names[kind], state.names[was] if was >= 0 else NONE, state.names[now])
        found[names] = (int(counts[step]), int(wrong[step]))
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
