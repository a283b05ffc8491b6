"""Every type of JSON value, and that every byte which the policy does not name stays as it is."""
import json

from kit import (at, bad, case, converge, encrypt, fpe, good, group, hashed, like, named, policy, sealed,
                 text)

LONE = '"\\ud800 alone"'
VALUES = ('"text"', '""', '"Zoë 東京 🗼"', "0", "-0", "17", "1.10", "-1.5e-300", "1E400",
          "123456789012345678901234567890.000", "true", "false", "null", "{}", "[]",
          '{"b": [1, {"c": null}], "d": "\\u00e9"}', "[ 1 , [ ] , \"x\" ]", LONE)


def kinds():
    lines = policy("match: t\nprotect: {$.a: {type: encrypt, key: pii}}",
                   "match: e\nprotect: {$.a: {type: envelope, key: pii}}",
                   "match: d\nprotect: {$.a: {type: deterministic, key: cha-convergent}}",
                   "match: k\nprotect: {$.a: {type: token, key: pii}}", stores=True)
    is_text = [value.startswith('"') and value != LONE for value in VALUES]
    patterns = [like("[{]\"a\":\"" + text(2, json=not string) + "\"[}]") for string in is_text]
    made = [
        json.dumps(
            encrypt("cha-convergent", (json.loads(value) if string else value).encode(),
                    at("$['a']", sealed.STRING if string else sealed.JSON), 1, not string))
        for value, string in zip(VALUES, is_text)
    ]
    given = [named("a", value) for value in VALUES]
    return group(
        "every value comes back as it was", lines,
        case("encrypt", "protect", *[good(value, out, True) for value, out in zip(given, patterns)]),
        case("envelope", "protect", *[good(value, ..., True) for value in given], topic="e"),
        case("token", "protect", *[good(value, ..., True) for value in given], topic="k"),
        case("deterministic", "protect", *[good(value, named("a", out), True) for value, out in zip(given, made)],
             topic="d"),
        case("deterministic, read", "reveal", *[good(named("a", out), value) for value, out in zip(given, made)],
             topic="d"))


def text_of():
    """What counts is the text that is meant, however it is written."""
    lines = policy("match: t\nprotect: {$.a: {type: deterministic, key: cha-convergent}}")
    same = ('"caf\\u00e9/"', '"caf\\u00E9\\/"', '"\\u0063afé/"')
    hard = '"\\" \\\\ \\b\\f\\n\\r\\t \\u0000 \\u001f \\u007f \\ud83d\\ude80"'
    made = named("a", json.dumps(encrypt("cha-convergent", "café/".encode(), at("$['a']"))))
    out = named("a", json.dumps(encrypt("cha-convergent", json.loads(hard).encode(), at("$['a']"))))
    return group(
        "strings", lines,
        case("escapes are no part of it", "protect",
             *[good(named("a", value), made, '{"a":"café/"}') for value in same]),
        case("escapes where they are needed", "protect",
             good(named("a", hard), out, '{"a":"\\" \\\\ \\b\\f\\n\\r\\t \\u0000 \\u001f \x7f 🚀"}')))


def bystanders():
    lines = policy("match: t\nprotect: {$.a: {type: redact}, $.gone: {type: remove}}")
    pairs = [('  {  "a" : 1 ,\t"b" : 1.10 , "\\u0062" : "\\/" }  ',
              '  {  "a" : "[redacted]" ,\t"b" : 1.10 , "\\u0062" : "\\/" }  '),
             ('{"b":1e400,"c":-0,"d":12345678901234567890.0}', '{"b":1e400,"c":-0,"d":12345678901234567890.0}'),
             ('{"a":1,"b":2,"a":3}', '{"a":"[redacted]","b":2,"a":"[redacted]"}'), ('{"b":{"a":1}}', '{"b":{"a":1}}'),
             ('{"gone":1,"gone":2,"b":3}', '{"b":3}'), ('{"b":"\\ud800"}', '{"b":"\\ud800"}'), ("{}", "{}"),
             ("[]", "[]"), ("17", "17"), ("null", "null"), ('"a"', '"a"'), ('[{"a":1}]', '[{"a":1}]')]
    deep = {"parts": [["[", 128], ["]", 128]]}
    broken = '{ "a" :\r\n\t"x" }\n'
    return group(
        "what the policy does not name", lines,
        case("stays as it is", "protect", *[good(plain, out) for plain, out in pairs], good(None, None), good(
            deep, deep), good(broken, '{ "a" :\r\n\t"[redacted]" }\n')))


def nulls():
    methods = ("$.a: {type: encrypt, key: pii}, $.h: {type: hash, key: mac}, $.f: {type: fpe, key: cards}, "
               "$.m: {type: mask}, $.r: {type: redact}")
    lines = policy("match: t\non_null: keep\nprotect: {" + methods + ", $.x: {type: remove}}")
    plain = '{"a":null,"h":null,"f":null,"m":null,"r":null}'
    return group("on_null: keep", lines, case("protect", "protect", good(plain, plain, True), good('{"x":null}', "{}")),
                 case("reveal", "reveal", good(plain, plain)))


def defaults():
    """All that has a default, written down; and other defaults for all topics."""
    lines = policy(
        "match: said\nformat: json\non_error: reject\non_missing: ignore\non_null: protect\non_plaintext: reject\n"
        "on_protected: reject\nallow: [$.n]\nkey_format: text\nkey: {type: deterministic, key: cha-convergent}\n"
        "protect: {$.a: secret, $.f: {type: fpe, key: cards, algorithm: ff1}, $.h: {type: hash, key: mac, encoding: hex}, "
        "$.e: {type: envelope, key: pii, carry: value}, $.k: {type: token, key: pii, shape: text}}",
        "match: other\nprotect: {$.a: secret}", "match: again\non_missing: ignore\nprotect: {$.a: secret}", stores=True,
        head=["defaults: {on_error: drop, on_missing: reject, on_null: keep, on_plaintext: pass, on_protected: keep}",
              "methods:", "  secret: {type: encrypt, key: pii}"])
    secret, null = encrypt("pii", b"x", at("$['a']")), '{"a":null}'
    made = '{"f":"%s","h":"%s","n":1}' % (fpe("00417713", at("$['f']")), hashed(b"x", at("$['h']")))
    return group(
        "defaults", lines,
        case("said", "protect", good('{"f":"00417713","h":"x","n":1}', made), good('{"e":"x","k":"y"}', ..., True),
             good(null, like("[{]\"a\":\"" + text(2, json=True) + "\"[}]"), True), good("{}", "{}"),
             bad(named("a", f'"{secret}"'), "protected", "$['a']"), topic="said", on_error="reject"),
        case("said, read", "reveal", good(named("a", f'"{secret}"'), '{"a":"x"}'),
             bad('{"a":"x"}', "plaintext", "$['a']"), topic="said"),
        case("said of keys", "protect", good("k", converge("cha-convergent", b"k", at("key")), True), topic="said",
             part="key"),
        case("others", "protect", good(null, null, True), good(named("a", f'"{secret}"'), named("a", f'"{secret}"')),
             bad("{}", "missing", "$['a']"), topic="other", on_error="drop"),
        case("others, read", "reveal", good('{"a":"x"}', '{"a":"x"}'), topic="other"),
        case("a topic's own", "protect", good("{}", "{}"), topic="again"))


def groups():
    return [kinds(), text_of(), bystanders(), nulls(), defaults()]
