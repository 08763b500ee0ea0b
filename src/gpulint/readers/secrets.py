"""Secrets whose values are written in a file, as text or in Base64."""

from __future__ import annotations

import binascii

from gpulint.model.project import Project
from gpulint.readers._manifest import Manifest

# The beginnings of tokens, and of their Base64.
MARKS = (("Secret",), ("hf_", "aGZf", "nvapi-", "bnZhcGkt", "sk-", "c2st", "ghp_", "Z2hw", "AKIA", "QUtJQ"))
KINDS = frozenset({("", "Secret")})


def read_object(manifest: Manifest, project: Project) -> None:
    from gpulint.model.secrets import StoredSecret

    for section in ("stringData", "data"):
        entries = manifest.node.get(section)
        for key, node in entries.items() if entries is not None else ():
            text = node.text
            value = _decoded(text) if section == "data" and text is not None else text
            if value is not None:
                project.stored_secrets.append(StoredSecret(manifest.ref, key, value.strip(), node.place))


def _decoded(text: str) -> str | None:
    """The text behind Base64; None for anything else, and for bytes that are no text."""
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True).decode()
    except ValueError:
        return None
