"""A disruption budget that selects no pods."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.signals import serves


@rule("disruption-budget-without-selector")
def check(project: Project) -> Iterator[Finding]:
    for budget in project.disruption_budgets:
        limit = budget.max_unavailable or budget.min_available
        if budget.selector is not None or budget.ref.name is None or limit is None:
            continue
        near = [w for w in project.workloads if serves(w) and project.is_near(budget.place, w.place, 0)]
        near.sort(key=lambda workload: workload.place.source.path != budget.place.source.path)
        if near:
            yield Finding(
                place=budget.place,
                message=(
                    f"{budget.ref} has no selector, so it protects no pods. A node drain may evict every replica of "
                    f"{near[0].ref} at once, and each takes minutes to load the model again."
                ),
                help="Add spec.selector.matchLabels with the labels of the pods.",
                evidence=[
                    Evidence("limit", limit.value, limit.place),
                    Evidence("beside it", str(near[0].ref), near[0].place),
                ],
                ref=budget.ref,
            )
