"""The conformance suite in a project's own pytest run: one test a check, known failures with their reasons.

>>> from mmverify.conformance.pytest_form import parametrize
>>> @parametrize("bot.adapter", expected_failures={"1.3.4-realized_pnl": "fills are merged by order; to be mended"})
... def test_conformance(check):
...     check()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import pytest

from mmverify.conformance.faults import items_of, names
from mmverify.conformance.run import Conformed, conform
from mmverify.conformance.target import load
from mmverify.errors import UsageError


def parametrize(
    target: str, expected_failures: Mapping[str, str] | None = None, *, budget: float = 60.0, seed: int = 0
) -> Callable[[Any], Any]:
    """Decorate a test so that it runs once for each check of a target, under the argument ``check``.

    Parameters
    ----------
    target : str
        ``pkg.module``, ``pkg.module:OBJECT`` or ``path/to/file.py``.
    expected_failures : Mapping[str, str], optional
        Reason by the id of a check, such as ``1.3.1-realized_pnl``. They run all the same, and fail the run once they
        pass.
    budget : float
        Time for all of them. [s]
    seed : int
        The same seed gives the same cases.

    Returns
    -------
    callable
        A decorator, ``pytest.mark.parametrize``.

    Raises
    ------
    UsageError
        If the target cannot be imported, or an expected failure is none of its checks.
    """
    expected = expected_failures or {}
    exposed = load(target, names()).exposed
    checks = {f"{item}-{name}": (name, item) for name in names() if name in exposed for item in items_of(name)}
    unknown = next((id for id in expected if id not in checks), None)
    if unknown is not None:
        raise UsageError(
            f"expected failure {unknown!r} is no check of {target}; should be such as {next(iter(checks), '')}"
        )

    @cache
    def results(name: str) -> dict[str, Conformed]:
        share = budget / len(exposed)
        return {result.item: result for result in conform(target, names=[name], budget=share, seed=seed)}

    def check(name: str, item: str) -> None:
        looked = results(name)[item].looked
        if looked.breaches:
            breach = looked.breaches[0]
            pytest.fail(
                "\n".join([f"{breach.was}, should be {breach.should}", *breach.work, breach.cause]), pytrace=False
            )
        if not looked.exercised:
            pytest.skip("; ".join(["no case exercised it", *looked.notes]))

    return pytest.mark.parametrize("check", [
        pytest.param(
            partial(check, name, item), id=id,
            marks=[pytest.mark.xfail(reason=expected[id], strict=True)] if id in expected else [],
        )
        for id, (name, item) in checks.items()
    ])  # fmt: skip
