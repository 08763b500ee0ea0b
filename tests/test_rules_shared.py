"""What the rules share: advice that names metrics which exist, and joins that no single example page can show."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpulint.discovery import discover
from gpulint.lint import check
from gpulint.load import load
from gpulint.metrics.table import lookup
from gpulint.rules.advice import IDLE_CHECK, SATURATION_CHECK, signals
from gpulint.rules.signals import in_percent


@pytest.mark.parametrize(
    ("version", "kv_cache"),
    [
        ((0, 9, 1), "vllm:gpu_cache_usage_perc"),
        ((0, 9, 2), "vllm:kv_cache_usage_perc"),
        ((0, 11, 0), "vllm:kv_cache_usage_perc"),
        (None, "vllm:kv_cache_usage_perc"),
    ],
)
def test_advice_follows_the_version(version: tuple[int, ...] | None, kv_cache: str) -> None:
    found = signals("vllm", version)
    assert found is not None
    assert found.kv_cache == kv_cache


@pytest.mark.parametrize("text", [IDLE_CHECK, SATURATION_CHECK])
def test_advice_on_alerts_names_current_metrics(text: str) -> None:
    words = [word.strip("`().,") for word in text.replace("(", " ").replace("[", " ").split()]
    names = [word for word in words if word.startswith("vllm:")]
    assert names
    for name in names:
        metric = lookup(name)
        assert metric is not None
        assert metric.status == "current"


def test_thresholds_in_percent() -> None:
    assert in_percent(lookup("DCGM_FI_PROF_GR_ENGINE_ACTIVE"), 0.25) == 25
    assert in_percent(lookup("DCGM_FI_DEV_GPU_UTIL"), 0.25) == 0.25
    assert in_percent(None, 25) == 25
    assert in_percent(None, 0.25) is None


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: server}
spec:
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      containers:
        - {name: server, image: "vllm/vllm-openai:v0.11.0", args: [--model=Qwen/Qwen3-8B]}
"""
HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: server}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: server}
  maxReplicas: 4
  metrics:
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}
"""
PATCH = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: server}
spec:
  template: {spec: {containers: [{name: server, resources: {limits: {nvidia.com/gpu: 1}}}]}}
"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "overlay", ["resources: [../base]\npatches: [{path: gpu.yaml}]\n", "resources: [other.yaml]\n"]
)
def test_gpus_that_an_overlay_adds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overlay: str) -> None:
    """The base's autoscaler is told of the GPUs of a patch, but only where a kustomization lays it over the base."""
    write(
        tmp_path,
        {
            "base/kustomization.yaml": "resources: [server.yaml, hpa.yaml]\n",
            "base/server.yaml": DEPLOYMENT,
            "base/hpa.yaml": HPA,
            "overlay/kustomization.yaml": overlay,
            "overlay/gpu.yaml": PATCH,
        },
    )
    monkeypatch.chdir(tmp_path)
    findings, failed = check(load(discover(["."], [])), ["cpu-autoscaling"])
    assert not failed
    found = [(f.place.source.path, [e.place.source.path for e in f.finding.evidence if e.place]) for f in findings]
    expected = [("base/hpa.yaml", ["base/server.yaml", "overlay/gpu.yaml"])]
    assert found == (expected if "gpu.yaml" in overlay else [])
