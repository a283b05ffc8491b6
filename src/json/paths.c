/*
 * The automaton over all paths, by subset construction.
 *
 * A position (path, i) says that the first i steps of that path have been taken; all positions of all paths are
 * numbered in one row, path after path. A state is the ascending set of positions that are open at one place of a
 * document. Taking a child, position p goes on to
 *
 *   p + 1   when the step at p selects the child
 *   p       when the step at p is ..name, which may start at any depth
 *
 * A set that holds the end of a path is that path's accepting state; the lowest path wins, and nothing below it is
 * looked at. The empty set is the dead state. Names become numbers first, so that sets are built on integers alone.
 *
 * Limits: JSON_STATES_MAX states and WORK_MAX steps of work, so that no policy takes more than a moment to compile.
 */
#include "json/paths.h"

#include "base/mem.h"

#define WORK_MAX (1u << 25)
#define NO_NAME UINT32_MAX

struct position {
	enum json_path_kind kind; /* of the step at this position */
	uint32_t name; /* number of its name, or NO_NAME */
	uint32_t index;
	uint32_t path;
	bool end; /* all steps taken */
};

struct set {
	uint32_t *at; /* ascending */
	uint32_t n;
};

struct build {
	struct arena *out; /* lives on in the result */
	struct arena scratch;
	struct seal_err *err;
	struct position *positions;
	uint32_t n_positions;
	struct paths_name *names; /* by number; text, len and hash */
	uint32_t n_names;
	uint32_t *name_slots; /* hash table: number of name + 1 */
	uint32_t name_mask;
	struct paths_state *states;
	struct set *sets; /* of each state */
	uint32_t n_states, cap_states;
	uint32_t *set_slots; /* hash table over sets: state, or 0 */
	uint32_t set_mask;
	uint32_t n_paths;
	uint32_t work;
};

static const struct paths_state none_states[1];
const struct json_paths paths_none = {.states = none_states, .start = PATHS_DEAD};

static enum seal_status too_complex(struct build *b)
{
	return err_set(b->err, SEAL_USAGE, SEAL_E_LIMIT,
		       "the paths are too complex together: use fewer paths with * or .. in one topic");
}

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t v = 2;

	while (v < at_least)
		v *= 2;
	return v;
}

static void *zeroed(struct arena *a, size_t count, size_t size, size_t align)
{
	void *p = arena_alloc(a, count * size, align);

	if (p != NULL)
		memset(p, 0, count * size);
	return p;
}

/* The number of a name, a new one when it is the first of its kind. */
static enum seal_status name_number(struct build *b, struct seal_bytes name, uint32_t *number)
{
	uint32_t hash = paths_hash(name.ptr, name.len), slot;
	struct seal_bytes copy;

	for (slot = hash & b->name_mask; b->name_slots[slot] != 0; slot = (slot + 1) & b->name_mask) {
		const struct paths_name *n = &b->names[b->name_slots[slot] - 1];

		if (n->hash == hash && bytes_eq(bytes_of(n->text, n->len), name)) {
			*number = b->name_slots[slot] - 1;
			return SEAL_OK;
		}
	}
	copy = arena_copy(b->out, name);
	if (copy.ptr == NULL)
		return err_memory(b->err);
	*number = b->n_names++;
	b->names[*number] = (struct paths_name){copy.ptr, (uint32_t)copy.len, hash, 0};
	b->name_slots[slot] = *number + 1;
	return SEAL_OK;
}

static enum seal_status number_path(struct build *b, const struct json_path *path, uint32_t which)
{
	for (size_t i = 0; i < path->n_steps; i++) {
		const struct json_path_step *step = &path->steps[i];
		struct position *p = &b->positions[b->n_positions++];

		*p = (struct position){step->kind, NO_NAME, step->index, which, false};
		if (step->kind == JSON_STEP_NAME || step->kind == JSON_STEP_DEEP_NAME) {
			enum seal_status rc = name_number(b, step->name, &p->name);

			if (rc != SEAL_OK)
				return rc;
		}
	}
	b->positions[b->n_positions++] = (struct position){JSON_STEP_INDEX, NO_NAME, UINT32_MAX, which, true};
	return SEAL_OK;
}

static enum seal_status number_all(struct build *b, const struct json_path *paths, size_t n)
{
	size_t steps = 0;

	for (size_t i = 0; i < n; i++)
		steps += paths[i].n_steps;
	b->name_mask = power_of_two((uint32_t)steps * 2) - 1;
	b->positions = zeroed(&b->scratch, steps + n + 1, sizeof(*b->positions), _Alignof(struct position));
	b->names = zeroed(&b->scratch, steps + 1, sizeof(*b->names), _Alignof(struct paths_name));
	b->name_slots = zeroed(&b->scratch, b->name_mask + 1, sizeof(uint32_t), _Alignof(uint32_t));
	b->set_mask = JSON_STATES_MAX * 2 - 1;
	b->set_slots = zeroed(&b->scratch, b->set_mask + 1, sizeof(uint32_t), _Alignof(uint32_t));
	if (b->positions == NULL || b->names == NULL || b->name_slots == NULL || b->set_slots == NULL)
		return err_memory(b->err);
	for (size_t i = 0; i < n; i++) {
		enum seal_status rc = number_path(b, &paths[i], (uint32_t)i);

		if (rc != SEAL_OK)
			return rc;
	}
	return SEAL_OK;
}

