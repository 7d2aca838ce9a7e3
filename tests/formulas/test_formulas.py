"""What holds for every formula: its example, its domain, its form."""

from __future__ import annotations

import inspect
import math
import re
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from mmverify.errors import Undefined
from mmverify.formulas import formulas, rational

FORMULAS = formulas()

# The examples' arithmetic, typed again by hand.
HAND = {
    "vwap": Fraction(100 * 2 + 101 * 1 + 103 * 2, 2 + 1 + 2),
    "ema": Fraction(100 + (104 - 100) / 2 + (101 - 102) / 2),
    "returns": Fraction(100, 125) - 1,
    "volatility": Fraction(2, 10),
    "notional": Fraction(2500, 50000),
    "unrealized_pnl": Fraction("-1.25") * -2,
    "realized_pnl": Fraction("0.9") * 2 + Fraction("0.6") * 3,
    "fee": Fraction(-30000, 10000),
    "funding": Fraction(-60000, 10000),
    "convert": Fraction(2, 100) * 600 / Fraction(5, 4),
    "mid": (Fraction("99.5") + Fraction("100.7")) / 2,
    "microprice": (Fraction("99.5") * 2 + Fraction("100.1") * 6) / 8,
    "quote": 123603 * 50,
    "round_price": 123600 * 50,
    "round_qty": 123 * 1000,
    "drawdown": Fraction(120 - 90, 120),
    "trade_signs": 99 - 100,
    "lee_ready": 101 - 102,
    "exposure": 3 - 4,
    "liquidation_price": Fraction(2 * 20000 - 5700 - 100) / (2 - Fraction("0.1")),
    "parse_ts": 86400 * 10**9 + 1,
    "duration": 250,
    "window_of": -60 * 10**9,
}

NAN, INF = float("nan"), float("inf")
LINEAR = {"kind": "linear", "multiplier": 1}
INVERSE = {"kind": "inverse", "multiplier": 1}
FIFO = {"cost_basis": "fifo", **LINEAR}
SAMPLE = {"kind": "log", "ddof": 1, "periods_per_year": 365}
LONG = {"qty": 1, "avg_px": 100, "margin": 10, "maintenance_rate": 0.01}
TIER = {"maintenance_amount": 0, "maintenance_at": "mark"}

