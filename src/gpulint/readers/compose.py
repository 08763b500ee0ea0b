"""Docker Compose: one workload per service, its devices and shared memory, with Compose's own variables filled in."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import cache

from gpulint import engines
from gpulint.engines.launch import Find, Launch, Word
from gpulint.model.project import Project
from gpulint.model.quantity import duration_s
from gpulint.model.values import ObjectRef, Setting, Sourced
from gpulint.model.workload import (
    Container,
    DeviceReservation,
    EnvVar,
    GpuRequest,
    Pod,
    Probe,
    SharedMemory,
    Vendor,
    Workload,
)
from gpulint.readers._docker import (
    DEVICE_FILES,
    DEVICES,
    RUNTIMES,
    SHARED_MEMORY,
    ids_count,
    published_port,
    size_mib,
)
from gpulint.readers._files import mounted_files, project_files
from gpulint.readers._manifest import sourced, sourced_int, text_at
from gpulint.readers._pods import capabilities
from gpulint.source.shell import Piece, holds_several, joined
from gpulint.source.yaml import Node

MARKS = (
    ("services",),
    ("image", "build"),
    ("capabilities", "gpus:", "nvidia", "habana", "/dev/kfd", "NVIDIA_VISIBLE_DEVICES", *engines.marks()),
)
_TOP_LEVEL = frozenset(
    {"configs", "include", "models", "name", "networks", "secrets", "services", "version", "volumes"}
)
_VENDORS: dict[str, Vendor] = {"nvidia": "nvidia", "cdi": "nvidia", "amdgpu": "amd", "amd": "amd"}
_LARGEST_VALUE = _LONGEST_COMMAND = 32 * 1024
_MOST_COUNTED = 1024


def claims_file(root: Node) -> bool:
    services = root.get("services")
    if services is None or not services.is_mapping or root.get("apiVersion") is not None:
        return False
    if any(key not in _TOP_LEVEL and not key.startswith("x-") for key, _ in root.items()):
        return False
    file = posixpath.basename(root.document.source.path).lower()
    if "compose" in file:
        return True
    # Of another name: only where every service is one.
    return all(
        service.is_mapping and (service.get("image") is not None or service.get("build") is not None)
        for _, service in services.items()
    ) and any(True for _ in services.items())


def read_file(root: Node, project: Project) -> None:
    services = root.get("services")
    path = root.document.source.path
    variables = _file_variables(project, posixpath.join(posixpath.dirname(path), ".env"))
    known = {name: value.value for name, value in (variables or {}).items()}
    for name, service in services.items() if services is not None else ():
        if service.is_mapping:
            project.workloads.append(_Service(name, service, root, known, project).workload())


def _file_variables(project: Project, path: str) -> dict[str, EnvVar] | None:
    """The variables of an environment file; None where it is not in the project."""
    source = project.open_file(posixpath.normpath(path))
    if source is None:
        return None
    from gpulint.source.environment import variables

    found: dict[str, EnvVar] = {}
    for name, node in variables(source, quotes=True):
        if node is not None:
            text = node.text if "$" not in (node.text or "") else None
            found[name] = EnvVar(name, text, node.place, node.key_place, remote=True)
    return found


class _Service:
    """A service, read with the values of the variables that Compose fills in."""

    def __init__(self, name: str, node: Node, file: Node, known: Mapping[str, str | None], project: Project) -> None:
        self.name = name
        self.node = node
        self.file = file
        self.known = known
        self.project = project
        self.env: dict[str, EnvVar] = {}
        self.env_known = True

    def workload(self) -> Workload:
        node = self.node
        self.environment()
        image = node.get("image")
        entrypoint, command = node.get("entrypoint"), node.get("command")
        launch = Launch(
            image=self.sourced(image),
            command=self.words(entrypoint) if entrypoint is not None else None,
            args=self.words(command) if command is not None else None,
            env=self.env,
            place=node.key_place,
            env_known=self.env_known,
            find=self.files(),
        )
        container = Container(
            self.name,
            node.key_place,
            image=launch.image,
            gpus=self.gpus(),
            env=self.env,
            engine=engines.read(launch),
            shared_memory=self.shared_memory(),
            memory_limit_mib=size_mib(
                self.text(node.get("mem_limit") or node.at("deploy", "resources", "limits", "memory"))
            ),
            capabilities=capabilities(node.get("cap_add")),
            privileged=text_at(node, "privileged") == "true",
            reservations=self.reservations(),
            health_check=self.health_check(),
            awaited_by=self.awaited_by(),
            published=self.published(),
        )
        privileged = node.get("privileged")
        if container.privileged and privileged is not None:
            container.privileged_place = privileged.entry_place
        if container.engine is not None:
            container.engine.container = container
        pod = Pod(
            [container],
            node.key_place,
            host_ipc=text_at(node, "ipc") == "host",
            # Without image and build it is laid over the service of another file; with `extends` it takes from one.
            complete=(image is not None or node.get("build") is not None) and node.get("extends") is None,
        )
        replicas = node.at("deploy", "replicas") or node.get("scale")
        return Workload(
            ref=ObjectRef("compose service", None, self.name),
            api_version="",
            place=node.key_place,
            pods=[pod],
            replicas=sourced_int(replicas),
        )

    # -- values

    def pieces(self, text: str) -> list[Piece]:
        return interpolated(text, self.known)

    def text(self, node: Node | None) -> str | None:
        """A scalar's text with its variables filled in; None where one is unknown."""
        if node is None or node.text is None:
            return None
        return joined(self.pieces(node.text))[1] if "$" in node.text else node.text

    def sourced(self, node: Node | None) -> Sourced[str] | None:
        """A text as it will be, or as it is written where that cannot be known."""
        if node is None or node.text is None:
            return None
        return sourced(self.text(node) or node.text, node)

    def words(self, node: Node) -> list[Word]:
        """A command: a list of arguments, or a text that Compose splits as a shell does, without running one."""
        if node.is_sequence:
            return [self.word(element) for element in node.elements()]
        if node.text is None:
            return []
        if len(node.text) > _LONGEST_COMMAND:
            return [Word(node, [Piece(None, 0, 0)], 0, 0, many=True)]
        return _split(node, self.pieces(node.text))

    def word(self, node: Node) -> Word:
        text = node.text
        return Word(node, self.pieces(text) if text is not None else [Piece(None, 0, 0)], 0, len(text or ""))

    def environment(self) -> None:
        """`env_file` in its order, then `environment` over it: a mapping, or a list of NAME=value."""
        files = self.node.get("env_file")
        folder = posixpath.dirname(self.node.document.source.path)
        for entry in _listed(files):
            name = self.text(entry if entry.is_scalar else entry.get("path"))
            found = _file_variables(self.project, posixpath.join(folder, name)) if name else None
            if found is None:
                self.env_known = False
            else:
                self.env.update(found)
        node = self.node.get("environment")
        if node is None:
            return
        if node.is_mapping:
            for key, value in node.items():
                # A name alone takes its value from whoever runs Compose.
                text = value.raw.value if value.is_scalar and value.text is not None else None
                self.set(key, text, value)
        for element in node.elements():
            key, equals, text = (element.text or "").partition("=")
            if key:
                self.set(key, text if equals else None, element)

    def set(self, name: str, text: str | None, node: Node) -> None:
        value = joined(self.pieces(text))[1] if text is not None else self.known.get(name)
        self.env[name] = EnvVar(name, value, node.place, node.key_place)

    def files(self) -> Find:
        """What finds the files that the service mounts from the project, and the configs that the file itself holds."""
        mounts: list[tuple[str, str]] = []
        inline: dict[str, Node] = {}
        for element in _listed(self.node.get("volumes")):
            if element.is_scalar:
                source, _, rest = (self.text(element) or "").partition(":")
                target: str | None = rest.partition(":")[0]
            else:
                source, target = self.text(element.get("source")) or "", self.text(element.get("target"))
            if source.startswith(".") and target:  # else it names a volume, or stands outside the project
                mounts.append((source, target))
        for element in _listed(self.node.get("configs")):
            name = element.text if element.is_scalar else text_at(element, "source")
            config = self.file.at("configs", name) if name is not None else None
            path = (text_at(element, "target") if element.is_mapping else None) or f"/{name}"
            source = text_at(config, "file") or ""
            if config is not None and source:
                mounts.append((source, path))
            content = config.get("content") if config is not None else None
            document = content.embedded() if content is not None else None
            if document is not None:
                inline[posixpath.normpath(path)] = document.root
        outside = mounted_files(
            mounts,
            project_files(self.project, self.node.document.source.path, above=0),
            text_at(self.node, "working_dir"),
        )
        return lambda path: inline.get(posixpath.normpath(path)) or outside(path)

    # -- devices

    def gpus(self) -> list[GpuRequest]:
        reserved = self.node.at("deploy", "resources", "reservations", "devices")
        listed = list(reserved.elements()) if reserved is not None else []
        shorthand = self.node.get("gpus")
        if shorthand is not None and shorthand.text == "all":
            return [GpuRequest(DEVICES, "nvidia", None, shorthand.place, shorthand.key_place)]
        if shorthand is not None:
            listed += shorthand.elements()
        found = [request for device in listed if (request := self.device(device, shorthand)) is not None]
        return found or self.devices_of_runtime() or self.device_files()

    def health_check(self) -> Probe | None:
        """Failures within the start period do not count. Source: Dockerfile reference, HEALTHCHECK."""
        node = self.node.get("healthcheck")
        test = node.get("test") if node is not None else None
        if node is None or test is None or text_at(node, "disable") == "true":
            return None
        words = (
            [self.text(element) or "" for element in test.elements()] if test.is_sequence else [self.text(test) or ""]
        )
        if words[:1] == ["NONE"]:
            return None
        delay, period = self.duration(node, "start_period", 0), self.duration(node, "interval", 30)
        timeout, retries = self.duration(node, "timeout", 30), self.duration(node, "retries", 3)
        budget_s = None
        if delay.value is not None and period.value is not None and retries.value is not None:
            budget_s = delay.value + retries.value * period.value
        asks = any(tool in word for word in words for tool in ("http", "curl", "wget"))
        return Probe(budget_s, node.key_place, delay, period, timeout, retries, "httpGet" if asks else "exec")

    def awaited_by(self) -> list[Sourced[str]]:
        found = []
        services = self.file.get("services")
        for name, service in services.items() if services is not None else ():
            condition = service.at("depends_on", self.name, "condition")
            if condition is not None and condition.text == "service_healthy":
                found.append(sourced(name, condition))
        return found

    def duration(self, node: Node, key: str, default: float) -> Setting[float]:
        written = node.get(key)
        if written is None:
            return Setting(default, key, None, default=True)
        return Setting(duration_s(self.text(written)), key, written.place)

    def reservations(self) -> list[DeviceReservation]:
        reserved = self.node.at("deploy", "resources", "reservations", "devices")
        found = []
        for device in reserved.elements() if reserved is not None else ():
            capabilities, count, ids = device.get("capabilities"), device.get("count"), device.get("device_ids")
            words = {element.text for element in capabilities.elements()} if capabilities is not None else set()
            first = next((value.key_place for _, value in device.items()), device.place)
            found.append(
                DeviceReservation(
                    first,
                    text_at(device, "driver"),
                    capabilities.key_place if capabilities is not None else None,
                    "gpu" in words,
                    count.key_place if count is not None else None,
                    ids.key_place if ids is not None else None,
                )
            )
        return found

    def device(self, device: Node, shorthand: Node | None) -> GpuRequest | None:
        """One reservation. Without count and ids it is all GPUs of the host.

        Source: Docker Compose, "Run Docker Compose services with GPU access".
        """
        capabilities = device.get("capabilities")
        words = {element.text for element in capabilities.elements()} if capabilities is not None else set()
        driver = text_at(device, "driver")
        if "gpu" not in words and shorthand is None and driver != "nvidia":
            return None
        vendor = _VENDORS.get(driver or "nvidia")
        if vendor is None:
            return None
        ids, count = device.get("device_ids"), device.get("count")
        if ids is not None:
            return GpuRequest(DEVICES, vendor, self.ids(ids), ids.place, ids.key_place)
        at = count if count is not None else device
        return GpuRequest(DEVICES, vendor, _count(self.text(count)), at.place, at.key_place)

    def ids(self, node: Node) -> int | None:
        """How many devices a list of ids names; None where one is unknown, all, or a MIG slice."""
        names = [self.text(element) for element in node.elements()]
        parts = [part for name in names for part in (name or "all").split(",")]
        if not parts or any("all" in part or part.startswith("MIG-") or ":" in part for part in parts):
            return None
        return len(parts)

    def devices_of_runtime(self) -> list[GpuRequest]:
        """The runtime gives the devices that a variable names; without it those that the image names, often all."""
        runtime = self.node.get("runtime")
        known = RUNTIMES.get(runtime.text or "") if runtime is not None else None
        if known is None or runtime is None:
            return []
        vendor, variable = known
        given = self.env.get(variable)
        if given is None:
            return [GpuRequest(DEVICES, vendor, None, runtime.place, runtime.key_place)]
        value = given.value
        if value is not None and value.strip() in ("", "none", "void"):
            return []
        return [GpuRequest(DEVICES, vendor, ids_count(value), given.place, given.key_place)]

    def device_files(self) -> list[GpuRequest]:
        devices = self.node.get("devices")
        for element in devices.elements() if devices is not None else ():
            file = (element.text or "").partition(":")[0]
            if file in DEVICE_FILES or file.startswith("nvidia.com/gpu="):
                return [GpuRequest(DEVICES, DEVICE_FILES.get(file, "nvidia"), None, element.place, element.key_place)]
        return []

    def published(self) -> list[Sourced[int]]:
        """The container's ports that are open on every address of the host; the host's network opens all.

        Source: Compose specification, services, ports.
        """
        found = []
        ports = self.node.get("ports")
        for element in ports.elements() if ports is not None else ():
            if element.is_mapping:
                address, target = text_at(element, "host_ip"), self.text(element.get("target"))
                port = published_port(f"{address or ''}:0:{target}" if target else None)
                at = element.get("target") or element
            else:
                port, at = published_port(self.text(element)), element
            if port is not None:
                found.append(sourced(port, at))
        return found

    def shared_memory(self) -> SharedMemory | None:
        size = self.node.get("shm_size")
        if size is not None:
            return SharedMemory("Memory", size_mib(self.text(size)), size.place)
        ipc = self.node.get("ipc")
        if ipc is not None and ipc.text not in (None, "private", "host"):
            return SharedMemory("unknown", None, ipc.place)
        for element in _listed(self.node.get("tmpfs")):
            path, _, options = (element.text or "").partition(":")
            if path == SHARED_MEMORY:
                limit = next((each[5:] for each in options.split(",") if each.startswith("size=")), None)
                return SharedMemory("Memory", size_mib(limit), element.place)
        for element in _listed(self.node.get("volumes")):
            text = element.text if element.is_scalar else text_at(element, "target")
            if text is not None and SHARED_MEMORY in text:
                host = text.startswith(f"{SHARED_MEMORY}:") or text_at(element, "source") == SHARED_MEMORY
                return SharedMemory("host" if host else "unknown", None, element.place)
        return None


