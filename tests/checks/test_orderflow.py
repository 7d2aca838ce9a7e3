"""The replay of order events on tiny sessions: every state, quantity and exposure is worked by hand."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from audit.recorded import Recorded
from audit.s1_2 import _in_flight as is_in_flight
from audit.s1_4 import is_open
from audit.state import asked, exposures, holdings, walk
from checks.hand_1_3 import Row, Tables, fills, market, table, write

from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.orderflow_exposure import Exposure, exposure
from mmverify.checks.orderflow_map import Report, Standing, allowed, step
from mmverify.checks.orderflow_positions import breaks, executions, held
from mmverify.numeric import Ints
from mmverify.replay.order_state import DONE, OPEN, STATES, Transition, transitions
from mmverify.session import open_session
from mmverify.session.load import Session
from mmverify.simulate import simulate

ETH = "ETH-PERP"
COLUMNS = "ts_local client_order_id event state qty cum_qty leaves_qty"


def events(text: str) -> list[Row]:
    """Read order events: a buy of ETH-PERP at 3000 unless a line says otherwise."""
    return table(f"{COLUMNS}\n{text}", symbol=ETH, side="buy", price="3000")


def opened(folder: Path, text: str, **tables: list[Row]) -> Session:
    """Write and open a session of one market and these order events."""
    return open_session(write(folder, {"instruments": market(ETH), "order_events": events(text)} | tables))


def replay(folder: Path, text: str, **tables: list[Row]) -> Flow:
    return flow(opened(folder, text, **tables))


def states(replayed: Flow) -> list[str]:
    return [STATES[code] for code in replayed.state]


def illegal(replayed: Flow) -> list[int]:
    """Return the rows, from 1, that the map does not allow."""
    return [row + 1 for row, legal in enumerate(replayed.is_legal) if not legal]


# --- the map ----------------------------------------------------------------------------------------------------------

PLAIN = Report("", "", None, False, False, False, False, False)
#: What must be true of an order or a report for a step that has a condition.
CONDITIONS = {
    "the cancel is still open": {"cancel_open": True},
    "the replace is still open": {"replace_open": True},
    "never acknowledged, nothing filled": {"is_acked": False},
}


@pytest.mark.parametrize("legal", [*transitions()], ids=lambda each: f"{each.event} {each.before} {each.after}")
def test_every_step_of_the_map_is_allowed_on_its_condition(legal: Transition) -> None:
    was = Standing(legal.before, is_acked=True)
    for words in legal.condition.split("; "):
        was = was._replace(**CONDITIONS.get(words, {}))
    report = PLAIN._replace(
        event=legal.event,
        state=legal.after,
        is_filled=legal.after in ("PARTIALLY_FILLED", "FILLED"),
        is_complete=legal.event == "fill",
        is_covered="at or below cum_qty" in legal.condition,
    )
    after, choices = step(was, report)
    assert legal.after in choices
    assert after.state == legal.after


@pytest.mark.parametrize(
    ("event", "state"),
    [
        *(("reject", state) for state in ("NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED")),
        ("cancel_ack", "NEW"),
        ("cancel_ack", "PARTIALLY_FILLED"),  # no cancel is open
        ("cancel_reject", "NEW"),
        ("replace_request", "PENDING_NEW"),
        ("replace_request", "PENDING_CANCEL"),
        ("replace_ack", "NEW"),
        ("replace_ack", "PARTIALLY_FILLED"),  # no replace is open
        ("fill", "REJECTED"),
        ("timeout", "NEW"),
        *((event, state) for event in ("cancel_request", "expire", "exchange_cancel", "liquidation") for state in DONE),
    ],
)
def test_what_the_map_has_no_step_for_is_not_allowed(event: str, state: str) -> None:
    assert allowed(Standing(state, is_acked=True), PLAIN._replace(event=event, is_complete=True)) == frozenset()


@pytest.mark.parametrize("state", [*OPEN, *DONE])
def test_a_repeated_report_leaves_any_state(state: str) -> None:
    report = PLAIN._replace(event="fill", is_complete=True, is_repeated=True)
    assert step(Standing(state), report) == (Standing(state, is_answered=True, is_traded=True), {state})


# --- lives ------------------------------------------------------------------------------------------------------------

CHAIN = """
    1  a submit          PENDING_NEW      10 0 10
    2  a ack             NEW              10 0 10  order_id=v1
    3  b replace_request PENDING_REPLACE  12 0 12  orig_client_order_id=a price=3001
    4  a partial_fill    PARTIALLY_FILLED 10 4 6   exec_id=e1
    5  b replace_ack     PARTIALLY_FILLED 12 4 8   orig_client_order_id=a price=3001
    6  x submit          PENDING_NEW      1  0 1   side=sell
    7  c replace_request PENDING_REPLACE  5  4 1   orig_client_order_id=b price=3002
    8  c replace_reject  PARTIALLY_FILLED 12 4 8   orig_client_order_id=b price=3001
    9  - fill            FILLED           12 12 0  order_id=v1 exec_id=e2
