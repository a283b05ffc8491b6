"""Every way in which a record can be bad: it is refused, with its class, its code and its place, and never passed."""
import base64
import json

from kit import (BYTES, JSON, at, bad, case, domain, encrypt, envelope, good, group, material, named, pinned, policy, raw,
                 sealed)

A = "$['a']"
FPE = "{type: fpe, key: cards}"
NO_STORE = {"status": "usage", "code": "no_input"}


def string(field, text):
    return named(field, f'"{text}"')


def syntax():
    lines = policy("match: t\nprotect: {$.a: {type: redact}}")
    faults = [("", 0), ("  ", 2), ("{", 1), ('{"a":1', 6), ('{"a":1,}', 7), ("{'a':1}", 1), ('{"a" 1}', 5),
              ('{"a":1}x', 7), ('{"a":01}', 6), ('{"a":1.}', 7), ('{"a":+1}', 5), ('{"a":NaN}', 5), ('{"a":tru}', 5),
              ('{"a":"\\x"}', 6), ('{"a":"\\u12g4"}', 10), ('{"a":"\t"}', 6), ('{"a":"x}', 8), ("[1,]", 3),
              ("[1 2]", 3), ("\ufeff{}", 0), ("// x", 0), ("{}{}", 2), ('{"a":[1}', 7)]
    broken = [
        b'{"a":"\xff"}', b'{"a":"\xc0\xaf"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xf4\x90\x80\x80"}', b'{"a":"\xe2\x82"}',
        b"\xff\xfe{\x00}\x00"
    ]
    deep = {"parts": [["[", 129], ["]", 129]]}
    deep_object = {"parts": [['{"b":', 129], ["1", 1], ["}", 129]]}
    return group(
        "not JSON", lines, case("text", "protect", *[bad(text, "syntax", f"byte {byte}") for text, byte in faults]),
        case("reveal looks, too", "reveal", *[bad(text, "syntax", f"byte {byte}") for text, byte in faults[:5]]),
        case("not UTF-8", "protect",
             *[{"in": raw(each), "error": {"status": "data", "code": "syntax"}} for each in broken], lines=True),
        case("too deep", "protect", bad(deep, "limit", "byte 128"), bad(deep_object, "limit", "byte 640")))


def shapes():
    lines = policy(
        "match: t\nprotect:\n  $.a: {type: fpe, key: cards}\n  $.kept: {type: fpe, key: cards, keep: {first: 6, last: 4}}\n"
        "  $.hex: {type: fpe, key: cards, alphabet: hex}\n  $.mask: {type: mask}\n"
        "  $.token: {type: token, key: pii, shape: keep}",
        stores=True)
    types = [
        bad(named("a", value), "type", A)
        for value in ("-1234567", "1234567.0", "1e10", "true", "null", "{}", "[]", '"\\ud800 1234567"')
    ]
    types += [
        bad('{"hex":1234567}', "type", "$['hex']"),
        bad('{"token":-1234567}', "type", "$['token']"),
        bad('{"token":true}', "type", "$['token']")
    ]
    types += [
        bad(named("mask", value), "type", "$['mask']") for value in ("1", "null", "{}", "[]", "false", '"\\ud800"')
    ]
    domains = [
        bad(named("a", value), "domain", A) for value in ('""', '"12345"', '"no digits"', "123456", "0", '"٠١٢٣٤٥٦"')
    ]
    domains += [
        bad('{"kept":"4111-1111-1111-111"}', "domain", "$['kept']"),
        bad('{"hex":"abcd"}', "domain", "$['hex']"),
        bad('{"token":"12345"}', "domain", "$['token']"),
        bad({"parts": [['{"a":"', 1], ["7", 4097], ['"}', 1]]}, "domain", A)
    ]
    return group("values that a method cannot take", lines, case("type", "protect", *types),
                 case("domain", "protect", *domains),
                 case("revealed", "reveal", bad('{"a":"12345"}', "domain", A), bad('{"a":true}', "type", A)))


