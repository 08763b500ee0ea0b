"""What rules about probes share: how long a model server takes to start at least, and with what the numbers rest on."""

from __future__ import annotations

from typing import NamedTuple

from gpulint.finding import Evidence
from gpulint.model.engine import Engine, Version
from gpulint.model.workload import Probe
from gpulint.rules.memory_words import gib, model_name, model_place
from gpulint.rules.model_cache import cache_folder, hub_model, mount_of
from gpulint.source.text import Place

# What an engine takes besides reading weights: imports, a CUDA context, a profiling run, CUDA graphs. From 0.8 vLLM
# compiles as well: a model of 3.4 GiB whose weights took 0.9 s and whose compiled graphs were cached answered after
# 59 s, 34 of them "init engine" (vllm-project/vllm#20264); the time before the weights is about 16 s (#44881).
_OWN_START_S = {"vllm": 30.0, "sglang": 30.0, "tgi": 30.0, "lmdeploy": 30.0, "trtllm": 30.0, "nim": 30.0}
_COMPILING_START_S = 60.0
_COMPILES_SINCE: Version = (0, 8)
IMPORTS_S = 16.0
# A line of 1 Gbit/s carries 119 MiB/s; an EBS volume of type gp3 reads 125 MiB/s unless more is paid for. Nodes with
# many GPUs have wider lines and striped local disks.
_MIB_PER_S = 125.0
_MIB_PER_S_MANY = 500.0
_MANY_GPUS = 4
# Disks of a node, and volumes that are paid for, often read twice as fast.
_FASTER = 2
_EMPTY_AT_START = frozenset({"emptyDir", "configMap", "secret", "projected", "downwardAPI"})
# For a model of unknown size: a billion parameters in 16 bits.
_SMALLEST_MIB = 2048.0
# Loaders that stream the weights from the store, several times as fast as a file read in turn.
_STREAMING = ("runai", "tensorizer", "fastsafetensors", "sharded", "dummy", "remote", "instanttensor")


class Start(NamedTuple):
    """The shortest ordinary start of a server. `weights_mib` is None where the model's size is not known.

    `rate_mib_s` is what the way of the weights may be counted on to carry; `kept` says that they may lie on a volume
    or in the image: whatever is downloaded comes over the network and is read after that.
    """

    own_s: float
    weights_mib: float | None
    rate_mib_s: float
    kept: bool = False

    @property
    def least_s(self) -> float:
        size = self.weights_mib if self.weights_mib is not None else _SMALLEST_MIB
        return self.own_s + size / self.rate_mib_s

    def may_do(self, budget_s: float) -> bool:
        """Whether the weights lie on a volume, or in the image, that may be quick enough."""
        size = self.weights_mib if self.weights_mib is not None else _SMALLEST_MIB
        return self.kept and budget_s >= self.own_s + size / (self.rate_mib_s * _FASTER)


def start_of(engine: Engine) -> Start | None:
    """The start of an engine that answers once its weights are loaded; None for others, and where they are streamed."""
    if engine.name not in _OWN_START_S or engine.accelerator == "cpu":
        return None
    loader = engine.load_format.value if engine.load_format is not None else None
    if loader is not None and any(word in loader for word in _STREAMING):
        return None
    own_s = _OWN_START_S[engine.name]
    compiles = engine.name == "vllm" and (engine.version is None or engine.version >= _COMPILES_SINCE)
    if compiles and not (engine.eager is not None and engine.eager.value):
        own_s = _COMPILING_START_S
    gpus = engine.gpus_used() or engine.container.gpu_count() or 1
    return Start(
        own_s, _checkpoint_mib(engine), _MIB_PER_S_MANY if gpus >= _MANY_GPUS else _MIB_PER_S, _is_kept(engine)
    )


