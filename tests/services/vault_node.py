"""Vault for tests: a client that knows nothing of sealstream, and servers of our own on 127.0.0.1.

    Vault       what a test needs of any server: mounts, keys, policies, tokens, ways to log in
    VaultNode   one of our own as in production: TLS, storage on disk, sealed at start, an audit device; may be killed
    DevVault    `vault server -dev`: plain HTTP, in memory, token "root"
"""
import base64
import contextlib
import json
import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import vault_build
from kafka_node import die_with_parent, make_certificates
from ports import free_ports

CONFIG = """
storage "{storage}" {{
  path = "{folder}/data"
  {storage_more}
}}
listener "tcp" {{
  address            = "127.0.0.1:{port}"
  tls_cert_file      = "{folder}/server.crt"
  tls_key_file       = "{folder}/server.key"
  tls_client_ca_file = "{folder}/ca.pem"
}}
api_addr      = "https://127.0.0.1:{port}"
cluster_addr  = "https://127.0.0.1:{cluster}"
disable_mlock = true
log_level     = "warn"
"""


class VaultError(Exception):
    """An answer that was not asked for."""

    def __init__(self, status, body, request):
        super().__init__(f"{request}: {status} {body[:500]!r}")
        self.status, self.body = status, body


class Vault:
    """A server at `address`; `ca` is the file with its authority, None for plain HTTP."""

    def __init__(self, address, token, ca=None):
        self.address, self.token, self.ca = address, token, ca

    def _context(self):
        return ssl.create_default_context(cafile=self.ca) if self.address.startswith("https:") else None

    def ask(self, method, path, body=None, token=None, timeout=60, headers=None):
        """(status, answer): the answer's JSON, None when there is none. Raises OSError when nobody answers."""
        headers = {"X-Vault-Request": "true"} | (headers or {})
        if token != "":
            headers["X-Vault-Token"] = token or self.token or ""
        request = urllib.request.Request(f"{self.address}/v1/{path}", method=method, headers=headers,
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=timeout, context=self._context()) as answer:
                status, raw = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, raw = error.code, error.read()
        return status, json.loads(raw) if raw else None

    def call(self, method, path, body=None, token=None):
        """The answer to a request that must succeed: its `data`, or all of it when there is none."""
        status, answer = self.ask(method, path, body, token)
        if status not in (200, 204):
            raise VaultError(status, json.dumps(answer), f"{method} {path}")
        return (answer or {}).get("data") or answer or {}

    def wrapped(self, method, path, body=None, ttl="60s"):
        """The token that unwraps the answer, once."""
        return self.ask(method, path, body, headers={"X-Vault-Wrap-TTL": ttl})[1]["wrap_info"]["token"]

    def environment(self, token=None):
        """What a program needs to find the server; an empty token names none."""
        found = {"VAULT_ADDR": self.address}
        if self.ca:
            found["VAULT_CACERT"] = str(self.ca)
        if token != "":
            found["VAULT_TOKEN"] = token or self.token
        return found

    def health(self):
        """"active", "sealed", "uninitialised" … or "away"."""
        try:
            status = self.ask("GET", "sys/health", token="", timeout=10)[0]
        except OSError:
            return "away"
        return {200: "active", 429: "standby", 501: "uninitialised", 503: "sealed"}.get(status, str(status))

    # mounts and Transit keys

    def mount(self, path, kind="transit", **config):
        self.call("POST", f"sys/mounts/{path}", {"type": kind} | config)

    def unmount(self, path):
        self.call("DELETE", f"sys/mounts/{path}")

    def key(self, name, mount="transit", **parameters):
        """A Transit key: key("pii"), key("c", derived=True, convergent_encryption=True)."""
        self.call("POST", f"{mount}/keys/{name}", parameters)

    def key_config(self, name, mount="transit", **parameters):
        self.call("POST", f"{mount}/keys/{name}/config", parameters)

    def key_info(self, name, mount="transit"):
        return self.call("GET", f"{mount}/keys/{name}")

    def keys(self, mount="transit"):
        status, answer = self.ask("GET", f"{mount}/keys?list=true")
        return [] if status == 404 else answer["data"]["keys"]

    def rotate(self, name, mount="transit"):
        self.call("POST", f"{mount}/keys/{name}/rotate", {})

    # policies, tokens, ways to log in

    def policy(self, name, **rules):
        """policy("producer", **{"transit/encrypt/pii": ["update"]}); as text: policy_text."""
        self.policy_text(name, "".join(f'path "{path}" {{ capabilities = {json.dumps(capabilities)} }}\n'
                                       for path, capabilities in rules.items()))

    def policy_text(self, name, text):
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": text})

    def make_token(self, *policies, ttl="1h", **more):
        """A token with these policies; more: renewable, explicit_max_ttl, num_uses, type …"""
        body = {"policies": list(policies) or ["default"], "ttl": ttl, "no_default_policy": False} | more
        return self.call("POST", "auth/token/create-orphan", body)["auth"]["client_token"]

    def revoke(self, token):
        self.call("POST", "auth/token/revoke", {"token": token})

    def token_info(self, token):
        return self.call("POST", "auth/token/lookup", {"token": token})

    def enable_auth(self, kind, path=None, **config):
        """Of any kind; nothing happens when it is there already."""
        path = path or kind
        if f"{path}/" not in self.call("GET", "sys/auth"):
            self.call("POST", f"sys/auth/{path}", {"type": kind} | config)

    def approle(self, name, *policies, ttl="1h", max_ttl="24h", mount="approle", **more):
        """(role id, secret id) of a role."""
        self.enable_auth("approle", mount)
        self.call("POST", f"auth/{mount}/role/{name}",
                  {"token_policies": list(policies), "token_ttl": ttl, "token_max_ttl": max_ttl} | more)
        return self.call("GET", f"auth/{mount}/role/{name}/role-id")["role_id"], self.secret_id(name, mount)

    def secret_id(self, name, mount="approle"):
        return self.call("POST", f"auth/{mount}/role/{name}/secret-id", {})["secret_id"]

    def revoke_logins(self, mount="approle"):
        """All tokens that logins through this mount gave."""
        self.call("POST", f"sys/leases/revoke-prefix/auth/{mount}/login", {})

    def userpass(self, name, password, *policies, ttl="1h", mount="userpass"):
        self.enable_auth("userpass", mount)
        self.call("POST", f"auth/{mount}/users/{name}",
                  {"password": password, "token_policies": list(policies), "token_ttl": ttl})

    def cert(self, name, certificate, *policies, ttl="1h", mount="cert"):
        """Whoever shows `certificate` (PEM), or one that it signed, gets these policies."""
        self.enable_auth("cert", mount)
        self.call("POST", f"auth/{mount}/certs/{name}",
                  {"certificate": certificate, "token_policies": list(policies), "token_ttl": ttl})

    def encrypt(self, name, plain, mount="transit", **more):
        """One value by one call, as any client does it; bytes in, text out."""
        body = {"plaintext": base64.b64encode(plain).decode()} | more
        return self.call("POST", f"{mount}/encrypt/{name}", body)["ciphertext"]

    def decrypt(self, name, text, mount="transit", **more):
        return base64.b64decode(self.call("POST", f"{mount}/decrypt/{name}", {"ciphertext": text} | more)["plaintext"])


