/*
 * Whether two paths can meet: the positions of both are walked together over every kind of child, until one of them
 * is at its end. The other can then always go on inside, for a document may have any members anywhere.
 */
#include "json/path.h"

struct meeting {
	const struct json_path *a, *b;
	bool seen[JSON_PATH_STEPS_MAX + 1][JSON_PATH_STEPS_MAX + 1];
	uint16_t queue[(JSON_PATH_STEPS_MAX + 1) * (JSON_PATH_STEPS_MAX + 1)];
	size_t head, tail;
};

static void meet(struct meeting *m, size_t i, size_t j)
{
	if (m->seen[i][j])
		return;
	m->seen[i][j] = true;
	m->queue[m->tail++] = (uint16_t)(i * (JSON_PATH_STEPS_MAX + 1) + j);
}

static bool step_selects(const struct json_path_step *s, const struct json_path_step *child)
{
	if (s->kind == JSON_STEP_WILD)
		return true;
	if (s->kind == JSON_STEP_INDEX)
		return child->kind == JSON_STEP_INDEX && s->index == child->index;
	return child->kind != JSON_STEP_INDEX && bytes_eq(s->name, child->name);
}

/* Both take one child that is called what `child` says, the only names that matter. */
static void take(struct meeting *m, size_t i, size_t j, const struct json_path_step *child)
{
	const struct json_path_step *a = &m->a->steps[i], *b = &m->b->steps[j];
	bool a_goes = step_selects(a, child), b_goes = step_selects(b, child);

	if (a_goes && b_goes)
		meet(m, i + 1, j + 1);
	if (a_goes && b->kind == JSON_STEP_DEEP_NAME)
		meet(m, i + 1, j);
	if (a->kind == JSON_STEP_DEEP_NAME && b_goes)
		meet(m, i, j + 1);
}

/* True when the two part at a step before any wildcard, as most do: then there is nothing to walk. */
static bool part_early(const struct json_path *a, const struct json_path *b)
{
	for (size_t i = 0; i < a->n_steps && i < b->n_steps; i++) {
		const struct json_path_step *s = &a->steps[i], *t = &b->steps[i];

		if ((s->kind != JSON_STEP_NAME && s->kind != JSON_STEP_INDEX) ||
		    (t->kind != JSON_STEP_NAME && t->kind != JSON_STEP_INDEX))
			return false;
		if (!step_selects(s, t))
			return true;
	}
	return false;
}

bool json_path_overlaps(const struct json_path *a, const struct json_path *b)
{
	struct meeting m;

	if (part_early(a, b))
		return false;
	m = (struct meeting){.a = a, .b = b};
	meet(&m, 0, 0);
	while (m.head < m.tail) {
		size_t i = m.queue[m.head] / (JSON_PATH_STEPS_MAX + 1);
		size_t j = m.queue[m.head] % (JSON_PATH_STEPS_MAX + 1);
		const struct json_path_step any = {.kind = JSON_STEP_WILD};

		m.head++;
		if (i == a->n_steps || j == b->n_steps)
			return true;
		take(&m, i, j, a->steps[i].kind == JSON_STEP_WILD ? &any : &a->steps[i]);
		take(&m, i, j, b->steps[j].kind == JSON_STEP_WILD ? &any : &b->steps[j]);
	}
	return false;
}
