"""The double's Transform: is its cryptography the standard's, and does it refuse all that the documentation says is refused?"""
import base64

import pytest

from double import ApiError, Double
from ff1 import FF1
from ff3_1 import FF31, longest

DIGITS = "0123456789"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SIXTY_FOUR = DIGITS + LETTERS.upper() + LETTERS + "+/"
# alphabet, key, tweak, plaintext, ciphertext: ACVP's
FF3_1 = [
    (DIGITS, "2DE79D232DF5585D68CE47882AE256D6", "CBD09280979564",
     "3992520240", "8901801106"),
    (DIGITS, "01C63017111438F7FC8E24EB16C71AB5", "C4E822DCD09F27",
     "60761757463116869318437658042297305934914824457484538562", "35637144092473838892796702739628394376915177448290847293"),
    (LETTERS, "718385E6542534604419E83CE387A437", "B6F35084FA90E1",
     "wfmwlrorcd", "ywowehycyd"),
    (LETTERS, "DB602DFF22ED7E84C8D8C865A941A238", "EBEFD63BCC2083",
     "kkuomenbzqvggfbteqdyanwpmhzdmoicekiihkrm", "belcfahcwwytwrckieymthabgjjfkxtxauipmjja"),
    (SIXTY_FOUR, "AEE87D0D485B3AFD12BD1E0B9D03D50D", "5F9140601D224B",
     "ixvuuIHr0e", "GR90R1q838"),
    (SIXTY_FOUR, "7B6C88324732F7F4AD435DA9AD77F917", "3F42102C0BAB39",
     "21q1kbbIVSrAFtdFWzdMeIDpRqpo", "cvQ/4aGUV4wRnyO3CHmgEKW5hk8H"),
    (DIGITS, "F62EDB777A671075D47563F3A1E9AC797AA706A2D8E02FC8", "493B8451BF6716",
     "4406616808", "1807744762"),
    (DIGITS, "0951B475D1A327C52756F2624AF224C80E9BE85F09B2D44F", "D679E2EA3054E1",
     "99980459818278359406199791971849884432821321826358606310", "84359031857952748660483617398396641079558152339419110919"),
    (LETTERS, "49CCB8F62D941E5684599ECA0300937B5C766D053E109777", "0BFCF75CDC2FC1",
     "jaxlrchjjx", "kjdbfqyahd"),
    (LETTERS, "03D253674A9309FF07ED0E71B24CBFE769025E09FCE544D7", "B33176B1DA0F6C",
     "tafzrybuvhiqvcyztuxfnwfprmqlwpayphxbawpl", "loaemzbgqkywkdhmncrijzildzleoqibtthdiliv"),
    (SIXTY_FOUR, "1C24B74B7C1B9969314CB53E92F98EFD620D5520017FB076", "0380341C425A6F",
     "6np8r2t8zo", "HgpCXoA1Rt"),
    (SIXTY_FOUR, "C0ABADFC071379824A070E8C3FD40DD9BFD7A3C99A0D5FE3", "6C2926C705DDAF",
     "GKB6sa9g56BSJ09iJ4dsaxRdsMvo", "gC0tTSdDPxM79QOWi+z+SNL9C4V+"),
    (DIGITS, "1FAA03EFF55A06F8FAB3F1DC57127D493E2F8F5C365540467A3A055BDBE6481D", "4D67130C030445",
     "3679409436", "1735794859"),
    (DIGITS, "9CE16E125BD422A011408EB083355E7089E70A4CD2F59E141D0B94A74BCC5967", "4684635BD2C821",
     "85783290820098255530464619643265070052870796363685134012", "75104723514036464144839960480545848044718729603261409917"),
    (LETTERS, "6187F8BDE99F7DAF9E3EE8A8654308E7E51D31FA88AFFAEB5592041C033B736B", "5820812B3D5DD1",
     "mkblaoiyfd", "ifpyiihvvq"),
    (LETTERS, "F6807FB9688937E4D4956006C8F0CB2394148A5F4B14666CF353F4941428FFD7", "30C87B99890096",
     "wrammvhudopmaazlsxevzwzwpezzmghwfnmkitnk", "nzftnfkliuctlmtdfrxfhwgevrbcbgljurnytxkj"),
    (SIXTY_FOUR, "9C2B69F7DDF181C54398E345BE04C2F6B00B9DD1679200E1E04C4FF961AE0F09", "103C238B4B1E44",
     "H2/c6FblSA", "EOg4H1bE+8"),
    (SIXTY_FOUR, "C58BCBD08B90006CEC7E82B2D987D79F6A21111DEF0CEBB273CBAEB2D6CD4044", "7036604882667B",
     "bz5TcS1krnD8IOLdrQeKzXkLAa6h", "Z6x3/9LPW8SZunRezRM8J68Q4J03"),
    (DIGITS, "AD41EC5D2356DEAE53AE76F50B4BA6D2", "CF29DA1E18D970",
     "6520935496", "4716569208"),
    (DIGITS, "3C0ABB8C4D50528320ED6EF4F536371C", "2E0B7EE01C1370",
     "37411281822299620587806308530316674537844784195073078382", "45217408528208365340847148215470453887037524494034613315"),
    (DIGITS, "F0097594805CF9B83B865AC2E86AAA3B", "A864BFDB7AB3E4",
     "884423490276892452986545", "886740195115224033771281"),
    (DIGITS, "DA0C3307FD184C1E47FF9B8ACFD75305", "D9F1ABD9C7CE64",
     "16554083965640402", "92429329291203011"),
    (DIGITS, "A84BB554854DCAB9CBFD9E298001518C", "7A773172C3F0F1",
     "082360355025", "901934302943"),
    (DIGITS, "205BF0322AC8FBE58DD5F4C929B967FF", "587F204217950C",
     "91808985919", "14027105769"),
    (LETTERS, "F078DB4C3105463E559623AB7C2EA29F", "1A3FD500D121E9",
     "aquxxnfnhq", "lkjcjcnohf"),
    (LETTERS, "64ED42AFCFA19B9C333F51E0C7BB9AF8", "447EFF10681D4E",
     "yyniczcinzrq", "kxxvbtsaurme"),
    (LETTERS, "C7630C6EE431283365A70B06D3FA6CD8", "9FC475DB5A5824",
     "bnlilrtlwmleozfxpddesinwvuqostxzkovolgbe", "bdzzkydglpqydxwndiyakofjrfihynehnycbmxuc"),
    (SIXTY_FOUR, "F25F9847BFCE672767C28F75E0C22663", "02E98B70FCADF3",
     "oUpPhk2jm9", "khz4xTwSnT"),
    (SIXTY_FOUR, "786B59C511F71B2E2034FE5B54C0F39C", "95B70373E4DF87",
     "XemT7oMMk1NO2lTm1quMXsVMHhem", "nPPBTwnwHbzuIvKx7ZAwHm6thq3e"),
    (SIXTY_FOUR, "1BBA214D5905957DE178195A14EC0388", "66F5E359F6656D",
     "UqUsCEBR9qeA", "jX/iWpvW3YFP"),
]
# NIST's samples for FF1
FF1_SAMPLES = [
    (DIGITS, "2B7E151628AED2A6ABF7158809CF4F3C", "", "0123456789", "2433477484"),
    (DIGITS, "2B7E151628AED2A6ABF7158809CF4F3C", "39383736353433323130", "0123456789", "6124200773"),
    (DIGITS + LETTERS, "2B7E151628AED2A6ABF7158809CF4F3C", "3737373770717273373737", "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    (DIGITS + LETTERS, "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94", "3737373770717273373737",
     "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
]


@pytest.mark.parametrize("cipher, vectors", [(FF31, FF3_1), (FF1, FF1_SAMPLES)], ids=["ff3-1", "ff1"])
def test_published_vectors(cipher, vectors):
    for alphabet, key, tweak, plain, coded in vectors:
        made = cipher(bytes.fromhex(key), len(alphabet))
        x, y = ([alphabet.index(char) for char in text] for text in (plain, coded))
        assert made.encrypt(x, bytes.fromhex(tweak)) == y
        assert made.decrypt(y, bytes.fromhex(tweak)) == x


def test_longest_inputs_of_ff3_1_are_those_of_the_documentation():
    assert {radix: longest(radix) for radix in (2, 10, 16, 26, 36, 52, 62, 64, 94, 256, 65536)} == {
        2: 192, 10: 56, 16: 48, 26: 40, 36: 36, 52: 32, 62: 32, 64: 32, 94: 28, 256: 24, 65536: 12}


@pytest.fixture
def vault():
    with Double("vault-enterprise", mounts=("transform",)) as double:
        yield double


def set_up(vault, kind="fpe", name="t", role="payments", **body):
    if kind != "tokenization":
        body.setdefault("template", "builtin/creditcardnumber")
    vault.api("POST", f"transform/transformations/{kind}/{name}", {"allowed_roles": [role], **body})
    vault.api("POST", f"transform/role/{role}", {"transformations": [name]})


def call(vault, what="encode", role="payments", **body):
    return vault.api("POST", f"transform/{what}/{role}", body)["data"]


def refused(vault, what="encode", role="payments", says="", status=400, **body):
    with pytest.raises(ApiError) as problem:
        call(vault, what, role, **body)
    assert problem.value.status == status
    assert says in problem.value.errors[0], problem.value.errors
    return problem.value


TWEAK = base64.b64encode(bytes(range(7))).decode()


def test_a_known_key_gives_what_the_standard_gives(vault):
    """One numeral string of all groups, by FF3-1 and by FF1."""
    for algorithm, cipher in (("ff3-1", FF31), ("ff1", FF1)):
        vault.engine("transform").algorithm = algorithm
        vault.core.chance.fixed["key"].append(bytes(range(32)))
        set_up(vault, name=algorithm.replace("-", "_"))
        done = call(vault, value="4111-1111-1111-1234", tweak=TWEAK)
        want = "".join(map(str, cipher(bytes(range(32)), 10).encrypt([int(d) for d in "4111111111111234"], bytes(range(7)))))
        assert done == {"encoded_value": "-".join(want[i:i + 4] for i in range(0, 16, 4))}
        assert call(vault, "decode", value=done["encoded_value"], tweak=TWEAK) == {"decoded_value": "4111-1111-1111-1234"}


def test_tweaks(vault):
    set_up(vault)
    refused(vault, value="4111111111111111", says="incorrect tweak size provided: 0")
    refused(vault, value="4111111111111111", tweak=base64.b64encode(b"12345678").decode(), says="incorrect tweak size provided: 8")
    refused(vault, value="4111111111111111", tweak="!", says="not base64")
    done = call(vault, value="4111111111111111", tweak=TWEAK + "\n")["encoded_value"]
    assert done == call(vault, value="4111111111111111", tweak=TWEAK)["encoded_value"]
    other = base64.b64encode(b"7654321").decode()
    assert call(vault, "decode", value=done, tweak=other)["decoded_value"] != "4111111111111111", "a wrong tweak is no error"
    set_up(vault, name="drawn", tweak_source="generated")
    refused(vault, value="4111111111111111", tweak=TWEAK, says="generated")
    done = call(vault, value="4111111111111111")
    assert len(base64.b64decode(done["tweak"])) == 7 and done != call(vault, value="4111111111111111")
    assert call(vault, "decode", value=done["encoded_value"], tweak=done["tweak"])["decoded_value"] == "4111111111111111"
    refused(vault, "decode", value=done["encoded_value"], says="incorrect tweak size provided: 0")
    set_up(vault, name="own", tweak_source="internal")
    refused(vault, value="4111111111111111", tweak=TWEAK, says="internal")
    assert call(vault, value="4111111111111111") == call(vault, value="4111111111111111")
    vault.engine("transform").algorithm = "ff1"
    set_up(vault, name="new", max_tweak_len=8)
    refused(vault, value="4111111111111111", says="tweak must be supplied")
    refused(vault, value="4111111111111111", tweak=base64.b64encode(bytes(9)).decode(), says="incorrect tweak size provided: 9")
    call(vault, value="4111111111111111", tweak=base64.b64encode(bytes(8)).decode())


def test_templates_and_alphabets(vault):
    set_up(vault, tweak_source="internal")
    for bad in ("", "x" * 16, "4111-1111-1111-1111 ", "4111_1111_1111_1111"):
        refused(vault, value=bad, says="does not match the template")
    assert len(call(vault, value="4111-1111-1111")["encoded_value"]) == 14, "twelve digits are a card, too"
    vault.api("POST", "transform/alphabet/low", {"alphabet": "01234"})
    vault.api("POST", "transform/template/low", {"type": "regex", "pattern": "([0-9]+)-x(?P<end>[0-9]+)", "alphabet": "low",
                                                  "encode_format": "${1}:x$end", "decode_formats": {"end": "$end$$"}})
    set_up(vault, template="low", tweak_source="internal")
    refused(vault, value="01234-x0567", says="outside the alphabet")
    refused(vault, value="012-x34", says="too short")
    refused(vault, value="0" * 82 + "-x3", says="too long")
    coded = call(vault, value="01234012-x34")["encoded_value"]
    refused(vault, "decode", value=coded, says="does not match the template")  # encode_format made what the pattern has not
    vault.api("POST", "transform/template/low", {"type": "regex", "pattern": "([0-9]+)[-:]x(?P<end>[0-9]+)", "alphabet": "low",
                                                  "encode_format": "${1}:x$end", "decode_formats": {"end": "$end$$"}})
    coded = call(vault, value="01234012-x34")["encoded_value"]
    assert coded[8] == ":" and len(coded) == 12
    assert call(vault, "decode", value=coded) == {"decoded_value": "01234012:x34"}
    assert call(vault, "decode", "payments/end", value=coded) == {"decoded_value": "34$"}
    refused(vault, "decode", "payments/start", value=coded, says="does not exist")
    vault.api("POST", "transform/transformations/fpe/t", {"template": "nothing", "tweak_source": "internal", "allowed_roles": "*"})
    refused(vault, value="01234012-x34", says="does not exist")


def test_masking_is_one_way(vault):
    set_up(vault, "masking")
    assert call(vault, value="4111-1111-1111-1111") == {"encoded_value": "****-****-****-****"}
    set_up(vault, "masking", masking_character="#.")
    assert call(vault, value="4111-1111-1111-1111") == {"encoded_value": "####-####-####-####"}
    refused(vault, "decode", value="****-****-****-****", says="masking")
    assert vault.api("GET", "transform/transformation/t")["data"]["masking_character"] == ord("#")


def test_roles_and_transformations_name_each_other(vault):
    set_up(vault, tweak_source="internal")
    refused(vault, role="nobody", value="4111111111111111", says="does not exist")
    refused(vault, value="4111111111111111", transformation="other", says="not one of the role's")
    vault.api("POST", "transform/role/payments", {"transformations": ["t", "later"]})
    refused(vault, value="4111111111111111", says="must be specified")
    refused(vault, value="4111111111111111", transformation="later", says="does not exist")
    vault.api("POST", "transform/role/shop", {"transformations": ["t"]})
    refused(vault, role="shop", value="4111111111111111", says="not allowed")
    vault.api("POST", "transform/transformations/fpe/t", {"template": "builtin/creditcardnumber", "tweak_source": "internal",
                                                          "allowed_roles": ["sh*"]})
    call(vault, role="shop", value="4111111111111111")
    refused(vault, value="4111111111111111", transformation="t", says="not allowed")


def test_batches(vault):
    set_up(vault, tweak_source="internal")
    items = [{"value": "4111111111111111", "reference": "a"}, {"value": "bad", "reference": "b"}, {"transformation": "t"}]
    problem = refused_batch(vault, items)
    results = problem.body["data"]["batch_results"]
    assert [sorted(one) for one in results] == [["encoded_value", "reference"], ["error", "reference"], ["error"]]
    assert "errors" not in problem.body
    done = call(vault, batch_input=items[:1], value="ignored")
    assert done["batch_results"][0]["reference"] == "a"
    refused(vault, batch_input=[], says="missing batch input")
    refused(vault, batch_input=[{"value": 1}], status=500, says="'[0].value' expected type 'string'")
    refused(vault, batch_input=["x"], status=500, says="expected a map")
    vault.engine("transform").mismatch = "call"
    refused(vault, batch_input=[items[0], {**items[0], "transformation": "x"}], says="not one of the role's")
    vault.engine("transform").whole = True
    refused(vault, batch_input=items, says="does not match")


def refused_batch(vault, items):
    with pytest.raises(ApiError) as problem:
        call(vault, batch_input=items)
    assert problem.value.status == 400
    return problem.value


def test_tokens(vault):
    set_up(vault, "tokenization", max_ttl=3600)
    token = call(vault, value="Jürgen", metadata="Department=Sales")["encoded_value"]
    assert token != call(vault, value="Jürgen")["encoded_value"] and len(token) < 100
    assert call(vault, "decode", value=token) == {"decoded_value": "Jürgen"}
    assert call(vault, "metadata", value=token)["metadata"] == "Department=Sales"
    assert call(vault, "validate", value=token) == {"valid": True}
    assert call(vault, "tokenized", value="Jürgen") == {"tokenized": True}
    refused(vault, "tokens", value="Jürgen", says="convergent or exportable")
    refused(vault, "decode", value=token[:-1], says="token not found")
    refused(vault, value="a", ttl="1h", expiration="2999-01-01T00:00:00Z", says="only one of")
    refused(vault, value="a", ttl="2h", says="max_ttl")
    refused(vault, value="a", ttl="soon", says="not a duration")
    refused(vault, value="a", expiration="soon", says="RFC 3339")
    refused(vault, value="a", expiration="1999-01-01T00:00:00Z", says="in the past")
    short = call(vault, value="a", ttl="60s")["encoded_value"]
    late = call(vault, value="a", expiration="2999-01-01T00:00:00Z")["encoded_value"]
    vault.control.advance(61)
    refused(vault, "decode", value=short, says="token expired")
    assert call(vault, "validate", value=short) == {"valid": False}
    assert call(vault, "decode", value=late) == {"decoded_value": "a"}
    vault.control.advance(3600)
    refused(vault, "decode", value=late, says="token expired")  # capped to max_ttl
    set_up(vault, "tokenization", "same", convergent=True)
    token = call(vault, value="a", expiration="2999-01-01T00:00:00Z")["encoded_value"]
    assert token == call(vault, value="a", expiration="2999-01-01T00:00:00+00:00")["encoded_value"]
    assert token != call(vault, value="a")["encoded_value"]
    assert len(call(vault, "tokens", value="a")["tokens"]) == 2
    set_up(vault, name="card", tweak_source="internal")
    refused(vault, value="4111111111111111", ttl="1h", says="tokenization only")
    refused(vault, "metadata", value="4111111111111111", says="not supported")


def test_configuration_is_refused_where_it_must_be(vault):
    for path in ("role/r", "transformation/t", "template/t", "alphabet/a", "role?list=true", "transformation?list=true"):
        with pytest.raises(ApiError) as problem:
            vault.api("GET", f"transform/{path}")
        assert (problem.value.status, problem.value.errors) == (404, [])
    for path, body, says in (
            ("transformations/fpe/t", {}, "template must be specified"),
            ("transformations/fpe/t", {"template": "x", "tweak_source": "mine"}, "invalid tweak source"),
            ("transformations/tokenization/t", {"mapping_mode": "x"}, "invalid mapping mode"),
            ("transformation/t", {"type": "x"}, "type must be one of"),
            ("template/t", {"pattern": "(a)"}, "type must be regex"),
            ("template/t", {"type": "regex", "pattern": "a"}, "capture group"),
            ("template/t", {"type": "regex", "pattern": "("}, "error parsing regexp"),
            ("alphabet/a", {"alphabet": "aa"}, "different characters")):
        with pytest.raises(ApiError, match=says):
            vault.api("POST", f"transform/{path}", body)
    vault.api("POST", "transform/alphabet/a", {"alphabet": "ab"})
    vault.api("POST", "transform/template/b", {"type": "regex", "pattern": "([ab]+)", "alphabet": "a"})
    set_up(vault, template="b")
    for path, says in (("transformation/t", "not allowed"), ("template/b", "in use by t"), ("alphabet/a", "in use by b")):
        with pytest.raises(ApiError, match=says):
            vault.api("DELETE", f"transform/{path}")
    with pytest.raises(ApiError, match="type cannot be changed"):
        set_up(vault, "masking")
    vault.api("POST", "transform/transformations/fpe/t", {"template": "b", "deletion_allowed": True})
    with pytest.raises(ApiError, match="in use by payments"):
        vault.api("DELETE", "transform/transformation/t")
    vault.api("DELETE", "transform/role/payments")
    for path in ("transformation/t", "template/b", "alphabet/a"):
        vault.api("DELETE", f"transform/{path}")


@pytest.mark.parametrize("product", ["openbao", "vault"])
def test_other_products_have_none(product):
    with Double(product) as vault, pytest.raises(ApiError, match="plugin not found in the catalog: transform"):
        vault.api("POST", "sys/mounts/transform", {"type": "transform"})
