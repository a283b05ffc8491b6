/*
 * Detectors of one thread: which are asked about a value, and their answers.
 *
 *   length, digits, kinds of bytes ──▶ one mask of bits each ──▶ their common bits are asked    (nothing else costs anything)
 *
 * Gates are turned into masks once, so that the cost of a value does not grow with the table.
 */
#include "detect/detect.h"

#include "base/mem.h"
#include "base/regex.h"
#include "detect/names.h"
#include "detect/table.h"

#define LEN_STEPS 66 /* lengths 0 … 64; the last: longer */
#define DIGIT_STEPS 34 /* digits 0 … 32; the last: more */
#define CHANCY 0.005 /* from this chance on look-alikes are counted */

#define NAMES_SEEN 512
#define NAMES_ALIKE 4 /* of one hash that are kept */
#define NAME_SEEN_MAX 54 /* bytes of one that is kept */

/* A name and its bits: inside texts the same ones come again and again. */
struct known_name {
	uint64_t bits;
	uint8_t len; /* 0: none */
	char text[NAME_SEEN_MAX];
};

struct detect {
	struct names *names;
	struct regex *patterns[DETECT_MAX];
	uint64_t by_len[LEN_STEPS], by_digits[DIGIT_STEPS];
	uint64_t without[HAS_KINDS]; /* by a kind of bytes: who takes no value that has it */
	uint64_t needs[HAS_KINDS]; /* who takes none that lacks it */
	uint64_t ranks[RANK_LAST + 1];
	uint64_t numbers; /* who takes JSON numbers */
	uint64_t proofs; /* whose hits say something by themselves */
	uint64_t chancy; /* … and are accidents at times */
	uint64_t alike; /* of the last value */
	uint64_t by_name; /* who needs a name, and is encrypted */
	uint64_t untested; /* who has no test of values */
	struct known_name names_seen[NAMES_SEEN];
	size_t n_seen; /* names that were new */
};

size_t detect_count(void)
{
	return detect_n_rules;
}

const struct detector *detect_at(size_t bit)
{
	SEAL_INVARIANT(bit < detect_n_rules);
	return &detect_rules[bit].what;
}

static void add_gate(struct detect *d, const struct detect_gate *gate, uint64_t bit)
{
	const bool any = gate->digits_max == 0;

	for (size_t n = 0; n < LEN_STEPS; n++)
		if (n == LEN_STEPS - 1 ? gate->len_max >= n : n >= gate->len_min && n <= gate->len_max)
			d->by_len[n] |= bit;
	for (size_t n = 0; n < DIGIT_STEPS; n++)
		if (any ||
		    (n == DIGIT_STEPS - 1 ? gate->digits_max >= n : n >= gate->digits_min && n <= gate->digits_max))
			d->by_digits[n] |= bit;
	for (size_t kind = 0; kind < HAS_KINDS; kind++) {
		if (gate->may != 0 && (gate->may >> kind & 1) == 0)
			d->without[kind] |= bit;
		if (gate->must >> kind & 1)
			d->needs[kind] |= bit;
	}
}

static enum seal_status add_rule(struct detect *d, size_t i, struct seal_err *err)
{
	const struct detect_rule *rule = &detect_rules[i];
	const uint64_t bit = UINT64_C(1) << i;
	size_t at;

	if (rule->what.needs_name && rule->what.suggest != NULL && strcmp(rule->what.suggest, "type: encrypt") == 0)
		d->by_name |= bit;
	if (rule->test == NULL && rule->pattern == NULL) {
		d->untested |= bit;
		return SEAL_OK;
	}
	add_gate(d, &rule->gate, bit);
	d->ranks[rule->rank] |= bit;
	d->numbers |= rule->what.takes_numbers ? bit : 0;
	d->proofs |= rule->what.needs_name ? 0 : bit;
	d->chancy |= rule->what.needs_name || rule->chance < CHANCY ? 0 : bit;
	return rule->pattern == NULL ? SEAL_OK : regex_new(bytes_str(rule->pattern), &d->patterns[i], &at, err);
}

enum seal_status detect_new(struct detect **out, struct seal_err *err)
{
	struct detect *d = mem_calloc(1, sizeof(*d));
	enum seal_status rc;

