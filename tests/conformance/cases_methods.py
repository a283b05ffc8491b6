"""Every method, under every type of key, with every option: exact texts where they can be known elsewhere."""
import base64
import json

from kit import (AEAD_KEYS, VERSIONS, at, case, converge, domain, encrypt, envelope, fpe, fpe_integer, good, group,
                 hashed, like, material, named, pinned, policy, raw, sealed, text)

MAIL, CARD = "zoe@example.org", "4111-1111-1111-1111"
UTF8 = "Zoë Müller, Straße 5, 東京, 🗼"
E1, JSON_E1 = like("[{]\"a\":\"seal:e1:[A-Za-z0-9_-]+\"[}]"), like("[{]\"a\":\"json[+]seal:e1:[A-Za-z0-9_-]+\"[}]")
DATA_KEY = material("other")


def string(value):
    return named("a", json.dumps(value, ensure_ascii=False))


def encrypts(name):
    """One key: what sealstream makes comes back, and what was made elsewhere is read; convergent texts are exact."""
    flag = AEAD_KEYS[name][1]
    lines = policy(f"match: t\nprotect:\n  $.a: {{type: encrypt, key: {name}}}")
    newest = VERSIONS.get(name, 1)
    records = []
    for plain, is_json in ((MAIL, False), ("", False), (UTF8, False), ("129.990", True), ("null", True)):
        bound = at("$['a']", sealed.JSON if is_json else sealed.STRING)
        given = named("a", plain if is_json else json.dumps(plain, ensure_ascii=False))
        made = named("a", json.dumps(encrypt(name, plain.encode(), bound, newest, is_json)))
        pattern = like("[{]\"a\":\"" + text(newest, json=is_json) + "\"[}]")
        records.append((given, made, pattern))
    makes = [good(given, made if flag == "convergent" else pattern, True) for given, made, pattern in records]
    again = {"same_as": 0} if flag == "convergent" else {"differs_from": 0}
    return group(f"encrypt, key {name}", lines, case("makes", "protect", *makes, good(records[0][0], **again)),
                 case("reads", "reveal", *[good(made, given) for given, made, _ in records]))


def versions():
    lines = policy("match: t\nprotect:\n  $.a: {type: encrypt, key: pii}\n  $.b: {type: encrypt, key: old}")
    return group(
        "encrypt: versions of a key", lines,
        case(
            "all that may decrypt", "reveal", *[
                good(
                    json.dumps({"a": encrypt("pii", b"x", at("$['a']"), a), "b": encrypt(
                        "old", b"y", at("$['b']"), b)}), '{"a": "x", "b": "y"}') for a, b in ((1, 2), (2, 3))
            ]))


def binds(method, name):
    options = f"type: {method}, key: {name}"
    lines = policy(
        "match: t\nprotect:\n"
        f"  $.place: {{{options}}}\n  $.named: {{{options}, bind: place}}\n"
        f"  $.one: {{{options}, bind: {{domain: people}}}}\n  $.two: {{{options}, bind: {{domain: people}}}}\n"
        f"  $.pinned: {{{options}, bind: {{record: $.id}}}}\n" +
        ("" if "convergent" in name else f"  $.open: {{{options}, bind: none}}"))
    bound = {
        "place": at("$['place']"), "named": at("$['named']"), "one": domain("people"), "two": domain("people"),
        "pinned": pinned("$['pinned']", (sealed.STRING, b"o-17"))
    }
    if "convergent" not in name:
        bound["open"] = b""
    made = {field: encrypt(name, b"Zoe", place, 2) for field, place in bound.items()}
    plain = json.dumps({"id": "o-17"} | dict.fromkeys(bound, "Zoe"))
    exact = json.dumps({"id": "o-17"} | made)
    moved = json.dumps({"id": "o-17", "one": made["two"], "two": made["one"]})
    number = json.dumps({"id": 17, "pinned": encrypt(name, b"Zoe", pinned("$['pinned']", (sealed.JSON, b"17")))})
    return group(
        f"{method}: what a value is bound to, key {name}", lines,
        case("makes", "protect", good(plain, exact if "convergent" in name else ..., True)),
        case("reads", "reveal", good(exact, plain), good(moved, json.dumps({"id": "o-17", "one": "Zoe", "two": "Zoe"})),
             good(number, '{"id": 17, "pinned": "Zoe"}')))


