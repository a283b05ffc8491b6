"""Data keys: what the server is asked for, and how often."""
import subprocess

THREADS = 32
MAKE, OPEN = "transit/datakey/plaintext/pii", "transit/decrypt/pii"


def crowd(shop):
    """32 threads that write and want one key, then 32 that read and want it, too."""
    program = shop.path.parent / "tests" / "vault" / "data_key_threads"
    return subprocess.run([program, "transit/pii", str(THREADS)], capture_output=True, text=True, timeout=120,
                          env=shop.environment)


def test_one_request_for_all_threads(shop, vault):
    """One `datakey` and one `decrypt`, however slow the server is about them."""
    vault.control.fault(path=MAKE, stall=0.5)
    vault.control.fault(path=OPEN, stall=0.5)
    done = crowd(shop)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("vault:v1:")
    stats = vault.control.stats()
    assert (stats[MAKE], stats[OPEN]) == (1, 1)


def test_one_refusal_for_all_threads(shop, vault):
    """A token without the right to it: all threads hear why, and the server hears one of them."""
    vault.control.fault(path=MAKE, status=403, errors=["1 error occurred:\n\t* permission denied\n\n"], times=0, stall=3)
    done = crowd(shop)
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert len(said) == THREADS and len(set(said)) == 1 and f"refuses POST {MAKE}" in said[0]
    assert vault.control.stats()[MAKE] == 1
    assert OPEN not in vault.control.stats()
