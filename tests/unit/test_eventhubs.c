/* Event Hubs: who logs in to what, what a Kafka client is told, signatures, and events as JSON and beside a body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "streams/eventhubs/event.h"
#include "streams/eventhubs/eventhubs.h"
#include "streams/eventhubs/sas.h"

#define VARIABLE "AZURE_EVENTHUB_CONNECTION_STRING"
#define KEY "c2VhbHN0cmVhbS10ZXN0LWtleQ=="
#define LOGIN "SharedAccessKeyName=send;SharedAccessKey=" KEY
#define STRING "Endpoint=sb://shop.servicebus.windows.net/;" LOGIN

static int clean(void **state)
{
	(void)state;
	unsetenv(VARIABLE);
	unsetenv("AZURE_TENANT_ID");
	unsetenv("AZURE_CLIENT_ID");
	unsetenv("AZURE_CLIENT_SECRET");
	unsetenv("AZURE_AUTHORITY_HOST");
	return 0;
}

static enum seal_status open_access(const char *address, const char *string, struct eventhubs_access *out,
				    struct seal_err *err)
{
	const struct eventhubs_settings settings = {.event_bytes = EVENTHUBS_EVENT_BYTES};

	if (string != NULL)
		setenv(VARIABLE, string, 1);
	else
		unsetenv(VARIABLE);
	return eventhubs_access_open(address, &settings, out, err);
}

static void expect_error(const char *address, const char *string, enum seal_status status, const char *words)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct eventhubs_access access;

	assert_int_equal(open_access(address, string, &access, &err), status);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, err.text);
	assert_null(strstr(err.text, KEY));
	eventhubs_access_clear(&access);
}

/* ---- addresses and logins ---- */

static void test_address(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct eventhubs_access access;

	(void)state;
	assert_int_equal(open_access("shop/purchases", STRING, &access, &err), SEAL_OK);
	assert_string_equal(access.host, "shop.servicebus.windows.net");
	assert_string_equal(access.hub, "purchases");
	assert_string_equal(access.key_name, "send");
	assert_string_equal(access.key, KEY);
	assert_string_equal((const char *)access.connection_string.ptr, STRING); /* as it was given */
	assert_false(access.emulator);
	eventhubs_access_clear(&access);
	assert_int_equal(open_access("shop.servicebus.chinacloudapi.cn/p",
				     ";endpoint=sb://SHOP.servicebus.chinacloudapi.cn;" LOGIN
				     ";EntityPath=p;New=1;\n",
				     &access, &err),
			 SEAL_OK);
	assert_string_equal(access.host, "shop.servicebus.chinacloudapi.cn");
	eventhubs_access_clear(&access);
	assert_true(bytes_eq_str(eventhubs_topic("shop/purchases"), "purchases"));
	assert_true(bytes_eq_str(eventhubs_topic("purchases"), "purchases"));
	expect_error("purchases", STRING, SEAL_USAGE, "NAMESPACE/HUB");
	expect_error("shop/", STRING, SEAL_USAGE, "NAMESPACE/HUB");
	expect_error("/purchases", STRING, SEAL_USAGE, "NAMESPACE/HUB");
	expect_error("shop/a/b", STRING, SEAL_USAGE, "NAMESPACE/HUB");
	expect_error("shop/a b", STRING, SEAL_USAGE, "NAMESPACE/HUB");
}

static void test_connection_string(void **state)
{
	(void)state;
	expect_error("other/purchases", STRING, SEAL_USAGE, "another namespace, shop.servicebus.windows.net");
	expect_error("sho/purchases", STRING, SEAL_USAGE, "another namespace");
	expect_error("shop/orders", STRING ";EntityPath=purchases", SEAL_USAGE, "another hub, purchases");
	expect_error("shop/p", LOGIN, SEAL_USAGE, "no Endpoint");
	expect_error("shop/p", "Endpoint=sb://shop.servicebus.windows.net/", SEAL_USAGE, "needs SharedAccessKeyName");
	expect_error("shop/p", "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKey=" KEY, SEAL_USAGE,
		     "needs SharedAccessKeyName");
	expect_error("shop/p", STRING ";" KEY ";x", SEAL_USAGE, "a part without \"=\"");
	expect_error("shop/p", KEY "\x01", SEAL_USAGE, "characters");
	expect_error("shop/p", NULL, SEAL_DENIED, VARIABLE);
}

