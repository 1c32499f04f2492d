"""Which variants of simulated people a network uses, beside regressions, fine-mapping, and those that really act."""

import genoken
from genoken.core.genotypes import dense_dosages
from genoken.synthetic_genotypes import simulate_genotypes
from genoken.synthetic_traits import TraitModel, simulate_trait

people = simulate_genotypes(samples=400, variants=120, chromosomes=2)
trait = simulate_trait(people, TraitModel(num_causal=2, heritability=0.5))
cohort = genoken.genotypes(dense_dosages(people.values), labels=trait.table["trait"], variants=people.features)
settings = {"training.epochs": 25, "training.batch_size": 100, "data.principal_components": 2}
run = genoken.train(cohort, label="label", preset="single_effect", settings=settings, output="runs/genotypes", overwrite=True)
table = run.variants(null=0, components=2).sort_values("rank")
table["acts"] = table["id"].isin(trait.causal)
print(run.verdict, table[["id", "pos", "ensemble", "glm_p", "pip", "acts"]].head(), sep="\n")
