"""Writes the corpus of the benchmark: the manifests of many vLLM servers, the same bytes every time.

Each server has a Deployment, an HPA, a Service and a ConfigMap in a folder of its own, below that of its team. One HPA
in five scales on CPU, and one Deployment in ten, if its engine takes several GPUs, asks for half of them: findings are
reported and joins across files are made as in a real repository.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from string import Template

SERVERS = 500
TEAMS = 25
# model, tensor parallel size
MODELS = (
    ("Qwen/Qwen3-8B", 1),
    ("Qwen/Qwen2.5-32B-Instruct", 2),
    ("meta-llama/Llama-3.3-70B-Instruct", 4),
    ("mistralai/Mixtral-8x7B-Instruct-v0.1", 4),
    ("meta-llama/Llama-3.1-8B-Instruct", 1),
    ("openai/gpt-oss-120b", 2),
    ("meta-llama/Llama-3.1-70B-Instruct", 8),
)
PRODUCTS = ("NVIDIA-H100-80GB-HBM3", "NVIDIA-A100-SXM4-80GB", "NVIDIA-H200")

METADATA = """\
metadata:
  name: $name
  namespace: $team
  labels:
    app.kubernetes.io/name: $name
    app.kubernetes.io/component: model-server
    app.kubernetes.io/managed-by: argocd
    team: $team
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
${metadata}  annotations:
${notes}spec:
  replicas: $replicas
  selector:
    matchLabels:
      app.kubernetes.io/name: $name
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 0
      maxUnavailable: 1
  template:
    metadata:
      labels:
        app.kubernetes.io/name: $name
        team: $team
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "8000"
    spec:
      terminationGracePeriodSeconds: 180
      nodeSelector:
        nvidia.com/gpu.product: $product
      tolerations:
        - key: nvidia.com/gpu
          operator: Exists
          effect: NoSchedule
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.$minor.0
          args:
            - --model=$model
            - --served-model-name=$name
            - --tensor-parallel-size=$size
            - --max-model-len=$length
            - --max-num-seqs=128
            - --gpu-memory-utilization=0.9
            - --port=8000
          ports:
            - name: http
              containerPort: 8000
          env:
            - name: HF_TOKEN
              valueFrom:
                secretKeyRef: {name: hugging-face, key: token}
            - name: VLLM_LOGGING_LEVEL
              value: INFO
          envFrom:
            - configMapRef:
                name: $name
          resources:
            requests:
              cpu: "8"
              memory: 64Gi
            limits:
              memory: 128Gi
              nvidia.com/gpu: $gpus
          startupProbe:
            httpGet: {path: /health, port: http}
            periodSeconds: 10
            failureThreshold: 60
          readinessProbe:
            httpGet: {path: /health, port: http}
            periodSeconds: 5
          livenessProbe:
            httpGet: {path: /health, port: http}
            periodSeconds: 20
            failureThreshold: 3
          volumeMounts:
            - name: weights
              mountPath: /root/.cache/huggingface
            - name: shared-memory
              mountPath: /dev/shm
      volumes:
        - name: weights
          persistentVolumeClaim:
            claimName: $name-weights
        - name: shared-memory
          emptyDir:
            medium: Memory
            sizeLimit: 16Gi
"""
HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
${metadata}  annotations:
${notes}spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: $name
  minReplicas: 1
  maxReplicas: 8
  metrics:
${metric}  behavior:
    scaleUp:
      stabilizationWindowSeconds: 60
      policies:
        - type: Pods
          value: 1
          periodSeconds: 180
    scaleDown:
      stabilizationWindowSeconds: 900
      policies:
        - type: Pods
          value: 1
          periodSeconds: 300
"""
ON_CPU = """\
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: 70
"""
ON_QUEUE = """\
    - type: Pods
      pods:
        metric:
          name: vllm:num_requests_waiting
        target:
          type: AverageValue
          averageValue: "5"
"""
SERVICE = """\
apiVersion: v1
kind: Service
${metadata}  annotations:
${notes}spec:
  type: ClusterIP
  selector:
    app.kubernetes.io/name: $name
  ports:
    - name: http
      port: 80
      targetPort: http
      protocol: TCP
"""
CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
${metadata}data:
  LOG_LEVEL: info
  routes.yaml: |
    timeout_s: 600
    routes:
$routes"""


def _notes(name: str, count: int) -> str:
    """Annotations as tools leave them: most of what a manifest holds has nothing to do with GPUs."""
    digests = (hashlib.sha256(f"{name} {number}".encode()).hexdigest() for number in range(count))
    return "".join(f'    platform.example.com/checksum-{n:02d}: "sha256:{d[:48]}"\n' for n, d in enumerate(digests))


def manifests(server: int) -> dict[str, str]:
    """The four manifests of one server, by file name."""
    model, size = MODELS[server % len(MODELS)]
    name = f"model-{server:04d}"
    values = {
        "name": name,
        "team": f"team-{server % TEAMS:02d}",
        "replicas": 1 + server % 3,
        "product": PRODUCTS[server // 3 % len(PRODUCTS)],
        "minor": 9 + server % 4,
        "model": model,
        "size": size,
        "gpus": max(size // 2, 1) if server % 10 == 9 else size,
        "length": 4096 * (1 + server % 4),
        "metric": ON_CPU if server % 5 == 0 else ON_QUEUE,
        "routes": "".join(
            f"      - path: /v1/{name}/{hashlib.sha256(f'{name} {n}'.encode()).hexdigest()[:24]}\n        weight: {n}\n"
            for n in range(24)
        ),
    }
    values["metadata"] = Template(METADATA).substitute(values)
    kinds = {"deployment": (DEPLOYMENT, 4), "hpa": (HPA, 14), "service": (SERVICE, 15), "configmap": (CONFIG_MAP, 0)}
    return {
        f"{kind}.yaml": Template(text).substitute(values, notes=_notes(f"{name} {kind}", notes))
        for kind, (text, notes) in kinds.items()
    }


def write(folder: Path, servers: int = SERVERS) -> None:
    for server in range(servers):
        below = folder / f"team-{server % TEAMS:02d}" / f"model-{server:04d}"
        below.mkdir(parents=True, exist_ok=True)
        for file, text in manifests(server).items():
            (below / file).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the manifests of many model servers.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--servers", type=int, default=SERVERS, help="four files each (default: %(default)s)")
    arguments = parser.parse_args()
    write(arguments.folder, arguments.servers)
