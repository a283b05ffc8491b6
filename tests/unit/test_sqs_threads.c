/* streams/sqs, streams/sns: what is a record as a message, whose notification is it, and what has become of each entry? */
#include "aws_fixture.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "base/mem.h"
#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "json/value.h"
#include "streams/aws_message.h"
#include "streams/sns/answer.h"
#include "streams/sqs/checksum.h"
#include "streams/sqs/notification.h"
#include "streams/sqs/options.h"
#include "streams/sqs/sqs.h"

static struct seal_err err;
static struct arena arena;

static int fresh(void **state)
{
	err_clear(&err);
	arena_reset(&arena);
	return 0;
}

static const struct aws_message_rules standard = {.max_bytes = 1000, .limit = "the limit"},
				      fifo = {.fifo = true, .max_bytes = 1000, .limit = "the limit"};

static struct seal_bytes text(const char *t)
{
	return bytes_str(t);
}

static void messages(void **state)
{
	const struct record_header headers[] = {{text("a.b-_1"), text("x\xc3\xa9")},
						{text("b"), BYTES_LIT("\xff\x00")}};
	struct record record = {.value = text("{\"a\":1}"), .key = text("k"), .headers = headers, .n_headers = 2},
		      back = {0};
	struct aws_message m;

	assert_int_equal(aws_message_make(&standard, &record, &m, &err), SEAL_OK);
	assert_false(m.encoded);
	assert_int_equal(m.n, 3);
	assert_true(bytes_eq_str(m.attributes[0].name, "a.b-_1") && !m.attributes[0].binary);
	assert_true(bytes_eq_str(m.attributes[1].name, "b") && m.attributes[1].binary);
	assert_true(bytes_eq_str(m.attributes[2].name, "seal.key") && bytes_eq_str(m.attributes[2].value, "k"));
	assert_int_equal(m.bytes, 7 + (6 + 6 + 3) + (1 + 6 + 2) + (8 + 6 + 1));
	assert_string_equal(m.group, "");
	assert_int_equal(aws_message_read(record.value, m.attributes, m.n, BYTES_EMPTY, &arena, &back, &err),
			 SEAL_OK);
	assert_true(bytes_eq_str(back.key, "k") && back.n_headers == 2 && bytes_eq(back.value, record.value));

	record.n_headers = 0;
	assert_int_equal(aws_message_make(&fifo, &record, &m, &err), SEAL_OK);
	assert_string_equal(m.group, "k");
	assert_int_equal(m.n, 0);
	record.key = text("two words");
	assert_int_equal(aws_message_make(&fifo, &record, &m, &err), SEAL_OK);
	assert_int_equal(strlen(m.group), 64);
	assert_true(m.n == 1 && bytes_eq_str(m.attributes[0].value, "two words"));
	record.key = BYTES_EMPTY;
	assert_int_equal(aws_message_make(&fifo, &record, &m, &err), SEAL_OK);
	assert_string_equal(m.group, ""); /* a random one is due */
}

/* Each try has the names of the first; a group without a key is nobody else's. */
static void names(void **state)
{
	struct record record = {.value = text("v")};
	char run[AWS_RUN_LEN + 1], id[AWS_DEDUPLICATION_MAX], again[AWS_DEDUPLICATION_MAX];
	struct aws_message one, two;

	assert_int_equal(aws_run_new(run, &err), SEAL_OK);
	assert_int_equal(aws_message_make(&fifo, &record, &one, &err), SEAL_OK);
	two = one;
	aws_message_name(&one, run, 7, 0, id);
	aws_message_name(&two, run, 7, 1, again);
	assert_string_equal(one.group, two.group);
	assert_string_not_equal(id, again);
	aws_message_name(&two, run, 7, 0, again);
	assert_string_equal(id, again);
	assert_int_equal(aws_message_make(&fifo, &record, &two, &err), SEAL_OK);
	aws_message_name(&two, run, 8, 0, again);
	assert_string_not_equal(one.group, two.group);
	assert_string_not_equal(id, again);
	record.key = text("k");
	assert_int_equal(aws_message_make(&fifo, &record, &one, &err), SEAL_OK);
	aws_message_name(&one, run, 9, 0, id);
	assert_string_equal(one.group, "k");
}

static void bytes_as_text(void **state)
{
	static const char *const plain[] = {"12345678", "tab\tline\nend\r12345678",
					    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\x7f"};
	static const char *const coded[] = {"\x01",	    "1234567\x1fghijklmn", "\xff",
					    "12345678\xc3", "\xef\xbf\xbe",	   "\xef\xbf\xbf"};
	struct record record = {.value = BYTES_EMPTY}, back = {0};
	struct aws_message m;
	char body[40];

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		record.value = text(plain[i]);
		assert_int_equal(aws_message_make(&standard, &record, &m, &err), SEAL_OK);
		assert_false(m.encoded);
	}
	for (size_t i = 0; i < sizeof(coded) / sizeof(coded[0]); i++) {
		record.value = text(coded[i]);
		assert_int_equal(aws_message_make(&standard, &record, &m, &err), SEAL_OK);
		assert_true(m.encoded);
		assert_int_equal(m.bytes, BASE64_LEN(record.value.len) + 13 + 6 + 6);
		assert_int_equal(aws_message_read(bytes_of(body, base64_encode(record.value, body)), m.attributes,
						  m.n, BYTES_EMPTY, &arena, &back, &err),
				 SEAL_OK);
		assert_true(bytes_eq(back.value, record.value) && back.n_headers == 0 && back.broken == NULL);
	}
	assert_int_equal(aws_message_read(text("not base64"), m.attributes, m.n, BYTES_EMPTY, &arena, &back, &err),
			 SEAL_OK);
	assert_non_null(back.broken);
	assert_true(bytes_eq_str(back.value, "not base64"));
}

