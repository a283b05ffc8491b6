"""Do values go to a Vault and come back whole, under every type of key, alone and in batches?"""
import base64
import json
import re

import pytest

from double import ApiError, Double
from shop import CANARY, CONFIG, DATA, POLICY, SOME, Shop, lines, purchases, record, wait_until

AEADS = ["aes256-gcm96", "aes128-gcm96", "chacha20-poly1305", "xchacha20-poly1305"]
PLAIN_POLICY = POLICY.replace("key: pii}", "key: pii, bind: none}")


def b64(text):
    return base64.b64encode(text.encode()).decode()


def protected_values(data):
    return [value for line in data.splitlines() for name, value in json.loads(line).items() if name != "n"]


@pytest.mark.parametrize("derived, convergent", [(False, False), (True, False), (True, True)], ids=["plain", "derived", "convergent"])
@pytest.mark.parametrize("type_", AEADS)
def test_every_type_of_key(tmp_path, vault, type_, derived, convergent):
    shop = Shop(tmp_path, vault, keys=())
    vault.engine().new_key("pii", type_, derived=derived, convergent=convergent)
    data = lines(record(1), record(2, Name=""), record(3, Name="ä€😀\n\"\\"), record(4, Name="x" * 5000))
    protected = shop.protect(data)
    assert CANARY.encode() not in protected
    assert all(re.fullmatch(r"vault:v1:[A-Za-z0-9+/]+=*", value) for value in protected_values(protected))
    assert shop.reveal(protected) == data
    assert (shop.protect(data) == protected) == convergent
    vault.api("POST", "transit/keys/pii/rotate")
    both = protected + shop.protect(data)
    assert "vault:v2:" in both.decode()
    assert shop.reveal(both) == data * 2


def test_any_value(tmp_path, vault):
    """What is not a string comes back to the last digit."""
    shop = Shop(tmp_path, vault)
    values = ["1.10", "null", "true", "12345678901234567890123", "-0.0e5", "{ \"a\" : [1, 2.50] }", "[]", '"\\ud800"', '"plain"', '""']
    data = "".join(f'{{"n": 1.10,  "Name":{value}, "x":"é\\u00e9"}}\n' for value in values).encode()
    protected = shop.protect(data)
    assert protected.count(b"json+vault:v1:") == 8
    assert shop.reveal(protected) == data


def test_other_clients_read_it(tmp_path, vault):
    """bind: none is plain Transit, both ways."""
    shop = Shop(tmp_path, vault, PLAIN_POLICY)
    name, address = protected_values(shop.protect(lines(record(7))))
    answer = vault.api("POST", "transit/decrypt/pii", {"batch_input": [{"ciphertext": name}, {"ciphertext": address}]})
    assert [one["plaintext"] for one in answer["data"]["batch_results"]] == [b64("Ann 7"), b64(f"7 {CANARY}")]
    text = vault.api("POST", "transit/encrypt/pii", {"plaintext": b64("Bob")})["data"]["ciphertext"]
    assert json.loads(shop.reveal(lines({"n": 1, "Name": text})))["Name"] == "Bob"


def test_bound_to_its_place(tmp_path, vault):
    """The server itself refuses a text that was moved, or is asked for without its place."""
    shop = Shop(tmp_path, vault)
    one = json.loads(shop.protect(lines(record(1))))
    moved = {**one, "Name": one["Address"]}
    code, out, err = shop.try_("reveal", lines(moved, one))
    assert code == SOME and out == lines(record(1))
    assert "$['Name']" in err and CANARY not in err
    with pytest.raises(ApiError, match="message authentication failed"):
        vault.api("POST", "transit/decrypt/pii", {"ciphertext": one["Name"]})


def test_a_convergent_key_never_gets_associated_data(tmp_path, vault):
    """It would repeat a nonce: the place goes as the context."""
    shop = Shop(tmp_path, vault, keys=())
    vault.engine().new_key("pii", derived=True, convergent=True)
    vault.control.record()
    shop.reveal(shop.protect(purchases(3)))
    bodies = [one["body"] for one in vault.control.seen("transit/(en|de)crypt")]
    assert bodies and all(b'"context"' in body and b"associated_data" not in body for body in bodies)


# Batches


def counted(vault, path="transit/(en|de)crypt"):
    return [one["items"] for one in vault.control.seen(path)]


def test_a_lot_is_few_requests(tmp_path, vault):
    shop = Shop(tmp_path, vault)
    vault.control.record()
    data = purchases(1000)
    protected = shop.protect(data, "--vault-batch", "100")
    items = counted(vault)
    assert sum(items) == 2000 and max(items) <= 100 and len(items) <= 24
    vault.control.reset()
    assert shop.reveal(protected, "--vault-batch", "200") == data
    items = counted(vault)
    assert sum(items) == 2000 and max(items) <= 200 and len(items) <= 20


