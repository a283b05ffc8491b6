"""Purchases that tests of Spark send, and a second implementation that opens what became of them (tests/interop, which
shares nothing with src/)."""
import base64
import concurrent.futures
import itertools
import multiprocessing
import re

import sealed
from keyring_files import Keyring

MARK = "Plaintext-Street"
SEALED = re.compile(rb'\{"id":(\d+),"Address":"([^"]*)","credit_card":"([^"]*)","price":1.10\}')
ADDRESS = sealed.place("$['Address']", sealed.STRING, "shop")
CARD = sealed.place("$['credit_card']", sealed.STRING, "shop")
BATCH = 20_000


def line(n):
    """Purchase n: each with an address and, of a million, with encrypted digits of a card of its own."""
    return b'{"id":%d,"Address":"%d %s","credit_card":"4111-11%02d-%04d-%04d","price":1.10}' % (
        n, n, MARK.encode(), n // 10000 % 100, n % 10000, n % 10000)


def numbered(first, end):
    return ((b"%d" % n, line(n)) for n in range(first, end))


def materials(shop):
    keyring = Keyring(shop)
    return {name: keyring.read(name)["versions"][0]["material"] for name in ("pii", "cards", "join")}


def check_sealed(keys, n, value):
    """Opens a record: it must be what line(n) was. Whether its card is another one: of a million cards, one or so is
    encrypted to itself."""
    number, address, card = SEALED.fullmatch(value).groups()
    kind, opened = sealed.decrypt({1: keys["pii"]}, address.decode(), lambda _: ADDRESS)
    plain = sealed.fpe(keys["cards"], card.decode(), CARD, first=6, last=4, decrypt=True)
    assert kind == sealed.STRING and int(number) == n
    assert b'{"id":%s,"Address":"%s","credit_card":"%s","price":1.10}' % (number, opened, plain.encode()) == line(n)
    return card != plain.encode()


def check_batch(keys, batch):
    """How many of these (number, value) have another card than before."""
    return sum(check_sealed(keys, n, value) for n, value in batch)


def check_all(keys, messages):
    """All of an iterable, by as many processes as there are processors: ({number: how often}, changed cards)."""
    seen, waiting, changed = {}, set(), 0
    pairs = ((int(message.key()), message.value()) for message in messages)
    with concurrent.futures.ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        while batch := list(itertools.islice(pairs, BATCH)):
            for n, _ in batch:
                seen[n] = seen.get(n, 0) + 1
            waiting.add(pool.submit(check_batch, keys, batch))
        for done in concurrent.futures.as_completed(waiting):
            changed += done.result()
    return seen, changed


def forms(keys, shop):
    """Everything that must not be found: keys in each form that is written, and plaintext."""
    secret = [*keys.values(), (shop / "master.key").read_bytes()]
    return [MARK.encode()] + [form for key in secret for form in (
        key, key.hex().encode(), base64.b64encode(key).rstrip(b"="), base64.urlsafe_b64encode(key).rstrip(b"="))]


def search(folder, hidden):
    """Files below `folder`, none of which holds one of these forms."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        data = path.read_bytes()
        assert not [form for form in hidden if form in data], path
    return files
