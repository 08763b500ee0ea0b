"""The project: everything read from the files of one run, and every join between these objects."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from gpulint.metrics.table import Meaning, lookup, meaning_of_alias
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.files import DuplicateKey, EmbeddedError
from gpulint.model.ignores import Ignore
from gpulint.model.mig import MigPlan
from gpulint.model.monitoring import Alert, CounterList, Dashboard, Expression, MetricAlias, Panel, RecordingRule
from gpulint.model.values import ObjectRef, Sourced
from gpulint.model.workload import COMPUTE_CLASS, GpuRequest, Placement, Pod, Volume, Workload
from gpulint.record import record
from gpulint.source.text import Place, Source

if TYPE_CHECKING:
    # Each costs time at every start, and few projects have these objects: readers import them when they read one.
    from gpulint.model.cluster import ClusterAutoscaler, ComputeClass, DevicePluginConfig, GpuOperator, Node, NodePool
    from gpulint.model.devices import ClaimUse, DeviceClaim, DeviceClass
    from gpulint.model.host import KnownHost
    from gpulint.model.landing import Landing, PlannedHost
    from gpulint.model.monitoring import MetricsAdapter, Monitor
    from gpulint.model.network import Service
    from gpulint.model.policies import DisruptionBudget, LabelSelector, ResourceQuota, VerticalAutoscaler
    from gpulint.model.secrets import StoredSecret
    from gpulint.model.storage import VolumeClaim
    from gpulint.source.yaml import Node as YamlNode

T = TypeVar("T")

# Recording rules may build on each other; deeper chains than this are cycles or beyond use.
_RECORDING_DEPTH = 5
# Series that only carry labels into a query (kube-state-metrics) measure nothing of their own.
_LABEL_SERIES = ("kube_", "up", "node_uname_info")


@record
class Project:
    """The objects of one run, in the order of their files.

    `template_users` are objects that run the pod template of another workload: who, whose, and where that is written.
    `awaiting` are the nodes of objects that take variables from ConfigMaps, with the workloads read from them, and
    `config_map_files` the files that hold ConfigMaps.
    `bases` are the objects by which others are completed (serving runtimes, base configurations), with their nodes, and
    `completions` what completes these when every file has been read: each is called with the project of the bases.
    `kustomizations` gives, for the folder of each kustomization, the files and folders that it names;
    it is asked only when a join is ambiguous. `open_file` gives a file of the project by its path, if it can be read:
    what manifests name (environment files, the files of kustomizations).
    `repository_of` gives, for a file, the top folder of the repository that it belongs to. `releases` gives, for a
    template of a Helm chart, the folder of the chart that it is released with: its objects have the names of a release
    that nobody made, and mean each other alone. `rendered_config_maps` are the ConfigMaps among them. `variants` adds
    what a chart, by its folder, makes of other values that are written at a place, and tells whether that serves.
    `hosts` are those to check against, measured now or described in files; `landings` and `planned_hosts` are the pods
    and MIG plans that meet them.
    """

    workloads: list[Workload] = field(default_factory=list)
    autoscalers: list[Autoscaler] = field(default_factory=list)
    mig_plans: list[MigPlan] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    recording_rules: list[RecordingRule] = field(default_factory=list)
    aliases: list[MetricAlias] = field(default_factory=list)
    metrics_adapters: list[MetricsAdapter] = field(default_factory=list)
    dashboards: list[Dashboard] = field(default_factory=list)
    counter_lists: list[CounterList] = field(default_factory=list)
    monitors: list[Monitor] = field(default_factory=list)
    duplicate_keys: list[DuplicateKey] = field(default_factory=list)
    embedded_errors: list[EmbeddedError] = field(default_factory=list)
    ignores: list[Ignore] = field(default_factory=list)
    template_users: list[tuple[ObjectRef, ObjectRef, Place]] = field(default_factory=list)
    vertical_autoscalers: list[VerticalAutoscaler] = field(default_factory=list)
    disruption_budgets: list[DisruptionBudget] = field(default_factory=list)
    resource_quotas: list[ResourceQuota] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    node_pools: list[NodePool] = field(default_factory=list)
    cluster_autoscalers: list[ClusterAutoscaler] = field(default_factory=list)
    compute_classes: list[ComputeClass] = field(default_factory=list)
    device_plugin_configs: list[DevicePluginConfig] = field(default_factory=list)
    gpu_operators: list[GpuOperator] = field(default_factory=list)
    device_claims: list[DeviceClaim] = field(default_factory=list)
    device_classes: list[DeviceClass] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    volume_claims: list[VolumeClaim] = field(default_factory=list)
    stored_secrets: list[StoredSecret] = field(default_factory=list)
    hosts: list[KnownHost] = field(default_factory=list)
    landings: list[Landing] = field(default_factory=list)
    planned_hosts: list[PlannedHost] = field(default_factory=list)
    awaiting: list[tuple[YamlNode, list[Workload]]] = field(default_factory=list)
    config_map_files: list[str] = field(default_factory=list)
    # Paths of the objects that no reader has a use for, by kind and name.
    passed_over: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    bases: list[tuple[ObjectRef, YamlNode]] = field(default_factory=list)
    completions: list[Callable[[Project], None]] = field(default_factory=list)
    kustomizations: Callable[[], dict[str, list[str]]] = dict
    open_file: Callable[[str], Source | None] = lambda path: None  # noqa: ARG005
    repository_of: Callable[[str], str] = lambda path: ""  # noqa: ARG005
    releases: dict[str, str] = field(default_factory=dict)
    rendered_config_maps: list[YamlNode] = field(default_factory=list)
    variants: dict[str, Callable[[YamlNode | None, Place], bool]] = field(default_factory=dict)
    _kustomized_by: dict[str, frozenset[str]] | None = field(default=None, init=False)
    _by_label: dict[tuple[str, str], list[Workload]] | None = field(default=None, init=False)

    def objects(self, subject: str) -> Sequence[object]:
        """The objects of a class, by its name (`Alert`), or of several (`Alert | RecordingRule`): what a rule visits.

        Raises KeyError for a class that the project does not hold.
        """
        if " | " in subject:
            return [item for part in subject.split(" | ") for item in self.objects(part)]
        if subject == "Project":
            return [self]
        if subject == "Container":
            return [container for workload in self.workloads for container in workload.containers]
        if subject == "Engine":
            return [engine for workload in self.workloads for engine in workload.engines]
        if subject == "MigLayout":
            return [layout for plan in self.mig_plans for layout in plan.layouts]
        lists: dict[str, Sequence[object]] = {
            "Workload": self.workloads,
            "Autoscaler": self.autoscalers,
            "MigPlan": self.mig_plans,
            "Alert": self.alerts,
            "RecordingRule": self.recording_rules,
            "MetricAlias": self.aliases,
            "Panel": self.panels,
            "Dashboard": self.dashboards,
            "Monitor": self.monitors,
            "DuplicateKey": self.duplicate_keys,
            "EmbeddedError": self.embedded_errors,
            "Ignore": self.ignores,
            "VerticalAutoscaler": self.vertical_autoscalers,
            "DisruptionBudget": self.disruption_budgets,
            "ResourceQuota": self.resource_quotas,
            "Node": self.nodes,
            "NodePool": self.node_pools,
            "ClusterAutoscaler": self.cluster_autoscalers,
            "DevicePluginConfig": self.device_plugin_configs,
            "GpuOperator": self.gpu_operators,
            "DeviceClaim": self.device_claims,
            "Service": self.services,
            "VolumeClaim": self.volume_claims,
            "StoredSecret": self.stored_secrets,
            "KnownHost": self.hosts,
            "Landing": self.landings,
            "PlannedHost": self.planned_hosts,
        }
        return lists[subject]

    @property
    def panels(self) -> list[Panel]:
        """The panels of all dashboards."""
        return [panel for dashboard in self.dashboards for panel in dashboard.panels]

    def join(self) -> None:
        """Links what belongs together. Called once, when every file has been read."""
        by_identity: dict[tuple[str, str], list[Workload]] = {}
        for workload in self.workloads:
            if workload.ref.name is not None and workload.overlay is None:
                by_identity.setdefault((workload.ref.kind, workload.ref.name), []).append(workload)
        for user, owner, place in self.template_users:
            candidates = by_identity.get((owner.kind, owner.name), []) if owner.name is not None else []
            workload_used = self._one_workload(candidates, owner, place)
            if workload_used is not None:
                workload_used.scaled_as.append(user)
        for workload in self.workloads:
            for ref in workload.scaled_as:
                if ref.name is not None:
                    by_identity.setdefault((ref.kind, ref.name), []).append(workload)
        for scaler in self.autoscalers:
            target = scaler.target
            # A reader that finds both in one object has linked them.
            if scaler.workload is None and target is not None and target.name is not None:
                candidates = by_identity.get((target.kind, target.name), [])
                # An object that says how it scales itself means itself, whatever else has its name.
                candidates = [workload for workload in candidates if workload.ref is target] or candidates
                if scaler.part is not None:
                    candidates = [workload for workload in candidates if workload.part == scaler.part]
                scaler.workload = self._one_workload(_one_of_the_parts(candidates), target, scaler.place)
                if scaler.workload is not None:
                    for workload in candidates if not scaler.optional else ():
                        if workload.ref is scaler.workload.ref:
                            workload.autoscalers.append(scaler)
                    scaler.workload.patches = self._patches(scaler.workload, candidates)
        for vertical in self.vertical_autoscalers:
            target = vertical.target
            if target is not None and target.name is not None:
                candidates = _one_of_the_parts(by_identity.get((target.kind, target.name), []))
                vertical.workload = self._one_workload(candidates, target, vertical.place)
                if vertical.workload is not None:
                    vertical.workload.vertical_autoscalers.append(vertical)
        if self.compute_classes:
            self._place_by_compute_class()
        for budget in self.disruption_budgets:
            for workload in self._selected(budget.selector, budget.ref, budget.place):
                budget.workloads.append(workload)
                workload.disruption_budgets.append(budget)
        for service in self.services:
            for workload in self._selected(service.selector, service.ref, service.place):
                service.workloads.append(workload)
                workload.services.append(service)
        for monitor in self.monitors:
            self._join_monitor(monitor)
        self._resolve_claims()
        if self.hosts:
            from gpulint.model.landing import land

            self.landings, self.planned_hosts = land(self)
        names = {name for rule in self.recording_rules for name in [rule.name]} | {a.name.value for a in self.aliases}
        if names:
            for scaler in self.autoscalers:
                for metric in scaler.metrics:
                    self._follow(metric, names)
            expressions = [alert.expression for alert in self.alerts]
            expressions += [rule.expression for rule in self.recording_rules]
            expressions += [alias.expression for alias in self.aliases]
            expressions += [panel.expression for panel in self.panels]
            for expression in expressions:
                self._note_recorded(expression, names)

    def _place_by_compute_class(self) -> None:
        """Gives pods that select a compute class the GPUs of its nodes."""
        for workload in self.workloads:
            for pod in workload.pods:
                chosen = pod.compute_class
                if chosen is None or pod.placement is not None:
                    continue
                named = [each for each in self.compute_classes if each.ref.name == chosen.value]
                found = self.nearest(named, chosen.place, lambda each: each.place)
                if found is not None:
                    pod.placement = Placement(
                        found.match.gpus,
                        Sourced(f"{COMPUTE_CLASS}: {chosen.value}", chosen.place, chosen.key_place),
                        found.match.mig_profile,
                        found.match.shared,
                        found.match.gpu_count,
                        found.match.interconnect,
                        found.match.fraction,
                    )

    # -- autoscaler to workload

    def _one_workload(self, candidates: list[Workload], target: ObjectRef, origin: Place) -> Workload | None:
        candidates = self.of_one_release(candidates, origin, lambda workload: workload.place)
        fitting = [w for w in candidates if _same_namespace(w.ref.namespace, target.namespace)]
        exact = [w for w in fitting if w.ref.namespace == target.namespace]
        whole = [w for w in exact if w.complete] or [w for w in fitting if w.complete] or fitting
        found = self.nearest(whole, origin, lambda workload: workload.place)
        namesakes = self.passed_over.get((target.kind, target.name or ""))
        if found is not None and namesakes:
            # One without a GPU or an engine, at least as near, may be what is meant.
            distance = self._distance(origin.source.path, found.place.source.path)
            released = self.releases.get(origin.source.path)
            namesakes = [path for path in namesakes if self.releases.get(path) == released]
            if any(self._distance(origin.source.path, path) <= distance for path in namesakes):
                return None
        return found

    def _patches(self, workload: Workload, candidates: list[Workload]) -> list[Workload]:
        """The fragments of a workload that some kustomization lays over it."""
        fragments = [other for other in candidates if other.ref is not workload.ref and not other.complete]
        if not fragments or not workload.complete:
            return []
        path = workload.place.source.path
        return [other for other in fragments if self._share_kustomization(path, other.place.source.path)]

    def nearest(self, candidates: Sequence[T], origin: Place, place_of: Callable[[T], Place]) -> T | None:
        """The one candidate that belongs to the place: same file, same folder, same kustomization, nearest folder.

        None when there is none, or when two are equally near and nothing tells them apart.
        """
        if len(candidates) <= 1:
            return candidates[0] if candidates else None
        ranked = sorted(
            ((self._distance(origin.source.path, place_of(c).source.path), index) for index, c in enumerate(candidates))
        )
        if ranked[0][0] == ranked[1][0]:
            return None
        return candidates[ranked[0][1]]

    def is_near(self, origin: Place, other: Place, folders: int) -> bool:
        """Whether two places share a folder or a kustomization, or are at most so many steps between folders apart."""
        first, second = origin.source.path, other.source.path
        return _steps_between(_folder(first), _folder(second)) <= folders or self._share_kustomization(first, second)

    def of_one_repository(self, first: Place, second: Place) -> bool:
        """Whether two places belong to one repository, where a folder holds several (checkouts, submodules)."""
        here, there = first.source.path, second.source.path
        return here == there or self.repository_of(here) == self.repository_of(there)

    def bases_for(self, origin: Place, kinds: Sequence[str]) -> list[tuple[ObjectRef, YamlNode]]:
        """The bases of some kinds that an object may mean: those of its repository, and of its release of a chart."""
        released = self.releases.get(origin.source.path)
        return [
            (ref, node)
            for ref, node in self.bases
            if ref.kind in kinds
            and self.releases.get(node.place.source.path) == released
            and self.of_one_repository(origin, node.place)
        ]

    def applied_together(self, first: Place, second: Place) -> bool:
        """Whether two places surely reach the cluster together: they share a file, a kustomization or a chart."""
        here, there = first.source.path, second.source.path
        released = self.releases.get(here)
        if released is not None and released == self.releases.get(there):
            return True
        return here == there or self._share_kustomization(here, there)

    def of_one_release(self, candidates: list[T], origin: Place, place_of: Callable[[T], Place]) -> list[T]:
        """The candidates of the same release of a chart as the origin; of none, where it is in none."""
        if not self.releases:
            return candidates
        released = self.releases.get(origin.source.path)
        return [each for each in candidates if self.releases.get(place_of(each).source.path) == released]

    def _distance(self, origin: str, other: str) -> tuple[int, int]:
        if origin == other:
            return 0, 0
        here, there = _folder(origin), _folder(other)
        if here == there:
            return 1, 0
        if self._share_kustomization(origin, other):
            return 2, 0
        return 3, _steps_between(here, there)

    def _share_kustomization(self, first: str, second: str) -> bool:
        ours = self._kustomizations_of(first)
        return not ours.isdisjoint(self._kustomizations_of(second))

    def _kustomizations_of(self, path: str) -> frozenset[str]:
        """The folders of the kustomizations that take a file in."""
        if self._kustomized_by is None:
            self._kustomized_by = _kustomized_by(self.kustomizations())
        return self._kustomized_by.get(path, frozenset())

    def is_base(self, path: str) -> bool:
        """Whether a file may reach the cluster changed: several kustomizations take it in, or the one has patches."""
        from gpulint.discovery import KUSTOMIZATION_NAMES

        folders = self._kustomizations_of(path)
        paths = (posixpath.join(folder, name) for folder in folders for name in KUSTOMIZATION_NAMES)
        sources = (self.open_file(path) for path in paths)
        return len(folders) > 1 or any(source is not None and "patch" in source.text for source in sources)

    # -- selectors to workloads

    def _selected(self, selector: LabelSelector | None, ref: ObjectRef, place: Place) -> list[Workload]:
        """The workloads whose pods a selector selects: of each name, the one that belongs to the selector's place."""
        if selector is None:
            return []
        by_name: dict[tuple[str, str | None, str | None], list[Workload]] = {}
        for workload in self.of_one_release(self._labelled(selector), place, lambda workload: workload.place):
            if (
                workload.overlay is None
                and _same_namespace(workload.ref.namespace, ref.namespace)
                and any(pod.labels and selector.selects(pod.labels) for pod in workload.pods)
            ):
                by_name.setdefault((workload.ref.kind, workload.ref.name, workload.part), []).append(workload)
        found = [self.nearest(each, place, lambda workload: workload.place) for each in by_name.values()]
        return [workload for workload in found if workload is not None]

    def _labelled(self, selector: LabelSelector) -> list[Workload]:
        """The workloads with the one of a selector's labels that the fewest have; all where it names no label."""
        if not selector.labels:
            return self.workloads
        if self._by_label is None:
            self._by_label = {}
            for workload in self.workloads:
                for label in {label for pod in workload.pods for label in pod.labels.items()}:
                    self._by_label.setdefault(label, []).append(workload)
        index = self._by_label
        return min((index.get(label, []) for label in selector.labels.items()), key=len)

    def _join_monitor(self, monitor: Monitor) -> None:
        """The pods that a monitor selects, or the Services and their pods."""
        selector = monitor.selector
        if selector is None:
            return
        for namespace in sorted(monitor.namespaces) if monitor.namespaces is not None else [None]:
            within = ObjectRef(monitor.ref.kind, namespace, monitor.ref.name)
            if monitor.selects == "Pod":
                monitor.workloads += self._selected(selector, within, monitor.place)
                continue
            by_name: dict[str | None, list[Service]] = {}
            for service in self.services:
                if _same_namespace(service.ref.namespace, namespace) and selector.selects(service.labels):
                    by_name.setdefault(service.ref.name, []).append(service)
            found = [self.nearest(each, monitor.place, lambda service: service.place) for each in by_name.values()]
            monitor.services += [service for service in found if service is not None]
        if monitor.selects == "Service":
            monitor.workloads = [workload for service in monitor.services for workload in service.workloads]

    # -- volumes to claims

    def claim_of(self, volume: Volume, pod: Pod) -> VolumeClaim | None:
        """The PersistentVolumeClaim that a volume of a pod names, if it is among the files and certain which."""
        named = volume.claim
        if named is None:
            return None
        namespace = pod.workload.ref.namespace
        candidates = [
            claim
            for claim in self.volume_claims
            if claim.ref.name == named.value and _same_namespace(claim.ref.namespace, namespace)
        ]
        candidates = self.of_one_release(candidates, named.place, lambda claim: claim.place)
        return self.nearest(candidates, named.place, lambda claim: claim.place)

    # -- DRA claims to devices

    def _resolve_claims(self) -> None:
        pods = [pod for workload in self.workloads for pod in workload.pods if pod.claims]
        if not pods:
            return
        classes = {
            found.ref.name: [selector.value for selector in found.selectors]
            for found in self.device_classes
            if found.ref.name is not None
        }
        for pod in pods:
            self._resolve_claims_of(pod, classes)

    def _resolve_claims_of(self, pod: Pod, classes: dict[str, list[str]]) -> None:
        """Gives the containers of a pod the devices of its claims, if all claims can be told."""
        from gpulint.model.devices import gpu_requests

        found: list[tuple[list[GpuRequest], list[Placement]]] = []
        owners: list[list[GpuRequest]] = []
        for use in pod.claims:
            claim = self._claim(use, pod.workload.ref)
            if claim is None:
                return
            users = [
                (container, request)
                for container in pod.containers
                for name, request in container.claims
                if name == use.name
            ]
            for container, request in users:
                chosen = [r for r in claim.requests if request is None or r.name == request.partition("/")[0]]
                devices = gpu_requests(chosen, classes, shared=len(users) > 1 or use.kind == "ResourceClaim")
                if devices is None:
                    return
                found.append(devices)
                owners.append(container.gpus)
        for (gpus, placements), owner in zip(found, owners, strict=True):
            owner.extend(gpus)
            if pod.placement is None and placements:
                pod.placement = placements[0]
        pod.dra_claims = False

    def _claim(self, use: ClaimUse, user: ObjectRef) -> DeviceClaim | None:
        if use.claim is not None:
            return use.claim
        candidates = [
            claim
            for claim in self.device_claims
            if claim.ref.kind == use.kind
            and claim.ref.name == use.target
            and _same_namespace(claim.ref.namespace, user.namespace)
        ]
        candidates = self.of_one_release(candidates, use.place, lambda claim: claim.place)
        return self.nearest(candidates, use.place, lambda claim: claim.place)

    # -- metrics to what they measure

    def _follow(self, metric: ScalingMetric, names: set[str]) -> None:
        """Gives a metric the meaning of the adapter alias or recording rule behind its name."""
        if metric.query is None:
            if metric.type in ("Pods", "Object", "External") and metric.name in names and lookup(metric.name) is None:
                meanings, via = self._resolve(metric.name, metric.place, 0)
                if meanings:
                    metric.meanings, metric.via = meanings, via
            return
        found: set[Meaning] = set()
        for name in metric.query.metric_names():
            meanings, via = self._resolve(name, metric.place, 0)
            found |= meanings
            metric.via = metric.via or via
        metric.meanings = frozenset(found)

    def _note_recorded(self, expression: Expression, names: set[str]) -> None:
        for name in expression.query.metric_names() if expression.query is not None else ():
            if name in names and lookup(name) is None:
                meanings, via = self._resolve(name, expression.place, 0)
                if via is not None:
                    expression.recorded[name] = meanings, via

    def meanings_of(self, names: Iterable[str], origin: Place) -> frozenset[Meaning]:
        """What the series of these names measure, recording rules followed; `other` stands for an unknown one."""
        found: set[Meaning] = set()
        for name in names:
            found |= self._resolve(name, origin, 0)[0]
        return frozenset(found)

    def _resolve(self, name: str, origin: Place, depth: int) -> tuple[frozenset[Meaning], Place | None]:
        if name.startswith(_LABEL_SERIES):
            return frozenset(), None
        known = lookup(name)
        if known is not None:
            return frozenset({known.meaning}), None
        if depth < _RECORDING_DEPTH:
            alias = self.nearest([a for a in self.aliases if a.name.value == name], origin, lambda a: a.name.place)
            rule = self.nearest([r for r in self.recording_rules if r.name == name], origin, lambda r: r.place)
            behind = alias.expression if alias is not None else rule.expression if rule is not None else None
            if behind is not None and behind.query is not None:
                found: set[Meaning] = set()
                for inner in behind.query.metric_names():
                    found |= self._resolve(inner, origin, depth + 1)[0]
                if found:
                    return frozenset(found), behind.place
        plain = meaning_of_alias(name)
        return frozenset({plain if plain is not None else Meaning.OTHER}), None

    def series_behind(self, name: str, origin: Place, depth: int = 0) -> tuple[str, ...]:
        """The series of the metric table that a name stands for, through adapter aliases and recording rules."""
        if lookup(name) is not None or depth >= _RECORDING_DEPTH:
            return (name,)
        alias = self.nearest([a for a in self.aliases if a.name.value == name], origin, lambda a: a.name.place)
        rule = self.nearest([r for r in self.recording_rules if r.name == name], origin, lambda r: r.place)
        behind = alias.expression if alias is not None else rule.expression if rule is not None else None
        if behind is None or behind.query is None:
            return (name,)
        inner = [self.series_behind(each, origin, depth + 1) for each in behind.query.metric_names()]
        return tuple(dict.fromkeys(series for group in inner for series in group))


