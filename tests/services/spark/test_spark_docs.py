"""All examples of docs/SPARK.md, one after the other."""
import foreign
import login_flow
from doc_examples import blocks, run


def test_examples(spark, kafka, topics_of_docs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, target = topics_of_docs
    names = {"brokers": kafka.brokers, "checkpoint": str(tmp_path / "checkpoint")}
    foreign.produce(kafka.brokers, source, [(b"1", login_flow.VALUE)])
    for code in blocks("SPARK.md"):
        if "writeStream" in code:
            code = code.replace('"policy.yaml")', '"policy.yaml", **keys)')
        run(code, names)
    names["query"].processAllAvailable()
    names["query"].stop()
    made, = foreign.consume(kafka.brokers, target)
    assert made.key() == b"1" and made.value().startswith(b'{"Address":"vault:v1:')


def test_the_first_thing_is_to_be_pasted():
    assert blocks("SPARK.md", "sh")[0].startswith("make wheel") and "import sealstream.spark" in blocks("SPARK.md")[0]
