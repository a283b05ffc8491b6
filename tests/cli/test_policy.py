"""policy: lint, test, explain and schema; and that every example of docs/POLICY.md is right."""
import json
import re

import pytest
import jsonschema
import yaml

from conftest import ROOT

GOOD = """\
version: 1
namespace: shop
keys: {pii: local:pii, cards: local:cards}
methods:
  secret: {type: encrypt, key: pii}
  card: {type: fpe, key: cards, alphabet: digits, keep: {first: 6, last: 4}}
topics:
  - match: purchases
    protect:
      $.Address: secret
      $.credit_card: card
      $.items[*].note: secret
      $.cvv: {type: remove}
tests:
  - name: cards keep their ends
    topic: purchases
    in: {Address: 1 High St, credit_card: 4111-1111-1111-1111, n: 1.10, cvv: 123, items: [{note: a}, {note: null}]}
    out:
      credit_card: {like: '4111-11\\d\\d-\\d{4}-1111'}
      cvv: {absent: true}
      n: 1.10
      Address: {like: 'vault:v1:.*'}
      $.items[*].note: {not: a}
      $.items[1].note: {like: 'json\\+vault:v1:.*'}
    round_trip: true
  - {topic: purchases, in: {credit_card: "12"}, error: domain}
"""


def blocks(language):
    text = (ROOT / "docs" / "POLICY.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def schema(run):
    found = json.loads(run("policy", "schema").stdout)
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


@pytest.fixture
def policy(home):
    def write(text, name="p.yaml"):
        (home / name).write_text(text)
        return name
    return write


def test_lint_says_that_all_is_well(run, policy):
    done = run("policy", "lint", policy(GOOD))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "p.yaml: no errors (keys: 2, topic entries: 1, paths: 4, tests: 2)\n"


def test_lint_reports_every_mistake(run, policy):
    name = policy(GOOD.replace("card, alphabet", "card, alphabt").replace("key: pii}", "key: pi}"))
    done = run("policy", "lint", name)
    assert done.returncode == 78
    assert done.stdout.splitlines() == [
        'p.yaml:5:32: error: unknown key "pi"; did you mean "pii"?',
    ]
    done = run("policy", "lint", policy(GOOD.replace("namespace: shop", "namspace: shop").replace("digits,", "digits, x: 1,")))
    assert done.returncode == 78
    assert done.stdout.splitlines() == [
        'p.yaml:2:1: error: unknown key "namspace" in a policy; did you mean "namespace"?',
        'p.yaml:6:51: error: unknown key "x" in method card; it may have: type, key, bind, alphabet, keep, tweak, '
        'version, algorithm',
    ]
    assert done.stderr == ""


def test_lint_warns(run, policy):
    done = run("policy", "lint", policy(GOOD.replace("cards: local:cards", "cards: local:cards, old: local:old")))
    assert done.returncode == 0
    assert done.stdout.startswith("p.yaml:3:44: warning: key old is not used\n")


def test_lint_json(run, policy):
    done = run("policy", "lint", "--json", policy(GOOD.replace("version: 1", "version: 2")))
    assert done.returncode == 78
    assert json.loads(done.stdout) == {
        "schema": "sealstream.policy.lint/1", "file": "p.yaml", "errors": 1, "warnings": 0,
        "findings": [{"line": 1, "column": 10, "severity": "error",
                      "text": "this sealstream reads policies of version 1 only"}]}


def test_which_policy(run, policy):
    name = policy(GOOD)
    assert run("policy", "lint", "-p", name).returncode == 0
    assert run("policy", "lint", env_more={"SEALSTREAM_POLICY": name}).returncode == 0
    assert run("policy", "lint", "-", input=GOOD.encode()).returncode == 0
    done = run("policy", "lint")
    assert done.returncode == 64
    assert "SEALSTREAM_POLICY" in done.stderr
    done = run("policy", "lint", "absent.yaml")
    assert done.returncode == 66
    assert "absent.yaml" in done.stderr and done.stdout == ""


def test_unreadable_policy(run, home):
    (home / "d").mkdir()
    done = run("policy", "lint", "d")
    assert done.returncode in (66, 74)
    assert done.stderr.count("\n") == 1


def test_tests_pass(run, policy, home):
    done = run("policy", "test", policy(GOOD))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "ok   p.yaml:15: purchases: cards keep their ends", "ok   p.yaml:26: purchases", "2 passed, 0 failed"]
    assert list((home / "tmp").iterdir()) == []     # the keys made for it are gone
    assert list((home / "data").iterdir()) == []    # and the user's keyring was not touched


