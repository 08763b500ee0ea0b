"""What the readers and engines tell the rules about security, arguments and storage, and how secrets are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpulint.engines import _images, flags
from gpulint.load import load_texts
from gpulint.model.engine import Engine
from gpulint.model.network import Service
from gpulint.model.project import Project
from gpulint.pages import load_page, page_names
from gpulint.readers._docker import published_port
from gpulint.rules.credentials import issuer_of, prefix_of, stands_in
from gpulint.rules.exposure import asks_for_key, is_public
from gpulint.rules.model_cache import cache_folder, hub_model, mount_of

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: chat}}
spec:
  selector: {{matchLabels: {{app: chat}}}}
  template:
    metadata: {{labels: {{app: chat}}}}
    spec:
      {pod}
      containers:
        - name: engine
          image: {image}
          {container}
"""


def project(**files: str) -> Project:
    loaded = load_texts({name.replace("_", "."): text for name, text in files.items()})
    assert not loaded.problems
    return loaded.project


def engine(container: str, image: str = "vllm/vllm-openai:v0.11.0", pod: str = "hostNetwork: false") -> Engine:
    found = project(a_yaml=DEPLOYMENT.format(container=container, image=image, pod=pod)).workloads[0].engines
    assert len(found) == 1
    return found[0]


def service(spec: str, annotations: str) -> Service:
    spec = "{selector: {app: chat}, " + spec[1:]
    text = f"apiVersion: v1\nkind: Service\nmetadata: {{name: chat, annotations: {annotations}}}\nspec: {spec}\n"
    return project(a_yaml=text).services[0]


# -- secrets


TOKEN = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3h"  # noqa: S105 - made up


@pytest.mark.parametrize(
    ("text", "issuer"),
    [
        (f"hf_{TOKEN}", "Hugging Face"),
        (f"nvapi-{TOKEN}{TOKEN}", "NVIDIA"),
        (f"sk-{TOKEN}{TOKEN}", "OpenAI"),
        (f"sk-ant-{TOKEN}{TOKEN}", "Anthropic"),
        (f"ghp_{TOKEN}", "GitHub"),
        ("hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", None),
        ("hf_your_token_here", None),
        ("sk-local", None),
        ("$(HF_TOKEN)", None),
        (None, None),
    ],
)
def test_issuer(text: str | None, issuer: str | None) -> None:
    assert issuer_of(text) == issuer


@pytest.mark.parametrize(
    "text", ["", "EMPTY", "changeme", "change-me", "<token>", "${KEY}", "$(KEY)", "{{ key }}", "sk-local", "your-key"]
)
def test_stands_in(text: str) -> None:
    assert stands_in(text)


@pytest.mark.parametrize("text", ["sk-9f8e7d6c5b4a", "4f1c9a7be2d8", "Tr0ub4dor"])
def test_does_not_stand_in(text: str) -> None:
    assert not stands_in(text)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=30, max_size=60))
def test_prefix_tells_nothing_of_a_secret(rest: str) -> None:
    shown = prefix_of(f"hf_{rest}")
    assert shown == "hf_…"


def test_no_finding_holds_a_secret() -> None:
    from gpulint.lint import check
    from gpulint.rules import rule_names

    key = "k9Qw7Zr4Tn2Lp8Xv5"
    text = DEPLOYMENT.format(
        image="vllm/vllm-openai:v0.11.0",
        pod="hostNetwork: false",
        container=f"args: [--model=Qwen/Qwen3-8B, --api-key={key}]\n          env: [{{name: HF_TOKEN, value: hf_{TOKEN}}}]",
    )
    findings, failed = check(load_texts({"a.yaml": text}), rule_names())
    own = [found.finding for found in findings if found.rule == "plaintext-credential"]
    assert len(own) == 2
    assert not failed
    for finding in own:
        told = " ".join([finding.message, finding.help, *(str(evidence.value) for evidence in finding.evidence)])
        assert key not in told
        assert TOKEN not in told


