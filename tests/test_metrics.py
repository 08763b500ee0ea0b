"""The metric table, the reading of names, and PromQL."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpulint.metrics.promql import Aggregation, Matcher, Query, meaning_of, meanings, parse
from gpulint.metrics.table import Meaning, lookup, meaning_of_alias, metrics, plain_name


def parsed(text: str) -> Query:
    query = parse(text)
    assert query is not None, f"not parsed: {text}"
    return query


# --- The table ---


def test_rows_have_sources_and_known_values() -> None:
    rows = metrics()
    assert len(rows) > 300
    for row in rows:
        assert row.source, row.name
        assert all(url.startswith("https://") for url in row.source), row.name
        assert row.type in {"gauge", "counter", "histogram", "summary"}, row.name
        assert row.status in {"current", "deprecated", "removed"}, row.name
        assert row.range in {None, (0.0, 1.0), (0.0, 100.0)}, row.name
        assert isinstance(row.default_exported, bool), row.name
        assert row.mig_ok in {True, False, None}, row.name


def test_every_row_is_found_by_its_own_name_and_no_two_share_one() -> None:
    for row in metrics():
        assert lookup(row.name) is row


def test_replacements_exist_and_are_current() -> None:
    replaced = [row for row in metrics() if row.replacement]
    assert {row.name for row in replaced} >= {"vllm:gpu_cache_usage_perc", "DCGM_FI_DEV_GPU_UTIL"}
    for row in replaced:
        replacement = lookup(row.replacement or "")
        assert replacement is not None, row.name
        assert replacement.name == row.replacement
        assert replacement.status == "current"
        assert replacement.engine == row.engine


def test_a_rename_keeps_type_unit_and_meaning() -> None:
    renames = [row for row in metrics() if row.rename]
    assert renames
    for row in renames:
        replacement = lookup(row.replacement or "")
        assert replacement is not None, row.name
        new = (replacement.type, replacement.unit, replacement.meaning)
        assert new == (row.type, row.unit, row.meaning), row.name


def test_every_meaning_is_used() -> None:
    used = {row.meaning for row in metrics()}
    assert used == set(Meaning)


def test_versions_are_ordered() -> None:
    def key(version: str) -> list[int]:
        return [int(part) for part in version.split(".")]

    for row in metrics():
        versions = [v for v in (row.introduced, row.deprecated, row.hidden, row.removed) if v]
        assert versions == sorted(versions, key=key), row.name
        if row.status == "current":
            assert row.removed is None, row.name


def test_facts_that_rules_rest_on() -> None:
    kv = lookup("vllm:kv_cache_usage_perc")
    old = lookup("vllm:gpu_cache_usage_perc")
    util = lookup("DCGM_FI_DEV_GPU_UTIL")
    active = lookup("DCGM_FI_PROF_GR_ENGINE_ACTIVE")
    used = lookup("DCGM_FI_DEV_FB_USED")
    hami = lookup("hami_host_gpu_utilization_ratio")
    assert kv
    assert old
    assert util
    assert active
    assert used
    assert hami
    assert kv.is_ratio
    assert not kv.is_percent
    assert (old.status, old.hidden, old.removed, old.rename) == ("removed", "0.11", "0.12", True)
    assert util.is_percent
    assert util.mig_ok is False
    assert active.is_ratio
    assert active.mig_ok is True
    assert used.unit == "MiB"
    assert hami.is_percent
    assert not hami.is_ratio


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("vllm:num_requests_waiting", "vllm:num_requests_waiting"),
        ("vllm_num_requests_waiting", "vllm:num_requests_waiting"),
        ("prometheus.googleapis.com|vllm:num_requests_waiting|gauge", "vllm:num_requests_waiting"),
        ("prometheus.googleapis.com/vllm:num_requests_waiting/gauge", "vllm:num_requests_waiting"),
        ("prometheus.googleapis.com/vllm:generation_tokens_total/counter", "vllm:generation_tokens"),
        ("prometheus.googleapis.com|DCGM_FI_DEV_GPU_UTIL|unknown:counter", "DCGM_FI_DEV_GPU_UTIL"),
        ("external.googleapis.com/prometheus/vllm:num_requests_running", "vllm:num_requests_running"),
        ("external.googleapis.com|prometheus|tgi_queue_size", "tgi_queue_size"),
        ("kubernetes.io|container|accelerator|duty_cycle", "kubernetes.io/container/accelerator/duty_cycle"),
        ("kubernetes.io/container/accelerator/memory_used", "kubernetes.io/container/accelerator/memory_used"),
        ("kubernetes_io:container_accelerator_duty_cycle", "kubernetes.io/container/accelerator/duty_cycle"),
        ("dcgm_fi_dev_gpu_util", "DCGM_FI_DEV_GPU_UTIL"),
        ("ray_vllm:num_requests_running", "vllm:num_requests_running"),
        ("ray_vllm_generation_tokens_total", "vllm:generation_tokens"),
        ("vllm:prompt_tokens_created", "vllm:prompt_tokens"),
        ("vllm:e2e_request_latency_seconds_bucket", "vllm:e2e_request_latency_seconds"),
        ("vllm:e2e_request_latency_seconds_sum", "vllm:e2e_request_latency_seconds"),
        ("vllm:iteration_tokens_total", "vllm:iteration_tokens_total"),
        ("vllm:iteration_tokens_total_count", "vllm:iteration_tokens_total"),
        ("sglang:prompt_tokens", "sglang:prompt_tokens_total"),
        ("nvidia_gpu_duty_cycle", "nvidia_gpu_duty_cycle"),
        ("nvidia_smi_utilization_gpu_ratio", "nvidia_smi_utilization_gpu_ratio"),
        (" nv_gpu_utilization ", "nv_gpu_utilization"),
        # not series of these metrics
        ("vllm:num_requests_waiting_total", None),
        ("DCGM_FI_DEV_GPU_UTIL_sum", None),
        ("vllm:prompt_tokens_bucket", None),
        ("ray_tgi_queue_size", None),
        ("vllm:requests_waiting", None),
        ("my_queue", None),
        ("", None),
    ],
)
def test_lookup(name: str, canonical: str | None) -> None:
    row = lookup(name)
    assert (row.name if row else None) == canonical


def test_plain_name_leaves_other_names_alone() -> None:
    assert (
        plain_name("kubernetes.io/container/accelerator/duty_cycle") == "kubernetes.io/container/accelerator/duty_cycle"
    )
    assert plain_name("my/gauge") == "my/gauge"


@given(st.text(max_size=60))
@example("_total")
@example("ray_vllm_")
def test_names_never_raise(name: str) -> None:
    row = lookup(name)
    assert row is None or row in metrics()
    assert meaning_of_alias(name) in {None, *Meaning}


@given(st.sampled_from(metrics()), st.sampled_from([":", "_", "-"]), st.booleans())
def test_spellings_of_a_name_are_one_metric(row: object, colon: str, upper: bool) -> None:
    name: str = row.name.replace(":", colon)  # type: ignore[attr-defined]
    assert lookup(name.upper() if upper else name.lower()) is row


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("gpu_utilization_percent", "gpu-utilization"),
        ("avg_gpu_util", "gpu-utilization"),
        ("dcgm_gpu_utilization_average", "gpu-utilization"),
        ("gpu-utilization", "gpu-utilization"),
        ("containerGpuDutyCycle", "gpu-utilization"),
        ("pod:gpu_sm_active:avg", "gpu-utilization"),
        ("gpu_usage_percent", "gpu-utilization"),
        ("gpu_memory_used_percent", "gpu-memory"),
        ("gpu_memory_free_bytes", "gpu-memory"),
        ("gpu_memory_bandwidth", "memory-bandwidth"),
        ("gpu_mem_copy_utilization", "memory-bandwidth"),
        ("gpu_temperature", "temperature"),
        ("gpu_power_watts", "power"),
        ("gpu_cache_usage_perc", "kv-cache"),
        ("kv_cache_utilization_avg", "kv-cache"),
        ("llm_queue_depth", "queue"),
        ("vllm_requests_waiting_avg", "queue"),
        ("avg_queue_time_seconds", "latency"),
        ("p95_ttft_ms", "latency"),
        ("running_requests", "running"),
        ("avg_batch_size", "running"),
        ("active_requests", "concurrency"),
        ("tokens_per_second", "tokens"),
        ("generation_tokens_rate", "tokens"),
        ("requests_per_second", "request-rate"),
        ("http_requests_total:rate5m", "request-rate"),
        ("num_preemptions", "preemption"),
        ("request_errors", "errors"),
        ("instance:node_cpu_utilisation:rate5m", "cpu"),
        ("node_memory_usage_percent", "host-memory"),
        # in doubt
        ("gpu_memory_utilization", None),
        ("gpu_usage", None),
        ("gpu_count", None),
        ("gpu_requests", None),
        ("allocated_gpu_utilization", None),
        ("gpu_encoder_utilization", None),
        ("gpu_prefix_cache_hit_rate", None),
        ("cpu_cache_usage_perc", None),
        ("kv_cache_transfer_seconds", None),
        ("memory_usage", None),
        ("rabbitmq_queue_messages", None),
        ("pending_pods", None),
        ("disk_latency_seconds", None),
        ("auth_tokens_total", None),
        ("llm_requests_total_slots", None),
        ("my_metric", None),
        ("DCGM_FI_DEV_SOMETHING_NEW", None),
    ],
)
def test_meaning_of_alias(name: str, meaning: str | None) -> None:
    assert meaning_of_alias(name) == meaning


# --- PromQL ---


class Expected(NamedTuple):
    """A query, the names it reads (None: unknown), its comparisons as `op threshold` and its meanings."""

    text: str
    names: Sequence[str | None]
    comparisons: Sequence[tuple[str, float]] = ()
    meanings: Sequence[str] = ()


UTIL, USED, FREE = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE"
WAITING, RUNNING, KV = "vllm:num_requests_waiting", "vllm:num_requests_running", "vllm:kv_cache_usage_perc"
TTFT, TRITON = "vllm:time_to_first_token_seconds_bucket", "nv_trt_llm_request_metrics"

QUERIES = [
    Expected(UTIL, [UTIL], [], ["gpu-utilization"]),
    Expected(f"{UTIL} > 90", [UTIL], [(">", 90)], ["gpu-utilization"]),
    Expected(f"90 < {UTIL}", [UTIL], [(">", 90)], ["gpu-utilization"]),
    Expected(f"20 >= avg({UTIL})", [UTIL], [("<=", 20)], ["gpu-utilization"]),
    Expected(f"avg by (gpu) ({UTIL}) < bool 30", [UTIL], [("<", 30)], ["gpu-utilization"]),
    Expected(f"{UTIL} > -5", [UTIL], [(">", -5)], ["gpu-utilization"]),
    Expected(f"{UTIL} != 0.9 * 100", [UTIL], [("!=", 90)], ["gpu-utilization"]),
    Expected(f"{UTIL} > 5 < 90", [UTIL], [(">", 5), ("<", 90)], ["gpu-utilization"]),
    Expected(f"{UTIL} # > 1\n > 90", [UTIL], [(">", 90)], ["gpu-utilization"]),
    Expected(f"\ufeff{UTIL} == 0", [UTIL], [("==", 0)], ["gpu-utilization"]),
    Expected(f"{USED} / ({USED} + {FREE}) > 0.9", [USED, USED, FREE], [(">", 0.9)], ["gpu-memory"]),
    Expected(f"sum({WAITING}) + sum({RUNNING})", [WAITING, RUNNING], [], ["queue", "running"]),
    Expected(f"{KV} > 0.9 and {WAITING} > 0", [KV, WAITING], [(">", 0.9), (">", 0)], ["kv-cache", "queue"]),
    Expected(f"{KV} > 0.9 or {WAITING} > 0", [KV, WAITING], [(">", 0.9), (">", 0)], ["kv-cache", "queue"]),
    Expected(f"{KV} > {WAITING}", [KV, WAITING], [], ["kv-cache", "queue"]),
    Expected(f"histogram_quantile(0.95, sum by (le) (rate({TTFT}[5m]))) > 2", [TTFT], [(">", 2)], ["latency"]),
    Expected("sum(rate(vllm:generation_tokens_total[1m]))", ["vllm:generation_tokens_total"], [], ["tokens"]),
    Expected('{__name__="vllm:num_requests_waiting"} > 5', [WAITING], [(">", 5)], ["queue"]),
    Expected('{"vllm:num_requests_waiting"} > 5', [WAITING], [(">", 5)], ["queue"]),
    Expected(f'{{__name__=~"{UTIL}|{USED}"}}', [UTIL, USED], [], ["gpu-utilization", "gpu-memory"]),
    Expected('{__name__=~"^(?:tgi_queue_size)$"}', ["tgi_queue_size"], [], ["queue"]),
    Expected('{__name__=~"DCGM_.*"}', [None]),
    Expected(f'up and {{__name__="{UTIL}"}}', ["up", UTIL], [], ["gpu-utilization"]),
    Expected(f"rate({TTFT}[$__rate_interval])", [TTFT], [], ["latency"]),
    Expected(f"rate({TTFT}[[[interval]]])", [TTFT], [], ["latency"]),
    Expected(f"max_over_time({UTIL}[1h:$__interval]) > 90", [UTIL], [(">", 90)], ["gpu-utilization"]),
    Expected(f'{UTIL}{{node=~"$node", gpu="${{gpu:regex}}"}} > 90', [UTIL], [(">", 90)], ["gpu-utilization"]),
    Expected(f"{UTIL}{{$filters}} > $threshold", [UTIL], [], ["gpu-utilization"]),
    Expected(f"{UTIL} > {{{{ .Values.threshold }}}}", [UTIL], [], ["gpu-utilization"]),
    Expected(f'{UTIL}{{ns="{{{{ include "x.ns" . }}}}"}} > 90', [UTIL], [(">", 90)], ["gpu-utilization"]),
    Expected(f"topk($n, {UTIL}) > 90", [UTIL], [(">", 90)], ["gpu-utilization"]),
    Expected(f"sum({WAITING} offset $__interval)", [WAITING], [], ["queue"]),
    Expected("$metric > 5", [None], [(">", 5)]),
    Expected("sum by (pod) (vllm:${name}_total)", [None]),
    Expected("sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)", [None]),
    Expected(f"sum({WAITING}{{<<.LabelMatchers>>}}) by (<<.GroupBy>>)", [WAITING], [], ["queue"]),
    Expected("(1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes) * 100 > 85",
             ["node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes"], [(">", 85)], ["host-memory"]),
    Expected(f"count({UTIL} < 10) > 3", [UTIL], [("<", 10), (">", 3)], ["gpu-utilization"]),
    Expected("sum without (cpu) (rate(container_cpu_usage_seconds_total[5m])) >= 4",
             ["container_cpu_usage_seconds_total"], [(">=", 4)], ["cpu"]),
    Expected(f'{TRITON}{{request_type="waiting"}} > 1', [TRITON], [(">", 1)], ["queue"]),
    Expected(f'{TRITON}{{request_type="scheduled"}}', [TRITON], [], ["running"]),
    Expected("avg_gpu_util < 9 unless my == 1", ["avg_gpu_util", "my"], [("<", 9), ("==", 1)], ["gpu-utilization"]),
    Expected("absent(up) == 1", ["up"], [("==", 1)]),
    Expected("1 > bool 2", []),
    Expected("time() > bool 5", []),
    Expected('sum(x{a="b" or c="d"})', ["x"]),
    Expected("quantile(scalar(up), sum(x))", ["up", "x"]),
]  # fmt: skip


@pytest.mark.parametrize("expected", QUERIES, ids=lambda expected: expected.text[:60])
def test_query(expected: Expected) -> None:
    query = parsed(expected.text)
    assert [selector.name for selector in query.selectors] == list(expected.names)
    assert [(c.op, c.threshold) for c in query.comparisons] == list(expected.comparisons)
    assert {str(meaning) for meaning in meanings(query)} == set(expected.meanings)
    for selector in query.selectors:
        if selector.name:
            assert expected.text[selector.start : selector.end] == selector.name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x[5m",
        "(x",
        "x)",
        "x > bool",
        '"a" > 5',
        "What is deep learning?",
        "label_values(vllm:num_requests_waiting, namespace)",
        "$fn(x)",
        "x{,}",
        '"unterminated',
        "x{a='b}",
        "sum(x) by",
        "{}",
        "\ud800",
    ],
)
def test_not_promql(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "(" * 9_000 + "x" + ")" * 9_000,
        "sum(" * 3_000 + "x" + ")" * 3_000,
        "1+" * 9_000 + "1",
        "2^" * 9_000 + "2",
        "-" * 19_000 + "x",
        "x or " * 3_900 + "x",
        "[" * 20_000,
        '"\\' * 10_000,
        '"{{' * 6_000,
        "{{" * 10_000,
        "{)" * 7_000,
        "x" * 20_001,
    ],
    ids=lambda text: text[:10],
)
def test_hostile_text_is_refused(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "x offset inf",
        "x offset - NaN",
        "x offset 1e300",
        "x offset 5m offset -1e20",
        "x[1e20]",
        "x[5m:1e300]",
        "x[999999999999999999999999]",
        "x @ -1e19",
        "x @ - $t",
        "x # c\n offset # d\n inf",
    ],
)
def test_times_over_which_the_parser_panics_are_refused(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert parse(text) is None
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "text", ["x offset 5m", "x offset -5m", "x offset -$o", "x @ 1609746000", "x @ $t", "x @ end()"]
)
def test_times_that_are_possible(text: str) -> None:
    assert parsed(text).metric_names() == ("x",)


def test_what_the_limits_allow_fits_a_small_stack() -> None:
    results: list[Query | None] = []
    texts = [
        "sum(" * 60 + "x + " * 140 + "1" + ")" * 60,
        "x ^ " * 149 + "2",
        "-" * 149 + "x",
        "(" * 64 + "x" + ")" * 64,
    ]

    def run() -> None:
        results.extend(parse(text) for text in texts)

    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert [query is not None for query in results] == [True] * len(texts)


_PIECE_TEXT = """
x vllm:num_requests_waiting sum by without rate topk and or unless bool on offset group_left ( ) { } [ ] , 5m 0.5 3 + -
* / ^ > <= == =~ = 'a|b' "c" __name__ $x ${y} [[z]] {{t}} <<.Series>> $__rate_interval @ : # le time() inf nan 1e300
"""
_PIECES = (*_PIECE_TEXT.split(), "\n")
_JUMBLES = st.lists(st.sampled_from(_PIECES), max_size=25)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from(_PIECES), max_size=25).map(" ".join),
        st.lists(st.sampled_from(_PIECES), max_size=25).map("".join),
    )
)
def test_parse_never_raises(text: str) -> None:
    query = parse(text)
    if query is None:
        return
    for selector in query.selectors:
        assert 0 <= selector.start <= selector.end <= len(text)
        if selector.name:
            assert text[selector.start : selector.end] == selector.name
    meanings(query)


_NAMES = st.sampled_from([UTIL, USED, WAITING, KV, "my_metric", "a:b:c", "x"])
_SELECTORS = st.builds(
    lambda name, braces: name + braces, _NAMES, st.sampled_from(["", '{a="x > 1"}', "{a=~'b|$c',}", '{a="{{ .x }}"}'])
)
_EXPRESSIONS = st.recursive(
    _SELECTORS,
    lambda inner: st.one_of(
        st.builds(
            lambda a, op, b: f"({a}) {op} ({b})",
            inner,
            st.sampled_from(["+", "/", "and on (a)", "or", "unless"]),
            inner,
        ),
        st.builds(
            lambda a, f: f.format(a),
            inner,
            st.sampled_from(["sum by (a, b) ({})", "max({})without(le)", "avg_over_time(({})[1h:$i])", "abs( {} )"]),
        ),
        st.builds(lambda a, c: f"({a}) > {c}", inner, st.integers(-9, 9)),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(_EXPRESSIONS)
def test_generated_queries_are_read_with_exact_places(text: str) -> None:
    query = parsed(text)
    assert query.selectors
    starts = [selector.start for selector in query.selectors]
    assert starts == sorted(set(starts))
    for selector in query.selectors:
        assert text[selector.start : selector.end] == selector.name
    assert len(query.comparisons) == sum(text.count(f"> {c}") for c in range(-9, 10)) - text.count('"x > 1"')


@settings(deadline=None)
@given(
    st.integers(-50, 50).filter(bool),
    st.integers(-50, 50),
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.booleans(),
)
def test_comparisons_are_solved_for_the_metric(factor: int, term: int, op: str, turned: bool) -> None:
    """A value that satisfies the solved comparison satisfies the written one, and the reverse."""
    side = f"({term} + {factor} * x)"
    comparison = parsed(f"7 {op} {side}" if turned else f"{side} {op} 7").comparisons[0]
    assert comparison.on_metric
    solved_op, threshold = comparison.on_metric
    holds = {
        "<": float.__lt__,
        "<=": float.__le__,
        ">": float.__gt__,
        ">=": float.__ge__,
        "==": float.__eq__,
        "!=": float.__ne__,
    }
    for x in (-1000.0, -3.03, 0.01, 2.5, 1000.0):
        left, right = term + factor * x, 7.0
        written = holds[op](right, left) if turned else holds[op](left, right)
        assert holds[solved_op](x, threshold) == written


def test_selector_context() -> None:
    query = parsed(f'histogram_quantile(0.95, sum by (le, model_name) (rate({TTFT}{{ns!="a"}}[5m]))) * 1000')
    (selector,) = query.selectors
    assert selector.functions == ("rate", "histogram_quantile")
    assert selector.aggregations == (Aggregation("sum", ("le", "model_name"), None, None),)
    assert selector.aggregation is selector.aggregations[0]
    assert selector.matchers == (Matcher("ns", "!=", "a"),)
    assert selector.window_s == 300
    assert selector.scale == 1000


def test_aggregations_nest_from_the_inside_out() -> None:
    (selector,) = parsed("max(topk(3, avg without (pod) (x)))").selectors
    assert [a.op for a in selector.aggregations] == ["avg", "topk", "max"]
    assert selector.aggregations[0].without == ("pod",)
    assert selector.aggregations[1].parameter == 3


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("x", 1),
        ("x * 100", 100),
        ("100 * x", 100),
        ("x / 4", 0.25),
        ("sum(x / 8) * 2", 0.25),
        ("-x", -1),
        ("1 - x", -1),
        ("x * $factor", None),
        ("x / 0", None),
        ("1 / x", None),
        ("x * scalar(y)", None),
        ("time() - x", None),
        ("x * y", None),
        ("x + y", 1),
        ("x * on (pod) group_left () info", 1),
    ],
)
def test_scale(text: str, scale: float | None) -> None:
    assert parsed(text).selectors[0].scale == scale


def test_a_ratio_of_memory_is_recognisable() -> None:
    query = parsed(f"sum({USED}) / (sum({USED}) + sum({FREE})) * 100 > 90")
    numerator, *denominators = query.selectors
    assert numerator.ratio_of == (USED, FREE)
    assert not numerator.in_denominator
    assert numerator.scale == 100
    assert all(selector.in_denominator and not selector.ratio_of for selector in denominators)
    (comparison,) = query.comparisons
    assert comparison.is_ratio
    assert comparison.selectors == query.selectors
    assert comparison.on_metric == (">", 0.9)


def test_a_mean_over_replicas_is_no_ratio() -> None:
    query = parsed(f"sum({KV}) / count({KV}) > 0.9")
    assert not query.comparisons[0].is_ratio
    assert query.comparisons[0].on_metric == (">", 0.9)
    assert query.selectors[0].ratio_of == ()


@pytest.mark.parametrize(
    "text",
    [
        "count(x) > 3",
        "count_over_time(x[5m]) > 3",
        "stddev(x) > 3",
        "(x > bool 5) == 1",
        "x * y > 3",
        "x * $f > 3",
        "time() - x > 3",
        "absent(x) == 1",
        "sum(x + 1) > 3",
    ],
)
def test_a_value_in_another_unit_has_no_threshold_on_the_metric(text: str) -> None:
    assert parsed(text).comparisons[-1].on_metric is None


@pytest.mark.parametrize(
    "text",
    [
        "x > 3",
        "sum(x) > 3",
        "avg_over_time(x[5m]) > 3",
        "x or vector(0) > 9 or x > 3",
        "x * on (pod) group_left (a) info > 3",
        "rate(x[5m]) > 3",
    ],
)
def test_a_value_in_the_unit_of_the_metric_has_one(text: str) -> None:
    assert parsed(text).comparisons[-1].on_metric == (">", 3)


def test_conjoined_selectors() -> None:
    query = parsed(f"({UTIL} < 20 and on (pod) {KV}) unless {WAITING} > 0 or other > 1")
    util, waiting, other = query.comparisons
    assert [s.name for s in util.conjoined] == [KV, WAITING]
    assert [s.name for s in waiting.conjoined] == [UTIL, KV]
    assert other.conjoined == ()


def test_a_filter_inside_the_compared_value_is_conjoined() -> None:
    (comparison,) = parsed(f"avg({UTIL} and on (pod) {WAITING}) < 20").comparisons
    assert [s.name for s in comparison.selectors] == [UTIL]
    assert [s.name for s in comparison.conjoined] == [WAITING]


def test_a_product_of_conditions_conjoins() -> None:
    first, second, _ = parsed("(a > bool 5) * (b < bool 3) == 1").comparisons
    assert first.returns_bool
    assert [s.name for s in first.conjoined] == ["b"]
    assert [s.name for s in second.conjoined] == ["a"]


def test_templates_are_restored_and_windows_stay_open() -> None:
    query = parsed('sum(rate(x{<<.LabelMatchers>>,pod=~"$pod",$key="v"}[$__rate_interval])) by (<<.GroupBy>>)')
    (selector,) = query.selectors
    assert selector.window_s is None
    assert selector.matchers == (
        Matcher("<<.LabelMatchers>>", "", ""),
        Matcher("pod", "=~", "$pod"),
        Matcher("$key", "=", "v"),
    )
    assert selector.aggregations[0].by == ("<<.GroupBy>>",)
    assert selector.matcher("pod") == Matcher("pod", "=~", "$pod")
    assert selector.matcher("ns") is None


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("sum(x)", True),
        ("sum by () (x)", True),
        ("avg(x) / avg(y)", True),
        ("sum(x) or vector(0)", True),
        ("sum(x) > 5", True),
        ("scalar(x)", True),
        ("absent(x)", True),
        ("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", False),
        ("x", False),
        ("sum by (pod) (x)", False),
        ("sum without (pod) (x)", False),
        ("topk(1, x)", False),
        ("sum(x) or y", False),
        ("sum(x) / y", False),
        ("sum(x) + time()", True),
    ],
)
def test_one_series(text: str, one: bool) -> None:
    assert parsed(text).one_series is one


def test_metric_names_are_distinct_and_known() -> None:
    assert parsed('b + a + b + {x="y"} + $c').metric_names() == ("b", "a")


def test_meaning_of_a_selector_without_a_name_is_unknown() -> None:
    assert meaning_of(parsed('{job="x"}').selectors[0]) is None
