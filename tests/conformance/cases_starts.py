"""Policies that are refused, with the place of the mistake, and keys that a policy cannot start with."""
from kit import fails, policy

HEAD = ["version: 1", "keys: {pii: 'local:pii', cards: 'local:cards'}", "topics:", "- match: t"]


def mistake(name, place, *lines, head=HEAD):
    return fails(name, [*head, *lines], "config", f"policy.yaml:{place}")


def mistakes():
    one = "  protect: {$.a: %s}"
    return [
        mistake("no version", "1:1", head=["topics: [{match: t, protect: {$.a: {type: redact}}}]", "# match: t"]),
        mistake("another version", "1:10", one % "{type: redact}", head=["version: 2", *HEAD[1:]]),
        mistake("an unknown key", "5:3", "  protct: {}"),
        mistake("an unknown method", "5:25", one % "{type: encrpt, key: pii}"),
        mistake("an unknown option", "5:33", one % "{type: redact, wiht: x}"),
        mistake("a method without its key", "5:18", one % "{type: encrypt}"),
        mistake("a key that is not declared", "5:39", one % "{type: encrypt, key: none}"),
        mistake("a key that the method has no use for", "5:38", one % "{type: redact, key: pii}"),
        mistake("not a path", "5:13", "  protect: {a: {type: redact}}"),
        mistake("a slice", "5:19", "  protect: {'$.a[1:2]': {type: redact}}"),
        mistake("a filter", "5:18", "  protect: {'$.a[?@.b]': {type: redact}}"),
        mistake("two paths for one value", "5:34", "  protect: {$.a: {type: redact}, '$.*': {type: redact}}"),
        mistake("one path inside another", "5:34", "  protect: {$.a: {type: redact}, $.a.b: {type: redact}}"),
        mistake("the document removed", "5:16", "  protect: {$: {type: remove}}"),
        mistake("a path into bytes", "6:13", "  format: bytes", "  protect: {$.a: {type: redact}}"),
        mistake("a method that takes no bytes", "6:16", "  format: bytes", "  protect: {$: {type: mask}}"),
        mistake("a value of an option", "5:13", "  on_error: pass", "  protect: {$.a: {type: redact}}"),
        mistake("dead letters without a topic", "4:3", "  on_error: dead_letter", "  protect: {$.a: {type: redact}}"),
        mistake("an alphabet of one", "5:18", one % "{type: fpe, key: cards, alphabet: a}"),
        mistake("a character twice", "5:18", one % "{type: fpe, key: cards, alphabet: abca}"),
        mistake("ff3-1 without its tweak", "5:18", one % "{type: fpe, key: cards, algorithm: ff3-1}"),
        mistake("nothing to bind deterministic to", "5:56", one % "{type: deterministic, key: pii, bind: none}"),
        mistake("a token without a store", "5:18", one % "{type: token, key: pii}"),
        mistake("a key for each person without a store", "5:40", one % "{type: envelope, key: {name: pii, per: $.id}}"),
        mistake("carry: bytes in JSON", "5:18", one % "{type: envelope, key: pii, carry: bytes}"),
        mistake("record keys that are never equal", "5:8", "  key: {type: encrypt, key: pii}",
                "  protect: {$.a: {type: redact}}"),
        mistake("headers of sealstream", "5:13", "  headers: {seal-key: {type: redact}}",
                "  protect: {$.a: {type: redact}}"),
        mistake("allowed and protected", "5:11", "  allow: [$.a]", "  protect: {$.a: {type: redact}}"),
        mistake("not a scheme", "2:13", one % "{type: encrypt, key: pii}",
                head=["version: 1", "keys: {pii: 'locl:pii'}", *HEAD[2:]]),
        mistake("not YAML", "6:1", "  protect: {$.a"),
        mistake("an anchor", "5:12", "  protect: &a {$.a: {type: redact}}"),
        mistake("a key twice", "6:3", "  protect: {$.a: {type: redact}}", "  protect: {$.b: {type: redact}}"),
    ]


def keys():

    def uses(method):
        return policy(f"match: t\nprotect: {{$.a: {method}}}")

    return [
        fails("no such key", uses("{type: encrypt, key: missing}"), "key_unknown"), *[
            fails(f"{method} under a key of type {name}", uses(f"{{type: {method}, key: {name}}}"), "key_type")
            for method, name in (("encrypt", "cards"), ("encrypt", "mac"), ("fpe", "pii"), ("hash", "pii"),
                                 ("envelope", "cards"), ("deterministic", "pii"), ("deterministic", "aes-derived"))
        ],
        fails("a derived key without a place", uses("{type: encrypt, key: aes-derived, bind: none}"), "key_type"),
        fails("no such version: fpe", uses("{type: fpe, key: cards, version: 3}"), "key_version"),
        fails("no such version: hash", uses("{type: hash, key: mac, version: 3}"), "key_version"),
        fails("no such version: deterministic", uses("{type: deterministic, key: cha-convergent, version: 2}"),
              "key_version")
    ]


def groups():
    return mistakes() + keys()
