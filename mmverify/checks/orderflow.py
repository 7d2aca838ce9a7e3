"""The order events replayed once: beside each row how its order stood by the legal map, and the cells in force then.

Rows are taken in the bot's order of processing, the order of the file. `orderflow_lives` tells which order a row is of,
`orderflow_map` how the order goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.known import Rows
from mmverify.checks.orderflow_lives import CHUNK, Lives, lives_of
from mmverify.checks.orderflow_map import FILLS, Report, Standing, step
from mmverify.numeric import Mask
from mmverify.replay.order_state import DONE, EVENTS, STATES
from mmverify.session.columns import Words
from mmverify.session.load import Session, Table

Codes = NDArray[np.int8]
Places = NDArray[np.int32]

UNTOLD = -1  # an empty cell
UNMAPPED = -2  # a word that is none of the map's
#: What answers a request beside the end of its order.
ANSWERS = {
    "submit": ("ack", "reject", *FILLS, "cancel_ack", "expire", "exchange_cancel", "liquidation"),
    "cancel_request": ("cancel_ack", "cancel_reject", "reject", "fill", "expire", "exchange_cancel", "liquidation"),
    "replace_request": ("replace_ack", "replace_reject", "cancel_ack", "expire", "exchange_cancel", "liquidation"),
}
_COLUMNS = (
    "ts_local", "symbol", "client_order_id", "order_id", "event", "side", "reduce_only", "price", "qty", "cum_qty",
    "leaves_qty", "avg_px", "state", "orig_client_order_id", "exec_id", "origin", "intent",
)  # fmt: skip
_FLAGS = (3, 2, 2, 2, 2, 2)  # values of each flag of a report


@dataclass(frozen=True, eq=False)
class Flow:
    """The order events of a session, and how the order of each row stood after it.

    Parameters
    ----------
    table : Table
        The table `order_events`, n rows.
    lives : Lives
        Its orders.
    event, told : ndarray of int8, shape (n,)
        Places in `EVENTS`, and in `STATES` of the state that the bot recorded, else `UNTOLD` or `UNMAPPED`.
    repeated : ndarray of bool, shape (n,)
        Rows with an exec_id that their life had before.
    standings : tuple of Standing
    choices : tuple of frozenset
    after, choice : ndarray of int32, shape (n,)
        Places in `standings` of how the order stood after a row, and in `choices` of the states that the map allows.
    """

    table: Table
    lives: Lives
    event: Codes
    told: Codes
    repeated: Mask
    standings: tuple[Standing, ...]
    choices: tuple[frozenset[str], ...]
    after: Places
    choice: Places

    def __len__(self) -> int:
        return len(self.table)

    def is_(self, *events: str) -> Mask:
        """Return which rows are of one of these events."""
        return np.isin(self.event, [EVENTS.index(event) for event in events])

    @property
    def ts(self) -> Rows:
        """Time of each row by the bot's clock, ns."""
        return self.table.whole("ts_local").values

    @cached_property
    def heard(self) -> Rows:
        """The latest time of the rows up to each, ns: what was known when it was processed came by then."""
        return np.maximum.accumulate(self.ts)

    # How an order stands

    def standing(self, row: int) -> Standing:
        """Return how the order of a row stood after it."""
        return self.standings[int(self.after[row])]

    def _each(self, values: Sequence[Any], kind: type) -> NDArray[Any]:
        return np.array(values, dtype=kind)[self.after]

    @cached_property
    def state(self) -> Codes:
        """The order's state after each row, a place in `STATES`."""
        return self._each(
            [STATES.index(each.state) if each.state in STATES else -1 for each in self.standings], np.int8
        )

    @cached_property
    def state_before(self) -> Codes:
        """The order's state before each row, a place in `STATES`, -1 before its first."""
        return self.lives.before(self.state, -1)

    @cached_property
    def told_before(self) -> Codes:
        """The newest state that the bot had recorded of the order before each row: as `told`, `UNTOLD` where none."""
        newest = self.lives.before(self.lives.latest(self.told != UNTOLD), -1)
        return np.where(newest >= 0, self.told[newest], np.int8(UNTOLD)) if len(self) else self.told

    @cached_property
    def is_done(self) -> Mask:
        """Whether the order is done after each row."""
        return self._each([each.state in DONE for each in self.standings], np.bool_)

    @cached_property
    def cancel_open(self) -> Mask:
        """Whether a cancel of the order is unanswered after each row."""
        return self._each([each.cancel_open for each in self.standings], np.bool_)

    @cached_property
    def replace_open(self) -> Mask:
        """Whether a replace of the order is unanswered after each row."""
        return self._each([each.replace_open for each in self.standings], np.bool_)

    @cached_property
    def is_answered(self) -> Mask:
        """Whether the venue has said anything of the order by each row."""
        return self._each([each.is_answered for each in self.standings], np.bool_)

    @cached_property
    def judged(self) -> Mask:
        """Rows whose event and recorded state are both of the map."""
        return (self.event >= 0) & (self.told >= 0)

    @cached_property
    def is_legal(self) -> Mask:
        """Rows whose recorded state the map allows after the event; true where there is nothing to be judged."""
        table = np.array([[state in each for state in STATES] for each in self.choices], dtype=bool)
        return np.asarray(~self.judged | table.reshape(-1, len(STATES))[self.choice, self.told])

    # Cells in force, by the row that holds them

    @cached_property
    def asked(self) -> Rows:
        """Row of the replace_request that is open after each row, -1 where none is."""
        return np.where(self.replace_open, self.lives.latest(self.is_("replace_request")), -1)

    def _in_force(self, known: Mask) -> Rows:
        """Return the row whose cell is in force: of the first event, of a reconcile, of what a replace gave."""
        gives = self.is_("replace_ack", "reconcile")
        gives[self.lives.first] = True
        gave = self.lives.latest(gives & known)
        silent = self.lives.latest(self.is_("replace_ack") & ~known)
        if (silent > gave).any():  # an answer that repeats no terms: those that were asked for
            request = self.lives.latest(self.is_("replace_request") & known)[silent]
            gave = np.where((silent > gave) & (request > gave), request, gave)
        return gave

    @cached_property
    def qty_at(self) -> Rows:
        """Row whose `qty` is the order's after each row, -1 where none is known."""
        return self._in_force(self.table.decimals("qty").known)

    @cached_property
    def price_at(self) -> Rows:
        """Row whose `price` is the order's after each row, -1 where none is known."""
        return self._in_force(self.table.decimals("price").known)

    @cached_property
    def cum_at(self) -> Rows:
        """Row whose `cum_qty` is the newest that the bot recorded of the order by each row, -1 where there is none."""
        return self.lives.latest(self.table.decimals("cum_qty").known)

    @cached_property
    def id_at(self) -> Rows:
        """Row whose `client_order_id` is the order's after each row: its first, or one of a replace_ack."""
        gives = self.is_("replace_ack")
        gives[self.lives.first] = True
        return self.lives.latest(gives & ~self.table.words("client_order_id").missing)

    @cached_property
    def answer(self) -> Rows:
        """Row that answers each submit, cancel_request and replace_request; -1 where none does, and for other rows."""
        out = np.full(len(self), -1, dtype=np.int64)
        for request, answers in ANSWERS.items():
            which = self.is_(request)
            out[which] = self.lives.upcoming(self.is_(*answers) | self._ended)[which]
        return out

    @cached_property
    def _ended(self) -> Mask:
        return np.asarray(self.is_done & ~self.lives.before(self.is_done, False))

    # Of each life

    @cached_property
    def is_sent(self) -> Mask:
        """Lives that begin with their submit."""
        return self.is_("submit")[self.lives.first]

    @cached_property
    def is_foreign(self) -> Mask:
        """Lives that the venue is the origin of: no quote or hedge of the bot's."""
        return self.table.words("origin").is_("exchange")[self.lives.first]

    @cached_property
    def direction(self) -> Rows:
        """+1 for a life that buys, -1 for one that sells, 0 where its side is empty."""
        side = self.table.words("side")
        return side.is_("buy")[self.lives.first].astype(np.int64) - side.is_("sell")[self.lives.first]

    @cached_property
    def reduce_only(self) -> Mask:
        """Lives that may only reduce the position."""
        return np.asarray(self.table.whole("reduce_only").values[self.lives.first] == 1)

    @cached_property
    def done(self) -> Rows:
        """Row at which each life was done for good, -1 where it was open at the end."""
        return np.where(self.is_done[self.lives.last], self.lives.latest(self._ended)[self.lives.last], -1)