"""


def test_an_order_lives_on_under_the_ids_that_replace_it(tmp_path: Path) -> None:
    replayed = replay(tmp_path, CHAIN)
    assert replayed.lives.life.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0]
    assert replayed.lives.rows_of(0).tolist() == [0, 1, 2, 3, 4, 6, 7, 8]
    assert (replayed.lives.first.tolist(), replayed.lives.last.tolist()) == ([0, 5], [8, 5])
    assert replayed.lives.previous.tolist() == [-1, 0, 1, 2, 3, -1, 4, 6, 7]
    assert states(replayed) == [
        "PENDING_NEW", "NEW", "PENDING_REPLACE", "PARTIALLY_FILLED", "PARTIALLY_FILLED", "PENDING_NEW",
        "PENDING_REPLACE", "PARTIALLY_FILLED", "FILLED",
    ]  # fmt: skip
    assert illegal(replayed) == []
    # the quantity, price and id of the replace hold from its answer on, those of the refused one never
    qty, price = (replayed.table.decimals(name) for name in ("qty", "price"))
    assert [int(qty.fraction(int(at))) for at in replayed.qty_at] == [10, 10, 10, 10, 12, 1, 12, 12, 12]
    assert [int(price.fraction(int(at))) for at in replayed.price_at] == [3000] * 4 + [3001, 3000] + [3001] * 3
    assert [replayed.table.words("client_order_id").text(int(at)) for at in replayed.id_at] == list("aaaabxbbb")
    # the replace keeps its right to an answer when a fill comes between
    assert replayed.replace_open.tolist() == [False, False, True, True, False, False, True, False, False]
    assert replayed.asked.tolist() == [-1, -1, 2, 2, -1, -1, 6, -1, -1]
    assert replayed.done.tolist() == [8, -1]
    assert replayed.answer.tolist() == [1, -1, 4, -1, -1, -1, 7, -1, -1]
    assert replayed.direction.tolist() == [1, -1]


def test_terms_that_an_answer_does_not_repeat_are_those_asked_for(tmp_path: Path) -> None:
    replayed = replay(
        tmp_path,
        """1 a submit PENDING_NEW 10 0 10
           2 a ack    NEW         10 0 10
           3 a replace_request PENDING_REPLACE 12 0 12 price=3001
           4 a replace_ack     NEW             -  0 12 price=-""",
    )
    assert (replayed.qty_at.tolist(), replayed.price_at.tolist()) == ([0, 0, 0, 2], [0, 0, 0, 2])


def test_an_id_that_is_used_again_is_another_order(tmp_path: Path) -> None:
    replayed = replay(
        tmp_path,
        """1 a submit PENDING_NEW 10 0 10
           2 a reject REJECTED    10 0 0
           3 a submit PENDING_NEW 10 0 10
           4 a ack    NEW         10 0 10""",
    )
    assert replayed.lives.life.tolist() == [0, 0, 1, 1]
    assert illegal(replayed) == [3]
    assert replayed.lives.is_taken.tolist() == [False, False, True, False]


def test_one_wrong_state_is_one_wrong_row(tmp_path: Path) -> None:
    replayed = replay(
        tmp_path,
        """1 a submit         PENDING_NEW 10 0 10
           2 a ack            NEW         10 0 10
           3 a cancel_request NEW         10 0 10
           4 a cancel_ack     CANCELED    10 0 0""",
    )
    assert illegal(replayed) == [3]
    assert states(replayed)[2] == "PENDING_CANCEL"
    assert [STATES[code] for code in replayed.told_before[1:]] == ["PENDING_NEW", "NEW", "NEW"]


def test_the_venues_own_order_and_one_that_reconcile_adopts(tmp_path: Path) -> None:
    replayed = replay(
        tmp_path,
        """1 liq fill FILLED 10 10 0 origin=exchange
           2 old reconcile PARTIALLY_FILLED 10 4 6
           3 old cancel_request PENDING_CANCEL 10 4 6
           4 who ack NEW 10 0 10""",
    )
    assert illegal(replayed) == [4]  # never sent
    assert replayed.is_foreign.tolist() == [True, False, False]
    assert replayed.is_sent.tolist() == [False, False, False]


def test_without_states_the_events_tell_them(tmp_path: Path) -> None:
    replayed = replay(
        tmp_path,
        """1 a submit - 10 - -
           2 a ack    - -  - -
           3 a partial_fill - - - - exec_id=e1
           4 a cancel_request - - - -
           5 a cancel_reject  - - - -
           6 a fill - - - - exec_id=e2""",
    )
    assert states(replayed) == [
        "PENDING_NEW",
        "NEW",
        "PARTIALLY_FILLED",
        "PENDING_CANCEL",
        "PARTIALLY_FILLED",
        "FILLED",
    ]
    assert not replayed.judged.any()


def test_an_empty_session_has_no_orders(tmp_path: Path) -> None:
    session = open_session(write(tmp_path, {"instruments": market(ETH)}))
    assert len(flow(session)) == len(flow(session).lives) == 0
    assert len(exposure(session, ETH).asks) == 0


# --- positions --------------------------------------------------------------------------------------------------------


def test_reports_move_the_position_and_their_orders(tmp_path: Path) -> None:
    # e1 twice; e2 of 4 corrected to 3 at 3010, then taken back; e3 flips the position to short
    session = opened(
        tmp_path,
        "1 a submit PENDING_NEW 10 0 10\n2 s submit PENDING_NEW 9 0 9 side=sell order_id=v9",
        fills=fills(f"""
            5 {ETH} e1 buy  3000 2 maker 0 USDT client_order_id=a
            6 {ETH} e1 buy  3000 2 maker 0 USDT client_order_id=a
            7 {ETH} e2 buy  3006 4 maker 0 USDT client_order_id=a
            8 {ETH} c1 buy  3010 3 maker 0 USDT client_order_id=a kind=correction correction_of=e2
            9 {ETH} e3 sell 3020 9 maker 0 USDT client_order_id=- order_id=v9
            10 {ETH} c2 buy 3010 3 maker 0 USDT client_order_id=a kind=bust correction_of=e2
            11 {ETH} e4 buy 3001 1 maker 0 USDT client_order_id=elsewhere
        """),
    )
    known = executions(session, ETH)
    assert [known.qty(units) for units in known.position] == [0, 2, 2, 6, 5, -4, -7, -6]
    assert [known.qty(units) for units in known.filled] == [2, 0, 4, -1, 9, -3, 1]
    assert known.life.tolist() == [0, 0, 0, 0, 1, 0, -1]
    assert known.repeated.tolist() == [False, True, False, False, False, False, False]
    # 2 x 3000 + 4 x 3006 = 18024 / 6; then (2 x 3000 + 3 x 3010) / 5; then 2 at 3000 alone
    assert [known.average(0, count) for count in (0, 2, 3, 4, 7)] == [None, 3000, 3004, 3006, 3000]
    lives, counts = (np.array(each) for each in ([0, 0, 0, 0, 1], [2, 3, 4, 7, 7]))
    assert known.averages(lives, counts).tolist() == [3000.0, 3004.0, 3006.0, 3000.0, 3020.0]
    assert [known.qty(units) for units in known.filled_by(lives, counts)] == [2, 6, 5, 2, 9]


def test_the_average_of_an_inverse_contract_is_harmonic(tmp_path: Path) -> None:
    tables: Tables = {
        "instruments": market("BTC-USD"),
        "order_events": table(f"{COLUMNS}\n1 a submit PENDING_NEW 9 0 9", symbol="BTC-USD", side="buy", price="150"),
        "fills": fills("""
            5 BTC-USD e1 buy 100 1 maker 0 BTC client_order_id=a
            6 BTC-USD e2 buy 300 1 maker 0 BTC client_order_id=a"""),
    }
    known = executions(open_session(write(tmp_path, tables)), "BTC-USD")
    average = known.average(0, 2)  # 2 / (1/100 + 1/300) = 150
    assert average is not None and abs(average - 150) < Fraction(1, 10**20)


def test_a_fee_in_base_moves_the_position_and_not_the_order(tmp_path: Path) -> None:
    tables: Tables = {
        "instruments": market("BTC-USDT"),
        "order_events": table(f"{COLUMNS}\n1 a submit PENDING_NEW 3 0 3", symbol="BTC-USDT", side="buy", price="5"),
        "balances": table("ts_local asset total source\n0 BTC 2 exchange"),
        "fills": fills(
            "5 BTC-USDT e1 buy 5 1 maker 0.001 BTC client_order_id=a\n6 BTC-USDT e2 sell 5 1 maker 0.001 BTC"
        ),
    }
    known = executions(open_session(write(tmp_path, tables)), "BTC-USDT")
    assert [known.qty(units) for units in known.position] == [2, Fraction("2.999"), Fraction("1.998")]
    assert [known.qty(units) for units in known.filled] == [1, 1]


def test_claims_break_where_they_move_by_something_else_than_the_reports() -> None:
    # after 0, 1, 2, 3 reports 0, 5, 7, 4 are right; the third claim lacks the second report, the fifth makes it good
    rows, claimed = np.arange(5), np.array([0, 5, 5, 2, 4])
    low = high = np.array([0, 1, 2, 3, 3])
    found = list(breaks(rows, claimed, low, high, [0, 5, 7, 4], 0))
    assert [(each.row, each.since, each.until, each.offs, each.is_right) for each in found] == [
        (2, 1, 2, (-2,), False),
        (4, 3, 3, (2,), True),
    ]
    # a claim of equal time may know of the second report or not, but the next one has to stand on the same ground
    low = np.array([0, 1, 1, 3, 3])
    assert [each.row for each in breaks(rows, claimed, low, high, [0, 5, 7, 4], 0)] == [3, 4]
    assert list(breaks(rows, np.array([0, 5, 7, 4, 4]), low, high, [0, 5, 7, 4], 0)) == []


def test_claims_of_the_bot_are_held_to_half_a_unit(tmp_path: Path) -> None:
    session = opened(
        tmp_path,
        "1 a submit PENDING_NEW 10 0 10",
        fills=fills(f"5 {ETH} e1 buy 3000 2.26 maker 0 USDT client_order_id=a"),
        positions=table(f"ts_local symbol qty source\n4 {ETH} 0.0 bot\n6 {ETH} 2.3 bot\n7 {ETH} 9 exchange"),
    )
    told = held(session, ETH)
    assert len(told.line) == 2
    assert list(told.breaks()) == []


# --- exposure ---------------------------------------------------------------------------------------------------------

BUSY = """
    1  a  submit          PENDING_NEW     10 0 10
    2  a  ack             NEW             10 0 10
    3  b  submit          PENDING_NEW     5  0 5
    4  r  submit          PENDING_NEW     4  0 4   reduce_only=true
    5  s  submit          PENDING_NEW     7  0 7   side=sell
    6  a  cancel_request  PENDING_CANCEL  10 0 10
    7  b  ack             NEW             5  0 5
    8  b2 replace_request PENDING_REPLACE 8  0 8   orig_client_order_id=b
    9  s2 replace_request PENDING_REPLACE 6  0 6   orig_client_order_id=s side=sell
    20 c  submit          PENDING_NEW     1  0 1
    21 a  cancel_ack      CANCELED        10 6 0
    22 d  submit          PENDING_NEW     1  0 1   reduce_only=true
    23 z  liquidation     CANCELED        50 0 0   origin=exchange
    24 e  submit          PENDING_NEW     1  0 1   side=sell