# Inputs outside each domain.
BAD = {
    "vwap": [
        {"prices": [], "qtys": []},
        {"prices": [100, 101], "qtys": [0, 0]},
        {"prices": [100.5], "qtys": [0.0]},
        {"prices": [100], "qtys": [1, 2]},
        {"prices": [0], "qtys": [1]},
        {"prices": [100, -1], "qtys": [1, 1]},
        {"prices": [100, 0], "qtys": [1, 0]},
        {"prices": [100, 101], "qtys": [2, -1]},
        {"prices": [NAN], "qtys": [1]},
        {"prices": [100], "qtys": [NAN]},
        {"prices": [100, INF], "qtys": [1, 1]},
        {"prices": [100, 101], "qtys": [1, INF]},
        {"prices": [100, None], "qtys": [1, 1]},
        {"prices": [100.5], "qtys": [None]},
    ],
    "ema": [
        {"values": [1, 2], "init": "first"},
        {"values": [1, 2], "alpha": 0.5, "span": 3, "init": "first"},
        {"values": [1, 2], "alpha": 0.5, "init": "sma"},
        {"values": [1, 2], "span": 3, "init": "last"},
        {"values": [1, 2], "alpha": 0, "init": "first"},
        {"values": [1, 2], "alpha": 1.5, "init": "first"},
        {"values": [1, 2], "alpha": NAN, "init": "adjusted"},
        {"values": [1, 2], "span": 0.5, "init": "first"},
        {"values": [1, 2], "span": -1, "init": "first"},
        {"values": [1, 2], "span": -4, "init": "adjusted"},
        {"values": [1, 2], "span": INF, "init": "first"},
        {"values": [1, 2, 3], "span": 2.5, "init": "sma"},
        {"values": [1, INF], "span": 3, "init": "first"},
    ],
    "returns": [
        {"prices": [1, 2], "kind": "geometric"},
        {"prices": [1, 0, 2], "kind": "log"},
        {"prices": [1, 2, -1], "kind": "simple"},
        {"prices": [1, 0], "kind": "simple"},
        {"prices": [INF, 1], "kind": "simple"},
        {"prices": [1, NAN], "kind": "log"},
        {"prices": [1, INF], "kind": "simple"},
        {"prices": [1, None], "kind": "simple"},
    ],
    "volatility": [
        {"prices": [], **SAMPLE},
        {"prices": [100], **SAMPLE},
        {"prices": [100, 101], **SAMPLE},
        {"prices": [100], **SAMPLE, "ddof": 0},
        {"prices": [100, 101, 102], **SAMPLE, "ddof": -1},
        {"prices": [100, 101, 102], **SAMPLE, "periods_per_year": 0},
        {"prices": [100, 101, 102], **SAMPLE, "periods_per_year": NAN},
        {"prices": [100, 101, 102], **SAMPLE, "periods_per_year": INF},
        {"prices": [100, 0, 102], **SAMPLE},
        {"prices": [100, NAN, 102], **SAMPLE},
        {"prices": [100, 101, 102], **SAMPLE, "kind": "LOG"},
    ],
    "notional": [
        {"price": 0, "qty": 1, **LINEAR},
        {"price": -5, "qty": 1, **LINEAR},
        {"price": 0, "qty": 1, **INVERSE},
        {"price": 5, "qty": -1, **LINEAR},
        {"price": NAN, "qty": 1, **LINEAR},
        {"price": 5, "qty": NAN, **INVERSE},
        {"price": 5, "qty": None, **LINEAR},
        {"price": INF, "qty": 1, **INVERSE},
        {"price": 5, "qty": 1, "kind": "linear", "multiplier": 0},
        {"price": 5, "qty": 1, "kind": "linear", "multiplier": NAN},
        {"price": 5, "qty": 1, "kind": "future", "multiplier": 1},
        {"price": None, "qty": 1, **LINEAR},
    ],
    "unrealized_pnl": [
        {"qty": 1, "avg_px": 0, "price": 5, **LINEAR},
        {"qty": 1, "avg_px": None, "price": 5, **LINEAR},
        {"qty": -1, "avg_px": -2, "price": 5, **INVERSE},
        {"qty": 1, "avg_px": NAN, "price": 5, **LINEAR},
        {"qty": 1, "avg_px": 5, "price": 0, **LINEAR},
        {"qty": 0, "avg_px": 5, "price": -1, **LINEAR},
        {"qty": 1, "avg_px": 5, "price": NAN, **INVERSE},
        {"qty": 1, "avg_px": 5, "price": INF, **INVERSE},
        {"qty": NAN, "avg_px": 5, "price": 6, **LINEAR},
        {"qty": None, "avg_px": 5, "price": 6, **LINEAR},
        {"qty": 1, "avg_px": 5, "price": 6, "kind": "linear", "multiplier": 0},
        {"qty": 1, "avg_px": 5, "price": 6, "kind": "linear", "multiplier": -1},
        {"qty": 1, "avg_px": 5, "price": 6, "kind": "swap", "multiplier": 1},
    ],
    "realized_pnl": [
        {"fills": [("BUY", 1, 1)], **FIFO},
        {"fills": [("buy", 0, 1)], **FIFO},
        {"fills": [("buy", 1, 1), ("sell", -1, 1)], **FIFO},
        {"fills": [("buy", 1, -1)], **FIFO},
        {"fills": [("buy", NAN, 1)], **FIFO},
        {"fills": [("buy", 1, INF)], **FIFO},
        {"fills": [("buy", None, 1)], **FIFO},
        {"fills": [("buy", "one", 1)], **FIFO},
        {"fills": [], **FIFO, "cost_basis": "hifo"},
        {"fills": [], **FIFO, "kind": "option"},
        {"fills": [], **FIFO, "multiplier": 0},
    ],
    "fee": [
        {"price": 0, "qty": 1, "rate": 0.001, **LINEAR},
        {"price": 0, "qty": 1, "rate": 0.001, **INVERSE},
        {"price": 5, "qty": -1, "rate": 0.001, **LINEAR},
        {"price": 5, "qty": 1, "rate": NAN, **LINEAR},
        {"price": 5, "qty": 1, "rate": None, **LINEAR},
        {"price": NAN, "qty": 1, "rate": 0.001, **LINEAR},
        {"price": INF, "qty": 1, "rate": 0.001, **INVERSE},
        {"price": 5, "qty": 1, "rate": 0.001, "kind": "linear", "multiplier": 0},
        {"price": 5, "qty": 1, "rate": 0.001, "kind": "Linear", "multiplier": 1},
    ],
    "funding": [
        {"qty": 1, "mark": 0, "rate": 0.001, **LINEAR},
        {"qty": 1, "mark": -5, "rate": 0.001, **INVERSE},
        {"qty": 1, "mark": NAN, "rate": 0.001, **LINEAR},
        {"qty": 1, "mark": INF, "rate": 0.001, **INVERSE},
        {"qty": NAN, "mark": 5, "rate": 0.001, **LINEAR},
        {"qty": 1, "mark": 5, "rate": None, **LINEAR},
        {"qty": 1, "mark": 5, "rate": 0.001, "kind": "linear", "multiplier": -1},
        {"qty": 1, "mark": 5, "rate": 0.001, "kind": "linear", "multiplier": 0},
        {"qty": 1, "mark": 5, "rate": 0.001, "kind": "", "multiplier": 1},
    ],
    "convert": [
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {}},
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {("ETH", "USD"): 2000}},
        {"amount": 1, "asset": "A", "currency": "D", "rates": {("A", "B"): 1, ("B", "C"): 1, ("C", "D"): 1}},
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {("BTC", "USD"): 0}},
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {("USD", "BTC"): 0}},
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {("BTC", "USD"): 5, ("X", "Y"): -1}},
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {("BTC", "USD"): NAN}},
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {("BTC", "USD"): 5, ("X", "Y"): INF}},
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {("BTC", "USD"): None}},
        {"amount": NAN, "asset": "BTC", "currency": "USD", "rates": {("BTC", "USD"): 5}},
        {"amount": NAN, "asset": "USD", "currency": "USD", "rates": {}},
        {"amount": None, "asset": "BTC", "currency": "USD", "rates": {("BTC", "USD"): 5}},
    ],
    "mid": [
        {"bids": [(0, 1)], "asks": [(2, 1)], "min_qty": 0},
        {"bids": [(1, 1)], "asks": [(-2, 1)], "min_qty": 0},
        {"bids": [(1, -1)], "asks": [(2, 1)], "min_qty": 0},
        {"bids": [(1, 1), (NAN, 1)], "asks": [(2, 1)], "min_qty": 0},
        {"bids": [(1, 1)], "asks": [(2, 1), (3, NAN)], "min_qty": 5},
        {"bids": [(1, 1)], "asks": [(INF, 1)], "min_qty": 0},
        {"bids": [(1, INF)], "asks": [(2, 1)], "min_qty": 0},
        {"bids": [(1, 1)], "asks": [(None, 1)], "min_qty": 0},
        {"bids": [(1, 1)], "asks": [(2, 1)], "min_qty": -1},
        {"bids": [(1, 1)], "asks": [(2, 1)], "min_qty": NAN},
        {"bids": [], "asks": [(0, 1)], "min_qty": 0},
    ],
    "microprice": [
        {"bid": 1, "bid_qty": 0, "ask": 2, "ask_qty": 0},
        {"bid": 0, "bid_qty": 1, "ask": 2, "ask_qty": 1},
        {"bid": 1, "bid_qty": 1, "ask": -2, "ask_qty": 1},
        {"bid": 1, "bid_qty": 1, "ask": 0, "ask_qty": 1},
        {"bid": 1, "bid_qty": -1, "ask": 2, "ask_qty": 3},
        {"bid": 1, "bid_qty": 1, "ask": 2, "ask_qty": -1},
        {"bid": NAN, "bid_qty": 1, "ask": 2, "ask_qty": 1},
        {"bid": 1, "bid_qty": NAN, "ask": 2, "ask_qty": 1},
        {"bid": 1, "bid_qty": 1, "ask": INF, "ask_qty": 1},
        {"bid": 1, "bid_qty": 1, "ask": 2, "ask_qty": INF},
        {"bid": None, "bid_qty": 1, "ask": 2, "ask_qty": 1},
    ],
    "quote": [
        {"fair": 100, "half_spread": 0, "skew": 0, "tick": 10},
        {"fair": 95, "half_spread": 5, "skew": -95, "tick": 1},
        {"fair": 9, "half_spread": 1, "skew": 0, "tick": 10},
        {"fair": 0, "half_spread": 1, "skew": 50, "tick": 1},
        {"fair": -100, "half_spread": 1, "skew": 200, "tick": 1},
        {"fair": 100, "half_spread": -1, "skew": 0, "tick": 3},
        {"fair": 100, "half_spread": 1, "skew": 0, "tick": 0},
        {"fair": 100, "half_spread": 1, "skew": 0, "tick": -1},
        {"fair": NAN, "half_spread": 1, "skew": 0, "tick": 1},
        {"fair": 100, "half_spread": NAN, "skew": 0, "tick": 1},
        {"fair": 100, "half_spread": 1, "skew": NAN, "tick": 1},
        {"fair": 100, "half_spread": 1, "skew": None, "tick": 1},
        {"fair": 100, "half_spread": 1, "skew": 0, "tick": INF},
    ],
    "round_price": [
        {"price": 0, "tick": 5, "side": "buy"},
        {"price": -7, "tick": 5, "side": "sell"},
        {"price": 7, "tick": 0, "side": "buy"},
        {"price": 7, "tick": -5, "side": "sell"},
        {"price": 7, "tick": 5, "side": "BUY"},
        {"price": 7, "tick": 5, "side": "bid"},
        {"price": 7, "tick": 5, "side": None},
        {"price": NAN, "tick": 5, "side": "buy"},
        {"price": 7, "tick": NAN, "side": "buy"},
        {"price": INF, "tick": 5, "side": "sell"},
        {"price": None, "tick": 5, "side": "sell"},
    ],
    "round_qty": [
        {"qty": -1, "lot": 5},
        {"qty": 7, "lot": 0},
        {"qty": 7, "lot": -5},
        {"qty": NAN, "lot": 5},
        {"qty": 7, "lot": NAN},
        {"qty": INF, "lot": 5},
        {"qty": None, "lot": 5},
    ],
    "drawdown": [
        {"equity": [100, NAN]},
        {"equity": [NAN, 100]},
        {"equity": [100, INF]},
        {"equity": [-INF, 100]},
        {"equity": [100, None, 90]},
    ],
    "trade_signs": [
        {"prices": [1, 0], "first": 0},
        {"prices": [-1, 2], "first": 0},
        {"prices": [1, NAN], "first": 0},
        {"prices": [1, None], "first": 0},
        {"prices": [1, 2], "first": 2},
        {"prices": [], "first": None},
    ],
    "lee_ready": [
        {"trade_prices": [1, 2], "trade_ts": [1], "quote_ts": [], "bids": [], "asks": []},
        {"trade_prices": [1], "trade_ts": [1], "quote_ts": [0], "bids": [], "asks": [2]},
        {"trade_prices": [1], "trade_ts": [1], "quote_ts": [0], "bids": [1], "asks": []},
        {"trade_prices": [1, 2], "trade_ts": [2, 1], "quote_ts": [0], "bids": [1], "asks": [2]},
        {"trade_prices": [1, 2, 3], "trade_ts": [1, 3, 2], "quote_ts": [0], "bids": [1], "asks": [2]},
        {"trade_prices": [1], "trade_ts": [9], "quote_ts": [2, 1], "bids": [1, 1], "asks": [2, 2]},
        {"trade_prices": [1], "trade_ts": [9], "quote_ts": [1, 3, 2], "bids": [1, 1, 1], "asks": [2, 2, 2]},
        {"trade_prices": [0], "trade_ts": [1], "quote_ts": [0], "bids": [1], "asks": [2]},
        {"trade_prices": [1], "trade_ts": [1], "quote_ts": [0], "bids": [0], "asks": [2]},
        {"trade_prices": [1], "trade_ts": [1], "quote_ts": [0], "bids": [1], "asks": [0]},
        {"trade_prices": [1], "trade_ts": [1], "quote_ts": [5], "bids": [1], "asks": [-2]},
        {"trade_prices": [NAN], "trade_ts": [1], "quote_ts": [0], "bids": [1], "asks": [2]},
        {"trade_prices": [1], "trade_ts": [1], "quote_ts": [0], "bids": [1], "asks": [NAN]},
        {"trade_prices": [1], "trade_ts": [NAN], "quote_ts": [0], "bids": [1], "asks": [2]},
        {"trade_prices": [1], "trade_ts": [1], "quote_ts": [None], "bids": [1], "asks": [2]},
    ],
    "exposure": [
        {"position": 1, "open_orders": [("buy", -1)]},
        {"position": 1, "open_orders": [("buy", 5), ("sell", -1)]},
        {"position": 1, "open_orders": [("Buy", 1)]},
        {"position": 1, "open_orders": [("ask", 1)]},
        {"position": NAN, "open_orders": []},
        {"position": None, "open_orders": []},
        {"position": 1, "open_orders": [("buy", NAN)]},
        {"position": 1, "open_orders": [("sell", INF)]},
        {"position": 1, "open_orders": [("sell", None)]},
    ],
    "liquidation_price": [
        {**LONG, **LINEAR, **TIER, "avg_px": 0},
        {**LONG, **INVERSE, **TIER, "avg_px": -1},
        {**LONG, **INVERSE, **TIER, "avg_px": None},
        {**LONG, **LINEAR, **TIER, "avg_px": INF},
        {**LONG, **LINEAR, **TIER, "qty": NAN},
        {**LONG, **LINEAR, **TIER, "qty": None},
        {**LONG, **LINEAR, **TIER, "margin": -1},
        {**LONG, **LINEAR, **TIER, "margin": NAN},
        {**LONG, **LINEAR, **TIER, "margin": INF},
        {**LONG, **LINEAR, **TIER, "maintenance_rate": -0.01},
        {**LONG, **LINEAR, **TIER, "maintenance_rate": 1},
        {**LONG, **LINEAR, **TIER, "maintenance_rate": NAN},
        {**LONG, **LINEAR, **TIER, "maintenance_amount": -1},
        {**LONG, **LINEAR, **TIER, "maintenance_amount": NAN},
        {**LONG, **LINEAR, **TIER, "multiplier": 0},
        {**LONG, **LINEAR, **TIER, "multiplier": NAN},
        {**LONG, **LINEAR, **TIER, "multiplier": INF},
        {**LONG, **LINEAR, **TIER, "kind": "future"},
        {**LONG, **LINEAR, **TIER, "maintenance_at": "last"},
        {**LONG, **LINEAR, **TIER, "qty": 0, "maintenance_rate": 1},
        {**LONG, **LINEAR, **TIER, "qty": 0, "multiplier": 0},
    ],
    "parse_ts": [
        {"text": text}
        for text in (
            "2026-11-22T10:00:00",
            "2026-11-22T10:00:00.123",
            "2026-11-22T10:00:00+0530",
            "2026-11-22T10:00:00+05",
            "2026-11-22T10:00:00+24:00",
            "2026-11-22T10:00:00+05:60",
            "2026-11-22T10:00:00 +05:30",
            "2026-11-22T10:00:00z",
            "2026-11-22T10:00:00ZZ",
            "2026-11-22 10:00:00Z",
            "2026-11-22t10:00:00Z",
            "2026-11-22T10:00Z",
            "2026-11-22T10:00:00.Z",
            "2026-11-22T10:00:00.1234567890Z",
            "2026-11-22T10:00:00.12 Z",
            "2026-11-22T10:00:00,5Z",
            "2026-11-22T10:00:000Z",
            "2026-11-22T10:00:0Z",
            "2026-11-22T10-00-00Z",
            "2026-11-22T1:000:00Z",
            "20261122T100000Z",
            "2026-11-22Z",
            "2026-W47-7T10:00:00Z",
            "2026-326T10:00:00Z",
            "26-11-22T10:00:00Z",
            "2026-00-10T10:00:00Z",
            "2026-13-10T10:00:00Z",
            "2026-11-00T10:00:00Z",
            "2026-11-31T10:00:00Z",
            "2026-12-32T10:00:00Z",
            "2026-02-29T10:00:00Z",
            "1900-02-29T10:00:00Z",
            "0000-01-01T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T10:60:00Z",
            "2016-12-31T23:59:60Z",
            "2026-11-22T+1:00:00Z",
            "-2026-11-22T10:00:00Z",
            " 1700000000",
            "1700000000 ",
            "+1700000000",
            "--1700000000",
            "1700000000.5",
            "1.7e9",
            "1_700_000_000",
            "0x6553f100",
            "١٧٠٠٠٠٠٠٠٠",
            "٢٠٢٦-11-22T10:00:00Z",
            "now",
            "NaN",
            "-",
            "",
            1700000000,
            1.7e9,
            None,
        )
    ],
    "duration": [
        {"start_ns": 1, "end_ns": 0},
        {"start_ns": -5, "end_ns": -6},
        {"start_ns": 0.0, "end_ns": 1},
        {"start_ns": 0, "end_ns": 1.5},
        {"start_ns": NAN, "end_ns": 1},
        {"start_ns": None, "end_ns": 1},
        {"start_ns": "0", "end_ns": 1},
        {"start_ns": 2**63 - 1, "end_ns": -(2**63)},
    ],
    "window_of": [
        {"ts_ns": 1, "width_ns": 0},
        {"ts_ns": 1, "width_ns": -60},
        {"ts_ns": 1.0, "width_ns": 60},
        {"ts_ns": 1, "width_ns": 60.0},
        {"ts_ns": NAN, "width_ns": 60},
        {"ts_ns": None, "width_ns": 60},
        {"ts_ns": "1", "width_ns": 60},
    ],
}
CASES = [
    pytest.param(name, case, id=f"{name}-{number}") for name, bad in BAD.items() for number, case in enumerate(bad)
]


