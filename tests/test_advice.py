"""What a finding says to look at instead exists in the engine in front of the reader, and in its version."""

from __future__ import annotations

import os
import re

import pytest

import gpulint.rules
from gpulint.lint import check
from gpulint.load import load_texts
from gpulint.metrics.promql import meaning_of, parse
from gpulint.metrics.table import Meaning, Metric, lookup
from gpulint.pages import load_page, page_names
from gpulint.rules import rule_names
from gpulint.rules.advice import _SIGNALS, Signals, signals

FAMILIES = ("autoscaling", "observability", "rollout", "scaling")
PAGES = [load_page(family, name) for name, family in page_names().items() if family in FAMILIES]
# Names of metrics of engines, in prose and in strings; what follows a name may not make it another word.
NAME = re.compile(
    r"(?<![\w:])(?:(?:vllm|sglang|lmdeploy|llamacpp):[a-z0-9]+_[a-z0-9_]+|(?:tgi|nv|trtllm)_[a-z][a-z0-9_]+"
    r"|DCGM_FI_[A-Z0-9_]+[A-Z0-9])(?![\w*/]|_)"
)
ENGINES = [
    ("vllm", (0, 8, 5), "vllm/vllm-openai:v0.8.5", []),
    ("vllm", (0, 11, 0), "vllm/vllm-openai:v0.11.0", []),
    ("vllm", None, "vllm/vllm-openai:latest", []),
    ("sglang", (0, 5, 3), "lmsysorg/sglang:v0.5.3", ["python3", "-m", "sglang.launch_server", "--enable-metrics"]),
    ("tgi", (3, 3, 7), "ghcr.io/huggingface/text-generation-inference:3.3.7", []),
    ("triton", None, "nvcr.io/nvidia/tritonserver:25.08-trtllm-python-py3", ["tritonserver"]),
    ("trtllm", (1, 1, 0), "nvcr.io/nvidia/tensorrt-llm/release:1.1.0", ["trtllm-serve", "Qwen/Qwen3-8B"]),
    ("nim", (1, 13, 1), "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.13.1", []),
    ("lmdeploy", None, "openmmlab/lmdeploy:v0.10.1", ["lmdeploy", "serve", "api_server", "Qwen/Qwen3-8B"]),
    ("llamacpp", None, "ghcr.io/ggml-org/llama.cpp:server-cuda", ["llama-server", "--metrics"]),
]
CASES = [pytest.param(*engine, id=engine[2]) for engine in ENGINES]
MEANINGS = {
    "queue": {Meaning.QUEUE},
    "running": {Meaning.RUNNING},
    "kv_cache": {Meaning.KV_CACHE},
    "tokens": {Meaning.TOKENS, Meaning.REQUEST_RATE},
    "first_token": {Meaning.LATENCY},
}


def named(words: Signals) -> list[tuple[str, str]]:
    """The metrics of an engine's advice with the field that each stands in."""
    return [(field, text) for field in MEANINGS if (text := getattr(words, field)) is not None]


def version_of(text: str | None) -> tuple[int, ...] | None:
    return tuple(int(part) for part in text.split(".")) if text else None


def exists_in(row: Metric, version: tuple[int, ...]) -> bool:
    first, gone = version_of(row.introduced), version_of(row.removed)
    return (first is None or first <= version) and (gone is None or version < gone)


def test_every_engine_is_tried() -> None:
    assert {engine for engine, *_ in ENGINES} == _SIGNALS.keys()


@pytest.mark.parametrize(("engine", "version", "image", "command"), CASES)
def test_metrics_of_the_engine(
    engine: str, version: tuple[int, int, int] | None, image: str, command: list[str]
) -> None:
    """Each metric that the advice names is that engine's, means what it is named for, and exists in the version."""
    words = signals(engine, version)
    assert words is not None, image
    for field, text in named(words):
        query = parse(text)
        assert query is not None
        (selector,) = query.selectors
        row = lookup(selector.name or "")
        assert row is not None, text
        assert row.engine == engine
        assert meaning_of(selector) in MEANINGS[field], text
        assert exists_in(row, version) if version is not None else row.status == "current", text


@pytest.mark.parametrize(("engine", "version", "image", "command"), CASES)
def test_findings_name_them(engine: str, version: tuple[int, int, int] | None, image: str, command: list[str]) -> None:
    """Findings about what a server on GPUs is scaled on name the metrics of the engine that it runs."""
    text = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: chat}}
spec:
  selector: {{matchLabels: {{app: chat}}}}
  template:
    metadata: {{labels: {{app: chat}}}}
    spec:
      containers:
        - name: engine
          image: {image}
          command: {command or "null"}
          resources: {{limits: {{nvidia.com/gpu: 1}}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: chat}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: chat}}
  maxReplicas: 4
  metrics:
    - type: Resource
      resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 80}}}}
    - type: Resource
      resource: {{name: memory, target: {{type: Utilization, averageUtilization: 80}}}}
    - type: Pods
      pods: {{metric: {{name: DCGM_FI_DEV_GPU_UTIL}}, target: {{type: AverageValue, averageValue: "80"}}}}
    - type: Pods
      pods: {{metric: {{name: DCGM_FI_DEV_FB_USED}}, target: {{type: AverageValue, averageValue: "60000"}}}}
"""
    findings, failed = check(load_texts({"chat.yaml": text}), rule_names())
    assert not failed
    helps = {found.rule: found.finding.help for found in findings if found.rule.endswith("-autoscaling")}
    assert helps.keys() >= {"cpu-autoscaling", "host-memory-autoscaling", "gpu-utilization-autoscaling"}
    # Triton takes no memory up front, and what it takes may tell its load.
    assert ("gpu-memory-autoscaling" in helps) is (engine != "triton")
    words = signals(engine, version)
    assert words is not None
    for name, help_text in helps.items():
        assert any(metric in help_text for _, metric in named(words)), f"{name}: {help_text}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_metrics_in_pages(page: object) -> None:
    """A page's prose names metrics that exist; of one that an engine dropped it names the successor too."""
    page = load_page(page.family, page.name)  # type: ignore[attr-defined]
    for name in sorted(set(NAME.findall(page.prose))):
        row = lookup(name)
        assert row is not None, f"{page.path}: {name}"
        if row.status != "current":
            assert row.replacement is not None, f"{page.path}: {name}"
            assert row.replacement in page.prose, f"{page.path}: {name} was removed, say {row.replacement}"


def test_metrics_in_rules() -> None:
    """So do the words of the rules; the one old name is that for old versions of vLLM."""
    folder = os.path.dirname(gpulint.rules.__file__)
    old = set()
    for family in ("", *FAMILIES):
        for file in os.listdir(os.path.join(folder, family)):
            if file.endswith(".py"):
                with open(os.path.join(folder, family, file), encoding="utf-8") as source:
                    for name in NAME.findall(source.read()):
                        row = lookup(name)
                        assert row is not None, f"{file}: {name}"
                        if row.status != "current":
                            old.add((file, name))
    assert old == {("advice.py", "vllm:gpu_cache_usage_perc")}
