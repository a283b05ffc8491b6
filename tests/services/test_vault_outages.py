"""What becomes of a stream when its Vault dies, is sealed, revokes the token, cannot write its audit log, or is cut off."""
import contextlib
import signal
import time

import flow
import foreign
import pytest
import vault_flow
from cutting_proxy import FRAMINGS, CuttingProxy

RECORDS = 100_000
DEAD_LETTERS = "on_error: dead_letter\n  dead_letter: {topic: %s, key: pii}"


@pytest.fixture(scope="module")
def lines(program):
    return program.run("sample", "--count", RECORDS, "--seed", "8")[0].splitlines()


class Stream:
    """A pump of all records through `vault`, to be disturbed. The last of them come when that has been done: it meets them for sure."""

    def __init__(self, vault, kafka, topic, sealstream, lines):
        self.vault, self.brokers, self.sealstream, self.lines = vault, kafka.brokers, sealstream, lines
        self.source, self.fed = topic("outage-source", 4), 0
        self.dead, self.protected, self.revealed = topic("outage-dead", 1), topic("outage-protected", 4), topic("outage-revealed", 4)
        vault.mount("transit")
        vault.policy("producer", **vault_flow.rules("transit", "encrypt"))
        vault_flow.prepare(sealstream, vault, "transit", dead_letters=DEAD_LETTERS % self.dead)

    def feed(self, part=1.0):
        """So that this part of the records has been sent, by a foreign client."""
        fed, self.fed = self.fed, int(part * RECORDS)
        foreign.produce(self.brokers, self.source, list(flow.numbered(self.lines))[fed:self.fed])

    def pump(self, environment=None, batch=500, count=RECORDS):
        """For eight seconds at least, so that it is in the middle of its records, mostly, when it is disturbed."""
        slowly = {"VAULT_RATE_LIMIT": "25"} | (environment or self.vault.environment())
        return vault_flow.pump(self.sealstream, self.brokers, self.source, self.protected, slowly, "--vault-batch", batch, count=count)

    @contextlib.contextmanager
    def outage(self, pump, part):
        """What the block does to Vault makes the pump wait; its records go on to come."""
        waits = pump.waits()
        yield
        self.feed(part)
        pump.wait_until_it_waits(waits)

    def check(self):
        """None lost, none twice, each sealed, in order, as it was; and no dead letter."""
        vault_flow.check_all(self.sealstream, self.brokers, self.lines, self.protected, self.revealed, self.vault.environment())
        assert list(foreign.consume(self.brokers, self.dead)) == [], "an outage made dead letters"


@pytest.fixture
def stream(own_vault, kafka, topic, sealstream, lines):
    it = Stream(own_vault, kafka, topic, sealstream, lines)
    it.feed(1 / 3)
    return it


def test_killed_and_started_again(own_vault, stream):
    """kill -9, twice, in the middle of 100,000 records."""
    with stream.pump() as pump:
        for part in (1, 2):
            pump.wait_until_written(part * RECORDS // 4)
            with stream.outage(pump, (part + 1) / 3):
                own_vault.kill()
            own_vault.start()
        said = pump.end()
    assert own_vault.address in said and own_vault.token not in said
    stream.check()


def test_sealed_and_unsealed(own_vault, stream):
    with stream.pump() as pump:
        pump.wait_until_written(RECORDS // 4)
        with stream.outage(pump, 1):
            own_vault.seal()
        own_vault.unseal()
        assert "sealed" in pump.end()
    stream.check()


def test_comes_back_sealed(own_vault, stream):
    """Killed, started, sealed as it starts, unsealed by hand: the usual morning."""
    with stream.pump() as pump:
        pump.wait_until_written(RECORDS // 4)
        with stream.outage(pump, 1):
            own_vault.kill()
            own_vault.start(unseal=False)
        own_vault.unseal()
        pump.end()
    stream.check()


def test_token_revoked(own_vault, stream, sealstream):
    """A program that can log in anew does so."""
    with stream.pump(vault_flow.by_approle(own_vault, sealstream, "revoked", "producer")) as pump:
        for part in (1, 2):
            pump.wait_until_written(part * RECORDS // 4)
            own_vault.revoke_logins()
            stream.feed((part + 1) / 3)
        pump.end()
    assert own_vault.audited("auth/approle/login") >= 2
    stream.check()


def test_token_revoked_and_no_other(own_vault, stream):
    """A bare token cannot be made anew: the pump ends, says so, and the next run goes on where it was."""
    token = own_vault.make_token("producer")
    with stream.pump(own_vault.environment(token)) as pump:
        pump.wait_until_written(RECORDS // 4)
        own_vault.revoke(token)
        stream.feed()
        said = pump.end(exit_code=77)
    assert own_vault.address in said and token not in said
    with stream.pump(own_vault.environment(own_vault.make_token("producer")), count=None) as pump:
        pump.end()
    stream.check()


def test_short_lived_tokens(own_vault, stream, sealstream):
    """Renewed while that helps, made anew when it does not."""
    environment = vault_flow.by_approle(own_vault, sealstream, "short", "producer", ttl="3s", max_ttl="7s")
    stream.feed()
    with stream.pump(environment, batch=250) as pump:
        pump.end()
    assert own_vault.audited("auth/token/renew-self") >= 2
    assert own_vault.audited("auth/approle/login") >= 3
    stream.check()


def test_audit_disk_full(own_vault, stream):
    """Vault refuses every request that it cannot write down."""
    log = own_vault.folder / "audit-link.log"
    (own_vault.folder / "room.log").touch(mode=0o666)
    log.symlink_to("room.log")
    own_vault.audit(log, "link", mode="0666")
    own_vault.no_audit()

    def lead_to(path):
        """The audit device's file is another one; SIGHUP makes Vault open it anew."""
        (own_vault.folder / "next").symlink_to(path)
        (own_vault.folder / "next").rename(log)
        own_vault.process.send_signal(signal.SIGHUP)

    with stream.pump() as pump:
        pump.wait_until_written(RECORDS // 4)
        with stream.outage(pump, 1):
            lead_to("/dev/full")
            deadline = time.monotonic() + 120
            while own_vault.ask("GET", "transit/keys/pii")[0] == 200:
                assert time.monotonic() < deadline, "Vault works without its audit log"
                time.sleep(0.05)
        lead_to("room.log")
        pump.end()
    stream.check()


@pytest.mark.parametrize("framing, reset", [*((framing, False) for framing in FRAMINGS), ("length", True)])
def test_answers_cut_at_each_byte(own_vault, sealstream, framing, reset):
    """Each is asked for again; never is a part taken for the whole."""
    own_vault.mount("transit")
    vault_flow.prepare(sealstream, own_vault, "transit")
    # Long records make many lots, so that four workers share what is mostly waiting.
    sample, _ = sealstream.run("sample", "--count", "1600")
    lines = b"".join(line[:-1] + b',"note":"%s"}\n' % (b"x" * 1000) for line in sample.splitlines())
    with CuttingProxy(own_vault, "transit/encrypt/pii", framing, reset) as proxy:
        environment = own_vault.environment() | {"VAULT_ADDR": proxy.address}
        protected, _ = sealstream.run("protect", "-p", "policy.yaml", "-t", "t", "--vault-batch", "2", "--vault-connections", "1",
                                      "-j", "4", input=lines, environment=environment, timeout=300)
        assert proxy.done, f"only {proxy.cuts} bytes were cut at"
    print(f"{proxy.cuts} cuts")
    assert sealstream.run("reveal", "-p", "policy.yaml", "-t", "t", input=protected, environment=own_vault.environment())[0] == lines