@pytest.mark.parametrize("change, said", [
    (("n: 1.10\n", "n: 1.1\n"), "p.yaml:21: n is 1.10, expected 1.1"),
    (("cvv: {absent: true}", "$.n: {absent: true}"), "p.yaml:20: $.n is there, expected it to be absent"),
    (("Address: {like: 'vault:v1:.*'}", "Addres: x"), "p.yaml:22: Addres is not there"),
    (("{like: 'vault:v1:.*'}", "{like: 'vault:v2:.*'}"), "expected it like vault:v2:.*"),
    (("$.items[*].note: {not: a}", "$['n']: {not: 1.10}"), "p.yaml:23: $['n'] is 1.10, expected anything else"),
    (("error: domain", "error: type"), "p.yaml:26: protecting ended in the error domain"),
    (('"12"}, error: domain', "4111111111111111}, error: domain"), "protecting went well, expected the error domain"),
    (("credit_card: 4111-1111-1111-1111, n", "credit_card: '4', n"), "p.yaml:15: protecting failed: "),
])
def test_a_test_fails(run, policy, change, said):
    assert change[0] in GOOD
    done = run("policy", "test", policy(GOOD.replace(*change, 1)))
    assert done.returncode == 1
    assert said in done.stdout
    assert done.stdout.endswith("1 passed, 1 failed\n")


def test_test_json(run, policy):
    done = run("policy", "test", "--json", policy(GOOD.replace("error: domain", "error: type")))
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert (said["schema"], said["passed"], said["failed"]) == ("sealstream.policy.test/1", 1, 1)
    assert [test["passed"] for test in said["tests"]] == [True, False]
    assert said["tests"][1]["failures"][0]["line"] == 26


def test_tests_of_every_kind(run, policy):
    """Whole payloads, one-way rules in a round trip, versions of keys, all three uses of keys."""
    done = run("policy", "test", policy("""\
version: 1
keys: {k: local:k, h: local:h, f: local:f}
topics:
  - match: files
    format: bytes
    protect: {$: {type: encrypt, key: k}}
  - match: people
    protect:
      $.id: {type: hash, key: h, version: 2}
      $.phone: {type: fpe, key: f, version: 3}
      $.name: {type: mask, keep: {first: 1}}
      $.mail: {type: redact}
      $.note: {type: encrypt, key: k, bind: {record: $.order}}
tests:
  - topic: files
    in: "line\\n"
    out: {$: {like: 'vault:v1:.*'}}
    round_trip: true
  - topic: people
    in: {id: 7, phone: "0123456789", name: Ann, mail: a@b, note: "x", order: 17}
    out: {id: {like: '[0-9a-f]{64}'}, phone: {like: '\\d{10}'}, name: A**, mail: "[redacted]", order: 17}
    round_trip: true
"""))
    assert done.stdout.splitlines()[-1] == "2 passed, 0 failed", done.stdout + done.stderr


PARTS = """\
version: 1
keys: {k: local:k, f: local:f}
methods: {id: {type: fpe, key: f, bind: {domain: d}}, secret: {type: encrypt, key: k}}
topics:
  - match: t
    key: id
    headers: {x: id, y: secret, z: {type: mask}}
    allow: [$.b]
    protect: {$.a: id}
  - match: j
    key: {$.id: id}
    protect: {$.a: secret}
tests:
  - topic: t
    in: {a: "1234567"}
    key: {in: 1234567, out: {like: '\\d{7}'}}
    headers: {x: {in: 1234567, out: {not: 1234567}}, y: {in: ''}, z: {in: abc, out: '***'}}
    round_trip: true
  - topic: j
    in: {}
    key: {in: {id: "1234567", n: 1.10}, out: {n: 1.10, $.id: {like: '\\d{7}'}}}
"""


