"""Kustomizations and ConfigMaps: workloads as overlays make them, each value with the file that it is written in."""

from __future__ import annotations

import json
import time
from pathlib import Path

import jsonschema
import pytest

from gpulint.data import read_schema
from gpulint.discovery import discover
from gpulint.lint import check, selected_rules
from gpulint.load import Loaded, load, load_texts
from gpulint.model import view
from gpulint.model.engine import Engine
from gpulint.model.workload import Container, Workload
from gpulint.source.environment import variables
from gpulint.source.text import Source

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm}
spec:
  replicas: 1
  selector: {}
  template:
    spec:
      containers:
        - name: server
          image: vllm/vllm-openai
          args: ["--model=/models/$(MODEL)", "--tensor-parallel-size=$(TP)"]
          env:
            - {name: TP, valueFrom: {configMapKeyRef: {name: runtime, key: TP}}}
            - {name: MODEL, valueFrom: {configMapKeyRef: {name: runtime, key: MODEL}}}
          resources: {}
        - {name: logger, image: busybox}
"""
PATCH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm}
spec:
  template:
    spec:
      nodeSelector: {nvidia.com/gpu.product: NVIDIA-L4}
      containers:
        - name: server
          resources: {limits: {nvidia.com/gpu: 2}}
"""
OVERLAY = """\
resources: [../base]
configMapGenerator:
  - {name: runtime, envs: [runtime.env]}
patches:
  - path: patch.yaml
"""
FILES = {
    "base/deployment.yaml": DEPLOYMENT,
    "base/kustomization.yaml": "resources: [deployment.yaml]\n",
    "over/kustomization.yaml": OVERLAY,
    "over/patch.yaml": PATCH,
    "over/runtime.env": "# sizes\nTP=4\nMODEL=org/model-7b\n",
}


def overlays(files: dict[str, str]) -> list[Workload]:
    return [workload for workload in load_texts(files).project.workloads if workload.overlay is not None]


def server(files: dict[str, str]) -> Container:
    (workload,) = overlays(files)
    return workload.containers[0]


def engine(files: dict[str, str]) -> Engine:
    found = server(files).engine
    assert found is not None
    return found


def with_overlay(text: str, **files: str) -> dict[str, str]:
    return {**FILES, "over/kustomization.yaml": text, **{f"over/{name}": content for name, content in files.items()}}


def test_an_overlay() -> None:
    (workload,) = overlays(FILES)
    assert (workload.overlay, str(workload.ref), workload.complete) == ("over", "Deployment llm", True)
    assert [container.name for container in workload.containers] == ["server", "logger"]
    container = workload.containers[0]
    (request,) = container.gpus
    assert (request.count, request.place.source.path, request.place.line) == (2, "over/patch.yaml", 10)
    placement = workload.pods[0].placement
    assert placement is not None
    assert placement.why.place.source.path == "over/patch.yaml"
    found = container.engine
    assert found is not None
    assert found.tensor_parallel is not None
    assert found.model is not None
    for setting, value, line in ((found.tensor_parallel, 4, 2), (found.model, "/models/org/model-7b", 3)):
        assert setting.place is not None
        assert setting.value == value
        assert (setting.place.source.path, setting.place.line) == ("over/runtime.env", line)
    assert workload.place.source.path == "base/deployment.yaml"


def test_the_base_stays_as_it_is() -> None:
    project = load_texts(FILES).project
    base = next(w for w in project.workloads if w.overlay is None and w.place.source.path == "base/deployment.yaml")
    (found,) = base.engines
    assert found.tensor_parallel is not None
    assert found.tensor_parallel.value is None
    assert base.ref is next(w for w in project.workloads if w.overlay is not None).ref


def test_findings_stand_where_the_overlay_says_it() -> None:
    findings, problems = check(load_texts(FILES), selected_rules([], []))
    assert not problems
    found = {finding.rule: finding.finding.place for finding in findings}
    for rule in ("parallel-size-exceeds-gpus", "tensor-parallel-over-pcie"):
        assert (found[rule].source.path, found[rule].line) == ("over/runtime.env", 2)