static void test_connection_string_file(void **state)
{
	char path[] = "/tmp/eventhubs-XXXXXX";
	const struct eventhubs_settings settings = {.connection_string_file = path, .event_bytes = 1};
	struct seal_err err = SEAL_ERR_INIT;
	struct eventhubs_access access;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, STRING "\n", sizeof(STRING)), sizeof(STRING));
	setenv(VARIABLE, "Endpoint=sb://elsewhere/;" LOGIN, 1); /* the file comes first */
	assert_int_equal(eventhubs_access_open("shop/p", &settings, &access, &err), SEAL_OK);
	assert_string_equal((const char *)access.connection_string.ptr, STRING);
	eventhubs_access_clear(&access);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(eventhubs_access_open("shop/p", &settings, &access, &err), SEAL_DENIED);
	eventhubs_access_clear(&access);
	close(fd);
	unlink(path);
	err_clear(&err);
	assert_int_equal(eventhubs_access_open("shop/p", &settings, &access, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_NO_INPUT);
	eventhubs_access_clear(&access);
}

static void test_emulator(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct eventhubs_access access;

	(void)state;
	assert_int_equal(open_access("emulator/p", "Endpoint=sb://localhost;" LOGIN ";UseDevelopmentEmulator=true;",
				     &access, &err),
			 SEAL_OK);
	assert_true(access.emulator);
	assert_string_equal(access.endpoint, "localhost:9092");
	eventhubs_access_clear(&access);
}

static void test_emulator_elsewhere(void **state)
{
	static const char *const endpoints[] = {"10.0.0.1:9092", "localhost:9092,10.0.0.1:9092",
						"localhost@10.0.0.1:9092"};
	static const char *const hosts[] = {"shop.servicebus.windows.net", "localhost,10.0.0.1", "localhost.example"};
	struct eventhubs_settings settings = {.event_bytes = 1};
	struct seal_err err = SEAL_ERR_INIT;
	struct eventhubs_access access;
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		snprintf(text, sizeof(text), "Endpoint=sb://%s;" LOGIN ";UseDevelopmentEmulator=true", hosts[i]);
		expect_error("shop/p", text, SEAL_USAGE, "in the clear");
	}
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
		settings.endpoint = endpoints[i];
		setenv(VARIABLE, "Endpoint=sb://localhost;" LOGIN ";UseDevelopmentEmulator=true", 1);
		err_clear(&err);
		assert_int_equal(eventhubs_access_open("shop/p", &settings, &access, &err), SEAL_USAGE);
		assert_non_null(strstr(err.text, "in the clear"));
		eventhubs_access_clear(&access);
	}
	unsetenv(VARIABLE);
}

/* ---- a Kafka client ---- */

static const char *value_of(const struct eventhubs_client_setting *rows, const char *name, enum eventhubs_role role)
{
	for (; rows->name != NULL; rows++)
		if (strcmp(rows->name, name) == 0 && rows->role == role)
			return rows->value;
	return "(none)";
}

static void test_client_settings(void **state)
{
	struct eventhubs_client_setting rows[EVENTHUBS_CLIENT_SETTINGS_MAX];
	struct seal_err err = SEAL_ERR_INIT;
	struct eventhubs_access access;

	(void)state;
	assert_int_equal(open_access("shop/p", STRING, &access, &err), SEAL_OK);
	assert_int_equal(eventhubs_client_settings(&access, rows, &err), SEAL_OK);
	assert_string_equal(value_of(rows, "bootstrap.servers", EVENTHUBS_ANY), "shop.servicebus.windows.net:9093");
	assert_string_equal(value_of(rows, "security.protocol", EVENTHUBS_ANY), "SASL_SSL");
	assert_string_equal(value_of(rows, "sasl.mechanism", EVENTHUBS_ANY), "PLAIN");
	assert_string_equal(value_of(rows, "sasl.username", EVENTHUBS_ANY), "$ConnectionString");
	assert_string_equal(value_of(rows, "sasl.password", EVENTHUBS_ANY), STRING);
	assert_string_equal(value_of(rows, "metadata.max.age.ms", EVENTHUBS_ANY), "180000");
	assert_string_equal(value_of(rows, "request.timeout.ms", EVENTHUBS_WRITER), "60000");
	assert_string_equal(value_of(rows, "session.timeout.ms", EVENTHUBS_READER), "30000");
	assert_string_equal(value_of(rows, "compression.type", EVENTHUBS_WRITER), "none");
	assert_string_equal(value_of(rows, "message.max.bytes", EVENTHUBS_WRITER), "1046528");
	assert_string_equal(value_of(rows, "ssl.ca.location", EVENTHUBS_ANY), "(none)");
	eventhubs_access_clear(&access);
	assert_int_equal(
		open_access("e/p", "Endpoint=sb://localhost;" LOGIN ";UseDevelopmentEmulator=true;", &access, &err),
		SEAL_OK);
	assert_int_equal(eventhubs_client_settings(&access, rows, &err), SEAL_OK);
	assert_string_equal(value_of(rows, "bootstrap.servers", EVENTHUBS_ANY), "localhost:9092");
	assert_string_equal(value_of(rows, "security.protocol", EVENTHUBS_ANY), "SASL_PLAINTEXT");
	eventhubs_access_clear(&access);
}

