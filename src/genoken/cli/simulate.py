"""``genoken simulate``: people with a trait whose causes are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from genoken.cli.flags import one_of, with_choices
from genoken.cli.options import Quiet

TRAITS: tuple[Literal["additive", "dominant", "recessive", "epistatic", "epistatic_pure", "haplotype"], ...] = (
    "additive",
    "dominant",
    "recessive",
    "epistatic",
    "epistatic_pure",
    "haplotype",
)
"""What causal variants do."""
ENGINES: tuple[Literal["copying", "msprime"], ...] = ("copying", "msprime")
"""Where haplotypes come from."""


def command(  # noqa: PLR0913 - one argument for each flag
    output: Annotated[
        Path, typer.Argument(metavar="FILE", help="Genotypes to write: .bed, .vcf, .vcf.gz or .h5ad.", show_default=False)
    ],
    *,
    samples: Annotated[int, typer.Option("--samples", metavar="N", help="Number of people.")] = 2000,
    variants: Annotated[int, typer.Option("--variants", metavar="N", help="Number of variants.")] = 5000,
    trait: Annotated[
        str, typer.Option("--trait", metavar="WORD", help=with_choices("What causal variants do", TRAITS))
    ] = "additive",
    heritability: Annotated[
        float, typer.Option("--heritability", metavar="SHARE", help="Share of the variance that causal variants explain.")
    ] = 0.3,
    causal: Annotated[int, typer.Option("--causal", metavar="N", help="Number of causal variants; pairs count as two.")] = 5,
    prevalence: Annotated[
        float, typer.Option("--prevalence", metavar="SHARE", help="Share of cases; 0 for a quantitative trait.")
    ] = 0.0,
    polygenic: Annotated[
        float, typer.Option("--polygenic", metavar="SHARE", help="Share of the variance of small effects everywhere.")
    ] = 0.0,
    confounding: Annotated[
        float, typer.Option("--confounding", metavar="SHARE", help="Share by which populations differ, whatever their genes.")
    ] = 0.0,
    covariates: Annotated[
        float, typer.Option("--covariates", metavar="SHARE", help="Share that age and sex explain, half each.")
    ] = 0.0,
    populations: Annotated[int, typer.Option("--populations", metavar="N", help="Number of populations.")] = 1,
    fst: Annotated[float, typer.Option("--fst", metavar="FST", help="How much populations differ.")] = 0.05,
    chromosomes: Annotated[int, typer.Option("--chromosomes", metavar="N", help="Number of chromosomes.")] = 1,
    children: Annotated[int, typer.Option("--children", metavar="N", help="Children of each couple; 0: unrelated people.")] = 0,
    min_frequency: Annotated[
        float, typer.Option("--min-frequency", metavar="SHARE", help="Least minor allele frequency of the founders or the panel.")
    ] = 0.01,
    panel: Annotated[
        Path | None,
        typer.Option("--panel", metavar="FILE", help="Phased genotypes to recombine, such as a VCF.", show_default=False),
    ] = None,
    genetic_map: Annotated[
        Path | None, typer.Option("--map", metavar="FILE", help="The panel's genetic map: pos, chr, cM.", show_default=False)
    ] = None,
    engine: Annotated[
        str, typer.Option("--engine", metavar="WORD", help=with_choices("Where haplotypes come from without a panel", ENGINES))
    ] = "copying",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Everything is a function of it.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", metavar=" ", help="Replace files that are there.")] = False,
    quiet: Quiet = False,
) -> None:
    """Simulate genotypes and a trait whose causal variants are known, to see what a method finds.

    Writes the genotypes, and beside them NAME.traits.tsv and NAME.truth.tsv.
    """
    architecture, source = one_of(trait, TRAITS, "--trait"), one_of(engine, ENGINES, "--engine")
    from genoken.synthetic_traits import TraitModel
    from genoken.workflows.show import Show
    from genoken.workflows.simulate import PeopleModel, simulate

    people = PeopleModel(
        samples=samples,
        variants=variants,
        engine=source,
        populations=populations,
        fst=fst,
        chromosomes=chromosomes,
        children=children,
        min_frequency=min_frequency,
        panel=panel,
        genetic_map=genetic_map,
    )
    model = TraitModel(
        architecture,
        causal,
        heritability=heritability,
        polygenic=polygenic,
        population=confounding,
        covariates=covariates,
        prevalence=prevalence,
    )
    simulate(output, people, model, seed=seed, overwrite=overwrite, show=Show(quiet=quiet))
