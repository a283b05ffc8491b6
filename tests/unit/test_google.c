/* google/credentials, jwt, answer: what is read, what is signed, and what is told of anything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "google/answer.h"
#include "http/token_answer.h"
#include "google/credentials.h"
#include "google/jwt.h"
#include "google_fixture.h"

/* ---- files ---- */

static void a_service_account_is_read(void **state)
{
	struct seal_buf file = BUF_INIT(16384);
	struct google_credentials c;

	service_account_file(&file);
	assert_int_equal(credentials_read(buf_bytes(&file), "key.json", &c, NULL), SEAL_OK);
	assert_int_equal(c.kind, CREDENTIALS_SERVICE_ACCOUNT);
	assert_string_equal(c.email, "seal@shop-1.iam.gserviceaccount.com");
	assert_string_equal(c.key_id, "k1");
	assert_string_equal(c.project, "shop-1");
	assert_null(c.quota_project);
	assert_string_equal(c.source, "key.json");
	assert_true(c.key.len > 1000);
	credentials_clear(&c);
	assert_null(c.key.der.ptr);
	buf_clear(&file);
}

static void a_user_is_read(void **state)
{
	struct google_credentials c;

	assert_int_equal(
		credentials_read(BYTES_LIT(USER_FILE ",\"quota_project_id\":\"bill-1\"}"), "adc.json", &c, NULL),
		SEAL_OK);
	assert_int_equal(c.kind, CREDENTIALS_USER);
	assert_string_equal(c.client_id, "id 1");
	assert_string_equal((const char *)c.client_secret.ptr, "s&cret");
	assert_string_equal((const char *)c.refresh_token.ptr, "1//0r");
	assert_string_equal(c.token_uri, "https://oauth2.googleapis.com/token");
	assert_string_equal(c.quota_project, "bill-1");
	assert_null(c.project);
	credentials_clear(&c);
	assert_null(c.refresh_token.ptr);
	assert_int_equal(credentials_read(BYTES_LIT(USER_FILE ",\"token_uri\":\"https://t.example/x\"}"), "adc.json",
					  &c, NULL),
			 SEAL_OK);
	assert_string_equal(c.token_uri, "https://t.example/x");
	credentials_clear(&c);
}

/* `text` is refused with words among which are `says`, and nothing is left of it. */
static void refused(const char *text, const char *says)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct google_credentials c;

	if (credentials_read(bytes_str(text), "f.json", &c, &err) != SEAL_USAGE)
		fail_msg("taken: %s", text);
	assert_int_equal(err.code, SEAL_E_CONFIG);
	if (strstr(err.text, says) == NULL || strstr(err.text, "f.json") == NULL || strchr(err.text, '\n') != NULL)
		fail_msg("%s: %s", text, err.text);
	assert_null(strstr(err.text, "s&cret"));
	assert_int_equal(c.kind, CREDENTIALS_NONE);
	assert_null(c.client_secret.ptr);
	assert_null(c.refresh_token.ptr);
	assert_null(c.key.der.ptr);
}

static void other_files_are_refused(void **state)
{
	refused("", "no JSON object");
	refused("[]", "no JSON object");
	refused("{\"type\":\"authorized_user\"", "no JSON object");
	refused("{}", "neither service_account nor authorized_user");
	refused("{\"type\":7}", "neither service_account nor authorized_user");
	refused("{\"type\":\"gdch_service_account\"}", "neither service_account nor authorized_user");
	refused("{\"type\":\"external_account\"}", "is for an external_account");
	refused("{\"type\":\"external_account_authorized_user\"}", "is for an external_account_authorized_user");
	refused("{\"type\":\"impersonated_service_account\"}", "is for an impersonated_service_account");
	refused("{\"type\":\"authorized_user\",\"universe_domain\":\"s3nsapis.fr\"}", "universe_domain");
	refused("{\"type\":\"authorized_user\"}", "\"client_id\"");
	refused("{\"type\":\"authorized_user\",\"client_id\":\"i\"}", "\"client_secret\"");
	refused("{\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"s&cret\"}",
		"\"refresh_token\"");
	refused("{\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"s&cret\",\"refresh_token\":"
		"\"\"}",
		"\"refresh_token\"");
	refused("{\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"s&cret\","
		"\"refresh_token\":\"\\u0000\"}",
		"\"refresh_token\"");
	refused("{\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"s&cret\","
		"\"refresh_token\":\"\\ud800\"}",
		"\"refresh_token\"");
	refused("{\"type\":\"authorized_user\",\"client_id\":\"\\ud800\"}", "no Unicode");
	refused("{\"type\":\"service_account\"}", "\"client_email\"");
	refused("{\"type\":\"service_account\",\"client_email\":\"e\"}", "\"private_key\"");
	refused("{\"type\":\"service_account\",\"client_email\":\"e\",\"private_key\":\"x\"}", "PKCS #8");
}

