"""Benchmarks: what a bar costs, next to an empty Python call, to batch floors and to other engines.

``python -m benchmarks.run --help`` says what is measured and how.
"""
