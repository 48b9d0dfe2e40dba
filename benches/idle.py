#!/usr/bin/env python3
"""Measures a release binary that has nothing to do: the time from exec to a ready server, and its memory.

    cargo build --release && python3 benches/idle.py target/release/ai-chat-orchestrator [RUNS]

A first start makes its secret and its database; a later start finds them. Memory is what the kernel counts as resident,
after ten requests and a second of rest. Linux only.
"""

import http.client
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except ConnectionError:
        return None
    finally:
        connection.close()


def resident_mib(pid):
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def start(binary, data):
    """One start: milliseconds until /ready says 200, and MiB at rest."""
    port = free_port()
    settings = {"HOST": "127.0.0.1", "PORT": str(port), "DATA_DIR": data}
    begin = time.perf_counter()
    server = subprocess.Popen(
        [binary, "serve"], env=settings, cwd=data, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while get(port, "/ready") != 200:
            assert server.poll() is None, "the server ended"
            time.sleep(0.0005)
        ready = (time.perf_counter() - begin) * 1000
        for _ in range(10):
            get(port, "/health")
        time.sleep(1)
        return ready, resident_mib(server.pid)
    finally:
        server.terminate()
        server.wait()


def report(what, unit, values):
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"{what:<32} min {low:6.1f}   median {middle:6.1f}   max {high:6.1f} {unit}")


def main():
    binary = str(Path(sys.argv[1]).resolve())
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    first, later = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as data:
            first.append(start(binary, data))
            later.append(start(binary, data))
    report("exec to ready, first start", "ms", [ready for ready, _ in first])
    report("exec to ready, later start", "ms", [ready for ready, _ in later])
    report("resident at rest", "MiB", [mib for _, mib in first + later])


main()
