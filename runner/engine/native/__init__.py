"""The runner's own reconciler: observe (scan, listing, memory), decide (pure), act (each step on condition)."""
