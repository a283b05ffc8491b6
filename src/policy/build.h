/*
 * The state of one compilation. A mistake is added to the findings and compiling goes on, so that all are reported in one
 * run; the caller gets false and leaves out what was wrong. Out of memory is remembered in `no_memory` and
 * fails the load at its end.
 */
#ifndef POLICY_BUILD_H
#define POLICY_BUILD_H

#include "policy/policy.h"

struct node;
struct regex;

struct build {
	const struct policy_schema *schema;
	struct policy *policy;
	struct policy_findings *findings;
	struct arena scratch; /* nodes and what else only the compilation needs */
	struct policy_key *keys; /* the policy's, still writable; those of methods' own come last */
	size_t keys_cap;
	struct policy_store *stores;
	struct policy_method *methods;
	size_t methods_cap, n_named; /* the named ones come first */
	struct policy_topic *topics; /* as in the file … */
	struct policy_topic *first_topic; /* … and before them those of dead letters */
	struct policy_topic *parts, *next_part, *end_parts; /* … and after them those of keys and headers */
	size_t n_patterns; /* of all entries */
	struct policy_defaults defaults;
	bool *key_used, *method_used, *store_used; /* by index */
	bool topics_sound; /* no mistake before the tests */
	bool no_memory;
};

void build_error(struct build *build, struct policy_mark mark, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void build_warning(struct build *build, struct policy_mark mark, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds the text of `err` as an error at `mark`; memory failures are remembered instead. */
void build_fail(struct build *build, struct policy_mark mark, const struct seal_err *err);

/* Zeroed memory of the policy's arena (or of scratch); NULL sets no_memory. */
void *build_alloc(struct build *build, size_t count, size_t size);
void *build_scratch(struct build *build, size_t count, size_t size);
/* A NUL-terminated copy in the policy's arena; NULL sets no_memory. */
const char *build_str(struct build *build, struct seal_bytes text);
/* Compiles a regex that the policy owns; a mistake is reported at its place in `scalar`, whose text has it from `skip` on
 * for `len` bytes. */
struct regex *build_regex(struct build *build, const struct node *scalar, size_t skip, size_t len);

/* A word that a map may have as key; its value is stored in *to, NULL when absent. */
struct map_field {
	const char *name;
	unsigned kinds; /* bits 1 << enum node_kind that it may be; 0: any */
	const struct node **to;
};

struct map_spec {
	const char *what; /* for messages: "topic purchases" */
	const struct map_field *fields; /* ended by a row without name */
	const struct opt_row *rows; /* further keys that go to `options`; may be NULL */
	void *options;
};

/*
 * Takes a map apart: unknown keys are reported with the nearest valid word, wrong kinds, wrong values too. A nested map
 * `keep: {first: 6}` sets the row "keep.first". True when nothing was wrong.
 */
bool map_read(struct build *build, const struct node *map, const struct map_spec *spec);

/* The parts of a policy, in the order they are compiled. Each gets its node, or NULL when it is absent. */
/* Makes room for the methods' own keys, too. */
void build_keys(struct build *build, const struct node *keys, size_t methods);
void build_stores(struct build *build, const struct node *stores);
void build_methods(struct build *build, const struct node *methods, const struct node *topics);
void build_topics(struct build *build, const struct node *topics);
void build_tests(struct build *build, const struct node *tests);

/* The map from paths to methods of one entry; `allow` may be NULL. `may_be_empty`: all may pass in clear. */
void build_rules(struct build *build, const struct node *protect, const struct node *allow, bool may_be_empty,
		 struct policy_topic *topic);
/* The one rule of an entry for a whole key or header; `method` is its name or map. */
void build_whole_rule(struct build *build, const struct node *method, struct policy_topic *topic);
/* The one rule of a dead-letter entry: the whole value. False when out of memory. */
bool build_dead_letter_rule(struct build *build, struct policy_topic *topic, const struct policy_method *method,
			    struct policy_mark mark);

/* What a topic entry says of the other parts of its records. How many entries they can become: */
size_t build_parts_count(const struct node *topics);
/* `key:`, in `format` (FORMAT_TEXT or FORMAT_BYTES) where it is taken as a whole. */
void build_key_part(struct build *build, const struct node *key, int format, struct policy_topic *topic);
void build_header_parts(struct build *build, const struct node *headers, struct policy_topic *topic);
/* `allow:`, against the rules' paths. */
void build_allow(struct build *build, const struct node *allow, const struct policy_rule *rules,
		 const struct json_path *paths, size_t n, struct policy_topic *topic);

/* One method, `at` is its map. The result is in policy.methods; NULL when it is wrong. */
const struct policy_method *build_method(struct build *build, const char *name, const struct node *at);
/* The method of a topic's dead letters. */
const struct policy_method *build_dead_letter_method(struct build *build, const struct policy_key *key,
						     struct policy_mark mark);
/* `key: {name, per, store}` of a method. False: reported. */
bool build_per(struct build *build, const struct node *map, struct policy_method *method);
/* `store:` of a method at `at`; NULL: the policy's only one. False: reported. */
bool build_method_store(struct build *build, const struct node *store, const struct node *at,
			struct policy_method *method);
/* The path of one field beside a value, like $.order_id; `what` is for messages. False: reported. */
bool build_sibling_path(struct build *build, const struct node *text, const char *what, struct json_path *path);
/* The scheme of that name; `what` it is a scheme of is for messages. NULL: reported. */
const struct key_scheme *build_scheme_find(struct build *build, const struct node *at, struct seal_bytes name,
					   const struct key_scheme *schemes, const char *what);
/* At most POLICY_NAMES_MAX: what compares each with each stays fast. */
bool build_count_check(struct build *build, const struct node *at, size_t n, const char *what);
/* Names of keys, stores and methods: letters, digits, '_', '-', '.'. */
bool build_name_check(struct build *build, const struct node *name, const char *what);
/* How many methods there can be: named ones, those in line at paths, dead letters. */
size_t build_methods_count(const struct node *methods, const struct node *topics);
/* The key "scheme:reference" that a method names by options of its own, made at its first use. NULL: reported. */
const struct policy_key *build_key_own(struct build *build, const struct node *method, struct seal_bytes where);
/* Looks up names; unknown ones are reported with the nearest. Marks them as used. */
const struct policy_key *build_key_find(struct build *build, const struct node *name);
const struct policy_method *build_method_find(struct build *build, const struct node *name);

/* What else a topic may have: `key_format`, `format`, then the on_… keys, which `defaults` may have, too. */
struct topic_options {
	struct policy_defaults on;
	int format; /* enum record_format */
	int key_format; /* index of its choices; -1: not said */
};

extern const struct opt_row policy_topic_rows[];
#define policy_shown_rows (policy_topic_rows + 1) /* those that hold for a record's value */
#define policy_on_rows (policy_topic_rows + 2)

#endif
