"""Code from a model repository that runs at whatever state the repository is in."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule


@rule("unpinned-remote-code")
def check(engine: Engine) -> Iterator[Finding]:
    trust, revision = engine.trust_remote_code, engine.revision
    if trust is None or trust.place is None or trust.value is not True or engine.container.pod.workload.batch:
        return
    if revision is None or not revision.default or not (engine.arguments_known or engine.only_strange_flags):
        return
    name = engine.model.value if engine.model is not None else None
    if name is not None and (name.startswith(("/", ".", "~")) or name.count("/") != 1):
        return  # what lies on a disk or in a bucket of one's own does not change by itself
    offline = engine.container.env.get("HF_HUB_OFFLINE")
    if offline is not None and offline.value == "1":
        return
    what = f"Whatever Python code the repository {name} holds at a start runs in {engine.label} of {engine.ref}"
    if name is None:
        what = f"The Python code of whichever model it is given runs in {engine.label} of {engine.ref}"
    yield Finding(
        place=trust.place,
        message=f"{what} ({trust.spelled} without a revision). Whoever can push to the model's repository runs code on "
        "the GPU node at the next start, with the tokens and volumes of the server.",
        help="Leave the flag out: most architectures are part of the engine by now. Where the model needs it, pin the "
        "commit that was reviewed with --revision (vLLM for the code alone: --code-revision).",
        evidence=[Evidence("model", name, engine.model.place if engine.model is not None else None)] if name else [],
        # A model that is not known may lie on a disk of one's own.
        level=None if name is not None else "info",
    )
