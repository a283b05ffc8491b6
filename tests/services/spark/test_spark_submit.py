"""The commands of docs/SPARK.md that start bindings/spark/examples/kafka_to_kafka.py, as they stand there."""
import json
import subprocess

import foreign
import pytest
import spark_installs
import spark_kit
from doc_examples import blocks
from package_kit import POLICY
from program import ROOT
from spark_records import MARK, check_sealed, line, materials

WITH_KEYRING, WITH_VAULT = (code for code in blocks("SPARK.md", "sh") if "spark-submit" in code)
VAULT_POLICY = """version: 1
keys: {{pii: "vault:{}/pii"}}
topics: [{{match: purchases, protect: {{$.Address: {{type: encrypt, key: pii, bind: none}}}}}}]
"""


@pytest.fixture
def submit(kafka, topics_of_docs, home, tmp_path):
    """submit(command, replaced, conf): runs a command, with other names in it, to where the topic ends now."""
    common = {"spark.master": spark_kit.MASTER, "spark.jars.ivy": spark_installs.ivy(),
              "spark.executorEnv.PYTHONPATH": spark_kit.PACKAGE}
    names = {"localhost:9092": kafka.brokers, "/srv/checkpoints/purchases": tmp_path / "checkpoint",
             "bindings/spark/examples": ROOT / "bindings" / "spark" / "examples"}

    def run(command, replaced, conf=None):
        options = (f"--conf {name}={value}" for name, value in (common | (conf or {})).items())
        for old, new in (names | {"spark-submit": " ".join(["spark-submit", *options])} | replaced).items():
            assert old in command
            command = command.replace(old, str(new))
        command = command.rstrip() + " --once"
        return subprocess.run(["bash", "-euc", command], capture_output=True, text=True, timeout=900, cwd=tmp_path,
                              env=spark_kit.environment(home) | {"PYTHONPATH": spark_kit.PACKAGE})

    return run


def told(done):
    """The lines of our own; Spark puts a script's two outputs together."""
    return [text for text in done.stdout.splitlines() if text.startswith("kafka_to_kafka: ")]


def test_with_a_keyring(submit, kafka, topics_of_docs, shop, tmp_path):
    """And what is said when there are no keys: one line of ours at the end. Where keys have rules these count, too."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    source, target = topics_of_docs
    foreign.produce(kafka.brokers, source, [(b"1", line(1))])
    for keyring, code in (("/nowhere", 1), (shop, 0)):
        done = submit(WITH_KEYRING, {"/srv/sealstream/keyring": keyring})
        assert done.returncode == code and len(told(done)) == code, done.stderr[-3000:]
        assert all("no keyring at /nowhere" in text for text in told(done)), told(done)
    made, = foreign.consume(kafka.brokers, target)
    check_sealed(materials(shop), 1, made.value())
    assert made.key() == b"1"

    dead = "  dead_letter: {topic: purchases_dead, key: pii}\n"
    (tmp_path / "policy.yaml").write_text(POLICY.replace(dead, f"{dead}  key: {{type: deterministic, key: join}}\n"))
    foreign.produce(kafka.brokers, source, [(b"2", line(2))])
    done = submit(WITH_KEYRING, {"/srv/sealstream/keyring": shop})
    assert done.returncode == 0, done.stderr[-3000:]
    assert sorted(message.key()[:9] for message in foreign.consume(kafka.brokers, target)) == [b"1", b"vault:v1:"]
    done = submit(WITH_KEYRING, {"/srv/sealstream/keyring": shop, "--source purchases": "--source nothing"})
    assert done.returncode == 1 and "no entry of 'topics' matches topic 'nothing'" in told(done)[0], done.stderr[-3000:]


def test_with_vault(submit, kafka, topics_of_docs, vault, transit, tmp_path):
    """The executors read their token from a file; the driver has none. A token that is none is told of in one line."""
    vault.key("pii", transit)
    (tmp_path / "policy.yaml").write_text(VAULT_POLICY.format(transit))
    token = tmp_path / "token"
    token.touch(0o600)
    source, target = topics_of_docs
    foreign.produce(kafka.brokers, source, [(b"1", line(1))])
    for secret, code in (("hvs.wrong", 1), (vault.token, 0)):
        token.write_text(secret)
        done = submit(WITH_VAULT, {"/run/secrets/vault-token": token, "$VAULT_ADDR": vault.address},
                      {"spark.executorEnv.VAULT_CACERT": vault.ca} if vault.ca else None)
        assert done.returncode == code and len(told(done)) == code, done.stderr[-3000:]
        assert all("the token of " in text and "give a new one" in text for text in told(done)), told(done)
    made, = foreign.consume(kafka.brokers, target)
    assert vault.decrypt("pii", json.loads(made.value())["Address"], transit).decode() == f"1 {MARK}"
    assert vault.token not in done.stdout + done.stderr and MARK not in done.stdout + done.stderr