static void test_application(void **state)
{
	struct eventhubs_client_setting rows[EVENTHUBS_CLIENT_SETTINGS_MAX];
	struct seal_err err = SEAL_ERR_INIT;
	struct eventhubs_access access;

	(void)state;
	setenv("AZURE_TENANT_ID", "72f988bf-86f1-41af-91ab-2d7cd011db47", 1);
	setenv("AZURE_CLIENT_ID", "app", 1);
	expect_error("shop/p", NULL, SEAL_DENIED, "AZURE_CLIENT_SECRET");
	setenv("AZURE_CLIENT_SECRET", "s~1", 1);
	assert_int_equal(open_access("shop/p", NULL, &access, &err), SEAL_OK);
	assert_int_equal(eventhubs_client_settings(&access, rows, &err), SEAL_OK);
	assert_string_equal(value_of(rows, "sasl.mechanism", EVENTHUBS_ANY), "OAUTHBEARER");
	assert_string_equal(
		value_of(rows, "sasl.oauthbearer.token.endpoint.url", EVENTHUBS_ANY),
		"https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/oauth2/v2.0/token");
	assert_string_equal(value_of(rows, "sasl.oauthbearer.scope", EVENTHUBS_ANY),
			    "https://shop.servicebus.windows.net/.default");
	assert_string_equal(value_of(rows, "sasl.oauthbearer.client.secret", EVENTHUBS_ANY), "s~1");
	eventhubs_access_clear(&access);
	setenv("AZURE_AUTHORITY_HOST", "https://login.chinacloudapi.cn/", 1);
	assert_int_equal(open_access("shop/p", NULL, &access, &err), SEAL_OK);
	assert_int_equal(eventhubs_client_settings(&access, rows, &err), SEAL_OK);
	assert_string_equal(value_of(rows, "sasl.oauthbearer.token.endpoint.url", EVENTHUBS_ANY),
			    "https://login.chinacloudapi.cn/72f988bf-86f1-41af-91ab-2d7cd011db47/oauth2/v2.0/token");
	eventhubs_access_clear(&access);
	setenv("AZURE_AUTHORITY_HOST", "http://login.example", 1);
	expect_error("shop/p", NULL, SEAL_USAGE, "in the clear");
	setenv("AZURE_AUTHORITY_HOST", "http://localhost:1@login.example", 1);
	expect_error("shop/p", NULL, SEAL_USAGE, "in the clear");
	setenv("AZURE_AUTHORITY_HOST", "http://127.0.0.1:1", 1);
	setenv("AZURE_TENANT_ID", "../x", 1);
	expect_error("shop/p", NULL, SEAL_USAGE, "AZURE_TENANT_ID");
}

static void test_signature_is_for_https(void **state)
{
	struct eventhubs_client_setting rows[EVENTHUBS_CLIENT_SETTINGS_MAX];
	struct seal_err err = SEAL_ERR_INIT;
	struct eventhubs_access access;

	(void)state;
	assert_int_equal(open_access("shop/p",
				     "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessSignature="
				     "SharedAccessSignature sr=a&sig=b%3d&se=1&skn=n",
				     &access, &err),
			 SEAL_OK);
	assert_string_equal(access.signature, "SharedAccessSignature sr=a&sig=b%3d&se=1&skn=n");
	assert_int_equal(eventhubs_client_settings(&access, rows, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "--eventhubs-protocol https"));
	eventhubs_access_clear(&access);
}

/* ---- signatures ---- */

/* Made by Python's hmac; tests/services/platforms compares with Microsoft's own. */
static void test_sas(void **state)
{
	struct secret token = SECRET_INIT;
	struct seal_err err = SEAL_ERR_INIT;

	(void)state;
	assert_int_equal(
		sas_make("https://shop.servicebus.windows.net/purchases", "send", KEY, 1795392000, &token, &err),
		SEAL_OK);
	assert_string_equal((const char *)token.ptr,
			    "SharedAccessSignature sr=https%3A%2F%2Fshop.servicebus.windows.net%2Fpurchases&sig="
			    "dy5VFIqp47bzkG5slWEQ2xwf34LABieCM72M7tGBdS0%3D&se=1795392000&skn=send");
	secret_clear(&token);
}

