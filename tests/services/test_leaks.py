"""Does a secret show where it has no place? Everything runs with all there is to say, and then all of it is searched.

Secrets are canaries: keys, passwords, tokens, and values of records, fields that no rule names among them (names of fields are
told). They may be in the files that the test gave them in, in what was asked to be revealed, and in the plain topic; nowhere else:
not in logs, errors, audit trails, metrics, command lines, environments, temporary files, cores, nor what protected topics hold.
"""
import base64
import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import foreign
import pytest
from audit_trail import read
from login_flow import grant
from token_server import TokenServer

VALUES = {  # in records and files
    "address": "Kanarienvogelstrasse 4711", "card": "4539-5787-6362-1486", "unnamed": "Zeisig-ohne-Regel-0815",
    "key": "Stieglitz-als-Schluessel-12", "header": "Girlitz-im-Kopf-einer-Nachricht", "bad": "Dompfaff{in kaputtem JSON",
    "file": "Rotkehlchen in einer Datei "}
SECRETS = {  # that are given in files
    "material": "Geheim-Schluessel-Material-32-by", "master": "Meister-Schluessel-von-32-Bytes!", "client": "s3cret/of+the~leaking~pump",
    "other client": "s3cret/that~is~not~theirs"}
LISTENING = re.compile(r"listening at http://(\S+): ")
POLICY = """version: 1
namespace: leaks
keys: {{pii: "vault:{transit}/pii", wraps: "vault:{transit}/pii", cards: "local:cards", mine: "local:mine", log: "local:log"}}
stores: {{main: "sqlite:{folder}/tokens.db"}}
topics:
- match: "*"
  on_error: dead_letter
  dead_letter: {{topic: {dead}, key: mine}}
  protect:
    $.Address: {{type: encrypt, key: pii}}
    $.credit_card: {{type: fpe, key: cards, alphabet: digits}}
    $.note: {{type: envelope, key: wraps}}
    $.mine: {{type: encrypt, key: mine}}
    $.token: {{type: token, key: mine, store: main}}
    $.hash: {{type: hash, key: log}}
"""


def forms(secret):
    """How bytes may look in a text: as they are, in JSON, URLs, hex, and base64 at each place."""
    raw = secret.encode()
    yield secret
    yield json.dumps(secret)[1:-1]
    yield urllib.parse.quote(secret, safe="")
    yield raw.hex()
    yield raw.hex().upper()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw)[4 if before else 0:-4].decode()
        yield text
        yield text.replace("+", "-").replace("/", "_")


class Hunt:
    """All that must not show, and where it did."""

    def __init__(self):
        self.secrets = {**VALUES, **SECRETS}
        self.found = []

    def search(self, where, data):
        data = data if isinstance(data, bytes) else data.encode()
        for name, secret in self.secrets.items():
            for form in set(forms(secret)):
                if form.encode() in data:
                    at = data.index(form.encode())
                    self.found.append(f"{name} as {form[:6]}… in {where}: {data[max(0, at - 80):at]!r}")

    def search_folder(self, folder, but=()):
        for path in folder.rglob("*"):
            if path.is_file() and not any(path == one or one in path.parents for one in but):
                with contextlib.suppress(FileNotFoundError):  # a program at work has taken it away
                    self.search(path, path.read_bytes())


def test_canaries_can_be_found():
    hunt = Hunt()
    for form in forms(SECRETS["client"]):
        hunt.found.clear()
        hunt.search("here", f"x{form}y")
        assert [line.partition(" as ")[0] for line in hunt.found] == ["client"], form
    for n in range(3):
        hunt.found.clear()
        hunt.search("here", base64.b64encode(b"abc"[:n] + SECRETS["material"].encode() + b"tail"))
        assert len(hunt.found) == 1
    hunt.found.clear()
    hunt.search("here", "nothing of it")
    assert not hunt.found


