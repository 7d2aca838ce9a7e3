"""Section 1.1 on sessions worked by hand, on those of the slow detectors, and on every mistake seeded for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from audit import audit
from checks.hand_1_3 import Row, Tables, fills, market, pnl, statuses, table
from checks.hand_1_3 import look as look_at
from checks.hand_1_3 import write as write_tables

from mmverify.checks import items
from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.errors import NotExercised
from mmverify.review.arm import arm
from mmverify.review.results import Assessment
from mmverify.session import open_session
from mmverify.simulate import simulate

SIX = tuple(f"1.1.{n}" for n in range(1, 7))
ETH = "ETH-PERP"
QUOTING = {"min_spread_bps": "10", "vol_multiplier": "2", "min_edge_bps": "1", "max_skew_bps": "5"}
QUOTES = "ts_local fair_value skew bid ask mid best_bid best_ask volatility"


def quotes(text: str, **defaults: str) -> list[Row]:
    """Read quotes of 2 contracts a side."""
    return table(f"{QUOTES}\n{text}", **({"symbol": ETH, "bid_qty": "2", "ask_qty": "2", "state": "normal"} | defaults))


def events(text: str, **defaults: str) -> list[Row]:
    """Read order events: post-only quotes of 2 contracts."""
    columns = "ts_local client_order_id event state side price"
    return table(f"{columns}\n{text}", **({"symbol": ETH, "qty": "2", "cum_qty": "0", "post_only": "true"} | defaults))


def book(text: str, **defaults: str) -> list[Row]:
    """Read levels of the book; the venue's clock is that of the bot."""
    rows = table(f"ts_local seq kind side price qty\n{text}", **({"symbol": ETH} | defaults))
    return [{"ts_exchange": row["ts_local"]} | row for row in rows]


def write(folder: Path, tables: Tables, quoting: dict[str, str], **conventions: str) -> Path:
    write_tables(folder, tables, **conventions)
    stated = "\n".join(f"{name} = {value}" for name, value in quoting.items())
    with (folder / "session.toml").open("a", encoding="utf-8") as file:
        file.write(f'[quoting]\n{stated}\n[limits."{ETH}"]\nmax_position = 10\n')
    return folder


def look(folder: Path, tables: Tables, quoting: dict[str, str] | None = None, **conventions: str) -> Assessment:
    return look_at(write(folder, tables, QUOTING if quoting is None else quoting, **conventions), "1.1")


def failed(assessment: Assessment) -> set[str]:
    assert assessment.errors == ()
    return {item.id for item in assessment.items if item.status == "failed"}


#: ETH-PERP: tick 0.01, multiplier 1, maker fee 0.0002, taker 0.0005. The book is 2999.99 / 3000.01, so the mid 3000.
#: 1: no skew, 3 down and 3 up: 2997 / 3003. The spread of 6 is above 10 bps (3), 2 x 0.0005 x 3000 = 3 and the fees
#:    2 x 3000 x 0.0002 + 1 bps = 1.2 + 0.3 = 1.5.
#: 2: long 6 of 10, skewed by -1: centre 2999, 2996 / 3002; the cap is 5 bps of 3000 = 1.5.
BASE: Tables = {
    "instruments": market(ETH, maker_fee="0.0002", taker_fee="0.0005"),
    "book": book("""
        5  1 snapshot bid 2999.99 4
        5  1 snapshot ask 3000.01 4
        5  1 snapshot bid 2999.90 9
        5  1 snapshot ask 3000.15 9
    """),
    "quotes": quotes("""
        10 3000.00 0.00  2997.00 3003.00 3000.00 2999.99 3000.01 0.0005
        50 3000.00 -1.00 2996.00 3002.00 3000.00 2999.99 3000.01 0.0005
    """),
    "order_events": events("""
        11 a submit          PENDING_NEW buy  2997.00
        12 a ack             NEW         buy  2997.00
        13 b submit          PENDING_NEW sell 3003.00
        14 b ack             NEW         sell 3003.00
        51 c replace_request PENDING_REPLACE buy 2996.00 orig_client_order_id=a
        52 c replace_ack     NEW         buy  2996.00 orig_client_order_id=a
    """),
    "fills": fills(f"20 {ETH} e1 buy 3000 6 maker 3.6 USDT"),
    "pnl": pnl(f"30 {ETH} 0.00 6.00 3.60 0.25 2.65"),  # 0 + 6 - 3.6 + 0.25
}


