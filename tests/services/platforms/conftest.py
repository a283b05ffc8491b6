"""platforms: does it hold on Kinesis, SQS, SNS, Pub/Sub and Event Hubs, as far as their stand-ins tell?"""
import os
import pathlib
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]
import adapters
import servers

if os.environ.get("SUITE_LIVE"):
    import live  # its adapters take the place of stand-ins


def why_not(item):
    """Why the platform of this case of the suite does without it; None: it does not."""
    kind = adapters.KINDS[item.callspec.params["platform"]]
    assert all(hasattr(item.module, name) for name in [*kind.cannot, *(kind.only or ())]), kind
    if kind.only is not None and item.originalname not in kind.only:
        return kind.why
    return kind.cannot.get(item.originalname)


def pytest_collection_modifyitems(config, items):
    """Cases of the suite that a platform cannot have are left out, and said at the end; its adapter says why."""
    left_out = [item for item in items if item.module.__name__ == "test_suite" and why_not(item)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter):
    ran = any("test_suite.py" in report.nodeid for report in terminalreporter.stats.get("passed", []))
    for name in adapters.PLATFORMS if ran else ():
        kind = adapters.KINDS[name]
        if kind.only is not None:
            terminalreporter.write_line(f"{name}: only {', '.join(kind.only)}: {kind.why}")
        for case, why in kind.cannot.items() if kind.only is None else ():
            terminalreporter.write_line(f"{name}: not {case}: {why}")


def started(factory, kind, *arguments, **options):
    def run(cache, tmp_path_factory):
        server = kind(cache, tmp_path_factory.mktemp(kind.__name__.lower()), *arguments, **options)
        yield server
        server.stop()

    run.__name__ = factory
    return pytest.fixture(scope="session", name=factory)(run)


moto = started("moto", servers.Moto)
kinesis_local = started("kinesis_local", servers.KinesisLocal)
kinesalite = started("kinesalite", servers.Kinesalite)
elasticmq = started("elasticmq", servers.ElasticMq)
local_sqs = started("local_sqs", servers.LocalSqs)
