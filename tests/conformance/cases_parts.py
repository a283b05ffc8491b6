"""Payloads as a whole, record keys, headers and dead letters."""
from kit import (BYTES, JSON, STRING, at, bad, case, converge, domain, encrypt, fpe, fpe_integer, good, group, hashed,
                 like, policy, raw, text, whole)

NOT_UTF8 = raw(b"\xff\xfe PDF \x00 \x80")


def payloads():
    kinds = {
        "e": "{type: encrypt, key: pii}", "d": "{type: deterministic, key: cha-convergent}",
        "n": "{type: encrypt, key: pii, bind: none}", "h": "{type: hash, key: mac}", "v": "{type: envelope, key: pii}",
        "k": "{type: token, key: pii}"
    }
    lines = policy(*[f"match: {name}\nformat: bytes\nprotect: {{$: {method}}}" for name, method in kinds.items()],
                   stores=True)
    place = at("$", BYTES)
    plain = ("any payload", "", '{"a":1}', "vault", None)
    return group(
        "format: bytes", lines,
        case("encrypt", "protect", *[good(each, None if each is None else like(text(2)), True) for each in plain],
             topic="e"),
        case("encrypt, any bytes", "protect", good(NOT_UTF8, like(text(2)), True), topic="e", lines=True),
        case("encrypt, read", "reveal", good(encrypt("pii", b"any payload", place), "any payload"),
             good(encrypt("pii", b"", place, 2), ""), good(None, None), topic="e"),
        case("encrypt, any bytes, read", "reveal", good(encrypt("pii", b"\xff\xfe", place), raw(b"\xff\xfe")),
             topic="e", lines=True),
        case("bind: none", "reveal", good(encrypt("pii", b"any payload", b""), "any payload"), topic="n"),
        case("deterministic", "protect",
             *[good(each, converge("cha-convergent", each.encode(), place), True) for each in plain[:3]], topic="d"),
        case("envelope", "protect", *[good(each, ..., True) for each in plain], topic="v"),
        case("token", "protect", *[good(each, ..., True) for each in plain], topic="k"),
        case("hash", "protect", *[good(each, hashed(each.encode(), place)) for each in plain[:3]], topic="h"),
        case("refused", "reveal", bad("any payload", "plaintext", "$"), bad("", "plaintext", "$"),
             bad(encrypt("pii", b"x", at("$")), "tampered", "$"), bad("vault:v1:AAAA", "tampered", "$"), topic="e"),
        case("protected already", "protect", bad(encrypt("pii", b"x", place), "protected", "$"),
             bad("seal:t1:x", "protected", "$"), bad("SEALENV1x", "protected", "$"), topic="e"))


def keys():
    lines = policy(
        "match: text\nkey: {type: deterministic, key: cha-convergent}\nprotect: {$.a: {type: redact}}",
        "match: joined\nkey: {type: fpe, key: cards, bind: {domain: customer}}\n"
        "protect: {$.id: {type: fpe, key: cards, bind: {domain: customer}}}",
        "match: token\nkey: {type: token, key: pii, convergent: true}\nprotect: {}",
        "match: bytes\nkey_format: bytes\nkey: {type: deterministic, key: cha-convergent}\nprotect: {}",
        "match: json\nkey: {$.id: {type: fpe, key: cards}, '$.any.*': {type: fpe, key: cards}}\n"
        "protect: {$.a: {type: redact}}",
        stores=True)
    made = {plain: converge("cha-convergent", plain.encode(), at("key")) for plain in ("c-1042", "", "Zoë", '{"a":1}')}
    joined = fpe("00417713", domain("customer"))
    key_id, key_a, key_b = fpe("c-00417713", at("key['id']")), fpe_integer("7654321", at("key['any']['a']", JSON)), fpe(
        "12-34-56", at("key['any']['b']"))
    pairs = (('{"id": "c-00417713", "n": 1.10}', '{"id": "%s", "n": 1.10}' % key_id),
             ('{"any":{"a":7654321,"b":"12-34-56"}}', '{"any":{"a":%s,"b":"%s"}}' % (key_a, key_b)))
    return group(
        "record keys", lines,
        case("text", "protect", *[good(plain, out, True) for plain, out in made.items()], good(None, None),
             topic="text", part="key"),
        case("text, read", "reveal", *[good(out, plain) for plain, out in made.items()], good(None, None),
             bad("plain", "plaintext", "key"), bad(converge("cha-convergent", b"x", at("$['a']")), "tampered", "key"),
             topic="text", part="key"),
        case("protected already", "protect", bad(made["c-1042"], "protected", "key"), topic="text", part="key"),
        case("joins: the key", "protect", good("00417713", joined, True), bad("0041", "domain", "key"), topic="joined",
             part="key"),
        case("joins: the field", "protect", good('{"id":"00417713"}', f'{{"id":"{joined}"}}', True), topic="joined"),
        case("token", "protect", good("c-1042", ..., True), good("c-1042", same_as=0), topic="token", part="key"),
        case("bytes", "protect", good("c-1042", converge("cha-convergent", b"c-1042", at("key", BYTES)), True),
             topic="bytes", part="key"),
        case("fields of JSON", "protect", *[good(plain, out, True) for plain, out in pairs], good("{}", "{}"),
             good("17", "17"), bad("{", "syntax", "key, byte 1"), bad('{"id":"1"}', "domain", "key['id']"),
             bad('{"id":true}', "type", "key['id']"), topic="json", part="key"),
        case("not UTF-8", "protect", bad(NOT_UTF8, "syntax", "key"), good("x", ..., True), topic="text", part="key",
             library=True),
        case("not UTF-8, read", "reveal", bad(converge("cha-convergent", b"\xff", at("key")), "syntax", "key"),
             topic="text", part="key"),
        case("any bytes", "protect", good(NOT_UTF8, ..., True), good(NOT_UTF8, same_as=0), topic="bytes", part="key",
             library=True),
        case("JSON, not UTF-8", "protect", bad(raw(b'{"\xff":1}'), "syntax", "key, byte 2"), topic="json", part="key",
             library=True),
        case("values of such topics", "protect", good('{"a":1}', '{"a":"[redacted]"}'), topic="json"))


