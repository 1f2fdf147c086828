"""Compiled kernels: arrays in, caller-owned arrays out; they know nothing of scenarios."""
