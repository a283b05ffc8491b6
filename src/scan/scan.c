/*
 * One record after the other. Every document is checked by json_scan first, which also gives the spans that the policy
 * names; then its events lead through the table: a frame for each open container says which node it is.
 *
 * A string that holds JSON itself is looked into: its values count as hits of the string, since no policy can name them.
 */
#include "scan/scan.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "json/events.h"
#include "json/string.h"

#define NAMES_INSIDE_MAX 64 /* of a document inside a string that are looked at: a name costs far more than a value */

/* Headers that sealstream writes. */
#define OWN_HEADERS "seal-"

/* An open container. */
struct frame {
	struct scan_node *node;
	struct scan_node *child; /* of the member that was seen last */
	bool below; /* it has no node of its own: all counts below `node` */
	bool covered;
};

/* One document on its way through the table. */
struct walk {
	struct scanner *scanner;
	struct json_events events;
	uint64_t at; /* for scan_node.first */
	struct frame frames[JSON_DEPTH_MAX + 1]; /* [0]: the root as its only element */
	struct frame *frame;
};

/* What one value looks like: bits of detectors, as detect_counts counts them. */
struct bits {
	uint64_t hits, alike, inside, inside_fit;
};

static void add_bits(uint64_t counts[DETECT_MAX], uint64_t bits)
{
	for (; bits != 0; bits &= bits - 1)
		counts[__builtin_ctzll(bits)]++;
}

static void look(struct scan_node *node, enum scan_cover cover, const struct bits *bits)
{
	struct detect_counts *looks = &node->counts.looks[cover != SCAN_CLEAR];

	looks->values++;
	add_bits(looks->hits, bits->hits);
	add_bits(looks->alike, bits->alike);
	add_bits(looks->inside, bits->inside);
	add_bits(looks->inside_fit, bits->inside_fit);
}

static void count(struct scan_node *node, bool below, enum scan_type type, enum scan_cover cover, uint32_t rule)
{
	if (below)
		node->counts.below++;
	else
		node->counts.types[type]++;
	node->counts.by_cover[cover]++;
	if (node->rule == 0 && !below)
		node->rule = rule;
}

/* The text of a string that the walk stands at; ptr NULL: it has no Unicode text. False: out of memory. */
static bool decoded(struct scanner *s, struct seal_bytes raw, bool escaped, struct seal_bytes *text)
{
	*text = raw;
	if (!escaped)
		return true;
	if (json_string_decode(raw, &s->scratch, text))
		return text->ptr != NULL;
	*text = BYTES_EMPTY;
	return true;
}

/* A scalar of a document inside a string, and the name that leads to it (0: none does). False: out of memory. */
static bool look_inside_at(struct scanner *s, const struct json_events *events, uint64_t named, struct bits *bits)
{
	struct seal_bytes text = json_events_text(events);
	uint64_t hits, fit;

	if (events->type == JSON_STRING && !decoded(s, text, events->escaped, &text))
		return false;
	if ((events->type != JSON_STRING && events->type != JSON_NUMBER) || text.len == 0)
		return true;
	hits = events->type == JSON_NUMBER ? detect_number(s->detect, text) : detect_text(s->detect, text);
	bits->hits |= hits;
	bits->alike |= detect_alike(s->detect);
	bits->inside |= detect_inside(s->detect, named, hits, &fit);
	bits->inside_fit |= fit;
	return true;
}

/* Detectors of all values of a document inside a string, and of the first names. False: out of memory. */
static bool look_inside(struct scanner *s, struct seal_bytes doc, struct bits *bits)
{
	struct json_events events;
	enum json_event event;
	struct seal_bytes name;
	uint64_t named = 0;
	size_t n = 0;

	json_events_init(&events, doc);
	while ((event = json_events_next(&events)) != JSON_EVENT_END) {
		if (event == JSON_EVENT_NAME && n++ < NAMES_INSIDE_MAX) {
			if (!decoded(s, json_events_text(&events), events.escaped, &name))
				return false;
			named = detect_name(s->detect, name);
			continue;
		}
		if (event == JSON_EVENT_VALUE && !look_inside_at(s, &events, named, bits))
			return false;
		named = 0;
	}
	return true;
}

