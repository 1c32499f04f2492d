"""What is said of the parts of a pretraining run."""

from __future__ import annotations

import pytest

from genoken.workflows.held_out_words import parts_in_words, split_note

FIVE = [f"{name}.h5ad" for name in "abcde"]


@pytest.mark.parametrize(
    ("group", "files", "val_files", "line", "note"),
    [
        (
            "", [], [], "Held out by single samples",
            "single samples are held out: the test part is reported on, the validation part chooses the weights",
        ),
        (
            "donor", [], [], "Held out by whole values of 'donor'",
            "whole values of 'donor' are held out: the test part is reported on, the validation part chooses the weights",
        ),
        (
            "donor", ["test.h5ad"], [],
            "Reported on files of their own, and held out to choose the weights by whole values of 'donor'",
            "reported on the files test.h5ad; of the others, whole values of 'donor' are held out to choose the weights",
        ),
        (
            "", [], ["val.h5ad"], "Weights are chosen on files of their own, and held out to report on by single samples",
            "single samples are held out: the test part is reported on; the files val.h5ad chose the weights",
        ),
        (
            "donor", FIVE, ["val.h5ad"], "Parts are those of the files",
            "reported on the files a.h5ad, b.h5ad, c.h5ad and 2 more; the files val.h5ad chose the weights",
        ),
    ],
)  # fmt: skip
def test_every_way_to_come_into_a_part(group, files, val_files, line, note):
    assert parts_in_words(group, files, val_files) == line
    assert split_note(group, files, val_files) == note
