"""Measures gpulint in whole processes against bare Python and against the floor. See README.md beside this file."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ONE_FILE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat}
spec:
  selector: {matchLabels: {app: chat}}
  template:
    metadata: {labels: {app: chat}}
    spec:
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.11.0
          args: [--model=Qwen/Qwen3-8B, --max-model-len=8192]
          resources: {limits: {nvidia.com/gpu: 1}}
"""
# As in any installation, modules are compiled once and for all.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Command(NamedTuple):
    """What to run and where. `prints_time`: its own measurement counts, not that of the whole process."""

    arguments: list[str]
    cwd: Path
    prints_time: bool = False


class Run(NamedTuple):
    """`peak_mib` is of the resident memory."""

    seconds: float
    peak_mib: float


def measure(command: Command) -> Run:
    """One run. Raises RuntimeError if it fails: a crash is fast."""
    started_s = time.perf_counter()
    with subprocess.Popen(command.arguments, cwd=command.cwd, env=ENVIRONMENT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        took_s = time.perf_counter() - started_s
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"exit status {process.returncode}: {' '.join(command.arguments)}")
    if command.prints_time:
        took_s = float(output)
    # ru_maxrss is in KiB, but in bytes on macOS: getrusage(2) of each
    return Run(took_s, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure gpulint against bare Python and libyaml.")
    parser.add_argument("folder", type=Path, nargs="?", help="manifests to check (default: those of generate.py)")
    parser.add_argument("--runs", type=int, default=7, help="of each command (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder
        if folder is None:
            folder = Path(temporary, "manifests")
            # in a process of its own: what a child is said to hold is never less than what this one holds
            subprocess.run([sys.executable, HERE / "generate.py", folder], check=True)
        single = Path(temporary, "single")
        single.mkdir()
        (single / "engine.yaml").write_text(ONE_FILE)
        report(folder.resolve(), single, arguments.runs)


def report(folder: Path, single: Path, runs: int) -> None:
    gpulint = [sys.executable, "-m", "gpulint", "check", "--exit-zero"]
    commands = {
        "bare Python": Command([sys.executable, "-c", "pass"], single),
        "gpulint, one file": Command([*gpulint, "engine.yaml"], single),
        "floor": Command([sys.executable, str(HERE / "floor.py"), str(folder)], single, prints_time=True),
        "gpulint, folder": Command([*gpulint, "."], folder),
    }
    results: dict[str, list[Run]] = {name: [] for name in commands}
    for round_number in range(runs + 1):  # the first warms the disk and compiles the modules
        for name, command in commands.items():
            result = measure(command)
            if round_number > 0:
                results[name].append(result)
    sizes = [path.stat().st_size for path in folder.rglob("*.yaml")]
    print(f"{len(sizes)} files, {sum(sizes) / 1e6:.2f} MB; median of {runs}; ", end="")
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores\n")
    seconds = {name: median(run.seconds for run in of_name) for name, of_name in results.items()}
    against = {"gpulint, one file": "bare Python", "gpulint, folder": "floor"}
    for name, took_s in seconds.items():
        other = against.get(name)
        ratio = f"{took_s / seconds[other]:.2f} x {other}" if other is not None else ""
        print(f"{name:<18} {took_s:7.3f} s   {ratio:<19} {max(run.peak_mib for run in results[name]):5.0f} MiB")


if __name__ == "__main__":
    main()
