"""scan: what there is to protect, what a policy leaves open, and a policy for it. Never a value."""
import json
import random

import pytest

CARDS = ["4111-1111-1111-1111", "5555555555554444", "378282246310005", "6011 1111 1111 1117", "4242424242424242"]
IBANS = ["DE89370400440532013000", "GB82WEST12345698765432", "FR1420041010050500013M02606"]


def people(n, seed=1):
    dice = random.Random(seed)
    for i in range(n):
        yield {"id": i, "mail": f"p{i}@example.com", "card": dice.choice(CARDS), "amount": round(dice.random(), 2),
               "items": [{"sku": f"S-{dice.randrange(1000)}", "contact": f"q{i}@example.org"} for _ in range(dice.randrange(3))],
               "maybe": None if i % 2 else "x", **({"iban": dice.choice(IBANS)} if i % 4 == 0 else {})}


def ndjson(records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def scan(program, records, *words, exit_code=0):
    data = records if isinstance(records, bytes) else ndjson(records)
    report = json.loads(program.run("scan", "--json", *words, input=data, exit_code=exit_code)[0])
    assert report["schema"] == "sealstream.scan/1"
    return report


def paths(report):
    return {path["path"]: path for path in report["paths"]}


def finds(report):
    return {path["path"]: path["findings"][0]["detector"] if path["findings"] else None
            for path in report["paths"] if path["find"]}


# ---- what is told ----

def test_what_is_found(program):
    report = scan(program, people(200))
    assert report["records"] == 200 and report["failed"] == 0 and report["with_policy"] is False
    assert finds(report) == {"$.mail": "email", "$.card": "card", "$.items[*].contact": "email", "$.iban": "iban"}
    assert report["finds"] == report["open_finds"] == 4
    told = paths(report)
    assert told["$.maybe"]["types"] == {"null": 100, "string": 100} and told["$.maybe"]["presence"] == 1
    assert told["$.iban"]["presence"] == 0.25 and told["$.iban"]["values"] == 50
    assert told["$.amount"]["types"] == {"number": 200}
    assert [path["path"] for path in report["paths"]][:3] == ["$.id", "$.mail", "$.card"]
    best = told["$.card"]["findings"][0]
    assert best["values"] == 200 and best["confidence"] > 0.7 and best["class"] == "personal" and best["sure"]


def test_the_table(program):
    out, err = program.run("scan", input=ndjson(people(200)))
    lines = out.decode().splitlines()
    assert lines[0] == "200 records" and err == ""
    assert lines[1].split() == ["path", "present", "types", "looks", "like"]
    assert any(line.startswith("$.iban ") and " 25.0%  string " in line and "IBAN" in line for line in lines)
    assert any(line.startswith("$.maybe ") and "null|string" in line and line.endswith("-") for line in lines)
    assert lines[-1] == "4 paths to protect; --suggest proposes a policy."
    only = program.run("scan", "--finds", input=ndjson(people(200)))[0].decode().splitlines()
    assert len(only) == 2 + 4 + 1 and not any(line.startswith("$.maybe") for line in only)
    assert b"\x1b" not in out and b"\x1b" in program.run("scan", "--color", "always", input=ndjson(people(9)))[0]


def test_cards_among_other_things(program):
    """One in twenty values of a field: less than what passes a check digit by accident, had all the values its form."""
    records = [{"ref": "4111 1111 1111 1111" if i % 20 == 0 else f"order PP-{i}", "n": 4111111111111111 if i % 20 == 0 else i}
               for i in range(1000)]
    for words in ([], ["-j", "4"]):
        assert finds(scan(program, records, *words)) == {"$.ref": "card", "$.n": "card"}


def test_nothing_to_find(program):
    out = program.run("scan", input=b'{"a":1}\n{"a":true}\n')[0].decode()
    assert out.splitlines()[-1] == "Nothing was found that asks for protection."
    out = program.run("scan", input=b"Name,Address\nAda,1 High St\n", exit_code=1)[0].decode()
    assert out.splitlines() == ["2 records, 2 of them cannot be read",
                                "Nothing could be read: records are one JSON value a line, or see -J, -K, --format."]
    out, err = program.run("scan", input=b"")
    assert out == b"0 records\nNothing was found that asks for protection.\n"
    assert err == "sealstream: warning: there were no records in stdin: nothing was looked at\n"


def test_never_a_value(program):
    """No value, and no name that is one, in any form of output."""
    dice = random.Random(2)
    canaries = [f"c{dice.getrandbits(40):x}@example.com" for _ in range(50)]
    records = [{"mail": mail, "by": {mail: {"n": 1}}, "s": json.dumps({"mail": mail}), "l": [mail, [mail]]} for mail in canaries]
    data = ndjson(records) + b'{"broken": "' + canaries[0].encode() + b"\n"
    for words in ([], ["--json"], ["--suggest"], ["--finds"], ["--log-level", "debug"], ["-j", "4"]):
        out, err = program.run("scan", *words, input=data, exit_code=1)
        assert b"example.com" not in out and "example.com" not in err, words
        assert b"$.mail" in out


def test_names_that_are_data(program):
    told = scan(program, [{"by": {f"u{i}@example.com": {"n": i}}} for i in range(5)])
    assert list(finds(told)) == ["$.by.*"]
    assert paths(told)["$.by.*"]["names_that_are_data"] == 5 and "$.by.*.n" in paths(told)
    out = program.run("scan", "--suggest", input=ndjson([{"by": {"u@example.com": 1}}]))[0].decode()
    assert "$.by: personal  # names of its members are data" in out


def test_maps_are_folded(program):
    by_id = scan(program, [{"m": {f"id{i}": {"mail": f"a{i}@example.com"}}} for i in range(3000)])
    assert [path["path"] for path in by_id["paths"]] == ["$.m.*.mail"] and finds(by_id) == {"$.m.*.mail": "email"}
    seldom = scan(program, [{"m": {f"id{i}": 1}} for i in range(300)])
    assert list(paths(seldom)) == ["$.m.*"]
    wide = scan(program, [{f"column{i}": 1 for i in range(300)}] * 3)
    assert len(wide["paths"]) == 300


def test_names_are_written_as_policies_take_them(program):
    told = scan(program, ['{"a b":"x@example.com","it\'s":{"\\u001b[31m":"y@example.com"},"":"z@example.com"}\n'.encode()][0])
    assert set(finds(told)) == {"$['a b']", "$['it\\'s']['\\u001b[31m']", "$['']"}
    assert b"\x1b" not in program.run("scan", input=b'{"\\u001b[31m\\u009b":1}\n')[0]


def test_json_inside_a_string(program):
    told = scan(program, [{"payload": json.dumps({"user": {"mail": f"u{i}@example.com"}})} for i in range(20)])
    assert finds(told) == {"$.payload": "email"}


def test_names_inside_a_string(program):
    """What only a name tells counts there as in fields: with values that fit it; not by names that are far behind."""
    inside = {"password": "hunter2", "dob": "1980-01-02", "n": [{"last_name": "Lee"}]}
    told = scan(program, [{"a": json.dumps(inside), "b": json.dumps({"dob": "none", "last_name": "7", "password": ""}),
                           "c": json.dumps({"cvv": 123}), "d": json.dumps({f"k{n}": 0 for n in range(64)} | inside)}] * 9)
    assert finds(told) == {"$.a": "password"}
    assert {found["detector"] for found in paths(told)["$.a"]["findings"]} == {"password", "birth_date", "person_name"}
    assert all(found["sure"] for found in paths(told)["$.a"]["findings"])
    out = program.run("scan", "--suggest", input=ndjson([{"a": json.dumps(inside)}]))[0].decode()
    assert "$.a: secret " in out and "remove" not in out


def test_threads_change_nothing(program):
    data = ndjson(list(people(30000)) + [{"m": {f"k{i}": i}} for i in range(2000)] + [{"late": "z@example.com"}])
    outs = {program.run("scan", "--json", "-j", str(n), input=data)[0] for n in (1, 2, 5)}
    assert len(outs) == 1


# ---- bad input ----

def test_broken_records(program):
    out, err = program.run("scan", input=b'{"a":1}\n{"a":\n\n[]\nx\n', exit_code=1)
    assert out.decode().splitlines()[0] == "4 records, 2 of them cannot be read"
    assert "stdin:2: byte 5: " in err and "stdin:5: " in err
    _, err = program.run("scan", input=b"x\n" * 500, exit_code=1)
    assert len(err.splitlines()) == 11 and err.splitlines()[-1].endswith("490 more records cannot be read")
    program.run("scan", "absent.ndjson", exit_code=66)
    out, err = program.run("scan", "--max-record-bytes", "10", input=b'{"a":"0123456789"}\n{"a":1}\n', exit_code=1)
    assert "longer than 10 bytes" in err and out.startswith(b"2 records, 1 of them")


@pytest.mark.parametrize("words, what", [
    (["-t", "x", "FILE"], "--topic excludes a FILE"),
    (["-t", "x", "-J"], "--topic excludes --envelopes"),
    (["-J", "-K", ":"], "--envelopes excludes --key-delimiter"),
    (["--suggest", "--json"], "--suggest excludes --json"),
    (["-j", "65"], "-j must be"),
    (["-c", "-1"], "-c must be"),
    (["-p", "absent.yaml"], "absent.yaml"),
])
def test_usage(program, words, what):
    assert what in program.run("scan", *words, exit_code=66 if "absent.yaml" in words else 64)[1]


def test_deep_and_wide(program):
    """Deeper than paths go, more paths than the table has: counted above, and still found."""
    deep = b'{"a":' * 100 + b'"x@example.com"' + b"}" * 100 + b"\n"
    told = scan(program, deep)
    (path, found), = finds(told).items()
    assert found == "email" and path.startswith("$.a.a.a") and paths(told)[path]["deeper_values"] > 0
    wide = [{f"g{g}": {f"n{g}_{i}": "x@example.com" for i in range(100)}} for g in range(80)]
    told = scan(program, wide)
    assert told["paths_full"] is True and sum(path["deeper_values"] for path in told["paths"]) > 3000
    assert sum(path["findings"][0]["values"] for path in told["paths"] if path["findings"]) == 8000
    out = program.run("scan", input=ndjson(wide))[0].decode()
    assert "More than 4096 paths" in out
    assert program.run("policy", "lint", "-", input=program.run("scan", "--suggest", input=ndjson(wide))[0])


# ---- samples ----

def test_count(program):
    told = scan(program, people(500), "-c", "20")
    assert told["records"] == 20 and told["stopped_by_count"] is True
    assert program.run("scan", "-c", "20", input=ndjson(people(30)))[0].startswith(b"20 records; stopped there (--count)")
    assert scan(program, people(5), "-c", "20")["stopped_by_count"] is False


def test_text(program):
    told = scan(program, b"x@example.com\ny@example.com\n\xff\n", "--format", "text")
    assert paths(told)["$"]["types"] == {"string": 2, "bytes": 1} and finds(told) == {"$": "email"}


# ---- keys and headers ----

ENVELOPES = b"".join(
    b'{"topic":"t","partition":0,"offset":%d,"key":"k%d@example.com","headers":["x-customer","c%d@example.com","seal-key","AAAA"],'
    b'"payload":"{\\"a\\":1}"}\n' % (i, i, i) for i in range(20))


def test_keys_and_headers(program):
    told = scan(program, ENVELOPES, "-J")
    assert finds(told) == {"key": "email", "header:x-customer": "email"}
    assert list(paths(told)) == ["$.a", "key", "header:x-customer"]
    keyed = scan(program, b'{"id":"a@example.com"}#{"a":1}\n' * 9, "-K", "#")
    assert finds(keyed) == {"key.id": "email"}


# ---- coverage ----

POLICY = """version: 1
keys: {pii: "local:pii"}
methods: {secret: {type: encrypt, key: pii}}
topics:
  - match: people
    protect:
      $.mail: secret
      $.items[0].contact: secret
    allow: [$.card]
"""


def cover(program, home, policy, records, *words, exit_code=0):
    (home / "policy.yaml").write_text(policy)
    return scan(program, records, "-p", "policy.yaml", *words, exit_code=exit_code)


def test_coverage(program, tmp_path):
    told = cover(program, tmp_path, POLICY, people(200), exit_code=1)
    by = {path["path"]: (path["policy"], path["open"]) for path in told["paths"]}
    assert by["$.mail"] == ("protected", False) and by["$.card"] == ("allowed", False)
    assert by["$.iban"] == ("unclassified", True) and by["$.id"] == ("unclassified", False)
    # Only the first item is protected.
    contact = paths(told)["$.items[*].contact"]
    assert by["$.items[*].contact"] == ("unclassified", True) and contact["protected_values"] > 0 < contact["open_values"]
    assert paths(told)["$.mail"]["method"] == "encrypt"
    assert told["finds"] == 4 and told["open_finds"] == 2
    out = program.run("scan", "-p", "policy.yaml", input=ndjson(people(200)), exit_code=1)[0].decode()
    assert out.splitlines()[-1] == ("4 paths to protect, 2 of them unclassified: add them to the policy's protect: or allow:.")
    assert "protected (encrypt)" in out and "unclassified in part" in out


def test_all_covered(program, tmp_path):
    policy = POLICY.replace("$.items[0].contact", "$.items").replace("[$.card]", "[$.card, $.iban]")
    assert cover(program, tmp_path, policy, people(200))["open_finds"] == 0
    out = program.run("scan", "-p", "policy.yaml", input=ndjson(people(200)))[0].decode()
    assert out.splitlines()[-1] == "4 paths to protect, all of them protected or allowed."


def test_a_find_in_one_record_of_many(program, tmp_path):
    """What a policy does not name is found wherever it appears first."""
    policy = POLICY.replace("$.items[0].contact", "$.items").replace("[$.card]", "[$.card, $.iban]")
    records = list(people(5000)) + [{"new": {"card": "4111111111111111"}}]
    told = cover(program, tmp_path, policy, records, exit_code=1)
    assert [path["path"] for path in told["paths"] if path["open"]] == ["$.new.card"]


def test_coverage_of_names(program, tmp_path):
    records = [{"by": {"u@example.com": 1}}]
    policy = POLICY[:POLICY.index("    protect")] + "    protect: {$.mail: secret}\n"
    assert cover(program, tmp_path, policy, records, exit_code=1)["open_finds"] == 1
    assert cover(program, tmp_path, policy + "    allow: [$.by]\n", records)["open_finds"] == 0


def test_coverage_of_keys_and_headers(program, tmp_path):
    def told(more, exit_code):
        policy = POLICY[:POLICY.index("    protect")] + "    protect: {$.b: secret}\n" + more
        return {path["path"]: path["policy"]
                for path in cover(program, tmp_path, policy, ENVELOPES, "-J", exit_code=exit_code)["paths"]}

    assert told("", 1) == {"$.a": "unclassified", "key": "unclassified", "header:x-customer": "unclassified"}
    assert told("    headers: {x-customer: secret}\n    allow: [key]\n", 0) == {
        "$.a": "unclassified", "key": "allowed", "header:x-customer": "protected"}
    assert told("    allow: [\"header:x-customer\"]\n", 1)["header:x-customer"] == "allowed"


def test_a_policy_of_many_topics_needs_a_name(program, tmp_path):
    (tmp_path / "policy.yaml").write_text(POLICY + "  - match: other\n    protect: {$.x: secret}\n")
    data = ndjson([{"x": "a@example.com", "mail": "b@example.com"}])
    assert "choose one" in program.run("scan", "-p", "policy.yaml", input=data, exit_code=64)[1]
    for topic, path in (("people", "$.x"), ("other", "$.mail")):
        told = scan(program, data, "-p", "policy.yaml", "--policy-topic", topic, exit_code=1)
        assert [path["path"] for path in told["paths"] if path["open"]] == [path]
    assert "no topic of the policy" in program.run("scan", "-p", "policy.yaml", "--policy-topic", "none", input=data,
                                                   exit_code=78)[1]


# ---- suggestions ----

def suggest(program, home, records, *words):
    """A policy that passes lint, and under which nothing is left open."""
    data = records if isinstance(records, bytes) else ndjson(records)
    (home / "topic.ndjson").write_bytes(data)
    out, _ = program.run("scan", "--suggest", *words, "topic.ndjson")
    (home / "suggested.yaml").write_bytes(out)
    assert program.run("policy", "lint", "suggested.yaml")[0].startswith(b"suggested.yaml: no errors")
    told = scan(program, data, "-p", "suggested.yaml", *words)
    assert told["open_finds"] == 0
    return out.decode()


def test_a_suggestion_works(shop, program, tmp_path):
    """… from the first record to the last, there and back."""
    records = list(people(300))
    out = suggest(program, tmp_path, records)
    assert "match: \"topic\"" in out and "$.items[*].contact: personal" in out and "type: fpe" in out
    for line in out.splitlines():
        if "# sealstream key create " in line and " pii" not in line:
            shop.run("-q", *line.split("# sealstream ")[1].split())
    data = ndjson(records)
    hidden = shop.run("protect", "-p", str(tmp_path / "suggested.yaml"), input=data)[0]
    assert b"@example" not in hidden and hidden != data
    assert shop.run("reveal", "-p", str(tmp_path / "suggested.yaml"), input=hidden)[0] == data


def test_only_a_key_or_headers_were_found(shop, program, tmp_path):
    """Values pass in clear then, and the policy says so."""
    data = ndjson({"key": f"p{i}@example.com", "headers": ["x-phone", f"+49 30 90182{i:03}"], "payload": json.dumps({"n": i})}
                  for i in range(50))
    out = suggest(program, tmp_path, data, "-J")
    assert "    protect: {}  # nothing was found in values\n" in out
    shop.run("-q", "key", "create", "joins", "--convergent")
    hidden = shop.run("protect", "-p", str(tmp_path / "suggested.yaml"), "-J", input=data)[0]
    assert b"@example" not in hidden and b"+49 30" not in hidden and b'{\\"n\\": 1}' in hidden
    assert shop.run("reveal", "-p", str(tmp_path / "suggested.yaml"), "-J", input=hidden)[0].count(b"@example") == 50


def test_values_that_do_not_fit_are_encrypted(program, tmp_path):
    """fpe takes digits alone: what else stands there changes the method."""
    cards = [{"card": "4111111111111111"}] * 50
    assert "$.card: card" in suggest(program, tmp_path, cards)
    assert "$.card: personal" in suggest(program, tmp_path, cards + [{"card": "none"}])
    assert "$.card: personal" in suggest(program, tmp_path, cards + [{"card": {"n": 1}}])
    assert "$.card: personal" in suggest(program, tmp_path, cards + [{"card": ""}])
    with_null = suggest(program, tmp_path, cards + [{"card": None}])
    assert "$.card: card" in with_null and "on_null: keep" in with_null
    number = suggest(program, tmp_path, [{"card": 4111111111111111}] * 50)
    assert "$.card: card" in number


def test_what_must_not_be_kept_is_removed(program, tmp_path):
    """A card's security code: by its name, whatever stands there."""
    out = suggest(program, tmp_path, [{"pay": {"cvv": cvv, "n": 1}} for cvv in ("123", 456, None)] * 5)
    assert "$.pay.cvv: card_code" in out and "card_code: {type: remove}" in out and "keys:" not in out
    # Where nothing can be removed it is encrypted.
    header = b'{"headers":["cvv","123"],"payload":"1"}\n' * 5
    assert "cvv\": personal" in suggest(program, tmp_path, header, "-J")


def test_one_path_never_contains_another(program, tmp_path):
    out = suggest(program, tmp_path, [{"to": "a@example.com"}, {"to": {"mail": "b@example.com", "cc": ["c@example.com"]}}] * 9)
    assert out.count("$.to") == 1 and "$.to: personal" in out
    root = suggest(program, tmp_path, b'"a@example.com"\n{"mail":"b@example.com"}\n')
    assert "      $: personal" in root and "$.mail" not in root


def test_odd_names(program, tmp_path):
    names = ["a b", "it's", 'qu"ote', "back\\slash", "# no comment", "x: y", "- z", "*", "", "\u00fc", "\u2028", "\x1b[m", "null",
             "{", "a.b", "$", "[*]", "tab\t", "\U0001f381", "n" * 1024]
    out = suggest(program, tmp_path, [{name: f"x{i}@example.com" for i, name in enumerate(names)}])
    assert out.count(": personal") >= len(names) and "\x1b" not in out and "\u2028" not in out


def test_names_too_long_for_a_policy(program):
    """No policy can name it: it counts where it stands."""
    told = scan(program, [{"a": {"n" * 1025: "x@example.com"}}])
    assert finds(told) == {"$.a": "email"}


def test_what_is_protected_already(shop, program, tmp_path):
    shop.policy(POLICY)
    half = shop.run("protect", "-p", "policy.yaml", input=ndjson([{"mail": f"a{i}@example.com"} for i in range(9)]))[0]
    assert finds(scan(program, half)) == {}
    out = suggest(program, tmp_path, half + ndjson([{"mail": f"b{i}@example.com"} for i in range(9)]))
    assert "$.mail: personal" in out and "on_protected: keep" in out


def test_no_suggestion(program):
    """There is no policy that protects nothing."""
    assert program.run("scan", "--suggest", input=b'{"a":1}\n')[0] == b"# Nothing was found that a policy could protect.\n"


def test_suggested_text(program, tmp_path):
    assert "format: bytes" in suggest(program, tmp_path, b"a@example.com\nb@example.com\n", "--format", "text")


def test_only_what_a_policy_leaves_open(program, tmp_path):
    (tmp_path / "policy.yaml").write_text(POLICY)
    out = program.run("scan", "--suggest", "-p", "policy.yaml", input=ndjson(people(100)), exit_code=1)[0].decode()
    assert "$.iban" in out and "$.mail" not in out and "$.card" not in out


# ---- what must not be taken for granted ----

def test_names_that_are_data_at_any_depth(program, tmp_path):
    """The tree ends at its depth, whatever names stand there."""
    record = {"a@example.com": 1}
    for i in range(120):
        record = {f"a{i}@example.com": record}
    told = scan(program, [record])
    assert told["finds"] == 59 and all("example" not in path["path"] for path in told["paths"])
    assert told["paths"][-1]["names_that_are_data"] > 0 and told["paths"][-1]["deeper_values"] > 60
    assert "      $: personal  # names of its members are data" in suggest(program, tmp_path, [record])


def test_paths_of_very_long_names(program):
    """A report has each path whole: names of many levels cannot make it thousands of times the records."""
    record = {f"{i:03}" + "\x01" * 997: "a@example.com" for i in range(600)}
    for _ in range(50):
        record = {"\x01" * 1000: record}
    out = program.run("scan", input=ndjson([record]))[0]
    assert len(out) < 64 << 10 and b"deeper" in out and b"e-mail address" in out


def test_a_key_that_fails_hides_no_value(program, tmp_path):
    policy = "version: 1\nkeys: {k: local:k}\ntopics:\n- match: t\n  key: {$.id: {type: deterministic, key: k}}\n" \
             "  protect: {$.x: {type: encrypt, key: k}}\n"
    (tmp_path / "policy.yaml").write_text(policy)
    data = ndjson([{"key": "no JSON", "payload": '{"mail": "a@example.com"}'}, {"key": "no JSON", "payload": "nor this"}])
    told = scan(program, data, "-J", "-p", "policy.yaml", exit_code=1)
    assert finds(told) == {"$.mail": "email"} and told["failed"] == 2
    assert program.run("scan", "-J", "-p", "policy.yaml", input=data, exit_code=1)[1].count("the record's key") == 2


def test_what_cannot_be_read_is_no_tombstone(program):
    told = scan(program, b'{"payload":null}\n{"payload":"{}"}\nno JSON\n', "-J", exit_code=1)
    assert (told["records"], told["tombstones"], told["failed"]) == (3, 1, 1)


def test_elements_are_called_as_their_array(program):
    assert finds(scan(program, [{"passwords": ["hunter2", "letmein1"]}] * 20)) == {"$.passwords[*]": "password"}


def test_a_map_has_the_method_of_its_members(program, tmp_path):
    """… though its first one had none."""
    policy = "version: 1\nkeys: {k: local:k}\ntopics: [{match: t, protect: {$.m.b: {type: encrypt, key: k}}}]\n"
    (tmp_path / "policy.yaml").write_text(policy)
    told = scan(program, [{"m": {"a": 1, "b": "x"}}, {"m": {"a@example.com": 1}}], "-p", "policy.yaml", exit_code=1)
    assert paths(told)["$.m.*"]["method"] == "encrypt" and paths(told)["$.m.*"]["protected_values"] == 1


STEERING = ["a\u0085topics: []", "a\u2028b: c", "\u202eb", "c\u009bd", "a#b: [", "- x", "\\u0041", "q\"uote", "'", "{x}", "*y", "é"]


@pytest.mark.parametrize("name", STEERING)
def test_names_of_headers_stay_names(program, tmp_path, name):
    """Neither a line, nor YAML, nor a terminal is broken by them."""
    data = ndjson({"headers": [name, f"p{i}@example.com"], "payload": "{}"} for i in range(9))
    out = suggest(program, tmp_path, data, "-J")
    shown = program.run("scan", "-J", input=data)[0].decode()
    for text in (out, shown):
        assert not set(text) & set("\u0085\u2028\u202e\u009b")
    assert len([line for line in shown.split("\n") if line.startswith("header:")]) == 1
    assert scan(program, data, "-J", "-p", "suggested.yaml")["open_finds"] == 0


def test_headers_that_no_policy_takes(program):
    def skipped(headers):
        data = ndjson([{"headers": headers, "payload": '{"mail": "a@example.com"}'}] * 3)
        (program.folder / "suggested.yaml").write_bytes(program.run("scan", "--suggest", "-J", input=data)[0])
        program.run("policy", "lint", "suggested.yaml")
        return [line for line in (program.folder / "suggested.yaml").read_text().splitlines() if "# not proposed" in line]

    assert skipped(["x" * 255, "a@example.com"]) == []
    assert "no policy has headers of such a name" in skipped(["x" * 256, "a@example.com"])[0]
    assert "no policy has headers of such a name" in skipped(["x\ty", "a@example.com"])[0]
    assert "names that are data" in skipped(["b@example.com", "a@example.com"])[0]
    many = skipped([word for i in range(66) for word in (f"x-{i}", "a@example.com")])
    assert len(many) == 2 and all("a topic has no more headers" in line for line in many)


def test_elements_and_members_at_one_path(shop, program, tmp_path):
    """[*] stands for members, too: a rule for each would be two for one value."""
    records = [{"a": [{"mail": "p@example.com"}]}, {"a": {"mail": "q@example.com", "cvv": "123"}}, {"a": {"b": 1}}] * 5
    out = suggest(program, tmp_path, records)
    assert "      $.a: personal" in out and "$.a." not in out and "remove" not in out
    hidden = shop.run("protect", "-p", str(tmp_path / "suggested.yaml"), input=ndjson(records))[0]
    assert shop.run("reveal", "-p", str(tmp_path / "suggested.yaml"), input=hidden)[0] == ndjson(records)


def test_keys_that_are_json_now_and_then(shop, program, tmp_path):
    data = ndjson([{"key": '{"id":"p@example.com"}', "payload": "{}"}, {"key": "k-1", "payload": "{}"}] * 5)
    out = suggest(program, tmp_path, data, "-J")
    assert "    key: record_key" in out
    shop.run("-q", "key", "create", "joins", "--convergent")
    shop.run("protect", "-J", "-p", str(tmp_path / "suggested.yaml"), input=data)


def test_a_card_as_a_whole_text(program, tmp_path):
    """fpe takes no whole payload."""
    assert "$: personal" in suggest(program, tmp_path, b"4111111111111111\n" * 9, "--format", "text")


def test_a_topic_name_that_is_no_text(program):
    err = program.run("scan", "--suggest", "--policy-topic", b"\xff".decode(errors="surrogateescape"),
                      input=ndjson(people(9)), exit_code=64)[1]
    assert "the topic's name is not UTF-8" in err
