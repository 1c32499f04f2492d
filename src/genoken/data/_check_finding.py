"""One thing that the input doctor found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing that the input doctor found.

    Parameters
    ----------
    level
        ``ok``, ``warning`` (the results need care) or ``error`` (training would refuse, or mean nothing).
    title
        What it is, in a few words.
    detail
        The figures behind it.
    remedy
        What to do about it; empty when nothing needs to be done.
    """

    level: Level
    title: str
    detail: str
    remedy: str = ""


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, as ``1 class`` or ``1,200 samples``."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return names joined by commas, the first few and how many more there are."""
    shown = ", ".join(str(name) for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown
