"""Starts the witness of the crate siglog 0.1.0, a whole program by somebody else, with the arguments of `witness.py`.

It keeps history and refuses forks, but it is no C2SP cosigner: it signs the bare checkpoint (signature type 1, no time)
and answers some cases with another status; `check.py` lists them. So it counts as a judge of forks, not in a quorum.
Prints its URL and vkey, then becomes the program: wait until GET /health answers.
"""

import argparse
import os
import socket
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales.signing import Vkey
from tlog_scales.utils import b64enc


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--log", required=True, help="vkey of the log; its name is the origin")
    arguments.add_argument("--state", type=Path, required=True, help="folder of the key and the database")
    arguments.add_argument("--name", default="siglog.example/witness", help="key name of the witness")
    arguments.add_argument("--port", type=int, default=0, help="port on the loopback, 0 for any")
    arguments.add_argument("--program", default="target/siglog/bin/witness", help="where the program is")
    given = arguments.parse_args()
    given.state.mkdir(parents=True, exist_ok=True)
    key_path = given.state / "key"
    if not key_path.exists():
        key_path.touch(mode=0o600)
        key_path.write_bytes(Ed25519PrivateKey.generate().private_bytes_raw())
    seed = key_path.read_bytes()
    vkey = Vkey(given.name, None, 1, Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
    address = f"127.0.0.1:{given.port or free_port()}"
    print(f"url http://{address}", f"vkey {vkey.serialize()}", sep="\n", flush=True)
    os.dup2(2, 1)  # its log must not fill a pipe that nobody reads any more
    secret = f"PRIVATE+KEY+{given.name}+{vkey.key_id:08x}+{b64enc(bytes([1]) + seed)}"
    database = f"sqlite:{given.state.resolve()}/witness.db?mode=rwc"
    log = f"{Vkey.from_string(given.log).name}={given.log}"
    os.execve(
        given.program,
        [given.program, "--database-url", database, "--listen", address, "--log", log],
        {**os.environ, "WITNESS_PRIVATE_KEY": secret},
    )


if __name__ == "__main__":
    main()
