/*
 * What a value looks like: one table of detectors, each with a test of values, words of field names, or both. No key, no policy, no
 * output: who uses it counts hits and never keeps a value.
 *
 *   value ──▶ detect_text ──▶ bits of detectors that fit       (hand-written tests first; PCRE2 where a pattern says it better,
 *                                                               with limits, so that no value costs more than its length)
 *   name  ──▶ detect_name ──▶ bits of detectors whose words it has
 *   counts of a path + bits of its name ──▶ detect_judge ──▶ findings with a confidence, best first
 */
#ifndef DETECT_DETECT_H
#define DETECT_DETECT_H

#include "base/err.h"

#define DETECT_MAX 64 /* detectors: one bit each */

/* How bad it is when it stands in clear. */
enum detect_class {
	DETECT_SECRET, /* credentials: API keys, passwords, private keys */
	DETECT_PERSONAL, /* identifies or describes a person; card and account numbers */
	DETECT_TOKEN /* stands for something already: JWT (a credential, too, while it lives), sealstream's and Vault's forms */
};

struct detector {
	const char *name; /* "card": in reports and JSON; stable */
	const char *title; /* "payment card number (Luhn)" */
	enum detect_class class;
	/* A method for --suggest, without its key: "type: fpe, alphabet: digits, keep: {last: 4}"; fits all that the test accepts.
	 * NULL: nothing is suggested (protected already). */
	const char *suggest;
	bool takes_numbers; /* a JSON number may be one, too (card, phone, ssn) */
	bool needs_name; /* values alone prove nothing, whatever their hits: the field's name must say it, too */
	/* … the rest (tests, words, weights) is the folder's: table.h */
};

size_t detect_count(void);
const struct detector *detect_at(size_t bit);

struct detect; /* compiled patterns and scratch of one thread */

SEAL_MUST_USE enum seal_status detect_new(struct detect **out, struct seal_err *err);
void detect_free(struct detect *detect); /* accepts NULL */

/* Bits of the detectors that take `text` (decoded, UTF-8) for one of theirs. Texts past 4 KiB are looked at up to there. */
uint64_t detect_text(struct detect *detect, struct seal_bytes text);
/* The same for a JSON number's literal. */
uint64_t detect_number(struct detect *detect, struct seal_bytes literal);
/*
 * Of the last text or number: detectors of which one in some hundred look-alikes passes by accident, and for whose look-alike it could
 * be taken (length, digits, kinds of bytes). For detect_counts.alike.
 */
uint64_t detect_alike(const struct detect *detect);
/* Bits of the detectors that a field of this name (decoded) suggests: "Customer-EMail", "dateOfBirth", "kundennummer". */
uint64_t detect_name(struct detect *detect, struct seal_bytes name);
/*
 * Of `named`, bits of a name inside a text: those that need it and whose finds are encrypted, so that the text as a whole can be. *fit: of
 * these the ones whose test, if there is any, took the value (`hits`).
 */
uint64_t detect_inside(const struct detect *detect, uint64_t named, uint64_t hits, uint64_t *fit);

/* What was counted at one path. */
struct detect_counts {
	uint64_t values; /* strings and numbers that were looked at; empty strings are not */
	uint64_t hits[DETECT_MAX]; /* by bit */
	uint64_t alike[DETECT_MAX]; /* by bit: values that detect_alike names; 0 where nobody counted */
	uint64_t inside[DETECT_MAX]; /* by bit: texts inside which a member's name says so */
	uint64_t inside_fit[DETECT_MAX]; /* … and its value could be one */
	uint64_t named; /* bits of the field's name */
};

struct detect_finding {
	const struct detector *what;
	double confidence; /* 0 … 1 */
	uint64_t hits;
	bool by_name; /* the name alone says so: nothing of the values does */
};

#define DETECT_CONFIDENT 0.5 /* from here on it counts as found */

/* Fills `out` (room for DETECT_MAX), best first; how many. Deterministic. */
size_t detect_judge(const struct detect_counts *counts, struct detect_finding *out);

#endif
