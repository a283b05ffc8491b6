/* Files of credentials for tests of src/google. Include after cmocka.h. */
#ifndef TESTS_GOOGLE_FIXTURE_H
#define TESTS_GOOGLE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rsa_fixture.h"

#define USER_FILE                                                                                                    \
	"{\"type\":\"authorized_user\",\"client_id\":\"id 1\",\"client_secret\":\"s&cret\",\"refresh_token\":"       \
	"\"1\\/\\/0r\""

/* A service account's file as the console makes it; with a zero byte behind. */
static inline void service_account_file(struct seal_buf *out)
{
	struct seal_buf pem = BUF_INIT(8192);

	rsa_pem(&pem, "\\n");
	assert_int_equal(buf_printf(out, NULL,
				    "{\n  \"type\": \"service_account\",\n  \"project_id\": \"shop-1\",\n"
				    "  \"private_key_id\": \"k\\u0031\",\n  \"private_key\": \"%s\",\n"
				    "  \"client_email\": \"seal@shop-1.iam.gserviceaccount.com\",\n"
				    "  \"token_uri\": \"https://oauth2.googleapis.com/token\",\n"
				    "  \"universe_domain\": \"googleapis.com\"\n}\n",
				    (const char *)pem.ptr),
			 SEAL_OK);
	assert_int_equal(buf_append_u8(out, '\0', NULL), SEAL_OK);
	out->len--;
	buf_clear(&pem);
}

/* A file of that text; the name is the caller's to unlink. */
#define TEST_PATH_MAX 64
static inline void write_file(const char *text, char path[TEST_PATH_MAX])
{
	int fd;

	snprintf(path, TEST_PATH_MAX, "/tmp/test_google.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* As on a machine that has nothing of Google. */
static inline void forget_google(void)
{
	static const char *const variables[] = {"GOOGLE_APPLICATION_CREDENTIALS",
						"CLOUDSDK_CONFIG",
						"GOOGLE_CLOUD_PROJECT",
						"GOOGLE_CLOUD_QUOTA_PROJECT",
						"GCE_METADATA_HOST",
						"http_proxy",
						"https_proxy"};

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	setenv("HOME", "/nonexistent", 1);
}

#endif
