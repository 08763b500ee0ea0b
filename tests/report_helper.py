"""Reports built by hand, on small sources."""

from __future__ import annotations

from typing import Any

from gpulint.finding import Confidence, Evidence, Finding, Level, Reported
from gpulint.model.values import ObjectRef
from gpulint.pages import Page, PageError, parse_page
from gpulint.report import Report
from gpulint.source.text import Place, Source
from gpulint.source.yaml import Problem, Template

HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: llama
  namespace: prod
spec:
  scaleTargetRef:
    kind: Deployment
    name: llama
  minReplicas: 1
  maxReplicas: 8
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: 70
"""

PAGES = {
    "cpu-autoscaling": """\
---
summary: An autoscaler of a GPU workload follows host CPU.
level: error
confidence: high
misinterpretation: 4
since: "0.1"
references: ["https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/"]
tags: [hpa, keda, cost, latency, kubernetes, vllm, tgi, sglang, triton, nim, ray, knative]
---
# CPU autoscaling of a GPU workload

The engine queues requests on the GPU, so **CPU** stays low while [latency](https://example.com/latency) grows
under `vllm serve`.

## What to check instead

The queue: `vllm:num_requests_waiting`.

```yaml
type: Pods
```

## Examples

### CPU

```yaml title="hpa.yaml"
name: cpu  # expect: cpu-autoscaling
```
""",
    "gpu-memory-scale-down": """\
---
summary: A scale-down rule reads GPU memory, which an engine reserves at its start and keeps, whatever the load is
level: info
confidence: low
since: "0.1"
references: []
---
# GPU memory as a signal
""",
    "long-winded": f"""\
---
summary: {"word " * 400}
level: warning
confidence: medium
since: "0.1"
references: []
---
{"prose " * 400}
""",
}
FAMILIES = {"cpu-autoscaling": "autoscaling", "gpu-memory-scale-down": "autoscaling", "long-winded": "style"}


def load_page(family: str, name: str) -> Page:
    if FAMILIES.get(name) != family:
        raise PageError(f"rules/{family}/{name}.md: no such page")
    return parse_page(family, name, PAGES[name])


def place(source: Source, text: str, occurrence: int = 0) -> Place:
    """The place of a text in a source, the n-th from 0."""
    start = -1
    for _ in range(occurrence + 1):
        start = source.text.index(text, start + 1)
    return Place(source, start, start + len(text))


def reported(
    where: Place,
    message: str = "The HPA follows CPU, at 70%.",
    help_text: str = "Scale on the queue length.",
    evidence: list[Evidence] | None = None,
    **changes: Any,
) -> Reported:
    rule: str = changes.get("rule", "cpu-autoscaling")
    level: Level = changes.get("level", "error")
    confidence: Confidence = changes.get("confidence", "high")
    ref: ObjectRef | None = changes.get("ref")
    finding = Finding(where, message, help_text, evidence or [])
    return Reported(rule, FAMILIES.get(rule, "gpulint"), level, confidence, finding, ref, "f" * 16)


def report(
    *findings: Reported,
    errors: list[Problem] | None = None,
    templates: list[Template] | None = None,
    files: int = 12,
    rules: list[str] | None = None,
) -> Report:
    return Report(list(findings), errors or [], templates or [], files, ["cpu-autoscaling"] if rules is None else rules)
