/*
 * Detectors on values made up from seeds: how many of a kind they find, how many look-alikes they take, and what becomes of whole
 * fields. Prints one line a detector and fails under the floors below; docs/SCAN.md states the numbers.
 *
 *   recall       of values of the kind, the share that the test takes
 *   accidents    of look-alikes (other characters, same kinds and places), the share that the test takes: at most what its row in
 *                the table says, since the judgement relies on it
 *   fields       of fields of 200 such values, one in ten of them "n/a" or empty: how many are found. Precision: against the fields
 *                of all other kinds, their look-alikes, and three dozen kinds of plain fields
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "detect/table.h"
#include "detect_plains.h"

#define VALUES 4000
#define FIELDS 20
#define FIELD_VALUES 200
#define RECALL_MIN 0.98
#define RANDOM_RECALL_MIN 0.90 /* of random texts some look like words */
#define FIELD_RECALL_MIN 0.99
#define FIELD_PRECISION_MIN 0.90
#define ALL_PRECISION_MIN 0.98

/* ---- counting */

static size_t bit_of(const char *name)
{
	for (size_t i = 0; i < detect_count(); i++)
		if (strcmp(detect_at(i)->name, name) == 0)
			return i;
	fail_msg("no detector %s", name);
	return 0;
}

struct tally {
	size_t fields, found; /* fields of the kind; of these found */
	size_t wrong; /* fields of other kinds that are said to be this */
};

static struct detect *detect;
static struct tally tallies[DETECT_MAX];
static uint64_t same[DETECT_MAX]; /* by bit: others that are the same thing under another name */

/* What is right of a field, as well: its parts, or what cannot be told from it. */
static void know_same(const char *of, const char *others)
{
	char name[64];

	for (; *others != '\0'; others += strspn(others, "|")) {
		const size_t len = strcspn(others, "|");

		memcpy(name, others, len);
		name[len] = '\0';
		same[bit_of(of)] |= UINT64_C(1) << bit_of(name);
		others += len;
	}
}

/* One field: counts its values and takes down what is said of it. `right`: its detector, or none. */
static void judge_field(struct prop_random *r, maker make, const struct kind *kind, const char *name, bool alike)
{
	struct detect_counts counts = {0};
	struct detect_finding found[DETECT_MAX];
	const size_t right = kind == NULL ? DETECT_MAX : bit_of(kind->detector);
	char text[MADE_MAX], other[MADE_MAX];
	size_t n;

	counts.named = name == NULL ? 0 : detect_name(detect, bytes_str(name));
	for (size_t i = 0; i < FIELD_VALUES; i++) {
		uint64_t bits;

		if (kind == NULL)
			make(r, text);
		else if (!alike && prop_below(r, 10) == 0)
			put_word(r, text, "n/a|unknown|-");
		else
			make_kind(kind, r, text);
		if (alike) {
			make_alike(r, text, other);
			memcpy(text, other, sizeof(text));
		}
		counts.values++;
		bits = detect_text(detect, bytes_str(text));
		for (; bits != 0; bits &= bits - 1)
			counts.hits[__builtin_ctzll(bits)]++;
	}
	n = detect_judge(&counts, found);
	if (!alike && right < DETECT_MAX)
		tallies[right].fields++;
	for (size_t i = 0; i < n && found[i].confidence >= DETECT_CONFIDENT; i++) {
		const size_t bit = bit_of(found[i].what->name);

		if (bit == right)
			tallies[bit].found += !alike;
		else if (right == DETECT_MAX || (same[right] >> bit & 1) == 0) {
			tallies[bit].wrong++;
			print_message("   %s: taken for %s (%.2f)\n", kind ? kind->detector : name,
				      found[i].what->name, found[i].confidence);
		}
	}
}

/* ---- the laws */

