"""The demo on genotypes: people whose trait has known causes, a network that chooses variants, and who finds the causes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genoken.core.calls import Calls
from genoken.core.samples import Samples
from genoken.synthetic_traits import TraitModel
from genoken.vocabulary.variant_quality import filter_variants
from genoken.workflows.files import read_file
from genoken.workflows.run import Run
from genoken.workflows.show import Show
from genoken.workflows.simulate import PeopleModel, simulate
from genoken.workflows.train import train
from genoken.workflows.variant_options import VariantOptions
from genoken.workflows.variant_truth import read_truth
from genoken.workflows.variants import explain_variants

PEOPLE = PeopleModel(samples=1500, variants=1000, populations=2, chromosomes=8)
"""Who is simulated."""
TRAIT = TraitModel("additive", 4, heritability=0.25, population=0.1, covariates=0.1)
"""What makes up their trait: four variants, age and sex, and what else differs between the two populations."""
SETTINGS: dict[str, Any] = {"training.epochs": 60, "data.principal_components": 4}
"""What is changed: fewer epochs than the preset's, and components, which on so short a genome hold single variants before long."""


def demo_genotypes(
    output: str | Path = "runs/demo-genotypes",
    *,
    people: PeopleModel = PEOPLE,
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = True,
    show: Show | None = None,
) -> Run:
    """Simulate people with a trait of known causes, train on them, and score who finds the causes; needs no network and no GPU.

    The genotypes are written to PLINK files beside the run folder first, with the trait and the truth, so that every other command
    can be tried on them. The network (preset ``single_effect``) is held against baselines, then its variants against single-variant
    regressions, fine-mapping, and a network of permuted labels.

    Parameters
    ----------
    output
        Run folder; files beside it have its name: ``.bed``, ``.bim``, ``.fam``, ``.traits.tsv``, ``.truth.tsv``.
    people
        Who is simulated.
    settings
        What is changed in the preset.
    overwrite
        Replace the run and the files that are there.
    show
        Where sentences, tables and progress bars go; by default nowhere.
    """
    show = show or Show(quiet=True)
    genotypes = Path(output).with_name(f"{Path(output).name}.bed")
    show.line("Demo: simulated people of two populations. Which variants does a network use, and are they those that act?")
    genotypes.parent.mkdir(parents=True, exist_ok=True)
    simulate(genotypes, people, TRAIT, overwrite=overwrite, show=show)
    show_quality(read_file(genotypes), show)
    chosen = {"data.phenotypes_file": str(genotypes.with_suffix(".traits.tsv")), "data.covariates": ["age", "sex"]}
    run = train(
        genotypes,
        label="trait",
        preset="single_effect",
        settings=chosen | dict(SETTINGS if settings is None else settings),
        output=output,
        overwrite=overwrite,
        show=show,
    )
    options = VariantOptions(causal=read_truth(genotypes.with_suffix(".truth.tsv")))
    explain_variants(run, options=options, show=show)
    return run


def show_quality(samples: Samples, show: Show) -> None:
    """Write how many variants each rule of quality control would leave out.

    Parameters
    ----------
    samples
        Genotypes.
    show
        Where to write.
    """
    table = filter_variants(Calls.of(samples.values).counts().T, samples.features).table
    rows = [(row.rule, row.threshold, f"{row.variants:,}") for row in table.itertuples()]
    show.table("Quality of the variants: what each rule would leave out", ("rule", "threshold", "variants"), rows)
