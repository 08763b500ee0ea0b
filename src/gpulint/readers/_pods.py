"""Pod specs: containers, the accelerators they ask for, shared memory, and where the pod may land."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpulint import engines
from gpulint.engines.launch import Find, Launch, Word, any_words, words_of
from gpulint.hardware.labels import match_label, match_values
from gpulint.hardware.match import NodeMatch, combine
from gpulint.hardware.mig import profile_of_resource
from gpulint.model.quantity import duration_s, quantity_mib, whole
from gpulint.model.values import Setting, Sourced
from gpulint.model.workload import (
    COMPUTE_CLASS,
    Container,
    EnvVar,
    GpuRequest,
    Mount,
    Placement,
    Pod,
    Probe,
    SharedMemory,
    Toleration,
    Vendor,
    Volume,
)
from gpulint.readers._manifest import number_or_none, sourced, sourced_int, sourced_number, sourced_text, text_at
from gpulint.source.yaml import Node

if TYPE_CHECKING:
    from gpulint.model.devices import ClaimUse
    from gpulint.source.text import Place

# Resource names of device plugins: the name up to which each vendor's begin, and the vendor.
_VENDORS: tuple[tuple[str, Vendor], ...] = (
    ("nvidia.com/gpu", "nvidia"),
    ("nvidia.com/mig-", "nvidia"),
    ("amd.com/gpu", "amd"),
    ("gpu.intel.com/", "intel"),
    ("habana.ai/gaudi", "habana"),
    ("google.com/tpu", "google-tpu"),
    ("aws.amazon.com/neuron", "aws-neuron"),
)
_HOST_NAMESPACES = ("hostIPC", "hostPID", "hostNetwork")
_IDLE = frozenset({"sleep infinity", "sleep inf", "/bin/sleep infinity", "tail -f /dev/null"})
# The key under which the files stand that a container has from ConfigMaps; no field of Kubernetes is called so.
FILES = "mounted files"
ACCELERATOR_WORDS = (*(prefix for prefix, _ in _VENDORS), "resourceClaims", "gke-accelerator")
# HAMi's and Volcano's shares of a GPU: with them `nvidia.com/gpu` counts virtual devices.
# Source: Project-HAMi/HAMi docs/config.md (resourceMem, resourceMemPercentage, resourceCores); Volcano's vGPU plugin.
_VIRTUAL_GPU_RESOURCES = (
    "nvidia.com/gpumem",
    "nvidia.com/gpumem-percentage",
    "nvidia.com/gpucores",
    "volcano.sh/vgpu-number",
    "volcano.sh/vgpu-memory",
)


def read_pod(
    spec: Node, role: str | None = None, per_group: int | None = 1, containers_at: list[Node] | None = None
) -> Pod:
    """The pod of a PodSpec node, with the containers at these nodes where the format keeps them elsewhere."""
    nodes = elements(spec, "containers") if containers_at is None else containers_at
    containers = [read_container(node, spec) for node in nodes]
    containers += [
        read_container(node, spec, sidecar=True)
        for node in elements(spec, "initContainers")
        if text_at(node, "restartPolicy") == "Always"
    ]
    return pod_of(spec, containers, role, per_group)


def pod_of(spec: Node, containers: list[Container], role: str | None = None, per_group: int | None = 1) -> Pod:
    """A pod of these containers, with the settings of a PodSpec node or of one that has a PodSpec's fields."""
    host_ipc = spec.get("hostIPC")
    return Pod(
        containers=containers,
        place=spec.key_place,
        role=role,
        per_group=per_group,
        placement=_placement(spec),
        host_ipc=host_ipc is not None and host_ipc.value is True,
        dra_claims=any(True for _ in elements(spec, "resourceClaims")),
        # A container without an image is refused by the API server: it is a patch of another one.
        complete=bool(containers) and all(container.image is not None for container in containers),
        compute_class=sourced_text(spec.at("nodeSelector", COMPUTE_CLASS)),
        claims=[use for node in elements(spec, "resourceClaims") if (use := _claim_use(node)) is not None],
        termination_grace_s=numeric(spec, "terminationGracePeriodSeconds", 30),
        tolerations=[_toleration(node) for node in elements(spec, "tolerations")],
        host_namespaces=[
            Sourced(key, node.entry_place, node.key_place)
            for key in _HOST_NAMESPACES
            if (node := spec.get(key)) is not None and node.value is True
        ],
        volumes=_volumes(spec),
        service_links=text_at(spec, "enableServiceLinks") != "false",
    )


