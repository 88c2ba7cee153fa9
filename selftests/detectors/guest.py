#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: what the debug kernel offers instead of reports."""
import ctypes
import errno
import fcntl
import mmap
import os
import sys

PROVOKE = "/sys/kernel/debug/detector/provoke"
KCOV_INIT_TRACE = 0x80086301
KCOV_ENABLE = 0x6364
KCOV_DISABLE = 0x6365
WORDS = 1 << 16


def fail_nth():
    """The 1st, 2nd, ... thing that may fail fails: one of them is the module's allocation."""
    for kind in ("failslab", "fail_page_alloc", "fail_usercopy"):
        with open(f"/sys/kernel/debug/{kind}/verbose", "w", encoding="ascii") as f:
            f.write("0")
    with open("/sys/kernel/debug/failslab/ignore-gfp-wait", "w", encoding="ascii") as f:
        f.write("N")
    fd = os.open(PROVOKE, os.O_WRONLY)
    nth = os.open("/proc/thread-self/fail-nth", os.O_RDWR)
    for n in range(1, 100):
        os.pwrite(nth, str(n).encode(), 0)
        try:
            os.write(fd, b"fault")
        except OSError as e:
            print(n, errno.errorcode[e.errno])
            if e.errno == errno.ENOMEM:
                break
    os.pwrite(nth, b"0", 0)


def kcov():
    """Are addresses in the module among those that a system call passes?"""
    with open("/proc/modules", encoding="ascii") as f:
        line = next(line for line in f if line.startswith("detector "))
    size, start = int(line.split()[1]), int(line.split()[5], 16)
    libc = ctypes.CDLL(None, use_errno=True)
    target = os.open(PROVOKE, os.O_WRONLY)
    fd = os.open("/sys/kernel/debug/kcov", os.O_RDWR)
    fcntl.ioctl(fd, KCOV_INIT_TRACE, WORDS)
    libc.mmap.restype = ctypes.c_void_p
    cover = libc.mmap(None, ctypes.c_size_t(WORDS * 8), mmap.PROT_READ | mmap.PROT_WRITE,
                      mmap.MAP_SHARED, fd, ctypes.c_long(0))
    if cover == ctypes.c_void_p(-1).value:
        sys.exit(f"mmap: {os.strerror(ctypes.get_errno())}")
    cover = (ctypes.c_uint64 * WORDS).from_address(cover)
    if libc.ioctl(fd, KCOV_ENABLE, 0):
        sys.exit(f"KCOV_ENABLE: {os.strerror(ctypes.get_errno())}")
    cover[0] = 0
    os.write(target, b"fault")
    points = cover[1:1 + cover[0]]
    libc.ioctl(fd, KCOV_DISABLE, 0)
    ours = sum(start <= p < start + size for p in points)
    print(f"{len(points)} points, {ours} in the module")
    if ours:
        print("kcov saw the module")


{"fail-nth": fail_nth, "kcov": kcov}[sys.argv[1]]()
