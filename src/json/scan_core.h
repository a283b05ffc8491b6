/*
 * The scanner itself. Included once by each back end, after it has defined
 *
 *   static inline const uint8_t *string_run(doc, p, end)   the first byte at or after p that needs a look in a
 *                                                          string: quote, backslash, below 0x20, above 0x7f; or end
 *   static inline const uint8_t *space_run(p, end)         the first byte at or after p that is not white space
 *
 * The document is read left to right by one pointer `p`, which every function takes and returns; NULL says that a
 * fault was noted in the walk. Containers are frames on an explicit stack of JSON_DEPTH_MAX:
 *
 *   value ──▶ scalar ─────────────┐
 *     ▲  └──▶ open ─── empty ───▶ after ──▶ close ──▶ after …
 *     │         └── first child     │
 *     └───────────────┴─────────────┘ next member or element
 *
 * w->next is the automaton's state for the value that p stands at; it was looked up when its name was read.
 */
#include "json/walk.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD __attribute__((noinline, cold))

static COLD const uint8_t *fault(struct walk *w, const uint8_t *at, enum walk_fault fault)
{
	w->fault = at >= w->end && fault != FAULT_EMPTY && fault != FAULT_MEMORY ? FAULT_END : fault;
	w->fault_at = at;
	return NULL;
}

static inline uint32_t offset(const struct walk *w, const uint8_t *p)
{
	return (uint32_t)(p - w->doc);
}

static inline const uint8_t *skip_space(const uint8_t *p, const uint8_t *end)
{
	if (LIKELY(p<end && * p> ' '))
		return p;
	if (LIKELY(end - p > 1 && *p == ' ' && p[1] > ' '))
		return p + 1;
	return space_run(p, end);
}

static inline bool is_digit(uint8_t c)
{
	return (uint8_t)(c - '0') < 10;
}

static inline bool is_hex(uint8_t c)
{
	return is_digit(c) || (uint8_t)((c | 0x20) - 'a') < 6;
}

/* RFC 8259 §7: the escape whose backslash is at p. */
static const uint8_t *skip_escape(struct walk *w, const uint8_t *p)
{
	if (w->end - p < 2)
		return fault(w, w->end, FAULT_ESCAPE);
	switch (p[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return p + 2;
	case 'u':
		for (int i = 2; i < 6; i++)
			if (p + i == w->end || !is_hex(p[i]))
				return fault(w, p + i, FAULT_ESCAPE);
		return p + 6;
	default:
		return fault(w, p, FAULT_ESCAPE);
	}
}

static inline bool is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

/* RFC 3629 §4: the character of two to four bytes at p. */
static inline const uint8_t *skip_utf8(struct walk *w, const uint8_t *p)
{
	size_t left = (size_t)(w->end - p);
	uint8_t c = p[0];

	if (c >= 0xc2 && c <= 0xdf && left >= 2 && is_tail(p[1]))
		return p + 2;
	if (c >= 0xe0 && c <= 0xef && left >= 3 && is_tail(p[1]) && is_tail(p[2]) && (c != 0xe0 || p[1] >= 0xa0) &&
	    (c != 0xed || p[1] <= 0x9f))
		return p + 3;
	if (c >= 0xf0 && c <= 0xf4 && left >= 4 && is_tail(p[1]) && is_tail(p[2]) && is_tail(p[3]) &&
	    (c != 0xf0 || p[1] >= 0x90) && (c != 0xf4 || p[1] <= 0x8f))
		return p + 4;
	return fault(w, p, FAULT_UTF8);
}

/* The rest of a string, from a byte that string_run stopped at. */
static __attribute__((noinline)) const uint8_t *string_rest(struct walk *w, const uint8_t *p, bool *escaped)
{
	for (;;) {
		if (p == w->end)
			return fault(w, p, FAULT_END);
		if (*p == '"')
			return p;
		if (*p == '\\') {
			*escaped = true;
			p = skip_escape(w, p);
			if (p == NULL)
				return NULL;
		} else if (*p < 0x20) {
			return fault(w, p, FAULT_CONTROL);
		} else {
			do {
				p = skip_utf8(w, p);
				if (p == NULL)
					return NULL;
			} while (p < w->end && *p >= 0x80);
		}
		p = string_run(w->doc, p, w->end);
	}
}

/* From behind the opening quote to the closing one. */
static inline const uint8_t *string_end(struct walk *w, const uint8_t *p, bool *escaped)
{
	p = string_run(w->doc, p, w->end);
	*escaped = false;
	return LIKELY(p < w->end && *p == '"') ? p : string_rest(w, p, escaped);
}

/* RFC 8259 §6. */
static inline const uint8_t *number_end(struct walk *w, const uint8_t *p)
{
	const uint8_t *end = w->end;

	p += *p == '-';
	if (p == end || !is_digit(*p))
		return fault(w, p, FAULT_NUMBER);
	if (*p++ == '0') {
		if (p < end && is_digit(*p))
			return fault(w, p, FAULT_NUMBER);
	} else {
		while (p < end && is_digit(*p))
			p++;
	}
	if (p < end && *p == '.') {
		p++;
		if (p == end || !is_digit(*p))
			return fault(w, p, FAULT_NUMBER);
		while (p < end && is_digit(*p))
			p++;
	}
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		if (p == end || !is_digit(*p))
			return fault(w, p, FAULT_NUMBER);
		while (p < end && is_digit(*p))
			p++;
	}
	return p;
}

