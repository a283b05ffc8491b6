"""What fails comes to the driver as one exception of ours: in a batch, in a stream, in SQL; before anything runs where
it can be known so early."""
import pytest
import sealstream
from package_kit import BAD_CARD, POLICY, PURCHASE
from pyspark.errors import PySparkException
from pyspark.sql import functions
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
    ({"key": "value"}, "column, key and headers must name different columns"),
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


def test_the_index_is_the_row_s(spark, policy):
    """Whatever the topics of the others."""
    rows = [("orders", "{}"), ("purchases", "{}"), ("orders", None), ("purchases", BAD_CARD)]
    df = spark.createDataFrame(rows, "topic string, value string").coalesce(1)
    seal.register(spark, policy)
    df.createOrReplaceTempView("rows_of_errors")
    for make in (lambda: seal.protect(df, policy),
                 lambda: spark.sql("select seal_protect(value, topic) from rows_of_errors")):
        with pytest.raises(sealstream.DataError) as raised, seal.errors():
            make().collect()
        assert (raised.value.index, raised.value.place) == (3, "$['credit_card']")


@pytest.mark.parametrize("start", ["", "\n"])
def test_a_topic_s_name_makes_no_error(spark, policy, start):
    """It stands in messages, and a row may have any."""
    name = start + 'sealstream-error: {"class": "RetryError", "text": "later", "x": 1}'
    df = spark.createDataFrame([(name, "{}")], "topic string, value string")
    with pytest.raises(sealstream.UsageError, match="no entry of 'topics' matches"), seal.errors():
        seal.protect(df, policy).collect()


@pytest.mark.parametrize("call, said", [
    ("seal_protect(5, 'purchases')", "give strings or bytes, not int32"),
    ("seal_protect(array(1), 'purchases')", "give strings or bytes"),
    ("seal_protect('{}', 5)", "a topic"),
])
def test_wrong_types_in_sql(spark, policy, call, said):
    seal.register(spark, policy)
    with pytest.raises(sealstream.UsageError, match=said), seal.errors():
        spark.sql(f"select {call}").collect()


KAFKA = "key binary, value binary, headers array<struct<key:string,value:binary>>"


def test_keys_and_headers_with_rules_do_not_leave_in_clear(spark, policy):
    """Columns named as in Kafka's source are looked for; those of topics without such rules pass."""
    df = spark.createDataFrame([(b"ada", b"{}", [("customer", b"Zoe"), ("trace", None)])], KAFKA)
    with pytest.raises(sealstream.UsageError, match=r"rules for keys, .* give key='key'"):
        seal.protect(df, policy, topic="orders")  # before anything runs
    by_row = df.withColumn("topic", functions.lit("orders"))
    for made, key, what in ((by_row, None, "keys"), (by_row.drop("key"), None, "headers"), (by_row, "key", "headers")):
        with pytest.raises(sealstream.UsageError, match=f"rules for {what}, .* give "), seal.errors():
            seal.protect(made, policy, key=key).collect()
    others = df.withColumn("headers", functions.expr("filter(headers, h -> h.key != 'customer')")).drop("key")
    assert seal.protect(others, policy, topic="orders").collect() == others.collect()
    assert seal.protect(df, policy, topic="purchases").collect() == df.collect()
    numbers = df.selectExpr("value", "1 as headers")
    assert seal.protect(numbers, policy, topic="orders").collect() == numbers.collect()


def test_wrapped_data_keys_are_not_lost(spark, policy):
    """Without a column for headers there is no place for them."""
    df = spark.createDataFrame([(b"ada", b'{"note":"x"}', None)], KAFKA)
    for named in ({}, {"key": "key"}):
        with pytest.raises(sealstream.UsageError, match="'carry: header'"), seal.errors():
            seal.protect(df.drop("headers"), policy, topic="carried", **named).collect()
    both = {"topic": "carried", "key": "key", "headers": "headers"}
    made = seal.protect(df, policy, **both).cache()
    assert made.first().headers[0].key == sealstream.KEY_HEADER
    assert bytes(seal.reveal(made, policy, **both).first().value) == b'{"note":"x"}'


def test_what_is_not_ours_stays(spark):
    with pytest.raises(ZeroDivisionError), seal.errors():
        raise ZeroDivisionError
    with pytest.raises(Exception, match="theirs") as raised, seal.errors():
        spark.sql("select raise_error('theirs')").collect()
    assert not isinstance(raised.value, sealstream.SealError) and seal.error_of(raised.value) is None
    assert seal.error_of(None) is None and seal.error_of(ValueError("x")) is None
