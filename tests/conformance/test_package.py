"""The cases, run by the Python package."""
import pytest
import sealstream
import suite

GROUPS = list(suite.groups())
CALLS = {each: (each, f"{each}_records") for each in ("protect", "reveal", "dead_letter")}


@pytest.fixture(scope="module")
def rings(tmp_path_factory):
    """The keyring of each set of keys, made once."""
    made = {}

    def ring_of(keys):
        if str(keys) not in made:
            ring = made[str(keys)] = sealstream.Keyring(tmp_path_factory.mktemp("ring") / "keyring", create=True)
            for name, key in keys.items():
                for material in key["versions"]:
                    ring.import_key(name, bytes.fromhex(material), key["type"], derived=key.get("derived", False),
                                    convergent=key.get("convergent", False))
                if "min_decryption_version" in key:
                    ring.configure(name, min_decryption_version=key["min_decryption_version"])
        return made[str(keys)]

    return ring_of


def failure(error):
    return suite.Failure(error.status, error.code, error.place)


def one(result, whole=False):
    """Of on_error="return"."""
    if isinstance(result, sealstream.SealError):
        return failure(result)
    if whole:
        return suite.Record(result.value, None, result.key, tuple(result.headers))
    if isinstance(result, sealstream.Record):
        return suite.Record(result.value, dict(result.headers).get(sealstream.KEY_HEADER))
    return suite.Record(result)


def rules_of(policy, case):
    topic, part = policy.topic(case["topic"]), case.get("part", "value")
    return topic if part == "value" else topic.key if part == "key" else topic.header(part.removeprefix("header:"))


def run(engine, case, direction, records):
    rules = rules_of(engine.policy, case)
    plain, whole = CALLS[direction]
    if case.get("whole"):
        given = [sealstream.Record(r.value, r.key, r.headers) for r in records]
        return [one(result, True) for result in getattr(engine, whole)(rules, given, on_error="return")]
    if not case.get("carried"):
        return [one(result) for result in getattr(engine, plain)(rules, [r.value for r in records], on_error="return")]
    given = [sealstream.Record(r.value, None, [] if r.key_header is None else [(sealstream.KEY_HEADER, r.key_header)])
             for r in records]
    return [one(result) for result in getattr(engine, whole)(rules, given, on_error="return")]


def run_case(policy, ring, case):
    with sealstream.Engine(policy, keyring=ring, max_record_bytes=case.get("max_record_bytes", 0)) as engine:
        if "fails" in case:
            with pytest.raises(sealstream.SealError) as caught:
                run(engine, case, case["direction"], suite.inputs(case))
            assert suite.has_failed(case["fails"], failure(caught.value)), caught.value
            return
        if "on_error" in case:
            assert policy.topic(case["topic"]).on_error == case["on_error"]
        suite.check(case, run(engine, case, case["direction"], suite.inputs(case)),
                    lambda records: run(engine, suite.back(case), "reveal", records))


@pytest.fixture(scope="module")
def servers():
    with suite.Servers() as started:
        yield started


@pytest.mark.parametrize("name, document, group", GROUPS, ids=[name for name, _, _ in GROUPS])
def test_group(name, document, group, rings, servers, tmp_path, monkeypatch):
    keys = document["keys"]
    for variable, value in servers.environment(document).items():
        monkeypatch.setenv(variable, value)
    text = suite.policy_of(group, tmp_path / "store.db")
    if "fails" in group:
        with pytest.raises(sealstream.SealError) as caught:
            sealstream.Engine(sealstream.Policy.from_text(text, "policy.yaml"), keyring=rings(keys))
        assert suite.has_failed(group["fails"], failure(caught.value)), caught.value
        return
    policy = sealstream.Policy.from_text(text, "policy.yaml")
    for case in group["cases"]:
        run_case(policy, rings(keys), case)
