/* remove: the member or array element goes away, with one comma beside it. One-way; takes any value. */
#include "methods/builtin.h"
#include "methods/simple.h"

static enum seal_status protect(struct method_session *session, struct lot *lot, struct seal_err *err)
{
	for (size_t i = 0; i < lot->n; i++)
		lot->cells[i].form = FORM_REMOVE;
	return SEAL_OK;
}

static const struct method_session_ops session_ops = {
	.size = sizeof(struct method_session_ops),
	.protect = protect,
	.free = simple_session_free,
};

static enum seal_status remove_open(const struct policy_method *spec, const struct method_needs *needs,
				    struct method **out, struct seal_err *err)
{
	return simple_open(&method_remove, &session_ops, spec, needs, out, err);
}

const struct method_ops method_remove = {
	.kind =
		{
			.size = sizeof(struct method_kind),
			.name = "remove",
			.summary = "the member or array element goes away; one-way; any value",
			.leaks = "nothing",
			.flags = METHOD_ONE_WAY | METHOD_REMOVES,
		},
	.open = remove_open,
	.session = simple_session_new,
	.free = simple_free,
};
