/* vault/login: each allocation of a login fails once. jansson's own are not counted. */
#include "vault_fake.h"

#include <sys/stat.h>

#include "oom.h"

static char folder[] = "/tmp/test_oom_login_XXXXXX";
static struct vault_options options;

static enum seal_status answer(const char *path, const char *token, json_t **out, struct seal_err *err)
{
	const char *text = "{\"auth\":{\"client_token\":\"hvs.t\",\"lease_duration\":0,\"renewable\":true}}";

	if (strcmp(path, "auth/token/lookup-self") == 0 && strcmp(token, "hvs.t") == 0)
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "permission denied");
	if (strcmp(path, "sys/wrapping/lookup") == 0)
		text = "{\"data\":{\"creation_path\":\"auth/team/approle/role/x/secret-id\"}}";
	if (strcmp(path, "sys/wrapping/unwrap") == 0)
		text = "{\"data\":{\"secret_id\":\"s\"}}";
	*out = json_loads(text, 0, NULL);
	return SEAL_OK;
}

/* A login, a refusal, another login. */
static enum seal_status twice(void *arg, struct seal_err *err)
{
	struct vault_token *token = NULL, *next = NULL;
	struct vault_tokens *tokens = NULL;
	bool by_policy = false;
	enum seal_status rc;

	SEAL_TRY(vault_tokens_new(&fake_client, &options, &tokens, err));
	SEAL_TRY(vault_token_get(tokens, &fake_worker, DEADLINE_NONE, &token, err));
	if (arg != NULL) {
		SEAL_TRY(vault_token_refused(tokens, &fake_worker, token, DEADLINE_NONE, &by_policy, err));
		SEAL_TRY(vault_token_get(tokens, &fake_worker, DEADLINE_NONE, &next, err));
	}
out:
	if (token != NULL)
		vault_token_release(tokens, token);
	if (next != NULL)
		vault_token_release(tokens, next);
	vault_tokens_free(tokens);
	return rc;
}

static const char *put_file(const char *name, const char *text, unsigned mode)
{
	static char paths[2][128];
	static unsigned next;
	char *path = paths[next++ % 2];
	FILE *to;

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	to = fopen(path, "w");
	assert_non_null(to);
	fputs(text, to);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static int fresh(void **state)
{
	unsetenv("VAULT_TOKEN");
	unsetenv("BAO_TOKEN");
	setenv("HOME", folder, 1);
	memset(&options, 0, sizeof(options));
	answer_by = answer;
	vault_login_test_clock(NULL, false);
	return 0;
}

static void wrapped_approle(void **state)
{
	options.auth = "approle";
	options.auth_mount = "team/approle";
	options.role = "r";
	options.secret_file = put_file("wrapped", "hvs.w\n", 0600);
	options.secret_wrapped = true;
	assert_true(oom_each(twice, &options) >= 10);
}

static void password(void **state)
{
	options.auth = "userpass";
	options.user = "u";
	options.secret_file = put_file("password", "p\n", 0600);
	assert_true(oom_each(twice, &options) >= 6);
}

static void aws(void **state)
{
	setenv("AWS_SHARED_CREDENTIALS_FILE",
	       put_file("credentials",
			"[default]\naws_access_key_id=a\naws_secret_access_key=b\naws_session_token=c\n", 0600),
	       1);
	options.auth = "aws";
	options.aws_server_id = "s";
	assert_true(oom_each(twice, &options) >= 20);
	unsetenv("AWS_SHARED_CREDENTIALS_FILE");
}

static void helper(void **state)
{
	char text[200];

	snprintf(text, sizeof(text), "token_helper = \"%s\"\n", put_file("helper", "#!/bin/sh\necho t\n", 0700));
	put_file(".vault", text, 0600);
	assert_true(oom_each(twice, NULL) >= 5);
}

static int make_folder(void **state)
{
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(wrapped_approle, fresh),
		cmocka_unit_test_setup(password, fresh),
		cmocka_unit_test_setup(aws, fresh),
		cmocka_unit_test_setup(helper, fresh),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
