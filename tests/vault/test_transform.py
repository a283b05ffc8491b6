"""Does the program do right by Vault Enterprise's Transform? Against the double's; no licensed server has been asked."""
import base64
import hashlib
import json
import pathlib
import re
import struct
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from double import Double  # noqa: E402
from program import Program  # noqa: E402

CARD = "4111-1111-1111-1234"


class Shop:
    """A double with Transform, and the program pointed at it."""

    def __init__(self, vault, program):
        self.vault, self.program = vault, program
        self.engine = vault.engine("transform")

    def role(self, *names, role="payments"):
        self.vault.api("POST", f"transform/role/{role}", {"transformations": list(names)})

    def fpe(self, name="card", source="internal", template="builtin/creditcardnumber", **more):
        self.vault.api("POST", f"transform/transformations/fpe/{name}",
                       {"template": template, "tweak_source": source, "allowed_roles": ["*"], **more})

    def masking(self, name="mask", **more):
        self.vault.api("POST", f"transform/transformations/masking/{name}",
                       {"template": "builtin/creditcardnumber", "allowed_roles": ["*"], **more})

    def tokens(self, name="tok", **more):
        self.vault.api("POST", f"transform/transformations/tokenization/{name}", {"allowed_roles": ["*"], **more})

    def policy(self, rules, head=""):
        """rules: path → method text, or the text of all."""
        if isinstance(rules, dict):
            rules = "".join(f"      {path}: {{type: transform, role: payments, {text}}}\n" for path, text in rules.items())
        text = f"version: 1\nnamespace: shop\n{head}topics:\n  - match: t\n    protect:\n{rules}"
        (self.program.folder / "p.yaml").write_text(text.replace(", }", "}"))

    def run(self, command, records, token=None, exit_code=0, more=()):
        """Records in and out as objects; standard error is in .said."""
        out, self.said = self.program.run(
            command, "-p", "p.yaml", *more, input="".join(json.dumps(r) + "\n" for r in records).encode(), exit_code=exit_code,
            environment=self.vault.environment(**({"VAULT_TOKEN": token} if token else {})))
        return [json.loads(line) for line in out.splitlines()]

    def protect(self, *records, **how):
        return self.run("protect", records, **how)

    def reveal(self, *records, **how):
        return self.run("reveal", records, **how)

    def refused(self, says, *records, command="protect", exit_code=78, **how):
        self.run(command, records or [{"c": CARD}], exit_code=exit_code, **how)
        assert re.search(says, self.said), self.said


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path)


@pytest.fixture
def shop(certificates, program):
    with Double("vault-enterprise", tls=certificates, mounts=("transform", "transit")) as vault:
        yield Shop(vault, program)


def place(path, namespace=b"shop"):
    def lp(text):
        return struct.pack(">I", len(text)) + text
    return b"\1\1" + lp(namespace) + lp(path) + b"\1"


def cards(n):
    return [{"id": i, "c": f"4111-1111-{i // 10000:04}-{i % 10000:04}", "price": 1.10} for i in range(n)]


# Format-preserving encryption, by each source of tweaks

@pytest.mark.parametrize("algorithm", ["ff3-1", "ff1"])
def test_internal_tweaks(shop, algorithm):
    shop.engine.algorithm = algorithm
    shop.fpe()
    shop.role("card")
    shop.policy({"$.c": ""})
    records = cards(2500)
    shop.vault.control.reset()
    coded = shop.protect(*records)
    assert all(re.fullmatch(r"\d{4}-\d{4}-\d{4}-\d{4}", one["c"]) for one in coded)
    assert len({one["c"] for one in coded}) == 2500
    assert [one["id"] for one in coded] == list(range(2500)) and coded[0]["price"] == 1.10
    stats = shop.vault.control.stats()
    assert stats["items"] == 2500 and stats["transform/encode/payments"] <= 40, "batches, not a call a value"
    assert shop.reveal(*coded) == records
    # What the server makes of one value alone is the same.
    assert shop.vault.api("POST", "transform/encode/payments", {"value": records[7]["c"]})["data"]["encoded_value"] == coded[7]["c"]