static enum seal_status add_state(struct build *b, struct set set, uint32_t *state)
{
	if (b->n_states == JSON_STATES_MAX)
		return too_complex(b);
	if (b->n_states == b->cap_states) {
		uint32_t cap = b->cap_states ? b->cap_states * 2 : 64;
		struct paths_state *states = mem_realloc_array(b->states, cap, sizeof(*states));
		struct set *sets;

		if (states == NULL)
			return err_memory(b->err);
		b->states = states;
		sets = mem_realloc_array(b->sets, cap, sizeof(*sets));
		if (sets == NULL)
			return err_memory(b->err);
		b->sets = sets;
		b->cap_states = cap;
	}
	b->states[b->n_states] = (struct paths_state){.lengths = 0};
	b->sets[b->n_states] = set;
	*state = b->n_states++;
	return SEAL_OK;
}

/* The state of `set`, whose memory is the last allocation of the scratch arena. */
static enum seal_status state_of(struct build *b, struct set set, uint32_t *state)
{
	size_t size = set.n * sizeof(*set.at);
	enum seal_status rc;
	uint32_t slot;

	*state = PATHS_DEAD;
	if (set.n == 0)
		return SEAL_OK;
	for (uint32_t i = 0; i < set.n; i++) {
		if (b->positions[set.at[i]].end) {
			*state = 1 + b->positions[set.at[i]].path;
			return SEAL_OK;
		}
	}
	slot = paths_hash((const uint8_t *)set.at, size) & b->set_mask;
	for (; b->set_slots[slot] != 0; slot = (slot + 1) & b->set_mask) {
		const struct set *other = &b->sets[b->set_slots[slot]];

		if (other->n == set.n && memcmp(other->at, set.at, size) == 0) {
			*state = b->set_slots[slot];
			return SEAL_OK;
		}
	}
	rc = add_state(b, set, state);
	if (rc == SEAL_OK)
		b->set_slots[slot] = *state;
	return rc;
}

/* What a child is called: a member (number of its name, NO_NAME: any other) or an element (index, or any other). */
struct child {
	bool element;
	uint32_t name, index;
};

static bool selects(const struct position *p, struct child c)
{
	if (p->end)
		return false;
	if (p->kind == JSON_STEP_WILD)
		return true;
	if (p->kind == JSON_STEP_INDEX)
		return c.element && p->index == c.index;
	return !c.element && p->name == c.name;
}

/* The state in which child `c` of a place with the open positions `from` is. */
static enum seal_status step(struct build *b, struct set from, struct child c, uint32_t *next)
{
	uint32_t *at = arena_alloc(&b->scratch, (2 * (size_t)from.n + 1) * sizeof(*at), _Alignof(uint32_t));
	struct set to = {at, 0};

	if (at == NULL)
		return err_memory(b->err);
	b->work += from.n + 1;
	if (b->work > WORK_MAX)
		return too_complex(b);
	for (uint32_t i = 0; i < from.n; i++) {
		uint32_t p = from.at[i];

		/* Ascending by itself: p gives p and p + 1, and the next one is at least p + 1. */
		if (b->positions[p].kind == JSON_STEP_DEEP_NAME && (to.n == 0 || at[to.n - 1] != p))
			at[to.n++] = p;
		if (selects(&b->positions[p], c))
			at[to.n++] = p + 1;
	}
	arena_shrink(&b->scratch, (uint8_t *)(at + 2 * (size_t)from.n + 1), (uint8_t *)(at + to.n));
	return state_of(b, to, next);
}

static void put_name(struct paths_state *s, struct paths_name *table, const struct paths_name *name, uint32_t next)
{
	uint32_t slot = name->hash & s->names_mask;

	while (table[slot].text != NULL) {
		if (table[slot].text == name->text)
			return;
		slot = (slot + 1) & s->names_mask;
	}
	table[slot] = *name;
	table[slot].next = next;
	s->lengths |= UINT64_C(1) << (name->len < 63 ? name->len : 63);
}

/* Fills in where named members of `state` lead. */
static enum seal_status expand_names(struct build *b, uint32_t state, struct paths_state *s)
{
	struct set set = b->sets[state];
	struct paths_name *table;
	uint32_t n = 0;

	for (uint32_t i = 0; i < set.n; i++)
		n += b->positions[set.at[i]].name != NO_NAME;
	if (n == 0)
		return SEAL_OK;
	s->names_mask = power_of_two(n * 2) - 1;
	table = zeroed(b->out, s->names_mask + 1, sizeof(*table), _Alignof(struct paths_name));
	if (table == NULL)
		return err_memory(b->err);
	s->names = table;
	for (uint32_t i = 0; i < set.n; i++) {
		uint32_t name = b->positions[set.at[i]].name, next;
		enum seal_status rc;

		if (name == NO_NAME)
			continue;
		rc = step(b, set, (struct child){.name = name}, &next);
		if (rc != SEAL_OK)
			return rc;
		put_name(s, table, &b->names[name], next);
	}
	return SEAL_OK;
}

