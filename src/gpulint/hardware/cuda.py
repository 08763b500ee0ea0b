"""The CUDA version that a container image is built on, as far as its name says."""

from __future__ import annotations

import re

Cuda = tuple[int, int]

# `cu128`, `cuda12.8`, `cuda-12.8.1`; a lone major version says too little.
_IN_TAG = re.compile(r"(?<![a-z0-9])cu(?:da)?[-_]?(1[0-9])[._]?([0-9])(?:\.[0-9]+)?(?![0-9])", re.IGNORECASE)
_REQUIREMENT = re.compile(r"\bcuda>=([0-9]+)\.([0-9]+)")
# Lowest CUDA of vllm/vllm-openai from a version on. Sources: vllm-project/vllm#5635 (v0.4.3 and later refuse drivers
# below CUDA 12.4); vLLM-Omni installation page (vLLM 0.32.0 with CUDA 13.0).
_VLLM: tuple[tuple[tuple[int, ...], Cuda], ...] = (((0, 32, 0), (13, 0)), ((0, 4, 3), (12, 4)))


def cuda_of_image(image: str) -> Cuda | None:
    """The CUDA version that an image needs at least; None where its name does not say."""
    repository, _, tag = image.partition("@")[0].rpartition(":")
    if not repository or "/" in tag:
        return None
    found = _IN_TAG.search(tag)
    if found is not None:
        return int(found[1]), int(found[2])
    path = repository.casefold()
    if path == "nvidia/cuda" or path.endswith("/nvidia/cuda"):
        version = re.match(r"([0-9]+)\.([0-9]+)", tag)
        return (int(version[1]), int(version[2])) if version else None
    if path == "vllm/vllm-openai" or path.endswith("/vllm/vllm-openai"):
        version = re.fullmatch(r"v?([0-9]+)\.([0-9]+)\.([0-9]+)(?:\.post[0-9]+)?", tag)
        if version is not None:
            numbers = tuple(int(part) for part in version.groups())
            return next((cuda for since, cuda in _VLLM if numbers >= since), None)
    return None


def cuda_required(requirement: str) -> Cuda | None:
    """The version in NVIDIA_REQUIRE_CUDA (`cuda>=12.8 brand=tesla,driver>=535 …`); None where there is none.

    The variable's further alternatives name drivers that are let through by brand; they are not read.
    """
    found = _REQUIREMENT.search(requirement)
    return (int(found[1]), int(found[2])) if found else None
