"""How long old messages take to a new device: python3 bench/history.py TREFOIL [MESSAGES [ROUNDS [FOLDER]]]

A service and two agents as processes on loopback, no TLS, no witnesses. One person writes so many notes to himself on one device,
each durable at the service, then lets a second one in with its old messages. The notes are written once and kept in FOLDER
(used again if it has them); each round begins with a copy. Printed: how long it took, the memory of both agents, how long the
messages take by the ciphers and the disk alone (bench/src/bin/history.rs, if it is built), and what they cost after that: a start
of the agent, and a search.
"""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time

from devices import Device, Service, keep_password, load, log_in, spread

TEXT = "message number %d, of about as many letters as people write in one of them, which is a hundred or so, says a guess"
PORT = 8577
LIMIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "target/release/history")


def prepare(program, count, folder):
    if os.path.exists(f"{folder}/written"):
        return
    service = Service(program, folder, PORT)
    laptop = Device(program, f"{folder}/laptop", service.address)
    laptop.run("signup", "bob", "--password-file", keep_password(folder))
    begin = time.time()
    laptop.write("bob", (TEXT % number for number in range(count)))
    wrote = time.time() - begin
    print(f"{count} messages written in {wrote:.1f} s, each durable here and at the service: {count / wrote:.0f}/s")
    laptop.stop()
    service.stop()
    open(f"{folder}/written", "w").write(f"{wrote}")


def transfer(program, folder):
    service = Service(program, folder, PORT)
    laptop = Device(program, f"{folder}/laptop", service.address)
    desktop = Device(program, f"{folder}/desktop", service.address)
    try:
        laptop.run("status")
        _, device, code = log_in(desktop, "bob", f"{folder}/password")
        begin, first, row = time.time(), None, {}
        laptop.run("device", "confirm", device, "--code", code, "--history", "yes")
        desktop.connect()
        while row.get("state") != "complete":
            row = desktop.ask("history")[1]
            if row["messages"] and first is None:
                first = time.time() - begin
            assert time.time() - begin < 900, row
            time.sleep(0.01)
        took, peaks = time.time() - begin, (laptop.peak_mb(), desktop.peak_mb())
        return {"first": first, "took": took, "messages": row["messages"], "old": peaks[0], "new": peaks[1]} | use(desktop)
    finally:
        laptop.stop()
        desktop.stop()
        service.stop()


def use(device):
    """Milliseconds of what a person does with them: the agent's start to its first answers, and searches."""
    device.stop()
    for path in glob.glob(f"{device.home}/**/store.sqlite*", recursive=True):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    begin = time.time()
    device.run("read", "--limit", "50")
    started = (time.time() - begin) * 1000
    device.connect()

    def timed(do, **what):
        begin = time.time()
        device.ask(do, **what)
        return (time.time() - begin) * 1000

    told = {"start": started, "conversations": timed("conversations")}
    wanted = {"rare": "NUMBER 77,", "common": "message", "nothing": "no such thing"}
    for name, text in wanted.items():
        told[f"search {name}"] = timed("search", text=text, **{"with": None, "from": None}, limit=20)
    return told


def alone(count):
    """Seconds that as many messages take by the ciphers and the disk alone, at this very time."""
    if not os.path.exists(LIMIT):
        return {}
    said = subprocess.run([LIMIT, str(count)], capture_output=True, text=True, check=True).stdout
    return {"alone": float(said.split("together ")[1].split()[0])}


def main():
    program = os.path.abspath(sys.argv[1])
    count, rounds = (int(argument) for argument in (sys.argv[2:4] + ["10000", "3"][len(sys.argv) - 2:]))
    folder = sys.argv[4] if len(sys.argv) > 4 else tempfile.mkdtemp(prefix="th")
    os.makedirs(folder, exist_ok=True)
    prepare(program, count, folder)
    found = []
    for _ in range(rounds):
        copy = tempfile.mkdtemp(prefix="th")
        try:
            shutil.copytree(folder, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
            found.append(transfer(program, copy) | alone(count))
            print({name: round(value, 2) for name, value in found[-1].items()}, flush=True)
        finally:
            shutil.rmtree(copy)
    print(load())
    for name in found[0]:
        print(f"{name}: {spread([row[name] for row in found], 2)}")
    if "alone" in found[0]:
        took, limit = (sum(row[name] for row in found) for name in ("took", "alone"))
        print(f"share of what the ciphers and the disk alone allow, of all rounds: {100 * limit / took:.0f} %")


if __name__ == "__main__":
    main()
