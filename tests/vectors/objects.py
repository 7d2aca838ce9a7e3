"""Cases of Position, Order, Book, RateLimiter and Breaker: a list of calls, and the state after each.

The histories are typed by hand with the states that matter; `models` plays each one again and must agree.
"""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import models
from corpus import EXACT, HAND, Group, Numbers, text

ERROR = "error"


# --- Position ---------------------------------------------------------------------------------------------------------


def trades(line: str) -> list[dict[str, str]]:
    """Read 'B 2@100 fee e1; S 1@101 fee e2' as calls."""
    calls = []
    for part in line.split(";"):
        side, trade, fee, exec_id = part.split()
        qty, price = trade.split("@")
        calls.append({"call": "fill", "exec_id": exec_id, "side": {"B": "buy", "S": "sell"}.get(side, side), "price": price, "qty": qty, "fee": fee})
    return calls


def position() -> list[Group]:
    groups: dict[tuple[str, ...], Group] = {}

    def group(source: str, kind: str, multiplier: str, basis: str) -> Group:
        params = {"kind": kind, "multiplier": multiplier, "cost_basis": basis}
        return groups.setdefault((source, *params.values()), Group(params, source))

    def add(where: Group, comment: str, flags: str, line: str, states: str | None = None) -> None:
        """Add a history; states are 'qty avg_px realized fees' after each call, '-' for no price, '!' for refused."""
        calls = trades(line)
        played, sizes = models.play_position(calls, **where.params)
        expected: list[Any] = played
        if states is not None:
            expected = []
            for state in states.split(";"):
                fields = state.split()
                names = ("qty", "avg_px", "realized", "fees")
                expected.append(ERROR if fields == ["!"] else {k: None if v == "-" else F(v) for k, v in zip(names, fields, strict=True)})
        where.add(comment, flags, expected, sizes, calls=calls)

    fifo, lifo, average = (group(HAND, "linear", "1", basis) for basis in ("fifo", "lifo", "average"))
    both = ((fifo, "fifo"), (lifo, "lifo"), (average, "average"))
    for where, basis in both:
        add(where, f"bought, sold, {basis}", "Worked", "B 2@100 0.2 e1; S 2@101.5 0.2 e2", "2 100 0 0.2; 0 - 3 0.4")
        add(where, f"sold, bought back, {basis}", "ShortSide", "S 2@101.5 0.2 e1; B 2@100 0.2 e2", "-2 101.5 0 0.2; 0 - 3 0.4")
        add(where, f"realized is gross: a fee does not enter it, {basis}", "GrossOfFees", "B 1@100 5 e1; S 1@101 5 e2", "1 100 0 5; 0 - 1 10")
        add(where, f"a rebate is a negative fee, {basis}", "NegativeFee", "B 1@100 -0.025 e1; S 1@101 0.07 e2", "1 100 0 -0.025; 0 - 1 0.045")
        add(where, f"a repeated exec_id changes nothing, {basis}", "Duplicate", "B 1@100 0.1 e1; B 1@100 0.1 e1; S 1@101 0.1 e2", "1 100 0 0.1; 1 100 0 0.1; 0 - 1 0.2")
        add(where, f"a repeated exec_id with other numbers changes nothing either, {basis}", "Duplicate", "B 1@100 0.1 e1; S 3@90 9 e1; B 1@102 0.1 e2", "1 100 0 0.1; 1 100 0 0.1; 2 101 0 0.2")
        add(where, f"equal fills under two exec_ids are two, {basis}", "Duplicate", "B 1@100 0.1 e1; B 1@100 0.1 e2", "1 100 0 0.1; 2 100 0 0.2")
        add(where, f"an exec_id that comes again long after, flat between, {basis}", "Duplicate Reopened", "B 1@100 0 e1; S 1@101 0 e2; B 1@100 0 e1; B 1@50 0 e3", "1 100 0 0; 0 - 1 0; 0 - 1 0; 1 50 1 0")
        add(where, f"long 1 to short 2: the surplus opens at the fill's price, {basis}", "FlipThroughZero", "B 1@100 0 e1; S 3@90 0.3 e2; B 2@80 0 e3", "1 100 0 0; -2 90 -10 0.3; 0 - 10 0.3")
        add(where, f"short 1 to long 2, {basis}", "FlipThroughZero ShortSide", "S 1@100 0 e1; B 3@90 0.3 e2; S 2@95 0 e3", "-1 100 0 0; 2 90 10 0.3; 0 - 20 0.3")
        add(where, f"0.1 + 0.2 - 0.3 is flat, {basis}", "BinaryNoise Dust", "B 0.1@100 0 e1; B 0.2@100 0 e2; S 0.3@110 0 e3; B 1@50 0 e4", "0.1 100 0 0; 0.3 100 0 0; 0 - 3 0; 1 50 3 0")
        add(where, f"partial fills of one order, {basis}", "PartialFill", "B 1@100 0.1 e1; B 2@100 0.2 e2; B 1@100 0.1 e3", "1 100 0 0.1; 3 100 0 0.3; 4 100 0 0.4")
        add(where, f"a refused fill changes nothing: price 0, {basis}", "ZeroPrice Refused", "B 1@100 0.1 e1; B 1@0 0.1 e2; S 1@101 0.1 e3", "1 100 0 0.1; !; 0 - 1 0.2")
        add(where, f"its exec_id is not used up: the mended fill counts, {basis}", "ZeroPrice Refused Duplicate", "B 1@0 0.1 e1; B 1@100 0.1 e1", "!; 1 100 0 0.1")
        add(where, f"a refused fill changes nothing: negative quantity, {basis}", "NegativeQty Refused", "B 1@100 0 e1; B -1@100 0 e2; B 1@102 0 e3", "1 100 0 0; !; 2 101 0 0")
        add(where, f"a refused fill changes nothing: unknown side, {basis}", "UnknownSide Refused", "B 1@100 0 e1; X 1@100 0 e2; B 1@102 0 e3", "1 100 0 0; !; 2 101 0 0")
        add(where, f"a refused fill changes nothing: NaN quantity, {basis}", "NaN Refused", "B 1@100 0 e1; B NaN@100 0 e2; B 1@102 0 e3", "1 100 0 0; !; 2 101 0 0")
        add(where, f"a refused fill changes nothing: NaN price, {basis}", "NaN Refused", "B 1@100 0 e1; S 1@NaN 0 e2; B 1@102 0 e3", "1 100 0 0; !; 2 101 0 0")
        add(where, f"a refused fill changes nothing: NaN fee, {basis}", "NaN Refused", "B 1@100 0 e1; S 1@101 NaN e2; B 1@102 0 e3", "1 100 0 0; !; 2 101 0 0")
    add(fifo, "the oldest lot first", "LotOrder", "B 1@100 0 e1; B 1@110 0 e2; S 1@120 0 e3; S 1@120 0 e4", "1 100 0 0; 2 105 0 0; 1 110 20 0; 0 - 30 0")
    add(lifo, "the newest lot first", "LotOrder", "B 1@100 0 e1; B 1@110 0 e2; S 1@120 0 e3; S 1@120 0 e4", "1 100 0 0; 2 105 0 0; 1 100 10 0; 0 - 30 0")
    add(average, "at the mean", "LotOrder", "B 1@100 0 e1; B 1@110 0 e2; S 1@120 0 e3; S 1@120 0 e4", "1 100 0 0; 2 105 0 0; 1 105 15 0; 0 - 30 0")
    add(average, "closing does not move the mean", "PartialFill", "B 2@100 0 e1; B 2@110 0 e2; S 1@200 0 e3; S 2@50 0 e4", "2 100 0 0; 4 105 0 0; 3 105 95 0; 1 105 -15 0")
    add(average, "adding after a partial close: the mean of what is left", "LotOrder", "B 2@100 0 e1; S 1@104 0 e2; B 1@110 0 e3", "2 100 0 0; 1 100 4 0; 2 105 4 0")
    add(fifo, "a sale over two lots", "LotOrder PartialFill", "B 1@100 0 e1; B 2@104 0 e2; S 2@110 0 e3", "1 100 0 0; 3 308/3 0 0; 1 104 16 0")
    add(lifo, "a sale over two lots", "LotOrder PartialFill", "B 1@100 0 e1; B 2@104 0 e2; S 3@110 0 e3", "1 100 0 0; 3 308/3 0 0; 0 - 22 0")
    add(average, "the mean does not end", "Repeating", "B 1@100 0 e1; B 2@101 0 e2; S 3@103 0 e3", "1 100 0 0; 3 302/3 0 0; 0 - 7 0")
    add(fifo, "one satoshi is left", "Dust", "B 1@100 0 e1; S 0.99999999@101 0 e2; S 0.00000001@101 0 e3", "1 100 0 0; 0.00000001 100 0.99999999 0; 0 - 1 0")
    add(fifo, "the same fill twice is 1000, not 2000 (Lean#1271)", "Duplicate", "B 1000@1.1 0 e1; B 1000@1.1 0 e1", "1000 1.1 0 0; 1000 1.1 0 0")
    add(average, "two fills of one trade id under two exec_ids: 10, not 5 (nautilus_trader#3450)", "Duplicate", "B 5@0.5 0 t1-o1; B 5@0.5 0 t1-o2", "5 0.5 0 0; 10 0.5 0 0")
    add(fifo, "short 92, closed by a buy of 92 (hummingbot#3930 sold: -184)", "ShortSide", "S 92@10 0 e1; B 92@9 0 e2", "-92 10 0 0; 0 - 92 0")

    inverse = group(HAND, "inverse", "1", "average")
    add(inverse, "the mean is harmonic: 5625", "Inverse HarmonicAverage", "B 1000@5000 0 e1; B 2000@6000 0 e2; S 3000@5625 0 e3", "1000 5000 0 0; 3000 5625 0 0; 0 - 0 0")
    add(inverse, "a long gains 1/entry - 1/exit", "Inverse", "B 1000@5000 0.001 e1; S 1000@8000 0.001 e2", "1000 5000 0 0.001; 0 - 0.075 0.002")
    add(inverse, "a short loses as the price rises", "Inverse ShortSide", "S 1000@5000 0 e1; B 1000@8000 0 e2", "-1000 5000 0 0; 0 - -0.075 0")
    add(inverse, "long to short", "Inverse FlipThroughZero", "B 100@100 0 e1; S 300@200 0 e2; B 200@400 0 e3", "100 100 0 0; -200 200 0.5 0; 0 - 0 0")
    add(inverse, "a rebate in coin", "Inverse NegativeFee", "B 1000@5000 -0.00005 e1", "1000 5000 0 -0.00005")
    add(inverse, "a repeated exec_id", "Inverse Duplicate", "B 1000@5000 0 e1; B 1000@5000 0 e1", "1000 5000 0 0; 1000 5000 0 0")
    add(group(HAND, "inverse", "100", "fifo"), "contracts of 100", "Inverse Multiplier", "B 10@5000 0 e1; S 10@8000 0 e2", "10 5000 0 0; 0 - 0.075 0")
    add(group(HAND, "linear", "0.001", "fifo"), "contracts of 0.001: the quantity stays in contracts", "Multiplier", "B 5@20000 0 e1; S 5@21000 0 e2", "5 20000 0 0; 0 - 5 0")
    add(group(HAND, "spot", "1", "average"), "spot", "Worked", "B 0.25@10000 2.5 e1; S 0.25@10400 2.6 e2", "0.25 10000 0 2.5; 0 - 100 5.1")
    for kind, multiplier, basis in (("option", "1", "fifo"), ("linear", "1", "hifo"), ("", "1", "average"), ("linear", "1", "")):
        group(HAND, kind, multiplier, basis).refuse(f"kind {kind!r}, cost basis {basis!r}: refused when it is made", "UnknownConvention", calls=[])

    published = group("nautilus_trader a95c804, test_position.py, interleaved order sides (its realized is net of 0.1 % fees)", "linear", "1", "average")
    add(published, "averages printed as 9999.413793103447, 9999.88155922039", "LotOrder Repeating", "B 12@10000 120 e1; B 17@9999 169.983 e2; S 9@10001 90.009 e3; B 3@10003 30.009 e4; S 4@10005 40.02 e5")

    numbers = Numbers(51)
    for kind in ("linear", "inverse"):
        for basis in ("fifo", "lifo", "average"):
            computed = group(EXACT, kind, "1", basis)
            for number in range(3):
                base, line, net, flips = numbers.between(50, 900), [], 0, False
                for fill in range(numbers.between(3, 5)):
                    side, qty = numbers.pick("BS"), numbers.between(1, 6)
                    after = net + qty * (1 if side == "B" else -1)
                    flips, net = flips or net * after < 0, after
                    line.append(f"{side} {qty}@{base + numbers.between(0, 9)} 0.0{numbers.below(9)} e{fill}")
                flag = ("Inverse " if kind == "inverse" else "") + ("FlipThroughZero" if flips else "LotOrder")
                add(computed, f"drawn fills {number + 1}", flag, "; ".join(line))
    return list(groups.values())


