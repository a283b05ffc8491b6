// Stands in for spark-token-provider-kafka-0-10, which is not on Maven's central repository: the classes that Spark's Kafka
// source calls. No delegation tokens; kafka.* options are left as they are.
package org.apache.spark.kafka010

import java.{util => ju}
import scala.jdk.CollectionConverters._

case class KafkaTokenClusterConf(identifier: String)

case class KafkaConfigUpdater(module: String, kafkaParams: Map[String, Object]) {
  private val made = new ju.HashMap[String, Object](kafkaParams.asJava)

  def set(key: String, value: Object): this.type = { made.put(key, value); this }
  def setIfUnset(key: String, value: Object): this.type = { made.putIfAbsent(key, value); this }
  def setAuthenticationConfigIfNeeded(): this.type = this
  def setAuthenticationConfigIfNeeded(cluster: Option[KafkaTokenClusterConf]): this.type = this
  def build(): ju.Map[String, Object] = made
}

object KafkaRedactionUtil {
  private val secret = "(?i).*(password|jaas|secret|token|key).*"

  def redactParams(params: Seq[(String, Object)]): Seq[(String, String)] = params.map {
    case (name, null) => (name, null)
    case (name, value) => (name, if (name.matches(secret)) "(redacted)" else value.toString)
  }
}

object KafkaTokenUtil {
  def findMatchingTokenClusterConfig(conf: org.apache.spark.SparkConf, servers: String): Option[KafkaTokenClusterConf] = None
  def needTokenUpdate(params: ju.Map[String, Object], cluster: Option[KafkaTokenClusterConf]): Boolean = false
}
