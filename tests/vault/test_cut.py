"""An answer cut at each of its bytes: is it always "away" (69), without a byte of output and without a lie?

One answer to a batch of two values; the head is cut at each byte, too. Each cut is one run of the program with one try.
Afterwards one run goes through many cuts by itself and comes out whole.
"""
import concurrent.futures
import http.client
import ssl

import pytest

from shop import AWAY, CANARY, IMPATIENT, SANITIZED, Shop, lines, purchases

DATA = lines({"n": 1, "Name": CANARY}, {"n": 2, "Name": "Bob"})
STEP = 16 if SANITIZED else 1


def size_of_answer(vault, body, path):
    """Bytes of head and body of the answer to `body`, as this server sends it."""
    listener = vault.listeners[0]
    connection = http.client.HTTPSConnection(listener.host, listener.port, context=ssl.create_default_context(cafile=vault.ca))
    connection.request("POST", f"/v1/{path}", body, {"X-Vault-Token": "root"})
    answer = connection.getresponse()
    head = sum(len(name) + len(value) + 4 for name, value in answer.getheaders()) + len("HTTP/1.1 200 OK\r\n\r\n")
    size = head + len(answer.read())
    connection.close()
    return size


@pytest.mark.parametrize("command, operation", [("protect", "encrypt"), ("reveal", "decrypt")])
def test_cut_at_each_byte(tmp_path, vault, command, operation):
    shop = Shop(tmp_path, vault, **IMPATIENT)
    vault.control.record()
    protected = shop.protect(DATA)
    data = DATA if command == "protect" else protected
    expected = shop.run(command, input=data)[0]
    request = vault.control.seen(f"transit/{operation}")[-1]
    vault.control.record(False)
    size = size_of_answer(vault, request["body"], request["path"])
    assert 300 < size < 2048

    def one(cut):
        # Runs go on side by side: the fault knows its run by a name of the mount.
        return cut, shop.try_(command, data, VAULT_NAMESPACE=f"cut{cut}")

    for cut in range(0, size, STEP):
        space = type(vault.core.root)(vault.core, f"cut{cut}/", vault.core.root)
        space.mounts["transit/"] = vault.engine()
        vault.core.root.children[f"cut{cut}"] = space
    add_cuts(vault, operation)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for cut, (code, out, err) in pool.map(one, range(0, size, STEP)):
            assert (code, out) == (AWAY, b""), (cut, size, err)
            assert CANARY not in err
    vault.control.clear()
    assert shop.try_(command, data)[0] == 0 and expected


def add_cuts(vault, operation):
    """Each request of the namespace cutN is answered up to byte N."""
    real = vault.control.begin

    def begin(request):
        fault = real(request)
        name = request.headers.get("x-vault-namespace", "").strip("/")
        if name.startswith("cut") and operation in request.path:
            from control import Fault
            return Fault(cut=int(name[3:]))
        return fault

    vault.control.begin = begin


def test_one_run_through_many_cuts(tmp_path, vault):
    shop = Shop(tmp_path, vault, VAULT_MAX_RETRIES="8")
    data = purchases(20)
    for cut in (0, 40, 200, 900):
        vault.control.fault(path="transit/encrypt", times=1, cut=cut)
        vault.control.fault(path="transit/decrypt", times=1, cut=cut)
    protected = shop.protect(data)
    assert shop.reveal(protected) == data
