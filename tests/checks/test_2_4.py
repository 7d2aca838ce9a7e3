"""Section 2.4 on sessions worked by hand, on those of the slow detectors, and on every mistake seeded for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from audit import audit
from audit.hand_1 import CASES, LAG, LIMITS, Case
from checks.hand_1_3 import look as look_at
from checks.hand_1_3 import statuses
from checks.seeded import fails_its_item, fails_nothing, planted, simulated
from test_audit_1 import write as write_case

from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.review.results import Assessment

FOUR = tuple(f"2.4.{n}" for n in range(1, 5))
LEVELS = "[quoting]\nlevels = 1\n"


def look(folder: Path, item: str, settings: str, fills: tuple[str, ...], events: tuple[str, ...]) -> Assessment:
    """Review one item: orders buy 5 of X at 99 unless a line says otherwise."""
    tables = {"order_events": events} | ({"fills": fills} if fills else {})
    write_case(folder, Case(item, "", "", settings, tables))
    return look_at(folder, item)


class Bad(NamedTuple):
    """A mistake made by hand: the finding that it is, figures and all."""

    name: str
    item: str
    events: tuple[str, ...]
    location: str
    was: str
    should: str
    amount: str
    work: str
    cause: str = ""
    settings: str = ""
    fills: tuple[str, ...] = ()


REPLACED = ("1 submit a PENDING_NEW", "2 ack a NEW order_id=v1", "3 replace_request b PENDING_REPLACE orig=a qty=7",
            "4 replace_ack b NEW orig=a qty=7")  # fmt: skip
REFUSED = ("1 submit a PENDING_NEW", "2 ack a NEW", "3 replace_request b PENDING_REPLACE orig=a price=98 qty=8")

WRONG = [
    Bad("a cancel of an id that was never sent", "2.4.1", ("1 submit a", "2 cancel_request z"), "order_events:2",
        "cancel_request was for z, which was never submitted", "an id that was", "",
        "no row before order_events:2 is a submit of z"),
    Bad("a replace of an id that was never sent", "2.4.1", ("1 submit a", "2 replace_request b orig=z"),
        "order_events:2", "replace_request was for z, which was never submitted", "an id that was", "",
        "no row before order_events:2 is a submit of z"),
    Bad("the venue's id in place of the client's", "2.4.1",
        ("1 submit a", "2 ack a order_id=v1", "3 cancel_request v1"), "order_events:3",
        "cancel_request was for v1, which was never submitted", "an id that was", "", "order_events:3 cancel_request",
        "the venue's order_id stands where the client_order_id belongs"),
    Bad("an id beside the venue's right one", "2.4.1",
        ("1 submit a", "2 ack a order_id=v1", "3 cancel_request y order_id=v1"), "order_events:3",
        "cancel_request was for y, which was never submitted", "an id that was", "", "order_events:3 cancel_request y"),
    Bad("a cancel of what is filled", "2.4.1",
        ("1 submit a PENDING_NEW", "2 fill a FILLED cum=5 leaves=0", "3 cancel_request a FILLED"), "order_events:3",
        "cancel_request was for a, which was FILLED already", "nothing: the order is done", "",
        "order_events:2 fill a of X, price 99, qty 5, cum_qty 5: FILLED"),
    # 5 x 99 = 495 rest
    Bad("a cancel sent to another market", "2.4.1", ("1 submit a", "2 cancel_request a symbol=S"), "order_events:2",
        "cancel_request of a was sent to S", "X, where the order is", "495", "order_events:1 submit a of X"),
    # 7 x 99 = 693 rest
    Bad("the id of before the replace", "2.4.1", (*REPLACED, "5 cancel_request a"), "order_events:5",
        "cancel_request was for a, which was replaced", "b", "693", "order_events:4 replace_ack b for a of X",
        "the id of before the replace was kept"),
    Bad("the id of before two replaces", "2.4.1",
        (*REPLACED, "5 replace_request c orig=b qty=7", "6 replace_ack c NEW orig=b qty=7",
         "7 replace_request d orig=a"),
        "order_events:7", "replace_request was for a, which was replaced", "c", "693", "order_events:6 replace_ack c"),
    # of 5, 2 are filled: 3 x 99 = 297 rest
    Bad("the id of a refused replacement", "2.4.1",
        (*REFUSED, "4 replace_reject b NEW orig=a", "5 partial_fill a PARTIALLY_FILLED cum=2 leaves=3",
         "6 cancel_request b"), "order_events:6",
        "cancel_request was for b, which was refused as a replacement", "a", "297", "order_events:4 replace_reject b",
        "the id of the refused replacement was kept"),
    # 8 x 98 = 784 in place of 5 x 99 = 495
    Bad("the refused terms are kept", "2.4.2",
        (*REFUSED, "4 replace_reject b NEW orig=a price=98 qty=8", "5 cancel_request a PENDING_CANCEL price=98 qty=8"),
        "order_events:4", "a of X had price 98 and qty 8 after a replace_reject", "price 99 and qty 5", "289",
        "order_events:3 replace_request b for a of X, price 98, qty 8",
        "the terms that were asked for were kept though the venue refused them"),
    Bad("other terms come later", "2.4.2",
        (*REFUSED, "4 replace_reject b NEW orig=a", "5 partial_fill a PARTIALLY_FILLED cum=1 leaves=3 qty=4"),
        "order_events:5", "a of X had qty 4 after a replace_reject", "qty 5", "99", "order_events:4 replace_reject b"),
    Bad("the order is taken for gone", "2.4.2", (*REFUSED, "4 replace_reject b CANCELED orig=a"), "order_events:4",
        "a of X was CANCELED after a replace_reject", "the state of before the request", "495",
        "order_events:3 replace_request b", "the refusal of a replace was taken for the end of the order"),
    Bad("the order waits on", "2.4.2", (*REFUSED, "4 replace_reject b PENDING_REPLACE orig=a"), "order_events:4",
        "a of X was PENDING_REPLACE after a replace_reject", "the state of before the request", "",
        "order_events:1 submit a"),
    # 5 x 98 = 490 beside what is being cancelled
    Bad("the next quote before the last is gone", "2.4.3",
        ("1 submit a intent=quote_bid", "2 ack a NEW", "3 cancel_request a PENDING_CANCEL",
         "4 submit b intent=quote_bid price=98", "5 cancel_ack a CANCELED"),
        "order_events:4", "b was live quote_bid number 2 of X", "1 at most (quoting.levels)", "490",
        "1. b arrives before the cancel of a: 1 + 1 = 2 quote_bid, 1 more than 1",
        "the new order was sent before the cancel of the old one was answered", LEVELS),
    Bad("a second quote and no cancel", "2.4.3", ("1 submit a intent=quote_ask side=sell", "2 ack a NEW",
                                                 "3 submit b intent=quote_ask side=sell"),
        "order_events:3", "b was live quote_ask number 2 of X", "1 at most (quoting.levels)", "495",
        "order_events:2 a: sell, 5 left, NEW", settings=LEVELS),
    Bad("one more than mostly", "2.4.3",
        ("1 submit a intent=quote_bid", "2 submit b intent=quote_bid", "900 submit c intent=quote_bid",
         "901 cancel_ack c CANCELED"),
        "order_events:3", "c was live quote_bid number 3 of X", "2 at most (as many as are live most of the time",
        "495",
        "3. c arrives: 2 + 1 = 3 quote_bid, 1 more than 2"),
    # 6 + 6 = 12, 2 above 10: 2 x 99 = 198
    Bad("a cancelled order may still fill", "2.4.4",
        ("1 submit a qty=6", "2 ack a NEW qty=6", "3 cancel_request a PENDING_CANCEL qty=6", "4 submit b qty=6"),
        "order_events:4", "b may take the position of X to 12 with what is left of a", "max_position 10 at most", "198",
        "1. the cancel of a arrives after its fill of 6: 0 + 6 = 6", settings=LIMITS),
    # short 4, 3 being cancelled, 4 new: 11 short, 1 above: 1 x 99
    Bad("a sale beyond the limit", "2.4.4",
        ("1 submit a qty=3 side=sell", "2 cancel_request a PENDING_CANCEL qty=3 side=sell",
         "4 submit b qty=4 side=sell"),
        "order_events:3", "b may take the position of X to -11 with what is left of a", "max_position 10 at most", "99",
        "2. b arrives and fills 4: (-7) - 4 = -11, 1 below -10", settings=LIMITS,
        fills=("0 e0 sell 4 100",)),
    # a replace from 2 to 5 beside 6 that are being cancelled: 11
    Bad("a replace to more", "2.4.4",
        ("1 submit a qty=6", "2 submit c qty=2", "3 cancel_request a PENDING_CANCEL qty=6",
         "4 replace_request d orig=c qty=5"),
        "order_events:4", "c may take the position of X to 11 with what is left of a", "max_position 10 at most", "99",
        "2. the replace of c arrives before its fill of 5: 6 + 5 = 11, 1 above 10", settings=LIMITS),
]  # fmt: skip


@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: bad.name)
def test_a_mistake_is_found_and_worked(bad: Bad, tmp_path: Path) -> None:
    seen = look(tmp_path, bad.item, bad.settings, bad.fills, bad.events)
    assert seen.errors == ()
    (finding,) = seen.findings
    assert finding.item == bad.item and finding.location.startswith(bad.location)
    assert bad.was in finding.current
    should, *work = finding.correct.split("\n")
    assert bad.should in should
    assert any(bad.work in line for line in work), work
    assert finding.impact.amount == (float(bad.amount) if bad.amount else None)
    assert bad.cause in finding.description


class Race(NamedTuple):
    """A race and its shortest story, every line of it."""

    name: str
    item: str
    events: tuple[str, ...]
    story: tuple[str, ...]
    settings: str = LIMITS
    fills: tuple[str, ...] = ()


RACES = [
    # 5 being cancelled and 4 new are within 10, 2 more that rest are not; of 2 and 1 that rest the 2 are enough
    Race("one that rests is needed beside the cancel", "2.4.4",
         ("1 submit a qty=1", "2 ack a NEW qty=1", "3 submit c qty=2", "4 ack c NEW qty=2", "5 submit d qty=5",
          "6 cancel_request d PENDING_CANCEL qty=5", "7 submit s qty=9 side=sell", "8 submit b qty=4"),
         ("position of X before order_events:8: 0",
          "order_events:6 d: buy, 5 left, PENDING_CANCEL",
          "order_events:4 c: buy, 2 left, NEW",
          "order_events:8 b: buy, 4 left, sent now",
          "1. the cancel of d arrives after its fill of 5: 0 + 5 = 5",
          "2. c fills 2: 5 + 2 = 7",
          "3. b arrives and fills 4: 7 + 4 = 11, 1 above 10",
          "no shorter story: b and any one other may take it to 9 at most",
          "with all 4 of its side: 12, 2 above 10",
          "without what is being cancelled: 7, within 10")),
    # short 4: of 5 that may only buy back, 4 fill if they come first, and 9 of a and 2 of b make 11 of 0
    Race("what only reduces fills first", "2.4.4",
         ("1 submit r qty=5 reduce_only=true", "2 submit a qty=9", "3 cancel_request a PENDING_CANCEL qty=9",
          "4 submit b qty=2"),
         ("position of X before order_events:4: -4",
          "order_events:1 r: buy, 5 left, reduce_only, PENDING_NEW",
          "order_events:3 a: buy, 9 left, PENDING_CANCEL",
          "order_events:4 b: buy, 2 left, sent now",
          "1. r arrives and fills 4 of 5, no further than flat: (-4) + 4 = 0",
          "2. the cancel of a arrives after its fill of 9: 0 + 9 = 9",
          "3. b arrives and fills 2: 9 + 2 = 11, 1 above 10",
          "no shorter story: b and any one other may take it to 7 at most",
          "without what is being cancelled: 2, within 10"), fills=("0 e0 sell 4 100",)),
    # of a's 7, 2 are filled; c is to be 3 or 4, e 6 or 2
    Race("replaces in flight", "2.4.4",
         ("1 submit a qty=7", "2 submit c qty=3", "3 submit e qty=6", "4 ack a NEW qty=7", "5 ack c NEW qty=3",
          "6 ack e NEW qty=6", "7 partial_fill a PARTIALLY_FILLED qty=7 cum=2 leaves=5",
          "8 replace_request k orig=c qty=4", "9 replace_request f orig=e qty=2",
          "10 cancel_request a PENDING_CANCEL qty=7", "11 submit b qty=1"),
         ("position of X before order_events:11: -5",
          "order_events:9 e: buy, 6 left, PENDING_REPLACE",
          "order_events:10 a: buy, 5 left, PENDING_CANCEL",
          "order_events:8 c: buy, 4 left, PENDING_REPLACE",
          "order_events:11 b: buy, 1 left, sent now",
          "1. the replace of e arrives after its fill of 6: (-5) + 6 = 1",
          "2. the cancel of a arrives after its fill of 5: 1 + 5 = 6",
          "3. the replace of c arrives before its fill of 4: 6 + 4 = 10",
          "4. b arrives and fills 1: 10 + 1 = 11, 1 above 10",
          "no shorter story: b and any 2 others may take it to 7 at most",
          "without what is being cancelled: 6, within 10"), fills=("0 e0 sell 7 100", "7 e1 buy 2 99 order=a")),
    Race("a cancel of the other side is no part of it", "2.4.4",
         ("1 submit a qty=1 side=sell", "2 cancel_request a PENDING_CANCEL qty=1 side=sell",
          "3 submit c qty=2", "4 cancel_request c PENDING_CANCEL qty=2", "5 submit b qty=2"),
         ("position of X before order_events:5: 7",
          "order_events:4 c: buy, 2 left, PENDING_CANCEL",
          "order_events:5 b: buy, 2 left, sent now",
          "1. the cancel of c arrives after its fill of 2: 7 + 2 = 9",
          "2. b arrives and fills 2: 9 + 2 = 11, 1 above 10",
          "no shorter story: b alone may take it to 9 at most",
          "without what is being cancelled: 9, within 10"), fills=("0 e0 buy 7 100",)),
    # two levels: d rests, c and e are cancelled, one of which is enough
    Race("one late cancel of two is enough", "2.4.3",
         ("1 submit c intent=quote_bid", "2 cancel_request c PENDING_CANCEL", "3 submit d intent=quote_bid",
          "4 ack d NEW", "5 submit h intent=quote_ask side=sell", "6 submit e intent=quote_bid qty=2",
          "7 cancel_request e PENDING_CANCEL qty=2", "8 submit b intent=quote_bid qty=3"),
         ("order_events:4 d: buy, 5 left, NEW",
          "order_events:2 c: buy, 5 left, PENDING_CANCEL",
          "order_events:6 e: buy, 2 left, sent now",
          "acknowledged: 2",
          "1. e arrives before the cancel of c: 2 + 1 = 3 quote_bid, 1 more than 2",
          "no shorter story: 2 at once are allowed"), "[quoting]\nlevels = 2\n"),
    # nothing is acknowledged: a and c are on their way as b is
    Race("three on their way", "2.4.3",
         ("1 submit a intent=quote_ask side=sell", "2 submit c intent=quote_ask side=sell",
          "3 cancel_request a PENDING_CANCEL side=sell", "4 submit b intent=quote_ask side=sell"),
         ("order_events:2 c: sell, 5 left, PENDING_NEW",
          "order_events:3 a: sell, 5 left, PENDING_CANCEL",
          "order_events:4 b: sell, 5 left, sent now",
          "acknowledged: 1",
          "1. c arrives: 1 + 1 = 2",
          "2. b arrives before the cancel of a: 2 + 1 = 3 quote_ask, 1 more than 2",
          "no shorter story: 2 at once are allowed"), "[quoting]\nlevels = 2\n"),
]  # fmt: skip


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_a_race_is_told_by_its_shortest_story(race: Race, tmp_path: Path) -> None:
    (finding,) = look(tmp_path, race.item, race.settings, race.fills, race.events).findings
    assert finding.work == race.story


class Sent(NamedTuple):
    """An order of a drawn race: what it may fill, and what of it is in flight beside that."""

    name: str
    side: str
    qty: int
    filled: int
    reduce_only: bool
    request: str
    asked: int

    @property
    def direction(self) -> int:
        return 1 if self.side == "buy" else -1


def draw(seed: int) -> tuple[int, list[Sent]]:
    """Draw a position and a few orders, the last of which is sent when all others are."""
    random = Random(seed)
    orders = []
    for name in "acdb" if seed % 2 else "acdeb":
        request = "" if name == "b" else random.choice(["", "cancel", "cancel", "replace"])
        qty = random.randint(1, 7)
        orders.append(Sent(
            name, "buy" if random.random() < 0.75 else "sell", qty, random.choice([0, 0, qty // 2]) * (name != "b"),
            random.random() < 0.3, request, random.randint(1, 7),
        ))  # fmt: skip
    return random.randint(-9, 9), orders


def recorded(position: int, orders: list[Sent]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write the fills and the order events of a drawn race."""

    def row(event: str, order: Sent, name: str = "", more: str = "") -> str:
        flags = f"side={order.side} reduce_only={str(order.reduce_only).lower()}"
        return f"{event} {name or order.name} {flags} {more or f'qty={order.qty}'}"

    bought = sum(order.direction * order.filled for order in orders)
    held = position - bought
    fills = [f"0 h {'buy' if held > 0 else 'sell'} {abs(held)} 100"] if held else []
    fills += [f"20 f{order.name} {order.side} {order.filled} 99 order={order.name}" for order in orders if order.filled]
    events = [row("submit", order) for order in orders[:-1]]
    events += [row("replace_request", order, f"{order.name}2", f"orig={order.name} qty={order.asked}")
               for order in orders if order.request == "replace"]  # fmt: skip
    events += [row("cancel_request", order) for order in orders if order.request == "cancel"]
    events = [f"{n} {each}" for n, each in enumerate(events, 1)]
    return tuple(fills), (*events, f"30 {row('submit', orders[-1])}")


