"""The shipped examples: wrong in all five ways, and right; and the rules that the documents name exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from gpulint.cli import main
from gpulint.pages import load_page
from gpulint.rules import rule_names

TOP = Path(__file__).resolve().parent.parent


def findings(folder: str) -> list[dict[str, object]]:
    result = CliRunner().invoke(main, ["check", str(TOP / "examples" / folder), "--format", "json"])
    assert not result.stderr
    found: list[dict[str, object]] = json.loads(result.stdout)["findings"]
    return found


def test_wrong_draws_all_five_conclusions() -> None:
    names = rule_names()
    drawn = {load_page(names[str(f["rule"])], str(f["rule"])).misinterpretation for f in findings("wrong")}
    assert {1, 2, 3, 4, 5} <= drawn


def test_right_draws_none() -> None:
    assert not findings("right")


def test_twins_have_the_same_files() -> None:
    wrong, right = (
        {path.relative_to(TOP / "examples" / folder) for path in (TOP / "examples" / folder).rglob("*.yaml")}
        for folder in ("wrong", "right")
    )
    assert wrong == right


def test_every_rule_in_the_table_speaks() -> None:
    """`examples/README.md` says what gpulint says of each file."""
    table = (TOP / "examples" / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", table))
    assert named
    assert named <= {f["rule"] for f in findings("wrong")}


@pytest.mark.parametrize("document", ["README.md", "examples/README.md", "CONTRIBUTING.md"])
def test_documents_name_rules_that_exist(document: str) -> None:
    text = (TOP / document).read_text(encoding="utf-8")
    known = {*rule_names(), "my-mistake", "hpa-cpu-metric", "kebab-case", "mig-parted", "prometheus-adapter"}
    assert set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", text)) <= known