def _one_of_the_parts(candidates: list[Workload]) -> list[Workload]:
    """The candidates with one part of each object in place of all: the first that holds GPUs, else the first."""
    chosen: dict[int, Workload] = {}
    for workload in candidates:
        known = chosen.get(id(workload.ref))
        if known is None or (workload.uses_gpus and not known.uses_gpus):
            chosen[id(workload.ref)] = workload
    return list(chosen.values())


def _same_namespace(one: str | None, other: str | None) -> bool:
    """Namespaces agree; one that is not written may be any (a kustomization or the command line sets it)."""
    return one is None or other is None or one == other


@cache
def _folder(path: str) -> str:
    return posixpath.dirname(path)


@cache
def _steps_between(here: str, there: str) -> int:
    """How many folders up and down lead from one folder to another."""
    ours, theirs = here.split("/") if here else [], there.split("/") if there else []
    common = 0
    for one, other in zip(ours, theirs, strict=False):
        if one != other:
            break
        common += 1
    return len(ours) + len(theirs) - 2 * common


def _kustomized_by(kustomizations: dict[str, list[str]]) -> dict[str, frozenset[str]]:
    """For each file, the folders of the kustomizations that take it in, themselves or through another one."""
    found: dict[str, set[str]] = {}
    for folder in kustomizations:
        waiting, seen = [folder], {folder}
        while waiting:
            inner = waiting.pop()
            for entry in kustomizations.get(inner, ()):
                target = posixpath.normpath(posixpath.join(inner, entry))
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        for path in seen:
            found.setdefault(path, set()).add(folder)
    return {path: frozenset(folders) for path, folders in found.items()}
