"""What a workload takes from elsewhere: scripts and configuration in ConfigMaps, values that a release gives a chart."""

from __future__ import annotations

import pytest

from gpulint.lint import check, selected_rules
from gpulint.load import Loaded, load_texts
from gpulint.model.engine import Engine
from gpulint.model.workload import Workload

SCRIPTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: scripts}
data:
  run.sh: |
    #!/bin/bash
    set -e
    exec vllm serve org/model-7b --tensor-parallel-size ${TP:-2} "$@"
  other.sh: echo
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  vllm.yaml: |
    max-model-len: 4096
    gpu-memory-utilization: 0.97
"""


def deployment(container: str, volumes: str) -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: chat}}
spec:
  selector: {{matchLabels: {{app: chat}}}}
  template:
    metadata: {{labels: {{app: chat}}}}
    spec:
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.11.0
          env: [{{name: TP, value: "4"}}]
          resources: {{limits: {{nvidia.com/gpu: 1}}}}
          {container}
      volumes: [{volumes}]
"""


def read(*documents: str, **files: str) -> Loaded:
    loaded = load_texts({"all.yaml": "---\n".join(documents), **files})
    assert not loaded.problems
    return loaded


def only(loaded: Loaded) -> Workload:
    (workload,) = loaded.project.workloads
    return workload


def engine_of(*documents: str) -> Engine | None:
    return only(read(*documents)).containers[0].engine


def written(engine: Engine | None) -> dict[str, tuple[object, str, int]]:
    """The settings that are written: value, text at the place, and line."""
    assert engine is not None
    names = ("model", "tensor_parallel", "memory_fraction", "max_model_len")
    found = {name: getattr(engine, name) for name in names}
    return {
        name: (setting.value, setting.place.text(), setting.place.line)
        for name, setting in found.items()
        if setting is not None and setting.place is not None
    }


# -- scripts


MOUNT = "volumeMounts: [{name: s, mountPath: /scripts}]"


def test_a_script_of_a_config_map() -> None:
    loaded = read(
        SCRIPTS,
        deployment(
            f'command: ["bash", "-e", "/scripts/run.sh", "--max-model-len=8192"]\n          {MOUNT}',
            "{name: s, configMap: {name: scripts}}",
        ),
    )
    engine = only(loaded).containers[0].engine
    assert written(engine) == {
        "model": ("org/model-7b", "org/model-7b", 8),
        "tensor_parallel": (4, "--tensor-parallel-size ${TP:-2}", 8),
        "max_model_len": (8192, "--max-model-len=8192", 24),
    }
    assert engine is not None
    assert engine.arguments_known
    findings, failed = check(loaded, selected_rules(["parallel-size-exceeds-gpus"], []))
    assert [found.finding.place.line for found in findings] == [8]
    assert not failed


@pytest.mark.parametrize(
    ("container", "volume"),
    [
        ('command: ["/scripts/run.sh"]\n          ' + MOUNT, "configMap: {name: scripts, defaultMode: 0755}"),
        ('command: ["/bin/sh", "-c", "cd /tmp && exec /scripts/run.sh --port 8"]\n          ' + MOUNT,
         "configMap: {name: scripts}"),
        ('command: ["tini", "--", "sh", "/scripts/start"]\n          ' + MOUNT,
         "configMap: {name: scripts, items: [{key: run.sh, path: start}]}"),
        ('command: [sh]\n          args: [/opt/go.sh]\n'
         '          volumeMounts: [{name: s, mountPath: /opt/go.sh, subPath: run.sh}]', "configMap: {name: scripts}"),
        ('command: ["sh", "/scripts/run.sh"]\n          ' + MOUNT,
         "projected: {sources: [{secret: {name: x}}, {configMap: {name: scripts}}]}"),
    ],
)  # fmt: skip
def test_ways_to_run_it(container: str, volume: str) -> None:
    engine = engine_of(SCRIPTS, deployment(container, "{name: s, " + volume + "}"))
    assert written(engine)["tensor_parallel"][0] == 4