# --- Order ------------------------------------------------------------------------------------------------------------


def events(line: str) -> list[dict[str, str]]:
    """Read 'ack; fill 4@100 e1; replace_ack 5@101' as calls; '=9' after an exec_id is the venue's cum_qty."""
    calls = []
    for part in line.split(";"):
        event, *rest = part.split()
        call = {"call": "apply", "event": event}
        if rest:
            qty, _, price = rest[0].partition("@")
            call |= {"qty": qty} | ({"price": price} if price else {})
        if len(rest) > 1:
            exec_id, _, cum_qty = rest[1].partition("=")
            call |= {"exec_id": exec_id} | ({"cum_qty": cum_qty} if cum_qty else {})
        calls.append(call)
    return calls


SHORT = {"PN": "PENDING_NEW", "NEW": "NEW", "PF": "PARTIALLY_FILLED", "FILLED": "FILLED", "PC": "PENDING_CANCEL", "CXL": "CANCELED", "PR": "PENDING_REPLACE", "REJ": "REJECTED", "EXP": "EXPIRED"}


def order() -> list[Group]:
    groups: list[Group] = []

    def add(where: Group, comment: str, flags: str, line: str, states: str, side: str = "buy", price: str = "100", qty: str = "10") -> None:
        """Add a history; states are 'state cum leaves avg' after each call, '!' for refused, '|' between open answers."""
        inputs = {"side": side, "price": price, "qty": qty, "calls": events(line)}
        expected: list[Any] = []
        for each in states.split(";"):
            answers: list[Any] = []
            for state in each.split("|"):
                fields = state.split()
                answers.append(ERROR if fields == ["!"] else {"state": SHORT[fields[0]], "cum_qty": F(fields[1]), "leaves_qty": F(fields[2]), "avg_px": None if fields[3] == "-" else F(fields[3])})
            expected.append(answers[0] if len(answers) == 1 else {"either": answers})
        sizes = {"cum_qty": F(qty) * 2, "leaves_qty": F(qty) * 2, "avg_px": F(price) * 2}
        where.add(comment, flags, expected, sizes, **inputs)

    plain = Group({"kind": "linear"}, HAND)
    groups.append(plain)
    new, full = "NEW 0 10 -", "FILLED 10 0 100"
    for comment, flags, line, states in [
        ("acknowledged", "Worked", "ack", new),
        ("acknowledged and filled", "Worked", "ack; fill 10@100 e1", f"{new}; {full}"),
        ("filled in two parts", "PartialFill", "ack; partial_fill 4@100 e1; fill 6@101 e2", f"{new}; PF 4 6 100; FILLED 10 0 100.6"),
        ("filled in three parts: avg_px weighs", "PartialFill", "ack; partial_fill 1@90 e1; partial_fill 2@96 e2; fill 7@100 e3", f"{new}; PF 1 9 90; PF 3 7 94; FILLED 10 0 98.2"),
        ("avg_px does not end", "PartialFill Repeating", "ack; partial_fill 1@100 e1; partial_fill 2@101 e2", f"{new}; PF 1 9 100; PF 3 7 302/3"),
        ("better than its own price: avg_px is the fills'", "PriceImprovement", "ack; fill 10@99.5 e1", f"{new}; FILLED 10 0 99.5"),
        ("filled before it was acknowledged", "OutOfOrder", "fill 10@100 e1; ack", f"{full}; {full}"),
        ("partly filled before it was acknowledged: the ack changes nothing", "OutOfOrder PartialFill", "partial_fill 4@100 e1; ack; fill 6@100 e2", "PF 4 6 100; PF 4 6 100; FILLED 10 0 100"),
        ("acknowledged twice", "Duplicate", "ack; ack", f"{new}; {new}"),
        ("a late ack of a canceled order", "OutOfOrder", "cancel_request; cancel_ack; ack", "PC 0 10 -; CXL 0 0 -; CXL 0 0 -"),
        ("rejected", "Rejected", "reject", "REJ 0 0 -"),
        ("rejected while a cancel was on its way", "Rejected", "cancel_request; reject", "PC 0 10 -; REJ 0 0 -"),
        ("canceled", "Worked", "ack; cancel_request; cancel_ack", f"{new}; PC 0 10 -; CXL 0 0 -"),
        ("canceled before it was acknowledged", "OutOfOrder", "cancel_request; cancel_ack", "PC 0 10 -; CXL 0 0 -"),
        ("canceled after a partial fill: leaves 0, the fill stays", "PartialFill LeavesQty", "ack; partial_fill 4@100 e1; cancel_request; cancel_ack", f"{new}; PF 4 6 100; PC 4 6 100; CXL 4 0 100"),
        ("cancel request sent again", "Duplicate", "ack; cancel_request; cancel_request; cancel_ack", f"{new}; PC 0 10 -; PC 0 10 -; CXL 0 0 -"),
        ("cancel acknowledged twice", "Duplicate", "ack; cancel_request; cancel_ack; cancel_ack", f"{new}; PC 0 10 -; CXL 0 0 -; CXL 0 0 -"),
        ("cancel rejected: back to NEW", "CancelReject", "ack; cancel_request; cancel_reject", f"{new}; PC 0 10 -; {new}"),
        ("cancel rejected after a partial fill: back to PARTIALLY_FILLED", "CancelReject PartialFill", "ack; partial_fill 4@100 e1; cancel_request; cancel_reject", f"{new}; PF 4 6 100; PC 4 6 100; PF 4 6 100"),
        ("cancel rejected, never acknowledged: back to PENDING_NEW", "CancelReject", "cancel_request; cancel_reject; ack", f"PC 0 10 -; PN 0 10 -; {new}"),
        ("cancel rejected because it was filled", "CancelReject", "ack; cancel_request; fill 10@100 e1; cancel_reject", f"{new}; PC 0 10 -; {full}; {full}"),
        ("filled while a cancel was on its way", "PendingCancel", "ack; cancel_request; fill 10@100 e1", f"{new}; PC 0 10 -; {full}"),
        ("filled in full while a cancel was on its way, part before", "PendingCancel PartialFill", "ack; partial_fill 4@100 e1; cancel_request; fill 6@100 e2", f"{new}; PF 4 6 100; PC 4 6 100; {full}"),
        ("a cancel can be sent again after its reject", "CancelReject", "ack; cancel_request; cancel_reject; cancel_request; cancel_ack", f"{new}; PC 0 10 -; {new}; PC 0 10 -; CXL 0 0 -"),
        ("a fill that arrives after the cancel is booked and leaves CANCELED", "LateFill", "ack; cancel_request; cancel_ack; partial_fill 4@100 e1", f"{new}; PC 0 10 -; CXL 0 0 -; CXL 4 0 100"),
        ("a late fill of all of it does not revive the order either", "LateFill", "ack; cancel_request; cancel_ack; fill 10@100 e1", f"{new}; PC 0 10 -; CXL 0 0 -; CXL 10 0 100"),
        ("a late fill after an expiry", "LateFill", "ack; expire; partial_fill 4@100 e1", f"{new}; EXP 0 0 -; EXP 4 0 100"),
        ("two late fills", "LateFill PartialFill", "ack; partial_fill 2@100 e1; expire; partial_fill 3@110 e2; partial_fill 5@100 e3", f"{new}; PF 2 8 100; EXP 2 0 100; EXP 5 0 106; EXP 10 0 103"),
        ("a late fill reported twice is booked once", "LateFill Duplicate", "ack; expire; partial_fill 4@100 e1; partial_fill 4@100 e1", f"{new}; EXP 0 0 -; EXP 4 0 100; EXP 4 0 100"),
        ("expired", "Worked", "ack; expire", f"{new}; EXP 0 0 -"),
        ("expired unfilled: nothing was bought", "LeavesQty", "expire", "EXP 0 0 -"),
        ("expired after a partial fill keeps it: 4 of 6 of a market order", "LeavesQty PartialFill", "ack; partial_fill 4@1 e1; expire", f"{new}; PF 4 6 1; EXP 4 0 1"),
        ("canceled by the venue", "ExchangeCancel", "ack; exchange_cancel", f"{new}; CXL 0 0 -"),
        ("canceled by the venue after a partial fill", "ExchangeCancel PartialFill", "ack; partial_fill 4@100 e1; exchange_cancel", f"{new}; PF 4 6 100; CXL 4 0 100"),
        ("canceled by the venue while a cancel was on its way", "ExchangeCancel PendingCancel", "ack; cancel_request; exchange_cancel; cancel_ack", f"{new}; PC 0 10 -; CXL 0 0 -; CXL 0 0 -"),
        ("canceled by a liquidation", "ExchangeCancel", "ack; liquidation", f"{new}; CXL 0 0 -"),
        ("replaced by less", "Replace", "ack; replace_request; replace_ack 6@101", f"{new}; PR 0 10 -; NEW 0 6 -"),
        ("replaced by more", "Replace", "ack; replace_request; replace_ack 15@101", f"{new}; PR 0 10 -; NEW 0 15 -"),
        ("10, filled 4, replaced by 15: 11 are left, not 6 (nautilus_trader#449)", "Replace PartialFill LeavesQty", "ack; partial_fill 4@100 e1; replace_request; replace_ack 15@100", f"{new}; PF 4 6 100; PR 4 6 100; PF 4 11 100"),
        ("replaced by exactly what is filled: done", "Replace PartialFill TickBoundary", "ack; partial_fill 4@100 e1; replace_request; replace_ack 4@100", f"{new}; PF 4 6 100; PR 4 6 100; FILLED 4 0 100"),
        ("replaced by less than what is filled: done, the fill stays", "Replace PartialFill", "ack; partial_fill 4@100 e1; replace_request; replace_ack 3@100", f"{new}; PF 4 6 100; PR 4 6 100; FILLED 4 0 100"),
        ("replaced, then filled to the new quantity", "Replace", "ack; replace_request; replace_ack 6@101; fill 6@101 e1", f"{new}; PR 0 10 -; NEW 0 6 -; FILLED 6 0 101"),
        ("replace rejected: back as it was", "ReplaceReject", "ack; replace_request; replace_reject", f"{new}; PR 0 10 -; {new}"),
        ("replace rejected after a partial fill", "ReplaceReject PartialFill", "ack; partial_fill 4@100 e1; replace_request; replace_reject", f"{new}; PF 4 6 100; PR 4 6 100; PF 4 6 100"),
        ("replace rejected because it was filled", "ReplaceReject", "ack; replace_request; fill 10@100 e1; replace_reject", f"{new}; PR 0 10 -; {full}; {full}"),
        ("replaced twice", "Replace", "ack; replace_request; replace_ack 6@101; replace_request; replace_ack 8@102", f"{new}; PR 0 10 -; NEW 0 6 -; PR 0 6 -; NEW 0 8 -"),
        ("filled while a replace was on its way, then replaced by more: working again", "Replace", "ack; replace_request; fill 10@100 e1; replace_ack 15@100", f"{new}; PR 0 10 -; {full}; PF 10 5 100"),
        ("canceled while a replace was on its way", "Replace PendingCancel", "ack; replace_request; cancel_request; cancel_ack", f"{new}; PR 0 10 -; PC 0 10 -; CXL 0 0 -"),
        ("expired while a replace was on its way", "Replace", "ack; replace_request; expire", f"{new}; PR 0 10 -; EXP 0 0 -"),
        ("no answer in time: the state does not change by itself", "Timeout", "timeout", "PN 0 10 -"),
        ("no answer to a cancel in time: it is not canceled", "Timeout", "ack; cancel_request; timeout", f"{new}; PC 0 10 -; PC 0 10 -"),
        ("no answer to a replace in time", "Timeout", "ack; replace_request; timeout; replace_ack 6@100", f"{new}; PR 0 10 -; PR 0 10 -; NEW 0 6 -"),
        ("a repeated exec_id changes nothing and does not raise", "Duplicate", "ack; partial_fill 4@100 e1; partial_fill 4@100 e1", f"{new}; PF 4 6 100; PF 4 6 100"),
        ("a repeated exec_id of a full fill", "Duplicate", "ack; fill 10@100 e1; fill 10@100 e1", f"{new}; {full}; {full}"),
        ("two fills of equal price and size under two exec_ids are two", "Duplicate PartialFill", "ack; partial_fill 4@100 e1; partial_fill 4@100 e2", f"{new}; PF 4 6 100; PF 8 2 100"),
        ("the venue's cum_qty is the total, not the increment", "CumulativeReport PartialFill", "ack; partial_fill 4@100 e1=4; partial_fill 3@100 e2=7; fill 3@100 e3=10", f"{new}; PF 4 6 100; PF 7 3 100; {full}"),
    ]:
        add(plain, comment, flags, line, states)

    illegal = Group({"kind": "linear"}, HAND)
    groups.append(illegal)
    tail, end = "; ack", "; NEW 0 10 -"
    for comment, flags, line, states in [
        ("more than its quantity", "OverFill Refused", "ack; fill 11@100 e1; fill 10@100 e2", f"{new}; !; {full}"),
        ("more than what is left", "OverFill Refused PartialFill", "ack; partial_fill 4@100 e1; fill 7@100 e2; fill 6@100 e3", f"{new}; PF 4 6 100; !; {full}"),
        ("another fill of a filled order", "OverFill Refused", "ack; fill 10@100 e1; fill 1@100 e2; ack", f"{new}; {full}; !; {full}"),
        ("more than the quantity after a replace", "OverFill Refused Replace", "ack; replace_request; replace_ack 6@100; fill 7@100 e1; fill 6@100 e2", f"{new}; PR 0 10 -; NEW 0 6 -; !; FILLED 6 0 100"),
        ("a late fill of more than its quantity", "OverFill Refused LateFill", "ack; expire; partial_fill 11@100 e1; partial_fill 4@100 e2", f"{new}; EXP 0 0 -; !; EXP 4 0 100"),
        ("a refused fill does not use its exec_id up", "OverFill Refused Duplicate", "ack; fill 11@100 e1; fill 10@100 e1", f"{new}; !; {full}"),
        ("submit again: it was the constructor", "IllegalEvent Refused", f"submit{tail}", f"!{end}"),
        ("an unknown event", "UnknownEvent Refused", f"teleport{tail}", f"!{end}"),
        ("'filled' is a state, not an event", "UnknownEvent Refused", f"filled{tail}", f"!{end}"),
        ("'canceled' is a state, not an event", "UnknownEvent Refused", "ack; canceled; ack", f"{new}; !; {new}"),
        ("rejected after it was acknowledged", "IllegalEvent Refused", "ack; reject; ack", f"{new}; !; {new}"),
        ("rejected after a fill", "IllegalEvent Refused", "ack; fill 10@100 e1; reject; ack", f"{new}; {full}; !; {full}"),
        ("rejected twice", "IllegalEvent Refused", "reject; reject; ack", "REJ 0 0 -; !; REJ 0 0 -"),
        ("cancel acknowledged, never asked for", "IllegalEvent Refused", "ack; cancel_ack; ack", f"{new}; !; {new}"),
        ("cancel acknowledged before it was acknowledged itself", "IllegalEvent Refused", "cancel_ack; ack", f"!; {new}"),
        ("cancel rejected, never asked for", "IllegalEvent Refused", "ack; cancel_reject; ack", f"{new}; !; {new}"),
        ("a cancel request for a filled order", "IllegalEvent Refused", "ack; fill 10@100 e1; cancel_request; ack", f"{new}; {full}; !; {full}"),
        ("a cancel request for a canceled order", "IllegalEvent Refused", "ack; cancel_request; cancel_ack; cancel_request; ack", f"{new}; PC 0 10 -; CXL 0 0 -; !; CXL 0 0 -"),
        ("a cancel request for a rejected order", "IllegalEvent Refused Rejected", "reject; cancel_request; ack", "REJ 0 0 -; !; REJ 0 0 -"),
        ("a cancel request for an expired order", "IllegalEvent Refused", "ack; expire; cancel_request; ack", f"{new}; EXP 0 0 -; !; EXP 0 0 -"),
        ("cancel acknowledged for a filled order", "IllegalEvent Refused", "ack; cancel_request; fill 10@100 e1; cancel_ack; ack", f"{new}; PC 0 10 -; {full}; !; {full}"),
        ("cancel acknowledged after its reject", "IllegalEvent Refused CancelReject", "ack; cancel_request; cancel_reject; cancel_ack; ack", f"{new}; PC 0 10 -; {new}; !; {new}"),
        ("a replace request before it was acknowledged", "IllegalEvent Refused Replace", "replace_request; ack", f"!; {new}"),
        ("a replace request while a cancel is on its way", "IllegalEvent Refused Replace", "ack; cancel_request; replace_request; cancel_ack", f"{new}; PC 0 10 -; !; CXL 0 0 -"),
        ("a replace request for a canceled order", "IllegalEvent Refused Replace", "ack; exchange_cancel; replace_request; ack", f"{new}; CXL 0 0 -; !; CXL 0 0 -"),
        ("replace acknowledged, never asked for", "IllegalEvent Refused Replace", "ack; replace_ack 5@100; ack", f"{new}; !; {new}"),
        ("replace rejected, never asked for", "IllegalEvent Refused ReplaceReject", "ack; replace_reject; ack", f"{new}; !; {new}"),
        ("expired twice", "IllegalEvent Refused", "ack; expire; expire; ack", f"{new}; EXP 0 0 -; !; EXP 0 0 -"),
        ("expired after it was filled", "IllegalEvent Refused", "ack; fill 10@100 e1; expire; ack", f"{new}; {full}; !; {full}"),
        ("canceled by the venue after it was filled", "IllegalEvent Refused ExchangeCancel", "ack; fill 10@100 e1; exchange_cancel; ack", f"{new}; {full}; !; {full}"),
        ("a liquidation of a canceled order", "IllegalEvent Refused ExchangeCancel", "ack; expire; liquidation; ack", f"{new}; EXP 0 0 -; !; EXP 0 0 -"),
        ("a timeout of what nobody waits for", "IllegalEvent Refused Timeout", "ack; timeout; ack", f"{new}; !; {new}"),
        ("a fill of a negative quantity", "NegativeQty Refused", "ack; partial_fill -1@100 e1; fill 10@100 e2", f"{new}; !; {full}"),
        ("a fill of NaN", "NaN Refused", "ack; partial_fill NaN@100 e1; fill 10@100 e2", f"{new}; !; {full}"),
        ("a fill at NaN", "NaN Refused", "ack; partial_fill 1@NaN e1; fill 10@100 e2", f"{new}; !; {full}"),
        ("a fill at 0", "ZeroPrice Refused", "ack; partial_fill 1@0 e1; fill 10@100 e2", f"{new}; !; {full}"),
        ("a fill at a negative price", "NegativePrice Refused", "ack; fill 10@-100 e1; fill 10@100 e2", f"{new}; !; {full}"),
        ("replaced by a negative quantity", "NegativeQty Refused Replace", "ack; replace_request; replace_ack -5@100; replace_reject", f"{new}; PR 0 10 -; !; {new}"),
    ]:
        add(illegal, comment, flags, line, states)

    made = Group({"kind": "linear"}, HAND)
    groups.append(made)
    add(made, "a sell", "ShortSide", "ack; partial_fill 4@100 e1; fill 6@99 e2", "NEW 0 10 -; PF 4 6 100; FILLED 10 0 99.4", side="sell")
    add(made, "a sell above its own price: avg_px is the fills'", "PriceImprovement ShortSide", "ack; fill 10@101 e1", "NEW 0 10 -; FILLED 10 0 101", side="sell")
    add(made, "1.0 in 0.9 and 0.1: exactly filled", "BinaryNoise PartialFill", "ack; partial_fill 0.9@100 e1; fill 0.1@100 e2", "NEW 0 1 -; PF 0.9 0.1 100; FILLED 1 0 100", qty="1.0")
    add(made, "0.3 in three parts of 0.1", "BinaryNoise PartialFill", "ack; partial_fill 0.1@100 e1; partial_fill 0.1@100 e2; fill 0.1@100 e3", "NEW 0 0.3 -; PF 0.1 0.2 100; PF 0.2 0.1 100; FILLED 0.3 0 100", qty="0.3")
    add(made, "all but one satoshi is not filled", "Dust PartialFill", "ack; partial_fill 0.99999999@100 e1; fill 0.00000001@100 e2", "NEW 0 1 -; PF 0.99999999 0.00000001 100; FILLED 1 0 100", qty="1")
    add(made, "order 1.0, the same execution twice: 1.0 (nautilus_trader#3317)", "Duplicate", "ack; fill 1.0@100 T1; fill 1.0@100 T1", "NEW 0 1 -; FILLED 1 0 100; FILLED 1 0 100", qty="1.0")
    add(made, "order 1.0, a second execution of 1.0: refused (nautilus_trader#3317)", "OverFill Refused", "ack; fill 1.0@100 T1; fill 1.0@100 T2; ack", "NEW 0 1 -; FILLED 1 0 100; !; FILLED 1 0 100", qty="1.0")
    add(
        made,
        "reports of 5.102, 24.543, 27.675 in all make 27.675 (hummingbot#4625 added them up: 57.320)",
        "CumulativeReport PartialFill",
        "ack; partial_fill 5.102@100 e1=5.102; partial_fill 19.441@100 e2=24.543; fill 3.132@100 e3=27.675",
        "NEW 0 27.675 -; PF 5.102 22.573 100; PF 24.543 3.132 100; FILLED 27.675 0 100",
        qty="27.675",
    )
    add(made, "4248.70514275 canceled here, filled there (freqtrade#3647)", "LateFill", "ack; cancel_request; cancel_ack; fill 4248.70514275@0.00003932 e1", "NEW 0 4248.70514275 -; PC 0 4248.70514275 -; CXL 0 0 -; CXL 4248.70514275 0 0.00003932", price="0.00003932", qty="4248.70514275")
    add(made, "508 expired unfilled: nothing held (BTCT#404 held 508)", "LeavesQty", "ack; expire", "NEW 0 508 -; EXP 0 0 -", price="0.00003932", qty="508")
    for comment, flag, side, price, qty in [
        ("unknown side", "UnknownSide", "hold", "100", "10"),
        ("empty side", "UnknownSide", "", "100", "10"),
        ("price 0", "ZeroPrice", "buy", "0", "10"),
        ("negative price", "NegativePrice", "sell", "-1", "10"),
        ("negative quantity", "NegativeQty", "buy", "100", "-10"),
        ("price NaN", "NaN", "buy", "NaN", "10"),
        ("quantity NaN", "NaN", "buy", "100", "NaN"),
    ]:
        made.refuse(f"{comment}: refused when it is made", flag, side=side, price=price, qty=qty, calls=[])

    inverse = Group({"kind": "inverse"}, HAND)
    groups.append(inverse)
    add(inverse, "avg_px is harmonic: 3000 / (1000/5000 + 2000/6000)", "Inverse HarmonicAverage PartialFill", "ack; partial_fill 1000@5000 e1; fill 2000@6000 e2", "NEW 0 3000 -; PF 1000 2000 5000; FILLED 3000 0 5625", price="6000", qty="3000")
    add(inverse, "two equal parts: 2 / (1/100 + 1/300) = 150, not 200", "Inverse HarmonicAverage PartialFill", "ack; partial_fill 1@100 e1; fill 1@300 e2", "NEW 0 2 -; PF 1 1 100; FILLED 2 0 150", price="300", qty="2")
    add(inverse, "one price needs no mean", "Inverse", "ack; fill 7@5000 e1", "NEW 0 7 -; FILLED 7 0 5000", price="5000", qty="7")
    strange = Group({"kind": "option"}, HAND)
    groups.append(strange)
    strange.refuse("unknown kind: refused when it is made", "UnknownConvention", side="buy", price="100", qty="10", calls=[])

    open_ = Group({"kind": "linear"}, HAND)
    groups.append(open_)
    for comment, flags, line, states in [
        ("a partial fill while a cancel is on its way: PENDING_CANCEL or PARTIALLY_FILLED", "PendingCancel PartialFill", "ack; cancel_request; partial_fill 4@100 e1; cancel_ack", f"{new}; PC 0 10 -; PC 4 6 100 | PF 4 6 100; CXL 4 0 100"),
        ("the same, and the cancel is rejected", "PendingCancel PartialFill CancelReject", "ack; cancel_request; partial_fill 4@100 e1; cancel_reject", f"{new}; PC 0 10 -; PC 4 6 100 | PF 4 6 100; PF 4 6 100"),
        ("the same, and the rest is filled", "PendingCancel PartialFill", "ack; cancel_request; partial_fill 4@100 e1; fill 6@100 e2", f"{new}; PC 0 10 -; PC 4 6 100 | PF 4 6 100; {full}"),
        ("a partial fill while a replace is on its way: PENDING_REPLACE or PARTIALLY_FILLED", "Replace PartialFill", "ack; replace_request; partial_fill 4@100 e1; replace_ack 15@100", f"{new}; PR 0 10 -; PR 4 6 100 | PF 4 6 100; PF 4 11 100"),
        ("the same, and the replace is rejected", "ReplaceReject PartialFill", "ack; replace_request; partial_fill 4@100 e1; replace_reject", f"{new}; PR 0 10 -; PR 4 6 100 | PF 4 6 100; PF 4 6 100"),
        ("the same, replaced by no more than what is filled", "Replace PartialFill", "ack; replace_request; partial_fill 4@100 e1; replace_ack 4@100", f"{new}; PR 0 10 -; PR 4 6 100 | PF 4 6 100; FILLED 4 0 100"),
        ("a 'partial_fill' of all that is left: FILLED by leaves_qty, or refused", "PartialFill LeavesQty", "ack; partial_fill 10@100 e1", f"{new}; {full} | !"),
        ("a 'fill' of less than what is left: PARTIALLY_FILLED by leaves_qty, or refused", "PartialFill LeavesQty", "ack; fill 4@100 e1", f"{new}; PF 4 6 100 | !"),
        ("a fill of nothing changes nothing, or is refused", "Dust", "ack; partial_fill 0@100 e1; fill 10@100 e2", f"{new}; {new} | !; {full}"),
        ("a fill of a rejected order: booked as late, or refused", "LateFill Rejected", "reject; fill 10@100 e1", "REJ 0 0 -; REJ 10 0 100 | !"),
    ]:
        add(open_, comment, flags, line, states)
    return groups