/* The number was made by another program, by the documentation. */
static void check_sums(void **state)
{
	const struct aws_attribute attributes[] = {{text("b"), BYTES_LIT("\xff\x00"), true, text("Binary")},
						   {text("a.b"), text("x\xe2\x82\xac"), false, text("String")},
						   {text("a"), text("7"), false, text("Number.int")}};
	const struct json_value said = {text("7136c5b001e35f1bf24e79d701be51cd"), JSON_STRING, false},
				other = {text("8136c5b001e35f1bf24e79d701be51cd"), JSON_STRING, false},
				none = {BYTES_EMPTY, JSON_NULL, false};
	char sum[SQS_SUM_SIZE];

	assert_int_equal(sqs_sum_of_attributes(attributes, 3, &arena, sum, &err), SEAL_OK);
	assert_string_equal(sum, "7136c5b001e35f1bf24e79d701be51cd");
	assert_false(sqs_sum_differs(sum, &said) || sqs_sum_differs(sum, &none));
	assert_true(sqs_sum_differs(sum, &other));
	assert_int_equal(sqs_sum_of_attributes(attributes, 0, &arena, sum, &err), SEAL_OK);
	assert_false(sqs_sum_differs(sum, &other)); /* nothing to compare with */
	sqs_sum_of_body(BYTES_EMPTY, sum);
	assert_string_equal(sum, "d41d8cd98f00b204e9800998ecf8427e");
}

static void what_cannot_be(void **state)
{
	static const struct {
		const char *name, *value, *why;
	} bad[] = {{"", "1", "cannot be the name"},
		   {"a b", "1", "cannot be the name"},
		   {".a", "1", "cannot be the name"},
		   {"a.", "1", "cannot be the name"},
		   {"a..b", "1", "cannot be the name"},
		   {"AWS.x", "1", "cannot be the name"},
		   {"aMaZon.x", "1", "cannot be the name"},
		   {"seal.key", "1", "cannot be the name"},
		   {"a", "", "is empty"}};
	struct record_header headers[11] = {{text("a"), text("1")}, {text("a"), text("2")}};
	struct record record = {.value = text("x"), .headers = headers, .n_headers = 2};
	struct aws_message_rules drop = standard;
	struct aws_message m;

	assert_int_equal(aws_message_make(&standard, &record, &m, &err), SEAL_DATA);
	assert_non_null(strstr(err.text, "the header a twice"));
	drop.drop_headers = true;
	assert_int_equal(aws_message_make(&drop, &record, &m, &err), SEAL_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&err);
		headers[0] = (struct record_header){text(bad[i].name), text(bad[i].value)};
		record.n_headers = 1;
		assert_int_equal(aws_message_make(&standard, &record, &m, &err), SEAL_DATA);
		assert_non_null(strstr(err.text, bad[i].why));
	}
	for (size_t i = 0; i < 11; i++)
		headers[i] = (struct record_header){bytes_of(&"abcdefghijk"[i], 1), text("1")};
	record.n_headers = 10;
	assert_int_equal(aws_message_make(&standard, &record, &m, &err), SEAL_OK);
	record.key = text("k"); /* the eleventh */
	assert_int_equal(aws_message_make(&standard, &record, &m, &err), SEAL_DATA);
	record.n_headers = 0;
	record.key = text("");
	assert_int_equal(aws_message_make(&standard, &record, &m, &err), SEAL_DATA);
	record.key = BYTES_EMPTY;
	record.value = text("");
	assert_int_equal(aws_message_make(&standard, &record, &m, &err), SEAL_DATA);
	drop.max_bytes = 10;
	record.value = text("0123456789");
	assert_int_equal(aws_message_make(&drop, &record, &m, &err), SEAL_OK);
	record.value = text("0123456789a");
	err_clear(&err);
	assert_int_equal(aws_message_make(&drop, &record, &m, &err), SEAL_DATA);
	assert_non_null(strstr(err.text, "11 bytes as a message with its attributes, and the limit is 10"));
}