static bool holds_json(struct seal_bytes text)
{
	return text.len > 2 && (text.ptr[0] == '{' || text.ptr[0] == '[') && json_is_value(text, true);
}

/* A decoded text at `node`. False: out of memory. */
static bool look_text(struct scanner *s, struct scan_node *node, enum scan_cover cover, struct seal_bytes text)
{
	struct bits bits = {.hits = 0};

	if (text.ptr == NULL || text.len == 0)
		return true;
	bits.hits = detect_text(s->detect, text);
	bits.alike = detect_alike(s->detect);
	if (holds_json(text) && !look_inside(s, text, &bits))
		return false;
	look(node, cover, &bits);
	return true;
}

static void look_number(struct scanner *s, struct scan_node *node, enum scan_cover cover, struct seal_bytes literal)
{
	struct bits bits = {.hits = detect_number(s->detect, literal)};

	bits.alike = detect_alike(s->detect);
	look(node, cover, &bits);
}

/* A payload that is no JSON, or not looked into. */
static bool scan_whole(struct scanner *s, struct scan_node *node, bool below, const struct cover_rules *rules,
		       struct seal_bytes payload)
{
	bool text = utf8_valid(payload);
	uint32_t rule;
	enum scan_cover cover = cover_whole(rules, &rule);

	count(node, below, text ? SCAN_STRING : SCAN_BYTES, cover, rule);
	return !text || look_text(s, node, cover, payload);
}

/* The name that the walk stands at. A name without Unicode text has no path: what it leads to counts below the object. */
static bool enter_name(struct walk *w)
{
	struct scanner *s = w->scanner;
	struct frame *f = w->frame;
	struct seal_bytes name;
	struct scan_node *child;

	if (!decoded(s, json_events_text(&w->events), w->events.escaped, &name))
		return false;
	if (f->below)
		return true;
	child = name.ptr != NULL ? scan_table_member(s->table, f->node, f->child, name, f->covered, w->at++)
				 : f->node;
	f->child = child;
	return child != NULL;
}

/* Where the value that the walk stands at belongs. NULL: out of memory. */
static struct scan_node *node_of_value(struct walk *w, bool *below)
{
	struct frame *f = w->frame;
	struct scan_node *node = f->node;

	if (f > w->frames && !f->below)
		node = w->events.object[f - w->frames] ? f->child
						       : scan_table_element(w->scanner->table, f->node, w->at++);
	*below = f->below || (f > w->frames && node == f->node);
	return node;
}

static enum scan_type type_of(enum json_type type)
{
	static const enum scan_type types[] = {
		[JSON_NULL] = SCAN_NULL,     [JSON_FALSE] = SCAN_BOOLEAN, [JSON_TRUE] = SCAN_BOOLEAN,
		[JSON_NUMBER] = SCAN_NUMBER, [JSON_STRING] = SCAN_STRING, [JSON_ARRAY] = SCAN_ARRAY,
		[JSON_OBJECT] = SCAN_OBJECT,
	};

	return types[type];
}

/* False: out of memory. */
static bool enter_value(struct walk *w, bool in_container)
{
	struct scanner *s = w->scanner;
	struct seal_bytes text = json_events_text(&w->events);
	uint32_t rule;
	enum scan_cover cover = cover_of(&s->cover, w->events.start, &rule);
	struct scan_node *node;
	bool below;

	/* An opened container is the events' innermost one already; its own frame is not yet. */
	node = node_of_value(w, &below);
	if (node == NULL)
		return false;
	count(node, below, type_of(w->events.type), cover, rule);
	if (in_container)
		*++w->frame = (struct frame){.node = node, .below = below, .covered = cover != SCAN_CLEAR};
	else if (w->events.type == JSON_NUMBER)
		look_number(s, node, cover, text);
	else if (w->events.type == JSON_STRING)
		return decoded(s, text, w->events.escaped, &text) && look_text(s, node, cover, text);
	return true;
}