def test_several_are_in_flight(tmp_path, vault):
    shop = Shop(tmp_path, vault)
    vault.control.fault(path="transit/encrypt", times=0, stall=1)
    shop.protect(purchases(600), "--vault-batch", "100", "--vault-connections", "4")
    assert 2 <= vault.control.stats()["in_flight_max"] <= 4
    vault.control.clear()
    wait_until(vault.control.quiet)
    vault.control.reset()
    vault.control.fault(path="transit/encrypt", times=0, stall=0.05)
    shop.protect(purchases(600), "--vault-batch", "100", "--vault-connections", "1")
    assert vault.control.stats()["in_flight_max"] == 1


def test_connections_are_kept(tmp_path, vault):
    shop = Shop(tmp_path, vault)
    shop.protect(purchases(1000), "--vault-batch", "50", "--vault-connections", "2")
    stats = vault.control.stats()
    assert stats["transit/encrypt/pii"] >= 40
    assert stats["connections"] <= 4


def test_the_limit_is_learned(tmp_path, vault):
    """OpenBao refuses 1,000 JSON strings: no record fails for it, and it is not asked for more again and again."""
    shop = Shop(tmp_path, vault)
    vault.control.record()
    data = purchases(2000)
    (tmp_path / "in").write_bytes(data)
    shop.run("protect", "--vault-batch", "5000", "-o", "protected", "in")
    assert shop.run("reveal", "--vault-batch", "5000", "protected")[0] == data
    for path in ("transit/encrypt", "transit/decrypt"):
        items = counted(vault, path)
        too_many = [count for count in items if count > 249]
        assert 1 <= len(too_many) <= 16, items
        assert sum(items) - sum(too_many) == 4000
        assert len(items) <= 16 + 4000 // 100, items


def test_the_default_fits_openbao(tmp_path, vault):
    """With associated data after the requests that are under way at the start, and their halves, were refused."""
    shop = Shop(tmp_path, vault)
    vault.control.record()
    shop.protect(purchases(1500))
    items = counted(vault)
    too_many = [count for count in items if count > 249]
    assert len(too_many) <= 4 and sum(items) - sum(too_many) == 3000
    assert len(items) <= 4 + 2 * 3000 // 200, items


def test_a_body_limit_is_learned(tmp_path, vault):
    vault.control.limits(body=60000)
    shop = Shop(tmp_path, vault)
    data = lines(*(record(number, Name="x" * 2000) for number in range(100)))
    assert shop.reveal(shop.protect(data)) == data


def test_one_value_that_is_too_big(tmp_path, vault):
    """It fails its record, not its neighbours."""
    vault.control.limits(body=60000)
    shop = Shop(tmp_path, vault)
    code, out, err = shop.try_("protect", lines(record(1), record(2, Name="x" * 70000), record(3)), "--retry-for", "2s")
    assert code == SOME, err
    assert shop.reveal(out) == lines(record(1), record(3))
    assert "$['Name']" in err


@pytest.mark.parametrize("old", [False, True])
def test_vault_takes_more(tmp_path, certificates, old):
    with Double(product="vault", old=old, tls=certificates) as vault:
        shop = Shop(tmp_path, vault)
        vault.control.record()
        data = purchases(3000)
        assert shop.reveal(shop.protect(data, "--vault-batch", "2000"), "--vault-batch", "10000") == data
        assert max(counted(vault)) > 400


def test_a_string_that_vault_refuses(tmp_path, certificates):
    """1 MiB of one JSON string is more than Vault 1.21 takes, and it says so with status 500."""
    with Double(product="vault", tls=certificates) as vault:
        shop = Shop(tmp_path, vault)
        code, out, err = shop.try_("protect", lines(record(1), record(2, Name="x" * 900000), record(3)), "--retry-for", "3s")
        assert code == SOME, err
        assert shop.reveal(out) == lines(record(1), record(3))


def test_large_values(tmp_path, vault):
    shop = Shop(tmp_path, vault)
    data = lines(*(record(number, Name=chr(97 + number) * 700000) for number in range(4)))
    assert shop.reveal(shop.protect(data)) == data


# One bad item


def test_one_bad_item_fails_its_record_only(tmp_path, vault):
    shop = Shop(tmp_path, vault)
    good = [json.loads(line) for line in shop.protect(purchases(300)).splitlines()]
    raw = bytearray(base64.b64decode(good[150]["Address"][9:]))
    raw[20] ^= 1
    bad = {150: {**good[150], "Address": "vault:v1:" + base64.b64encode(raw).decode()}, 151: {**good[151], "Name": "vault:v9:AAAA"},
           152: {**good[152], "Name": "vault:v1:AAAA"}, 299: {**good[299], "Name": good[298]["Address"]}}
    code, out, err = shop.try_("reveal", lines(*(bad.get(at, one) for at, one in enumerate(good))))
    assert code == SOME
    assert out == b"".join(line + b"\n" for at, line in enumerate(purchases(300).splitlines()) if at not in bad)
    for at in bad:
        assert re.search(rf"\b{at + 1}: ", err), err
    assert CANARY not in err
    code, out, err = shop.try_("reveal", lines(bad[150]), "--fail-fast")
    assert code == DATA and out == b""


