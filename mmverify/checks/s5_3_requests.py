"""Requests as they were sent and answered, and what venues mean by an error code: figures of section 5.3.

References
----------
Binance, "Error codes"; Bybit, V5 "Error Codes"; OKX, V5 "Error Code"; Kraken, "API errors".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.known import Rows, Times, timeline
from mmverify.numeric import Mask, decimal_text
from mmverify.session.columns import Words
from mmverify.session.load import Session, Table

#: Codes by which venues (Binance, Bybit, OKX) refuse a request for its rate.
RATE_CODES = ("-1003", "-1015", "10006", "10018", "10429", "50011", "50061")
#: Codes of a venue that is down for maintenance or shutting down.
DOWN_CODES = ("-1016", "50001")
#: Codes of an order that the venue does not know.
UNKNOWN_CODES = ("-2011", "-2013", "110001", "51603")
_RATE_WORDS = ("rate limit", "too many")
_DOWN_WORDS = ("maintenance", "service unavailable", "service:unavailable")
_UNKNOWN_WORDS = ("unknown", "not found", "not exist", "no such order")
_SUCCESS = ("0", "00000", "200", "200000", "ok", "success")
_MS = 10**6


def is_rate(code: str) -> bool:
    """Say whether a code refuses a request for its rate."""
    return _says(code, RATE_CODES, _RATE_WORDS)


def is_down(code: str) -> bool:
    """Say whether a code is that of a venue under maintenance."""
    return _says(code, DOWN_CODES, _DOWN_WORDS)


def is_unknown_order(text: str) -> bool:
    """Say whether a code or a reason is that of an order that the venue does not know."""
    return _says(text, UNKNOWN_CODES, _UNKNOWN_WORDS)


def is_failure(code: str) -> bool:
    """Say whether a code is one of an error."""
    return code.lower() not in _SUCCESS


def _says(text: str, codes: tuple[str, ...], words: tuple[str, ...]) -> bool:
    plain = text.lower().replace("_", " ")
    return any(code in plain.split() for code in codes) or any(word in plain for word in words)


def told(words: Words, test: Callable[[str], bool]) -> Mask:
    """Return which rows of a column of text pass a test; an empty one does not."""
    return np.array([*map(test, words.names), False], dtype=bool)[words.codes]


@dataclass(frozen=True, eq=False)
class Requests:
    """The requests of a session in the order in which they were sent.

    Parameters
    ----------
    table : Table
        The table `requests`.
    rows : ndarray of int64, shape (n,)
        Their rows in it.
    sent, heard : ndarray of int64, shape (n,)
        When each was sent, and when its answer came [ns]; without `ts_response` when it was sent.
    endpoint : ndarray of int32, shape (n,)
        Codes of `endpoint`.
    limited, down, failed : ndarray of bool, shape (n,)
        Answered by 429, 418 or a rate-limit code; by 503 or word of maintenance; by another error.
    """

    table: Table
    rows: Rows
    sent: Times
    heard: Times
    endpoint: NDArray[np.int32]
    limited: Mask
    down: Mask
    failed: Mask

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, n: int) -> str:
        """Name the row of a request."""
        return self.table.where(int(self.rows[n]))

    def endpoint_of(self, n: int) -> str:
        """Return the endpoint of a request."""
        return self.table.words("endpoint").text(int(self.rows[n]))

    def order(self, n: int) -> str:
        """Return the client_order_id that a request is about, empty where it names none."""
        return self.table.words("client_order_id").text(int(self.rows[n]))

    def answer(self, n: int) -> str:
        """Write what a request was answered: status and code."""
        status, row = self.table.whole("status"), int(self.rows[n])
        words = ["" if status.missing[row] else str(int(status.values[row])), self.table.words("code").text(row)]
        return " ".join(filter(None, words)) or "nothing"

    def line(self, n: int) -> str:
        """Write a request as it stands: endpoint, order, answer, how long that took."""
        order, wait = self.order(n), self.table.decimals("retry_after_ms")
        took = ms(int(self.heard[n] - self.sent[n]))
        asked = f", retry after {decimal_text(wait.fraction(row))} ms" if wait.known[row := int(self.rows[n])] else ""
        about = f" of {order}" if order else ""
        return f"{self.where(n)} {self.endpoint_of(n)}{about}: {self.answer(n)} after {took} ms{asked}"


def ms(span: int) -> str:
    """Write a span of ns in milliseconds."""
    return decimal_text(Fraction(span, _MS), 6)


@lru_cache(maxsize=8)
def requests_of(session: Session) -> Requests:
    """Read the requests of a session.

    Parameters
    ----------
    session : Session

    Returns
    -------
    Requests
    """
    table = session.table(
        "requests", "ts_local", "endpoint", "status", "code", "retry_after_ms", "ts_response", "client_order_id"
    )
    line = timeline(session, table)
    status, code, response = table.whole("status"), table.words("code"), table.whole("ts_response")
    number = np.where(status.missing, 0, status.values)
    limited = np.isin(number, (418, 429)) | told(code, is_rate)
    down = (number == 503) | told(code, is_down)
    failed = ((number >= 400) | told(code, is_failure)) & ~limited & ~down
    heard = np.where(response.missing, table.whole("ts_local").values, response.values)
    return Requests(
        table, line.rows, line.times, heard[line.rows], table.words("endpoint").codes[line.rows],
        limited[line.rows], down[line.rows], failed[line.rows],
    )  # fmt: skip