/* A document that json_scan took, and whose spans are in the scanner's cover. */
static enum seal_status scan_document(struct scanner *s, struct scan_node *root, struct seal_bytes doc,
				      uint64_t number, struct seal_err *err)
{
	enum json_event event;
	bool ok = true;
	struct walk w; /* large: only what is used is set */

	w.scanner = s;
	w.at = number << 16;
	w.frame = w.frames;
	*w.frame = (struct frame){.node = root};
	json_events_init(&w.events, doc);
	while (ok && (event = json_events_next(&w.events)) != JSON_EVENT_END) {
		if (event == JSON_EVENT_LEAVE)
			w.frame--;
		else if (event == JSON_EVENT_NAME)
			ok = enter_name(&w);
		else
			ok = enter_value(&w, w.events.type == JSON_ARRAY || w.events.type == JSON_OBJECT);
	}
	return ok ? SEAL_OK : err_memory(err);
}

static enum seal_status scan_value(struct scanner *s, const struct record *record, uint64_t number,
				   struct seal_err *err)
{
	struct scan_node *root = scan_table_part(s->table, SCAN_VALUE);
	enum seal_status rc;

	if (s->rules->text)
		return scan_whole(s, root, false, &s->rules->value, record->value) ? SEAL_OK : err_memory(err);
	SEAL_TRY(cover_scan(&s->cover, &s->rules->value, record->value, err));
	rc = scan_document(s, root, record->value, number, err);
out:
	return rc;
}

/* Under a policy as it says; else a key is JSON when it is an object or an array. */
static enum seal_status scan_key(struct scanner *s, const struct record *record, uint64_t number,
				 struct seal_err *err)
{
	struct scan_node *root = scan_table_part(s->table, SCAN_KEY);
	const struct policy_topic *topic = s->rules->key.topic;
	bool json = topic != NULL ? topic->format == FORMAT_JSON : holds_json(record->key);
	enum seal_status rc;

	if (!json)
		return scan_whole(s, root, false, &s->rules->key, record->key) ? SEAL_OK : err_memory(err);
	rc = cover_scan(&s->cover, &s->rules->key, record->key, err);
	if (rc == SEAL_OK)
		rc = scan_document(s, root, record->key, number, err);
	else
		err_prefix(err, "the record's key");
	return rc;
}

static const struct cover_rules *rules_of_header(const struct scan_rules *rules, struct seal_bytes name)
{
	static const struct cover_rules none = {.rest = SCAN_CLEAR}, allowed = {.rest = SCAN_ALLOWED};

	for (size_t i = 0; i < rules->n_headers; i++)
		if (bytes_eq_str(name, rules->headers[i].topic->header))
			return &rules->headers[i];
	for (const char *const *allow = rules->allow_headers; allow != NULL && *allow != NULL; allow++)
		if (bytes_eq_str(name, *allow))
			return &allowed;
	return &none;
}

static bool scan_headers(struct scanner *s, const struct record *record, uint64_t number)
{
	struct scan_node *headers = scan_table_part(s->table, SCAN_HEADERS), *node = NULL;

	for (size_t i = 0; i < record->n_headers; i++) {
		const struct record_header *header = &record->headers[i];
		const struct cover_rules *rules = rules_of_header(s->rules, header->name);
		struct seal_bytes name = utf8_valid(header->name) ? header->name : BYTES_LIT("?");

		if (header->value.ptr == NULL || bytes_starts(header->name, BYTES_LIT(OWN_HEADERS)))
			continue;
		node = scan_table_member(s->table, headers, node, name, false, (number << 16) + i);
		if (node == NULL || !scan_whole(s, node, node == headers, rules, header->value))
			return false;
	}
	return true;
}

