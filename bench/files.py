"""How long a file takes, from one person's disk to the other's: python3 bench/files.py TREFOIL [MEGABYTES [ROUNDS]]

A service and two agents as processes on loopback, no TLS, no witnesses. Each round a file of random bytes is sent (`send --file`,
until the service has it and the message) and fetched (`file save`, until it has its name). Printed: seconds of both ways, the most
memory that each process held (VmHWM), and the share of what the cipher and the disk alone allow at this very time
(bench/src/bin/files.rs, if it is built): the file read and hashed, sealed, written and synced, read, opened and hashed, written and
synced, one after the other on one thread.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time

from devices import Device, Service, keep_password, load, spread

PORT = 8579
LIMIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "target/release/files")


def peak_mb(process):
    status = open(f"/proc/{process}/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def alone(path, folder):
    """Seconds by the cipher and the disk alone: of the way out, and of the way in."""
    if not os.path.exists(LIMIT):
        return {}
    said = subprocess.run([LIMIT, path, folder], capture_output=True, text=True, check=True).stdout.split()
    return {"alone out": float(said[1]), "alone in": float(said[3])}


def one_round(program, folder, size):
    password = keep_password(folder)
    service = Service(program, folder, PORT)
    alice, bob = (Device(program, f"{folder}/{name}", service.address) for name in ("alice", "bob"))
    try:
        alice.run("signup", "alice", "--password-file", password)
        bob.run("signup", "bob", "--password-file", password)
        path, target = f"{folder}/file.bin", f"{folder}/saved.bin"
        with open(path, "wb") as file:
            for _ in range(size):
                file.write(os.urandom(1_000_000))
        bob.run("send", "alice", "hello")
        before = alice.connect().peak_mb(), bob.connect().peak_mb(), peak_mb(service.process.pid)
        begin = time.time()
        alice.run("send", "bob", "--file", path)
        out = time.time() - begin
        rows = []
        while not rows:
            rows = bob.ask("files", **{"with": "alice"}, limit=1)[0]
        begin = time.time()
        bob.run("file", "save", rows[0]["message"], target)
        into = time.time() - begin
        assert subprocess.run(["cmp", path, target]).returncode == 0
        after = alice.peak_mb(), bob.peak_mb(), peak_mb(service.process.pid)
        grown = {f"{name} grew by MB": b - a for name, a, b in zip(("sender", "receiver", "service"), before, after)}
        held = {f"{name} held MB": it for name, it in zip(("sender", "receiver", "service"), after)}
        return {"out": out, "in": into} | alone(path, folder) | held | grown
    finally:
        alice.stop()
        bob.stop()
        service.stop()


def main():
    program = os.path.abspath(sys.argv[1])
    size, rounds = (int(argument) for argument in (sys.argv[2:4] + ["200", "3"][len(sys.argv) - 2:]))
    found = []
    for _ in range(rounds):
        folder = tempfile.mkdtemp(prefix="tf")
        try:
            found.append(one_round(program, folder, size))
            print({name: round(value, 2) for name, value in found[-1].items()}, flush=True)
        finally:
            shutil.rmtree(folder)
    print(load())
    for name in found[0]:
        print(f"{name}: {spread([row[name] for row in found], 2)}")
    for way in ("out", "in"):
        print(f"{way}: {size * rounds / sum(row[way] for row in found):.0f} MB/s")
        if f"alone {way}" in found[0]:
            took, limit = (sum(row[name] for row in found) for name in (way, f"alone {way}"))
            print(f"{way}: {100 * limit / took:.0f} % of what the cipher and the disk alone allow")


main()
