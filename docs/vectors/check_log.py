#!/usr/bin/env python3
"""Checks a Trefoil log, from the protocol document alone.

    check_log.py LOG VKEY

LOG is a folder or the address of a service (http:// or https://), VKEY the log's verifier key (its name, key id and
key) or a file that holds it. Needs Python 3.9 and the package `cryptography`, and shares no code with Trefoil.

Checked, with the number of the rule in docs/protocol.md that is printed when it fails: the log's signature (CHK-2),
every header against the signed root (RFC 6962), numbers, bodies, map roots and times (BLK-1 to BLK-5), every entry's
encoding (ENT-1), signatures (ENT-2), position (ENT-3), checkpoint (ENT-4) and who may sign it: devices are followed
through DeviceAdded, DeviceConfirmed, DeviceRefused and DeviceRemoved (DEV-2, DEV-4, DEV-5, DEV-7, DEV-10).

Not checked, so `ok` is less than an auditor's cosignature: cosignatures of witnesses, what stands in the values of the
map (device-set hash, handles), returning keys and the limits of DEV-3, the 72 hours of DEV-8 and DEV-9, and resets
(RST-*). The map's root is computed anew at every block, which is slow for logs with many accounts.

Exit status: 0 ok; 2 wrong usage; 3 not to be read; 4 a rule fails.
"""

import sys
import urllib.error
import urllib.request
from base64 import b64decode
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.exit("check_log.py needs the Python package `cryptography` (pip install cryptography)")

DAY = 86_400
PRIME = 2**255 - 19
# y of the points of small order: 0, 1, -1 and those of order 8
ORDER_8 = int("7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7", 16)
SMALL_ORDER = {0, 1, PRIME - 1, ORDER_8, PRIME - ORDER_8}
# kinds: name in labels, does it carry a request number, roles in the order of the signatures
KINDS = {
    1: ("account-created", False, ("device", "mls", "service")),
    2: ("device-added", True, ("new-device", "new-mls", "service")),
    3: ("device-confirmed", True, ("device",)),
    4: ("device-refused", True, ("device",)),
    5: ("device-removed", False, ("device",)),
    6: ("handle-bound", False, ("device", "service")),
    7: ("recovery-key-set", False, ("device", "service")),
    8: ("reset-choice-set", False, ("device",)),
    9: ("reset-requested", True, ("new-device", "service")),
    10: ("reset-vetoed", True, ("device",)),
    11: ("account-reset", True, ("service",)),
    12: ("account-closed", False, ("device", "service")),
}


class Broken(Exception):
    """A rule fails."""


def need(holds, rule, what):
    if not holds:
        raise Broken(f"{rule}: {what}")


class Reader:
    """Takes the parts of an encoding (protocol, section 2); `rule` is the one that fails if they are not there."""

    def __init__(self, data, rule):
        self.data, self.at, self.rule = data, 0, rule

    def take(self, n):
        self.at += n
        need(self.at <= len(self.data), self.rule, "bytes are missing")
        return self.data[self.at - n : self.at]

    def int(self, n):
        return int.from_bytes(self.take(n), "big")

    def one_of(self, n, allowed):
        value = self.int(n)
        need(value in allowed, self.rule, f"unknown number {value}")
        return value

    def option(self, n):
        return self.take(n) if self.one_of(1, (0, 1)) else None

    def key(self):
        key = self.take(32)
        y = int.from_bytes(key, "little") % 2**255
        need(y < PRIME and y not in SMALL_ORDER, self.rule, "a key is not canonical or of small order")
        return key

    def end(self):
        need(self.at == len(self.data), self.rule, "bytes are left over")


def labelled(label, *parts):
    return sha256(bytes([len(label)]) + label.encode() + b"".join(parts)).digest()