static void addresses(void **state)
{
	static const struct {
		const char *address, *name, *account, *region, *endpoint;
	} rows[] = {
		{"purchases", "purchases", "", "", ""},
		{"a_b-1.fifo", "a_b-1.fifo", "", "", ""},
		{"arn:aws:sqs:eu-west-1:123:q.fifo", "q.fifo", "123", "eu-west-1", ""},
		{"https://sqs.eu-west-1.amazonaws.com/123/q.fifo", "q.fifo", "123", "eu-west-1", ""},
		{"arn:aws:sqs:eu-west-1:123:q", "q", "123", "eu-west-1", ""},
		{"https://sqs.eu-west-1.amazonaws.com/123/q", "q", "123", "eu-west-1", ""},
		{"https://sqs.cn-north-1.amazonaws.com.cn/123/q", "q", "123", "cn-north-1", ""},
		{"https://eu-west-2.queue.amazonaws.com/123/q", "q", "123", "eu-west-2", ""},
		{"https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/123/q", "q", "123", "eu-west-1",
		 "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com"},
		{"http://localhost:9324/000/q/", "q", "000", "", "http://localhost:9324"},
		{"http://localhost:9324/prefix/000/q", "q", "000", "", "http://localhost:9324/prefix"},
	};
	static const char *const bad[] = {
		"", "a/b", "a b", ".fifo", "arn:aws:sns:r:1:q", "https://host", "https://host/1/a?b", "q.foo"};
	struct sqs_address a;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(sqs_address_parse(rows[i].address, &a, &err), SEAL_OK);
		assert_string_equal(a.name, rows[i].name);
		assert_string_equal(a.account, rows[i].account);
		assert_string_equal(a.region, rows[i].region);
		assert_string_equal(a.endpoint, rows[i].endpoint);
		assert_true(a.url[0] == '\0' || a.url[strlen(a.url) - 1] == a.name[strlen(a.name) - 1]);
		assert_true(bytes_eq_str(sqs_topic(rows[i].address), rows[i].name));
		assert_int_equal(sqs_traits.is_special(rows[i].address), strstr(rows[i].name, ".fifo") != NULL);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&err);
		if (sqs_address_parse(bad[i], &a, &err) != SEAL_USAGE)
			fail_msg("%s", bad[i]);
	}
}

/* ---- notifications ---- */

static EVP_PKEY *key;
static char pem[4096];

static void make_certificate(void)
{
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	key = EVP_RSA_gen(2048);
	assert_non_null(key);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	assert_int_equal(X509_set_pubkey(x, key), 1);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	n = BIO_read(bio, pem, sizeof(pem) - 1);
	assert_true(n > 0);
	pem[n] = '\0';
	X509_free(x);
	BIO_free(bio);
}

static unsigned fetched;

static enum seal_status fail_to_fetch(const char *url, struct seal_buf *out, struct seal_err *e)
{
	fetched++;
	return err_set(e, SEAL_RETRY, SEAL_E_SERVICE, "is away");
}

static enum seal_status fetch(const char *url, struct seal_buf *out, struct seal_err *e)
{
	fetched++;
	assert_string_equal(url, "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem");
	return buf_append_str(out, pem, e);
}

static void sign(const char *what, const EVP_MD *md, char *out)
{
	uint8_t signature[512];
	size_t len = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, md, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, signature, &len, (const uint8_t *)what, strlen(what)), 1);
	out[base64_encode(bytes_of(signature, len), out)] = '\0';
	EVP_MD_CTX_free(ctx);
}

#define SNS_URL "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"

/* A notification as SNS sends it, with what was signed. */
static const char *notification(const char *message, const char *subject, const char *version, const char *url)
{
	static char out[4000];
	char what[1000], signature[800], member[100] = "";

	snprintf(what, sizeof(what),
		 "Message\nhe said \"hi\"\nMessageId\nid-1\n%s%s%sTimestamp\n2026-11-22T23:54:16.123Z\nTopicArn\n"
		 "arn:aws:sns:eu-west-1:1:t\nType\nNotification\n",
		 subject != NULL ? "Subject\n" : "", subject != NULL ? subject : "", subject != NULL ? "\n" : "");
	sign(what, strcmp(version, "1") == 0 ? EVP_sha1() : EVP_sha256(), signature);
	if (subject != NULL)
		snprintf(member, sizeof(member), "\"Subject\":\"%s\",", subject);
	snprintf(out, sizeof(out),
		 "{\"Type\":\"Notification\",\"MessageId\":\"id-1\",\"TopicArn\":\"arn:aws:sns:eu-west-1:1:t\",%s"
		 "\"Message\":\"%s\",\"Timestamp\":\"2026-11-22T23:54:16.123Z\",\"SignatureVersion\":\"%s\","
		 "\"Signature\":"
		 "\"%s\",\"SigningCertURL\":\"%s\",\"UnsubscribeURL\":\"x\",\"MessageAttributes\":{\"a\":{\"Type\":"
		 "\"String\","
		 "\"Value\":\"v\"},\"b\":{\"Type\":\"Binary\",\"Value\":\"/wA=\"}}}",
		 member, message, version, signature, url);
	return out;
}

#define MESSAGE "he said \\\"hi\\\""

