"""The book: venues' own examples, stories, and a venue whose true book is known while its messages get lost."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mmverify.errors import Undefined
from mmverify.replay.order_book import Level, OrderBook, checksum

START = [("bid", 99, 5), ("bid", 98, 4), ("ask", 101, 6), ("ask", 102, 7)]


def book(*updates: tuple[Any, ...], depth: int | None = None) -> OrderBook:
    """Make a book from a snapshot of `START` at 10 and then deltas (seq, prev_seq, levels)."""
    made = OrderBook(depth)
    made.apply("snapshot", 10, None, START)
    for update in updates:
        made.apply("delta", *update)
    return made


def seen(made: OrderBook) -> tuple[Any, ...]:
    return made.bids, made.asks, made.valid, made.seq


# --- what venues say --------------------------------------------------------------------------------------------------


def test_okx_sequence_with_a_heartbeat_and_a_reset() -> None:
    # OKX, order book channel: (prev, seq) -1 10, 10 15, 15 15 heartbeat, 15 3 reset after maintenance, 3 5
    made = OrderBook()
    made.apply("snapshot", 10, -1, START)
    for prev_seq, seq in [(10, 15), (15, 15), (15, 3), (3, 5)]:
        made.apply("delta", seq, prev_seq, [("bid", 90, seq)] if seq != prev_seq else [])
        assert (made.valid, made.seq) == (True, seq)
    assert made.bids[-1] == (90, 5)


def test_deribit_change_ids_need_not_be_contiguous_but_must_be_linked() -> None:
    # Deribit, book channel: 100; 100 -> 101; 101 -> 105; 106 -> 107 must resubscribe
    made = OrderBook()
    made.apply("snapshot", 100, None, START)
    for prev_seq, seq, valid in [(100, 101, True), (101, 105, True), (106, 107, False)]:
        made.apply("delta", seq, prev_seq, [])
        assert made.valid is valid


KRAKEN_ASKS = [
    "0.05005",
    "0.05010",
    "0.05015",
    "0.05020",
    "0.05025",
    "0.05030",
    "0.05035",
    "0.05040",
    "0.05045",
    "0.05050",
]
KRAKEN_BIDS = [
    "0.05000",
    "0.04995",
    "0.04990",
    "0.04980",
    "0.04975",
    "0.04970",
    "0.04965",
    "0.04960",
    "0.04955",
    "0.04950",
]


def test_kraken_checksum_of_its_guide() -> None:
    # docs.kraken.com, "Book checksum": all quantities 0.00000500
    bids, asks = ([(price, "0.00000500") for price in side] for side in (KRAKEN_BIDS, KRAKEN_ASKS))
    assert checksum("kraken", bids, asks) == 974947235
    beyond = [("0.04000", "1.00000000")], [("0.06000", "1.00000000")]
    assert checksum("kraken", bids + beyond[0], asks + beyond[1]) == 974947235


def test_okx_checksum_of_its_guide() -> None:
    # OKEx, spot websocket, checksum, example 2: the longer side goes on alone
    bids, asks = [("3366.1", "7")], [("3366.8", "9"), ("3368", "8"), ("3372", "8")]
    assert checksum("okx", bids, asks) == 831078360
    assert checksum("okx", asks, bids) != 831078360


def crc32_by_bits(text: str) -> int:
    """CRC-32 (IEEE 802.3) by its definition: a remainder of polynomials, a bit at a time."""
    rest = 0xFFFFFFFF
    for byte in text.encode():
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0xEDB88320 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF


def test_okx_checksum_is_signed_and_ends_after_25_levels() -> None:
    bids = [(str(1000 - n), str(n + 1)) for n in range(30)]
    asks = [(str(1001 + n), str(n + 2)) for n in range(26)]
    text = ":".join(f"{1000 - n}:{n + 1}:{1001 + n}:{n + 2}" for n in range(25))
    unsigned = crc32_by_bits(text)
    assert unsigned >= 2**31, "this book was chosen for its sign"
    assert checksum("okx", bids, asks) == unsigned - 2**32


def test_a_trailing_zero_counts_in_a_checksum_and_an_unknown_venue_has_none() -> None:
    assert checksum("kraken", [("1.50", "2")], []) == crc32_by_bits("1502")
    assert checksum("kraken", [("1.5", "2")], []) == crc32_by_bits("152")
    assert checksum("kraken", [("0.0015", "0.20")], [("10.0", "007")]) == crc32_by_bits("1007" + "1520")
    assert checksum("okx", [], []) == 0
    with pytest.raises(Undefined, match="binance"):
        checksum("binance", [], [])


# --- stories ----------------------------------------------------------------------------------------------------------


def test_a_new_book_is_empty_and_not_valid() -> None:
    assert seen(OrderBook()) == ([], [], False, None)
    assert OrderBook().best() == (None, None)


def test_quantities_are_absolute_and_zero_removes() -> None:
    made = book((11, 10, [("bid", 99, 2), ("ask", 101, 0), ("ask", 50_000, 0), ("bid", 97, 1), ("bid", 97, 3)]))
    assert seen(made) == ([(99, 2), (98, 4), (97, 3)], [(102, 7)], True, 11)


def test_a_snapshot_leaves_nothing_of_the_book_before() -> None:
    made = book()
    made.apply("snapshot", 20, 5, [("bid", 1, 1), ("bid", 2, 0)])
    assert seen(made) == ([(1, 1)], [], True, 20)


def test_deltas_before_the_first_snapshot_wait_for_it() -> None:
    made = OrderBook()
    for seq in range(8, 13):
        made.apply("delta", seq, seq - 1, [("bid", seq, seq)])
        assert seen(made) == ([], [], False, None)
    made.apply("snapshot", 10, None, START)  # 8, 9 and 10 are in it
    assert seen(made) == ([(99, 5), (98, 4), (12, 12), (11, 11)], [(101, 6), (102, 7)], True, 12)


def test_a_gap_leaves_the_book_as_it_was_until_a_snapshot() -> None:
    made = book((12, 11, [("bid", 99, 0)]), (11, 10, [("bid", 99, 1)]), (13, 12, [("bid", 98, 0)]))
    assert seen(made) == ([(99, 5), (98, 4)], [(101, 6), (102, 7)], False, 10)
    made.apply("snapshot", 12, None, [("bid", 98, 1)])
    assert seen(made) == ([], [], True, 13)


def test_a_snapshot_from_before_the_gap_counts_and_the_next_update_shows_the_gap_again() -> None:
    made = book((13, 12, [("bid", 99, 0)]))
    made.apply("snapshot", 11, None, START)
    assert (made.valid, made.seq, made.best()) == (True, 11, (99, 101))
    made.apply("delta", 14, 13, [])
    assert (made.valid, made.seq) == (False, 11)


def test_a_late_snapshot_of_a_whole_book_takes_what_came_after_it_in_again() -> None:
    made = book((11, 10, [("bid", 98, 0)]), (12, 11, [("bid", 97, 3)]), (13, 12, [("ask", 101, 9)]))
    # the venue's book at 11: 98 is gone; 12 and 13 follow it, 11 is in it
    made.apply("snapshot", 11, None, [("bid", 99, 5), ("ask", 101, 6), ("ask", 102, 7)])
    assert seen(made) == ([(99, 5), (97, 3)], [(101, 9), (102, 7)], True, 13)
    made.apply("snapshot", 12, None, [("bid", 99, 5), ("bid", 97, 3), ("ask", 101, 6)])
    assert seen(made) == ([(99, 5), (97, 3)], [(101, 9)], True, 13)


def test_what_is_taken_in_again_follows_by_its_own_numbers() -> None:
    # 15 names 12, 20 names 15; the heartbeat leaves what came before it where it was
    made = book((12, 10, [("bid", 98, 0)]), (15, 12, [("bid", 97, 3)]), (20, 15, [("ask", 101, 9)]), (20, 20, []))
    made.apply("snapshot", 12, None, [("bid", 99, 5), ("ask", 101, 6)])
    assert seen(made) == ([(99, 5), (97, 3)], [(101, 9)], True, 20)


def test_what_came_before_a_gap_or_a_reset_does_not_follow_a_late_snapshot() -> None:
    made = book((11, 10, []), (12, 11, []), (14, 13, []))
    made.apply("snapshot", 11, None, START)
    assert (made.valid, made.seq) == (True, 11)
    made = book((11, 10, []), (12, 11, []), (5, 12, []), (6, 5, []))
    made.apply("snapshot", 11, None, START)
    assert (made.valid, made.seq) == (True, 11)


def test_what_waited_before_a_reset_does_not_spoil_the_snapshots_after_it() -> None:
    made = book((900, 899, []), (3, 900, []), (4, 3, []))
    made.apply("snapshot", 4, None, START)
    made.apply("delta", 5, 4, [("bid", 99, 1)])
    assert (made.valid, made.seq, made.bids[0]) == (True, 5, (99, 1))


@pytest.mark.parametrize("prev_seq", [10, 9, 3])
def test_the_first_delta_may_overlap_the_snapshot(prev_seq: int) -> None:
    assert book((14, prev_seq, [("bid", 99, 1)])).bids[0] == (99, 1)


def test_a_later_delta_may_not_overlap() -> None:
    assert not book((14, 9, []), (16, 13, [])).valid
    assert book((10, 10, []), (14, 9, [])).valid, "a heartbeat is still the snapshot's seq"


@pytest.mark.parametrize(("seq", "prev_seq"), [(10, 9), (9, 8), (10, None), (3, 2)])
def test_an_old_update_is_ignored(seq: int, prev_seq: int | None) -> None:
    assert seen(book((seq, prev_seq, [("bid", 99, 1)]))) == seen(book())


def test_no_prev_seq_means_the_number_before() -> None:
    assert book((11, None, []), (12, None, [])).valid
    assert not book((11, None, []), (13, None, [])).valid


def test_locked_is_valid_crossed_is_not_until_it_uncrosses() -> None:
    made = book((11, 10, [("bid", 101, 1)]))
    assert made.valid
    made.apply("delta", 12, 11, [("bid", 102, 1)])
    assert (made.valid, made.best()) == (False, (102, 101))
    made.apply("delta", 13, 12, [("ask", 101, 0)])
    assert made.valid
    made.apply("snapshot", 20, None, [("bid", 3, 1), ("ask", 2, 1)])
    assert not made.valid


@pytest.mark.parametrize("kind", ["snapshot", "delta"])
@pytest.mark.parametrize(
    "wrong",
    [
        ("buy", 90, 1), (None, 90, 1), ("bid", -1, 1), ("bid", 0, 1), ("bid", 90, -1), ("ask", float("nan"), 1),
        ("ask", 90, Decimal("NaN")), ("ask", Decimal("sNaN"), 1), ("ask", float("inf"), 1), ("ask", 90, float("inf")),
        ("ask", None, 1), ("ask", 90, None), ("ask", "90", 1),
    ],
)  # fmt: skip
def test_a_message_with_one_bad_level_is_refused_whole_and_may_be_sent_again(kind: str, wrong: Level) -> None:
    made = book()
    before = seen(made)
    with pytest.raises(Undefined):
        made.apply(kind, 11, 10, [("bid", 99, 1), wrong])
    assert seen(made) == before
    made.apply("delta", 11, 10, [("bid", 99, 1)])
    assert (made.valid, made.bids[0]) == (True, (99, 1))


def test_an_unknown_kind_and_a_depth_of_nothing_are_refused() -> None:
    with pytest.raises(Undefined, match="partial"):
        OrderBook().apply("partial", 1, None, [])
    with pytest.raises(Undefined, match="0 levels"):
        OrderBook(0)


def test_a_level_beyond_the_depth_drops_out_for_good() -> None:
    made = book(depth=2)
    made.apply("delta", 11, 10, [("bid", 100, 1), ("ask", 103, 1)])
    assert (made.bids, made.asks) == ([(100, 1), (99, 5)], [(101, 6), (102, 7)])
    made.apply("delta", 12, 11, [("bid", 99, 0)])  # 98 is not shown again until the venue sends it
    assert made.bids == [(100, 1)]
    # whole messages count: 97 comes and 100 goes together
    made.apply("delta", 13, 12, [("bid", 97, 1), ("bid", 96, 1), ("bid", 100, 0)])
    assert made.bids == [(97, 1), (96, 1)]


def test_a_venue_without_numbers_can_miss_nothing() -> None:
    made = OrderBook()
    made.apply("delta", None, None, [("bid", 98, 1)])
    assert (made.bids, made.valid) == ([(98, 1)], False)
    made.apply("snapshot", None, None, START)
    made.apply("delta", None, None, [("bid", 98, 9)])
    assert (made.bids, made.valid, made.seq) == ([(99, 5), (98, 9)], True, None)


def test_numbers_may_begin_after_a_snapshot_without_one() -> None:
    made = OrderBook()
    made.apply("delta", 6, 5, [("bid", 1, 1)])  # nobody can tell whether it is in the snapshot
    made.apply("snapshot", None, None, START)
    made.apply("delta", 7, 6, [])
    assert (made.valid, made.seq, len(made.bids)) == (True, 7, 2)
    made.apply("delta", 9, 8, [])
    assert not made.valid


def test_small_levels_do_not_make_the_best() -> None:
    made = book((11, 10, [("bid", 100, 1), ("ask", 101, 3), ("ask", 102, 6)]))
    assert made.best() == (100, 101)
    assert made.best(4) == (99, 102)
    assert made.best(5) == (99, 102)
    assert made.best(6) == (None, 102)
    assert made.best(8) == (None, None)


def test_decimals_and_fractions_are_numbers_too() -> None:
    made = OrderBook()
    made.apply("snapshot", 1, None, [("bid", Decimal("0.10"), Decimal(1)), ("ask", Fraction(1, 3), Fraction(1))])
    made.apply("delta", 2, 1, iter([("bid", Decimal("0.1"), Decimal(0))]))
    assert (made.bids, made.asks) == ([], [(Fraction(1, 3), 1)])


def test_a_message_that_its_sender_reuses_is_kept_as_it_was() -> None:
    made, levels = OrderBook(), [("bid", 90, 1)]
    made.apply("delta", 11, 10, levels)
    levels.clear()
    made.apply("snapshot", 10, None, START)
    assert (90, 1) in made.bids


# --- histories --------------------------------------------------------------------------------------------------------

UPDATE = st.lists(
    st.one_of(
        st.tuples(st.just("bid"), st.integers(1, 9), st.integers(0, 3)),
        st.tuples(st.just("ask"), st.integers(10, 19), st.integers(0, 3)),
    ),
    max_size=4,
)


class Feed(RuleBasedStateMachine):
    """A venue changes its book and its feed loses, repeats, merges and delays messages.

    Whatever arrives, the bot's book is the venue's own as it was at the book's seq; and it is valid unless a message
    was missing since the last snapshot.
    """

    @initialize(first=UPDATE)
    def open(self, first: list[Level]) -> None:
        self.book = OrderBook()
        self.pages: list[dict[tuple[str, int], int]] = [{}]  # the venue's book after each number
        self.changes: list[list[Level]] = [[]]
        self.publish(first)
        self.last: int | None = None
        self.overlap = False
        self.whole = False
        self.early: list[tuple[int, int]] = []

    def publish(self, levels: list[Level]) -> None:
        page = dict(self.pages[-1])
        for side, price, qty in levels:
            page[side, price] = qty
        self.pages.append({key: qty for key, qty in page.items() if qty})
        self.changes.append(levels)

    def receive(self, start: int, end: int) -> None:
        """Deliver the changes after `start` up to `end` as one message."""
        levels = [level for change in self.changes[start + 1 : end + 1] for level in change]
        self.book.apply("delta", end, start if start != end - 1 or end % 2 else None, levels)
        if not self.whole:
            self.early.append((start, end))
        elif not self.take(start, end) and end > (self.last or 0):
            self.whole = False
            self.early = [(start, end)]

    def take(self, start: int, end: int) -> bool:
        assert self.last is not None
        fits = start == self.last or (self.overlap and start <= self.last < end)
        if fits:
            self.overlap = self.overlap and end == self.last
            self.last = end
            self.early.append((start, end))
        return fits

    @rule(levels=UPDATE)
    def next_message(self, levels: list[Level]) -> None:
        self.publish(levels)
        self.receive(len(self.pages) - 2, len(self.pages) - 1)

    @rule(levels=UPDATE)
    def lose_a_message(self, levels: list[Level]) -> None:
        self.publish(levels)

    @rule(start=st.integers(0, 99), more=st.integers(0, 4))
    def an_old_or_merged_message(self, start: int, more: int) -> None:
        start %= len(self.pages)
        self.receive(start, min(start + more, len(self.pages) - 1))

    @rule(back=st.integers(0, 4))
    def a_snapshot_that_may_be_late(self, back: int) -> None:
        seq = max(len(self.pages) - 1 - back, 1)
        self.book.apply("snapshot", seq, None, [(side, price, qty) for (side, price), qty in self.pages[seq].items()])
        self.last, self.whole, self.overlap = seq, True, True
        waiting, self.early = self.early, []
        for start, end in waiting:
            self.take(start, end)

    @rule(levels=UPDATE)
    def a_broken_message(self, levels: list[Level]) -> None:
        seq = 1 if self.last is None else self.last + 1
        with pytest.raises(Undefined):
            self.book.apply("delta", seq, seq - 1, [*levels, ("bid", 5, -1)])

    @invariant()
    def the_book_is_the_venues_at_its_number(self) -> None:
        page = self.pages[self.last or 0]
        bids = sorted(((p, q) for (side, p), q in page.items() if side == "bid"), reverse=True)
        asks = sorted((p, q) for (side, p), q in page.items() if side == "ask")
        assert seen(self.book) == (bids, asks, self.whole, self.last)


TestFeed = Feed.TestCase
TestFeed.settings = settings(max_examples=150, stateful_step_count=30)


@given(st.integers(1, 4), st.lists(UPDATE, max_size=12))
def test_a_book_of_some_depth_is_cut_after_each_message(depth: int, updates: list[list[Level]]) -> None:
    made = OrderBook(depth)
    made.apply("snapshot", 0, None, [])
    held: dict[str, list[tuple[int, int]]] = {"bid": [], "ask": []}
    for seq, levels in enumerate(updates, 1):
        made.apply("delta", seq, None, levels)
        for side, price, qty in levels:
            held[side] = [each for each in held[side] if each[0] != price] + [(price, qty)] * (qty > 0)
        held = {"bid": sorted(held["bid"])[::-1][:depth], "ask": sorted(held["ask"])[:depth]}
        assert (made.bids, made.asks) == (held["bid"], held["ask"])


def test_only_the_newest_ten_thousand_deltas_wait_for_a_snapshot() -> None:
    for number, seq in [(20_000, 30_000), (19_999, 19_999)]:  # the first delta kept is 20001, after 20000
        made = OrderBook()
        for each in range(1, 30_001):
            made.apply("delta", each, None, [("bid", Fraction(1, each), 1)])
        made.apply("snapshot", number, None, [])
        assert (made.valid, made.seq, len(made.bids)) == (True, seq, seq - number)


def test_okx_checksum_at_the_lowest_signed_number() -> None:
    # a bid whose text has the unsigned CRC 2^31
    assert crc32_by_bits("379629:107838") == 2**31
    assert checksum("okx", [("379629", "107838")], []) == -2147483648


def test_a_level_of_less_than_one_is_among_the_best_unless_a_least_quantity_is_given() -> None:
    made = book((11, 10, [("bid", 100, Decimal("0.5"))]))
    assert made.best() == (100, 101)
    assert made.best(1) == (99, 101)


def test_a_count_that_starts_again_in_a_gap_is_taken_up_by_its_snapshot() -> None:
    # 12 does not follow 10; the venue restarts at 1, its deltas 2 and 3 arrive before the snapshot of 1
    made = book((12, 11, [("bid", 97, 1)]), (2, 1, [("bid", 96, 2)]), (3, 2, [("bid", 95, 3)]))
    assert not made.valid
    made.apply("snapshot", 1, None, [("bid", 94, 4), ("ask", 101, 6)])
    assert seen(made) == ([(96, 2), (95, 3), (94, 4)], [(101, 6)], True, 3)
