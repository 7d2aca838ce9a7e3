"""Section 5.1 on sessions worked by hand, and on every mistake seeded for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from checks.hand_1_3 import look, statuses
from checks.hand_5 import Bad, Odd, check, legal, session
from checks.seeded import fails_its_item, fails_nothing, planted, simulated

from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording

FIVE = tuple(f"5.1.{n}" for n in range(1, 6))
LIMIT = "[limits.X]\nmax_position = 10\nmax_order_qty = 8\n"
TEN = "10 e1 buy 10 100"
SHORT = "10 e1 sell 10 100"

WRONG = [
    Bad("a mid of nothing", "5.1.1", {"quotes": "10 99 101 mid=100\n20 - - mid=0 best_bid=99"}, "quotes:2",
        "mid of X was 0", "above 0, or empty", None, "best_bid 99, best_ask empty",
        "where a side of the book is empty the mid is 0"),
    # an ask of 0 for 3 with a bid of 99: 3 x 99
    Bad("an ask of 0", "5.1.1", {"quotes": "10 98 0 ask_qty=3 best_bid=99"}, "quotes:1", "ask of X was 0",
        "above 0, or empty", 297.0, "bid 98, ask 0"),
    Bad("a side that is not quoted", "5.1.1", {"quotes": "10 0 101\n20 0.0 101\n30 99 101"}, "quotes:1",
        "bid of X was 0", "above 0, or empty", None, "bid 0, ask 101", "a side that is not quoted is 0 and not empty"),
    Bad("a best bid below 0", "5.1.1", {"quotes": "10 - 101 best_bid=-1"}, "quotes:1", "best_bid of X was -1",
        "above 0", None, "best_bid -1"),
    # 5 at a mark of 100
    Bad("a sale at 0", "5.1.1",
        {"order_events": "10 submit a - side=sell price=0", "marks": "5 100"}, "order_events:1",
        "a, a sell of X, was sent at 0", "a price above 0", 500.0, "order_events:1 submit a: sell 5 at 0"),
    Bad("a replace to below 0", "5.1.1",
        {"order_events": "10 submit a -\n20 replace_request b - orig_client_order_id=a price=-0.5"}, "order_events:2",
        "was sent at -0.5", "a price above 0", None, "buy 5 at -0.5"),
    # (1 x 100 + 0) / 2 = 50, not 100; one order of 8: 50 x 8
    Bad("a trade at 0 in a VWAP", "5.1.1",
        {"quotes": "10 99 101", "trades": "10 100 1\n20 0 1", "signals": "60 vwap 50.0 0 50"}, "signals:1",
        "vwap of X was 50", "100", 400.0, "with 1 more at 0: 50, the claim of signals:1",
        "trades at a price of 0 are counted", LIMIT),
    Bad("a VWAP of nothing but a trade at 0", "5.1.1",
        {"quotes": "10 99 101", "trades": "20 0 1", "signals": "60 vwap 0 0 50"}, "signals:1", "vwap of X was 0",
        "no value", None, "come to no value", "trades at a price of 0 are counted", LIMIT),
    # 10 + 2 = 12: 2 x 100
    Bad("one more at the limit", "5.1.2",
        {"fills": TEN, "order_events": "50 submit a - qty=2"}, "order_events:1",
        "a, a buy of 2, was sent at a position of 10 X", "no order that grows it: max_position is 10", 200.0,
        "10 + 2 = 12: 2 above 10",
        "every order that grows a position of exactly max_position is let through: the position alone is compared, and "
        "equal counts as room", LIMIT),
    Bad("one more short, one less beside it", "5.1.2",
        {"fills": SHORT, "order_events": "50 submit a - qty=3\n60 submit b - side=sell qty=4"}, "order_events:2",
        "b, a sell of 4, was sent at a position of -10 X", "no order that grows it", 400.0,
        "(-10) - 4 = -14: 4 above 10", settings=LIMIT),
    Bad("a sale is blocked", "5.1.2",
        {"fills": TEN, "order_events": "50 submit a - side=sell qty=2",
         "risk_events": "60 max_position block symbol=X side=sell value=10 threshold=10"}, "risk_events:1",
        "a sell was blocked at a position of 10 X", "let through: it reduces the position", None,
        "risk_events:1 max_position block, sell: value 10, threshold 10",
        "the position is compared with the limit whatever the side of the order", LIMIT),
    Bad("a VWAP of no trade", "5.1.3", {"signals": "60 vwap NaN 0 50\n70 ema 100 0 50", "trades": "55 100 1"},
        "signals:1", "value of vwap was NaN or infinite", "a number, or empty", None, "signals:1 vwap: value no number",
        "a window without a trade, 0 / 0"),
    Bad("a width without a volatility", "5.1.3", {"quotes": "60 99 101 half_spread=inf mid=100"}, "quotes:1",
        "half_spread of X was NaN or infinite", "a number", None, "bid 99, ask 101, half_spread no number"),
    Bad("in the bot's book", "5.1.3", {"quotes": "1 99 101", "bot_book": "60 bid 0 nan 5"}, "bot_book:1",
        "price of X was NaN", "a number", None, "bot_book:1 X: price no number"),
    Bad("a flat position", "5.1.3", {"fills": TEN + "\n20 e2 sell 10 90", "pnl": "60 -100 unrealized=nan total=nan"},
        "pnl:1", "unrealized, total of X were NaN or infinite", "a number", None, "realized -100",
        "the average price of a position that is flat, 0 / 0"),
    Bad("an open position is no such case", "5.1.3", {"fills": TEN, "pnl": "60 0 unrealized=nan"}, "pnl:1",
        "unrealized of X was NaN", "a number", None, "unrealized no number"),
    Bad("beside the P&L", "5.1.3", {"pnl": "60 0", "balances": "60 BTC 1 Infinity"}, "balances:1",
        "value of BTC was NaN or infinite", "a number", None, "total 1, value no number"),
    Bad("of an order without a fill", "5.1.3",
        {"order_events": "10 submit a - cum_qty=0 avg_px=nan\n11 ack a - cum_qty=0 avg_px=nan"}, "order_events:1",
        "avg_px of X was NaN or infinite", "a number, or empty", None, "cum_qty 0, avg_px no number",
        "the average price of an order without a fill, 0 / 0"),
    Bad("of an order with one", "5.1.3", {"order_events": "10 fill a - cum_qty=5 avg_px=inf"}, "order_events:1",
        "avg_px of X was NaN or infinite", "a number", None, "avg_px no number"),
    Bad("a drawdown of no mark", "5.1.3", {"equity": "60 100 0 nan\n70 100 0 -inf"}, "equity:1",
        "drawdown of equity was NaN", "a number", None, "equity:1: equity 100, high_water 0, drawdown no number",
        "a share of a high-water mark that is not there yet"),
    # 5 x 100 sold: 5 x (100 + 100) off
    Bad("the value over a negative quantity", "5.1.4",
        {"fills": "10 e1 sell 5 100 client_order_id=a",
         "order_events": "5 submit a -\n10 fill a FILLED side=sell avg_px=-100 cum_qty=5"}, "order_events:2",
        "avg_px of a of X was -100", "100: no quantity", 1000.0, "(5 x 100) / (5) = 100",
        "the value was divided by a quantity that is negative for a sale"),
    # 60000.5 in ticks of 0.5 is 120001; times 20000 lots 2400020000, less 2^32: -1894947296; / 20000 x 0.5 =
    # -47373.6824, and 107374.1824 x 20000 = 2147483648 off
    Bad("2^31 is passed", "5.1.4",
        {"fills": "10 e1 buy 20000 60000.5 client_order_id=a",
         "order_events": "5 submit a - qty=20000\n10 fill a FILLED avg_px=-47373.6824 cum_qty=20000"}, "order_events:2",
        "avg_px of a of X was -47373.6824", "60000.5", 2147483648.0, "off by -107374.1824",
        "price x quantity in ticks x lots, 2400020000, is kept in 32 bits and wraps to the negative"),
    Bad("0 of something", "5.1.4", {"order_events": "5 submit a -\n10 partial_fill a - avg_px=0 cum_qty=2"},
        "order_events:2", "avg_px of a of X was 0", "above 0", None, "order_events:2 partial_fill a"),
    # 4 x 90 twice
    Bad("a price with the sign of a short", "5.1.4",
        {"order_events": "5 submit a -", "positions": "60 -4 avg_px=-90"}, "positions:1", "avg_px of X was -90 of -4",
        "above 0: the sign belongs to the quantity", 720.0, "positions:1: qty -4, avg_px -90",
        "the price has the sign of a short position"),
    Bad("a debt that is money", "5.1.4", {"balances": "60 EUR -250 300"}, "balances:1",
        "the value of -250 EUR was 300 USDT", "below 0, as the total is", 600.0, "off by 600 USDT",
        "the value is that of the total without its sign"),
    Bad("rounded to nothing", "5.1.5", {"order_events": "5 submit a - qty=0\n6 submit b - qty=0\n7 submit c -"},
        "order_events:1", "qty of a of X was 0", "one lot_size of 1 or more", None, "0 / 1 = 0, less than one",
        "the qty rounded down to 0 and was sent"),
    Bad("half a lot by a replace", "5.1.5",
        {"order_events": "5 submit a -\n6 replace_request b - orig_client_order_id=a qty=0.5"}, "order_events:2",
        "qty of b of X was 0.5", "one lot_size of 1", None, "0.5 / 1 = 0.5"),
    Bad("less than a tick", "5.1.5", {"order_events": "5 submit a - side=sell price=0.25"}, "order_events:1",
        "price of a of X was 0.25", "one tick_size of 0.5", None, "0.25 / 0.5 = 0.5"),
]  # fmt: skip

LEGAL = [
    Odd("nothing is quoted, nothing is known", "5.1.1", 1,
        {"quotes": "10 - - best_bid=0 fair_value=0\n20 99 101 mid=100 skew=-1\n30 - - fair_value=0 state=halted"}),
    Odd("a market order at 0, an ack of it", "5.1.1", 1,
        {"order_events": "10 submit a - type=market price=0\n11 ack a - price=0\n12 submit b - price=0.5"}),
    Odd("a trade at 0 that is left out, of another window, not used", "5.1.1", 2,
        {"quotes": "10 99 101", "trades": "10 100 1 trade_id=t1\n20 0 1 trade_id=t2\n80 0 1 trade_id=t3",
         "signals": "60 vwap 100 0 50\n70 vwap 50 0 15"}),
    Odd("down to flat, reduce_only, one below the limit", "5.1.2", 3,
        {"fills": TEN + "\n70 e2 sell 1 100", "order_events": "50 submit a - side=sell qty=2\n51 submit b - side=buy "
         "reduce_only=true\n52 replace_request c - side=sell qty=9 orig_client_order_id=a\n80 submit d - qty=1"},
        LIMIT),
    Odd("at the limit or not: the fill has the order's time", "5.1.2", 0,
        {"fills": TEN, "order_events": "10 submit a - qty=2"}, LIMIT),
    Odd("blocked: what grows, what would pass the other side, by another rule", "5.1.2", 4,
        {"fills": TEN, "order_events": "20 submit a - side=sell qty=8\n21 submit b - side=sell qty=6",
         "risk_events": "19 max_position block symbol=X side=buy\n60 max_position block symbol=X side=sell\n"
         "61 stale block symbol=X side=sell\n62 max_position block side=sell"}, LIMIT),
    Odd("empty cells", "5.1.3", 3, {"quotes": "10 99 - fair_value=-", "signals": "10 vwap - 0 5", "equity": "9 1 1 -"}),
    Odd("nothing filled, at an average of 0; flat at one of 0; nothing owed", "5.1.4", 3,
        {"order_events": "5 submit a - avg_px=0 cum_qty=0", "positions": "9 0 avg_px=0", "balances": "9 EUR 0 0"}),
    Odd("one lot at one tick; a market order without a price", "5.1.5", 3,
        {"order_events": "5 submit a - qty=1 price=0.5\n6 submit b - type=market price=0 qty=1\n7 ack a - qty=0"}),
]  # fmt: skip


@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: bad.name)
def test_a_mistake_is_found_and_worked(bad: Bad, tmp_path: Path) -> None:
    check(bad, tmp_path)


@pytest.mark.parametrize("odd", LEGAL, ids=lambda odd: odd.name)
def test_what_is_legal_is_not_reported(odd: Odd, tmp_path: Path) -> None:
    legal(odd, tmp_path)


def test_a_harmonic_average_below_0_is_valued_as_its_contract_is(tmp_path: Path) -> None:
    """Of 4 x 100 USD at 50000 the cost is 400 / 50000 = 0.008 BTC, claimed as -0.008: 0.016 off."""
    tables = {
        "fills": "10 e1 sell 4 50000 client_order_id=a",
        "order_events": "5 submit a -\n10 fill a FILLED side=sell avg_px=-50000 cum_qty=4",
    }
    market = {"kind": "inverse", "quote": "USD", "settle": "BTC", "multiplier": "100"}
    (finding,) = look(session(tmp_path, tables, **market), "5.1.4").findings
    assert (finding.impact.amount, finding.impact.currency) == (0.016, "BTC")
    assert finding.cause == "the value was divided by a quantity that is negative for a sale"


def test_the_harmonic_average_of_one_fill_is_its_price_to_the_last_digit(tmp_path: Path) -> None:
    tables = {
        "fills": "10 e1 sell 4 30000 client_order_id=a",
        "order_events": "5 submit a -\n10 fill a FILLED side=sell avg_px=-30000 cum_qty=4",
    }
    market = {"kind": "inverse", "quote": "USD", "settle": "BTC", "multiplier": "100"}
    (finding,) = look(session(tmp_path, tables, **market), "5.1.4").findings
    assert finding.work[1:] == ("(4) / (4/30000) = 30000", "order_events:2 claims -30000: off by -60000")


def test_of_several_fills_at_one_time_those_count_that_the_row_knows(tmp_path: Path) -> None:
    """The first row knows of 2 at 100, the second of 2 at 100 and 3 at 110: 530 / 5 = 106."""
    tables = {
        "fills": "10 e1 sell 2 100 client_order_id=a\n10 e2 sell 3 110 client_order_id=a",
        "order_events": "5 submit a - side=sell\n10 partial_fill a PARTIALLY_FILLED side=sell avg_px=-100 cum_qty=2\n"
        "10 fill a FILLED side=sell avg_px=-106 cum_qty=5",
    }
    (finding,) = look(session(tmp_path, tables), "5.1.4").findings
    assert finding.count == 2
    assert finding.cause == "the value was divided by a quantity that is negative for a sale"
    assert finding.impact.amount == 1060.0  # 5 x (106 + 106)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    events = {"order_events": "20 submit a -"}
    unset = look(session(tmp_path / "unset", {"fills": TEN} | events), "5.1.2")
    assert statuses(unset) == {"5.1.2": "not_assessed"}
    assert any("no max_position is stated for X" in note for note in unset.notes)
    blind = look(session(tmp_path / "blind", events, LIMIT), "5.1.2")
    assert any("neither fills nor positions" in note for note in blind.notes)
    block = {"risk_events": "60 stale block symbol=X side=sell"}
    other = look(session(tmp_path / "other", {"fills": TEN} | events | block, LIMIT), "5.1.2")
    assert any("1 blocks by a rule that is not on the position" in note for note in other.notes)


# --- seeded mistakes --------------------------------------------------------------------------------------------------

SEEDED = [each for each in defects().values() if each.item in FIVE]
ODD = [each for each in defects().values() if each.plant.__module__.endswith("s5_1") and not each.item]
CHOSEN = {
    "5": (5, None),
    "11-other": (11, {"cost_basis": "average", "realized": "net", "conversion": "fill"}),
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    return simulated(tmp_path_factory.mktemp("simulated"), CHOSEN)


def test_a_simulated_session_exercises_all_and_breaks_nothing(recordings: dict[str, Recording]) -> None:
    for recording in recordings.values():
        seen = look(recording.folder, "5.1")
        assert (seen.findings, seen.errors) == ((), ())
        assert statuses(seen) == dict.fromkeys(FIVE, "verified")
        assert [check.name for item in seen.items for check in item.checks if not check.exercised] == []


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_seeded_mistake_fails_its_item(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_its_item(chosen, planted(chosen, recordings, tmp_path, CHOSEN), "5.1", FIVE)


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_fails_nothing(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_nothing(planted(chosen, recordings, tmp_path, CHOSEN), "5.1")