static enum seal_status scan_parts(struct scanner *s, const struct record *record, uint64_t number,
				   struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (record->broken != NULL)
		return err_set(err, record->broken->status, record->broken->code, "%s", record->broken->text);
	if (!scan_headers(s, record, number))
		return err_memory(err);
	if (record->key.ptr != NULL)
		rc = scan_key(s, record, number, err);
	if (record->value.ptr != NULL && (rc == SEAL_OK || rc == SEAL_DATA)) {
		struct seal_err why = SEAL_ERR_INIT;
		enum seal_status of_value = scan_value(s, record, number, &why);

		if (of_value != SEAL_OK && (rc == SEAL_OK || of_value != SEAL_DATA)) { /* the key's is told first */
			rc = of_value;
			if (err != NULL)
				*err = why;
		}
	}
	return rc;
}

enum seal_status scanner_record(struct scanner *s, const struct record *record, uint64_t number, struct seal_err *err)
{
	enum seal_status rc = scan_parts(s, record, number, err);

	s->totals.records++;
	s->totals.tombstones += record->broken == NULL && record->value.ptr == NULL;
	s->totals.bytes += record->key.len + record->value.len;
	s->totals.failed += rc == SEAL_DATA;
	arena_reset(&s->scratch);
	return rc;
}

enum seal_status scanner_merge(struct scanner *s, struct scanner *from, struct seal_err *err)
{
	s->totals.records += from->totals.records;
	s->totals.tombstones += from->totals.tombstones;
	s->totals.failed += from->totals.failed;
	s->totals.bytes += from->totals.bytes;
	return scan_table_merge(s->table, from->table, err);
}

enum seal_status scan_rules_init(struct scan_rules *rules, const struct policy_topic *topic, bool text,
				 struct seal_err *err)
{
	const struct policy_topic *const *header = topic != NULL ? topic->headers : NULL;
	size_t n = 0;
	enum seal_status rc;

	*rules = (struct scan_rules){.text = topic != NULL ? topic->format != FORMAT_JSON : text,
				     .allow_headers = topic != NULL ? topic->allow_headers : NULL};
	while (header != NULL && header[n] != NULL)
		n++;
	rules->headers = mem_calloc(n, sizeof(*rules->headers));
	if (rules->headers == NULL)
		return err_memory(err);
	SEAL_TRY(cover_rules_init(&rules->value, topic, false, err));
	SEAL_TRY(cover_rules_init(&rules->key, topic != NULL ? topic->key : NULL, topic != NULL && topic->allow_key,
				  err));
	while (rules->n_headers < n) {
		SEAL_TRY(cover_rules_init(&rules->headers[rules->n_headers], header[rules->n_headers], false, err));
		rules->n_headers++;
	}
out:
	if (rc != SEAL_OK)
		scan_rules_clear(rules);
	return rc;
}

void scan_rules_clear(struct scan_rules *rules)
{
	cover_rules_clear(&rules->value);
	cover_rules_clear(&rules->key);
	while (rules->n_headers > 0)
		cover_rules_clear(&rules->headers[--rules->n_headers]);
	mem_free(rules->headers);
	rules->headers = NULL;
}

enum seal_status scanner_init(struct scanner *s, const struct scan_rules *rules, struct seal_err *err)
{
	enum seal_status rc;

	*s = (struct scanner){.rules = rules, .cover = COVER_INIT};
	arena_init(&s->scratch, STREAM_BATCH_BYTES);
	SEAL_TRY(detect_new(&s->detect, err));
	rc = scan_table_new(s->detect, &s->table, err);
out:
	if (rc != SEAL_OK)
		scanner_clear(s);
	return rc;
}

void scanner_clear(struct scanner *s)
{
	scan_table_free(s->table);
	detect_free(s->detect);
	cover_clear(&s->cover);
	arena_clear(&s->scratch);
	*s = (struct scanner){.rules = NULL};
}
