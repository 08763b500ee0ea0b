"""What rules about a model's files share: where an engine keeps what it downloads, and which volume that is."""

from __future__ import annotations

import posixpath

from gpulint.model.engine import Engine
from gpulint.model.workload import Container, Mount

# Images that run as root and leave HOME alone. Sources: vllm-project/vllm docker/Dockerfile; sgl-project/sglang
# docker/Dockerfile; text-generation-inference Dockerfile (/data).
_ROOTS = ("vllm/vllm-openai", "lmsysorg/sglang")
_TGI = "huggingface/text-generation-inference"
_HUB = "huggingface/hub"


def hub_model(engine: Engine) -> str | None:
    """The repository on the Hub that an engine downloads; None for a path, an address, or what is not known."""
    name = engine.model.value if engine.model is not None else None
    if name is None or name.count("/") != 1 or name.startswith(("/", ".", "~")) or " " in name:
        return None
    env = engine.container.env
    if "VLLM_USE_MODELSCOPE" in env or "SGLANG_USE_MODELSCOPE" in env:
        return None
    offline = [env[each].value for each in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if each in env]
    return name if all(value in ("0", "false") for value in offline) else None


def cache_folder(engine: Engine) -> str | None:
    """The folder that an engine downloads models to; None where that is not known.

    Source: huggingface.co/docs/huggingface_hub, "Environment variables".
    """
    folder = engine.cache_dir
    if folder is not None and not folder.default:
        return folder.value
    container = engine.container
    image = container.image.value if container.image is not None else ""
    for name, below in (
        ("HF_HUB_CACHE", ""),
        ("HUGGINGFACE_HUB_CACHE", ""),
        ("HF_HOME", "hub"),
        ("XDG_CACHE_HOME", _HUB),
        ("HOME", f".cache/{_HUB}"),
    ):
        if _TGI in image and name in ("XDG_CACHE_HOME", "HOME"):
            break  # its image sets one of the variables before these
        if _TGI in image and name == "HF_HOME" and name in container.env:
            return None  # the older images set HUGGINGFACE_HUB_CACHE, which beats it, the newer ones HF_HOME
        if name in container.env:
            value = container.env[name].value
            return posixpath.join(value, below).rstrip("/") if value and value.startswith("/") else None
    if _TGI in image:
        return "/data"
    return f"/root/.cache/{_HUB}" if any(root in image for root in _ROOTS) else None


def mount_of(container: Container, folder: str) -> Mount | None:
    """The mount that a folder lies on: the innermost."""
    around = [
        mount
        for mount in container.mounts or ()
        if folder == mount.path.rstrip("/") or folder.startswith(mount.path.rstrip("/") + "/")
    ]
    return max(around, key=lambda mount: len(mount.path), default=None)
