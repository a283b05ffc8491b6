"""All examples of docs/PYTHON.md, one after the other, with the libraries and the Kafka that they speak of."""
import foreign
from doc_examples import blocks, run


def test_examples(kafka, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    foreign.create_topic(kafka.brokers, "purchases", 1)
    try:
        names = {}
        for code in blocks("PYTHON.md"):
            run(code.replace("localhost:9092", kafka.brokers), names)
    finally:
        foreign.delete_topics(kafka.brokers, ["purchases"])
    assert names["settings"]["value_deserializer"](names["sealed"][0].encode())["price"] == 1.10