def test_one_finding_in_the_base_for_all_overlays() -> None:
    files = {**FILES, "base/deployment.yaml": DEPLOYMENT.replace("$(TP)", "4")}
    for name in ("a", "b"):
        files |= {path.replace("over", name): text for path, text in FILES.items() if path.startswith("over")}
    files["b/patch.yaml"] = PATCH.replace("gpu: 2", "gpu: 3")
    findings, _ = check(load_texts(files), ["parallel-size-exceeds-gpus"])
    assert [(f.finding.place.source.path, f.finding.place.line) for f in findings] == [("base/deployment.yaml", 12)]


def test_a_kustomization_that_changes_nothing_makes_nothing() -> None:
    assert not overlays({path: text for path, text in FILES.items() if path.startswith("base")})


def test_only_the_last_of_a_chain_is_built() -> None:
    files = {**FILES, "prod/kustomization.yaml": "resources: [../over]\nnameSuffix: -prod\n"}
    assert [workload.overlay for workload in overlays(files)] == ["prod"]


@pytest.mark.parametrize(
    ("generator", "tensor"),
    [
        ("{name: runtime, literals: [TP=8, MODEL=m]}", 8),
        ("{name: runtime, literals: ['TP=\"8\"']}", 8),
        ("{name: runtime, env: runtime.env}", 4),
        ("{name: runtime, envs: [runtime.env], literals: [TP=8]}", 8),
        ("{name: other, literals: [TP=8]}", None),
        ("{name: runtime, envs: [nowhere.env]}", None),
        ("{name: runtime, files: [TP=tp.txt]}", None),
    ],
)
def test_generators(generator: str, tensor: int | None) -> None:
    found = engine(
        with_overlay(f"resources: [../base]\nconfigMapGenerator: [{generator}]\npatches: [{{path: patch.yaml}}]\n")
    )
    assert found.tensor_parallel is not None
    assert found.tensor_parallel.value == tensor


def test_a_literal_has_its_place() -> None:
    text = "resources: [../base]\nconfigMapGenerator:\n  - name: runtime\n    literals:\n      - TP=8\n"
    tensor = engine(with_overlay(text)).tensor_parallel
    assert tensor is not None
    assert tensor.place is not None
    assert (tensor.place.source.path, tensor.place.line, tensor.place.text()) == ("over/kustomization.yaml", 5, "8")


def test_a_generator_that_merges() -> None:
    files = {
        **FILES,
        "base/kustomization.yaml": "resources: [deployment.yaml]\n"
        "configMapGenerator: [{name: runtime, literals: [TP=2, MODEL=m]}]\n",
        "over/kustomization.yaml": "resources: [../base]\n"
        "configMapGenerator: [{name: runtime, behavior: merge, literals: [TP=8]}]\n",
    }
    found = engine(files)
    assert found.tensor_parallel is not None
    assert found.model is not None
    assert (found.tensor_parallel.value, found.model.value) == (8, "/models/m")


LIMITS = "/spec/template/spec/containers/0/resources/limits"
ON_ALL = "{target: {kind: Deployment}, patch: "
PATCH_HEAD = "apiVersion: apps/v1, kind: Deployment, metadata: {name: llm}"


