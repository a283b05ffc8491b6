"""`make demo BROKERS=…`: the same stories on a real cluster; nothing of it stays there."""
import subprocess
import time

from confluent_kafka.admin import AdminClient
from program import ROOT


def topics(kafka):
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    return {name for name in admin.list_topics(timeout=10).topics if not name.startswith("__")}


def test_demo_on_a_real_cluster(kafka, sealstream):
    before = topics(kafka)
    done = subprocess.run(["make", "--no-print-directory", "-s", "demo", f"BROKERS={kafka.brokers}"], cwd=ROOT, timeout=120,
                          env=sealstream.environment, capture_output=True, stdin=subprocess.DEVNULL, text=True)
    assert done.returncode == 0, done.stderr
    assert "\033" not in done.stdout, "colours in a pipe"
    for word in ("purchases", "purchases_encrypted", "vault:v1:", "vault:v2:"):
        assert word in done.stdout, f"the demo does not show {word}"
    deadline = time.monotonic() + 20  # deleting is asynchronous
    while topics(kafka) != before:
        assert time.monotonic() < deadline, f"left behind: {topics(kafka) - before}"
        time.sleep(0.2)