def test_supplied_tweaks_are_of_the_place(shop):
    shop.fpe(source="supplied")
    shop.role("card")
    shop.policy({"$.a": "tweak_source: supplied", "$.b": "tweak_source: supplied",
                 "$.c": "tweak_source: supplied, tweak: 00010203040506",
                 "$.d": "tweak_source: supplied, bind: {domain: card}", "$.e": "tweak_source: supplied, bind: {domain: card}"})
    record = {name: CARD for name in "abcde"}
    coded, = shop.protect(record)
    assert len(set(coded.values())) == 4 and coded["d"] == coded["e"]
    assert shop.reveal(coded) == [record]
    for name, tweak in (("a", hashlib.sha256(place(b"$['a']")).digest()[:7]), ("c", bytes(range(7)))):
        answer = shop.vault.api("POST", "transform/decode/payments", {"value": coded[name], "tweak": base64.b64encode(tweak).decode()})
        assert answer["data"]["decoded_value"] == CARD
    moved = shop.reveal({"a": coded["b"]})
    assert moved[0]["a"] != CARD, "moved to another field it is another value"


def test_ff1_takes_longer_tweaks(shop):
    shop.engine.algorithm = "ff1"
    shop.fpe(source="supplied", max_tweak_len=16)
    shop.role("card")
    shop.policy({"$.c": "tweak_source: supplied, tweak_bytes: 16"})
    coded, = shop.protect({"c": CARD})
    assert shop.reveal(coded) == [{"c": CARD}]
    shop.policy({"$.c": "tweak_source: supplied, tweak_bytes: 17"})
    shop.refused("tweaks of 16 bytes at most, and the policy's have 17")


def test_generated_tweaks_are_kept_with_the_value(shop):
    shop.fpe(source="generated")
    shop.role("card")
    shop.policy({"$.c": "tweak_source: generated"})
    records = cards(300)
    coded = shop.protect(*records)
    assert all(re.fullmatch(r"seal:x1:[\w-]{10}:\d{4}-\d{4}-\d{4}-\d{4}", one["c"]) for one in coded)
    assert len({one["c"].split(":")[2] for one in coded}) == 300
    assert shop.reveal(*coded) == records
    shop.refused("already protected", coded[0], exit_code=1)
    shop.refused("not protected", records[0], command="reveal", exit_code=1)
    out, _ = shop.program.run("inspect", "--json", input=json.dumps(coded[0]).encode())
    found = json.loads(out.splitlines()[0])
    assert (found["method"], found["key_version"], found["path"]) == ("transform", None, "$['c']")


def test_tweaks_are_read_leniently(shop):
    shop.fpe(source="generated")
    shop.role("card")
    shop.policy({"$.c": "tweak_source: generated"})

    def newline(status, headers, data):
        for result in data["data"]["batch_results"]:
            result["tweak"] = result["tweak"].rstrip("=") + "\n"
        return status, headers, data

    shop.vault.control.fault(path="transform/encode/", edit=newline)
    coded, = shop.protect({"c": CARD})
    assert shop.reveal(coded) == [{"c": CARD}]


def test_decode_formats_give_a_part(shop):
    shop.vault.api("POST", "transform/template/card", {
        "type": "regex", "alphabet": "builtin/numeric", "pattern": r"(\d{4})[- ](\d{4})[- ](\d{4})[- ](\d{4})",
        "encode_format": "$1-$2-$3-$4", "decode_formats": {"last-four": "$4"}})
    shop.fpe(template="card")
    shop.role("card")
    shop.policy({"$.c": "decode_format: last-four"})
    coded, = shop.protect({"c": CARD.replace("-", " ")})
    assert shop.reveal(coded) == [{"c": "1234"}]