def changed(name: str, rows: dict[int, dict[str, str]], extra: list[Row] | None = None) -> Tables:
    """Return the base with cells of some rows (the first is 1) replaced, and rows added at its end."""
    out = [row | rows.get(n, {}) for n, row in enumerate(BASE[name], 1)]
    return BASE | {name: out + (extra or [])}


def test_the_base_is_right(tmp_path: Path) -> None:
    seen = look(tmp_path, BASE)
    assert (seen.findings, seen.errors) == ((), ())
    assert statuses(seen) == dict.fromkeys(SIX, "verified")
    assert {c.name: c.exercised for item in seen.items for c in item.checks if c.evidence == "session"} == {
        "half_spreads": 2,
        "skew_direction": 2,
        "skew_cap": 2,
        "least_spread": 2,
        "spread_by_volatility": 2,
        "spread_beyond_fees": 2,
        "widening": 0,  # two quotes are no two groups of thirty
        "crossed_quotes": 2,
        "post_only_prices": 3,  # two submits, one replace request
        "own_orders_crossed": 2,  # after rows 4 and 6: in between the bid's replace is in flight
        "mid_of_book": 2,
        "price_digits": 7,  # four prices of quotes, three that were sent
        "money_sums": 1,
        "prices_on_tick": 7,
    }


class Bad(NamedTuple):
    """A mistake made by hand: the finding that it is, figures and all."""

    name: str
    check: str
    tables: Tables
    location: str
    work: str
    amount: str = ""
    cause: str = ""
    also: tuple[str, ...] = ()


