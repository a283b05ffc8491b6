"""PostgreSQL as a store: what every store promises, and what a server can refuse, lose or delay."""
import json
import re
import signal
import subprocess
import time
import uuid

import pytest

from ports import free_ports
from postgresql_node import PASSWORD, PostgresqlNode
from program import ROOT

POLICY = """
version: 1
keys: {{pii: local:pii}}
stores: {{main: "{address}"}}
topics:
  - match: shop
    protect:
      $.name: {{type: envelope, key: {{name: pii, per: $.id}}}}
"""
TABLE = re.search(r"```sql\n(.*?)```", (ROOT / "docs" / "STORES.md").read_text(), re.DOTALL).group(1)


@pytest.fixture(scope="module")
def server():
    node = PostgresqlNode()
    yield node
    node.close()


@pytest.fixture
def database(server):
    name = f"d{uuid.uuid4().hex[:12]}"
    server.sql(f"CREATE DATABASE {name}")
    yield name
    server.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def user(server):
    """A user that owns nothing and may not make tables."""
    name = f"u{uuid.uuid4().hex[:12]}"
    server.sql(f"CREATE USER {name} PASSWORD 'user secret'")
    yield name


@pytest.fixture
def shop(server, database, sealstream):
    """shop("protect", records) under a policy whose people are in the data base."""
    sealstream.run("key", "create", "pii")
    sealstream.environment |= {"PGPASSWORD": PASSWORD}

    def run(command, records, address=None, **options):
        (sealstream.folder / "policy.yaml").write_text(POLICY.format(address=address or server.address(database)))
        lines = records if isinstance(records, bytes) else b"".join(json.dumps(r).encode() + b"\n" for r in records)
        return sealstream.run(command, "-p", "policy.yaml", input=lines, **options)

    return run


def people(n):
    return [{"id": i, "name": f"Ann {i}"} for i in range(n)]


def revealed(out):
    return [json.loads(line) for line in out.splitlines()]


