"""Nodes with different slices under the strategy that wants them all alike."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.mig_words import Entry, chosen_configs, entries_of, strategies


@rule("mixed-layout-under-single-strategy")
def check(project: Project) -> Iterator[Finding]:
    written = strategies(project)
    if len({strategy.value for strategy in written}) != 1 or written[0].value != "single":
        return
    for choice in chosen_configs(project):
        entries = entries_of(project, choice.value)
        why = _unlike(entries) if entries is not None else None
        if why is None:
            continue
        yield Finding(
            place=choice.place,
            message=f"The MIG configuration {choice.value} gives a node {why}, and the MIG strategy is single, which "
            "wants the same slices on every GPU. The node then gets the product label MIG-INVALID and offers no GPU at "
            "all.",
            help="Set the strategy mixed (each profile is a resource of its own then, nvidia.com/mig-<profile>), or "
            "choose a configuration with one profile on all GPUs, such as all-1g.10gb.",
            evidence=[Evidence("MIG strategy", written[0].value, written[0].place)],
        )


def _unlike(entries: list[Entry]) -> str | None:
    """What makes the GPUs of a node differ, where one kind of board gets several entries or profiles; else None."""
    for filtered in dict.fromkeys(entry.device_filter for entry in entries):
        same = [entry for entry in entries if entry.device_filter == filtered]
        profiles = sorted({profile for entry in same for profile in entry.profiles})
        if len(profiles) > 1:
            return f"slices of different sizes ({', '.join(profiles)})"
        if profiles and any(not entry.enabled for entry in same):
            return "some GPUs with MIG and some without"
    return None