class _Process:
    """A server that runs in `folder` and ends with the tests; its log is FOLDER/vault.log."""

    process = None
    cpus = None  # the ones that it may use; all

    def _prepare(self):
        die_with_parent()
        if self.cpus:
            os.sched_setaffinity(0, self.cpus)

    def _launch(self, arguments, folder):
        # Without the first setting a database driver inside panics at start under a new Go.
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GODEBUG": "x509negativeserial=1"}
        with open(folder / "vault.log", "a") as log:
            self.process = subprocess.Popen([self.program, "server", *arguments], cwd=folder, env=environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self._prepare)

    def _wait(self, *states, seconds=180):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.health() in states:
                return True
            time.sleep(0.05)
        return False

    def log(self):
        path = self.folder / "vault.log"
        return path.read_text() if path.exists() else ""

    def cpu_seconds(self):
        """User and system time of the process until now."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _end(self, how):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def stop(self):
        self._end(signal.SIGTERM)

    def kill(self):
        """kill -9: what is in its memory is gone, what it answered is on disk."""
        self._end(signal.SIGKILL)


class VaultNode(_Process, Vault):
    """A server as in production; ready, unsealed and with its audit device "file" when the constructor returns.

    After stop() or kill(), start() brings the same server back: same port, same data, unsealed unless told otherwise.
    """

    def __init__(self, cache, folder, storage="file", audit=True, cpus=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.cpus = cpus
        self.folder, self.program, self.storage = folder, vault_build.program(cache), storage
        self.audit_log = folder / "audit.log"
        make_certificates(folder)
        Vault.__init__(self, None, None, folder / "ca.pem")
        for _ in range(3):  # another process may take a free port before the server does
            if self._first_start():
                break
        else:
            raise RuntimeError("Vault does not start:\n" + self.log()[-4000:])
        if audit:
            self.audit(self.audit_log)

    def _first_start(self):
        self.port, cluster = free_ports(2)
        self.address = f"https://127.0.0.1:{self.port}"
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "vault.hcl").write_text(CONFIG.format(
            storage=self.storage, storage_more='node_id = "one"' if self.storage == "raft" else "", folder=self.folder,
            port=self.port, cluster=cluster))
        self._launch(["-config=vault.hcl"], self.folder)
        if not self._wait("uninitialised", "sealed"):
            self.stop()
            return False
        answer = self.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1}, token="")
        self.token, self.unseal_key = answer["root_token"], answer["keys_base64"][0]
        self.unseal()
        return True

    def start(self, unseal=True):
        self._launch(["-config=vault.hcl"], self.folder)
        assert self._wait("sealed"), "Vault does not start again:\n" + self.log()[-4000:]
        if unseal:
            self.unseal()

    def seal(self):
        self.call("PUT", "sys/seal", {})

    def unseal(self):
        self.call("PUT", "sys/unseal", {"key": self.unseal_key}, token="")
        assert self._wait("active"), "Vault does not unseal:\n" + self.log()[-4000:]

    def audit(self, path, name="file", mode="0600"):
        """One more audit device: a file. Vault refuses every request when none of its devices can be written."""
        self.call("PUT", f"sys/audit/{name}", {"type": "file", "options": {"file_path": str(path), "mode": mode}})

    def audited(self, path):
        """How many requests for this path were answered well, by the audit log."""
        with open(self.audit_log) as log:
            entries = [json.loads(line) for line in log]
        return sum(e["type"] == "response" and e["request"]["path"] == path and not e.get("error") for e in entries)

    def no_audit(self, name="file"):
        self.call("DELETE", f"sys/audit/{name}")

    @contextlib.contextmanager
    def sealed(self):
        self.seal()
        try:
            yield
        finally:
            self.unseal()


class DevVault(_Process, Vault):
    """`vault server -dev`: in memory; what it held is gone after stop()."""

    def __init__(self, cache, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.program = folder, vault_build.program(cache)
        Vault.__init__(self, None, "root")
        for _ in range(3):
            [self.port] = free_ports(1)
            self.address = f"http://127.0.0.1:{self.port}"
            self._launch(["-dev", "-dev-root-token-id=root", "-dev-no-store-token",
                          f"-dev-listen-address=127.0.0.1:{self.port}"], folder)
            if self._wait("active"):
                return
            self.stop()
        raise RuntimeError("Vault does not start:\n" + self.log()[-4000:])
