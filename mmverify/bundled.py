"""Where the notebooks and the data are: at the root of a checkout, inside an installed mmverify."""

from __future__ import annotations

from pathlib import Path

from mmverify.errors import MmverifyError

_PACKAGE = Path(__file__).parent


def bundled(path: str) -> Path:
    """Find a file or folder that travels with mmverify.

    Parameters
    ----------
    path : str
        Such as ``notebooks`` or ``data/sessions/sample``.

    Returns
    -------
    Path
        Below the installed package, else below the checkout.

    Raises
    ------
    MmverifyError
        If it is in neither.
    """
    for root in (_PACKAGE / "_bundled", _PACKAGE.parent):
        if (root / path).exists():
            return root / path
    raise MmverifyError(f"{path} is not there; should be part of mmverify, beside the package or inside it")
