/*
 * A policy: a YAML file turned into checked, compiled, immutable rules. Shared by all threads.
 *
 *   policy ─┬─ keys[]      name → scheme:reference
 *           ├─ methods[]   kind, options, key, bind              (one each, inline ones too)
 *           ├─ topics[]    match → rules[] path → method         (first match wins; then those of keys and headers)
 *           └─ tests[]     run by `policy test`
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/arena.h"
#include "base/buf.h"
#include "crypto/mac.h"
#include "json/path.h"
#include "policy/schema.h"

struct topic_pattern; /* policy/pattern.h */
struct regex; /* base/regex.h */

#define POLICY_FILE_MAX (4u << 20)
#define POLICY_RULES_MAX JSON_PATHS_MAX /* in a topic entry */
#define POLICY_NAMES_MAX 4096 /* keys; methods with a name; patterns of all topic entries */
#define POLICY_HEADERS_MAX                                                                                           \
	64 /* names under `headers` of a topic entry: each record's headers are compared with them */

#define POLICY_HEADER_NAME_MAX 255

enum on_error { ON_ERROR_REJECT, ON_ERROR_DEAD_LETTER, ON_ERROR_DROP };
enum on_missing { ON_MISSING_IGNORE, ON_MISSING_REJECT };
enum on_protected { ON_PROTECTED_REJECT, ON_PROTECTED_KEEP };
enum on_plaintext { ON_PLAINTEXT_REJECT, ON_PLAINTEXT_PASS };
enum on_null { ON_NULL_PROTECT, ON_NULL_KEEP };
enum record_format {
	FORMAT_JSON,
	FORMAT_BYTES,
	FORMAT_TEXT /* a whole value that is UTF-8 text, else the record fails: only record keys and headers */
};

/* Which part of a record an entry is about. */
enum record_part { PART_VALUE, PART_KEY, PART_HEADER };

enum bind_mode { BIND_PLACE, BIND_NONE, BIND_DOMAIN, BIND_RECORD };

struct policy_mark { /* where it stands in the file, from 1 */
	uint32_t line, column;
};

struct policy_key {
	const char *name;
	const char *scheme; /* "local" */
	struct seal_bytes reference; /* what follows "scheme:" */
	uint32_t index; /* in policy.keys */
	bool own; /* made of a method's options (method_kind.own_key): the name is "scheme:reference" */
	struct policy_mark mark;
};

struct policy_bind {
	enum bind_mode mode;
	const char *domain; /* BIND_DOMAIN */
	const char *record; /* BIND_RECORD: the sibling's path as written */
	struct json_path path; /* BIND_RECORD, parsed */
};

/* Where tokens and people's keys are kept: `stores: {main: "sqlite:tokens.db"}`. */
struct policy_store {
	const char *name;
	const char *scheme; /* "sqlite" */
	const char *address; /* whole, "sqlite:tokens.db" */
	uint32_t index; /* in policy.stores */
	struct policy_mark mark;
};

/* `key: {name: pii, per: $.customer_id, store: main}`; store may be left out when the policy has one. */
struct policy_per {
	const char *text; /* the path as written; NULL: none */
	struct json_path path;
};

struct policy_method {
	const char *name; /* "secret", or the path for an inline one */
	const struct method_kind *kind;
	unsigned flags; /* the kind's, under these options */
	const void *options; /* kind->options_size bytes */
	const struct policy_key *key; /* NULL when the kind needs none */
	struct policy_bind bind;
	struct policy_per per;
	const struct policy_store *store; /* of `per`, or of a kind with METHOD_STORE; else NULL */
	uint32_t index; /* in policy.methods */
	struct policy_mark mark;
};

/* What one path gets. The i-th rule of a topic is path i of its automaton. */
struct policy_rule {
	const char *path_text; /* as written, with the entry's `root` for "$" */
	struct seal_bytes path; /* canonical, the same: $['items'][*]['note'], key['id'], header:x-customer */
	bool dynamic; /* bound to names that differ from hit to hit: the place is made per hit */
	const struct policy_method *method;
	struct seal_bytes place_string; /* policy/place.h, for a string value; empty for bind: none. */
	struct seal_bytes place_json; /* … for any other JSON value */
	struct seal_bytes place_bytes; /* … for a whole payload. All three empty when they need the record: dynamic or
					 * BIND_RECORD */
	uint32_t record_path; /* BIND_RECORD: path index (>= n_rules) of the sibling; else UINT32_MAX */
	uint32_t per_path; /* the same for `per`: whose key; may be the same sibling */
	struct policy_mark mark;
};

struct policy_defaults {
	int on_error; /* enum on_error … */
	int on_missing;
	int on_protected;
	int on_plaintext;
	int on_null;
};