def limits():
    lines = policy(
        "match: t\nprotect: {$.a: {type: encrypt, key: pii}, '$.n[*]': {type: redact, 'null': true}, "
        "$.big: {type: token, key: pii}}",
        stores=True)
    long = {"parts": [['{"b":"', 1], ["x", 93], ['"}', 1]]}
    return group(
        "limits", lines,
        case("a record that is too long", "protect", bad(long, "limit", ""),
             bad('{"a":"becomes too long when it is encrypted"}', "limit", ""), good("{}", "{}"), max_record_bytes=100),
        case("too many values", "protect",
             bad({"parts": [['{"n":[', 1], ["1,", 262144], ["1]}", 1]]}, "limit", "$['n'][*]")),
        case("a token's value", "protect",
             bad({"parts": [['{"big":"', 1], ["x", 61441], ['"}', 1]]}, "limit", "$['big']")))


def protected():
    lines = policy("match: t\nprotect: {$.a: {type: encrypt, key: pii}, $.f: {type: hash, key: mac}}",
                   "match: keep\non_protected: keep\nprotect: {$.a: {type: encrypt, key: pii}}")
    forms = [
        "vault:v1:", "vault:v17:x", "json+vault:v1:x", "seal:e1:", "seal:x1:a:b", "seal:t1:x", "json+seal:e1:x",
        "seal:new9:x"
    ]
    sealed_text = encrypt("other", b"x", b"")
    token = "seal:t1:" + "A" * 22
    plain = ["vault:x", "vault:v:", "seal:", "seal::", "seal:E1:", "VAULT:v1:x", " vault:v1:x", "json+"]
    return group(
        "protected already", lines,
        case("on_protected: reject", "protect", *[bad(string("a", form), "protected", A) for form in forms],
             bad('{"a":"\\u0076ault:v1:"}', "protected", A), bad('{"f":"vault:v1:x"}', "protected", "$['f']"),
             bad(string("a", sealed_text), "protected", A)),
        case("what only looks a little like it", "protect", *[good(string("a", text), ..., True) for text in plain]),
        case("on_protected: keep", "protect", *[
            good(string("a", text), string("a", text)) for text in (sealed_text, "json+" + sealed_text, token)
        ], *[bad(string("a", form), "protected", A) for form in forms if not form.startswith("seal:x1")],
             good('{"a":"x"}', ..., True), topic="keep"))


def plaintext():
    methods = {
        "a": "{type: encrypt, key: pii}", "d": "{type: deterministic, key: cha-convergent}",
        "e": "{type: envelope, key: pii}", "k": "{type: token, key: pii}"
    }
    fields = "protect: {" + ", ".join(f"$.{name}: {method}" for name, method in methods.items()) + "}"
    lines = policy("match: t\n" + fields, "match: pass\non_plaintext: pass\n" + fields, stores=True)
    given = [(name, value) for name in methods for value in ('"x"', '""', "1", "null", "{}", '"vault:x"', '"\\ud800"')]
    return group(
        "not protected where it must be", lines, case("the store is there", "protect", good('{"k":1}', ..., True)),
        case("on_plaintext: reject", "reveal", *[bad(named(*each), "plaintext", f"$['{each[0]}']") for each in given]),
        case("on_plaintext: pass", "reveal", *[good(named(*each), named(*each)) for each in given],
             bad('{"a":"vault:v1:x"}', "tampered", A), topic="pass"))