def arrivals(position: int, orders: list[Sent], *, late: bool = True) -> Iterator[tuple[int, frozenset[str]]]:
    """Try every order in which all that is in flight may arrive.

    Yield, after each arrival, the position and whose fills moved it. Without `late` a cancel arrives before any fill of
    its order.
    """
    messages = {(order.name, what) for order in orders for what in ("fill", order.request) if what}
    by_name = {order.name: order for order in orders}
    states = {(frozenset[tuple[str, str]](), position, frozenset[str]())}
    while states:
        following = set()
        for came, held, filled in states:
            yield held, filled
            for name, what in messages - came:
                order, size = by_name[name], 0
                is_gone = (name, "cancel") in came or (order.request == "cancel" and not late)
                if what == "fill" and not is_gone:
                    size = max(0, (order.asked if (name, "replace") in came else order.qty) - order.filled)
                    if order.reduce_only:
                        size = min(size, max(0, -held * order.direction))
                following.add(
                    (came | {(name, what)}, held + order.direction * size, filled | ({name} if size else set()))
                )
        states = following


def fewest(position: int, orders: list[Sent]) -> int | None:
    """Return the fewest orders, the last one of them, whose fills pass 10; None where none do."""
    sign, newest = orders[-1].direction, orders[-1].name
    found = (len(names) for held, names in arrivals(position, orders) if held * sign > 10 and newest in names)
    return min(found, default=None)