def test_security_severity_is_of_security_rules_alone() -> None:
    for name, family in page_names().items():
        assert ("security-severity" in load_page(family, name).front_matter) == (family == "security"), name


# -- exposure


@pytest.mark.parametrize(
    ("spec", "annotations", "public"),
    [
        ("{type: LoadBalancer}", "{}", True),
        ("{type: ClusterIP}", "{}", False),
        ("{}", "{}", False),
        ("{type: LoadBalancer}", "{networking.gke.io/load-balancer-type: Internal}", False),
        ("{type: LoadBalancer}", "{service.beta.kubernetes.io/azure-load-balancer-internal: 'true'}", False),
        ("{type: LoadBalancer}", "{service.beta.kubernetes.io/aws-load-balancer-type: external}", False),
        (
            "{type: LoadBalancer}",
            "{service.beta.kubernetes.io/aws-load-balancer-type: external, "
            "service.beta.kubernetes.io/aws-load-balancer-scheme: internet-facing}",
            True,
        ),
        ("{type: LoadBalancer, loadBalancerClass: tailscale}", "{}", False),
        ("{type: LoadBalancer, loadBalancerIP: 192.168.1.20}", "{}", False),
        ("{type: LoadBalancer, loadBalancerIP: 172.32.1.20}", "{}", True),
        ("{type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8]}", "{}", False),
        ("{type: LoadBalancer, loadBalancerSourceRanges: [0.0.0.0/0]}", "{}", True),
        ("{type: LoadBalancer}", "{metallb.io/address-pool: home}", False),
    ],
)
def test_public_service(spec: str, annotations: str, public: bool) -> None:
    assert is_public(service(spec, annotations)) is public


@pytest.mark.parametrize(
    ("container", "image", "asks"),
    [
        ("args: [--model=m/n]", "vllm/vllm-openai:v0.11.0", False),
        ("args: [--model=m/n, --api-key=x]", "vllm/vllm-openai:v0.11.0", True),
        (
            "{args: [--model=m/n], env: [{name: VLLM_API_KEY, valueFrom: {secretKeyRef: {name: a, key: b}}}]}",
            "vllm/vllm-openai:v0.11.0",
            True,
        ),
        ("{args: [--model=m/n], envFrom: [{secretRef: {name: keys}}]}", "vllm/vllm-openai:v0.11.0", None),
        ("args: [--model=m/n, $(MORE)]", "vllm/vllm-openai:v0.11.0", None),
        ("args: [--model-id=m/n]", "ghcr.io/huggingface/text-generation-inference:3.3.7", False),
        ("args: [--model-id=m/n]", "ghcr.io/huggingface/text-generation-inference:2.0.0", None),
        ("args: [serve]", "ollama/ollama:0.12.0", False),
        ("command: [llama-server, --api-key-file, /keys]", "debian:13", True),
    ],
)
def test_asks_for_key(container: str, image: str, asks: bool | None) -> None:
    text = DEPLOYMENT.format(container="XX", image=image, pod="hostNetwork: false")
    inner = container[1:-1] if container.startswith("{") else container
    if container.startswith("{"):
        text = text.replace("        - name: engine\n", "").replace(
            f"          image: {image}\n          XX\n", f"        - {{name: engine, image: {image!r}, {inner}}}\n"
        )
    else:
        text = text.replace("XX", inner)
    found = project(a_yaml=text).workloads[0].engines[0]
    assert asks_for_key(found) is asks


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("8000:8000", 8000),
        ("80:8000", 8000),
        ("8000", 8000),
        ("0.0.0.0:80:8000", 8000),
        ("127.0.0.1:8000:8000", None),
        ("[::1]:8000:8000", None),
        ("8000:8000/udp", None),
        ("8000-8010:8000-8010", None),
        (None, None),
        ("", None),
    ],
)
def test_published_port(text: str | None, port: int | None) -> None:
    assert published_port(text) == port


