"""Names as reports show them: what a script or a template fills in is left out."""

from __future__ import annotations

import pytest

from gpulint.lint import check
from gpulint.load import load_texts
from gpulint.model.values import ObjectRef, is_said, readable

BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat}
spec:
  replicas: 1
  strategy: {rollingUpdate: {maxSurge: 1}}
  selector: {matchLabels: {app: chat}}
  template:
    metadata: {labels: {app: chat}}
    spec:
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.11.0
          args: [--model=Qwen/Qwen3-8B]
          resources: {limits: {nvidia.com/gpu: 1}}
"""
OVERLAY = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../base]
patches: [{path: gpus.yaml}]
"""
GPUS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat}
spec:
  template:
    spec:
      containers:
        - name: vllm
          resources: {limits: {nvidia.com/gpu: %d}}
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("$(?)", "…"),
        ("$(?)$(include.llm.name)-decode", "…-decode"),
        ("$(include.llm-d.fullname)", "…"),
        ("$(Values.name)", "…"),
        ("$(MODEL)", "$(MODEL)"),
        ("costs $5 (about)", "costs $5 (about)"),
    ],
)
def test_readable(text: str, shown: str) -> None:
    assert readable(text) == shown


def test_what_says_nothing() -> None:
    assert not is_said("…-…")
    assert is_said("…-decode")


@pytest.mark.parametrize(
    ("namespace", "name", "shown", "short"),
    [
        ("ai", "chat", "Deployment ai/chat", "Deployment chat"),
        (None, None, "Deployment (unnamed)", "Deployment (unnamed)"),
        ("ai", None, "Deployment ai/(unnamed)", "Deployment (unnamed)"),
        ("$(?)", "$(?)", "Deployment", "Deployment"),
        ("ai", "$(?)", "Deployment", "Deployment"),
        ("$(Release.Namespace)", "chat", "Deployment chat", "Deployment chat"),
        ("ai", "$(include.llm.fullname)-decode", "Deployment ai/…-decode", "Deployment …-decode"),
    ],
)
def test_object(namespace: str | None, name: str | None, shown: str, short: str) -> None:
    ref = ObjectRef("Deployment", namespace, name)
    assert (str(ref), ref.short) == (shown, short)


def test_message_holds_no_placeholder() -> None:
    manifest = BASE.replace("name: chat}", 'name: "$(include.llm.fullname)"}', 1)
    findings, problems = check(load_texts({"chat.yaml": manifest}), ["surge-without-spare-gpus"])
    assert not problems
    assert [f.finding.message.split(" with ")[0] for f in findings] == ["Deployment"]


def test_overlays_of_one_base_are_one_finding() -> None:
    """The gravest overlay speaks for all."""
    files = {"base/kustomization.yaml": "resources: [chat.yaml]\n", "base/chat.yaml": BASE}
    for count in (2, 8, 4):
        files[f"overlays/{count}/kustomization.yaml"] = OVERLAY
        files[f"overlays/{count}/gpus.yaml"] = GPUS % count
    findings, problems = check(load_texts(files), ["surge-without-spare-gpus"])
    assert not problems
    assert [(f.place.source.path, f.level) for f in findings] == [("base/chat.yaml", "warning")]
    assert "needs 8 spare GPUs" in findings[0].finding.message
    assert ("as it is in", "overlays/8") in [(e.label, e.value) for e in findings[0].finding.evidence]
