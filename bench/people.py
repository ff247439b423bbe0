#!/usr/bin/env python3
"""What people wait for, on loopback: a service, four witnesses and real agents of the program given as the argument.

    cargo build --release -p app && python3 bench/people.py target/release/trefoil

Prints milliseconds as medians, with one fdatasync of 4 KiB on the same disk as the yardstick. Python's standard library only.
"""
import json, os, socket, subprocess, sys, tempfile, threading, time

PROGRAM, FOLDER = os.path.abspath(sys.argv[1]), tempfile.mkdtemp(prefix="trefoil-bench-")
SERVICE, SENDS = "http://127.0.0.1:8470", 200


def at(percent, values):
    values = sorted(values)
    return round(values[min(len(values) - 1, int(len(values) * percent / 100))], 2)


def since(start):
    return (time.perf_counter() - start) * 1000


def run(person, *arguments):
    home = dict(os.environ, TREFOIL_HOME=f"{FOLDER}/{person}")
    done = subprocess.run([PROGRAM, *arguments, "--json"], env=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def start(arguments, **options):
    return subprocess.Popen([PROGRAM, *arguments, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options)


def agent(person):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(f"{FOLDER}/{person}/run/default.sock")
    return connection.makefile("rw")


def ask(connection, **request):
    connection.write(json.dumps(request) + "\n")
    connection.flush()


def set_up():
    keys = [run("w", "witness", "init", "--data", f"{FOLDER}/w{n}", "--name", f"w{n}.example")[-1]["witness_vkey"] for n in range(4)]
    service = ["serve", "--listen", SERVICE.removeprefix("http://"), "--origin", "bench.example/log", "--data", f"{FOLDER}/log"]
    for n, key in enumerate(keys):
        service += ["--witness", f"{key}@http://127.0.0.1:{8471 + n}"]
    running = [start(service)]
    log = json.loads(running[0].stdout.readline())["log_vkey"]
    for n in range(4):
        running.append(start(["witness", "--data", f"{FOLDER}/w{n}", "--listen", f"127.0.0.1:{8471 + n}", "--log", log]))
        running[-1].stdout.readline()
    time.sleep(1)
    return running


def sends():
    shown, alice, bob = {}, agent("alice"), agent("bob")
    ask(bob, id=1, do="read", **{"with": None}, limit=1, follow=True)

    def follow():
        for line in bob:
            event = json.loads(line).get("event") or {}
            if "text" in event:
                shown[event["text"]] = time.perf_counter()

    threading.Thread(target=follow, daemon=True).start()
    accepted, seen = [], []
    for n in range(SENDS):
        begin = time.perf_counter()
        ask(alice, id=n + 2, do="send", to="bob", text=f"m{n}", wait_s=10)
        while not {"done", "error"} & json.loads(alice.readline()).keys():
            pass
        accepted.append(since(begin))
        while f"m{n}" not in shown:
            time.sleep(0.0002)
        seen.append((shown[f"m{n}"] - begin) * 1000)
    return accepted, seen


def second_device(password):
    home = dict(os.environ, TREFOIL_HOME=f"{FOLDER}/desk")
    login = start(["login", "bob", "--service", SERVICE, "--password-file", password, "--wait", "60"], env=home)
    for line in login.stdout:
        event = json.loads(line)
        device = event.get("device", None) or device
        if event["event"] == "code":
            begin = time.perf_counter()
            run("bob", "device", "confirm", device, "--code", event["code"], "--history", "yes")
        if event["event"] == "confirmed":
            break
    confirmed = since(begin)
    run("alice", "send", "bob", "to both")
    while not {"first", "to both"} <= {row["text"] for row in run("desk", "read", "alice", "--limit", "1000")}:
        pass
    return confirmed, since(begin)


def main():
    running, password = set_up(), f"{FOLDER}/password"
    with open(password, "w") as file:
        file.write("correct horse battery staple")
    try:
        signups = []
        for person in ("alice", "bob"):
            begin = time.perf_counter()
            run(person, "signup", person, "--service", SERVICE, "--password-file", password)
            signups.append(since(begin))
        run("alice", "send", "bob", "first")
        accepted, seen = sends()
        synced = []
        with open(f"{FOLDER}/synced", "wb") as file:
            for _ in range(SENDS):
                begin = time.perf_counter()
                file.write(bytes(4096))
                file.flush()
                os.fdatasync(file.fileno())
                synced.append(since(begin))
        confirmed, both = second_device(password)
        print(f"one fdatasync: {at(50, synced)} ms")
        print(f"sign-up, process included: {at(50, signups)} ms")
        print(f"send to accepted and durable: {at(50, accepted)} ms, p99 {at(99, accepted)}")
        print(f"send to shown on the other side: {at(50, seen)} ms, p99 {at(99, seen)}")
        print(f"digits typed to confirmed: {round(confirmed)} ms, to both devices have old and new: {round(both)} ms")
    finally:
        for person in ("alice", "bob", "desk"):
            run(person, "agent", "--stop")
        for process in running:
            process.terminate()


main()
