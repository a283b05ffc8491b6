/* See fake_transform.h. */
#include "fake_transform.h"

#include "base/mem.h"

#define TWEAK_LEN 7

struct fake_transform_control fake_transform;

struct role {
	struct key base;
	bool liar;
};

struct role_session {
	struct key_session base;
	const struct role *role;
};

static unsigned shift_of(struct seal_bytes tweak)
{
	unsigned sum = 1;

	for (size_t i = 0; i < tweak.len; i++)
		sum += tweak.ptr[i];
	return sum % 10;
}

static void one(struct key_transform_item *item, bool decode, bool draw, size_t index, struct arena *arena)
{
	static const struct seal_err bad = {SEAL_DATA, SEAL_E_DOMAIN, "does not fit the template", ""};
	uint8_t *out = arena_alloc(arena, item->in.len + 1, 1), *tweak;
	struct seal_bytes with = item->tweak;

	SEAL_INVARIANT(out != NULL);
	item->out = item->out_tweak = BYTES_EMPTY;
	if (item->in.len > 0 && memchr(item->in.ptr, 'x', item->in.len) != NULL) {
		item->err = &bad;
		return;
	}
	if (draw) {
		tweak = arena_alloc(arena, TWEAK_LEN, 1);
		SEAL_INVARIANT(tweak != NULL);
		for (unsigned i = 0; i < TWEAK_LEN; i++)
			tweak[i] = (uint8_t)(i + 1 < TWEAK_LEN ? 0xff - i : index);
		with = item->out_tweak = bytes_of(tweak, TWEAK_LEN);
	}
	for (size_t i = 0; i < item->in.len; i++) {
		const uint8_t c = item->in.ptr[i];
		const unsigned shift = decode ? 10 - shift_of(with) : shift_of(with);

		out[i] = c >= '0' && c <= '9' ? (uint8_t)('0' + (c - '0' + shift) % 10) : c;
	}
	item->out = bytes_of(out, item->in.len);
}

static enum seal_status transform(struct key_session *base, const struct key_transform *how, bool decode,
				  struct key_transform_item *items, size_t n, const struct key_call *call,
				  struct seal_err *err)
{
	const bool draws = (how->tweak == KEY_TWEAK_GENERATED) != ((struct role_session *)base)->role->liar;

	fake_transform.calls++;
	fake_transform.items += n;
	fake_transform.how = *how;
	if (fake_transform.fail_call != SEAL_OK)
		return err_set(err, fake_transform.fail_call, SEAL_E_SERVICE, "told to fail");
	for (size_t i = 0; i < n; i++)
		one(&items[i], decode, draws && !decode, i, call->arena);
	return SEAL_OK;
}

static void session_free(struct key_session *session)
{
	mem_free(session);
}

static const struct key_session_ops session_ops = {
	.size = sizeof(struct key_session_ops), .transform = transform, .free = session_free};

static enum seal_status info(struct key *key, struct key_info *out, struct seal_err *err)
{
	*out = (struct key_info){.type = "transform", .uses = KEY_TRANSFORM};
	return SEAL_OK;
}

static enum seal_status session(struct key *key, struct key_session **out, struct seal_err *err)
{
	struct role_session *made = mem_calloc(1, sizeof(*made));

	*out = NULL;
	if (made == NULL)
		return err_memory(err);
	made->base.ops = &session_ops;
	made->role = (struct role *)key;
	*out = &made->base;
	return SEAL_OK;
}

static void key_free(struct key *key)
{
	if (key != NULL)
		fake_transform.opened--;
	mem_free(key);
}

static enum seal_status check(struct key *key, const struct key_transform *how, struct seal_err *err)
{
	if (fake_transform.fail_check != SEAL_OK)
		return err_set(err, fake_transform.fail_check, SEAL_E_CONFIG, "the role cannot do this");
	return SEAL_OK;
}

static const struct key_ops key_ops = {
	.size = sizeof(struct key_ops), .info = info, .session = session, .free = key_free, .transform_check = check};

static enum seal_status source_open(const struct key_source_config *config, struct key_source **out,
				    struct seal_err *err)
{
	*out = mem_calloc(1, sizeof(**out));
	if (*out == NULL)
		return err_memory(err);
	(*out)->ops = &fake_transform_source;
	return SEAL_OK;
}

static enum seal_status source_key(struct key_source *source, struct seal_bytes reference, struct key **out,
				   struct seal_err *err)
{
	const bool liar = bytes_eq_str(reference, "transform/role/liar");
	struct role *role;

	*out = NULL;
	if (!liar && !bytes_eq_str(reference, "transform/role/payments"))
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "no such role");
	role = mem_calloc(1, sizeof(*role));
	if (role == NULL)
		return err_memory(err);
	*role = (struct role){{&key_ops}, liar};
	fake_transform.opened++;
	*out = &role->base;
	return SEAL_OK;
}

static void source_free(struct key_source *source)
{
	mem_free(source);
}

bool fake_transform_check(struct seal_bytes reference, const char **why)
{
	*why = "a role is MOUNT/role/NAME";
	return reference.len > 0;
}

const struct key_source_ops fake_transform_source = {
	.size = sizeof(struct key_source_ops),
	.name = "vault",
	.help = "a role for tests",
	.open = source_open,
	.key = source_key,
	.check = fake_transform_check,
	.free = source_free,
};
