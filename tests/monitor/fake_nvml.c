/* A driver library that plays several machines, chosen by FAKE_NVML; nvidia-ml-py loads it as libnvidia-ml.so.1.
 *
 * two      two healthy GPUs            mig    one GPU with two MIG slices     lost   the second GPU is lost
 * wsl      memory only, the rest is NotSupported                               noinit the driver is not loaded
 * mismatch driver and library differ   hang   utilisation never answers       dies   works once, then the driver is lost
 * xid      the second GPU reports Xid 79 and 31 with the second sample         one    one healthy GPU
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, DRIVER_NOT_LOADED = 9, TIMED_OUT = 10, GPU_IS_LOST = 15, LIB_RM_MISMATCH = 18, UNKNOWN = 999 };

typedef struct { unsigned long long total, free, used; } memory_v1;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned gpu, memory; } utilization;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } pci_info;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } process;

static int is(const char *name) { const char *mode = getenv("FAKE_NVML"); return mode && strcmp(mode, name) == 0; }
static long calls, samples, events;
/* Handles: 1, 2 are GPUs; 11, 12 are MIG slices of GPU 1. */
static long id(void *handle) { return (long)handle; }

int nvmlInitWithFlags(unsigned flags) {
    if (is("noinit")) return DRIVER_NOT_LOADED;
    if (is("mismatch")) return LIB_RM_MISMATCH;
    return OK;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { return code == GPU_IS_LOST ? "GPU is lost" : "an error"; }
int nvmlDeviceGetCount_v2(unsigned *count) {
    if (is("dies") && ++calls == 2) return UNKNOWN;
    *count = is("mig") || is("wsl") || is("one") ? 1 : 2;
    samples++;
    return OK;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    if (is("lost") && index == 1) return GPU_IS_LOST;
    *handle = (void *)(long)(index + 1);
    return OK;
}
int nvmlDeviceGetName(void *h, char *name, unsigned length) {
    snprintf(name, length, id(h) > 10 ? "NVIDIA A100 MIG 3g.20gb" : "NVIDIA Test %ld", id(h));
    return OK;
}
int nvmlDeviceGetUUID(void *h, char *uuid, unsigned length) {
    snprintf(uuid, length, id(h) > 10 ? "MIG-%ld" : "GPU-aaaa-%ld", id(h));
    return OK;
}
int nvmlDeviceGetPciInfo_v3(void *h, pci_info *info) {
    memset(info, 0, sizeof *info);
    snprintf(info->bus_id, sizeof info->bus_id, "00000000:0%ld:00.0", id(h));
    return OK;
}
int nvmlDeviceGetMemoryInfo(void *h, memory_v1 *info) {
    info->total = 24ULL << 30, info->used = 6ULL << 30, info->free = 18ULL << 30;
    return OK;
}
int nvmlDeviceGetMemoryInfo_v2(void *h, memory_v2 *info) {
    if (is("wsl")) return NOT_SUPPORTED;
    info->total = 24ULL << 30, info->reserved = 1ULL << 30, info->used = 5ULL << 30, info->free = 18ULL << 30;
    return OK;
}
int nvmlDeviceGetCudaComputeCapability(void *h, int *major, int *minor) {
    const char *said = getenv("FAKE_CAPABILITY");
    return said && sscanf(said, "%d.%d", major, minor) == 2 ? OK : NOT_SUPPORTED;
}
int nvmlSystemGetDriverVersion(char *version, unsigned length) { snprintf(version, length, "570.86"); return OK; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 12080; return OK; }
int nvmlDeviceGetUtilizationRates(void *h, utilization *rates) {
    if (is("hang")) for (;;) pause();
    if (is("wsl") || is("mig")) return NOT_SUPPORTED;
    rates->gpu = 40 + 10 * id(h), rates->memory = 7;
    return OK;
}
int nvmlDeviceGetTemperature(void *h, int sensor, unsigned *celsius) {
    if (is("wsl")) return NOT_SUPPORTED;
    *celsius = 70 + id(h);
    return OK;
}
int nvmlDeviceGetPowerUsage(void *h, unsigned *milliwatts) { if (is("wsl")) return UNKNOWN; *milliwatts = 318500; return OK; }
int nvmlDeviceGetEnforcedPowerLimit(void *h, unsigned *milliwatts) { if (is("wsl")) return UNKNOWN; *milliwatts = 450000; return OK; }
int nvmlDeviceGetClockInfo(void *h, int type, unsigned *mhz) { if (is("wsl")) return NOT_SUPPORTED; *mhz = type == 1 ? 2520 : 10501; return OK; }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *h, unsigned long long *bits) { if (is("wsl")) return NOT_SUPPORTED; *bits = 0x01 | 0x04 | 0x40; return OK; }
int nvmlDeviceGetMigMode(void *h, unsigned *current, unsigned *pending) {
    if (!is("mig")) return NOT_SUPPORTED;
    *current = *pending = 1;
    return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(void *h, unsigned *count) { *count = 7; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *h, unsigned index, void **child) {
    if (index > 1) return NOT_FOUND;
    *child = (void *)(long)(10 + index + 1);
    return OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *h, unsigned *count, process *rows) {
    if (*count < 1) { *count = 1; return 7; /* insufficient size */ }
    *count = 1;
    rows[0].pid = 4242, rows[0].used = 5ULL << 30, rows[0].gpu_instance = rows[0].compute_instance = 0xFFFFFFFFu;
    return OK;
}
typedef struct { void *device; unsigned long long type, data; unsigned gpu_instance, compute_instance; } event;
int nvmlEventSetCreate(void **set) { *set = &events; return OK; }
int nvmlEventSetFree(void *set) { return OK; }
int nvmlDeviceRegisterEvents(void *h, unsigned long long types, void *set) { return is("wsl") ? NOT_SUPPORTED : OK; }
int nvmlEventSetWait_v2(void *set, event *data, unsigned timeout) {
    if (!is("xid") || samples < 2 || events >= 2) return TIMED_OUT;
    memset(data, 0, sizeof *data);
    data->device = (void *)2, data->type = 8, data->data = events++ == 0 ? 79 : 31;
    return OK;
}
#ifdef NEW_DRIVER
int nvmlDeviceGetFanSpeed(void *h, unsigned *percent) { *percent = 30; return OK; }
int nvmlDeviceGetCurrPcieLinkGeneration(void *h, unsigned *generation) { *generation = 4; return OK; }
int nvmlDeviceGetCurrPcieLinkWidth(void *h, unsigned *width) { *width = 16; return OK; }
int nvmlDeviceGetTotalEccErrors(void *h, int type, int kind, unsigned long long *count) { *count = 0; return OK; }
#endif
/* Left out on purpose without NEW_DRIVER, as an old driver does: fan speed, PCIe link, ECC counters, clock event reasons. */
