"""Which messages of a book follow each other: runs, gaps, snapshots that come late, numbers that begin anew."""

from __future__ import annotations

from collections.abc import Sequence as Row
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.replay import sequence as replay
from mmverify.replay.sequence import Messages, Sequence, sequence

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=400)
Message = tuple[str, Any, Any]  # kind, seq and prev_seq, None for none
COLUMNS = ("seq", "numbered", "intact", "heard")  # they tell of the messages that changed anything


def messages(
    of: Row[Message], *, empty: Row[int] = (), untimed: Row[int] = (), sent: Row[int] | None = None
) -> Messages:
    """Make messages, some of them empty or without a time of the venue's; if it is not said, the times rise."""
    kind, seq, prev = zip(*of, strict=True)
    numbers = np.array([each or 0 for each in seq], dtype=np.int64)
    before = [n - 1 if p is None else p for n, p in zip(numbers.tolist(), prev, strict=True)]
    count = len(of)
    return Messages(
        numbers, np.array(before), np.array([each is not None for each in seq]),
        np.array([each == "snapshot" for each in kind]), np.isin(np.arange(count), empty),
        ~np.isin(np.arange(count), untimed), np.arange(count) if sent is None else np.array(sent),
    )  # fmt: skip


def told(*of: Message, **more: Any) -> Sequence:
    return sequence(messages(of, **more))


def column(seen: Sequence, name: str) -> list[Any]:
    return getattr(seen, name)[seen.changed].tolist()


def test_runs_and_gaps() -> None:
    seen = told(("snapshot", 5, None), ("delta", 6, 5), ("delta", 9, 6), ("delta", 12, 11), ("delta", 13, 12),
                ("snapshot", 13, None), ("delta", 14, 13))  # fmt: skip
    assert seen.gaps == (3,) and seen.chained == 4
    assert seen.applied.tolist() == [0, 1, 2, 5, 6] == seen.at.tolist()
    assert seen.changed.tolist() == [True, True, True, True, False, True, True]
    assert column(seen, "intact") == [True, True, True, False, True, True]
    assert column(seen, "seq") == [5, 6, 9, 9, 13, 14]
    assert column(seen, "heard") == [0, 1, 2, 2, 5, 6]  # what shows a gap is not in the book
    assert all(column(seen, "numbered"))


def test_of_no_messages_nothing_is_told_and_all_places_are_int64() -> None:
    nothing = Messages(*np.zeros((2, 0), dtype=np.int64), *np.zeros((4, 0), dtype=bool), np.zeros(0, dtype=np.int64))
    for seen in (sequence(nothing), told(("snapshot", 0, None), ("delta", 1, 0))):
        columns = (seen.seq, seen.heard, seen.applied, seen.at)
        assert {each.dtype for each in columns} == {np.dtype(np.int64)}
    assert not len(sequence(nothing).applied) and sequence(nothing).gaps == ()


def test_a_count_may_begin_at_0() -> None:
    seen = told(("snapshot", 0, None), ("delta", 1, 0))
    assert column(seen, "seq") == [0, 1] and column(seen, "numbered") == [True, True]


def test_deltas_above_a_late_snapshot_are_applied_after_it() -> None:
    seen = told(("delta", 6, 5), ("delta", 7, 6), ("snapshot", 5, None), ("delta", 8, 7))
    assert seen.applied.tolist() == [2, 0, 1, 3] and seen.at.tolist() == [2, 2, 2, 3]
    assert column(seen, "seq") == [7, 8] and not seen.gaps


def test_an_overlap_a_repeat_and_a_venue_that_counts_anew() -> None:
    seen = told(("snapshot", 10, None), ("delta", 12, 8), ("delta", 12, 8), ("delta", 3, 12), ("delta", 4, 3))
    assert seen.applied.tolist() == [0, 1, 3, 4] and not seen.gaps
    assert told(("snapshot", 10, None), ("delta", 11, 10), ("delta", 13, 10)).gaps == (2,)  # the second cannot overlap


def test_without_numbers_nothing_is_missing() -> None:
    seen = told(("delta", None, None), ("snapshot", None, None), ("delta", None, None), ("delta", None, None))
    assert seen.applied.tolist() == [0, 1, 2, 3] and seen.chained == 0 and not seen.gaps
    assert seen.intact.tolist() == [False, True, True, True] and not seen.numbered.any()