def test_other_alphabets(shop):
    shop.vault.api("POST", "transform/alphabet/greek", {"alphabet": "αβγδεζηθικλμνξοπρστυφχψω"})
    shop.vault.api("POST", "transform/template/greek", {"type": "regex", "alphabet": "greek", "pattern": "([α-ω]+)\"\\\\"})
    shop.fpe(template="greek")
    shop.role("card")
    shop.policy({"$.c": ""})
    coded, = shop.protect({"c": 'λογοικαιπραγματα"\\'})
    assert re.fullmatch(r'[α-ω]{16}"\\', coded["c"]) and coded["c"] != 'λογοικαιπραγματα"\\'
    assert shop.reveal(coded) == [{"c": 'λογοικαιπραγματα"\\'}]


# Masking and tokens

def test_masking(shop):
    shop.masking()
    shop.role("mask")
    shop.policy({"$.c": "one_way: true"})
    assert shop.protect({"c": CARD}) == [{"c": "****-****-****-****"}]
    assert shop.reveal({"c": "****-****-****-****"}) == [{"c": "****-****-****-****"}]
    shop.policy({"$.c": ""})
    shop.refused("masked by role transform/role/payments: nothing gives the value back; set 'one_way: true'",
                 {"c": "****-****-****-****"}, command="reveal", exit_code=1)


def test_tokens(shop):
    shop.tokens(max_ttl="24h")
    shop.role("tok")
    shop.policy({"$.name": 'transformation: tok, ttl: 1h, metadata: "Department=Sales,Note=say \\"hi\\""'})
    records = [{"name": f"Jürgen {i} \"quoted\""} for i in range(50)] + [{"name": "Jürgen 0 \"quoted\""}]
    coded = shop.protect(*records)
    assert len({one["name"] for one in coded}) == 51, "equal names, other tokens"
    assert shop.reveal(*coded) == records
    told = shop.vault.api("POST", "transform/metadata/payments", {"value": coded[0]["name"]})["data"]
    assert told["metadata"] == 'Department=Sales,Note=say "hi"' and "expiration_time" in told
    shop.vault.control.advance(3601)
    revealed = shop.reveal(coded[0], exit_code=1)
    assert revealed == [] and "token expired" in shop.said and "Jürgen" not in shop.said


def test_convergent_tokens_with_an_expiration(shop):
    shop.tokens(convergent=True)
    shop.role("tok")
    shop.policy({"$.name": "transformation: tok, expiration: 2999-01-31T00:00:00Z"})
    coded = shop.protect({"name": "a"}, {"name": "a"}, {"name": "b"})
    assert coded[0] == coded[1] != coded[2]
    assert shop.reveal(*coded) == [{"name": "a"}, {"name": "a"}, {"name": "b"}]


def test_lost_answers_do_not_make_tokens_twice_unseen(shop):
    """A call whose answer is lost is not repeated behind the scenes: it is told, and the lot is encoded anew."""
    shop.tokens()
    shop.role("tok")
    shop.policy({"$.name": ""})
    shop.vault.control.fault(path="transform/encode/", drop=True, done=True)
    assert len(shop.protect({"name": "a"})) == 1
    assert "waiting, and trying again" in shop.said and len(shop.engine.transformations["tok"].rows) == 2
    shop.tokens("same", convergent=True)
    shop.role("same")
    shop.vault.control.fault(path="transform/encode/", drop=True, done=True)
    assert len(shop.protect({"name": "a"})) == 1 and shop.said == "", "what gives the same again is repeated"


# Whose fault it is

@pytest.mark.parametrize("whole", [False, True], ids=["an item's", "the request's"])
def test_bad_values_fail_alone(shop, whole):
    shop.fpe()
    shop.role("card")
    shop.policy({"$.c": ""})
    shop.engine.whole = whole
    records = cards(40)
    records[3]["c"], records[21]["c"], records[22]["c"] = "no card", "4111-1111-1111-11x1", ""
    coded = shop.protect(*records, exit_code=1)
    assert [one["id"] for one in coded] == [i for i in range(40) if i not in (3, 21, 22)]
    assert shop.said.count("$['c']") == 3 and "does not match the template" in shop.said
    assert "no card" not in shop.said and "11x1" not in shop.said
    assert shop.reveal(*coded) == [record for record in records if record["id"] not in (3, 21, 22)]