@pytest.mark.parametrize(
    ("patches", "count"),
    [
        ("patchesStrategicMerge: [patch.yaml]", 2),
        ("patches: [{path: patch.yaml, target: {kind: Deployment, name: l.*}}]", 2),
        ("patches: [{path: patch.yaml, target: {kind: Deployment, name: other}}]", 0),
        (f"patches: [{ON_ALL}'[{{op: add, path: {LIMITS}, value: {{nvidia.com/gpu: 8}}}}]'}}]", 8),
        (f"patches: [{{path: patch.yaml}}, {ON_ALL}'[{{op: add, path: {LIMITS}/nvidia.com~1gpu, value: 8}}]'}}]", 8),
        (f"patches: [{{path: patch.yaml}}, {ON_ALL}'[{{op: replace, path: {LIMITS}, value: {{}}}}]'}}]", 0),
        (f"patches: [{{path: patch.yaml}}, {ON_ALL}'[{{op: remove, path: {LIMITS}}}]'}}]", 0),
        ("patchesJson6902: [{target: {group: apps, version: v1, kind: Deployment, name: llm}, path: json.yaml}]", 4),
        ("patches: [{path: patch.yaml}, {path: delete.yaml}]", 0),
    ],
)  # fmt: skip
def test_patches(patches: str, count: int) -> None:
    files = with_overlay(
        f"resources: [../base]\nimages: [{{name: vllm/vllm-openai, newTag: v0.11.0}}]\n{patches}\n",
        **{
            "json.yaml": f"- {{op: add, path: {LIMITS}, value: {{nvidia.com/gpu: 4}}}}\n",
            "delete.yaml": PATCH.replace("resources: {limits: {nvidia.com/gpu: 2}}", "resources: null"),
        },
    )
    container = server(files)
    assert container.name == "server"
    assert container.gpu_count() == count


@pytest.mark.parametrize(
    "overlay",
    [
        "transformers: [plugin.yaml]",
        "components: [https://example.com/component]",
        "patches: [{path: missing.yaml, target: {kind: Deployment}}]",
        "patches: [{path: patch.yaml, target: {labelSelector: a in (b)}}]",
        "patches: [{target: {kind: Deployment}, patch: '[{op: move, from: /spec/a, path: /spec/b}]'}]",
        "patches: [{target: {kind: Deployment}, patch: '[{op: add, path: /spec/none/there, value: 1}]'}]",
        f"patches: [{{patch: '{{{PATCH_HEAD}, spec: {{$retainKeys: [x]}}}}'}}]",
    ],
)
def test_what_is_not_followed_makes_no_workload(overlay: str) -> None:
    text = f"resources: [../base]\nimages: [{{name: vllm/vllm-openai, newTag: v0.11.0}}]\n{overlay}\n"
    assert not overlays(with_overlay(text))


def test_an_object_that_a_patch_deletes() -> None:
    text = f"resources: [../base]\npatches: [{{patch: '{{{PATCH_HEAD}, $patch: delete}}'}}]\n"
    assert not overlays(with_overlay(text))


def test_lists_of_other_kinds_are_replaced() -> None:
    """kustomize knows the merge keys of built-in kinds only."""
    object_ = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: llm}\n"
    files = {
        "base/rollout.yaml": object_ + DEPLOYMENT.split("metadata: {name: llm}\n")[1],
        "base/kustomization.yaml": "resources: [rollout.yaml]\n",
        "over/kustomization.yaml": "resources: [../base]\npatches: [{path: patch.yaml}]\n",
        "over/patch.yaml": object_ + PATCH.split("metadata: {name: llm}\n")[1],
    }
    (workload,) = overlays(files)
    (container,) = workload.containers
    assert container.image is None
    assert not workload.complete


def test_images_and_replicas() -> None:
    text = """\
resources: [../base]
images:
  - {name: vllm/vllm-openai, newName: mirror/vllm-openai, newTag: 0.11.0}
replicas: [{name: llm, count: 3}]
"""
    (workload,) = overlays(with_overlay(text))
    image = workload.containers[0].image
    assert image is not None
    assert (image.value, image.place.source.path, image.place.line) == (
        "mirror/vllm-openai:0.11.0",
        "over/kustomization.yaml",
        3,
    )
    assert workload.replicas is not None
    assert workload.replicas.value == 3


