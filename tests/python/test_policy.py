"""What a policy says about itself, and what is wrong with one."""
import os

import pytest
import sealstream
from package_kit import POLICY


def test_what_it_says(policy):
    assert policy.namespace == "shop"
    assert policy.keys == (sealstream.PolicyKey("pii", "local", "pii"), sealstream.PolicyKey("cards", "local", "cards"),
                           sealstream.PolicyKey("join", "local", "join"))
    topic = policy.topic("purchases")
    assert topic.patterns == ("purchases",)
    assert topic.on_error == "dead_letter" and topic.dead_letter == "purchases_dead"
    assert topic.rules == (sealstream.Rule("$.Address", "encrypt", "pii", True),
                           sealstream.Rule("$.credit_card", "fpe", "cards", True))
    assert policy.topic("raw").on_error == "reject" and policy.topic("raw").dead_letter is None
    assert sorted(pattern for topic in policy.topics for pattern in topic.patterns) == [
        "carried", "orders", "orders_dead", "purchases", "purchases_dead", "raw"]
    letters = policy.topic("purchases_dead")
    assert [of.patterns for of in letters.dead_letters_of] == [("purchases",)] and topic.dead_letters_of == ()
    assert "purchases" in policy and "other" not in policy and "a\0b" not in policy


def test_keys_and_headers(policy):
    orders = policy.topic("orders")
    assert orders.key.rules[0].type == "deterministic" and orders.header("customer").rules[0].key == "pii"
    assert orders.header("Customer") is None and orders.header("a\0b") is None and orders.header("\ud800") is None
    assert policy.topic("purchases").key is None


def test_files(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(POLICY)
    assert "purchases" in sealstream.Policy.from_file(path) and "purchases" in sealstream.Policy.from_file(str(path))
    with pytest.raises(sealstream.UsageError, match="is a directory; name a file"):
        sealstream.Policy.from_file(tmp_path)
    with pytest.raises(sealstream.UsageError, match="cannot hold a NUL"):
        sealstream.Policy.from_file(f"{path}\0.txt")
    with pytest.raises(sealstream.UsageError) as caught:
        sealstream.Policy.from_file(tmp_path / "none.yaml")
    assert caught.value.code == "no_input" and "none.yaml" in str(caught.value)


def test_a_file_is_read_once(tmp_path):
    """What is compiled and what `text` gives is one, of a pipe as well."""
    reading, writing = os.pipe()
    os.write(writing, POLICY.encode())
    os.close(writing)
    policy = sealstream.Policy.from_file(f"/dev/fd/{reading}")
    os.close(reading)
    assert policy.text == POLICY and "purchases" in policy and policy.name == f"/dev/fd/{reading}"
    (tmp_path / "large.yaml").write_bytes(b"#" * ((4 << 20) + 1))
    with pytest.raises(sealstream.UsageError, match=r"large\.yaml.*larger than 4 MiB") as caught:
        sealstream.Policy.from_file(tmp_path / "large.yaml")
    assert caught.value.code == "config"


def test_mistakes():
    with pytest.raises(sealstream.UsageError, match='unknown method type "fpx"') as caught:
        sealstream.Policy.from_text(POLICY.replace("fpe", "fpx"), "shop.yaml")
    assert caught.value.place == "shop.yaml:10:27" and caught.value.code == "config"
    with pytest.raises(sealstream.UsageError):
        sealstream.Policy.from_text("\ud800")
    with pytest.raises(sealstream.UsageError):
        sealstream.Policy.from_text("")
    for wrong in (5, None, ["version: 1"]):
        with pytest.raises(TypeError, match="a policy must be a str or bytes"):
            sealstream.Policy.from_text(wrong)


def test_check():
    assert sealstream.Policy.check(POLICY) == []
    wrong = POLICY.replace("fpe", "fpx").replace("encrypt, key: pii}\n    $", "encrypt, key: pi}\n    $")
    found = sealstream.Policy.check(wrong.encode())
    assert [(finding.line, finding.warning) for finding in found] == [(9, False), (10, False)]
    assert 'did you mean "fpe"?' in found[1].text


def test_a_topic_keeps_its_policy():
    topic = sealstream.Policy.from_text(POLICY).topic("purchases")
    assert topic.patterns == ("purchases",)


def test_its_text_makes_it_again(tmp_path):
    path = tmp_path / "zoë.yaml"
    path.write_text(POLICY)
    from_file = sealstream.Policy.from_file(path)
    assert from_file.text == POLICY and from_file.name == str(path)
    for made in (sealstream.Policy.from_text(POLICY, "shop"), sealstream.Policy.from_text(POLICY.encode(), "shop")):
        assert (made.text, made.name) == (POLICY, "shop")
    assert sealstream.Policy.from_text(from_file.text).topics[0].rules == from_file.topics[0].rules