def tampered():
    lines = policy(
        "match: t\nprotect:\n  $.a: {type: encrypt, key: pii}\n  $.d: {type: encrypt, key: aes-derived}\n"
        "  $.one: {type: encrypt, key: pii, bind: {domain: people}}\n"
        "  $.pinned: {type: encrypt, key: pii, bind: {record: $.id}}\n  $.open: {type: encrypt, key: pii, bind: none}")
    right = encrypt("pii", b"secret", at(A))
    body = base64.b64decode(right.split(":")[2])
    spoiled = [
        bytes([body[0] ^ 1]) + body[1:], body[:12] + bytes([body[12] ^ 1]) + body[13:],
        body[:-1] + bytes([body[-1] ^ 1]), body[:-1], body + b"\0", body[:27], b"", body[12:] + body[:12]
    ]
    texts = ["vault:v1:" + base64.b64encode(each).decode() for each in spoiled]
    texts += [
        right + "=", right + "\\n",
        right.replace("=", ""), right[:-1] + "!",
        right.replace("v1", "v01"),
        right.replace("v1", "v2"), "json+" + right,
        right.replace("v1", "v99999999999")
    ]
    moved = [
        encrypt("pii", b"secret", bound) for bound in (at("$['b']"), at(A, namespace="other"), at(A, namespace=""),
                                                       at(A, JSON), at(A, BYTES), domain("people"), b"")
    ]
    moved += [encrypt("other", b"secret", at(A)), encrypt("aes-derived", b"secret", at(A))]
    elsewhere = [("one", encrypt("pii", b"x", domain("cards"))), ("one", encrypt("pii", b"x", at("$['one']"))),
                 ("open", encrypt("pii", b"x", at("$['open']"))), ("d", encrypt("aes-derived", b"x", at(A))),
                 ("d", encrypt("pii", b"x", at("$['d']")))]
    pinned_to = encrypt("pii", b"x", pinned("$['pinned']", (sealed.STRING, b"7")))
    records = [('{"id":"8","pinned":"%s"}', "tampered"), ('{"id":7,"pinned":"%s"}', "tampered"),
               ('{"pinned":"%s"}', "missing"), ('{"id":"7","id":"7","pinned":"%s"}', "missing")]
    unlikely = [("json+", b"not JSON"), ("json+", b""), ("json+", b"1 2"), ("", b"\xff")]
    inner = [
        bad(string("a", encrypt("pii", plain, at(A, JSON if prefix else sealed.STRING), 1, bool(prefix))), "syntax", A)
        for prefix, plain in unlikely
    ]
    return group(
        "tampered with", lines,
        case("changed", "reveal", *[bad(string("a", text), "tampered", A) for text in texts],
             good(string("a", right), '{"a":"secret"}')),
        case("moved, or under another key", "reveal", *[bad(string("a", text), "tampered", A) for text in moved],
             *[bad(string(name, text), "tampered", f"$['{name}']") for name, text in elsewhere]),
        case("moved to another record", "reveal",
             *[bad(record % pinned_to, code, "$['pinned']") for record, code in records],
             good('{"id":"7","pinned":"%s"}' % pinned_to, '{"id":"7","pinned":"x"}')),
        case("what it holds cannot stand there", "reveal", *inner))


def versions():
    lines = policy("match: t\nprotect: {$.a: {type: encrypt, key: pii}, $.old: {type: encrypt, key: old}}")
    old = at("$['old']")
    return group(
        "versions of keys", lines,
        case("reveal", "reveal",
             *[bad(string("a", encrypt("pii", b"x", at(A), version)), "key_version", A) for version in (3, 4294967295)],
             bad(string("old", encrypt("old", b"x", old, 1)), "key_minimum", "$['old']"),
             good(string("old", encrypt("old", b"x", old, 2)), '{"old":"x"}')))


def missing():
    lines = policy(
        "match: t\non_missing: reject\nprotect: {$.a: {type: redact}, $.b.c: {type: hash, key: mac}, "
        "$.gone: {type: remove}}",
        "match: pinned\nprotect: {$.a: {type: encrypt, key: pii, bind: {record: $.id}}}",
        "match: person\nprotect: {$.a: {type: envelope, key: {name: pii, per: $.who}}}", stores=True)
    who = [("{}", ""), ('{"who":7,"who":8,', "missing"), ('{"who":true,', "missing"), ('{"who":null,', "missing"),
           ('{"who":[1],', "missing"), ('{"who":"",', "limit"), ('{"who":"vault:v1:x",', "protected")]
    of_somebody = json.dumps(envelope.text(envelope.seal(material("other"), b"x", at(A), person=bytes(16)), sealed.STRING))
    return group(
        "fields that must be there", lines,
        case("no store is made by who reveals", "reveal", good(named("a", of_somebody)), topic="person",
             fails=NO_STORE),
        case("on_missing: reject", "protect", good('{"a":1,"b":{"c":null}}', ...), bad("{}", "missing", A),
             bad('{"a":1}', "missing", "$['b']['c']"), bad('{"a":1,"b":{}}', "missing", "$['b']['c']")),
        case("what it is bound to", "protect", bad('{"a":1}', "missing", A), bad('{"a":1,"id":1,"id":1}', "missing", A),
             good('{"a":1,"id":null}', ..., True), good("{}", "{}"), topic="pinned"),
        case("whose key it gets", "protect", bad('{"a":1}', "missing", A),
             *[bad(start + '"a":1}', code, A) for start, code in who[1:]],
             bad({"parts": [['{"who":"', 1], ["x", 1025], ['","a":1}', 1]]}, "limit", A), topic="person"))


