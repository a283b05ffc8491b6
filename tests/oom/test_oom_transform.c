/* Transform: every allocation that fails while a role is opened and used ends well, and never makes a record bad. */
#include "../unit/transform_hook.h"
#include "oom.h"

enum { LOT = 12 };

static const struct key_transform card = {.transformation = "drawn", .tweak = KEY_TWEAK_GENERATED};

static enum seal_status check(const struct key_transform_item *items, const char *want, struct seal_err *err)
{
	for (int i = 0; i < LOT; i++) {
		if (items[i].err != NULL && items[i].err->code == SEAL_E_MEMORY)
			return err_memory(err);
		assert_true((i == 3) == (items[i].err != NULL));
		assert_true(i == 3 || bytes_eq_str(items[i].out, want));
	}
	return SEAL_OK;
}

/* A role, a lot there and back, one value refused. */
static enum seal_status work(void *arg, struct seal_err *err)
{
	struct vault_fixture *f = arg;
	const struct key_call call = {.arena = &f->arena, .deadline_ms = clock_mono_ms() + 120000};
	struct key_transform_item items[LOT];
	struct key_session *session = NULL;
	struct key *key = NULL;
	enum seal_status rc;

	SEAL_TRY(transform_open(f->source, &card, &key, &session, err));
	for (int i = 0; i < LOT; i++)
		items[i] = (struct key_transform_item){.in = text(i == 3 ? "x" : "4111 \"é\\")};
	SEAL_TRY(session->ops->transform(session, &card, false, items, LOT, &call, err));
	SEAL_TRY(check(items, "5888 \"é\\", err));
	for (int i = 0; i < LOT; i++)
		if (i != 3)
			items[i] = (struct key_transform_item){.in = items[i].out, .tweak = items[i].out_tweak};
	SEAL_TRY(session->ops->transform(session, &card, true, items, LOT, &call, err));
	SEAL_TRY(check(items, "4111 \"é\\", err));
out:
	transform_close(key, session);
	arena_clear(&f->arena);
	return rc;
}

static void lots(void **state)
{
	struct vault_fixture f;

	fixture_start(&f);
	f.options.batch = 5;
	f.server.odd_json = true;
	f.server.hook = transform_hook;
	VOK(&f, vault_source.open(&f.config, &f.source, &f.err));
	arena_clear(&f.arena);
	arena_init(&f.arena, 0);
	assert_true(oom_each(work, &f) > 10);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lots)};

	server_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
