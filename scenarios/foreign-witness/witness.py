"""A witness that shares no code with Trefoil: C2SP tlog-witness add-checkpoint over the package tlog-scales.

Foreign: reading checkpoints and signed notes, vkeys, key ids, log signatures, consistency proofs, the check of the
cosignature. Ours: this HTTP server, the order of the checks, the old size line, the cosigned message.
A check of wire formats and verdicts; no production witness: one key, one file of state, no TLS.
"""

import argparse
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales.signing import NoteSignature, Vkey, VkeySet
from tlog_scales.tlog import Checkpoint, ConsistencyProof, ConsistencyProofInvalid
from tlog_scales.utils import atomic_write, b64dec, b64enc, sha256

MAX_BODY = 1 << 16
BAD_REQUEST = (400, "bad request\n", "text/plain")


class Witness:
    """Keeps, per origin, the newest checkpoint it cosigned, on disk before the cosignature leaves."""

    def __init__(self, name, folder, log_vkeys):
        folder.mkdir(parents=True, exist_ok=True)
        self.key_path, self.state_path = folder / "key", folder / "state.json"
        if not self.key_path.exists():
            self.key_path.touch(mode=0o600)
            self.key_path.write_bytes(Ed25519PrivateKey.generate().private_bytes_raw())
        self.key = Ed25519PrivateKey.from_private_bytes(self.key_path.read_bytes())
        self.vkey = Vkey(name, None, 4, self.key.public_key().public_bytes_raw())
        self.logs = {log.name: log for log in map(Vkey.from_string, log_vkeys)}
        self.newest = json.loads(self.state_path.read_text()) if self.state_path.exists() else {}
        self.lock = threading.Lock()

    def add_checkpoint(self, body):
        """Returns status, text and content type, with the checks in the order of the C2SP document."""
        try:
            old_size, proof, text = parse(body)
            checkpoint = Checkpoint.from_text(text)
        except (ValueError, IndexError):
            return BAD_REQUEST
        if checkpoint.serialize() != text or len(checkpoint.root_hash) != 32:  # one form only, no extension lines
            return BAD_REQUEST
        log = self.logs.get(checkpoint.origin)
        if log is None:
            return 404, "unknown origin\n", "text/plain"
        if not VkeySet(log).verify(checkpoint.signatures, checkpoint):
            return 403, "no signature of the log\n", "text/plain"
        if old_size > checkpoint.size:
            return BAD_REQUEST
        with self.lock:
            return self.advance(checkpoint, old_size, proof)

    def advance(self, checkpoint, old_size, proof):
        """Checks against the newest checkpoint and replaces it: one step under the lock."""
        newest = self.newest.get(checkpoint.origin)
        known = Checkpoint.from_text(newest) if newest else Checkpoint(checkpoint.origin, 0, sha256(b""), [])
        conflict = (409, f"{known.size}\n", "text/x.tlog.size")
        if old_size != known.size or (checkpoint.size == old_size and checkpoint.root_hash != known.root_hash):
            return conflict
        try:
            ConsistencyProof(old_size, checkpoint.size, proof).check(known.root_hash, checkpoint.root_hash)
        except ConsistencyProofInvalid as error:
            return 422, f"{error}\n", "text/plain"
        self.newest[checkpoint.origin] = checkpoint.serialize()
        atomic_write(self.state_path, json.dumps(self.newest).encode())
        return 200, self.cosign(checkpoint).serialize() + "\n", "text/plain"

    def cosign(self, checkpoint):
        now = int(time.time())
        message = f"cosignature/v1\ntime {now}\n{checkpoint.serialize_body()}".encode()
        note = NoteSignature.from_vkey_signature(self.vkey, now.to_bytes(8) + self.key.sign(message))
        self.vkey.get_verifier().verify_note(note, checkpoint)  # by the foreign verifier
        return note


def parse(body):
    """Splits a request into old size, proof and checkpoint; raises ValueError for every other form."""
    head, text = body.decode().split("\n\n", 1)
    old, *lines = head.split("\n")
    if not re.fullmatch(r"old (0|[1-9][0-9]{0,18})", old, re.ASCII) or len(lines) > 63:
        raise ValueError("old size or too many hashes")
    proof = [b64dec(line) for line in lines]
    if any(len(node) != 32 or b64enc(node) != line for node, line in zip(proof, lines)):
        raise ValueError("hash")
    return int(old[4:]), proof, text


def handler(witness):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            length = int(self.headers.get("Content-Length", MAX_BODY + 1))
            body = self.rfile.read(length) if 0 <= length <= MAX_BODY else b""
            self.close_connection |= len(body) != length
            answer = (404, "", "text/plain") if self.path != "/add-checkpoint" else witness.add_checkpoint(body)
            status, text, content_type = answer
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    return Handler


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--log", action="append", required=True, help="vkey of a log; its name is the origin")
    arguments.add_argument("--state", type=Path, required=True, help="folder of the key and the newest checkpoints")
    arguments.add_argument("--name", default="foreign.example/witness", help="key name of the witness")
    arguments.add_argument("--port", type=int, default=0, help="port on the loopback, 0 for any")
    given = arguments.parse_args()
    witness = Witness(given.name, given.state, given.log)
    server = ThreadingHTTPServer(("127.0.0.1", given.port), handler(witness))
    print(f"url http://127.0.0.1:{server.server_port}", f"vkey {witness.vkey.serialize()}", sep="\n", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
