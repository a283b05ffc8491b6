"""Every form of a path, what it selects, and what its values are bound to; which entry of a policy counts for a topic."""
import json

from kit import at, bad, case, encrypt, good, group, hashed, named, policy, sealed

HASH = "{type: hash, key: mac}"


def out(content, name, kind=sealed.STRING):
    """A hash shows what its value is bound to."""
    return json.dumps(hashed(content.encode(), at(name, kind)))


def path(name, written, *pairs):
    """pairs: (record with %s in it, its values in JSON, the canonical path of each)"""
    records = []
    for shape, values, names in pairs:
        made = [
            out(
                json.loads(value) if value[0] == '"' else value, where,
                sealed.STRING if value[0] == '"' else sealed.JSON) for value, where in zip(values, names)
        ]
        records.append(good(shape % tuple(values), shape % tuple(made)))
    return group(f"{name}: {written}", policy(f"match: t\nprotect:\n  {written}: {HASH}"),
                 case("selects", "protect", *records))


def forms():
    x, y = '"x"', '"y"'
    return [
        path("whole document", "$", ("%s", ['{"a":1}'], ["$"]), ("%s", [x], ["$"]), ("%s", ["[1, 2]"], ["$"]),
             ("%s", ["null"], ["$"])),
        path("member", "$.a", ('{"a":%s,"b":{"a":1}}', [x], ["$['a']"]),
             ('{"a":%s,"\\u0061":%s}', [x, y], ["$['a']"] * 2), ('{"A":1}', [], [])),
        path("member of a member", "$.a.b.c", ('{"a":{"b":{"c":%s}}}', [x], ["$['a']['b']['c']"]),
             ('{"a":[{"b":{"c":1}}]}', [], []), ('{"a":1}', [], [])),
        path("quoted name", "$['credit card']", ('{"credit card":%s}', [x], ["$['credit card']"])),
        path("quotes in a name", '\'$["it\'\'s"]\'', ('{"it\'s":%s}', [x], ["$['it\\'s']"])),
        path("empty name", "$['']", ('{"":%s}', [x], ["$['']"])),
        path("name beyond ASCII", "$.größe", ('{"größe":%s,"gr\\u00f6\\u00dfe":%s}', [x, y], ["$['größe']"] * 2)),
        path("name with a dot", "$['a.b']", ('{"a.b":%s,"a":{"b":1}}', [x], ["$['a.b']"])),
        path("element", "$.a[1]", ('{"a":[0,%s,2]}', [x], ["$['a'][*]"]), ('{"a":[0]}', [], []),
             ('{"a":{"1":0}}', [], [])),
        path("every element", "$.a[*]", ('{"a":[%s, %s ,%s]}', [x, "2", "null"], ["$['a'][*]"] * 3),
             ('{"a":[]}', [], []), ('{"a":"x"}', [], [])),
        path("member of every element", "$.a[*].b",
             ('{"a":[{"b":%s},{"c":1},{"b":%s},7]}', [x, y], ["$['a'][*]['b']"] * 2)),
        path("element of the document", "$[*].a", ('[{"a":%s},[{"a":1}]]', [x], ["$[*]['a']"])),
        path("arrays in arrays", "$.a[*][0]", ('{"a":[[%s,2],[],[%s]]}', [x, y], ["$['a'][*][*]"] * 2)),
        path("every member", "$.a.*", ('{"a":{"b":%s,"c":%s}}', [x, "[1]"], ["$['a']['b']", "$['a']['c']"]),
             ('{"a":[%s]}', [x], ["$['a'][*]"])),
        path("member of every member", "$.*.b",
             ('{"a":{"b":%s},"c":{"b":%s},"d":1}', [x, y], ["$['a']['b']", "$['c']['b']"])),
        path("any depth", "$..b",
             ('{"b":%s,"a":[{"b":%s},{"c":{"b":%s}}]}', [x, y, "3"
                                                         ], ["$['b']", "$['a'][*]['b']", "$['a'][*]['c']['b']"]),
             ('[[{"b":%s}]]', [x], ["$[*][*]['b']"]), ('{"b":%s}', ['{"b":1}'], ["$['b']"])),
        path("any depth below a member", "$.a..b",
             ('{"b":1,"a":{"c":[{"b":%s}],"b":%s}}', [x, y], ["$['a']['c'][*]['b']", "$['a']['b']"])),
        path("any depth, quoted name", "$..['b c']", ('{"a":{"b c":%s}}', [x], ["$['a']['b c']"])),
        path("in brackets throughout", "'$[\"a\"][\"b\"]'", ('{"a":{"b":%s}}', [x], ["$['a']['b']"])),
        path("white space", "'$ .a [ 0 ]'", ('{"a":[%s]}', [x], ["$['a'][*]"])),
    ]


