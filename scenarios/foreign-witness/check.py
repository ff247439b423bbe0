"""Plays a log, and its forks, to a C2SP tlog-witness and fails loudly at the first wrong answer.

It starts `witness.py`, or the program that is named, and kills it once to see that its memory survives. With --url,
--vkey and --seed it judges any witness that trusts the log `example.com/log` with the Ed25519 key of that seed
(`--print-log SEED`) and has seen nothing of it.
"""

import argparse
import hashlib
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales.signing import NoteSignature, PlainEd25519Signer, Vkey
from tlog_scales.tlog import Checkpoint
from tlog_scales.utils import b64enc

ORIGIN = "example.com/log"

# Where siglog 0.1.0 answers otherwise than the C2SP document. The proof of a tree to itself it does not look at.
SIGLOG = {
    "another tree of the same size is refused": 422,
    "sixty-four hashes are refused": 422,
    "a proof from a tree to itself is refused": 200,
}


def signer(seed, name=ORIGIN):
    return PlainEd25519Signer(name, Ed25519PrivateKey.from_private_bytes(seed))


def split(size):
    """The largest power of two below `size` (RFC 6962 section 2.1)."""
    return 1 << (size - 1).bit_length() - 1


def root(leaves):
    if len(leaves) <= 1:
        return hashlib.sha256(b"\0" + leaves[0] if leaves else b"").digest()
    k = split(len(leaves))
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


def consistency(old, leaves, whole=True):
    """SUBPROOF of RFC 6962 section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    k = split(len(leaves))
    if old <= k:
        return consistency(old, leaves[:k], whole) + [root(leaves[k:])]
    return consistency(old - k, leaves[k:], False) + [root(leaves[:k])]


class Player:
    """A log that says what the test wants."""

    def __init__(self, url, vkey, seed, deviations):
        self.url, self.vkey, self.seed = url, Vkey.from_string(vkey), seed
        self.deviations = deviations

    def ask(self, old, leaves, proof=None, seed=None, origin=ORIGIN):
        """Submits the tree of `leaves` and returns status, body, content type and the checkpoint."""
        if proof is None:
            proof = consistency(old, leaves) if 0 < old < len(leaves) else []
        key = signer(seed or self.seed, origin)
        checkpoint = Checkpoint.make_signed(origin, len(leaves), root(leaves), [key])
        lines = [f"old {old}", *map(b64enc, proof), "", checkpoint.serialize()]
        return *self.post("\n".join(lines)), checkpoint

    def post(self, body):
        answer = requests.post(self.url + "/add-checkpoint", data=body.encode(), timeout=10)
        return answer.status_code, answer.content.decode(), answer.headers.get("Content-Type")

    def expect_cosigned(self, claim, old, leaves):
        status, body, _, checkpoint = self.ask(old, leaves)
        assert status == 200, f"{claim}: {status} {body}"
        notes = [NoteSignature.from_line(line) for line in body.splitlines()]
        ours = [note for note in notes if self.vkey.match(note)]
        assert len(ours) == 1, f"{claim}: no line of {self.vkey.serialize()}: {body!r}"
        verifier = self.vkey.get_verifier()
        verifier.verify_note(ours[0], checkpoint)
        if not self.deviations:
            assert self.vkey.sig_type == 4 and body.endswith("\n"), f"{claim}: no cosignature/v1: {body!r}"
            assert abs(verifier.get_timestamp(ours[0].payload) - time.time()) < 60, claim
        print("ok", claim)

    def expect(self, claim, expected, *question, **changes):
        expected = self.deviations.get(claim, expected)
        status, body, content_type, _ = self.ask(*question, **changes)
        assert status == expected, f"{claim}: {status} {body}, not {expected}"
        print("ok", claim, status)
        return body, content_type


def leaves(count, fork_at=None):
    return [b"leaf %d%s" % (i, b"'" if fork_at is not None and i >= fork_at else b"") for i in range(count)]


def play(log):
    for old, new in [(0, 1), (1, 2), (2, 3), (3, 8), (8, 13), (13, 13)]:
        log.expect_cosigned(f"appending {old} to {new} is cosigned", old, leaves(new))
    answer = log.expect("a replay from the start is told the newest size", 409, 0, leaves(13))
    assert answer == ("13\n", "text/x.tlog.size"), answer
    log.expect("another tree of the same size is refused", 409, 13, leaves(13, fork_at=5))
    log.expect("a fork with its own proof is refused", 422, 13, leaves(20, fork_at=5))
    log.expect("a fork with the honest proof is refused", 422, 13, leaves(20, 5), consistency(13, leaves(20)))
    log.expect("an append without a proof is refused", 422, 13, leaves(20), [])
    proof = consistency(13, leaves(20))
    log.expect("a proof with one hash too many is refused", 422, 13, leaves(20), proof + proof[:1])
    log.expect("a proof from a tree to itself is refused", 422, 13, leaves(13), proof)
    log.expect("a rollback is refused", 409, 8, leaves(8))
    log.expect("an old size above the new one is refused", 400, 13, leaves(8))
    log.expect("another key is refused", 403, 13, leaves(20), seed=bytes(32))
    log.expect("another origin is refused", 404, 13, leaves(20), origin="example.com/other")
    log.expect("sixty-four hashes are refused", 400, 13, leaves(20), [bytes(32)] * 64)
    for body in ["", "old 13\n", "old 013\n\n", "old -1\n\n", "old 13\nAA==\n\nexample.com/log\n"]:
        assert log.post(body)[0] == 400, body
    log.expect_cosigned("after all that the honest log goes on", 13, leaves(20))


def start(program, arguments):
    """Starts a witness; returns the process, its URL and its vkey when it answers."""
    command = [sys.executable, str(Path(__file__).with_name(program)), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    url, vkey = (process.stdout.readline().split(maxsplit=1)[1].strip() for _ in range(2))
    for _ in range(100):
        try:
            requests.get(url + "/health", timeout=10)
            return process, url, vkey
        except requests.ConnectionError:
            assert process.poll() is None, f"{program} ended with {process.returncode}"
            time.sleep(0.1)
    raise TimeoutError(program)


def check(program):
    seed, deviations = secrets.token_bytes(32), SIGLOG if program == "siglog.py" else {}
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--log", signer(seed).vkey.serialize(), "--state", folder]
        process, url, vkey = start(program, arguments)
        try:
            play(Player(url, vkey, seed, deviations))
        finally:
            process.kill()
            process.wait()
        process, url, again = start(program, arguments)
        try:
            log = Player(url, again, seed, deviations)
            assert again == vkey
            body, _ = log.expect("after a kill a rollback is refused", 409, 13, leaves(13))
            assert body == "20\n", body
            log.expect_cosigned("after a kill the log goes on", 20, leaves(21))
        finally:
            process.kill()
            process.wait()


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("program", nargs="?", default="witness.py", choices=["witness.py", "siglog.py"])
    arguments.add_argument("--print-log", type=bytes.fromhex, metavar="SEED", help="print the log's vkey and end")
    arguments.add_argument("--url")
    arguments.add_argument("--vkey")
    arguments.add_argument("--seed", type=bytes.fromhex, help="of the log's key, 64 hexadecimal digits")
    given = arguments.parse_args()
    if given.print_log:
        print(signer(given.print_log).vkey.serialize())
    elif given.url:
        play(Player(given.url.rstrip("/"), given.vkey, given.seed, {}))
    else:
        check(given.program)


if __name__ == "__main__":
    main()
