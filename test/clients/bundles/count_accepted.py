"""Change each byte before the keys of bundles, and count the changes that verify_bundle accepts.

count_accepted.py KEYS MASKS BUNDLE… takes one byte in hex for each way in which a byte is changed.
"""

import json
import sys

import verify_bundle


def is_accepted(data: bytes, keys: list[str]) -> bool:
    try:
        verify_bundle.verify(data.decode(), keys)
    except Exception:  # Any exception is a refusal.
        return False
    return True


def count(data: bytes, keys: list[str], masks: bytes) -> tuple[int, int]:
    changes = accepted = 0
    for at in range(data.index(b'"keys":[')):
        for mask in masks:
            changed = data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
            changes += 1
            accepted += is_accepted(changed, keys)
    return changes, accepted


with open(sys.argv[1], encoding="utf-8") as file:
    keys = [key["public_key"] for key in json.load(file)["keys"]]
for path in sys.argv[3:]:
    with open(path, "rb") as file:
        print(*count(file.read(), keys, bytes.fromhex(sys.argv[2])))