def is_race(position: int, orders: list[Sent]) -> bool:
    """Say whether only late cancels let the position pass 10, and the last order takes it further."""
    sign = orders[-1].direction
    most = max(held * sign for held, _ in arrivals(position, orders))
    certain = max(held * sign for held, _ in arrivals(position, orders, late=False))
    without = max(held * sign for held, _ in arrivals(position, orders[:-1]))
    return most > 10 >= certain and most > without


@pytest.mark.parametrize("seed", range(60))
def test_a_drawn_race_is_found_and_told_as_short_as_every_order_of_arrival_allows(seed: int, tmp_path: Path) -> None:
    position, orders = draw(seed)
    findings = look(tmp_path, "2.4.4", LIMITS, *recorded(position, orders)).findings
    assert bool(findings) == is_race(position, orders)
    for finding in findings:
        names = {line.split(" ", 2)[1].rstrip(":") for line in finding.work if line.startswith("order_events:")}
        told = [order for order in orders if order.name in names]
        assert told[-1] == orders[-1]
        assert len(told) == fewest(position, orders) == fewest(position, told)
        assert not [one for one in told[:-1] if fewest(position, [each for each in told if each != one])]


def test_drawn_races_are_of_every_kind() -> None:
    drawn = [draw(seed) for seed in range(60)]
    kinds = {(fewest(*each), is_race(*each)) for each in drawn}
    assert {(None, False), (1, False), (2, True), (2, False), (3, True), (4, True)} <= kinds, kinds


