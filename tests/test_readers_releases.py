"""Releases of Helm charts whose values stand in several places: files of the repository, ConfigMaps, the release."""

from __future__ import annotations

import pytest

from gpulint.lint import check
from gpulint.load import Loaded, load_texts
from gpulint.model.workload import Workload

GPUS = "resources: {limits: {nvidia.com/gpu: 2}}\n"
COMMAND = "image: {repository: vllm/vllm-openai, tag: v0.11.0, command: [vllm, serve, a/b, --tensor-parallel-size=4]}\n"
SCALED = "autoscaling: {enabled: true, maxReplicas: 4, targetCPUUtilizationPercentage: 80}\n"
TOO_MANY = ("parallel-size-exceeds-gpus", "--tensor-parallel-size=4")
ON_CPU = ("cpu-autoscaling", "targetCPUUtilizationPercentage: 80")


def indented(text: str, depth: int) -> str:
    return "".join(" " * depth + line + "\n" for line in text.splitlines())


def argo(source: str, *, kind: str = "Application") -> str:
    head = f"apiVersion: argoproj.io/v1alpha1\nkind: {kind}\nmetadata: {{name: chat, namespace: argocd}}\nspec:\n"
    return head + source


def flux(spec: str) -> str:
    return f"apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: chat, namespace: ns}}\nspec:\n{spec}"


def config_map(values: str, name: str = "chat-values", key: str = "values.yaml", namespace: str = "ns") -> str:
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata:\n  {key}: |\n"
        + indented(values, 4)
    )


def found(texts: dict[str, str]) -> list[tuple[str, str]]:
    loaded = load(texts)
    findings, failed = check(loaded, ["cpu-autoscaling", "parallel-size-exceeds-gpus"])
    assert not failed, [problem.reason for problem in failed]
    return sorted((finding.rule, finding.place.text()) for finding in findings)


def load(texts: dict[str, str]) -> Loaded:
    loaded = load_texts(texts)
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    return loaded


def forms(texts: dict[str, str]) -> list[Workload]:
    """The workloads that a release makes of values, not those of a file of values as it stands."""
    return [w for w in load(texts).project.workloads if w.ref.kind != "Chart" or w.overlay is not None]


# -- Argo CD

CHART = "  source:\n    path: charts/chat\n    helm:\n"


@pytest.mark.parametrize(
    "texts",
    [
        # A file of values in the chart's folder, by its path from the repository and from that of another source.
        {"charts/chat/prod.yaml": COMMAND + SCALED, "apps/app.yaml": argo(CHART + "      valueFiles: [prod.yaml]\n")},
        {"charts/chat/prod.yaml": COMMAND + SCALED, "apps/app.yaml": argo(CHART + "      valueFiles: [../chat/prod.yaml]\n")},
        {"envs/prod.yaml": COMMAND + SCALED, "apps/app.yaml": argo(CHART + "      valueFiles: [/envs/prod.yaml]\n")},
        {"charts/chat/prod.yaml": COMMAND + SCALED, "apps/app.yaml": argo(CHART + "      valueFiles: [values.yaml, prod.yaml]\n")},
        # The release's own values, over those of the chart.
        {"apps/app.yaml": argo(CHART + "      valuesObject:\n" + indented(COMMAND + SCALED, 8))},
        {"apps/app.yaml": argo(CHART + "      values: |\n" + indented(COMMAND + SCALED, 8))},
    ],
)  # fmt: skip
def test_layers_of_an_application(texts: dict[str, str]) -> None:
    assert found({"charts/chat/values.yaml": GPUS, **texts}) == [ON_CPU, TOO_MANY]


def test_files_of_another_source() -> None:
    sources = (
        "  sources:\n    - {repoURL: 'https://x', ref: values}\n    - chart: chat\n      helm:\n"
        "        valueFiles: [$values/envs/gpus.yaml, $values/envs/prod.yaml]\n"
    )
    texts = {"apps/a/app.yaml": argo(sources), "envs/gpus.yaml": GPUS, "envs/prod.yaml": COMMAND + SCALED}
    assert found(texts) == [ON_CPU, TOO_MANY]
    assert found({f"repos/one/{path}": text for path, text in texts.items()}) == [ON_CPU, TOO_MANY]


def test_the_last_layer_wins() -> None:
    texts = {
        "charts/chat/values.yaml": GPUS.replace("2", "8"),
        "charts/chat/prod.yaml": GPUS.replace("2", "1"),
        "app.yaml": argo(
            CHART + "      valueFiles: [prod.yaml]\n      valuesObject:\n" + indented(COMMAND + GPUS, 8)
            + "      parameters: [{name: 'resources.limits.nvidia\\.com/gpu', value: '3'}]\n"
        ),
    }  # fmt: skip
    (workload,) = forms(texts)
    assert workload.containers[0].gpu_count() == 3


def test_another_form_of_a_file_is_told_once() -> None:
    texts = {
        "charts/chat/values.yaml": GPUS + COMMAND,
        "charts/chat/prod.yaml": "replicaCount: 2\n",
        "app.yaml": argo(CHART + "      valueFiles: [prod.yaml]\n"),
        "other.yaml": argo(CHART + "      valueFiles: [values.yaml]\n"),
    }
    assert found(texts) == [TOO_MANY]
    assert {str(workload.ref) for workload in forms(texts)} == {"Chart values.yaml"}