static inline const uint8_t *literal_end(struct walk *w, const uint8_t *p, enum json_type *type)
{
	size_t left = (size_t)(w->end - p);

	if (left >= 4 && memcmp(p, "true", 4) == 0) {
		*type = JSON_TRUE;
		return p + 4;
	}
	if (left >= 4 && memcmp(p, "null", 4) == 0) {
		*type = JSON_NULL;
		return p + 4;
	}
	*type = JSON_FALSE;
	if (left >= 5 && memcmp(p, "false", 5) == 0)
		return p + 5;
	if (left >= 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf)
		return fault(w, p, FAULT_BOM);
	return fault(w, p, *p == 't' || *p == 'f' || *p == 'n' ? FAULT_LITERAL : FAULT_VALUE);
}

static inline bool is_match(const struct walk *w)
{
	return w->next - 1 < w->paths->n_paths;
}

/* A value that is no container, at p. */
static inline const uint8_t *scalar(struct walk *w, const uint8_t *p)
{
	const uint8_t *start = p;
	enum json_type type;
	bool escaped = false;

	if (*p == '"') {
		type = JSON_STRING;
		p = string_end(w, p + 1, &escaped);
		if (UNLIKELY(p == NULL))
			return NULL;
		p++;
	} else if (is_digit(*p) || *p == '-') {
		type = JSON_NUMBER;
		p = number_end(w, p);
	} else {
		p = literal_end(w, p, &type);
	}
	if (UNLIKELY(is_match(w)) && p != NULL) {
		if (!walk_hit_open(w, offset(w, start), type))
			return fault(w, start, FAULT_MEMORY);
		w->hit.escaped = escaped;
		if (!walk_hit_close(w, offset(w, p)))
			return fault(w, start, FAULT_MEMORY);
	}
	return p;
}

/* A member's name and colon; p is where its name must start. Returns where its value must start. */
static inline const uint8_t *member(struct walk *w, struct walk_frame *f, const uint8_t *p)
{
	const struct paths_state *state = &w->states[f->state];
	const uint8_t *name = p + 1;

	if (UNLIKELY(p == w->end || *p != '"'))
		return fault(w, p, FAULT_NAME);
	p = string_end(w, name, &f->escaped);
	if (UNLIKELY(p == NULL))
		return NULL;
	f->item = offset(w, name) - 1;
	f->name_end = offset(w, p);
	if (UNLIKELY(f->escaped))
		w->next = walk_member_escaped(state, bytes_of(name, (size_t)(p - name)));
	else
		w->next = paths_member(state, name, (size_t)(p - name));
	p = skip_space(p + 1, w->end);
	if (UNLIKELY(p == w->end || *p != ':'))
		return fault(w, p, FAULT_COLON);
	return skip_space(p + 1, w->end);
}

