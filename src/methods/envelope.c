/*
 * envelope: AES-256-GCM under a data key that the policy's key (the key encryption key, KEK) wraps. The KEK is asked once for
 * each data key, so values are protected and revealed at local speed and Vault does not see them.
 *
 *   carry: value    seal:e1:…    the wrapped key stands in each value         any stream
 *   carry: header   seal:e1:…    … in the record's header seal-key            streams that have headers
 *   carry: bytes    SEALENV1…    as `value`, but bytes instead of text        format: bytes
 *   key: {per: …}   seal:e1:…    a key for each person, in a store
 *
 * What is read says itself where its key is: all four are revealed under any of these options. The cell's place is the
 * associated data.
 */
#include "methods/envelope_work.h"

#include "base/mem.h"
#include "keys/key_cache.h"
#include "methods/builtin.h"

#define RAW_MAX (AEAD_MESSAGE_MAX + 4 * ENVELOPE_CHUNK_BYTES)

#define AT(member) .offset = offsetof(struct envelope_options, member)

static const struct opt_row rows[] = {
	{.name = "carry",
	 .help = "where the wrapped data key goes: value: into each value; header: into the record's header "
		 "seal-key; "
		 "bytes: as value, but the payload becomes bytes instead of text (format: bytes)",
	 .arg = "WHERE",
	 .def = "value",
	 .choices = "value|header|bytes",
	 .type = OPT_CHOICE,
	 AT(carry)},
	{.name = "max_uses",
	 .help = "how many values one data key encrypts; default 1000000",
	 .arg = "N",
	 .def = "1000000",
	 .min = 1,
	 .max = DATA_KEYS_MAX_USES_LIMIT,
	 .type = OPT_INT,
	 AT(max_uses)},
	{.name = "max_age",
	 .help = "how long a data key is used for writing, and how long one that was unwrapped is remembered; "
		 "default "
		 "10m",
	 .arg = "DURATION",
	 .def = "10m",
	 .min = 1000,
	 .max = 7LL * 24 * 60 * 60 * 1000,
	 .type = OPT_DURATION,
	 AT(max_age_ms)},
	OPT_END,
};

static unsigned flags_of(const void *options)
{
	const struct envelope_options *o = options;
	unsigned flags = method_envelope.kind.flags & ~(unsigned)(METHOD_CARRIES | METHOD_BYTES_ONLY);

	return flags | (o->carry == CARRY_HEADER ? METHOD_CARRIES : 0) |
	       (o->carry == CARRY_BYTES ? METHOD_BYTES_ONLY : 0);
}

static void drop_context(struct envelope_context *context)
{
	aead_free(context->aead);
	data_key_unref(context->key);
	*context = (struct envelope_context){NULL, NULL, 0};
}

void envelope_contexts_expire(struct envelope_session *s)
{
	const uint64_t now_ms = key_cache_now_ms(), max_age_ms = (uint64_t)envelope_options_of(s)->max_age_ms;

	for (size_t i = 0; i < ENVELOPE_CONTEXTS; i++)
		if (s->contexts[i].key != NULL && now_ms - s->contexts[i].since_ms >= max_age_ms)
			drop_context(&s->contexts[i]);
}

enum seal_status envelope_context_get(struct envelope_session *s, struct data_key *key, struct aead **out,
				      struct seal_err *err)
{
	struct envelope_context *context = &s->contexts[be32_load(data_key_commitment(key)) % ENVELOPE_CONTEXTS];
	enum seal_status rc = SEAL_OK;

	if (context->key != key) {
		drop_context(context);
		SEAL_TRY(aead_new(data_key_cipher_key(key), &context->aead, err));
		context->key = data_key_ref(key);
		context->since_ms = key_cache_now_ms();
	}
	*out = context->aead;
out:
	return rc;
}

static void session_free(struct method_session *base)
{
	struct envelope_session *s = (struct envelope_session *)base;

	if (s == NULL)
		return;
	for (size_t i = 0; i < ENVELOPE_CONTEXTS; i++)
		drop_context(&s->contexts[i]);
	for (size_t i = 0; i < ENVELOPE_RENEWED; i++) {
		buf_clear(&s->renewed[i].old);
		buf_clear(&s->renewed[i].new);
	}
	random_pool_clear(&s->nonces);
	buf_clear(&s->raw);
	if (s->kek != NULL)
		s->kek->ops->free(s->kek);
	mem_free(s);
}

static const struct method_session_ops session_ops = {
	.size = sizeof(struct method_session_ops),
	.protect = envelope_protect,
	.reveal = envelope_reveal,
	.rewrap = envelope_rewrap,
	.free = session_free,
};

