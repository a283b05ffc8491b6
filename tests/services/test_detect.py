"""Detectors against what others say: check digits of python-stdnum, people that Faker makes up, data that hold no people.

Nothing of src/detect went into any of them. What they see otherwise is written down here, and in docs/SCAN.md.
"""
import csv
import importlib
import json
import pathlib
import random
import subprocess

import pytest
from faker import Faker
from once import npm_json

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Detector: module of stdnum, shapes of candidates ("#" a digit, "A" a capital, "*" either, all else for itself).
NUMBERS = {
    "card": ("luhn", ["4###############", "51##############", "37#############"]),
    "iban": ("iban", ["DE####################", "FR## #### #### #### #### #### ###", "NL##AAAA##########", "AT##################"]),
    "us_ssn": ("us.ssn", ["###-##-####"]),
    "gb_nhs": ("gb.nhs", ["##########", "### ### ####"]),
    "de_tax_id": ("de.idnr", ["###########", "## ### ### ###"]),
    "fr_nir": ("fr.nir", ["19901#########", "2 ## 12 ## ### ### ##", "1##012A########", "1##122B########"]),
    "es_dni": ("es.dni", ["########A", "Y#######A"]),
    "it_codice_fiscale": ("it.codicefiscale", ["AAAAAA##A1#A###A", "AAAAAA##D5#H501A"]),
    "nl_bsn": ("nl.bsn", ["#########", "####.##.###"]),
    "be_national": ("be.nn", ["##010#### ##", "##.12.1#-###.##"]),
    "se_personnummer": ("se.personnummer", ["##09##-####", "##091#-####", "19##121#-####"]),
    "fi_hetu": ("fi.hetu", ["1909##-0##*", "2909##-1###"]),
    "no_fodselsnummer": ("no.fodselsnummer", ["1909#######", "2909## #####"]),
    "pl_pesel": ("pl.pesel", ["##09#######", "##121######"]),
    "cz_rodne_cislo": ("cz.rc", ["##091#/####", "##591#####"]),
    "ro_cnp": ("ro.cnp", ["1##0#1#######", "2##121#######"]),
    "hr_oib": ("hr.oib", ["###########"]),
    "ch_ahv": ("ch.ssn", ["756.####.####.##", "756##########"]),
    "at_svnr": ("at.vnr", ["#### 1909##", "####2909##"]),
    "pt_nif": ("pt.nif", ["1########", "2## ### ###"]),
    "ie_pps": ("ie.pps", ["#######A", "#######AA"]),
    "ca_sin": ("ca.sin", ["### ### ###", "#########"]),
    "br_cpf": ("br.cpf", ["###.###.###-##", "###########"]),
    "cl_rut": ("cl.rut", ["########-#", "#.###.###-#"]),
    "mx_curp": ("mx.curp", ["AEAA##091#HDFLLL0#", "AIAA##121#MJCLLLA#"]),
    "in_aadhaar": ("in_.aadhaar", ["#### #### ####", "2###########"]),
    "in_pan": ("in_.pan", ["AAAPA####A", "AAAAA####A"]),
    "cn_resident": ("cn.ric", ["11010119##0#1#####", "36042619##121####X"]),
    "jp_my_number": ("jp.in_", ["#### #### ####", "############"]),
    "za_id": ("za.idnr", ["##091#####089", "##121# #### 189"]),
    "au_tfn": ("au.tfn", ["### ### ###", "#########"]),
    "tr_kimlik": ("tr.tckimlik", ["###########"]),
}
# What stdnum refuses, and is taken here: a place, a year or a serial number that was never given out.
MORE = {"es_dni": "NIEs, which have a module of their own", "be_national": "days to come", "in_pan": "serial number 0000",
        "se_personnummer": "days to come", "no_fodselsnummer": "serial numbers by year", "ro_cnp": "counties",
        "ie_pps": "other second letters than A, B, H", "cn_resident": "places"}
TRIES = 6000

# Path: how Faker makes it, and what it may be taken for; nothing: it is no such thing.
FIELDS = {
    "card": ("credit_card_number", {"card"}),
    "iban": ("iban", {"iban"}),
    "contact": ("email", {"email"}),
    "phone": ("phone_number", {"phone", "phone_digits"}),
    "remote": ("ipv4_public", {"ipv4"}),
    "peer": ("ipv6", {"ipv6"}),
    "firstName": ("first_name", {"person_name"}),
    "last_name": ("last_name", {"person_name"}),
    "street": ("street_address", {"address"}),
    "postcode": ("postcode", {"address"}),
    "dateOfBirth": ("date_of_birth", {"birth_date"}),
    "password": ("password", {"password", "random_text"}),
    "company": ("company", set()),
    "job": ("job", set()),
    "country": ("country", set()),
    "order": ("uuid4", set()),
    "digest": ("sha256", set()),
    "comment": ("text", set()),
    "link": ("url", set()),
    "agent": ("user_agent", set()),
    "created": ("iso8601", set()),
    "day": ("date", set()),
    "goods": ("ean13", set()),
    "book": ("isbn13", set()),
    "colour": ("hex_color", set()),
    "file": ("file_path", set()),
    "device": ("mac_address", set()),
    "currency": ("currency_code", set()),
    "amount": ("pyint", set()),
    "share": ("pyfloat", set()),
}
LOCALES = ["en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "sv_SE", "pt_BR", "no_NO", "da_DK", "fi_FI",
           "en_CA", "en_AU", "en_IN", "ja_JP"]
