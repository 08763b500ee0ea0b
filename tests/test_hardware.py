"""The hardware tables are whole and sourced; names, labels, instance types and MIG layouts resolve as documented."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpulint.hardware._tables import table
from gpulint.hardware.gpus import Gpu, all_gpus, gpu, gpus_named
from gpulint.hardware.instances import instance_family, instance_type
from gpulint.hardware.labels import NodeMatch, combine, known_wrong_product, match_label, match_values
from gpulint.hardware.mig import (
    Layout,
    MigFamily,
    MigProfile,
    Unplaceable,
    default_mig_config,
    default_mig_configs,
    device_filter_gpus,
    families,
    families_with,
    family,
    family_of,
    gpus_with,
    parse_profile,
    place,
    profile_of_resource,
    resource_of_profile,
    slice_memory_mib,
)

TABLES = {
    "gpus": ("gpus", "wrong_product_labels"),
    "mig": ("families",),
    "instances": ("instances", "patterns"),
    "node_labels": ("labels",),
}
PROFILES = sorted({profile.name for known in families() for profile in known.profiles})


def ids(boards: tuple[Gpu, ...] | NodeMatch | None) -> set[str]:
    assert boards is not None
    return {board.id for board in (boards.gpus if isinstance(boards, NodeMatch) else boards)}


def a_family(family_id: str) -> MigFamily:
    found = family(family_id)
    assert found is not None
    return found


# -- the tables --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_every_row_names_a_source_and_every_source_is_used(name: str) -> None:
    content = table(name)
    assert re.fullmatch(r"20\d\d-\d\d", content["compiled"])
    used: set[str] = set()
    for section in TABLES[name]:
        for row in content[section]:
            assert row["source"], row
            used.update(row["source"])
    if name == "mig":
        used |= {content["default_configs_source"], *content["naming_source"]}
    assert used == set(content["sources"])


def test_every_gpu_that_a_row_refers_to_exists() -> None:
    referred = {
        gpu_id for section in TABLES["instances"] for row in table("instances")[section] for gpu_id in row["gpus"]
    }
    for row in table("node_labels")["labels"]:
        if row["what"] == "gpu":
            referred.update(gpu_id for gpu_ids in row["values"].values() for gpu_id in gpu_ids)
        if row["what"] == "cloud_memory":
            referred.update(gpu_id for value in row["values"].values() for gpu_id in value["gpus"])
    assert {gpu_id for gpu_id in referred if gpu(gpu_id) is None} == set()
    assert {board.mig_family for board in all_gpus() if board.mig_family} == {known.id for known in families()}
    assert all(known.gpu_ids for known in families())


def test_ids_and_product_labels_are_unique() -> None:
    boards = all_gpus()
    assert len({board.id for board in boards}) == len(boards)
    labels = [label for board in boards for label in board.product_labels]
    assert len(set(labels)) == len(labels)
    assert {row["wrong"] for row in table("gpus")["wrong_product_labels"]}.isdisjoint(labels)


def test_product_labels_are_the_cleaned_nvml_names() -> None:
    for board in all_gpus():
        cleaned = [re.sub(r"\s+", "-", re.sub(r"[^A-Za-z0-9\-_. ]", "", name)) for name in board.nvml_names]
        assert list(board.product_labels) == cleaned


def test_plausible_boards() -> None:
    for board in all_gpus():
        assert board.name
        assert board.memory_mib is None or 4_000 < board.memory_mib < 400_000
        assert (board.compute_capability is not None) == (board.vendor == "nvidia")
        assert board.mig_capable or board.mig_family is None
        assert board.vendor == "nvidia" or (board.nvlink is None and not board.product_labels)


def test_instance_names_are_unique_and_counts_plausible() -> None:
    rows = table("instances")["instances"]
    assert len({row["instance"].casefold() for row in rows}) == len(rows)
    for row in rows:
        assert row["gpu_count"] is None or 1 <= row["gpu_count"] <= 16, row
        assert row["gpu_count"] != 1 or row.get("interconnect") in ("none", "vendor"), row
        assert "fraction" not in row or 0 < row["fraction"] <= 1, row


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", all_gpus(), ids=lambda board: board.id)
def test_every_spelling_of_a_board_resolves_to_it(board: Gpu) -> None:
    for spelling in (board.id, board.name, *board.nvml_names, *board.product_labels, *board.aliases):
        for text in (spelling, spelling.upper(), spelling.lower(), f" {spelling} "):
            assert board in gpus_named(text), text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NVIDIA L4", {"l4"}),
        ("L40S-48GB", {"l40s"}),
        ("NVIDIA A100 64 GB", {"a100-sxm-64gb"}),
        ("l40s", {"l40s"}),
        ("nvidia-tesla-t4", {"t4"}),
        ("Tesla_T4", {"t4"}),
        ("A100", {"a100-sxm4-40gb", "a100-sxm4-80gb", "a100-pcie-40gb", "a100-pcie-80gb"}),
        ("A100-80GB", {"a100-sxm4-80gb", "a100-pcie-80gb"}),
        ("a100-80gb-sxm", {"a100-sxm4-80gb"}),
        ("NVIDIA A100 80GB PCIe", {"a100-pcie-80gb"}),
        ("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb-SHARED", {"a100-sxm4-80gb"}),
        ("NVIDIA B300 SXM6 AC MIG 1g.34gb", {"b300"}),
        ("H100-80GB", {"h100-pcie", "h100-sxm5-80gb"}),
        ("H100-MEGA", {"h100-sxm5-80gb"}),
        ("NVIDIA H200", {"h200-sxm"}),
        ("H200", {"h200-sxm", "h200-nvl"}),
        ("RTXPRO6000", {"rtx-pro-6000-bse", "rtx-pro-6000-bwe", "rtx-pro-6000-maxq"}),
        ("NVIDIA GeForce RTX 4090", {"rtx-4090"}),
        ("AMD_Instinct_MI300X_OAM", {"mi300x"}),
        ("Gaudi HL-205", {"gaudi"}),
    ],
)
def test_names(text: str, expected: set[str]) -> None:
    assert ids(gpus_named(text)) == expected


def test_a_series_name_with_its_maker_stays_ambiguous() -> None:
    assert {"h100-pcie", "h100-sxm5-80gb", "h100-nvl", "h100-sxm5-94gb"} == ids(gpus_named("NVIDIA H100"))


@pytest.mark.parametrize(
    "text", ["", "gpu", "nvidia", "true", "H1000", "RTX", "80GB", "custom-accelerator", "L4-48GB", "MIG-1g.10gb"]
)
def test_unknown_names_give_nothing(text: str) -> None:
    assert gpus_named(text) == ()


def test_unknown_id() -> None:
    assert gpu("h100") is None


# -- labels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", [b for b in all_gpus() if b.product_labels], ids=lambda board: board.id)
def test_every_product_label_resolves_with_its_suffixes(board: Gpu) -> None:
    board_family = family_of(board)
    for label in board.product_labels:
        plain = match_label("nvidia.com/gpu.product", label)
        assert plain is not None
        assert (plain.gpus, plain.mig_profile, plain.shared) == ((board,), None, False)
        shared = match_label("nvidia.com/gpu.product", f"{label}-SHARED")
        assert shared is not None
        assert (shared.gpus, shared.shared) == ((board,), True)
        for profile in board_family.profiles if board_family else ():
            in_label = profile.name.replace("+", ".")
            sliced = match_label("nvidia.com/gpu.product", f"{label}-MIG-{in_label}-SHARED")
            assert sliced is not None
            assert (sliced.gpus, sliced.mig_profile, sliced.shared) == ((board,), profile.name, True)
        assert match_label("nvidia.com/gpu.product", f"{label}-MIG-INVALID") is None
        assert known_wrong_product(label) is None
        assert known_wrong_product(f"{label}-SHARED") is None


@pytest.mark.parametrize("row", table("gpus")["wrong_product_labels"], ids=lambda row: row["wrong"])
def test_wrong_product_labels(row: dict[str, list[str]]) -> None:
    wrong = str(row["wrong"])
    assert match_label("nvidia.com/gpu.product", wrong) is None
    assert known_wrong_product(wrong) == " or ".join(row["right"])
    assert known_wrong_product(f"{wrong}-SHARED") == " or ".join(f"{right}-SHARED" for right in row["right"])
    assert all(match_label("nvidia.com/gpu.product", right) for right in row["right"])


def test_a_product_label_of_wrong_case_is_wrong() -> None:
    assert known_wrong_product("nvidia-a100-80gb-pcie-MIG-1g.10gb") == "NVIDIA-A100-80GB-PCIe-MIG-1g.10gb"
    assert known_wrong_product("NVIDIA-Quux") is None


def test_every_listed_value_of_a_label_resolves() -> None:
    for row in table("node_labels")["labels"]:
        for value in row.get("values", ()):
            key = row["key"].replace("<profile>", "1g.10gb")
            found = match_label(key, value)
            assert found is not None, (key, value)
            if row["what"] == "gpu":
                assert ids(found) == set(row["values"][value])
        assert match_label(row["key"], "no such value") is None


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("cloud.google.com/gke-accelerator", "nvidia-tesla-a100", {"a100-sxm4-40gb"}),
        ("cloud.google.com/machine-family", "g2", {"l4"}),
        ("karpenter.k8s.aws/instance-gpu-name", "a100", {"a100-sxm4-40gb", "a100-sxm4-80gb"}),
        ("karpenter.k8s.aws/instance-family", "g6e", {"l40s"}),
        ("eks.amazonaws.com/instance-family", "g5", {"a10g"}),
        ("karpenter.azure.com/sku-name", "Standard_NC40ads_H100_v5", {"h100-nvl"}),
        ("node.kubernetes.io/instance-type", "p4de.24xlarge", {"a100-sxm4-80gb"}),
        ("beta.kubernetes.io/instance-type", "g2-standard-12", {"l4"}),
        ("gpu.nvidia.com/class", "A100_NVLINK_80GB", {"a100-sxm4-80gb"}),
        ("gpu.nvidia.com/class", "L40S", {"l40s"}),
        ("nebius.com/gpu-name", "B200", {"b200"}),
        ("skypilot.co/accelerator", "h100-nvl", {"h100-nvl"}),
        ("amd.com/gpu.product-name", "AMD_Instinct_MI300X_OAM", {"mi300x"}),
        ("k8s.amazonaws.com/accelerator", "nvidia-tesla-t4", {"t4"}),
        ("nvidia.com/mig-1g.34gb.count", "7", {"b300"}),
        ("nvidia.com/mig-1g.34gb.product", "NVIDIA-B300-SXM6-AC-MIG-1g.34gb", {"b300"}),
        ("nvidia.com/gpu.family", "ada-lovelace", {b.id for b in all_gpus() if b.compute_capability == (8, 9)}),
        ("nvidia.com/gpu.compute.minor", "3", {"b300", "gb300"}),
        ("nvidia.com/gpu.compute.major", "9", {b.id for b in all_gpus() if (b.compute_capability or (0,))[0] == 9}),
    ],
)
def test_labels(key: str, value: str, expected: set[str]) -> None:
    assert ids(match_label(key, value)) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("nvidia.com/gpu.product", "NVIDIA-Quux"),
        ("nvidia.com/gpu.present", "true"),
        ("nvidia.com/gpu.sharing-strategy", "none"),
        ("nvidia.com/gpu.replicas", "1"),
        ("nvidia.com/gpu.count", "eight"),
        ("nvidia.com/gpu.memory", "17"),
        ("nvidia.com/mig.config", "all-balanced"),
        ("nvidia.com/mig.config", "our-own"),
        ("k8s.amazonaws.com/accelerator", "true"),
        ("k8s.amazonaws.com/accelerator", "nvidia-tesla-a10"),  # no such board on AWS, where a g5 has the A10G
        ("kubernetes.azure.com/accelerator", "nvidia"),
        ("cloud.google.com/compute-class", "gpu-l4-24gb-x8"),
        ("cloud.google.com/gke-gpu-partition-size", "1g"),
        ("node.kubernetes.io/instance-type", "m5.large"),
        ("karpenter.k8s.aws/instance-family", "m5"),
        ("app.kubernetes.io/name", "NVIDIA-L4"),
    ],
)
def test_labels_that_say_nothing_we_know(key: str, value: str) -> None:
    assert match_label(key, value) is None


def test_counts_sharing_and_partitions() -> None:
    count = match_label("nvidia.com/gpu.count", "8")
    assert count is not None
    assert (count.gpus, count.gpu_count) == ((), 8)
    for key, value in [
        ("nvidia.com/gpu.sharing-strategy", "mps"),
        ("nvidia.com/gpu.replicas", "4"),
        ("cloud.google.com/gke-gpu-sharing-strategy", "time-sharing"),
        ("cloud.google.com/gke-max-shared-clients-per-gpu", "2"),
        ("nvidia.com/mig-1g.5gb.me.sharing-strategy", "time-slicing"),
    ]:
        shared = match_label(key, value)
        assert shared is not None, key
        assert shared.shared
    partition = match_label("cloud.google.com/gke-gpu-partition-size", "1g.5gb")
    assert partition is not None
    assert partition.mig_profile == "1g.5gb"
    assert ids(partition) == {board.id for board in gpus_with("1g.5gb")}
    config = match_label("nvidia.com/mig.config", "all-1g.5gb.me")
    assert config is not None
    assert config.mig_profile == "1g.5gb+me"


def test_the_memory_label_narrows_down_but_never_contradicts_a_slice() -> None:
    name = match_label("karpenter.k8s.aws/instance-gpu-name", "a100")
    memory = match_label("karpenter.k8s.aws/instance-gpu-memory", "81920")
    assert name
    assert memory
    assert ids(combine([name, memory])) == {"a100-sxm4-80gb"}
    ampere = match_label("nvidia.com/gpu.family", "ampere")
    older_driver = match_label("nvidia.com/gpu.memory", "22731")
    assert ampere
    assert older_driver
    assert ids(combine([ampere, older_driver])) >= {"a10", "a10g"}
    assert "a100-sxm4-40gb" not in ids(combine([ampere, older_driver]))
    product = match_label("nvidia.com/gpu.product", "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb")
    of_slice = match_label("nvidia.com/gpu.memory", "40192")
    assert product
    assert of_slice
    both = combine([product, of_slice])
    assert ids(both) == {"a100-sxm4-80gb"}
    assert both is not None
    assert both.mig_profile == "3g.40gb"


def test_combining() -> None:
    l4, a100 = match_label("cloud.google.com/gke-accelerator", "nvidia-l4"), instance_type("p4d.24xlarge")
    count, four = match_label("nvidia.com/gpu.count", "8"), match_label("nvidia.com/gpu.count", "4")
    assert l4
    assert a100
    assert count
    assert four
    assert combine([]) is None
    assert combine([l4, a100]) is None
    assert combine([count, four]) is None
    one_gpu = combine([l4, count])
    assert one_gpu is not None
    assert (ids(one_gpu), one_gpu.gpu_count) == ({"l4"}, 8)
    sliced = match_label("nvidia.com/gpu.product", "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb")
    devices = match_label("nvidia.com/gpu.count", "56")
    assert sliced
    assert devices
    counted = combine([a100, sliced, devices])
    assert counted is not None
    assert (counted.gpu_count, counted.mig_profile, counted.interconnect) == (None, "1g.5gb", "nvswitch")


def test_several_values_of_one_label() -> None:
    several = match_values("node.kubernetes.io/instance-type", ["g5.12xlarge", "g6.12xlarge"])
    assert several is not None
    assert (ids(several), several.gpu_count, several.interconnect) == ({"a10g", "l4"}, 4, "pcie")
    assert match_values("node.kubernetes.io/instance-type", ["g5.12xlarge", "x1.unknown"]) is None
    assert match_values("node.kubernetes.io/instance-type", []) is None


# -- instance types ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected", "count", "interconnect", "fraction"),
    [
        ("p5.48xlarge", {"h100-sxm5-80gb"}, 8, "nvswitch", 1.0),
        ("ml.p4d.24xlarge", {"a100-sxm4-40gb"}, 8, "nvswitch", 1.0),
        ("g6f.xlarge", {"l4"}, None, "none", 0.125),
        ("p3.16xlarge", {"v100-sxm2-16gb"}, 8, "hybrid_cube_mesh", 1.0),
        ("g4-standard-12", {"rtx-pro-6000-bse"}, 1, "none", 0.25),
        ("a4-highgpu-8g-lowmem", {"b200"}, None, None, 1.0),
        ("standard_nc96ads_a100_v4", {"a100-pcie-80gb"}, 4, "bridge_pair", 1.0),
        ("BM.GPU.B4.8", {"a100-sxm4-40gb"}, 8, "nvswitch", 1.0),
        ("gpu_8x_v100", {"v100-sxm2-16gb", "v100-pcie-16gb"}, 8, None, 1.0),
        ("ecs.gn7i-c32g1.16xlarge", {"a10"}, 2, "pcie", 1.0),
    ],
)
def test_instance_types(
    name: str, expected: set[str], count: int | None, interconnect: str | None, fraction: float
) -> None:
    found = instance_type(name)
    assert found is not None
    assert (ids(found), found.gpu_count, found.interconnect, found.fraction) == (
        expected,
        count,
        interconnect,
        fraction,
    )


@pytest.mark.parametrize("name", ["", "m5.large", "n1-standard-8", "g5.3xlarge", "Standard_D4s_v5", "gpu"])
def test_other_instance_types(name: str) -> None:
    assert instance_type(name) is None


def test_a_family_of_fractions_has_no_known_fraction() -> None:
    found = instance_family("aws", "g6f")
    assert found is not None
    assert (ids(found), found.fraction) == ({"l4"}, None)


# -- MIG names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1g.10gb", (None, 1, 10, ())),
        ("1c.3g.20gb", (1, 3, 20, ())),
        ("7g.141gb", (None, 7, 141, ())),
        ("1g.24gb+me.all", (None, 1, 24, ("+me.all",))),
        ("1g.24gb+gfx,me", (None, 1, 24, ("+gfx", "+me"))),
        ("2g.48gb-me", (None, 2, 48, ("-me",))),
    ],
)
def test_profile_names(text: str, expected: tuple[object, ...]) -> None:
    assert parse_profile(text) == expected


@pytest.mark.parametrize(
    "text", ["", "1g", "8g.80gb", "0g.5gb", "1g.gb", "1g.5gb+", "1g.5gb+me-gfx", "mig-1g.5gb", "1G.5GB"]
)
def test_no_profile_names(text: str) -> None:
    assert parse_profile(text) is None


@pytest.mark.parametrize("profile", PROFILES)
def test_resource_names_round_trip(profile: str) -> None:
    resource = resource_of_profile(profile)
    assert re.fullmatch(r"nvidia\.com/mig-[a-z0-9.-]+", resource)
    assert profile_of_resource(resource) == profile
    assert profile_of_resource(f"{resource}.shared") == profile
    assert parse_profile(profile) is not None
    assert {known.id for known in families_with(profile)} == {b.mig_family for b in gpus_with(profile)}


@pytest.mark.parametrize(
    "resource", ["nvidia.com/gpu", "nvidia.com/mig-1g.5gb+me", "nvidia.com/mig-1c.3g.20gb", "nvidia.com/mig-"]
)
def test_no_resource_names(resource: str) -> None:
    assert profile_of_resource(resource) is None


def test_profiles_agree_with_their_names() -> None:
    for known in families():
        for profile in known.profiles:
            parsed = parse_profile(profile.name)
            assert parsed is not None
            assert (parsed.compute_slices, parsed.attributes) == (profile.compute_slices, profile.attributes)
            assert all(start + profile.placement_size <= known.memory_slices for start in profile.placement_starts)
            if profile.memory_mib is not None:
                # The name rounds eighths of the whole board up; what is usable is never more than that.
                assert 0.85 * parsed.memory_gb < profile.memory_mib / 1024 <= parsed.memory_gb + 0.5
        for former, current in known.former_names.items():
            assert known.profile(former) is known.profile(current)
            assert known.profile(former) is not None


# -- MIG look-up -------------------------------------------------------------------------------------------------------


def test_slice_memory() -> None:
    h200 = gpus_named("H200")
    assert slice_memory_mib("1g.18gb", h200) == (16384, 16384)
    a100 = gpus_named("A100")
    assert slice_memory_mib("1g.10gb", a100) == (9728, 9856)  # one slice of 80 GB, two slices of 40 GB
    assert slice_memory_mib("1g.5gb", a100) == (4864, 4864)
    assert slice_memory_mib("1g.10gb", h200) is None
    assert slice_memory_mib("3g.139gb", gpus_named("GB300")) is None
    assert slice_memory_mib("1g.10gb", ()) is None
    assert slice_memory_mib("1g.10gb", gpus_named("L4")) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0x20B010DE", {"a100-sxm4-40gb"}),
        ("0x20b210de", {"a100-sxm4-80gb"}),
        ("0x233010DE:0x16C010DE", {"h100-sxm5-80gb"}),
        ("0x20B110DE", {"a100-sxm4-40gb", "a100-pcie-40gb"}),
        ("0xFFFF10DE", set()),
        ("0x20B01002", set()),
        ("20B010DE", set()),
        ("", set()),
    ],
)
def test_device_filters(text: str, expected: set[str]) -> None:
    assert ids(device_filter_gpus(text)) == expected


def test_mig_capable_boards_with_unknown_profiles_are_told_from_boards_without_mig() -> None:
    custom, l4 = gpu("a100-sxm-64gb"), gpu("l4")
    assert custom is not None
    assert l4 is not None
    assert (custom.mig_capable, family_of(custom)) == (True, None)
    assert (l4.mig_capable, family_of(l4)) == (False, None)


# -- MIG placement -----------------------------------------------------------------------------------------------------


def default_layouts() -> list[tuple[str, str, dict[str, int]]]:
    found = []
    for name in sorted(default_mig_configs()):
        for entry in default_mig_config(name) or ():
            filtered = {b.mig_family for text in entry.device_filter for b in device_filter_gpus(text)}
            for known in families():
                fits_filter = known.id in filtered if entry.device_filter else True
                if entry.mig_devices and fits_filter and all(known.profile(profile) for profile in entry.mig_devices):
                    found.append((name, known.id, dict(entry.mig_devices)))
    return found


@pytest.mark.parametrize(("name", "family_id", "counts"), default_layouts())
def test_the_default_layouts_fit(name: str, family_id: str, counts: dict[str, int]) -> None:
    layout = place(a_family(family_id), counts)
    assert isinstance(layout, Layout), f"{name}: {layout.reason}"
    assert_sound(a_family(family_id), counts, layout)


def test_every_default_layout_is_for_some_board() -> None:
    placed = {name for name, _, _ in default_layouts()}
    assert default_mig_configs() - placed == {"all-disabled", "all-enabled"}
    assert default_mig_config("no such configuration") is None


def assert_sound(known: MigFamily, counts: dict[str, int], layout: Layout) -> None:
    """Each instance at a start of its profile, no memory slice twice, all counts met."""
    taken: set[int] = set()
    for name, start in layout.placements:
        profile = known.profile(name)
        assert profile is not None
        assert start in profile.placement_starts
        slices = set(range(start, start + profile.placement_size))
        assert not taken & slices
        taken |= slices
    assert len(layout.placements) == sum(counts.values())
    assert [start for _, start in layout.placements] == sorted(start for _, start in layout.placements)


@pytest.mark.parametrize(
    ("family_id", "counts", "kind", "numbers"),
    [
        ("a100-80gb", {"3g.40gb": 2, "1g.10gb": 1}, "memory", ["needs 9 memory slices", "has 8"]),
        ("a100-80gb", {"1g.10gb": 8}, "compute", ["needs 8 compute slices", "has 7", "at most 7"]),
        ("a100-80gb", {"2g.20gb": 3, "1g.10gb": 2}, "compute", ["needs 8 compute slices", "has 7"]),
        ("a100-80gb", {"2g.20gb": 4}, "compute", ["2g.20gb may start only at memory slice 0, 2, 4", "at most 3"]),
        ("a100-80gb", {"4g.40gb": 2}, "compute", ["4g.40gb may start only at memory slice 0, so at most 1"]),
        ("a100-80gb", {"7g.80gb": 1, "1g.10gb": 1}, "compute", ["needs 8 compute slices", "needs 9 memory slices"]),
        ("a100-80gb", {"1g.10gb+me": 2}, "media-engines", ["1g.10gb+me", "not 2"]),
        ("a100-40gb", {"1g.10gb": 7}, "memory", ["needs 14 memory slices", "at most 4 fit, not 7"]),
        ("a30", {"1g.6gb": 7}, "compute", ["needs 7 compute slices", "A30 has 4"]),
        ("a30", {"3g.18gb": 1}, "unknown-profile", ["A30 has no MIG profile 3g.18gb", "1g.6gb, 2g.12gb, 4g.24gb"]),
        ("a30", {"1g.6gb+me": 1, "2g.12gb+me": 1}, "media-engines", ["1g.6gb+me and 2g.12gb+me"]),
        ("h200", {"1g.35gb": 7}, "memory", ["needs 14 memory slices", "at most 4"]),
        ("rtx-pro-6000", {"1g.24gb+me.all": 1, "1g.24gb": 3}, "media-engines", ["must be -me profiles: 1g.24gb"]),
        ("b200", {"3g.93gb": 2}, "unknown-profile", ["B200 has no MIG profile 3g.93gb", "3g.90gb"]),
        ("h100-80gb", {"1g.12gb": 7}, "unknown-profile", ["H100 80GB has no MIG profile 1g.12gb"]),
        ("h100-80gb", {"1g.10gb": 10**12}, "compute", ["needs 1000000000000 compute slices"]),
        ("h100-80gb", {"1g.10gb": -1}, "bad-count", ["-1 is no number"]),
    ],
)
def test_layouts_that_do_not_fit(family_id: str, counts: dict[str, int], kind: str, numbers: list[str]) -> None:
    refusal = place(a_family(family_id), counts)
    assert isinstance(refusal, Unplaceable)
    assert refusal.kind == kind
    for number in numbers:
        assert number in refusal.reason


@pytest.mark.parametrize(
    ("family_id", "counts", "placements"),
    [
        ("a100-80gb", {"3g.40gb": 1, "4g.40gb": 1}, (("4g.40gb", 0), ("3g.40gb", 4))),
        ("a100-80gb", {"1g.10gb": 4, "3g.40gb": 1}, (*(("1g.10gb", start) for start in range(4)), ("3g.40gb", 4))),
        ("a100-40gb", {}, ()),
        ("a100-40gb", {"7g.40gb": 0}, ()),
        ("gb200", {"3g.95gb": 2}, (("3g.93gb", 0), ("3g.93gb", 4))),
        ("rtx-pro-6000", {"1g.24gb+me.all": 1, "2g.48gb-me": 1}, None),
        ("rtx-pro-6000", {"1g.24gb+me": 1, "1g.24gb+gfx": 1, "2g.48gb": 1}, None),
    ],
)
def test_layouts_that_fit(
    family_id: str, counts: dict[str, int], placements: tuple[tuple[str, int], ...] | None
) -> None:
    layout = place(a_family(family_id), counts)
    assert isinstance(layout, Layout), layout.reason
    if placements is None:
        assert_sound(a_family(family_id), counts, layout)
    else:
        assert layout.placements == placements


def test_fragmentation_alone_is_refused_with_the_starts() -> None:
    def profile(name: str, starts: tuple[int, ...], size: int) -> MigProfile:
        return MigProfile(name, 1, size, None, 2, starts, size, (), resource_of_profile(name))

    narrow = (profile("1g.1gb", (1,), 1), profile("1g.2gb", (0,), 2))
    refusal = place(MigFamily("x", "X", (), 7, 8, narrow, {}), {"1g.1gb": 1, "1g.2gb": 1})
    assert isinstance(refusal, Unplaceable)
    assert refusal.kind == "placement"
    assert "1g.2gb may start only at memory slice 0" in refusal.reason


def test_every_small_layout_is_decided() -> None:
    for known in families():
        for chosen in combinations(known.profiles, 2):
            for first in range(8):
                for second in range(8):
                    layout = {chosen[0].name: first, chosen[1].name: second}
                    found = place(known, layout)
                    if not isinstance(found, Unplaceable):
                        assert len(found.placements) == first + second


@st.composite
def layouts(draw: st.DrawFn) -> tuple[MigFamily, dict[str, int]]:
    known = draw(st.sampled_from(families()))
    names = draw(st.lists(st.sampled_from([profile.name for profile in known.profiles]), max_size=4, unique=True))
    return known, {name: draw(st.integers(0, 4)) for name in names}


@given(layouts(), st.data())
def test_a_part_of_a_layout_that_fits_fits(layout: tuple[MigFamily, dict[str, int]], data: st.DataObject) -> None:
    known, counts = layout
    whole = place(known, counts)
    if isinstance(whole, Layout):
        assert_sound(known, counts, whole)
        part = {name: data.draw(st.integers(0, count)) for name, count in counts.items()}
        assert isinstance(place(known, part), Layout)
    else:
        assert whole.reason


@given(layouts())
def test_more_of_a_layout_that_does_not_fit_does_not_fit(layout: tuple[MigFamily, dict[str, int]]) -> None:
    known, counts = layout
    if isinstance(place(known, counts), Unplaceable):
        assert isinstance(place(known, {name: count + 1 for name, count in counts.items()}), Unplaceable)


@given(
    st.text() | st.from_regex(r"[0-9]c?\.?[0-9]g\.[0-9]+gb[+.-]?[a-z.]*"),
    st.sampled_from([r["key"] for r in table("node_labels")["labels"]]),
)
def test_no_text_raises(text: str, key: str) -> None:
    match_label(key, text)
    match_label(text, text)
    match_label(f"nvidia.com/mig-{text}.product", text)
    gpus_named(text)
    instance_type(text)
    known_wrong_product(text)
    parse_profile(text)
    profile_of_resource(text)
    profile_of_resource(f"nvidia.com/mig-{text}")
    device_filter_gpus(text)
    families_with(text)
    slice_memory_mib(text, all_gpus())
    for known in families():
        assert isinstance(place(known, {text: 1}), Layout | Unplaceable)
