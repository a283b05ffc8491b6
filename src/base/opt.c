/* Option rows: parsing of values into the members of an options struct, and the nearest valid word. */
#include "base/opt.h"

#include <stdio.h>

#include "base/ckd.h"
#include "base/encode.h"

#define WORD_MAX 64

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit size_units[] = {{"", 1},	   {"B", 1},	{"KiB", 1 << 10}, {"MiB", 1 << 20},
					 {"GiB", 1 << 30}, {"k", 1000}, {"M", 1000000},	  {NULL, 0}};
static const struct unit time_units[] = {{"ms", 1},	 {"s", 1000},	  {"m", 60000},
					 {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

static struct seal_bytes digits_of(struct seal_bytes text)
{
	size_t n = 0;

	while (n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9')
		n++;
	return bytes_of(text.ptr, n);
}

/* A number and a unit of the list; 0 alone needs none. */
static bool parse_scaled(struct seal_bytes text, const struct unit *units, int64_t *out)
{
	struct seal_bytes number = digits_of(text), unit = bytes_skip(text, number.len);
	uint64_t value;

	if (!bytes_to_u64(number, INT64_MAX, &value))
		return false;
	if (value == 0 && unit.len == 0) {
		*out = 0;
		return true;
	}
	for (; units->name != NULL; units++)
		if (bytes_eq_str(unit, units->name))
			return !ckd_mul(out, (int64_t)value, units->factor);
	return false;
}

static bool parse_int(struct seal_bytes text, int64_t *out)
{
	bool negative = text.len > 0 && text.ptr[0] == '-';
	uint64_t value;

	if (!bytes_to_u64(negative ? bytes_skip(text, 1) : text, INT64_MAX, &value))
		return false;
	*out = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

static bool parse_bool(struct seal_bytes text, bool *out)
{
	*out = bytes_eq_str(text, "true");
	return *out || bytes_eq_str(text, "false");
}

static bool parse_choice(const char *choices, struct seal_bytes text, int *out)
{
	for (int i = 0; choices != NULL; i++) {
		const char *bar = strchr(choices, '|');
		size_t len = bar ? (size_t)(bar - choices) : strlen(choices);

		if (bytes_eq(text, bytes_of(choices, len))) {
			*out = i;
			return true;
		}
		choices = bar ? bar + 1 : NULL;
	}
	return false;
}

#define SCALED_MAX 32

/* In the largest unit that leaves no fraction: as it may be written. `units` NULL: none. */
static void put_scaled(int64_t value, const struct unit *units, char out[SCALED_MAX])
{
	const struct unit *best = NULL;

	for (const struct unit *unit = units; value != 0 && unit != NULL && unit->name != NULL; unit++)
		if (value % unit->factor == 0 && (best == NULL || unit->factor > best->factor))
			best = unit;
	snprintf(out, SCALED_MAX, "%lld%s", (long long)(best ? value / best->factor : value), best ? best->name : "");
}

static enum seal_status bad_value(const struct opt_row *row, const char *may_be, const struct unit *units,
				  struct seal_err *err)
{
	char min[SCALED_MAX], max[SCALED_MAX];

	put_scaled(row->min, units, min);
	put_scaled(row->max, units, max);
	if (row->min != 0 || row->max != 0)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s must be %s from %s to %s", row->name, may_be, min,
			       max);
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s must be %s", row->name, may_be);
}

static enum seal_status set_number(const struct opt_row *row, int64_t *member, struct seal_bytes text,
				   struct seal_err *err)
{
	static const struct {
		const char *may_be;
		const struct unit *units;
	} kinds[] = {
		[OPT_INT] = {"a whole number", NULL},
		[OPT_SIZE] = {"a size such as 4096, 64KiB or 16MiB", size_units},
		[OPT_DURATION] = {"a duration such as 100ms, 30s, 5m or 1h", time_units},
	};
	int64_t value;
	bool ok =
		kinds[row->type].units ? parse_scaled(text, kinds[row->type].units, &value) : parse_int(text, &value);

	if (!ok || ((row->min != 0 || row->max != 0) && (value < row->min || value > row->max)))
		return bad_value(row, kinds[row->type].may_be, kinds[row->type].units, err);
	*member = value;
	return SEAL_OK;
}

static enum seal_status set_string(const struct opt_row *row, const char **member, struct seal_bytes text,
				   struct arena *arena, struct seal_err *err)
{
	if (memchr(text.ptr ? (const char *)text.ptr : "", 0, text.len) != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s must not contain a zero byte", row->name);
	*member = arena_strndup(arena, (const char *)text.ptr, text.len);
	return *member ? SEAL_OK : err_memory(err);
}

static enum seal_status set_hex(const struct opt_row *row, struct seal_bytes *member, struct seal_bytes text,
				struct arena *arena, struct seal_err *err)
{
	uint8_t *raw = arena_alloc(arena, text.len / 2 + 1, 1);

	if (raw == NULL)
		return err_memory(err);
	if (!hex_decode(text, raw))
		return bad_value(row, "hexadecimal, two digits a byte", NULL, err);
	*member = bytes_of(raw, text.len / 2);
	return SEAL_OK;
}

static enum seal_status add_to_list(const struct opt_row *row, struct opt_list **member, struct seal_bytes text,
				    struct arena *arena, struct seal_err *err)
{
	struct opt_list *item = ARENA_NEW(arena, struct opt_list);

	if (item == NULL)
		return err_memory(err);
	item->next = NULL;
	while (*member != NULL)
		member = &(*member)->next;
	*member = item;
	return set_string(row, &item->text, text, arena, err);
}

enum seal_status opt_set(const struct opt_row *row, void *options, struct seal_bytes text, struct arena *arena,
			 struct seal_err *err)
{
	void *member = (uint8_t *)options + row->offset;
	char may_be[160];

	switch (row->type) {
	case OPT_FLAG:
		return parse_bool(text, member) ? SEAL_OK : bad_value(row, "true or false", NULL, err);
	case OPT_INT:
	case OPT_SIZE:
	case OPT_DURATION:
		return set_number(row, member, text, err);
	case OPT_STRING:
		return set_string(row, member, text, arena, err);
	case OPT_HEX:
		return set_hex(row, member, text, arena, err);
	case OPT_CHOICE:
		snprintf(may_be, sizeof(may_be), "one of %s", row->choices);
		return parse_choice(row->choices, text, member) ? SEAL_OK : bad_value(row, may_be, NULL, err);
	case OPT_LIST:
		return add_to_list(row, member, text, arena, err);
	}
	err_bug(__FILE__, __LINE__, "an option row has no such type");
}

enum seal_status opt_defaults(const struct opt_row *rows, void *options, struct arena *arena, struct seal_err *err)
{
	for (; rows->name != NULL; rows++) {
		enum seal_status rc = rows->def ? opt_set(rows, options, bytes_str(rows->def), arena, err) : SEAL_OK;

		if (rc != SEAL_OK)
			return rc;
	}
	return SEAL_OK;
}

void opt_copy(const struct opt_row *from, const void *from_options, const struct opt_row *to, void *to_options)
{
	static const size_t sizes[] = {
		[OPT_FLAG] = sizeof(bool),	     [OPT_INT] = sizeof(int64_t),
		[OPT_SIZE] = sizeof(int64_t),	     [OPT_DURATION] = sizeof(int64_t),
		[OPT_STRING] = sizeof(const char *), [OPT_HEX] = sizeof(struct seal_bytes),
		[OPT_CHOICE] = sizeof(int),	     [OPT_LIST] = sizeof(struct opt_list *),
	};

	SEAL_INVARIANT(from->type == to->type);
	memcpy((uint8_t *)to_options + to->offset, (const uint8_t *)from_options + from->offset, sizes[to->type]);
}

const struct opt_row *opt_find(const struct opt_row *rows, struct seal_bytes name)
{
	for (; rows->name != NULL; rows++)
		if (bytes_eq_str(name, rows->name))
			return rows;
	return NULL;
}

const struct opt_row *opt_find_letter(const struct opt_row *rows, char letter)
{
	for (; rows->name != NULL; rows++)
		if (rows->letter == letter && letter != '\0')
			return rows;
	return NULL;
}

/* Levenshtein distance of two words of at most WORD_MAX bytes; a large number when one is longer. */
static size_t distance(struct seal_bytes a, struct seal_bytes b)
{
	size_t row[WORD_MAX + 1];

	if (a.len > WORD_MAX || b.len > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t change = corner + (a.ptr[i - 1] != b.ptr[j - 1]);
			size_t other = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);

			corner = row[j];
			row[j] = change < other ? change : other;
		}
	}
	return row[b.len];
}

static void consider(const char *word, struct seal_bytes name, const char **best, size_t *best_distance)
{
	size_t d = distance(bytes_str(word), name);

	if (d < *best_distance && d <= 1 + name.len / 3) {
		*best = word;
		*best_distance = d;
	}
}

const char *opt_nearest(const struct opt_row *rows, struct seal_bytes name)
{
	const char *best = NULL;
	size_t best_distance = SIZE_MAX;

	for (; rows->name != NULL; rows++)
		consider(rows->name, name, &best, &best_distance);
	return best;
}

const char *word_nearest(const char *const *words, struct seal_bytes name)
{
	const char *best = NULL;
	size_t best_distance = SIZE_MAX;

	for (; *words != NULL; words++)
		consider(*words, name, &best, &best_distance);
	return best;
}
