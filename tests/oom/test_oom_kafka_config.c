/* streams/kafka: settings files and their translation. librdkafka's own allocations are not counted: it aborts on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "oom.h"
#include "streams/kafka/kafka.h"
#include "streams/kafka/oauth.h"

static const char file[] = "[default]\nbootstrap.servers=h:1\nbuffer.memory=4096\nssl.keystore.type=PEM\n"
			   "sasl.jaas.config=x.PlainLoginModule required \\\n username=\"u\" password=\"p\";\n"
			   "ssl.keystore.location=x.pem\n[consumer]\ngroup.id=g\n[encryptor]\nsourcetopic=a\n";

static enum seal_status load(void *arg, struct seal_err *err)
{
	struct kafka_config config;
	enum seal_status rc;

	kafka_config_init(&config);
	SEAL_TRY(kafka_config_parse(&config, bytes_str(arg), "f.ini", err));
	SEAL_TRY(kafka_config_override(&config, "topic.acks=1", err));
	SEAL_TRY(kafka_config_set(&config, "client.id", "c", err));
	SEAL_TRY(kafka_config_translate(&config, err));
	assert_string_equal(kafka_config_get(&config, KAFKA_CONSUMER, "sasl.password"), "p");
	assert_string_equal(kafka_config_get(&config, KAFKA_CONSUMER, "ssl.key.location"), "x.pem");
out:
	kafka_config_clear(&config);
	return rc;
}

/* A file large enough that the arena needs more than one block: each failure is one of memory, none of the settings. */
static void loads(void **state)
{
	struct seal_buf text = BUF_INIT(1 << 20);

	assert_int_equal(buf_append_str(&text, "# padding\n", NULL), SEAL_OK);
	for (int i = 0; i < 900; i++)
		assert_int_equal(buf_printf(&text, NULL, "padding.%d=%0*d\n", i, 300, i), SEAL_OK);
	assert_int_equal(buf_append_str(&text, file, NULL), SEAL_OK);
	assert_int_equal(buf_append_u8(&text, 0, NULL), SEAL_OK);
	assert_true(oom_each(load, text.ptr) >= 4);
	buf_clear(&text);
}

static const char login[] = "sasl.mechanism=OAUTHBEARER\n"
			    "sasl.oauthbearer.token.endpoint.url=http://127.0.0.1:1/token\n"
			    "sasl.jaas.config=x.OAuthBearerLoginModule required clientId=a clientSecret=b scope=c "
			    "extension_d=e;\n";

static enum seal_status oauth(void *arg, struct seal_err *err)
{
	struct kafka_config config;
	struct oauth *made = NULL;
	enum seal_status rc;

	(void)arg;
	kafka_config_init(&config);
	SEAL_TRY(kafka_config_parse(&config, bytes_str(login), "f.ini", err));
	SEAL_TRY(kafka_config_translate(&config, err));
	SEAL_TRY(oauth_new(&config, KAFKA_CONSUMER, false, &made, err));
	assert_non_null(made);
out:
	oauth_free(made);
	kafka_config_clear(&config);
	return rc;
}

static enum seal_status reads_token(void *arg, struct seal_err *err)
{
	struct oauth_token token = OAUTH_TOKEN_INIT;
	enum seal_status rc = oauth_answer_read(bytes_str(arg), 1000, &token, err);

	assert_true(rc == SEAL_OK || token.text.ptr == NULL);
	oauth_token_clear(&token);
	return rc;
}

static void logs_in(void **state)
{
	static char answer[] = "{\"access_token\":\"eyJhbGciOiJub25lIn0.eyJleHAiOjIwMDB9.\"}";

	assert_true(oom_each(oauth, NULL) >= 3);
	assert_true(oom_each(reads_token, answer) >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads),
		cmocka_unit_test(logs_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
