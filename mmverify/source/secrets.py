"""Keys, secrets and tokens in text: by the makes that detect-secrets knows, and by names beside random words."""

from __future__ import annotations

import math
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detect_secrets.plugins.base import RegexBasedDetector

#: A line without any of these holds no secret that is looked for.
_HINT = re.compile(
    r"(?i)key|secret|token|pass|bearer|auth|signature|private|akia|eyj|xox|gh[pousr]_|sk_live|mnemonic|:AA"
)
#: A name that a secret goes by, and the word that it is given.
_NAMED = re.compile(
    r"""(?ix)
    (?P<name>[\w.-]*(?:api[_-]?key|apikey|api[_-]?secret|secret|secret[_-]?key|private[_-]?key|passphrase|password|passwd|
       access[_-]?token|auth[_-]?token|bot[_-]?token|api[_-]?token|refresh[_-]?token|mnemonic))
    ["'\])]*\s*(?::\s*[\w\[\]|&'<>: ]+\s*=|=>|:=|[:=])\s*(?:Some\(|std::string\(|String::from\(|[bru]{0,2})?
    (?P<quote>["'`]?)(?P<value>[A-Za-z0-9+/=_.\-]{12,})(?P=quote)
    """
)
_BEARER = re.compile(r"(?i)\b(bearer|authorization:?)\s+(?P<value>[A-Za-z0-9+/=_.\-]{20,})")
#: Words that stand in the place of a secret.
_STAND_IN = re.compile(
    r"(?i)your|example|placeholder|change[_-]?me|dummy|sample|redacted|masked|hidden|removed|insert|replace|xxx|\*\*\*|"
    r"test|fake|mock|none|null|secret|passw|api[_-]?key|token|lorem|todo|1234567|abcdef|(.)\1{5}|(\d{4}-){2}|undefined"
)
_REFERENCE = re.compile(r"[a-z_]+(\.[a-z_]+)+|[A-Z][A-Z_]+|[a-z_]+|[A-Za-z]+|[\w]+\(|/.*|\d+")
_LEAST_BITS = 3.2  # of entropy a letter: below are words, above is what a machine drew
_LEAST_LETTERS = 16
#: Below folders of tests and examples only keys of a known make count.
AWAY = re.compile(
    r"(^|/)(tests?|testing|test_data|test_resources|fixtures|mocks?|examples?|samples?|docs?)(/|$)|(^|/)test_|_test\.|\.example$|example"
)


@dataclass(frozen=True)
class Secret:
    """A secret that was seen: the line, and what it is. The secret itself is not kept."""

    line: int
    kind: str


#: The makes of keys that detect-secrets knows by their form.
_MAKES = (
    "aws", "azure_storage_key", "discord", "github_token", "gitlab_token", "jwt", "mailchimp", "npm", "openai",
    "private_key", "pypi_token", "sendgrid", "slack", "square_oauth", "stripe", "telegram_token", "twilio",
)  # fmt: skip


@cache
def _makes() -> tuple[RegexBasedDetector, ...]:
    from detect_secrets.plugins.base import RegexBasedDetector

    modules = [import_module(f"detect_secrets.plugins.{name}") for name in _MAKES]
    kinds = [kind for module in modules for kind in vars(module).values() if isinstance(kind, type)]
    return tuple(kind() for kind in kinds if issubclass(kind, RegexBasedDetector) and kind is not RegexBasedDetector)


def kind_of(line: str, *, strict: bool = True) -> str:
    """Return what secret a line holds, empty if none.

    Parameters
    ----------
    line : str
    strict : bool
        Take a random word beside a name such as ``api_secret`` for one, not only a key of a known make.
    """
    if not _HINT.search(line):
        return ""
    for found in _NAMED.finditer(line) if strict else ():
        if _is_random(found["value"], quoted=bool(found["quote"])):
            return f"a value of {found['name'].strip('.-')}"
    if strict and (bearer := _BEARER.search(line)) and _is_random(bearer["value"], quoted=True):
        return "a bearer token"
    for make in _makes():
        if any(not _STAND_IN.search(word) for word in make.analyze_string(line)):
            return f"a {make.secret_type}".replace("a A", "an A")
    return ""


def _is_random(word: str, *, quoted: bool) -> bool:
    """Say whether a word is what a machine drew, not a stand-in, a name or a reference."""
    if len(word) < _LEAST_LETTERS or _STAND_IN.search(word) or _REFERENCE.fullmatch(word):
        return False
    if not (re.search(r"\d", word) and re.search(r"[A-Za-z]", word)) or (
        not quoted and re.search(r"[.](?=[a-z_]{3,})", word)
    ):
        return False
    counts = Counter(word)
    return -sum(n / len(word) * math.log2(n / len(word)) for n in counts.values()) >= _LEAST_BITS


def secrets(lines: Iterable[str], *, strict: bool = True) -> Iterator[Secret]:
    """Yield the secrets of lines, numbered from 1."""
    for n, line in enumerate(lines, 1):
        if kind := kind_of(line[:2000], strict=strict):
            yield Secret(n, kind)


def history(folder: Path, seconds: int) -> tuple[list[tuple[str, str, str]], str]:
    """Return the secrets that lines added in the git history of a folder held.

    No program that the repository names is started: no filter, no text conversion, no monitor.

    Returns
    -------
    found : list of (commit, path, kind)
        A line a path and kind.
    note : str
        Why the history was not, or not wholly, read.
    """
    if not (folder / ".git").exists():
        return [], ""
    command = [
        "git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", str(folder), "log", "--all", "-p",
        "--unified=0", "--no-color", "--no-textconv", "--no-ext-diff", "--format=%x00%H",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], f"the git history was not read: {type(error).__name__}"
    if done.returncode:
        return [], "the git history was not read: git refused it"
    found, commit, path = dict[tuple[str, str], str](), "", ""
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("\0"):
            commit = line[1:11]
        elif line.startswith("+++ "):
            path = line[4:].removeprefix("b/")
        elif line.startswith("+") and (kind := kind_of(line[1:2000], strict=not AWAY.search(path))):
            found[(path, kind)] = commit
    return [(commit, path, kind) for (path, kind), commit in found.items()], ""