# --- Book -------------------------------------------------------------------------------------------------------------


def updates(line: str) -> list[dict[str, Any]]:
    """Read 'S 10 b100:1 a101:2 | D 11 10 b99:3' as calls; '-' in the place of prev_seq is None."""
    calls = []
    for part in line.split("|"):
        kind, seq, *rest = part.split()
        prev = rest.pop(0) if kind == "D" else "-"
        levels = [[{"b": "bid", "a": "ask", "x": "middle"}[each[0]], *each[1:].split(":")] for each in rest]
        calls.append({"call": "apply", "kind": {"S": "snapshot", "D": "delta"}.get(kind, kind), "seq": seq, "prev_seq": None if prev == "-" else prev, "levels": levels})
    return calls


def book() -> list[Group]:
    groups: dict[tuple[str | None, str], Group] = {}

    def group(depth: str | None, source: str = HAND) -> Group:
        return groups.setdefault((depth, source), Group({"depth": depth}, source))

    def side(levels: str) -> list[list[str]]:
        return [each.split(":") for each in levels.split(",") if each != "-"]

    def state(line: str) -> Any:
        fields = line.split()
        if fields in (["!"], ["x"]):
            return ERROR if fields == ["!"] else {"valid": False}
        return {"bids": side(fields[0]), "asks": side(fields[1]), "valid": True}

    def add(where: Group, comment: str, flags: str, line: str, states: str) -> None:
        """Add a history; states are 'bids asks' after each call, 'x' for not valid, '!' for refused, '/' between open answers."""
        expected: list[Any] = []
        for each in states.split("|"):
            answers = [state(answer) for answer in each.split("/")]
            if answers == [ERROR]:  # raised, dropped, or taken as a reason to wait for a snapshot
                answers += [expected[-1], {"valid": False}]
            elif ERROR in (expected[-1:] or [{}])[0].get("either", []):
                answers.append({"valid": False})
            expected.append(answers[0] if len(answers) == 1 else {"either": answers})
        where.add(comment, flags, expected, calls=updates(line))

    plain = group(None)
    start, first = "S 10 b100:1 b99:2 a101:3 a102:4", "100:1,99:2 101:3,102:4"
    for comment, flags, line, states in [
        ("a snapshot", "Worked", start, first),
        ("a snapshot in no order: bids fall, asks rise", "LevelOrder", "S 10 b99:2 b100:1 b87:5 a103:1 a101:3 a102:4", "100:1,99:2,87:5 101:3,102:4,103:1"),
        ("sorted as numbers, not as text: 1000 above 99.5", "LevelOrder", "S 10 b99.5:1 b1000:2 a10000:1 a2000:3", "1000:2,99.5:1 2000:3,10000:1"),
        ("a delta sets a quantity, it does not add to it", "AbsoluteQty", f"{start} | D 11 10 b100:5", f"{first} | 100:5,99:2 101:3,102:4"),
        ("a delta of the same quantity changes nothing", "AbsoluteQty", f"{start} | D 11 10 b100:1", f"{first} | {first}"),
        ("quantity 0 removes the level", "RemoveLevel", f"{start} | D 11 10 b100:0", f"{first} | 99:2 101:3,102:4"),
        ("quantity 0.000 removes the level", "RemoveLevel", f"{start} | D 11 10 a101:0.000", f"{first} | 100:1,99:2 102:4"),
        ("removing a level that is not there is normal", "RemoveLevel", f"{start} | D 11 10 b98:0 a105:0", f"{first} | {first}"),
        ("removed and set again", "RemoveLevel", f"{start} | D 11 10 b100:0 | D 12 11 b100:7", f"{first} | 99:2 101:3,102:4 | 100:7,99:2 101:3,102:4"),
        ("a new best bid", "Worked", f"{start} | D 11 10 b100.5:9", f"{first} | 100.5:9,100:1,99:2 101:3,102:4"),
        ("a level between two", "LevelOrder", f"{start} | D 11 10 b99.5:9 a101.5:8", f"{first} | 100:1,99.5:9,99:2 101:3,101.5:8,102:4"),
        ("100.0 and 100 are one level", "BinaryNoise", f"{start} | D 11 10 b100.0:6", f"{first} | 100:6,99:2 101:3,102:4"),
        ("100.00 removes 100", "BinaryNoise RemoveLevel", f"{start} | D 11 10 b100.00:0", f"{first} | 99:2 101:3,102:4"),
        ("the same price twice in a message: the later counts", "Duplicate", f"{start} | D 11 10 b100:5 b100:8", f"{first} | 100:8,99:2 101:3,102:4"),
        ("a level that moves down with its old place emptied", "RemoveLevel", f"{start} | D 11 10 a101:0 a100.5:3", f"{first} | 100:1,99:2 100.5:3,102:4"),
        ("bids are bids: an ask at the price of a removed bid", "LevelOrder", f"{start} | D 11 10 b100:0 b99:0 a99.5:1", f"{first} | - 99.5:1,101:3,102:4"),
        ("all of a side removed: empty, and no number made up", "OneSided RemoveLevel", f"{start} | D 11 10 a101:0 a102:0", f"{first} | 100:1,99:2 -"),
        ("a snapshot of one side only", "OneSided", "S 10 b100:1", "100:1 -"),
        ("an empty snapshot", "Empty", "S 10", "- -"),
        ("an empty snapshot empties the book", "Empty SnapshotReplaces", f"{start} | S 20", f"{first} | - -"),
        ("a heartbeat: an update without levels", "Heartbeat", f"{start} | D 11 10", f"{first} | {first}"),
        ("a heartbeat whose seq does not move", "Heartbeat", f"{start} | D 10 10 | D 11 10 b100:5", f"{first} | {first} | 100:5,99:2 101:3,102:4"),
        ("locked is not crossed", "Locked", f"{start} | D 11 10 b101:2", f"{first} | 101:2,100:1,99:2 101:3,102:4"),
        ("crossed is not valid", "Crossed", f"{start} | D 11 10 b101.5:2", f"{first} | x"),
        ("a crossed snapshot is not valid", "Crossed", "S 10 b102:1 a101:1", "x"),
        ("crossed by a satoshi", "Crossed SmallPrice", "S 10 b0.00003933:1 a0.00003932:1", "x"),
        ("crossed only until the message's last level: applied whole", "Crossed WholeMessage", f"{start} | D 11 10 b101.5:2 a101:0 a102:0 a102.5:1", f"{first} | 101.5:2,100:1,99:2 102.5:1"),
        ("crossed, then a snapshot", "Crossed SnapshotReplaces", f"{start} | D 11 10 b103:2 | S 20 b100:1 a101:3", f"{first} | x | 100:1 101:3"),
        ("104782.87 stays above 104717.18 unless the snapshot replaces the side (ccxt#24944)", "Crossed SnapshotReplaces", "S 1 b104782.87:1 b104782.09:1 a104815.04:1 | S 2 b104717.00:1 a104717.18:1 a104815.04:1", "104782.87:1,104782.09:1 104815.04:1 | 104717:1 104717.18:1,104815.04:1"),
        ("a snapshot replaces, it does not merge", "SnapshotReplaces", f"{start} | S 20 b98:7 a103:7", f"{first} | 98:7 103:7"),
        ("a snapshot with a lower seq counts", "SnapshotReplaces OldSeq", f"{start} | S 5 b98:7 a103:7 | D 6 5 b98:8", f"{first} | 98:7 103:7 | 98:8 103:7"),
        ("a snapshot with the same seq counts", "SnapshotReplaces", f"{start} | S 10 b98:7 a103:7", f"{first} | 98:7 103:7"),
        ("a delta before the first snapshot: not valid", "BeforeSnapshot", "D 9 8 b100:1 a101:1", "x"),
        ("deltas before the first snapshot, at or below its seq, are dropped", "BeforeSnapshot", f"D 9 8 b97:9 | D 10 9 b96:9 | {start}", f"x | x | {first}"),
        ("deltas go on after the snapshot", "BeforeSnapshot", f"D 10 9 b96:9 | {start} | D 11 10 b100:5", f"x | {first} | 100:5,99:2 101:3,102:4"),
        ("a gap: not valid, and what follows does not mend it", "Gap", f"{start} | D 12 11 b100:5 | D 13 12 b100:6", f"{first} | x | x"),
        ("a gap of many", "Gap", f"{start} | D 500 499 b100:5", f"{first} | x"),
        ("a gap, then a snapshot: valid again", "Gap SnapshotReplaces", f"{start} | D 12 11 b100:5 | S 20 b98:7 a103:7 | D 21 20 a103:1", f"{first} | x | 98:7 103:7 | 98:7 103:1"),
        ("a gap found by a heartbeat", "Gap Heartbeat", f"{start} | D 12 11", f"{first} | x"),
        ("after a gap the missing message alone does not mend it", "Gap OutOfOrder", f"{start} | D 12 11 b100:5 | D 11 10 b100:4", f"{first} | x | x"),
        ("prev_seq None means seq - 1: the next one", "PrevSeqNone", f"{start} | D 11 - b100:5", f"{first} | 100:5,99:2 101:3,102:4"),
        ("prev_seq None means seq - 1: a gap", "PrevSeqNone Gap", f"{start} | D 12 - b100:5", f"{first} | x"),
        ("prev_seq None: an old one is ignored", "PrevSeqNone OldSeq", f"{start} | D 10 - b100:5 | D 9 - b100:6", f"{first} | {first} | {first}"),
        ("seq may jump where prev_seq is the last one", "SeqJump", f"{start} | D 15 10 b100:5 | D 40 15 b100:6", f"{first} | 100:5,99:2 101:3,102:4 | 100:6,99:2 101:3,102:4"),
        ("an old seq is ignored", "OldSeq", f"{start} | D 9 8 b100:5", f"{first} | {first}"),
        ("the same message twice: the second is ignored", "OldSeq Duplicate", f"{start} | D 11 10 b100:5 | D 12 11 b100:6 | D 11 10 b100:5", f"{first} | 100:5,99:2 101:3,102:4 | 100:6,99:2 101:3,102:4 | 100:6,99:2 101:3,102:4"),
        ("the same message twice in a row", "OldSeq Duplicate", f"{start} | D 11 10 b100:5 | D 11 10 b100:5 | D 12 11 a101:1", f"{first} | 100:5,99:2 101:3,102:4 | 100:5,99:2 101:3,102:4 | 100:5,99:2 101:1,102:4"),
        ("a lower seq whose prev_seq is the last one: the venue's reset", "SeqReset", f"{start} | D 3 10 b100:5 | D 5 3 b100:6", f"{first} | 100:5,99:2 101:3,102:4 | 100:6,99:2 101:3,102:4"),
        ("OKX: snapshot, update, heartbeat, reset, update", "SeqReset Heartbeat", "S 10 b100:1 a101:1 | D 15 10 b100:2 | D 15 15 | D 3 15 b100:3 | D 5 3 b100:4", "100:1 101:1 | 100:2 101:1 | 100:2 101:1 | 100:3 101:1 | 100:4 101:1"),
        ("Deribit: ids that are not contiguous, then one that does not follow", "SeqJump Gap", "S 100 b10:1 a11:1 | D 101 100 b10:2 | D 105 101 b10:3 | D 107 106 b10:4", "10:1 11:1 | 10:2 11:1 | 10:3 11:1 | x"),
        ("the first delta may overlap the snapshot", "Overlap", f"{start} | D 12 8 b100:5", f"{first} | 100:5,99:2 101:3,102:4"),
        ("the first delta overlaps by one", "Overlap", f"{start} | D 11 9 b100:5 | D 12 11 b100:6", f"{first} | 100:5,99:2 101:3,102:4 | 100:6,99:2 101:3,102:4"),
        ("the first delta after a second snapshot may overlap too", "Overlap SnapshotReplaces", f"{start} | D 11 10 b100:5 | S 20 b98:7 a103:7 | D 22 18 b98:8", f"{first} | 100:5,99:2 101:3,102:4 | 98:7 103:7 | 98:8 103:7"),
        ("an older one, then the one that overlaps", "Overlap OldSeq", f"{start} | D 9 7 b100:4 | D 12 9 b100:5", f"{first} | {first} | 100:5,99:2 101:3,102:4"),
        ("a message with an unknown side is refused whole", "UnknownSide Refused WholeMessage", f"{start} | D 11 10 b100:5 x99:1 | D 11 10 b100:6", f"{first} | ! | 100:6,99:2 101:3,102:4"),
        ("a message with a negative price is refused whole", "NegativePrice Refused WholeMessage", f"{start} | D 11 10 b100:5 b-99:1 | D 11 10 b100:6", f"{first} | ! | 100:6,99:2 101:3,102:4"),
        ("a message with a price of 0 is refused whole", "ZeroPrice Refused WholeMessage", f"{start} | D 11 10 b100:5 a0:1 | D 11 10 b100:6", f"{first} | ! | 100:6,99:2 101:3,102:4"),
        ("a message with a negative quantity is refused whole", "NegativeQty Refused WholeMessage", f"{start} | D 11 10 b100:5 a101:-3 | D 11 10 b100:6", f"{first} | ! | 100:6,99:2 101:3,102:4"),
        ("a message with NaN is refused whole", "NaN Refused WholeMessage", f"{start} | D 11 10 b100:5 a101:NaN | D 11 10 b100:6", f"{first} | ! | 100:6,99:2 101:3,102:4"),
        ("a broken snapshot leaves the book that was", "NaN Refused WholeMessage SnapshotReplaces", f"{start} | S 20 b98:1 aNaN:1 | D 11 10 b100:6", f"{first} | ! | 100:6,99:2 101:3,102:4"),
        ("an unknown kind of message is refused", "UnknownEvent Refused", f"{start} | patch 11 b100:5 | D 11 10 b100:6", f"{first} | ! | 100:6,99:2 101:3,102:4"),
        ("25 asks of one message, the last removes (ExchangeSharp#713 stopped at 20)", "WholeMessage RemoveLevel", "S 1 b99:1 a101:1 | D 2 1 " + " ".join(f"a{102 + k}:{k + 1}" for k in range(24)) + " a101:0", "99:1 101:1 | 99:1 " + ",".join(f"{102 + k}:{k + 1}" for k in range(24))),
        ("prices of 8 digits", "SmallPrice", "S 1 b0.00003932:508 a0.00003933:12 | D 2 1 a0.00003933:0 a0.00003934:1", "0.00003932:508 0.00003933:12 | 0.00003932:508 0.00003934:1"),
        ("17 digits: neighbours of one float64", "LongDigits", "S 1 b12345678901.00000001:1 b12345678901.00000002:2 a12345678901.00000003:3", "12345678901.00000002:2,12345678901.00000001:1 12345678901.00000003:3"),
        ("seq beyond 2^53", "LongDigits Overflow", "S 9007199254740992 b100:1 a101:1 | D 9007199254740993 9007199254740992 b100:2 | D 9007199254740994 9007199254740993 b100:3", "100:1 101:1 | 100:2 101:1 | 100:3 101:1"),
    ]:
        add(plain, comment, flags, line, states)

    deep = group("2")
    for comment, flags, line, states in [
        ("the best two of each side", "Depth", "S 1 b100:1 b99:2 b98:3 a101:1 a102:2 a103:3", "100:1,99:2 101:1,102:2"),
        ("fewer than two", "Depth", "S 1 b100:1 a101:1", "100:1 101:1"),
        ("a better level pushes the worst out", "Depth", "S 1 b100:1 b99:2 a101:1 a102:2 | D 2 1 b100.5:9", "100:1,99:2 101:1,102:2 | 100.5:9,100:1 101:1,102:2"),
        ("after a removal: refilled from below, or what was below is gone", "Depth RemoveLevel", "S 1 b100:1 b99:2 b98:3 a101:1 a102:2 a103:3 | D 2 1 b100:0 a101:0", "100:1,99:2 101:1,102:2 | 99:2,98:3 102:2,103:3 / 99:2 102:2"),
        ("a level that was pushed out comes back, or is gone", "Depth RemoveLevel", "S 1 b100:1 b99:2 a101:1 a102:2 | D 2 1 b100.5:9 | D 3 2 b100.5:0", "100:1,99:2 101:1,102:2 | 100.5:9,100:1 101:1,102:2 | 100:1,99:2 101:1,102:2 / 100:1 101:1,102:2"),
        ("a change below the depth shows later, or was dropped", "Depth AbsoluteQty", "S 1 b100:1 b99:2 b98:3 a101:1 | D 2 1 b98:7 | D 3 2 b100:0", "100:1,99:2 101:1 | 100:1,99:2 101:1 | 99:2,98:7 101:1 / 99:2 101:1"),
        ("fewer after removals: no number made up", "Depth RemoveLevel", "S 1 b100:1 b99:2 a101:1 a102:2 | D 2 1 b100:0", "100:1,99:2 101:1,102:2 | 99:2 101:1,102:2"),
        ("a gap", "Depth Gap", "S 1 b100:1 a101:1 | D 3 2 b100:0", "100:1 101:1 | x"),
    ]:
        add(deep, comment, flags, line, states)
    one = group("1")
    add(one, "the best of each side, in any order", "Depth LevelOrder", "S 1 b98:3 b100:1 b99:2 a103:3 a101:1", "100:1 101:1")
    add(one, "after a removal: the next best, or none", "Depth RemoveLevel", "S 1 b100:1 b99:2 a101:1 a102:2 | D 2 1 b100:0", "100:1 101:1 | 99:2 101:1 / - 101:1")

    open_ = group(None, "hand; the contract leaves these open")
    for comment, flags, line, states in [
        ("a delta that came before the snapshot and follows it: kept and applied, or not", "BeforeSnapshot", f"D 11 10 b100:5 | {start}", f"x | {first} / 100:5,99:2 101:3,102:4"),
        ("the same after a gap", "BeforeSnapshot Gap", f"{start} | D 12 11 b98:9 | S 11 b98:7 a103:7", f"{first} | x | 98:7 103:7 / 98:9 103:7"),
        ("crossed, then uncrossed by the next delta: valid again, or not until a snapshot", "Crossed", f"{start} | D 11 10 b101.5:2 | D 12 11 b101.5:0", f"{first} | x | {first} / x"),
        ("crossed, then the ask goes: valid again, or not until a snapshot", "Crossed", f"{start} | D 11 10 b101.5:2 | D 12 11 a101:0", f"{first} | x | 101.5:2,100:1,99:2 102:4 / x"),
    ]:
        add(open_, comment, flags, line, states)

    computed = group(None, EXACT)
    numbers = Numbers(53)
    for number in range(12):
        levels = [f"b{100 - k}:{numbers.between(1, 9)}" for k in range(4)] + [f"a{101 + k}:{numbers.between(1, 9)}" for k in range(4)]
        line, last, gap = [f"S 10 {' '.join(levels)}"], 10, number % 4 == 3
        for step in range(numbers.between(2, 4)):
            seq = last + numbers.between(1, 9)
            changes = [f"{numbers.pick(['b9', 'a10'])}{numbers.between(1, 9)}:{numbers.below(5)}" for _ in range(numbers.between(1, 4))]
            prev = last + 1 if gap and step == 1 else last
            line.append(f"D {seq + 1} {prev} {' '.join(changes)}")
            last = seq + 1
        calls = updates(" | ".join(line))
        computed.add(f"drawn updates {number + 1}", "Gap" if gap else "AbsoluteQty" if number % 2 else "Worked", models.play_book(calls, None), calls=calls)
    return list(groups.values())


