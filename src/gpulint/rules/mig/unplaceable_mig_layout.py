"""A set of MIG instances that does not fit one GPU."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.hardware.mig import Unplaceable, parse_profile, place
from gpulint.model.mig import MigLayout
from gpulint.rules import rule
from gpulint.rules.mig_words import names_of, target


@rule("unplaceable-mig-layout")
def check(layout: MigLayout) -> Iterator[Finding]:
    meant = target(layout)
    counts: dict[str, int] = {}
    for entry in layout.profiles:
        if entry.count.value < 0:
            return
        parsed = parse_profile(entry.profile.value)
        if parsed is None or parsed.compute_instance_slices is not None:
            return  # compute instances share GPU instances in ways that the counts do not show
        if entry.count.value:
            counts[entry.profile.value] = counts.get(entry.profile.value, 0) + entry.count.value
    if meant is None or not counts:
        return
    asked = " + ".join(f"{count} × {profile}" for profile, count in counts.items())
    evidence = [Evidence(e.profile.value, e.count.value, e.count.place) for e in layout.profiles]
    evidence += [Evidence("device-filter", f.value, f.place) for f in layout.device_filter]
    having = [family for family in meant.families if all(family.profile(name) for name in counts)]
    ends = "mig-parted cannot apply it: the node keeps its old layout and reports mig.config.state=failed."
    if not having:
        if meant.named or not all(any(family.profile(name) for family in meant.families) for name in counts):
            return  # a profile that is not there at all: see unknown-mig-profile
        homes = "; ".join(f"{name} is on {names_of(f for f in meant.families if f.profile(name))}" for name in counts)
        yield Finding(
            place=layout.place,
            message=f"No GPU has all the MIG profiles of configuration {layout.config}: {asked}. {ends}",
            help=f"{homes}. Give each GPU model an entry of its own, with a device-filter.",
            evidence=evidence,
        )
        return
    refusals = {family.name: refusal for family in having if isinstance(refusal := place(family, counts), Unplaceable)}
    if len(refusals) < len(having) and not (meant.named and refusals):
        return
    name, refusal = next(iter(refusals.items()))
    some = "" if len(refusals) == len(having) else " on one of the GPUs that its device-filter selects"
    on = name if len(refusals) == 1 else " or ".join(refusals)
    reason = refusal.reason.split("; ")[0]  # the first of several says enough
    if reason.startswith("needs "):
        reason = "it " + reason.replace(", ", ", but ", 1)
    yield Finding(
        place=layout.place,
        message=f"Configuration {layout.config} does not fit one {on}{some}: {reason}. It asks for {asked} on "
        f"each GPU. {ends}",
        help="Lower the counts, or give the GPUs different layouts by their `devices` lists: counts are for each GPU, "
        "not for the node. `nvidia-smi mig -lgipp` lists where an instance of each profile may start.",
        evidence=evidence,
    )