def test_tests_of_keys_and_headers(run, policy):
    done = run("policy", "test", policy(PARTS))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 passed, 0 failed"), done.stdout + done.stderr
    assert "topic entries: 2, paths: 7," in run("policy", "lint", policy(PARTS)).stdout


@pytest.mark.parametrize("change, said", [
    (("out: {like: '\\d{7}'}}\n    headers", "out: '1234567'}\n    headers"), "p.yaml:16: key is "),
    (("out: {not: 1234567}", "out: 1234567"), "p.yaml:17: header:x is "),
    (("out: '***'", "out: '**'"), 'p.yaml:17: header:z is "***", expected "**"'),
    (("key: {in: 1234567, out", "key: {in: 12, out"), "p.yaml:14: protecting failed: key: "),
    (("y: {in: ''}", "x2: {in: ''}"), None),
    (("{n: 1.10, $.id", "{n: 1.1, $.id"), "p.yaml:21: key.n is 1.10, expected 1.1"),
    (("{n: 1.10, $.id", "{n: 1.10, $.ID"), "p.yaml:21: key.ID is not there"),
    (("out: {like: '\\d{7}'}}\n    headers: {x: {in: 1234567, out: {not: 1234567}}, y: {in: ''}, z: {in: abc, out: '***'}}\n"
      "    round_trip: true", "}\n    error: type"), "p.yaml:14: protecting went well, expected the error type"),
])
def test_a_test_of_a_key_or_header_fails(run, policy, change, said):
    assert change[0] in PARTS
    done = run("policy", "test", policy(PARTS.replace(*change, 1)))
    if said is None:
        assert (done.returncode, 'has no "x2"; did you mean "x"?' in done.stderr) == (78, True), done.stderr
        return
    assert (done.returncode, said in done.stdout) == (1, True), done.stdout + done.stderr
    assert done.stdout.endswith("1 passed, 1 failed\n")


def test_what_a_key_fails_with(run, policy):
    """The record fails with the error of any of its parts."""
    more = PARTS + ("  - {topic: t, in: {}, key: {in: 12}, error: domain}\n"
                    "  - {topic: t, in: {}, headers: {y: {in: 'vault:v1:x'}}, error: protected}\n"
                    "  - {topic: j, in: {}, key: {in: {id: [1]}}, error: type}\n")
    done = run("policy", "test", policy(more))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "5 passed, 0 failed"), done.stdout + done.stderr


def test_explain_keys_and_headers(run, policy):
    text = run("policy", "explain", "-t", "t", policy(PARTS)).stdout
    assert ", key as text\n" in text and "In clear by intent: $.b.\n" in text
    assert re.search(r"^  key +id +fpe .* domain d ", text, re.M) and re.search(r"^  header:z +\(in line\) +mask ", text, re.M)
    entry = json.loads(run("policy", "explain", "--json", "-t", "t", policy(PARTS)).stdout)["entries"][0]
    assert (entry["key"]["format"], entry["key"]["rules"][0]["path"]) == ("text", "key")
    assert [header["name"] for header in entry["headers"]] == ["x", "y", "z"]
    assert entry["allow"] == {"paths": ["$.b"], "key": False, "headers": []}
    entry = json.loads(run("policy", "explain", "--json", "-t", "j", policy(PARTS)).stdout)["entries"][0]
    assert (entry["key"]["format"], entry["headers"]) == ("json", [])


