"""Measurements: `make bench` prints the figures of docs/benchmarks.md from one run; `make soak` kills at random."""