class Odd(NamedTuple):
    """What is odd and legal."""

    name: str
    item: str
    exercised: int
    events: tuple[str, ...]
    settings: str = ""
    fills: tuple[str, ...] = ()


LEGAL = [
    Odd("either id while the replace is open", "2.4.1", 3,
        (*REFUSED, "4 cancel_request a PENDING_CANCEL", "5 cancel_request b PENDING_CANCEL")),
    Odd("the old id after a refusal, the new one after an ack", "2.4.1", 4,
        (*REFUSED, "4 replace_reject b NEW orig=a", "5 cancel_request a PENDING_CANCEL", "6 cancel_reject a NEW",
         "7 replace_request c PENDING_REPLACE orig=a", "8 replace_ack c NEW orig=a", "9 cancel_request c")),
    Odd("a refused id that is asked for again", "2.4.1", 3,
        (*REFUSED, "4 replace_reject b NEW orig=a", "5 replace_request b PENDING_REPLACE orig=a",
         "6 cancel_request b")),
    Odd("by the venue's id alone", "2.4.1", 1, ("1 submit a", "2 ack a order_id=v1", "3 cancel_request  order_id=v1")),
    Odd("an id of its own for the cancel", "2.4.1", 1, ("1 submit a", "2 ack a NEW", "3 cancel_request k orig=a")),
    Odd("open when the recording began", "2.4.1", 1, ("1 reconcile a NEW", "2 cancel_request a PENDING_CANCEL")),
    Odd("cancelled and filled by then, refused", "2.4.2", 1,
        (*REFUSED, "4 fill a FILLED cum=5 leaves=0", "5 replace_reject b FILLED orig=a")),
    Odd("refused while its cancel is open", "2.4.2", 1,
        (*REFUSED, "4 cancel_request a PENDING_CANCEL", "5 replace_reject b PENDING_CANCEL orig=a")),
    Odd("refused, asked for again and acknowledged", "2.4.2", 1,
        (*REFUSED, "4 replace_reject b NEW orig=a price= qty=", "5 replace_request c PENDING_REPLACE orig=a price=98",
         "6 replace_ack c NEW orig=a price=98", "7 cancel_request c PENDING_CANCEL price=98")),
    Odd("other digits of the same price", "2.4.2", 1, (*REFUSED, "4 replace_reject b NEW orig=a price=99.00 qty=5.0")),
    Odd("the answer has the next one's time", "2.4.3", 2,
        ("1 submit a intent=quote_bid", "2 cancel_request a PENDING_CANCEL", "3 cancel_ack a CANCELED",
         "3 submit b intent=quote_bid"), LEVELS),
    Odd("filled by a fill that is known and not yet told", "2.4.3", 2,
        ("1 submit a intent=quote_bid", "3 submit b intent=quote_bid"), LEVELS, ("2 e1 buy 5 99 order=a",)),
    Odd("filled, or perhaps not: the bust has the time of the quote", "2.4.3", 2,
        ("1 submit a intent=quote_bid", "3 submit b intent=quote_bid"), LEVELS,
        ("2 e1 buy 5 99 order=a", "3 x1 buy 5 99 order=a kind=bust of=e1")),
    Odd("a replace beside it, the other side, a hedge", "2.4.3", 2,
        ("1 submit a intent=quote_bid", "2 replace_request b orig=a", "3 submit c intent=quote_ask side=sell",
         "4 submit d intent=open_long"), LEVELS),
    Odd("as many live as not", "2.4.3", 2,
        ("1 submit a intent=quote_bid", "11 submit b intent=quote_bid", "21 expire b EXPIRED")),
    Odd("room for both", "2.4.4", 1,
        ("1 submit a qty=6", "2 cancel_request a PENDING_CANCEL qty=6", "3 submit b qty=4"),
        LIMITS),
    Odd("the limit is passed by what rests alone", "2.4.4", 1,
        ("1 submit a qty=6", "2 cancel_request a PENDING_CANCEL qty=6", "3 submit b qty=11"), LIMITS),
    Odd("the other side", "2.4.4", 1,
        ("1 submit a qty=6", "2 cancel_request a PENDING_CANCEL qty=6", "3 submit b qty=9 side=sell",
         "4 submit c qty=4"), LIMITS),
    Odd("what only reduces adds nothing to a long position", "2.4.4", 1,
        ("1 submit a qty=6", "2 cancel_request a PENDING_CANCEL qty=6", "3 submit b qty=1 reduce_only=true"), LIMITS,
        ("0 e0 buy 5 99",)),
    Odd("a sale that perhaps was known made room", "2.4.4", 1,
        ("1 submit a qty=6", "2 cancel_request a PENDING_CANCEL qty=6", "50 submit b qty=6"), LIMITS + LAG,
        ("0 e0 sell 4 99", "40 e1 buy 4 99")),
]  # fmt: skip


