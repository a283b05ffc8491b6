"""Tokens on PostgreSQL: many writers at once, processes and servers that are killed, domains, times to live, a check of all rows."""
import collections
import json
import random
import signal
import subprocess
import time

import pytest

from postgresql_node import PASSWORD, PostgresqlNode
from program import wait_until

WRITERS = 8
VALUES = 1_000_000
DISTINCT = 700_000  # the rest are repeats
KILLS = 4
POLICY = """
version: 1
keys: {{pii: local:pii}}
stores: {{main: "{address}"}}
topics:
  - match: shop
    protect:
      $.mail: {{type: token, key: pii, convergent: true, bind: {{domain: customer}}{more}}}
  - match: crm
    protect:
      $.mail: {{type: token, key: pii, convergent: true, bind: {{domain: lead}}}}
"""


@pytest.fixture
def server():
    """One of its own for each test: some of them kill it."""
    node = PostgresqlNode()
    yield node
    node.close()


@pytest.fixture
def shop(server, sealstream):
    """A program whose policy has its tokens in the server."""
    sealstream.run("key", "create", "pii")
    sealstream.environment |= {"PGPASSWORD": PASSWORD}
    server.sql("CREATE DATABASE tokens")

    def write(more=""):
        (sealstream.folder / "p.yaml").write_text(POLICY.format(address=server.address("tokens"), more=more))

    write()
    sealstream.write_policy = write
    return sealstream


def record(value):
    return b'{"mail":"c%d@example.org"}\n' % value


def write_parts(folder, values, parts):
    """Files of records, dealt out one after the other."""
    for i in range(parts):
        (folder / f"in{i}").write_bytes(b"".join(map(record, values[i::parts])))


