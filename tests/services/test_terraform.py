"""deploy/terraform: the Vault module applied to a real Vault, its credentials used; the Confluent module against a stand-in of its
provider, its rights and settings files against a real Kafka."""
import json
import re
import subprocess
import sys

import foreign
import pytest
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType
from terraform_build import Terraform, programs

import confluent_schema
from program import ROOT

sys.path.insert(0, str(ROOT / "tests" / "vault"))
from documents import blocks, policies, run_blocks  # noqa: E402
from double import Double  # noqa: E402

MODULES = ROOT / "deploy" / "terraform"
POLICY = """version: 1
namespace: shop
keys: {pii: "vault:transit/pii", cards: "local:cards"}
methods:
  secret: {type: encrypt, key: pii}
  card: {type: fpe, key: cards, alphabet: digits}
topics:
- match: "*"
  protect: {$.Address: secret, $.credit_card: card}
"""
TRANSFORM = """version: 1
topics:
- match: "*"
  protect: {$.credit_card: {type: transform, role: payments, transformation: creditcard}}
"""
RECORD = b'{"Name":"Ada","Address":"1 High St","credit_card":"4111-1111-1111-1111"}\n'


@pytest.fixture(scope="module")
def terraform(cache):
    return programs(cache) / "terraform"


def test_format(terraform, tmp_path):
    done = subprocess.run([terraform, "fmt", "-check", "-diff", "-recursive", MODULES], capture_output=True, text=True,
                          env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stdout + done.stderr


# ---- Vault ----

@pytest.fixture
def module(cache, own_vault, tmp_path):
    return Terraform(cache, MODULES / "vault", tmp_path, **{name: str(value) for name, value in own_vault.environment().items()})


def outputs(module):
    return {name: output["value"] for name, output in json.loads(module.run("output", "-json").stdout).items()}


def approle(sealstream, own_vault, found, role):
    """The environment of a program that logs in with a role."""
    path = sealstream.folder / f"secret-id-{role}"
    path.write_text(found["secret_ids"][role])
    path.chmod(0o600)
    return own_vault.environment(token="") | {"SEALSTREAM_VAULT_AUTH": "approle", "SEALSTREAM_VAULT_SECRET_FILE": str(path),
                                              "SEALSTREAM_VAULT_ROLE": found["role_ids"][role]}


def token(own_vault, found, role):
    body = {"role_id": found["role_ids"][role], "secret_id": found["secret_ids"][role]}
    return own_vault.call("POST", "auth/approle/login", body, token="")["auth"]["client_token"]


def rules(text):
    """{path: capabilities} of a policy's text."""
    return {path: json.loads(capabilities)
            for path, capabilities in re.findall(r'path\s+"([^"]+)"\s*\{\s*capabilities\s*=\s*(\[[^]]*\])\s*\}', text)}


def documented(name):
    return rules(policies()[name])


def test_vault_module(module, own_vault, sealstream):
    """One apply: nothing is left to do after it, its credentials do their work and no more, and it goes away without a trace."""
    arguments = ("-auto-approve", "-input=false", "-var=issue_secret_ids=true", "-var=keys_deletable=true",
                 '-var=keys={"pii":{},"mail":{"convergent":true}}')
    before = set(own_vault.call("GET", "sys/mounts")), set(own_vault.call("GET", "sys/policies/acl?list=true")["keys"])
    module.run("apply", *arguments)
    module.run("plan", "-detailed-exitcode", *arguments[1:])
    found = outputs(module)
    assert found["references"] == {"pii": "vault:transit/pii", "mail": "vault:transit/mail"}
    assert own_vault.key_info("mail")["convergent_encryption"] is True

    (sealstream.folder / "policy.yaml").write_text(POLICY)
    (sealstream.folder / "in.ndjson").write_bytes(RECORD * 300)
    sealstream.run("key", "create", "cards", "--type", "ff1")
    producer, consumer, rewrapper = (approle(sealstream, own_vault, found, role) for role in ("protect", "reveal", "rewrap"))
    sealed = sealstream.run("protect", "-p", "policy.yaml", "in.ndjson", environment=producer)[0]
    assert sealed.count(b'"vault:v1:') == 300 and b"High St" not in sealed
    assert sealstream.run("reveal", "-p", "policy.yaml", input=sealed, environment=consumer)[0] == RECORD * 300
    assert 'path "transit/decrypt/pii"' in sealstream.run("reveal", "-p", "policy.yaml", input=sealed, environment=producer,
                                                          exit_code=77)[1]
    sealstream.run("protect", "-p", "policy.yaml", "in.ndjson", environment=consumer, exit_code=77)

    own_vault.rotate("pii")
    newer = sealstream.run("rewrap", "-p", "policy.yaml", input=sealed, environment=rewrapper)[0]
    assert newer.count(b'"vault:v2:') == 300
    own_vault.key_config("pii", min_decryption_version=2)
    # What was rotated and raised in between is not set back.
    module.run("plan", "-detailed-exitcode", *arguments[1:])
    assert sealstream.run("reveal", "-p", "policy.yaml", input=newer, environment=consumer)[0] == RECORD * 300

    module.run("destroy", *arguments)
    after = set(own_vault.call("GET", "sys/mounts")), set(own_vault.call("GET", "sys/policies/acl?list=true")["keys"])
    assert after == before


def test_vault_roles_do_no_more(module, own_vault):
    """Each role against every call that another one may make, and those that nobody may."""
    module.run("apply", "-auto-approve", "-input=false", "-var=issue_secret_ids=true")
    found = outputs(module)
    text = own_vault.encrypt("pii", b"x")
    calls = {
        "read": ("GET", "transit/keys/pii", None), "encrypt": ("POST", "transit/encrypt/pii", {"plaintext": "eA=="}),
        "decrypt": ("POST", "transit/decrypt/pii", {"ciphertext": text}),
        "rewrap": ("POST", "transit/rewrap/pii", {"ciphertext": text}),
        "mistyped": ("POST", "transit/encrypt/pij", {"plaintext": "eA=="}), "make": ("POST", "transit/keys/new", {}),
        "rotate": ("POST", "transit/keys/pii/rotate", {}), "config": ("POST", "transit/keys/pii/config", {}),
        "export": ("GET", "transit/export/encryption-key/pii", None), "list": ("GET", "transit/keys?list=true", None),
        "data key": ("POST", "transit/datakey/plaintext/pii", {}), "mounts": ("GET", "sys/mounts", None),
        "policy": ("PUT", "sys/policies/acl/x", {"policy": ""}),
        "secret id": ("POST", "auth/approle/role/sealstream-reveal/secret-id", {}),
    }
    allowed = {"protect": {"read", "encrypt"}, "reveal": {"read", "decrypt"},
               "rewrap": {"read", "encrypt", "decrypt", "rewrap"}}
    for role, may in allowed.items():
        holder = token(own_vault, found, role)
        assert {name for name, call in calls.items() if own_vault.ask(*call, token=holder)[0] != 403} == may, role
    assert own_vault.keys() == ["pii"]
    # A key that must not be deleted stands in the way of `destroy`.
    assert "deletion is not allowed" in module.run("destroy", "-auto-approve", ok=(1,)).stderr
    assert own_vault.decrypt("pii", text) == b"x"


def test_vault_policies_are_the_documented_ones(module, own_vault):
    """docs/VAULT.md names the least for each command; the module grants the same."""
    module.run("apply", "-auto-approve", "-input=false")
    assert outputs(module)["secret_ids"] == {}

    def applied(name):
        return rules(own_vault.call("GET", f"sys/policies/acl/sealstream-{name}")["policy"])

    assert applied("protect") == documented("producer")
    assert applied("reveal") == documented("consumer")
    assert applied("rewrap") == documented("rewrap-bound") | documented("rewrap-unbound")
    assert applied("keys") == documented("admin")
    module.run("apply", "-auto-approve", "-input=false", "-var=data_keys=true")
    assert applied("protect").keys() - documented("producer").keys() == {"transit/datakey/plaintext/pii"}


def test_vault_readme(module, own_vault, sealstream, tmp_path):
    """Its block, with the real `vault`, after an apply without secret ids."""
    readme = "deploy/terraform/vault/README.md"
    module.run("apply", "-auto-approve", "-input=false")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "vault").symlink_to(own_vault.program)
    sealstream.run("key", "create", "cards", "--type", "ff1")
    (sealstream.folder / "policy.yaml").write_text(POLICY)
    (sealstream.folder / "purchases.ndjson").write_bytes(RECORD)
    assert blocks(readme)
    environment = {"GODEBUG": "x509negativeserial=1", "SEALSTREAM_KEYRING": sealstream.environment["SEALSTREAM_KEYRING"]}
    run_blocks(readme, sealstream.folder, sealstream.path, tools, own_vault.environment() | environment)
    assert b'"Address":"vault:v1:' in (sealstream.folder / "protected.ndjson").read_bytes()
    assert (sealstream.folder / "secret-id").stat().st_mode & 0o077 == 0


