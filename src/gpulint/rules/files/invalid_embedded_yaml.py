"""A configuration file inside a ConfigMap that is not YAML."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.files import EmbeddedError
from gpulint.rules import rule


@rule("invalid-embedded-yaml")
def check(error: EmbeddedError) -> Iterator[Finding]:
    reason = error.reason.removeprefix("not valid YAML: ").replace(" of line ", " of its line ")
    yield Finding(
        place=error.place,
        message=(
            f"{error.ref} holds {error.file}, which cannot be parsed: {reason}. To Kubernetes it is only text, so the "
            "ConfigMap is accepted; the program that reads the file refuses it, and nothing in it takes effect."
        ),
        help="Correct the text at this line; most often an entry is indented differently from the ones before it.",
        evidence=[Evidence("file", error.file, error.place)],
    )
