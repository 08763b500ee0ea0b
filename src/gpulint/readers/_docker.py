"""`docker run …` on a command line: the container that it starts, with its devices and shared memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from gpulint import engines
from gpulint.engines.launch import CommandLine, Find, Launch, Word
from gpulint.model.values import ObjectRef, Sourced
from gpulint.model.workload import Container, EnvVar, GpuRequest, Pod, SharedMemory, Vendor, Workload
from gpulint.readers._files import mounted_files
from gpulint.source.shell import Piece, basename, programs

# What the messages call a device that a container is given: `GPU devices: 2`.
DEVICES = "GPU devices"
SHARED_MEMORY = "/dev/shm"  # noqa: S108
# The runtimes that give a container devices, and the variable that says which.
RUNTIMES: dict[str, tuple[Vendor, str]] = {
    "nvidia": ("nvidia", "NVIDIA_VISIBLE_DEVICES"),
    "habana": ("habana", "HABANA_VISIBLE_DEVICES"),
}
DEVICE_FILES: dict[str, Vendor] = {"/dev/kfd": "amd", "/dev/nvidia0": "nvidia"}
_CDI = "nvidia.com/gpu="

_PROGRAMS = frozenset({"docker", "finch", "nerdctl", "nvidia-docker", "podman"})
# Options without a value. Source: docker/cli cli/command/container/opts.go and run.go; podman-run(1).
_SWITCHES = frozenset({
    "--detach", "--disable-content-trust", "--env-host", "--help", "--http-proxy", "--init", "--interactive",
    "--no-healthcheck", "--no-hosts", "--no-hostname", "--oom-kill-disable", "--privileged", "--publish-all",
    "--quiet", "--read-only", "--replace", "--rm", "--rmi", "--rootfs", "--sig-proxy", "--tty", "--use-api-socket",
})  # fmt: skip
_SHORT_SWITCHES = "ditPq"
_SHORT = {"-e": "--env", "-v": "--volume", "-m": "--memory", "-p": "--publish"}
_MOST_DEVICES = 1024


def container_command(line: CommandLine) -> CommandLine | None:
    """What `docker exec [OPTION]... CONTAINER COMMAND` runs in a container that is there; None for other lines."""
    for words in _behind(line, "exec"):
        index = _Options(words).end
        if index + 1 < len(words):
            return CommandLine(list(words[index + 1 :]), {}, line.conditional, line.repeated)
    return None


def run_workload(line: CommandLine, env: Mapping[str, EnvVar], find: Find | None = None) -> Workload | None:
    """The container of `docker run [OPTION]... IMAGE [COMMAND]`; None for other lines, and without GPUs and engine.

    `env` holds the variables that the caller passes on by their names alone; `find` gives the files that it mounts.
    """
    for words in _behind(line, "run"):
        options = _Options(words)
        if options.end < len(words):
            workload = _Run(options, words, line, env, find).workload()
            return workload if workload.uses_gpus or workload.engines else None
    return None


def _behind(line: CommandLine, subcommand: str) -> Iterator[Sequence[Word]]:
    """The words behind `docker run`, `sudo docker container run`, …"""
    for at in programs(line.words):
        words = line.words[at:]
        if basename(words[0].text) not in _PROGRAMS:
            continue
        index = 2 if len(words) > 1 and words[1].text == "container" else 1
        if index < len(words) and words[index].text == subcommand:
            yield words[index + 1 :]
        return


class _Options:
    """The options in front of the image: `given` by their long names, in order; the image is at `end`.

    `known` is False where words may stand for options that cannot be read; `privileged` is that switch.
    """

    def __init__(self, words: Sequence[Word]) -> None:
        self.given: list[tuple[str, Word]] = []
        self.known = True
        self.privileged: Word | None = None
        index = 0
        while index < len(words):
            word = words[index]
            text = word.prefix
            if not text.startswith("-") or text == "-":
                if word.text is None and (word.many or (not text and _is_image(words[index + 1 : index + 2]))):
                    self.known = False
                    index += 1
                    continue
                break
            index += 1
            if text.startswith("--"):
                name, equals, _ = text.partition("=")
                if equals:
                    self.given.append((name, after(word, len(name) + 1)))
                elif name in _SWITCHES:
                    if name == "--privileged":
                        self.privileged = word
                    continue
                elif index < len(words):
                    self.given.append((name, words[index]))
                    index += 1
                continue
            letters = text[1:]
            while letters and letters[0] in _SHORT_SWITCHES:
                letters = letters[1:]
            if not letters:
                continue
            option = "-" + letters[0]
            used = len(text) - len(letters) + 1
            if len(letters) > 1 or word.text is None:
                self.given.append((_SHORT.get(option, option), after(word, used + letters[1:].startswith("="))))
            elif index < len(words):
                self.given.append((_SHORT.get(option, option), words[index]))
                index += 1
        self.end = index

    def all(self, *names: str) -> list[Word]:
        return [word for name, word in self.given if name in names]

    def last(self, *names: str) -> Word | None:
        found = self.all(*names)
        return found[-1] if found else None


def _is_image(words: Sequence[Word]) -> bool:
    """Whether a word is an image with its tag, so that an unknown one before it is no image."""
    return bool(words) and re.fullmatch(r"[\w.-]+(?:[:/][\w.-]+)*/[\w.-]+[:@][\w.:-]+", words[0].text or "") is not None


def after(word: Word, length: int) -> Word:
    """A word without its first characters, all of which are known."""
    pieces: list[Piece] = []
    start = word.start
    for piece in word.pieces:
        if length and piece.text is not None:
            cut = min(length, len(piece.text))
            length -= cut
            is_verbatim = piece.end - piece.start == len(piece.text)
            start = piece.start + cut if is_verbatim else piece.end if cut == len(piece.text) else piece.start
            if cut == len(piece.text):
                continue
            piece = Piece(piece.text[cut:], piece.start + cut if is_verbatim else piece.start, piece.end)  # noqa: PLW2901
        pieces.append(piece)
    if start >= word.end:  # nothing is left: it stands where the word does
        start = word.start
    return Word(word.node, pieces or [Piece("", start, start)], start, word.end, many=word.many)


class _Run:
    """A container of `docker run`."""

    def __init__(
        self,
        options: _Options,
        words: Sequence[Word],
        line: CommandLine,
        env: Mapping[str, EnvVar],
        find: Find | None,
    ) -> None:
        self.options = options
        self.find = find
        self.image = words[options.end]
        self.arguments = list(words[options.end + 1 :])
        self.line = line
        self.outer = env
        self.env: dict[str, EnvVar] = {}
        for word in options.all("--env"):
            self.set(word)

    def workload(self) -> Workload:
        options, image = self.options, self.image
        place = image.place
        entrypoint = options.last("--entrypoint")
        name = options.last("--name")
        shown = image.text or image.written
        launch = Launch(
            image=Sourced(shown, place, place),
            command=[entrypoint] if entrypoint is not None else None,
            args=self.arguments or None,
            env=self.env,
            place=place,
            env_known=options.known and not options.all("--env-file"),
            find=self.files(),
        )
        title = name.text if name is not None and name.text else basename(shown).partition(":")[0]
        container = Container(
            title,
            place,
            image=launch.image,
            gpus=self.gpus(),
            env=self.env,
            engine=engines.read(launch),
            shared_memory=self.shared_memory(),
            memory_limit_mib=size_mib(memory.text) if (memory := options.last("--memory")) is not None else None,
        )
        for word in options.all("--publish"):
            port = published_port(word.text)
            if port is not None:
                container.published.append(Sourced(port, word.place, word.place))
        privileged = options.privileged
        if privileged is not None:
            container.privileged, container.privileged_place = True, privileged.place
        if container.engine is not None:
            container.engine.container = container
            container.engine.sole = container.engine.sole and not self.line.repeated
        ipc = options.last("--ipc")
        pod = Pod([container], place, host_ipc=ipc is not None and ipc.text == "host", complete=options.known)
        return Workload(ref=ObjectRef("docker run", None, title), api_version="", place=place, pods=[pod])

    def set(self, word: Word) -> None:
        name, equals, value = word.prefix.partition("=")
        if not name or (word.text is None and not equals):
            return
        if equals:
            self.env[name] = EnvVar(name, value if word.text is not None else None, word.place, word.place)
            return
        given, outer = self.line.environment.get(name), self.outer.get(name)
        value_of_caller = given.text if given is not None else outer.value if outer is not None else None
        self.env[name] = EnvVar(name, value_of_caller, word.place, word.place)

    def files(self) -> Find | None:
        """What finds the files that the container has from its caller."""
        if self.find is None:
            return None
        mounts = [each for word in self.options.all("--volume") if (each := _mount(word)) is not None]
        for word in self.options.all("--mount"):
            parts = dict(part.partition("=")[::2] for part in (word.text or "").split(","))
            source, target = parts.get("source") or parts.get("src"), parts.get("target") or parts.get("dst")
            if source and target:
                mounts.append((source, target))
        workdir = self.options.last("--workdir", "-w")
        return mounted_files(mounts, self.find, workdir.text if workdir is not None else None)

    # -- devices

    def gpus(self) -> list[GpuRequest]:
        given = self.options.last("--gpus")
        if given is not None:
            return [GpuRequest(DEVICES, "nvidia", _count(given.text), given.place, given.place)]
        for word in self.options.all("--device"):
            file = word.prefix.partition(":")[0]
            if file in DEVICE_FILES or file.startswith(_CDI):
                return [GpuRequest(DEVICES, DEVICE_FILES.get(file, "nvidia"), self.cdi_count(), word.place, word.place)]
        runtime = self.options.last("--runtime")
        known = RUNTIMES.get(runtime.text or "") if runtime is not None else None
        if known is None or runtime is None:
            return []
        vendor, variable = known
        chosen = self.env.get(variable)
        if chosen is None:
            return [GpuRequest(DEVICES, vendor, None, runtime.place, runtime.place)]
        if chosen.value is not None and chosen.value.strip() in ("", "none", "void"):
            return []
        return [GpuRequest(DEVICES, vendor, ids_count(chosen.value), chosen.place, chosen.place)]

    def cdi_count(self) -> int | None:
        """How many GPUs `--device nvidia.com/gpu=0` names, once each."""
        names = [word.text for word in self.options.all("--device") if word.prefix.startswith(_CDI)]
        if not names or any(name is None or not name.removeprefix(_CDI).isdigit() for name in names):
            return None
        return len(names)

    def shared_memory(self) -> SharedMemory | None:
        size = self.options.last("--shm-size")
        if size is not None:
            return SharedMemory("Memory", size_mib(size.text), size.place)
        ipc = self.options.last("--ipc")
        if ipc is not None and ipc.text not in ("private", "host"):
            return SharedMemory("unknown", None, ipc.place)
        for word in self.options.all("--volume", "--mount", "--tmpfs"):
            if SHARED_MEMORY in word.prefix:
                host = word.prefix.startswith(f"{SHARED_MEMORY}:")
                return SharedMemory("host" if host else "unknown", None, word.place)
        return None


def _mount(word: Word) -> tuple[str, str] | None:
    """Source and target of `--volume SOURCE:TARGET[:OPTIONS]`; `$PWD/…` and `$(pwd)/…` are the caller's folder."""
    text = word.text
    if text is None:
        first, *rest_of_it = [piece for piece in word.pieces if piece.text != ""]
        if first.text is not None or any(piece.text is None for piece in rest_of_it):
            return None
        written = (word.node.text or "")[first.start : first.end]
        if written.strip("\"'`${}()").lower() != "pwd":
            return None
        text = "." + "".join(piece.text or "" for piece in rest_of_it)
    source, colon, rest = text.partition(":")
    return (source, rest.partition(":")[0]) if colon else None