# -- flags


def test_wrong_flags() -> None:
    found = engine(
        "args: [--model=m/n, --swap-space=4, --max-modle-len=8, --data-parallel-size=1]", "vllm/vllm-openai:v0.18.0"
    )
    assert [(flag.name, flag.removed) for flag in found.wrong_flags] == [
        ("--swap-space", "0.18.0"),
        ("--max-modle-len", None),
    ]


@pytest.mark.parametrize(
    "image",
    [
        "vllm/vllm-openai:latest",
        "vllm/vllm-openai:v0.18.0-1a2b3c4",
        "vllm/vllm-openai:v99.0.0",
        "vllm/vllm-openai:v0.2.7",
        "registry.example.com/own:v0.18.0",
    ],
)
def test_no_wrong_flags_of_a_version_that_is_not_known(image: str) -> None:
    assert engine("command: [vllm, serve, m/n, --swap-space=4, --strange]", image).wrong_flags == []


@pytest.mark.parametrize(
    ("image", "release"),
    [
        ("vllm/vllm-openai:v0.11.0", True),
        ("vllm/vllm-openai:v0.8.5.post1", True),
        ("lmsysorg/sglang:v0.4.2-cu124", True),
        ("ghcr.io/huggingface/text-generation-inference:3.3.7-rocm", True),
        ("vllm/vllm-openai:latest", True),
        ("vllm/vllm-openai:v0.6.1-edb07092-20250118", False),
        ("vllm/vllm-openai:v0.6.2-distributed", False),
    ],
)
def test_release(image: str, release: bool) -> None:
    assert _images.is_release(image) is release


def test_engines_with() -> None:
    assert flags.engines_with("--mem-fraction-static") == ["sglang"]
    assert "vllm" in flags.engines_with("--max_model_len")
    assert flags.engines_with("--no-engine-has-this") == []


def test_repeated_flags_and_stray_arguments() -> None:
    found = engine(
        "args: [--model=m/n, --max-model-len=1, --max_model_len, '2', --tensor-parallel-size 4, --seed=0, --seed=0]"
    )
    assert [(lost.value, last.value) for lost, last in found.repeated_flags] == [("1", "2")]
    assert [argument.value for argument in found.stray_arguments] == ["--tensor-parallel-size 4"]
    several = engine("args: [--model=m/n, --served-model-name, a, --served-model-name, b, --api-key, a, --api-key, b]")
    assert several.repeated_flags == []


# -- what else the readers say


def test_stored_secrets() -> None:
    text = """\
apiVersion: v1
kind: Secret
metadata: {name: hub}
data: {token: aGZfYWJj, binary: /////w==, wrong: "hf_!"}
stringData: {plain: hf_def}
"""
    found = project(a_yaml=text).stored_secrets
    assert {secret.key: secret.value for secret in found} == {"token": "hf_abc", "plain": "hf_def"}


def test_docker_run_publishes_and_is_privileged() -> None:
    command = "docker run --gpus all --privileged -p 8000:8000 -p127.0.0.1:9:9 vllm/vllm-openai:v0.11.0 --model m/n\n"
    container = project(a_sh=command).workloads[0].containers[0]
    assert [port.value for port in container.published] == [8000]
    assert container.privileged
    assert container.privileged_place is not None
    assert container.privileged_place.text() == "--privileged"


def test_compose_publishes() -> None:
    text = """\
services:
  vllm:
    image: vllm/vllm-openai:v0.11.0
    command: --model m/n
    ports: ["127.0.0.1:1:1", "2:2", {target: 3, published: 3}, {target: 4, host_ip: 127.0.0.1}]
    privileged: true
"""
    container = project(compose_yaml=text).workloads[0].containers[0]
    assert [port.value for port in container.published] == [2, 3]
    assert container.privileged_place is not None
    assert container.privileged_place.line == 6