static void notifications(void **state)
{
	struct sqs_trust trust;
	struct sqs_notification n;
	bool is;

	make_certificate();
	sqs_trust_init(&trust);
	trust.fetch = fetch;
	for (int round = 0; round < 4; round++) {
		const char *doc = notification(MESSAGE, round % 2 ? "s" : NULL, round < 2 ? "1" : "2", SNS_URL);

		if (sqs_notification_read(&trust, text(doc), &arena, &is, &n, &err) != SEAL_OK)
			fail_msg("%s", err.text);
		assert_true(is);
		assert_true(bytes_eq_str(n.message, "he said \"hi\""));
		assert_int_equal(n.timestamp_ms, 1795391656000);
		assert_int_equal(n.n, 2);
		assert_true(bytes_eq_str(n.attributes[0].name, "a") && bytes_eq_str(n.attributes[0].value, "v"));
		assert_true(n.attributes[1].binary && bytes_eq(n.attributes[1].value, BYTES_LIT("\xff\0")));
	}
	assert_int_equal(fetched, 1);
	/* changed, or another's */
	assert_int_equal(sqs_notification_read(&trust, text(notification("he said \\\"ho\\\"", NULL, "2", SNS_URL)),
					       &arena, &is, &n, &err),
			 SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_TAMPERED);
	err_clear(&err);
	assert_int_equal(sqs_notification_read(
				 &trust, text(notification(MESSAGE, NULL, "2", "https://evil.example.com/a.pem")),
				 &arena, &is, &n, &err),
			 SEAL_DATA);
	assert_non_null(strstr(err.text, "does not lie at a host of SNS"));
	assert_int_equal(sqs_notification_read(NULL, text(notification("x", NULL, "2", "y")), &arena, &is, &n, &err),
			 SEAL_OK);
	assert_true(is && bytes_eq_str(n.message, "x"));
	assert_int_equal(
		sqs_notification_read(&trust, text("{\"TopicArn\":\"x\",\"Type\":\"Other\"}"), &arena, &is, &n, &err),
		SEAL_OK);
	assert_false(is);
	sqs_trust_clear(&trust);
	/* what cannot be had is not asked for again for a while */
	sqs_trust_init(&trust);
	trust.fetch = fail_to_fetch;
	trust.again_ms = UINT64_MAX;
	fetched = 0;
	for (int i = 0; i < 3; i++) {
		err_clear(&err);
		assert_int_equal(sqs_notification_read(&trust, text(notification(MESSAGE, NULL, "2", SNS_URL)),
						       &arena, &is, &n, &err),
				 SEAL_RETRY);
		assert_string_equal(err.text, "is away");
	}
	assert_int_equal(fetched, 1);
	trust.again_ms = 0;
	trust.fetch = fetch;
	for (int i = 0; i < 2; i++)
		assert_int_equal(sqs_notification_read(&trust, text(notification(MESSAGE, NULL, "2", SNS_URL)),
						       &arena, &is, &n, &err),
				 SEAL_OK);
	assert_int_equal(fetched, 2);
	sqs_trust_clear(&trust);
	EVP_PKEY_free(key);
	assert_int_equal(certificate_verify(text("nonsense"), CERTIFICATE_SHA1, text("a"), text("b"), NULL),
			 SEAL_DATA);
}

static enum seal_status fetch_html(const char *url, struct seal_buf *out, struct seal_err *e)
{
	fetched++;
	return buf_append_str(out, "<html>sign in</html>", e);
}

static size_t allocations, fail_at;

static bool allow(void *arg, size_t size)
{
	return ++allocations != fail_at;
}

/* A certificate that could not be kept, or was none, is no certificate: no record is to blame for that. */
static void certificates_that_fail(void **state)
{
	struct seal_bytes doc;
	struct sqs_trust trust;
	struct sqs_notification n;
	bool is;

	make_certificate();
	doc = text(notification(MESSAGE, NULL, "2", SNS_URL));
	fail_at = 1;
	do {
		enum seal_status rc;

		sqs_trust_init(&trust);
		trust.fetch = fetch;
		arena_clear(&arena);
		allocations = 0;
		mem_set_hook(allow, NULL);
		rc = sqs_notification_read(&trust, doc, &arena, &is, &n, &err);
		mem_set_hook(NULL, NULL);
		assert_true(rc == SEAL_OK || rc == SEAL_FATAL);
		err_clear(&err);
		assert_int_equal(sqs_notification_read(&trust, doc, &arena, &is, &n, &err), SEAL_OK);
		sqs_trust_clear(&trust);
	} while (allocations >= fail_at++);
	assert_true(fail_at > 5);
	sqs_trust_init(&trust);
	trust.again_ms = 0;
	trust.fetch = fetch_html;
	assert_int_equal(sqs_notification_read(&trust, doc, &arena, &is, &n, &err), SEAL_RETRY);
	assert_non_null(strstr(err.text, "is no certificate"));
	trust.fetch = fetch;
	err_clear(&err);
	assert_int_equal(sqs_notification_read(&trust, doc, &arena, &is, &n, &err), SEAL_OK);
	sqs_trust_clear(&trust);
	EVP_PKEY_free(key);
}

static bool answer_status(struct test_server *server, int fd, const struct test_request *r)
{
	return test_reply(fd, (unsigned)strtoul(r->target + 1, NULL, 10), "Retry-After: 0\r\n", "pem");
}

/* Only a certificate that is not there is the record's own fault. */
static void fetches(void **state)
{
	static const struct {
		const char *path;
		enum seal_status status;
	} rows[] = {{"/200.pem", SEAL_OK},   {"/404.pem", SEAL_DATA},  {"/403.pem", SEAL_DATA},
		    {"/301.pem", SEAL_DATA}, {"/429.pem", SEAL_RETRY}, {"/408.pem", SEAL_RETRY},
		    {"/503.pem", SEAL_RETRY}};
	struct test_server server;
	struct sqs_trust trust;
	char url[100];

	sqs_trust_init(&trust);
	test_server_start(&server, answer_status, NULL);
	for (size_t i = 0; i <= sizeof(rows) / sizeof(rows[0]); i++) {
		const bool gone = i == sizeof(rows) / sizeof(rows[0]);
		struct seal_buf got = BUF_INIT(1000);

		if (gone)
			test_server_stop(&server);
		snprintf(url, sizeof(url), "%s%s", server.url, gone ? "/gone.pem" : rows[i].path);
		err_clear(&err);
		if (trust.fetch(url, &got, &err) != (gone ? SEAL_RETRY : rows[i].status))
			fail_msg("%s: %s", url, err.text);
		assert_true(err.status == SEAL_OK ? bytes_eq_str(buf_bytes(&got), "pem") : got.len == 0);
		buf_clear(&got);
	}
	sqs_trust_clear(&trust);
}

