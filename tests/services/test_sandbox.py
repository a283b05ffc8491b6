"""A pump in its sandbox with everything that it may need at once: tokens that are renewed, a key server, a store, pages, reloads."""
import json
import re
import signal
import subprocess
import time
import urllib.request

import flow
import foreign
import pytest
from login_flow import grant, settings
from postgresql_node import PASSWORD, PostgresqlNode
from program import tasks
from token_server import TokenServer
from vault_flow import by_approle, rules

RECORDS = 20_000
POLICY = """version: 1
namespace: tests
keys: {{pii: "vault:{mount}/pii", cards: "local:cards"}}
stores: {{main: "{store}"}}
topics:
- match: /purchases-.*/
  protect:
    $.Address: {{type: encrypt, key: pii}}
    $.credit_card: {{type: fpe, key: cards, alphabet: digits}}
    $.mail: {{type: token, key: pii, convergent: true}}
"""


@pytest.fixture
def tokens(kafka):
    server = TokenServer(kafka.signing_key, kafka.folder, {"pump": "pump-secret"})
    server.lifetime = 5
    yield server
    server.stop()


@pytest.fixture
def store():
    node = PostgresqlNode()
    node.sql("CREATE DATABASE tokens")
    yield node
    node.close()


def records(first, count):
    for n in range(first, first + count):
        yield b"%d" % n, json.dumps({"Address": f"{n} High St", "credit_card": "4111-1111-1111-1111",
                                     "mail": f"c{n % 500}@example.org"}).encode()


class Watched:
    """A pump whose standard error is read by file, as nobody else empties a pipe."""

    def __init__(self, sealstream, environment, *arguments):
        self.path = sealstream.folder / "pump.log"
        with open(self.path, "wb") as log:
            self.process = sealstream.start(*arguments, environment=environment, stdin=subprocess.DEVNULL, stderr=log)

    def said(self):
        return self.path.read_text()

    def number(self, name, **labels):
        """Of its page of metrics; 0 until there is one."""
        address = re.search(r"http://(127\.0\.0\.1:\d+)", self.said())
        if not address:
            return 0
        with urllib.request.urlopen(f"http://{address[1]}/metrics", timeout=60) as page:
            lines = page.read().decode().splitlines()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(float(line.split()[-1]) for line in lines
                   if line.startswith(name) and all(label in line for label in wanted))

    def until(self, condition, seconds=180):
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.1)


def test_everything_at_once(kafka, vault, transit, store, tokens, sealstream, topic):
    source, target = topic("purchases"), topic("purchases_encrypted")
    flow.prepare(sealstream)
    grant(kafka, "pump", source, target)
    vault.key("pii", transit)

    (sealstream.folder / "policy.yaml").write_text(POLICY.format(mount=transit, store=store.address("tokens")))
    vault.policy(f"{transit}-pump", **(rules(transit, "encrypt", "decrypt") | {f"{transit}/datakey/plaintext/pii": ["update"]}))
    environment = by_approle(vault, sealstream, f"{transit}-pump", f"{transit}-pump", ttl="6s") | {"PGPASSWORD": PASSWORD}
    pump = Watched(sealstream, environment, "pump", "-F", settings(sealstream, kafka.oauth(tokens, "pump")), "--from", source,
                   "--to", target, "-p", "policy.yaml", "--threads", 4, "--sandbox", "require", "--listen", "127.0.0.1:0",
                   "--log-level", "debug", "--audit", "trail.jsonl", "--policy-topic", "purchases-x")
    try:
        foreign.produce(kafka.brokers, source, records(0, RECORDS // 2))
        pump.until(lambda: pump.number("sealstream_records_total", outcome="protected") == RECORDS // 2)
        inside = list(tasks(pump.process.pid))
        assert all(thread["Seccomp"] == "2" and int(thread["CapEff"], 16) == 0 for thread in inside), inside
        issued = tokens.issued
        pump.until(lambda: tokens.issued >= issued + 4)  # and Vault's token has been renewed by then, too
        pump.process.send_signal(signal.SIGHUP)
        pump.until(lambda: "the policy was reloaded" in pump.said())
        foreign.produce(kafka.brokers, source, records(RECORDS // 2, RECORDS // 2))
        pump.until(lambda: pump.number("sealstream_records_total", outcome="protected") == RECORDS)
        assert pump.number("sealstream_policy_reloads_total", outcome="success") == 1
        pump.process.send_signal(signal.SIGTERM)
        assert pump.process.wait(180) == 143, pump.said()
    finally:
        pump.process.kill()
        pump.process.wait()
    assert not re.search(r"Function not implemented|not implemented|a part of the sandbox", pump.said()), pump.said()
    seen = flow.read_numbered(kafka.brokers, target, lambda message, number: None)
    assert set(seen) == set(range(RECORDS)) and set(seen.values()) == {1}
