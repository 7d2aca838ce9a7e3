"""Order entry: signed requests to the venue, or a dry run that prints what it would send."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from decimal import Decimal
from typing import Any, TextIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from bot.logs import LOG

KEY_VARIABLE, SECRET_VARIABLE = "MM_API_KEY", "MM_API_SECRET"
#: Too many requests, banned, maintenance: no answer to the order, and a reason to stop.
NO_ANSWER = (418, 429, 500, 502, 503, 504)


class DryRun:
    """Prints each request, and answers like a venue that takes it."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def place(self, client_order_id: str, side: str, price: Decimal, qty: Decimal) -> str:
        """Print a post-only limit order."""
        print(f"place {client_order_id} {side} {qty} at {price}", file=self._out)
        return "ack"

    def cancel(self, client_order_id: str) -> str:
        """Print a cancel."""
        print(f"cancel {client_order_id}", file=self._out)
        return "cancel_ack"


class Venue:
    """Sends requests; each answers with the event that it makes of the order."""

    def __init__(self, url: str, symbol: str, timeout_s: float) -> None:
        self._url, self._symbol, self._timeout_s = url, symbol, timeout_s
        self._key, self._secret = os.environ[KEY_VARIABLE], os.environ[SECRET_VARIABLE]

    def place(self, client_order_id: str, side: str, price: Decimal, qty: Decimal) -> str:
        """Send a post-only limit order."""
        terms = {"side": side, "price": str(price), "qty": str(qty), "type": "limit", "post_only": True, "tif": "GTC"}
        return self._send("POST", terms | {"client_order_id": client_order_id}, "ack", "reject")

    def cancel(self, client_order_id: str) -> str:
        """Send a cancel."""
        return self._send("DELETE", {"client_order_id": client_order_id}, "cancel_ack", "cancel_reject")

    def _send(self, method: str, terms: dict[str, Any], done: str, refused: str) -> str:
        body = json.dumps(terms | {"symbol": self._symbol}).encode()
        signature = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Key": self._key, "X-Signature": signature}
        request = Request(f"{self._url}/orders", data=body, headers=headers, method=method)
        try:
            with urlopen(request, timeout=self._timeout_s):
                return done
        except HTTPError as error:
            LOG.warning("%s of %s answered with %d", method, terms["client_order_id"], error.code)
            return "timeout" if error.code in NO_ANSWER else refused
        except OSError as error:
            LOG.warning("%s of %s has no answer: %s", method, terms["client_order_id"], error)
            return "timeout"
