"""Neither values nor keys in what Python shows, logs or sends: repr, exceptions, pickles, copies."""
import copy
import logging
import pickle
import traceback

import pytest
import sealstream
from package_kit import POLICY

SECRET = "s3cr3t-V4LUE"
LINES = [f'{{"Address":"{SECRET}","credit_card":"{SECRET}"}}', f'{{"{SECRET}', f'"{SECRET}\ud800"', SECRET]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("what", ["protect", "reveal", "dead_letter"])
def test_exceptions(engine, what, line, caplog):
    with caplog.at_level(logging.DEBUG):
        results = getattr(engine, what)("purchases", [line], on_error="return")
    assert what == "dead_letter" or isinstance(results[0], sealstream.DataError)
    for error in (result for result in results if isinstance(result, Exception)):
        shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        seen = repr((shown, repr(error), vars(error), error.args, pickle.dumps(error), error.__cause__, caplog.text))
        assert SECRET not in seen and error.__context__ is None


def test_bytes_that_are_no_text(engine):
    sealed = engine.protect("raw", [SECRET.encode() + b"\xff"])[0].decode()
    with pytest.raises(sealstream.DataError) as caught:
        engine.reveal("raw", [sealed])
    assert SECRET not in repr(vars(caught.value))
    assert caught.value.__context__ is None and caught.value.__cause__ is None


def test_exceptions_are_pickled_whole(engine):
    error = engine.protect("purchases", ['{"credit_card":"1"}'], on_error="return")[0]
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is sealstream.DataError and vars(again) == vars(error) and str(again) == str(error)


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_nothing_with_keys_is_pickled_or_copied(engine, policy, keyring, way):
    for thing, name in ((engine, "Engine"), (policy, "Policy"), (keyring, "Keyring"), (policy.topics[0], "Topic")):
        with pytest.raises(TypeError, match=f"{name} .*cannot be pickled or copied"):
            way(thing)


def test_repr(engine, policy, keyring):
    assert repr(policy) == "<sealstream.Policy 'shop.yaml'>"
    assert repr(engine) == "<sealstream.Engine of <sealstream.Policy 'shop.yaml'>>"
    assert repr(keyring) == f"<sealstream.Keyring {keyring.path!r}>"
    keyring.import_key("known", SECRET.encode().ljust(32, b"x"))
    with pytest.raises(sealstream.SealError) as caught:
        keyring.import_key("known", SECRET.encode())
    assert SECRET not in repr((caught.value, vars(caught.value))) and SECRET not in repr(keyring)
    assert SECRET not in repr(sealstream.Policy.from_text(POLICY.replace("shop", SECRET), "p"))
