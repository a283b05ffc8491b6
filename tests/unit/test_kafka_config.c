/* Settings files of Kafka clients: what is read, how it is merged and translated, and what each mistake says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "streams/kafka/java.h"
#include "streams/kafka/kafka.h"
#include "streams/kafka/newer.h"

static enum seal_status parse(struct kafka_config *config, const char *text, struct seal_err *err)
{
	kafka_config_init(config);
	return kafka_config_parse(config, bytes_str(text), "f.ini", err);
}

static void expect(const char *text, enum kafka_role role, const char *name, const char *value)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;
	const char *got;

	assert_int_equal(parse(&config, text, &err), SEAL_OK);
	got = kafka_config_get(&config, role, name);
	if (value == NULL) {
		assert_null(got);
	} else {
		assert_non_null(got);
		assert_string_equal(got, value);
	}
	kafka_config_clear(&config);
}

static void expect_error(const char *text, const char *place, const char *words)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;

	assert_int_equal(parse(&config, text, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_CONFIG);
	assert_string_equal(err.place, place);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, err.text);
	kafka_config_clear(&config);
}

static const char getting_started[] = "[default]\n"
				      "bootstrap.servers=localhost:9092\n"
				      "Message.Max.Bytes = 8388608\n"
				      "sasl.password=a;b#c%d = e\n"
				      "enable.metrics.push=false\n"
				      "\n"
				      "[consumer]\n"
				      "; the group\n"
				      "group.id: g1\n"
				      "message.max.bytes=7\n"
				      "[plaintext-msg-demo]\n"
				      "topic = purchases\nnumber_of_msg = 100\nsleep_ms=1000\n"
				      "[encryptor]\n"
				      "sourcetopic = purchases\n"
				      "TargetTopic=purchases_encrypted\n"
				      "[large_payload]\n"
				      "topic=big\nsourcedir = source\ndestinationdir=destination\n";

static void test_getting_started(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;

	expect(getting_started, KAFKA_PRODUCER, "bootstrap.servers", "localhost:9092");
	expect(getting_started, KAFKA_PRODUCER, "message.max.bytes", "8388608");
	expect(getting_started, KAFKA_CONSUMER, "message.max.bytes", "7");
	expect(getting_started, KAFKA_CONSUMER, "sasl.password", "a;b#c%d = e");
	expect(getting_started, KAFKA_CONSUMER, "group.id", "g1");
	expect(getting_started, KAFKA_PRODUCER, "group.id", NULL);
	expect(getting_started, KAFKA_CONSUMER, "topic", NULL);
	assert_int_equal(parse(&config, getting_started, &err), SEAL_OK);
	assert_string_equal(config.source_topic, "purchases");
	assert_string_equal(config.target_topic, "purchases_encrypted");
	assert_string_equal(config.payload_topic, "big");
	assert_string_equal(config.payload_source_dir, "source");
	assert_string_equal(config.payload_destination_dir, "destination");
	kafka_config_clear(&config);
}

static void test_lines(void **state)
{
	expect("a.b=1\r\nc.d=2\r\n", KAFKA_ANYONE, "c.d", "2"); /* DOS ends */
	expect("a.b=1\nc.d=2", KAFKA_ANYONE, "c.d", "2"); /* no last newline */
	expect("\xef\xbb\xbf"
	       "a.b=1\n",
	       KAFKA_ANYONE, "a.b", "1");
	expect("  a.b\t=\t1 \t\n", KAFKA_ANYONE, "a.b", "1");
	expect("a.b=\n", KAFKA_ANYONE, "a.b", "");
	expect("#a.b=1\n!a.b=2\n;a.b=3\n  # a.b=4", KAFKA_ANYONE, "a.b", NULL);
	expect("a.b=x:y=z\n", KAFKA_ANYONE, "a.b", "x:y=z"); /* the first separator counts */
	expect("a.b:x=y\n", KAFKA_ANYONE, "a.b", "x=y");
	expect("a.b=1\\\nc.d=2\n", KAFKA_ANYONE, "a.b", "1\\"); /* no continuation but for Java's own */
	expect("a.b=1\\\nc.d=2\n", KAFKA_ANYONE, "c.d", "2");
	expect("a.b=\"q\"\n", KAFKA_ANYONE, "a.b", "\"q\"");
	expect("", KAFKA_ANYONE, "a.b", NULL);
	expect("[ Consumer ]\na.b=1", KAFKA_CONSUMER, "a.b", "1");
}

