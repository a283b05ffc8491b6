/*
 * From counts of a path to findings. Two things speak for a detector, and either may suffice:
 *
 *   values   strength × (1 - chance / share) × (1 - P[so many hits by accident])
 *            so that one in ten numbers that pass a check digit are no card numbers, while nine in ten are; and one e-mail
 *            address among a thousand texts is one
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

/* An upper bound of P[at least `hits` of `values`] when each passes by accident with `chance` (Chernoff, Poisson). */
static double accident(double hits, double values, double chance)
{
	const double expected = values * chance;

	if (hits <= expected)
		return 1.0;
	return exp(hits - expected - hits * log(hits / expected));
}

static double of_values(const struct detect_rule *rule, double hits, double values)
{
	double share;

	if (hits <= 0 || values <= 0 || rule->what.needs_name)
		return 0;
	share = hits / values;
	if (share <= rule->chance)
		return 0;
	return rule->strength * (1 - rule->chance / share) * (1 - accident(hits, values, rule->chance));
}

static double of_name(const struct detect_rule *rule, double hits, double values)
{
	const bool tests = rule->test != NULL || rule->pattern != NULL;
	double taken;

	if (!tests || values <= 0)
		return rule->named;
	taken = hits * 2 > values ? 1 : hits * 2 / values;
	return rule->named * (REFUSED + (1 - REFUSED) * taken);
}

static int compare(const void *a, const void *b)
{
	const struct detect_finding *x = a, *y = b;

	if (x->confidence != y->confidence)
		return x->confidence > y->confidence ? -1 : 1;
	return x->what < y->what ? -1 : x->what > y->what;
}

size_t detect_judge(const struct detect_counts *counts, struct detect_finding *out)
{
	const double values = (double)counts->values;
	size_t n = 0;

	for (size_t i = 0; i < detect_n_rules; i++) {
		const struct detect_rule *rule = &detect_rules[i];
		const uint64_t hits = counts->hits[i];
		double confidence = of_values(rule, (double)hits, values);

		if (counts->named >> i & 1)
			confidence = 1 - (1 - confidence) * (1 - of_name(rule, (double)hits, values));
		if (confidence >= FLOOR)
			out[n++] = (struct detect_finding){&rule->what, confidence, hits, hits == 0};
	}
	qsort(out, n, sizeof(*out), compare);
	return n;
}