def test_schema_of_keys_and_headers(run):
    validator = schema(run)
    validator.validate(yaml.safe_load(PARTS))
    for old, new in (("key: id\n", "key: []\n"), ("key: id\n", "key: {id: id}\n"), ("{x: id,", "{seal-x: id,"),
                     ("[$.b]", "$.b"), ("[$.b]", "[b]"), ("key: id\n", "key: id\n    key_format: json\n"),
                     ("key: {in: 1234567,", "key: {inn: 1234567,"), ("z: {in: abc,", "z: {"),
                     ("headers: {x: id, y: secret, z: {type: mask}}", "headers: {}")):
        assert old in PARTS
        assert not validator.is_valid(yaml.safe_load(PARTS.replace(old, new, 1))), new


def test_no_tests(run, policy):
    done = run("policy", "test", policy(GOOD[:GOOD.index("tests:")]))
    assert (done.returncode, done.stdout) == (0, "0 passed, 0 failed\n")
    assert "p.yaml has no tests" in done.stderr


def test_a_key_of_two_uses(run, policy):
    done = run("policy", "test", policy(GOOD.replace("key: cards", "key: pii")))
    assert done.returncode == 78
    assert done.stderr.count("\n") == 2 and "pii" in done.stderr


def test_explain_a_topic(run, policy):
    done = run("policy", "explain", "-t", "purchases", policy(GOOD))
    assert done.returncode == 0
    assert done.stdout.startswith('topic purchases: the entry at p.yaml:8, because it is named "purchases"\n')
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("  $")]
    assert [row[0] for row in rows] == ["$.Address", "$.credit_card", "$.items[*].note", "$.cvv"]
    assert rows[3][-2:] == ["never", "nothing"]
    done = run("policy", "explain", "-t", "other", policy(GOOD))
    assert done.returncode == 78
    assert "no entry under topics matches other" in done.stderr


def test_explain_json(run, policy):
    said = json.loads(run("policy", "explain", "--json", "-t", "purchases", policy(GOOD)).stdout)
    rules = said["entries"][0]["rules"]
    assert said["schema"] == "sealstream.policy.explain/1"
    assert said["entries"][0]["matched_by"] == {"pattern": "purchases", "kind": "exact"}
    assert rules[2]["canonical_path"] == "$['items'][*]['note']"
    assert rules[1]["key"] == {"name": "cards", "scheme": "local", "reference": "cards"}
    assert [rule["reversible"] for rule in rules] == [True, True, True, False]


def test_schema_takes_what_lint_takes(run):
    validator = schema(run)
    validator.validate(yaml.safe_load(GOOD))
    for wrong in (GOOD.replace("keys:", "kees:"), GOOD.replace("type: encrypt", "type: encript"),
                  GOOD.replace("alphabet: digits", "alphabt: digits"), GOOD.replace("first: 6", "first: x"),
                  GOOD.replace("type: encrypt, key: pii", "type: encrypt"), GOOD.replace("version: 1", "version: 2"),
                  GOOD.replace("local:pii", "nowhere:pii"), GOOD.replace("match: purchases", "on_error: maybe")):
        assert wrong != GOOD
        assert not validator.is_valid(yaml.safe_load(wrong)), wrong


def test_keys_that_live_elsewhere_have_stand_ins(run, policy):
    """No server is asked: not for keys of Transit, and tests of what only the server does are left out, and said to be."""
    keys = GOOD.replace("local:pii", "vault:transit/pii").replace("local:cards", "vault:team/transit/pii")
    done = run("policy", "test", policy(keys))
    assert (done.returncode, done.stdout.splitlines()[-1], done.stderr) == (0, "2 passed, 0 failed", "")
    more = keys.replace("tests:\n", """\
  - match: paid
    protect: {$.card: {type: transform, role: payments}}
tests:
  - {topic: paid, in: {card: 4111111111111111}, round_trip: true}
""")
    assert "(keys: 2, " in run("policy", "lint", policy(more)).stdout, "a role is no key of the file"
    done = run("policy", "test", policy(more))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 passed, 0 failed, 1 left out")
    assert "(left out: needs the server)" in done.stdout.splitlines()[0]
    assert "only the server does transform; set VAULT_ADDR" in done.stderr
    done = json.loads(run("policy", "test", "--json", policy(more)).stdout)
    assert (done["passed"], done["failed"], done["left_out"]) == (2, 0, 1)
    assert done["tests"][0]["passed"] is None and "VAULT_ADDR" in done["tests"][0]["left_out"]


