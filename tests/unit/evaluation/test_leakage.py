"""The audit of a split: what it calls a leak and what it lets pass."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.evaluation.leakage import audit_split


def split_of(labels, groups, *folds):
    table = pd.DataFrame({"sample_id": [f"cell_{row}" for row in range(len(labels))], "group": groups, "label": labels})
    for index, fold in enumerate(folds):
        table[f"fold_{index}"] = fold
    return table


def titles(findings):
    return {finding["title"]: finding["level"] for finding in findings}


GROUPS = np.repeat([f"g{index}" for index in range(8)], 10)
LABELS = np.resize(["x", "y"], 80)
BY_GROUP = np.repeat(["train"] * 2 + ["val"] + ["test"] * 5, 10)
BY_SAMPLE = np.resize(["train", "train", "train", "val", "test", "test"], 80)


def test_a_clean_split_has_only_good_findings():
    found = audit_split(split_of(LABELS, GROUPS, BY_GROUP), label="kind", group="donor", row_hashes=np.arange(80))
    assert titles(found) == {
        "No group is in both train and test": "ok",
        "Label and group are not confounded": "ok",
        "No test sample is repeated in train": "ok",
        "Every tested class is in train": "ok",
    }
    assert all(set(finding) == {"level", "title", "detail"} for finding in found)


def test_groups_on_both_sides_are_an_error_with_their_number():
    found = audit_split(split_of(LABELS, GROUPS, BY_SAMPLE), label="kind", group="donor")
    leak = next(finding for finding in found if finding["title"] == "The split is leaky")
    assert leak["level"] == "error"
    assert leak["detail"].startswith("8 of 8 values of 'donor' are in train and in test (g0, g1, g2, g3, g4 and 3 more)")


def test_one_leaking_fold_is_enough():
    leaking = BY_GROUP.copy()
    leaking[0] = "test"
    found = audit_split(split_of(LABELS, GROUPS, BY_GROUP, leaking), label="kind", group="donor")
    assert "1 of 8 values of 'donor'" in found[0]["detail"]


def test_a_column_that_looks_like_a_group_is_named():
    table = pd.DataFrame({"donor_id": GROUPS})
    random = audit_split(split_of(LABELS, None, BY_SAMPLE), label="kind", group=None, table=table)
    assert titles(random)["The split ignores a likely group"] == "error"
    assert "'donor_id' looks like a group" in random[0]["detail"]
    clean = audit_split(split_of(LABELS, None, BY_GROUP), label="kind", group=None, table=table)
    assert titles(clean)["No likely group straddles the split"] == "ok"
    nothing = audit_split(
        split_of(LABELS, None, BY_SAMPLE), label="kind", group=None, table=table.rename(columns={"donor_id": "n"})
    )
    assert titles(nothing)["No group column was used"] == "warning"
    assert titles(audit_split(split_of(LABELS, None, BY_SAMPLE), label="kind", group=None))["No group column was used"] == "warning"


def test_identical_samples_on_both_sides_are_counted():
    hashes = np.arange(80)
    hashes[[0, 75, 76]] = 7  # one train sample and its two copies in test
    hashes[[1, 2]] = 1000  # twins within train are no leak
    found = audit_split(split_of(LABELS, GROUPS, BY_GROUP), label="kind", group="donor", row_hashes=hashes)
    twin = next(finding for finding in found if finding["title"] == "Identical samples are in train and in test")
    assert twin["level"] == "warning"
    assert twin["detail"].startswith("2 test samples")


def test_what_cannot_be_told_is_not_called_good():
    def found(hashes):
        given = split_of(LABELS, GROUPS, BY_GROUP)
        audit = audit_split(given, label="kind", group="donor", row_hashes=hashes, untold_copies="Few variants.")
        return next(row for row in audit if "repeated" in row["title"])

    title = "It cannot be told whether test samples are repeated in train"
    assert found(np.arange(80)) == {"level": "warning", "title": title, "detail": "Few variants."}
    assert found(np.zeros(80))["detail"].endswith(
        "test samples have exactly the values of a train or validation sample. Few variants."
    )


def test_classes_that_train_lacks_and_that_are_never_tested_are_named():
    labels = LABELS.astype("U12")
    labels[-3:] = "only_test"
    labels[:3] = "only_train"
    found = audit_split(split_of(labels, GROUPS, BY_GROUP), label="kind", group="donor")
    details = {finding["title"]: (finding["level"], finding["detail"]) for finding in found}
    assert details["A class is missing in train"][0] == "error"
    assert details["A class is missing in train"][1].startswith("only_test:")
    assert details["A class is never tested"] == ("warning", "only_train: the scores say nothing about it.")


def test_a_label_that_the_group_decides_counts_groups_as_units():
    labels = np.where(np.isin(GROUPS, ["g0", "g3", "g4"]), "ko", "wt")
    found = audit_split(split_of(labels, GROUPS, BY_GROUP), label="genotype", group="animal")
    decided = next(finding for finding in found if finding["title"] == "The group decides the label")
    assert decided["level"] == "warning"
    assert "8 independent units, not 80" in decided["detail"]
    ages = np.repeat(np.linspace(20, 80, 8), 10)
    assert "The group decides the label" in titles(audit_split(split_of(ages, GROUPS, BY_GROUP), label="age", group="donor"))


def test_a_label_that_the_group_nearly_decides_is_confounded():
    labels = np.where(np.isin(GROUPS, ["g0", "g3", "g4"]), "ko", "wt")
    labels[[0, 15, 25, 35, 45, 55]] = "wt"
    labels[[16, 26]] = "ko"
    found = audit_split(split_of(labels, GROUPS, BY_GROUP), label="genotype", group="animal")
    assert titles(found)["Label and group are confounded"] == "warning"


def test_few_test_groups_have_no_interval():
    fold = np.repeat(["train"] * 4 + ["test"] * 4, 10)
    found = audit_split(split_of(LABELS, GROUPS, fold), label="kind", group="donor")
    assert titles(found)["Few groups were tested"] == "warning"
    both = audit_split(split_of(LABELS, GROUPS, fold, fold[::-1]), label="kind", group="donor")
    assert "Few groups were tested" not in titles(both)


def test_real_labels_are_audited_without_classes():
    found = audit_split(split_of(np.linspace(0, 1, 80), GROUPS, BY_GROUP), label="age", group="donor")
    assert titles(found) == {"No group is in both train and test": "ok"}
