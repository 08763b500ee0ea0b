"""A scale-down policy that removes every surplus replica in one step."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.autoscaler import Autoscaler, ScalingPolicy
from gpulint.rules import rule
from gpulint.rules.advice import before_scaling_down
from gpulint.rules.signals import gpu_evidence, named, scaled, scales_gpus

# Between fewer replicas one step is all there is.
_LEAST_RANGE = 3
# A step a minute leaves the rest time to show what it bears.
_QUICK_S = 60


@rule("scale-down-all-at-once")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    low, high = scaler.lowest, scaler.max_replicas
    if low is None or high is None or high.value - low < _LEAST_RANGE or scaler.scale_down.disabled:
        return
    rest = max(low, 1)  # the step to zero is another one
    policies = scaler.scale_down.policies
    policy = next((policy for policy in policies if _takes_all(policy, high.value - rest)), None)
    if policy is None or policy.period_s is None or policy.value is None or not scales_gpus(scaler):
        return
    share = f"{policy.value:g}%" if policy.type == "Percent" else f"{policy.value:g} pods"
    workload = scaler.workload
    yield Finding(
        place=policy.place,
        message=(
            f"{named(scaler)} may take {scaled(scaler)} from {high.value} replicas to {rest} in one step "
            f"({share} in {policy.period_s:g} s). What remains gets all requests and their KV cache at once, and "
            "whatever was taken away too much is back only after the model has loaded again."
        ),
        help=(
            "Take one at a time, policies: [{type: Pods, value: 1, periodSeconds: 120}], and look at "
            f"{before_scaling_down(scaler)} between the steps."
        ),
        evidence=[
            Evidence("minimum", low, scaler.min_replicas.place if scaler.min_replicas is not None else None),
            Evidence("maximum", high.value, high.place),
            *(gpu_evidence(workload) if workload is not None else []),
        ],
    )


def _takes_all(policy: ScalingPolicy, surplus: int) -> bool:
    if policy.value is None or policy.period_s is None or policy.period_s > _QUICK_S:
        return False
    return policy.value >= 100 if policy.type == "Percent" else policy.type == "Pods" and policy.value >= surplus
