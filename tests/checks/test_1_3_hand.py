"""Section 1.3 on a session whose every number is worked by hand, and on five bots that each make one mistake in it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest
from checks.hand_1_3 import NINE, Tables, amount, base, changed, look, printed, statuses, write
from checks.regression import run_pytest

from mmverify.report.regression import render

RIGHT = dict.fromkeys(NINE[:5], "verified") | dict.fromkeys(NINE[5:], "not_assessed")


def test_the_base_session_is_right(tmp_path: Path) -> None:
    seen = look(write(tmp_path / "hand", base()))
    assert (seen.findings, seen.errors, seen.notes) == ((), (), ())
    assert statuses(seen) == RIGHT


@pytest.mark.parametrize(
    ("check", "count"),
    [
        # claims after something was closed: ETH-PERP at 2450 and 3500, BTC-USDT at 3500 and 4000, BTC-USD at 3500
        ("realized_pnl", 5),
        # claims of an open position with a mark known: all seven
        ("unrealized_pnl", 7),
        ("fee_rate", 9),
        ("fees_claim", 7),
        # claims after a payment: ETH-PERP and BTC-USD at 3500
        ("funding_claim", 2),
        # claims with a fee or a payment to count: all seven
        ("total_claim", 7),
        # two * rows, five columns each
        ("all_symbols_row", 10),
        # both claims of ETH-PERP after p1: its parts at their bare average, 3005, would give (3005 - 2990) x 15 x 0.1 =
        # 22.5 in place of 20, then 22.5 + 37.5 = 60 in place of 65
        ("grouping", 2),
        ("balance_value", 4),
        # BTC beside USDT: unrealized, fees and total at 2450 (realized and funding of BTC are 0), all five at 3500
        ("currencies_added", 8),
    ],
)
def test_each_check_counts_what_exercised_it(tmp_path: Path, check: str, count: int) -> None:
    seen = look(write(tmp_path / "hand", base()))
    assert {c.name: c.exercised for item in seen.items for c in item.checks}[check] == count


class Bad(NamedTuple):
    """A bot's mistake: the cells that it changes, and the finding that it is."""

    name: str
    item: str
    check: str
    severity: str
    table: str
    cells: dict[int, dict[str, str]]
    location: str
    count: int
    amount: str
    currency: str
    key: str
    cause: str
    work: tuple[str, ...]
    current: str
    correct: str

    def tables(self) -> Tables:
        """Return the base session with the mistake in it."""
        tables = base()
        for row, values in self.cells.items():
            tables = tables | {self.table: changed(tables[self.table], row, **values)}
        return tables