static void test_errors(void **state)
{
	expect_error("a.b=1\nnonsense\n", "f.ini:2:1", "name=value");
	expect_error("a.b=1\n\n   a b=2\n", "f.ini:3:4", "letters");
	expect_error("=2\n", "f.ini:1:1", "letters");
	expect_error("[consumers]\n", "f.ini:1:1", "did you mean [consumer]");
	expect_error("[nothing-like-it]\n", "f.ini:1:1", "there are [default]");
	expect_error("[consumer\n", "f.ini:1:1", "]");
	expect_error("[\n", "f.ini:1:1", "]");
	expect_error("[default]\na.b=1\n  c.d=2\n", "f.ini:3:3", "column 1");
	expect_error("a.b=1\nx.y=3\nA.B=2\n", "f.ini:3:1", "first on line 1");
	expect_error("[encryptor]\nsourcetopics=x\n", "f.ini:2:1", "did you mean sourcetopic");
	expect_error("[encryptor]\nsourcetopic=\n", "f.ini:2:1", "needs");
	expect_error("[encryptor]\nsourcetopic=x\nsourcetopic=y\n", "f.ini:3:1", "twice");
	expect_error("[plaintext-msg-demo]\nsleep_m=1\n", "f.ini:2:1", "did you mean sleep_ms");
	expect_error("[large_payload]\ndir=x\n", "f.ini:2:1", "no key dir");
	expect_error("[large_payload]\nsourcedir=x\nSourceDir=x\n", "f.ini:3:1", "twice");
	expect_error("[large_payload]\ndestinationdir=\n", "f.ini:2:1", "needs a directory");
	expect_error("[large_payload]\nsourcetopic=x\n", "f.ini:2:1", "no key sourcetopic");
	expect_error("a.b=\xff\n", "f.ini", "UTF-8");
	expect_error("sasl.jaas.config=\\u12", "f.ini:1:1", "\\u");
}

static void test_no_value_in_errors(void **state)
{
	static const char *const texts[] = {"sasl.password=hunter2\nsasl.password=hunter2\n",
					    "sasl.password hunter2\n", "  [x] hunter2\n",
					    "sasl.jaas.config=hunter2 \\uZZ\n"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct seal_err err = SEAL_ERR_INIT;
		struct kafka_config config;

		assert_int_equal(parse(&config, texts[i], &err), SEAL_USAGE);
		assert_null(strstr(err.text, "hunter2"));
		assert_null(strstr(err.place, "hunter2"));
		kafka_config_clear(&config);
	}
}

static void test_too_many(void **state)
{
	struct seal_buf text = BUF_INIT(1 << 20);
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;

	for (int i = 0; i <= KAFKA_PROPERTIES_MAX; i++)
		assert_int_equal(buf_printf(&text, NULL, "p%d=\n", i), SEAL_OK);
	kafka_config_init(&config);
	assert_int_equal(kafka_config_parse(&config, buf_bytes(&text), "f", &err), SEAL_USAGE);
	assert_string_equal(err.place, "f:1001:1");
	kafka_config_clear(&config);
	buf_clear(&text);
}

static void test_zero_byte(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;

	kafka_config_init(&config);
	assert_int_equal(kafka_config_parse(&config, BYTES_LIT("a=b\0c"), "f", &err), SEAL_USAGE);
	kafka_config_clear(&config);
}

