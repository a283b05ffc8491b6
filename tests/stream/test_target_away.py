"""While the target is away, runs wait, say so once, and go on or give up: nothing is lost, and nothing comes twice."""
import subprocess

import pytest

from broker import Broker, Program, purchase, wait_until

WAITS, GOES_ON = "waiting, and trying again: ", "going on, after "
AWAY = "errors 0 19 10000"  # Produce: NOT_ENOUGH_REPLICAS, which is tried again without end; the broker answers all else


class Logged(Program):
    """Its standard error goes into a file, which can be read while it runs."""

    def start(self, *args, **kwargs):
        self.log = self.directory / "stderr"
        return super().start(*args, stdin=subprocess.PIPE, stderr=self.log.open("w"), **kwargs)

    def produce(self, *args):
        return self.start("produce", "-b", self.broker.address, "-t", "purchases", "--plain", *args)

    def said(self, words):
        return self.log.read_text().count(words)

    def held(self, topic):
        return sorted(e["payload"] for e in self.envelopes(topic, "--plain"))


@pytest.fixture
def program(tmp_path):
    broker = Broker()
    for topic in ("purchases", "purchases_encrypted"):
        broker.tell(f"topic {topic} 2")
    yield Logged(tmp_path, broker)
    broker.stop()


def feed(process, lines):
    process.stdin.write("".join(line + "\n" for line in lines))
    process.stdin.flush()


def lines_of(*numbers):
    return [purchase(n) for n in range(*numbers)]


def test_produce_waits(program):
    """Also when nothing more comes: what was written and is not acknowledged is enough."""
    process = program.produce()
    feed(process, lines_of(10))
    wait_until(lambda: len(program.held("purchases")) == 10)
    program.broker.tell("down")
    feed(process, lines_of(10, 20))
    wait_until(lambda: program.said(WAITS))
    assert f"topic purchases at {program.broker.address}: {WAITS}" in program.log.read_text()
    program.broker.tell("up")
    wait_until(lambda: program.said(GOES_ON))
    process.communicate(timeout=120)
    assert process.returncode == 0 and (program.said(WAITS), program.said(GOES_ON)) == (1, 1), program.log.read_text()
    assert program.held("purchases") == sorted(lines_of(20))


def test_produce_gives_up(program):
    """At the end of its input: the drain is a wait like others."""
    process = program.produce("--retry-for", "2s")
    feed(process, lines_of(10))
    wait_until(lambda: len(program.held("purchases")) == 10)
    program.broker.tell("down")
    process.communicate("".join(line + "\n" for line in lines_of(10, 20)), timeout=120)
    text = program.log.read_text()
    assert process.returncode == 69, text
    assert f"error: topic purchases at {program.broker.address}: given up after " in text and "check the address" in text
    assert (program.said(WAITS), program.said(GOES_ON)) == (1, 0), text
    program.broker.tell("up")
    assert program.held("purchases") == sorted(lines_of(10))


def test_a_pump_gives_up_and_the_next_goes_on(program):
    """The source answers, the target takes nothing and gives no reason: silence is told, too."""
    program.produce_plain("purchases", lines_of(60))
    program.pump("-c", "30")
    program.broker.tell(AWAY)
    process = program.start(*program.pump_args("--retry-for", "2s"))
    process.communicate(timeout=120)
    text = program.log.read_text()
    assert process.returncode == 69, text
    assert f"error: topic purchases_encrypted at {program.broker.address}: given up after " in text
    assert "has acknowledged nothing for " in text and "30 records are unacknowledged" in text
    assert (program.said(WAITS), program.said(GOES_ON)) == (1, 0), text
    program.broker.tell("clear 0")
    assert "30 records in, 30 out" in program.pump("-e").stderr
    revealed = program.envelopes("purchases_encrypted", "-p", "policy.yaml", "--policy-topic", "purchases")
    assert sorted(e["payload"] for e in revealed) == sorted(lines_of(60))
