"""Benchmarks: what a bar costs, next to an empty Python call measured in the same run."""
