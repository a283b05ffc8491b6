"""What Vault's Transform does. A double of it answers, with fixed keys and tweaks: no licensed server has been asked."""
import base64
import hashlib
import json

from ff1 import FF1
from ff3_1 import FF31
from kit import at, bad, case, domain, fails, good, group, like, material, named, pinned, policy, sealed

A, CARD, OTHER = "$['a']", "4111-1111-1111-1234", "4000-0012-3456-7899"
FIXED, LONG = bytes.fromhex("a1b2c3d4e5f607"), bytes(range(16))
CARDS = "[0-9]{4}(-[0-9]{4}){3}"
SERVER = {
    "templates": {
        "parts": {"type": "regex", "alphabet": "builtin/numeric", "pattern": r"(\d{4})[- ](\d{4})[- ](\d{4})[- ](\d{4})",
                  "encode_format": "$1-$2-$3-$4", "decode_formats": {"last-four": "$4"}},
        "greek": {"type": "regex", "alphabet": "greek", "pattern": "([α-ω]+)"}
    },
    "alphabets": {"greek": "αβγδεζηθικλμνξοπρστυφχψω"},
    "transformations": {
        name: {"type": "fpe", "template": template, "tweak_source": source, "algorithm": algorithm,
               "key": material(name).hex(), "tweak": FIXED.hex()} for name, template, source, algorithm in (
                   ("card", "builtin/creditcardnumber", "internal", "ff3-1"),
                   ("card1", "builtin/creditcardnumber", "internal", "ff1"),
                   ("own", "builtin/creditcardnumber", "supplied", "ff3-1"),
                   ("own1", "builtin/creditcardnumber", "supplied", "ff1"),
                   ("drawn", "builtin/creditcardnumber", "generated", "ff3-1"),
                   ("parts", "parts", "internal", "ff3-1"), ("greek", "greek", "internal", "ff3-1"))
    } | {
        "mask": {"type": "masking", "template": "builtin/creditcardnumber"},
        "tokens": {"type": "tokenization", "max_ttl": "24h"}, "same": {"type": "tokenization", "convergent": True}
    },
    "roles": {"payments": ["card", "card1", "own", "own1", "drawn", "parts", "greek", "mask", "tokens", "same"],
              "one": ["card"], "none": []}
}


def method(transformation, options="", role="payments"):
    named = f", transformation: {transformation}" if transformation else ""
    return f"{{type: transform, role: {role}{named}{', ' + options if options else ''}}}"


def rules(**methods):
    return policy("match: t\nprotect:\n" + "\n".join(f"  $.{field}: {how}" for field, how in methods.items()))


def coded(name, plain, tweak=FIXED, cipher=FF31, alphabet="0123456789"):
    """The value as its transformation makes it: what is not of the alphabet stays."""
    places = [nth for nth, letter in enumerate(plain) if letter in alphabet]
    out = list(plain)
    made = cipher(material(name), len(alphabet)).encrypt([alphabet.index(plain[nth]) for nth in places], tweak)
    for nth, numeral in zip(places, made):
        out[nth] = alphabet[numeral]
    return "".join(out)


def string(text, field="a"):
    return named(field, json.dumps(text, ensure_ascii=False))


def internal():
    lines = rules(a=method("card"), b=method("card1"), c=method("greek"),
                  d=method("", "mount: transform, tweak_source: internal", role="one"))
    greek = SERVER["alphabets"]["greek"]
    pairs = [(string(plain, field), string(coded(name, plain, cipher=cipher), field))
             for field, name, cipher in (("a", "card", FF31), ("b", "card1", FF1), ("d", "card", FF31))
             for plain in (CARD, OTHER, "4111111111111234", "411111111111")]
    pairs.append((string("λογοιλογοι", "c"), string(coded("greek", "λογοιλογοι", alphabet=greek), "c")))
    return group("tweak_source: internal", lines,
                 case("makes", "protect", *[good(plain, out, True) for plain, out in pairs], good("{}", "{}")),
                 case("reads", "reveal", *[good(out, plain) for plain, out in pairs]))


