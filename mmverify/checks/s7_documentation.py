"""7 Documents: what the README promises, what the pages say of parameters, runbook, modules and the venue."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from mmverify.checks import Breach, Looked
from mmverify.checks.s6_judged import plain_unit
from mmverify.source.diagrams import diagrams, matches, modules, undrawn
from mmverify.source.documents import Page, Part, pages, readme
from mmverify.source.evidence import Source
from mmverify.source.parameters import Documented, Parameter, number, parameters, tables
from mmverify.source.promises import Broken, Promises

_PLACES = 3
_NAMED = 10  # of what a README names and the tree has not
_FEWEST_DOCUMENTED = 3  # words of a comment that says what a parameter is
_FEWEST_WORDS = 12  # of a procedure or a statement
_FEWEST_SAID = 4  # words of an effect that its name does not hold
_RISK = re.compile(
    r"(^|_)(max|limit|limits|stop|drawdown|loss|breaker|cooldown|kill|exposure|leverage|margin|circuit)(_|$)|stop_?loss"
)
_EMPTY = {
    "the", "a", "an", "of", "maximum", "max", "min", "limit", "on", "for", "to", "in", "is", "and", "or", "default",
}  # fmt: skip
#: What a runbook has a procedure for, and what is stated of a venue: the words of the headings.
RUNBOOK = {
    "start": r"\bstart|launch|boot|deploy", "stop": r"\bstop|shut", "kill switch": r"kill|emergency|panic|halt",
    "disconnect": r"disconnect|reconnect|connection|outage|network",
    "position mismatch": r"mismatch|reconcil|position.*differ|discrepan",
    "exchange maintenance": r"maintenance",
    "key rotation": r"\bkeys?\b.*\b(rotat|replac|renew|revok)|\brotat\w*.*\b(key|credential|secret)s?\b",
}  # fmt: skip
VENUE = {
    "fees": r"\bfees?\b|commission", "tick and lot": r"\btick|\blot|precision|step size|increment",
    "rate limits": r"rate.?limit|throttl|weight", "order types": r"order types?|\btif\b|time.in.force",
    "sequence rule": r"sequence|\bseq\b|gap|snapshot", "time stamps": r"time.?stamps?|clock|\btime\b",
    "maintenance": r"maintenance",
}  # fmt: skip
_COST = {
    "7.4": "whoever is on duty finds out in the minute that counts",
    "7.6": "the bot is built on a rule that nobody wrote down, and that changes without notice",
}


def _breach(key: str, where: Sequence[str], was: str, should: str, work: Sequence[str], cost: str) -> Breach:
    return Breach(key, tuple(where[:_PLACES]), len(where), was, should, tuple(work), None, "", cost)


def _front(source: Source) -> str:
    """Return the place of what no page says: the first line of the README."""
    page = readme(source.tree)
    return page.file.at(1) if page is not None else "README.md:1"


# --- 7.1 --------------------------------------------------------------------------------------------------------------


def readme_holds(source: Source) -> Looked:
    """Look whether the commands, options, files and modules that the README names are there."""
    page = readme(source.tree)
    if page is None:
        return Looked(1, (_breach("README", ("README.md:1",), "no README at the top of the tree", "a README",
                                  ("whoever operates the bot has nothing to start from",), _COST["7.4"]),))  # fmt: skip
    promises = Promises(source.tree, page)
    groups: dict[str, list[Broken]] = {}
    for each in promises.broken():
        groups.setdefault(each.kind, []).append(each)
    broken = [_promised(page, kind, own) for kind, own in groups.items()]
    return Looked(promises.looked_at, tuple(broken))


def _promised(page: Page, kind: str, own: Sequence[Broken]) -> Breach:
    few = ", ".join(each.what for each in own[:_PLACES]) + (f" and {len(own) - _PLACES} more" * (len(own) > _PLACES))
    work = [f"{page.file.at(each.line)}: the tree has no {kind} {each.what}" for each in own[:_NAMED]]
    more = [f"so do {len(own) - _NAMED} more"] * (len(own) > _NAMED)
    return _breach(
        f"{page.file.path} {kind}", [page.file.at(each.line) for each in own], f"{kind} {few}", "one that the tree has",
        [*work, *more], "whoever relies on it in an incident finds out then",
    )  # fmt: skip


# --- 7.2 and 7.3 ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def _known(source: Source) -> tuple[list[Parameter], list[Page], Mapping[str, Documented], tuple[str, ...]]:
    found, notes = parameters(source.tree, source.graph.known)
    documents, guessed = pages(source.tree)
    stated = [each for each in found if not each.section[:1].isupper()]
    files = [page.file for page in documents]
    return stated, documents, tables(files), tuple(filter(None, [*notes, guessed]))


def _said(name: str, documents: Sequence[Page]) -> tuple[str, str]:
    """Return where a page speaks of a parameter outside of tables, and what it says there."""
    for page in documents:
        for n, line in enumerate(page.file.lines, 1):
            if re.search(rf"(?<![\w.-])`?{re.escape(name)}`?(?![\w-])", line) and not line.lstrip().startswith("|"):
                around = " ".join(page.file.lines[n - 1 : n + 3])
                return page.file.at(n), around
    return "", ""


def documented(source: Source) -> Looked:
    """Look whether every parameter is documented with its unit."""
    found, documents, rows, notes = _known(source)
    lacking: dict[str, list[tuple[str, str]]] = {}
    for each in found:
        row, (place, _) = rows.get(each.name), _said(each.name, documents) if each.name not in rows else ("", "")
        if row is None and not place and len(each.comment.split()) < _FEWEST_DOCUMENTED:
            key = f"undocumented:{each.file}" if not each.itself else f"undocumented:{each.name}"
            lacking.setdefault(key, []).append((each.at, f"{each.name} is on no page"))
        elif row is not None and number(each.value) is not None and (told := _unit_of_row(each, row)):
            lacking.setdefault(f"unit of {each.name}", []).append((row.at, told))
    breaches = [
        _breach(key, [at for at, _ in own], own[0][1], "each parameter on a page, with its unit",
                [f"{at}: {told}" for at, told in own[:_PLACES]],
                "it is changed by trial on a live market, or read in another unit")
        for key, own in lacking.items()
    ]  # fmt: skip
    return Looked(len(found), tuple(breaches), notes)


def _unit_of_row(parameter: Parameter, row: Documented) -> str:
    """Say what is wrong with the unit of a documented row."""
    unit, own = str(row.said.get("unit", "")), str(parameter.said.get("unit", "") or "")
    if not unit and own and re.search(rf"(?<!\w){re.escape(own)}(?!\w)", row.words):
        return ""
    if not unit and (own or parameter.itself):
        return f"{parameter.name} is documented without a unit"
    if plain_unit(unit) != plain_unit(own):
        return f"{parameter.name} is documented in {unit}, and stated in {own or 'no unit'}"
    return ""


def effects(source: Source) -> Looked:
    """Look whether the effect of every risk parameter that a table documents is described."""
    found, documents, rows, notes = _known(source)
    exercised, breaches = 0, []
    for each in found:
        risky = each.section.rpartition(".")[2] in ("limits", "risk", "breaker", "breakers") or _RISK.search(
            each.name.lower()
        )
        row = rows.get(each.name)
        if not risky or number(each.value) is None:
            continue
        place, text = (row.at, row.words) if row else _said(each.name, documents)
        if not place:
            continue
        exercised += 1
        words = set(re.findall(r"[a-z]+", text.lower())) - _EMPTY - set(re.split(r"[_\W]", each.name.lower()))
        words -= {str(value).lower() for value in (row.said.values() if row else ())}
        if len(words) < _FEWEST_SAID:
            breaches.append(_breach(
                each.name, (place,), f"{each.name}: {' '.join(text.split())[:80] or 'nothing'}",
                "what happens when it is reached",
                (f"{place} says {len(words)} words beside the name, unit and range",),
                "whoever is on duty does not know what it stops, and what goes on",
            ))  # fmt: skip
    return Looked(exercised, tuple(breaches), notes)


# --- 7.4 and 7.6 ------------------------------------------------------------------------------------------------------


def runbook(source: Source) -> Looked:
    """Look for a procedure on each topic of a runbook."""
    heading = r"(?i)\brun-?books?\b|\bplaybook|^operat(ions|ing( the bot| procedures)?)$|^(operational )?procedures$"
    return _topics(source, RUNBOOK, "7.4", r"(?i)run-?book|playbook|operations|procedures", heading, "a procedure")


def venue(source: Source) -> Looked:
    """Look for a statement on each assumption about the venue."""
    heading = (
        r"(?i)\bassum|taken for granted|^(about )?(the )?(venue|exchange)$|(venue|exchange)('s)? (rules|behaviou?r)"
    )
    return _topics(source, VENUE, "7.6", r"(?i)venue|exchange|assumption", heading, "a statement")


def _topics(source: Source, topics: Mapping[str, str], item: str, name: str, heading: str, what: str) -> Looked:
    """Hold the sections of the pages whose name, title or heading says that they are of the kind against topics."""
    _, documents, _, notes = _known(source)
    parts = [(page, part) for page in documents for part in page.named(name, heading)]
    if not parts:
        words = f"no page has {what} on any of {', '.join(topics)}"
        return Looked(1, (_breach("none", (_front(source),), words, f"{what} on each", (words,), _COST[item]),), notes)
    own = list(dict.fromkeys(page for page, _ in parts))
    breaches = [b for topic, pattern in topics.items() for b in _topic(topic, pattern, own, parts, item, what)]
    return Looked(len(parts), tuple(breaches), notes)


def _topic(
    topic: str, pattern: str, own: Sequence[Page], parts: Sequence[tuple[Page, Part]], item: str, what: str
) -> list[Breach]:
    found = [(page, part) for page, part in parts if re.search(pattern, part.heading, re.IGNORECASE)]
    if not found:
        words = f"no heading of {', '.join(page.file.path for page in own[:_PLACES])} is on it"
        return [_breach(topic, (own[0].file.at(1),), f"nothing on {topic}", what, (words,), _COST[item])]
    if all(part.words < _FEWEST_WORDS for _, part in found):
        page, part = found[0]
        at = page.file.at(part.line)
        work = (f"{at}: {part.heading}", f"{part.words} words stand below it: {' '.join(part.text.split())[:80]}")
        return [_breach(topic, (at,), f"a heading on {topic} with {part.words} words", what, work, _COST[item])]
    return []


# --- 7.5 --------------------------------------------------------------------------------------------------------------


def diagrams_match(source: Source) -> Looked:
    """Look whether the boxes of the diagrams are modules, and the modules are in a diagram."""
    drawn, known = diagrams(source.tree), source.graph.known
    exercised = sum(len(diagram.boxes) for diagram in drawn)
    if not drawn:
        if len(modules(source.tree)) < 2:
            return Looked(0)
        none = ("no page of the tree holds a diagram of its modules in Mermaid, PlantUML, DOT or boxes of text",)
        return Looked(1, (_breach("none", (_front(source),), "no diagram", "one of the modules", none,
                                  "a reviewer does not see which part may send an order"),))  # fmt: skip
    breaches = [
        _breach(f"box {box.label}", (diagram.file.at(box.line),), f"box {box.label}", "a module of the tree",
                (f"{diagram.file.at(box.line)}: {diagram.file.lines[box.line - 1].strip()}", "no module has that name"),
                "a reviewer counts on a part that is not there")
        for diagram in drawn for box in diagram.boxes if not matches(box, source.tree, known)
    ]  # fmt: skip
    missing = undrawn(drawn, source.tree)
    groups: dict[str, list[str]] = {}
    for path, file in missing:
        groups.setdefault(path.rpartition("/")[0] or path, []).append(file.at(1))
    breaches += [
        _breach(f"modules of {folder}", where, f"{len(where)} modules in no diagram", "each in one, or its folder",
                (f"in no diagram: {', '.join(place.rpartition(':')[0] for place in where[:6])}",),
                "a part that sends orders may be on a way that nobody looks at")
        for folder, where in groups.items()
    ]  # fmt: skip
    return Looked(exercised, tuple(breaches))