def test_a_message_without_levels_says_that_nothing_has_changed() -> None:
    # 5 again: heard, not applied; with levels or an older number it is old; 9 after 8 shows a gap, levels or none
    seen = told(("snapshot", 5, None), ("delta", 5, 4), ("delta", 4, 3), ("delta", 5, 4), ("delta", 6, 5),
                ("delta", 9, 8), empty=[1, 2, 5])  # fmt: skip
    assert seen.applied.tolist() == [0, 4] and seen.gaps == (5,)
    assert seen.changed.tolist() == [True, True, False, False, True, True]
    assert column(seen, "heard") == [0, 1, 4, 4] and column(seen, "seq") == [5, 5, 6, 6]
    assert column(seen, "intact") == [True, True, True, False]


def test_a_gap_straight_after_a_snapshot_leaves_the_snapshot() -> None:
    seen = told(("snapshot", 5, None), ("delta", 8, 7))
    assert seen.gaps == (1,) and column(seen, "heard") == [0, 0] and column(seen, "intact") == [True, False]


def test_what_a_gap_kept_out_is_applied_after_the_snapshot_that_mends_it() -> None:
    # 9 and the heartbeat after it, each once
    seen = told(("snapshot", 5, None), ("delta", 9, 8), ("delta", 9, 9), ("snapshot", 8, None), ("delta", 10, 9))
    assert seen.applied.tolist() == [0, 3, 1, 2, 4] and seen.at.tolist() == [0, 3, 3, 3, 4]
    assert seen.gaps == (1,) and column(seen, "intact") == [True, False, True, True]


def test_what_waits_for_the_first_snapshot_is_applied_once() -> None:
    seen = told(("delta", 6, 5), ("delta", 6, 6), ("snapshot", 5, None))
    assert seen.applied.tolist() == [2, 0, 1]


def test_what_waited_may_overlap_the_snapshot_but_once() -> None:
    seen = told(("delta", 12, 8), ("delta", 14, 9), ("snapshot", 10, None), sent=[1, 2, 0])
    assert seen.applied.tolist() == [2, 0] and seen.gaps == (1,)


def test_what_comes_behind_a_gap_in_what_waited_waits_with_it() -> None:
    seen = told(("delta", 12, 8), ("delta", 14, 13), ("delta", 15, 14), ("snapshot", 10, None), ("snapshot", 13, None),
                sent=[1, 2, 3, 0, 0])  # fmt: skip
    assert seen.applied.tolist() == [3, 0, 4, 1, 2] and seen.at.tolist() == [3, 3, 4, 4, 4]
    assert seen.gaps == (1,) and seen.chained == 4  # 12, 14 with the gap before it, then 14 and 15


def test_a_heartbeat_is_no_delta_that_uses_the_overlap_up() -> None:
    seen = told(("snapshot", 10, None), ("delta", 3, 2), ("delta", 10, 10), ("delta", 12, 8))
    assert seen.applied.tolist() == [0, 2, 3] and not seen.gaps


@pytest.mark.parametrize("begin", ["delta", "snapshot"])
def test_a_snapshot_that_comes_late_does_not_undo_what_came_after_it(begin: str) -> None:
    # the old 4 cuts the run: 6, and what repeats it, are in the book once before and once after the late 5
    first = [("snapshot", 5, None), ("delta", 4, 3), ("delta", 6, 5), ("delta", 6, 6)]
    if begin == "snapshot":
        first = [("snapshot", 5, None), ("delta", 4, 3), ("snapshot", 6, None), ("delta", 6, 6)]
    seen = told(*first, ("snapshot", 5, None), ("delta", 7, 6), sent=[0] * 6)
    assert seen.applied.tolist() == [0, 2, 3, 4, 2, 3, 5] and seen.at.tolist() == [0, 2, 3, 4, 4, 4, 5]
    assert column(seen, "seq") == [5, 6, 6, 6, 7] and not seen.gaps