# --- RateLimiter and Breaker ------------------------------------------------------------------------------------------


def rate_limiter() -> list[Group]:
    groups: list[Group] = []
    second = 10**9

    def add(comment: str, flags: str, limit: str, window: int, line: str, allowed: str, source: str = HAND) -> None:
        """Add a history of 'ts:weight'; y and n are the answers, '!' is refused, by an error or by false."""
        if not groups or groups[-1].params != {"limit": limit, "window_ns": window} or groups[-1].source != source:
            groups.append(Group({"limit": limit, "window_ns": window}, source))
        calls = [{"call": "allow", "ts_ns": ts, "weight": weight} for ts, weight in (each.split(":") for each in line.split())]
        answers = {"y": True, "n": False, "!": {"either": [ERROR, False]}}
        groups[-1].add(comment, flags, [answers[each] for each in allowed.split()], calls=calls)

    for comment, flags, line, allowed in [
        ("up to the limit", "Worked", "0:1 1:1 2:1", "y y y"),
        ("one more is refused", "Worked", "0:1 1:1 2:1 3:1", "y y y n"),
        ("exactly the limit in one request", "TickBoundary", "0:3 1:1", "y n"),
        ("more than the limit in one request", "TickBoundary", "0:4 1:3", "n y"),
        ("a request leaves the window after exactly its width", "WindowEdge", "0:3 1000000000:1", "y y"),
        ("one nanosecond earlier it is still in it", "WindowEdge", "0:3 999999999:1 1000000000:1", "y n y"),
        ("a request of the same instant counts", "SameTimestamp", "5:2 5:1 5:1", "y y n"),
        ("the window slides, it does not start anew at whole seconds", "WindowEdge Burst", "999999999:3 1000000000:1 1000000001:1", "y n n"),
        ("twice the limit at the edge of two fixed windows", "Burst", "900000000:3 1100000000:3", "y n"),
        ("part of the window frees part of the limit", "WindowEdge", "0:1 500000000:2 1000000000:1 1000000001:1", "y y y n"),
        ("a refused request does not count", "RefusedNotCounted", "0:2 1:2 2:1 3:1", "y n y n"),
        ("refused many times, free after a window all the same", "RefusedNotCounted WindowEdge", "0:3 100:1 999999999:1 1000000000:3", "y n n y"),
        ("a large one is refused, a small one that fits is not", "RefusedNotCounted", "0:2 1:3 2:1", "y n y"),
        ("weights count, not requests", "Weight", "0:2 1:2", "y n"),
        ("fractions of a weight", "Weight BinaryNoise", "0:0.1 1:0.2 2:2.7 3:0.1", "y y y n"),
        ("after a long silence", "Worked", "0:3 1000000000000:3", "y y"),
        ("at today's size, in nanoseconds", "Nanoseconds", "1700000000000000001:3 1700000001000000000:1 1700000001000000001:1", "y n y"),
        ("before 1970", "BeforeEpoch", "-1000000000:3 -1:1 0:1", "y n y"),
        ("a negative weight is refused as such and frees nothing", "NegativeQty Refused", "0:3 1:-3 2:1", "y ! n"),
        ("a weight NaN is refused as such and changes nothing", "NaN Refused", "0:2 1:NaN 2:1", "y ! y"),
    ]:
        add(comment, flags, "3", second, line, allowed)
    add("1200 of weight a minute", "Weight", "1200", 60 * second, "0:1000 1:200 2:1 60000000000:1000", "y y n y")
    add("weights of 50 and 1", "Weight", "1200", 60 * second, " ".join(f"{k}:50" for k in range(24)) + " 24:1", "y " * 24 + "n")
    add("10 a second and the window of a second is no calendar's", "Burst", "10", second, "1999999999:10 2000000000:1 2999999998:1 2999999999:10", "y n n y")
    add("a window of 1 ns: only the same instant", "WindowEdge SameTimestamp", "2", 1, "7:1 7:1 7:1 8:1", "y y n y")
    add("a limit of 1", "TickBoundary", "1", second, "0:1 1:1 1000000000:1 1000000001:1", "y n y n")
    add("50 orders in 10 s", "Worked", "50", 10 * second, "0:49 5000000000:1 9999999999:1 10000000000:49 15000000000:1", "y y n y y")
    published = "binance-spot-api-docs a5e0bc3, Deribit limits by nautilus_deribit: 30000 credits at 3000 each, a burst of 10"
    add("ten at once, no eleventh", "Burst Weight", "30000", second, " ".join(["0:3000"] * 11), "y " * 10 + "n", published)
    for limit, window, comment, flag in [("3", 0, "a window of 0", "ZeroTick"), ("3", -1, "a negative window", "ZeroTick"), ("-1", second, "a negative limit", "NegativeQty"), ("NaN", second, "limit NaN", "NaN")]:
        groups.append(Group({"limit": limit, "window_ns": window}, HAND))
        groups[-1].refuse(f"{comment}: refused when it is made", flag, calls=[])
    numbers = Numbers(54)
    for number in range(16):
        limit, window = numbers.between(3, 9), numbers.pick([1000, 10**6, second])
        groups.append(Group({"limit": limit, "window_ns": window}, EXACT))
        ts, calls = 1700000000 * second, []
        for _ in range(numbers.between(6, 12)):
            ts += numbers.pick([0, 1, window // 4, window // 2, window - 1, window])
            calls.append({"call": "allow", "ts_ns": str(ts), "weight": str(numbers.between(1, 4))})
        flag = "WindowEdge" if number % 2 else "RefusedNotCounted"
        groups[-1].add(f"drawn requests {number + 1}", flag, models.play_limiter(calls, str(limit), str(window)), calls=calls)
    return groups


def breaker() -> list[Group]:
    groups: dict[tuple[str, str], Group] = {}

    def add(comment: str, flags: str, line: str, tripped: str, threshold: str = "0.1", cooldown: str = "1000") -> None:
        """Add a history of 'ts=value' and 'r ts'; t and f are .tripped after it, '~' is a reset that does nothing or raises."""
        where = groups.setdefault((threshold, cooldown), Group({"threshold": threshold, "cooldown_ns": cooldown}, HAND))
        calls: list[dict[str, str]] = []
        for each in line.split():
            ts, equals, value = each.partition("=")
            calls.append({"call": "update", "ts_ns": ts, "value": value} if equals else {"call": "reset", "ts_ns": ts[1:]})
        states = {"t": {"tripped": True}, "f": {"tripped": False}, "~": {"either": [{"tripped": True}, ERROR]}}
        expected = [states[each] for each in tripped.split()]
        where.add(comment, flags, expected, calls=calls)

    for comment, flags, line, tripped in [
        ("below the threshold", "Worked", "0=0.05 1=0.09", "f f"),
        ("above the threshold", "Worked", "0=0.05 1=0.11", "f t"),
        ("exactly at the threshold trips", "TickBoundary", "0=0.1", "t"),
        ("one unit of the tenth digit below does not", "TickBoundary", "0=0.0999999999", "f"),
        ("written 0.10 it is the threshold too", "TickBoundary", "0=0.10", "t"),
        ("one update is enough", "SingleEvent", "0=5", "t"),
        ("stays tripped when the value falls back", "Latch", "0=0.2 1=0.05 2=0", "t t t"),
        ("stays tripped past the cool-down until it is reset", "Latch", "0=0.2 1000=0 5000=0", "t t t"),
        ("NaN trips", "NaN", "0=NaN", "t"),
        ("NaN after good values trips", "NaN", "0=0.01 1=NaN", "f t"),
        ("NaN keeps it tripped", "NaN Latch", "0=0.2 1=NaN", "t t"),
        ("a negative value does not trip", "NegativeValue", "0=-0.5", "f"),
        ("0 does not trip", "Worked", "0=0", "f"),
        ("reset once the cool-down is over", "CoolDown", "0=0.2 r2000", "t f"),
        ("reset exactly at the end of the cool-down", "CoolDown TickBoundary", "0=0.2 r1000", "t f"),
        ("the cool-down runs from the trip, not from the last update", "CoolDown", "0=0.2 999=0.3 r1000", "t t f"),
        ("the cool-down runs from the trip, not from 0", "CoolDown", "5000=0.2 r6000", "t f"),
        ("after a reset it trips again", "CoolDown", "0=0.2 r1000 1001=0.05 1002=0.2", "t f f t"),
        ("after a reset the same bad value trips at once", "CoolDown", "0=0.2 r1000 1000=0.2", "t f t"),
        ("a reset of what is not tripped changes nothing", "CoolDown", "0=0.01 r1 2=0.02", "f f f"),
        ("a reset before anything happened", "CoolDown Empty", "r0 1=0.2", "f t"),
        ("reset one nanosecond early: still tripped", "CoolDown TickBoundary", "0=0.2 r999 1000=0", "t ~ t"),
        ("reset at the trip's own instant: still tripped", "CoolDown", "0=0.2 r0 1=0", "t ~ t"),
        ("reset early, then in time", "CoolDown", "0=0.2 r500 r1000", "t ~ f"),
        ("the second trip has a cool-down of its own", "CoolDown", "0=0.2 r1000 1500=0.2 r2000 r2500", "t f t ~ f"),
        ("the cool-down of a NaN", "CoolDown NaN", "0=NaN r999 r1000", "t ~ f"),
    ]:
        add(comment, flags, line, tripped)
    add("no cool-down: reset at once", "CoolDown", "7=0.2 r7", "t f", cooldown="0")
    add("no cool-down: a trip is a trip all the same", "Latch", "7=0.2 8=0", "t t", cooldown="0")
    add("binary floats: 0.3 against a threshold of 0.3", "BinaryNoise TickBoundary", "0=0.3", "t", threshold="0.3")
    add("binary floats: just below 0.3", "BinaryNoise TickBoundary", "0=0.29999999999", "f", threshold="0.3")
    add("a threshold in currency", "Worked", "0=4999.99 1=5000", "f t", threshold="5000", cooldown="60000000000")
    add("a cool-down of a minute at today's size, in nanoseconds", "Nanoseconds CoolDown", "1700000000000000001=5001 r1700000060000000001", "t f", threshold="5000", cooldown="60000000000")
    add("one nanosecond short of a minute", "Nanoseconds CoolDown", "1700000000000000001=5001 r1700000060000000000 1700000060000000001=0", "t ~ t", threshold="5000", cooldown="60000000000")
    add("before 1970", "BeforeEpoch CoolDown", "-5000=0.2 r-4000", "t f")
    add("a threshold of 0: nothing at all is too much", "TickBoundary", "0=-0.001 1=0", "f t", threshold="0")
    for threshold, cooldown, comment, flag in [("NaN", "1000", "threshold NaN: it would never trip", "NaN"), ("0.1", "-1", "a negative cool-down", "NegativeQty")]:
        where = groups.setdefault((threshold, cooldown), Group({"threshold": threshold, "cooldown_ns": cooldown}, HAND))
        where.refuse(f"{comment}; refused when it is made", flag, calls=[])

    computed = []
    numbers = Numbers(55)
    for number in range(14):
        threshold, cooldown = numbers.decimal(1, 9, 2), numbers.between(5, 50)
        made = Group({"threshold": threshold, "cooldown_ns": cooldown}, EXACT)
        model, ts, calls, expected = models.Breaker(threshold, cooldown), numbers.between(0, 10**9), [], []
        for _ in range(numbers.between(5, 9)):
            ts += numbers.between(1, 20)
            if model.tripped and ts >= model.since + cooldown and numbers.below(2):
                calls.append({"call": "reset", "ts_ns": str(ts)})
                model.reset(ts)
            else:
                value = threshold + F(numbers.between(-300, 90), 100)
                calls.append({"call": "update", "ts_ns": str(ts), "value": text(value)})
                model.update(ts, text(value))
            expected.append({"tripped": model.tripped})
        made.add(f"drawn values {number + 1}", "Latch" if any(each["tripped"] for each in expected) else "Worked", expected, calls=calls)
        computed.append(made)
    return [*groups.values(), *computed]
