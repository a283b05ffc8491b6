/* A stand-in for vault/client.c: what logging in asks is checked against a script, or answered by a function. */
#ifndef VAULT_FAKE_H
#define VAULT_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "vault/login/method.h"

/* One request that must come, and what it gets. `body` as jansson dumps it, compact and sorted; NULL: a GET. */
struct step {
	const char *path, *body, *token;
	const char *answer; /* JSON; NULL with SEAL_OK: 204 */
	enum seal_status rc;
	const char *why; /* the error's text */
};

struct vault_client {
	int unused;
};

struct vault_worker {
	int unused;
};

static struct vault_client fake_client;
static struct vault_worker fake_worker;
static const struct step *script; /* the next one; path NULL: the end */
static enum seal_status (*answer_by)(const char *path, const char *token, json_t **out, struct seal_err *err);
static json_t **last_body; /* where the last body is kept; NULL: nowhere */
static atomic_int workers_made;

const char *vault_client_name(const struct vault_client *client)
{
	return "https://vault:8200";
}

enum seal_status vault_worker_new(struct vault_client *client, struct vault_worker **out, struct seal_err *err)
{
	atomic_fetch_add(&workers_made, 1);
	*out = &fake_worker;
	return SEAL_OK;
}

void vault_worker_free(struct vault_worker *worker)
{
	if (worker != NULL)
		atomic_fetch_sub(&workers_made, 1);
}

void vault_json_free(json_t *json)
{
	json_decref(json);
}

static void assert_same_text(const char *what, const char *is, const char *must)
{
	if ((is == NULL) != (must == NULL) || (is != NULL && strcmp(is, must) != 0))
		fail_msg("%s is %s, must be %s", what, is ? is : "(none)", must ? must : "(none)");
}

static enum seal_status play(const char *path, json_t *body, const char *token, json_t **out, struct seal_err *err)
{
	const struct step *step = script++;
	char *sent = body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	if (script == NULL || step->path == NULL)
		fail_msg("%s is asked, and nothing must be", path);
	assert_same_text("the path", path, step->path);
	assert_same_text("the body", sent, step->body);
	assert_same_text("the token", token, step->token);
	free(sent);
	if (step->rc != SEAL_OK)
		return err_set(err, step->rc, step->rc == SEAL_RETRY ? SEAL_E_SERVICE : SEAL_E_DENIED, "%s",
			       step->why);
	*out = step->answer ? json_loads(step->answer, 0, NULL) : NULL;
	return SEAL_OK;
}

enum seal_status vault_ask_login(struct vault_worker *worker, const char *path, json_t *body, const char *token,
				 uint64_t deadline_ms, json_t **out, struct seal_err *err)
{
	assert_non_null(worker);
	assert_true(deadline_ms > clock_mono_ms());
	*out = NULL;
	if (last_body != NULL && body != NULL) {
		json_decref(*last_body);
		*last_body = json_deep_copy(body);
	}
	return answer_by ? answer_by(path, token, out, err) : play(path, body, token, out, err);
}

static inline void script_is_over(void)
{
	if (script != NULL && script->path != NULL)
		fail_msg("%s was not asked", script->path);
	script = NULL;
}

#define END_OF_SCRIPT                                                                                                \
	{                                                                                                            \
		.path = NULL                                                                                         \
	}

#endif
