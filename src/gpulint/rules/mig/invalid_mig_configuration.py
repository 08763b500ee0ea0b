"""A MIG partition configuration that mig-parted refuses to read."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Finding
from gpulint.model.mig import MigPlan
from gpulint.rules import rule


@rule("invalid-mig-configuration")
def check(plan: MigPlan) -> Iterator[Finding]:
    for error in plan.schema_errors:
        said = error.message[0].upper() + error.message[1:]
        yield Finding(
            place=error.place,
            message=f"{said.rstrip('.')}. mig-parted does not read {plan.ref} as it stands: no node gets any of its "
            "layouts, and those that ask for one report mig.config.state=failed.",
            help="An entry has `devices` (all, or a list of indices), `mig-enabled` (true or false) and, where it is "
            "true, `mig-devices` with a count for each profile. `nvidia-mig-parted assert --valid-config -f FILE -c "
            "NAME` checks a file without touching a GPU.",
        )