def last(value: object) -> Fraction:
    """Return a result as a fraction, of a list, a pair or an array its last element."""
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim):
        value = value[-1]
    return Fraction(value.item() if isinstance(value, np.ndarray | np.generic) else value)


def test_every_formula_of_the_folder_is_found_and_tried() -> None:
    assert formulas() == FORMULAS
    assert set(FORMULAS) == set(HAND) == set(BAD)
    assert all(formula.name == name for name, formula in FORMULAS.items())


@pytest.mark.parametrize("name", sorted(HAND))
def test_oracle_equals_the_example_worked_by_hand(name: str) -> None:
    example = FORMULAS[name].example
    assert last(FORMULAS[name].exact(**example.inputs)) == HAND[name] == Fraction(example.result)


@pytest.mark.parametrize("name", sorted(HAND))
def test_kernel_gives_the_example_to_the_last_digits_of_a_float(name: str) -> None:
    assert abs(last(FORMULAS[name].fast(**FORMULAS[name].example.inputs)) - HAND[name]) <= abs(HAND[name]) / 2**50


@pytest.mark.parametrize(("name", "case"), CASES)
def test_oracle_and_kernel_refuse_the_same_inputs(name: str, case: dict[str, object]) -> None:
    with pytest.raises(Undefined):
        FORMULAS[name].exact(**case)
    with pytest.raises(Undefined):
        FORMULAS[name].fast(**case)


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("fee", {"price": 1e200, "qty": 1e200, "rate": 1, **LINEAR}),
        ("fee", {"price": 5, "qty": INF, "rate": 0, **LINEAR}),  # 0 x infinity
        ("funding", {"qty": 1e200, "mark": 1e200, "rate": 1, **LINEAR}),
        ("funding", {"qty": 0, "mark": 1e200, "rate": 1, "kind": "linear", "multiplier": 1e200}),
        ("notional", {"price": 1e200, "qty": 1e200, **LINEAR}),
        ("notional", {"price": 5, "qty": 0, "kind": "linear", "multiplier": INF}),
        ("unrealized_pnl", {"qty": 1e200, "avg_px": 1, "price": 1e200, **LINEAR}),
        ("unrealized_pnl", {"qty": 1, "avg_px": 5, "price": INF, **INVERSE}),
        ("returns", {"prices": [1e-200, 1e200], "kind": "simple"}),
        ("returns", {"prices": [1e200, 1e-200], "kind": "log"}),  # the ratio underflows to 0
        ("microprice", {"bid": 1, "bid_qty": 1e308, "ask": 2, "ask_qty": 1e308}),
        ("microprice", {"bid": 1, "bid_qty": 1, "ask": INF, "ask_qty": 1}),
        ("drawdown", {"equity": [1e308, -1e308]}),
        ("drawdown", {"equity": [1, INF, INF]}),
        ("vwap", {"prices": [1.5, 1e308], "qtys": [1e10, 1e10]}),
        ("vwap", {"prices": [1.5, 2.5], "qtys": [1.0, INF]}),
        ("liquidation_price", {**LONG, **INVERSE, **TIER, "avg_px": 1e308, "margin": 0, "maintenance_rate": 0.9}),
    ],
)
def test_what_does_not_fit_a_float_is_refused_however_numpy_is_set(name: str, case: dict[str, object]) -> None:
    with np.errstate(over="raise", divide="raise", invalid="raise"), pytest.raises(Undefined):
        FORMULAS[name].fast(**case)


