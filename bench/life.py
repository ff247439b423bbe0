"""What a person waits for in the life of a device: python3 bench/life.py TREFOIL [ROUNDS [CONVERSATIONS]]

A service and agents as processes on loopback, no TLS, no witnesses; everything is asked over the agents' sockets, as programs
of one's own do. Bob has so many conversations, with a few others: of one device a service hands out 20 keys an hour to each. In each round Bob lets a device in with his old messages and
takes it out again. From the moment at which he has typed the digits: until the new device shows the first conversation with
its messages, and until it can write in all of them. From the moment at which he takes it out: until the record has that, and
until Alice's next message, which she sends at once, is with the service, encrypted to what is left. Milliseconds. A service lets an account ask for a few new devices a day: no more than three rounds.
"""

import os
import shutil
import sys
import tempfile
import time

from devices import Device, Service, keep_password, load, log_in, spread

PORT = 8579


def since(begin):
    return (time.time() - begin) * 1000


def add(device, laptop, password, conversations):
    _, new, code = log_in(device, "bob", password)
    device.connect()
    taken, begin, first = device.processor_ms(), time.time(), None
    laptop.ask("confirm", device=new, code=code, history=True)
    confirmed = since(begin)
    while True:
        rows, _ = device.ask("conversations")
        if first is None and any(row["messages"] and device.ask("read", **{"with": row["conversation"]}, limit=50, follow=False)[0] for row in rows):
            first = since(begin)
        if first is not None and sum(row["ready"] and not row["own"] for row in rows) >= conversations:
            times = {"confirmed": confirmed, "first conversation": first, "all conversations": since(begin)}
            return new, times | {"of the new device's processor": device.processor_ms() - taken}
        assert time.time() - begin < 300, rows
        time.sleep(0.01)


def remove(device, laptop, alice):
    begin = time.time()
    laptop.ask("remove", device=device)
    removed = since(begin)
    sent = alice.ask("send", to="bob", text="not for that one", wait_s=30)[1]
    assert sent["state"] == "sent" and device not in sent["encrypted_to"], sent
    return {"removal in the record": removed, "nothing readable there": since(begin)}


def main():
    program = os.path.abspath(sys.argv[1])
    rounds, conversations = (int(argument) for argument in (sys.argv[2:4] + ["3", "50"][len(sys.argv) - 2:]))
    folder = tempfile.mkdtemp(prefix="th")
    service = Service(program, folder, PORT)
    laptop, new = (Device(program, f"{folder}/{name}", service.address) for name in ("bob", "new"))
    others = [Device(program, f"{folder}/friend{number}", service.address) for number in range((conversations + 17) // 18)]
    alice, found, password = others[0], [], keep_password(folder)
    try:
        laptop.run("signup", "bob", "--password-file", password)
        for number, device in enumerate(others):
            device.run("signup", f"friend{number}", "--password-file", password)
            device.ask("send", to="bob", text="hello", wait_s=30)
        for number in range(len(others), conversations):
            other = others[number % len(others)]
            other.ask("new_chat", title=f"chat {number}", **{"with": ["bob"]})
            other.ask("send", to=f"chat {number}", text="hello", wait_s=30)
        for _ in range(rounds):
            device, times = add(new, laptop, password, conversations)
            found.append(times | remove(device, laptop, alice))
            print({name: round(value) for name, value in found[-1].items()}, flush=True)
            new.stop()
            shutil.rmtree(new.home)
        print(load())
        for name in found[0]:
            print(f"{name}: {spread([row[name] for row in found])} ms")
    finally:
        for device in (*others, laptop, new):
            device.stop()
        service.stop()
        shutil.rmtree(folder)


main()
