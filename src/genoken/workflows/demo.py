"""The demo: train on real cells that come with scanpy."""

from __future__ import annotations

from pathlib import Path

from genoken.core.files import atomic_path
from genoken.workflows.run import Run
from genoken.workflows.show import Show
from genoken.workflows.train import train

LABEL = "bulk_labels"


def demo(output: str | Path = "runs/demo", *, overwrite: bool = True, show: Show | None = None) -> Run:
    """Train the default model on 700 blood cells of 10 types and write a report; needs no network and no GPU.

    The cells are scanpy's ``pbmc68k_reduced`` (Zheng et al., 2017, doi:10.1038/ncomms14049).

    They are written to a file beside the run folder first, so that every other command can be tried on it.

    Parameters
    ----------
    output
        Run folder; the cells go to a file of its name, ``runs/demo.h5ad``.
    overwrite
        Replace the run that is there.
    show
        Where sentences, tables and progress bars go; by default nowhere.
    """
    import scanpy

    show = show or Show(quiet=True)
    show.line("Demo: 700 blood cells of 10 types that come with scanpy. Can a transformer over genes tell the types apart?")
    cells = Path(output).with_suffix(".h5ad")
    with atomic_path(cells) as temporary:
        scanpy.datasets.pbmc68k_reduced().write_h5ad(temporary)
    show.line(f"The cells are in {cells}.")
    return train(cells, label=LABEL, output=output, overwrite=overwrite, show=show)
