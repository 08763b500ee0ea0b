/*
 * A stand-in for libnvidia-ml.so.1: answers as the driver of one kind of host would.
 * NVML_STUB in the environment names the host. Compiled with OLD_DRIVER it lacks what a driver of 2019 lacked.
 * Layouts and codes are those of nvml.h.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
enum { DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15, LIB_RM_VERSION_MISMATCH = 18 };
typedef uintptr_t handle;
typedef unsigned long long u64;
#define MIB (1024ull * 1024ull)

typedef struct { const char *profile; unsigned compute, slices, start, size; u64 mib, used; unsigned instance; } mig_t;
typedef struct {
  const char *id, *gpu, *driver;
  int count, cuda, device_id, major, minor;
  u64 mib, used;
  int links, to_switch, pairs_linked, mig, pcie, watts;
} host_t;

static const host_t hosts[] = {
  {"h100x8", "NVIDIA H100 80GB HBM3", "570.124.06", 8, 12080, 0x2330, 9, 0, 81559, 4, 18, 1, 8, 0, 5, 700},
  {"l40sx4", "NVIDIA L40S", "550.90.07", 4, 12040, 0x26B9, 8, 9, 46068, 4, 0, 0, 1, -1, 4, 350},
  {"a100x2", "NVIDIA A100 80GB PCIe", "550.90.07", 2, 12040, 0x20B5, 8, 0, 81920, 4, 12, 0, 2, 0, 4, 300},
  {"a100x4", "NVIDIA A100 80GB PCIe", "550.90.07", 4, 12040, 0x20B5, 8, 0, 81920, 4, 12, 0, 2, 0, 4, 300},
  {"mig", "NVIDIA A100-SXM4-40GB", "550.90.07", 1, 12040, 0x20B0, 8, 0, 40960, 4, 0, 0, 1, 1, 4, 400},
  {"pending", "NVIDIA A100-SXM4-40GB", "550.90.07", 1, 12040, 0x20B0, 8, 0, 40960, 4, 0, 0, 1, 0, 4, 400},
  {"t4", "Tesla T4", "418.226.00", 1, 10010, 0x1EB8, 7, 5, 15109, 0, 0, 0, 1, -1, 3, 70},
  {"busy", "NVIDIA H100 80GB HBM3", "570.124.06", 1, 12080, 0x2330, 9, 0, 81559, 60000, 18, 1, 1, 0, 5, 700},
  {"ill", "NVIDIA H100 80GB HBM3", "570.124.06", 1, 12080, 0x2330, 9, 0, 81559, 4, 18, 1, 1, 0, 5, 700},
  {"silent", "NVIDIA H100 80GB HBM3", "570.124.06", 2, 12080, 0x2330, 9, 0, 81559, 4, 18, 1, 2, 0, 5, 700},
  {"denied", "NVIDIA H100 80GB HBM3", "570.124.06", 2, 12080, 0x2330, 9, 0, 81559, 4, 18, 1, 2, 0, 5, 700},
  {"lost", "NVIDIA H100 80GB HBM3", "570.124.06", 2, 12080, 0x2330, 9, 0, 81559, 4, 18, 1, 2, 0, 5, 700},
  {"none", "", "570.124.06", 0, 12080, 0, 0, 0, 0, 0, 0, 0, 1, -1, 0, 0},
};
/* Seven indices with gaps, as after instances were destroyed. */
static const mig_t slices[] = {
  {"3g.20gb", 3, 3, 4, 4, 19968, 15000, 2}, {0}, {"2g.10gb", 2, 2, 0, 2, 9856, 12, 3}, {0},
  {"1g.5gb", 1, 1, 2, 1, 4864, 6, 9}, {"1g.5gb", 1, 1, 3, 1, 4864, 6, 10}, {0},
};

static int calls;
static const host_t *host(void) {
  const char *id = getenv("NVML_STUB");
  for (size_t at = 0; id && at < sizeof hosts / sizeof *hosts; at++)
    if (!strcmp(hosts[at].id, id)) return &hosts[at];
  return &hosts[0];
}
static int is(const char *id) { return !strcmp(host()->id, id); }
static int is_slice(handle h) { return h >= 1000; }
static int number(handle h) { return (int)h - 1; }
static int gate(handle h) {
  if (is("denied")) return NO_PERMISSION;
  if (is("silent")) return NOT_SUPPORTED;
  if (is("lost") && h == 2 && ++calls > 9) return GPU_IS_LOST;
  return OK;
}
#define ASK(h) do { int code = gate(h); if (code) return code; } while (0)
#define GIVE(name, type, value) \
  int name(handle h, type *out) { ASK(h); *out = (value); return OK; }

