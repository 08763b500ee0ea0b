"""A driver that is older than the CUDA version of the image."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.hardware.cuda import cuda_of_image, cuda_required
from gpulint.model.landing import Landing
from gpulint.rules import rule
from gpulint.rules.parallel import named


@rule("driver-older-than-cuda")
def check(landing: Landing) -> Iterator[Finding]:
    container = landing.container
    image = container.image
    versions = [known.host.cuda_version for known in landing.hosts]
    if image is None or not versions or "NVIDIA_DISABLE_REQUIRE" in container.env:
        return
    variable = container.env.get("NVIDIA_REQUIRE_CUDA")
    needed = cuda_required(variable.value) if variable is not None and variable.value else cuda_of_image(image.value)
    if needed is None:
        return
    supported = max((version for version in versions if version is not None), default=None)
    if supported is None or None in versions or supported >= needed:
        return
    level: Level = "warning" if supported[0] < needed[0] else "info"
    newest = next(known for known in landing.hosts if known.host.cuda_version == supported)
    at = variable if variable is not None and variable.value else None
    yield Finding(
        place=at.place if at is not None else image.place,
        message=f"{named(container)} needs CUDA {needed[0]}.{needed[1]}, but driver {newest.host.driver or '?'} of "
        f"{newest.label} supports CUDA {supported[0]}.{supported[1]}. "
        + (
            "The engine finds the driver too old and does not start, unless the image brings NVIDIA's compatibility "
            "library and the GPU is one that may use it."
            if level == "warning"
            else "Within a major version most programs run, but an image that states its requirement is refused by the "
            "NVIDIA container runtime."
        ),
        help="Update the driver of the host, or take an image for an older CUDA version (vLLM and SGLang publish some "
        "by `cu` tags).",
        evidence=[
            Evidence("image", image.value, image.place),
            *([Evidence(at.name, at.value, at.place)] if at is not None else []),
            Evidence("driver", f"{newest.host.driver}, CUDA {newest.host.cuda}", newest.places.get("cuda")),
        ],
        level=level,
    )