static enum seal_status envelope_session_new(const struct method *method, struct method_session **out,
					     struct seal_err *err)
{
	const struct envelope_method *m = (const struct envelope_method *)method;
	struct envelope_session *s = mem_calloc(1, sizeof(*s));
	enum seal_status rc;

	*out = NULL;
	if (s == NULL)
		return err_memory(err);
	s->base.ops = &session_ops;
	s->method = m;
	s->raw = (struct seal_buf)BUF_INIT(RAW_MAX);
	for (size_t i = 0; i < ENVELOPE_RENEWED; i++)
		s->renewed[i].old = s->renewed[i].new = (struct seal_buf)BUF_INIT(DATA_KEY_WRAPPED_MAX);
	random_pool_init(&s->nonces);
	SEAL_TRY(m->kek->ops->session(m->kek, &s->kek, err));
out:
	if (rc != SEAL_OK)
		session_free(&s->base);
	else
		*out = &s->base;
	return rc;
}

static void envelope_free(struct method *method)
{
	struct envelope_method *m = (struct envelope_method *)method;

	if (m == NULL)
		return;
	if (!m->borrowed)
		data_keys_free(m->keys);
	person_keys_free(m->people);
	mem_free(m);
}

static enum seal_status open_people(struct envelope_method *m, const struct method_needs *needs,
				    const struct data_keys_options *options, struct seal_err *err)
{
	const struct policy_key *key = m->spec->key;
	const struct person_scope scope = {needs->namespace_, key->scheme, key->reference};

	return person_keys_new(needs->store, &scope, options, &m->people, err);
}

/* Methods of one plan that have the same key and limits share their data keys: a record then carries one. */
static const struct envelope_method *find_alike(const struct envelope_method *m, const struct method_needs *needs)
{
	const struct envelope_options *mine = m->spec->options;

	for (size_t i = 0; i < needs->n_before; i++) {
		const struct envelope_method *other = (const struct envelope_method *)needs->before[i];
		const struct envelope_options *its;

		if (other->base.ops != &method_envelope || other->kek != m->kek)
			continue;
		its = other->spec->options;
		if (its->max_uses == mine->max_uses && its->max_age_ms == mine->max_age_ms)
			return other;
	}
	return NULL;
}

static enum seal_status envelope_open(const struct policy_method *spec, const struct method_needs *needs,
				      struct method **out, struct seal_err *err)
{
	const struct envelope_options *options = spec->options;
	struct envelope_method *m = mem_calloc(1, sizeof(*m));
	struct data_keys_options limits = {.max_uses = (uint64_t)options->max_uses,
					   .max_age_ms = (uint64_t)options->max_age_ms,
					   .metrics = needs->metrics};
	const struct envelope_method *alike;
	struct key_info info;
	enum seal_status rc;

	*out = NULL;
	if (m == NULL)
		return err_memory(err);
	m->base.ops = &method_envelope;
	m->spec = spec;
	m->kek = needs->key;
	SEAL_TRY(m->kek->ops->info(m->kek, &info, err));
	limits.derived = m->derived = info.derived;
	limits.latest_version = info.latest_version;
	alike = find_alike(m, needs);
	m->borrowed = alike != NULL;
	if (alike != NULL)
		m->keys = alike->keys;
	else
		SEAL_TRY(data_keys_new(&limits, &m->keys, err));
	if (needs->store != NULL)
		SEAL_TRY(open_people(m, needs, &limits, err));
out:
	if (rc != SEAL_OK)
		envelope_free(&m->base);
	else
		*out = &m->base;
	return rc;
}

/* The rest says how values are read, too. */
static const char *const write_options[] = {"max_uses", "max_age", NULL};

const struct method_ops method_envelope = {
	.kind =
		{
			.size = sizeof(struct method_kind),
			.name = "envelope",
			.summary =
				"AES-256-GCM under a data key that the policy's key wraps: local speed, and the key "
				"server is asked once a key; any value",
			.leaks = "length",
			.flags = METHOD_ENCRYPT_KEY | METHOD_DATA_KEYS | METHOD_BINDS | METHOD_TEXT_FORM |
				 METHOD_BYTES | METHOD_PER | METHOD_CARRIES | METHOD_BYTES_ONLY,
			.options = rows,
			.options_size = sizeof(struct envelope_options),
			.write_options = write_options,
			.flags_of = flags_of,
		},
	.open = envelope_open,
	.session = envelope_session_new,
	.free = envelope_free,
};