class Writer:
    """Protects in{part} into out{part}, and does not end before it may, however quick it is."""

    def __init__(self, program, part):
        self.source = subprocess.Popen(["sh", "-c", f"cat in{part}; read _"], cwd=program.folder, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
        with open(program.folder / f"out{part}", "wb") as out:
            self.process = program.start("protect", "-p", "p.yaml", "-t", "shop", stdin=self.source.stdout, stdout=out,
                                         stderr=subprocess.PIPE)
        self.source.stdout.close()

    def finish(self, exit_code=0):
        """Lets it come to its end."""
        self.source.stdin.close()
        _, said = self.process.communicate(timeout=600)
        assert self.process.returncode == exit_code, said.decode()
        self.source.wait(60)


def start_all(program, parts):
    return [Writer(program, part) for part in range(parts)]


def wait_for_output(program, parts, part_of_it, values):
    """Until the writers have written this part of all that they will: a kill then is in the middle, on any machine."""
    enough = part_of_it * len(values) * len(b'{"mail":"seal:t1:0123456789abcdefghijkl"}\n')
    deadline = time.monotonic() + 300
    while sum((program.folder / f"out{i}").stat().st_size for i in range(parts)) < enough:
        assert time.monotonic() < deadline, "the writers write nothing"
        time.sleep(0.005)


def tokens_of(program, values, parts):
    """{value: token}; every record that came out has the token of its value, wherever it was written."""
    tokens = {}
    for i in range(parts):
        lines = (program.folder / f"out{i}").read_bytes().splitlines(keepends=True)
        for value, line in zip(values[i::parts], lines):
            if line.endswith(b"\n"):
                token = json.loads(line)["mail"]
                assert tokens.setdefault(value, token) == token, f"value {value} has two tokens"
    assert len(set(tokens.values())) == len(tokens), "two values share a token"
    return tokens


def count(server, kind):
    """Rows of tokens ('t') or fingerprints ('f')."""
    return int(server.sql("SELECT count(*) FROM sealstream_row WHERE space = 'tokens' AND substr(key, 9, 1) = "
                          f"'{kind}'::bytea AND length(key) > 21", "tokens").stdout)


def reveals(program, tokens):
    """Every token gives its value."""
    values = list(tokens)
    lines = b"".join(b'{"mail":"%s"}\n' % tokens[value].encode() for value in values)
    assert program.run("reveal", "-p", "p.yaml", "-t", "shop", input=lines, timeout=300)[0] == b"".join(map(record, values))


def check(program, exit_code=0):
    out, _ = program.run("store", "check", "-p", "p.yaml", "--json", exit_code=exit_code, timeout=300)
    return json.loads(out)["stores"][0]


def test_eight_writers_and_a_million_values(server, shop):
    values = list(range(DISTINCT)) + random.Random(7).choices(range(DISTINCT), k=VALUES - DISTINCT)
    random.Random(8).shuffle(values)
    write_parts(shop.folder, values, WRITERS)
    began = time.monotonic()
    for writer in start_all(shop, WRITERS):
        writer.finish()
    print(f"{VALUES / (time.monotonic() - began):.0f} values/s by {WRITERS} writers, with the server on the same cores")
    tokens = tokens_of(shop, values, WRITERS)
    assert len(tokens) == DISTINCT
    assert (count(server, "t"), count(server, "f")) == (DISTINCT, DISTINCT)  # no duplicate, and none that lost a race is left
    reveals(shop, tokens)
    found = check(shop)
    assert (found["unknown"], found["lost"]) == (0, 0)
    assert found["keys"][0]["tokens"] == {"opened": DISTINCT, "bad": 0}


def test_writers_are_killed(server, shop):
    """Whatever has left a writer that is killed can be revealed; at most some tokens stay that no record carries."""
    values = random.Random(9).choices(range(250_000), k=400_000)
    write_parts(shop.folder, values, 4)
    seen = {}
    for i in range(KILLS):
        writers = start_all(shop, 4)
        wait_for_output(shop, 4, (i + 1) / (KILLS + 4), values)
        for writer in writers:
            writer.process.kill()
        for writer in writers:
            writer.finish(-signal.SIGKILL)
        tokens = tokens_of(shop, values, 4)
        assert all(seen.get(value, token) == token for value, token in tokens.items())
        seen |= tokens
        reveals(shop, seen)
    for writer in start_all(shop, 4):
        writer.finish()
    tokens = tokens_of(shop, values, 4)
    assert tokens == tokens | seen
    assert count(server, "f") == len(tokens) == len(set(values))
    assert count(server, "t") >= len(tokens)
    reveals(shop, tokens)
    assert check(shop)["keys"][0]["tokens"]["bad"] == 0


def test_the_server_is_killed(server, shop):
    """Without a word to anybody, in the middle of it; writers wait until it is there again, and nothing that had left them is lost."""
    values = random.Random(10).choices(range(300_000), k=400_000)
    write_parts(shop.folder, values, 4)
    writers = start_all(shop, 4)
    for i in range(KILLS):
        wait_for_output(shop, 4, (i + 1) / (KILLS + 4), values)
        server.kill()
        out = tokens_of(shop, values, 4)
        for writer in writers:  # else they may have written all before the next kill
            writer.process.send_signal(signal.SIGSTOP)
        server.start()
        reveals(shop, out)
        for writer in writers:
            writer.process.send_signal(signal.SIGCONT)
    for writer in writers:
        writer.finish()
    tokens = tokens_of(shop, values, 4)
    assert count(server, "f") == len(tokens) == len(set(values))
    reveals(shop, tokens)
    found = check(shop)
    assert (found["unknown"], found["lost"], found["keys"][0]["tokens"]["bad"]) == (0, 0, 0)


def test_two_domains_never_share(server, shop):
    lines = b"".join(map(record, range(2000)))
    outs = {topic: shop.run("protect", "-p", "p.yaml", "-t", topic, input=lines)[0] for topic in ("shop", "crm")}
    tokens = collections.Counter(json.loads(line)["mail"] for out in outs.values() for line in out.splitlines())
    assert len(tokens) == 4000 and set(tokens.values()) == {1}
    assert count(server, "t") == 4000
    for topic, other in (("shop", "crm"), ("crm", "shop")):
        assert shop.run("reveal", "-p", "p.yaml", "-t", topic, input=outs[topic])[0] == lines
        out, _ = shop.run("reveal", "-p", "p.yaml", "-t", topic, input=outs[other], exit_code=1)
        assert out == b""


def test_a_time_to_live(shop):
    shop.write_policy(", ttl: 1s")
    lines = b"".join(map(record, range(100)))
    out, _ = shop.run("protect", "-p", "p.yaml", "-t", "shop", input=lines)
    time.sleep(1.5)
    revealed, errors = shop.run("reveal", "-p", "p.yaml", "-t", "shop", input=out, exit_code=1)
    assert revealed == b"" and "expired" in errors
    shop.write_policy(", ttl: 1h")
    again, _ = shop.run("protect", "-p", "p.yaml", "-t", "shop", input=lines)
    assert not set(out.splitlines()) & set(again.splitlines())  # the values have new tokens
    assert shop.run("reveal", "-p", "p.yaml", "-t", "shop", input=again)[0] == lines


def test_rows_that_were_changed(server, shop):
    out, _ = shop.run("protect", "-p", "p.yaml", "-t", "shop", input=b"".join(map(record, range(3000))))
    token = ("space = 'tokens' AND key = (SELECT key FROM sealstream_row WHERE space = 'tokens' AND length(key) = 41 "
             "ORDER BY key LIMIT 1)")
    server.sql(f"UPDATE sealstream_row SET value = set_byte(value, 50, 255 - get_byte(value, 50)) WHERE {token}", "tokens")
    found = check(shop, exit_code=1)
    assert found["keys"][0]["tokens"] == {"opened": 2999, "bad": 1} and found["unknown"] == 0
    revealed, errors = shop.run("reveal", "-p", "p.yaml", "-t", "shop", input=out, exit_code=1)
    assert len(revealed.splitlines()) == 2999 and errors.count("c1@") == 0
    server.sql(f"UPDATE sealstream_row SET value = 'x' WHERE {token}", "tokens")
    assert check(shop, exit_code=1)["unknown"] == 1


def test_a_store_is_made_by_its_owner(server, shop):
    """Who may make no tables protects once `store init` was run by who may."""
    address = server.address("tokens")
    assert shop.run("store", "init", address)[0].decode() == f"{address}: made\n"
    assert shop.run("store", "init", address)[0].decode() == f"{address}: is there already\n"
    server.sql("CREATE USER sealstream PASSWORD 'user secret'; GRANT SELECT, INSERT, UPDATE, DELETE ON sealstream_row TO sealstream",
               "tokens")
    shop.environment["PGPASSWORD"] = "user secret"
    (shop.folder / "p.yaml").write_text(POLICY.format(address=server.address("tokens", "sealstream"), more=""))
    lines = record(1) + record(2)
    out, _ = shop.run("protect", "-p", "p.yaml", "-t", "shop", input=lines)
    assert shop.run("reveal", "-p", "p.yaml", "-t", "shop", input=out)[0] == lines
    assert check(shop)["keys"][0]["tokens"] == {"opened": 2, "bad": 0}


def test_rekey_under_load(server, shop):
    """All rows get new keys while four writers and a reader are at work, and while rekeys are killed; no token changes."""
    values = random.Random(11).choices(range(100_000), k=200_000)
    write_parts(shop.folder, values, 4)
    first = b"".join(map(record, range(5000)))
    known, _ = shop.run("protect", "-p", "p.yaml", "-t", "shop", input=first)
    before = server.sql("SELECT encode(key, 'hex') FROM sealstream_row WHERE space = 'tokens' AND length(key) <> 21", "tokens").stdout
    writers = start_all(shop, 4)
    for i in range(3):
        rekey = shop.start("store", "rekey", "-p", "p.yaml", stderr=subprocess.DEVNULL)
        time.sleep(0.6 + 0.2 * i)
        rekey.kill()
        rekey.wait(60)
        assert shop.run("reveal", "-p", "p.yaml", "-t", "shop", input=known)[0] == first
    shop.run("store", "rekey", "-p", "p.yaml", timeout=300)
    for writer in writers:
        writer.finish()
    tokens = tokens_of(shop, values, 4)
    for line, value in zip(known.splitlines(), range(5000)):
        assert tokens.setdefault(value, json.loads(line)["mail"]) == json.loads(line)["mail"]
    shop.run("store", "rekey", "-p", "p.yaml", timeout=300)  # whether the last one was through or not
    after = server.sql("SELECT encode(key, 'hex') FROM sealstream_row WHERE space = 'tokens' AND length(key) <> 21", "tokens").stdout
    assert not set(before.split()) & set(after.split())
    assert len({key[:16] for key in after.split()}) == 1  # one generation
    assert count(server, "f") == len(tokens)
    reveals(shop, tokens)
    found = check(shop)
    assert (found["unknown"], found["lost"], found["keys"][0]["tokens"]["bad"]) == (0, 0, 0)
    assert found["rows"]["tokens"] == found["keys"][0]["tokens"]["opened"]  # and none of an older one


def wait_for_the_counts(server):
    """The server counts a session's work when it has ended."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'tokens' AND pid <> pg_backend_pid()"
    wait_until(lambda: server.sql(others, "tokens").stdout == "0\n")


def test_lots_go_by_the_index(server, shop):
    """However large a lot is, and though the server never looked at the table, nothing reads all of it."""
    shop.run("store", "init", server.address("tokens"))
    server.sql("ALTER TABLE sealstream_row SET (autovacuum_enabled = off)", "tokens")
    scans = "SELECT seq_scan, coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'sealstream_row'"
    wait_for_the_counts(server)
    before, _ = map(int, server.sql(scans, "tokens").stdout.split("|"))  # making the table's index is one
    out, _ = shop.run("protect", "-p", "p.yaml", "-t", "shop", input=b"".join(map(record, range(20_000))))
    shop.run("reveal", "-p", "p.yaml", "-t", "shop", input=out)
    shop.run("store", "rekey", "-p", "p.yaml")
    check(shop)
    wait_for_the_counts(server)
    whole, fetched = map(int, server.sql(scans, "tokens").stdout.split("|"))
    assert whole == before
    assert fetched < 20 * 2 * 20_000  # a few times each row, not each row for each lot
