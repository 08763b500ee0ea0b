"""What rules about credentials share: which texts are secrets, and which only stand for one."""

from __future__ import annotations

import re
from functools import cache

# Beginnings that issuers give their tokens, whose they are, and how long the rest is at the least.
# Sources: the documentation of the Hub on security tokens, GitHub's "About authentication", AWS's IAM user guide on
# unique identifiers, NVIDIA's NGC user guide.
_ISSUERS = (
    ("hf_", "Hugging Face", 30),
    ("nvapi-", "NVIDIA", 40),
    ("sk-ant-", "Anthropic", 40),
    ("sk-", "OpenAI", 40),
    ("ghp_", "GitHub", 30),
    ("github_pat_", "GitHub", 40),
    ("AKIA", "AWS", 16),
)
# Fewer different characters than this are a row of x, not a token.
_FEWEST_DIFFERENT = 10


@cache
def _standing_in() -> re.Pattern[str]:
    return re.compile(
        r"^$|[$<>{}()\[\]%*…]|\.\.\.|^_+|"
        r"(?:^|[^a-z])(?:change|changeme|replace|your|my|the|insert|enter|put|fill|todo|dummy|fake|example|sample|"
        r"placeholder|empty|none|null|nil|not|no|unused|local|test|foo|bar|secret|token|key|redacted|xxx+|n/?a)(?:[^a-z]|$)",
        re.IGNORECASE,
    )


def issuer_of(text: str | None) -> str | None:
    """Who issues tokens of this form; None for a text that is none of a known form, or only looks like one."""
    for prefix, issuer, length in _ISSUERS:
        if text is not None and text.startswith(prefix):
            rest = text[len(prefix) :]
            known = re.fullmatch(r"[A-Za-z0-9_-]+", rest) is not None and len(rest) >= length
            return issuer if known and len(set(rest)) >= _FEWEST_DIFFERENT else None
    return None


def prefix_of(text: str) -> str:
    """The beginning that tells the issuer, and nothing of the secret: `hf_…`."""
    return next((f"{prefix}…" for prefix, _, _ in _ISSUERS if text.startswith(prefix)), "…")


def stands_in(text: str) -> bool:
    """Whether a text is to be replaced or to be ignored: `<token>`, `changeme`, `EMPTY`, `sk-local`, `$(KEY)`."""
    return _standing_in().search(text.strip()) is not None
