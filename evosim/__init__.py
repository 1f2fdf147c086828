"""evosim: populations of tiny agents under genetic selection."""

__version__ = "0.1.0"