def _listed(node: Node | None) -> list[Node]:
    """The elements of a list, or the one value that stands for a list."""
    if node is None:
        return []
    return [node] if node.is_scalar else list(node.elements())


def _count(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 4:
        return None
    return int(text) if 0 < int(text) <= _MOST_COUNTED else None


# -- text


@cache
def _variable() -> re.Pattern[str]:
    return re.compile(
        r"\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-+?])([^{}]*(?:\{[^{}]*\}[^{}]*)*))?\})", re.ASCII
    )


def interpolated(text: str, known: Mapping[str, str | None]) -> list[Piece]:
    """The pieces of a text after Compose has filled in `$NAME` and `${NAME:-default}`; `$$` stands for one `$`.

    A variable that is not in `known` has its default, or is unknown. Source: Compose specification, Interpolation.
    """
    pieces: list[Piece] = []
    at = 0
    for match in _variable().finditer(text):
        start, end = match.span()
        if start > at:
            pieces.append(Piece(text[at:start], at, start))
        pieces.append(Piece(_filled(match, known), start, end))
        at = end
    if at < len(text) or not pieces:
        pieces.append(Piece(text[at:], at, len(text)))
    return pieces


def _filled(match: re.Match[str], known: Mapping[str, str | None]) -> str | None:
    name = match[1] or match[2]
    if name is None:
        return "$"
    value, operator, word = known.get(name), match[3], match[4]
    if name in known and value is None:
        return None
    if operator in ("+", ":+"):
        return None if value is None else _default(word, known) if value or operator == "+" else ""
    if value is None or (not value and operator == ":-"):
        return _default(word, known) if operator in ("-", ":-") else value
    return value if len(value) < _LARGEST_VALUE else None


def _default(word: str, known: Mapping[str, str | None]) -> str | None:
    return joined(interpolated(word, known))[1] if "$" in word else word


def _split(node: Node, pieces: list[Piece]) -> list[Word]:
    """The words of a text: split at blanks that are not in quotes. What a variable brings in is split as well."""
    words: list[Word] = []
    current: list[Piece] = []
    quote = ""
    escaped = False
    began: int | None = None
    last = 0

    def flush() -> None:
        nonlocal current, began
        if began is not None:
            unknown = len(current) == 1 and current[0].text is None
            name = (node.text or "")[current[0].start : current[0].end] if unknown else ""
            many = bool(unknown and holds_several(name))
            words.append(Word(node, current or [Piece("", began, last)], began, last, many=many))
        current, began = [], None

    for text, start, end in _characters(pieces):
        if text is None:
            began = start if began is None else began
            current.append(Piece(None, start, end))
        elif escaped:
            escaped = False
            if text != "\n":
                current.append(Piece(text, start, end))
        elif text == "\\" and quote != "'":
            escaped = True
            began = start if began is None else began
        elif quote:
            if text == quote:
                quote = ""
            else:
                current.append(Piece(text, start, end))
        elif text in "'\"":
            quote = text
            began = start if began is None else began
        elif text.isspace():
            flush()
            continue
        else:
            began = start if began is None else began
            current.append(Piece(text, start, end))
        last = end
    flush()
    return [Word(word.node, _joined(word.pieces), word.start, word.end, many=word.many) for word in words]


def _characters(pieces: list[Piece]) -> Iterator[tuple[str | None, int, int]]:
    for piece in pieces:
        if piece.text is None:
            yield None, piece.start, piece.end
        else:
            verbatim = piece.end - piece.start == len(piece.text)
            for index, character in enumerate(piece.text):
                if verbatim:
                    yield character, piece.start + index, piece.start + index + 1
                else:
                    yield character, piece.start, piece.end


def _joined(pieces: tuple[Piece, ...]) -> list[Piece]:
    """Neighbouring characters as one piece, so that a script in the word keeps its offsets."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if last is not None and last.end == piece.start and _is_verbatim(last) and _is_verbatim(piece):
            found[-1] = Piece((last.text or "") + (piece.text or ""), last.start, piece.end)
        else:
            found.append(piece)
    return found


def _is_verbatim(piece: Piece) -> bool:
    return piece.text is not None and piece.end - piece.start == len(piece.text)