/* ---- events ---- */

static const struct record_header two[] = {{BYTES_LIT("ct"), BYTES_LIT("se\"al")}, {BYTES_LIT("b"), BYTES_LIT("")}};

static void expect_json(const struct record *record, bool with_headers, const char *want)
{
	struct seal_buf out = BUF_INIT(10000);
	struct seal_err err = SEAL_ERR_INIT;
	size_t bytes;

	assert_false(event_is_alone(record));
	assert_int_equal(event_measure(record, with_headers, 10000, &bytes, &err), SEAL_OK);
	assert_int_equal(event_append(&out, record, with_headers, &err), SEAL_OK);
	assert_int_equal(out.len, strlen(want));
	assert_memory_equal(out.ptr, want, out.len);
	assert_true(bytes >= out.len); /* a request that is full by this count is not too long */
	buf_clear(&out);
}

static void test_events(void **state)
{
	struct record record = {.value = BYTES_LIT("a\n\"\xc3\xa9\"")};

	(void)state;
	expect_json(&record, true, "{\"Body\":\"a\\n\\\"\xc3\xa9\\\"\"}");
	record.value = BYTES_LIT("");
	expect_json(&record, true, "{\"Body\":\"\"}");
	record.key = BYTES_LIT("k\xc3\xa9");
	record.headers = two;
	record.n_headers = 2;
	expect_json(&record, true,
		    "{\"Body\":\"\",\"BrokerProperties\":{\"PartitionKey\":\"k\xc3\xa9\"},\"UserProperties\":"
		    "{\"ct\":\"se\\\"al\",\"b\":\"\"}}");
	expect_json(&record, false, "{\"Body\":\"\",\"BrokerProperties\":{\"PartitionKey\":\"k\xc3\xa9\"}}");
	record.key = BYTES_LIT("\0\xff");
	record.n_headers = 0;
	expect_json(&record, true,
		    "{\"Body\":\"\",\"BrokerProperties\":{\"PartitionKey\":"
		    "\"06eb7d6a69ee19e5fbdf749018d3d2abfa04bcbd1365db312eb86dc7169389b8\"},"
		    "\"UserProperties\":{\"seal.key\":\"AP8=\"}}");
	record.key = BYTES_LIT("");
	expect_json(&record, true,
		    "{\"Body\":\"\",\"BrokerProperties\":{\"PartitionKey\":"
		    "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"},"
		    "\"UserProperties\":{\"seal.key\":\"\"}}");
}

static void test_alone(void **state)
{
	struct record record = {.value = BYTES_LIT("\xff\x00"),
				.key = BYTES_LIT("k\xc3\xa9\xf0\x9f\x94\x91"),
				.headers = two,
				.n_headers = 2};
	struct seal_err err = SEAL_ERR_INIT;
	struct http_header *headers;
	struct arena arena;
	size_t n, bytes;

	(void)state;
	arena_init(&arena, 0);
	assert_true(event_is_alone(&record));
	assert_int_equal(event_measure(&record, true, 10000, &bytes, &err), SEAL_OK);
	assert_int_equal(event_headers(&record, true, &arena, &headers, &n, &err), SEAL_OK);
	assert_int_equal(n, 3);
	assert_string_equal(headers[0].name, "BrokerProperties");
	assert_string_equal(headers[0].value, "{\"PartitionKey\":\"k\\u00e9\\ud83d\\udd11\"}");
	assert_string_equal(headers[1].name, "ct");
	assert_string_equal(headers[1].value, "\"se\\\"al\"");
	record.key = BYTES_LIT("\xfe");
	assert_int_equal(event_headers(&record, false, &arena, &headers, &n, &err), SEAL_OK);
	assert_int_equal(n, 2);
	assert_string_equal(headers[1].name, "seal.key");
	assert_string_equal(headers[1].value, "\"/g==\"");
	arena_clear(&arena);
}

static void expect_refused(struct record *record, size_t max, const char *words)
{
	struct seal_err err = SEAL_ERR_INIT;
	size_t bytes;

	assert_int_equal(event_measure(record, true, max, &bytes, &err), SEAL_DATA);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, err.text);
}