static void certificate_places(void **state)
{
	static const char *const bad[] = {"http://sns.eu-west-1.amazonaws.com/a.pem",
					  "https://sns.eu-west-1.amazonaws.com/a.txt",
					  "https://sns.eu-west-1.amazonaws.com.evil.com/a.pem",
					  "https://evil.com/sns.eu-west-1.amazonaws.com/a.pem",
					  "https://sns.a.b.amazonaws.com/a.pem",
					  "https://sns.eu-west-1.amazonaws.com:444/a.pem",
					  "https://x@sns.eu-west-1.amazonaws.com/a.pem",
					  "https://sns.eu-west-1.amazonaws.com/a?.pem",
					  "https://s3.eu-west-1.amazonaws.com/a.pem",
					  "https://.pem"};

	assert_true(sqs_certificate_url(text(SNS_URL)));
	assert_true(sqs_certificate_url(text("https://sns.cn-north-1.amazonaws.com.cn/a.pem")));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sqs_certificate_url(text(bad[i])))
			fail_msg("%s", bad[i]);
}

static void answers_of_sns(void **state)
{
	static const char answer[] =
		"<PublishBatchResponse><PublishBatchResult><Failed><member><Message>no</Message><Code>InternalError</"
		"Code>"
		"<Id>2</Id><SenderFault>false</SenderFault></member><member><Id>0</Id><Code>InvalidParameter</Code>"
		"<SenderFault>true</SenderFault></member></Failed><Successful><member><MessageId>m</MessageId><Id>1</"
		"Id></member>"
		"<member><Id>77</Id></member></Successful></PublishBatchResult></PublishBatchResponse>";
	static const char limits[] =
		"<R><Attributes><entry><key>MaximumMessageSize</key><value>2048</value></entry><entry>"
		"<key>Other</key><value>7</value></entry></Attributes></R>";
	struct aws_entry e[4];
	size_t max = 5;

	assert_int_equal(sns_entries_read(text(answer), 4, e, &err), SEAL_OK);
	assert_true(e[0].failed && e[0].failure == AWS_REFUSED);
	assert_string_equal(e[0].code, "InvalidParameter");
	assert_true(e[1].good && !e[1].failed);
	assert_true(e[2].failed && e[2].failure == AWS_AWAY);
	assert_true(!e[3].good && !e[3].failed);
	assert_int_equal(sns_entries_read(text("<html>"), 4, e, &err), SEAL_DATA);
	assert_int_equal(sns_limit_read(text(limits), &max, &err), SEAL_OK);
	assert_int_equal(max, 2048);
}

/* What is refused is heard before what waits, and who is throttled is told as busy. */
static void outcomes(void **state)
{
	static const struct aws_entry good = {.good = true}, unknown = {.good = false},
				      away = {.failed = true, .failure = AWS_AWAY, .code = "InternalError"},
				      slow = {.failed = true, .failure = AWS_THROTTLED, .code = "Throttled"},
				      denied = {.failed = true, .failure = AWS_DENIED, .code = "AccessDenied"},
				      bad = {.failed = true, .failure = AWS_REFUSED, .code = "InvalidParameter"};
	const struct {
		struct aws_entry entries[3];
		enum outbox_result results[3];
		enum seal_status status;
		enum seal_code code;
		const char *text;
	} rows[] = {{{good, good, good}, {OUTBOX_DONE, OUTBOX_DONE, OUTBOX_DONE}, SEAL_OK, SEAL_E_NONE, ""},
		    {{slow, good, slow},
		     {OUTBOX_RETRY, OUTBOX_DONE, OUTBOX_RETRY},
		     SEAL_RETRY,
		     SEAL_E_BUSY,
		     "SNS did not take a message: Throttled"},
		    {{good, unknown, slow},
		     {OUTBOX_DONE, OUTBOX_UNSENT, OUTBOX_RETRY},
		     SEAL_RETRY,
		     SEAL_E_SERVICE,
		     "SNS did not take a message: no word of it"},
		    {{away, bad, denied},
		     {OUTBOX_UNSENT, OUTBOX_FAILED, OUTBOX_FAILED},
		     SEAL_DATA,
		     SEAL_E_SERVICE,
		     "SNS refused a message: InvalidParameter"},
		    {{denied, slow, bad},
		     {OUTBOX_FAILED, OUTBOX_RETRY, OUTBOX_FAILED},
		     SEAL_DENIED,
		     SEAL_E_SERVICE,
		     "SNS refused a message: AccessDenied"}};
	struct outbox_item all[3], *const items[] = {&all[0], &all[1], &all[2]};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		err_clear(&err);
		aws_entries_judge("SNS", rows[i].entries, items, 3, &err);
		for (size_t k = 0; k < 3; k++) {
			assert_int_equal(all[k].result, rows[i].results[k]);
			assert_int_equal(all[k].throttled, all[k].result == OUTBOX_RETRY);
		}
		assert_int_equal(err.status, rows[i].status);
		assert_int_equal(err.code, rows[i].code);
		assert_string_equal(err.text, rows[i].text);
	}
}

/* ---- a queue ---- */

