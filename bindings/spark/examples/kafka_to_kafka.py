"""Protects a Kafka topic into another, or reveals it, by Structured Streaming. docs/SPARK.md has the command lines.

Usage: spark-submit kafka_to_kafka.py --brokers HOST:PORT --policy FILE --source TOPIC --target TOPIC
                                      --checkpoint DIRECTORY [--reveal] [--policy-topic TOPIC] [--once]

At least once, as Spark writes to Kafka. Keys come from the executors' environment: SEALSTREAM_KEYRING, VAULT_ADDR …
"""
import argparse
import sys

import sealstream.spark
from pyspark.sql import SparkSession


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    for name in ("brokers", "policy", "source", "target", "checkpoint"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--reveal", action="store_true", help="the other way round")
    parser.add_argument("--policy-topic", help="whose rules count; default: the source's")
    parser.add_argument("--once", action="store_true", help="end where the topic ends now")
    options = parser.parse_args()

    try:
        with sealstream.spark.errors():
            run(options)
    except sealstream.SealError as error:
        print(f"kafka_to_kafka: {error}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace) -> None:
    spark = SparkSession.builder.appName("sealstream").getOrCreate()
    policy, topic = sealstream.Policy.from_file(options.policy), options.policy_topic or options.source
    source = (spark.readStream.format("kafka").option("kafka.bootstrap.servers", options.brokers)
              .option("subscribe", options.source).option("startingOffsets", "earliest").load())
    convert = sealstream.spark.reveal if options.reveal else sealstream.spark.protect
    made = convert(source.select("key", "value"), policy, topic=topic,
                   key=None if policy.topic(topic).key is None else "key")
    writer = (made.writeStream.format("kafka").option("kafka.bootstrap.servers", options.brokers)
              .option("topic", options.target).option("checkpointLocation", options.checkpoint))
    if options.once:
        writer = writer.trigger(availableNow=True)
    writer.start().awaitTermination()


if __name__ == "__main__":
    sys.exit(main())
