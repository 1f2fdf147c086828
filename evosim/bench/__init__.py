"""Side-by-side measurement of evosim against other programs on one workload."""
