"""Errors that a user can act on.

Every error says where the problem is, what it is and how to mend it, in one line. The command line prints that line and exits
with code 2; a traceback is reserved for defects of genoken itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GenokenError(Exception):
    """A problem in the input, with its place and its remedy.

    Parameters
    ----------
    message
        What is wrong, as one sentence.
    where
        File, column or configuration path in which it was found; empty if there is none.
    remedy
        What the user can do about it; empty if nothing can be suggested.
    """

    def __init__(self, message: str, *, where: str = "", remedy: str = "") -> None:
        self.message = message
        self.where = where
        self.remedy = remedy
        super().__init__(message)

    def __str__(self) -> str:
        """Return the error as one line: ``where: message; remedy``."""
        line = f"{self.where}: {self.message}" if self.where else self.message
        return f"{line} — {self.remedy}" if self.remedy else line


class ConfigError(GenokenError):
    """An unknown, missing or mistyped setting."""


class DataError(GenokenError):
    """A file or a matrix that cannot be used as it is."""


class RunError(GenokenError):
    """A run folder that is missing, incomplete, foreign or tampered with."""


class TrainingError(GenokenError):
    """Training that cannot go on (non-finite loss, not enough memory)."""


class MissingExtraError(GenokenError):
    """An optional package that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"the optional package '{package}' is not installed", remedy=f"install it with: pip install 'genoken[{extra}]'"
        )


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return up to ``count`` known names that resemble ``name``, best first; comparison ignores case."""
    by_lower: dict[str, str] = {}
    for candidate in known:
        by_lower.setdefault(str(candidate).lower(), str(candidate))
    found = difflib.get_close_matches(str(name).lower(), list(by_lower), n=count, cutoff=0.5)
    return [by_lower[match] for match in found]


def suggestion(name: str, known: Iterable[str], noun: str = "known") -> str:
    """Return the remedy for an unknown name: the nearest right names, or the first known ones when none is near."""
    names = [str(candidate) for candidate in known]
    near = nearest(name, names)
    if near:
        return "did you mean " + " or ".join(f"'{match}'" for match in near) + "?"
    if not names:
        return f"there is no {noun} name to choose from"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"{noun}: {shown}"
