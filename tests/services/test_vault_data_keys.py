"""Data keys on a real server, by its audit log."""
import subprocess



def test_one_datakey_and_one_decrypt(own_vault, program):
    """32 threads that write want one key, then 32 that read: two entries of the audit log."""
    own_vault.mount("transit")
    own_vault.call("POST", "transit/keys/pii", {})
    before = {path: own_vault.audited(path) for path in ("transit/datakey/plaintext/pii", "transit/decrypt/pii")}
    done = subprocess.run([program.path.parent / "tests" / "vault" / "data_key_threads", "transit/pii", "32"],
                          capture_output=True, text=True, timeout=120, env=program.environment | own_vault.environment())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("vault:v1:")
    assert {path: own_vault.audited(path) - n for path, n in before.items()} == dict.fromkeys(before, 1)