def test_all_bad(tmp_path, vault):
    shop = Shop(tmp_path, vault)
    code, out, err = shop.try_("reveal", lines({"n": 1, "Name": "vault:v1:" + b64("x" * 40)}, {"n": 2, "Name": "vault:v7:" + b64("x" * 40)}))
    assert code == SOME and out == b"" and err.count("$['Name']") == 2


def test_an_error_of_an_item_that_nobody_knows(tmp_path, vault):
    """It is not taken for a bad record: the value is tried again."""
    shop = Shop(tmp_path, vault)

    def refuse(status, headers, data):
        data["data"]["batch_results"][1] = {"error": "something is wrong with this one", "reference": ""}
        return 400, headers, data

    vault.control.fault(path="transit/encrypt", edit=refuse)
    code, out, err = shop.try_("protect", purchases(3))
    assert code == 0, err
    assert shop.reveal(out) == purchases(3)


# Versions


def test_old_versions_that_may_not_be_read(tmp_path, vault):
    shop = Shop(tmp_path, vault)
    old = shop.protect(purchases(2))
    vault.api("POST", "transit/keys/pii/rotate")
    new = shop.protect(purchases(2, 2))
    vault.api("POST", "transit/keys/pii/config", {"min_decryption_version": 2})
    code, out, err = shop.try_("reveal", old + new)
    assert code == SOME and out == purchases(2, 2)
    assert "min" in err and "version" in err and CANARY not in err
    vault.api("POST", "transit/keys/pii/config", {"min_decryption_version": 1})
    assert shop.reveal(old) == purchases(2)
    vault.api("POST", "transit/keys/pii/config", {"min_encryption_version": 2, "min_decryption_version": 2})
    vault.api("POST", "transit/keys/pii/trim", {"min_available_version": 2})
    code, out, err = shop.try_("reveal", old + new)
    assert code == SOME and out == purchases(2, 2)


def test_rotation_in_mid_stream(tmp_path, vault):
    """A run that goes on takes the new version without a restart."""
    import subprocess
    shop = Shop(tmp_path, vault)
    run = shop.start("protect", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out = b""
    for step in range(3):
        run.stdin.write(purchases(1, step))
        run.stdin.flush()
        out += run.stdout.readline()
        vault.api("POST", "transit/keys/pii/rotate")
    run.stdin.close()
    assert run.wait(timeout=60) == 0
    assert [value[:9] for value in protected_values(out)] == ["vault:v1:"] * 2 + ["vault:v2:"] * 2 + ["vault:v3:"] * 2
    assert shop.reveal(out) == purchases(3)


# Looked at before the first record


def no_output(shop, code, *parts, data=None, **environment):
    found, out, err = shop.try_("protect", purchases(3) if data is None else data, "--retry-for", "1s", **environment)
    assert (found, out) == (code, b""), err
    for part in parts:
        assert part in err, err
    return err


def test_a_missing_key_is_found_and_not_made(tmp_path, vault):
    shop = Shop(tmp_path, vault, POLICY.replace("transit/pii", "transit/pij"))
    err = no_output(shop, CONFIG, "transit/pij")
    assert "pij" not in vault.engine().keys
    assert "transit/encrypt/pij" not in vault.control.stats()
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("type_", ["hmac", "ed25519", "ecdsa-p256", "rsa-2048"])
def test_a_key_that_cannot(tmp_path, vault, type_):
    """RSA could, for short values, but knows no associated data."""
    shop = Shop(tmp_path, vault, keys=())
    vault.engine().new_key("pii", type_)
    no_output(shop, CONFIG, "pii", type_)
    assert "transit/encrypt/pii" not in vault.control.stats()


def test_a_missing_mount(tmp_path, vault):
    no_output(Shop(tmp_path, vault, POLICY.replace("transit/pii", "transport/pii")), CONFIG, "transport")


def test_a_soft_deleted_key(tmp_path, vault):
    shop = Shop(tmp_path, vault)
    vault.api("DELETE", "transit/keys/pii/soft-delete")
    code, out, err = shop.try_("protect", purchases(1), "--retry-for", "1s")
    assert code == 77 and out == b"" and "soft-deleted" in err
    assert "transit/encrypt/pii" not in vault.control.stats()