static void put_index(struct paths_index *indexes, uint32_t *n, uint32_t index, uint32_t next)
{
	uint32_t at = *n;

	for (uint32_t i = 0; i < *n; i++)
		if (indexes[i].index == index)
			return;
	for (; at > 0 && indexes[at - 1].index > index; at--)
		indexes[at] = indexes[at - 1];
	indexes[at] = (struct paths_index){index, next};
	++*n;
}

/* Fills in where indexed elements of `state` lead. */
static enum seal_status expand_indexes(struct build *b, uint32_t state, struct paths_state *s)
{
	struct set set = b->sets[state];
	struct paths_index *indexes;
	uint32_t n = 0;

	for (uint32_t i = 0; i < set.n; i++)
		n += b->positions[set.at[i]].kind == JSON_STEP_INDEX;
	if (n == 0)
		return SEAL_OK;
	indexes = zeroed(b->out, n, sizeof(*indexes), _Alignof(struct paths_index));
	if (indexes == NULL)
		return err_memory(b->err);
	s->indexes = indexes;
	for (uint32_t i = 0; i < set.n; i++) {
		const struct position *p = &b->positions[set.at[i]];
		enum seal_status rc;
		uint32_t next;

		if (p->kind != JSON_STEP_INDEX)
			continue;
		rc = step(b, set, (struct child){.element = true, .index = p->index}, &next);
		if (rc != SEAL_OK)
			return rc;
		put_index(indexes, &s->n_indexes, p->index, next);
	}
	return SEAL_OK;
}

static enum seal_status expand(struct build *b, uint32_t state)
{
	struct paths_state s = {.lengths = 0};
	enum seal_status rc;

	SEAL_TRY(step(b, b->sets[state], (struct child){.name = NO_NAME}, &s.member));
	SEAL_TRY(step(b, b->sets[state], (struct child){.element = true, .index = UINT32_MAX}, &s.element));
	SEAL_TRY(expand_names(b, state, &s));
	SEAL_TRY(expand_indexes(b, state, &s));
	b->states[state] = s;
out:
	return rc;
}

/* The dead state, the accepting ones, then all that can be reached from the start. */
static enum seal_status construct(struct build *b, const struct json_path *paths, size_t n, struct json_paths *out)
{
	uint32_t *first, state;
	struct set start;
	enum seal_status rc;

	b->n_paths = out->n_paths = (uint32_t)n;
	SEAL_TRY(number_all(b, paths, n));
	for (size_t i = 0; i <= n; i++)
		SEAL_TRY(add_state(b, (struct set){NULL, 0}, &state));
	first = arena_alloc(&b->scratch, (n + 1) * sizeof(*first), _Alignof(uint32_t));
	if (first == NULL)
		return err_memory(b->err);
	start = (struct set){first, 0};
	for (uint32_t p = 0; p < b->n_positions; p++)
		if (p == 0 || b->positions[p - 1].end)
			first[start.n++] = p;
	SEAL_TRY(state_of(b, start, &out->start));
	for (state = (uint32_t)n + 1; state < b->n_states; state++)
		SEAL_TRY(expand(b, state));
out:
	return rc;
}

static enum seal_status finish(struct build *b, const struct json_path *paths, struct json_paths *out)
{
	size_t size = b->n_states * sizeof(*b->states);
	struct paths_state *states = arena_alloc(b->out, size, 64);
	bool *dynamic = arena_alloc(b->out, b->n_paths + 1, 1);

	if (states == NULL || dynamic == NULL)
		return err_memory(b->err);
	memcpy(states, b->states, size);
	for (uint32_t i = 0; i < b->n_paths; i++)
		dynamic[i] = json_path_is_dynamic(&paths[i]);
	out->states = states;
	out->dynamic = dynamic;
	return SEAL_OK;
}

enum seal_status json_paths_new(const struct json_path *paths, size_t n, struct json_paths **out,
				struct seal_err *err)
{
	struct json_paths *result;
	struct build b = {.err = err};
	enum seal_status rc;

	*out = NULL;
	if (n > JSON_PATHS_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_LIMIT, "more than %d paths in one topic", JSON_PATHS_MAX);
	result = mem_calloc(1, sizeof(*result));
	if (result == NULL)
		return err_memory(err);
	arena_init(&result->memory, 0);
	arena_init(&b.scratch, 0);
	b.out = &result->memory;
	SEAL_TRY(construct(&b, paths, n, result));
	SEAL_TRY(finish(&b, paths, result));
	*out = result;
out:
	if (rc != SEAL_OK)
		json_paths_free(result);
	arena_clear(&b.scratch);
	mem_free(b.states);
	mem_free(b.sets);
	return rc;
}

void json_paths_free(struct json_paths *paths)
{
	if (paths == NULL)
		return;
	arena_clear(&paths->memory);
	mem_free(paths);
}
