/* What all methods share: failing a cell, and the life of methods that are only options and a key. */
#include "methods/method.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "methods/simple.h"

/* The cell before is of the same record and has failed: that one's error is the record's, in document order. */
static bool record_has_failed(const struct lot *lot, const struct cell *cell)
{
	return cell > lot->cells && cell[-1].record == cell->record && cell[-1].err != NULL;
}

void cell_fail(struct lot *lot, struct cell *cell, enum seal_code code, const char *fmt, ...)
{
	static const struct seal_err no_memory = {SEAL_FATAL, SEAL_E_MEMORY, "out of memory", ""};
	struct seal_err *err;
	va_list args;

	if (record_has_failed(lot, cell)) {
		/* A hostile record has hundreds of thousands of them: one error does. */
		cell_fail_err(cell, cell[-1].err);
		return;
	}
	err = ARENA_NEW(lot->arena, struct seal_err);
	cell->out = BYTES_EMPTY;
	cell->form = FORM_UNSET;
	cell->err = &no_memory;
	if (err == NULL)
		return;
	err->status = SEAL_DATA;
	err->code = code;
	err->place[0] = '\0';
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	cell->err = err;
}

void cell_fail_err(struct cell *cell, const struct seal_err *err)
{
	cell->out = BYTES_EMPTY;
	cell->form = FORM_UNSET;
	cell->err = err;
}

enum seal_status simple_open(const struct method_ops *ops, const struct method_session_ops *session_ops,
			     const struct policy_method *spec, const struct method_needs *needs, struct method **out,
			     struct seal_err *err)
{
	struct simple_method *method = mem_calloc(1, sizeof(*method));

	*out = NULL;
	if (method == NULL)
		return err_memory(err);
	method->base.ops = ops;
	method->spec = spec;
	method->key = needs->key;
	method->session_ops = session_ops;
	*out = &method->base;
	return SEAL_OK;
}

void simple_free(struct method *method)
{
	mem_free(method);
}

enum seal_status simple_session_new(const struct method *method, struct method_session **out, struct seal_err *err)
{
	const struct simple_method *simple = (const struct simple_method *)method;
	struct simple_session *session = mem_calloc(1, sizeof(*session));
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (session == NULL)
		return err_memory(err);
	session->base.ops = simple->session_ops;
	session->method = simple;
	if (simple->key != NULL)
		SEAL_TRY(simple->key->ops->session(simple->key, &session->key, err));
out:
	if (rc != SEAL_OK)
		mem_free(session);
	else
		*out = &session->base;
	return rc;
}

struct key_item *simple_items(const struct lot *lot, struct seal_err *err)
{
	struct key_item *items = arena_alloc(lot->arena, (lot->n + 1) * sizeof(*items), _Alignof(struct key_item));

	if (items == NULL) {
		(void)err_memory(err);
		return NULL;
	}
	for (size_t i = 0; i < lot->n; i++)
		items[i] = (struct key_item){.in = lot->cells[i].in, .aad = lot->cells[i].place};
	return items;
}

void simple_session_free(struct method_session *base)
{
	struct simple_session *session = (struct simple_session *)base;

	if (session == NULL)
		return;
	if (session->key != NULL)
		session->key->ops->free(session->key);
	mem_free(session);
}

enum seal_status key_has_version(struct key *key, int64_t version, struct seal_err *err)
{
	struct key_info info;
	enum seal_status rc;

	SEAL_TRY(key->ops->info(key, &info, err));
	if (version > (int64_t)info.latest_version)
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_VERSION,
			     "'version: %lld' names a version that the key does not have; its latest is %u",
			     (long long)version, (unsigned)info.latest_version);
out:
	return rc;
}
