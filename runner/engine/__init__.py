"""One pass: what to do, brakes before the first change, the report."""
