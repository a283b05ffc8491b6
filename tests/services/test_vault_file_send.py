"""file send with a real Kafka and Vault: the audit log has one `datakey` for each file; a topic's limit is found at start."""
import os


def test_one_datakey_for_each_file(kafka, own_vault, topic, sealstream, tmp_path):
    own_vault.mount("transit")
    own_vault.key("files")
    sealstream.environment |= own_vault.environment() | {"SEALSTREAM_KEY": "vault:transit/files"}
    source, name = tmp_path / "source", topic("files")
    source.mkdir()
    send = ["file", "send", "-b", kafka.brokers, "-t", name, "--from", source, "--once"]
    for number in range(5):
        (source / f"f{number}").write_bytes(os.urandom(number << 20))
    sealstream.run(*send)
    assert own_vault.audited("transit/datakey/plaintext/files") == 5
    sealstream.run(*send)  # sent already: nothing is asked
    (source / "f1").write_bytes(b"changed")
    sealstream.run(*send)
    assert own_vault.audited("transit/datakey/plaintext/files") == 6
    assert own_vault.audited("transit/encrypt/files") == 0


def test_limit_of_the_topic(kafka, topic, sealstream, tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a").write_bytes(os.urandom(1 << 20))
    sealstream.run("key", "create", "files")
    name = topic("files", **{"max.message.bytes": "400000"})
    send = ["file", "send", "-b", kafka.brokers, "-t", name, "--from", tmp_path / "source", "--key", "local:files", "--once"]
    error = sealstream.run(*send, exit_code=78)[1].splitlines()[-1]
    assert "max.message.bytes of the topic" in error
    flag, value = error.split("set ")[1].split(",")[0].split()
    assert flag == "--chunk-size"
    sealstream.run(*send, flag, value)  # what it says is enough
