"""Services: the pods that they select, and their ports."""

from __future__ import annotations

from gpulint.model.project import Project
from gpulint.readers._manifest import Manifest, integer, plain_texts, sourced_text, text_at
from gpulint.readers._pods import elements
from gpulint.source.yaml import Node

MARKS = (("Service",), ("selector",))
KINDS = frozenset({("", "Service")})
# Annotations by which clouds make a load balancer an internal one.
# Sources: cloud.google.com/kubernetes-engine/docs/concepts/service-load-balancer-parameters; AWS Load Balancer
# Controller, guide/service/annotations; learn.microsoft.com/azure/aks/internal-lb.
_INTERNAL = (
    "networking.gke.io/load-balancer-type",
    "cloud.google.com/load-balancer-type",
    "service.beta.kubernetes.io/aws-load-balancer-internal",
    "service.beta.kubernetes.io/azure-load-balancer-internal",
    "service.beta.kubernetes.io/oci-load-balancer-internal",
)
_SCHEME = "service.beta.kubernetes.io/aws-load-balancer-scheme"
_AWS_TYPE = "service.beta.kubernetes.io/aws-load-balancer-type"
# Balancers that hand out addresses of one's own network.
_OWN_NETWORK = ("metallb.", "io.cilium/", "lbipam.cilium.io/", "kube-vip.io/", "tailscale.com/")
# Of RFC 1918, with 172.16.0.0/12 as its blocks of 16 bits.
_PRIVATE = ("10.", "192.168.", *(f"172.{number}." for number in range(16, 32)))


def read_object(manifest: Manifest, project: Project) -> None:
    from gpulint.model.network import Service, ServicePort
    from gpulint.model.policies import LabelSelector

    spec = manifest.node.get("spec")
    if spec is None or not spec.is_mapping:
        return
    selector = plain_texts(spec.get("selector"))
    ports = []
    ranges = spec.get("loadBalancerSourceRanges")
    for port in elements(spec, "ports"):
        target, name = sourced_text(port.get("targetPort")), sourced_text(port.get("name"))
        ports.append(ServicePort(integer(port.get("port")), target, name))
    project.services.append(
        Service(
            ref=manifest.ref,
            place=manifest.name_node().place,
            type=sourced_text(spec.get("type")),
            selector=LabelSelector(selector) if selector and not spec.document.gaps_in(spec) else None,
            ports=ports,
            internal=_is_internal(manifest, spec),
            restricted=ranges is not None and all(element.text != "0.0.0.0/0" for element in ranges.elements()),
            labels=manifest.labels(),
            headless=text_at(spec, "clusterIP") == "None",
        )
    )


def _is_internal(manifest: Manifest, spec: Node) -> bool:
    annotations = {key: text.lower() for key, text in plain_texts(manifest.node.at("metadata", "annotations")).items()}
    scheme = annotations.get(_SCHEME)
    if scheme is not None:
        return scheme != "internet-facing"
    # AWS's own controller makes internal ones unless told otherwise, and a class is some other controller's.
    if annotations.get(_AWS_TYPE) in ("external", "nlb-ip") or spec.get("loadBalancerClass") is not None:
        return True
    if any(annotations.get(key) in ("internal", "true", "0.0.0.0/0") for key in _INTERNAL):
        return True
    address = text_at(spec, "loadBalancerIP") or ""
    return any(key.startswith(_OWN_NETWORK) for key in annotations) or address.startswith(_PRIVATE)
