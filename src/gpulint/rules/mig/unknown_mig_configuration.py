"""A node that is told to take a MIG configuration which does not exist."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.hardware.mig import default_mig_configs
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.mig_words import chosen_configs


@rule("unknown-mig-configuration")
def check(project: Project) -> Iterator[Finding]:
    own = {layout.config: layout for plan in project.mig_plans for layout in plan.layouts}
    for choice in chosen_configs(project):
        # The shipped configurations hold where the manager is given none of its own.
        if choice.value in own or choice.value in default_mig_configs() or not own:
            continue
        from difflib import get_close_matches

        close = get_close_matches(choice.value, [*own, *sorted(default_mig_configs())], n=1, cutoff=0.8)
        known = ", ".join(sorted(own)[:6])
        yield Finding(
            place=choice.place,
            message=f"No MIG configuration is called {choice.value}; there are {known}. The MIG manager sets "
            "nvidia.com/mig.config.state=failed and leaves the node's GPUs as they were.",
            help=f"Write {close[0]}, if that was meant."
            if close
            else "Add it to the ConfigMap of the MIG manager, or name one that is there.",
            evidence=[Evidence("configuration", name, layout.place) for name, layout in sorted(own.items())[:1]],
        )
