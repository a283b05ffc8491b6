"""verify: what meets the policy is proven, what does not is found, and nothing of it is shown."""
import html.parser
import json
import re
import signal
import subprocess

import pytest

from program import wait_until_read

POLICY = """version: 1
namespace: shop
defaults: {on_plaintext: pass}
keys: {pii: "local:pii", cards: "local:cards", log: "local:log", mail: "local:mail"}
topics:
  - match: purchases
    protect:
      $.Name: {type: encrypt, key: pii}
      $.mail: {type: deterministic, key: mail, bind: {domain: mail}}
      $.note: {type: envelope, key: pii}
      $.card: {type: fpe, key: cards}
      $.log: {type: hash, key: log}
      $.token: {type: hash, key: log, encoding: base64url}
      $.phone: {type: mask, keep: {last: 2}, separators: true}
      $.comment: {type: redact}
      $.cvv: {type: remove}
"""
RECORD = {"Name": "Ada Lovelace", "mail": "ada@example.com", "note": {"a": 1.5}, "card": "4111-1111-1111-1111", "log": "in",
          "token": 7, "phone": "+44 20 7946 0958", "comment": "private words", "cvv": 123, "n": 1}
FIELDS = ["Name", "mail", "note", "card", "log", "token", "phone", "comment", "cvv"]


@pytest.fixture
def shop(shop):
    shop.run("-q", "key", "create", "log", "--type", "hmac")
    shop.run("-q", "key", "create", "mail", "--convergent")
    shop.policy(POLICY)
    return shop


