"""Many batches, engines and errors: neither Python's memory nor the process's grows."""
import gc
import tracemalloc

import pytest
import sealstream
from arrow_arrays import Given, GivenStream
from package_kit import BAD_CARD, POLICY, PURCHASE
from sealstream import Record

MIB = 1 << 20


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def batches(engine):
    records = [PURCHASE, PURCHASE.encode(), None, BAD_CARD, "\ud800", bytearray(b"{}")] * 100
    sealed = [value for value in engine.protect("purchases", records, on_error="return")
              if not isinstance(value, Exception)]
    engine.reveal("purchases", sealed)
    engine.protect_records("orders", [Record(b'{"note":"x"}', "k", [("customer", b"Ada")])] * 100)
    engine.dead_letter("purchases", records[:2])
    for wrong in ([1], [PURCHASE, BAD_CARD]):
        with pytest.raises((TypeError, sealstream.DataError)):
            engine.protect("purchases", wrong)


def columns(engine):
    given = Given("u", [PURCHASE.encode(), None, BAD_CARD.encode()] * 500)
    for _ in range(3):
        column = engine.protect_arrow("purchases", given, on_error="null")
        assert len(list(column.errors())) == 500
        engine.reveal_arrow("purchases", column)
    for wrong in (given, GivenStream([given]), GivenStream([given], fails=True), Given("i", [])):
        with pytest.raises((TypeError, sealstream.DataError)):
            engine.protect_arrow("purchases", wrong)


def objects(engine):
    policy = sealstream.Policy.from_text(POLICY)
    sealstream.Policy.check(POLICY.replace("fpe", "fpx"))
    with sealstream.Keyring(engine) as keyring, sealstream.Engine(policy, keyring=keyring) as made:
        made.protect("purchases", [PURCHASE])
        keyring.keys()
        keyring.info("pii")
    with pytest.raises(sealstream.UsageError):
        sealstream.Policy.from_text("version: 2")


@pytest.mark.parametrize("step, times", [(batches, 200), (columns, 24), (objects, 60)])
def test_memory_stays(engine, keyring, step, times):
    subject = keyring.path if step is objects else engine
    for _ in range(times // 4):
        step(subject)
    gc.collect()
    tracemalloc.start()
    try:
        step(subject)
        gc.collect()
        traced, before = tracemalloc.get_traced_memory()[0], resident()
        for _ in range(times):
            step(subject)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - traced < 64 * 1024
        assert resident() - before < 8 * MIB
    finally:
        tracemalloc.stop()
