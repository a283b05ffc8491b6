/* What the tests of Transit check over and over: items, errors, round trips; and answers that the server gives on demand. */
#ifndef TESTS_VAULT_CHECK_H
#define TESTS_VAULT_CHECK_H

#include "vault/client_work.h"
#include "vault_server.h"

#define LINE "; a policy of the token must have: path \"transit/encrypt/pii\" { capabilities = [\"update\"] }"

static inline struct seal_bytes text(const char *s)
{
	return bytes_str(s);
}

static inline void put_items(struct key_item *items, size_t n, const char *const *plain, const char *aad)
{
	for (size_t i = 0; i < n; i++)
		items[i] = (struct key_item){.in = text(plain[i]), .aad = text(aad)};
}

static inline void assert_failed(const struct key_item *item, enum seal_code code, const char *part)
{
	assert_non_null(item->err);
	assert_int_equal(item->err->status, SEAL_DATA);
	assert_int_equal(item->err->code, code);
	assert_int_equal(item->out.len, 0);
	assert_null(strchr(item->err->text, '\n'));
	if (strstr(item->err->text, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, item->err->text);
}

static inline void assert_err(const struct vault_fixture *f, enum seal_status status, enum seal_code code,
			      const char *part)
{
	if (f->err.status != status || f->err.code != code)
		fail_msg("%s/%s: %s", seal_status_name(f->err.status), seal_code_name(f->err.code), f->err.text);
	assert_null(strchr(f->err.text, '\n'));
	if (strstr(f->err.text, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, f->err.text);
}

/* Encrypts one value; the status. */
static inline enum seal_status encrypt_one(struct vault_fixture *f, struct key_session *session, const char *plain,
					   struct key_item *item)
{
	*item = (struct key_item){.in = text(plain), .aad = text("place")};
	err_clear(&f->err);
	return session->ops->encrypt(session, item, 1, &f->call, &f->err);
}

enum { MANY = 1000 };

/* MANY values of all lengths, both ways; the texts go to `texts`. */
static inline void round_trip(struct vault_fixture *f, struct key_session *session, struct seal_bytes *texts)
{
	static uint8_t plain[MANY];
	struct key_item *items = calloc(MANY, sizeof(*items));

	for (size_t i = 0; i < MANY; i++) {
		plain[i] = (uint8_t)(i * 7);
		items[i].in = bytes_of(plain, i % 300);
		items[i].aad = text(i % 3 == 0 ? "one place" : "another place");
	}
	VOK(f, session->ops->encrypt(session, items, MANY, &f->call, &f->err));
	for (size_t i = 0; i < MANY; i++) {
		assert_null(items[i].err);
		assert_true(bytes_starts(items[i].out, text("vault:v")));
		texts[i] = items[i].in = items[i].out;
	}
	VOK(f, session->ops->decrypt(session, items, MANY, &f->call, &f->err));
	for (size_t i = 0; i < MANY; i++) {
		assert_null(items[i].err);
		assert_true(bytes_eq(items[i].out, bytes_of(plain, i % 300)));
	}
	free(items);
}

static inline bool say(struct server *s, const struct server_request *request, struct server_reply *reply)
{
	if (strcmp(request->method, "POST") != 0)
		return false;
	reply->body = strdup(s->arg);
	return true;
}

struct status_row {
	unsigned code;
	const char *said;
	enum seal_status status;
	enum seal_code why;
	const char *part;
};

static inline bool answer_row_to_all(struct server *s, const struct server_request *request,
				     struct server_reply *reply)
{
	const struct status_row *row = s->arg;

	if (row->said != NULL && row->said[0] == '<') {
		reply->status = row->code;
		reply->body = strdup(row->said);
	} else {
		server_fail(reply, row->code, row->said);
	}
	return true;
}

static inline bool answer_row(struct server *s, const struct server_request *request, struct server_reply *reply)
{
	return strcmp(request->method, "POST") == 0 && answer_row_to_all(s, request, reply);
}

#endif