	*out = NULL;
	if (d == NULL)
		return err_memory(err);
	SEAL_INVARIANT(detect_n_rules <= DETECT_MAX);
	SEAL_TRY(names_new(&d->names, err));
	for (size_t i = 0; i < detect_n_rules; i++)
		SEAL_TRY(add_rule(d, i, err));
	*out = d;
out:
	if (rc != SEAL_OK)
		detect_free(d);
	return rc;
}

void detect_free(struct detect *detect)
{
	if (detect == NULL)
		return;
	for (size_t i = 0; i < DETECT_MAX; i++)
		regex_free(detect->patterns[i]);
	names_free(detect->names);
	mem_free(detect);
}

/* Bits of those whose gates let the value through. */
static uint64_t candidates(const struct detect *d, const struct value *v)
{
	uint64_t bits = d->by_len[v->text.len < LEN_STEPS ? v->text.len : LEN_STEPS - 1] &
			d->by_digits[v->n_digits < DIGIT_STEPS ? v->n_digits : DIGIT_STEPS - 1];

	for (size_t kind = 0; kind < HAS_KINDS; kind++)
		bits &= ~((v->has >> kind & 1) ? d->without[kind] : d->needs[kind]);
	return bits;
}

static bool fits(const struct detect *d, size_t i, const struct value *v)
{
	const struct detect_rule *rule = &detect_rules[i];
	const struct detect_gate *gate = &rule->gate;

	if (v->text.len < gate->len_min || v->text.len > gate->len_max)
		return false;
	if (gate->digits_max != 0 &&
	    (v->n_digits < gate->digits_min || (v->n_digits > gate->digits_max && gate->digits_max != UINT8_MAX)))
		return false;
	if (gate->first != NULL && strchr(gate->first, v->text.ptr[0]) == NULL)
		return false;
	if (rule->pattern != NULL)
		return regex_match(d->patterns[i], v->text) == REGEX_YES;
	return rule->test(v);
}

static uint64_t ask(const struct detect *d, uint64_t whom, const struct value *v)
{
	uint64_t hits = 0;

	for (; whom != 0; whom &= whom - 1) {
		const size_t i = (size_t)__builtin_ctzll(whom);

		if (fits(d, i, v))
			hits |= UINT64_C(1) << i;
	}
	return hits;
}

uint64_t detect_text(struct detect *detect, struct seal_bytes text)
{
	struct value v;
	uint64_t whom, hits = 0;

	value_of(text, &v);
	whom = candidates(detect, &v);
	detect->alike = whom & detect->chancy;
	for (int rank = RANK_WHOLE; rank <= RANK_LAST && (hits & detect->proofs) == 0; rank++)
		hits |= ask(detect, whom & detect->ranks[rank], &v);
	return hits;
}

uint64_t detect_number(struct detect *detect, struct seal_bytes literal)
{
	struct value v;
	uint64_t whom;

	detect->alike = 0;
	value_of(literal, &v);
	if (v.has != HAS_DIGIT)
		return 0; /* signs, fractions, exponents: an amount, no name of anything */
	whom = candidates(detect, &v) & detect->numbers;
	detect->alike = whom & detect->chancy;
	return ask(detect, whom, &v);
}

uint64_t detect_alike(const struct detect *detect)
{
	return detect->alike;
}

uint64_t detect_name(struct detect *detect, struct seal_bytes name)
{
	uint32_t hash = 2166136261u; /* FNV-1a: who finds names that share a place makes them slower, no more */
	struct known_name *seen;

	if (name.len == 0 || name.len > NAME_SEEN_MAX)
		return names_match(detect->names, name);
	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ name.ptr[i]) * 16777619u;
	seen = &detect->names_seen[(hash ^ hash >> 16) % (NAMES_SEEN / NAMES_ALIKE) * NAMES_ALIKE];
	for (size_t i = 0; i < NAMES_ALIKE; i++)
		if (bytes_eq(bytes_of(seen[i].text, seen[i].len), name))
			return seen[i].bits;
	seen += detect->n_seen++ % NAMES_ALIKE;
	memcpy(seen->text, name.ptr, name.len);
	seen->len = (uint8_t)name.len;
	seen->bits = names_match(detect->names, name);
	return seen->bits;
}

uint64_t detect_inside(const struct detect *detect, uint64_t named, uint64_t hits, uint64_t *fit)
{
	named &= detect->by_name;
	*fit = named & (hits | detect->untested);
	return named;
}
