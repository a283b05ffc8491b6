"""Columns of batch DataFrames and SQL functions: what comes out, in which order, and how failures are told."""
import json

import pyarrow as pa
import pytest
import sealed
import sealstream
from keyring_files import Keyring
from package_kit import BAD_CARD, POLICY
from pyspark.sql import functions
from sealstream import spark as seal
from sealstream.spark import _worker


def purchase(n):
    return json.dumps({"id": n, "Address": f"{n} High St", "price": 1.10}, separators=(",", ":"))


@pytest.fixture
def mixed(spark):
    """5,000 rows in two partitions, of two topics that take turns, every seventh value null."""
    rows = [(n, "purchases" if n % 2 else "orders", None if n % 7 == 0 else
             purchase(n) if n % 2 else f'{{"note":"note {n}"}}') for n in range(5000)]
    return spark.createDataFrame(rows, "id int, topic string, value string").repartition(2, "id").cache()


@pytest.mark.parametrize("kind", ["string", "binary"])
def test_each_row_by_its_topic(mixed, policy, shop, kind):
    """Reveals with a second implementation; order, nulls and the other columns stay."""
    df = mixed.withColumn("value", functions.col("value").cast(kind))
    made = seal.protect(df, policy)
    assert made.columns == df.columns and dict(made.dtypes)["value"] == kind
    rows, before = made.collect(), df.collect()
    assert [row.id for row in rows] == [row.id for row in before]
    keys = {1: Keyring(shop).read("pii")["versions"][0]["material"]}
    for row, plain in zip(rows, before):
        if plain.value is None:
            assert row.value is None
            continue
        name = "Address" if row.topic == "purchases" else "note"
        old, new = json.loads(plain.value), json.loads(row.value)
        kind_of, opened = sealed.decrypt(keys, new[name],
                                         lambda kind, name=name: sealed.place(f"$['{name}']", kind, "shop"))
        assert (kind_of, opened.decode()) == (sealed.STRING, old[name])
        assert new | {name: 0} == old | {name: 0}
    assert seal.reveal(made, policy).collect() == before


def test_failed_rows_in_a_second_column(spark, policy):
    rows = [(1, purchase(1)), (2, BAD_CARD), (3, None), (4, "no JSON")]
    df = spark.createDataFrame(rows, "id int, value string").coalesce(1)
    made = seal.protect(df, policy, topic="purchases", failed="column").cache()
    good, bad, null, other = made.collect()
    assert good.value and good.seal_error is None and null.value is None and null.seal_error is None
    assert bad.value is None and other.value is None
    assert (bad.seal_error.status, bad.seal_error.code, bad.seal_error.place) == ("data", "domain", "$['credit_card']")
    assert other.seal_error.code == "syntax" and "no JSON" not in other.seal_error.text
    letters = made.where("seal_error is not null").select("seal_error.dead_letter.*")
    assert letters.columns == ["topic", "key", "value", "headers"]
    assert [(row.topic, row.key, bytes(row.value).decode(), [tuple(header) for header in row.headers])
            for row in seal.reveal(letters, policy).collect()] == [
        ("purchases_dead", None, BAD_CARD, [("seal-error", b"domain")]),
        ("purchases_dead", None, "no JSON", [("seal-error", b"syntax")])]
    nulls = seal.protect(df, policy, topic="purchases", failed="null").collect()
    assert [row.value is None for row in nulls] == [False, True, True, True]
    renamed = seal.protect(df, policy, topic="purchases", failed="column", error_column="why")
    assert renamed.columns == ["id", "value", "why"]


def test_keys_and_headers(spark, policy):
    schema = "key binary, value binary, headers array<struct<key:string,value:binary>>"
    rows = [(b"k1", b'{"note":"a"}', [("customer", b"Zoe"), ("other", None)]), (None, None, None)]
    df = spark.createDataFrame(rows, schema).coalesce(1)
    made = seal.protect(df, policy, topic="orders", key="key", headers="headers").cache()
    first, second = made.collect()
    assert bytes(first.key).startswith(b"vault:v1:") and tuple(second) == (None, None, None)
    assert [header.key for header in first.headers] == ["customer", "other"]
    assert bytes(first.headers[0].value).startswith(b"vault:v1:") and first.headers[1].value is None
    assert seal.reveal(made, policy, topic="orders", key="key", headers="headers").collect() == df.collect()
    carried = seal.protect(df, policy, topic="carried", headers="headers").cache()
    assert carried.first().headers[-1].key == sealstream.KEY_HEADER
    assert seal.reveal(carried, policy, topic="carried", headers="headers").collect() == df.collect()


@pytest.mark.parametrize("key", [None, "key"])
def test_text_that_is_none_fails_alone(spark, policy, key):
    """Strings of Spark may hold any bytes; the dead letter has them all."""
    df = spark.createDataFrame([(b'{"credit_card":"\xff"}', "k"), (b'{"note":"a"}', "k")], "value binary, key string")
    df = df.coalesce(1).selectExpr("cast(value as string) as value", "key")
    made = seal.protect(df, policy, topic="purchases", key=key, failed="column").cache()
    bad, good = made.collect()
    assert (bad.value, bad.seal_error.code, good.seal_error) == (None, "syntax", None)
    letters = made.where("seal_error is not null").select("seal_error.dead_letter.*")
    assert bytes(seal.reveal(letters, policy).first().value) == b'{"credit_card":"\xff"}'


