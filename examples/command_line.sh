# The whole path on the command line. First: python examples/make_cells.py
genoken check runs/cells.h5ad --label cell_type --group donor_id
genoken train runs/cells.h5ad --config examples/config.yaml --seed 3 --overwrite -o runs/first
genoken train runs/cells.h5ad --config examples/config.yaml --seed 3 --encoder mlp --overwrite -o runs/second
genoken compare runs/first runs/second
genoken evaluate runs/first runs/other.h5ad
genoken predict runs/first runs/other.h5ad -o runs/predicted.csv --batch-size 64
genoken embed runs/first --genes -o runs/gene_vectors.tsv
genoken explain runs/first runs/other.h5ad --method ensemble --by class --top 20 -o runs/top_genes.tsv
genoken report runs/first
genoken devices
genoken pretrain runs/cells.h5ad --preset phenotype_mlm --phenotypes cell_type --group donor_id --width 32 --epochs 2 --overwrite -o runs/hidden
genoken train runs/cells.h5ad --label cell_type --group donor_id --from runs/hidden --epochs 2 --overwrite -o runs/tuned
genoken embed runs/hidden runs/other.h5ad -o runs/states.h5ad
genoken predict runs/hidden runs/other.h5ad -o runs/phenotypes.tsv