"""
#: Six of a's ten are filled at 10, and at 20 two of s.
FILLS = f"""
    10 {ETH} e1 buy  3000 6 maker 0 USDT client_order_id=a
    20 {ETH} e2 sell 3000 2 maker 0 USDT client_order_id=s
"""


def exposed(folder: Path, **timing: int) -> Exposure:
    tables = {"instruments": market(ETH), "order_events": events(BUSY), "fills": fills(FILLS)}
    return exposure(open_session(write(folder, tables, timing=timing)), ETH)


def test_what_is_open_beside_each_ask(tmp_path: Path) -> None:
    seen = exposed(tmp_path)
    asks, unit = seen.asks, 10**seen.digits
    assert [row + 1 for row in asks.rows] == [1, 3, 4, 5, 8, 10, 12, 14]  # row 9 asks for less than s has

    def units(values: Ints) -> list[Fraction]:
        return [Fraction(int(value), unit) for value in values]

    assert units(asks.own) == [10, 5, 4, 7, 8, 1, 1, 1]
    # a; a and b; no other sell; at 8 a without b; at 20 what is left of a, 4, and the 8 that b may become; b and c; s
    assert units(asks.plain["all"]) == [0, 10, 15, 0, 10, 12, 9, 5]
    assert units(asks.reducing["all"]) == [0, 0, 0, 0, 4, 4, 4, 0]
    assert units(asks.plain["canceling"]) == [0, 0, 0, 0, 10, 4, 0, 0]
    # nothing answered: b at 4, c at 22; a replace open: b from 8 on; s at 24, 5 left of it
    assert units(asks.plain["in_flight"]) == [0, 0, 5, 0, 0, 8, 9, 5]
    assert units(asks.position) == [0, 0, 0, 0, 0, 4, 4, 4]
    assert asks.open_orders.tolist() == [0, 1, 2, 3, 3, 4, 4, 5]
    # 4 + 12 + 1; d only reduces, and of a long position nothing: 4 + 9; e: -4 + 5 + 1
    assert units(asks.with_all) == [10, 15, 15, 7, 18, 17, 13, 2]
    assert units(asks.without_canceling) == [10, 15, 15, 7, 8, 13, 13, 2]
    assert units(asks.alone) == [10, 5, 0, 7, 8, 5, 4, -3]
    assert asks.is_exact.tolist() == [True] * 5 + [False, True, True]  # e2 is of row 10's very moment


def test_the_least_that_may_have_been_known(tmp_path: Path) -> None:
    seen = exposed(tmp_path)
    row = 9  # of c: without e2 the position is 6, and 6 + 12 + 1 = 19; with it 17
    others = seen.others(row)
    assert {(each.most // 10**seen.digits, each.direction) for each in others} == {(10, 1), (8, 1), (4, 1), (7, -1)}
    assert seen.least(5, others) == 17 * 10**seen.digits
    lagging = exposed(tmp_path / "lag", claim_lag_ms=12)
    # at 22 with a lag of 12 e1 may be unknown: the position 0, a done: 0 + 9 (b and c), d reduces nothing: 9 not 13
    assert lagging.least(6, lagging.others(11)) == 9 * 10**lagging.digits
    assert lagging.least(6, []) == 0


def test_the_totals_of_a_symbol_at_any_row(tmp_path: Path) -> None:
    seen = exposed(tmp_path)
    rows = np.array([0, 5, 13])
    assert (seen.resting(rows, 1) // 10**seen.digits).tolist() == [0, 15, 9]
    assert (seen.resting(rows, -1) // 10**seen.digits).tolist() == [0, 7, 5]
    assert (seen.resting(rows, 1, reduce_only=True) // 10**seen.digits).tolist() == [0, 4, 5]


def test_without_fills_the_claims_and_cum_qty_stand_for_them(tmp_path: Path) -> None:
    session = opened(
        tmp_path,
        """1 a submit       PENDING_NEW      10 0 10
           2 a partial_fill PARTIALLY_FILLED 10 4 6 exec_id=e1
           5 b submit       PENDING_NEW      1  0 1""",
        positions=table(f"ts_local symbol qty source\n3 {ETH} 4 bot"),
    )
    seen = exposure(session, ETH)
    assert (seen.asks.with_all // 10**seen.digits).tolist() == [10, 11]  # 4 + 6 + 1
    assert seen.least(1, seen.others(2)) == 11 * 10**seen.digits


@pytest.mark.parametrize("lag", [0, 300])
def test_a_simulated_session_is_as_a_slow_second_opinion_has_it(tmp_path: Path, lag: int) -> None:
    folder = tmp_path / "simulated"
    simulate(folder, seed=3, hours=0.1, symbols=3, conventions=None)
    settings = (folder / "session.toml").read_text(encoding="utf-8")
    assert settings.count("claim_lag_ms = 0") == 1
    (folder / "session.toml").write_text(settings.replace("claim_lag_ms = 0", f"claim_lag_ms = {lag} #"))
    session, recorded = open_session(folder), Recorded(folder)
    replayed = flow(session)
    at = {row: (seen, n) for symbol in recorded.instruments for seen in [exposure(session, symbol)]
          for n, row in enumerate(seen.asks.rows.tolist())}  # fmt: skip
    looked = 0
    for row, (cells, desk) in enumerate(walk(recorded)):
        ask, before = asked(cells, desk), int(replayed.lives.previous[row])
        order = desk.of(cells) if cells["event"] != "submit" else None
        assert (ask is None) == (row not in at)
        if order is not None and before >= 0:
            assert replayed.is_done[before] == order.is_done
            assert replayed.replace_open[before] == (order.replace_open is not None)
        if ask is None:
            continue
        looked += 1
        seen, n = at[row]
        live, others, unit = desk.open[ask.symbol], seen.others(row), 10**seen.digits
        flying = [each for each in live if each is not ask.replaced and is_in_flight(recorded, each, ask.ts)]
        still = [each for each in live if not each.cancel_open]
        parts = {
            "with_all": (live, others),
            "without_canceling": (still, [each for each in others if not each.is_canceling]),
            "with_in_flight": (flying, [each for each in others if each.is_in_flight]),
            "alone": ([], []),
        }
        for name, (theirs, mine) in parts.items():
            right = exposures(recorded, ask, theirs)
            assert Fraction(seen.least(n, mine), unit) == right
            assert Fraction(int(getattr(seen.asks, name)[n]), unit) >= right
        held_then = holdings(recorded, ask.symbol)
        assert Fraction(int(seen.asks.position[n]), unit) == held_then.positions[held_then.cuts(ask.ts, 0)[-1]]
        open_then = [each for each in live if each is not ask.replaced and is_open(recorded, each, ask.ts)]
        assert seen.asks.open_orders[n] == len(open_then)
    assert looked > 100
