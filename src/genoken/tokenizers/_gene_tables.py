"""Tables of genes that users bring along: token dictionaries, medians, bin edges; from JSON, TSV or Parquet, never from pickles."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genoken.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

ID_COLUMNS = ("ensembl_id", "feature_id", "gene_id", "gene")
"""Names of the column that holds gene ids, in order of preference; the first column where there is none of them."""
# Numbers are all that these pickles hold besides strings: anything else that one asks for is refused, so nothing in it can run.
_CONVERT = (
    "python -c \"import json, pickle, sys; U = type('U', (pickle.Unpickler,), {'find_class': lambda s, m, n: "
    "getattr(__import__(m, fromlist=[n]), n) if m[:5] == 'numpy' and n in ('dtype', 'scalar') else sys.exit('refused: ' + n)}); "
    "json.dump(U(open('%s', 'rb')).load(), open('%s', 'w'))\""
)


@dataclass(frozen=True)
class GeneTable:
    """One number of each gene.

    Parameters
    ----------
    ids
        Gene ids.
    values
        The number of each.
    symbols
        Readable name of each; empty where the file has none.
    """

    ids: tuple[str, ...]
    values: tuple[float, ...]
    symbols: tuple[str, ...] = ()


def read_vocabulary(path: str) -> GeneTable:
    """Read a token dictionary: JSON ``{gene: token id}``, or a table with a column ``token_id``.

    The JSON of a ``geneformer.vocab``, ``{"vocab": {gene: token id}, "gene_to_ens": {symbol: gene}}``, is one too. Genes come in
    the order of their token ids; special tokens are left out.

    Raises
    ------
    DataError
        When the file cannot be read, or names no gene.
    """
    table = _numbers_of_genes(path, "token")
    order = sorted(range(len(table.ids)), key=lambda place: table.values[place])
    symbols = tuple(table.symbols[place] for place in order) if table.symbols else ()
    return GeneTable(tuple(table.ids[place] for place in order), tuple(table.values[place] for place in order), symbols)


def read_medians(path: str) -> GeneTable:
    """Read medians: JSON ``{gene: median}``, or a table with one column whose name holds ``median``.

    Raises
    ------
    DataError
        When the file cannot be read, or a median is not above zero.
    """
    table = _numbers_of_genes(path, "median")
    wrong = [(gene, value) for gene, value in zip(table.ids, table.values, strict=True) if not 0 < value < math.inf]
    if wrong:
        raise DataError(
            f"{len(wrong):,} medians are not above zero and finite, the first that of {wrong[0][0]} ({wrong[0][1]:g})",
            where=path,
            remedy="leave such genes out of the file",
        )
    return table


def read_edges(path: str) -> dict[str, tuple[float, ...]]:
    """Read bin edges: JSON ``{gene: [edges]}``, or a table whose columns after the gene id are edges, empty where a gene has fewer.

    Raises
    ------
    DataError
        When the file cannot be read or holds no edge.
    ConfigError
        When a gene's edges are not increasing, or not above zero.
    """
    content = _read(path)
    found: dict[str, tuple[float, ...]] = {}
    if isinstance(content, dict):
        for gene, listed in content.items():
            if not isinstance(listed, list):
                raise DataError(f"the edges of {gene} are not a list", where=path, remedy='write {"gene": [0.1, 1.0]}')
            found[gene] = tuple(_number(value, gene, path) for value in listed)
    else:
        values = content.drop(columns=[name for name in ("symbol", _id_column(content)) if name in content])
        for gene, row in zip(_ids(content), values.itertuples(index=False), strict=True):
            edges = tuple(_number(value, gene, path) for value in row)
            found[gene] = tuple(edge for edge in edges if not math.isnan(edge))
    for gene, edges in found.items():
        check_edges(edges, f"{path}: {gene}")
    if not found:
        raise DataError("the file holds no edge", where=path)
    return found


def check_edges(edges: tuple[float, ...], where: str) -> None:
    """Refuse bin edges that are not above zero and increasing.

    Raises
    ------
    ConfigError
        With the edges.
    """
    shown = ", ".join(f"{edge:g}" for edge in edges)
    if not edges:
        raise ConfigError("there is no bin edge", where=where, remedy="give at least one, for example 0.1")
    if not all(math.isfinite(edge) and edge > 0 for edge in edges):
        raise ConfigError(
            f"bin edges must be above zero and finite, not {shown}", where=where, remedy="zeros stay in bin 0, which is no token"
        )
    if any(low >= high for low, high in itertools.pairwise(edges)):
        raise ConfigError(f"bin edges must increase, not {shown}", where=where, remedy="sort them and leave out repeated ones")


def _read(path: str) -> dict[str, Any] | pd.DataFrame:
    import pandas as pd

    name = Path(path).name.lower()
    if name.endswith((".pkl", ".pickle")):
        target = str(Path(path).with_suffix(".json"))
        raise DataError(
            "a pickle can run code when it is opened, so it is not read",
            where=path,
            remedy="this turns it into JSON and runs nothing: " + _CONVERT % (path, target),
        )
    try:
        if name.endswith((".json", ".vocab")):
            return _json_object(path)
        if name.endswith(".parquet"):
            return pd.read_parquet(path)
        if name.endswith((".tsv", ".tsv.gz", ".txt")):
            return pd.read_csv(path, sep="\t", dtype=dict.fromkeys((*ID_COLUMNS, "symbol"), str))
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"cannot read the file ({' '.join(str(error).split())})", where=path) from error
    raise DataError("this is no table of genes", where=path, remedy="use .json, .tsv, .tsv.gz or .parquet")


def _json_object(path: str) -> dict[str, Any]:
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise DataError("the JSON is no object", where=path, remedy='write {"gene": value, ...}')
    return content


def _id_column(table: pd.DataFrame) -> str:
    return next((name for name in ID_COLUMNS if name in table), str(table.columns[0]))


def _ids(table: pd.DataFrame) -> list[str]:
    return table[_id_column(table)].astype(str).tolist()


def _numbers_of_genes(path: str, word: str) -> GeneTable:
    """Read one number per gene, from JSON or from the one column whose name holds a word; rows without one are left out."""
    content = _read(path)
    if isinstance(content, dict):
        symbols_of = _inverted(content.get("gene_to_ens"))
        numbers = content["vocab"] if isinstance(content.get("vocab"), dict) else content
        rows = [(gene, value, symbols_of.get(gene, "")) for gene, value in numbers.items()]
    else:
        names = [str(name) for name in content.columns if word in str(name).lower()]
        if len(names) != 1:
            listed = ", ".join(map(str, content.columns))
            raise DataError(
                f"one column with '{word}' in its name is needed, found {len(names)}",
                where=path,
                remedy=f"its columns: {listed}",
            )
        symbols = content["symbol"].fillna("") if "symbol" in content else [""] * len(content)
        rows = list(zip(_ids(content), content[names[0]].tolist(), symbols, strict=True))
    rows = [(gene, _number(value, gene, path), symbol) for gene, value, symbol in rows if not gene.startswith(("<", "["))]
    rows = [row for row in rows if not math.isnan(row[1])]
    if not rows:
        raise DataError("the file names no gene", where=path)
    ids, values, named = zip(*rows, strict=True)
    return GeneTable(ids, values, named if any(named) else ())


def _inverted(ids_of_symbols: Any) -> dict[str, str]:
    """Return the symbol of each id, the first one of several; none where it is no mapping."""
    if not isinstance(ids_of_symbols, dict):
        return {}
    return {str(gene): symbol for symbol, gene in reversed(ids_of_symbols.items())}


def _number(value: Any, gene: str, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"the value of {gene} is not a number ({value!r})", where=path)
    return float(value)
