"""A serving engine as a container launches it, in one vocabulary for all engines."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from gpulint.model.values import ObjectRef, Setting, Sourced
from gpulint.record import record
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.model.workload import Container

Version = tuple[int, ...]


@record
class WrongFlag:
    """A flag that this version of the engine does not have: `added` and `removed` say since when and until when it had.

    Neither is set for a flag that no version has had.
    """

    name: str
    place: Place
    added: str | None = None
    removed: str | None = None


@record
class Engine:
    """One engine process group.

    A setting that the engine does not have is None; one that cannot be known, or that the engine chooses, has value
    None. `default` marks all that the file does not write.
    `name` is the engine's id (`vllm`), `display_name` what people write (`vLLM`). `place` is where the launch is
    written (the program's name, else the image); `version` comes from the image tag.
    `arguments_known` is False when part of the command line cannot be read, so that a flag not seen is not a default.
    `sole` is False where the container starts further engines, or one of several as a branch decides.
    `alone` is False where the container runs other programs too, which may use its GPUs; `chooses_devices` says that it
    sets CUDA_VISIBLE_DEVICES or the like, `visible_devices` how many that lists, `shares_devices` that another program
    of the container may use some of those; `ray_cluster` that it starts or joins a Ray cluster, where other pods' GPUs
    may count.
    `accelerator` is what the image is built for where it says so and it is not CUDA: `cpu`, `rocm`, `gaudi`, …

    `attention_data_parallel` is how many copies of the attention stand inside the tensor parallel group; unlike
    `data_parallel` it takes no further GPUs. `memory_fraction` is a share of the GPU's memory that holds the weights
    too, `kv_cache_free_fraction` a share of what the weights leave free.
    `uses_all_visible_gpus` says that the engine spreads over every GPU it sees; `one_process` that one process drives
    them all, so that neither NCCL nor shared memory carries the data between workers.
    `model_end` is the known end (`owner/name`) of a model's address whose beginning is not known.
    `only_strange_flags` says that `arguments_known` is False for nothing but flags which the engine does not have.
    `eager` says that it does without CUDA graphs.
    `serves_metrics` says whether it serves metrics for Prometheus; spelled as the switch that decides.
    `api_key` is what clients must send, `revision` the commit or tag of the model or of its code on the Hub;
    `trust_remote_code` says that this code runs. `cache_dir` is where the engine downloads models to.
    `max_input_tokens`, `batch_total_tokens` and `batch_prefill_tokens` are TGI's limits of one prompt, of a batch, and
    of the prompts in it. `wrong_flags` are known where the version is, and the table of flags covers it;
    `repeated_flags` are given twice, with the value that is lost first. `stray_arguments` hold a flag and its value in
    one word.
    `config` names a file with further settings that is not in sight.
    """

    name: str
    place: Place
    version: Version | None = None
    version_text: str | None = None
    arguments_known: bool = True
    model: Setting[str] | None = None
    model_end: Setting[str] | None = None
    dtype: Setting[str] | None = None
    quantization: Setting[str] | None = None
    tensor_parallel: Setting[int] | None = None
    pipeline_parallel: Setting[int] | None = None
    data_parallel: Setting[int] | None = None
    data_parallel_local: Setting[int] | None = None
    attention_data_parallel: Setting[int] | None = None
    context_parallel: Setting[int] | None = None
    expert_parallel: Setting[bool] | None = None
    nodes: Setting[int] | None = None
    executor: Setting[str] | None = None
    memory_fraction: Setting[float] | None = None
    kv_cache_free_fraction: Setting[float] | None = None
    kv_cache_memory_bytes: Setting[int] | None = None
    kv_cache_dtype: Setting[str] | None = None
    max_model_len: Setting[int] | None = None
    max_num_seqs: Setting[int] | None = None
    max_batched_tokens: Setting[int] | None = None
    cpu_offload_gib: Setting[float] | None = None
    eager: Setting[bool] | None = None
    prefix_caching: Setting[bool] | None = None
    chunked_prefill: Setting[bool] | None = None
    max_input_tokens: Setting[int] | None = None
    batch_total_tokens: Setting[int] | None = None
    batch_prefill_tokens: Setting[int] | None = None
    api_key: Setting[str] | None = None
    trust_remote_code: Setting[bool] | None = None
    revision: Setting[str] | None = None
    cache_dir: Setting[str] | None = None
    host: Setting[str] | None = None
    port: Setting[int] | None = None
    load_format: Setting[str] | None = None
    shutdown_timeout_s: Setting[float] | None = None
    serves_metrics: Setting[bool] | None = None
    config: Setting[str] | None = None
    wrong_flags: list[WrongFlag] = field(default_factory=list)
    repeated_flags: list[tuple[Setting[str], Setting[str]]] = field(default_factory=list)
    stray_arguments: list[Sourced[str]] = field(default_factory=list)
    only_strange_flags: bool = False
    uses_all_visible_gpus: bool = False
    one_process: bool = False
    sole: bool = True
    alone: bool = True
    chooses_devices: bool = False
    visible_devices: Setting[int] | None = None
    shares_devices: bool = False
    ray_cluster: bool = False
    accelerator: str | None = None
    display_name: str = ""
    container: Container = field(init=False)

    @property
    def ref(self) -> ObjectRef:
        return self.container.pod.workload.ref

    @property
    def label(self) -> str:
        """The engine's name as people write it, with its version where that is known: `vLLM 0.11.0`."""
        name = self.display_name or self.name
        return f"{name} {self.version_text}" if self.version_text else name

    def parallel_settings(self) -> list[Setting[int]]:
        """The sizes written in the file that multiply into the number of GPUs, in the order they are read."""
        return [size for size in self._sizes() if not size.default]

    def gpus_used(self) -> int | None:
        """GPUs that one launch takes on its own node; None if unknown.

        Tensor × pipeline × context × (local) data parallel; over several nodes (`--nnodes`), the share of one. An
        engine that shards over every visible GPU unless told otherwise (TGI) is unknown until told. With the Ray
        executor the workers may stand on other nodes as well.
        """
        if self.uses_all_visible_gpus:
            return None
        product = 1
        for setting in self._sizes():
            if setting.value is None or setting.value < 1:
                return None
            product *= setting.value
        if self.nodes is None or self.nodes.value == 1:
            return product
        if self.nodes.value is None or self.nodes.value < 1 or self.data_parallel_local is not None:
            return None
        return product // self.nodes.value if product % self.nodes.value == 0 else None

    def _sizes(self) -> list[Setting[int]]:
        """The sizes that multiply into the number of GPUs, as far as the engine has them."""
        sizes = (
            self.tensor_parallel,
            self.pipeline_parallel,
            self.context_parallel,
            self.data_parallel_local or self.data_parallel,
        )
        return [size for size in sizes if size is not None]