@pytest.mark.parametrize(
    ("container", "volume"),
    [
        ('command: ["sh", "/scripts/none.sh"]\n          ' + MOUNT, "configMap: {name: scripts}"),
        ('command: ["cat", "/scripts/run.sh"]\n          ' + MOUNT, "configMap: {name: scripts}"),
        ('command: ["sh", "/scripts/run.sh"]\n          ' + MOUNT, "configMap: {name: unknown}"),
        ('command: ["sh", "/scripts/run.sh"]\n          ' + MOUNT, "emptyDir: {}"),
        ('command: ["sh", "/scripts/run.sh"]', "configMap: {name: scripts}"),
        ('command: ["sh", "/scripts/other.sh"]\n          ' + MOUNT, "configMap: {name: scripts}"),
    ],
)
def test_what_runs_no_engine(container: str, volume: str) -> None:
    assert engine_of(SCRIPTS, deployment(container, "{name: s, " + volume + "}")) is None


def test_a_script_that_runs_itself_ends() -> None:
    endless = SCRIPTS.replace("echo", "sh /scripts/other.sh; vllm serve a/b")
    engine = engine_of(
        endless,
        deployment(f'command: ["sh", "/scripts/other.sh"]\n          {MOUNT}', "{name: s, configMap: {name: scripts}}"),
    )
    assert written(engine)["model"][0] == "a/b"


def test_a_generated_script() -> None:
    """kustomize makes the ConfigMap of a file."""
    loaded = load_texts(
        {
            "app/kustomization.yaml": "resources: [chat.yaml]\nconfigMapGenerator: [{name: scripts, files: [run.sh]}]\n",
            "app/run.sh": "#!/bin/sh\nvllm serve org/model-7b -tp $TP\n",
            "app/chat.yaml": deployment(
                f'command: ["sh", "/scripts/run.sh"]\n          {MOUNT}', "{name: s, configMap: {name: scripts}}"
            ),
        }
    )
    (built,) = [workload for workload in loaded.project.workloads if workload.overlay is not None]
    (engine,) = built.engines
    assert written(engine)["tensor_parallel"] == (4, "-tp $TP", 2)
    assert engine.place.source.path == "app/run.sh"


# -- configuration


def test_a_configuration_of_a_config_map() -> None:
    engine = engine_of(
        SETTINGS,
        deployment(
            "args: [--model=org/model-7b, --config=/etc/vllm/vllm.yaml, --max-model-len=8192]\n"
            "          volumeMounts: [{name: c, mountPath: /etc/vllm/}]",
            "{name: c, configMap: {name: settings}}",
        ),
    )
    assert written(engine) == {
        "model": ("org/model-7b", "--model=org/model-7b", 22),
        "memory_fraction": (0.97, "0.97", 7),
        "max_model_len": (8192, "--max-model-len=8192", 22),  # the command line beats the file
    }
    assert engine is not None
    assert engine.arguments_known


# -- kustomizations over bases that are elsewhere