WRONG = [
    # Average cost: 75950 / 1.499 a unit, so that 1.2 cost 91140 / 1.499 = 60800.53368912608...; 63600 less that is
    # 2799.46631087..., off by 3198 - 2799.46631087 = 398.53368913. Its totals and * rows add up from it.
    Bad(
        "average cost for FIFO",
        "1.3.1",
        "realized_pnl",
        "CRITICAL",
        "pnl",
        {
            5: {"realized": "2799.46631087", "total": "3286.46631087"},
            9: {"realized": "2799.46631087", "total": "3286.46631087"},
            8: {"realized": "4160.46631087", "total": "5612.98906087"},
        },
        "pnl:5",
        2,
        "398.53368913",
        "USDT",
        "BTC-USDT",
        "average cost was used",
        (
            "fills:8 closes long 0.999 entered at 50000 at 53000: (53000 - 50000) x 0.999 = 2997",
            "fills:8 closes long 0.201 entered at 52000 at 53000: (53000 - 52000) x 0.201 = 201",
            "realized by these: 2997 + 201 = 3198",
            "pnl:5 claims 2799.46631087: it is off by -398.53368913",
        ),
        "realized P&L of BTC-USDT was 2799.46631087 USDT",
        "should be 3198 USDT",
    ),
    # The last price: (53990 - 52000) x 0.299 = 595.01 where the mark gives 598: 2.99 less.
    Bad(
        "the last price for the mark",
        "1.3.2",
        "unrealized_pnl",
        "HIGH",
        "pnl",
        {
            5: {"unrealized": "595.01", "total": "3682.01", "price": "53990"},
            9: {"unrealized": "595.01", "total": "3682.01", "price": "53990"},
            8: {"unrealized": "1570.01", "total": "6008.53275"},
        },
        "pnl:5",
        2,
        "2.99",
        "USDT",
        "BTC-USDT",
        "the last price was used",
        ("(54000 - 52000) x 0.299 = 598",),
        "unrealized P&L of BTC-USDT was 595.01 USDT",
        "should be 598 USDT",
    ),
    # Funding left out of the total: 65 + 30 - 8.5165 = 86.4835; all: 3685 + 86.4835 + 2240.487 = 6011.9705
    Bad(
        "funding left out of the total",
        "1.3.3",
        "total_claim",
        "CRITICAL",
        "pnl",
        {6: {"total": "86.4835"}, 8: {"total": "6011.9705"}},
        "pnl:6",
        1,
        "0.44775",
        "USDT",
        "ETH-PERP",
        "funding was left out",
        ("realized + unrealized - fees + funding = 65 + 30 - 8.5165 + (-0.44775) = 86.03575",),
        "total P&L of ETH-PERP was 86.4835 USDT",
        "should be 86.03575 USDT",
    ),
    # A rebate taken as a cost: fees 50 + 2.6 = 52.6 at 2450 and 52.6 + 63.6 = 116.2 after; 5.2 too many. Total 3497 -
    # 52.6 = 3444.4, then 3198 + 598 - 116.2 = 3679.8; all: fees 48.7965 + 5.2 and 120.7045 + 5.2, totals 5.2 less.
    Bad(
        "a rebate taken as a cost",
        "1.3.3",
        "fees_claim",
        "CRITICAL",
        "pnl",
        {
            1: {"fees": "52.6", "total": "3444.4"},
            4: {"fees": "53.9965", "total": "5598.0035"},
            5: {"fees": "116.2", "total": "3679.8"},
            9: {"fees": "116.2", "total": "3679.8"},
            8: {"fees": "125.9045", "total": "6006.32275"},
        },
        "pnl:1",
        3,
        "5.2",
        "USDT",
        "BTC-USDT",
        "rebates were taken as costs",
        ("fills:1: 50 USDT", "fills:4: (-2.6) USDT", "fees of these: 50 + (-2.6) = 47.4"),
        "fees of BTC-USDT was 52.6 USDT",
        "should be 47.4 USDT",
    ),
    # The taker's rate for a maker's fill: 26000 x 0.001 = 26 in place of -2.6; the bot books what it was charged: 76,
    # then 139.6; total 3497 - 76 = 3421, then 3198 + 598 - 139.6 = 3656.4; all: fees + 28.6, totals - 28.6
    Bad(
        "a maker charged as a taker",
        "1.3.3",
        "fee_rate",
        "HIGH",
        "fills",
        {4: {"fee": "26"}},
        "fills:4",
        1,
        "28.6",
        "USDT",
        "BTC-USDT USDT",
        "the rate of the other liquidity was charged: taker for maker, or maker for taker",
        ("fills:4, maker rate (-0.0001): 52000 x 0.5 x (-0.0001) = -2.6", "the fee of 26 USDT is off by 28.6"),
        "the fee was 26 USDT",
        "should be -2.6 USDT",
    ),
    # BTC-USD left out of realized: 3198 + 65 = 3263, 1296 too little.
    Bad(
        "a symbol left out of the * row",
        "1.3.4",
        "all_symbols_row",
        "HIGH",
        "pnl",
        {8: {"realized": "3263"}},
        "pnl:8",
        1,
        "1296",
        "USDT",
        "realized",
        "BTC-USD was left out",
        ("pnl:5: 3198", "pnl:6: 65", "pnl:7: 0.024 x 54000 = 1296 USDT", "3198 + 65 + 1296 = 4559 USDT"),
        "realized of all symbols was 3263 USDT",
        "should be 4559 USDT",
    ),
    # The haircut on what is owed: -100 x 0.9 / 0.8 = -112.5 in place of -125.
    Bad(
        "a haircut on a negative balance",
        "1.3.5",
        "balance_value",
        "CRITICAL",
        "balances",
        {3: {"value": "-112.5"}},
        "balances:3",
        1,
        "12.5",
        "USDT",
        "EUR",
        "the haircut was taken off a negative total",
        ("(-100) EUR is owed, so no haircut: (-100) x 1.25 = -125 USDT",),
        "the value of -100 EUR was -112.5 USDT",
        "should be -125 USDT",
    ),
    # The rate the wrong way round: -100 x 0.8 = -80.
    Bad(
        "a rate the wrong way round",
        "1.3.5",
        "balance_value",
        "CRITICAL",
        "balances",
        {3: {"value": "-80"}},
        "balances:3",
        1,
        "45",
        "USDT",
        "EUR",
        "the rate was applied the wrong way round",
        ("(-100) EUR is owed, so no haircut: (-100) x 1.25 = -125 USDT",),
        "the value of -100 EUR was -80 USDT",
        "should be -125 USDT",
    ),
]