def transit():
    """What a running OpenBao made; it stands without a place."""
    lines = policy("match: t\nprotect: {$.a: {type: encrypt, key: openbao, bind: none}}",
                   "match: b\nformat: bytes\nprotect: {$: {type: encrypt, key: openbao, bind: none}}")
    made = (("vault:v1:wIU7P3++502cDROtQrwNHIyBA8UGmaLkdpVB6A==",
             ""), ("vault:v1:lId9B2L4+bAlh3gEerQyN2NHxXVN51lYB+2fhoM=", "A"),
            ("vault:v1:wHyyCn0PaL2kXcIllRRiGDAC+ZuSciCNx63+M81Y5C3io4swyESez+KbWz/h+8tbo6lLfGkZFXSPdFita9nH3A==", UTF8),
            ("vault:v3:sp89vIfOayEPIMfvpT0wZMIwZcnkLj/xWX9IycC3DwJrdVzitfzYIIglbmZljkWvUUKqLcTV7gv0rpT0h0+lZw==", UTF8))
    known = base64.b64decode("Wm/DqyBNw7xsbGVyLCBTdHJhw59lIDUsIOadseS6rCDwn5e8").decode()
    made = [(sealed_text, known if plain == UTF8 else plain) for sealed_text, plain in made]
    return group("encrypt: texts of OpenBao", lines,
                 case("fields", "reveal", *[good(string(given), string(plain)) for given, plain in made]),
                 case("payloads", "reveal", *[good(given, plain) for given, plain in made], topic="b"))


def deterministic():
    lines = policy("match: t\nprotect:\n  $.a: {type: deterministic, key: aes-convergent}\n"
                   "  $.two: {type: deterministic, key: aes-convergent, version: 2}\n"
                   "  $.mail: {type: deterministic, key: cha-convergent, bind: {domain: mail}}\n"
                   "  $.customer.mail: {type: deterministic, key: cha-convergent, bind: {domain: mail}}",
                   "match: encrypt\nprotect: {$.a: {type: encrypt, key: aes-convergent}}")

    def made(name, plain, bound, version=1, is_json=False):
        return json.dumps(converge(name, plain, bound, version, is_json))

    first = made("aes-convergent", MAIL.encode(), at("$['a']"))
    joined = made("cha-convergent", MAIL.encode(), domain("mail"))
    number = made("aes-convergent", b"17.0", at("$['a']", sealed.JSON), 1, True)
    second = made("aes-convergent", b"x", at("$['two']"), 2)
    return group(
        "deterministic", lines,
        case(
            "equal values, equal texts", "protect", good(string(MAIL), named("a", first), True),
            good(string(MAIL), same_as=0), good('{"a":17.0}', named("a", number), True),
            good('{"a":"17.0"}', differs_from=2), good('{"two":"x"}', named("two", second), True),
            good(f'{{"mail":"{MAIL}","customer":{{"mail":"{MAIL}"}}}}',
                 f'{{"mail":{joined},"customer":{{"mail":{joined}}}}}', True)),
        case("encrypt reads it", "protect", good(string(MAIL), named("a", first), True), reveal_topic="encrypt"),
        case("it reads encrypt", "protect", good(string(MAIL), ..., True), topic="encrypt", reveal_topic="t"),
        case("text of any version is read", "reveal",
             good(named("two", made("aes-convergent", b"x", at("$['two']"), 1)), '{"two":"x"}'),
             good(named("two", second), '{"two":"x"}')))