def lines(*records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def report(shop, data, *arguments, exit_code=0):
    out, err = shop.run("verify", "--report", "json", *arguments, input=data, exit_code=exit_code)
    whole = json.loads(out)
    assert whole["schema"] == "sealstream.verify/1"
    return whole


def protected(shop, **more):
    return json.loads(shop.protect(lines(RECORD | more)))


def test_good_records_are_proven(shop):
    data = shop.protect(lines(*[RECORD] * 3))
    shop.run("-q", "key", "rotate", "pii")
    data += shop.protect(lines(*[RECORD] * 2))
    told = report(shop, data)
    assert (told["meets_policy"], told["complete"], told["records"], told["failed"]) == (True, True, 5, 0)
    assert told["ranges"] == [{"partition": -1, "first": 1, "last": 5, "records": 5}]
    assert told["kinds"] == told["failures"] == []
    fields = {field["path"]: field for field in told["fields"]}
    assert list(fields) == [f"$['{name}']" for name in FIELDS]
    assert {path: field["proof"] for path, field in fields.items()} == {
        "$['Name']": "authentic", "$['mail']": "authentic", "$['note']": "authentic", "$['card']": "shape", "$['log']": "shape",
        "$['token']": "shape", "$['phone']": "shape", "$['comment']": "shape", "$['cvv']": "absent"}
    assert [field["values"] for field in fields.values()] == [5, 5, 5, 5, 5, 5, 5, 5, 0]
    both = [{"version": 1, "values": 3}, {"version": 2, "values": 2}]
    assert fields["$['Name']"]["key_versions"] == both and fields["$['note']"]["key_versions"] == both
    assert fields["$['mail']"]["key_versions"] == [{"version": 1, "values": 5}]
    assert fields["$['card']"]["key_versions"] == []
    text = shop.run("verify", input=data)[0].decode()
    assert "$['Name'] (key version 1: 3, key version 2: 2)" in text
    assert "note: $['card'] (fpe): has no integrity" in text and "comment" not in text.split("note:", 1)[1]
    assert text.endswith("every record that was read meets the policy\n")


@pytest.mark.parametrize("name", FIELDS)
def test_one_field_in_clear_is_found(shop, name):
    """Whatever the policy lets pass; all but fpe, whose results look like any value of their shape."""
    found = report(shop, lines(protected(shop), protected(shop) | {name: RECORD[name]}), exit_code=0 if name == "card" else 1)
    assert found["meets_policy"] == (name == "card")
    if name == "card":
        return
    assert (found["records"], found["failed"]) == (2, 1)
    assert found["kinds"] == [{"path": f"$['{name}']", "code": "plaintext", "records": 1, "first": "stdin:2"}]
    assert [(one["record"], one["path"]) for one in found["failures"]] == [("stdin:2", f"$['{name}']")]
    # The values of a record that fails count for nothing.
    assert {field["values"] for field in found["fields"] if field["path"] != "$['cvv']"} == {1}


@pytest.mark.parametrize("name, change, code", [
    ("Name", lambda v: v[:-4] + ("AAA=" if v[-4:] != "AAA=" else "BBB="), "tampered"),
    ("Name", lambda v: v.replace("vault:v1", "vault:v7"), "key-version"),
    ("mail", lambda v: v.replace("vault:v1:", "json+vault:v1:"), "tampered"),
    ("mail", lambda v: v.replace("vault:", "Vault:"), "plaintext"),
    ("note", lambda v: v.replace("json+", ""), "tampered"),
    ("log", lambda v: v.upper(), "plaintext"),
    ("log", lambda v: v[:-1], "plaintext"),
    ("token", lambda v: v + "A", "plaintext"),
    ("phone", lambda v: v.replace("*", "1", 1), "plaintext"),
    ("comment", lambda v: v + " ", "plaintext"),
    ("comment", lambda v: None, "plaintext"),
    ("card", lambda v: "12", "domain"),
])
def test_changed_values_are_found(shop, name, change, code):
    record = protected(shop)
    found = report(shop, lines(record | {name: change(record[name])}), exit_code=1)
    assert [(one["path"], one["code"].replace("_", "-").lower()) for one in found["failures"]] == [(f"$['{name}']", code)]


def test_a_moved_value_is_found(shop):
    record = protected(shop)
    shop.policy(POLICY.replace("$.card:", "$.other: {type: encrypt, key: pii}\n      $.card:"))
    found = report(shop, lines(record | {"other": record["Name"]}), exit_code=1)
    assert [(one["path"], one["code"]) for one in found["failures"]] == [("$['other']", "tampered")]


def test_more_versions_than_can_be_told_apart(shop):
    data = b""
    for _ in range(18):
        data += shop.protect(lines(RECORD))
        shop.run("-q", "key", "rotate", "pii")
    name = next(field for field in report(shop, data)["fields"] if field["path"] == "$['Name']")
    assert [one["version"] for one in name["key_versions"]] == list(range(1, 17))
    assert (name["values"], name["other_versions"], name["no_version"]) == (18, 2, 0)


def test_nulls_that_may_stay_are_counted(shop):
    shop.policy(POLICY.replace("on_plaintext: pass", "on_null: keep"))
    told = report(shop, shop.protect(lines(RECORD | {"Name": None, "log": None}, RECORD)))
    nulls = {field["path"]: (field["values"], field["nulls"]) for field in told["fields"]}
    assert nulls["$['Name']"] == nulls["$['log']"] == (1, 1) and nulls["$['mail']"] == (2, 0)


def test_a_null_is_there(shop):
    """What `remove` takes away is not kept as null, either."""
    shop.policy(POLICY.replace("on_plaintext: pass", "on_null: keep"))
    found = report(shop, lines(protected(shop) | {"cvv": None}), exit_code=1)
    assert [(one["path"], one["code"]) for one in found["failures"]] == [("$['cvv']", "plaintext")]


def test_partitions_of_envelopes(shop):
    """Ranges are by partition, as the envelopes tell; a table of them is bounded, too."""
    shop.policy('version: 1\nkeys: {pii: "local:pii"}\ntopics: [{match: t, protect: {$.a: {type: encrypt, key: pii}}}]\n')
    data = lines(*[{"partition": n % 5000, "offset": 10 * n, "payload": {}} for n in range(5002)], {"payload": {}})
    told = report(shop, data, "-J")
    assert told["ranges"][0] == {"partition": 0, "first": 0, "last": 50000, "records": 2}
    assert (len(told["ranges"]), told["other_ranges"], told["records"]) == (4096, 905, 5003)
    text = shop.run("verify", "-J", input=data[-200:].split(b"\n", 1)[1])[0].decode()
    assert "  partition 1: offsets 50010 to 50010, 1 record\n" in text and "  lines " in text


def test_places_in_what_is_no_json_are_one_kind(shop):
    """At whichever byte, of a value or a key; and no topic that an envelope names steers a terminal."""
    shop.policy('version: 1\nkeys: {mail: "local:mail"}\ntopics: [{match: t, protect: {$.a: {type: deterministic, key: mail}},\n'
                '  key: {$.id: {type: deterministic, key: mail}}}]\n')
    broken = [{"topic": "a\x9b31m", "key": " " * n + "{", "payload": {}} for n in range(4)]
    broken += [{"key": "{}", "payload": " " * n + "{"} for n in range(4)]
    found = report(shop, lines(*broken), "-J", exit_code=1)
    assert [(kind["path"], kind["records"]) for kind in found["kinds"]] == [("key", 4), ("", 4)]
    text = shop.run("verify", "-J", input=json.dumps(broken[0], ensure_ascii=False).encode(), exit_code=1)[0].decode()
    assert "(a??31m/-1/1)" in text and "\x9b" not in text


def test_versions_stand_in_the_key_header(shop):
    shop.policy('version: 1\nkeys: {pii: "local:pii"}\ntopics: [{match: t, protect: {$.a: {type: envelope, key: pii, carry: header}}}]\n')
    data = shop.protect(lines({"key": None, "payload": {"a": "x"}}), "-J")
    shop.run("-q", "key", "rotate", "pii")
    data += shop.protect(lines({"key": None, "payload": {"a": "y"}}), "-J")
    [field] = report(shop, data, "-J")["fields"]
    assert field["key_versions"] == [{"version": 1, "values": 1}, {"version": 2, "values": 1}] and field["no_version"] == 0


def test_ranges_and_bounded_lists(shop):
    data = shop.protect(lines(*[RECORD] * 5)) + lines(*[{"Name": f"secret {n}"} for n in range(50)])
    found = report(shop, data, "--failures", "3", exit_code=1)
    assert (found["failed"], len(found["failures"]), found["failures_left_out"]) == (50, 3, 47)
    assert found["kinds"] == [{"path": "$['Name']", "code": "plaintext", "records": 50, "first": "stdin:6"}]
    assert "… and 47 more" in shop.run("verify", "--failures", "3", input=data, exit_code=1)[0].decode()
    assert report(shop, data, "-c", "5")["records"] == 5
    # Paths of records' own making are bounded, too.
    shop.policy('version: 1\nkeys: {pii: "local:pii"}\ntopics: [{match: t, protect: {$.*: {type: encrypt, key: pii}}}]\n')
    found = report(shop, lines(*[{f"f{n}": "x"} for n in range(300)]), exit_code=1)
    assert (len(found["kinds"]), found["other_kinds"], len(found["failures"])) == (256, 44, 100)


def test_broken_lines_count(shop):
    found = report(shop, b'{"Name":\n[1]\n\n' + shop.protect(lines(RECORD)), exit_code=1)
    assert (found["records"], found["failed"]) == (4, 1)
    assert [(kind["path"], kind["code"], kind["records"]) for kind in found["kinds"]] == [("", "syntax", 1)]


def test_envelopes_with_keys_and_headers(shop):
    shop.policy(POLICY.replace("    protect:", "    key: {type: deterministic, key: mail}\n    headers: {who: {type: encrypt, key: pii}}\n"
                               "    protect:", 1))
    envelope = {"topic": "purchases", "partition": 3, "offset": 7, "key": "customer 7", "headers": ["who", "Ada", "x", "y"],
                "payload": json.dumps(RECORD)}
    data = shop.protect(lines(envelope, envelope | {"offset": 8, "payload": None, "key": None}), "-J")
    assert not any(word in data for word in (b"customer 7", b'"Ada"', b"Lovelace"))
    told = report(shop, data, "-J")
    assert (told["records"], told["tombstones"], told["meets_policy"]) == (2, 1, True)
    fields = {field["path"]: (field["method"], field["values"], field["proof"]) for field in told["fields"]}
    assert fields["key"] == ("deterministic", 1, "authentic") and fields["header:who"] == ("encrypt", 2, "authentic")
    good = [json.loads(line) for line in data.splitlines()]
    for change, path in (({"key": "customer 7"}, "key"), ({"headers": ["who", "Ada"]}, "header:who"),
                         ({"headers": good[0]["headers"] + ["who", "Ada"]}, "header:who")):
        found = report(shop, lines(good[0] | change), "-J", exit_code=1)
        assert [(one["path"], one["code"]) for one in found["failures"]] == [(path, "plaintext")]


def test_what_opens_and_proves_little(shop):
    """A shaped token may be a plain value that is another's token; what is bound to nothing may come from another field."""
    shop.policy("""version: 1
keys: {pii: "local:pii", mail: "local:mail"}
stores: {main: "sqlite:tokens.db"}
topics:
  - match: t
    protect: {$.id: {type: token, key: mail, shape: keep, bind: {domain: id}}, $.a: {type: encrypt, key: pii, bind: none},
              $.b: {type: encrypt, key: pii, bind: none}, $.c: {type: encrypt, key: pii}}
""")
    shop.run("-q", "key", "create", "plain")
    shop.policy((shop.folder / "policy.yaml").read_text().replace("local:mail", "local:plain"))
    record = json.loads(shop.protect(lines({"id": "12345678", "a": "x", "b": "y", "c": "z"})))
    told = report(shop, lines(record | {"b": record["a"]}))  # moved, and none can tell
    said = {field["path"]: (field["proof"], field["limit"]) for field in told["fields"]}
    assert said["$['id']"][0] == "shape" and "another's" in said["$['id']"][1]
    assert said["$['a']"][0] == said["$['b']"][0] == "authentic" and "bound to nothing" in said["$['a']"][1]
    assert said["$['c']"] == ("authentic", "")
    text = shop.run("verify", input=lines(record))[0].decode()
    assert "note: $['id'] (token): each is a token" in text and "note: $['b'] (encrypt): bound to nothing" in text
    assert "authentic: bound to nothing" in shop.run("verify", "--report", "html", input=lines(record))[0].decode()
    assert report(shop, lines(record | {"id": "87654321"}), exit_code=1)["kinds"][0]["path"] == "$['id']"


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attributes]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_escaped(shop):
    """Names of fields come from strangers: none of them becomes markup, and nothing is fetched."""
    shop.policy('version: 1\nkeys: {pii: "local:pii"}\ntopics: [{match: t, protect: {$..*: {type: encrypt, key: pii}}}]\n'
                .replace("$..*", "$.*"))
    nasty = "<script>alert(1)</script><img src=x onerror=y>&\"'\u202e\x01"
    text = shop.run("verify", "--report", "html", input=lines({nasty: "my secret value"}), exit_code=1)[0].decode()
    page = Page(text)
    assert set(page.tags) <= {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "tr", "th", "td", "code"}
    assert set(page.attributes) <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert "&#60;script&#62;" in text and "my secret value" not in text
    assert not re.search(r"https?:|src=|href=|@import|url\(", text.replace("src=x", "").replace("&#60;img", ""))
    # Nor does any steer a terminal; and one that is cut in the middle of a character is still text.
    for name in (nasty, "\x9b31m\x7f\u2028", "\u00e9" * 3000):
        for form in ("text", "json", "html"):
            data = json.dumps({name: "secret"}, ensure_ascii=False).encode()
            text = shop.run("verify", "--report", form, input=data, exit_code=1)[0].decode()
            assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)
    shop.policy(POLICY)
    good = shop.run("verify", "--report", "html", input=shop.protect(lines(RECORD)))[0].decode()
    Page(good)
    assert "Every record that was read meets the policy." in good and "What fails" not in good