int nvmlInitWithFlags(unsigned flags) {
  const char *id = getenv("NVML_STUB");
  (void)flags;
  if (!id) return 999;
  if (!strcmp(id, "mismatch")) return LIB_RM_VERSION_MISMATCH;
  if (!strcmp(id, "unloaded")) return DRIVER_NOT_LOADED;
  if (!strcmp(id, "forbidden")) return NO_PERMISSION;
  return OK;
}
int nvmlShutdown(void) { return OK; }
int nvmlSystemGetDriverVersion(char *out, unsigned size) { snprintf(out, size, "%s", host()->driver); return OK; }
int nvmlSystemGetNVMLVersion(char *out, unsigned size) { snprintf(out, size, "%d.%s", host()->cuda / 1000, host()->driver); return OK; }
int nvmlSystemGetCudaDriverVersion(int *out) { *out = host()->cuda; return OK; }
int nvmlSystemGetProcessName(unsigned pid, char *out, unsigned size) { snprintf(out, size, "/opt/secret/server-%u", pid); return OK; }
int nvmlDeviceGetCount_v2(unsigned *out) { *out = (unsigned)host()->count; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, handle *out) {
  if (is("denied") && index == 1) return NO_PERMISSION;
  *out = index + 1;
  return OK;
}
int nvmlDeviceGetName(handle h, char *out, unsigned size) {
  if (is("silent")) { snprintf(out, size, "%s", host()->gpu); return OK; }
  ASK(h);
  if (is_slice(h)) snprintf(out, size, "%s MIG %s", host()->gpu, slices[h - 1000].profile);
  else snprintf(out, size, "%s", host()->gpu);
  return OK;
}
int nvmlDeviceGetUUID(handle h, char *out, unsigned size) {
  ASK(h);
  snprintf(out, size, "%s-5ec2e700-0000-4000-8000-%012u", is_slice(h) ? "MIG" : "GPU", (unsigned)h);
  return OK;
}
int nvmlDeviceGetSerial(handle h, char *out, unsigned size) { ASK(h); snprintf(out, size, "13250240%05u", (unsigned)h); return OK; }
int nvmlDeviceGetCudaComputeCapability(handle h, int *major, int *minor) {
  ASK(h);
  *major = host()->major;
  *minor = host()->minor;
  return OK;
}
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char text[32]; } pci_t;
static void pci_of(int index, pci_t *out) {
  memset(out, 0, sizeof *out);
  out->bus = 0x10u + (unsigned)index;
  out->id = ((unsigned)host()->device_id << 16) | 0x10DE;
  snprintf(out->text, sizeof out->text, "00000000:%02X:00.0", out->bus);
}
int nvmlDeviceGetPciInfo_v3(handle h, pci_t *out) { ASK(h); pci_of(number(h), out); return OK; }
typedef struct { u64 total, free, used; } memory_t;
static int memory(handle h, u64 *total, u64 *used) {
  ASK(h);
  *total = (is_slice(h) ? slices[h - 1000].mib : host()->mib) * MIB;
  *used = (is_slice(h) ? slices[h - 1000].used : host()->used) * MIB;
  return OK;
}
int nvmlDeviceGetMemoryInfo(handle h, memory_t *out) {
  int code = memory(h, &out->total, &out->used);
  out->free = out->total - out->used;
  return code;
}
GIVE(nvmlDeviceGetMaxPcieLinkGeneration, unsigned, (unsigned)host()->pcie)
GIVE(nvmlDeviceGetMaxPcieLinkWidth, unsigned, 16)
int nvmlDeviceGetEccMode(handle h, unsigned *now, unsigned *next) { ASK(h); *now = *next = 1; return OK; }
int nvmlDeviceGetTotalEccErrors(handle h, unsigned type, unsigned counter, u64 *out) {
  ASK(h);
  *out = is("ill") && type == 1 && counter == 0 ? 3 : 0;
  return OK;
}
GIVE(nvmlDeviceGetPersistenceMode, unsigned, 1)
GIVE(nvmlDeviceGetComputeMode, unsigned, is("ill") ? 2 : 0)
GIVE(nvmlDeviceGetEnforcedPowerLimit, unsigned, (unsigned)host()->watts * (is("ill") ? 500u : 1000u))
GIVE(nvmlDeviceGetPowerManagementDefaultLimit, unsigned, (unsigned)host()->watts * 1000u)
int nvmlDeviceGetMaxClockInfo(handle h, unsigned kind, unsigned *out) { ASK(h); *out = kind == 1 ? 1980 : 2619; return OK; }
GIVE(nvmlDeviceGetCurrentClocksThrottleReasons, u64, is("ill") ? 0x44 : 0x1)
int nvmlDeviceGetTopologyCommonAncestor(handle a, handle b, unsigned *out) {
  ASK(a);
  *out = number(a) / 2 == number(b) / 2 ? 10 : 50;
  return OK;
}
/* A process of 16 or, since v2, 24 bytes. */
typedef struct { unsigned pid; u64 used; unsigned instance, compute; } process_t;
static int processes(handle h, unsigned *count, process_t *out) {
  ASK(h);
  int there = host()->used > 100 ? 1 : 0;
  if (there && *count < 1) { *count = 1; return INSUFFICIENT_SIZE; }
  if (there) *out = (process_t){4242, host()->used * MIB, 0xFFFFFFFF, 0xFFFFFFFF};
  *count = (unsigned)there;
  return OK;
}