static void test_refused(void **state)
{
	struct record_header headers[] = {{BYTES_LIT("a"), BYTES_LIT("1")}, {BYTES_LIT("a"), BYTES_LIT("2")}};
	struct record record = {.value = BYTES_EMPTY, .headers = headers};
	struct seal_err err = SEAL_ERR_INIT;
	size_t bytes;

	(void)state;
	expect_refused(&record, 1000, "without a value");
	record.value = BYTES_LIT("v");
	expect_refused(&record, 100, "--eventhubs-event-bytes");
	record.n_headers = 2;
	expect_refused(&record, 1000, "is there twice");
	assert_int_equal(event_measure(&record, false, 1000, &bytes, &err), SEAL_OK); /* --eventhubs-headers drop */
	headers[1] = (struct record_header){BYTES_LIT("b"), BYTES_EMPTY};
	expect_refused(&record, 1000, "is no text");
	headers[1].value = BYTES_LIT("\xff");
	expect_refused(&record, 1000, "is no text");
	headers[1] = (struct record_header){BYTES_LIT("\xff"), BYTES_LIT("v")};
	expect_refused(&record, 1000, "without a name of text");
	headers[1].name = BYTES_LIT("seal.key");
	expect_refused(&record, 1000, "the property for keys");
	record.value = BYTES_LIT("\xff");
	headers[1].name = BYTES_LIT("Content-Md5");
	expect_refused(&record, 1000, "as a header of HTTP");
	headers[1].name = BYTES_LIT("host");
	expect_refused(&record, 1000, "as a header of HTTP");
	headers[1].name = BYTES_LIT("a b");
	expect_refused(&record, 1000, "as a header of HTTP");
	headers[1] = (struct record_header){BYTES_LIT("hostess"), BYTES_LIT("caf\xc3\xa9")};
	expect_refused(&record, 1000, "as a header of HTTP");
	headers[1].value = BYTES_LIT("tea");
	assert_int_equal(event_measure(&record, true, 1000, &bytes, &err), SEAL_OK);
	headers[1].name = BYTES_LIT("A"); /* names of HTTP's headers are equal whatever their case */
	expect_refused(&record, 1000, "is there twice");
	headers[1].name = BYTES_LIT("Seal.Key");
	expect_refused(&record, 1000, "the property for keys");
	record.value = BYTES_LIT("v");
	assert_int_equal(event_measure(&record, true, 1000, &bytes, &err), SEAL_OK);
}

/* Whoever sends records must not keep us busy with comparing names, nor end the run by what the service takes in no header. */
static void test_many_headers(void **state)
{
	enum { MANY = 1024 };
	static struct record_header headers[MANY + 1];
	static char names[MANY + 1][8];
	struct record record = {.value = BYTES_LIT("v"), .headers = headers, .n_headers = MANY};
	struct seal_err err = SEAL_ERR_INIT;
	size_t bytes;

	(void)state;
	for (size_t i = 0; i <= MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "h%zu", i);
		headers[i] = (struct record_header){bytes_str(names[i]), BYTES_LIT("v")};
	}
	assert_int_equal(event_measure(&record, true, 1 << 20, &bytes, &err), SEAL_OK);
	record.n_headers = MANY + 1;
	expect_refused(&record, 1 << 20, "1025 headers");
	assert_int_equal(event_measure(&record, false, 1 << 20, &bytes, &err), SEAL_OK);
}

static void test_long_headers(void **state)
{
	static char text[8193];
	struct record_header header = {BYTES_LIT("h"), bytes_of(text, sizeof(text))};
	struct record record = {.value = BYTES_LIT("v"), .headers = &header, .n_headers = 1};
	struct seal_err err = SEAL_ERR_INIT;
	size_t bytes;

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(event_measure(&record, true, 1 << 20, &bytes, &err), SEAL_OK);
	record.value = BYTES_LIT("\xff");
	expect_refused(&record, 1 << 20, "beside a value that is no text");
	assert_int_equal(event_measure(&record, false, 1 << 20, &bytes, &err), SEAL_OK);
	header.value.len = 8000;
	assert_int_equal(event_measure(&record, true, 1 << 20, &bytes, &err), SEAL_OK);
	record.key = header.value; /* its base64 goes there, too */
	expect_refused(&record, 1 << 20, "beside a value that is no text");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_address, clean),
		cmocka_unit_test_setup(test_connection_string, clean),
		cmocka_unit_test_setup(test_connection_string_file, clean),
		cmocka_unit_test_setup(test_emulator, clean),
		cmocka_unit_test_setup(test_emulator_elsewhere, clean),
		cmocka_unit_test_setup(test_client_settings, clean),
		cmocka_unit_test_setup(test_application, clean),
		cmocka_unit_test_setup(test_signature_is_for_https, clean),
		cmocka_unit_test(test_sas),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_many_headers),
		cmocka_unit_test(test_long_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
