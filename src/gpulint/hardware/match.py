"""What node labels and instance types together say about the GPUs that a pod can land on."""

from __future__ import annotations

from collections.abc import Iterable

from gpulint.hardware.gpus import Gpu
from gpulint.record import record


@record
class NodeMatch:
    """What is known of the GPUs of a node.

    `gpus` are the candidate boards, empty where nothing restricts them. `gpu_count` is the devices per node: GPUs, or
    MIG devices where one strategy `single` label counts those. `interconnect` is between the GPUs of the node: an
    NVLink class of `Gpu.nvlink`, or `nvlink` (class unknown), `pcie`, `vendor` (xGMI, NeuronLink, ICI, RoCE), `none`
    (one GPU). `fraction` is the share of one physical GPU that a device is (vGPU instance sizes), None if unknown.
    """

    gpus: tuple[Gpu, ...] = ()
    mig_profile: str | None = None
    shared: bool = False
    gpu_count: int | None = None
    interconnect: str | None = None
    fraction: float | None = 1.0


def combine(matches: Iterable[NodeMatch]) -> NodeMatch | None:
    """What several labels of one node say together: the boards that all of them allow.

    None when there is no match, or when they contradict each other (no board, two MIG profiles, two counts).
    """
    result: NodeMatch | None = None
    for match in matches:
        result = match if result is None else _both(result, match)
        if result is None:
            return None
    return result


def either(matches: Iterable[NodeMatch | None]) -> NodeMatch | None:
    """What holds whichever of the matches applies (a label with operator `In` and several values).

    The boards of all of them; any other fact only where they agree. None as soon as one alternative is unknown.
    """
    alternatives = list(matches)
    known = [match for match in alternatives if match is not None]
    if not known or len(known) < len(alternatives):
        return None
    first = known[0]
    boards = {board.id: board for match in known for board in match.gpus}
    return NodeMatch(
        gpus=tuple(boards.values()) if all(match.gpus for match in known) else (),
        mig_profile=first.mig_profile if len({match.mig_profile for match in known}) == 1 else None,
        shared=all(match.shared for match in known),
        gpu_count=first.gpu_count if len({match.gpu_count for match in known}) == 1 else None,
        interconnect=first.interconnect if len({match.interconnect for match in known}) == 1 else None,
        fraction=first.fraction if len({match.fraction for match in known}) == 1 else None,
    )


def _both(one: NodeMatch, other: NodeMatch) -> NodeMatch | None:
    gpus = one.gpus or other.gpus
    if one.gpus and other.gpus:
        gpus = tuple(board for board in one.gpus if board in other.gpus)
        if not gpus:
            return None
    if one.mig_profile and other.mig_profile and one.mig_profile != other.mig_profile:
        return None
    mig_profile = one.mig_profile or other.mig_profile
    gpu_count = one.gpu_count if one.gpu_count is not None else other.gpu_count
    if one.gpu_count is not None and other.gpu_count is not None and one.gpu_count != other.gpu_count:
        if mig_profile is None:
            return None
        gpu_count = None  # one counts GPUs, the other MIG devices
    interconnect = one.interconnect or other.interconnect
    if one.interconnect and other.interconnect and one.interconnect != other.interconnect:
        interconnect = None
    fraction = one.fraction if one.fraction != 1.0 else other.fraction
    if 1.0 not in (one.fraction, other.fraction) and one.fraction != other.fraction:
        fraction = None
    return NodeMatch(gpus, mig_profile, one.shared or other.shared, gpu_count, interconnect, fraction)