@lru_cache(maxsize=8)
def flow(session: Session) -> Flow:
    """Replay the order events of a session in one pass.

    Parameters
    ----------
    session : Session

    Returns
    -------
    Flow
    """
    table = session.table("order_events", *_COLUMNS)
    event, told = _codes(table.words("event"), EVENTS), _codes(table.words("state"), STATES)
    lives = lives_of(table)
    repeated = _repeated(table, lives)
    met, after, choice = _run(lives, _reports(table, lives, event, told, repeated))
    return Flow(table, lives, event, told, repeated, tuple(met.standings), tuple(met.choices), after, choice)


def _codes(words: Words, known: Sequence[str]) -> Codes:
    """Return the place of each row's word among the known ones."""
    places = [known.index(name) if name in known else UNMAPPED for name in words.names]
    return np.array([*places, UNTOLD], dtype=np.int8)[words.codes]


def _repeated(table: Table, lives: Lives) -> Mask:
    """Return the rows with an exec_id that their life had before."""
    execution = table.words("exec_id")
    rows = np.flatnonzero(~execution.missing)
    keys = lives.life[rows] * len(execution.dictionary) + execution.codes[rows]
    out = ~execution.missing
    out[rows[np.unique(keys, return_index=True)[1]]] = False
    return out


def _reports(table: Table, lives: Lives, event: Codes, told: Codes, repeated: Mask) -> Rows:
    """Return what the map looks at in each row as one number; `_decode` takes it apart."""
    cum, leaves, qty = (table.decimals(name) for name in ("cum_qty", "leaves_qty", "qty"))
    cum_at = lives.latest(cum.known)
    filled = np.where(cum_at < 0, 2, np.asarray(np.greater(cum.ints, 0))[cum_at]) if len(cum_at) else cum_at
    complete = np.where(leaves.known, np.asarray(np.equal(leaves.ints, 0)), event == EVENTS.index("fill"))
    request = lives.latest((event == EVENTS.index("replace_request")) & qty.known)
    answers = np.flatnonzero(event == EVENTS.index("replace_ack"))
    terms, had = np.where(qty.known[answers], answers, request[answers]), cum_at[answers]
    scale, both = max(qty.scale, cum.scale), (terms >= 0) & (had >= 0)
    covered = np.zeros(len(event), dtype=bool)
    covered[answers[both]] = np.asarray(qty.at_scale(scale)[terms[both]] <= cum.at_scale(scale)[had[both]])
    flags = (filled, complete, covered, repeated, table.words("origin").is_("exchange"), lives.is_taken)
    out = (event.astype(np.int64) - UNMAPPED) * (len(STATES) - UNMAPPED) + told - UNMAPPED
    for values, flag in zip(_FLAGS, flags, strict=True):
        out = out * values + flag
    return out


