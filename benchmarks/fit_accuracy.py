"""How well `gpulint fit`'s arithmetic predicts what engines log at their start.

    python benchmarks/fit_accuracy.py FILE [--rows]

FILE has one JSON object per line, a start-up each: `engine`, `engine_version`, `model`, `gpu_total_gib`, `tp`, `pp`,
`dtype`, `quantization`, `kv_cache_dtype`, `gpu_memory_utilization`, `max_model_len`, `max_num_batched_tokens`,
`max_num_seqs`, `enforce_eager`, `outcome` ("fit", "no_fit", "oom_after_kv_sizing", "env_failure"), `complete` and
`measured` with `available_kv_gib` and `kv_tokens`. Rows of one laboratory (source llm-d-planner, H100, on which vLLM's
terms were fitted) are reported apart from the others.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from gpulint.capacity.fit import CapacityError, Prediction, Serving, predict
from gpulint.capacity.gpu_memory import cuda_memory_mib
from gpulint.capacity.models import model
from gpulint.capacity.weights import Range, weights_from_name_mib, weights_mib
from gpulint.hardware.gpus import gpus_named

IN_SAMPLE = "llm-d-planner"
# The log's names of what the flag calls otherwise.
METHODS = {"compressed": "compressed-tensors", "auto-round-int4": "auto-round"}


class Case(NamedTuple):
    row: dict[str, Any]
    prediction: Prediction

    @property
    def in_sample(self) -> bool:
        return IN_SAMPLE in self.row["source"]

    @property
    def tokens(self) -> float | None:
        """The KV cache in tokens as logged; where only its size is, that divided by the bytes per token."""
        measured = self.row["measured"]
        if measured.get("kv_tokens") is not None:
            return float(measured["kv_tokens"])
        layout, size = self.prediction.layout, measured.get("available_kv_gib")
        if layout is None or size is None or size <= 0:
            return None
        length = self.row.get("max_model_len")
        found = layout.tokens(size * 2**30, length, self.row.get("max_num_batched_tokens") or 2048)
        return None if found is None else float(found)


def serving_of(row: dict[str, Any]) -> Serving:
    shape = model(row["model"])
    tp, pp = row.get("tp") or 1, row.get("pp") or 1
    method = row.get("quantization")
    method = METHODS.get(method, method)
    common = {"dtype": row.get("dtype"), "quantization": method, "tensor_parallel": tp, "pipeline_parallel": pp}
    weights = weights_mib(shape, **common) if shape is not None else None
    if weights is None:
        weights = weights_from_name_mib(row["model"], **common)
    boards = [board for board in gpus_named(row.get("gpu") or "") if board.memory_mib]
    memory: Range | None = None
    if row.get("gpu_total_gib") is not None:
        total = row["gpu_total_gib"] * 1024
        memory = Range(total, total, total)
    elif boards:
        memory = cuda_memory_mib(min(b.memory_mib or 0 for b in boards), max(b.memory_mib or 0 for b in boards))
    version = row.get("engine_version") or ""
    numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
    name = row.get("gpu") or ""
    return Serving(
        engine=row["engine"],
        weights=weights,
        gpu_memory=memory,
        shape=shape,
        version=numbers or None,
        dtype=row.get("dtype"),
        kv_cache_dtype=row.get("kv_cache_dtype"),
        tensor_parallel=tp,
        pipeline_parallel=pp,
        memory_fraction=row.get("gpu_memory_utilization") or row.get("mem_fraction_static"),
        max_model_len=row.get("max_model_len"),
        max_num_seqs=row.get("max_num_seqs"),
        max_batched_tokens=row.get("max_num_batched_tokens"),
        cuda_graphs=not row.get("enforce_eager"),
        gpu_name=name,
        capability=boards[0].compute_capability if boards else (7, 5) if "T4" in name else None,
        nvswitch=boards[0].nvlink == "nvswitch" if boards else True if "H100" in name else None,
    )


def cases(path: str) -> Iterator[Case]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if not row.get("complete") or row["outcome"] == "env_failure":
                continue
            try:
                yield Case(row, predict(serving_of(row)))
            except CapacityError as error:
                print(f"{row['id']}: {error}", file=sys.stderr)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def report_tokens(title: str, found: list[Case], show_rows: bool) -> None:
    errors: list[float] = []
    inside = 0
    print(f"\n{title}")
    for case in found:
        tokens, predicted = case.tokens, case.prediction.tokens
        if tokens is None or predicted is None or tokens <= 0:
            continue
        error = abs(predicted.likely - tokens) / tokens
        errors.append(error)
        within = predicted.low <= tokens <= predicted.high
        inside += within
        if show_rows:
            print(
                f"  {case.row['id'][:62]:<62} {tokens:>10.0f} predicted {predicted.likely:>10.0f} "
                f"[{predicted.low:.0f}, {predicted.high:.0f}] {100 * (predicted.likely - tokens) / tokens:+6.2f} %"
                f"{'' if within else '  OUTSIDE'}"
            )
    if errors:
        print(
            f"  {len(errors)} rows: median error {100 * statistics.median(errors):.2f} %, p90 "
            f"{100 * percentile(errors, 0.9):.2f} %, {inside} of {len(errors)} inside the predicted range"
        )


def report_fit(found: list[Case]) -> None:
    print("\nfit or not")
    counts: dict[tuple[str, str], int] = {}
    for case in found:
        outcome, verdict = case.row["outcome"], case.prediction.verdict
        counts[outcome, verdict] = counts.get((outcome, verdict), 0) + 1
        likely = likely_verdict(case.prediction)
        wrong = (outcome == "fit") != likely if outcome in ("fit", "no_fit") and likely is not None else False
        plainly_wrong = (outcome, verdict) in (("fit", "does not fit"), ("no_fit", "fits"))
        if wrong or plainly_wrong or verdict in ("uncertain", "unknown") or outcome not in ("fit", "no_fit"):
            cache, need = case.prediction.kv_cache, case.prediction.request_mib
            sizes = (
                f"KV {cache.low / 1024:.1f} / {cache.likely / 1024:.1f} / {cache.high / 1024:.1f} GiB, one request "
                f"{(need or 0) / 1024:.1f}"
                if cache is not None
                else "; ".join(case.prediction.why)
            )
            mark = "WRONG" if plainly_wrong or wrong else "near"
            print(f"  {mark:<5} {case.row['id'][:62]:<62} {outcome}: {verdict} ({sizes})")
    for (outcome, verdict), count in sorted(counts.items()):
        print(f"  {outcome:<20} predicted {verdict:<13} {count}")


def likely_verdict(prediction: Prediction) -> bool | None:
    """Whether it fits by the likely values alone."""
    cache = prediction.kv_cache
    if cache is None:
        return None
    return cache.likely > 0 and cache.likely >= (prediction.request_mib or 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file")
    parser.add_argument("--rows", action="store_true", help="every row, not only the summary")
    arguments = parser.parse_args()
    found = list(cases(arguments.file))
    vllm = [case for case in found if case.row["engine"] == "vllm"]
    report_tokens("vLLM, rows the terms were fitted on (H100)", [c for c in vllm if c.in_sample], arguments.rows)
    report_tokens("vLLM, rows of other sources", [c for c in vllm if not c.in_sample], arguments.rows)
    report_tokens("other engines (formula only)", [c for c in found if c.row["engine"] != "vllm"], arguments.rows)
    report_fit(found)


if __name__ == "__main__":
    main()
