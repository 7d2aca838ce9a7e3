"""The identity of profit and loss: by hand, over simulated sessions of many conventions, over the mistakes of 1.3."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from checks.hand_1_3 import T0_MS, Row, Tables, fills, market, marks, pnl, rates, table, write
from checks.seeded import simulated
from simulate.test_cover import ROWS

from mmverify.checks.identity import Break, Identity, books, first_break, identities, identity
from mmverify.checks.identity_parts import hold
from mmverify.checks.identity_view import Parts, view
from mmverify.defects import Defect, defects
from mmverify.defects.recording import Recording
from mmverify.errors import NotExercised
from mmverify.session import open_session
from mmverify.simulate import simulate

F = Fraction


def ns(ms: int) -> int:
    return (T0_MS + ms) * 1_000_000


def equity(text: str) -> list[Row]:
    return table("ts_local equity\n" + text)


# Bought 2 at 3000 and sold 1 at 3050; fees 1.2 and 0.61; the mark at 3010, then 3040; funding of 0.3 paid; 500 moved
# in. At 2450: (3010 - 3000) x 2 - 1.2 = 18.8. At 3500: realized 3050 - 3000 = 50, unrealized 3040 - 3000 = 40, fees
# 1.81, funding -0.3: 87.89, and 500 more are there.
LINEAR: Tables = {
    "instruments": market("ETH-PERP"),
    "fills": fills("""
        1000 ETH-PERP E1 buy  3000 2 taker 1.20 USDT
        2600 ETH-PERP E2 sell 3050 1 taker 0.61 USDT
    """),
    "marks": marks("""
        900  ETH-PERP 3000 3000 3000
        2440 ETH-PERP 3010 3009 3008
        2900 ETH-PERP 3040 3039 3038
    """),
    "funding": table("""
        ts_exchange ts_local symbol   rate   position mark amount asset
        2800        2805     ETH-PERP 0.0001 1        3000 -0.30  USDT
    """),
    "transfers": table("""
        ts_exchange ts_local asset amount kind
        2995        3000     USDT  500    deposit
    """),
    "equity": equity("""
        500  10000.00
        2450 10018.80
        3500 10587.89
    """),
    "pnl": pnl("""
        2450 ETH-PERP 0.00  20.00 1.20 0.00  18.80
        3500 ETH-PERP 50.00 40.00 1.81 -0.30 87.89
    """),
}
WHOLE = Parts(realized=F(50), unrealized=F(40), fees=F("1.81"), funding=F("-0.3"), transfers=F(500))


def of(folder: Path, tables: Tables, book: str = "equity", start: int | None = None, end: int | None = None,
       **conventions: str) -> Identity:  # fmt: skip
    """Write a session and hold one book of it over an interval in milliseconds."""
    session = open_session(write(folder, tables, **conventions))
    bounds = {"start": None if start is None else ns(start), "end": None if end is None else ns(end)}
    found = identity(session, book, **bounds)
    assert found is not None
    return found


def broken(folder: Path, tables: Tables, book: str = "equity", **conventions: str) -> Break:
    found = first_break(open_session(write(folder, tables, **conventions)), book)
    assert found is not None
    return found


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_a_session_by_hand_leaves_no_residual(tmp_path: Path) -> None:
    found = of(tmp_path, LINEAR)
    assert found.parts == WHOLE and found.claimed == F("587.89") == WHOLE.total
    assert found.residual == 0 and found.holds and found.printed == F("0.01")
    assert (found.first, found.last, found.currency) == ("equity:1", "equity:3", "USDT")
    session = open_session(tmp_path)
    assert books(session) == ("equity", "ETH-PERP")
    assert [first_break(session, book) for book in books(session)] == [None, None]


def test_a_total_counts_from_the_session_s_start(tmp_path: Path) -> None:
    found = of(tmp_path, LINEAR, "ETH-PERP")
    assert (found.first, found.last, found.claimed, found.residual) == ("", "pnl:2", F("87.89"), 0)
    assert found.parts == Parts(realized=F(50), unrealized=F(40), fees=F("1.81"), funding=F("-0.3"))


def test_any_interval_has_its_own_identity(tmp_path: Path) -> None:
    early, late = of(tmp_path / "a", LINEAR, end=3000), of(tmp_path / "b", LINEAR, start=1000)
    # bought; then sold, funding and the transfer
    assert early.parts == Parts(unrealized=F(20), fees=F("1.2")) and early.claimed == F("18.8")
    assert late.parts == Parts(F(50), F(20), F("0.61"), F("-0.3"), F(0), F(500)) and late.claimed == F("569.09")
    assert early.residual == late.residual == 0
    assert early.parts + late.parts == WHOLE
    session = open_session(tmp_path / "a")
    assert identity(session, "equity", start=ns(1000), end=ns(3000)) is None  # one record is no interval
    assert identity(session, "equity", start=ns(9000), end=None) is None


def test_every_record_of_an_interval_is_held(tmp_path: Path) -> None:
    session = open_session(write(tmp_path, LINEAR))
    found = identities(session, "equity", start=None, end=None, count=10)
    assert [(each.last, each.claimed, each.residual) for each in found] == [
        ("equity:1", 0, 0), ("equity:2", F("18.8"), 0), ("equity:3", F("587.89"), 0)
    ]  # fmt: skip
    assert found[-1] == identity(session, "equity", start=None, end=None)
    assert [each.last for each in identities(session, "equity", start=None, end=None, count=2)] == [
        "equity:1", "equity:3"
    ]  # fmt: skip
    assert identities(session, "equity", start=ns(9000), end=None, count=10) == []


def test_a_rebate_is_a_negative_fee(tmp_path: Path) -> None:
    tables = LINEAR | {"fills": [row | {"fee": "-0.61"} if row["exec_id"] == "E2" else row for row in LINEAR["fills"]]}
    tables["equity"] = equity("500 10000.00\n3500 10589.11")  # 1.2 - 0.61 = 0.59 paid: 50 + 40 - 0.59 - 0.3 + 500
    found = of(tmp_path, tables)
    assert found.residual == 0 and found.parts.fees == F("0.59")


# Inverse: 100 contracts of 100 USD bought at 50000 with a rebate of 0.00005 BTC, 60 sold at 62500 for a fee of
# 0.000072. At the end the mark is 64000 and a bitcoin costs 63000 USDT: realized (1/50000 - 1/62500) x 60 x 100 =
# 0.024, unrealized (1/50000 - 1/64000) x 40 x 100 = 0.0175, fees 0.000022; in USDT 1512, 1102.5, 1.386. Held beside
# it: 1000 EUR, which go from 1.10 to 1.12, and 2 BTC moved in at 60000, which are worth 6000 more at the end.
INVERSE: Tables = {
    "instruments": market("BTC-USD"),
    "fills": fills("""
        1000 BTC-USD C1 buy  50000 100 maker -0.00005 BTC
        2600 BTC-USD C2 sell 62500 60  taker 0.000072 BTC
    """),
    "marks": marks("2440 BTC-USD 64000 64000 64000"),
    "rates": rates("""
        400  BTC  USDT 60000
        400  EUR  USDT 1.10
        2700 BTC  USDT 63000
        2700 EUR  USDT 1.12
    """),
    "balances": table("ts_local asset total source\n300 EUR 1000 exchange\n300 USDT 5000 exchange"),
    "transfers": table("ts_exchange ts_local asset amount kind\n1995 2000 BTC 2 deposit"),
    "equity": equity("500 6100.000\n3500 134733.114"),
    "pnl": pnl("3500 BTC-USD 0.0240000 0.0175000 0.0000220 0.0000000 0.0414780 currency=BTC\n"
               "3510 * 1512.0000 1102.5000 1.3860 0.0000 2613.1140 currency=USDT"),
}  # fmt: skip


def test_an_inverse_contract_and_money_of_other_currencies(tmp_path: Path) -> None:
    found = of(tmp_path, INVERSE)
    assert found.parts == Parts(
        realized=F(1512), unrealized=F("1102.5"), fees=F("1.386"), conversion=F(1000) * F("0.02") + 2 * 3000,
        transfers=F(120_000),
    )  # fmt: skip
    assert found.claimed == F("128633.114") and found.residual == 0
    session = open_session(tmp_path)
    assert [first_break(session, book) for book in books(session)] == [None, None, None]
    native = identity(session, "BTC-USD", start=None, end=None)
    assert native and native.currency == "BTC" and native.parts.total == F("0.041478") and native.residual == 0


def test_what_is_booked_at_the_rate_of_the_fill_is_converted_afterwards(tmp_path: Path) -> None:
    # at 60000 each: realized 0.024 -> 1440, fees 0.000022 -> 1.32; what the rate made of them since is conversion
    tables = INVERSE | {"pnl": pnl("3510 * 1440.0000 1102.5000 1.3200 0.0000 2541.1800 currency=USDT")}
    found = of(tmp_path, tables, conversion="fill")
    later = F("0.024") * 3000 - F("0.000022") * 3000
    assert (found.parts.realized, found.parts.fees) == (1440, F("1.32"))
    assert found.parts.conversion == 6020 + later and found.residual == 0
    assert first_break(open_session(tmp_path), "*") is None


# Spot: 1 BTC bought at 50000 with a fee of 0.001 BTC, so 0.999 are there; 0.4 sold at 52000 with a fee of 0.02 BNB,
# where a BNB costs 600, and 660 at the end; a bitcoin costs 53000 then. 0.599 x 53000 = 31747 and 20800 less 50000, and
# the BNB: 3 held, 0.02 paid. realized 2000 x 0.4 = 800; unrealized 3000 x 0.599 = 1797; fees 50 + 12; conversion: 3 BNB
# go up by 60 each, less 0.02 x 60 = 1.2 that went out at 600.
SPOT: Tables = {
    "instruments": market("BTC-USDT"),
    "fills": fills("""
        1000 BTC-USDT A1 buy  50000 1.0 taker 0.001 BTC
        2600 BTC-USDT A2 sell 52000 0.4 taker 0.02  BNB
    """),
    "marks": marks("2440 BTC-USDT 53010 53000 52990"),
    "rates": rates("""
        400  BTC USDT 50000
        400  BNB USDT 600
        2700 BTC USDT 53000
        2700 BNB USDT 660
    """),
    "balances": table("ts_local asset total source\n300 BNB 3 exchange\n300 USDT 90000 exchange"),
    "equity": equity("500 91800.00\n3500 94513.80"),
}


def test_a_spot_account_with_fees_in_base_and_in_a_third_asset(tmp_path: Path) -> None:
    found = of(tmp_path, SPOT)
    assert found.parts == Parts(
        realized=F(800), unrealized=F(1797), fees=F(62), conversion=F(180) - F("1.2"),
    )  # fmt: skip
    wallet = 90000 - 50000 + 20800 + F("0.599") * 53000 + F("2.98") * 660  # the account itself, asset by asset
    assert wallet == F("94513.8") and found.residual == 0


# --- a residual, located and explained --------------------------------------------------------------------------------


def changed(tables: Tables, name: str, place: int, **values: str) -> Tables:
    rows = [row | values if n == place else row for n, row in enumerate(tables[name], 1)]
    return tables | {name: rows}


WRONG = {
    # 10587.89 + 0.61
    "fee": (LINEAR, "equity", "10588.50", "0.61", "the fee of fills:2 was left out"),
    "fee twice": (LINEAR, "equity", "10587.28", "-0.61", "the fee of fills:2 was counted twice"),
    # the sale again: (3040 - 3050) x -1 = 10, less its fee
    "fill twice": (LINEAR, "equity", "10597.28", "9.39", "fills:2 was counted twice"),
    "fill missed": (LINEAR, "equity", "10578.50", "-9.39", "fills:2 was left out"),
    "funding": (LINEAR, "equity", "10588.49", "0.60", "funding:1 was counted with its sign turned"),
    "transfer": (LINEAR, "equity", "10087.89", "-500", "transfers:1, a transfer, was left out"),
    # 2 BTC at 63000 taken for 2 USDT
    "unconverted": (INVERSE, "equity", "8735.114", "-125998", "transfers:1, a transfer, was added unconverted"),
    # 0.041478 BTC taken for USDT
    "sum unconverted": (INVERSE, "equity", "132120.041478", "-2613.072522",
                        "the amounts were added without converting them"),
    "rates of the start": (INVERSE, "equity", "128713.114", "-6020",
                           "what was held in other currencies was kept at its first rates"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_equity_is_located_and_explained(name: str, tmp_path: Path) -> None:
    tables, _, claimed, residual, cause = WRONG[name]
    last = len(tables["equity"])
    found = broken(tmp_path, changed(tables, "equity", last, equity=claimed))
    assert found.identity.residual == F(residual)
    assert (found.holds_at, found.breaks_at, found.cause) == (f"equity:{last - 1}", f"equity:{last}", cause)
    assert not found.identity.holds
    assert set(found.records) == {
        3: {"fills:2", "funding:1", "transfers:1"}, 2: {"fills:1", "fills:2", "transfers:1"}
    }[last]  # fmt: skip


def test_a_transfer_taken_for_profit(tmp_path: Path) -> None:
    found = broken(tmp_path, changed(LINEAR, "pnl", 2, total="587.89"), "ETH-PERP")
    assert (found.holds_at, found.breaks_at, found.identity.residual) == ("pnl:1", "pnl:2", 500)
    assert found.cause == "transfers:1, a transfer, was taken for profit"


def test_of_one_mistake_the_first_record_is_told(tmp_path: Path) -> None:
    rows = "500 10000.00\n1500 9998.80\n2450 10018.80\n2700 10068.80\n3500 10588.50\n3600 10588.50"
    # at 2700: realized 50, open (3010 - 3000) x 1 = 10, fees 1.81: 10058.19, and the fee of 0.61 is not taken off
    tables = LINEAR | {"equity": equity(rows.replace("10068.80", "10058.80"))}
    found = broken(tmp_path, tables)
    assert (found.holds_at, found.breaks_at, found.records) == ("equity:3", "equity:4", ("fills:2",))
    assert found.cause == "the fee of fills:2 was left out"
    assert (found.since, found.until) == (ns(2450), ns(2700))


def test_what_no_single_mistake_gives_has_no_cause(tmp_path: Path) -> None:
    found = broken(tmp_path, changed(LINEAR, "equity", 3, equity="10591.02"))
    assert found.identity.residual == F("3.13") and found.cause == ""


def test_a_last_digit_is_rounding_and_the_next_is_not(tmp_path: Path) -> None:
    # the two claims may be off by 0.005 each, the fees by 0.005 each
    assert of(tmp_path / "a", changed(LINEAR, "equity", 3, equity="10587.90")).holds
    assert not of(tmp_path / "b", changed(LINEAR, "equity", 3, equity="10587.92")).holds


def test_many_records_are_closed_in_on(tmp_path: Path) -> None:
    # 2000 records, the fee of the sale at 2600 ms is missing from the 1301st on: at 1300 ms + 1 ms each
    claims = [f"{1300 + n} 9998.80" for n in range(1140)] + [f"{2440 + n} 10018.80" for n in range(160)]
    claims += [f"{2600 + n} 10058.80" for n in range(200)]
    tables = LINEAR | {"equity": equity("500 10000.00\n" + "\n".join(claims))}
    found = broken(tmp_path, tables)
    assert (found.holds_at, found.breaks_at) == ("equity:1301", "equity:1302")
    assert found.cause == "the fee of fills:2 was left out"


def test_without_fills_there_is_nothing_to_hold(tmp_path: Path) -> None:
    tables = {name: rows for name, rows in LINEAR.items() if name != "fills"}
    assert books(open_session(write(tmp_path, tables))) == ()


def test_a_record_without_a_price_is_left_out(tmp_path: Path) -> None:
    tables = LINEAR | {"marks": marks("2900 ETH-PERP 3040 3039 3038")}  # at 2450 none is known
    assert of(tmp_path, tables).residual == 0
    session = open_session(tmp_path)
    assert identity(session, "equity", start=None, end=ns(3000)) is None
    assert first_break(session, "equity") is None


# --- simulated sessions of many conventions ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(0, len(ROWS), 5))
def test_a_simulated_session_has_no_residual_beyond_the_last_digits(seed: int, tmp_path: Path) -> None:
    simulate(tmp_path / "s", seed=seed, hours=F(1, 10), symbols=3, conventions=ROWS[seed])
    session = open_session(tmp_path / "s")
    assert books(session) == ("equity", "BTC-USDT", "BTC-USDT-PERP", "BTC-USD-PERP", "*")
    for book in books(session):
        assert first_break(session, book) is None
        taken = view(session, book)
        origin = hold(taken, taken.rows[:1], None)[0] if book == "equity" else None
        held = hold(taken, taken.rows, origin)
        assert len(held) == len(taken.rows) > 10
        for each in held:
            off = each.claimed - each.parts.total - (origin.claimed - origin.parts.total if origin else 0)
            assert abs(off) <= each.printed + (origin.printed if origin else 0)
    whole = identity(session, "equity", start=None, end=None)
    assert whole and all(vars(whole.parts).values())  # every part is there to be wrong


# --- the mistakes of 1.3 ----------------------------------------------------------------------------------------------

#: A mistake that leaves every total as it is, or makes none: why it leaves no residual.
NO_RESIDUAL = {
    "1.3.1-lots-matched-by-another-basis": "moves profit between realized and unrealized",
    "1.3.3-maker-rate-of-another-tier-assumed": "is in the rate that is assumed, not in what was charged",
    "1.3.5-haircut-taken-off-what-is-owed": "is in the value of a balance",
    "1.3.5-balances-at-the-rates-of-the-start": "is in the value of a balance",
    "1.3.5-balance-at-a-rate-of-after-it": "is in the value of a balance",
}
#: What is said of the others; of those left out a mistake is made at many records, none of the known ones.
CAUSES = {
    "1.3.1-loss-shown-as-a-profit": "realized: the sign was turned",
    "1.3.1-contract-multiplier-left-out": "the contract multiplier was left out",
    "1.3.1-inverse-contract-by-the-linear-formula": "the linear formula was used on an inverse contract",
    "1.3.1-exit-booked-at-the-price-of-the-fill-before": "was booked at the price of the fill before it",
    "1.3.2-valued-at-another-price-type": "price was used",
    "1.3.2-short-valued-as-a-long": "unrealized: the sign was turned",
    "1.3.3-fees-of-exits-left-out": "was left out; records after it have more to them",
    "1.3.3-fee-in-a-third-asset-unconverted": "unconverted",
    "1.3.3-fee-of-one-fill-left-out": "the fee of fills:",
    "1.3.3-funding-paid-taken-as-received": "sign turned",
    "1.3.3-one-funding-payment-left-out": "was left out",
    "1.3.3-fees-taken-off-the-total-twice": "fees were counted twice",
    "1.3.3-total-without-funding": "funding was left out",
    "1.3.4-symbol-left-out-of-the-sum": "was left out",
    "1.3.4-stale-row-of-a-symbol-in-the-sum": "was summed as it stood in pnl:",
    "1.3.4-order-booked-at-the-mean-of-its-prices": "the fills of an order were averaged without their quantities",
    "1.3.5-currencies-added-unconverted": "the amounts were added without converting them",
}
SEEDED = [each for each in defects().values() if each.item.startswith("1.3.") and each.evidence == "session"]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    net = {"cost_basis": "average", "unrealized_price": "index", "realized": "net"}
    return simulated(tmp_path_factory.mktemp("recorded"), {"plain": (11, None), "net": (12, net)})


@pytest.mark.armed
@pytest.mark.parametrize("name", ["plain", "net"])
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_seeded_mistake_is_located_at_its_first_record(
    chosen: Defect, name: str, recordings: dict[str, Recording], tmp_path: Path
) -> None:
    copy = recordings[name].fresh()
    try:
        planted = chosen.plant(copy)
    except NotExercised:
        pytest.skip("the session has no place for it")
    copy.write(tmp_path / "s")
    session = open_session(tmp_path / "s")
    found = [each for each in (first_break(session, book) for book in books(session) if book != "equity") if each]
    if chosen.id in NO_RESIDUAL:
        assert not found
        return
    first = min(found, key=lambda each: int(each.breaks_at.partition(":")[2]))
    assert first.breaks_at == next(where for where in planted.where if where.startswith("pnl:"))
    assert not first.identity.holds
    assert CAUSES.get(chosen.id, "") in first.cause
