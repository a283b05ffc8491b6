"""What fails comes to the driver as one exception of ours: in a batch, in a stream, in SQL; before anything runs where
it can be known so early."""
import pytest
import sealstream
from package_kit import BAD_CARD, POLICY, PURCHASE
from pyspark.errors import PySparkException
from sealstream import spark as seal

BAD_POLICY = POLICY.replace("type: fpe", "type: fpee")


@pytest.mark.parametrize("change, said", [
    ({"column": "nope"}, "there is no column 'nope'; there are id, value"),
    ({"column": "id"}, "column 'id' is int; only strings and bytes"),
    ({"topic": "nope"}, "no entry of 'topics' matches topic 'nope'"),
    ({"topic": None}, "no string column 'topic'"),
    ({"failed": "drop"}, "failed: give one of raise, null, column"),
    ({"failed": "column", "error_column": "id"}, "there is a column 'id' already"),
    ({"headers": "value"}, "column 'value' has no headers"),
    ({"policy": "no.yaml"}, "cannot open no.yaml"),
    ({"policy": "bad.yaml"}, "bad.yaml:10:27: "),
])
def test_mistakes_are_told_before_anything_runs(spark, policy, change, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text(BAD_POLICY)
    df = spark.createDataFrame([(1, "x")], "id int, value string")
    arguments = {"policy": policy, "topic": "purchases"} | change
    with pytest.raises(sealstream.UsageError) as raised:
        seal.protect(df, **arguments)
    assert said in str(raised.value)


def test_mistakes_for_sql_are_told_at_registration(spark, policy, tmp_path):
    (tmp_path / "bad.yaml").write_text(BAD_POLICY)
    with pytest.raises(sealstream.UsageError, match=r"bad.yaml:10:27: "):
        seal.register(spark, tmp_path / "bad.yaml")
    with pytest.raises(sealstream.UsageError, match="failed: give one of raise, null"):
        seal.register(spark, policy, failed="column")


def batch(spark, what, value, folder, **options):
    df = spark.createDataFrame([(value,)], "value string")
    getattr(seal, what)(df, topic="purchases", **options).collect()


def stream(spark, what, value, folder, **options):
    (folder / "in").mkdir()
    (folder / "in" / "a.txt").write_text(value + "\n")
    made = getattr(seal, what)(spark.readStream.format("text").load(f"{folder}/in"), topic="purchases", **options)
    query = (made.writeStream.format("parquet").option("checkpointLocation", f"{folder}/checkpoint")
             .start(f"{folder}/out"))
    try:
        query.awaitTermination()
    finally:
        found = seal.error_of(query.exception())
        assert found is not None and seal.error_of(PySparkException(f"x {query.exception()} y")).args == found.args


def sql(spark, what, value, folder, **options):
    seal.register(spark, **options)
    spark.createDataFrame([(value,)], "value string").createOrReplaceTempView("values_of_errors")
    spark.sql(f"select seal_{what}(value, 'purchases') from values_of_errors").collect()


@pytest.mark.parametrize("kind", [batch, stream, sql])
@pytest.mark.parametrize("what, value, keyring, expected, said", [
    ("protect", BAD_CARD, None, (sealstream.DataError, "domain", "$['credit_card']", 0), "too short"),
    ("protect", "no JSON", None, (sealstream.DataError, "syntax", "byte 0", 0), "not JSON"),
    ("reveal", PURCHASE, None, (sealstream.DataError, "plaintext", "$['Address']", 0), "is not protected"),
    ("protect", PURCHASE, "/nowhere", (sealstream.UsageError, "no_input", "", None), "no keyring at /nowhere"),
    ("protect", PURCHASE, "empty", (sealstream.UsageError, "key_unknown", "", None), "no key pii in keyring"),
], ids=["data", "syntax", "plain", "no-keyring", "no-key"])
def test_one_exception(spark, policy, tmp_path, kind, what, value, keyring, expected, said):
    sealstream.Keyring(tmp_path / "empty", create=True).close()
    options = {"policy": policy, "keyring": tmp_path / keyring if keyring else None}
    with pytest.raises(sealstream.SealError) as raised, seal.errors():
        kind(spark, what, value, tmp_path, **options)
    error = raised.value
    assert (type(error), error.code, error.place, error.index) == expected and said in str(error)
    assert error.__suppress_context__ and "\n" not in str(error)
    assert not any(part in str(error) for part in ("4111", "no JSON", "High St"))


def test_of_rows_without_a_topic_and_with_an_unknown_one(spark, policy):
    for topic, said in ((None, "a row has no topic"), ("nope", "no entry of 'topics' matches topic 'nope'")):
        df = spark.createDataFrame([(topic, "x")], "topic string, value string")
        with pytest.raises(sealstream.UsageError, match=said), seal.errors():
            seal.protect(df, policy).collect()


def test_what_is_not_ours_stays(spark):
    with pytest.raises(ZeroDivisionError), seal.errors():
        raise ZeroDivisionError
    with pytest.raises(Exception, match="theirs") as raised, seal.errors():
        spark.sql("select raise_error('theirs')").collect()
    assert not isinstance(raised.value, sealstream.SealError) and seal.error_of(raised.value) is None
    assert seal.error_of(None) is None and seal.error_of(ValueError("x")) is None
