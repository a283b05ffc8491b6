"""A key for each person on a real Vault: how often does the server hear of them, by its audit log?"""
import hashlib
import json
import subprocess

POLICY = """version: 1
namespace: shop
keys: {pii: "vault:transit/pii"}
stores: {main: "sqlite:people.db"}
topics:
- match: people
  protect:
    $.name: {type: envelope, key: {name: pii, per: $.customer}}
"""
MAKE, OPEN = "transit/datakey/plaintext/pii", "transit/decrypt/pii"


def prepare(vault, sealstream):
    vault.mount("transit")
    vault.key("pii")
    (sealstream.folder / "policy.yaml").write_text(POLICY)
    sealstream.environment |= vault.environment() | {"SEALSTREAM_POLICY": "policy.yaml"}


def write(path, count):
    with open(path, "w") as file:
        for number in range(count):
            file.write(json.dumps({"customer": number, "name": f"Name {number}"}, separators=(",", ":")) + "\n")


def checksum(path):
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def transform(sealstream, command, source, target):
    with open(target, "wb") as out:
        done = subprocess.run([sealstream.path, command, source], cwd=sealstream.folder, env=sealstream.environment, stdout=out,
                              stderr=subprocess.PIPE, timeout=3600)
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def people_cost_one_call(vault, sealstream, count):
    """Protected, then revealed by another process, which starts with nothing: one call each."""
    folder = sealstream.folder
    prepare(vault, sealstream)
    write(folder / "plain", count)
    transform(sealstream, "protect", folder / "plain", folder / "protected")
    assert (vault.audited(MAKE), vault.audited(OPEN)) == (1, 0)
    transform(sealstream, "reveal", folder / "protected", folder / "revealed")
    assert (vault.audited(MAKE), vault.audited(OPEN)) == (1, 1)
    assert checksum(folder / "plain") == checksum(folder / "revealed")
    assert checksum(folder / "plain") != checksum(folder / "protected")


def forget(vault, sealstream, person, count):
    """One of them: theirs is gone, the others' is there."""
    sealstream.run("key", "forget", "--per", person)
    out, said = sealstream.run("reveal", "protected", exit_code=1, timeout=3600)
    left = [json.loads(line)["customer"] for line in out.splitlines()]
    assert len(left) == count - 1 and person not in left
    assert said.count("forgotten on purpose") == 1
