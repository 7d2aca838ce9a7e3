"""Execute the notebooks by papermill and export them as pages that open without a network.

A run counts only if its last code cell ran and its result file is complete and is of that section and session. Whatever
else happens (an exception, a dead kernel, a time-out, ``sys.exit(0)``) is an error of the review, told in one line:
papermill's own cell states do not tell a notebook that stopped early from one that ran.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from mmverify.bundled import bundled
from mmverify.checks import sections
from mmverify.errors import MmverifyError, NotebookError, UsageError
from mmverify.notebook import read_result, result_name
from mmverify.report.exported import export_html, stack
from mmverify.review.results import CheckRun

READINESS = "s0_readiness"
#: Set by `run` for each notebook, refused from outside.
RESERVED = ("session", "sessions", "results", "result", "source")
INJECTED = "injected-parameters"
_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_REFUSALS = ("EvidenceError", "UsageError")


@dataclass(frozen=True)
class Job:
    """A notebook to execute: where from and to, the section and session that its result must be of, its parameters."""

    name: str
    notebook: Path
    output: Path
    section: str
    session: str
    result: Path
    parameters: Mapping[str, str]


def run(
    stems: Sequence[str],
    sessions: Sequence[Path],
    out: Path,
    *,
    results_dir: Path,
    workers: int,
    parameters: Mapping[str, str],
    timeout: int,
    source: Path | None = None,
    step: Callable[[str], None] = lambda name: None,
) -> tuple[list[CheckRun], list[str]]:
    """Execute notebooks on sessions, each in a kernel of its own, and export each as HTML.

    Parameters
    ----------
    stems : sequence of str
        Such as ``s1_3_pnl``. ``s0_readiness`` is executed after the others, once for all sessions, and joins what they
        left in `results_dir`.
    sessions : sequence of Path
        Session folders, as the user gave them.
    out : Path
        Folder of the executed notebooks: ``STEM.ipynb`` and ``STEM.html``, of several sessions ``STEM-SESSION.*``.
    results_dir : Path
        Folder of the result files, ``.json`` of the same names: runs of checks, of ``s0_readiness`` the assessment.
    workers : int
        Notebooks at a time.
    parameters : mapping of str to str
        For each notebook that has a parameter of the name; money as text.
    timeout : int
        Of a cell. [s]
    source : Path, optional
        The bot's source tree, for each notebook that shows one; without it they show the bundled example bot.
    step : callable
        Told of each notebook once it is done.

    Returns
    -------
    runs : list of CheckRun
        Of the notebooks that count: sessions in the order given, sections in the protocol's.
    errors : list of str
        One line for each notebook that does not count.

    Raises
    ------
    UsageError
        For a notebook, session or parameter that cannot be used; for evidence that a notebook could not read.
    """
    names = [Path(session).resolve().name for session in sessions]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"two sessions are named {twice[0]}; should be folders of different names")
    notebooks = {stem: bundled(f"notebooks/{stem}.ipynb") for stem in stems}
    has = {stem: declared(path) for stem, path in notebooks.items()}
    _check_names(has, parameters)
    given = dict(parameters) | ({"source": str(source)} if source else {})
    for folder in (out, results_dir):
        folder.mkdir(parents=True, exist_ok=True)

    def job(stem: str, section: str, session: str, name: str, more: Mapping[str, str]) -> Job:
        result = results_dir / f"{name}.json"
        own = {key: value for key, value in given.items() if key in has[stem]}
        return Job(name, notebooks[stem], out / f"{name}.ipynb", section, session, result,
                   own | dict(more) | {"result": str(result)})  # fmt: skip

    jobs = [
        job(section.stem, section.id, name, result_name(section.stem, name, names), {"session": str(path)})
        for path, name in zip(sessions, names, strict=True)
        for section in sections()
        if section.stem in notebooks
    ]
    failed = execute(jobs, workers=workers, timeout=timeout, step=step)
    if READINESS in notebooks:
        everything = {"sessions": json.dumps([str(path) for path in sessions]), "results": str(results_dir)}
        last = job(READINESS, "", "", READINESS, everything)
        failed |= execute([last], workers=1, timeout=timeout, step=step)
    runs = [r for j in jobs if j.name not in failed for r in read_result(j.result, j.section, j.session)]
    return runs, [f"{name}: {failed[name]}" for name in failed]


def declared(notebook: Path) -> tuple[str, ...]:
    """Return the parameters of a notebook.

    Raises
    ------
    UsageError
        If it has no cell tagged ``parameters``.
    """
    papermill, nbformat = stack()
    cells = nbformat.read(notebook, as_version=4).cells
    if not any("parameters" in cell.metadata.get("tags", ()) for cell in cells):
        raise UsageError(f"{notebook.name} has no cell tagged parameters; should state its parameters in one")
    return tuple(papermill.inspect_notebook(_literal(notebook)))


def _check_names(has: Mapping[str, Sequence[str]], parameters: Mapping[str, str]) -> None:
    for stem, own in has.items():
        needed = ("sessions", "results", "result") if stem == READINESS else ("session", "result")
        if missing := [name for name in needed if name not in own]:
            raise UsageError(f"{stem}.ipynb has no parameter {missing[0]}; should have {', '.join(needed)}")
    known = sorted({name for own in has.values() for name in own} - set(RESERVED))
    for name in parameters:
        if name not in known:
            raise UsageError(
                f"--param {name}: no notebook of this review takes it; should be one of {', '.join(known)}"
            )


def execute(
    jobs: Iterable[Job], *, workers: int, timeout: int, step: Callable[[str], None] = lambda name: None
) -> dict[str, str]:
    """Execute notebooks and export each; return why each that does not count does not, by name."""
    failed = {}
    with _kernels() as kernel, ThreadPoolExecutor(max(workers, 1)) as pool:
        futures = {pool.submit(_execute, job, timeout, kernel): job for job in jobs}
        try:
            for future in as_completed(futures):
                if reason := future.result():
                    failed[futures[future].name] = reason
                step(futures[future].name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {job.name: failed[job.name] for job in futures.values() if job.name in failed}


def _execute(job: Job, timeout: int, kernel: type) -> str:
    """Execute one notebook; return why it does not count, empty where it does."""
    job.result.unlink(missing_ok=True)
    reason = _papermill(job.notebook, job.output, job.parameters, timeout, kernel)
    if job.output.exists():
        _, nbformat = stack()
        notebook = nbformat.read(job.output, as_version=4)
        reason = reason or _unfinished(notebook) or _unanswered(job)
        tidy(notebook)
        nbformat.write(notebook, job.output)
        export_html(job.output, job.output.with_suffix(".html"))
    return reason


def _papermill(notebook: Path, output: Path, parameters: Mapping[str, str], timeout: int, kernel: type) -> str:
    """Execute a notebook; return the first line of what ended it early, empty where nothing did."""
    papermill, _ = stack()
    try:
        with _event_loop():
            papermill.execute_notebook(
                _literal(notebook), _literal(output), dict(parameters), progress_bar=False, execution_timeout=timeout,
                kernel_manager_class=kernel, shutdown_kernel="immediate", record_timing=False, coalesce_streams=True,
            )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        if error.ename in _REFUSALS:
            raise UsageError(error.evalue) from None
        return f"{error.ename}: {error.evalue}".splitlines()[0]
    except Exception as error:  # whatever ends a notebook early is a failed review, never a pass
        return f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return ""


def _unfinished(notebook: Any) -> str:
    """Say whether the last code cell of an executed notebook was not reached."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return "it stopped before its last cell" if not code or code[-1].execution_count is None else ""