@pytest.mark.parametrize("whole", [False, True], ids=["an item's", "the request's"])
@pytest.mark.parametrize("reads", [True, False], ids=["may read the role", "may not"])
def test_a_single_bad_value_is_a_bad_record(shop, whole, reads):
    shop.fpe()
    shop.role("card")
    shop.policy({"$.c": ""})
    shop.engine.whole = whole
    token = shop.vault.token_for(("transform/encode/payments", "update"),
                                 *((("transform/role/*", "read"), ("transform/transformation/*", "read")) if reads else ()))
    if whole and not reads:
        # Nothing tells it from a role that takes nothing: fails closed.
        shop.refused("does not match the template", {"c": "no card"}, token=token, exit_code=78)
    else:
        shop.refused("does not match the template", {"c": "no card"}, token=token, exit_code=1)


def test_texts_that_quote_the_value_are_not_passed_on(shop):
    shop.fpe()
    shop.role("card")
    shop.policy({"$.c": ""})
    for how in ({"errors": [f"cannot match {CARD} with the template"], "status": 400},
                {"body": json.dumps({"data": {"batch_results": [{"error": f"value {CARD} is bad"}]}}), "status": 400}):
        shop.vault.control.fault(path="transform/encode/", **how)
        shop.refused("does not take the value", {"c": CARD}, exit_code=1)
        assert "4111-" not in shop.said and "-1234" not in shop.said


@pytest.mark.parametrize("mismatch", ["item", "call"])
@pytest.mark.parametrize("reads", [True, False], ids=["may read the role", "may not"])
def test_a_role_that_changes_stops_everything(shop, mismatch, reads):
    """No record is taken for bad because the role lost the transformation in the middle."""
    shop.fpe()
    shop.role("card")
    shop.policy({"$.c": ""})
    shop.engine.mismatch = mismatch
    token = shop.vault.token_for(("transform/encode/payments", "update"),
                                 *((("transform/role/*", "read"), ("transform/transformation/*", "read")) if reads else ()))
    assert len(shop.protect({"c": CARD}, token=token)) == 1

    def lose(status, headers, data):
        shop.fpe("other")
        shop.role("other", "third")
        return status, headers, data

    # The last of the start's questions is answered; then the role is another.
    last = "transform/transformation/card" if reads else "sys/capabilities-self"
    shop.vault.control.fault(path=last, edit=lose, skip=0 if reads else 1)
    shop.refused("correct the policy|say which", *cards(3), token=token)
    assert shop.said.count("\n") == 1, shop.said


def test_a_store_in_trouble_is_no_bad_record(shop):
    shop.tokens()
    shop.role("tok")
    shop.policy({"$.c": ""})
    for how in ({"body": json.dumps({"data": {"batch_results": [{"error": "cannot connect to store"}]}}), "status": 400},
                {"body": json.dumps({"data": {"batch_results": [{"error": "x"}]}}), "status": 500}):
        shop.vault.control.fault(path="transform/encode/", **how)
        assert len(shop.protect({"c": CARD})) == 1
        assert "waiting, and trying again" in shop.said and "has trouble with role" in shop.said


@pytest.mark.parametrize("result", ["{}", '{"encoded_value": 1}', '{"encoded_value": "a", "tweak": "!"}', '{"encoded_value": "\\ud800"}'])
def test_nonsense_is_no_bad_record(shop, result):
    shop.fpe()
    shop.role("card")
    shop.policy({"$.c": ""})
    shop.vault.control.fault(path="transform/encode/", status=200, body='{"data":{"batch_results":[' + result + "]}}")
    assert len(shop.protect({"c": CARD})) == 1
    assert "is not what Vault gives" in shop.said