def envelopes():
    lines = policy(
        "match: t\nprotect:\n  $.a: {type: envelope, key: pii}\n  $.open: {type: envelope, key: pii, bind: none}\n"
        "  $.joined: {type: envelope, key: pii, bind: {domain: people}}",
        "match: short\nprotect: {$.a: {type: envelope, key: chacha, max_uses: 1, max_age: 1s}}",
        "match: derived\nprotect: {$.a: {type: envelope, key: aes-derived}}",
        "match: b\nformat: bytes\nprotect: {$: {type: envelope, key: pii}}",
        "match: raw\nformat: bytes\nprotect: {$: {type: envelope, key: pii, carry: bytes}}",
        "match: carried\nprotect:\n  $.a: {type: envelope, key: pii, carry: header}\n"
        "  $.b: {type: envelope, key: pii, carry: header}")
    wrapped = {version: envelope.wrap(material("pii", version), version, DATA_KEY) for version in (1, 2)}
    made = [(envelope.text(envelope.seal(DATA_KEY, plain, bound, wrapped[version]), kind), field, plain.decode(), kind)
            for field, plain, bound, kind, version in (("a", MAIL.encode(), at("$['a']"), sealed.STRING,
                                                        1), ("a", b"1.10", at("$['a']", sealed.JSON), sealed.JSON,
                                                             2), ("open", b"Zoe", b"", sealed.STRING, 2),
                                                       ("joined", b"", domain("people"), sealed.STRING, 2))]
    reads = [
        good(named(field, json.dumps(given)), named(field, plain if kind == sealed.JSON else json.dumps(plain)))
        for given, field, plain, kind in made
    ]
    values = (good(string(MAIL), E1, True), good(string(""), E1, True), good(
        '{"a":1.10}', JSON_E1, True), good('{"a":{"b":[null]}}', JSON_E1, True), good(string(MAIL), differs_from=0))
    payload = at("$", sealed.BYTES)
    whole = envelope.text(envelope.seal(DATA_KEY, b"any payload", payload, wrapped[1]), sealed.BYTES)
    magic = next(
        made for made in (envelope.MAGIC +
                          envelope.seal(DATA_KEY, b"any payload", payload, envelope.wrap(material("pii"), 1, DATA_KEY))
                          for _ in range(100)) if b"\n" not in made)  # the program reads lines
    carried = envelope.text(envelope.seal(DATA_KEY, b"Zoe", at("$['a']")), sealed.STRING)
    header = ",".join(envelope.entry(key, envelope.wrap(material("pii"), 1, key)) for key in (bytes(32), DATA_KEY))
    one_entry = "[A-Za-z0-9_-]{43}[.]vault:v2:[A-Za-z0-9+/]+={0,2}"
    e1 = "\"(json[+])?seal:e1:[A-Za-z0-9_-]+\""
    return group(
        "envelope", lines, case("makes", "protect", *values),
        case("one value a data key", "protect", *values, topic="short"),
        case("under a derived key", "protect", *values, topic="derived"), case("reads", "reveal", *reads),
        case("a payload", "protect", good("any payload", like("seal:e1:[A-Za-z0-9_-]+"), True), topic="b"),
        case("a payload, read", "reveal", good(whole, "any payload"), good(raw(magic), "any payload"), topic="b",
             lines=True),
        case("carry: bytes, read", "reveal", good(whole, "any payload"), good(raw(magic), "any payload"), topic="raw",
             lines=True),
        case(
            "carry: header", "protect",
            good(carry('{"a":"Zoe","b":2}', None), carry(like(f'[{{]"a":{e1},"b":{e1}[}}]'), like(one_entry)),
                 carry('{"a":"Zoe","b":2}', None)), good(carry("{}", None), carry("{}", None)),
            good(carry(None, None), carry(None, None)), topic="carried", carried=True),
        case("carry: header, read", "reveal", good(carry(string(carried), header), carry(string("Zoe"), None)),
             good(carry(string(made[0][0]), None), carry(string(MAIL), None)), topic="carried", carried=True))


def carry(value, key_header):
    return {"value": value, "key_header": key_header}


def people():
    lines = policy(
        "match: t\nprotect:\n  $.a: {type: envelope, key: {name: pii, per: $.who}}\n"
        "  $.b: {type: envelope, key: {name: pii, per: $.who, store: main}}", stores=True)
    return group(
        "envelope: a key for each person", lines,
        case("makes", "protect", good('{"who":"c-1","a":"x","b":[1]}', ..., True), good('{"who":7,"a":"x"}', ..., True),
             good('{"who":"7","a":"x"}', ..., True), good('{"who":"c-1","a":"x"}', differs_from=0)))


