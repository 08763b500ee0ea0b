"""A serving engine as a container launches it, in one vocabulary for all engines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpulint.model.values import ObjectRef, Setting
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.model.workload import Container

Version = tuple[int, ...]


@dataclass(slots=True, eq=False)
class Engine:
    """One engine process group.

    A setting that the engine does not have is None; one that cannot be known, or that the engine chooses, has value
    None. `default` marks all that the file does not write.
    `name` is the engine's id (`vllm`), `display_name` what people write (`vLLM`). `place` is where the launch is
    written (the program's name, else the image); `version` comes from the image tag.
    `arguments_known` is False when part of the command line cannot be read, so that a flag not seen is not a default.
    `sole` is False where the container starts further engines, or one of several as a branch decides.
    `alone` is False where the container runs other programs too, which may use its GPUs; `chooses_devices` says that it
    sets CUDA_VISIBLE_DEVICES or the like, `visible_devices` how many that lists; `ray_cluster` that it starts or joins
    a Ray cluster, where other pods' GPUs may count.
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
    `config` names a file with further settings that nobody has read yet; `rest_known` is what `arguments_known` will
    be when one has.
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
    serves_metrics: Setting[bool] | None = None
    config: Setting[str] | None = None
    rest_known: bool = True
    only_strange_flags: bool = False
    uses_all_visible_gpus: bool = False
    one_process: bool = False
    sole: bool = True
    alone: bool = True
    chooses_devices: bool = False
    visible_devices: int | None = None
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