def _volumes(spec: Node) -> dict[str, Volume]:
    found: dict[str, Volume] = {}
    for node in elements(spec, "volumes"):
        name = node.get("name")
        if name is None or name.text is None:
            continue
        kind = next((key for key, _ in node.items() if key != "name"), "emptyDir")
        found[name.text] = Volume(
            name.text,
            kind,
            name.place,
            claim=sourced_text(node.at("persistentVolumeClaim", "claimName")),
            read_only=text_at(node, kind, "readOnly") == "true",
        )
    return found


def _mounts(container: Node) -> list[Mount]:
    found = []
    for node in elements(container, "volumeMounts"):
        path, read_only = node.get("mountPath"), node.get("readOnly")
        if path is not None and path.text is not None:
            at = read_only.entry_place if read_only is not None and read_only.value is True else None
            found.append(Mount(path.text, text_at(node, "name"), path.place, at))
    return found


def _idle_command(container: Node) -> Place | None:
    """Where a container is told only to wait: `sleep infinity`, `tail -f /dev/null`, itself or in a shell."""
    words = [
        word
        for key in ("command", "args")
        if (node := container.get(key)) is not None and node.is_sequence
        for word in node.elements()
    ]
    texts = [(word.text or "").strip() for word in words]
    if len(texts) > 1 and texts[0].rpartition("/")[2] in ("sh", "bash") and texts[1].startswith("-"):
        texts = texts[2:]
    return words[-1].place if " ".join(texts) in _IDLE else None


def _toleration(node: Node) -> Toleration:
    operator = text_at(node, "operator") or "Equal"
    return Toleration(sourced_text(node.get("key")), operator, text_at(node, "value"), text_at(node, "effect"))


def numeric(node: Node, key: str, default: float) -> Setting[float]:
    """A field of a number (of seconds, as a rule) with its default in Kubernetes' API."""
    written = node.get(key)
    if written is None or (written.is_scalar and written.text is None):
        return Setting(default, key, None, default=True)
    return Setting(number_or_none(written), key, written.place)


def _claim_use(node: Node) -> ClaimUse | None:
    """A claim of a pod; up to v1alpha2 its source was nested. Source: Kubernetes API reference, PodResourceClaim."""
    from gpulint.model.devices import ClaimUse

    name = text_at(node, "name")
    source = node.get("source") or node
    for kind, key in (("ResourceClaimTemplate", "resourceClaimTemplateName"), ("ResourceClaim", "resourceClaimName")):
        target = source.get(key)
        if name is not None and target is not None:
            return ClaimUse(name, target.place, kind, target.text)
    return None


def elements(node: Node, key: str) -> list[Node]:
    child = node.get(key)
    return [element for element in child.elements() if element.is_mapping] if child is not None else []


def read_container(
    node: Node,
    spec: Node,
    *,
    sidecar: bool = False,
    name: Node | None = None,
    image: Sourced[str] | None = None,
    env: Sequence[Node | None] = (),
    env_known: bool = True,
    find: Find | None = None,
) -> Container:
    """The container of a Container node.

    `name`, `image` and `env` say what an operator's format keeps elsewhere: the node that shows the container to a
    reader, the image, and further lists of variables, of which the container's own win. `find` finds files of its image
    (see Launch).
    """
    name = node.get("name") or name
    variables: dict[str, EnvVar] = {}
    for more in (*env, node.get("env")):
        variables |= environment(more)
    image = image or sourced_text(node.get("image"))
    place = name.place if name is not None else node.key_place
    command, args, mounted = node.get("command"), node.get("args"), node.get(FILES)
    files = dict(mounted.items()) if mounted is not None else {}
    launch = Launch(
        image=image,
        command=_words(command, variables),
        args=_words(args, variables) or ([any_words(node)] if args is None and _has_gap(node) else None),
        env=variables,
        place=place,
        env_known=env_known and node.get("envFrom") is None and node.document.gaps is None,
        files=files,
        find=find,
    )
    container = Container(
        name=name.text if name is not None else None,
        place=place,
        image=image,
        gpus=gpu_requests(node),
        env=variables,
        engine=engines.read(launch),
        shared_memory=_shared_memory(node, spec),
        memory_limit_mib=_memory_limit_mib(node),
        requested=_requested(node),
        startup_probe=read_probe(node.get("startupProbe")),
        liveness_probe=read_probe(node.get("livenessProbe")),
        readiness_probe=read_probe(node.get("readinessProbe")),
        pre_stop_s=_sleep_s(node.at("lifecycle", "preStop")),
        pre_stop=node.at("lifecycle", "preStop") is not None,
        sidecar=sidecar,
        claims=[
            (claim, text_at(element, "request"))
            for element in elements(node.get("resources") or node, "claims")
            if (claim := text_at(element, "name")) is not None
        ],
        capabilities=capabilities(node.at("securityContext", "capabilities", "add")),
        privileged=text_at(node, "securityContext", "privileged") == "true",
        cpu_limit=sourced_number(node.at("resources", "limits", "cpu")),
        ports=[
            found for port in elements(node, "ports") if (found := sourced_int(port.get("containerPort"))) is not None
        ],
        mounts=_mounts(node),
        idles=_idle_command(node),
    )
    privileged = node.at("securityContext", "privileged")
    if container.privileged and privileged is not None:
        container.privileged_place = privileged.entry_place
    if container.engine is not None:
        container.engine.container = container
    return container