def _unanswered(job: Job) -> str:
    """Say what is wrong with the result that a notebook left."""
    try:
        if job.section:
            read_result(job.result, job.section, job.session)
        elif json.loads(job.result.read_text(encoding="utf-8"))["complete"] is not True:
            return "its result is not complete"
    except NotebookError as error:
        return str(error)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"it left no complete result ({type(error).__name__})"
    return ""


def tidy(notebook: Any) -> None:
    """Take out of an executed notebook what differs from run to run: times, versions, ids, paths of results."""
    notebook.metadata = type(notebook.metadata)(_METADATA)
    for cell in notebook.cells:
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        if INJECTED in cell.metadata.get("tags", ()):
            cell.id = INJECTED
            lines = [line for line in cell.source.splitlines() if not re.match(r"results? = ", line)]
            cell.source = "\n".join(lines)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]


# --- kernels ----------------------------------------------------------------------------------------------------------


def _literal(path: Path) -> str:
    """Write a path so that papermill, which fills in braces, takes it as it is."""
    return str(path).replace("{", "{{").replace("}", "}}")


@contextmanager
def _event_loop() -> Iterator[None]:
    """Take this thread's event loop, and leave none: what a dead kernel left waiting is cancelled."""
    from jupyter_core.utils import ensure_event_loop

    loop = ensure_event_loop()
    try:
        yield
    finally:
        if waiting := asyncio.all_tasks(loop):
            for task in waiting:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
        loop.close()