def verifies(key, signature, message):
    """Ed25519; a small-order R is refused here, the rest of section 2 by the library."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return int.from_bytes(signature[:32], "little") % 2**255 not in SMALL_ORDER


def map_root(leaves, depth=0):
    """Root of the Merkle-Patricia tree of sorted (key, value) pairs (section 6)."""
    if len(leaves) < 2:
        return sha256(b"".join(leaves[0]) if leaves else b"").digest()
    first, last = (int.from_bytes(leaves[i][0], "big") for i in (0, -1))
    p = 256 - (first ^ last).bit_length()
    cut = next(i for i, (key, _) in enumerate(leaves) if key[p // 8] & (0x80 >> p % 8))
    return sha256(map_root(leaves[:cut]) + map_root(leaves[cut:]) + bytes([p])).digest()


def read_checkpoint(note, vkey):
    """Origin, size and root of a checkpoint that the log signed (C2SP signed-note, tlog-checkpoint)."""
    name, key_id, key = vkey.split("+", 2)
    key = b64decode(key, validate=True)
    need(key[0] == 1 and sha256(f"{name}\n".encode() + key).digest()[:4].hex() == key_id, "vkey", "malformed")
    text, _, lines = note.decode().rpartition("\n\n")
    text += "\n"
    good = []
    for line in lines.removesuffix("\n").split("\n"):
        dash, signer, signature = line.split(" ")
        signature = b64decode(signature, validate=True)
        if dash == "\u2014" and signer == name and signature[:4].hex() == key_id:
            good.append(verifies(key[1:], signature[4:], text.encode()))
    need(good and all(good), "CHK-2", "the log's signature is missing or wrong")
    origin, size, root, _ = text.split("\n")
    need(origin == name, "CHK-2", f"the checkpoint is of {origin}")
    need(size.isdecimal() and size == str(int(size)) != "0", "CHK-2", f"size {size}")
    return origin, int(size), b64decode(root, validate=True)


def read_headers(read, size):
    """The leaves of the log, from its entry bundles (C2SP tlog-tiles)."""
    headers = []
    while len(headers) < size:
        index, width = len(headers) // 256, min(size - len(headers), 256)
        groups = f"{index % 1000:03}"
        while index := index // 1000:
            groups = f"x{index % 1000:03}/{groups}"
        bundle = read(f"tile/entries/{groups}" + ("" if width == 256 else f".p/{width}"))
        reader = Reader(bundle, "BLK-1")
        headers += [reader.take(reader.int(2)) for _ in range(width)]
        reader.end()
    return headers


def read_body(kind, r):
    """The parts of an entry's body that the fold needs; all others are only read."""
    b = {}
    if kind == 1:
        r.take(32), b.update(chain=r.key(), mls=r.key()), r.one_of(1, (1, 2, 3, 4))
        r.option(32), b.update(predecessor=r.option(64))
    elif kind == 2:
        b.update(chain=r.key(), mls=r.key()), r.take(96)
    elif kind in (3, 4):
        b.update(added=r.take(32), device=r.take(16))
        b.update(by=r.one_of(1, (1, 2)) if kind == 3 else 1)
        b.update(signer=r.take(16) if b["by"] == 1 else None)
    elif kind == 5:
        b.update(devices=[r.take(16) for _ in range(r.one_of(1, range(1, 65)))], signer=r.take(16))
        need(b["devices"] == sorted(set(b["devices"])), "ENT-1", "the devices do not ascend")
    elif kind == 6:
        r.option(32), b.update(signer=r.take(16))
    elif kind == 7:
        b.update(recovery=r.key() if r.one_of(1, (0, 1)) else None, signer=r.take(16))
    elif kind == 8:
        r.one_of(1, (1, 2, 3, 4)), b.update(signer=r.take(16))
    elif kind == 9:
        r.take(32), b.update(chain=r.key(), mls=r.key())
    elif kind == 10:
        r.take(32), b.update(signer=r.take(16))
    elif kind == 11:
        r.take(32)
        for _ in range(2):
            r.take(r.one_of(2, range(8193)))
    else:
        b.update(signer=r.take(16))
    if "chain" in b:
        need(b["chain"] != b["mls"], "ENT-1", "a device has one key twice")
    return b