def _words(given: Node | None, variables: dict[str, EnvVar]) -> list[Word] | None:
    """The words of `command` or `args`; None where there are none, any where a template leaves it open."""
    if given is not None and given.is_sequence:
        return words_of(given, variables)
    if given is not None and given.document.gaps is not None and given.is_scalar and given.text is not None:
        return [any_words(given)]
    return None


def _has_gap(node: Node) -> bool:
    """Whether a template may write more keys into a mapping."""
    document = node.document
    inside = {gap for _, child in node.items() for gap in document.gaps_in(child)} if document.gaps else ()
    return any(gap not in inside for gap in document.gaps_in(node))


def capabilities(added: Node | None) -> frozenset[str]:
    """The Linux capabilities of a list, without the prefix `CAP_`."""
    names = [element.text for element in added.elements() if element.text] if added is not None else []
    return frozenset(name.upper().removeprefix("CAP_") for name in names)


def environment(node: Node | None) -> dict[str, EnvVar]:
    """The variables of an `env` list, or of a mapping of names to values."""
    env: dict[str, EnvVar] = {}
    if node is None:
        return env
    if node.is_mapping:
        return {
            key: EnvVar(key, value.raw.value if value.is_scalar else None, value.place, value.key_place)
            for key, value in node.items()
        }
    for element in node.elements():
        name = text_at(element, "name")
        if name is None:
            continue
        value = element.get("value")
        at = value if value is not None else element
        if value is not None:
            text = value.raw.value if value.is_scalar else None
        else:
            # Only a name: an empty value. valueFrom: known to the cluster alone.
            text = None if element.get("valueFrom") is not None else ""
        # Of another document: a ConfigMap, an environment file, the patch of an overlay.
        env[name] = EnvVar(name, text, at.place, at.key_place, remote=at.document is not node.document)
    return env


def gpu_requests(container: Node) -> list[GpuRequest]:
    """What a container asks for; limits first, for extended resources must be limited and requests follow.

    Source: Kubernetes, Manage Resources for Containers, "Extended resources".
    """
    found: dict[str, GpuRequest] = {}
    virtual = False
    for side in ("limits", "requests"):
        resources = container.at("resources", side)
        if resources is None:
            continue
        for key, value in resources.items():
            resource = key.strip()
            if resource in _VIRTUAL_GPU_RESOURCES:
                virtual = True
            request = gpu_request(resource, value)
            if request is None:
                continue
            request = found.setdefault(resource, request)
            if side == "limits":
                request.limit = sourced_text(value)
            else:
                request.requested = sourced_text(value)
    for request in found.values():
        request.virtual = virtual
    return list(found.values())


def gpu_request(resource: str, value: Node) -> GpuRequest | None:
    """The accelerators of one resource name and its amount; None for none, and for a resource of another kind."""
    vendor = next((vendor for prefix, vendor in _VENDORS if resource.startswith(prefix)), None)
    count = whole(value.value)
    if vendor is None or count == 0 or resource in _VIRTUAL_GPU_RESOURCES:
        return None
    return GpuRequest(
        resource=resource,
        vendor=vendor,
        count=count,
        place=value.place,
        key_place=value.key_place,
        mig_profile=profile_of_resource(resource),
        shared=resource.endswith(".shared"),
    )


def _requested(container: Node) -> frozenset[str]:
    """A limit without a request is one too. Source: Kubernetes, Manage Resources for Containers."""
    sides = (container.at("resources", side) for side in ("requests", "limits"))
    return frozenset(key for side in sides if side is not None for key, _ in side.items())


def _memory_limit_mib(container: Node) -> float | None:
    limit = container.at("resources", "limits", "memory")
    return quantity_mib(limit.value) if limit is not None else None


_PROBE_ACTIONS = ("httpGet", "tcpSocket", "exec", "grpc")