@pytest.mark.parametrize("text", blocks("yaml"), ids=lambda text: "block")
def test_examples_of_the_docs(run, policy, text):
    """Whole policies are linted, valid by the schema, and their tests pass."""
    name = policy(text)
    done = run("policy", "lint", name)
    assert (done.returncode, "warning" in done.stdout) == (0, False), done.stdout
    schema(run).validate(yaml.safe_load(text))
    done = run("policy", "test", name)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_docs_have_every_word(run):
    """Each key that the schema knows stands in docs/POLICY.md in code, and its example there is not stale."""
    text = (ROOT / "docs" / "POLICY.md").read_text()
    words = set()

    def collect(part):
        for name, value in part.items():
            if name == "properties":
                words.update(value)
            if isinstance(value, dict):
                collect(value)
            if isinstance(value, list):
                for item in value:
                    if isinstance(item, dict):
                        collect(item)
            if name == "enum":
                words.update(value)

    collect(json.loads(run("policy", "schema").stdout))
    assert len(words) > 40
    missing = [word for word in sorted(words) if not re.search(rf"(?<![a-z_]){re.escape(word)}(?![a-z_])", text)]
    assert missing == []


@pytest.mark.parametrize("text", blocks("mistakes"), ids=lambda text: "block")
def test_mistakes_of_the_docs(run, policy, text):
    """```mistakes blocks show lint's own words: a line each."""
    source, said = text.split("---\n")
    done = run("policy", "lint", policy(source, "policy.yaml"))
    assert done.stdout == said


ENVELOPES = """\
version: 1
keys: {pii: local:pii}
stores: {main: "sqlite:keys.db"}
topics:
  - match: people
    protect: {$.a: {type: envelope, key: {name: pii, per: $.id}}}
  - match: carried
    protect: {$.a: {type: envelope, key: pii, carry: header}}
  - match: payloads
    format: bytes
    protect: {$: {type: envelope, key: pii, carry: bytes}}
tests:
  - {topic: people, in: {a: x, id: c-1}, out: {a: {like: "seal:e1:.*"}}, round_trip: true}
  - {topic: people, in: {a: x}, error: missing}
  - {topic: carried, in: {a: [1, 2]}, out: {a: {like: "json.seal:e1:.{30,60}"}}, round_trip: true}
  - {topic: payloads, in: payload, round_trip: true}
"""


def test_envelopes_are_tested_without_touching_a_store(run, home):
    """Headers go from protecting to revealing, and people's keys into a store that is gone afterwards."""
    (home / "p.yaml").write_text(ENVELOPES)
    done = run("policy", "test", "p.yaml")
    assert (done.returncode, done.stderr) == (0, "") and "4 passed, 0 failed" in done.stdout
    assert not (home / "keys.db").exists()


@pytest.mark.parametrize("method, says", [
    ("{type: envelope, key: {name: pii, per: $.id}, carry: header}", "there is none to carry"),
    ("{type: envelope, key: pii, carry: bytes}", "they are for format: bytes"),
    ("{type: envelope, key: pii, max_uses: 0}", "max_uses"),
    ("{type: envelope, key: pii, max_age: 8d}", "max_age"),
], ids=["carry", "bytes", "uses", "age"])
def test_envelopes_that_cannot_be(run, home, method, says):
    (home / "p.yaml").write_text(ENVELOPES.replace("{type: envelope, key: {name: pii, per: $.id}}", method, 1))
    done = run("policy", "lint", "p.yaml")
    assert done.returncode == 78 and "p.yaml:6:" in done.stderr + done.stdout and says in done.stderr + done.stdout


def test_a_directory_is_no_policy(program, tmp_path):
    assert program.run("policy", "lint", str(tmp_path), exit_code=66)[1] == f"sealstream: error: {tmp_path} is a directory; name a file\n"
