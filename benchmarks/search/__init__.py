"""autoft beside its peers on the same data, minutes and cores: `python -m search` with `benchmarks` on the import path."""