@pytest.mark.parametrize("odd", LEGAL, ids=lambda odd: odd.name)
def test_what_is_legal_is_not_reported(odd: Odd, tmp_path: Path) -> None:
    seen = look(tmp_path, odd.item, odd.settings, odd.fills, odd.events)
    assert (seen.findings, seen.errors) == ((), ())
    assert [item.exercised for item in seen.items] == [odd.exercised]


def test_without_a_limit_nothing_is_held_to_it(tmp_path: Path) -> None:
    seen = look(tmp_path, "2.4.4", "", (), ("1 submit a qty=6", "2 cancel_request a qty=6", "3 submit b qty=6"))
    assert statuses(seen) == {"2.4.4": "not_assessed"}
    assert any("no max_position is stated for X" in note for note in seen.notes)


def test_submits_that_cannot_be_counted_are_said(tmp_path: Path) -> None:
    seen = look(tmp_path, "2.4.3", LEVELS, (), ("1 submit a", "2 submit b intent=quote_bid qty=", "3 submit c"))
    assert statuses(seen) == {"2.4.3": "not_assessed"}
    assert any("X: 2 submits state no intent" in note for note in seen.notes)
    assert any("X: 1 submits of quotes without a quantity" in note for note in seen.notes)


@pytest.mark.parametrize(
    "given", [each for each in CASES if each.item in FOUR], ids=lambda each: f"{each.item} {each.about}"
)
def test_the_cases_of_the_slow_detectors(given: Case, tmp_path: Path) -> None:
    write_case(tmp_path, given)
    seen = look_at(tmp_path, given.item)
    (item,) = seen.items
    assert (item.status, item.exercised) == (
        "failed" if given.where else "verified",
        audit(tmp_path, [given.item])[given.item].exercised,
    )
    places = {place for finding in seen.findings for place in finding.location.replace(",", " ").split()}
    assert set(given.where.split()) <= places