/* Pushes the container whose bracket is at p. */
static inline const uint8_t *open_frame(struct walk *w, const uint8_t *p)
{
	bool match = is_match(w);
	struct walk_frame *f;

	if (UNLIKELY(w->depth == JSON_DEPTH_MAX))
		return fault(w, p, FAULT_DEPTH);
	if (UNLIKELY(match) && !walk_hit_open(w, offset(w, p), *p == '{' ? JSON_OBJECT : JSON_ARRAY))
		return fault(w, p, FAULT_MEMORY);
	f = &w->frames[++w->depth];
	if (UNLIKELY(match))
		w->hit_depth = w->depth;
	f->state = match ? PATHS_DEAD : w->next;
	f->index = 0;
	f->close = *p + 2; /* '[' + 2 is ']', '{' + 2 is '}' */
	return skip_space(p + 1, w->end);
}

/* Pops; p is behind the closing bracket. */
static inline const uint8_t *close_frame(struct walk *w, const uint8_t *p)
{
	if (UNLIKELY(w->hit_depth == w->depth)) {
		w->hit_depth = 0;
		if (!walk_hit_close(w, offset(w, p)))
			return fault(w, p, FAULT_MEMORY);
	}
	w->depth--;
	return p;
}

/* From behind a value to the next one, closing containers on the way; at the document's end w->depth is 0. */
static inline const uint8_t *after(struct walk *w, const uint8_t *p)
{
	while (w->depth > 0) {
		struct walk_frame *f = &w->frames[w->depth];

		p = skip_space(p, w->end);
		if (UNLIKELY(p == w->end))
			return fault(w, p, FAULT_END);
		if (*p == ',') {
			p = skip_space(p + 1, w->end);
			if (f->close == '}')
				return member(w, f, p);
			w->next = paths_element(&w->states[f->state], ++f->index);
			return p;
		}
		if (UNLIKELY(*p != f->close))
			return fault(w, p, f->close == '}' ? FAULT_MEMBER_NEXT : FAULT_ELEMENT_NEXT);
		p = close_frame(w, p + 1);
		if (UNLIKELY(p == NULL))
			return NULL;
	}
	return p;
}

/* One value at p, or the part of it up to its first child; then on to the next value. */
static inline const uint8_t *value(struct walk *w, const uint8_t *p)
{
	struct walk_frame *f;

	if (*p != '{' && *p != '[') {
		p = scalar(w, p);
		return LIKELY(p != NULL) ? after(w, p) : NULL;
	}
	p = open_frame(w, p);
	if (UNLIKELY(p == NULL))
		return NULL;
	f = &w->frames[w->depth];
	if (p < w->end && *p == f->close) {
		p = close_frame(w, p + 1);
		return p != NULL ? after(w, p) : NULL;
	}
	if (f->close == '}')
		return member(w, f, p);
	w->next = paths_element(&w->states[f->state], 0);
	return p;
}

static bool walk(struct walk *w)
{
	const uint8_t *p = skip_space(w->doc, w->end);

	if (p == w->end)
		return fault(w, p, FAULT_EMPTY) != NULL;
	do {
		if (UNLIKELY(p == w->end))
			return fault(w, p, FAULT_END) != NULL;
		p = value(w, p);
		if (UNLIKELY(p == NULL))
			return false;
	} while (w->depth > 0);
	p = skip_space(p, w->end);
	return p == w->end || fault(w, p, FAULT_TRAILING) != NULL;
}