KUSTOMIZATION = """\
resources: ["https://example.com/repository//base?ref=main"]
configMapGenerator: [{name: runtime, envs: [runtime.env]}]
patches: [{path: args.yaml, target: {kind: Deployment, name: chat}}, {path: gpus.yaml}]
"""
PATCH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat}
spec: {template: {spec: {containers: [CONTAINER]}}}
"""


def test_patches_of_a_base_elsewhere_are_laid_over_each_other() -> None:
    args = (
        "{name: vllm, image: 'vllm/vllm-openai:v0.11.0', envFrom: [{configMapRef: {name: runtime}}], "
        "args: [--model=a/b, --tensor-parallel-size=$(TP)]}"
    )
    loaded = load_texts(
        {
            "x/kustomization.yaml": KUSTOMIZATION,
            "x/runtime.env": "TP=4\n",
            "x/args.yaml": PATCH.replace("CONTAINER", args),
            "x/gpus.yaml": PATCH.replace("CONTAINER", "{name: vllm, resources: {limits: {nvidia.com/gpu: 2}}}"),
        }
    )
    (built,) = [workload for workload in loaded.project.workloads if workload.overlay is not None]
    (container,) = built.containers
    assert (container.gpu_count(), written(container.engine)["tensor_parallel"][0]) == (2, 4)
    findings, failed = check(loaded, selected_rules(["parallel-size-exceeds-gpus"], []))
    assert [(found.finding.place.source.path, found.finding.place.text()) for found in findings] == [
        ("x/runtime.env", "4")
    ]
    assert not failed


# -- releases of charts

VALUES = """\
image: {repository: vllm/vllm-openai, tag: v0.11.0, command: [vllm, serve, a/b, --tensor-parallel-size=4]}
resources: {limits: {nvidia.com/gpu: 2}}
autoscaling: {enabled: true, maxReplicas: 4, targetCPUUtilizationPercentage: 80}
"""


def indented(text: str, depth: int) -> str:
    return "".join(" " * depth + line + "\n" for line in text.splitlines())


def application(source: str, *, key: str = "source") -> str:
    head = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: chat, namespace: argocd}\nspec:\n"
    if key == "sources":
        return head + "  sources:\n    - repoURL: x\n    - chart: vllm\n      helm:\n" + indented(source, 8)
    return head + "  source:\n    chart: vllm\n    helm:\n" + indented(source, 6)


FLUX = (
    "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: chat, namespace: argocd}\nspec:\n"
    "  values:\n" + indented(VALUES, 4)
)


@pytest.mark.parametrize(
    "text",
    [
        application("values: |\n" + indented(VALUES, 2)),
        application("valuesObject:\n" + indented(VALUES, 2)),
        application("values: |\n" + indented(VALUES, 2), key="sources"),
        FLUX,
        FLUX.replace("  values:\n", "  values:\n    llm:\n").replace("    image", "      image")
        .replace("    resources", "      resources").replace("    autoscaling", "      autoscaling"),
    ],
)  # fmt: skip
def test_values_of_a_release(text: str) -> None:
    loaded = read(text)
    workload = only(loaded)
    assert (workload.ref.kind in ("Application", "HelmRelease"), workload.ref.name) == (True, "chat")
    assert (workload.containers[0].gpu_count(), workload.complete) == (2, False)
    (scaler,) = loaded.project.autoscalers
    assert scaler.ref is workload.ref
    findings, failed = check(loaded, selected_rules(["cpu-autoscaling", "parallel-size-exceeds-gpus"], []))
    assert [(found.rule, found.finding.place.text()) for found in findings] == [
        ("parallel-size-exceeds-gpus", "--tensor-parallel-size=4"),
        ("cpu-autoscaling", "targetCPUUtilizationPercentage: 80"),
    ]
    assert not failed


def test_parameters_of_a_release_win() -> None:
    loaded = read(
        application(
            "valuesObject:\n"
            + indented(VALUES, 2)
            + 'parameters:\n  - {name: "resources.limits.nvidia\\\\.com/gpu", value: "8"}\n'
            "  - {name: replicaCount, value: '2'}\n  - {name: 'list[0].x', value: y}\n"
        )
    )
    (request,) = only(loaded).containers[0].gpus
    assert (request.resource, request.count, request.place.text()) == ("nvidia.com/gpu", 8, '"8"')


def test_parameters_alone() -> None:
    loaded = read(application('parameters: [{name: "resources.limits.nvidia\\\\.com/gpu", value: "1"}]\n'))
    assert only(loaded).containers[0].gpu_count() == 1


def test_values_without_autoscaling_are_a_request_still() -> None:
    loaded = load_texts({"values.yaml": VALUES.replace("enabled: true", "enabled: false")})
    workload = only(loaded)
    assert (str(workload.ref), workload.containers[0].gpu_count()) == ("Chart values.yaml", 2)
    assert not loaded.project.autoscalers
