/*
 * Names of fields. A name is taken apart where people do: at what is no letter or digit, where a capital follows a small letter,
 * before the last capital of several, and between letters and digits. Accents go; the rest becomes one run with marks:
 *
 *	"Customer-EMail"  ──▶  customer|e|mail     has "email" from mark to mark
 *	"dateOfBirth"     ──▶  date|of|birth       has "date of birth"
 *	"emails"          ──▶  emails              an s more is let pass
 *
 * Long words go first and use up what they match: the address in "emailAddress" is no street. Words with NO_BIT only use up.
 */
#include "detect/names.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "detect/table.h"

#define NAME_MAX_LEN 128 /* letters and digits of a name that count */
#define WORD_MAX_LEN 40
#define NO_BIT UINT8_MAX

struct word {
	char text[WORD_MAX_LEN];
	uint8_t len, bit;
	bool whole; /* the whole name */
	bool anywhere; /* marks don't count */
};

struct names {
	size_t n;
	struct word words[];
};

/* A name as one run. */
struct run {
	char text[NAME_MAX_LEN];
	bool mark[NAME_MAX_LEN + 1]; /* a word starts here; the end is one, too */
	uint8_t used[NAME_MAX_LEN]; /* length of the longest word that uses it up */
	size_t len;
};

/* Reads the next of `list`, '|' between them; false at its end. */
static bool next_word(const char **list, struct word *w)
{
	const char *p = *list;

	*w = (struct word){.bit = NO_BIT};
	if (p == NULL || *p == '\0')
		return false;
	w->whole = *p == '=';
	w->anywhere = *p == '*';
	for (; *p != '\0' && *p != '|'; p++) {
		if (*p == ' ' || *p == '=' || *p == '*')
			continue;
		SEAL_INVARIANT(w->len < WORD_MAX_LEN);
		w->text[w->len++] = *p;
	}
	SEAL_INVARIANT(w->len > 0);
	*list = *p == '|' ? p + 1 : p;
	return true;
}

static size_t count_words(const char *list)
{
	struct word w;
	size_t n = 0;

	while (next_word(&list, &w))
		n++;
	return n;
}

static void add_words(struct names *names, const char *list, uint8_t bit)
{
	struct word w;

	while (next_word(&list, &w)) {
		w.bit = bit;
		names->words[names->n++] = w;
	}
}

/* Longest first; then any order that is always the same. */
static int compare_words(const void *a, const void *b)
{
	const struct word *x = a, *y = b;

	if (x->len != y->len)
		return x->len > y->len ? -1 : 1;
	return memcmp(x->text, y->text, x->len);
}

enum seal_status names_new(struct names **out, struct seal_err *err)
{
	size_t n = count_words(detect_other_things);
	struct names *names;

	*out = NULL;
	for (size_t i = 0; i < detect_n_rules; i++)
		n += count_words(detect_rules[i].words);
	names = mem_calloc(1, sizeof(*names) + n * sizeof(struct word));
	if (names == NULL)
		return err_memory(err);
	add_words(names, detect_other_things, NO_BIT);
	for (size_t i = 0; i < detect_n_rules; i++)
		add_words(names, detect_rules[i].words, (uint8_t)i);
	qsort(names->words, names->n, sizeof(struct word), compare_words);
	*out = names;
	return SEAL_OK;
}

void names_free(struct names *names)
{
	mem_free(names);
}

/* U+00C0 … U+017F without their accents; '?' where that is no letter. */
static char without_accent(uint32_t c)
{
	static const char plain[] = "aaaaaaaceeeeiiiidnooooo?ouuuuytsaaaaaaaceeeeiiiidnooooo?ouuuuyty"
				    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllllllln"
				    "nnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

	_Static_assert(sizeof(plain) == 0x180 - 0xc0 + 1, "one letter each");
	return plain[c - 0xc0];
}

static bool is_upper_accent(uint32_t c)
{
	return (c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x100 && c < 0x138 && c % 2 == 0) ||
	       (c >= 0x139 && c < 0x149 && c % 2 == 1) || (c >= 0x14a && c < 0x178 && c % 2 == 0) || c == 0x178;
}

enum letter { LETTER_NONE, LETTER_SMALL, LETTER_CAPITAL, LETTER_DIGIT };

/* Reads one character at *at; *plain is what it counts for. What is not UTF-8 parts words. */
static enum letter next_letter(struct seal_bytes name, size_t *at, char *plain)
{
	uint32_t c = 0;

	if (!utf8_next(name, at, &c)) {
		++*at;
		return LETTER_NONE;
	}
	*plain = (char)value_upper((uint8_t)c);
	if (c >= '0' && c <= '9')
		return LETTER_DIGIT;
	if (c >= 'a' && c <= 'z') {
		*plain = (char)c;
		return LETTER_SMALL;
	}
	if (c >= 'A' && c <= 'Z') {
		*plain = (char)(c - 'A' + 'a');
		return LETTER_CAPITAL;
	}
	if (c >= 0xc0 && c < 0x180 && without_accent(c) != '?') {
		*plain = without_accent(c);
		return is_upper_accent(c) ? LETTER_CAPITAL : LETTER_SMALL;
	}
	return LETTER_NONE;
}

static void take_apart(struct seal_bytes name, struct run *run)
{
	enum letter before = LETTER_NONE, now;
	char plain = 0;
	size_t at = 0;

	memset(run, 0, sizeof(*run));
	while (at < name.len && run->len < NAME_MAX_LEN) {
		now = next_letter(name, &at, &plain);
		if (now != LETTER_NONE) {
			if (before != now && !(before == LETTER_CAPITAL && now == LETTER_SMALL))
				run->mark[run->len] = true;
			/* The last of several capitals starts the word that goes on in small letters. */
			if (before == LETTER_CAPITAL && now == LETTER_SMALL && run->len > 0)
				run->mark[run->len - 1] = true;
			run->text[run->len++] = plain;
		}
		before = now;
	}
	run->mark[0] = run->mark[run->len] = true;
}

static bool has_at(const struct run *run, const struct word *w, size_t at)
{
	const size_t end = at + w->len;

	if (memcmp(run->text + at, w->text, w->len) != 0)
		return false;
	for (size_t i = at; i < end; i++)
		if (run->used[i] > w->len)
			return false;
	if (w->whole)
		return at == 0 && end == run->len;
	return w->anywhere || (run->mark[at] && (run->mark[end] || (run->text[end] == 's' && run->mark[end + 1])));
}

/* Does any word of `list` start (or end) the run, with more beside it? */
static bool is_beside(const struct run *run, const char *list, bool at_end)
{
	struct word w;

	while (next_word(&list, &w)) {
		const size_t at = at_end ? run->len - w.len : 0;

		if (w.len < run->len && has_at(run, &w, at))
			return true;
	}
	return false;
}

uint64_t names_match(const struct names *names, struct seal_bytes name)
{
	struct run run;
	uint64_t bits = 0;

	take_apart(name, &run);
	if (run.len == 0 || is_beside(&run, detect_first_words, false) || is_beside(&run, detect_last_words, true))
		return 0;
	for (size_t i = 0; i < names->n; i++) {
		const struct word *w = &names->words[i];
		bool found = false;

		for (size_t at = 0; !found && at + w->len <= run.len; at++) {
			found = has_at(&run, w, at);
			if (!found)
				continue;
			/* Detectors that share a word have it both: only shorter ones are kept from it. */
			memset(run.used + at, w->len, w->len);
			if (w->bit != NO_BIT)
				bits |= UINT64_C(1) << w->bit;
		}
	}
	return bits;
}
