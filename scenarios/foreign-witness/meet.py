"""Trefoil's service meets a witness that is not ours, and Trefoil's witness a judge that is not ours.

The service runs with `witness.py` as its only witness until that has cosigned block 0 and an entry; then its folder is
copied, both copies run, and the witness has to refuse the second history. The entries are made here, from the text of
docs/protocol.md alone. Ends with status 0 only if everything holds.
"""

import argparse
import base64
import hashlib
import json
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests
from check import Player, play, signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales.signing import NoteSignature, Vkey, VkeySet
from tlog_scales.tlog import Checkpoint
from tlog_scales.utils import b64enc

ORIGIN = "foreign.example/log"


def labelled_hash(label, data):
    return hashlib.sha256(bytes([len(label)]) + label.encode() + data).digest()


def account_created():
    """A proposal that opens an account on a new device: docs/protocol.md, section 4."""
    keys = {role: Ed25519PrivateKey.generate() for role in ("device", "mls")}
    device = b"".join(key.public_key().public_bytes_raw() for key in keys.values())
    body = secrets.token_bytes(32) + device + bytes([2, 0, 0])
    account = labelled_hash("trefoil/account-id/v1", body)
    head = (1).to_bytes(2) + bytes([1]) + account + (1).to_bytes(4) + bytes(8 + 32 + 8)
    statement = head + bytes(8) + hashlib.sha256(b"").digest() + body
    proposal = statement
    for role, key in keys.items():
        label = f"trefoil/entry/account-created/{role}/v1".encode()
        signed = bytes([len(label)]) + label + bytes([len(ORIGIN)]) + ORIGIN.encode() + statement
        proposal += key.sign(signed)
    return proposal


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stage:
    """The processes of one run; all of them end with it."""

    def __init__(self, trefoil, folder):
        self.trefoil, self.folder, self.running = trefoil, folder, []

    def spawn(self, command):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.running.append(process)
        return process

    def ours(self, *arguments):
        process = self.spawn([self.trefoil, *arguments, "--json"])
        return process, json.loads(process.stdout.readline())

    def foreign(self, log, port):
        script = str(Path(__file__).with_name("witness.py"))
        state = str(self.folder / "foreign")
        process = self.spawn([sys.executable, script, "--log", log, "--state", state, "--port", str(port)])
        url, vkey = (process.stdout.readline().split(maxsplit=1)[1].strip() for _ in range(2))
        return process, url, vkey

    def serve(self, name, witness):
        data = str(self.folder / name)
        return self.ours("serve", "--data", data, "--listen", "127.0.0.1:0", "--origin", ORIGIN, "--witness", witness)

    def end(self):
        for process in self.running:
            process.kill()
            process.wait()


def stop(process):
    process.terminate()
    assert process.wait(timeout=30) == 0, "the service did not end in order"


def wait_for_cosigned(service, size, log, witness):
    """Waits until the service publishes at least `size` blocks; the witness's line is checked by the foreign library."""
    for _ in range(300):
        answer = requests.get(service + "/checkpoint", timeout=10)
        if answer.status_code == 200:
            checkpoint = Checkpoint.from_text(answer.text)
            assert VkeySet(log).verify(checkpoint.signatures, checkpoint), "the log's signature"
            lines = [NoteSignature.from_line(line) for line in answer.text.splitlines() if line.startswith("\u2014 ")]
            ours = [line for line in lines if witness.match(line)]
            assert len(ours) == 1, answer.text
            witness.get_verifier().verify_note(ours[0], checkpoint)
            if checkpoint.size >= size:
                return checkpoint
        time.sleep(0.1)
    raise TimeoutError(f"no cosigned checkpoint of {size} blocks")


def submit(service):
    answer = requests.post(service + "/v1/entries", data=account_created(), timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()["block"] + 1


def offer(service, witness, old):
    """Offers the service's newest signed checkpoint to the witness, with the service's own proof; gives the status."""
    note = requests.get(service + "/checkpoint/latest", timeout=10).text
    size = Checkpoint.from_text(note).size
    answer = requests.get(f"{service}/v1/consistency?from={old}&to={size}", timeout=10)
    proof = base64.urlsafe_b64decode(answer.json()["proof"] + "==")
    lines = [f"old {old}", *(b64enc(proof[i : i + 32]) for i in range(0, len(proof), 32)), "", note]
    return requests.post(witness + "/add-checkpoint", data="\n".join(lines).encode(), timeout=10).status_code


def meet_foreign_witness(stage):
    port = free_port()
    dummy = signer(secrets.token_bytes(32)).vkey.serialize()
    process, url, vkey = stage.foreign(dummy, port)  # makes its key, which the service has to know first
    process.kill()
    process.wait()
    witness = f"{vkey}@{url}"
    service, ready = stage.serve("service", witness)
    log = Vkey.from_string(ready["log_vkey"])
    process, url, again = stage.foreign(ready["log_vkey"], port)
    assert again == vkey
    vkey = Vkey.from_string(vkey)
    wait_for_cosigned(ready["service"], 1, log, vkey)
    print("ok block 0 is cosigned by the foreign witness")
    common = submit(ready["service"])
    wait_for_cosigned(ready["service"], common, log, vkey)
    print("ok an entry that was made from the document is sealed and cosigned")

    stop(service)
    shutil.copytree(stage.folder / "service", stage.folder / "copy")
    one, one_ready = stage.serve("service", witness)
    newest = submit(one_ready["service"])
    wait_for_cosigned(one_ready["service"], newest, log, vkey)
    print("ok after a restart the log goes on")

    copy, copy_ready = stage.serve("copy", witness)
    forked = submit(copy_ready["service"])
    assert forked == newest
    status = offer(copy_ready["service"], url, newest)
    assert status == 409, f"another tree of the same size: {status}"
    answer = requests.post(copy_ready["service"] + "/v1/entries?wait=quorum", data=account_created(), timeout=30)
    assert answer.status_code == 200 and answer.json()["quorum"] is False, answer.text
    status = offer(copy_ready["service"], url, newest)
    assert status == 422, f"a longer fork: {status}"
    published = wait_for_cosigned(copy_ready["service"], common, log, vkey)
    assert published.size == common, "the fork was published"
    print("ok the foreign witness refuses the fork, and the fork is never published")
    stop(copy)

    submit(one_ready["service"])
    wait_for_cosigned(one_ready["service"], newest + 1, log, vkey)
    print("ok the first history goes on")
    stop(one)


def judge_our_witness(stage):
    seed = secrets.token_bytes(32)
    log = signer(seed).vkey.serialize()
    data = str(stage.folder / "ours")
    process, ready = stage.ours("witness", "--data", data, "--listen", "127.0.0.1:0", "--log", log)
    play(Player("http://" + ready["listening"], ready["witness_vkey"], seed, {}))
    stop(process)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("trefoil", type=Path, help="the binary")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(str(given.trefoil.resolve()), Path(folder))
        try:
            judge_our_witness(stage)
            meet_foreign_witness(stage)
        finally:
            stage.end()


if __name__ == "__main__":
    main()
