/* Shapes: which characters of a value may change, and whether there are enough of them. */
#include "methods/shape.h"

#include "json/scan.h"

/* The least n >= 2 with radix^n >= 10^6 (SP 800-38G r1, section 5.2). */
static size_t least_length(uint32_t radix)
{
	uint64_t domain = radix;
	size_t n = 1;

	while (n < 2 || domain < SHAPE_DOMAIN_MIN) {
		domain *= radix;
		n++;
	}
	return n;
}

enum seal_status shape_init(struct shape *shape, const char *method, const char *alphabet, int64_t keep_first,
			    int64_t keep_last, size_t n_max, struct seal_err *err)
{
	enum seal_status rc;

	*shape = (struct shape){.method = method,
				.keep_first = (size_t)keep_first,
				.keep_last = (size_t)keep_last,
				.n_max = n_max,
				.digits = bytes_eq_str(bytes_str(alphabet), "digits")};
	SEAL_TRY(alphabet_new(bytes_str(alphabet), &shape->alphabet, err));
	shape->n_min = least_length(shape->alphabet->radix);
out:
	return rc;
}

void shape_clear(struct shape *shape)
{
	alphabet_free(shape->alphabet);
	*shape = (struct shape){.method = NULL};
}

bool shape_leads(const struct shape *shape, bool json)
{
	return json && shape->keep_first == 0;
}

static bool is_integer(struct seal_bytes json)
{
	for (size_t i = 0; i < json.len; i++)
		if (json.ptr[i] < '0' || json.ptr[i] > '9')
			return false;
	return true;
}

/* False, and the cell failed, when its type is none for this shape. */
static bool type_fits(const struct shape *shape, struct lot *lot, struct cell *cell)
{
	if (cell->kind == CELL_STRING)
		return true;
	if (cell->kind != CELL_JSON || cell->json_type != JSON_NUMBER)
		cell_fail(lot, cell, SEAL_E_TYPE, "%s takes strings and integers; use encrypt for other values",
			  shape->method);
	else if (!shape->digits)
		cell_fail(lot, cell, SEAL_E_TYPE, "%s takes numbers only with 'alphabet: digits'", shape->method);
	else if (!is_integer(cell->in))
		cell_fail(lot, cell, SEAL_E_TYPE,
			  "%s takes integers without sign, fraction and exponent; use encrypt for other numbers",
			  shape->method);
	return cell->err == NULL;
}

/*
 * How many characters of the alphabet a value needs. An integer that must not begin with 0 needs one more: its domain lacks the
 * tenth that does, and 900,000 are too few.
 */
static size_t least_characters(const struct shape *shape, const struct cell *cell)
{
	return shape->n_min + shape->keep_first + shape->keep_last + shape_leads(shape, cell->kind == CELL_JSON);
}

static void fail_length(const struct shape *shape, struct lot *lot, struct cell *cell, bool too_long)
{
	const size_t keep = shape->keep_first + shape->keep_last;

	if (too_long)
		cell_fail(lot, cell, SEAL_E_DOMAIN,
			  "the value is too long: at most %zu characters of the alphabet can be transformed",
			  shape->n_max);
	else if (keep == 0)
		cell_fail(lot, cell, SEAL_E_DOMAIN,
			  "the value is too short: at least %zu characters of the alphabet are needed "
			  "(a domain of 1,000,000)",
			  least_characters(shape, cell));
	else
		cell_fail(lot, cell, SEAL_E_DOMAIN,
			  "the value is too short: at least %zu characters of the alphabet are needed, the %zu that "
			  "'keep' leaves among them (a domain of 1,000,000)",
			  least_characters(shape, cell), keep);
}

enum seal_status shape_read(const struct shape *shape, struct lot *lot, struct cell *cell, struct shaped *out,
			    struct seal_err *err)
{
	const size_t keep = shape->keep_first + shape->keep_last;
	size_t room = shape->n_max + keep, n;
	uint16_t *numerals;

	if (!type_fits(shape, lot, cell))
		return SEAL_OK;
	if (room > cell->in.len)
		room = cell->in.len;
	numerals = arena_alloc(lot->arena, (room + 1) * sizeof(*numerals), _Alignof(uint16_t));
	if (numerals == NULL)
		return err_memory(err);
	n = alphabet_read(shape->alphabet, cell->in, numerals, room);
	if (n == ALPHABET_TOO_LONG || n < least_characters(shape, cell)) {
		fail_length(shape, lot, cell, n == ALPHABET_TOO_LONG);
		return SEAL_OK;
	}
	arena_shrink(lot->arena, (uint8_t *)(numerals + room + 1), (uint8_t *)(numerals + n));
	*out = (struct shaped){numerals, numerals + shape->keep_first, (uint32_t)(n - keep)};
	return SEAL_OK;
}

enum seal_status shape_write(const struct shape *shape, struct seal_bytes text, const uint16_t *numerals,
			     struct arena *arena, struct seal_bytes *out, struct seal_err *err)
{
	const size_t room = alphabet_write_max(shape->alphabet, text);
	uint8_t *to = arena_alloc(arena, room, 1);

	if (to == NULL)
		return err_memory(err);
	*out = bytes_of(to, alphabet_write(shape->alphabet, text, numerals, to));
	arena_shrink(arena, to + room, to + out->len);
	return SEAL_OK;
}
