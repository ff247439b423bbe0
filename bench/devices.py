"""A service without witnesses and devices of people, as processes of the program on loopback, for the other files here.

Python's standard library only. Homes lie in a short folder: a socket's path has 107 bytes.
"""

import glob
import json
import os
import socket
import statistics
import subprocess
import time


class Service:
    def __init__(self, program, folder, port):
        self.address = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [program, "serve", "--data", f"{folder}/log", "--listen", f"127.0.0.1:{port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # ready once block 0 is published
        while not os.path.exists(f"{folder}/log/public/checkpoint") or not self.is_there(port):
            assert self.process.poll() is None, "the service has ended"
            time.sleep(0.02)

    @staticmethod
    def is_there(port):
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Device:
    """One profile: commands as processes, and questions over the agent's socket."""

    def __init__(self, program, home, service):
        self.program, self.home, self.service, self.connection = program, home, service, None

    def start(self, *arguments):
        environment = dict(os.environ, TREFOIL_HOME=self.home, TREFOIL_SERVICE=self.service)
        return subprocess.Popen(
            [self.program, *arguments, "--json"], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments):
        process = self.start(*arguments)
        output, errors = process.communicate()
        assert process.returncode == 0, (arguments, errors)
        return [json.loads(line) for line in output.splitlines()]

    def connect(self):
        path = glob.glob(f"{self.home}/**/*.sock", recursive=True)[0]
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(path)
        # two: writing to one of both would drop what it has read ahead
        self.asking, self.answers = self.connection.makefile("w"), self.connection.makefile("r")
        return self

    def ask(self, do, **what):
        """The rows of a question, and what it ends with."""
        if self.connection is None:
            self.connect()
        self.asking.write(json.dumps({"id": 1, "do": do, **what}) + "\n")
        self.asking.flush()
        rows = []
        while True:
            line = json.loads(self.answers.readline())
            assert "error" not in line, (do, line)
            if "done" in line:
                return rows, line["done"]
            rows.append(line["event"])

    def write(self, to, texts):
        """Sends texts, ten under way at a time."""
        if self.connection is None:
            self.connect()
        under_way, texts, more = 0, enumerate(texts, 1), True
        while more or under_way:
            while more and under_way < 10:
                number, text = next(texts, (0, None))
                more = text is not None
                if more:
                    what = {"id": number, "do": "send", "to": to, "text": text, "wait_s": 600}
                    self.asking.write(json.dumps(what) + "\n")
                    under_way += 1
            self.asking.flush()
            if under_way:
                line = json.loads(self.answers.readline())
                assert "error" not in line, line
                under_way -= "done" in line

    def peak_mb(self):
        """The most memory that the agent has held so far (VmHWM)."""
        status = open(f"/proc/{self.ask('hello')[1]['process']}/status").read()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def processor_ms(self):
        """What the agent has taken of a processor so far: other programs on the machine do not count."""
        fields = open(f"/proc/{self.ask('hello')[1]['process']}/stat").read().split(") ")[1].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        self.start("agent", "--stop").wait()


def log_in(device, handle, password):
    """A device that shows its digits: the process that waits, what it is called, and the digits."""
    login = device.start("login", handle, "--password-file", password, "--wait", "600")
    said = {}
    while "code" not in said:
        said |= json.loads(login.stdout.readline())
    return login, said["device"], said["code"]


def keep_password(folder):
    path = f"{folder}/password"
    with open(path, "w") as file:
        file.write("correct horse battery\n")
    return path


def spread(values, digits=0):
    return f"best {min(values):.{digits}f}, median {statistics.median(values):.{digits}f}, most {max(values):.{digits}f}"


def load():
    return f"{os.getloadavg()[0]:.1f} processes ran or waited in the last minute, on {os.cpu_count()} cores"
