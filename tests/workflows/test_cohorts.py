"""Two cohorts of genotypes through every verb: joined with oriented alleles, told apart by a column, known again, started from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import genoken
from genoken.core.config import DataSettings
from genoken.core.errors import ConfigError, DataError
from genoken.core.genotypes import dense_dosages
from genoken.workflows.embed import embed
from genoken.workflows.evaluate import evaluate
from genoken.workflows.explain import explain
from genoken.workflows.inputs import examine
from genoken.workflows.own_samples import own_study
from genoken.workflows.predict import predict
from genoken.workflows.run import Run, load_trained
from genoken.workflows.source import read_source
from genoken.workflows.train import train

VARIANTS, PEOPLE = 60, 60
SETTINGS = {
    "data.covariates": ["age"],
    "data.principal_components": 2,
    "tokenizer.kind": "genotype",
    "model.encoder.kind": "mlp",
    "model.width": 8,
    "training.epochs": 2,
    "training.logger": "none",
    "training.average_decay": 0.0,
    "evaluation.bootstrap": 20,
    "evaluation.baselines": ["majority", "covariates_pcs"],
    "split.kind": "random",
}


def variants() -> pd.DataFrame:
    """Every tenth variant is ambiguous."""
    other = np.where(np.arange(VARIANTS) % 10 == 0, "T", "G")
    columns = {
        "chromosome": "1",
        "position_bp": np.arange(1, VARIANTS + 1) * 1000,
        "counted_allele": "A",
        "other_allele": other,
    }
    return pd.DataFrame(columns | {"build": "GRCh37"}, index=[f"rs{number}" for number in range(VARIANTS)])


def people(name: str, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    dense = rng.binomial(2, np.linspace(0.2, 0.8, VARIANTS), (PEOPLE, VARIANTS)).astype(np.int8)
    trait = np.array(["no", "yes"])[(dense[:, 5] + dense[:, 7] + rng.normal(0, 0.3, PEOPLE) > 1.6).astype(int)]
    table = pd.DataFrame({"trait": trait, "age": rng.normal(50, 9, PEOPLE)}, index=[f"{name}{row}" for row in range(PEOPLE)])
    return dense, table


def turned(dense: np.ndarray, table: pd.DataFrame):
    """Return people as a file of another build on the other strand has them, which counts the other alleles and lacks three."""
    features = variants().assign(build="GRCh38", position_bp=np.arange(1, VARIANTS + 1) * 1000 + 7)
    features["counted_allele"], features["other_allele"] = np.where(features["other_allele"] == "T", "A", "C"), "T"
    order = np.random.default_rng(5).permutation(VARIANTS)[3:]
    return genoken.genotypes((2 - dense)[:, order], table, variants=features.iloc[order])


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """Two cohorts, the second as :func:`turned` has it, without phenotypes; these are in ``phenotypes.csv``."""
    folder = tmp_path_factory.mktemp("cohorts")
    first, second = people("a", 1), people("b", 2)
    empty = second[1][[]]
    genoken.genotypes(*first, variants=variants()).write_h5ad(folder / "first.h5ad")
    turned(second[0], empty).write_h5ad(folder / "second.h5ad")
    pd.concat([first[1], second[1]]).rename_axis("sample_id").to_csv(folder / "phenotypes.csv")
    return folder / "first.h5ad", folder / "second.h5ad"


@pytest.fixture(scope="module")
def run(files, tmp_path_factory) -> Run:
    """Trained on the first cohort alone."""
    return quick_train(files[0], tmp_path_factory.mktemp("runs") / "run")


def quick_train(data, output, changes=None, **named) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genoken.workflows.train.write_explanations", lambda *arguments, **named: None)
        patch.setattr("genoken.workflows.run.Run.report", lambda run: run.folder)
        return train(data, label="trait", settings=SETTINGS | (changes or {}), output=output, **named)


def phenotypes_of(files) -> str:
    return str(files[0].with_name("phenotypes.csv"))


@pytest.fixture(scope="module")
def joint(files, tmp_path_factory) -> Run:
    """Trained on both cohorts, each of which is tested by a network of the other."""
    changes = {"split.kind": "leave_group_out", "data.group": "cohort", "data.phenotypes_file": phenotypes_of(files)}
    return quick_train(list(files), tmp_path_factory.mktemp("runs") / "joint", changes)


def test_two_files_are_trained_on_with_one_cohort_held_out(joint, files):
    split = pd.read_parquet(joint.folder / "split.parquet")
    cohort_of = split["sample_id"].str[0].map({"a": "first", "b": "second"})
    assert split["group"].tolist() == cohort_of.tolist()
    for fold in ("fold_0", "fold_1"):
        assert cohort_of[split[fold] == "test"].nunique() == 1
    account = pd.read_csv(joint.folder / "join.tsv", sep="\t").set_index(["file", "outcome"])["variants"]
    assert account["second"].sum() == VARIANTS
    assert account["second", "only_first"] == 3
    assert account["second", "complement_flipped"] == account["all", "kept"] == len(joint.model.state.feature_ids)
    assert account["second", "ambiguous"] == VARIANTS - 3 - account["all", "kept"] > 0
    entries = pd.read_json(joint.folder / "state.json", typ="series")
    assert entries["inputs"]["data"].split("\n") == [str(file) for file in files]
    assert [Path(entry["path"]).name for entry in entries["data"]] == ["first.h5ad", "second.h5ad"]


def test_alleles_of_the_second_file_are_those_of_the_first(joint):
    samples = own_study(load_trained(joint.folder)).samples
    expected = np.vstack([people("a", 1)[0], people("b", 2)[0]])
    columns = [int(name[2:]) for name in samples.features.index]
    np.testing.assert_array_equal(dense_dosages(samples.values), expected[:, columns])


def test_the_check_names_both_files(joint, files):
    check = json.loads((joint.folder / "check.json").read_text(encoding="utf-8"))
    assert check["file"] == f"{files[0]}, {files[1]}"
    assert [entry["level"] for entry in check["findings"] if entry["title"] == "'cohort': 2 groups"] == ["warning"]
    assert not [entry for entry in check["findings"] if entry["level"] == "error"]


def test_the_suggestion_names_all_files(files):
    source = read_source(list(files), "auto", phenotypes=phenotypes_of(files))
    found = examine(source, DataSettings(label="trait"), group="")
    assert found["suggestion"].startswith(f"genoken train {files[0]} {files[1]} --label trait")


def test_a_run_on_two_files_goes_on_with_both(joint, tmp_path):
    folder = Path(shutil.copytree(joint.folder, tmp_path / "run"))
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    (folder / "state.json").write_text(json.dumps(state | {"status": "running"}), encoding="utf-8")
    (folder / "metrics.json").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genoken.workflows.train.write_explanations", lambda *arguments, **named: None)
        patch.setattr("genoken.workflows.run.Run.report", lambda run: run.folder)
        again = train(resume=folder)
    assert again.metrics["test"]["model"] == joint.metrics["test"]["model"]


def test_the_report_shows_what_was_joined(joint):
    from genoken.reporting.report import write_report

    page = write_report(joint.folder).read_text(encoding="utf-8")
    assert "What became of the variants of each file" in page


def test_a_file_that_counts_the_other_alleles_gives_the_same_predictions(run):
    dense, table = people("b", 2)
    plain = genoken.genotypes(dense, table, variants=variants())
    used = [name for name in run.model.state.feature_ids if int(name[2:]) % 10]
    kept = plain[:, used].copy()
    found = turned(dense, table)
    other = found[:, [name for name in used if name in found.var_names]].copy()
    kept = kept[:, list(other.var_names)].copy()
    pd.testing.assert_frame_equal(run.predict(kept), run.predict(other))


def test_new_files_get_their_phenotypes_from_a_table(run, files, said, tmp_path):
    phenotypes = phenotypes_of(files)
    with pytest.raises(DataError, match="'age', which is a covariate of the model — add it to the sample table, or name a table"):
        predict(run, files[1])
    with pytest.raises(DataError, match="there is no column 'trait'"):
        evaluate(run, files[1])
    found = evaluate(run, files[1], phenotypes=phenotypes, show=said)
    assert found["split"]["leaky"] is False
    assert list(found["test"]["baselines"]) == ["majority", "covariates_pcs"]
    sentence = "51 of 60 variants found (85.0%), matched by index and alleles; 6 more have other alleles"
    assert any(sentence in line for line in said.lines)
    assert any("variants have their alleles on the other strand" in line for line in said.lines)
    predicted = predict(run, files[1], phenotypes=phenotypes)
    assert predicted.table.index.tolist() == [f"b{row}" for row in range(PEOPLE)]
    pd.testing.assert_frame_equal(embed(run, files[1], phenotypes=phenotypes), predicted.states)
    assert len(explain(run, files[1], phenotypes=phenotypes, top=3)) == 3 * predicted.table["predicted"].nunique()


def test_several_new_files_are_joined_too(run, files, tmp_path):
    phenotypes = phenotypes_of(files)
    found = evaluate(run, list(files), phenotypes=phenotypes, output=tmp_path / "scores")
    assert (tmp_path / "scores" / "join.tsv").is_file()
    assert found["test"]["model"]["accuracy"] > 0
    assert len(predict(run, list(files), tmp_path / "p.csv", phenotypes=phenotypes).table) == 2 * PEOPLE
    with pytest.raises(ConfigError, match=r"samples of a list of files are not written into one — use \.csv"):
        predict(run, list(files), tmp_path / "p.h5ad", phenotypes=phenotypes)


def test_people_are_known_again_whichever_allele_is_counted(run):
    dense, table = people("a", 1)
    features = variants()
    swapped = features.assign(counted_allele=features["other_allele"], other_allele=features["counted_allele"])
    found = evaluate(run, genoken.genotypes(2 - dense, table, variants=swapped))
    words = pd.read_parquet(run.folder / "split.parquet")["fold_0"]
    learned = int(words.isin(["train", "val"]).sum())
    assert found["split"]["note"].endswith(f"; {learned:,} of {PEOPLE} samples are ones that the model was trained on")


def test_objects_in_memory_are_joined(tmp_path):
    first, second = (genoken.genotypes(*people(name, seed), variants=variants()) for name, seed in (("a", 1), ("b", 2)))
    run = quick_train([first, second], tmp_path / "run", {"split.kind": "leave_group_out", "data.group": "cohort"})
    assert set(pd.read_parquet(run.folder / "split.parquet")["group"]) == {"data_1", "data_2"}
    assert len(own_study(run).samples.table) == 2 * PEOPLE


PRETRAINING = {
    "tokenizer": {"kind": "genotype"},
    "model": {"width": 8, "encoder": {"layers": 1, "heads": 2, "feed_forward": 8}},
    "training": {"epochs": 1, "logger": "none", "average_decay": 0.0},
    "objectives": ["masked_value"],
}


def test_a_network_is_pretrained_on_two_cohorts_and_tuned_on_a_third_file(files, tmp_path, said):
    pretrained = genoken.pretrain([str(file) for file in files], config=PRETRAINING, output=tmp_path / "p")
    account = pd.read_csv(tmp_path / "p" / "join.tsv", sep="\t").set_index(["file", "outcome"])["variants"]
    assert account["all", "kept"] == len(pretrained.model.state.feature_ids) < VARIANTS - 3
    dense, table = people("a", 1)
    dense[:, 6] = 2  # a variant that does not vary here is still one that is there
    changes = {"tokenizer.kind": "genotype", "data.covariates": []}
    settings = {name: value for name, value in SETTINGS.items() if not name.startswith(("model", "split"))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genoken.workflows.train.write_explanations", lambda *arguments, **named: None)
        patch.setattr("genoken.workflows.run.Run.report", lambda run: run.folder)
        run = train(
            turned(dense, table),
            label="trait",
            settings=settings | changes,
            output=tmp_path / "run",
            start_from=tmp_path / "p",
            show=said,
        )
    assert run.model.state.feature_ids == pretrained.model.state.feature_ids
    assert "rs6" in own_study(run).samples.features.index
    assert any("variants found" in line for line in said.lines)
    assert any("on the other strand" in line for line in said.lines)
    split = pd.read_parquet(tmp_path / "run" / "split.parquet")
    assert (split["fold_0"] == "test").any()


def test_genotypes_do_not_start_from_genes(cells_file, pretrained, files, tmp_path):
    with pytest.raises(DataError, match="no variant in common with the model"):
        train(files[0], label="trait", output=tmp_path / "run", start_from=pretrained.folder)
    assert not (tmp_path / "run").exists()