def headers():
    lines = policy(
        "match: t\nheaders:\n  x-agent: {type: encrypt, key: pii}\n"
        "  x-customer: {type: deterministic, key: cha-convergent, bind: {domain: customer}}\n"
        "  x-mail: {type: hash, key: mac}\n  x-session: {type: redact}\n  \"X Id\": {type: fpe, key: cards}\n"
        "  x-mask: {type: mask, keep: {last: 2}}\nprotect: {}"
    )
    customer = converge("cha-convergent", b"c-1042", domain("customer"))
    return group(
        "headers", lines,
        case("encrypt", "protect", good("Zoë", like(text(2)), True), good("", like(text(2)), True), good(None, None),
             part="header:x-agent"),
        case("encrypt, read", "reveal", good(encrypt("pii", b"Zoe", at("header:x-agent")), "Zoe"),
             bad(encrypt("pii", b"Zoe", at("header:X-Agent")), "tampered", "header:x-agent"),
             bad("Zoe", "plaintext", "header:x-agent"),
             bad(encrypt("pii", b"\xff", at("header:x-agent")), "syntax", "header:x-agent"), part="header:x-agent"),
        case("not UTF-8", "protect", bad(NOT_UTF8, "syntax", "header:x-agent"), part="header:x-agent", library=True),
        case("deterministic", "protect", good("c-1042", customer, True), part="header:x-customer"),
        case("hash", "protect", good("a@example.com", hashed(b"a@example.com", at("header:x-mail"))),
             part="header:x-mail"), case("redact", "protect", good("5f2c", "[redacted]"), part="header:x-session"),
        case("mask", "protect", good("5f2c", "**2c"), part="header:x-mask"),
        case("fpe", "protect", good("00417713", fpe("00417713", at("header:X Id", STRING)), True),
             bad("x", "domain", "header:X Id"), part="header:X Id"))


def dead_letters():
    lines = policy(
        "match: t\non_error: dead_letter\ndead_letter: {topic: t_dead, key: pii}\nprotect: {$.a: {type: fpe, key: cards}}",
        "match: dropped\non_error: drop\nprotect: {$.a: {type: fpe, key: cards}}",
        "match: kept\nprotect: {$.a: {type: fpe, key: cards}}")
    letter = [good(plain, like(text(2)), True) for plain in ('{"a":1}', "not JSON", "")] + [good(None, None, True)]
    refused = bad('{"a":"1"}', "domain", "$['a']")
    return group(
        "on_error", lines, case("dead_letter", "protect", refused, good("{}", "{}"), on_error="dead_letter"),
        case("drop", "protect", refused, topic="dropped", on_error="drop"),
        case("reject", "protect", refused, topic="kept", on_error="reject"),
        case("a letter", "dead_letter", *letter, reveal_topic="t_dead", library=True),
        case("any bytes", "dead_letter", good(NOT_UTF8, like(text(2)), True), reveal_topic="t_dead", library=True),
        case("no dead letters here", "dead_letter", good("x"), topic="kept", fails={"status": "usage"}, library=True),
        case("letters are read", "reveal", good(encrypt("pii", b"not JSON", domain("dead-letter", BYTES)), "not JSON"),
             bad(encrypt("pii", b"x", at("$", BYTES)), "tampered", "$"), bad("not JSON", "plaintext", "$"),
             topic="t_dead"))


