/*
 * From counts of a path to findings. Two things speak for a detector, and either may suffice:
 *
 *   values   strength × (1 - chance / share) × (1 - P[so many hits by accident])
 *            so that one in ten numbers that pass a check digit are no card numbers, while nine in ten are; and one e-mail
 *            address among a thousand texts is one. Where only some values look like it at all, the share is that of these, if
 *            so many are hardly an accident: twenty card numbers among a thousand texts are some
 *   name     named, less when a test looked at the values and took few of them
 *
 *   confidence = 1 - (1 - values) × (1 - name)
 */
#include <math.h>
#include <stdlib.h>

#include "detect/detect.h"
#include "detect/table.h"

#define REFUSED 0.25 /* what is left of a name when its test takes no value */
#define FLOOR 0.05 /* less than that is not reported */
#define HARDLY 1e-4 /* the most that an accident among few look-alikes may be likely to be */

/* An upper bound of P[at least `hits` of `values`] when each passes by accident with `chance` (Chernoff, Poisson). */
static double accident(double hits, double values, double chance)
{
	const double expected = values * chance;

	if (hits <= expected)
		return 1.0;
	return exp(hits - expected - hits * log(hits / expected));
}

/* What `hits` are worth among `values`. */
static double worth(const struct detect_rule *rule, double hits, double values)
{
	const double share = hits / values;

	if (share <= rule->chance)
		return 0;
	return rule->strength * (1 - rule->chance / share) * (1 - accident(hits, values, rule->chance));
}

static double of_values(const struct detect_rule *rule, double hits, double values, double alike)
{
	if (hits <= 0 || values <= 0 || rule->what.needs_name)
		return 0;
	if (alike >= hits && alike < values && accident(hits, alike, rule->chance) <= HARDLY)
		return worth(rule, hits, alike);
	return worth(rule, hits, values);
}

static double of_name(const struct detect_rule *rule, double hits, double values)
{
	const bool tests = rule->test != NULL || rule->pattern != NULL;
	double taken;

	if (!tests || values <= 0)
		return rule->named;
	taken = hits / values;
	/* A test that only says what values must look like at least has to take nearly all of them. */
	taken = rule->what.needs_name ? taken * taken : taken > 0.5 ? 1 : taken * 2;
	return rule->named * (REFUSED + (1 - REFUSED) * taken);
}

static int compare(const void *a, const void *b)
{
	const struct detect_finding *x = a, *y = b;

	if (x->confidence != y->confidence)
		return x->confidence > y->confidence ? -1 : 1;
	return x->what < y->what ? -1 : x->what > y->what;
}

/* Share of values that are protected already: a name says nothing of these. */
static double protected_share(const struct detect_counts *counts)
{
	uint64_t hits = 0;

	for (size_t i = 0; i < detect_n_rules; i++)
		if (detect_rules[i].what.suggest == NULL)
			hits += counts->hits[i];
	return counts->values == 0 ? 0 : (double)hits / (double)counts->values;
}

/* When the best is proved by values, what only the name says of the same class adds nothing: "telephone number, digits alone". */
static size_t without_echoes(struct detect_finding *found, size_t n)
{
	const struct detect_finding best = found[0];
	size_t kept = 1;

	if (best.what->needs_name || best.by_name || best.confidence < DETECT_CONFIDENT)
		return n;
	for (size_t i = 1; i < n; i++)
		if (!found[i].what->needs_name || found[i].what->class != best.what->class)
			found[kept++] = found[i];
	return kept;
}

size_t detect_judge(const struct detect_counts *counts, struct detect_finding *out)
{
	const double values = (double)counts->values, open = 1 - protected_share(counts);
	size_t n = 0;

	for (size_t i = 0; i < detect_n_rules; i++) {
		const struct detect_rule *rule = &detect_rules[i];
		const uint64_t hits = counts->hits[i];
		double confidence = of_values(rule, (double)hits, values, (double)counts->alike[i]);

		if (counts->named >> i & 1)
			confidence = 1 - (1 - confidence) * (1 - open * of_name(rule, (double)hits, values));
		if (counts->inside[i] > 0)
			confidence = 1 - (1 - confidence) * (1 - of_name(rule, (double)counts->inside_fit[i],
									 (double)counts->inside[i]));
		if (confidence >= FLOOR)
			out[n++] = (struct detect_finding){&rule->what, confidence, hits, hits == 0};
	}
	if (n == 0)
		return 0;
	qsort(out, n, sizeof(*out), compare);
	return without_echoes(out, n);
}
