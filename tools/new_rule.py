"""Starts a rule: writes its check and its page, with an example that fails until the check is written.

    python tools/new_rule.py autoscaling/my-mistake Autoscaler

The subject is the class of object that the check visits (see `gpulint.model`).
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from gpulint.model.project import Project

TOP = Path(__file__).resolve().parents[1]

CHECK = '''"""TODO: the mistake, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.{module} import {subject}
from gpulint.rules import rule


@rule("{name}")
def check({variable}: {subject}) -> Iterator[Finding]:
    yield from ()
'''

PAGE = """---
summary: What is wrong, in a few words
level: warning
confidence: high
misinterpretation: 1
since: {version}
fix: none
tags: [{family}]
references:
  - https://example.com/where-this-is-documented
---

# {title}

What the rule finds.

## Why it is wrong

## What to check instead

## When to ignore it

## Examples

### The mistake

```yaml title="bad.yaml"
apiVersion: v1
kind: Pod # expect: {name}
metadata: {{name: bad}}
spec:
  containers:
    - name: vllm
      image: vllm/vllm-openai:v0.11.0
      resources: {{limits: {{nvidia.com/gpu: 1}}}}
```

### Done right

```yaml title="good.yaml"
apiVersion: v1
kind: Pod
metadata: {{name: good}}
spec:
  containers:
    - name: vllm
      image: vllm/vllm-openai:v0.11.0
      resources: {{limits: {{nvidia.com/gpu: 1}}}}
```
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rule", metavar="FAMILY/NAME")
    parser.add_argument("subject", metavar="SUBJECT", help="Autoscaler, Workload, Engine, Alert, ...")
    parser.add_argument("--top", type=Path, default=TOP, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    family, _, name = options.rule.partition("/")
    kebab = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
    if not kebab.fullmatch(family) or not kebab.fullmatch(name):
        parser.error("write FAMILY/NAME in kebab-case, such as autoscaling/cpu-autoscaling")
    module = _module_of(options.subject)
    if module is None:
        parser.error(f"no class {options.subject} in gpulint.model, or the project does not hold it")
    check = options.top / "src" / "gpulint" / "rules" / family.replace("-", "_") / f"{name.replace('-', '_')}.py"
    page = options.top / "rules" / family / f"{name}.md"
    for path in (check, page):
        if path.exists():
            parser.error(f"{path} exists")
    for path in (check, page):
        path.parent.mkdir(parents=True, exist_ok=True)
    package = check.parent / "__init__.py"
    if not package.exists():
        package.write_text("", encoding="utf-8")
    variable = re.sub(r"(?<!^)(?=[A-Z])", "_", options.subject).lower()
    check.write_text(
        CHECK.format(module=module, subject=options.subject, name=name, variable=variable), encoding="utf-8"
    )
    title = name.replace("-", " ").capitalize()
    page.write_text(PAGE.format(version="0.1.0", family=family, title=title, name=name), encoding="utf-8")
    print(f"wrote {check}\nwrote {page}\nnow: python -m pytest tests/test_rules.py -k {name}")
    return 0


def _module_of(subject: str) -> str | None:
    try:
        Project().objects(subject)
    except KeyError:
        return None
    folder = TOP / "src" / "gpulint" / "model"
    for path in sorted(folder.glob("*.py")):
        if f"\nclass {subject}:" in path.read_text(encoding="utf-8"):
            return path.stem
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