WHOLE = """match: t
on_error: dead_letter
dead_letter: {topic: t_dead, key: pii}
key: {type: deterministic, key: cha-convergent}
headers: {x-note: {type: encrypt, key: pii}}
protect: {$.a: {type: fpe, key: cards}}"""


def whole_records():
    lines = policy(WHOLE, "match: carried\nprotect: {$.a: {type: envelope, key: pii, carry: header}}",
                   "match: none\nprotect: {$.a: {type: redact}}")
    key, card = converge("cha-convergent", b"c-1042", at("key")), fpe("00417713", at("$['a']"))
    note, trace = encrypt("pii", b"Zoe", at("header:x-note")), ("trace", "1")
    plain = whole('{"a":"00417713"}', "c-1042", trace, ("x-note", "Zoe"), ("X-Note", "x"), ("x-note", None))
    out = whole(f'{{"a":"{card}"}}', key, trace, ("x-note", like(text(2))), ("X-Note", "x"), ("x-note", None))
    exact = whole(f'{{"a":"{card}"}}', key, trace, ("x-note", note), ("X-Note", "x"), ("x-note", None))
    tombstone, twice = whole(None, "c-1042"), whole("{}", "k", ("seal-key", "1"), ("seal-key", "2"))
    return group(
        "whole records", lines,
        case("protect", "protect", good(plain, out, True), good(tombstone, whole(None, key), True),
             good(whole("{}", None), whole("{}", None), True), bad(whole('{"a":"1"}', "c-1042"), "domain", "$['a']"),
             bad(whole('{"a":"1"}', key), "protected", "key"), whole=True),
        case("reveal", "reveal", good(exact, plain), bad(whole(exact["value"], "plain"), "plaintext", "key"),
             bad(whole("{}", key, ("x-note", "Zoe")), "plaintext", "header:x-note"), whole=True),
        case("seal-key twice", "protect", bad(twice, "syntax", ""), topic="carried", whole=True),
        case("seal-key where it means nothing", "protect", good(twice, twice, True), topic="none", whole=True))


def whole_letters():
    lines = policy(WHOLE, "match: k\non_error: dead_letter\ndead_letter: {topic: k_dead, key: pii}\n"
                   "protect: {$.a: {type: fpe, key: cards}}")

    def sealed_as(plain, kind=BYTES):
        return encrypt("pii", plain, domain("dead-letter", kind))

    value, own = sealed_as(b"no JSON"), ("seal-record-key", sealed_as(b"c-1042"))
    note, told = ("x-note", sealed_as(b"Zoe")), [("seal-error", "syntax"), ("seal-topic", "t")]
    other = ("x-other", sealed_as(b"x"))
    spoiled = ("seal-record-key", encrypt("pii", b"c-1042", at("key")))
    plain = whole("no JSON", "c-1042", ("trace", "1"), ("x-note", "Zoe"), ("x-note", None))
    letter = whole(like(text(2)), None, ("trace", "1"), ("x-note", like(text(2))), ("x-note", None),
                   ("seal-record-key", like(text(2))))
    return group(
        "whole dead letters", lines,
        case("made", "dead_letter", good(plain, letter, True), good(whole(None, None), whole(None, None), True),
             good(whole("x", None, ("seal-record-key", "c-1")), whole(like(text(2)), None), whole("x", None)),
             reveal_topic="t_dead", whole=True, library=True),
        case("made, without rules for keys", "dead_letter",
             good(plain, whole(like(text(2)), "c-1042", ("trace", "1"), ("x-note", "Zoe"), ("x-note", None)), True),
             reveal_topic="k_dead", topic="k", whole=True, library=True),
        case("read", "reveal",
             good(whole(value, None, note, ("x-note", None), own, *told),
                  whole("no JSON", "c-1042", ("x-note", "Zoe"), ("x-note", None), *told)),
             good(whole(value, "k", note), whole("no JSON", "k", ("x-note", "Zoe"))),
             good(whole(None, None, own), whole(None, "c-1042")),
             good(whole(value, None, ("x-note", "plain"), ("seal-record-key", "plain"), other),
                  whole("no JSON", None, ("x-note", "plain"), ("seal-record-key", "plain"), other)),
             bad(whole(value, "k", own), "syntax", ""), bad(whole(value, None, own, own), "syntax", ""),
             bad(whole(value, None, spoiled), "tampered", "header:seal-record-key"),
             bad(whole(value, None, ("x-note", "vault:v1:x")), "tampered", "header:x-note"),
             bad(whole("no JSON", None, own), "plaintext", "$"), topic="t_dead", whole=True),
        case("read, without rules for keys", "reveal",
             bad(whole(value, "k", own), "syntax", ""), good(whole(value, "k", note), whole("no JSON", "k", note)),
             topic="k_dead", whole=True))


def groups():
    return [payloads(), keys(), headers(), dead_letters(), whole_records(), whole_letters()]