class Stage:
    """The program with secrets of all kinds, each in a file of its own, and everything it says kept in logs/."""

    def __init__(self, sealstream, kafka, vault, transit, topic):
        self.sealstream, self.kafka, self.vault = sealstream, kafka, vault
        self.folder = sealstream.folder
        self.hunt = Hunt()
        self.plain, self.protected, self.rewrapped, self.dead, self.files = (
            topic(name, 2) for name in ("plain", "protected", "rewrapped", "dead", "files"))
        self.given = [self.folder / "given", self.folder / "revealed"]
        for name in ("given", "revealed", "logs", "tmp", "work", "state"):
            (self.folder / name).mkdir()
        vault.key("pii", transit)
        vault.policy(transit, **{f"{transit}/*": ["create", "read", "update"]})
        token = vault.make_token(transit)
        self.hunt.secrets["token"] = token
        self.tokens = TokenServer(kafka.signing_key, kafka.folder, {"leaking": SECRETS["client"]})
        grant(kafka, "leaking", self.plain, self.protected, self.rewrapped, self.dead, self.files)
        for name, text in (("token", token), ("master", SECRETS["master"]), ("material", SECRETS["material"])):
            self.give(name, text)
        self.give("client.ini", self.settings(SECRETS["client"]))
        self.give("wrong.ini", self.settings(SECRETS["other client"]))
        self.logs = 0
        sealstream.environment |= vault.environment("") | {
            "SEALSTREAM_VAULT_TOKEN_FILE": str(self.folder / "given" / "token"), "TMPDIR": str(self.folder / "tmp"),
            "SEALSTREAM_MASTER_KEY_FILE": str(self.folder / "given" / "master"), "SEALSTREAM_LOG_LEVEL": "debug",
            "SEALSTREAM_AUDIT": str(self.folder / "logs" / "audit.log"), "SEALSTREAM_POLICY": str(self.folder / "policy.yaml"),
            "SEALSTREAM_COMMAND_CONFIG": str(self.folder / "given" / "client.ini")}
        sealstream.environment.pop("VAULT_TOKEN", None)
        (self.folder / "policy.yaml").write_text(POLICY.format(transit=transit, dead=self.dead, folder=self.folder))

    def give(self, name, content):
        path = self.folder / "given" / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o600)
        return path

    def settings(self, secret):
        properties = self.kafka.oauth(self.tokens, "leaking", secret) | {"debug": "all"}
        return "".join(f"{name}={value}\n" for name, value in properties.items())

    def log(self, text):
        self.logs += 1
        (self.folder / "logs" / f"{self.logs}.log").write_bytes(text if isinstance(text, bytes) else text.encode())

    def run(self, *arguments, input=None, shows=False, exit_code=0):
        """Each time in another form of log. Standard output is searched, too, unless it is what was asked for."""
        more = {"SEALSTREAM_LOG_FORMAT": "json" if self.logs % 2 else "text"}
        out, err = self.sealstream.run(*arguments, input=input, exit_code=exit_code, environment=more)
        self.log(err)
        if not shows:
            self.log(out)
        return out

    def look_at(self, process):
        """A process at work: what others can see of it, and what its files hold."""
        for name in ("cmdline", "environ", "status", "maps", "limits"):
            self.hunt.search(f"/proc/PID/{name}", pathlib.Path(f"/proc/{process.pid}/{name}").read_bytes())
        for link in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                target = os.readlink(link)
                if target.endswith(" (deleted)"):
                    self.hunt.search(f"a file without a name: {target}", link.read_bytes())
        self.hunt.search_folder(self.folder, self.given)

    def start(self, *arguments, environment=None, **options):
        path = self.folder / "logs" / f"running-{self.logs}.log"
        self.logs += 1

        def any_core():
            resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        with open(path, "wb") as log:
            process = subprocess.Popen([self.sealstream.path, *map(str, arguments)], cwd=self.folder / "work", stderr=log,
                                       stdin=subprocess.DEVNULL, env=self.sealstream.environment | (environment or {}),
                                       stdout=subprocess.DEVNULL, preexec_fn=any_core, **options)
        return process, path

    def finish(self):
        """Everything that was said and written."""
        for token in self.tokens.tokens:
            self.hunt.secrets[f"access token {len(self.hunt.secrets)}"] = token.split(".")[2]
        self.hunt.search_folder(self.folder, self.given)
        assert not self.hunt.found, "\n".join(self.hunt.found[:20])


@pytest.fixture
def stage(sealstream, kafka, vault, transit, topic):
    it = Stage(sealstream, kafka, vault, transit, topic)
    it.run("key", "create", "cards", "--type", "ff1")
    it.run("key", "create", "log", "--type", "hmac")
    it.run("key", "import", "mine", "--type", "aes256-gcm96", "--material", it.folder / "given" / "material")
    yield it
    it.tokens.stop()


def records(n):
    return [{"n": i, "Address": f"{VALUES['address']} {i}", "credit_card": VALUES["card"], "note": {"a": [VALUES["address"]]},
             "mine": VALUES["address"], "token": VALUES["address"], "hash": VALUES["card"], "other": VALUES["unnamed"]}
            for i in range(n)]


def lines(found):
    return b"".join(json.dumps(one).encode() + b"\n" for one in found)


