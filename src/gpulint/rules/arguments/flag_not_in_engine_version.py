"""A flag that the engine has in other versions, but not in this one."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule

# What does the same now. Sources: vllm-project/vllm#21739, #29402, #12383; docs.vllm.ai, configuration/engine_args.
_SUCCESSORS = {
    ("vllm", "--disable-log-requests"): "Leave it out: requests are logged with --enable-log-requests alone.",
    ("vllm", "--worker-use-ray"): "Write --distributed-executor-backend=ray.",
    ("vllm", "--engine-use-ray"): "Leave it out.",
    ("vllm", "--use-v2-block-manager"): "Leave it out: there is no other any more.",
    ("vllm", "--num-scheduler-steps"): "Leave it out: the engine schedules otherwise now.",
    ("vllm", "--swap-space"): "Leave it out: preempted requests are computed anew, nothing is swapped.",
    ("vllm", "--speculative-model"): "Write --speculative-config with a JSON object.",
    ("vllm", "--num-speculative-tokens"): "Write --speculative-config with a JSON object.",
}


@rule("flag-not-in-engine-version")
def check(engine: Engine) -> Iterator[Finding]:
    for flag in engine.wrong_flags:
        if flag.removed is None and flag.added is None:
            continue
        image = engine.container.image
        when = f"was dropped in {flag.removed}" if _is_past(engine, flag.removed) else f"came in {flag.added}"
        successor = _SUCCESSORS.get((engine.name, flag.name.replace("_", "-")))
        way = "Pin a version that has the flag" if flag.added is not None and not _is_past(engine, flag.removed) else ""
        remedy = (
            successor or f"{way or 'Remove the flag'}, and try the start: the arguments are read before the GPU is."
        )
        yield Finding(
            place=flag.place,
            message=f"{flag.name} does not exist in {engine.label}: it {when}. The server ends at the start with "
            '"unrecognized arguments", again and again, and the pod keeps its GPUs meanwhile.',
            help=remedy,
            evidence=[Evidence("version", engine.version_text, image.place if image is not None else None)],
        )


def _is_past(engine: Engine, removed: str | None) -> bool:
    if removed is None or engine.version is None:
        return False
    return engine.version >= tuple(int(number) for number in removed.split("."))
