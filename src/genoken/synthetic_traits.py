"""Seeded traits of genotyped people, for which it is known which variants cause them, how, and how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from genoken.core.calls import Calls
from genoken.core.errors import DataError, suggestion
from genoken.core.genotypes import CHROMOSOME, COUNTED, OTHER, POSITION
from genoken.core.random import generator
from genoken.core.samples import Samples

Architecture = Literal["additive", "dominant", "recessive", "epistatic", "epistatic_pure", "haplotype"]
"""What a causal variant, or a pair of them, does."""
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
PAIRED: tuple[Architecture, ...] = ("epistatic", "epistatic_pure", "haplotype")
"""Architectures in which causal variants come in pairs."""
CASE, CONTROL = "case", "control"
BACKGROUND = "background"
"""Role of variants with the small effects of the polygenic background."""
_MOST_LINKAGE = 0.5
_PAIRS_TRIED, _HAPLOTYPE_REACH, _LEAST_DEVIATION = 2000, 100, 1e-6


@dataclass(frozen=True)
class TraitModel:
    """How a trait comes about.

    Parameters
    ----------
    architecture
        ``additive``: copies of an allele. ``dominant``: one copy of the minor allele or two. ``recessive``: two copies.
        ``epistatic``: carriers of the minor alleles of both variants of a pair. ``epistatic_pure``: the product of both dosages,
        without anything that either genotype tells alone. ``haplotype``: minor alleles of both variants of a pair on the same
        strand, 0, 1 or 2 times; needs phased genotypes.
    num_causal
        Number of causal variants; even where they come in pairs. Without effect where ``causal`` names them.
    causal
        Ids of the causal variants, pair by pair.
    heritability
        Share of the variance (on the scale of the liability) that the causal variants explain.
    polygenic
        Further share that small additive effects of all other variants explain.
    population
        Further share by which populations differ for other reasons than their genes (column ``population``).
    covariates
        Further share that age and sex explain, half each.
    prevalence
        Share of cases, those of highest liability; 0 for a quantitative trait.
    min_frequency
        Least share of people who differ from the others at a causal variant: of minor alleles, or of carriers and of those with
        two copies where it is these that matter.
    """

    architecture: Architecture = "additive"
    num_causal: int = 5
    causal: tuple[str, ...] = ()
    heritability: float = 0.3
    polygenic: float = 0.0
    population: float = 0.0
    covariates: float = 0.0
    prevalence: float = 0.0
    min_frequency: float = 0.01

    @property
    def noise(self) -> float:
        """Share of the variance that nothing explains."""
        return 1 - self.heritability - self.polygenic - self.population - self.covariates


@dataclass(frozen=True)
class SimulatedTrait:
    """A trait with its truth.

    Parameters
    ----------
    table
        By sample id: ``trait`` (a number, or ``case`` and ``control``), and where covariates matter ``age`` and ``sex``.
    truth
        One row for each variant with an effect: ``variant_id``, ``chromosome``, ``position_bp``, ``counted_allele``,
        ``other_allele``, ``role`` (the architecture, or ``background``), ``partner`` (the other variant of a pair, or empty) and
        ``effect``: the change of the liability, whose variance is 1, for one standard deviation of what the variant, or the pair,
        does. Causal variants first.
    liability
        float64 (samples,): the quantitative trait, or what the threshold of a case is put to; mean 0, variance 1.
    genetic
        float64 (samples,): the part of it that the causal variants make up.
    """

    table: pd.DataFrame
    truth: pd.DataFrame
    liability: np.ndarray
    genetic: np.ndarray

    @property
    def causal(self) -> list[str]:
        """Ids of the causal variants."""
        return list(self.truth.loc[self.truth["role"] != BACKGROUND, "variant_id"])


def simulate_trait(samples: Samples, model: TraitModel, seed: int = 0) -> SimulatedTrait:
    r"""Draw a trait of these people.

    The liability is a sum of parts, each with mean 0 and with exactly its share of the variance in these people:

    .. math:: l = \sqrt{h^2}\, g + \sqrt{h_b^2}\, b + \sqrt{c_p}\, p + \sqrt{c_c}\, (a + s) + e

    What nothing explains, :math:`e`, is uncorrelated with the other parts, and has the variance that makes that of the liability 1,
    whether or not the other parts happen to be correlated; so the heritability is in these people what was asked for.

    Causal variants, or pairs of them, have effects of the same magnitude and random sign, with r² of at most 0.5 between them.

    Parameters
    ----------
    samples
        Genotypes; a missing call has the effect of the mean.
    model
        How the trait comes about.
    seed
        Everything is a function of it.

    Raises
    ------
    DataError
        When shares are not possible, a causal variant is not there, or too few variants can be causal.
    """
    _check_model(model, samples)
    effects = _CausalPart(samples, model, seed)
    parts = {
        "heritability": effects.total,
        "polygenic": np.zeros(samples.num_samples),
        "population": _population_part(samples, model, seed),
        "covariates": np.zeros(samples.num_samples),
    }
    covariates = pd.DataFrame(index=samples.table.index)
    if model.covariates:
        covariates, parts["covariates"] = _covariates(samples, seed)
    truth = effects.truth
    if model.polygenic:
        background, parts["polygenic"] = _background(samples, truth["variant_id"], model, seed)
        truth = pd.concat([truth, background], ignore_index=True)
    scaled = {name: np.sqrt(getattr(model, name)) * _standardized(part) for name, part in parts.items()}
    explained = np.sum(list(scaled.values()), axis=0)
    liability = explained + _noise(explained, seed)
    trait = _cases(liability, model.prevalence) if model.prevalence else liability
    table = pd.concat([pd.DataFrame({"trait": trait}, index=samples.table.index), covariates], axis=1)
    return SimulatedTrait(table, truth, liability, scaled["heritability"])


def _check_model(model: TraitModel, samples: Samples) -> None:
    if model.architecture not in ARCHITECTURES:
        raise DataError(
            f"'{model.architecture}' is not an architecture of traits", remedy=suggestion(model.architecture, ARCHITECTURES)
        )
    shares = {name: getattr(model, name) for name in ("heritability", "polygenic", "population", "covariates")}
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise DataError(f"{share} is not a share of the variance", where=name, remedy="choose a number from 0 to 1")
    if model.noise < -1e-9:
        raise DataError(f"the shares of the variance sum to {1 - model.noise:.3g}", remedy="let them sum to 1 at most")
    if not 0 <= model.prevalence < 1:
        raise DataError(f"a prevalence of {model.prevalence} is not possible", remedy="choose one above 0 and below 1")
    if model.prevalence and not 0 < _num_cases(samples.num_samples, model.prevalence) < samples.num_samples:
        raise DataError(
            f"a prevalence of {model.prevalence} makes all or none of {samples.num_samples} people cases",
            remedy="ask for more people, or another prevalence",
        )
    if samples.value_kind != "dosage":
        raise DataError("traits are simulated for genotypes alone", where=samples.origin)
    if model.architecture == "haplotype" and samples.first_strand is None:
        raise DataError("effects of haplotypes need phased genotypes", where=samples.origin, remedy="choose another architecture")
    if model.population and samples.table.get("population", pd.Series(dtype=object)).nunique() < 2:
        raise DataError("populations cannot differ where there is one", where="population", remedy="simulate several")


class _CausalPart:
    """What the causal variants do: ``total`` (samples,), not scaled yet, and the ``truth`` about them."""

    def __init__(self, samples: Samples, model: TraitModel, seed: int) -> None:
        self._samples, self._model = samples, model
        self._values = Calls.of(samples.values)
        self._draws = generator(seed, "trait", "causal", model.architecture)
        self._before = np.zeros((samples.num_samples, 0))  # standardized dosages of the causal variants that are drawn already
        units, codes = self._named() if model.causal else self._chosen()
        signs = self._draws.choice([-1.0, 1.0], size=len(units))
        total = np.sum([sign * _standardized(code) for sign, code in zip(signs, codes, strict=True)], axis=0)
        self.total = total + np.zeros(samples.num_samples)  # also where there are none
        # all parts have one magnitude; together they make up the heritability
        effect = np.sqrt(model.heritability) / max(float(total.std()), 1e-12)
        self.truth = _truth(
            samples,
            np.concatenate(units) if units else np.zeros(0, dtype=int),
            model.architecture,
            [samples.features.index[unit[1 - place]] if len(unit) == 2 else "" for unit in units for place in range(len(unit))],
            np.repeat(signs * effect, [len(unit) for unit in units]),
        )

    @property
    def _unit_size(self) -> int:
        return 2 if self._model.architecture in PAIRED else 1

    def _named(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        names = self._samples.features.index
        for name in self._model.causal:
            if name not in names:
                raise DataError(f"there is no variant '{name}'", where="causal", remedy=suggestion(name, names, "there"))
        self._check_pairs(len(self._model.causal))
        units = list(names.get_indexer(list(self._model.causal)).reshape(-1, self._unit_size))
        codes = [self._code(unit) for unit in units]
        for unit, code in zip(units, codes, strict=True):
            if code.std() < 1e-9:
                raise DataError(
                    f"everybody is the same at '{' and '.join(names[unit])}'", where="causal", remedy="choose other variants"
                )
        return units, codes

    def _chosen(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return variants, or pairs, that are drawn one by one, with what they do; unfit ones are drawn again."""
        wanted = self._model.num_causal if self._model.heritability else 0
        self._check_pairs(wanted)
        units: list[np.ndarray] = []
        codes: list[np.ndarray] = []
        for _ in range(_PAIRS_TRIED if wanted else 0):
            unit = self._candidate()
            code = self._code(unit)
            if self._is_fit(unit, code):
                units.append(unit)
                codes.append(code)
            if len(units) * self._unit_size == wanted:
                return units, codes
        if wanted:
            raise DataError(
                f"{wanted} variants that could be causal were not found",
                remedy="ask for fewer, for a lower least frequency, or simulate more people",
            )
        return units, codes

    def _check_pairs(self, count: int) -> None:
        if count % self._unit_size or (count == 0 and self._model.heritability):
            raise DataError(
                f"{count} causal variants do not make up a trait of this kind",
                where=self._model.architecture,
                remedy="ask for an even number above 0" if self._unit_size == 2 else "ask for at least 1",
            )

    def _candidate(self) -> np.ndarray:
        """Return a random variant or pair; that of a haplotype is near together, lest both strands are all combinations of four."""
        count = self._samples.num_features
        if self._model.architecture != "haplotype":
            return self._draws.choice(count, size=min(self._unit_size, count), replace=False)
        first = int(self._draws.integers(count))
        low, high = max(first - _HAPLOTYPE_REACH, 0), min(first + _HAPLOTYPE_REACH, count - 1)
        return np.array([first, int(self._draws.integers(low, high + 1))])

    def _is_fit(self, unit: np.ndarray, code: np.ndarray) -> bool:
        """Whether enough people differ, and no two causal variants stand for each other."""
        if len(set(unit)) < self._unit_size or not self._is_common(unit, code):
            return False
        own = _filled(self._values.columns(unit).toarray())
        own = (own - own.mean(axis=0)) / own.std(axis=0)
        before = np.concatenate([self._before, own[:, 1:]], axis=1)  # the partner stands for another one, too
        linked = max(np.square(own.T @ self._before).max(initial=0.0), np.square(own[:, 0] @ before).max(initial=0.0))
        if linked > _MOST_LINKAGE * len(own) ** 2:
            return False
        self._before = np.concatenate([self._before, own], axis=1)
        return True

    def _is_common(self, unit: np.ndarray, code: np.ndarray) -> bool:
        least = self._model.min_frequency
        dosages = _minor(_filled(self._values.columns(unit).toarray()))
        if (dosages.mean(axis=0) / 2 < least).any() or min(*dosages.std(axis=0), code.std()) < _LEAST_DEVIATION:
            return False
        if self._model.architecture == "haplotype":
            both = (dosages == 1).all(axis=1)  # only in these does the phase tell anything
            cis = (code[both] > 0).mean() if both.any() else 0.0
            return bool(both.mean() >= least and 0.1 <= cis <= 0.9)
        if self._model.architecture == "epistatic_pure":
            return bool(code.std() > 0.1)
        return self._model.architecture == "additive" or bool(least <= code.mean() <= 1 - least)

    def _code(self, unit: np.ndarray) -> np.ndarray:
        """Return what a variant or a pair does, float64 (samples,)."""
        architecture = self._model.architecture
        values = _filled(self._values.columns(unit).toarray())
        if architecture == "additive":
            return values[:, 0]
        minor = _minor(values)
        if architecture == "dominant":
            return (minor[:, 0] >= 1).astype(np.float64)
        if architecture == "recessive":
            return (minor[:, 0] > 1.5).astype(np.float64)
        if architecture == "epistatic":
            return np.all(minor >= 1, axis=1).astype(np.float64)
        if architecture == "epistatic_pure":
            return _interaction(values)
        return self._on_one_strand(unit)

    def _on_one_strand(self, unit: np.ndarray) -> np.ndarray:
        """Return on how many strands both minor alleles are together; none where a call is missing."""
        strand = self._samples.first_strand
        if strand is None:
            raise ValueError("haplotypes need strands")
        dosages, first = self._values.columns(unit).toarray(), Calls.of(strand).columns(unit).toarray()
        is_major = np.nanmean(dosages, axis=0) > 1
        on_both = [np.where(is_major, 1 - own, own) for own in (first, dosages - first)]
        return np.sum([(own == 1).all(axis=1) for own in on_both], axis=0).astype(np.float64)