def envelopes():
    lines = policy("match: t\nprotect: {$.a: {type: envelope, key: pii}}",
                   "match: h\nprotect: {$.a: {type: envelope, key: pii, carry: header}}")
    data_key, other_key = material("other"), material("small") * 2
    wrapped = envelope.wrap(material("pii"), 1, data_key)
    right = envelope.seal(data_key, b"secret", at(A), wrapped)
    swapped = bytearray(right)
    swapped[69:101] = envelope.commitment(other_key)
    spoiled = [(right[:-1] + bytes([right[-1] ^ 1]), "tampered"), (right[:40], "tampered"), (right[:120], "tampered"),
               (bytes(swapped), "tampered"), (b"", "tampered"), (b"\2" + right[1:], "syntax"),
               (b"\1\4" + right[2:], "syntax"), (envelope.seal(data_key, b"x", at("$['b']"), wrapped), "tampered"),
               (envelope.seal(data_key, b"x", at(A), envelope.wrap(material("other"), 1, data_key)), "tampered"),
               (envelope.seal(data_key, b"x", at(A), envelope.wrap(material("pii"), 3, data_key)), "key_version"),
               (envelope.seal(data_key, b"x", at(A), person=bytes(16)), "key_unknown"),
               (envelope.seal(data_key, b"x", at(A)), "missing")]
    carried = named("a", json.dumps(envelope.text(envelope.seal(data_key, b"x", at(A)), sealed.STRING)))
    header, other = envelope.entry(data_key, wrapped), envelope.entry(other_key,
                                                                      envelope.wrap(material("pii"), 1, other_key))

    def record(key_header):
        return {"value": carried, "key_header": key_header}

    return group(
        "envelopes", lines,
        case("tampered with", "reveal",
             *[bad(named("a", json.dumps(envelope.text(each, sealed.STRING))), code, A) for each, code in spoiled],
             bad('{"a":"seal:e1:not*base64"}', "tampered", A), bad('{"a":"vault:v1:AAAA"}', "plaintext", A)),
        case("keys in headers", "reveal", good(record(header), {"value": '{"a":"x"}', "key_header": None}),
             bad(record(None), "missing", A), bad(record(other), "missing", A),
             bad(record(f"{header},{header}"), "missing", A), bad(record("nonsense"), "syntax", A), topic="h",
             carried=True),
        case("records without headers", "protect", good('{"a":1}'), topic="h",
             fails={"status": "usage", "code": "config", "place": ""}, lines=True))


def tokens():
    lines = policy(
        "match: t\nprotect: {$.a: {type: token, key: pii}, $.b: {type: token, key: pii}, "
        "$.card: {type: token, key: pii, shape: keep}}",
        stores=True)
    token = named("a", '"seal:t1:%s"' % ("A" * 22))
    return group(
        "tokens", lines, case("no store is made by who reveals", "reveal", good(token), good(token), fails=NO_STORE),
        case("the store is there", "protect", good('{"b":1}', ..., True)),
        case("reveal", "reveal", bad(token, "token_unknown", A),
             bad('{"a":"seal:t1:short"}', "syntax", A), bad('{"a":"seal:e1:AAAA"}', "syntax", A),
             bad('{"card":"4111111111111111"}', "token_unknown", "$['card']")))


def one_record_fails():
    """The others of its batch do not."""
    lines = policy(f"match: t\nprotect: {{$.a: {FPE}, $.b: {{type: redact}}}}")
    return group(
        "one of a batch", lines,
        case("protect", "protect", good('{"b":1}', '{"b":"[redacted]"}'), bad('{"a":"1","b":2}', "domain", A),
             good('{"b":3}', '{"b":"[redacted]"}'), bad("{", "syntax", "byte 1"), good(None, None)))


def calls():
    lines = policy("match: t\nprotect: {$.a: {type: fpe, key: cards, algorithm: ff3-1, tweak: CBD09280979564}}")
    return group(
        "calls that no record can pass", lines,
        case("ff3-1 only reveals", "protect", good('{"a":"1234567"}'), fails={"status": "usage", "code": "config"}),
        case("no such topic", "protect", good("{}"), topic="unknown", fails={"status": "usage"}))


def groups():
    return [
        syntax(),
        shapes(),
        limits(),
        protected(),
        plaintext(),
        tampered(),
        versions(),
        missing(),
        envelopes(),
        tokens(),
        one_record_fails(),
        calls()
    ]