# --- seeded mistakes --------------------------------------------------------------------------------------------------

SEEDED = [each for each in defects().values() if each.item in FOUR]
ODD = [each for each in defects().values() if each.plant.__module__.endswith("s2_4") and not each.item]
CHOSEN = {
    "5": (5, None),
    "11-other": (11, {"cost_basis": "average", "realized": "net", "conversion": "fill"}),
    "23-lifo": (23, {"cost_basis": "lifo", "unrealized_price": "mid"}),
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    return simulated(tmp_path_factory.mktemp("simulated"), CHOSEN)


def test_a_simulated_session_exercises_all_and_breaks_nothing(recordings: dict[str, Recording]) -> None:
    for recording in recordings.values():
        seen = look_at(recording.folder, "2.4")
        assert (seen.findings, seen.errors) == ((), ())
        assert statuses(seen) == dict.fromkeys(FOUR, "verified")
        slow = audit(recording.folder, FOUR)
        assert {item.id: item.exercised for item in seen.items} == {name: each.exercised for name, each in slow.items()}


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_seeded_mistake_fails_its_item(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_its_item(chosen, planted(chosen, recordings, tmp_path, CHOSEN), "2.4", FOUR)


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_fails_nothing(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_nothing(planted(chosen, recordings, tmp_path, CHOSEN), "2.4")
