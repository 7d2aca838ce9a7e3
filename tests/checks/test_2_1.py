"""Section 2.1 on sessions worked by hand, on those of the slow detectors, and on every mistake seeded for it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from audit.hand_1 import CASES, Case
from checks.hand_1_3 import Row, Tables, market, statuses, table
from checks.hand_1_3 import look as look_at
from checks.hand_1_3 import write as write_tables
from checks.seeded import fails_its_item, fails_nothing, planted, simulated
from test_audit_1 import write as write_case

from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.review.results import Assessment, Finding

SIX = tuple(f"2.1.{n}" for n in range(1, 7))
ETH = "ETH-PERP"
BTC = "BTC-USD"
MARKET = market(
    ETH, tick_size="0.5", lot_size="0.1", min_qty="0.2", max_qty="50", min_notional="100", order_types="limit;market",
    tifs="GTC;GTD;IOC",
)  # fmt: skip
INVERSE = market(BTC, min_qty="1", min_notional="500")
LIMITS = f"""
[limits."{ETH}"]
max_order_qty = 10
max_notional = 30000
"""


def orders(text: str, **defaults: str) -> list[Row]:
    """Read order events of ETH-PERP: limit orders, good till cancelled."""
    given = {"symbol": ETH, "type": "limit", "tif": "GTC", "state": ""}
    return table(f"ts_local event client_order_id intent side price qty\n{text}", **(given | defaults))


def quotes(text: str, **defaults: str) -> list[Row]:
    return table(f"ts_local level fair_value skew half_spread bid ask\n{text}", **({"symbol": ETH} | defaults))


def look(folder: Path, tables: Tables, settings: str = LIMITS, form: str = "", **timing: int) -> Assessment:
    write_tables(folder, {"instruments": MARKET + INVERSE} | tables, timing=timing)
    path = folder / "session.toml"
    head = f"[session]\nclient_order_id = '{form}'" if form else "[session]"
    path.write_text(path.read_text(encoding="utf-8").replace("[session]", head) + settings, encoding="utf-8")
    return look_at(folder, "2.1")


# 3000 + 0.20 - 1.60 = 2998.60, down to 2998.5; 3000 + 0.20 + 1.60 = 3001.80, up to 3002
BASE: Tables = {
    "quotes": quotes("""
        10 0 3000.00 0.20 1.60 2998.5 3002.0
        10 1 3000.00 0.20 2.60 2997.5 3003.0
        30 0 3001.00 0.00 1.60 2999.0 3003.0
        30 1 3001.00 0.00 2.60 2998.0 3004.0
    """),
    "order_events": orders("""
        10 submit          a1 quote_bid  buy  2998.5 2   level=0 post_only=true
        10 submit          a2 quote_ask  sell 3002.0 2   level=0 post_only=true
        11 submit          a3 quote_bid  buy  2997.5 3   level=1 tif=GTD ts_expires=99
        20 submit          a4 close_long sell -      0.5 type=market tif=IOC reduce_only=true
        30 replace_request a5 -          -    2999.0 -   type= tif= orig_client_order_id=a1
    """),
}


def changed(name: str, rows: dict[int, dict[str, str]], *, extra: str = "") -> Tables:
    """Return the base with cells of some rows (the first is 1) replaced, and order events added at its end."""
    out = [row | rows.get(n, {}) for n, row in enumerate(BASE[name], 1)]
    return BASE | {name: out + (orders(extra) if extra else [])}


def test_the_base_is_right(tmp_path: Path) -> None:
    seen = look(tmp_path, BASE, form="a[0-9]")
    assert (seen.findings, seen.errors) == ((), ())
    assert statuses(seen) == dict.fromkeys(SIX, "verified")
    assert {c.name: c.exercised for item in seen.items for c in item.checks} == {
        "order_side": 5,  # the replacement has its intent and side from a1
        "order_size": 5,
        "price_on_tick": 4,  # all but the market order
        "price_of_quote": 4,
        "rounded_outward": 4,
        "order_type": 5,
        "unique_ids": 5,
        "id_form": 5,
        "time_in_force": 5,
    }


class Bad(NamedTuple):
    """A mistake made by hand: the finding that it is, figures and all."""

    name: str
    item: str
    check: str
    tables: Tables
    location: str
    was: str
    should: str
    amount: str
    work: str
    cause: str = ""


WRONG = [
    # 2 x 2 x 3002 = 12008
    Bad(
        "an ask that buys", "2.1.1", "order_side", changed("order_events", {2: {"side": "buy"}}), "order_events:2",
        f"a2 of {ETH}, meant as quote_ask, was a buy", "sell", "12008",
        "order_events:2 submit a2: intent quote_ask, side buy, price 3002, qty 2",
    ),
    # the larger, 2 x 1 x 3000 = 6000
    Bad(
        "closing orders that open", "2.1.1", "order_side",
        changed("order_events", {4: {"side": "buy"}}, extra="40 submit b1 close_short sell 3000 1"),
        "order_events:4, order_events:6",
        f"a4 of {ETH}, meant as close_long, was a buy", "sell", "6000", "intent close_short, side sell, price 3000",
        "every order that closes is sent with the side that opens",
    ),
    Bad(
        "nothing left to send", "2.1.2", "order_size", changed("order_events", {1: {"qty": "0"}}),
        "order_events:1, order_events:5", f"qty of a1 of {ETH} was 0", "above 0", "", "order_events:1 submit a1: qty 0",
    ),
    Bad(
        "half a lot", "2.1.2", "order_size", changed("order_events", {3: {"qty": "3.05"}}), "order_events:3",
        f"qty of a3 of {ETH} was 3.05", "whole lots of 0.1: 3 or 3.1", "",
        "3.05 / 0.1 = 30.5, no whole number of lots",
    ),
    Bad(
        "below the least quantity", "2.1.2", "order_size", changed("order_events", {4: {"qty": "0.1"}}),
        "order_events:4", f"qty of a4 of {ETH} was 0.1", "0.2 or more", "", "order_events:4 submit a4: qty 0.1",
    ),
    # (10.1 - 10) x 2997.5 = 299.75; its notional of 30274.75 is too large too, and not told again
    Bad(
        "above the limit of one order", "2.1.2", "order_size", changed("order_events", {3: {"qty": "10.1"}}),
        "order_events:3", f"qty of a3 of {ETH} was 10.1", "10 or less", "299.75", "10.1 - 10 = 0.1 above the limit",
    ),
    # 0.2 x 400 = 80
    Bad(
        "too little money", "2.1.2", "order_size",
        changed("order_events", {}, extra="40 submit b1 open_long buy 400 0.2"), "order_events:6",
        f"notional of b1 of {ETH} was 80 USDT", "100 USDT or more", "", "0.2 x 400 = 80 USDT",
    ),
    # 10 x 3000.5 = 30005
    Bad(
        "too much money", "2.1.2", "order_size",
        changed("order_events", {}, extra="40 submit b1 open_long buy 3000.5 10"), "order_events:6",
        f"notional of b1 of {ETH} was 30005 USDT", "30000 USDT or less", "5", "10 x 3000.5 = 30005 USDT",
    ),
    # by the mark: 10 x 3000.5 = 30005
    Bad(
        "too much money at the market", "2.1.2", "order_size",
        changed("order_events", {}, extra="40 submit b1 open_long buy - 10 type=market tif=IOC")
        | {"marks": table(f"ts_local ts_exchange symbol mark\n5 5 {ETH} 2000\n39 39 {ETH} 3000.5")}, "order_events:6",
        f"notional of b1 of {ETH} was 30005 USDT", "30000 USDT or less", "5",
        "the mark last known, 3000.5, stands for the price that it does not name",
    ),
    # 4 contracts of 100 USD
    Bad(
        "too few contracts of an inverse market", "2.1.2", "order_size",
        changed("order_events", {}, extra=f"40 submit b1 open_long buy 60000 4 symbol={BTC}"), "order_events:6",
        f"notional of b1 of {BTC} was 400 USD", "500 USD or more", "", "4 x 100 = 400 USD",
    ),
    Bad(
        "between two ticks", "2.1.3", "price_on_tick", changed("order_events", {3: {"price": "2997.25"}}),
        "order_events:3", f"price of a3 of {ETH} was 2997.25", "on a tick of 0.5: 2997 or 2997.5", "",
        "2997.25 / 0.5 = 5994.5, no whole number of ticks",
    ),
    # 2 x (3002.5 - 3002)
    Bad(
        "rounded once more", "2.1.3", "price_of_quote", changed("order_events", {2: {"price": "3002.5"}}),
        "order_events:2, quotes:1", f"price of a2 of {ETH} was 3002.5", "3002, as quoted", "1", "quotes:1: ask 3002",
        "rounded once more on its way to the venue, a tick further out",
    ),
    # 2 x (2999 - 2998.5): the replacement keeps the price of the quote before
    Bad(
        "the quote before", "2.1.3", "price_of_quote", changed("order_events", {5: {"ts_local": "31",
                                                                                    "price": "2998.5"}})
        | {"quotes": changed("quotes", {3: {"bid": "3000"}})["quotes"]},
        "order_events:5, quotes:3", f"price of a5 of {ETH} was 2998.5", "3000, as quoted", "3",
        "order_events:5 replace_request a5: intent quote_bid, price 2998.5, qty 2", "the price of the quote before",
    ),
    # 2998.6 is rounded up to 2999: 2 x 0.4
    Bad(
        "a bid rounded up", "2.1.3", "rounded_outward",
        changed("order_events", {1: {"price": "2999"}})
        | {"quotes": changed("quotes", {1: {"bid": "2999"}})["quotes"]},
        "order_events:1, quotes:1", f"price of a1 of {ETH} was 2999", "2998.6, rounded down", "0.8",
        "quotes:1: 3000 + 0.2 - 1.6 = 2998.6, to be rounded down", "rounded to the wrong side",
    ),
    # 3001.8 rounded to the nearest half, had it been 3001.7: 3001.5
    Bad(
        "an ask rounded to the nearest", "2.1.3", "rounded_outward",
        changed("order_events", {2: {"price": "3001.5"}})
        | {"quotes": changed("quotes", {1: {"ask": "3001.5", "half_spread": "1.50"}})["quotes"]},
        "order_events:2, quotes:1", f"price of a2 of {ETH} was 3001.5", "3001.7, rounded up", "0.4",
        "quotes:1: 3000 + 0.2 + 1.5 = 3001.7, to be rounded up", "rounded to the nearest tick",
    ),
    Bad(
        "a type of another venue", "2.1.4", "order_type", changed("order_events", {3: {"type": "LIMIT_MAKER"}}),
        "order_events:3", f"type of a3 of {ETH} was LIMIT_MAKER", "one of limit, market", "",
        "order_events:3 submit a3: type LIMIT_MAKER, intent quote_bid",
    ),
    Bad(
        "a quote at the market", "2.1.4", "order_type", changed("order_events", {3: {"type": "market", "price": ""}}),
        "order_events:3", f"type of a3 of {ETH} was market", "limit, for a quote", "", "type market, intent quote_bid",
    ),
    Bad(
        "post-only at the market", "2.1.4", "order_type",
        changed("order_events", {4: {"post_only": "true", "tif": "GTC"}}), "order_events:4",
        f"type of a4 of {ETH} was market", "no post_only on an order that takes what rests", "", "post_only true",
    ),
    # two of one id: the larger, 3 x 2997.5 = 8992.5
    Bad(
        "an id used again", "2.1.5", "unique_ids", changed("order_events", {3: {"client_order_id": "a2"}}),
        "order_events:3", "a2 was sent again", "an id that no order had before", "8992.5",
        "order_events:2 submit a2: symbol ETH-PERP, side sell, price 3002, qty 2",
    ),
    Bad(
        "a replacement under the id of another", "2.1.5", "unique_ids",
        changed("order_events", {5: {"client_order_id": "a3"}}), "order_events:5", "a3 was sent again",
        "an id that no order had before", "8992.5", "order_events:5 replace_request a3",
    ),
    Bad(
        "an id that is too long", "2.1.5", "id_form", changed("order_events", {4: {"client_order_id": "a4567"}}),
        "order_events:4", "client_order_id was a4567", "of the form a[0-9]", "", "a4567 has 5 characters",
    ),
    Bad(
        "a quote that may not rest", "2.1.6", "time_in_force", changed("order_events", {2: {"tif": "ioc"}}),
        "order_events:2", f"tif of a2 of {ETH} was ioc", "one that lets a quote rest", "", "tif ioc, intent quote_ask",
    ),
    Bad(
        "post-only that may not rest", "2.1.6", "time_in_force",
        changed("order_events", {4: {"type": "limit", "price": "2999", "post_only": "true"}}), "order_events:4",
        f"tif of a4 of {ETH} was IOC", "one that lets a post_only order rest", "", "tif IOC, intent close_long",
    ),
    Bad(
        "not on the list", "2.1.6", "time_in_force", changed("order_events", {4: {"tif": "FOK"}}), "order_events:4",
        f"tif of a4 of {ETH} was FOK", "one of GTC, GTD, IOC", "", "order_events:4 submit a4: tif FOK",
    ),
    Bad(
        "good till no date", "2.1.6", "time_in_force", changed("order_events", {3: {"ts_expires": ""}}),
        "order_events:3", f"tif of a3 of {ETH} was GTD", "with a ts_expires", "", "order_events:3 submit a3: tif GTD",
    ),
]  # fmt: skip


def found(assessment: Assessment, check: str) -> Finding:
    (finding,) = [each for each in assessment.findings if each.check == check]
    return finding


def located(finding: Finding, where: str) -> bool:
    """Whether a finding is at the first of these places, and names all of them."""
    return finding.location == where.split(", ")[0] and f"first at {where}." in finding.description


@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: bad.name)
def test_a_mistake_is_found_and_worked(bad: Bad, tmp_path: Path) -> None:
    seen = look(tmp_path, bad.tables, form="a[0-9]" if bad.check == "id_form" else "")
    assert seen.errors == ()
    assert {(each.item, each.check) for each in seen.findings} == {(bad.item, bad.check)}
    finding = found(seen, bad.check)
    assert located(finding, bad.location)
    assert bad.was in finding.current
    should, *work = finding.correct.split("\n")
    assert bad.should in should
    assert any(bad.work in line for line in work), work
    assert finding.impact.amount == (float(bad.amount) if bad.amount else None)
    assert bad.cause in finding.description


def test_ids_of_a_counter_that_began_anew(tmp_path: Path) -> None:
    again = "\n".join(f"{50 + n} submit a{n} open_long buy 3000 1" for n in (1, 2, 3))
    finding = found(look(tmp_path, changed("order_events", {}, extra=again)), "unique_ids")
    assert located(finding, "order_events:6, order_events:7, order_events:8")
    assert "their counter began anew" in finding.description


ON_THE_QUOTE = {n: {"ts_expires": "99"} for n in (1, 2, 3, 4)}
LEGAL: dict[str, Tables] = {
    "limits that are met exactly, and less than the least money by an order that only reduces": changed(
        "order_events", {},
        extra="""
            40 submit b1 open_long  buy  3000 10
            41 submit b2 close_long sell 400  0.2 reduce_only=true
            42 submit b3 open_long  buy  500  0.2
        """,
    ),
    "an inverse contract of the least face value": changed(
        "order_events", {}, extra=f"40 submit b1 open_long buy 60000 5 symbol={BTC}"
    ),
    "no intent, on either side": changed("order_events", {}, extra="40 submit b1 - sell 2998.3 2"),
    "types and times in other letters": changed(
        "order_events", {1: {"type": "LIMIT", "tif": "gtc"}, 3: {"tif": "gtd"}}
    ),
    "the expiry is on the quote": changed("order_events", {3: {"ts_expires": ""}})
    | {"quotes": changed("quotes", ON_THE_QUOTE)["quotes"]},
    "an id that stays when its order is replaced": changed(
        "order_events", {5: {"client_order_id": "a1"}}, extra="40 replace_request a1 - - 2999 3"
    ),
    "clipped further out than it was worked out": changed("order_events", {1: {"price": "2990"}})
    | {"quotes": changed("quotes", {1: {"bid": "2990"}})["quotes"]},
    "half a unit of fair value, skew and half spread": changed("order_events", {1: {"price": "2998.5"}})
    | {"quotes": changed("quotes", {1: {"fair_value": "2999.91", "half_spread": "1.62"}})["quotes"]},
    "a quote of equal time that was not made yet": changed("order_events", {5: {"price": "2998.5"}}),
    "no level: any of the decision's": changed("order_events", {n: {"level": ""} for n in (1, 2, 3)}),
    "half a spread that nothing states": changed("order_events", {1: {"price": "2999"}})
    | {"quotes": changed("quotes", {1: {"bid": "2999", "half_spread": ""}})["quotes"]},
    "before the first quote": changed("quotes", {n: {"ts_local": "25"} for n in (1, 2)}),
    "a lot size that is in force by then": changed("order_events", {}, extra="60 submit b1 open_long buy 3000 0.25")
    | {"instruments": [*MARKET, MARKET[0] | {"lot_size": "0.05", "ts_from": "60"}]},
}  # fmt: skip


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_legal_is_not_reported(name: str, tmp_path: Path) -> None:
    seen = look(tmp_path, LEGAL[name])
    assert (seen.findings, seen.errors) == ((), ())


def test_half_units_end_somewhere(tmp_path: Path) -> None:
    # 2999.90 + 0.20 - 1.62 = 2998.48, and three half units of a hundredth make it 2998.495: below 2998.5
    tables = BASE | {"quotes": changed("quotes", {1: {"fair_value": "2999.90", "half_spread": "1.62"}})["quotes"]}
    assert "2998.48, rounded down" in found(look(tmp_path, tables), "rounded_outward").correct


def test_a_bot_that_lags_may_have_the_quote_before(tmp_path: Path) -> None:
    tables = changed("order_events", {5: {"ts_local": "35", "price": "2998.5"}})
    assert located(found(look(tmp_path / "prompt", tables), "price_of_quote"), "order_events:5, quotes:3")
    assert look(tmp_path / "late", tables, claim_lag_ms=10).findings == ()


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    tables = changed("order_events", {2: {"side": ""}, 4: {"client_order_id": ""}})
    seen = look(tmp_path / "cells", tables)
    assert seen.findings == ()
    for told in (
        "1 orders with an intent have no side: not judged",
        "1 orders were sent without a client_order_id: not judged",
        "[session] client_order_id is not stated: the form of ids is not judged",
        "1 orders have no price and no mark before them: their notional is not judged",
    ):
        assert any(told in note for note in seen.notes), told
    bare = {name: rows for name, rows in changed("order_events", {3: {"ts_expires": ""}}).items() if name != "quotes"}
    seen = look(tmp_path / "quotes", bare)
    assert seen.findings == ()
    assert any("1 quotes are GTD without ts_expires, and no quotes are recorded" in note for note in seen.notes)


@pytest.mark.parametrize(
    "given", [each for each in CASES if each.item in SIX], ids=lambda each: f"{each.item} {each.about}"
)
def test_the_cases_of_the_slow_detectors(given: Case, tmp_path: Path) -> None:
    write_case(tmp_path, given)
    seen = look_at(tmp_path, given.item)
    (item,) = seen.items
    assert (item.status, item.exercised > 0) == ("failed" if given.where else "verified", True)
    places = {place for finding in seen.findings for place in finding.location.replace(",", " ").split()}
    assert set(given.where.split()) <= places


# --- seeded mistakes --------------------------------------------------------------------------------------------------

SEEDED = [each for each in defects().values() if each.item in SIX and each.evidence == "session"]
ODD = [each for each in defects().values() if each.plant.__module__.endswith("s2_1") and not each.item]
OTHER = {"cost_basis": "average", "realized": "net", "conversion": "fill"}
CHOSEN = {"5": (5, None), "11-other": (11, OTHER)}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    return simulated(tmp_path_factory.mktemp("simulated"), CHOSEN)


def test_a_simulated_session_exercises_all_and_breaks_nothing(recordings: dict[str, Recording]) -> None:
    for recording in recordings.values():
        seen = look_at(recording.folder, "2.1")
        assert seen.findings == ()
        assert statuses(seen) == dict.fromkeys(SIX, "verified")
        assert [c.name for item in seen.items for c in item.checks if not c.exercised] == []


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_seeded_mistake_fails_its_item(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_its_item(chosen, planted(chosen, recordings, tmp_path, CHOSEN), "2.1", SIX)


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_fails_nothing(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    fails_nothing(planted(chosen, recordings, tmp_path, CHOSEN), "2.1")