@pytest.mark.parametrize(
    ("name", "case"),
    [
        # the largest values whose largest sum, of 1, 2 or 4 of them, is still below 2^63
        ("round_qty", {"qty": [2**63 - 1], "lot": 1}),
        ("round_price", {"price": [2**62 - 1], "tick": 1, "side": "sell"}),
        ("duration", {"start_ns": [0], "end_ns": 2**62 - 1}),
        ("window_of", {"ts_ns": [2**62 - 1], "width_ns": 1}),
        ("quote", {"fair": [2**61 - 1], "half_spread": 1, "skew": 0, "tick": 1}),
    ],
)
def test_scaled_integers_stay_in_int64_as_long_as_they_fit(name: str, case: dict[str, object]) -> None:
    result = FORMULAS[name].fast(**case)
    assert {array.dtype for array in (result if isinstance(result, tuple) else (result,))} == {np.dtype(np.int64)}


def arithmetic(piece: str) -> Fraction | None:
    """Evaluate a piece of a step that holds numbers and operators only."""
    if not re.fullmatch(r"[-+x/^(). 0-9]+", piece):
        return None
    python = re.sub(r"\d+(\.\d+)?", lambda number: f"Fraction('{number.group()}')", piece)
    return Fraction(eval(python.replace("x", "*").replace("^", "**"), {"Fraction": Fraction}))


