"""The account recomputed from fills: on a hand-made wallet, and on the sample."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from mmverify.checks.wallet import positions, wallet
from mmverify.session import open_session

FILES = {
    "session.toml": '[session]\ncurrency = "USDT"\nfills_from = "venue"\n',
    "instruments.csv": "symbol,kind,base,quote,tick_size,lot_size\nBTC-USDT,spot,BTC,USDT,0.01,0.001\n",
    # buy 2 at 100 (fee 0.002 BTC), repeated; sell 1 at 110 (fee 0.11 USDT); the sale is corrected to 0.5 at 110,
    # which gives 0.055 USDT of its fee back; then 1 at 105 is bought and busted
    "fills.csv": "ts_exchange,ts_local,symbol,exec_id,side,price,qty,liquidity,fee,fee_asset,correction_of,kind\n"
    "1,1,BTC-USDT,a,buy,100,2,maker,0.002,BTC,,trade\n"
    "1,2,BTC-USDT,a,buy,100,2,maker,0.002,BTC,,trade\n"
    "3,3,BTC-USDT,b,sell,110,1,taker,0.11,USDT,,trade\n"
    "4,4,BTC-USDT,c,sell,110,0.5,taker,-0.055,USDT,b,correction\n"
    "5,5,BTC-USDT,d,buy,105,1,maker,0.001,BTC,,trade\n"
    "6,6,BTC-USDT,e,buy,105,1,maker,-0.001,BTC,d,bust\n",
    "transfers.csv": "ts_exchange,ts_local,asset,amount,kind\n2,2,USDT,50,deposit\n",
    # USDT: 1000 + 50 - 200 + 55 - 0.11 + 0.055 = 904.945; BTC: 0 + 2 - 0.5 - 0.002 = 1.498
    "balances.csv": "ts_local,asset,total,source\n0,USDT,1000,exchange\n0,BTC,0,exchange\n"
    "7,USDT,904.945,exchange\n7,BTC,1.498,exchange\n7,USDT,1,bot\n",
    "positions.csv": "ts_local,symbol,qty,source\n7,BTC-USDT,1.498,exchange\n",
}


def test_a_wallet_worked_by_hand(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    session = open_session(tmp_path)
    usdt, btc = wallet(session)
    assert (usdt.opening, usdt.transfers, usdt.trades) == (1000, 50, -145)
    assert usdt.fees == Fraction("0.055") and usdt.due == usdt.stated == Fraction("904.945")
    assert (btc.trades, btc.fees, btc.due) == (Fraction("1.5"), Fraction("0.002"), btc.stated)
    assert positions(session) == [("BTC-USDT", Fraction("1.498"), Fraction("1.498"))]


def test_the_sample_s_wallet_is_what_its_fills_give(root: Path) -> None:
    session = open_session(root / "data/sessions/sample")
    found = wallet(session)
    assert {held.name for held in found} >= {"USDT", "BTC", "BNB"}
    assert [held.name for held in found if held.due != held.stated] == []
    assert all(due == stated for _, due, stated in positions(session))