def whole_values():
    """Containers are values, too: nothing of what is in them is left."""
    lines = policy(
        "match: t\nprotect: {$.a: {type: deterministic, key: cha-convergent}, "
        "'$.list[*]': {type: deterministic, key: cha-convergent}}"
    )
    plain = '{"b": {"c": [1, 2.0]}, "b": "twice"}'
    made = [
        json.dumps(encrypt("cha-convergent", value.encode(), at(name, sealed.JSON), 1, True))
        for value, name in ((plain, "$['a']"), ("[1]", "$['list'][*]"), ("{}", "$['list'][*]"))
    ]
    return group(
        "whole objects and arrays", lines,
        case("protect", "protect", good(named("a", plain), named("a", made[0]), True),
             good('{"list":[[1],{}]}', f'{{"list":[{made[1]},{made[2]}]}}', True)))


def moved():
    lines = policy("match: t\nprotect:\n  $.a: {type: encrypt, key: pii}\n  $.list[*]: {type: encrypt, key: pii}",
                   "match: deep\nprotect: {$..deep: {type: encrypt, key: pii}}",
                   "match: mirror\nprotect: {'$.*': {type: encrypt, key: pii}}")
    here, element, deep = (json.dumps(encrypt("pii", b"x", at(name)))
                           for name in ("$['a']", "$['list'][*]", "$['c'][*]['deep']"))
    return group(
        "a value that was moved", lines,
        case("reveal", "reveal", good(named("a", here), '{"a":"x"}'), bad(named("a", element), "tampered", "$['a']"),
             good(f'{{"list":[{element},{element}]}}', '{"list":["x","x"]}'),
             bad(f'{{"list":[{element},{here}]}}', "tampered", "$['list'][*]")),
        case("under the rules of another topic", "protect", good('{"a":"x"}', ..., True), reveal_topic="mirror"),
        case("at any depth", "reveal", good(f'{{"c":[{{"deep":{deep}}}]}}', '{"c":[{"deep":"x"}]}'),
             bad(f'{{"d":[{{"deep":{deep}}}]}}', "tampered", "$['d'][*]['deep']"), topic="deep"))


def topics():
    lines = policy("match: purchases\nprotect: {$.a: {type: redact, with: exact}}",
                   "match: 'shop.*'\nprotect: {$.a: {type: redact, with: glob}}",
                   "match: [eu-?, '[x-z]9']\nprotect: {$.a: {type: redact, with: list}}",
                   "match: /orders-\\d+/\nprotect: {$.a: {type: redact, with: regex}}",
                   "match: '*'\nprotect: {$.a: {type: redact, with: rest}}")
    wanted = {
        "purchases": "exact", "purchases2": "rest", "shop.eu": "glob", "shop.": "glob", "shop": "rest", "eu-1": "list",
        "eu-12": "rest", "y9": "list", "a9": "rest", "orders-17": "regex", "orders-": "rest", "my-orders-17": "rest"
    }
    return group(
        "which entry counts", lines, *[
            case(name, "protect", good('{"a":1}', named("a", f'"{which}"')), topic=name)
            for name, which in wanted.items()
        ], case("topics of the broker", "protect", topic="__consumer_offsets", fails={"status": "usage"}, lines=True))


def groups():
    return [*forms(), whole_values(), moved(), topics()]