/* Keeps what it gets, lends it once. "again" fails the first time with a fault of the server's, "slow" is throttled once, "never" refused. */
static struct {
	struct test_server server;
	pthread_mutex_t lock;
	char bodies[100][200];
	char groups[100][40], ids[100][60];
	size_t n, lent, deleted;
	unsigned again, slow, batches;
	unsigned undeleted; /* so many deletions fail by a fault of the server's */
	bool bad_sum, bent, forged; /* bent: it is the attributes' sum that is wrong */
} q;

static void hex_md5(const char *body, char out[33])
{
	uint8_t digest[MD5_LEN];

	assert_true(md5(text(body), digest));
	hex_encode(bytes_of(digest, sizeof(digest)), out);
	out[32] = '\0';
}

static void put_copy(const struct json_value *value, char *out, size_t room)
{
	struct seal_bytes t;
	struct arena own;

	arena_init(&own, 0);
	assert_int_equal(json_value_string(value, &own, &t, NULL), SEAL_OK);
	snprintf(out, room, "%.*s", BYTES_FMT(t));
	arena_clear(&own);
}

static bool first_time(const char *body, const char *word, unsigned *times)
{
	return strcmp(body, word) == 0 && (*times)++ == 0;
}

/* A FIFO queue takes a message whose id it has seen, and keeps it where it was. */
static bool is_known(void)
{
	size_t i = 0;

	while (i < q.n && strcmp(q.ids[i], q.ids[q.n]) != 0)
		i++;
	return q.ids[q.n][0] != '\0' && i < q.n;
}

static bool answer_send(int fd, const struct json_value *root)
{
	static const char *const lists[] = {"Entries"}, *const names[] = {"Id", "MessageBody", "MessageGroupId",
									  "MessageDeduplicationId"};
	char good[8000] = "", bad[2000] = "", out[12000], id[8], body[200], sum[33];
	struct json_value list, entry, found[4];
	struct json_items items;

	q.batches++;
	json_members(root, lists, 1, &list);
	json_items(&list, &items);
	while (json_item_next(&items, &entry)) {
		const char *code = NULL;

		json_members(&entry, names, 4, found);
		put_copy(&found[0], id, sizeof(id));
		put_copy(&found[1], body, sizeof(body));
		if (first_time(body, "again", &q.again))
			code = "InternalError\",\"SenderFault\":false";
		else if (first_time(body, "slow", &q.slow))
			code = "RequestThrottled\",\"SenderFault\":true";
		else if (strcmp(body, "never") == 0)
			code = "InvalidMessageContents\",\"SenderFault\":true";
		if (code != NULL) {
			snprintf(bad + strlen(bad), sizeof(bad) - strlen(bad), "%s{\"Id\":\"%s\",\"Code\":\"%s}",
				 bad[0] ? "," : "", id, code);
			continue;
		}
		hex_md5(q.bad_sum ? "other" : body, sum);
		snprintf(q.bodies[q.n], sizeof(q.bodies[0]), "%s", body);
		put_copy(&found[2], q.groups[q.n], sizeof(q.groups[0]));
		put_copy(&found[3], q.ids[q.n], sizeof(q.ids[0]));
		q.n += !is_known();
		snprintf(good + strlen(good), sizeof(good) - strlen(good),
			 "%s{\"Id\":\"%s\",\"MessageId\":\"m\",\"MD5OfMessageBody\":\"%s\"}", good[0] ? "," : "", id,
			 sum);
	}
	snprintf(out, sizeof(out), "{\"Failed\":[%s],\"Successful\":[%s]}", bad, good);
	return test_reply(fd, 200, "", out);
}

static bool answer_receive(int fd)
{
	char out[6000] = "{\"Messages\":[", sum[33];

	if (q.lent == q.n) /* as one stand-in says that there are none */
		return test_reply(fd, 200, "", "");

	for (unsigned i = 0; q.lent < q.n && i < 10; i++, q.lent++) {
		const bool bent = strcmp(q.bodies[q.lent], "spoiled") == 0 && q.bent;

		hex_md5(strcmp(q.bodies[q.lent], "spoiled") == 0 && !bent ? "other" : q.bodies[q.lent], sum);
		snprintf(out + strlen(out), sizeof(out) - strlen(out),
			 "%s{\"MessageId\":\"m%zu\",\"ReceiptHandle\":\"h%zu\",\"Body\":\"%s\",\"MD5OfBody\":\"%s\","
			 "\"MD5OfMessageAttributes\":\"%s\","
			 "\"Attributes\":{"
			 "\"SentTimestamp\":\"1795320001904\"},\"MessageAttributes\":{\"h\":{\"DataType\":\"String."
			 "x\",\"StringValue\":"
			 "\"v\"}}}",
			 i > 0 ? "," : "", q.lent, q.lent, q.bodies[q.lent], sum,
			 bent ? "0" : "c3e6db1a0d4c15fc84d421aa4a1972ae");
	}
	snprintf(out + strlen(out), sizeof(out) - strlen(out), "]}");
	return test_reply(fd, 200, "", out);
}