def shapes():
    """fpe's alphabets and options: (policy's options, plain, arguments of the second implementation)."""
    greek = "αβγδεζηθικλμνξοπ"
    return {
        "card": ("keep: {first: 6, last: 4}", CARD, {"first": 6, "last": 4}), "digits": ("", "0000000", {}),
        "text": ("", "no. 00-17 of 7/2031!", {}), "lower": ("alphabet: lower", "Zoe Mueller", {"alphabet": "lower"}),
        "upper": ("alphabet: upper",
                  "IBAN ABCDEF", {"alphabet": "upper"}), "letters": ("alphabet: letters", "Zoe Mueller 17", {
                      "alphabet": "letters"
                  }), "plate": ("alphabet: alphanumeric", "B AB-1234", {"alphabet": "alphanumeric"}),
        "hex": ("alphabet: hex", "DEADbeef0017", {"alphabet": "hex"}), "greek": (f'alphabet: "{greek}"', "αβγ-δεζ", {
            "alphabet": greek
        }), "binary": ('alphabet: "01"', "01010101 01010101 01010101", {
            "alphabet": "01"
        }), "tweak": ("tweak: 0102030405060708090a", CARD, {"tweak": bytes.fromhex("0102030405060708090a")}),
        "second": ("version: 2", CARD, {"version": 2}), "odd": ("keep: {first: 1}", "4-1234567", {"first": 1}),
    }


def fpe_strings():
    fields = shapes()
    options = "\n".join(f"  $.{name}: {{type: fpe, key: cards{', ' if given else ''}{given}}}"
                        for name, (given, _, _) in fields.items())
    lines = policy(
        "match: t\nprotect:\n" + options + "\n  $.open: {type: fpe, key: cards, bind: none}\n"
        "  $.one: {type: fpe, key: cards, bind: {domain: c}}\n  $.two: {type: fpe, key: cards, bind: {domain: c}}\n"
        "  $.pinned: {type: fpe, key: cards, bind: {record: $.id}}")
    records = []
    for name, (_, plain, arguments) in fields.items():
        bound = b"" if "tweak" in arguments else at(f"$['{name}']")
        made = fpe(plain, bound, **arguments)
        assert made != plain
        records.append((name, plain, made))
    records += [("open", CARD, fpe(CARD)), ("one", CARD, fpe(CARD, domain("c"))), ("two", CARD, fpe(CARD, domain("c")))]
    record = {"id": "o-17", "pinned": CARD}
    made = {"id": "o-17", "pinned": fpe(CARD, pinned("$['pinned']", (sealed.STRING, b"o-17")))}
    pairs = [(named(name, json.dumps(plain, ensure_ascii=False)), named(name, json.dumps(out, ensure_ascii=False)))
             for name, plain, out in records] + [(json.dumps(record), json.dumps(made))]
    return group("fpe: strings", lines, case("makes", "protect", *[good(plain, out) for plain, out in pairs]),
                 case("reads", "reveal", *[good(out, plain) for plain, out in pairs]))


def fpe_integers():
    lines = policy(
        "match: t\nprotect:\n  $.n: {type: fpe, key: cards}\n  $.kept: {type: fpe, key: cards, keep: {first: 1, last: 2}}"
    )
    pairs = [(f'{{"{name}":{plain}}}',
              '{"%s":%s}' % (name, fpe_integer(plain, at(f"$['{name}']", sealed.JSON), **keep)))
             for name, keep in (("n", {}), ("kept", {"first": 1, "last": 2}))
             for plain in ("1000000000", "98765432109876543210", "4111111111111111", "999999999")]
    return group("fpe: integers", lines, case("makes", "protect", *[good(plain, out) for plain, out in pairs]),
                 case("reads", "reveal", *[good(out, plain) for plain, out in pairs]))


