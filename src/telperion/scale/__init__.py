"""Whole catalogues in batch: HATS, partition by partition, here or on a Dask cluster (docs/scale.md)."""
