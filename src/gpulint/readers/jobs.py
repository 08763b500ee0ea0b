"""Jobs of several pod templates: JobSet, Volcano Job, and the training jobs of Kubeflow."""

from __future__ import annotations

from gpulint import engines
from gpulint.model.project import Project
from gpulint.model.workload import Pod, Workload
from gpulint.readers._manifest import Manifest, count, text_at
from gpulint.readers._pods import ACCELERATOR_WORDS, read_pod
from gpulint.source.yaml import Node

MARKS = (
    ("jobset.x-k8s.io", "batch.volcano.sh", "kubeflow.org"),
    (*ACCELERATOR_WORDS, *engines.marks()),
)
_JOB_SET = ("jobset.x-k8s.io", "JobSet")
_VOLCANO_JOB = ("batch.volcano.sh", "Job")
# Where each training job keeps the templates of its roles. Source: kubeflow/training-operator release 1.9 (078ec30)
# pkg/apis/kubeflow.org/v1/*_types.go; kubeflow/mpi-operator v2beta1. Volcano's tasks: volcano-sh/apis@536f121
# pkg/apis/batch/v1alpha1/job.go.
_REPLICA_SPECS = {
    "JAXJob": "jaxReplicaSpecs",
    "MPIJob": "mpiReplicaSpecs",
    "PaddleJob": "paddleReplicaSpecs",
    "PyTorchJob": "pytorchReplicaSpecs",
    "TFJob": "tfReplicaSpecs",
    "XGBoostJob": "xgbReplicaSpecs",
}
KINDS = frozenset({_JOB_SET, _VOLCANO_JOB, *(("kubeflow.org", kind) for kind in _REPLICA_SPECS)})


def read_object(manifest: Manifest, project: Project) -> None:
    spec = manifest.node.get("spec")
    if spec is None:
        return
    if (manifest.group, manifest.kind) == _JOB_SET:
        pods = _job_set_pods(spec)
    elif (manifest.group, manifest.kind) == _VOLCANO_JOB:
        tasks = spec.get("tasks")
        pods = [_pod(task, text_at(task, "name")) for task in (tasks.elements() if tasks is not None else ())]
    else:
        roles = spec.get(_REPLICA_SPECS[manifest.kind])
        pods = [_pod(replicas, role) for role, replicas in (roles.items() if roles is not None else ())]
    found = [pod for pod in pods if pod is not None]
    if not found:
        return
    project.workloads.append(
        Workload(
            ref=manifest.ref,
            api_version=manifest.api_version,
            place=manifest.name_node().place,
            pods=found,
            multi_node=len(found) > 1 or found[0].per_group != 1,
            batch=True,
        )
    )


def _pod(holder: Node, role: str | None) -> Pod | None:
    spec = holder.at("template", "spec")
    if spec is None or not spec.is_mapping:
        return None
    return read_pod(spec, role=role, per_group=count(holder.get("replicas"), default=1))


def _job_set_pods(spec: Node) -> list[Pod | None]:
    """The pods of all jobs together: `replicas` jobs of `parallelism` pods each, both 1 unless given.

    Jobs that are to complete more or fewer pods than run at a time work off a queue: each pod is on its own.
    Source: JobSet API v1alpha2, spec.replicatedJobs; Kubernetes, JobSpec batch/v1.
    """
    jobs = spec.get("replicatedJobs")
    pods: list[Pod | None] = []
    for job in jobs.elements() if jobs is not None else ():
        inner = job.at("template", "spec", "template", "spec")
        if inner is None or not inner.is_mapping:
            continue
        replicas = count(job.get("replicas"), default=1)
        parallelism = count(job.at("template", "spec", "parallelism"), default=1)
        completions = job.at("template", "spec", "completions")
        if (
            completions is not None
            and parallelism is not None
            and count(completions, default=1) not in (None, parallelism)
        ):
            replicas = parallelism = 1
        per_group = replicas * parallelism if replicas is not None and parallelism is not None else None
        pods.append(read_pod(inner, role=text_at(job, "name"), per_group=per_group))
    return pods