def test_no_value_is_ever_shown(shop):
    """Not in any form of report, nor on standard error; good, bad, in clear."""
    words = ["Lovelace", "ada@example", "4111-1111", "private words", "7946", "secret 1"]
    data = shop.protect(lines(RECORD)) + lines(RECORD, {"Name": "secret 1"}, {"cvv": "secret 1", "phone": "secret 1"}) + \
        b'{"Name": "secret 1\n'
    for form in ("text", "json", "html"):
        out, err = shop.run("verify", "--report", form, input=data, exit_code=1)
        assert out and not any(word in out.decode() + err for word in words)


def test_wrong_use(shop, tmp_path):
    assert "--topic excludes a FILE" in shop.run("verify", "-b", "localhost:1", "-t", "purchases", "in.json", exit_code=64)[1]
    assert "must be one of" in shop.run("verify", "--report", "pdf", exit_code=64)[1]
    shop.run("verify", "absent.json", exit_code=66)
    shop.run("verify", "-p", "absent.yaml", "-", input=b"", exit_code=66)
    out, err = shop.run("verify", input=b"")
    assert "there were no records in stdin: nothing is proven" in err and out.endswith(b"no records: nothing is proven\n")
    assert report(shop, b"")["meets_policy"] is False


def test_fields_that_no_record_has_prove_nothing(shop):
    """A policy with other names than the records have must not read as a proof."""
    shop.policy(POLICY.replace("      $.cvv: {type: remove}\n", ""))
    for data, proven in ((lines({"name": "Ada"}, 7), False), (shop.protect(lines({"name": "Ada"}, {"Name": "Ada"})), True)):
        out, err = shop.run("verify", input=data)
        assert ("every record that was read meets the policy" in out.decode()) == proven
        assert ("nothing is proven" in out.decode()) == ("nothing is proven" in err) == (not proven)
        page = shop.run("verify", "--report", "html", input=data)[0].decode()
        assert ("Every record that was read meets" in page) == proven != ("nothing is proven" in page)
    shop.policy(POLICY)
    assert shop.run("verify", input=lines({"name": "Ada"}))[1] == ""  # that it is gone is a proof


def test_a_stop_request_says_that_it_is_not_complete(shop):
    data = shop.protect(lines(*[RECORD] * 100))
    process = shop.start("verify", "--report", "json", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until_read(process, data)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=120)
    told = json.loads(out)
    assert (process.returncode, told["complete"], told["meets_policy"]) == (143, False, False)


def test_memory_does_not_grow_with_failures(shop):
    """A million failing records of as many paths: a table of 256 and a list of 100."""
    shop.policy('version: 1\nkeys: {pii: "local:pii"}\ntopics: [{match: t, protect: {$.*: {type: encrypt, key: pii}}}]\n')
    data = b"".join(b'{"f%d":"x"}\n' % n for n in range(200_000))
    found = report(shop, data, exit_code=1)
    assert (found["failed"], found["other_kinds"]) == (200_000, 200_000 - 256)