/* Of values of the kind, the share that its detector takes; of look-alikes, too. */
static void measure(const struct kind *kind, size_t bit, double *recall, double *accidents)
{
	struct prop_random r = prop_seed(bit);
	char text[MADE_MAX], other[MADE_MAX];
	size_t taken = 0, alike = 0;

	for (size_t i = 0; i < VALUES; i++) {
		make_kind(kind, &r, text);
		taken += detect_text(detect, bytes_str(text)) >> bit & 1;
		if (kind->no_alikes)
			continue;
		make_alike(&r, text, other);
		alike += detect_text(detect, bytes_str(other)) >> bit & 1;
	}
	*recall = (double)taken / VALUES;
	*accidents = kind->no_alikes ? 0 : (double)alike / VALUES;
}

static void values_are_told_apart(void **state)
{
	bool fine = true;

	print_message("%-18s %8s %10s %10s\n", "values", "recall", "accidents", "allowed");
	for (size_t i = 0; i < N_KINDS; i++) {
		const size_t bit = bit_of(kinds[i].detector);
		const struct detect_rule *rule = &detect_rules[bit];
		const double expected = rule->chance * VALUES;
		double recall, accidents;

		if (rule->test == NULL && rule->pattern == NULL)
			continue;
		measure(&kinds[i], bit, &recall, &accidents);
		print_message("%-18s %8.4f %10.5f %10.5f\n", kinds[i].detector, recall, accidents, rule->chance);
		/* Four standard deviations, and one. */
		fine = fine && accidents * VALUES <= expected + 4 * sqrt(expected) + 1 &&
		       recall >= (strcmp(kinds[i].detector, "random_text") == 0 ? RANDOM_RECALL_MIN : RECALL_MIN);
	}
	assert_true(fine);
}

/* No kind is left out: a new detector brings its maker. */
static void all_detectors_are_measured(void **state)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < N_KINDS; i++)
		seen |= UINT64_C(1) << bit_of(kinds[i].detector);
	seen |= UINT64_C(1) << bit_of("location"); /* below the line by its name alone */
	assert_int_equal(seen, detect_count() == 64 ? UINT64_MAX : (UINT64_C(1) << detect_count()) - 1);
}

static void fields_are_told_apart(void **state)
{
	size_t found = 0, wrong = 0;
	bool fine = true;

	know_same("password", "random_text");
	know_same("gb_nhs", "phone"); /* "943 476 5870" */
	know_same("de_tax_id", "hr_oib"); /* the same check digit */
	know_same("jwt", "random_text"); /* its look-alikes */
	know_same("api_key", "random_text");
	for (uint64_t seed = 0; seed < FIELDS; seed++) {
		struct prop_random r = prop_seed(1000 + seed);

		for (size_t i = 0; i < N_KINDS; i++) {
			judge_field(&r, NULL, &kinds[i], kinds[i].name, false);
			if (!kinds[i].no_alikes)
				judge_field(&r, NULL, &kinds[i], NULL, true);
		}
		for (size_t i = 0; i < N_PLAINS; i++)
			judge_field(&r, plains[i].make, NULL, plains[i].name, false);
	}
	print_message("%-18s %8s %10s\n", "fields", "recall", "precision");
	for (size_t i = 0; i < N_KINDS; i++) {
		const struct tally *t = &tallies[bit_of(kinds[i].detector)];
		const double recall = (double)t->found / (double)t->fields;
		const double precision =
			t->found + t->wrong == 0 ? 0 : (double)t->found / (double)(t->found + t->wrong);

		print_message("%-18s %8.4f %10.4f\n", kinds[i].detector, recall, precision);
		found += t->found;
		wrong += t->wrong;
		fine = fine && recall >= FIELD_RECALL_MIN && precision >= FIELD_PRECISION_MIN;
	}
	print_message("all fields: precision %.4f\n", (double)found / (double)(found + wrong));
	assert_true(fine);
	assert_true((double)found >= ALL_PRECISION_MIN * (double)(found + wrong));
}

static int set_up(void **state)
{
	return detect_new(&detect, NULL) == SEAL_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	detect_free(detect);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_detectors_are_measured),
		cmocka_unit_test(values_are_told_apart),
		cmocka_unit_test(fields_are_told_apart),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
