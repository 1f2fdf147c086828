"""Compiled kernels: arrays in, caller-owned arrays out; nothing else."""
