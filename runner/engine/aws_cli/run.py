"""One run of `aws` from its start to its end, watched from the pass thread (skeleton: see below)."""