static bool answer_delete(int fd, const struct json_value *root)
{
	static const char *const lists[] = {"Entries"}, *const names[] = {"Id"};
	char good[2000] = "", bad[200] = "", out[2300], id[8];
	struct json_value list, entry, found;
	struct json_items items;

	json_members(root, lists, 1, &list);
	json_items(&list, &items);
	while (json_item_next(&items, &entry)) {
		json_members(&entry, names, 1, &found);
		put_copy(&found, id, sizeof(id));
		if (q.undeleted > 0) {
			q.undeleted--;
			snprintf(bad, sizeof(bad), "{\"Id\":\"%s\",\"Code\":\"InternalError\",\"SenderFault\":false}",
				 id);
			continue;
		}
		q.deleted++;
		snprintf(good + strlen(good), sizeof(good) - strlen(good), "%s{\"Id\":\"%s\"}", good[0] ? "," : "",
			 id);
	}
	snprintf(out, sizeof(out), "{\"Successful\":[%s],\"Failed\":[%s]}", good, bad);
	return test_reply(fd, 200, "", out);
}

static bool answer(struct test_server *server, int fd, const struct test_request *r)
{
	char target[80] = "";
	struct json_value root;
	bool keep;

	(void)test_request_header(r, "X-Amz-Target", target, sizeof(target));
	pthread_mutex_lock(&q.lock);
	assert_int_equal(json_value_of(bytes_of(r->body, r->body_len), &root, NULL), SEAL_OK);
	q.forged |= !aws_signature_holds(r, "secret");
	if (strcmp(target, "AmazonSQS.GetQueueUrl") == 0)
		keep = test_reply(fd, 200, "", "{\"QueueUrl\":\"http://elsewhere:1/000/q\"}");
	else if (strcmp(target, "AmazonSQS.GetQueueAttributes") == 0)
		keep = test_reply(fd, 200, "", "{\"Attributes\":{\"MaximumMessageSize\":\"150\"}}");
	else if (strcmp(target, "AmazonSQS.SendMessageBatch") == 0)
		keep = answer_send(fd, &root);
	else if (strcmp(target, "AmazonSQS.ReceiveMessage") == 0)
		keep = answer_receive(fd);
	else if (strcmp(target, "AmazonSQS.DeleteMessageBatch") == 0)
		keep = answer_delete(fd, &root);
	else
		keep = test_reply(fd, 400, "", "{\"__type\":\"UnsupportedOperation\"}");
	pthread_mutex_unlock(&q.lock);
	return keep;
}

static int start(void **state)
{
	fresh(state);
	memset(&q, 0, sizeof(q));
	pthread_mutex_init(&q.lock, NULL);
	test_server_start(&q.server, answer, NULL);
	aws_nothing();
	aws_plain(q.server.url);
	return 0;
}

static int stop(void **state)
{
	test_server_stop(&q.server);
	pthread_mutex_destroy(&q.lock);
	return 0;
}

static struct sink *open_it(const char *address)
{
	struct sqs_options options;
	struct sink *sink;

	assert_int_equal(opt_defaults(sqs_sink_rows, memset(&options, 0, sizeof(options)), &arena, &err), SEAL_OK);
	options.requests = 1;
	if (sqs_sink_ops.open(address, &options, &sink, &err) != SEAL_OK)
		fail_msg("%s", err.text);
	return sink;
}

static void write_one(struct sink *sink, const char *body, const char *record_key, uint64_t ticket)
{
	const struct record record = {.value = text(body),
				      .key = record_key != NULL ? text(record_key) : BYTES_EMPTY};

	assert_int_equal(sink->ops->write(sink, &record, 1, ticket, 60000, &err), SEAL_OK);
}

static void sends_what_failed_again(void **state)
{
	struct sink *sink = open_it("q");
	uint64_t done = 0;

	for (uint64_t i = 0; i < 25; i++)
		write_one(sink, i == 3 ? "again" : i == 5 ? "slow" : "good", NULL, i + 1);
	assert_int_equal(sink->ops->flush(sink, 60000, &err), SEAL_OK);
	assert_int_equal(sink->ops->poll(sink, 0, &done, &err), SEAL_OK);
	assert_int_equal(done, 25);
	assert_int_equal(q.n, 25);
	assert_int_equal(q.again, 2);
	assert_int_equal(q.slow, 2);
	assert_false(q.forged);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
}

static void order_of_groups(void **state)
{
	struct sink *sink = open_it("q.fifo");
	static const char *const bodies[] = {"one", "again", "two", "three", "four"};
	struct record five[5];

	for (size_t i = 0; i < 5; i++)
		five[i] = (struct record){.value = text(bodies[i]), .key = text("k")};
	assert_int_equal(sink->ops->write(sink, five, 5, 1, 60000, &err), SEAL_OK); /* in one request */
	assert_int_equal(sink->ops->flush(sink, 60000, &err), SEAL_OK);
	/* What stood behind the failed one was there before it: it stands behind it once more, as another message. */
	assert_string_equal(q.bodies[0], "one");
	assert_string_equal(q.groups[0], "k");
	assert_true(q.n > 5);
	assert_string_equal(q.bodies[q.n - 4], "again");
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(q.bodies[q.n - 3 + i], bodies[2 + i]);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
}

/* A queue beside it; a name that no queue can have is not cut until one can. */
static void other_queues(void **state)
{
	char longer[] = "a123456789b123456789c123456789d123456789e123456789f123456789g123456789h1234567890";
	struct record record = {.value = text("good"), .topic = bytes_of(longer, 80)};
	struct sink *sink = open_it("q");
	enum seal_status rc;

	assert_int_equal(sink->ops->write(sink, &record, 1, 1, 60000, &err), SEAL_OK);
	assert_int_equal(sink->ops->flush(sink, 60000, &err), SEAL_OK);
	assert_int_equal(q.n, 1);
	record.topic.len = 81;
	assert_int_equal(sink->ops->write(sink, &record, 1, 2, 60000, &err), SEAL_OK);
	while ((rc = sink->ops->flush(sink, 60000, &err)) == SEAL_RETRY)
		err_clear(&err);
	assert_int_equal(rc, SEAL_USAGE);
	assert_non_null(strstr(err.text, "cannot be the name of a queue"));
	assert_int_equal(q.n, 1);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
}