def _count(text: str | None) -> int | None:
    """Devices that `--gpus` gives: `2`, `"device=0,1"`, `count=2`; None for `all` and for what is unknown.

    Source: docker/cli opts/gpus.go.
    """
    if text is None:
        return None
    found = re.search(r"device=([\w,-]+)", text)
    if found is not None:
        quoted = re.search(r'"device=([^"]*)"', text)
        # Outside quotes a comma begins another option.
        return ids_count(quoted[1] if quoted is not None else found[1].partition(",")[0])
    number = text.strip("\"'").partition(",")[0].removeprefix("count=")
    if not number.isascii() or not number.isdigit() or len(number) > 4:
        return None
    return int(number) if 0 < int(number) <= _MOST_DEVICES else None


def published_port(text: str | None) -> int | None:
    """The container's port of `[[ADDRESS:]PORT:]PORT[/tcp]` that the host opens on all its addresses; None for others.

    Source: Docker documentation, "Port publishing and mapping".
    """
    match = re.fullmatch(r"(?:(\[[^\]]*\]|[^:]*):)?(?:(\d*):)?(\d+)(?:/tcp)?", (text or "").strip())
    if match is None or len(match[3]) > 5:
        return None
    address = match[1] if match[2] is not None else None
    if address is None and match[1] and not match[1].isdigit():
        return None
    return int(match[3]) if address in (None, "", "0.0.0.0", "[::]") else None  # noqa: S104


def ids_count(text: str | None) -> int | None:
    """How many devices a list of indices and UUIDs names; None where one is all, a MIG slice or unknown."""
    ids = (text or "").split(",")
    return len(ids) if all(re.fullmatch(r"\s*(\d+|GPU-[\w-]+)\s*", each) for each in ids) else None


def size_mib(text: str | None) -> float | None:
    """MiB of a size: units b, k, m, g, with or without a b behind, are binary. Source: docker/go-units, RAMInBytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)i?b?", (text or "").strip().lower())
    if match is None:
        return None
    return float(match[1]) * 1024.0 ** ("bkmgt".index(match[2] or "b") - 2)