@pytest.mark.parametrize("name", sorted(HAND))
def test_each_printed_step_is_right_arithmetic_and_the_last_shows_the_result(name: str) -> None:
    example = FORMULAS[name].example
    compared = 0
    for step in example.steps:
        pieces = step.split(": ")[-1].split(",")[0].split("=")
        numbers = [value for piece in pieces if (value := arithmetic(piece.strip())) is not None]
        assert len(set(numbers)) <= 1, step
        compared += len(numbers) - 1
    assert compared >= 1
    assert example.steps[-1].endswith(f" {example.result}")


@pytest.mark.parametrize("name", sorted(HAND))
def test_oracle_and_kernel_take_the_same_arguments_and_no_silent_convention(name: str) -> None:
    formula = FORMULAS[name]
    exact, fast = (inspect.signature(function).parameters for function in (formula.exact, formula.fast))
    assert list(exact) == list(fast)
    defaults = {key for key, parameter in exact.items() if parameter.default is not parameter.empty}
    assert defaults <= {"alpha", "span"}, "one of the two is needed, neither has a value of its own"
    conventions = {"kind", "multiplier", "cost_basis", "init", "alpha", "span", "ddof", "periods_per_year"}
    conventions |= {"maintenance_amount", "maintenance_at"}
    assert {key for key, parameter in exact.items() if parameter.kind is parameter.KEYWORD_ONLY} == conventions & set(
        exact
    )
    unitless = {"kind", "cost_basis", "init", "asset", "currency", "side", "maintenance_at"}
    assert set(formula.units) - {"return"} == set(exact) - unitless - ({"kind"} if "kind" in exact else set())


