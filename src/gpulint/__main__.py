"""`python -m gpulint`."""

from gpulint.cli import main

main(prog_name="gpulint")