def test_vault_transform_is_planned(module):
    """Transform needs a licence: the plan is checked against the provider's schema, and its rights against the documented ones."""
    module.run("validate")
    module.run("plan", "-input=false", "-var=transform=true", "-out=plan")
    plan = json.loads(module.run("show", "-json", "plan").stdout)
    planned = {change["address"]: change["change"]["after"] for change in plan["resource_changes"]}
    assert planned["vault_mount.transform[0]"]["type"] == "transform"
    assert planned["vault_transform_transformation.creditcard[0]"]["template"] == "builtin/creditcardnumber"
    assert planned["vault_transform_role.payments[0]"]["transformations"] == ["creditcard"]
    granted = (rules(planned['vault_policy.policy["protect"]']["policy"]) |
               rules(planned['vault_policy.policy["reveal"]']["policy"]))
    assert {path: what for path, what in granted.items() if path.startswith("transform/")} == documented("transform")


def test_vault_transform_on_the_double(cache, tmp_path, sealstream):
    """What no free server has is applied to the strict double of Vault Enterprise, and its roles used."""
    with Double(product="vault-enterprise", mounts=()) as server:
        module = Terraform(cache, MODULES / "vault", tmp_path, **server.environment())
        module.run("apply", "-auto-approve", "-input=false", "-var=transform=true")
        found = outputs(module)

        def login(role):
            answer = server.api("POST", f"auth/approle/role/sealstream-{role}/secret-id", {})
            path = sealstream.folder / f"secret-id-{role}"
            path.write_text(answer["data"]["secret_id"])
            path.chmod(0o600)
            return {"VAULT_ADDR": server.address, "SEALSTREAM_VAULT_AUTH": "approle",
                    "SEALSTREAM_VAULT_ROLE": found["role_ids"][role], "SEALSTREAM_VAULT_SECRET_FILE": str(path)}

        (sealstream.folder / "policy.yaml").write_text(TRANSFORM)
        sealed = sealstream.run("protect", "-p", "policy.yaml", input=RECORD, environment=login("protect"))[0]
        assert re.search(rb'"credit_card":"\d{4}-\d{4}-\d{4}-\d{4}"', sealed) and b"4111-1111-1111-1111" not in sealed
        assert sealstream.run("reveal", "-p", "policy.yaml", input=sealed, environment=login("reveal"))[0] == RECORD
        sealstream.run("reveal", "-p", "policy.yaml", input=sealed, environment=login("protect"), exit_code=77)