/* ---- where they are found ---- */

static void found_where_google_looks(void **state)
{
	char places[CREDENTIALS_PLACES_MAX], file[TEST_PATH_MAX], home[] = "/tmp/test_google_home.XXXXXX", path[256];
	struct google_credentials c;
	struct seal_err err = SEAL_ERR_INIT;

	forget_google();
	write_file(USER_FILE "}", file);
	assert_non_null(mkdtemp(home));

	setenv("HOME", home, 1);
	assert_int_equal(credentials_find(NULL, &c, places, NULL), SEAL_OK);
	assert_int_equal(c.kind, CREDENTIALS_NONE);
	snprintf(path, sizeof(path), "%s/.config/gcloud/application_default_credentials.json", home);
	assert_non_null(strstr(places, path));
	assert_non_null(strstr(places, "GOOGLE_APPLICATION_CREDENTIALS is not set"));
	credentials_clear(&c);

	setenv("CLOUDSDK_CONFIG", home, 1);
	snprintf(path, sizeof(path), "%s/application_default_credentials.json", home);
	assert_int_equal(link(file, path), 0);
	assert_int_equal(credentials_find(NULL, &c, places, NULL), SEAL_OK);
	assert_int_equal(c.kind, CREDENTIALS_USER);
	assert_string_equal(c.source, path);
	assert_string_equal(places, "");
	credentials_clear(&c);

	setenv("GOOGLE_APPLICATION_CREDENTIALS", file, 1);
	assert_int_equal(credentials_find(NULL, &c, places, NULL), SEAL_OK);
	assert_string_equal(c.source, file);
	credentials_clear(&c);
	assert_int_equal(credentials_find(path, &c, places, NULL), SEAL_OK);
	assert_string_equal(c.source, path);
	credentials_clear(&c);

	unlink(file);
	assert_int_equal(credentials_find(NULL, &c, places, &err), SEAL_DENIED);
	assert_non_null(strstr(err.text, "GOOGLE_APPLICATION_CREDENTIALS"));
	assert_non_null(strstr(err.text, file));
	credentials_clear(&c);
	unlink(path);
	rmdir(home);
	forget_google();
}

/* ---- tokens of our own ---- */

/* The part of "Bearer A.B.C" with that number, decoded; a zero byte behind. */
static void part_of(const struct secret *header, size_t number, char *out, size_t room)
{
	struct seal_bytes text = bytes_str((const char *)header->ptr + 7);
	const uint8_t *dot;
	size_t len;

	while (number-- > 0) {
		dot = memchr(text.ptr, '.', text.len);
		assert_non_null(dot);
		text = bytes_skip(text, (size_t)(dot - text.ptr) + 1);
	}
	dot = memchr(text.ptr, '.', text.len);
	if (dot != NULL)
		text.len = (size_t)(dot - text.ptr);
	assert_true(BASE64_RAW_MAX(text.len) < room);
	assert_true(base64url_decode(text, (uint8_t *)out, &len));
	out[len] = '\0';
}