def _checkpoint_mib(engine: Engine) -> float | None:
    """The checkpoint's size: what is read, whatever the engine makes of it in the GPU's memory."""
    name = engine.model_end if engine.model_end is not None else engine.model
    if name is None or name.value is None or not engine.sole:
        return None
    from gpulint.capacity.models import model
    from gpulint.capacity.weights import weights_from_name_mib, weights_mib

    is_path = name is engine.model_end or name.value.startswith(("/", ".", "~"))
    quantization = None
    if is_path and engine.quantization is not None:
        if engine.quantization.value is None and not engine.quantization.default:
            return None
        quantization = engine.quantization.value
    shape = model(name.value if name is not engine.model_end else f"/{name.value}")
    if shape is not None and shape.params_total is not None:
        size = weights_mib(shape, dtype="auto", quantization=quantization, tensor_parallel=1, pipeline_parallel=1)
        return size.likely if size is not None else None
    size = weights_from_name_mib(
        name.value, dtype="auto", quantization=quantization, tensor_parallel=1, pipeline_parallel=1
    )
    return size.likely if size is not None else None


def _is_kept(engine: Engine) -> bool:
    """Whether the weights may be there before the container starts: not with a download into the container itself."""
    name = hub_model(engine)
    if name is None:
        return engine.model is not None and engine.model.value is not None
    if engine.container.mounts is None:
        return False
    folder = cache_folder(engine)
    mounts = engine.container.mounts
    if folder is not None:
        innermost = mount_of(engine.container, folder)
        mounts = [innermost] if innermost is not None else []
    volumes = [engine.container.pod.volumes.get(mount.volume or "") for mount in mounts]
    return any(volume is not None and volume.kind not in _EMPTY_AT_START for volume in volumes)


def budget(probe: Probe) -> str:
    """How the time is made up: `30 s + 3 × 10 s`."""
    delay, failures, period = probe.initial_delay_s, probe.failure_threshold, probe.period_s
    if delay is None or failures is None or period is None or failures.value is None or period.value is None:
        return f"{probe.budget_s:g} s"
    product = f"{failures.value:g} × {period.value:g} s"
    return f"{delay.value:g} s + {product}" if delay.value else product


def allowed(probe: Probe) -> str:
    """The time with how it is made up, as far as that says more: `60 s (30 s + 3 × 10 s)`, `600 s`."""
    total, parts = f"{probe.budget_s:g} s", budget(probe)
    return total if parts == total else f"{total} ({parts})"


def needs(engine: Engine, start: Start, budget_s: float) -> str:
    """What the time leaves for the weights, as a sentence with its numbers."""
    left_s = budget_s - start.own_s
    size = start.weights_mib
    if left_s <= 0:
        return f"{engine.label} takes about {start.own_s:g} s for itself, without any weights"
    beside = f"beside the {start.own_s:g} s that {engine.label} takes for itself"
    if size is None:
        return f"{beside}, that leaves {left_s:g} s for the weights, {gib(left_s * start.rate_mib_s)} at " + _way(start)
    return (
        f"{beside}, the {gib(size)} of {model_name(engine)} would have to come at {size / left_s:.0f} MiB/s, against "
        + _way(start)
    )


def _way(start: Start) -> str:
    if start.rate_mib_s > _MIB_PER_S:
        return f"the {start.rate_mib_s:g} MiB/s that a node with {_MANY_GPUS} GPUs and more may be counted on for"
    return f"the {start.rate_mib_s:g} MiB/s of a gp3 volume or a line of 1 Gbit/s"


def evidence_of_start(engine: Engine, start: Start, probe: Probe) -> list[Evidence]:
    found = [Evidence("time to start", allowed(probe), probe.place)]
    if start.weights_mib is not None:
        found.append(Evidence("weights", f"{gib(start.weights_mib)} ({model_name(engine)})", model_place(engine)))
    return found


def place_of_budget(probe: Probe) -> Place:
    """The field that counts most towards the time, where one is written; else the probe."""
    delay, failures = probe.initial_delay_s, probe.failure_threshold
    delay_s, rest_s = delay.value if delay is not None else None, probe.patience_s
    if delay is not None and delay.place is not None and (delay_s or 0) >= (rest_s or 0):
        return delay.place
    return failures.place if failures is not None and failures.place is not None else probe.place


def asks_engine(probe: Probe) -> bool:
    """Whether a probe asks the engine over HTTP, which answers when the model is loaded."""
    return probe.action in (None, "httpGet") and "live" not in (probe.path or "")
