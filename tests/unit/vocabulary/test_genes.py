"""What feature ids are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.vocabulary.genes import Identifiers, identify, normalize

ENSEMBL = ["ENSG00000141510", "ENSG00000012048", "ENSG00000139618"]


@pytest.mark.parametrize(
    ("ids", "kind", "species"),
    [
        (ENSEMBL, "ensembl", "human"),
        (["ENSMUSG00000059552", "ENSMUSG00000017146"], "ensembl", "mouse"),
        (["ENSRNOG00000010756"], "ensembl", "rat"),
        (["ENSSSCG00000017950"], "ensembl", "pig"),
        (["ENSDARG00000035559"], "ensembl", "zebrafish"),
        (["ENSXYZG00000035559"], "ensembl", "unknown"),
        (["WBGene00000467", "WBGene00003079"], "ensembl", "worm"),
        (["FBgn0039044", "FBgn0000490"], "ensembl", "fly"),
        (["TP53", "BRCA1", "MT-CO1", "C1orf112", "HLA-DRB1", "AC012345.1"], "symbol", "human"),
        (["Trp53", "Brca1", "mt-Co1", "4933402J10Rik", "Gm1992", "H2-Ab1"], "symbol", "mouse"),
        (["Tp53", "Brca1", "Mt-co1", "RGD1306001"], "symbol", "rat"),
        (["tp53", "sox2", "si:dkey-1a1.1", "mt-co1", "hbbe1.1"], "symbol", "zebrafish"),
        (["hlh-16", "ins-2", "unc-119", "lin-4"], "symbol", "worm"),
        (["CG12345", "CG1234", "Act5C", "Adh", "bcd"], "symbol", "fly"),
        (["7157", "672", "675"], "entrez", "unknown"),
        (["gene_1", "gene_2", "gene_3"], "unknown", "unknown"),
        (["1007_s_at", "1053_at", "117_at"], "unknown", "unknown"),
        (["AAACATACAACCAC-1", "AAACATTGAGCTAC-1"], "unknown", "unknown"),
        (["", ""], "unknown", "unknown"),
        ([], "unknown", "unknown"),
    ],
)
def test_types_and_species_are_recognized(ids, kind, species):
    found = identify(ids)
    assert (found.type, found.species, found.versions) == (kind, species, False)


def test_a_few_foreign_ids_do_not_change_the_type():
    assert identify([*ENSEMBL * 4, "ERCC-00002"]).type == "ensembl"
    assert identify([*ENSEMBL, "TP53", "BRCA1"]).type != "ensembl"


def test_two_genomes_are_both_named():
    assert identify([*ENSEMBL, "ENSMUSG00000059552"]).species == "human and mouse"


def test_versions_and_duplicates_are_counted():
    ids = ["ENSG00000141510.18", "ENSG00000012048.23", "ENSG00000141510.18", "ENSG00000141510.18"]
    assert identify(ids) == Identifiers("ensembl", "human", versions=True, duplicates=2)


def test_versions_go_from_ensembl_ids_alone():
    given_ids = [
        "ENSG00000141510.18",
        "ENSG00000141510",
        "AC012345.1",
        "ENSMUST00000000001.4",
        "ENSG00000182378.14_PAR_Y",
        "WBGene00000467",
    ]
    expected = ["ENSG00000141510", "ENSG00000141510", "AC012345.1", "ENSMUST00000000001", "ENSG00000182378_PAR_Y", "WBGene00000467"]
    assert normalize(given_ids) == expected


@given(st.lists(st.one_of(st.text(max_size=12), st.from_regex(r"ENS(MUS)?G\d{11}(\.\d{1,2})?(_PAR_Y)?", fullmatch=True))))
def test_normalizing_twice_changes_nothing_more(ids):
    once = normalize(ids)
    assert normalize(once) == once
    assert len(once) == len(ids)
    assert identify(once).versions is False
