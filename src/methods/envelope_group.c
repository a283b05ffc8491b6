/* Names of keys numbered by sorting, cells put in order by counting. All memory is the lot's. */
#include "methods/envelope_group.h"

#include <stdlib.h>

#define LATELY 8 /* names that are looked at before a new one is noted */
#define NAMES_FIRST 16

static bool same_name(const struct key_name *a, struct seal_bytes first, struct seal_bytes second)
{
	return bytes_eq(a->first, first) && bytes_eq(a->second, second);
}

static enum seal_status grow(struct key_names *names, struct seal_err *err)
{
	const size_t cap = names->cap == 0 ? NAMES_FIRST : names->cap * 2;
	struct key_name *grown = arena_alloc(names->arena, cap * sizeof(*grown), _Alignof(struct key_name));

	if (grown == NULL)
		return err_memory(err);
	if (names->n > 0)
		memcpy(grown, names->names, names->n * sizeof(*grown));
	names->names = grown;
	names->cap = cap;
	return SEAL_OK;
}

enum seal_status names_note(struct key_names *names, struct seal_bytes first, struct seal_bytes second,
			    uint32_t *index, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = names->n; i > 0 && i + LATELY > names->n; i--)
		if (same_name(&names->names[i - 1], first, second)) {
			*index = (uint32_t)(i - 1);
			return SEAL_OK;
		}
	if (names->n == names->cap)
		SEAL_TRY(grow(names, err));
	*index = (uint32_t)names->n;
	names->names[names->n++] = (struct key_name){first, second, NAME_NONE};
out:
	return rc;
}

static int compare(const void *a, const void *b)
{
	const struct key_name *x = *(struct key_name *const *)a, *y = *(struct key_name *const *)b;
	const int by_first = bytes_cmp(x->first, y->first);

	return by_first != 0 ? by_first : bytes_cmp(x->second, y->second);
}

enum seal_status names_number(struct key_names *names, uint32_t **described_by, size_t *n_groups,
			      struct seal_err *err)
{
	struct key_name **sorted =
		arena_alloc(names->arena, (names->n + 1) * sizeof(struct key_name *), _Alignof(struct key_name *));

	*n_groups = 0;
	*described_by = arena_alloc(names->arena, (names->n + 1) * sizeof(uint32_t), _Alignof(uint32_t));
	if (sorted == NULL || *described_by == NULL)
		return err_memory(err);
	for (size_t i = 0; i < names->n; i++)
		sorted[i] = &names->names[i];
	if (names->n > 1)
		qsort(sorted, names->n, sizeof(*sorted), compare);
	for (size_t i = 0; i < names->n; i++) {
		if (i == 0 || compare(&sorted[i - 1], &sorted[i]) != 0)
			(*described_by)[(*n_groups)++] = (uint32_t)(sorted[i] - names->names);
		sorted[i]->group = (uint32_t)(*n_groups - 1);
	}
	return SEAL_OK;
}

enum seal_status cells_group(const uint32_t *group_of, size_t n_cells, size_t n_groups, struct arena *arena,
			     struct cell_groups *out, struct seal_err *err)
{
	size_t *next;

	out->order = arena_alloc(arena, (n_cells + 1) * sizeof(*out->order), _Alignof(uint32_t));
	out->start = arena_alloc(arena, (n_groups + 2) * sizeof(*out->start), _Alignof(size_t));
	if (out->order == NULL || out->start == NULL)
		return err_memory(err);
	/* start[g + 1] goes from how many come before group g to where its next cell stands: in the end, to start of g + 1. */
	memset(out->start, 0, (n_groups + 2) * sizeof(*out->start));
	next = out->start + 1;
	for (size_t i = 0; i < n_cells; i++)
		if (group_of[i] != NAME_NONE)
			next[group_of[i] + 1]++;
	for (size_t g = 0; g < n_groups; g++)
		next[g + 1] += next[g];
	for (size_t i = 0; i < n_cells; i++)
		if (group_of[i] != NAME_NONE)
			out->order[next[group_of[i]]++] = (uint32_t)i;
	return SEAL_OK;
}
