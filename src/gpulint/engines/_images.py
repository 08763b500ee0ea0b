"""What an image's name and tag say: repository, version of the engine inside, accelerator."""

from __future__ import annotations

import re
from functools import cache

from gpulint.model.engine import Version

_ACCELERATORS = {
    "cpu": "cpu", "rocm": "rocm", "xpu": "xpu", "gaudi": "gaudi", "hpu": "gaudi", "habana": "gaudi", "tpu": "tpu",
    "neuron": "neuron", "neuronx": "neuron", "ascend": "ascend", "npu": "ascend", "rbln": "rbln", "xeon": "cpu",
    "musa": "musa",
}  # fmt: skip


def split(image: str) -> tuple[str, str | None]:
    """The repository and the tag of `registry:5000/owner/name:tag@sha256:…`."""
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (name, None)


def words(image: str) -> list[str]:
    """The words of the last component of the repository: `vllm-openai` as vllm, openai."""
    return re.split(r"[^a-z0-9]+", split(image)[0].rsplit("/", 1)[-1].lower())


@cache
def _version_pattern() -> re.Pattern[str]:
    return re.compile(r"v?((\d+\.\d+(?:\.\d+)?(?:\.post\d+)?)(?:rc\d+)?)(?:[-._+][A-Za-z].*)?")


def version(tag: str | None) -> tuple[Version, str] | tuple[None, None]:
    """The version that a tag names: `v0.8.5.post1-cu121` is ((0, 8, 5, 1), "0.8.5.post1").

    Nothing for `latest`, `nightly`, a commit or a date.
    """
    match = _version_pattern().fullmatch(tag or "")
    if match is None:
        return None, None
    return tuple(int(number) for number in re.findall(r"\d+", match.group(2))), match.group(1)


@cache
def _built_for() -> re.Pattern[str]:
    parts = r"cu\d+|cuda|rocm\d*|x86|64|x86_64|amd64|arm64|aarch64|ubuntu\d+|openai"
    return re.compile(rf"(?:[-_.+](?:{parts}))*")


def is_release(image: str) -> bool:
    """Whether a tag names a version and at most what it is built for: `v0.11.0`, `3.3.7-rocm`; also one without any.

    Whoever builds between two versions adds a commit or a date, and has the flags of neither.
    """
    tag = split(image)[1] or ""
    text = version(tag)[1]
    return text is None or _built_for().fullmatch(tag.partition(text)[2]) is not None


def accelerator(image: str) -> str | None:
    """What the image is built for, where its name or tag says so: `vllm-openai-cpu`, `3.3.7-rocm`, `tgi-gaudi`."""
    repository, tag = split(image)
    owner_and_name = repository.rsplit("/", 2)[-2:]
    for word in re.split(r"[^a-z]+", f"{'/'.join(owner_and_name)}-{tag or ''}".lower()):
        if word in _ACCELERATORS:
            return _ACCELERATORS[word]
    return None