#ifndef OLD_DRIVER
int nvmlSystemGetCudaDriverVersion_v2(int *out) { *out = host()->cuda; return OK; }
typedef struct { unsigned version; u64 total, reserved, free, used; } memory_v2_t;
int nvmlDeviceGetMemoryInfo_v2(handle h, memory_v2_t *out) {
  if (out->version != (sizeof(memory_v2_t) | 2u << 24)) return 25;
  int code = memory(h, &out->total, &out->used);
  out->reserved = is_slice(h) ? 0 : 551 * MIB;
  out->free = out->total - out->used - out->reserved;
  return code;
}
int nvmlDeviceGetMigMode(handle h, unsigned *now, unsigned *next) {
  ASK(h);
  if (host()->mig < 0) return NOT_SUPPORTED;
  *now = (unsigned)host()->mig;
  *next = is("pending") ? 1 : *now;
  return OK;
}
GIVE(nvmlDeviceGetMaxMigDeviceCount, unsigned, host()->mig > 0 ? 7 : 0)
int nvmlDeviceGetMigDeviceHandleByIndex(handle h, unsigned index, handle *out) {
  ASK(h);
  if (index >= 7) return INVALID_ARGUMENT;
  if (!slices[index].profile) return NOT_FOUND;
  *out = 1000 + index;
  return OK;
}
typedef struct { unsigned sms, copy, decoders, encoders, jpeg, ofa, slices, compute; u64 mib; } attributes_t;
int nvmlDeviceGetAttributes_v2(handle h, attributes_t *out) {
  if (!is_slice(h)) return INVALID_ARGUMENT;
  memset(out, 0, sizeof *out);
  out->slices = slices[h - 1000].slices;
  out->compute = slices[h - 1000].compute;
  out->mib = slices[h - 1000].mib;
  return OK;
}
int nvmlDeviceGetGpuInstanceId(handle h, unsigned *out) {
  if (!is_slice(h)) return INVALID_ARGUMENT;
  *out = slices[h - 1000].instance;
  return OK;
}
int nvmlDeviceGetComputeInstanceId(handle h, unsigned *out) {
  if (!is_slice(h)) return INVALID_ARGUMENT;
  *out = 0;
  return OK;
}
int nvmlDeviceGetGpuInstanceById(handle h, unsigned id, handle *out) { ASK(h); *out = 5000 + id; return OK; }
typedef struct { handle device; unsigned id, profile, start, size; } instance_t;
int nvmlGpuInstanceGetInfo(handle instance, instance_t *out) {
  for (int at = 0; at < 7; at++)
    if (slices[at].profile && slices[at].instance + 5000 == instance) {
      *out = (instance_t){1, slices[at].instance, 0, slices[at].start, slices[at].size};
      return OK;
    }
  return NOT_FOUND;
}
int nvmlDeviceGetNvLinkState(handle h, unsigned link, unsigned *out) {
  ASK(h);
  if (!host()->links) return NOT_SUPPORTED;
  if ((int)link >= host()->links) return INVALID_ARGUMENT;
  *out = 1;
  return OK;
}
int nvmlDeviceGetNvLinkRemoteDeviceType(handle h, unsigned link, unsigned *out) {
  (void)link;
  ASK(h);
  *out = host()->to_switch ? 2 : 0;
  return OK;
}
int nvmlDeviceGetNvLinkRemotePciInfo_v2(handle h, unsigned link, pci_t *out) {
  (void)link;
  ASK(h);
  pci_of(number(h) ^ 1, out);
  return OK;
}
int nvmlDeviceGetP2PStatus(handle a, handle b, unsigned index, unsigned *out) {
  ASK(a);
  int linked = number(a) / host()->pairs_linked == number(b) / host()->pairs_linked;
  int near = number(a) / 2 == number(b) / 2;
  if (index == 2) *out = linked ? 0 : 5;
  else *out = linked || near ? 0 : 3;
  return OK;
}
typedef struct { unsigned version; unsigned char cluster[16]; unsigned status, clique, state, health; } fabric_t;
int nvmlDeviceGetGpuFabricInfoV(handle h, fabric_t *out) {
  ASK(h);
  out->status = 0;
  out->state = is("ill") ? 2 : host()->to_switch ? 3 : 0;
  return OK;
}
GIVE(nvmlDeviceGetGpuMaxPcieLinkGeneration, unsigned, (unsigned)host()->pcie)
int nvmlDeviceGetRemappedRows(handle h, unsigned *corrected, unsigned *uncorrected, unsigned *pending, unsigned *failure) {
  ASK(h);
  *corrected = *uncorrected = 0;
  *pending = 0;
  *failure = is("ill");
  return OK;
}
GIVE(nvmlDeviceGetCurrentClocksEventReasons, u64, is("ill") ? 0x44 : 0x1)
int nvmlDeviceGetComputeRunningProcesses_v3(handle h, unsigned *count, process_t *out) { return processes(h, count, out); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(handle h, unsigned *count, process_t *out) { ASK(h); (void)out; *count = 0; return OK; }
#endif
