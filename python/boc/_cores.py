"""How many workers this machine can really run: physical cores, affinity, cgroup quota."""

from __future__ import annotations

import os

__all__ = ["usable_cores"]


def _read(path: str) -> str:
    try:
        with open(path, "rb", buffering=0) as f:  # text would cost a start the import of its encoding
            return f.read().decode("latin-1").strip()
    except OSError:
        return ""


def _quota() -> float:
    """CPUs that the control group grants; inf without a limit."""
    parts = _read("/sys/fs/cgroup/cpu.max").split()
    if len(parts) == 2 and parts[0].isdigit():
        return int(parts[0]) / int(parts[1])
    quota = _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
    period = _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if quota.isdigit() and period.isdigit() and int(period):
        return int(quota) / int(period)
    return float("inf")


def usable_cores() -> int:
    """Physical cores among the CPUs that this process may use, no more than its quota; at least one."""
    try:
        cpus = os.sched_getaffinity(0)
    except AttributeError:
        cpus = set(range(os.cpu_count() or 1))
    cores = set()
    for cpu in cpus:
        siblings = _read(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        cores.add(siblings or str(cpu))
    return max(1, int(min(len(cores), _quota())))
