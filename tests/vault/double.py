#!/usr/bin/env python3
"""A strict double of OpenBao and Vault: Transit with real cryptography, logins, namespaces, and faults on demand.

    transport.py  HTTP, TLS, Unix sockets      core.py     namespaces, tokens, policies, routing
    control.py    faults, counts, recordings   system.py   sys/, auth/token/
    transit.py    Transit, with transit_key.py and ciphers.py; logins.py   AppRole, userpass, LDAP, certificate, JWT, Kubernetes, AWS

In a test:      with Double(tls=folder) as vault: vault.address, vault.token, vault.ca, vault.control, vault.api("POST", …)
As a program:   double.py --tls FOLDER --control     prints {"address": …, "token": …, "ca": …, "control": …} and serves until
                its standard input ends or it gets SIGTERM. `--mount transit` is done at start; see --help.
"""
import argparse
import importlib.util
import json
import pathlib
import signal
import ssl
import sys
import tempfile
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import logins  # noqa: E402, F401
import transit  # noqa: E402, F401
from control import Control, ControlServer  # noqa: E402
from core import ENGINES, Core, Refusal  # noqa: E402
from transport import Listener, make_certificates  # noqa: E402

if importlib.util.find_spec("transform_double"):
    import transform_double  # noqa: F401


class ApiError(Exception):
    def __init__(self, status, errors, body=None):
        super().__init__(f"{status}: {errors}")
        self.status, self.errors, self.body = status, errors, body


class Double:
    """A server with one listener (more by `listen`), a root token and the Transit mount `transit/`.

    tls: a folder of make_certificates (made there when it is empty), True: a temporary one, None: plain HTTP.
    """

    def __init__(self, product="openbao", tls=None, port=0, unix=None, root_token="root", mounts=("transit",),
                 client_certificates=False, old=False):
        self.core = Core(product, root_token, old)
        self.control = Control(self.core)
        self.token = root_token
        self.folder = None
        if tls:
            self._temporary = tempfile.TemporaryDirectory() if tls is True else None
            self.folder = pathlib.Path(self._temporary.name if tls is True else tls)
            if not (self.folder / "server.pem").exists():
                make_certificates(self.folder)
        self.listeners = self.control._listeners
        self.listen(port, unix, bool(tls), client_certificates)
        for mount in mounts:
            self.core.mount(self.core.root, mount, mount, ENGINES, "plugin not found in the catalog: ")

    def listen(self, port=0, unix=None, tls=None, client_certificates=False):
        """One more address of the same server; the Listener."""
        tls = self.folder is not None and not unix if tls is None else tls
        self.listeners.append(Listener(self.core, self.control, port, self.folder if tls and not unix else None,
                                       client_certificates, unix))
        return self.listeners[-1]

    @property
    def address(self):
        return self.listeners[0].address

    @property
    def ca(self):
        return self.folder and self.folder / "ca.pem"

    def environment(self, **more):
        """What the program needs to find it."""
        found = {"VAULT_ADDR": self.address, "VAULT_TOKEN": self.token}
        if self.folder:
            found["VAULT_CACERT"] = str(self.ca)
        return found | {name: str(value) for name, value in more.items()}

    def engine(self, path="transit", namespace=""):
        return self.core.engine_at(path, namespace)

    def api(self, method, path, body=None, token=None, headers=None):
        """One request from outside; the answer's JSON, None after 204; ApiError for 4xx and 5xx."""
        listener = next(one for one in self.listeners if not one.unix)
        request = urllib.request.Request(f"{listener.address}/v1/{path}", method=method, headers={
            "X-Vault-Token": self.token if token is None else token, "X-Vault-Request": "true", **(headers or {})},
            data=body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode())
        context = ssl.create_default_context(cafile=self.ca) if listener.context else None
        try:
            with urllib.request.urlopen(request, context=context, timeout=30) as answer:
                raw = answer.read()
                return json.loads(raw) if raw else None
        except urllib.error.HTTPError as problem:
            raw = problem.read()
            try:
                whole = json.loads(raw)
            except ValueError:
                whole = None
            raise ApiError(problem.code, whole.get("errors") if whole else raw.decode("latin-1"), whole) from None

    def token_for(self, *rules, ttl=3600, **more):
        """A token that may do what `rules` say: ("transit/encrypt/pii", "update"), …"""
        name = f"rules-{len(self.core.root.policies)}"
        text = "".join(f'path "{path}" {{ capabilities = {json.dumps(words.split())} }}\n' for path, words in rules)
        self.api("POST", f"sys/policies/acl/{name}", {"policy": text})
        return self.api("POST", "auth/token/create", {"policies": [name], "ttl": ttl, **more})["auth"]["client_token"]

    def stop(self):
        self.control.clear()
        for listener in self.listeners:
            listener.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def main():
    parser = argparse.ArgumentParser(description="A strict double of OpenBao and Vault.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--product", default="openbao", choices=("openbao", "vault", "vault-enterprise"))
    parser.add_argument("--tls", metavar="FOLDER", help="certificates; made there when there are none")
    parser.add_argument("--client-certificates", action="store_true", help="ask clients for one")
    parser.add_argument("--unix", metavar="PATH", help="a Unix socket instead of a port")
    parser.add_argument("--root-token", default="root")
    parser.add_argument("--mount", action="append", default=[], metavar="TYPE")
    parser.add_argument("--control", action="store_true", help="open the control's address, too")
    options = parser.parse_args()
    try:
        double = Double(options.product, options.tls, options.port, options.unix, options.root_token,
                        options.mount or ["transit"], options.client_certificates)
    except Refusal as problem:
        parser.error(str(problem))
    told = {"address": double.address, "token": double.token, "ca": str(double.ca) if double.ca else None}
    if options.control:
        told["control"] = ControlServer(double.control).address
    print(json.dumps(told), flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while sys.stdin.read(1):
            pass
    except KeyboardInterrupt:
        pass
    double.stop()


if __name__ == "__main__":
    main()