def fpe_published():
    """SP 800-38G, FF1 samples 1 to 9; two answers of the ACVP server for FF3-1."""
    ten, both = "0123456789", "0123456789abcdefghijklmnopqrstuvwxyz"
    samples = {
        "nist128": ("2433477484", "6124200773", "a9tv40mll9kdu509eum"),
        "nist192": ("2830668132", "2496655549", "xbj3kv35jrawxv32ysr"),
        "nist256": ("6657667009", "1001623463", "xs8a0azh2avyalyzuwd")
    }
    topics, cases = [], []
    for name, (first, second, third) in samples.items():
        topics.append(f"match: {name}\nprotect:\n  $.a: {{type: fpe, key: {name}, bind: none}}\n"
                      f"  $.b: {{type: fpe, key: {name}, tweak: 39383736353433323130}}\n"
                      f"  $.c: {{type: fpe, key: {name}, tweak: 3737373770717273373737, alphabet: {both}}}")
        plain, made = json.dumps({"a": ten, "b": ten, "c": both[:19]}), json.dumps(
            {"a": first, "b": second, "c": third})
        cases += [
            case(f"{name}: makes", "protect", good(plain, made), topic=name),
            case(f"{name}: reads", "reveal", good(made, plain), topic=name)
        ]
    topics.append("match: ff3\nprotect:\n  $.a: {type: fpe, key: acvp128, algorithm: ff3-1, tweak: CBD09280979564}\n"
                  "  $.b: {type: fpe, key: acvp256, algorithm: ff3-1, tweak: 5820812B3D5DD1, alphabet: lower}")
    cases.append(
        case("ff3-1 is read", "reveal",
             good('{"a":"8901801106","b":"ifpyiihvvq"}', '{"a":"3992520240","b":"mkblaoiyfd"}'), topic="ff3"))
    return group("fpe: published answers", policy(*topics), *cases)


def hashes():
    lines = policy(
        "match: t\nprotect:\n  $.a: {type: hash, key: mac}\n  $.two: {type: hash, key: mac, version: 2}\n"
        "  $.short: {type: hash, key: mac, encoding: base64url}\n  $.open: {type: hash, key: mac, bind: none}\n"
        "  $.one: {type: hash, key: mac, bind: {domain: mail}}\n  $.pinned: {type: hash, key: mac, bind: {record: $.id}}",
        "match: b\nformat: bytes\nprotect: {$: {type: hash, key: mac}}")
    mail = MAIL.encode()
    short = base64.urlsafe_b64encode(bytes.fromhex(hashed(mail, at("$['short']")))).decode().rstrip("=")
    exact = [("a", f'"{MAIL}"', hashed(mail, at("$['a']"))), ("a", '""', hashed(b"", at("$['a']"))),
             ("a", "1.10", hashed(b"1.10", at("$['a']", sealed.JSON))),
             ("a", "null", hashed(b"null", at("$['a']", sealed.JSON))),
             ("a", '{"b": [1]}', hashed(b'{"b": [1]}', at("$['a']", sealed.JSON))),
             ("two", f'"{MAIL}"', hashed(mail, at("$['two']"), 2)), ("short", f'"{MAIL}"', short),
             ("open", f'"{MAIL}"', hashed(mail, b"")), ("one", f'"{MAIL}"', hashed(mail, domain("mail")))]
    both = good('{"id":7,"pinned":"x"}',
                '{"id":7,"pinned":"%s"}' % hashed(b"x", pinned("$['pinned']", (sealed.JSON, b"7"))))
    return group(
        "hash", lines, case("makes", "protect", *[good(named(f, v), named(f, f'"{h}"')) for f, v, h in exact], both),
        case("stays when revealed", "reveal", good(string("0" * 64), string("0" * 64)), good('{"a":1}', '{"a":1}')),
        case("a payload", "protect", good("any payload", hashed(b"any payload", at("$", sealed.BYTES))), topic="b"))