def supplied():
    own = "tweak_source: supplied"
    bound = {"a": at(A), "b": at("$['b']"), "c": domain("card"), "d": domain("card"),
             "e": pinned("$['e']", (sealed.STRING, b"o-17"))}
    lines = rules(a=method("own", own), b=method("own", own), c=method("own", own + ", bind: {domain: card}"),
                  d=method("own", own + ", bind: {domain: card}"), e=method("own", own + ", bind: {record: $.id}"),
                  f=method("own", own + f", tweak: {FIXED.hex()}"), g=method("own1", own + ", tweak_bytes: 16"),
                  h=method("own1", own + f", tweak: {LONG.hex()}"))
    made = {field: coded("own", CARD, hashlib.sha256(place).digest()[:7]) for field, place in bound.items()}
    made |= {"f": coded("own", CARD), "g": coded("own1", CARD, hashlib.sha256(at("$['g']")).digest()[:16], FF1),
             "h": coded("own1", CARD, LONG, FF1)}
    plain, out = (json.dumps({"id": "o-17"} | values) for values in (dict.fromkeys(made, CARD), made))
    moved = FF31(material("own"), 10).decrypt([int(digit) for digit in made["b"] if digit != "-"],
                                              hashlib.sha256(bound["a"]).digest()[:7])
    digits = iter(map(str, moved))
    return group("tweak_source: supplied", lines, case("makes", "protect", good(plain, out, True)),
                 case("reads", "reveal", good(out, plain),
                      good(string(made["b"]), string("".join(each if each == "-" else next(digits) for each in CARD)))))


def generated():
    lines = rules(a=method("drawn", "tweak_source: generated"))
    text = f"seal:x1:{base64.urlsafe_b64encode(FIXED).decode().rstrip('=')}:{coded('drawn', CARD)}"
    return group(
        "tweak_source: generated", lines,
        case("makes", "protect", good(string(CARD), like(f'[{{]"a":"seal:x1:[A-Za-z0-9_-]{{10}}:{CARDS}"[}}]'), True),
             good(string(CARD), ..., True, differs_from=0), bad(string(text), "protected", A)),
        case("reads", "reveal", good(string(text), string(CARD)), bad(string(CARD), "plaintext", A),
             bad(string("seal:x1:!:" + CARD), "tampered", A), bad(string("vault:v1:AAAA"), "tampered", A)))


def others():
    lines = rules(a=method("parts", "decode_format: last-four"), b=method("mask", "one_way: true"),
                  c=method("tokens", "ttl: 1h, metadata: 'Source=shop'"), d=method("same"), e=method("mask"),
                  f=method("same", "expiration: 2999-01-31T00:00:00Z"))
    masked = string("****-****-****-****", "b")
    return group(
        "parts, masks and tokens", lines,
        case("a decode format", "protect",
             good(string(CARD.replace("-", " ")), string(coded("parts", CARD)), string("1234"))),
        case("masks", "protect", good(string(CARD, "b"), masked, masked)),
        case("masks are not revealed", "reveal", bad(string(CARD, "e"), "one_way", "$['e']")),
        case("tokens", "protect", good(string("Zoë \"x\"", "c"), ..., True), good(string("Zoë \"x\"", "c"), differs_from=0)),
        case("convergent tokens", "protect", good(string("Zoe", "d"), ..., True), good(string("Zoe", "d"), same_as=0),
             good(string("Zoë", "d"), differs_from=0)),
        case("tokens until a day", "protect", good(string("Zoe", "f"), ..., True), good(string("Zoe", "f"), same_as=0)),
        case("tokens that nobody made", "reveal", bad(string("none", "c"), "tampered", "$['c']")))


def refused():
    lines = rules(a=method("card"))
    return group(
        "what Transform does not take", lines,
        case("protect", "protect", bad(string("no card"), "domain", A), good(string(CARD), ..., True),
             *[bad(named("a", value), "type", A) for value in ("4111111111111111", "null", "true", "{}", "[]")],
             bad(string("vault:v1:x"), "protected", A)),
        case("reveal", "reveal", bad(string("no card"), "tampered", A), bad('{"a":1}', "type", A)))


def starts():
    return [
        fails("no such role", rules(a=method("card", role="paymnts")), "key_unknown"),
        fails("no such mount", rules(a=method("card", "mount: transfrm")), "key_unknown"),
        fails("which transformation", rules(a=method("")), "config"),
        fails("not one of the role's", rules(a=method("crad")), "config"),
        fails("a role without any", rules(a=method("", role="none")), "config"),
        fails("another tweak source", rules(a=method("card", "tweak_source: supplied")), "config"),
        fails("tweaks that FF3-1 does not take", rules(a=method("own", "tweak_source: supplied, tweak_bytes: 8")), "config"),
        fails("a ttl of what is no token", rules(a=method("card", "ttl: 1h")), "config"),
        fails("a ttl that is too long", rules(a=method("tokens", "ttl: 48h")), "config")
    ]


def groups():
    return [internal(), supplied(), generated(), others(), refused(), *starts()]