CHARGED = {
    1: {"fees": "76", "total": "3421"}, 4: {"fees": "77.3965", "total": "5574.6035"},
    5: {"fees": "139.6", "total": "3656.4"}, 9: {"fees": "139.6", "total": "3656.4"},
    8: {"fees": "149.3045", "total": "5982.92275"},
}  # fmt: skip


def wrong_tables(bad: Bad) -> Tables:
    """Return the session of a mistake; where the venue charged another fee, the bot books what it was charged."""
    tables = bad.tables()
    if bad.table == "fills":
        for row, values in CHARGED.items():
            tables = tables | {"pnl": changed(tables["pnl"], row, **values)}
    return tables


@pytest.mark.armed
@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: bad.name.replace(" ", "-"))
def test_a_mistake_fails_its_item_alone(tmp_path: Path, bad: Bad) -> None:
    seen = look(write(tmp_path / "hand", wrong_tables(bad)))
    assert statuses(seen) == RIGHT | {bad.item: "failed"}
    assert [f.id for f in seen.findings] == [f"{bad.item}:{bad.check}:{bad.key.replace(' ', '-')}"]
    finding = seen.findings[0]
    assert (finding.severity, finding.location, finding.count) == (bad.severity, bad.location, bad.count)
    assert (amount(finding), finding.impact.currency) == (Fraction(bad.amount), bad.currency)
    assert finding.cause == bad.cause
    assert set(bad.work) <= set(finding.work), finding.work
    assert finding.current == bad.current
    assert finding.correct.splitlines()[0] == bad.correct


@pytest.mark.armed
def test_the_regression_tests_fail_on_the_wrong_sessions_and_pass_on_the_right_one(tmp_path: Path) -> None:
    for bad in WRONG:
        name = bad.name.replace(" ", "-").replace("*", "all")
        folder = write(tmp_path / name, wrong_tables(bad))
        for path, text in render(look(folder), {name: folder}, {}).items():
            file = tmp_path / "regression" / name / path
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
    right = write(tmp_path / "right", base())
    assert run_pytest(tmp_path / "regression") == f"{len(WRONG)} failed"
    assert run_pytest(tmp_path / "regression", MMVERIFY_SESSION=str(right)) == f"{len(WRONG)} passed"


MONEY = {"realized": "realized_pnl", "unrealized": "unrealized_pnl", "fees": "fees_claim", "funding": "funding_claim",
         "total": "total_claim"}  # fmt: skip


@pytest.mark.armed
@pytest.mark.parametrize("column", MONEY)
@pytest.mark.parametrize("row", range(1, 10))
def test_every_claim_is_judged_on_its_own(tmp_path: Path, column: str, row: int) -> None:
    """What no known mistake explains is found where it stands, by its exact size.

    One unit of the last digit is enough, but for sums: each of their parts may be off by half a unit of its own.
    """
    claims = base()["pnl"]
    symbol = claims[row - 1]["symbol"]
    more = Fraction(1) if symbol == "*" or column in ("fees", "total") else Fraction(1, 10**8)
    claim = printed(Fraction(claims[row - 1][column]) + more)
    seen = look(write(tmp_path / "hand", base() | {"pnl": changed(claims, row, **{column: claim})}))
    assert not seen.errors
    key = f"1.3.4:all_symbols_row:{column}" if symbol == "*" else f":{MONEY[column]}:{symbol}"
    found = [f for f in seen.findings if f.id.endswith(key)]
    assert [(f.location, f.count, amount(f), f.cause) for f in found] == [(f"pnl:{row}", 1, more, "")]
