/*
 * vault: every allocation that fails while keys of a server are opened and used ends well, and never makes a record bad.
 * What libcurl and jansson allocate themselves is not counted.
 */
#include "../unit/vault_check.h"
#include "oom.h"
#include "keys/admin.h"

static struct key_call later(struct arena *arena)
{
	return (struct key_call){.arena = arena, .deadline_ms = clock_mono_ms() + 120000};
}

static enum seal_status open_work(void *arg, struct seal_err *err)
{
	struct vault_fixture *f = arg;
	struct key_source *source = NULL;
	struct key *key = NULL;
	enum seal_status rc;

	SEAL_TRY(vault_source.open(&f->config, &source, err));
	SEAL_TRY(vault_source.key(source, text("transit/pii"), &key, err));
	key->ops->free(key);
out:
	vault_source.free(source);
	return rc;
}

static void opening(void **state)
{
	struct vault_fixture f;

	fixture_start(&f);
	assert_true(oom_each(open_work, &f) > 20);
	fixture_close(&f);
}

enum { LOT = 12 };

/* A lot there and back, some of it refused. Items that fail for want of memory count as failures of the work. */
static enum seal_status lots_work(void *arg, struct seal_err *err)
{
	struct vault_fixture *f = arg;
	struct key_item items[LOT];
	struct key_session *session = NULL;
	const struct key_call call = later(&f->arena);
	struct key *key = NULL;
	enum seal_status rc;

	SEAL_TRY(vault_source.key(f->source, text("transit/pii"), &key, err));
	SEAL_TRY(key->ops->session(key, &session, err));
	for (int i = 0; i < LOT; i++)
		items[i] = (struct key_item){.in = text(i == 3 ? "poison" : "some plaintext"), .aad = text("place")};
	SEAL_TRY(session->ops->encrypt(session, items, LOT, &call, err));
	for (int i = 0; i < LOT; i++)
		items[i].in = i == 3 ? text("vault:v9:AAAA") : items[i].out;
	SEAL_TRY(session->ops->decrypt(session, items, LOT, &call, err));
	for (int i = 0; i < LOT; i++)
		assert_true(i == 3 || (items[i].err == NULL && bytes_eq_str(items[i].out, "some plaintext")));
	assert_non_null(items[3].err);
	if (items[3].err->code == SEAL_E_MEMORY)
		rc = err_memory(err);
out:
	if (session != NULL)
		session->ops->free(session);
	if (key != NULL)
		key->ops->free(key);
	arena_clear(&f->arena);
	return rc;
}

static void lots(void **state)
{
	struct vault_fixture f;

	fixture_start(&f);
	f.options.batch = 5;
	f.server.odd_json = true;
	f.server.poison = "poison";
	f.server.poison_status = 400;
	f.server.poison_text = "who knows";
	VOK(&f, vault_source.open(&f.config, &f.source, &f.err));
	arena_clear(&f.arena);
	arena_init(&f.arena, 0);
	assert_true(oom_each(lots_work, &f) > 10);
	fixture_close(&f);
}

static enum seal_status others_work(void *arg, struct seal_err *err)
{
	struct vault_fixture *f = arg;
	struct key_item item = {.in = BYTES_LIT("abc")};
	const struct key_call call = later(&f->arena);
	struct secret plain = SECRET_INIT;
	struct key_session *session = NULL;
	struct seal_bytes wrapped;
	struct key *key = NULL;
	enum seal_status rc;

	SEAL_TRY(vault_source.key(f->source, text("transit/pii"), &key, err));
	SEAL_TRY(key->ops->session(key, &session, err));
	SEAL_TRY(session->ops->hmac(session, 1, &item, 1, &call, err));
	SEAL_TRY(session->ops->data_key(session, 32, BYTES_EMPTY, &plain, &wrapped, &call, err));
	item = (struct key_item){.in = wrapped, .aad = BYTES_EMPTY};
	transit_key_saw((struct transit_key *)key, 2);
	SEAL_TRY(session->ops->rewrap(session, &item, 1, &call, err));
	assert_true(item.err == NULL || item.err->code == SEAL_E_MEMORY);
	if (item.err != NULL)
		rc = err_memory(err);
out:
	assert_true(rc == SEAL_OK || item.out.len == 0 || item.in.ptr != NULL);
	secret_clear(&plain);
	if (session != NULL)
		session->ops->free(session);
	if (key != NULL)
		key->ops->free(key);
	arena_clear(&f->arena);
	return rc;
}

static void others(void **state)
{
	struct vault_fixture f;

	fixture_open(&f);
	arena_clear(&f.arena);
	arena_init(&f.arena, 0);
	assert_true(oom_each(others_work, &f) > 10);
	fixture_close(&f);
}

/* Keys looked at and listed; and one that is there is not made again. */
static enum seal_status admin_work(void *arg, struct seal_err *err)
{
	struct vault_fixture *f = arg;
	const struct key_admin on = {f->source, &f->arena, clock_mono_ms() + 120000, false};
	const struct key_admin_new how = {.type = "aes256-gcm96"};
	const struct key_admin_ops *ops = vault_source.admin;
	struct key_admin_info info;
	const char *const *names;
	enum seal_status rc;
	size_t n;

	SEAL_TRY(ops->show(&on, text("transit/pii"), &info, err));
	assert_true(info.latest_version >= 1);
	SEAL_TRY(ops->list(&on, text("transit"), &names, &n, err));
	assert_true(n >= 1);
	rc = ops->create(&on, text("transit/pii"), &how, err);
	if (rc == SEAL_USAGE && err->code == SEAL_E_KEY_EXISTS) {
		err_clear(err);
		rc = SEAL_OK;
	}
out:
	arena_clear(&f->arena);
	return rc;
}

static void managing(void **state)
{
	struct vault_fixture f;

	fixture_open(&f);
	arena_clear(&f.arena);
	arena_init(&f.arena, 0);
	assert_true(oom_each(admin_work, &f) > 5);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening),
		cmocka_unit_test(lots),
		cmocka_unit_test(others),
		cmocka_unit_test(managing),
	};

	server_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