def _filled(dosages: np.ndarray) -> np.ndarray:
    """Return float64 dosages with missing calls, which are NaN, at the variant's mean."""
    missing = np.isnan(dosages)
    known = np.where(missing, 0.0, dosages.astype(np.float64))
    return np.where(missing, known.sum(axis=0) / np.maximum((~missing).sum(axis=0), 1), known)


def _minor(values: np.ndarray) -> np.ndarray:
    """Return copies of the rarer allele."""
    return np.where(values.mean(axis=0) > 1, 2 - values, values)


def _interaction(values: np.ndarray) -> np.ndarray:
    """Return the product of two dosages without what the two genotypes tell one by one, however each of them would be coded."""
    centered = values - values.mean(axis=0)
    product = centered.prod(axis=1)
    design = np.column_stack([np.ones(len(values)), *(values == 1).T, *(values == 2).T])
    return product - design @ np.linalg.lstsq(design, product, rcond=None)[0]


def _standardized(part: np.ndarray) -> np.ndarray:
    """Return the part with mean 0 and variance 1; one that does not vary is nothing."""
    deviation = float(part.std())
    return (part - part.mean()) / deviation if deviation > 1e-12 else np.zeros(len(part))


def _noise(explained: np.ndarray, seed: int) -> np.ndarray:
    """Return normal noise that is uncorrelated with what is explained and fills the variance up to 1."""
    drawn = _standardized(generator(seed, "trait", "noise").standard_normal(len(explained)))
    unexplained = drawn - explained * (drawn @ explained) / max(float(explained @ explained), 1e-12)
    return float(np.sqrt(max(1 - float(explained.var()), 0.0))) * _standardized(unexplained)


