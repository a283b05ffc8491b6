/* vault: threads share a source and its keys while tokens change and limits are learned. Runs under ThreadSanitizer. */
#include "vault_check.h"

enum { THREADS = 4, LOT = 150 };

static _Atomic bool enough;

struct user {
	pthread_t thread;
	struct vault_fixture *f;
	struct key *key;
	_Atomic unsigned rounds;
	_Atomic bool good;
	struct seal_err err;
};

static bool use_once(struct key_session *session, struct arena *arena, struct seal_err *err)
{
	const struct key_call call = {.arena = arena, .deadline_ms = clock_mono_ms() + 120000};
	struct key_item items[LOT] = {0};

	for (int i = 0; i < LOT; i++)
		items[i] = (struct key_item){.in = BYTES_LIT("threads"), .aad = BYTES_LIT("place")};
	if (session->ops->encrypt(session, items, LOT, &call, err) != SEAL_OK)
		return false;
	for (int i = 0; i < LOT; i++)
		items[i].in = items[i].out;
	if (session->ops->rewrap(session, items, LOT, &call, err) != SEAL_OK)
		return false;
	for (int i = 0; i < LOT; i++)
		items[i].in = items[i].out;
	if (session->ops->decrypt(session, items, LOT, &call, err) != SEAL_OK)
		return false;
	for (int i = 0; i < LOT; i++)
		if (items[i].err != NULL || !bytes_eq_str(items[i].out, "threads"))
			return false;
	arena_reset(arena);
	return true;
}

static void *use(void *arg)
{
	struct user *u = arg;
	struct key_session *session = NULL;
	struct key_info info;
	struct arena arena;

	arena_init(&arena, 1 << 20);
	u->good = u->key->ops->session(u->key, &session, NULL) == SEAL_OK;
	for (; u->good && !atomic_load(&enough); atomic_fetch_add(&u->rounds, 1))
		u->good = use_once(session, &arena, &u->err) && u->key->ops->info(u->key, &info, NULL) == SEAL_OK;
	if (session != NULL)
		session->ops->free(session);
	arena_clear(&arena);
	return NULL;
}

static void set_server(struct vault_fixture *f, const char *token, unsigned latest)
{
	pthread_mutex_lock(&f->server.lock);
	fixture_token(f, token);
	f->server.token = token;
	f->server.latest = latest;
	pthread_mutex_unlock(&f->server.lock);
}

/* Until every thread has been twice through, or has failed. */
static void wait_for_all(struct user *users)
{
	for (int i = 0; i < THREADS; i++) {
		const unsigned before = atomic_load(&users[i].rounds);

		while (users[i].good && atomic_load(&users[i].rounds) < before + 2)
			poll(NULL, 0, 2);
	}
}

static void shared(void **state)
{
	static const char *const tokens[] = {"s.one", "s.two", "s.three"};
	struct user users[THREADS];
	struct vault_fixture f;
	struct key *keys[2];

	fixture_start(&f);
	f.server.max_strings = 300;
	VOK(&f, vault_source.open(&f.config, &f.source, &f.err));
	VOK(&f, vault_source.key(f.source, text("transit/pii"), &keys[0], &f.err));
	VOK(&f, vault_source.key(f.source, text("transit/derived"), &keys[1], &f.err));
	for (int i = 0; i < THREADS; i++) {
		users[i] = (struct user){.f = &f, .key = keys[i % 2], .good = true};
		assert_int_equal(pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
	}
	for (unsigned i = 0; i < 3; i++) {
		wait_for_all(users);
		set_server(&f, tokens[i], i + 2);
		atomic_store(&((struct transit_key *)keys[0])->read_ms, 0); /* the rotation is seen */
	}
	wait_for_all(users);
	atomic_store(&enough, true);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(users[i].thread, NULL), 0);
		if (!users[i].good)
			fail_msg("%s", users[i].err.text);
	}
	assert_true(vault_batch_limit(((struct vault_source *)f.source)->client) < 100);
	keys[0]->ops->free(keys[0]);
	keys[1]->ops->free(keys[1]);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared),
	};

	server_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
