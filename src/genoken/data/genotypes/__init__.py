"""What is computed of genotypes before any model: quality, orientation of alleles, linkage, relatedness, blocks. No torch."""