def _decode(code: int) -> Report:
    flags = []
    for values in reversed(_FLAGS):
        code, flag = divmod(code, values)
        flags.append(flag)
    event, state = divmod(code, len(STATES) - UNMAPPED)
    filled, *others = reversed(flags)
    return Report(
        EVENTS[event + UNMAPPED] if event + UNMAPPED >= 0 else "",
        STATES[state + UNMAPPED] if state + UNMAPPED >= 0 else "",
        None if filled == 2 else bool(filled),
        *map(bool, others),
    )


class _Met:
    """Standings and choices that were met; a standing and a report that were met together need no second look."""

    def __init__(self) -> None:
        self.standings: dict[Standing, int] = {Standing(): 0}
        self.choices: dict[frozenset[str], int] = {}
        self.steps: dict[tuple[int, int], tuple[int, int]] = {}

    def step(self, was: int, code: int) -> tuple[int, int]:
        new, may = step(list(self.standings)[was], _decode(code))
        out = (
            self.standings.setdefault(new, len(self.standings)),
            self.choices.setdefault(may, len(self.choices)),
        )
        self.steps[was, code] = out
        return out


def _run(lives: Lives, reports: Rows) -> tuple[_Met, Places, Places]:
    """Take each order over its rows."""
    met, was, now = _Met(), -1, 0
    after, choice = np.empty((2, len(reports)), dtype=np.int32)
    for start in range(0, len(reports), CHUNK):
        rows = lives.order[start : start + CHUNK]
        out = []
        for life, code in zip(lives.life[rows].tolist(), reports[rows].tolist(), strict=True):
            if life != was:
                was, now = life, 0
            result = met.steps.get((now, code)) or met.step(now, code)
            now = result[0]
            out.append(result)
        after[rows], choice[rows] = np.array(out, dtype=np.int32).T
    return met, after, choice
