"""The venues' rules of sequence: whole, dated, from the venues' own pages, and right on messages of their examples."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlsplit

import pytest

from mmverify.session.venues import sequence_rules

DOMAINS = {
    "Binance": "binance.com",
    "Bybit": "bybit-exchange.github.io",
    "OKX": "okx.com",
    "Kraken": "kraken.com",
    "Coinbase": "coinbase.com",
    "Deribit": "deribit.com",
}


@pytest.mark.parametrize("name", sequence_rules())
def test_a_rule_is_whole_and_from_the_venue_itself(name: str) -> None:
    rule = sequence_rules()[name]
    page = urlsplit(rule.source)
    assert page.scheme == "https" and (page.hostname or "").endswith(DOMAINS[rule.venue])
    assert date(2026, 1, 1) <= rule.read
    assert bool(rule.seq) == bool(rule.prev_seq) == bool(rule.scope)
    assert rule.seq or rule.checksum
    assert all((rule.market, rule.channel, rule.snapshot, rule.first, rule.depth))


def test_every_venue_has_a_rule() -> None:
    assert {rule.venue for rule in sequence_rules().values()} == set(DOMAINS)


# Fields as the venues' pages show them; the numbers that follow are worked by hand.
@pytest.mark.parametrize(
    ("name", "message", "numbers"),
    [
        ("binance_spot", {"e": "depthUpdate", "U": 157, "u": 160}, (160, 156)),
        ("binance_usdm", {"e": "depthUpdate", "U": 157, "u": 160, "pu": 149}, (160, 149)),
        ("binance_coinm", {"e": "depthUpdate", "U": 17285681, "u": 17285702, "pu": 17285675}, (17285702, 17285675)),
        ("bybit", {"s": "BTCUSDT", "u": 18521288, "seq": 7961638724}, (18521288, 18521287)),
        ("okx", {"seqId": 15, "prevSeqId": 10}, (15, 10)),
        ("okx", {"seqId": 15, "prevSeqId": 15}, (15, 15)),
        ("okx", {"seqId": 3, "prevSeqId": 15}, (3, 15)),
        ("kraken", {"symbol": "BTC/USD", "checksum": 3310070434}, (None, None)),
        ("coinbase", {"channel": "l2_data", "sequence_num": 2}, (2, 1)),
        ("deribit", {"type": "change", "change_id": 297218, "prev_change_id": 297217}, (297218, 297217)),
        ("deribit", {"type": "snapshot", "change_id": 297217}, (297217, None)),
    ],
)
def test_numbers_of_a_message(name: str, message: dict[str, object], numbers: tuple[int | None, int | None]) -> None:
    assert sequence_rules()[name].numbers(message) == numbers
