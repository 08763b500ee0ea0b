"""A token or key that stands in a manifest as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.secrets import StoredSecret
from gpulint.model.workload import Container, EnvVar
from gpulint.rules import rule
from gpulint.rules.credentials import issuer_of, prefix_of, stands_in
from gpulint.rules.parallel import named

# Variables that set the key which clients must send, and the engine that reads them.
_OWN_KEYS = {"VLLM_API_KEY": "vllm", "API_KEY": "tgi", "LLAMA_API_KEY": "llamacpp"}
_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN", "NGC_API_KEY", *_OWN_KEYS)


@rule("plaintext-credential")
def check(subject: Container | StoredSecret) -> Iterator[Finding]:
    if isinstance(subject, Container):
        yield from _of_container(subject)
    else:
        yield from _of_secret(subject)


def _of_secret(secret: StoredSecret) -> Iterator[Finding]:
    issuer = issuer_of(secret.value)
    if issuer is not None:
        yield Finding(
            place=secret.place,
            message=f"{secret.ref} holds a token of {issuer}'s under {secret.key} ({prefix_of(secret.value)}), and "
            "stands in a file. Base64 hides nothing: whoever reads this file or its history has the token.",
            help="Revoke it and make a new one. Create the Secret apart from the repository (an operator for external "
            "secrets, kubectl create secret), or encrypt the file (SOPS, sealed secrets).",
            evidence=[Evidence("key", secret.key, secret.place)],
            ref=secret.ref,
        )


def _of_container(container: Container) -> Iterator[Finding]:
    where = str(container.ref)
    for variable in container.env.values():
        value = variable.value
        if value is None or (variable.remote and not _is_manifest(variable)):
            continue
        issuer, engine = issuer_of(value), container.engine
        if issuer is not None:
            yield _finding(
                container,
                variable,
                f"{variable.name} in {where} is a token of {issuer}'s ({prefix_of(value)}) in plain text. Whoever "
                "reads this file or its history has it, and so has whoever may read the workload in the cluster.",
                f"Revoke it and make a new one, put that into a Secret and refer to it: {_reference(container)}.",
            )
        elif engine is not None and _OWN_KEYS.get(variable.name) == engine.name and not stands_in(value):
            yield _finding(
                container,
                variable,
                f"{variable.name} in {where} gives the key of {engine.label} in plain text. Whoever reads this file "
                "or its history can send requests to the server.",
                f"Choose a new key, put it into a Secret and refer to it: {_reference(container)}.",
            )
        elif (
            variable.name in _TOKENS
            and not variable.remote
            and container.pod.workload.api_version
            and re.fullmatch(r"<[^<>]+>|\{\{[^{}]+\}\}", value.strip())
        ):
            finding = _finding(
                container,
                variable,
                f"{variable.name} in {where} waits to be filled in in this file, which then holds the token in plain "
                "text, and so does the workload in the cluster.",
                f"Refer to a Secret that is made apart from the manifest: {_reference(container)}.",
            )
            finding.level = "info"
            yield finding
    engine = container.engine
    key = engine.api_key if engine is not None else None
    if engine is not None and key is not None and key.place is not None and key.spelled.startswith("-"):
        if key.value is None or _is_word(key.value):
            return
        yield Finding(
            place=key.place,
            message=f"The key of {engine.label} in {where} stands on its command line as plain text ({key.spelled}). "
            "Whoever reads this file, the workload in the cluster or the list of processes can send requests to the "
            "server.",
            help="Choose a new key, put it into a Secret and hand it over as a variable: "
            f"{_own_variable(engine.name)}.",
            evidence=[Evidence("key of", named(container), container.place)],
        )


def _is_word(text: str) -> bool:
    """Whether a text is a word that everybody knows for none; the server takes a row of x for a key like any other."""
    return stands_in(re.sub(r"(?i)x{3,}", "", text)) and not re.search(r"(?i)x{3,}", text)


def _is_manifest(variable: EnvVar) -> bool:
    """Whether it stands in a file that is committed as a rule; environment files are not."""
    return variable.place.source.path.endswith((".yaml", ".yml", ".json"))


def _reference(container: Container) -> str:
    if container.pod.workload.api_version:
        return "`valueFrom: {secretKeyRef: {name: …, key: …}}`"
    if container.ref.kind.startswith("SkyPilot"):
        return "name it under `secrets:` and pass `--secret NAME` to sky launch"
    return "leave the value out, so that it comes from the environment of whoever starts this"


def _own_variable(engine: str) -> str:
    name = next((variable for variable, reader in _OWN_KEYS.items() if reader == engine), None)
    if name is not None:
        return f"{name} with `valueFrom: {{secretKeyRef: …}}`"
    return "any name with `valueFrom: {secretKeyRef: …}`, and `$(NAME)` in the arguments"


def _finding(container: Container, variable: EnvVar, message: str, remedy: str) -> Finding:
    return Finding(
        place=variable.place,
        message=message,
        help=remedy,
        evidence=[Evidence("variable of", named(container), container.place)],
    )
