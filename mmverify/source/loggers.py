"""Which loggers of Python write their records in the thread that logs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmverify.source.graph import Graph, Reached
from mmverify.source.imports import dotted, module_of
from mmverify.source.symbols import Function, nodes_of

if TYPE_CHECKING:
    from ast_grep_py import SgNode

_LEVELS = ("debug", "info", "warning", "warn", "error", "critical", "exception", "log", "fatal")
_QUEUE = re.compile(r"QueueHandler\b|MemoryHandler\b|NullHandler\b")
_MODULE = "logging"


@dataclass(frozen=True)
class Record:
    """A call that logs: where, the code, the logger's name (empty of the root), the chain of calls that reaches it."""

    function: Function
    line: int
    logger: str
    chain: str

    @property
    def at(self) -> str:
        """The place."""
        return self.function.file.at(self.line)


@dataclass(frozen=True)
class Handlers:
    """What the tree attaches to its loggers.

    Attributes
    ----------
    queued, direct : mapping of str to str
        Where a handler that hands on, or one that writes, is attached, by the logger's name.
    own : frozenset of str
        The loggers that do not pass records on to those above them.
    """

    queued: dict[str, str]
    direct: dict[str, str]
    own: frozenset[str]

    def writes(self, logger: str) -> str:
        """Return where a record of a logger is written by the thread that logs, empty if it is handed on."""
        parts = logger.split(".") if logger else []
        handed = False
        for n in range(len(parts), -1, -1):
            name = ".".join(parts[:n])
            if name in self.direct:
                return self.direct[name]
            handed |= name in self.queued
            if name in self.own:
                break
        return "" if handed else "no handler, so that the last resort of logging writes to standard error"


def records(graph: Graph, reached: Iterable[Reached]) -> list[Record]:
    """Return the calls on the path that log."""
    out = []
    for each in reached:
        if each.function.file.language == "python":
            for call in graph.calls(each.function):
                if any(_logs(name) for name in call.outside):
                    names = sorted(_loggers(graph, each.function, call.node.field("function")))
                    out += [Record(each.function, call.line, name, each.words) for name in names]
    return out


def _logs(name: str) -> bool:
    return name.startswith(("logging.", "loguru.logger.", "structlog.")) and name.rpartition(".")[2] in _LEVELS


def _loggers(graph: Graph, function: Function, callee: SgNode | None) -> Iterator[str]:
    """Yield the names of the loggers that a method is called of."""
    owner = callee.field("object") if callee is not None and callee.kind() == "attribute" else None
    if owner is None or owner.text() == _MODULE:
        yield ""
        return
    for made in graph.names.origins(function, owner):
        told = re.search(r"getLogger\(\s*(.*?)\s*\)", made.text())
        yield _name(told[1], function) if told else ""


def _name(argument: str, function: Function) -> str:
    if argument == "__name__":
        return module_of(function.file)
    literal = re.fullmatch(r"[\"'](.*)[\"']", argument)
    return literal[1] if literal else ""


def handlers(graph: Graph) -> Handlers:
    """Find the handlers that a tree attaches to its loggers."""
    queued, direct, own = dict[str, str](), dict[str, str](), set[str]()
    for function in graph.known.functions:
        if function.file.language != "python" or _MODULE not in function.file.text:
            continue
        for node in nodes_of(function, ("call",)):
            callee = node.field("function")
            text = dotted(callee.text()) if callee is not None else ""
            at = function.file.at(node.range().start.line + 1)
            if text.endswith(".addHandler"):
                handed = any(_QUEUE.search(made.text()) for made in _given(graph, function, node))
                for name in _loggers(graph, function, callee):
                    (queued if handed else direct)[name] = at
            elif text in ("logging.basicConfig", "basicConfig"):
                (queued if _QUEUE.search(node.text()) else direct)[""] = at
            elif text.endswith("dictConfig") and _QUEUE.search(function.file.text):
                queued[""] = at
        for node in nodes_of(function, ("assignment",)):
            left, right = node.field("left"), node.field("right")
            if (
                left is not None
                and right is not None
                and left.text().endswith(".propagate")
                and right.text() == "False"
            ):
                own |= set(_loggers(graph, function, left))
    return Handlers(queued, direct, frozenset(own))


def _given(graph: Graph, function: Function, call: SgNode) -> list[SgNode]:
    arguments = call.field("arguments")
    inner = next((each for each in arguments.children() if each.is_named()), None) if arguments is not None else None
    return graph.names.origins(function, inner) if inner is not None else []