def test_components() -> None:
    text = "resources: [../base]\ncomponents: [../gpu]\n"
    files = {
        **with_overlay(text),
        "gpu/kustomization.yaml": "kind: Component\npatches: [{path: p.yaml}]\n",
        "gpu/p.yaml": PATCH,
    }
    assert server(files).gpu_count() == 2


REPLACEMENT = """\
replacements:
  - source: {{kind: ConfigMap, name: runtime, fieldPath: data.{key}}}
    targets:
      - select: {{kind: Deployment}}
        fieldPaths: ['{field}']
        {options}
"""


@pytest.mark.parametrize(
    ("key", "field", "options", "image"),
    [
        ("IMAGE", "spec.template.spec.containers.[name=server].image", "", "vllm/vllm-openai:v0.11.0"),
        ("IMAGE", "spec.template.spec.containers.*.image", "", "vllm/vllm-openai:v0.11.0"),
        ("NONE", "spec.template.spec.containers.[name=server].image", "", "${replaced}"),
        (
            "IMAGE",
            "spec.template.spec.containers.[name=server].image",
            "options: {delimiter: ':', index: 1}",
            "${replaced}",
        ),
        ("IMAGE", "spec.template.spec.containers.[name=other].image", "", "vllm/vllm-openai"),
    ],
)
def test_replacements(key: str, field: str, options: str, image: str) -> None:
    text = OVERLAY + REPLACEMENT.format(key=key, field=field, options=options)
    files = with_overlay(text, **{"runtime.env": "IMAGE=vllm/vllm-openai:v0.11.0\nTP=1\n"})
    found = server(files).image
    assert found is not None
    assert found.value == image


def test_cycles_and_towers_end() -> None:
    files = {"a/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources: [../a]\n"}
    assert [workload.overlay for workload in overlays({**FILES, **files})] == ["over"]
    tower = {f"{n}/kustomization.yaml": f"resources: [{', '.join([f'../{n + 1}'] * 50)}]\n" for n in range(8)}
    begun = time.perf_counter()
    found = overlays({**FILES, **tower, "8/kustomization.yaml": "resources: [../over]\n"})
    assert time.perf_counter() - begun < 60
    assert not found


def test_aliases_do_not_fill_the_memory() -> None:
    bomb = "x0: &x0 {a: b}\n" + "".join(
        f"x{n}: &x{n} {{{', '.join(f'k{i}: *x{n - 1}' for i in range(10))}}}\n" for n in range(1, 12)
    )
    files = {**FILES, "base/deployment.yaml": DEPLOYMENT + bomb, "over/patch.yaml": PATCH + bomb}
    begun = time.perf_counter()
    overlays(files)
    assert time.perf_counter() - begun < 60


# -- files and the project


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "repository"
    (root / ".git").mkdir(parents=True)
    for path, text in FILES.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    monkeypatch.chdir(root)
    return root


def loaded(*paths: str) -> Loaded:
    return load(discover(list(paths), []))


@pytest.mark.parametrize("paths", [["."], ["over"], ["over/patch.yaml"], ["over/runtime.env"]])
@pytest.mark.usefixtures("repository")
def test_whatever_is_named(paths: list[str]) -> None:
    findings, _ = check(loaded(*paths), ["parallel-size-exceeds-gpus"])
    assert [(f.finding.place.source.path, f.finding.place.line) for f in findings] == [("over/runtime.env", 2)]


@pytest.mark.usefixtures("repository")
def test_what_inspect_shows_of_an_overlay() -> None:
    found = loaded("over")
    data = view.inspection(found.project, found.scope)
    jsonschema.Draft202012Validator(json.loads(read_schema("inspect"))).validate(data)
    made = next(workload for workload in data["workloads"] if "overlay" in workload)
    assert (made["overlay"], made["path"]) == ("over", "base/deployment.yaml")
    assert "as the kustomization in over makes it" in view.tree(data, color=False)