static void test_overrides(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;

	assert_int_equal(parse(&config, getting_started, &err), SEAL_OK);
	assert_int_equal(kafka_config_override(&config, "message.max.bytes=9", &err), SEAL_OK);
	assert_int_equal(kafka_config_override(&config, "topic.acks=1", &err), SEAL_OK);
	assert_int_equal(kafka_config_override(&config, "Topic.Metadata.Refresh.Interval.Ms=5", &err), SEAL_OK);
	assert_int_equal(kafka_config_override(&config, "sasl.password= x=y ", &err), SEAL_OK);
	assert_string_equal(kafka_config_get(&config, KAFKA_CONSUMER, "message.max.bytes"), "9");
	assert_string_equal(kafka_config_get(&config, KAFKA_PRODUCER, "message.max.bytes"), "9");
	assert_string_equal(kafka_config_get(&config, KAFKA_PRODUCER, "acks"), "1");
	assert_string_equal(kafka_config_get(&config, KAFKA_PRODUCER, "sasl.password"), " x=y ");
	assert_int_equal(kafka_config_override(&config, "nothing", &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_USAGE);
	err_clear(&err);
	assert_int_equal(kafka_config_override(&config, "=secret-value", &err), SEAL_USAGE);
	assert_null(strstr(err.text, "secret-value"));
	kafka_config_clear(&config);
}

static enum seal_status collect(void *arg, struct kafka_property *property, struct seal_err *err)
{
	char *to = arg;
	size_t used = strlen(to);

	(void)err;
	snprintf(to + used, 200 - used, "%s=%s;", property->name, property->value);
	return SEAL_OK;
}

static void test_order(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;
	char seen[200] = "";

	assert_int_equal(parse(&config, "[consumer]\na=2\n[producer]\na=9\n[default]\na=1\n", &err), SEAL_OK);
	assert_int_equal(kafka_config_override(&config, "a=3", &err), SEAL_OK);
	assert_int_equal(kafka_config_each(&config, KAFKA_CONSUMER, collect, seen, &err), SEAL_OK);
	assert_string_equal(seen, "a=1;a=2;a=3;");
	kafka_config_clear(&config);
}

static void test_java_values(void **state)
{
	static const char file[] = "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \\\n"
				   "   required username=\"al\\\\\"ice\" \\\n\t password='p;w \\u0041';\n"
				   "max.request.size=77\nbuffer.memory=33554432\nkey.serializer=x.Y\n"
				   "ssl.endpoint.identification.algorithm=\n"
				   "ssl.truststore.certificates=-----BEGIN\\nX\\\n  Y\n";
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;

	assert_int_equal(parse(&config, file, &err), SEAL_OK);
	assert_int_equal(kafka_config_translate(&config, &err), SEAL_OK);
	assert_string_equal(kafka_config_get(&config, KAFKA_CONSUMER, "sasl.username"), "al\"ice");
	assert_string_equal(kafka_config_get(&config, KAFKA_CONSUMER, "sasl.password"), "p;w A");
	assert_string_equal(kafka_config_get(&config, KAFKA_CONSUMER, "message.max.bytes"), "77");
	assert_string_equal(kafka_config_get(&config, KAFKA_CONSUMER, "queue.buffering.max.kbytes"), "32768");
	assert_string_equal(kafka_config_get(&config, KAFKA_CONSUMER, "ssl.endpoint.identification.algorithm"),
			    "none");
	assert_string_equal(kafka_config_get(&config, KAFKA_CONSUMER, "ssl.ca.pem"), "-----BEGIN\nXY");
	assert_null(kafka_config_get(&config, KAFKA_CONSUMER, "sasl.jaas.config"));
	assert_null(kafka_config_get(&config, KAFKA_CONSUMER, "key.serializer"));
	kafka_config_clear(&config);
}

static void expect_refused(const char *text, const char *place, const char *words)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;

	assert_int_equal(parse(&config, text, &err), SEAL_OK);
	assert_int_equal(kafka_config_translate(&config, &err), SEAL_USAGE);
	assert_string_equal(err.place, place);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, err.text);
	kafka_config_clear(&config);
}