#: 40 calm quotes of 2 x 3 around 3000, 40 adverse ones of 2 x 2: 4 / 3000 = 0.00133.. against 0.002.
TIMES = BASE | {
    "quotes": quotes(
        "\n".join(f"{100 + n} 3000 0 2997.00 3003.00 - - - 0.0001" for n in range(40))
        + "\n"
        + "\n".join(f"{200 + n} 3000 0 2998.00 3002.00 - - - 0.0001 state=adverse" for n in range(40))
    )
}
WRONG = [
    Bad(
        "a bid four ticks too low", "half_spreads",
        changed("quotes", {1: {"bid": "2996.96"}}), "quotes:1", "apart by 0.04, of at most one tick, 0.01",
        "0.04",  # shifted by 0.02, times 2 contracts
    ),
    Bad(
        "the skew applied twice", "half_spreads",
        changed("quotes", {2: {"bid": "2995.00", "ask": "3001.00"}}), "quotes:2",
        "below it 4 to the bid 2995, above it 2 to the ask 3001", "2", "the skew was applied twice",
    ),
    Bad(
        "the skew leans with the position", "skew_direction",
        changed("quotes", {2: {"skew": "1.00", "bid": "2998.00", "ask": "3004.00"}}), "quotes:2",
        "position 6 of at most 10, beyond 5; skew 1 shifts both prices up", "18000",  # 6 x 3000
    ),
    Bad(
        "the skew past its cap", "skew_cap",
        changed("quotes", {2: {"skew": "-2.00", "bid": "2995.00", "ask": "3001.00"}}), "quotes:2",
        "3000 x 5 / 10000 = 1.5; the skew is (-2)", "1",  # 0.5 beyond it on 2
    ),
    Bad(
        "half of the least spread", "least_spread",
        changed("quotes", {1: {"bid": "2998.80", "ask": "3001.20", "volatility": "0.0001"}}), "quotes:1",
        "the spread is 3001.2 - 2998.8 = 2.4: short by 0.6", "1.2",
    ),
    Bad(
        "the volatility doubled", "spread_by_volatility",
        changed("quotes", {1: {"volatility": "0.0011"}}), "quotes:1", "2 x 0.0011 x 3000 = 6.6", "1.2",
    ),
    Bad(
        "the fees raised", "spread_beyond_fees",
        BASE | {"instruments": market(ETH, maker_fee="0.001", taker_fee="0.001")}, "quotes:1",
        # quote 1: 6000 x 0.001 + 0.3 = 6.3; quote 2: the prices sum to 5998, 5.998 + 0.3 = 6.298
        "maker fees 6000 x 0.001, edge 3000 x 1 / 10000; together 6.3", "0.6",
    ),
    Bad("adverse times quoted narrower", "widening", TIMES, "quotes:41", "median spread / fair value ~0.001333333333"),
    Bad(
        "a bid above its ask", "crossed_quotes",
        changed("quotes", {1: {"bid": "3000.50", "ask": "2999.50", "volatility": ""}}), "quotes:1",
        "ask - bid = 2999.5 - 3000.5 = -1, not above 0", "2", also=("1.1.2",),
    ),
    Bad(
        "a bid at its ask", "crossed_quotes",
        changed("quotes", {1: {"bid": "3000.00", "ask": "3000.00", "volatility": ""}}), "quotes:1",
        "= 0, not above 0", also=("1.1.2",),
    ),
    Bad(
        "a post-only bid at the best ask", "post_only_prices",
        changed("order_events", {1: {"price": "3000.01"}, 2: {"price": "3000.01"}}), "order_events:1",
        # taker less maker, 0.0003 x 3000.01 x 2
        "post-only buy at 3000.01, is at or above best_ask 3000.01 of quotes:1", "1.800006",
        "the price was the other side's best itself",
    ),
    Bad(
        "an own bid at an own ask", "own_orders_crossed",
        changed("order_events", {
            3: {"price": "2996.00", "post_only": ""}, 4: {"price": "2996.00", "post_only": ""},
        }), "order_events:2", "from order_events:4 on both rest: 2997 - 2996 = 1, which should be below 0", "2",
    ),
    Bad("a mid of another book", "mid_of_book",
        changed("quotes", {1: {"mid": "3000.05"}}), "quotes:1", "stated 3000.05, off by 0.05"),
    Bad(
        "a mid beside one side", "mid_of_book",
        BASE | {"book": [row for row in BASE["book"] if row["side"] == "bid"]}, "quotes:1",
        "the book had no asks, and a mid of 3000 was stated",
    ),
    Bad(
        "a price of binary noise", "price_digits",
        changed("quotes", {1: {"ask": "3003.0000000000005"}}), "quotes:1",
        "3003.0000000000005 / 0.01 = 300300.00000000005 ticks", "",
        "the prices are whole ticks but for the noise", also=("1.1.6",),
    ),
    Bad(
        "a total off its parts", "money_sums",
        BASE | {"pnl": pnl(f"30 {ETH} 0.00 6.00 3.60 0.25 2.69")}, "pnl:1",
        "realized + unrealized - fees + funding = 0 + 6 - 3.6 + 0.25 = 2.65", "0.04",
    ),
    Bad(
        "a total without its funding", "money_sums",
        BASE | {"pnl": pnl(f"30 {ETH} 0.00 6.00 3.60 0.25 2.40")}, "pnl:1", "off by -0.25", "0.25",
        "funding was left out",
    ),
    Bad(
        "fees that drifted", "money_sums",
        BASE | {"fills": fills(f"20 {ETH} e1 buy 3000 6 maker 3.60000000 USDT"),
                "pnl": pnl(f"30 {ETH} 0.00 6.00 3.60000003 0.25 2.64999997")}, "pnl:1", "off by 0.00000003",
        "0.00000003",
    ),
    Bad(
        "a price between two ticks", "prices_on_tick",
        changed("order_events", {5: {"price": "2996.005"}, 6: {"price": "2996.005"}}), "order_events:5",
        "2996.005 / 0.01 = 299600.5 ticks", also=("1.1.5",),
    ),
]  # fmt: skip


@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: bad.name)
def test_a_mistake_made_by_hand_is_found(bad: Bad, tmp_path: Path) -> None:
    quoting = dict(QUOTING, min_spread_bps="1") if bad.check == "widening" else QUOTING
    seen = look(tmp_path, bad.tables, quoting)
    (finding,) = [each for each in seen.findings if each.check == bad.check]
    assert finding.location.startswith(bad.location)
    assert bad.work in "\n".join(finding.work)
    assert bad.cause in finding.cause and bool(bad.cause) == bool(finding.cause)
    amount = finding.impact.amount
    assert amount is None if not bad.amount else amount == pytest.approx(float(bad.amount), rel=1e-12)
    assert failed(seen) <= {finding.item, *bad.also}
    assert failed(seen) == {item for item, other in audit(tmp_path, SIX).items() if other.violations}


