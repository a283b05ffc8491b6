"""Records that nobody here made up: all bytes outside the protected spans stay, and the rest comes back.

npm's world-countries: 250 countries, nested, with arrays and many scripts, and their borders as GeoJSON (long floating-point
numbers). PyPI's vega_datasets: 406 cars, typed, with nulls.
"""
import json
import pathlib

import flow
import foreign
import pytest
import spans
from once import npm_json

COUNTRIES = "world-countries@5.1.0"

POLICY = """version: 1
keys: {pii: "local:pii", cards: "local:cards"}
methods:
  secret: {type: encrypt, key: pii}
topics:
- match: countries*
  protect:
    $.name.official: secret
    $.name.native.*.common: secret
    $.translations: secret
    $.borders[*]: secret
    $.latlng[*]: secret
    $.currencies.*.symbol: secret
    $.idd.suffixes[*]: secret
    $.independent: secret
    $['area']: secret
    $.features[*].properties: secret
- match: cars*
  protect:
    $.Name: secret
    $.Miles_per_Gallon: secret
    $.Weight_in_lbs: secret
    $.Year: {type: fpe, key: cards, alphabet: digits}
"""
PATHS = {
    "countries": [("name", "official"), ("name", "native", "*", "common"), ("translations",), ("borders", "[*]"),
                  ("latlng", "[*]"), ("currencies", "*", "symbol"), ("idd", "suffixes", "[*]"), ("independent",), ("area",),
                  ("features", "[*]", "properties")],
    "cars": [("Name",), ("Miles_per_Gallon",), ("Weight_in_lbs",), ("Year",)],
}


def elements(text):
    """The raw text of each element of a JSON array: as it stands in the file, white space included."""
    hits = spans.selected(text, [("[*]",)])
    return [text[start:end] for _, start, end in hits]


@pytest.fixture(scope="module")
def countries(cache):
    folder = npm_json(cache, COUNTRIES)
    records = elements((folder / "countries.json").read_bytes())
    borders = [path.read_bytes() for path in sorted(folder.rglob("*.geo.json"))]
    records += [text for text in borders if len(text) < 64 << 10]
    assert len(records) >= 400
    return records


@pytest.fixture(scope="module")
def cars():
    import vega_datasets
    records = elements((pathlib.Path(vega_datasets.__file__).parent / "_data" / "cars.json").read_bytes())
    assert len(records) == 406
    return records


@pytest.mark.parametrize("name", PATHS)
def test_only_the_named_spans_change(kafka, topic, sealstream, name, request):
    records = request.getfixturevalue(name)
    flow.prepare(sealstream, POLICY)
    plain, protected, revealed = topic(name, 3), topic(f"{name}-protected", 3), topic(f"{name}-revealed", 3)
    foreign.produce(kafka.brokers, plain, flow.numbered(records))
    sealstream.run(*flow.pump(kafka.brokers, plain, protected))
    sealstream.run(*flow.pump(kafka.brokers, protected, revealed, "--reveal"))
    hidden = {pattern: 0 for pattern in PATHS[name]}

    def check_protected(message, number):
        before, after = records[number], message.value()
        # Inside a whole object that was protected nothing is a path any more.
        was, now = spans.selected(before, PATHS[name]), spans.selected(after, PATHS[name])
        assert [w[0] for w in was] == [n[0] for n in now]
        assert spans.outside(before, was) == spans.outside(after, now)
        for (pattern, start, end), (_, new_start, new_end) in zip(was, now):
            assert before[start:end] != after[new_start:new_end]
            if pattern != ("Year",):
                text = json.loads(after[new_start:new_end])
                assert text.startswith("vault:v1:" if before[start:start + 1] == b'"' else "json+vault:v1:")
            hidden[pattern] += 1

    def check_revealed(message, number):
        before, after = records[number], message.value()
        was, now = spans.selected(before, PATHS[name]), spans.selected(after, PATHS[name])
        assert spans.outside(before, was) == spans.outside(after, now)
        for (_, start, end), (_, new_start, new_end) in zip(was, now):
            if before[start:start + 1] == b'"':  # escapes may be spelled differently, the text may not
                assert json.loads(before[start:end]) == json.loads(after[new_start:new_end])
            else:
                assert before[start:end] == after[new_start:new_end]
        if b"\\" not in before:
            assert before == after

    for at, each in ((protected, check_protected), (revealed, check_revealed)):
        seen = flow.read_numbered(kafka.brokers, at, each)
        assert len(seen) == len(records) and set(seen.values()) == {1}
    assert all(hidden.values()), f"rules that met no value: {hidden}"
