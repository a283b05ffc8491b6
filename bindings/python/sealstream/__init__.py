"""Protects the fields of records before they enter an event stream; docs/PYTHON.md shows how.

    policy = sealstream.Policy.from_file("policy.yaml")
    with sealstream.Engine(policy) as engine:
        sealed = engine.protect("purchases", [b'{"Address":"1 High St"}'])
        opened = engine.reveal("purchases", sealed)
"""
from ._arrow import Column
from ._engine import Engine
from ._errors import DataError, DeniedError, FatalError, RetryError, SealError, UsageError
from ._keyring import KeyInfo, Keyring, KeyVersion
from ._policy import Finding, Policy, PolicyKey, Rule, Topic
from ._records import KEY_HEADER, RECORD_KEY_HEADER, Record
from ._values import Inspection, inspect, version

__version__ = version()
__all__ = ["KEY_HEADER", "RECORD_KEY_HEADER", "Column", "DataError", "DeniedError", "Engine", "FatalError", "Finding",
           "Inspection", "KeyInfo", "KeyVersion", "Keyring", "Policy", "PolicyKey", "Record", "RetryError", "Rule",
           "SealError", "Topic", "UsageError", "inspect", "version"]