def read_probe(probe: Node | None) -> Probe | None:
    """A Probe with its defaults: 3 failures, 10 s apart, 1 s for an answer. Source: Kubernetes API reference, Probe v1.

    A mapping without an action is one too: operators add it.
    """
    if probe is None or not probe.is_mapping:
        return None
    delay, period = numeric(probe, "initialDelaySeconds", 0), numeric(probe, "periodSeconds", 10)
    failures = numeric(probe, "failureThreshold", 3)
    budget_s = None
    if delay.value is not None and period.value is not None and failures.value is not None:
        budget_s = delay.value + failures.value * period.value
    action = next((action for action in _PROBE_ACTIONS if probe.get(action) is not None), None)
    asked = probe.get(action) if action is not None else None
    return Probe(
        budget_s,
        probe.key_place,
        delay,
        period,
        numeric(probe, "timeoutSeconds", 1),
        failures,
        action,
        text_at(asked, "path"),
        text_at(asked, "port"),
    )


def _sleep_s(hook: Node | None) -> Sourced[float] | None:
    """How long a preStop hook sleeps, where all that it does is to sleep."""
    if hook is None:
        return None
    slept = hook.at("sleep", "seconds")
    if slept is not None:
        number = number_or_none(slept)
        return sourced(number, slept) if number is not None else None
    command = hook.at("exec", "command")
    words = [element.text or "" for element in command.elements()] if command is not None else []
    last = command.element(len(words) - 1) if command is not None and words else None
    # `sleep 15`, as words or as the text of a shell.
    text = " ".join(words[-2:]) if len(words) == 2 else words[-1] if len(words) == 3 and words[1] == "-c" else ""
    parts = text.rstrip("; \n").rpartition("/")[2].split()
    if last is None or len(parts) != 2 or parts[0] != "sleep":
        return None
    number = duration_s(parts[1])
    return sourced(number, last) if number is not None else None


def _shared_memory(container: Node, spec: Node) -> SharedMemory | None:
    mounts = container.get("volumeMounts")
    if mounts is None:
        return None
    for mount in mounts.elements():
        path = mount.get("mountPath")
        if path is None or path.text is None or path.text.rstrip("/") != "/dev/shm":  # noqa: S108
            continue
        name = text_at(mount, "name")
        volume = next((v for v in elements(spec, "volumes") if name is not None and text_at(v, "name") == name), None)
        if volume is None:
            return SharedMemory("unknown", None, path.place)
        empty_dir = volume.get("emptyDir")
        if empty_dir is not None:
            limit = empty_dir.get("sizeLimit")
            size_mib = quantity_mib(limit.value) if limit is not None else None
            at = limit if limit is not None else empty_dir
            medium = text_at(empty_dir, "medium")
            if medium == "Memory":
                return SharedMemory("Memory", size_mib, at.place)
            return SharedMemory("disk" if medium in (None, "") else "unknown", size_mib, at.key_place)
        if volume.at("hostPath", "path") is not None:
            return SharedMemory("host", None, path.place)
        return SharedMemory("unknown", None, path.place)
    return None


def _placement(spec: Node) -> Placement | None:
    """The GPUs that a pod's node selector and required node affinity leave it."""
    matches: list[tuple[NodeMatch, Sourced[str]]] = []
    selector = spec.get("nodeSelector")
    if selector is not None:
        for key, value in selector.items():
            if value.text is None:
                continue
            match = match_label(key, value.text)
            if match is not None:
                matches.append((match, sourced(f"{key}: {value.text}", value)))
    for expression in _required_affinity(spec):
        found = _affinity_match(expression)
        if found is not None:
            matches.append(found)
    return placement(matches)


def placement(matches: list[tuple[NodeMatch, Sourced[str]]]) -> Placement | None:
    """What several labels or instance types of one node, each with where it is written, say of its GPUs together."""
    if not matches:
        return None
    combined = combine([match for match, _ in matches])
    if combined is None:
        return None
    # The label that names the product explains best; a partition or a count alone says less.
    why = next((why for match, why in matches if match.gpus), matches[0][1])
    mig_why = next((why for match, why in matches if match.mig_profile), None)
    return Placement(
        combined.gpus,
        why,
        combined.mig_profile,
        combined.shared,
        combined.gpu_count,
        combined.interconnect,
        combined.fraction,
        mig_why,
    )


def _required_affinity(spec: Node) -> list[Node]:
    """The match expressions of required node affinity, where there is one term: several terms are alternatives."""
    terms = spec.at("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
    if terms is None or len(list(terms.elements())) != 1:
        return []
    term = terms.element(0)
    return elements(term, "matchExpressions") if term is not None else []


def _affinity_match(expression: Node) -> tuple[NodeMatch, Sourced[str]] | None:
    key, values = text_at(expression, "key"), expression.get("values")
    if key is None or values is None or text_at(expression, "operator") != "In":
        return None
    words = [value.text for value in values.elements()]
    known = [word for word in words if word is not None]
    match = match_values(key, known) if known and len(known) == len(words) else None
    if match is None:
        return None
    return match, sourced(f"{key} in [{', '.join(known)}]", values)
