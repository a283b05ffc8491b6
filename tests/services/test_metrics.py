"""Metrics of a pump on a real broker, as Prometheus reads them; alert rules and the dashboard's queries."""
import json
import pathlib
import re
import subprocess
import time
import urllib.request

import foreign
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "deploy/grafana"
DOCUMENTED = set(re.findall(r"`(sealstream_\w+)`", (ROOT / "docs/METRICS.md").read_text(encoding="utf-8")))
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def promtool(*args, stdin=None):
    done = subprocess.run(["promtool", *args], input=stdin, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def queries():
    board = json.loads((GRAFANA / "dashboard.json").read_text(encoding="utf-8"))
    return [target["expr"].replace("$__rate_interval", "5m") for panel in board["panels"] for target in panel["targets"]]


def names_in(text):
    return {SUFFIX.sub("", name) for name in re.findall(r"\bsealstream_\w+", text)}


def test_alert_rules_do_what_they_say():
    assert "10 rules found" in promtool("check", "rules", str(GRAFANA / "alerts.yaml"))
    promtool("test", "rules", str(GRAFANA / "alerts_test.yaml"))


def test_queries_of_the_dashboard_are_queries(tmp_path):
    rules = [{"record": f"panel:{n}", "expr": query} for n, query in enumerate(queries())]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(tmp_path / "rules.yaml"))


def test_rules_and_dashboard_name_what_is_documented():
    alerts = (GRAFANA / "alerts.yaml").read_text(encoding="utf-8")
    assert names_in(alerts) and names_in(alerts) <= DOCUMENTED
    assert names_in(" ".join(queries())) <= DOCUMENTED


POLICY = """version: 1
namespace: tests
keys: {{pii: "vault:{mount}/pii"}}
topics:
- match: /purchases-.*/
  protect:
    $.Address: {{type: encrypt, key: pii}}
    $.note: {{type: envelope, key: pii}}
"""


@pytest.fixture
def pump(kafka, vault, transit, sealstream, topic):
    source, target = topic("purchases"), topic("purchases_encrypted")
    vault.key("pii", transit)
    (sealstream.folder / "policy.yaml").write_text(POLICY.format(mount=transit), encoding="utf-8")
    log = sealstream.folder / "pump.log"
    with open(log, "wb") as out:
        process = sealstream.start("pump", "-b", kafka.brokers, "--from", source, "--to", target, "-p", "policy.yaml",
                                   "--policy-topic", "purchases-x", "--listen", "127.0.0.1:0",
                                   environment=vault.environment(), stdin=subprocess.DEVNULL, stderr=out)

    def page(path="/metrics"):
        found = re.search(r"http://(127\.0\.0\.1:\d+)", log.read_text(encoding="utf-8"))
        assert process.poll() is None, log.read_text(encoding="utf-8")
        if found is None:
            return ""
        with urllib.request.urlopen(f"http://{found[1]}{path}", timeout=60) as answer:
            return answer.read().decode()

    yield source, page
    process.terminate()
    assert process.wait(180) == 143, log.read_text(encoding="utf-8")


def until(condition):
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_metrics_of_a_pump_on_real_services(kafka, pump):
    """What Prometheus' own tool finds nothing to say about, and every name of the manual."""
    source, page = pump
    foreign.produce(kafka.brokers, source,
                    [(b"%d" % n, json.dumps({"Address": f"{n} High St", "note": "x"}).encode()) for n in range(500)])
    lag = [f'sealstream_consumer_lag_records{{topic="{source}",partition="{n}"}} 0\n' for n in (0, 1)]
    done = f'sealstream_records_total{{topic="{source}",outcome="protected"}} 500\n'
    committed = re.compile(r'^sealstream_transactions_total\{outcome="committed"\} [1-9]', re.M)
    until(lambda: all(line in (text := page()) for line in (done, *lag)) and committed.search(text))
    text = page()
    assert promtool("check", "metrics", stdin=text) == ""
    served = set(re.findall(r"^# TYPE (sealstream_\w+)", text, re.M))
    assert served == {name for name in DOCUMENTED if not name.startswith("sealstream_file")}
    numbers = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(numbers['sealstream_transactions_total{outcome="committed"}']) >= 1
    assert float(numbers['sealstream_transactions_total{outcome="aborted"}']) == 0
    assert float(numbers['sealstream_key_requests_total{operation="encrypt",outcome="success"}']) >= 1
    assert float(numbers['sealstream_key_requests_total{operation="datakey",outcome="success"}']) == 1
    assert float(numbers['sealstream_key_request_duration_seconds_count{operation="encrypt"}']) >= 1
    assert float(numbers['sealstream_key_request_duration_seconds_sum{operation="encrypt"}']) > 0
    assert 0 <= float(numbers['sealstream_key_age_seconds{key="pii"}']) < 3600
    assert page("/readyz") == "ok\n"
