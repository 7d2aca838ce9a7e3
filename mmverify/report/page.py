"""index.html: the whole assessment on one page that opens without a network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmverify import __version__
from mmverify.checks import sections
from mmverify.report import outline
from mmverify.review.results import Assessment


def render(assessment: Assessment, notebooks: Sequence[str]) -> str:
    """Return index.html.

    Parameters
    ----------
    assessment : Assessment
        What the page shows.
    notebooks : sequence of str
        Names of the executed notebooks' pages, which stand in the folder notebooks/ beside it.

    Returns
    -------
    str
        HTML with its own style, without scripts and without anything from elsewhere.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup, escape

    def shown(value: Any) -> Any:
        return outline.visible(value) if type(value) is str else value

    def prose(text: str) -> Markup:
        return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(outline.visible(text)))))

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=shown
    )
    environment.filters["prose"] = prose
    template = environment.from_string(Path(__file__).with_name("index.html.j2").read_text(encoding="utf-8"))
    blocking, recommended = outline.blocking(assessment), outline.recommended(assessment)
    return template.render(
        assessment=assessment,
        results={item.id: item for item in assessment.items},
        sections=sections(),
        statuses=outline.STATUSES,
        tally=outline.tally(assessment),
        focus=outline.focus_line(assessment),
        groups=[("Blocking (must fix)", blocking), ("Recommended (should fix)", recommended)],
        anchors={finding.id: f"finding-{number}" for number, finding in enumerate(blocking + recommended, 1)},
        unseen=outline.by_reason(assessment.items, "not_assessed"),
        unseen_critical=outline.by_reason(assessment.items, "not_assessed", "CRITICAL"),
        beside=outline.by_reason(assessment.items, "not_applicable"),
        conditions=outline.other_conditions(assessment),
        summary=outline.summary,
        counted=outline.counted,
        notebooks=notebooks,
        version=__version__,
    ) + "\n"  # fmt: skip