def one_way():
    lines = policy(
        "match: t\nprotect:\n  $.mask: {type: mask}\n  $.card: {type: mask, keep: {first: 6, last: 4}, separators: true}\n"
        "  $.last: {type: mask, keep: {last: 2}, char: \"█\"}\n  $.redact: {type: redact}\n"
        "  $.with: {type: redact, with: \"say \\\"no\\\"\"}\n  $.empty: {type: redact, with: \"\"}\n"
        "  $.null: {type: redact, 'null': true}\n  $.remove: {type: remove}\n  $.list[*].remove: {type: remove}\n"
        "  $.items[*]: {type: remove}", "match: b\nformat: bytes\nprotect: {$: {type: redact}}")
    pairs = [('{"mask":"Zoë 🚀"}', '{"mask":"*****"}'), ('{"mask":""}', '{"mask":""}'),
             (named("card", f'"{CARD}"'), '{"card":"4111-11**-****-1111"}'),
             ('{"card":"4111-1111"}', '{"card":"****-****"}'), ('{"last":"secret"}', '{"last":"████et"}'),
             ('{"last":"et"}', '{"last":"██"}'), *[(named("redact", value), '{"redact":"[redacted]"}')
                                                   for value in ('"x"', "17", "null", "true", '{"a":1}', "[]")],
             ('{"with":"x"}', '{"with":"say \\"no\\""}'), ('{"empty":"x"}', '{"empty":""}'),
             ('{"null":"x"}', '{"null":null}'), ('{"a":1, "remove":2, "b":3}', '{"a":1, "b":3}'),
             ('{"a":1, "remove":2}', '{"a":1}'), ('{"remove":"vault:v1:x"}', "{}"),
             ('{"list":[{"remove":1},{"x":2}]}', '{"list":[{},{"x":2}]}'), ('{"items":[1, 2, 3]}', '{"items":[]}')]
    return group(
        "mask, redact, remove", lines, case("makes", "protect", *[good(plain, made) for plain, made in pairs]),
        case("stays when revealed", "reveal", *[good(made, made) for _, made in pairs],
             good('{"remove":1}', '{"remove":1}')),
        case("a payload", "protect", good("any payload", "[redacted]"), topic="b"))


def tokens():
    lines = policy(
        "match: t\nprotect:\n  $.a: {type: token, key: pii}\n  $.same: {type: token, key: pii, convergent: true}\n"
        "  $.one: {type: token, key: pii, convergent: true, bind: {domain: d}}\n"
        "  $.card: {type: token, key: pii, shape: keep, keep: {first: 6, last: 4}, convergent: true}\n"
        "  $.n: {type: token, key: pii, shape: keep}\n  $.name: {type: token, key: pii, shape: keep, alphabet: letters}\n"
        "  $.long: {type: token, key: pii, ttl: 400d, metadata: \"purpose=billing\"}",
        "match: b\nformat: bytes\nprotect: {$: {type: token, key: pii, store: main}}", stores=True)
    token = "[A-Za-z0-9_-]{22}"
    return group(
        "token", lines,
        case("makes", "protect", good(string(MAIL), like(f'[{{]"a":"seal:t1:{token}"[}}]'), True),
             good(string(MAIL), differs_from=0), good('{"a":1.10}', like(f'[{{]"a":"json[+]seal:t1:{token}"[}}]'),
                                                      True), good('{"a":null}', ..., True), good(string(""), ..., True),
             good('{"same":"x"}', like(f'[{{]"same":"seal:t1:{token}"[}}]'), True), good('{"same":"x"}', same_as=5),
             good('{"same":"y"}', differs_from=5),
             good(named("card", f'"{CARD}"'), like('[{]"card":"4111-11[0-9]{2}-[0-9]{4}-1111"[}]'), True),
             good(named("card", f'"{CARD}"'), same_as=8),
             good('{"n":4111111111111111}', like('[{]"n":[1-9][0-9]{15}[}]'), True),
             good('{"n":"0000000"}', like('[{]"n":"[0-9]{7}"[}]'), True),
             good('{"name":"Zoe Mueller 17"}', like('[{]"name":"[A-Za-z]{3} [A-Za-z]{7} 17"[}]'), True),
             good('{"long":"x"}', ..., True), good('{"one":"x"}', ..., True)),
        case("a payload", "protect", good("any payload", like(f"seal:t1:{token}"), True), topic="b"))


def groups():
    return [
        *[encrypts(name) for name in AEAD_KEYS],
        versions(), *[binds("encrypt", name) for name in ("pii", "aes-convergent")],
        transit(),
        deterministic(),
        envelopes(),
        people(),
        fpe_strings(),
        fpe_integers(),
        fpe_published(),
        hashes(),
        one_way(),
        tokens()
    ]