def test_what_every_store_promises(server, database):
    suite = ROOT / "build" / "tests" / "support" / "store_suite"
    done = subprocess.run([suite, server.address(database)], env={"PGPASSWORD": PASSWORD}, capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def test_there_and_back(server, database, shop, sealstream):
    out, errors = shop("protect", people(500))
    assert errors.count("error") == 0 and out.count(b"seal:e1:") == 500
    assert revealed(shop("reveal", out)[0]) == people(500)
    assert server.sql("SELECT count(*) FROM sealstream_row WHERE space = 'people'", database).stdout == "500\n"
    password = PASSWORD.encode()
    for path in sealstream.folder.rglob("*"):
        assert path.is_dir() or password not in path.read_bytes()


def test_two_at_once_make_one_key_for_each_person(server, database, shop, sealstream):
    shop("protect", people(1))
    lines = b"".join(json.dumps(r).encode() + b"\n" for r in people(3000))
    processes = [sealstream.start("protect", "-p", "policy.yaml", stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        process.stdin.write(lines)
        process.stdin.close()
    outs = [process.stdout.read() for process in processes]
    assert [process.wait(180) for process in processes] == [0, 0, 0]
    for out in outs:
        assert revealed(shop("reveal", out)[0]) == people(3000)
    assert server.sql("SELECT count(*) FROM sealstream_row WHERE space = 'people'", database).stdout == "3000\n"


def test_many_at_once_make_the_table(server, database, shop, sealstream):
    """None of them takes the table that another has just made for somebody else's."""
    shop("protect", people(1))
    for _ in range(10):
        server.sql("DROP TABLE sealstream_row", database)
        processes = [sealstream.start("store", "init", "-p", "policy.yaml", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                     for _ in range(8)]
        ends = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
        assert [code for _, code in ends] == [0] * 8, ends


def test_the_password_comes_from_a_file(server, database, shop, sealstream):
    del sealstream.environment["PGPASSWORD"]
    _, errors = shop("protect", people(1), exit_code=77)
    assert "wants a password" in errors and "PGPASSFILE" in errors
    path = sealstream.folder / "pgpass"
    path.write_text(f"127.0.0.1:{server.port}:*:owner:" + PASSWORD.replace(":", "\\:") + "\n")
    path.chmod(0o600)
    sealstream.environment["PGPASSFILE"] = str(path)
    assert shop("protect", people(1))[0].count(b"seal:e1:") == 1


def test_refusals(server, database, shop, sealstream, user):
    cases = [
        (server.address("none"), PASSWORD, 78, "does not exist (3D000)"),
        (server.address(database), "wrong secret", 77, "password authentication failed"),
        (server.address(database, user), "user secret", 77, "(42501); docs/STORES.md says which rights"),
        (f"postgresql://owner@127.0.0.1:{free_ports(1)[0]}/x", PASSWORD, 69, "is not reachable"),
        (server.address(database).replace("disable", "verify-full"), PASSWORD, 69, "SSL"),
        (f"postgresql://owner:{PASSWORD[-6:]}@127.0.0.1/x", PASSWORD, 78, "a password has no place in a policy"),
    ]
    for address, password, exit_code, says in cases:
        sealstream.environment["PGPASSWORD"] = password
        _, errors = shop("protect", people(1), address, exit_code=exit_code)
        assert says in errors and errors.count("\n") == 1, errors
        assert "secret" not in errors


def test_rights_of_the_documents(server, database, shop, sealstream, user):
    """What the owner makes by hand, as the documents have it, is enough for a user who may make nothing."""
    server.sql(TABLE.replace("TO sealstream", f"TO {user}"), database)
    sealstream.environment["PGPASSWORD"] = "user secret"
    address = server.address(database, user)
    out, _ = shop("protect", people(3), address)
    assert revealed(shop("reveal", out, address)[0]) == people(3)
    sealstream.run("key", "forget", "--per", "1", "-p", "policy.yaml")
    _, errors = shop("reveal", out, address, exit_code=1)
    assert "forgotten" in errors
    server.sql(f"REVOKE INSERT ON sealstream_row FROM {user}", database)
    _, errors = shop("protect", people(9), address, exit_code=77)
    assert "(42501)" in errors


def test_tables_of_others(server, database, shop):
    server.sql("CREATE TABLE sealstream_row (a int)", database)
    _, errors = shop("protect", people(1), exit_code=78)
    assert "is not ours" in errors
    server.sql("COMMENT ON TABLE sealstream_row IS 'sealstream store, version 2'", database)
    _, errors = shop("protect", people(1), exit_code=78)
    assert "made by a newer sealstream (version 2" in errors
    server.sql("COMMENT ON TABLE sealstream_row IS 'sealstream store, version 1'", database)
    _, errors = shop("protect", people(1), exit_code=65)
    assert "its table is not as this program made it" in errors
    assert server.sql("SELECT count(*) FROM sealstream_row", database).stdout == "0\n"


def test_rows_of_others(server, database, shop):
    """Rows that were changed, cut or too long for ours are told, and nobody's data comes out of them."""
    out, _ = shop("protect", people(1))
    for value in ("''", "value || value", "substr(value, 1, 20)", "decode(repeat('00', 70000), 'hex')"):
        server.sql(f"BEGIN; CREATE TABLE kept AS SELECT * FROM sealstream_row; UPDATE sealstream_row SET value = {value}; COMMIT", database)
        with pytest.raises(AssertionError):
            shop("reveal", out)
        server.sql("BEGIN; DELETE FROM sealstream_row; INSERT INTO sealstream_row SELECT * FROM kept; DROP TABLE kept; COMMIT", database)
    assert revealed(shop("reveal", out)[0]) == people(1)


def test_a_person_is_forgotten(server, database, shop, sealstream):
    out, _ = shop("protect", people(2))
    old = server.sql("SELECT encode(value, 'hex') FROM sealstream_row WHERE space = 'people'", database).stdout.split()
    sealstream.run("key", "forget", "--per", "1", "-p", "policy.yaml")
    new = server.sql("SELECT encode(value, 'hex') FROM sealstream_row WHERE space = 'people'", database).stdout.split()
    assert len(new) == 2 and len(set(old) & set(new)) == 1
    server.sql("CREATE EXTENSION pageinspect", database)
    tuples = server.sql("SELECT count(*) FILTER (WHERE lp_len > 0) = (SELECT count(*) FROM sealstream_row) "
                        "FROM heap_page_items(get_raw_page('sealstream_row', 0))", database).stdout
    assert tuples == "t\n"  # no dead one is left in the page
    assert "forgotten" in shop("reveal", out, exit_code=1)[1]
    assert "forgotten" in shop("protect", people(2), exit_code=1)[1]


def test_a_server_that_stands_still(server, database, shop):
    shop("protect", people(1))
    server.freeze()
    try:
        began = time.monotonic()
        _, errors = shop("protect", people(1), exit_code=75)
        assert 5 < time.monotonic() - began < 60
        assert "did not answer in time" in errors
    finally:
        server.freeze(False)


def test_a_server_that_goes_and_comes_back(server, database, shop, sealstream):
    """A stream goes on: with the people it knows meanwhile, with new ones when the server is there again."""
    shop("protect", people(1))
    process = sealstream.start("protect", "-p", "policy.yaml", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def say(person):
        process.stdin.write(json.dumps({"id": person, "name": "Ann"}).encode() + b"\n")
        process.stdin.flush()

    say(0)
    first = process.stdout.readline()
    server.stop(signal.SIGQUIT)  # without a word to anybody
    say(0)
    known = process.stdout.readline()
    server.start()
    say("new")
    process.stdin.close()
    out = first + known + process.stdout.read()
    errors = process.stderr.read().decode()
    assert process.wait(180) == 0, errors
    assert [record["id"] for record in revealed(shop("reveal", out)[0])] == [0, 0, "new"]
