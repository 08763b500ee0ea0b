"""Joins: which workload an autoscaler means, in a repository of many environments."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpulint.discovery import discover
from gpulint.load import load, load_texts


def deployment(name: str = "chat", namespace: str | None = None, *, image: str = "vllm/vllm-openai:v0.11.0") -> str:
    where = f", namespace: {namespace}" if namespace else ""
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}{where}}}\nspec: {{selector: {{}}, template: "
        f"{{spec: {{containers: [{{name: c, image: '{image}', resources: {{limits: {{nvidia.com/gpu: 1}}}}}}]}}}}}}\n"
    )


def patch(name: str = "chat") -> str:
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{template: "
        f"{{spec: {{containers: [{{name: c, resources: {{limits: {{nvidia.com/gpu: 8}}}}}}]}}}}}}\n"
    )


def hpa(name: str = "chat", namespace: str | None = None) -> str:
    where = f", namespace: {namespace}" if namespace else ""
    return (
        f"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: {name}{where}}}\n"
        f"spec: {{scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}, maxReplicas: 3}}\n"
    )


def target(files: dict[str, str]) -> str | None:
    """The file of the workload that the first autoscaler scales."""
    scaler = load_texts(files).project.autoscalers[0]
    return scaler.workload.place.source.path if scaler.workload is not None else None


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # the only one, wherever it is
        ({"a/hpa.yaml": hpa(), "b/c/d.yaml": deployment()}, "b/c/d.yaml"),
        ({"hpa.yaml": hpa(), "d.yaml": deployment("other")}, None),
        # same file before same folder before elsewhere
        ({"a/all.yaml": hpa() + "---\n" + deployment(), "a/d.yaml": deployment()}, "a/all.yaml"),
        ({"a/hpa.yaml": hpa(), "a/d.yaml": deployment(), "b/d.yaml": deployment()}, "a/d.yaml"),
        ({"a/x/hpa.yaml": hpa(), "a/d.yaml": deployment(), "b/x/d.yaml": deployment()}, "a/d.yaml"),
        # a tie is nobody
        ({"a/hpa.yaml": hpa(), "b/d.yaml": deployment(), "c/d.yaml": deployment()}, None),
        # namespaces: equal before unwritten, never another
        ({"hpa.yaml": hpa(namespace="x"), "d.yaml": deployment(namespace="y")}, None),
        ({"hpa.yaml": hpa(namespace="x"), "d.yaml": deployment()}, "d.yaml"),
        ({"hpa.yaml": hpa(), "d.yaml": deployment(namespace="y")}, "d.yaml"),
        ({"hpa.yaml": hpa(namespace="x"), "d.yaml": deployment(), "e/d.yaml": deployment(namespace="x")}, "e/d.yaml"),
        # a whole object before a patch of it
        ({"prod/hpa.yaml": hpa(), "prod/patch.yaml": patch(), "base/d.yaml": deployment()}, "base/d.yaml"),
    ],
)
def test_nearest_workload(files: dict[str, str], expected: str | None) -> None:
    assert target(files) == expected


def test_a_namesake_without_a_gpu_may_be_what_is_meant() -> None:
    web = deployment(image="nginx:1.29").replace("resources: {limits: {nvidia.com/gpu: 1}}", "ports: []")
    web = web.replace("metadata: {name: chat}", "metadata:\n  labels: {}\n  name: chat")
    assert target({"a/hpa.yaml": hpa(), "a/web.yaml": web, "a/d.yaml": deployment()}) is None
    assert target({"a/hpa.yaml": hpa(), "a/web.yaml": web, "b/d.yaml": deployment()}) is None
    assert target({"a/hpa.yaml": hpa(), "b/web.yaml": web, "a/d.yaml": deployment()}) == "a/d.yaml"
    replicas = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: chat\nspec: {replicas: 3}\n"
    assert target({"a/hpa.yaml": hpa(), "a/patch.yaml": replicas, "b/d.yaml": deployment()}) == "b/d.yaml"


def test_a_kustomization_tells_siblings_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two environments with the same names and one base: the overlay's own kustomization says which it takes in."""
    files = {
        "base/deployment.yaml": deployment(),
        "base/kustomization.yaml": "resources: [deployment.yaml]\n",
        "dev/deployment.yaml": deployment(image="vllm/vllm-openai:v0.10.0"),
        "dev/kustomization.yaml": "resources: [deployment.yaml]\n",
        "overlays/prod/hpa.yaml": hpa(),
        "overlays/prod/kustomization.yaml": "resources: [../../base, hpa.yaml]\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    (scaler,) = load(discover(["."], [])).project.autoscalers
    assert scaler.workload is not None
    assert scaler.workload.place.source.path == "base/deployment.yaml"


def test_the_workload_knows_its_autoscalers() -> None:
    project = load_texts({"a.yaml": deployment() + "---\n" + hpa()}).project
    assert project.workloads[0].autoscalers == project.autoscalers