static void a_token_of_our_own(void **state)
{
	struct seal_buf file = BUF_INIT(16384);
	struct google_credentials c;
	struct secret header = SECRET_INIT;
	uint8_t expected[RSA_SIGNATURE_MAX];
	char text[1024];
	const char *signed_end;
	size_t len;

	service_account_file(&file);
	assert_int_equal(credentials_read(buf_bytes(&file), "key.json", &c, NULL), SEAL_OK);
	assert_int_equal(jwt_make(&c, "https://pubsub.googleapis.com/", "s", 1700000030, &header, NULL), SEAL_OK);
	assert_memory_equal(header.ptr, "Bearer ", 7);
	assert_int_equal(strlen((const char *)header.ptr) + 1, header.len);
	part_of(&header, 0, text, sizeof(text));
	assert_string_equal(text, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}");
	part_of(&header, 1, text, sizeof(text));
	assert_string_equal(text,
			    "{\"iss\":\"seal@shop-1.iam.gserviceaccount.com\","
			    "\"sub\":\"seal@shop-1.iam.gserviceaccount.com\","
			    "\"aud\":\"https://pubsub.googleapis.com/\",\"iat\":1700000000,\"exp\":1700003600}");
	signed_end = strrchr((const char *)header.ptr, '.');
	assert_int_equal(rsa_sign_sha256(&c.key,
					 bytes_of(header.ptr + 7, (size_t)(signed_end - (char *)header.ptr) - 7),
					 expected, &len, NULL),
			 SEAL_OK);
	part_of(&header, 2, text, sizeof(text));
	assert_memory_equal(text, expected, len);
	secret_clear(&header);

	assert_int_equal(jwt_make(&c, NULL, "scope \"x\"", 1700000030, &header, NULL), SEAL_OK);
	part_of(&header, 1, text, sizeof(text));
	assert_non_null(strstr(text, ",\"scope\":\"scope \\\"x\\\"\",\"iat\""));
	assert_null(strstr(text, "\"aud\""));
	secret_clear(&header);
	credentials_clear(&c);
	buf_clear(&file);
}

/* ---- answers ---- */

static void tokens_are_read(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"[]",
		"{\"access_token\":\"a b\",\"expires_in\":1}",
		"{\"access_token\":\"\",\"expires_in\":1}",
		"{\"access_token\":\"a\\n\",\"expires_in\":1}",
		"{\"access_token\":7,\"expires_in\":1}",
		"{\"access_token\":\"a\"}",
		"{\"access_token\":\"a\",\"expires_in\":0}",
		"{\"access_token\":\"a\",\"expires_in\":-5}",
		"{\"access_token\":\"a\",\"expires_in\":\"3\"}",
	};
	struct secret header = SECRET_INIT;
	uint64_t lifetime_s;

	assert_int_equal(token_answer_read(BYTES_LIT("{\"expires_in\":3599,\"access_token\":\"ya29.c-_/+=..\"}"),
					   &header, &lifetime_s, NULL),
			 SEAL_OK);
	assert_string_equal((const char *)header.ptr, "Bearer ya29.c-_/+=..");
	assert_int_equal(lifetime_s, 3599);
	secret_clear(&header);
	assert_int_equal(token_answer_read(BYTES_LIT("{\"expires_in\":4000000000,\"access_token\":\"a\"}"), &header,
					   &lifetime_s, NULL),
			 SEAL_OK);
	assert_int_equal(lifetime_s, TOKEN_ANSWER_LIFETIME_MAX_S);
	secret_clear(&header);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct seal_err err = SEAL_ERR_INIT;

		if (token_answer_read(bytes_str(bad[i]), &header, &lifetime_s, &err) != SEAL_RETRY)
			fail_msg("taken: %s", bad[i]);
		assert_null(header.ptr);
		assert_int_equal(err.code, SEAL_E_SERVICE);
	}
	assert_string_equal(
		token_answer_error(BYTES_LIT("{\"error\":\"invalid_grant\",\"error_description\":\"x\"}")),
		"invalid_grant");
	assert_string_equal(token_answer_error(BYTES_LIT("{\"error\":\"what they like\"}")), "");
	assert_string_equal(token_answer_error(BYTES_LIT("<html>")), "");
	assert_string_equal(token_answer_error(BYTES_EMPTY), "");
}