@pytest.mark.parametrize("name", sorted(HAND))
def test_docstring_of_the_file_has_definition_domain_and_references(name: str) -> None:
    text = " ".join((inspect.getdoc(inspect.getmodule(FORMULAS[name].exact)) or "").split())
    for part in (".. math::", "Undefined, and an error", "not depend", "References ----------"):
        assert part in text


def test_importing_the_registry_loads_no_numpy() -> None:
    code = "import sys, mmverify.formulas; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("value", "fraction"),
    [
        (3, Fraction(3)),
        (0.5, Fraction(1, 2)),
        (0.1, Fraction(3602879701896397, 2**55)),
        ("100.05", Fraction(2001, 20)),
        ("302/3", Fraction(302, 3)),
        (Decimal("-1E-3"), Fraction(-1, 1000)),
        (np.int64(2**62), Fraction(2**62)),
    ],
)
def test_rational_keeps_every_digit(value: object, fraction: Fraction) -> None:
    assert rational(value) == fraction
    assert rational(value) * 4 == fraction * 4


@pytest.mark.parametrize("value", [None, math.nan, math.inf, Decimal("sNaN"), Decimal("Infinity"), "", "1/0", [1]])
def test_rational_refuses_what_is_no_number(value: object) -> None:
    with pytest.raises(Undefined, match="is not a finite number"):
        rational(value)
