"""gpulint: a linter for the configuration of GPU inference clusters."""

__version__ = "0.1.0"
