"""Audit trails as docs/AUDIT.md has them, read and checked without any help of the program."""
import hashlib
import json
import re

ZEROS = "0" * 64


def parse(text, seq=0, before=ZEROS):
    """The lines of one chain, which must be whole."""
    events = []
    for line in text.decode().splitlines():
        head, _, tail = line.rpartition(',"hash":"')
        event = json.loads(line)
        assert tail == event["hash"] + '"}'
        assert hashlib.sha256(head.encode()).hexdigest() == event["hash"]
        assert (event["v"], event["seq"], event["prev"]) == (1, seq + 1, before)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
        seq, before = event["seq"], event["hash"]
        events.append(event)
    assert len({event["chain"] for event in events}) <= 1
    return events


def read(path):
    """What stands in a file now, as far as its lines are whole."""
    text = path.read_bytes() if path.exists() else b""
    return parse(text[:text.rfind(b"\n") + 1])