LEGAL: dict[str, Tables] = {
    # 3.03 below, 3 above: apart by 0.03, a tick and the half units of fair value and skew, twice 0.005 each
    "apart by a tick and what the printed digits leave open": changed("quotes", {1: {"bid": "2996.97"}}),
    "rounded outward by less than a tick": changed("quotes", {1: {"fair_value": "3000.004", "bid": "2997.00",
                                                                  "ask": "3003.01"}}),
    "clipped one tick inside the best ask": changed("quotes", {1: {"bid": "3000.00", "ask": "3009.00"}}),
    "clipped, by a book of which the quote says nothing": changed("quotes", {
        1: {"bid": "3000.00", "ask": "3009.00", "best_bid": "", "best_ask": ""},
    }),
    "one side not quoted": changed("quotes", {1: {"bid": ""}}),
    "halted": changed("quotes", {1: {name: "" for name in QUOTES.split()[1:]} | {"state": "halted"}}),
    "a small position may be leant with": BASE | {"fills": fills(f"20 {ETH} e1 sell 3000 4 maker 2.4 USDT")},
    "trailing zeros are no noise": changed("quotes", {1: {"ask": "3003.00000000"}}),
    "a total within its half units": BASE | {"pnl": pnl(f"30 {ETH} 0.00 6.00 3.60 0.25 2.67")},
    "no total": BASE | {"pnl": pnl(f"30 {ETH} 0.00 6.00 3.60 0.25 -")},
    "an order that takes is no post-only": changed("order_events", {
        1: {"price": "3000.01", "post_only": "false"}, 2: {"price": "3000.01"},
    }),
    "the quote's book, not today's": changed("order_events", {}, events("""
        60 d submit PENDING_NEW buy 2999.50
    """)) | {"quotes": BASE["quotes"] + quotes("""
        55 3000.00 0.00 2999.50 3003.50 - 2999.00 3004.00 - bid=2997.00 ask=3003.00
    """)},
    "the ask in the way is being cancelled": changed("order_events", {}, events("""
        60 b cancel_request PENDING_CANCEL sell 3003.00
        61 d submit         PENDING_NEW    buy  3003.50 post_only=false
        62 d ack            NEW            buy  3003.50 post_only=false
        63 b cancel_ack     CANCELED       sell 3003.00
    """)),
    "the ask in the way is filled": changed("order_events", {}, events("""
        60 b fill   FILLED      sell 3003.00 cum_qty=2 leaves_qty=0
        61 d submit PENDING_NEW buy  3003.50 post_only=false
        62 d ack    NEW         buy  3003.50 post_only=false
    """)),
    "not acknowledged yet": changed("order_events", {}, events("""
        60 d submit PENDING_NEW buy  3003.50 post_only=false
        61 d reject REJECTED    buy  3003.50 post_only=false
    """)),
    "the book's mid of the seq that it names": changed("quotes", {2: {"book_seq": "1"}}) | {
        "book": BASE["book"] + book("45 2 delta bid 2999.99 0"),
    },
    "a tick that changed": BASE | {"instruments": [
        market(ETH, maker_fee="0.0002", taker_fee="0.0005", ts_from="0")[0],
        market(ETH, maker_fee="0.0002", taker_fee="0.0005", ts_from="40", tick_size="0.5")[0],
    ]},
}  # fmt: skip


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_legal_is_not_reported(name: str, tmp_path: Path) -> None:
    seen = look(tmp_path, LEGAL[name])
    assert (seen.findings, seen.errors) == ((), ())
    assert [item for item, other in audit(tmp_path, SIX).items() if other.violations] == []


def test_the_tick_in_force_is_held_to(tmp_path: Path) -> None:
    both = [market(ETH, ts_from="0")[0], market(ETH, ts_from="40", tick_size="0.5")[0]]
    orders = changed("order_events", {5: {"price": "2996.10"}, 6: {"price": "2996.10"}})
    seen = look(tmp_path, orders | {"instruments": both})
    (finding,) = [each for each in seen.findings if each.item == "1.1.6"]
    assert finding.location.startswith("order_events:5")
    assert finding.work == ("order_events:5 price: 2996.1 / 0.5 = 5992.2 ticks; 5992 x 0.5 = 2996",)
    assert "as many decimals as the tick has" in finding.cause