static void refusals(void **state)
{
	struct record record = {.value = text("never")};
	struct sink *sink = open_it("q");
	char longer[152];
	enum seal_status rc;

	write_one(sink, "never", NULL, 1);
	while ((rc = sink->ops->flush(sink, 60000, &err)) == SEAL_RETRY)
		err_clear(&err);
	assert_int_equal(rc, SEAL_DATA);
	assert_non_null(strstr(err.text, "InvalidMessageContents"));
	memset(longer, 'x', sizeof(longer));
	record.value = bytes_of(longer, 150); /* the queue's limit */
	err_clear(&err);
	assert_int_equal(sink->ops->check(sink, &record, &err), SEAL_OK);
	record.value.len = 151;
	assert_int_equal(sink->ops->check(sink, &record, &err), SEAL_DATA);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);

	q.bad_sum = true;
	err_clear(&err);
	sink = open_it("q");
	write_one(sink, "x", NULL, 1);
	assert_int_equal(sink->ops->flush(sink, 60000, &err), SEAL_FATAL);
	assert_non_null(strstr(err.text, "check sum differs"));
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
}

static void read_queue(const char *address, size_t spoiled, size_t wanted)
{
	struct sqs_options options;
	struct record records[64];
	struct batch batch = {.records = records, .cap = 64};
	enum read_result result = READ_IDLE;
	struct source *source;
	size_t n = 0;

	for (q.n = 0; q.n < 23; q.n++)
		snprintf(q.bodies[q.n], sizeof(q.bodies[0]), "%s", q.n == spoiled ? "spoiled" : "body 1");
	assert_int_equal(opt_defaults(sqs_source_rows, memset(&options, 0, sizeof(options)), &arena, &err), SEAL_OK);
	options.exit = true;
	assert_int_equal(sqs_source_ops.open(address, &options, &source, &err), SEAL_OK);
	arena_init(&batch.arena, 0);
	while (result != READ_END) {
		batch.n = 0;
		if (source->ops->read(source, &batch, 64, 5000, &result, &err) != SEAL_OK)
			fail_msg("%s", err.text);
		if (result != READ_SOME)
			continue;
		for (size_t i = 0; i < batch.n; i++) {
			assert_true(bytes_starts(records[i].value, BYTES_LIT("body ")));
			assert_int_equal(records[i].timestamp_ms, 1795320001904);
			assert_int_equal(records[i].n_headers, 1);
			assert_true(bytes_eq_str(records[i].headers[0].value, "v"));
			assert_true(bytes_starts(records[i].topic, BYTES_LIT("q")));
		}
		n += batch.n;
		assert_int_equal(source->ops->commit(source, &batch, &err), SEAL_OK);
		source->ops->release(source, &batch);
		arena_reset(&batch.arena);
	}
	assert_int_equal(source->ops->sync(source, &err), SEAL_OK);
	assert_int_equal(n, wanted);
	assert_int_equal(q.deleted, wanted);
	assert_false(q.forged);
	source->ops->close(source, true);
	arena_clear(&batch.arena);
}

static void reads_and_deletes(void **state)
{
	read_queue("arn:aws:sqs:eu-west-1:000:q", SIZE_MAX, 23);
}

/* Of a batch only what failed is asked for again. */
static void deletes_what_failed_again(void **state)
{
	q.undeleted = 1;
	read_queue("arn:aws:sqs:eu-west-1:000:q", SIZE_MAX, 23);
	assert_int_equal(q.undeleted, 0);
}

/* One that is not what its check sum says waits alone. */
static void reads_others(void **state)
{
	read_queue("arn:aws:sqs:eu-west-1:000:q", 7, 22);
}

static void reads_others_than_bent_ones(void **state)
{
	q.bent = true;
	read_queue("arn:aws:sqs:eu-west-1:000:q", 7, 22);
}

/* … and on a FIFO queue with those behind it: of ten, seven are read. */
static void reads_those_before(void **state)
{
	read_queue("arn:aws:sqs:eu-west-1:000:q.fifo", 7, 20);
}

static int begin(void **state)
{
	arena_init(&arena, 0);
	return 0;
}

static int end(void **state)
{
	arena_clear(&arena);
	aws_remove_home();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)
#define QUEUE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages),
		TEST(names),
		TEST(bytes_as_text),
		TEST(check_sums),
		TEST(what_cannot_be),
		TEST(addresses),
		TEST(notifications),
		TEST(certificates_that_fail),
		TEST(fetches),
		TEST(certificate_places),
		TEST(answers_of_sns),
		TEST(outcomes),
		QUEUE(sends_what_failed_again),
		QUEUE(order_of_groups),
		QUEUE(other_queues),
		QUEUE(refusals),
		QUEUE(reads_and_deletes),
		QUEUE(deletes_what_failed_again),
		QUEUE(reads_others),
		QUEUE(reads_others_than_bent_ones),
		QUEUE(reads_those_before),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
