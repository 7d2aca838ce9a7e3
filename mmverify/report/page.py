"""index.html: the whole assessment on one page that opens without a network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmverify import __version__, matrix
from mmverify.checks import sections
from mmverify.report import outline
from mmverify.report.plots import Plot
from mmverify.review.results import Assessment

if TYPE_CHECKING:
    from jinja2 import Template


def render(assessment: Assessment, notebooks: Sequence[str], plots: Sequence[Plot] = ()) -> str:
    """Return index.html.

    Parameters
    ----------
    assessment : Assessment
        What the page shows.
    notebooks : sequence of str
        Names of the executed notebooks' pages, which stand in the folder notebooks/ beside it.
    plots : sequence of Plot
        What of them is shown on the page.

    Returns
    -------
    str
        HTML with its own style, without scripts and without anything from elsewhere.
    """
    blocking, recommended = outline.blocking(assessment), outline.recommended(assessment)
    return _template("index.html.j2").render(
        assessment=assessment,
        results={item.id: item for item in assessment.items},
        sections=sections(),
        statuses=outline.STATUSES,
        tally=outline.tally(assessment),
        focus=outline.focus_line(assessment),
        groups=[("Blocking (must fix)", blocking), ("Recommended (should fix)", recommended)],
        headline=outline.headline(assessment),
        nested=outline.nested,
        consequences={finding.id: outline.consequences(assessment, finding) for finding in assessment.findings},
        anchors={finding.id: f"finding-{number}" for number, finding in enumerate(blocking + recommended, 1)},
        unseen=outline.by_reason(assessment.items, "not_assessed"),
        unseen_critical=outline.by_reason(assessment.items, "not_assessed", "CRITICAL"),
        beside=outline.by_reason(assessment.items, "not_applicable"),
        conditions=outline.other_conditions(assessment),
        summary=outline.summary,
        counted=outline.counted,
        notebooks=notebooks,
        plots=plots,
        matrix=has_target(assessment),
        version=__version__,
    ) + "\n"  # fmt: skip


def has_target(assessment: Assessment) -> bool:
    """Say whether a target was called."""
    return any(check.evidence == "target" for item in assessment.items for check in item.checks)


def render_matrix() -> str:
    """Return matrix.html: what public libraries give for the vectors that a target is tried with."""
    found = matrix.load()
    return _template("matrix.html.j2").render(
        tables=[
            ("Libraries", matrix.counts(found, by="library")),
            ("Calls", matrix.counts(found, by="call")),
            ("Conventions", matrix.differences(found, kind="convention")),
            ("Defects", matrix.differences(found, kind="defect")),
        ],
        version=__version__,
    ) + "\n"  # fmt: skip


def _template(name: str) -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup, escape

    def shown(value: Any) -> Any:
        return outline.visible(value) if type(value) is str else value

    def prose(text: str) -> Markup:
        return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(outline.visible(text)))))

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=shown,
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
    )  # fmt: skip
    environment.filters["prose"] = prose
    return environment.get_template(name)