# ---- Confluent ----

@pytest.fixture
def confluent(cache, tmp_path):
    """The module with the stand-in in the place of both its providers."""
    described = confluent_schema.write(cache, tmp_path / "described.json")
    return Terraform(cache, MODULES / "confluent", tmp_path, STANDIN_SCHEMA=str(described))


@pytest.mark.parametrize("right, wrong, what", [
    (None, None, None),
    ("crn_pattern", "crn_patern", "Unsupported argument"),
    ("partitions_count", "partitions", "Unsupported argument"),
    ('host          = "*"', "", "Missing required argument"),
    ("basic {}", "basics {}", "Unsupported block type"),
    ("confluent_service_account.admin.kind", "confluent_service_account.admin.sort", "Unsupported attribute"),
    ('resource "confluent_kafka_topic"', 'resource "confluent_topic"', "Invalid resource type"),
])
def test_confluent_validates(confluent, right, wrong, what):
    """Names, types and what is required, by the provider's own description; each mistake is seen."""
    if right is None:
        confluent.run("validate")
        return
    changed = 0
    for path in confluent.folder.glob("*.tf"):
        text = path.read_text()
        changed += right in text
        path.write_text(text.replace(right, wrong))
    assert changed
    assert what in confluent.run("validate", ok=(1,)).stderr


