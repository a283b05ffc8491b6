"""Do what we sign and what others sign agree? AWS's published test suite, and the vendors' own Python libraries."""
import calendar
import datetime
import json
import pathlib
import random
import subprocess
import time
import unittest.mock
import urllib.parse

import google.auth.jwt
import installs
import pytest
from azure.eventhub import _client_base
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.oauth2 import service_account

ROOT = pathlib.Path(__file__).resolve().parents[3]
SUITE_TESTS = 28
SEED = 20150830


class Driver:
    """tests/vectors/signing_driver.c: a line in, a line out."""

    def __init__(self):
        subprocess.run(["ninja", "-C", ROOT / "build", "tests/vectors/signing_driver"], check=True, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen([ROOT / "build" / "tests" / "vectors" / "signing_driver"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, what, *fields):
        texts = [field if isinstance(field, bytes) else str(field).encode() for field in fields]
        self.process.stdin.write("\t".join([what, *(text.hex() or "-" for text in texts)]) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().removesuffix("\n")


@pytest.fixture(scope="module")
def driver():
    it = Driver()
    yield it
    it.process.stdin.close()
    assert it.process.wait(60) == 0


def seconds(stamp):
    return calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))


def test_published_suite(driver, cache):
    """The signer takes paths and queries in their canonical form, so these are the suite's own of its second step. Two of its cases were
    edited after they were signed: Content-Length came in, and utf8 became utf-8; this is undone."""
    suite = json.loads(installs.signature_suite(cache).read_text())
    config, ran = suite["config"], 0
    for case in suite["tests"]["all"]:
        method, path, query = case["creq"].split("\n")[:3]
        stamp = case["sts"].split("\n")[1]
        wanted = case["authz"].replace("content-length;", "")
        names = wanted.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        headers = [text for name, value in case["request"]["headers"] if name.lower() in names
                   for text in (name, value.replace("charset=utf-8", "charset=utf8"))]
        answer = driver.ask("sigv4", method, path, query, seconds(stamp), config["region"], config["service"],
                            config["accessKeyId"], config["secretAccessKey"], case["request"]["body"], *headers)
        assert answer == wanted, case["name"]
        ran += 1
    assert ran == SUITE_TESTS


def test_botocore_signs_alike(driver):
    """Requests as sealstream sends them, with bodies, tokens and keys of any kind."""
    dice = random.Random(SEED)
    moment = datetime.datetime(2026, 11, 23, 4, 5, 6)
    for _ in range(200):
        body = dice.randbytes(dice.randrange(0, 3000))
        access, secret = f"AK{dice.randrange(10**9)}", "".join(dice.choices("aZ/+=0é", k=40))
        token = dice.choice([None, "T" * dice.randrange(1, 900)])
        region, service = dice.choice(["eu-west-1", "cn-north-1"]), dice.choice(["sqs", "kinesis", "sns", "sts"])
        path = dice.choice(["/", "/prefix/", "/a-b_c~d.e/"])
        request = AWSRequest("POST", f"https://{service}.example{path}", data=body,
                             headers={"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"A.B{dice.randrange(99)}"})
        with unittest.mock.patch("botocore.auth.get_current_datetime", lambda: moment, create=True), \
                unittest.mock.patch("botocore.compat.get_current_datetime", lambda *_, **__: moment, create=True):
            SigV4Auth(Credentials(access, secret, token), service, region).add_auth(request)
        headers = [("Host", f"{service}.example"), *((name, request.headers[name]) for name in
                                                     ("Content-Type", "X-Amz-Target", "X-Amz-Date", "X-Amz-Security-Token")
                                                     if name in request.headers)]
        dice.shuffle(headers)
        answer = driver.ask("sigv4", "POST", path, "", seconds(request.headers["X-Amz-Date"]), region, service, access, secret,
                            body, *(text for pair in headers for text in pair))
        assert answer == request.headers["Authorization"]


# Their own function writes a space as a form does, and the key's name as it is; the service takes both ways.
@pytest.mark.parametrize("uri", ["https://shop.servicebus.windows.net/purchases", "https://a.b/c+e&f=g%h/é"])
@pytest.mark.parametrize("name", ["RootManageSharedAccessKey", "send-only_1.2~x"])
def test_azure_signs_alike(driver, uri, name):
    key, now = "k+/=1é", 1795392000
    with unittest.mock.patch.object(_client_base.time, "time", lambda: now):
        theirs = _client_base._generate_sas_token(uri, name, key, datetime.timedelta(hours=1)).token
    ours = driver.ask("sas", uri, name, key, now + 3600)
    assert parts(ours) == parts(theirs)


def parts(signature):
    kind, _, text = signature.partition(" ")
    return kind, {name: urllib.parse.unquote(value) for name, _, value in (part.partition("=") for part in text.split("&"))}


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """A service account's key file, and the certificate that Google would publish of it."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sealer")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("account") / "key.json"
    path.write_text(json.dumps({"type": "service_account", "project_id": "shop", "private_key_id": "k1", "private_key": pem.decode(),
                                "client_email": "sealer@shop.iam.gserviceaccount.com", "client_id": "1",
                                "token_uri": "https://oauth2.googleapis.com/token"}))
    path.chmod(0o600)
    return path, certificate.public_bytes(serialization.Encoding.PEM)


AUDIENCE, SCOPE = "https://pubsub.googleapis.com/", "https://www.googleapis.com/auth/pubsub"


@pytest.mark.parametrize("audience, scope", [(AUDIENCE, None), (None, SCOPE)])
def test_google_reads_our_tokens(driver, account, audience, scope):
    """Verified by google-auth, which makes tokens of the same claims itself."""
    path, certificate = account
    now = int(time.time())
    kind, _, token = driver.ask("jwt", path, audience or "", scope or "", now).partition(" ")
    assert kind == "Bearer"
    ours = google.auth.jwt.decode(token, certs={"k1": certificate.decode()}, clock_skew_in_seconds=60)
    theirs = service_account.Credentials.from_service_account_file(path, scopes=[scope] if scope else None,
                                                                   always_use_jwt_access=True)
    theirs._create_self_signed_jwt(audience)
    theirs.refresh(None)
    expected = google.auth.jwt.decode(theirs.token.decode() if isinstance(theirs.token, bytes) else theirs.token,
                                      certs={"k1": certificate.decode()})
    assert google.auth.jwt.decode_header(token) == google.auth.jwt.decode_header(theirs.token)
    times = {"iat", "exp"}
    assert {name: ours[name] for name in ours.keys() - times} == {name: expected[name] for name in expected.keys() - times}
    assert ours["exp"] - ours["iat"] == expected["exp"] - expected["iat"] == 3600 and ours["iat"] <= now < ours["exp"]