RECORDS = 300

# Public data without people: what is found in them is wrong, or stands in a free text.
DATA = {
    "world-countries@5.1.0:countries.json": {},
    "mime-db@1.52.0:db.json": {},
    "spdx-license-list@6.9.0:spdx-full.json": {"$.licenseText": "email_in_text"},
    "airports.csv": {"$.name": "person_name"},
    "barley.json": {}, "burtin.json": {}, "cars.json": {}, "crimea.json": {}, "driving.json": {}, "iris.json": {}, "ohlc.json": {},
    "seattle-weather.csv": {}, "stocks.csv": {}, "us-employment.csv": {}, "wheat.json": {},
}


@pytest.fixture(scope="module")
def ask():
    """Asks tests/props/detect_lines: for each text the names of what it looks like."""
    subprocess.run(["ninja", "-C", ROOT / "build", "tests/props/detect_lines"], check=True, stdout=subprocess.DEVNULL)

    def ask(texts):
        done = subprocess.run([ROOT / "build/tests/props/detect_lines"], input="\n".join(texts) + "\n", check=True,
                              capture_output=True, text=True, timeout=120)
        answers = [set(line.split()) for line in done.stdout.split("\n")[:-1]]
        assert len(answers) == len(texts)
        return answers
    return ask


def fill(shape, rng):
    kinds = {"#": "0123456789", "A": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "*": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    return "".join(rng.choice(kinds.get(c, c)) for c in shape)


@pytest.mark.parametrize("detector", NUMBERS)
def test_check_digits(ask, detector):
    """What stdnum takes is found, all of it; what it refuses is not, but for MORE."""
    module, shapes = NUMBERS[detector]
    is_valid = importlib.import_module(f"stdnum.{module}").is_valid
    rng = random.Random(detector)
    texts = [fill(rng.choice(shapes), rng) for _ in range(TRIES)]
    theirs = {text for text in texts if is_valid(text)}
    ours = {text for text, answer in zip(texts, ask(texts)) if detector in answer}
    assert len(theirs) >= 20
    assert theirs - ours == set()
    assert len(ours - theirs) <= (TRIES / 20 if detector in MORE else 0), MORE.get(detector)


def findings(records):
    """By path, what `scan` is sure of."""
    text = "".join(json.dumps(record) + "\n" for record in records)
    done = subprocess.run([ROOT / "build" / "sealstream", "scan", "--json", "-"], input=text, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    return {path["path"]: {found["detector"] for found in path["findings"] if found["sure"]}
            for path in json.loads(done.stdout)["paths"]}


def test_people_of_faker():
    """Whole fields, by locale: precision and recall, printed and with floors."""
    right = wrong = missed = 0
    for locale in LOCALES:
        fake = Faker([locale, "en_US"] if locale == "en_US" else [locale])
        fake.seed_instance(6)
        records = [{path: value(fake, make) for path, (make, _) in FIELDS.items()} for _ in range(RECORDS)]
        found = findings(records)
        for path, (_, expected) in FIELDS.items():
            got = found[f"$.{path}"]
            right += bool(got & expected)
            missed += bool(expected and not got & expected)
            wrong += len(got - expected)
            if got - expected or (expected and not got & expected):
                print(f"{locale} {path}: {sorted(got)}, expected {sorted(expected)}")
    precision, recall = right / (right + wrong), right / (right + missed)
    print(f"{len(LOCALES)} locales, {right + missed} fields of people: precision {precision:.3f}, recall {recall:.3f}")
    assert precision >= 0.97 and recall >= 0.99


def value(fake, make):
    made = getattr(fake, make)()
    return made if isinstance(made, (int, float)) else str(made)


def load(cache, name):
    if "@" in name:
        path = npm_json(cache, name.split(":")[0]) / name.split(":")[1]
    else:
        import vega_datasets
        path = pathlib.Path(vega_datasets.__file__).parent / "_data" / name
    if path.suffix == ".csv":
        with path.open(encoding="utf-8") as file:
            return list(csv.DictReader(file))
    data = json.loads(path.read_text(encoding="utf-8"))
    return [dict(row, id=key) for key, row in data.items()] if isinstance(data, dict) else data


@pytest.mark.parametrize("name", DATA)
def test_false_positives(cache, name):
    """All of them: docs/SCAN.md lists them, too."""
    records = load(cache, name)
    assert len(records) >= 10
    found = {path: names for path, names in findings(records).items() if names}
    assert found == {path: {expected} for path, expected in DATA[name].items()}


def test_table_of_docs():
    subprocess.run(["ninja", "-C", ROOT / "build", "tests/props/detect_lines"], check=True, stdout=subprocess.DEVNULL)
    table = subprocess.run([ROOT / "build/tests/props/detect_lines", "--table"], check=True, capture_output=True, text=True).stdout
    assert table in (ROOT / "docs" / "SCAN.md").read_text()