def _population_part(samples: Samples, model: TraitModel, seed: int) -> np.ndarray:
    if not model.population:
        return np.zeros(samples.num_samples)
    names, codes = np.unique(samples.table["population"].astype(str).to_numpy(), return_inverse=True)
    levels: np.ndarray = generator(seed, "trait", "population").standard_normal(len(names))[codes]
    return levels


def _covariates(samples: Samples, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return age and sex, and what they do together; sex is that of the sample table where it is known."""
    draws = generator(seed, "trait", "covariates")
    age = draws.integers(30, 80, size=samples.num_samples)
    drawn = draws.choice(np.array(["male", "female"], dtype=object), size=samples.num_samples)
    known = samples.table["sex"].to_numpy() if "sex" in samples.table else drawn
    sex = np.where(np.isin(known, ["male", "female"]), known, drawn)
    table = pd.DataFrame({"age": age, "sex": sex}, index=samples.table.index)
    return table, _standardized(age.astype(np.float64)) + _standardized((sex == "male").astype(np.float64))


def _background(samples: Samples, causal: pd.Series, model: TraitModel, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the truth about small normal effects of all other variants that vary, and their sum."""
    columns = np.flatnonzero(~samples.features.index.isin(causal))
    dosages = Calls.of(samples.values)
    weights = generator(seed, "trait", BACKGROUND).standard_normal(len(columns))
    total = np.zeros(samples.num_samples)
    deviations = np.zeros(len(columns))
    for start in range(0, len(columns), 1024):
        part = slice(start, start + 1024)
        values = _filled(dosages.columns(columns[part]).toarray())
        deviations[part] = values.std(axis=0)
        varies = deviations[part] > 1e-9
        total += ((values - values.mean(axis=0))[:, varies] / deviations[part][varies]) @ weights[part][varies]
    varies = deviations > 1e-9
    scale = np.sqrt(model.polygenic) / max(float(total.std()), 1e-12)
    return _truth(samples, columns[varies], BACKGROUND, [""] * int(varies.sum()), weights[varies] * scale), total


def _truth(samples: Samples, columns: np.ndarray, role: str, partners: Sequence[str], effects: np.ndarray) -> pd.DataFrame:
    rows = samples.features.iloc[columns]
    table = rows[[CHROMOSOME, POSITION, COUNTED, OTHER]].reset_index(drop=True)
    table.insert(0, "variant_id", rows.index.to_numpy())
    return table.assign(role=role, partner=np.array(partners, dtype=object), effect=np.asarray(effects, dtype=np.float64))


def _num_cases(samples: int, prevalence: float) -> int:
    return round(samples * prevalence)


def _cases(liability: np.ndarray, prevalence: float) -> np.ndarray:
    """Return ``case`` for the people of highest liability, exactly as many as the prevalence says."""
    order = np.argsort(-liability, kind="stable")
    found = np.full(len(liability), CONTROL, dtype=object)
    found[order[: _num_cases(len(liability), prevalence)]] = CASE
    return found