def applied_acls(confluent):
    """{account: {(type, name, pattern, operation)}} of the state."""
    state = json.loads(confluent.run("show", "-json").stdout)["values"]["root_module"]["resources"]
    names = {f"User:{resource['values']['id']}": resource["index"] for resource in state
             if resource["address"].startswith("confluent_service_account.account[")}
    found = {name: set() for name in names.values()}
    for resource in state:
        values = resource["values"]
        if resource["type"] == "confluent_kafka_acl":
            assert (values["permission"], values["host"]) == ("ALLOW", "*")
            found[names[values["principal"]]].add(tuple(values[name] for name in ("resource_type", "resource_name", "pattern_type",
                                                                                  "operation")))
    return found


def become(kafka, user, rights):
    """Gives the user of the real Kafka these rights and no others."""
    foreign.allow_nothing(kafka.brokers, f"User:{user}")
    if rights:
        foreign.allow(kafka.brokers, [AclBinding(ResourceType[kind], name, ResourcePatternType[pattern], f"User:{user}", "*",
                                                 AclOperation[operation], AclPermissionType.ALLOW)
                                      for kind, name, pattern, operation in rights])


def test_confluent_files_and_rights(confluent, kafka, sealstream):
    """The settings files as they are written, with the rights as they are granted, carry the first two stories."""
    confluent.run("apply", "-auto-approve", "-input=false", f"-var=folder={sealstream.folder}")
    confluent.run("plan", "-detailed-exitcode", "-input=false", f"-var=folder={sealstream.folder}")
    rights = applied_acls(confluent)
    topics = ["purchases", "purchases_encrypted", "purchases_large_encrypted"]
    # Only what is the cloud's is another: addresses, user, password, authority.
    override = [part for name, value in kafka.tls("alice").items() for part in ("-X", f"{name}={value}")]
    (sealstream.folder / "policy.yaml").write_text(POLICY.replace("vault:transit/pii", "local:pii"))
    (sealstream.folder / "plain.yaml").write_text("version: 1\nmethods: {none: {type: remove}}\n"
                                                  "topics: [{match: purchases, protect: {$.absent: none}}]\n")
    sealstream.run("key", "create", "pii")
    sealstream.run("key", "create", "cards", "--type", "ff1")
    for name in topics:
        foreign.create_topic(kafka.brokers, name, 1)
    try:
        for account, file in (("producer", "producer.ini"), ("encryptor", "getting_started.ini"), ("consumer", "consumer.ini")):
            path = sealstream.folder / file
            assert path.stat().st_mode & 0o777 == 0o600
            assert "s3cr3t/+%==confluent_api_key-" in path.read_text()
        become(kafka, "alice", rights["producer"])
        sealstream.run("produce", "-F", "producer.ini", *override, "-t", "purchases", "-p", "plain.yaml", input=RECORD * 3)
        become(kafka, "alice", rights["encryptor"])
        sealstream.run("pump", "-F", "getting_started.ini", *override, "-p", "policy.yaml", "-e")
        sealstream.run("consume", "-F", "getting_started.ini", *override, "-t", "purchases_encrypted", "-p", "policy.yaml", "-e",
                       exit_code=77)
        become(kafka, "alice", rights["consumer"])
        assert sealstream.run("consume", "-F", "consumer.ini", *override, "-t", "purchases_encrypted", "-p", "policy.yaml",
                              "-e")[0] == RECORD * 3
        sealstream.run("consume", "-F", "consumer.ini", *override, "-t", "purchases", "-p", "policy.yaml", "-e", exit_code=77)
    finally:
        become(kafka, "alice", [])
        foreign.delete_topics(kafka.brokers, topics)
