/*
 * vault: threads share a Transform role: lots that fit, lots that don't, and looks at the role in between. Runs under
 * ThreadSanitizer. And what one thread alone shows of a role: batches, masks, lost answers.
 */
#include "transform_hook.h"

enum { THREADS = 4, ROUNDS = 6, LOT = 250 };

static const struct key_transform card = {.transformation = "card"};
static const struct key_transform token = {.transformation = "tok", .ttl = "60s"};
static const struct key_transform mask = {.transformation = "mask"};

struct user {
	pthread_t thread;
	struct key *key;
	bool good;
};

static bool use_once(struct key_session *session, struct arena *arena, int round)
{
	const struct key_call call = {.arena = arena, .deadline_ms = clock_mono_ms() + 120000};
	struct key_transform_item *items = calloc(LOT, sizeof(*items));
	struct seal_err err = SEAL_ERR_INIT;
	bool good = true;

	/* In every second round nothing fits, so that the role is doubted. */
	for (int i = 0; i < LOT; i++)
		items[i].in = text(round % 2 || i == 7 ? "x" : "4111");
	good = session->ops->transform(session, &card, false, items, LOT, &call, &err) == SEAL_OK;
	for (int i = 0; i < LOT && good; i++)
		good = round % 2 || i == 7 ? items[i].err != NULL && items[i].err->status == SEAL_DATA
					   : items[i].err == NULL && bytes_eq_str(items[i].out, "5888");
	free(items);
	arena_reset(arena);
	return good;
}

static void *use(void *arg)
{
	struct user *u = arg;
	struct key_session *session = NULL;
	struct arena arena;

	arena_init(&arena, 1 << 20);
	u->good = u->key->ops->session(u->key, &session, NULL) == SEAL_OK;
	for (int i = 0; u->good && i < ROUNDS; i++)
		u->good =
			use_once(session, &arena, i) && u->key->ops->transform_check(u->key, &card, NULL) == SEAL_OK;
	transform_close(NULL, session);
	arena_clear(&arena);
	return NULL;
}

static void shared(void **state)
{
	struct key_session *session;
	struct user users[THREADS];
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	f.server.hook = transform_hook;
	VOK(&f, transform_open(f.source, &card, &key, &session, &f.err));
	for (int i = 0; i < THREADS; i++) {
		users[i] = (struct user){.key = key};
		assert_int_equal(pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(users[i].thread, NULL);
		assert_true(users[i].good);
	}
	assert_true(f.server.largest_lot <= 100);
	transform_close(key, session);
	fixture_close(&f);
}

/* What nobody can give back is not asked for. */
static void masks_are_not_asked_for(void **state)
{
	struct key_transform_item item = {.in = text("****")};
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;
	unsigned posts;

	fixture_open(&f);
	f.server.hook = transform_hook;
	VOK(&f, transform_open(f.source, &mask, &key, &session, &f.err));
	posts = f.server.posts;
	VOK(&f, session->ops->transform(session, &mask, true, &item, 1, &f.call, &f.err));
	assert_int_equal(item.err->code, SEAL_E_ONE_WAY);
	assert_int_equal(f.server.posts, posts);
	transform_close(key, session);
	fixture_close(&f);
}

/* The first answer of each kind of call is lost on the way. */
static bool lose(struct server *s, const struct server_request *request, struct server_reply *reply)
{
	if (!transform_hook(s, request, reply))
		return false;
	reply->cut = strcmp(request->method, "POST") == 0 && s->posts == 1;
	return true;
}

static void lost_answers(void **state)
{
	const struct key_transform *const hows[] = {&card, &token};
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	for (int i = 0; i < 2; i++) {
		struct key_transform_item item = {.in = text("4111")};

		fixture_start(&f);
		f.options.retries = "2";
		f.server.hook = lose;
		VOK(&f, vault_source.open(&f.config, &f.source, &f.err));
		VOK(&f, transform_open(f.source, hows[i], &key, &session, &f.err));
		/* A token would be another one the second time: the caller is told. */
		assert_int_equal(session->ops->transform(session, hows[i], false, &item, 1, &f.call, &f.err),
				 i == 0 ? SEAL_OK : SEAL_RETRY);
		assert_int_equal(f.server.posts, i == 0 ? 2 : 1);
		assert_int_equal(item.out.len, i == 0 ? 4 : 0);
		/* Decoding one is the same as often as it is done. */
		f.server.posts = 0;
		err_clear(&f.err);
		VOK(&f, session->ops->transform(session, hows[i], true, &item, 1, &f.call, &f.err));
		assert_int_equal(f.server.posts, 2);
		transform_close(key, session);
		fixture_close(&f);
	}
}

/* What the server says to every lot: by the status of `arg`, to the whole or (200) to each item. */
static bool in_trouble(struct server *s, const struct server_request *request, struct server_reply *reply)
{
	static const char said[] = "failed to store token: dial tcp 10.0.0.5:5432: connect: connection refused";
	const unsigned status = *(const unsigned *)s->arg;
	json_t *root, *results = NULL;

	if (strcmp(request->method, "POST") != 0)
		return transform_hook(s, request, reply);
	if (status != 200) {
		server_fail(reply, status, said);
		return true;
	}
	root = json_loadb(request->body, request->len, 0, NULL);
	results = json_array();
	for (size_t i = 0; i < json_array_size(json_object_get(root, "batch_input")); i++)
		json_array_append_new(results, json_pack("{s:s}", "error", said));
	server_data(s, reply, status, json_pack("{s:o}", "batch_results", results), NULL);
	json_decref(root);
	return true;
}

/* A server in trouble, whose words happen to hold parts of values: none of them is to blame. */
static void trouble_is_no_values_fault(void **state)
{
	static const char *const plain[] = {"4111-5432-1111-1111", "4111-1111-1111-1111", "refused", "reconnection"};
	static const unsigned status[] = {500, 400, 200};
	struct key_transform_item items[4];
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	for (size_t k = 0; k < 3; k++) {
		fixture_open(&f);
		f.server.hook = transform_hook;
		VOK(&f, transform_open(f.source, &token, &key, &session, &f.err));
		f.server.hook = in_trouble;
		f.server.arg = (void *)(uintptr_t)&status[k];
		for (size_t i = 0; i < 4; i++)
			items[i] = (struct key_transform_item){.in = text(plain[i])};
		assert_int_equal(session->ops->transform(session, &token, false, items, 4, &f.call, &f.err),
				 SEAL_RETRY);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(items[i].out.len, 0);
		transform_close(key, session);
		fixture_close(&f);
	}
}

/* An empty text in the place of a value is no encoding: the value would be lost. */
static void nothing_is_no_encoding(void **state)
{
	struct key_transform_item item = {.in = text("4111")};
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	f.server.hook = transform_hook;
	VOK(&f, transform_open(f.source, &card, &key, &session, &f.err));
	f.server.hook = say;
	f.server.arg = (void *)(uintptr_t) "{\"data\":{\"batch_results\":[{\"encoded_value\":\"\"}]}}";
	assert_int_equal(session->ops->transform(session, &card, false, &item, 1, &f.call, &f.err), SEAL_RETRY);
	assert_err(&f, SEAL_RETRY, SEAL_E_SERVICE, "an encoded value that is empty");
	transform_close(key, session);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared),
		cmocka_unit_test(masks_are_not_asked_for),
		cmocka_unit_test(trouble_is_no_values_fault),
		cmocka_unit_test(nothing_is_no_encoding),
		cmocka_unit_test(lost_answers),
	};

	server_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