def test_either_name_of_a_decoded_value_is_read(shop):
    shop.fpe()
    shop.role("card")
    shop.policy({"$.c": ""})
    coded, = shop.protect({"c": CARD})

    def rename(status, headers, data):
        data["data"]["batch_results"] = [{"encoded_value": one["decoded_value"]} for one in data["data"]["batch_results"]]
        return status, headers, data

    shop.vault.control.fault(path="transform/decode/", edit=rename)
    assert shop.reveal(coded) == [{"c": CARD}]


# What is found at start

def test_what_does_not_fit_ends_the_start(shop):
    shop.fpe()
    shop.fpe("own", "supplied")
    shop.fpe("drawn", "generated")
    shop.masking()
    shop.tokens(max_ttl="1h")
    shop.fpe("shut", allowed_roles=["nobody", "pay?"])
    shop.role("card", "own", "drawn", "mask", "tok", "shut", "later")
    for options, says in (
            ("", r"several transformations \(card, own, .*say which"),
            ("transformation: crad", "does not have transformation crad .it has card, own"),
            ("transformation: later", "transformation later, which does not exist"),
            ("transformation: shut", "does not allow role payments; add it to the transformation's allowed_roles"),
            ("transformation: card, tweak_source: supplied", "'tweak_source: internal' on the server, and the policy says supplied"),
            ("transformation: own", "'tweak_source: supplied' on the server, and the policy says internal"),
            ("transformation: drawn, tweak_source: supplied", "'tweak_source: generated' on the server"),
            ("transformation: own, tweak_source: supplied, tweak_bytes: 8", "FF3-1, whose tweaks have 7 bytes, and the policy's have 8"),
            ("transformation: card, ttl: 1h", "for tokenization, and transformation card is format-preserving"),
            ("transformation: mask, tweak_source: generated", "is masking, which has no tweak"),
            ("transformation: mask, metadata: 'a=b'", "for tokenization, and transformation mask is masking"),
            ("transformation: tok, tweak_source: supplied", "is tokenization, which has no tweak"),
            ("transformation: tok, decode_format: x", "'decode_format' is for format-preserving"),
            ("transformation: tok, ttl: 2h", "'ttl' is 7200 s, and transformation tok allows 3600 s")):
        shop.policy({"$.c": options})
        shop.refused(says)
        assert "method '$.c', vault:transform/role/payments: " in shop.said
    shop.role()
    shop.policy({"$.c": ""})
    shop.refused("has no transformation; say which")
    shop.policy({"$.c": "transformation: card"})
    shop.refused("does not have transformation card .it has none")


def test_roles_and_mounts_that_are_not_there(shop):
    shop.fpe()
    shop.role("card")
    shop.policy("      $.c: {type: transform, role: paymnts}\n")
    shop.refused("there is no role paymnts at transform of https://.*; did you mean payments?")
    shop.policy("      $.c: {type: transform, role: payments, mount: transfrm}\n")
    shop.refused("there is no Transform engine at transfrm .*Vault Enterprise with the ADP module")
    shop.policy("      $.c: {type: transform, role: payments, mount: transit}\n")
    shop.refused("there is no Transform engine at transit ")


@pytest.mark.parametrize("product", ["openbao", "vault"])
def test_other_products_say_what_they_lack(certificates, program, product):
    with Double(product, tls=certificates) as vault:
        shop = object.__new__(Shop)
        shop.vault, shop.program = vault, program
        shop.policy({"$.c": ""})
        shop.refused("there is no Transform engine at transform .*neither OpenBao nor Vault without a licence")


