"""The functions of the contract: for each its oracle under the contract's signature, its inputs and its precision.

A case is a dict of arguments by the contract's names. Strategies draw sound cases and spoiled ones alike: the oracle
says which is which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from mmverify.conformance.arithmetic import (
    drawdown_work,
    ema_work,
    liquidation_work,
    mid_work,
    returns_work,
    volatility_work,
)
from mmverify.conformance.inputs import (
    CONTRACT,
    EPOCH,
    HUGE,
    ISO,
    MIDS,
    MONEY,
    NAN,
    NO_TIME,
    NS,
    PRICE,
    QTY,
    QUOTES,
    RATE,
    SIDE,
    SIGNED,
    TICKED,
    TICKS,
    TOPS,
    Case,
    Conventions,
    Strategy,
    decimals,
    fills,
    rate_tables,
    record,
    row,
    signed_trades,
    trades,
)
from mmverify.conformance.oracles import (
    Oracle,
    annual,
    convert_oracle,
    cut,
    cut_lee_ready,
    ema_oracle,
    exposed,
    fee,
    funding,
    largest,
    liquidation_oracle,
    liquidation_scale,
    notional,
    turnover,
    unrealized,
    worth,
)
from mmverify.formulas.clock import duration_exact, parse_ts_exact, window_of_exact
from mmverify.formulas.drawdown import drawdown_exact
from mmverify.formulas.exposure import exposure_exact
from mmverify.formulas.mid_price import microprice_exact, mid_exact
from mmverify.formulas.pnl import realized_pnl_exact
from mmverify.formulas.quote import quote_exact
from mmverify.formulas.returns import returns_exact, volatility_exact
from mmverify.formulas.rounding import round_price_exact, round_qty_exact
from mmverify.formulas.trade_sign import lee_ready_exact, trade_signs_exact
from mmverify.formulas.vwap import vwap_exact


@dataclass(frozen=True)
class Spec:
    """A function of the contract.

    Parameters
    ----------
    oracle : callable
        The exact answer, under the contract's signature; raises Undefined outside the domain.
    cases : callable
        The conventions to try, by name, to a strategy of cases.
    spoils : str
        Where a case is spoiled, and by what: ``prices.*=0|-1`` replaces one price.
    scale : callable
        Sum of the magnitudes of the terms that the answer is a sum or difference of; the answer's own where None.
    direct : callable
        Whether the arithmetic has no quotient or root before its last step, so that a Decimal can be exact.
    hollow : callable
        Whether a case is empty or has a denominator of 0.
    work : callable
        The arithmetic of a case.
    past : callable
        A case cut after its n-th input, for functions whose answer at t may not know what comes after.
    """

    oracle: Oracle
    cases: Callable[[Conventions], Strategy]
    spoils: str = ""
    scale: Callable[[Case], Any] | None = None
    direct: Callable[[Case], bool] = lambda case: case.get("kind") != "inverse"
    hollow: Callable[[Case], bool] = lambda case: False
    work: Callable[[Case], str] | None = None
    past: Callable[[Case, int], Case] | None = None


SPECS: dict[str, Spec] = {
    "mid": Spec(
        lambda bids, asks, min_qty=0: mid_exact(bids, asks, min_qty),
        lambda tried: MIDS,
        "bids.*.0=0|-1|NaN asks.*.0=0|-1|NaN bids.*.1=-1|NaN asks.*.1=NaN",
        work=mid_work,
    ),
    "microprice": Spec(
        microprice_exact,
        lambda tried: TOPS,
        "bid=0|-1|NaN ask=-1|NaN bid_qty=-1|NaN ask_qty=NaN",
        hollow=lambda case: not (case["bid_qty"] or case["ask_qty"]),
        work=lambda c: (
            f"({c['bid']} x {c['ask_qty']} + {c['ask']} x {c['bid_qty']}) / ({c['bid_qty']} + {c['ask_qty']})"
        ),
    ),
    "quote": Spec(
        quote_exact,
        lambda tried: QUOTES,
        "fair=0|-1|NaN half_spread=-1|NaN skew=NaN tick=0|-1|NaN",
        work=lambda c: (
            f"bid = floor(({c['fair']} + {c['skew']} - {c['half_spread']}) / {c['tick']}) x {c['tick']}, "
            f"ask = ceil(({c['fair']} + {c['skew']} + {c['half_spread']}) / {c['tick']}) x {c['tick']}"
        ),
    ),
    "round_price": Spec(
        round_price_exact,
        lambda tried: st.tuples(TICKED, SIDE).map(lambda drawn: drawn[0] | {"side": drawn[1]}),
        "price=0|-1|NaN tick=0|-1|NaN side=hold",
        hollow=lambda case: case["tick"] == 0,
        work=lambda c: f"{'floor' if c['side'] == 'buy' else 'ceil'}({c['price']} / {c['tick']}) x {c['tick']}",
    ),
    "round_qty": Spec(
        round_qty_exact,
        lambda tried: (
            TICKED.map(lambda case: {"qty": case["price"], "lot": case["tick"]})
            | record(qty=QTY, lot=st.sampled_from(TICKS))
        ),
        "qty=-1|NaN lot=0|-1|NaN",
        hollow=lambda case: case["lot"] == 0,
        work=lambda c: f"floor({c['qty']} / {c['lot']}) x {c['lot']}",
    ),
    "vwap": Spec(
        vwap_exact,
        lambda tried: trades(),
        "prices.*=0|-1|NaN qtys.*=-1|NaN prices=short qtys=short",
        hollow=lambda case: not any(case["qtys"]),
        work=lambda c: (
            f"({' + '.join(f'{p} x {q}' for p, q in zip(c['prices'], c['qtys'], strict=False))})"
            f" / ({' + '.join(map(str, c['qtys']))})"
        ),
    ),
    "ema": Spec(
        ema_oracle,
        lambda tried: st.tuples(
            st.tuples(
                row(-(10**5), 10**5, 7), st.sets(st.integers(0, 6), max_size=2), st.sampled_from([None, NAN])
            ).map(lambda drawn: {"values": [drawn[2] if n in drawn[1] else x for n, x in enumerate(drawn[0])]}),
            record(init=st.sampled_from(tried["ema_init"]), span=st.integers(1, 9))
            | record(
                init=st.sampled_from(tried["ema_init"]),
                alpha=decimals(1, 9, 0).map(lambda x: x / 10),
            ),
        ).map(lambda drawn: drawn[0] | drawn[1]),
        "alpha=0|-1|2|NaN span=0|-1 init=last",
        scale=lambda case: largest(case) * len(case["values"]),  # once for each step of the recursion
        direct=lambda case: False,
        work=ema_work,
        past=cut("values"),
    ),
    "returns": Spec(
        lambda prices, kind="log": returns_exact(prices, kind=kind),
        lambda tried: record(prices=row(1, 10**6, 5), kind=st.sampled_from(tried["volatility"])),
        "prices.*=0|-1|NaN kind=percent",
        scale=lambda case: Fraction(1),
        direct=lambda case: case.get("kind") == "simple",
        work=returns_work,
        past=cut("prices"),
    ),
    "volatility": Spec(
        lambda prices, periods_per_year, kind="log", ddof=1: volatility_exact(
            prices, kind=kind, ddof=ddof, periods_per_year=periods_per_year
        ),
        lambda tried: record(
            {"ddof": st.sampled_from([1, 0])},
            prices=row(1, 10**4, 6),
            periods_per_year=st.sampled_from([365, 1, 252, 8760, 525600]),
            kind=st.sampled_from(tried["volatility"]),
        ),
        "prices.*=0|-1|NaN kind=percent periods_per_year=0|-1",
        scale=annual,
        direct=lambda case: False,
        hollow=lambda case: len(case["prices"]) - 1 <= case.get("ddof", 1),
        work=volatility_work,
    ),
    "realized_pnl": Spec(
        lambda fills, cost_basis, kind="linear", multiplier=1: realized_pnl_exact(
            fills, cost_basis=cost_basis, kind=kind, multiplier=multiplier
        ),
        lambda tried: record(CONTRACT, fills=fills(), cost_basis=st.sampled_from(tried["cost_basis"])),
        "fills.*.0=hold fills.*.1=0|-1|NaN fills.*.2=-1|NaN cost_basis=hifo kind=option multiplier=0|-1",
        scale=turnover,
        direct=lambda case: case.get("kind") != "inverse" and case["cost_basis"] != "average",
    ),
    "unrealized_pnl": Spec(
        unrealized,
        lambda tried: record(CONTRACT, qty=SIGNED, avg_px=PRICE, price=PRICE),
        "qty=NaN price=0|-1|NaN kind=option multiplier=0",
        scale=lambda case: worth(case, "avg_px", "price"),
        work=lambda c: (
            f"(1/{c['avg_px']} - 1/{c['price']}) x {c['qty']} x {c.get('multiplier', 1)}"
            if c.get("kind") == "inverse"
            else f"({c['price']} - {c['avg_px']}) x {c['qty']} x {c.get('multiplier', 1)}"
        ),
    ),
    "notional": Spec(
        notional,
        lambda tried: record(CONTRACT, price=PRICE | HUGE, qty=QTY | HUGE),
        "price=0|-1|NaN qty=-1|NaN kind=option multiplier=0",
        work=lambda c: (
            f"{c['qty']} x {c.get('multiplier', 1)} {'/' if c.get('kind') == 'inverse' else 'x'} {c['price']}"
        ),
    ),
    "fee": Spec(
        fee,
        lambda tried: record(CONTRACT, price=PRICE, qty=QTY, rate=RATE),
        "price=0|-1|NaN qty=-1|NaN rate=NaN kind=option multiplier=0",
        work=lambda c: (
            f"{c['rate']} x {c['qty']} x {c.get('multiplier', 1)}"
            f" {'/' if c.get('kind') == 'inverse' else 'x'} {c['price']}"
        ),
    ),
    "funding": Spec(
        funding,
        lambda tried: record(CONTRACT, qty=SIGNED, mark=PRICE, rate=RATE),
        "mark=0|-1|NaN qty=NaN rate=NaN kind=option multiplier=0",
        work=lambda c: (
            f"-({c['rate']}) x {c['qty']} x {c.get('multiplier', 1)}"
            f" {'/' if c.get('kind') == 'inverse' else 'x'} {c['mark']}"
        ),
    ),
    "convert": Spec(
        convert_oracle,
        lambda tried: record(
            amount=SIGNED, asset=st.sampled_from(MONEY), currency=st.sampled_from(MONEY[::-1]), rates=rate_tables()
        ).filter(
            lambda case: case["asset"] != case["currency"] or not case["rates"] or min(case["rates"].values()) > 0
        ),
        "amount=NaN rates.*=0|-1|NaN",
        direct=lambda case: (case["asset"], case["currency"]) in case["rates"],
    ),
    "drawdown": Spec(
        drawdown_exact,
        lambda tried: record(equity=row(-(10**4), 10**6, 6)),
        "equity.*=NaN",
        scale=lambda case: 1 + max(abs(fraction or Fraction(0)) for fraction in drawdown_exact(case["equity"])),
        work=drawdown_work,
        past=cut("equity"),
    ),
    "trade_signs": Spec(
        lambda prices, first=0: trade_signs_exact(prices, first),
        lambda tried: record({"first": st.sampled_from([0, 1, -1])}, prices=row(1, 9, 7)),
        "prices.*=0|-1|NaN",
        past=cut("prices"),
    ),
    "lee_ready": Spec(
        lee_ready_exact,
        lambda tried: signed_trades(),
        "trade_prices.*=0|-1|NaN bids.*=0|-1|NaN trade_ts=short bids=short",
        past=cut_lee_ready,
    ),
    "exposure": Spec(
        exposure_exact,
        lambda tried: st.tuples(row(-999, 999, 5), st.lists(SIDE, min_size=4, max_size=4)).map(
            lambda drawn: {
                "position": drawn[0][0],
                "open_orders": [(side, abs(qty)) for side, qty in zip(drawn[1], drawn[0][1:], strict=False)],
            }
        ),
        "position=NaN open_orders.*.0=hold open_orders.*.1=-1|NaN",
        scale=exposed,
        work=lambda c: (
            f"long {c['position']} + {' + '.join(str(q) for s, q in c['open_orders'] if s == 'buy') or 0}, "
            f"short {c['position']} - {' - '.join(str(q) for s, q in c['open_orders'] if s == 'sell') or 0}"
        ),
    ),
    "liquidation_price": Spec(
        liquidation_oracle,
        lambda tried: record(
            CONTRACT | {"maintenance_amount": QTY},
            qty=SIGNED,
            avg_px=PRICE,
            margin=QTY,
            maintenance_rate=decimals(0, 50, 0).map(lambda x: x / 100),
        ),
        "margin=NaN maintenance_rate=NaN kind=option multiplier=0 avg_px=NaN",
        scale=liquidation_scale,
        direct=lambda case: False,
        work=liquidation_work,
    ),
    "parse_ts": Spec(parse_ts_exact, lambda tried: ISO | EPOCH | NO_TIME),
    "duration": Spec(
        duration_exact,
        lambda tried: st.tuples(NS, NS | st.integers(-5, 10**12)).map(
            lambda drawn: {"start_ns": drawn[0], "end_ns": drawn[0] + drawn[1]}
        ),
        work=lambda c: f"{c['end_ns']} - {c['start_ns']}",
    ),
    "window_of": Spec(
        window_of_exact,
        lambda tried: st.tuples(
            NS, st.integers(1, 100) | st.sampled_from([10**9, 60 * 10**9, 86400 * 10**9, 0, -1]), st.booleans()
        ).map(
            lambda drawn: {
                "ts_ns": drawn[0] * (drawn[1] if drawn[2] and abs(drawn[0]) <= 100 else 1),
                "width_ns": drawn[1],
            }
        ),
        work=lambda c: f"floor({c['ts_ns']} / {c['width_ns']}) x {c['width_ns']}",
    ),
}
