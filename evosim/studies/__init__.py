"""Parameter studies: many runs of one scenario over a design of parameter values."""