def test_odd_lots_do_not_make_the_mid(tmp_path: Path) -> None:
    # without the levels below 5 the best prices are 2999.90 and 3000.15: (2999.90 + 3000.15) / 2 = 3000.025
    seen = look(tmp_path / "wrong", BASE, mid_min_qty="5")
    (finding,) = seen.findings
    assert (finding.check, finding.cause) == ("mid_of_book", "levels below mid_min_qty were counted")
    assert "(2999.9 + 3000.15) / 2 = 3000.025, levels below 5 left out; stated 3000" in finding.work[0]
    right = changed("quotes", {n: {"mid": "3000.025"} for n in (1, 2)})
    assert look(tmp_path / "right", right, mid_min_qty="5").findings == ()
    assert look(tmp_path / "four", BASE, mid_min_qty="4").findings == ()  # a level of just so much counts


def test_what_is_not_stated_is_not_judged(tmp_path: Path) -> None:
    seen = look(tmp_path, BASE, {})
    assert statuses(seen)["1.1.2"] == "not_assessed"
    assert {c.name: c.exercised for item in seen.items for c in item.checks}["skew_cap"] == 0
    assert any("no max_skew_bps is stated" in note for note in seen.notes)


def test_a_session_without_quotes_and_orders_is_not_assessed(tmp_path: Path) -> None:
    seen = look(tmp_path, {"instruments": BASE["instruments"]})
    assert set(statuses(seen).values()) == {"not_assessed"}


# --- seeded mistakes --------------------------------------------------------------------------------------------------

SEEDED = [each for each in defects().values() if each.item in SIX and each.evidence == "session"]
ODD = [each for each in defects().values() if not each.item and each.evidence == "session"]
OTHER = {
    "cost_basis": "lifo", "unrealized_price": "mid", "realized": "net", "conversion": "fill", "mid_min_qty": "0.002",
}  # fmt: skip
CHOSEN = {
    "5": (5, None),
    "9": (9, OTHER),
    "11": (11, {"cost_basis": "average", "unrealized_price": "exit"}),
    "3": (3, {"realized": "net"}),
}
PLANTED_IN = ("5", "9")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    folder = tmp_path_factory.mktemp("simulated")
    for name, (seed, conventions) in CHOSEN.items():
        simulate(folder / name, seed=seed, hours=0.2, symbols=3, conventions=conventions)
    return {name: Recording(folder / name) for name in CHOSEN}


def planted(chosen: Defect, recordings: dict[str, Recording], folder: Path) -> Iterator[Path]:
    """Plant a mistake in every session that has a place for it."""
    for name in PLANTED_IN:
        copy = recordings[name].fresh()
        try:
            chosen.plant(copy)
        except NotExercised:
            continue
        copy.write(folder / name)
        yield folder / name


def test_a_simulated_session_exercises_all_and_breaks_nothing(recordings: dict[str, Recording]) -> None:
    idle = set()
    for recording in recordings.values():
        seen = look_at(recording.folder, "1.1")
        assert seen.findings == ()
        assert statuses(seen) == dict.fromkeys(SIX, "verified")
        idle |= {c.name for item in seen.items for c in item.checks if c.evidence == "session" and not c.exercised}
        assert {item for item, other in audit(recording.folder, SIX).items() if not other.exercised} == set()
    assert idle <= {"widening"}


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_seeded_mistake_fails_its_item(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    folders = list(planted(chosen, recordings, tmp_path))
    assert folders
    for folder in folders:
        found = failed(look_at(folder, "1.1"))
        assert chosen.item in found
        assert found <= {chosen.item, *chosen.consequences}
        assert found == {item for item, seen in audit(folder, SIX).items() if seen.violations}


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_fails_nothing(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    for folder in planted(chosen, recordings, tmp_path):
        assert failed(look_at(folder, "1.1")) == set()


@pytest.mark.armed
@pytest.mark.parametrize("item", SIX)
def test_every_check_is_armed_by_a_defect_of_its_item(item: str, recordings: dict[str, Recording]) -> None:
    armings = arm(open_session(recordings["5"].folder), [item])
    assert {each.check for each in armings} >= {check.name for check in items()[item].checks}
    assert [each.words for each in armings if not each.armed] == []
