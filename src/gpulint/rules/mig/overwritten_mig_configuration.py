"""A ConfigMap of MIG configurations that a later one of the same name replaces."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.mig import MigPlan
from gpulint.model.project import Project
from gpulint.rules import rule


@rule("overwritten-mig-configuration")
def check(project: Project) -> Iterator[Finding]:
    seen: dict[tuple[str, str | None, str], MigPlan] = {}
    for plan in project.mig_plans:
        ref = plan.ref
        if ref.kind != "ConfigMap" or ref.name is None:
            continue
        key = (plan.place.source.path, ref.namespace, ref.name)
        earlier, seen[key] = seen.get(key), plan
        if earlier is None or earlier.ref is ref:
            continue
        kept = {layout.config for layout in plan.layouts}
        lost = [name for name in dict.fromkeys(layout.config for layout in earlier.layouts) if name not in kept]
        if not lost:
            continue
        yield Finding(
            place=plan.name_place or plan.place,
            message=f"This ConfigMap {ref.name} replaces the one before of the same name, and with it goes the MIG "
            f"configuration {' and '.join(lost[:3])}. A node whose label nvidia.com/mig.config names it reports "
            "mig.config.state=failed, now or when it is started the next time.",
            help="Write all configurations into one ConfigMap, or give the second another name and the MIG manager "
            "the one that it is to read.",
            evidence=[Evidence("replaced", ref.name, earlier.name_place or earlier.place)],
            # A script may well mean it, and give the nodes another configuration in between.
            level=None if plan.place.source.path.endswith((".yaml", ".yml", ".json")) else "info",
            ref=ref,
        )
