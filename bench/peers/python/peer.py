"""NDJSON in, NDJSON out: Address by AES-256-GCM, and with "encrypt+fpe" credit_card by FF1. See ../README.md."""
import base64
import os
import pathlib
import sys

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY = bytes(range(32))


def card_filter():
    # There is no FF1 on PyPI that installs without compiling C: the tests' own, of 60 lines.
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests" / "interop"))
    from ff1 import FF1
    ff1 = FF1(KEY, 10)

    def protect(card):
        digits = iter(ff1.encrypt([int(c) for c in card if c.isdigit()], bytes(8)))
        return "".join(str(next(digits)) if c.isdigit() else c for c in card)

    return protect


def main():
    nested = sys.argv[2] == "nested"
    protect_card = card_filter() if sys.argv[1] == "encrypt+fpe" else None
    gcm = AESGCM(KEY)
    write = sys.stdout.buffer.write
    for line in sys.stdin.buffer:
        record = orjson.loads(line)
        fields = record["customer"] if nested else record
        nonce = os.urandom(12)
        sealed = gcm.encrypt(nonce, fields["Address"].encode(), None)
        fields["Address"] = base64.b64encode(nonce + sealed).decode()
        if protect_card:
            fields["credit_card"] = protect_card(fields["credit_card"])
        write(orjson.dumps(record))
        write(b"\n")


main()
