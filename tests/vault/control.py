"""What tests tell the double to do wrong, and what it saw.

In process: double.control.fault(path="transit/encrypt/", status=503, times=2). From outside (`double.py --control`): POST
/fault {"path": …} to the control's own address; every method below without an underscore can be called so, with its arguments
as JSON, and answers JSON.
"""
import collections
import dataclasses
import http.server
import json
import re
import threading
import time

from core import Answer, Refusal, Struct, go_json, wrapped

HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"


@dataclasses.dataclass
class Fault:
    """Applies to requests whose path (after /v1/) matches `path` and whose method is `method`, `times` of them after `skip`."""

    path: str = ""
    method: str = ""
    times: int = 1  # 0: until it is cleared
    skip: int = 0
    # Instead of the real answer:
    status: int = 0
    errors: list = None  # texts of that answer
    html: bool = False  # a proxy's page instead of JSON
    body: str = None  # this body
    headers: dict = dataclasses.field(default_factory=dict)
    # To whatever goes out:
    edit: object = None  # (status, headers, data) → the same; in process only. data: the JSON as dictionaries
    done: bool = False  # the work is done first, although another answer is given
    drop: bool = False  # the connection is closed without a byte
    cut: int = None  # only so many bytes, then the connection is closed
    cut_from: str = "start"  # of the head; "body"
    stall: float = 0  # seconds before the first byte
    stall_body: float = 0  # seconds in the middle of the body
    drip: int = 0  # bytes at a time
    drip_pause: float = 0.001
    framing: str = None  # "length", "chunked", "close"; None: as Go does it


