"""The program as a shop uses it: a keyring with two keys and a policy."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import Program

POLICY = """version: 1
namespace: shop
keys: {pii: "local:pii", cards: "local:cards"}
methods:
  secret: {type: encrypt, key: pii}
  card: {type: fpe, key: cards, alphabet: digits, keep: {first: 6, last: 4}}
topics:
  - match: purchases
    protect:
      $.Name: secret
      $.Address: secret
      $.credit_card: card
"""


class Shop(Program):
    """The program with a keyring and a policy."""

    def __init__(self, folder, policy=POLICY):
        super().__init__(folder)
        self.run("-q", "key", "create", "pii")
        self.run("-q", "key", "create", "cards", "--type", "ff1")
        self.policy(policy)

    def policy(self, text):
        self.write("policy.yaml", text)
        self.environment["SEALSTREAM_POLICY"] = str(self.folder / "policy.yaml")

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def protect(self, data, *arguments, **options):
        return self.run("protect", *arguments, input=data, **options)[0]

    def reveal(self, data, *arguments, **options):
        return self.run("reveal", *arguments, input=data, **options)[0]