def test_a_token_that_may_only_encode(shop):
    shop.fpe()
    shop.role("card")
    shop.policy({"$.c": "transformation: card"})
    token = shop.vault.token_for(("transform/encode/payments", "update"))
    assert len(shop.protect(*cards(3), token=token)) == 3
    assert "may not read" not in shop.said
    shop.run("protect", cards(1), token=token, more=("--log-level", "debug"))
    assert "the token may not read role transform/role/payments" in shop.said
    shop.refused(r"refuses POST transform/decode/payments.*path \"transform/decode/payments\" \{ capabilities = \[\"update\"\] \}",
                 *cards(1), command="reveal", token=token, exit_code=77)
    shop.refused("neither encode nor decode with role", token=shop.vault.token_for(("transit/encrypt/x", "update")), exit_code=77)


def test_wrong_tweaks_without_reading_stop_everything(shop):
    """What the server's configuration would have told at start, its answers tell at the first value."""
    shop.fpe(source="supplied")
    shop.role("card")
    token = shop.vault.token_for(("transform/encode/payments", "update"))
    shop.policy({"$.c": "tweak_source: supplied, tweak_bytes: 8"})
    shop.refused("incorrect tweak size provided: 8.*FF3-1 takes 7 bytes", token=token)
    shop.policy({"$.c": ""})
    shop.refused("incorrect tweak size provided: 0", token=token)
    shop.fpe(source="generated")
    shop.refused("could not be revealed", token=token)
    shop.fpe()
    shop.policy({"$.c": "tweak_source: generated"})
    shop.refused("draws no tweaks", token=token)


def test_only_strings(shop):
    shop.fpe()
    shop.role("card")
    shop.policy({"$.c": ""})
    shop.refused("transform takes strings", {"c": 4111111111111111}, exit_code=1)
    shop.refused("on_null: keep", {"c": None}, exit_code=1)
    shop.policy({"$.c": ""}, head="defaults: {on_null: keep}\n")
    assert shop.protect({"c": None}) == [{"c": None}]


def test_an_outage_is_told_with_what_is_away(shop):
    shop.fpe()
    shop.role("card")
    shop.policy({"$.c": ""})
    shop.vault.control.seal()
    shop.refused("is sealed", exit_code=69)
    shop.vault.control.unseal()
    shop.vault.control.revoke(shop.vault.token)
    shop.refused("was revoked", exit_code=77)


# policy test

TESTS = """\
tests:
  - {topic: t, in: {c: 4111-1111-1111-1234}, out: {c: {like: '[0-9-]{19}'}}, round_trip: true}
  - {topic: t, in: {c: no card}, error: domain}
"""


def test_policy_test_uses_the_server(shop):
    shop.fpe()
    shop.role("card")
    shop.policy("      $.c: {type: transform, role: payments}\n" + TESTS)
    out, _ = shop.program.run("policy", "test", "p.yaml", environment=shop.vault.environment())
    assert out.splitlines()[-1] == b"2 passed, 0 failed"
    out, said = shop.program.run("policy", "test", "p.yaml")
    assert out.splitlines()[-1] == b"0 passed, 0 failed, 2 left out" and "set VAULT_ADDR" in said
    out, said = shop.program.run("policy", "test", "--json", "p.yaml", environment=shop.vault.environment(VAULT_TOKEN="no"))
    found = json.loads(out)
    assert found["left_out"] == 2 and found["tests"][0]["passed"] is None and "VAULT_TOKEN" in found["tests"][0]["left_out"]
    shop.vault.api("DELETE", "transform/role/payments")
    _, said = shop.program.run("policy", "test", "p.yaml", environment=shop.vault.environment(), exit_code=78)
    assert "vault:transform/role/payments: there is no role payments" in said


def test_many_workers_and_methods_of_one_role(shop):
    shop.fpe()
    shop.fpe("drawn", "generated")
    shop.tokens()
    shop.role("card", "drawn", "tok")
    shop.policy({"$.c": "transformation: card", "$.d": "transformation: drawn, tweak_source: generated", "$.n": "transformation: tok"})
    records = [{**one, "d": one["c"], "n": f"name {one['id']}"} for one in cards(3000)]
    coded = shop.protect(*records, more=("-j", "4"))
    assert shop.reveal(*coded, more=("-j", "4")) == records
