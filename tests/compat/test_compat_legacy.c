/*
 * Messages of the original script's form, made once with Python's `cryptography` under the data key 00 01 … 1f, with a nonce of 32
 * bytes: what it wrote stays readable.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/file.h"
#include "transfer/legacy.h"

static void load(const char *name, const char *suffix, struct seal_buf *out)
{
	char path[400];

	snprintf(path, sizeof(path), COMPAT_DIR "/legacy-1/%s.%s", name, suffix);
	assert_int_equal(file_read(path, out, NULL), SEAL_OK);
}

static void test_opens(void **state)
{
	static const char *const names[] = {"hex", "base64", "empty"};
	struct seal_buf file = BUF_INIT(1 << 16);
	struct legacy_message message;
	uint8_t key[32];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct seal_buf value = BUF_INIT(1 << 16), want = BUF_INIT(1 << 16);

		load(names[i], "json", &value);
		load(names[i], "file", &want);
		assert_int_equal(legacy_parse(buf_bytes(&value), &message, NULL), SEAL_OK);
		assert_int_equal(legacy_open(&message, bytes_of(key, sizeof(key)), &file, NULL), SEAL_OK);
		assert_true(bytes_eq(buf_bytes(&file), buf_bytes(&want)));
		legacy_clear(&message);
		buf_clear(&value);
		buf_clear(&want);
	}
	buf_clear(&file);
}

/* Every changed character makes it fail, and cut ones are no messages. */
static void test_changed(void **state)
{
	struct seal_buf file = BUF_INIT(1 << 16), value = BUF_INIT(1 << 16);
	struct legacy_message message;
	uint8_t key[32];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	load("hex", "json", &value);
	for (size_t i = 0; i < value.len; i++) {
		uint8_t was = value.ptr[i];

		value.ptr[i] ^= 1;
		if (legacy_parse(buf_bytes(&value), &message, NULL) == SEAL_OK) {
			enum seal_status rc = legacy_open(&message, bytes_of(key, sizeof(key)), &file, NULL);

			if (rc != SEAL_DATA)
				fail_msg("byte %zu", i);
			assert_int_equal(file.len, 0);
		}
		legacy_clear(&message);
		value.ptr[i] = was;
		assert_int_equal(legacy_parse(bytes_of(value.ptr, i), &message, NULL), SEAL_DATA);
		legacy_clear(&message);
	}
	buf_clear(&value);
	buf_clear(&file);
}

static void test_no_messages(void **state)
{
	static const char tag[] = "4b870995d53220cc47e389259effe229", nonce[] = "ZGVm";
	static const char *const forms[] = {
		"{\"tag\":\"%s\",\"nonce\":\"%s\"}",
		"{\"ciphertext\":\"00\",\"tag\":\"%s\",\"nonce\":\"%s\",\"tag\":\"\"}",
		"{\"ciphertext\":\"0\",\"tag\":\"%s\",\"nonce\":\"%s\"}",
		"{\"ciphertext\":\"zz\",\"tag\":\"%s\",\"nonce\":\"%s\"}",
		"{\"ciphertext\":null,\"tag\":\"%s\",\"nonce\":\"%s\"}",
		"{\"ciphertext\":\"00\",\"tag\":\"%s00\",\"nonce\":\"%s\"}",
		"{\"ciphertext\":\"00\",\"tag\":\"%s\",\"nonce\":\"%s!\"}",
		"{\"ciphertext\":\"00\\ud800\",\"tag\":\"%s\",\"nonce\":\"%s\"}",
		"[{\"ciphertext\":\"00\",\"tag\":\"%s\",\"nonce\":\"%s\"}]",
	};
	struct legacy_message message;
	struct seal_err err;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct seal_buf text = BUF_INIT(1024);

		err_clear(&err);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		assert_int_equal(buf_printf(&text, NULL, forms[i], tag, nonce), SEAL_OK);
#pragma GCC diagnostic pop
		assert_int_equal(legacy_parse(buf_bytes(&text), &message, &err), SEAL_DATA);
		assert_int_equal(err.code, SEAL_E_SYNTAX);
		legacy_clear(&message);
		buf_clear(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opens),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_no_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