@pytest.mark.parametrize(
    "files", ["[missing.yaml]", "['{{env}}.yaml']", "['*.yaml']", "[list.yaml]", "[template.yaml]", "['$other/x.yaml']"]
)
def test_what_lies_below_an_unknown_layer_is_unknown(files: str) -> None:
    texts = {
        "charts/chat/values.yaml": GPUS,
        "charts/chat/list.yaml": "[1]\n",
        "charts/chat/template.yaml": "a: {{ .Values.b }}\n",
        "app.yaml": argo(CHART + f"      valueFiles: {files}\n      valuesObject:\n" + indented(COMMAND + SCALED, 8)),
    }
    assert forms(texts) == []
    assert found(texts) == []


def test_an_application_set() -> None:
    template = "  template:\n    spec:\n" + indented(CHART + "      valueFiles: [prod.yaml]\n", 4)
    texts = {
        "charts/chat/values.yaml": GPUS,
        "charts/chat/prod.yaml": COMMAND,
        "app.yaml": argo(template, kind="ApplicationSet"),
    }
    assert found(texts) == [TOO_MANY]


# -- Flux

FROM = "  valuesFrom:\n    - {kind: ConfigMap, name: chat-values}\n"


def test_values_of_a_config_map() -> None:
    texts = {
        "release.yaml": flux(FROM + "  values:\n" + indented(COMMAND + SCALED, 4)),
        "values-map.yaml": config_map(GPUS),
    }
    assert found(texts) == [ON_CPU, TOO_MANY]
    (workload,) = forms(texts)
    assert str(workload.ref) == "HelmRelease ns/chat"
    assert workload.place.source.path == "values-map.yaml"


def test_references_in_their_order_and_the_releases_own_values_last() -> None:
    names = "".join(f"    - {{kind: ConfigMap, name: {name}}}\n" for name in ("one", "two"))
    texts = {
        "release.yaml": flux("  valuesFrom:\n" + names + "  values:\n" + indented(COMMAND, 4)),
        "maps.yaml": config_map(GPUS.replace("2", "8") + SCALED, "one") + "---\n" + config_map(GPUS, "two"),
    }
    assert found(texts) == [ON_CPU, TOO_MANY]


def test_a_secret_and_a_key_and_a_generated_config_map() -> None:
    secret = config_map(GPUS, "hidden").replace("ConfigMap", "Secret").replace("\ndata:", "\nstringData:")
    release = flux("  valuesFrom: [{kind: Secret, name: hidden}]\n  values:\n" + indented(COMMAND, 4))
    assert found({"release.yaml": f"{release}---\n{secret}"}) == [TOO_MANY]
    release = flux(
        "  valuesFrom: [{kind: ConfigMap, name: m, valuesKey: gpu.yaml}]\n  values:\n" + indented(COMMAND, 4)
    )
    assert found({"release.yaml": release, "m.yaml": config_map(GPUS, "m", "gpu.yaml")}) == [TOO_MANY]
    generator = "resources: [release.yaml]\nconfigMapGenerator: [{name: m, files: [gpu.yaml=values.yaml]}]\n"
    texts = {"a/release.yaml": release, "a/kustomization.yaml": generator, "a/values.yaml": GPUS}
    assert found(texts) == [TOO_MANY]


def test_a_target_path_is_over_all() -> None:
    spec = (
        FROM + "    - {kind: ConfigMap, name: n, valuesKey: count, targetPath: 'resources.limits.nvidia\\.com/gpu'}\n"
    )
    texts = {
        "release.yaml": flux(spec + "  values:\n" + indented(GPUS + COMMAND, 4)),
        "maps.yaml": config_map(GPUS)
        + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: n}\ndata: {count: '4'}\n",
    }
    (workload,) = forms(texts)
    assert workload.containers[0].gpu_count() == 4
    assert found(texts) == []


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"map.yaml": config_map(GPUS, "another")},
        {"map.yaml": config_map(GPUS, namespace="other")},
        {"map.yaml": config_map(GPUS, key="else")},
        {"map.yaml": config_map("[1]")},
        {"a/b/c/map.yaml": config_map(GPUS)},
        {"a/map.yaml": config_map(GPUS), "b/map.yaml": config_map(GPUS)},
    ],
)
def test_a_config_map_that_is_not_sure(texts: dict[str, str]) -> None:
    assert found({"release.yaml": flux(FROM + "  values:\n" + indented(COMMAND, 4)), **texts}) == []
    # The release's own values hold all the same.
    own = flux(FROM + "  values:\n" + indented(GPUS + COMMAND, 4))
    assert found({"release.yaml": own, **texts}) == [TOO_MANY]


@pytest.mark.parametrize(
    ("files", "is_found"),
    [("", True), ("valuesFiles: [charts/chat/values.yaml]", True), ("valuesFiles: [charts/chat/no.yaml]", False)],
)
def test_a_chart_of_the_repository(files: str, is_found: bool) -> None:
    spec = f"  chart: {{spec: {{chart: ./charts/chat, sourceRef: {{kind: GitRepository, name: r}}, {files}}}}}\n"
    texts = {
        "clusters/release.yaml": flux(spec + "  values:\n" + indented(COMMAND, 4)),
        "charts/chat/values.yaml": GPUS,
    }
    assert found(texts) == ([TOO_MANY] if is_found else [])