@contextmanager
def _kernels() -> Iterator[type]:
    """Give a class of kernel managers: this interpreter and this mmverify, over sockets in a folder of their own."""
    stack()
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    with tempfile.TemporaryDirectory(prefix="mmverify-") as folder:
        here = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        spec = KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python",
            env={"PYTHONPATH": os.pathsep.join(here), "IPYTHONDIR": folder, "PYTHONHASHSEED": "0"},
        )  # fmt: skip
        numbers = count(1)

        class Specs(KernelSpecManager):
            def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
                return spec

        class Kernel(AsyncKernelManager):
            def __init__(self, **settings: Any) -> None:
                place = f"{folder}/{next(numbers)}"
                super().__init__(
                    **settings, kernel_spec_manager=Specs(), transport="ipc", ip=place, connection_file=f"{place}.json"
                )

        yield Kernel


# --- the stored notebooks ---------------------------------------------------------------------------------------------


def refresh(stems: Sequence[str] = (), *, timeout: int) -> dict[str, str]:
    """Execute the stored notebooks in place with their own defaults; one that fails is left as it was.

    Parameters
    ----------
    stems : sequence of str
        Which; all where empty.
    timeout : int
        Of a cell. [s]

    Returns
    -------
    dict of str to str
        By stem, why one failed.

    Raises
    ------
    MmverifyError
        For a stem that no notebook has.
    """
    _, nbformat = stack()
    paths = [bundled(f"notebooks/{stem}.ipynb") for stem in stems] or sorted(bundled("notebooks").glob("*.ipynb"))
    failed = {}
    with _kernels() as kernel, tempfile.TemporaryDirectory() as folder:
        for path in paths:
            output = Path(folder, path.name)
            reason = _papermill(path, output, {}, timeout, kernel)
            notebook = nbformat.read(output, as_version=4) if output.exists() else None
            if reason := reason or ("it did not start" if notebook is None else _unfinished(notebook)):
                failed[path.stem] = reason
                continue
            tidy(notebook)
            nbformat.write(notebook, path)
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m mmverify.runner refresh [STEM...]``; return 1 if a notebook failed, 2 if there is none."""
    parser = argparse.ArgumentParser(prog="mmverify.runner", description="Execute the stored notebooks in place.")
    parser.add_argument("command", choices=["refresh"])
    parser.add_argument("stems", nargs="*", metavar="STEM", help="such as s1_3_pnl; all notebooks where none is given")
    parser.add_argument("--timeout", type=int, default=120, help="of a cell, in seconds")
    options = parser.parse_args(arguments)
    try:
        failed = refresh(options.stems, timeout=options.timeout)
    except MmverifyError as error:
        parser.error(str(error))
    for stem, reason in failed.items():
        print(f"{stem}: {reason}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
