"""How long old messages take to a new device: python3 bench/history.py TREFOIL [MESSAGES]

A service and two agents as processes on loopback, no TLS, no witnesses. One person writes so many notes to himself on one device,
then lets a second one in with its old messages. Printed: how long the notes took to be written, each durable at the service, and how
long all of them took to the new device, which is the limit of the same disk and the same ciphers for as many messages.
"""

import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

TEXT = "message number %d, of about as many letters as people write in one of them, which is a hundred or so, says a guess"
PORT = 8577


class Device:
    def __init__(self, program, home):
        self.program, self.home = program, home

    def environment(self):
        return dict(os.environ, TREFOIL_HOME=self.home, TREFOIL_SERVICE=f"http://127.0.0.1:{PORT}")

    def start(self, *arguments):
        return subprocess.Popen(
            [self.program, *arguments, "--json"], env=self.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def ask(self, *arguments):
        output, _ = self.start(*arguments).communicate()
        return json.loads(output.splitlines()[-1]) if output.strip() else {}

    def write(self, count):
        """Notes to oneself over the agent's socket, a hundred under way at a time."""
        path = glob.glob(f"{self.home}/**/*.sock", recursive=True)[0]
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            lines, answers = connection.makefile("w"), connection.makefile("r")
            written = done = 0
            while done < count:
                while written < count and written - done < 100:
                    written += 1
                    what = {"id": written, "do": "send", "to": "bob", "text": TEXT % written, "wait_s": 600}
                    lines.write(json.dumps(what) + "\n")
                lines.flush()
                answer = json.loads(answers.readline())
                assert "error" not in answer, answer
                done += "done" in answer


def main():
    program, count = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    folder = tempfile.mkdtemp()
    password = f"{folder}/password"
    with open(password, "w") as file:
        file.write("correct horse battery\n")
    service = subprocess.Popen(
        [program, "serve", "--data", f"{folder}/log", "--listen", f"127.0.0.1:{PORT}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    laptop, desktop = Device(program, f"{folder}/laptop"), Device(program, f"{folder}/desktop")
    try:
        time.sleep(1)
        laptop.ask("signup", "bob", "--password-file", password)
        begin = time.time()
        laptop.write(count)
        wrote = time.time() - begin
        print(f"{count} messages written in {wrote:.1f} s")
        login = desktop.start("login", "bob", "--password-file", password, "--wait", "60")
        said = {}
        while "code" not in said:
            said |= json.loads(login.stdout.readline())
        laptop.ask("device", "confirm", said["device"], "--code", said["code"], "--history", "yes")
        begin, first, row = time.time(), None, {}
        while row.get("state") != "complete":
            row = desktop.ask("history", "status")
            if row["messages"] and first is None:
                first = time.time() - begin
            assert time.time() - begin < 600, row
        took = time.time() - begin
        print(f"first page after {first:.2f} s, all {row['messages']} after {took:.1f} s: {took / wrote:.2f} of the writing")
    finally:
        for device in (laptop, desktop):
            device.start("agent", "--stop").wait()
        service.terminate()
        service.wait()
        shutil.rmtree(folder)


main()