def test_nothing_outside_the_project_is_read(repository: Path) -> None:
    (repository.parent / "outside.env").write_text("TP=4\nMODEL=m\n")
    (repository / "over" / "kustomization.yaml").write_text(OVERLAY.replace("runtime.env", "../../outside.env"))
    (repository / "over" / "runtime.env").unlink()
    (repository / "over" / "linked.env").symlink_to(repository.parent / "outside.env")
    findings, _ = check(loaded("."), ["parallel-size-exceeds-gpus"])
    assert not findings
    (repository / "over" / "kustomization.yaml").write_text(OVERLAY.replace("runtime.env", "linked.env"))
    findings, _ = check(loaded("."), ["parallel-size-exceeds-gpus"])
    assert not findings


# -- ConfigMaps without a kustomization

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: runtime}\ndata: {TP: '4', MODEL: org/m}\n"


def tensor_parallel(files: dict[str, str]) -> int | None:
    found = next(e for w in load_texts(files).project.workloads for e in w.engines)
    return found.tensor_parallel.value if found.tensor_parallel is not None else None


@pytest.mark.parametrize("path", ["app/config.yaml", "app/deployment.yaml", "config/config.yaml"])
def test_a_config_map_nearby(path: str) -> None:
    files = {"app/deployment.yaml": DEPLOYMENT}
    files[path] = f"{files[path]}---\n{CONFIG_MAP}" if path in files else CONFIG_MAP
    assert tensor_parallel(files) == 4


@pytest.mark.parametrize(
    "files",
    [
        {"elsewhere/deep/config.yaml": CONFIG_MAP},
        {"config.yaml": CONFIG_MAP.replace("runtime", "other")},
        {"app/config.yaml": CONFIG_MAP.replace("TP", "PP")},
        {"app/a.yaml": CONFIG_MAP, "app/b.yaml": CONFIG_MAP.replace("'4'", "'8'")},
        {"app/config.yaml": CONFIG_MAP.replace("'4'", "[4]")},
    ],
)
def test_no_config_map_that_is_certain(files: dict[str, str]) -> None:
    assert tensor_parallel({"app/deployment.yaml": DEPLOYMENT, **files}) is None


def test_all_of_a_config_map() -> None:
    references = DEPLOYMENT[DEPLOYMENT.index("          env:") : DEPLOYMENT.index("          resources")]
    text = DEPLOYMENT.replace(
        references,
        "          env: [{name: MODEL, value: own}]\n"
        "          envFrom: [{configMapRef: {name: runtime}}, {prefix: X_, configMapRef: {name: runtime}}, "
        "{secretRef: {name: s}}]\n",
    )
    project = load_texts({"deployment.yaml": text, "config.yaml": CONFIG_MAP}).project
    container = project.workloads[0].containers[0]
    values = {name: (variable.value, variable.remote) for name, variable in container.env.items()}
    assert values == {"TP": ("4", True), "X_TP": ("4", True), "X_MODEL": ("org/m", True), "MODEL": ("own", False)}
    assert container.engine is not None
    assert container.engine.tensor_parallel is not None
    assert container.engine.tensor_parallel.value == 4
    assert container.engine.ray_cluster  # the Secret may say anything


# -- environment files


@pytest.mark.parametrize(
    ("line", "kustomize", "compose"),
    [
        ("A=1", "1", "1"),
        ("  A=1", "1", "1"),
        ("A=1 # one", "1 # one", "1"),
        ("A='1 # one'", "'1 # one'", "1 # one"),
        ('A="1"', '"1"', "1"),
        ("A=x=y", "x=y", "x=y"),
        ("A=", "", ""),
        ("A=1\r", "1", "1"),
    ],
)
def test_values(line: str, kustomize: str, compose: str) -> None:
    for quotes, value in ((False, kustomize), (True, compose)):
        ((name, node),) = variables(Source("x.env", f"# A=0\n\n{line}\n"), quotes=quotes)
        assert name == "A"
        assert node is not None
        assert node.text == value
        assert node.place.text() == (value or "A")
        assert node.key_place.text() == "A"