static void errors_are_read(void **state)
{
	char code[GOOGLE_CODE_MAX], message[ANSWER_MESSAGE_MAX], body[2048];

	answer_error(BYTES_LIT("{\"error\":{\"code\":404,\"message\":\"Resource\\nnot \\u001b[31mfound\","
			       "\"status\":\"NOT_FOUND\",\"details\":[{\"status\":\"X\"}]}}"),
		     code, message);
	assert_string_equal(code, "NOT_FOUND");
	assert_string_equal(message, "Resource?not ?[31mfound");
	answer_error(BYTES_LIT("<html>"), code, message);
	assert_string_equal(code, "");
	assert_string_equal(message, "");
	answer_error(BYTES_LIT("{\"error\":{\"message\":7,\"status\":\"not found\"}}"), code, message);
	assert_string_equal(code, "");
	assert_string_equal(message, "");
	answer_error(BYTES_LIT("{\"error\":\"invalid_grant\"}"), code, message);
	assert_string_equal(code, "");
	memset(body, 'a', sizeof(body));
	memcpy(body, "{\"error\":{\"message\":\"", 21);
	memcpy(body + sizeof(body) - 4, "\"}}", 4);
	answer_error(bytes_str(body), code, message);
	assert_int_equal(strlen(message), ANSWER_MESSAGE_MAX - 1);
}

static void classes(void **state)
{
	static const struct {
		unsigned status;
		const char *code;
		enum google_failure failure;
		enum seal_status rc;
	} rows[] = {
		{429, "RESOURCE_EXHAUSTED", GOOGLE_THROTTLED, SEAL_RETRY},
		{429, "", GOOGLE_THROTTLED, SEAL_RETRY},
		{403, "RESOURCE_EXHAUSTED", GOOGLE_THROTTLED, SEAL_RETRY},
		{503, "UNAVAILABLE", GOOGLE_AWAY, SEAL_RETRY},
		{500, "INTERNAL", GOOGLE_AWAY, SEAL_RETRY},
		{500, "UNKNOWN", GOOGLE_AWAY, SEAL_RETRY},
		{504, "DEADLINE_EXCEEDED", GOOGLE_AWAY, SEAL_RETRY},
		{409, "ABORTED", GOOGLE_AWAY, SEAL_RETRY},
		{499, "CANCELLED", GOOGLE_AWAY, SEAL_RETRY},
		{502, "", GOOGLE_AWAY, SEAL_RETRY},
		{408, "", GOOGLE_AWAY, SEAL_RETRY},
		{401, "UNAUTHENTICATED", GOOGLE_DENIED, SEAL_DENIED},
		{403, "PERMISSION_DENIED", GOOGLE_DENIED, SEAL_DENIED},
		{403, "", GOOGLE_DENIED, SEAL_DENIED},
		{404, "NOT_FOUND", GOOGLE_REFUSED, SEAL_USAGE},
		{404, "", GOOGLE_REFUSED, SEAL_USAGE},
		{302, "", GOOGLE_REFUSED, SEAL_USAGE},
		{400, "FAILED_PRECONDITION", GOOGLE_REFUSED, SEAL_USAGE},
		{409, "ALREADY_EXISTS", GOOGLE_REFUSED, SEAL_USAGE},
		{501, "UNIMPLEMENTED", GOOGLE_REFUSED, SEAL_USAGE},
		{400, "INVALID_ARGUMENT", GOOGLE_REFUSED, SEAL_DATA},
		{413, "", GOOGLE_REFUSED, SEAL_DATA},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct answer_class is = answer_classify(rows[i].status, rows[i].code);

		if (is.failure != rows[i].failure || is.status != rows[i].rc)
			fail_msg("%u %s: %d, %d", rows[i].status, rows[i].code, is.failure, is.status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_account_is_read), cmocka_unit_test(a_user_is_read),
		cmocka_unit_test(other_files_are_refused),   cmocka_unit_test(found_where_google_looks),
		cmocka_unit_test(a_token_of_our_own),	     cmocka_unit_test(tokens_are_read),
		cmocka_unit_test(errors_are_read),	     cmocka_unit_test(classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