def bad_lines():
    """Records that fail, each for a reason of its own, which is told."""
    good = records(1)[0]
    return (VALUES["bad"].encode() + b"\n" + json.dumps(good)[:-5].encode() + b"\n" +
            lines([good | {"credit_card": VALUES["address"]}, good | {"Address": "vault:v1:" + VALUES["address"]},
                   good | {"credit_card": {"name": VALUES["address"]}}]) +
            json.dumps(good).encode().replace(b"Kanarien", b"\xff\xfeKanarien") + b"\n")


def wait_for(condition, seconds=300):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_files_and_commands(stage):
    plain = stage.give("in.ndjson", lines(records(20)))
    bad = stage.give("bad.ndjson", bad_lines())
    stage.run("protect", plain, "-o", "protected.ndjson")
    stage.run("protect", bad, "-o", "nothing.ndjson", exit_code=1)
    stage.run("protect", "--fail-fast", bad, exit_code=65)
    protected = (stage.folder / "protected.ndjson").read_bytes().replace(VALUES["unnamed"].encode(), b"gone")
    (stage.folder / "protected.ndjson").unlink()
    stage.hunt.search("what protect wrote", protected)
    path = stage.folder / "sealed.ndjson"
    path.write_bytes(protected)
    stage.run("reveal", path, "-o", "revealed/out.ndjson")
    assert VALUES["address"].encode() in (stage.folder / "revealed" / "out.ndjson").read_bytes()
    for command in (["verify", path], ["inspect", path], ["inspect", plain], ["scan", plain], ["scan", "--json", plain],
                    ["rewrap", path, "-o", "rewrapped.ndjson"]):
        stage.run(*command)
    for form in ("text", "json", "html"):
        stage.run("verify", "--report", form, bad, exit_code=1)
    changed = protected.replace(b"vault:v1:", b"vault:v1:AAAA").replace(b"seal:t1:", b"seal:t1:AAAA")
    stage.run("reveal", input=changed, exit_code=1)
    for command in (["policy", "lint", "policy.yaml"], ["policy", "explain", "policy.yaml"], ["policy", "test", "policy.yaml"],
                    ["key", "list"], ["key", "show", "mine"], ["key", "rotate", "mine"], ["token", "stats"], ["doctor"],
                    ["store", "check", "-p", "policy.yaml"], ["audit", "verify", stage.folder / "logs" / "audit.log"]):
        stage.run(*command)
    token = json.loads(protected.splitlines()[0])["token"]
    stage.run("token", "lookup", token, shows=True)
    sealed = stage.give("secret.txt", VALUES["file"] * 10000)
    stage.run("file", "protect", "--key", "local:mine", sealed, "-o", "secret.seal")
    stage.run("file", "reveal", "--key", "local:mine", "secret.seal", "-o", "revealed/secret.txt")
    stage.run("file", "reveal", "--key", "local:mine", sealed, "-o", "-", exit_code=65)
    stage.finish()


def test_secrets_that_are_wrong_are_not_told(stage):
    """What is refused is named by where it stands, never shown."""
    where = stage.folder / "given"
    arguments = ["produce", "-t", stage.protected, "-p", stage.folder / "policy.yaml", where / "in.ndjson"]
    stage.give("in.ndjson", lines(records(2)))
    stage.run(*arguments, "-F", where / "wrong.ini", "--connect-timeout", "60s", exit_code=77)
    for text in (f"sasl.oauthbearer.client.secert={SECRETS['client']}\n", f"{SECRETS['client']}\n", f"ssl.key.password {SECRETS['client']}\n",
                 f"sasl.jaas.config=org.apache.kafka.Login required password=\"{SECRETS['client']}\n",
                 f"security.protocol=SSL\nssl.key.pem={SECRETS['client']}\n", f"sasl.username=me\nsasl.password={SECRETS['client']}\nsasl.mechanism=PLAIN\n"
                 f"ssl.key.password={SECRETS['client']}\nsecurity.protocol=SASL_SSL\n"):
        stage.run(*arguments, "-F", stage.give("broken.ini", text + "bootstrap.servers=127.0.0.1:1\n"), "--connect-timeout", "1s",
                  exit_code=None)
    for name, text in (("SEALSTREAM_VAULT_TOKEN_FILE", SECRETS["client"]), ("SEALSTREAM_VAULT_TOKEN_FILE", SECRETS["client"] + "\nx\n"),
                       ("SEALSTREAM_MASTER_KEY_FILE", SECRETS["client"]), ("SEALSTREAM_MASTER_KEY_FILE", SECRETS["material"]),
                       ("SEALSTREAM_PASSPHRASE_FILE", SECRETS["client"])):
        kept = dict(stage.sealstream.environment)
        stage.sealstream.environment[name] = str(stage.give("wrong", text))
        stage.run("protect", where / "in.ndjson", exit_code=None)
        stage.sealstream.environment = kept
    stage.finish()


