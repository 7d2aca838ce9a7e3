"""A bot's own functions: loaded on request, called so that nothing that they do ends the review.

A call has `CALL_SECONDS`, an import `IMPORT_SECONDS`, by the interval timer of the operating system: outside the main
thread, and where there is no such timer, a call that hangs is not stopped, nor is one that hangs inside compiled code.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from enum import Enum
from fractions import Fraction
from numbers import Integral
from pathlib import Path
from typing import Any

from mmverify.errors import UsageError
from mmverify.session.schema import CONVENTIONS

CALL_SECONDS = 2.0
IMPORT_SECONDS = 30.0
#: Conventions that no argument carries: the first of each is the contract's own.
RULES = {"ema_nan": ("repeat", "propagate"), "maintenance_at": ("mark", "entry")}
#: What ``CONVENTIONS`` of a target may say beside mid_min_qty: that of session.toml, and the rules.
KNOWN = CONVENTIONS | RULES
#: By name, the parameter that carries a convention, and the convention's key.
CARRIED = {
    "ema": ("init", "ema_init"), "returns": ("kind", "volatility"), "volatility": ("kind", "volatility"),
    "realized_pnl": ("cost_basis", "cost_basis"), "Position": ("cost_basis", "cost_basis"),
}  # fmt: skip
_PLACED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_SHOWN = 300  # characters of what a target raised or gave


class Hang(BaseException):
    """A call took longer than it may; no exception that a target would catch."""


@dataclass(frozen=True)
class Outcome:
    """What a call came to: ``value``, ``refused`` (a declared error), ``error`` (any other) or ``hang``."""

    kind: str
    value: Any = None
    words: str = ""

    def __str__(self) -> str:
        return shown(self.value) if self.kind == "value" else self.words


@dataclass(frozen=True)
class Target:
    """A module or object that exposes names of the contract, and what it says of itself."""

    name: str
    exposed: Mapping[str, Callable[..., Any]] = field(repr=False)
    number: type
    errors: tuple[type[BaseException], ...]
    conventions: Mapping[str, str]

    def attempt(
        self, call: Callable[..., Any], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Outcome:
        """Call it with its own copies of the arguments, numbers in the type that the target takes."""
        return self.watch(lambda: call(*self.given(args), **self.given(dict(kwargs or {}))))

    def watch(
        self, call: Callable[[], Any], read: Callable[[Any], Any] | None = None, seconds: float | None = None
    ) -> Outcome:
        """Run `call` within `seconds`, else `CALL_SECONDS`, and say what it came to, its result read by `read`."""
        seconds = CALL_SECONDS if seconds is None else seconds
        try:
            with limited(seconds):
                return Outcome("value", (read or plain)(call()))
        except Hang:
            return Outcome("hang", words=f"no answer within {seconds:g} s")
        except self.errors as error:
            return Outcome("refused", words=_raised(error))
        except (Exception, SystemExit) as error:
            return Outcome("error", words=_raised(error))

    def given(self, value: Any) -> Any:
        """Return what the target is passed for `value`."""
        if isinstance(value, Decimal):
            return value if self.number is Decimal else float(value)
        if isinstance(value, dict):
            return {key: self.given(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.given(each) for each in value)
        return copy.copy(value)


def left_out(call: Callable[..., Any], contract: Callable[..., Any]) -> frozenset[str]:
    """Return the parameters of the contract that a callable has no place for, none where it does not say."""
    try:
        taken = inspect.signature(call).parameters
    except (TypeError, ValueError):
        return frozenset()
    wanted = inspect.signature(contract).parameters
    kinds = {each.kind for each in taken.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return frozenset()
    placed = [each.name for each in taken.values() if each.kind in _PLACED]
    by_place = {
        key for n, (key, each) in enumerate(wanted.items()) if each.default is each.empty
        and (inspect.Parameter.VAR_POSITIONAL in kinds or (n < len(placed) and placed[n] not in wanted))
    }  # fmt: skip
    return frozenset(wanted) - frozenset(taken) - by_place


def plain(value: Any) -> Any:
    """Return a result as numbers, text, None and lists of them, whatever library it comes from."""
    if isinstance(value, Enum):
        return value.value if isinstance(value.value, str) else value.name
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return value if isinstance(value, Decimal | Fraction) else _cut(repr(value))


def shown(value: Any) -> str:
    """Return a value as a person would write it: numbers with all their digits, no type names."""
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() and -30 < value.adjusted() < 40 else str(value)
    if isinstance(value, Fraction):
        return str(value) if value.denominator == 1 else _decimal(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(key)}: {shown(each)}" for key, each in value.items()) + "}"
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))}{',' * (len(value) == 1)})"
    return f"[{', '.join(map(shown, value))}]" if isinstance(value, list) else repr(value)


def _decimal(value: Fraction) -> str:
    with localcontext() as context:
        context.prec = 30
        return shown((Decimal(value.numerator) / value.denominator).normalize())


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _raised(error: BaseException) -> str:
    first = (str(error).splitlines() or [""])[0]
    return _cut(f"{type(error).__name__}: {first}" if first else type(error).__name__)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `Hang` in the block once it has run for so long, and again until it ends."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what a target prints, warns of and sets for decimals from everything outside the block."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere), redirect_stderr(nowhere), warnings.catch_warnings(), localcontext(),
    ):  # fmt: skip
        warnings.simplefilter("ignore")
        yield


def load(target: str, names: Sequence[str]) -> Target:
    """Import a target and read what it declares.

    Parameters
    ----------
    target : str
        ``pkg.module``, ``pkg.module:OBJECT`` or ``path/to/file.py``, with ``:OBJECT`` too.
    names : sequence of str
        Names of the contract.

    Returns
    -------
    Target
        With those of the names that it exposes.

    Raises
    ------
    UsageError
        If it cannot be imported, or says of itself what it cannot mean.
    """
    module, _, attribute = target.partition(":")
    with quiet():
        try:
            with limited(IMPORT_SECONDS):
                holder: Any = _module(module)
                for part in filter(None, attribute.split(".")):
                    holder = getattr(holder, part)
        except Hang:
            raise UsageError(f"{target}: import did not end within {IMPORT_SECONDS:g} s") from None
        except (Exception, SystemExit) as error:
            raise UsageError(f"{target}: cannot be imported ({_raised(error)})") from None
        finally:
            logging.captureWarnings(False)
    exposed = {name: getattr(holder, name) for name in names if getattr(holder, name, None) is not None}
    wrong = next((name for name, value in exposed.items() if not callable(value)), None)
    if wrong is not None:
        raise UsageError(f"{target}: {wrong} is {_cut(repr(exposed[wrong]))}; should be callable")
    number = getattr(holder, "NUMBER", Decimal)
    if number is not Decimal and number is not float:
        raise UsageError(f"{target}: NUMBER is {_cut(repr(number))}; should be decimal.Decimal or float")
    errors = getattr(holder, "ERRORS", (ValueError, ArithmeticError))
    errors = (errors,) if isinstance(errors, type) else errors
    if not isinstance(errors, tuple | list) or not all(
        isinstance(e, type) and issubclass(e, Exception) for e in errors
    ):
        raise UsageError(f"{target}: ERRORS is {_cut(repr(errors))}; should be a tuple of exceptions")
    return Target(target, exposed, number, tuple(errors), _conventions(target, getattr(holder, "CONVENTIONS", {})))


def _module(name: str) -> Any:
    path = Path(name)
    folder = str(path.resolve().parent if path.suffix == ".py" else Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if path.suffix != ".py":
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(f"target_{path.stem}", path.resolve())
    if spec is None or spec.loader is None or not path.is_file():
        raise ImportError(f"no file {name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _conventions(target: str, stated: Any) -> dict[str, str]:
    if not isinstance(stated, Mapping):
        raise UsageError(f"{target}: CONVENTIONS is {_cut(repr(stated))}; should be a dict")
    for key, value in stated.items():
        if key not in KNOWN and key != "mid_min_qty":
            raise UsageError(f"{target}: CONVENTIONS[{key!r}] is unknown; should be one of {', '.join(KNOWN)}")
        if key in KNOWN and value not in KNOWN[key]:
            raise UsageError(f"{target}: CONVENTIONS[{key!r}] is {value!r}; should be one of {', '.join(KNOWN[key])}")
    return {key: str(value) for key, value in stated.items()}