static void test_jaas_oauth(void **state)
{
	static const char file[] =
		"sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \\\n"
		"  clientId=\"a b\" clientSecret='s=;' scope=x extension_logicalCluster=\"lkc-1\" "
		"extension_pool=p;\n";
	static const struct {
		const char *name, *value;
	} rows[] = {{"sasl.oauthbearer.method", "oidc"},
		    {"sasl.oauthbearer.client.id", "a b"},
		    {"sasl.oauthbearer.client.secret", "s=;"},
		    {"sasl.oauthbearer.scope", "x"},
		    {"sasl.oauthbearer.extensions", "logicalCluster=lkc-1,pool=p"}};
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;

	assert_int_equal(parse(&config, file, &err), SEAL_OK);
	assert_int_equal(kafka_config_translate(&config, &err), SEAL_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(kafka_config_get(&config, KAFKA_PRODUCER, rows[i].name), rows[i].value);
	assert_null(kafka_config_get(&config, KAFKA_PRODUCER, "sasl.jaas.config"));
	kafka_config_clear(&config);
}

static void test_jaas_refused(void **state)
{
	expect_refused("sasl.jaas.config=x.Krb5LoginModule required;\n", "f.ini:1:1", "sasl.kerberos");
	expect_refused("a=1\nsasl.jaas.config=x.PlainLoginModule required username=\"a\";\n", "f.ini:2:1",
		       "password");
	expect_refused("sasl.jaas.config=x.PlainLoginModule required username=\"a\" password=\"b\n", "f.ini:1:1",
		       "complete");
	expect_refused("buffer.memory=many\n", "f.ini:1:1", "whole number");
}

static void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void expect_store(const char *key, const char *path, const char *ours)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;
	char text[200];

	snprintf(text, sizeof(text), "%s=%s\n", key, path);
	assert_int_equal(parse(&config, text, &err), SEAL_OK);
	assert_int_equal(kafka_config_translate(&config, &err), SEAL_OK);
	assert_string_equal(kafka_config_get(&config, KAFKA_CONSUMER, ours), path);
	kafka_config_clear(&config);
}

static void test_stores(void **state)
{
	char path[] = "/tmp/test_kafka_configXXXXXX", text[300];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	write_file(path, "Subject: x\n-----BEGIN CERTIFICATE-----\n", 39);
	expect_store("ssl.truststore.location", path, "ssl.ca.location");
	expect_store("ssl.keystore.location", path, "ssl.certificate.location");
	expect_store("ssl.keystore.location", path, "ssl.key.location");
	write_file(path, "\xfe\xed\xfe\xed\0\0\0\2", 8);
	snprintf(text, sizeof(text), "ssl.truststore.location=%s\nssl.truststore.password=x\n", path);
	expect_refused(text, "f.ini:1:1", "keytool -list -rfc -keystore /tmp/test_kafka_config");
	snprintf(text, sizeof(text), "ssl.keystore.location=%s\n", path);
	expect_refused(text, "f.ini:1:1", "keytool -importkeystore");
	write_file(path, "\x30\x82\x01\x02", 4);
	expect_store("ssl.keystore.location", path, "ssl.keystore.location");
	snprintf(text, sizeof(text), "ssl.truststore.location=%s\n", path);
	expect_refused(text, "f.ini:1:1", "openssl pkcs12");
	snprintf(text, sizeof(text), "ssl.truststore.type=jks\nssl.truststore.location=%s\n", path);
	expect_refused(text, "f.ini:2:1", "keytool");
	unlink(path);
	expect_refused(text, "f.ini:2:1", "No such file");
}

static void test_jaas_options(void **state)
{
	struct arena arena;
	const char *out = NULL;

	arena_init(&arena, 0);
	assert_true(java_jaas_option("M required password=\"username=x\" username=bob;", "username", &arena, &out));
	assert_string_equal(out, "bob");
	assert_false(java_jaas_option("M required xusername=\"a\"", "username", &arena, &out));
	assert_false(java_jaas_option("username", "username", &arena, &out));
	assert_true(java_jaas_option("username=", "username", &arena, &out));
	assert_string_equal(out, "");
	arena_clear(&arena);
}

static void test_newer(void **state)
{
	assert_true(newer_property("enable.metrics.push"));
	assert_false(newer_property("enable.metrics.pus"));
	assert_false(newer_property("acks"));
}