def test_streams_at_work(stage):
    """A pump exactly once with dead letters, watched, reloaded and asked for progress; then all other streams."""
    more = {"key": VALUES["key"].encode(), "headers": [("trace", VALUES["header"].encode())]}
    good = [more | {"value": json.dumps(one).encode()} for one in records(200)]
    bad = [more | {"value": line} for line in bad_lines().splitlines()]
    foreign.produce(stage.kafka.brokers, stage.plain, good[:100] + bad)
    arguments = ["pump", "--from", stage.plain, "--to", stage.protected, "--policy-topic", "any", "--listen", "127.0.0.1:0",
                 "--audit-interval", "50ms", "-j", "2"]
    pump, log = stage.start(*arguments)
    try:
        wait_for(lambda: LISTENING.search(log.read_text(errors="replace")) or pump.poll() is not None)
        address = LISTENING.search(log.read_text(errors="replace")).group(1)
        wait_for(lambda: any(event["event"] == "use" for event in read(stage.folder / "logs" / "audit.log")))
        pump.send_signal(signal.SIGUSR1)
        pump.send_signal(signal.SIGHUP)
        wait_for(lambda: any(event["event"] == "reload" for event in read(stage.folder / "logs" / "audit.log")))
        foreign.produce(stage.kafka.brokers, stage.plain, good[100:])
        wait_for(lambda: sum(1 for _ in foreign.consume(stage.kafka.brokers, stage.protected)) == len(good))
        for path in ("metrics", "readyz?verbose", "livez", "startupz", "nothing"):
            try:
                with urllib.request.urlopen(f"http://{address}/{path}", timeout=30) as answer:
                    stage.hunt.search(f"/{path}", answer.read())
            except urllib.error.HTTPError as answer:
                stage.hunt.search(f"/{path}", answer.read())
        stage.look_at(pump)
        # an attempt at a core, which the test has allowed as far as it can
        pump.send_signal(signal.SIGSEGV)
        _, status = os.waitpid(pump.pid, 0)
        pump.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status)
        assert not list((stage.folder / "work").iterdir())
    finally:
        if pump.returncode is None:
            pump.kill()
            pump.wait()
    assert log.read_bytes().count(b"debug: librdkafka") > 100  # all that there is to say, indeed
    for name in (stage.protected, stage.dead):
        found = list(foreign.consume(stage.kafka.brokers, name))
        assert len(found) == (len(good) if name == stage.protected else len(bad))
        for message in found:
            # what no rule names passes in clear
            value = message.value() if name == stage.dead else message.value().replace(VALUES["unnamed"].encode(), b"")
            stage.hunt.search(f"the topic {name}", value)
    stage.run("rewrap", "--from", stage.protected, "--to", stage.rewrapped, "--policy-topic", "any", "-e")
    out = stage.run("consume", "-t", stage.rewrapped, "--policy-topic", "any", "-e", "-J", shows=True)
    assert VALUES["address"].encode() in out and len(out.splitlines()) == len(good)
    stage.run("consume", "-t", stage.dead, "--policy-topic", stage.dead, "-e", shows=True)
    stage.run("verify", "-t", stage.protected, "--policy-topic", "any")
    stage.run("scan", "-t", stage.plain, exit_code=None)
    send = stage.folder / "given" / "out"
    send.mkdir()
    (send / "one.txt").write_text(VALUES["file"] * 50000)
    stage.run("file", "send", "-t", stage.files, "--key", "local:mine", "--from", send, "--state", stage.folder / "state", "--once",
              "--hide-names", "--progress", "json")
    stage.run("file", "receive", "-t", stage.files, "--key", "local:mine", "--to", stage.folder / "revealed" / "in", "-e",
              "--progress", "lines")
    assert (stage.folder / "revealed" / "in" / "one.txt").read_text() == VALUES["file"] * 50000
    stage.finish()


def test_a_core_of_something_else_would_be_found(tmp_path):
    """The attempt above can succeed: a program that does not refuse it leaves a core where cores are files."""
    if not pathlib.Path("/proc/sys/kernel/core_pattern").read_text().startswith("core"):
        pytest.skip("cores of this machine go elsewhere")
    process = subprocess.Popen(["sleep", "60"], cwd=tmp_path, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
    process.send_signal(signal.SIGSEGV)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -os.WTERMSIG(status)
    assert os.WCOREDUMP(status) and list(tmp_path.iterdir())
