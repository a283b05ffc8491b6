"""The program as a shop with a Vault uses it: a policy, keys on the double, and what tests look at again and again."""
import json
import os
import pathlib
import subprocess
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parents[1] / "stream")]
from program import Program, wait_until  # noqa: E402, F401

POLICY = """version: 1
namespace: shop
keys: {pii: "vault:transit/pii"}
methods:
  secret: {type: encrypt, key: pii}
topics:
  - match: purchases
    protect:
      $.Name: secret
      $.Address: secret
"""
CANARY = "canary-7c1f-street"
SANITIZED = "SANITIZED" in os.environ
# One try, no waiting: what a fault does is seen at once.
IMPATIENT = {"VAULT_MAX_RETRIES": "0", "VAULT_CLIENT_TIMEOUT": "60s", "SEALSTREAM_RETRY_FOR": "1ms"}
AWAY, AGAIN, DENIED, CONFIG, DATA, SOME = 69, 75, 77, 78, 65, 1


class Shop(Program):
    """The program pointed at a double, whose Transit has the key `pii`."""

    def __init__(self, folder, vault, policy=POLICY, keys=("pii",), **environment):
        super().__init__(folder)
        self.vault = vault
        self.environment = {name: value for name, value in self.environment.items() if not name.startswith("BAO_")}
        self.environment |= vault.environment() | {"LC_ALL": "C.UTF-8"} | environment
        for key in keys:
            vault.engine().new_key(key)
        self.policy(policy)

    def policy(self, text):
        (self.folder / "policy.yaml").write_text(text)
        self.environment["SEALSTREAM_POLICY"] = str(self.folder / "policy.yaml")

    def try_(self, command, data, *arguments, **environment):
        """(exit code, stdout, stderr)."""
        done = subprocess.run([self.path, command, *arguments], cwd=self.folder, input=data, capture_output=True,
                              env=self.environment | environment, timeout=120, check=False)
        return done.returncode, done.stdout, done.stderr.decode()

    def protect(self, data, *arguments, **options):
        return self.run("protect", *arguments, input=data, **options)[0]

    def reveal(self, data, *arguments, **options):
        return self.run("reveal", *arguments, input=data, **options)[0]


def record(number, **more):
    return {"n": number, "Name": f"Ann {number}", "Address": f"{number} {CANARY}", **more}


def lines(*records):
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records).encode()


def purchases(count, first=0):
    return lines(*map(record, range(first, first + count)))
