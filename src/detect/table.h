/*
 * The table of detectors. Internal to src/detect; a new one is one row here and, if no pattern says it, one test.
 *
 *   gate     ──▶ which values are worth a test: lengths, digits, kinds of bytes. Costs nothing: all rows are ruled out at once
 *   test     ──▶ is this one? by hand, or a PCRE2 pattern for the whole value
 *   words    ──▶ field names
 *   strength, chance, named ──▶ what judge.c makes of hits
 */
#ifndef DETECT_TABLE_H
#define DETECT_TABLE_H

#include "detect/detect.h"
#include "detect/value.h"

struct detect_gate {
	uint16_t len_min, len_max; /* bytes of the value */
	uint8_t digits_min, digits_max; /* 0, 0: any number of digits */
	uint32_t may; /* kinds of bytes (value.h); others rule it out. 0: all may */
	uint32_t must; /* one at least of each of these */
	const char *first; /* its first byte is one of these; NULL: any */
};

enum detect_rank {
	RANK_WHOLE, /* the value is one */
	RANK_INSIDE, /* one stands somewhere in a longer text; asked when the value is none of the above */
	RANK_LAST /* asked when nothing else fits */
};

struct detect_rule {
	struct detector what; /* first: detect_at gives it out */
	enum detect_rank rank;
	struct detect_gate gate;
	bool (*test)(const struct value *v); /* NULL: pattern */
	const char *pattern; /* PCRE2, whole value; NULL as well: only names tell */
	/*
	 * Field names, '|' between them, lower case without accents (of an ß one s is left). The words of one stand in the field's name one after the other,
	 * written together or apart. "=name": it is the whole name. "*email*": anywhere in it.
	 */
	const char *words;
	double strength; /* confidence when all values pass; 0 where what.needs_name */
	double chance; /* share of look-alikes that pass by accident */
	double named; /* confidence of the name alone */
};

extern const struct detect_rule detect_rules[];
extern const size_t detect_n_rules;

/* Names that end in these, or start so, are about the thing and not the thing ("email_sent"); and those that mean another thing
 * ("file name"). Same syntax as words. */
extern const char detect_last_words[];
extern const char detect_first_words[];
extern const char detect_other_things[];

#endif
