"""Logging: records go to a queue, and a thread of their own writes them to standard error."""

from __future__ import annotations

import logging
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue

LOG = logging.getLogger("bot")
_WAITING: SimpleQueue[logging.LogRecord] = SimpleQueue()
LOG.addHandler(QueueHandler(_WAITING))
LOG.propagate = False
LOG.setLevel(logging.INFO)


def start() -> QueueListener:
    """Begin to write the bot's records; `stop()` of what is returned writes the rest."""
    console = logging.StreamHandler()
    console.setFormatter(logging.Formatter("%(levelname)s %(module)s %(message)s"))
    listener = QueueListener(_WAITING, console)
    listener.start()
    return listener
