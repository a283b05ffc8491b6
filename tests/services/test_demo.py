"""`make demo BROKERS=… VAULT_ADDR=…`: the same stories on a real cluster and a real Vault; nothing of it stays there."""
import subprocess
import time

from confluent_kafka.admin import AdminClient
from program import ROOT


def topics(kafka):
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    return {name for name in admin.list_topics(timeout=60).topics if not name.startswith("__")}


def test_demo_on_a_real_cluster(kafka, sealstream):
    before = topics(kafka)
    done = subprocess.run(["make", "--no-print-directory", "-s", "demo", f"BROKERS={kafka.brokers}"], cwd=ROOT, timeout=240,
                          env=sealstream.environment, capture_output=True, stdin=subprocess.DEVNULL, text=True)
    assert done.returncode == 0, done.stderr
    assert "\033" not in done.stdout, "colours in a pipe"
    for word in ("purchases", "purchases_encrypted", "purchases_large_encrypted", "vault:v1:", "vault:v2:", "all 3 files arrived whole"):
        assert word in done.stdout, f"the demo does not show {word}"
    deadline = time.monotonic() + 120  # deleting is asynchronous
    while topics(kafka) - before:
        assert time.monotonic() < deadline, f"left behind: {topics(kafka) - before}"
        time.sleep(0.2)


def test_demo_on_a_real_vault(kafka, dev_vault, sealstream):
    """A fresh dev server: what the demo needs there it makes, and takes away. The token is in no command line but make's own."""
    before = topics(kafka)
    done = subprocess.run(["make", "--no-print-directory", "demo", f"BROKERS={kafka.brokers}", f"VAULT_ADDR={dev_vault.address}"],
                          cwd=ROOT, timeout=240, env=sealstream.environment | {"VAULT_TOKEN": dev_vault.token},
                          capture_output=True, stdin=subprocess.DEVNULL, text=True)
    assert done.returncode == 0, done.stderr
    for words in (f"Enabled Transit at transit/ of {dev_vault.address}.", "pii:   vault:transit/pii",
                  "all 6 records came back byte for byte", "--key vault:transit/files", "all 3 files arrived whole",
                  "Removed the key vault:transit/pii.", "Removed the key vault:transit/files.", "Disabled Transit at transit/ again."):
        assert words in done.stdout, done.stdout
    assert "transit/" not in dev_vault.call("GET", "sys/mounts")
    deadline = time.monotonic() + 120
    while topics(kafka) - before:
        assert time.monotonic() < deadline, f"left behind: {topics(kafka) - before}"
        time.sleep(0.2)