static void test_connection(void **state)
{
	struct opt_list property = {NULL, "acks=1"};
	struct kafka_connection connection = {.properties = &property};
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;

	kafka_config_init(&config);
	assert_int_equal(kafka_connection_load(&connection, &config, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "-b HOST:PORT"));
	kafka_config_clear(&config);
	err_clear(&err);
	connection.brokers = ""; /* an unset shell variable */
	assert_int_equal(kafka_connection_load(&connection, &config, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "-b HOST:PORT"));
	kafka_config_clear(&config);
	err_clear(&err);
	connection.brokers = "h:1";
	property.text = "bootstrap.servers=h:2";
	assert_int_equal(kafka_connection_load(&connection, &config, &err), SEAL_OK);
	assert_string_equal(kafka_config_get(&config, KAFKA_CONSUMER, "bootstrap.servers"), "h:1"); /* -b wins */
	kafka_config_clear(&config);
	connection.file = "/nonexistent/x.ini";
	assert_int_equal(kafka_connection_load(&connection, &config, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_NO_INPUT);
	kafka_config_clear(&config);
}

/* Of a service that speaks the protocol: below all that the user sets, by role. */
static void test_preset(void **state)
{
	static const struct kafka_preset rows[] = {{"bootstrap.servers", "ns:9093", KAFKA_ANYONE},
						   {"Sasl.Mechanism", "PLAIN", KAFKA_ANYONE},
						   {"compression.type", "none", KAFKA_PRODUCER},
						   {NULL, NULL, KAFKA_ANYONE}};
	struct opt_list property = {NULL, "sasl.mechanism=OAUTHBEARER"};
	struct kafka_connection connection = {.preset = rows};
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;

	kafka_config_init(&config);
	assert_int_equal(kafka_connection_load(&connection, &config, &err), SEAL_OK);
	assert_string_equal(kafka_config_get(&config, KAFKA_CONSUMER, "bootstrap.servers"), "ns:9093");
	assert_string_equal(kafka_config_get(&config, KAFKA_PRODUCER, "sasl.mechanism"), "PLAIN");
	assert_string_equal(kafka_config_get(&config, KAFKA_PRODUCER, "compression.type"), "none");
	assert_null(kafka_config_get(&config, KAFKA_CONSUMER, "compression.type"));
	kafka_config_clear(&config);
	connection.properties = &property;
	assert_int_equal(kafka_connection_load(&connection, &config, &err), SEAL_OK);
	assert_string_equal(kafka_config_get(&config, KAFKA_PRODUCER, "sasl.mechanism"), "OAUTHBEARER");
	kafka_config_clear(&config);
}

/* What only librdkafka can tell: its own names, wrong values, and names of newer ones. */
static void expect_open(const char *property, enum seal_status status, const char *words)
{
	struct opt_list item = {NULL, property};
	struct kafka_sink_options options = {
		.connection = {.brokers = "127.0.0.1:1", .properties = &item, .connect_timeout_ms = 100}};
	struct seal_err err = SEAL_ERR_INIT;
	struct sink *sink = NULL;

	assert_int_equal(kafka_sink_ops.open("t", &options, &sink, &err), status);
	assert_null(sink);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, err.text);
}

static void test_properties(void **state)
{
	expect_open("akcs=1", SEAL_USAGE, "did you mean acks?");
	expect_open("no.such.thing.at.all=1", SEAL_USAGE, "no property no.such.thing.at.all");
	expect_open("compression.codec=wrong", SEAL_USAGE, "compression.codec");
	expect_open("security.protocol=nothing", SEAL_USAGE, "security.protocol");
	expect_open("enable.metrics.push=false", SEAL_RETRY, "127.0.0.1:1"); /* a warning; then nobody is there */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_getting_started), cmocka_unit_test(test_lines),
		cmocka_unit_test(test_errors),		cmocka_unit_test(test_no_value_in_errors),
		cmocka_unit_test(test_zero_byte),	cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_overrides),	cmocka_unit_test(test_order),
		cmocka_unit_test(test_jaas_oauth),	cmocka_unit_test(test_java_values),
		cmocka_unit_test(test_jaas_refused),	cmocka_unit_test(test_stores),
		cmocka_unit_test(test_jaas_options),	cmocka_unit_test(test_newer),
		cmocka_unit_test(test_connection),	cmocka_unit_test(test_properties),
		cmocka_unit_test(test_preset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