class Log:
    """What is known after the blocks so far."""

    def __init__(self, read, vkey):
        self.read, self.accounts, self.map, self.entries = read, {}, {}, 0
        self.account_keys = set()  # keys of accounts in the map
        self.origin, self.size, self.root = read_checkpoint(read("checkpoint"), vkey)
        self.headers = read_headers(read, self.size)

    @lru_cache(maxsize=None)
    def tree(self, low, high):
        """RFC 6962, 2.1: the hash of the leaves from `low` up to `high`."""
        if high - low < 2:
            return sha256(b"\0" + self.headers[low] if low < high else b"").digest()
        middle = low + (1 << (high - low - 1).bit_length() - 1)
        return sha256(b"\1" + self.tree(low, middle) + self.tree(middle, high)).digest()

    def check(self):
        need(self.tree(0, self.size) == self.root, "BLK-1", "the headers are not those of the signed root")
        before = None
        for number, header in enumerate(self.headers):
            try:
                before = self.check_block(number, Reader(header, "BLK-1"), before)
            except Broken as broken:
                raise Broken(f"block {number}: {broken}") from None

    def check_block(self, number, h, before):
        h.one_of(2, (1,)), h.one_of(8, (number,))
        time, old_root, new_root, entries = h.int(8), h.take(32), h.take(32), h.int(4)
        body_hash, vrf_key_id, _ = h.take(32), h.take(32), h.one_of(2, (1,))
        h.end()
        body = self.read(f"block/{number}")
        need(labelled("trefoil/block-body/v1", body) == body_hash, "BLK-1", "the body has another hash")
        r = Reader(body, "BLK-1")
        if number == 0:
            r.one_of(2, (1,)), r.one_of(2, (1,))
            need(r.take(r.int(1)) == self.origin.encode(), "BLK-1", "another origin than the checkpoint's")
            self.service, self.vrf_key_id = r.key(), labelled("trefoil/vrf-key-id/v1", r.key())
            r.take(r.int(2)), r.end()
            need(entries == 0 and old_root == sha256(b"").digest(), "BLK-1", "block 0 is not empty")
        else:
            need(old_root == before[1], "BLK-2", "the map root is not that of the block before")
            need(time >= before[0], "BLK-5", "time falls")
            self.check_entries(r, number, time, entries)
        need(vrf_key_id == self.vrf_key_id, "BLK-1", "another VRF key")
        need(map_root(sorted(self.map.items())) == new_root, "BLK-2", "the changes give another map root")
        return time, new_root

    def check_entries(self, r, number, time, count):
        touched, last = set(), b""
        need(r.int(4) == count, "BLK-1", "another number of entries than the header's")
        for _ in range(count):
            account = self.check_entry(r.take(r.int(2)), number, time)
            need(account > last, "BLK-3", "the entries do not ascend")
            last = account
            touched.add(labelled("trefoil/map/account/v1", account))
        self.account_keys |= touched
        changes, last = r.int(4), b""
        need(changes <= 3 * count, "BLK-4", "more changes than the entries explain")
        for _ in range(changes):
            key, old, new = r.take(32), r.option(32), r.take(32)
            need(key > last, "BLK-3", "the changes do not ascend")
            need(self.map.get(key) == old, "BLK-2", "an old value does not fit")
            need(key in touched or key not in self.account_keys, "BLK-4", "an account changes without an entry")
            self.map[key], last = new, key
            touched.discard(key)
        r.end()
        need(not touched, "BLK-4", "an entry changes nothing")

    def check_entry(self, data, number, time):
        r = Reader(data, "ENT-1")
        _, kind = r.one_of(2, (1,)), r.one_of(1, KINDS)
        account, generation, sequence, previous = r.take(32), r.int(4), r.int(8), r.take(32)
        request, size, root = r.int(8), r.int(8), r.take(32)
        start = r.at
        b = read_body(kind, r)
        body, statement = data[start : r.at], data[: r.at]
        name, answers, roles = KINDS[kind]
        need((request != 0) == answers, "ENT-1", "a request number where none belongs, or none where one does")
        need(size <= number and self.tree(0, size) == root, "ENT-4", "a checkpoint that the log never had")
        a = self.accounts.get(account)
        need((a is None) == (kind == 1), "DEV-2", "an account is opened by its first entry and by no other")
        if kind == 1:
            need(labelled("trefoil/account-id/v1", body) == account, "DEV-2", "another account id")
            need((generation > 1) == (b["predecessor"] is not None) and generation, "DEV-2", "another generation")
            a = dict(generation=generation, sequence=-1, head=bytes(32), devices={}, pending={}, next_request=1)
            a.update(recovery=None, open=True)
        need(a["open"], "ENT-5", "the account has ended")
        place = (a["generation"], a["sequence"] + 1, a["head"])
        need(place == (generation, sequence, previous), "ENT-3", "the entry does not follow the last one")
        keys = {"service": self.service, "mls": b.get("mls"), "new-mls": b.get("mls"), "new-device": b.get("chain")}
        if kind == 3 and b["by"] == 2:
            roles, keys["recovery-key"] = ("recovery-key",), a["recovery"]
        elif "device" in roles:
            keys["device"] = b["chain"] if kind == 1 else a["devices"].get(b["signer"])
        for role in roles:
            need(keys[role], "DEV-4", f"the signer ({role}) is not confirmed")
            label = f"trefoil/entry/{name}/{role}/v1".encode()
            signed = bytes([len(label)]) + label + bytes([len(self.origin)]) + self.origin.encode() + statement
            need(verifies(keys[role], r.take(64), signed), "ENT-2", f"the signature of {role} does not hold")
        r.end()
        a.update(sequence=sequence, head=labelled("trefoil/entry-hash/v1", data))
        self.take_effect(a, kind, b, request, time)
        self.accounts[account] = a
        self.entries += 1
        return account

    def take_effect(self, a, kind, b, request, time):
        device_id = labelled("trefoil/device-id/v1", b["chain"], b["mls"])[:16] if "chain" in b else None
        if kind == 1:
            a["devices"][device_id] = b["chain"]
        if kind in (2, 9):
            need(request == a["next_request"], "DEV-3", "not the next request number")
            a["next_request"] += 1
        if kind == 2:
            a["pending"][request] = (a["head"], device_id, b["chain"], time)
        elif kind in (3, 4):
            added, device, chain, opened = a["pending"].pop(request, (None, None, None, 0))
            need(added and time < opened + 7 * DAY, "DEV-5", "the request was answered before or has lapsed")
            need((added, device) == (b["added"], b["device"]), "DEV-4", "the answer names another request")
            if kind == 3:
                a["devices"][device] = chain
        elif kind == 5:
            need(all(device in a["devices"] for device in b["devices"]), "DEV-7", "no such device")
            for device in b["devices"]:
                del a["devices"][device]
            need(a["devices"] or a["recovery"], "DEV-10", "no device and no recovery key is left")
        elif kind == 7:
            a["recovery"] = b["recovery"]
        elif kind in (11, 12):
            a["open"] = False


def reader_of(place):
    """A function from a path within the log to its bytes."""
    if place.startswith(("http://", "https://")):
        return lambda path: urllib.request.urlopen(f"{place.rstrip('/')}/{path}", timeout=30).read()
    return lambda path: (Path(place) / path).read_bytes()


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    place, vkey = arguments
    try:
        if Path(vkey).is_file():
            vkey = Path(vkey).read_text()
        log = Log(reader_of(place), vkey.strip())
        log.check()
    except Broken as broken:
        print(broken)
        return 4
    except (OSError, urllib.error.URLError) as error:
        print(f"cannot be read: {error}")
        return 3
    except (ValueError, IndexError) as error:
        print(f"CHK-2: the checkpoint or the key is malformed: {error}")
        return 4
    print(f"ok {log.size} blocks {log.entries} entries {len(log.accounts)} accounts root {log.root.hex()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
