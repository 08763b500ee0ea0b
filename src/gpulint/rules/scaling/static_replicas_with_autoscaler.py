"""A number of replicas in the manifest of what an autoscaler scales."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix, Level
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.values import Sourced
from gpulint.model.workload import Workload
from gpulint.rules import rule
from gpulint.rules.signals import named, serves
from gpulint.source.edits import RemoveEntry

# Its webhook takes replicas or scaling, not both.
# Source: kserve/kserve@aaac4e2 pkg/apis/serving/v1alpha2/llm_inference_service_validation.go, ValidateWorkloadScaling.
_EITHER = "LLMInferenceService"

# Helm compares the chart before and after alone for kinds that it does not know: what it did not change it leaves.
# Source: helm/helm pkg/kube/client.go, createPatch.
_MERGED_BY_HELM = frozenset({"Deployment", "StatefulSet", "ReplicaSet"})


@rule("static-replicas-with-autoscaler")
def check(workload: Workload) -> Iterator[Finding]:
    replicas = workload.replicas
    if replicas is None or replicas.value == 0 or not serves(workload):
        return  # none at all is a workload that is switched off
    for scaler in workload.autoscalers:
        if workload.ref.kind == _EITHER and scaler.ref is workload.ref:
            yield _refused(workload, replicas, scaler)
            return
        # What stands in one object is the operator's to reconcile.
        if (
            scaler.ref is workload.ref
            or str(scaler.ref) == str(workload.ref)
            or not scaler.complete
            or not scaler.actuates
        ):
            continue
        low, high = scaler.lowest, scaler.max_replicas
        if high is not None and replicas.value >= high.value:
            continue  # nothing is stopped: the manifest writes the most there may be
        if workload.ref.kind not in _MERGED_BY_HELM and any(pod.of_chart for pod in workload.pods):
            continue
        level: Level | None = None
        if low is not None and replicas.value <= max(low, 1):
            level = "info"  # the usual start of a workload; what is lost is the same
        up_to = f", which scales it up to {high.value}" if high is not None else ""
        yield Finding(
            place=replicas.place,
            message=(
                f"{workload.ref} sets replicas: {replicas.value} beside {named(scaler)}{up_to}. Each time the manifest "
                f"is applied it goes back to {replicas.value}, under whatever load: GPU replicas that had loaded the "
                "model are stopped, and started again when the autoscaler notices."
            ),
            help=(
                "Leave replicas out of the manifest (see the Kubernetes documentation on migrating to an HPA for the "
                "first apply), or have the GitOps tool pass over it: ignoreDifferences on /spec/replicas in Argo CD."
            ),
            evidence=[Evidence("scaled by", named(scaler), scaler.place)],
            level=level,
            fix=_without(replicas),
        )
        return


def _refused(workload: Workload, replicas: Sourced[int], scaler: Autoscaler) -> Finding:
    return Finding(
        place=replicas.place,
        message=(
            f"{workload.ref} sets replicas: {replicas.value} beside scaling, and KServe's webhook refuses the two "
            "together. The object is not applied: what runs is what ran before, if anything did."
        ),
        help="Remove replicas to let scaling set the number, from its minReplicas on; or remove scaling.",
        evidence=[Evidence("scaling", named(scaler), scaler.place)],
        level="error",
        fix=_without(replicas),
    )


def _without(replicas: Sourced[int]) -> Fix:
    return Fix("Remove replicas", [RemoveEntry(replicas.key_place)], safe=False)
