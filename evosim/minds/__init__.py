"""From what a scenario says of a mind to the numbers and arrays that kernels read."""
