"""What an item looks at, what violates it, and a worked example, as text."""

from __future__ import annotations

from mmverify.checks import Item, items
from mmverify.errors import UsageError

_KINDS = {"S": "the recorded session", "F": "the bot's own functions", "C": "the bot's source tree"}


def explain(id: str) -> str:
    """Return the page of one item.

    Parameters
    ----------
    id : str
        Such as ``1.3.1``.

    Raises
    ------
    UsageError
        If there is no such item.
    """
    if id not in items():
        raise UsageError(f"{id}: no such item; should be one of the 96, 1.1.1 to 7.6")
    item = items()[id]
    lines = [f"{item.id} {item.text}", f"{item.severity}, {item.category}", "", "Looks at:"]
    for part in item.evidence.split("; "):
        kind, _, what = part.partition(" ")
        lines.append(f"  {_KINDS.get(kind, kind)}: {what}")
    lines += ["", "Violated when:", f"  {item.violated}", ""]
    if not item.checks:
        return "\n".join([*lines, "No check yet: this item comes out as not assessed.", ""])
    lines.append("Checks:")
    for check in item.checks:
        needs = ", ".join(check.needs) or "nothing but session.toml and what tables there are"
        lines += [f"  {check.name} (needs {needs})", f"    {check.title}.", f"    Fix: {check.fix}"]
    return "\n".join([*lines, *_examples(item), ""])


def _examples(item: Item) -> list[str]:
    if not item.formulas:
        return []
    from mmverify.formulas import formulas

    known = formulas()
    lines = ["", "Worked example:"]
    for name in item.formulas:
        example = known[name].example
        lines += [f"  {name}: {example.text}", *(f"    {step}" for step in example.steps)]
    return lines