struct policy_topic {
	const char *const *matches; /* as written, ended by NULL */
	const struct topic_pattern *patterns; /* the same compiled; policy/pattern.h */
	size_t n_patterns;
	int format; /* enum record_format */
	struct policy_defaults on; /* the policy's defaults with the topic's own on top */
	const struct policy_rule *rules;
	size_t n_rules; /* 0: values pass in clear, but keys or headers don't (`protect: {}`) */
	struct json_paths *paths; /* rules 0 … n_rules-1, then the siblings of BIND_RECORD and `per` */
	const char *dead_letter_topic; /* NULL: none */
	const struct policy_method *dead_letter_method; /* encrypt, bound to the domain "dead-letter" */
	bool is_dead_letter; /* this entry was made for another topic's dead letters; these come first */
	/*
	 * `key:` and `headers:` are entries of their own in policy.topics, which no topic's name matches (n_patterns 0): the
	 * engine runs a batch's keys by the rules of `key`, as it runs values by these. Paths of errors and places begin with
	 * "key" or "header:NAME" where others begin with "$".
	 */
	enum record_part part;
	const char *root; /* "$", "key" or "header:NAME" */
	const char *header; /* PART_HEADER: its name */
	const struct policy_topic *key; /* PART_VALUE: rules for record keys; NULL: they pass */
	const struct policy_topic *const *headers; /* PART_VALUE: one a name, ended by NULL; NULL: none. Each header
						    * of that name is taken; the others pass */
	/* `allow:`: what is in clear by intent, for `scan -p`. Of a field all that is below it, too; no rule's path overlaps one. */
	const struct json_path *allow;
	const char *const *allow_text; /* as written */
	size_t n_allow;
	bool allow_key; /* "key": the record key, or what `key: {$.id: METHOD}` leaves of it */
	const char *const *allow_headers; /* "header:NAME": the names, ended by NULL; NULL: none */
	uint32_t index; /* in policy.topics */
	struct policy_mark mark;
};

struct policy_regex {
	struct policy_regex *next;
	struct regex *regex; /* base/regex.h */
};

struct policy {
	const char *namespace_; /* "" by default */
	const struct policy_key *keys;
	size_t n_keys;
	const struct policy_store *stores;
	size_t n_stores;
	const struct policy_method *methods;
	size_t n_methods;
	const struct policy_topic *topics; /* n_entries for topics (PART_VALUE), then those for keys and headers */
	size_t n_topics, n_entries;
	const struct policy_test *tests; /* policy/tests.h */
	size_t n_tests;
	struct policy_regex *regexes; /* those of patterns and tests, for policy_free */
	uint8_t sha256[SHA256_LEN]; /* of the file's text */
	struct arena arena; /* owns all of the above */
};

/* One mistake or hint. */
struct policy_finding {
	struct policy_finding *next;
	struct policy_mark mark; /* column 0: the file as a whole */
	bool warning;
	const char *text; /* with the nearest valid word where there is one */
};

struct policy_findings {
	struct policy_finding *first, **tail;
	size_t errors, warnings;
	struct arena arena;
};

void policy_findings_init(struct policy_findings *findings);
void policy_findings_clear(struct policy_findings *findings);

/*
 * Compiles `text`. `file` is for messages. All findings are added to `findings` (may be NULL), in file order; when one
 * is an error the result is SEAL_USAGE/SEAL_E_CONFIG and err holds the first, with file:line:column as its place.
 */
SEAL_MUST_USE enum seal_status policy_load(struct seal_bytes text, const char *file,
					   const struct policy_schema *schema, struct policy_findings *findings,
					   struct policy **out, struct seal_err *err);
SEAL_MUST_USE enum seal_status policy_load_file(const char *file, const struct policy_schema *schema,
						struct policy_findings *findings, struct policy **out,
						struct seal_err *err);
void policy_free(struct policy *policy);

/* The first topic entry that matches, or NULL. Internal topics ("__…", "_schemas") match only exactly. */
const struct policy_topic *policy_topic_find(const struct policy *policy, struct seal_bytes topic);
/* The same, with the pattern that matched. */
const struct policy_topic *policy_topic_match(const struct policy *policy, struct seal_bytes topic,
					      const struct topic_pattern **by);
/*
 * A canonical path ("$['id']") of a document that `topic` is about, as errors and places have it: "key['id']". Of PART_VALUE
 * itself, else in `arena`. ptr NULL: no memory.
 */
struct seal_bytes policy_path(const struct policy_topic *topic, struct seal_bytes canonical, struct arena *arena);
/* The only (not dead-letter) entry, or NULL when there are several. */
const struct policy_topic *policy_topic_only(const struct policy *policy);

#endif
