"""How the samples of a pretraining run came into their parts, in words: drawn from, or in files of their own."""

from __future__ import annotations

from collections.abc import Sequence

_MOST_NAMED = 3


def parts_in_words(group: str, files: Sequence[str], val_files: Sequence[str]) -> str:
    """Return the beginning of a line that ends with the numbers of samples.

    Parameters
    ----------
    group
        Name of the column whose values are held out whole, or empty.
    files
        Files whose samples are reported on; empty where samples to report on are drawn.
    val_files
        Files whose samples choose the weights; empty where these are drawn.
    """
    unit = f"whole values of '{group}'" if group else "single samples"
    if files and val_files:
        return "Parts are those of the files"
    if files:
        return f"Reported on files of their own, and held out to choose the weights by {unit}"
    if val_files:
        return f"Weights are chosen on files of their own, and held out to report on by {unit}"
    return f"Held out by {unit}"


def split_note(group: str, files: Sequence[str], val_files: Sequence[str]) -> str:
    """Return what each part is for and where it came from; parameters are those of :func:`parts_in_words`."""
    unit = f"whole values of '{group}' are" if group else "single samples are"
    if files and val_files:
        return f"reported on {_named(files)}; {_named(val_files)} chose the weights"
    if files:
        return f"reported on {_named(files)}; of the others, {unit} held out to choose the weights"
    if val_files:
        return f"{unit} held out: the test part is reported on; {_named(val_files)} chose the weights"
    return f"{unit} held out: the test part is reported on, the validation part chooses the weights"


def _named(files: Sequence[str]) -> str:
    more = f" and {len(files) - _MOST_NAMED:,} more" if len(files) > _MOST_NAMED else ""
    return f"the files {', '.join(files[:_MOST_NAMED])}{more}"