@pytest.mark.parametrize(
    ("command", "idles"),
    [
        ("[sleep, infinity]", True),
        ("[/bin/sh, -c, sleep infinity]", True),
        ("[tail, -f, /dev/null]", True),
        ("[sleep, '60']", False),
        ("[sh, -c, python train.py && sleep infinity]", False),
        ("[]", False),
    ],
)
def test_idle_command(command: str, idles: bool) -> None:
    text = DEPLOYMENT.format(
        image="debian:13",
        pod="hostPID: true",
        container=f"command: {command}\n          resources: {{limits: {{nvidia.com/gpu: 1}}}}",
    )
    pod = project(a_yaml=text).workloads[0].pods[0]
    assert (pod.containers[0].idles is not None) is idles
    assert [shared.value for shared in pod.host_namespaces] == ["hostPID"]


# -- where models are kept


@pytest.mark.parametrize(
    ("container", "image", "folder"),
    [
        ("args: [--model=m/n]", "vllm/vllm-openai:v0.11.0", "/root/.cache/huggingface/hub"),
        ("args: [--model=m/n, --download-dir=/models]", "vllm/vllm-openai:v0.11.0", "/models"),
        ("args: [--model-id=m/n]", "ghcr.io/huggingface/text-generation-inference:3.3.7", "/data"),
        (
            "args: [--model=m/n]\n          env: [{name: HF_HOME, value: /models}]",
            "vllm/vllm-openai:v0.11.0",
            "/models/hub",
        ),
        ("args: [--model=m/n]\n          env: [{name: HF_HOME, value: $(X)}]", "vllm/vllm-openai:v0.11.0", None),
        ("command: [vllm, serve, m/n]", "registry.example.com/own:1", None),
        (
            "args: [--model-id=m/n]\n          env: [{name: HF_HOME, value: /models}]",
            "ghcr.io/huggingface/text-generation-inference:3.3.7",
            None,
        ),
    ],
)
def test_cache_folder(container: str, image: str, folder: str | None) -> None:
    found = engine(container, image)
    assert cache_folder(found) == folder
    assert hub_model(found) == "m/n"


def test_mounts_and_volumes() -> None:
    found = engine(
        "args: [--model=m/n]\n"
        "          volumeMounts: [{name: a, mountPath: /}, {name: b, mountPath: /root/.cache/, readOnly: true}]",
        pod="volumes: [{name: a, emptyDir: {}}, {name: b, persistentVolumeClaim: {claimName: models, readOnly: true}}]",
    )
    volumes = found.container.pod.volumes
    assert {name: volume.kind for name, volume in volumes.items()} == {"a": "emptyDir", "b": "persistentVolumeClaim"}
    assert volumes["b"].claim is not None
    assert volumes["b"].claim.value == "models"
    mount = mount_of(found.container, "/root/.cache/huggingface/hub")
    assert mount is not None
    assert mount.volume == "b"
    assert mount.read_only is not None
    assert mount_of(found.container, "/data") is not None
    assert hub_model(engine("args: [--model=/m/n]")) is None


def test_claim_of() -> None:
    claim = (
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: models}\nspec: {accessModes: [ReadWriteOnce]}\n"
    )
    deployment = DEPLOYMENT.format(
        image="vllm/vllm-openai:v0.11.0",
        container="args: [--model=m/n]",
        pod="volumes: [{name: m, persistentVolumeClaim: {claimName: models}}]",
    )
    both = project(a_yaml=deployment, b_yaml=claim)
    pod = both.workloads[0].pods[0]
    found = both.claim_of(pod.volumes["m"], pod)
    assert found is not None
    assert found.access_modes is not None
    assert found.access_modes.value == ("ReadWriteOnce",)
    alone = project(a_yaml=deployment).workloads[0].pods[0]
    assert project(a_yaml=deployment).claim_of(alone.volumes["m"], alone) is None