class Control:
    def __init__(self, core):
        self._core = core
        self._lock = threading.RLock()
        self._faults = []
        self._listeners = []
        self._under_way = 0
        self.released = threading.Event()  # ends stalls
        self.recording = False
        self.requests = collections.deque(maxlen=20000)  # dictionaries: method path namespace token headers body at items
        self._counts = collections.Counter()

    # Faults

    def fault(self, **how):
        """Adds a Fault; in process its object comes back."""
        fault = Fault(**how)
        with self._lock:
            self._faults.append(fault)
        return fault

    def throttle(self, path="", times=1, retry_after=None, **how):
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return self.fault(path=path, times=times, status=429, headers=headers, **how)

    def clear(self):
        """Lifts all faults, and ends stalls."""
        with self._lock:
            self._faults.clear()
        self.released.set()
        self.released = threading.Event()

    def seal(self, on=True):
        self._core.sealed = on

    def unseal(self):
        self._core.sealed = False

    def audit_full(self, on=True):
        """No audit device can be written: every request that needs a token is refused."""
        self._core.audit_full = on

    def standby(self, to=None, listener=0):
        """The listener redirects to the address `to`; None: it is active again."""
        self._listeners[listener].standby_to = to

    def away(self, listener=0):
        self._listeners[listener].away()

    def back(self, listener=0):
        self._listeners[listener].back()

    def hang_up(self, listener=0):
        self._listeners[listener].hang_up()

    def revoke(self, token=None, all_but_root=False):
        """Revokes one token, or all but the root tokens."""
        with self._core.lock:
            for one in [one for one in self._core.tokens.values()
                        if one.id == token or (all_but_root and "root" not in one.policies)]:
                self._core.revoke(one)

    def advance(self, seconds):
        """Time passes: tokens grow old."""
        self._core.chance.skew_ns += int(seconds * 1e9)

    def freeze(self, ns=None):
        self._core.chance.frozen_ns = ns

    def fix(self, kind, values):
        """What comes next of `kind`: request_id, nonce, key, data_key (bytes), token, accessor (texts)."""
        self._core.chance.fixed[kind].extend(values)

    def limits(self, **values):
        """body, strings, elements, string: see core.Limits; 0: none."""
        for name, value in values.items():
            assert hasattr(self._core.limits, name), name
            setattr(self._core.limits, name, value)

    def aws_key(self, access, secret, arn, session=None, mount="auth/aws"):
        """An access key that auth/aws knows; with `session` only together with that session token."""
        self._core.engine_at(mount).access[access] = (secret, arn, session)

    # What it saw

    def record(self, on=True):
        self.recording = on

    def stats(self):
        """requests, connections, items, in_flight_max, and of each operation ("transit/encrypt/pii": requests)."""
        with self._lock:
            return dict(self._counts)

    def quiet(self):
        """All that was asked has been answered."""
        with self._lock:
            return not self._under_way

    def reset(self):
        with self._lock:
            self._counts.clear()
            self.requests.clear()

    def seen(self, pattern=""):
        """The recorded requests whose path matches."""
        return [one for one in list(self.requests) if re.search(pattern, one["path"])]

    # The transport's side

    def connected(self):
        with self._lock:
            self._counts["connections"] += 1

    def begin(self, request):
        """Counts the request; the fault that applies to it, or None."""
        items = request.raw.count(b'"plaintext"') + request.raw.count(b'"ciphertext"') + request.raw.count(b'"value"') \
            if b'"batch_input"' in request.raw else 0
        with self._lock:
            self._under_way += 1
            self._counts["requests"] += 1
            self._counts["items"] += items
            self._counts[request.path] += 1
            self._counts["in_flight_max"] = max(self._counts["in_flight_max"], self._under_way)
            if self.recording:
                self.requests.append({"method": request.method, "path": request.path, "query": request.query,
                                      "headers": request.headers, "body": request.raw, "at": time.monotonic(), "items": items})
            for fault in self._faults:
                if re.search(fault.path, request.path) and fault.method in ("", request.method):
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    if fault.times:
                        fault.times -= 1
                        if not fault.times:
                            self._faults.remove(fault)
                    return fault
        return None

    def end(self, request):
        with self._lock:
            self._under_way -= 1

    def answer(self, listener, request, fault, target):
        if fault and fault.drop:
            if fault.done:
                self._core.answer(request)
            raise OSError("dropped")
        if fault and (fault.status or fault.html or fault.body is not None):
            if fault.done:
                self._core.answer(request)
            return self._made_up(request, fault)
        answer = self._real(listener, request, target)
        if fault and fault.headers:
            answer = (answer[0], {**answer[1], **fault.headers}, answer[2])
        if fault and fault.edit:
            status, headers, body = answer
            status, headers, data = fault.edit(status, dict(headers), json.loads(body) if body else None)
            answer = status, headers, data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
        return answer

    def _real(self, listener, request, target):
        if listener.require_request_header and request.headers.get("x-vault-request") != "true":
            return self._core.encode(request, Answer(412, raw=Struct(errors=['missing "X-Vault-Request" header'])))
        if listener.agent_token and "x-vault-token" not in request.headers:
            request.headers["x-vault-token"] = listener.agent_token
        if listener.standby_to and request.path not in ("sys/health", "sys/seal-status", "sys/leader"):
            return 307, {"Cache-Control": "no-store", "Content-Type": "application/json",
                         "Location": listener.standby_to + target}, b""
        return self._core.answer(request)

    TEXTS = {429: 'request path "{path}": rate limit quota exceeded', 500: wrapped("internal error"), 502: wrapped("bad gateway"),
             503: "Vault is sealed", 412: "required index state not present", 472: "", 473: "", 501: "Vault is not initialized"}

    def _made_up(self, request, fault):
        headers = {"Cache-Control": "no-store", "Content-Type": "application/json", **fault.headers}
        if fault.html:
            headers["Content-Type"] = "text/html"
            return fault.status or 200, headers, HTML
        if fault.body is not None:
            return fault.status or 200, headers, fault.body if isinstance(fault.body, bytes) else fault.body.encode()
        texts = fault.errors
        if texts is None:
            texts = [self.TEXTS.get(fault.status, "made up").format(path=request.path)]
        return fault.status, headers, go_json(Struct(errors=texts)) + b"\n"


class ControlServer:
    """POST /METHOD {arguments} → JSON; on an address of its own."""

    def __init__(self, control, port=0, host="127.0.0.1"):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                name = self.path.strip("/")
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    if name.startswith("_") or name in ("answer", "begin", "end", "connected") or not callable(getattr(control, name, None)):
                        raise Refusal(f"no such control: {name}")
                    result, status = getattr(control, name)(**json.loads(raw or b"{}")), 200
                except (Refusal, TypeError, ValueError, AssertionError) as problem:
                    result, status = {"error": str(problem)}, 400
                body = json.dumps(None if isinstance(result, Fault) else result, default=lambda raw: raw.decode("latin-1")).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((host, port), Handler)
        self.server.daemon_threads = True
        self.address = f"http://{host}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