def test_a_dead_letter_is_the_whole_record(spark, policy, shop):
    """Keys and headers by docs/FORMAT.md, section 5, opened by a second implementation."""
    schema = ("key binary, value binary, topic string, partition int, offset bigint, "
              "headers array<struct<key:string,value:binary>>")
    headers = [("customer", b"Zoe"), ("other", b"1"), ("seal-record-key", b"no key")]
    df = spark.createDataFrame([(b"k1", b"no JSON", "orders", 3, 4 << 32, headers)], schema)
    made = seal.protect(df, policy, key="key", headers="headers", failed="column").cache()
    failed = made.first()
    assert (failed.key, failed.value, failed.headers) == (None, None, None)
    letter = failed.seal_error.dead_letter
    assert (letter.topic, letter.key) == ("orders_dead", None)
    keys = {1: Keyring(shop).read("pii")["versions"][0]["material"]}
    place = sealed.place("dead-letter", sealed.BYTES, "shop", sealed.DOMAIN)

    def opened(value):
        return sealed.decrypt(keys, bytes(value).decode(), lambda _: place)[1]

    assert opened(letter.value) == b"no JSON"
    assert [(name, opened(value) if name in ("customer", "seal-record-key") else bytes(value))
            for name, value in letter.headers] == [
        ("customer", b"Zoe"), ("other", b"1"), ("seal-record-key", b"k1"), ("seal-error", b"syntax"),
        ("seal-topic", b"orders"), ("seal-partition", b"3"), ("seal-offset", b"17179869184")]
    back = seal.reveal(made.select("seal_error.dead_letter.*"), policy, key="key", headers="headers").first()
    assert (bytes(back.key), bytes(back.value)) == (b"k1", b"no JSON")
    assert [tuple(header) for header in back.headers[:2]] == [("customer", b"Zoe"), ("other", b"1")]


def test_sql_and_parquet(spark, policy, tmp_path):
    seal.register(spark, policy)
    rows = [(n, purchase(n)) for n in range(3000)]
    spark.createDataFrame(rows, "id int, value string").write.parquet(f"{tmp_path}/plain")
    spark.read.parquet(f"{tmp_path}/plain").createOrReplaceTempView("plain")
    spark.sql("select id, seal_protect_text(value, 'purchases') as text, seal_protect(value, 'purchases') as bytes "
              "from plain").write.parquet(f"{tmp_path}/sealed")
    made = spark.read.parquet(f"{tmp_path}/sealed")
    assert made.dtypes == [("id", "int"), ("text", "string"), ("bytes", "binary")]
    assert made.where("text like '%High St%' or text not like '%vault:v1:%'").count() == 0
    made.createOrReplaceTempView("sealed")
    back = spark.sql("select id, seal_reveal_text(text, 'purchases') as a, seal_reveal_text(bytes, 'purchases') as b "
                     "from sealed order by id").collect()
    assert [tuple(row) for row in back] == [(n, text, text) for n, text in rows]
    by_column = seal.reveal(made, policy, "text", topic="purchases").orderBy("id")
    assert [row.text for row in by_column.collect()] == [text for _, text in rows]
    seal.register(spark, policy, failed="null")
    assert spark.sql(f"select seal_protect('{BAD_CARD}', 'purchases') as v").first().v is None


@pytest.mark.parametrize("large", ["true", "false"])
def test_bytes_that_are_no_text(spark, policy, large):
    """With a key beside them, and where Spark sends Arrow's large types."""
    schema = "key string, value binary, headers array<struct<key:string,value:binary>>"
    df = spark.createDataFrame([("k", b"\xff\x00", [("a", b"\xfe")]), (None, None, None)], schema).coalesce(1)
    spark.conf.set("spark.sql.execution.arrow.useLargeVarTypes", large)
    try:
        made = seal.protect(df, policy, topic="raw", key="key", headers="headers", failed="column").cache()
        assert made.first().seal_error is None and bytes(made.first().value).startswith(b"vault:v1:")
        back = seal.reveal(made.drop("seal_error"), policy, topic="raw", key="key", headers="headers")
        assert back.collect() == df.collect()
    finally:
        spark.conf.unset("spark.sql.execution.arrow.useLargeVarTypes")


def test_a_bare_null_in_sql(spark, policy):
    seal.register(spark, policy)
    row = spark.sql("select seal_protect(null, 'purchases') as a, seal_reveal_text(null, 'purchases') as b").first()
    assert tuple(row) == (None, None)


def test_results_that_one_batch_cannot_hold(policy, shop, monkeypatch):
    """Arrow gives them in chunks then, from 2 GiB on: all are sent on."""
    in_order = _worker._in_order

    def in_chunks(made, groups):
        whole = in_order(made, groups)
        return pa.concat_tables([whole.slice(0, 1), whole.slice(1)])

    monkeypatch.setattr(_worker, "_in_order", in_chunks)
    keys = _worker.Keys(policy.text, policy.name, str(shop), 30.0, 0)
    job = _worker.Job(keys, "protect", "value", None, None, None, "raise", "seal_error")
    rows = {"topic": ["purchases", "orders", "purchases"], "value": [purchase(1), '{"note":"a"}', None]}
    made = list(_worker.convert_batches(job, [pa.RecordBatch.from_pydict(rows)]))
    assert [batch.num_rows for batch in made] == [1, 2]
    assert [text and "vault:v1:" in text for batch in made for text in batch["value"].to_pylist()] == [True, True, None]


def test_a_policy_of_text_needs_no_file(spark, policy):
    df = spark.createDataFrame([(purchase(1),)], "value string")
    made = seal.protect(df, sealstream.Policy.from_text(POLICY), topic="purchases")
    assert "vault:v1:" in made.first().value