# 5 and 6 are in the book when 5 comes again: is the 6 of an older numbering?
@pytest.mark.parametrize(
    ("sent", "untimed", "applied"),
    [
        ([0, 1, 2, 3], [], [0, 2, 3]),  # sent before it: yes
        ([0, 1, 3, 3], [], [0, 2, 3, 2]),
        ([0, 1, 4, 3], [], [0, 2, 3, 2]),
        ([0, 1, 2, 3], [2], [0, 2, 3, 2]),  # not known
        ([0, 1, 2, 3], [3], [0, 2, 3, 2]),
    ],
)
def test_what_the_venue_sent_before_a_snapshot_is_not_applied_after_it(
    sent: list[int], untimed: list[int], applied: list[int]
) -> None:
    seen = told(
        ("snapshot", 5, None), ("delta", 4, 3), ("delta", 6, 5), ("snapshot", 5, None), sent=sent, untimed=untimed
    )
    assert seen.applied.tolist() == applied


@pytest.mark.parametrize(
    ("number", "sent", "applied", "gaps"),
    [
        (8, 2, [0, 2, 1], (1,)),  # 9 follows it, and is of its numbering
        (7, 2, [0, 2], (1,)),  # it does not, and was sent before: it is of an older one
        (7, 1, [0, 2], (1, 1)),  # it was not: something is missing still
        (9, 1, [0, 2], (1,)),
    ],
)
def test_what_a_gap_kept_out_counts_if_it_follows(
    number: int, sent: int, applied: list[int], gaps: tuple[int, ...]
) -> None:
    seen = told(("snapshot", 5, None), ("delta", 9, 8), ("snapshot", number, None), sent=[0, 1, sent])
    assert seen.applied.tolist() == applied and seen.gaps == gaps


@pytest.mark.parametrize("number", [5, 6])
def test_a_snapshot_at_or_above_the_last_number_has_nothing_behind_it(number: int) -> None:
    seen = told(("snapshot", 5, None), ("delta", number, 5), ("delta", 4, 3), ("snapshot", number, None), sent=[0] * 4)
    assert seen.applied.tolist() == [0, 1, 3]


def test_a_late_snapshot_is_late_whatever_it_names_as_the_one_before() -> None:
    seen = told(("snapshot", 5, None), ("delta", 6, 5), ("snapshot", 5, 6), sent=[0] * 3)
    assert seen.applied.tolist() == [0, 1, 2, 1]


def test_what_follows_a_reset_is_kept_from_the_reset_on() -> None:
    seen = told(("snapshot", 10, None), ("delta", 11, 10), ("delta", 3, 11), ("delta", 4, 3), ("delta", 5, 4),
                ("snapshot", 3, None), sent=[0] * 6)  # fmt: skip
    assert seen.applied.tolist() == [0, 1, 2, 3, 4, 5, 3, 4]


def test_any_snapshot_may_be_overlapped() -> None:
    # the second stands at the number of the last delta, an old message comes between it and the one that overlaps it
    seen = told(("snapshot", 5, None), ("delta", 6, 5), ("snapshot", 6, None), ("delta", 2, 1), ("delta", 8, 5))
    assert seen.applied.tolist() == [0, 1, 2, 4] and not seen.gaps


def test_an_old_message_is_not_kept() -> None:
    seen = told(("snapshot", 9, None), ("delta", 8, 7), ("snapshot", 5, None), sent=[0] * 3)
    assert seen.applied.tolist() == [0, 2, 0] and seen.chained == 1


@st.composite
def feeds(draw: st.DrawFn) -> Messages:
    count = draw(st.integers(1, 14))

    def row(of: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(of, min_size=count, max_size=count))

    seq, mostly = np.array(row(st.sampled_from([0, 1, 1, 1, 1, 2, -1, -3]))).cumsum() + 9, [True] * 9 + [False]
    prev = seq - row(st.sampled_from([0, 1, 1, 1, 1, 2, -1]))
    bools = [np.array(row(st.sampled_from(each))) for each in (mostly, [False] * 4 + [True], [False] * 4 + [True])]
    return Messages(seq, prev, *bools, np.array(row(st.booleans())), np.array(row(st.integers(0, 5))))


@REPEATABLE
@given(feeds())
def test_runs_are_what_their_messages_are_one_by_one(feed: Messages) -> None:
    seen = sequence(feed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Messages, "follows", lambda self: np.zeros(len(self), dtype=bool))
        patch.setattr(replay._Follower, "wait", lambda self, place: place)
        alone = sequence(feed)
    for name in (*COLUMNS, "changed", "applied", "at"):
        assert getattr(seen, name).tolist() == getattr(alone, name).tolist(), name
    assert (seen.gaps, seen.chained) == (alone.gaps, alone.chained)
