"""The commands: parse, call, print; nothing else."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from mmverify import __version__
from mmverify.errors import EvidenceError, MmverifyError, UsageError

_LISTED = 50


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"mmverify: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="mmverify", description="The production-readiness review of a crypto market-making bot.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    review = commands.add_parser("review", help="review recorded sessions and write a report")
    review.add_argument("session", nargs="*", type=Path, help="session folder: session.toml and tables")
    review.add_argument("--target", default="", metavar="MODULE", help="the bot's own functions; see mmverify conform")
    review.add_argument("--source", type=Path, metavar="DIR", help="the bot's source tree; read, never imported")
    review.add_argument(
        "--focus",
        action="append",
        default=[],
        metavar="ID",
        help="an item (1.3.1), section, phase, or file of --source",
    )
    review.add_argument("--out", type=Path, metavar="DIR", help="report folder (default: reports/NAME-TIME)")
    review.add_argument("--no-notebooks", action="store_true", help="the same assessment without kernels")
    review.add_argument("--workers", type=int, default=2, metavar="N", help="notebooks that run at a time (2)")
    review.add_argument(
        "--config", type=Path, metavar="FILE", help="review.toml: waivers, attestations, not applicable"
    )
    review.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the notebooks"
    )
    review.add_argument("--strict", action="store_true", help="exit 1 where there are conditions")
    review.add_argument(
        "--arm", action=argparse.BooleanOptionalAction,
        help="plant mistakes in copies of the session and see each check fire (on up to 32 MiB)",
    )  # fmt: skip
    review.set_defaults(run=_review)

    trying = commands.add_parser("conform", help="try a bot's own functions and objects against exact ones")
    trying.add_argument("target", metavar="MODULE", help="pkg.module, pkg.module:OBJECT or path/to/file.py")
    trying.add_argument("--out", type=Path, metavar="DIR", help="report folder (default: reports/NAME-TIME)")
    trying.add_argument("--focus", action="append", default=[], metavar="NAME", help="a name such as vwap or Position")
    trying.add_argument("--budget", type=float, default=60.0, metavar="SECONDS", help="time for all names (60)")
    trying.add_argument("--seed", type=int, default=0, metavar="N", help="of the generated cases (0)")
    trying.set_defaults(run=_conform)

    importing = commands.add_parser("import", help="turn a bot's own files into a session folder")
    importing.add_argument("format", metavar="FORMAT", help="such as nautilus")
    importing.add_argument("source", type=Path, metavar="SOURCE")
    importing.add_argument("out", type=Path, metavar="OUT")
    importing.set_defaults(run=_import)

    simulating = commands.add_parser("simulate", help="record a session of a small venue and market maker")
    simulating.add_argument("out", type=Path, metavar="OUT")
    simulating.add_argument("--seed", type=int, default=7, metavar="N")
    simulating.add_argument("--hours", type=float, default=1.0, metavar="H")
    simulating.add_argument("--symbols", type=int, default=3, metavar="N")
    simulating.set_defaults(run=_simulate)

    vectors = commands.add_parser("vectors", help="the corpus of cases that a bot in any language can be tried against")
    calls = vectors.add_subparsers(dest="call", required=True, metavar="CALL")
    exporting = calls.add_parser("export", help="copy the corpus into a folder")
    exporting.add_argument("folder", type=Path, metavar="DIR")
    exporting.set_defaults(run=_export_vectors)
    checking = calls.add_parser("check", help="judge a bot's answers")
    checking.add_argument("file", type=Path, metavar="FILE", help='JSON: {"id": answer, ...}')
    checking.set_defaults(run=_check_vectors)
    counting = calls.add_parser("figures", help="how many cases, edges and flags there are")
    counting.set_defaults(run=_count_vectors)

    seeding = commands.add_parser("defects", help="seeded mistakes that the checks are armed with")
    kinds = seeding.add_subparsers(dest="call", required=True, metavar="CALL")
    listing = kinds.add_parser("list", help="every mistake and oddity: its item, grade and what it is")
    listing.set_defaults(run=_list_defects)
    injecting = kinds.add_parser("inject", help="copy a session or source tree with a mistake in it")
    injecting.add_argument("id", metavar="ID", help="as mmverify defects list shows it")
    injecting.add_argument("evidence", type=Path, metavar="SESSION")
    injecting.add_argument("out", type=Path, metavar="OUT")
    injecting.set_defaults(run=_inject_defect)

    printing = commands.add_parser("fingerprint", help="which convention a bot computes by, from inputs and outputs")
    printing.add_argument("file", type=Path, metavar="FILE", help='JSON: {"name", "cases": [{"inputs", "output"}]}')
    printing.set_defaults(run=_fingerprint)

    explaining = commands.add_parser("explain", help="what an item looks at, what violates it, a worked example")
    explaining.add_argument("id", metavar="ID", help="such as 1.3.1")
    explaining.set_defaults(run=_explain)
    return parser


def _review(args: argparse.Namespace) -> int:
    from mmverify.command import Request, carry_out
    from mmverify.report.summary import summary

    parameters = dict(_parameter(text) for text in args.param)
    if args.workers < 1:
        raise UsageError(f"--workers {args.workers}: should be 1 or more")
    request = Request(
        sessions=tuple(args.session), target=args.target, source=args.source, focus=tuple(args.focus), out=args.out,
        notebooks=not args.no_notebooks, workers=args.workers, config=args.config, parameters=parameters,
        strict=args.strict, arm=args.arm,
    )  # fmt: skip
    with _progress() as (total, step):
        assessment, out, code = carry_out(request, total, step)
    print(summary(assessment, out), end="")
    return code


def _conform(args: argparse.Namespace) -> int:
    from mmverify.command import Trial, try_out
    from mmverify.report.summary import summary

    trial = Trial(args.target, names=tuple(args.focus), out=args.out, budget=args.budget, seed=args.seed)
    with _progress() as (total, step):
        assessment, out, code = try_out(trial, total, step)
    print(summary(assessment, out), end="")
    return code


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--param {text}: should be NAME=VALUE")
    return name, value


@contextmanager
def _progress() -> Iterator[tuple[Callable[[int], None], Callable[[str], None]]]:
    """Show a bar on a terminal, a line a step elsewhere; both on standard error."""
    if not sys.stderr.isatty():
        yield (lambda count: None), (lambda what: print(what, file=sys.stderr, flush=True))
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("review", total=None)
        yield (
            lambda count: bar.update(task, total=count),
            lambda what: bar.update(task, advance=1, description=what),
        )


def _import(args: argparse.Namespace) -> int:
    from mmverify.importers import import_session

    for note in import_session(args.format, args.source, args.out):
        print(f"note: {note}")
    print(f"session: {args.out}")
    return 0


def _simulate(args: argparse.Namespace) -> int:
    from mmverify.simulate import simulate

    simulate(args.out, seed=args.seed, hours=args.hours, symbols=args.symbols, conventions=None)
    print(f"session: {args.out}")
    return 0


def _explain(args: argparse.Namespace) -> int:
    from mmverify.review.explain import explain

    print(explain(args.id), end="")
    return 0


def _export_vectors(args: argparse.Namespace) -> int:
    from mmverify.vectors import export

    print(f"{len(export(args.folder))} files: {args.folder}")
    return 0


def _check_vectors(args: argparse.Namespace) -> int:
    from mmverify.vectors import check

    try:
        answers = json.loads(args.file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{args.file}: {error}; should be JSON") from None
    if not isinstance(answers, dict):
        raise UsageError(f'{args.file}: {type(answers).__name__}; should be {{"id": answer, ...}}')
    verdicts = check(answers)
    wrong = [verdict for verdict in verdicts if verdict.status in ("disagrees", "missing")]
    for verdict in wrong[:_LISTED]:
        print(f"{verdict.id} {verdict.status}: {verdict.reason} ({', '.join(verdict.flags)})")
    if len(wrong) > _LISTED:
        print(f"{len(wrong) - _LISTED} more")
    print(f"{len(verdicts) - len(wrong)} of {len(verdicts)} cases hold")
    return 1 if wrong else 0


def _count_vectors(args: argparse.Namespace) -> int:
    from mmverify.vectors import figures

    print(f"{'':20}{'cases':>7}{'edges':>7}{'invalid':>9}{'acceptable':>12}")
    for row in figures():
        print(f"{row.formula:20}{row.cases:7}{row.edges:7}{row.invalid:9}{row.acceptable:12}")
    return 0


def _list_defects(args: argparse.Namespace) -> int:
    from mmverify.defects import defects

    every = defects().values()
    for each in every:
        print(f"{each.id}  {each.grade}, {each.evidence}: {each.summary}")
    seeded = [each for each in every if each.item]
    items = {each.item for each in seeded}
    print(f"{len(seeded)} defects of {len(items)} items, {len(every) - len(seeded)} benign oddities")
    return 0


def _inject_defect(args: argparse.Namespace) -> int:
    from mmverify.defects import find, inject
    from mmverify.numeric import decimal_text

    planted = inject(args.id, args.evidence, args.out)
    print(find(args.id).summary)
    print(f"first differs at {', '.join(planted.where)}")
    if planted.cost is not None:
        print(f"costs {decimal_text(planted.cost)} {planted.currency}")
    return 0


def _fingerprint(args: argparse.Namespace) -> int:
    from mmverify.fingerprint import fingerprint, read_cases

    found = fingerprint(*read_cases(args.file))
    for convention in found:
        print(", ".join(f"{name}: {value}" for name, value in convention.items()))
    if not found:
        print("no convention that is tried reproduces these outputs")
    return 0 if found else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 and 3 are verdicts, 2 unusable input, 4 a failure of our own."""
    args = _parser().parse_args(argv)
    try:
        code: int = args.run(args)
        return code
    except (EvidenceError, UsageError) as error:
        print(f"mmverify: {error}", file=sys.stderr)
        return 2
    except MmverifyError as error:
        print(f"mmverify: {error}", file=sys.stderr)
        return 4
    except OSError as error:
        print(f"mmverify: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mmverify: interrupted; nothing was written", file=sys.stderr)
        return 130
    except Exception:
        traceback.print_exc()
        print("mmverify: the review itself failed; this is a fault of mmverify", file=sys.stderr)
        return 4
