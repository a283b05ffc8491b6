/*
 * `scan --suggest`: a policy for what was found. Each find gets the method that its detector suggests, where all that stands at
 * its path fits it; else it is encrypted, which takes any value. What several finds share is written once:
 *
 *   keys       by what the method's kind needs, and credentials apart from personal data
 *   methods    one a detector
 *   topics     the paths; record keys get a method whose results stay equal, as compaction and partitions need
 *
 * Paths never contain each other: where an object is protected as a whole, nothing below it is named.
 */
#include <ctype.h>

#include "base/utf8.h"
#include "cmd/registry.h"
#include "cmd/scan.h"
#include "json/string.h"

/* Two paths less than a topic may have: one for the record key, and one to spare. */
#define SUGGESTIONS_MAX (POLICY_RULES_MAX - 2)

#define LONG_KEY 150 /* bytes; escapes make up to six of one */

/* Keys that methods need: by the flags of their kinds. */
enum proposed_key { FOR_NONE, FOR_PERSONAL, FOR_SECRETS, FOR_FPE, FOR_HMAC, FOR_JOINS, FOR_USES };

static const struct {
	const char *name, *create;
} keys[FOR_USES] = {
	[FOR_PERSONAL] = {"pii", "sealstream key create pii"},
	[FOR_SECRETS] = {"secrets", "sealstream key create secrets"},
	[FOR_FPE] = {"shapes", "sealstream key create shapes --type ff1"},
	[FOR_HMAC] = {"marks", "sealstream key create marks --type hmac"},
	[FOR_JOINS] = {"joins", "sealstream key create joins --convergent"},
};

/* One method of the policy to be. */
struct suggested {
	char name[64];
	const char *text; /* "type: encrypt", …: what stands between the braces, without the key */
	enum proposed_key key;
	bool stable; /* for record keys: the bind of all of them */
};

struct suggestion {
	const struct scan_result *result;
	struct seal_buf values, record_keys, headers, skipped; /* lines of the policy */
	struct seal_buf path;
	struct suggested methods[DETECT_MAX + 3];
	size_t n_methods, n_paths, n_headers;
	bool keep_nulls, keep_protected, whole_key, key_bytes;
};

/* What stands behind "type:" in a detector's suggestion, as a kind of the registry. */
static const struct method_kind *kind_of(const char *suggest)
{
	for (const struct method_kind *const *kind = registry_schema.methods; *kind != NULL; kind++) {
		size_t len = strlen((*kind)->name);

		if (strncmp(suggest, "type: ", 6) == 0 && strncmp(suggest + 6, (*kind)->name, len) == 0 &&
		    !isalnum((unsigned char)suggest[6 + len]) && suggest[6 + len] != '_')
			return *kind;
	}
	return NULL;
}

/* A JWT is one, too, while it lives. */
static bool is_credential(const struct detector *what)
{
	return what != NULL && what->class != DETECT_PERSONAL;
}

static enum proposed_key key_of(const struct method_kind *kind, const struct detector *what)
{
	if (kind->flags & METHOD_FPE_KEY)
		return FOR_FPE;
	if (kind->flags & METHOD_HMAC_KEY)
		return FOR_HMAC;
	if (kind->flags & METHOD_ENCRYPT_KEY)
		return is_credential(what) ? FOR_SECRETS : FOR_PERSONAL;
	return FOR_NONE;
}

/* The method of that name, added when it is new. */
static struct suggested *method(struct suggestion *s, const char *name, const char *text, enum proposed_key key)
{
	struct suggested *m = s->methods, *end = s->methods + s->n_methods;

	while (m < end && strcmp(m->name, name) != 0)
		m++;
	if (m < end)
		return m;
	SEAL_INVARIANT(s->n_methods < sizeof(s->methods) / sizeof(s->methods[0]));
	*m = (struct suggested){.text = text, .key = key};
	snprintf(m->name, sizeof(m->name), "%s", name);
	s->n_methods++;
	return m;
}

static const struct suggested *encrypted(struct suggestion *s, const struct detector *what)
{
	bool secret = is_credential(what);

	return method(s, secret ? "secret" : "personal", "type: encrypt", secret ? FOR_SECRETS : FOR_PERSONAL);
}

/* For record keys: equal keys stay equal, so that partitions, compaction and joins go on. */
static const struct suggested *stable(struct suggestion *s)
{
	struct suggested *m = method(s, "record_key", "type: deterministic", FOR_JOINS);

	m->stable = true;
	return m;
}

/* Does every value that stood here fit what the detector's test takes? */
static bool all_fit(const struct scan_node *node, const struct detector *what, const struct scan_verdict *verdict)
{
	const uint64_t *types = node->counts.types;
	uint64_t texts = types[SCAN_STRING] + types[SCAN_NUMBER];

	if (texts + types[SCAN_NULL] != scan_node_values(node) || (types[SCAN_NUMBER] > 0 && !what->takes_numbers))
		return false;
	return verdict->findings[verdict->best_at].hits == texts;
}

/* Is some of it protected already, by its looks? */
static bool is_protected_in_part(const struct scan_verdict *verdict)
{
	for (size_t i = 0; i < verdict->n_findings; i++)
		if (verdict->findings[i].what->suggest == NULL && verdict->findings[i].hits > 0)
			return true;
	return false;
}

/*
 * Can only all that stands here be named, not what is below? Names that are data have no path, [*] stands for members as well as
 * for elements, and rules for fields of a key fail where it is no JSON.
 */
static bool is_only_whole(const struct scan_node *node)
{
	const uint64_t *types = node->counts.types;

	if (node->step == SCAN_KEY && types[SCAN_OBJECT] + types[SCAN_ARRAY] != scan_node_values(node))
		return true;
	return node->element != NULL && (node->n_names > 0 || node->any != NULL);
}

/* What the detector suggests, or NULL where something stands that it does not take. */
static const struct method_kind *fitting_kind(const struct scan_node *node, const struct scan_verdict *verdict)
{
	const struct detector *what = verdict->best;
	const struct method_kind *kind = what != NULL && !verdict->names ? kind_of(what->suggest) : NULL;
	bool member = node->step == SCAN_MEMBER && node->parent->step != SCAN_HEADERS;

	if (kind == NULL || (kind->flags & METHOD_STORE))
		return NULL;
	if (kind->flags & METHOD_REMOVES)
		return member && !is_only_whole(node) ? kind : NULL;
	return all_fit(node, what, verdict) ? kind : NULL;
}

/* Are values text or bytes, not looked into? */
static bool is_whole(const struct suggestion *s)
{
	const struct scan_result *result = s->result;

	return result->rules != NULL ? result->rules->format != FORMAT_JSON : result->options->format != 0;
}

static const struct suggested *method_for(struct suggestion *s, const struct scan_node *node,
					  const struct scan_verdict *verdict)
{
	const struct detector *what = verdict->best;
	const struct method_kind *kind = fitting_kind(node, verdict);

	if (kind == NULL || (kind->flags & METHOD_ENCRYPT_KEY) ||
	    (node->step == SCAN_VALUE && is_whole(s) && !(kind->flags & METHOD_BYTES)))
		return encrypted(s, what);
	if (kind->flags & METHOD_FPE_KEY)
		s->keep_nulls = s->keep_nulls || node->counts.types[SCAN_NULL] > 0;
	return method(s, what->name, what->suggest, key_of(kind, what));
}

/* A YAML scalar: as it is where it cannot be taken for anything else, else in double quotes. */
static enum seal_status put_scalar(struct seal_bytes text, struct seal_buf *out, struct seal_err *err)
{
	bool plain = text.len > 0 && text.ptr[0] == '$';
	size_t from = 0, at = 0;
	uint32_t character;
	enum seal_status rc;

	for (size_t i = 0; i < text.len; i++)
		plain = plain && (isalnum(text.ptr[i]) || strchr("$._-[]*", (char)text.ptr[i]) != NULL);
	if (plain)
		return buf_append(out, text, err);
	SEAL_TRY(buf_append_u8(out, '"', err));
	for (; at < text.len; from = at) {
		if (!utf8_next(text, &at, &character))
			return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "the topic's name is not UTF-8");
		if (utf8_steers(character))
			rc = buf_printf(out, err, "\\u%04x", (unsigned)character);
		else if (character == '"' || character == '\\')
			rc = buf_printf(out, err, "\\%c", (char)character);
		else
			rc = buf_append(out, bytes_of(text.ptr + from, at - from), err);
		SEAL_TRY(rc);
	}
	rc = buf_append_u8(out, '"', err);
out:
	return rc;
}

/* "      $.email: personal   # e-mail address", with the path below `root` in its place. */
static enum seal_status put_path(struct suggestion *s, const struct scan_node *node, struct seal_bytes path,
				 const struct suggested *m, const struct scan_verdict *verdict, struct seal_buf *out,
				 struct seal_err *err)
{
	enum seal_status rc;

	/* YAML: a key of more than 1024 characters needs its question mark. */
	SEAL_TRY(buf_append_str(out, path.len > LONG_KEY ? "      ? " : "      ", err));
	SEAL_TRY(put_scalar(path, out, err));
	SEAL_TRY(buf_printf(out, err, "%s: %s  # %s", path.len > LONG_KEY ? "\n      " : "", m->name,
			    verdict->names ? "names of its members are data" : verdict->best->title));
	if (!verdict->names)
		SEAL_TRY(buf_printf(out, err, ", %.0f%%%s", verdict->findings[verdict->best_at].confidence * 100,
				    scan_by_name_note(&verdict->findings[verdict->best_at])));
	rc = buf_append_str(out, "\n", err);
	s->n_paths++;
	s->keep_protected = s->keep_protected || is_protected_in_part(verdict);
out:
	return rc;
}

static const struct scan_node *part_of(const struct scan_node *node)
{
	while (node->parent->step != SCAN_TOP)
		node = node->parent;
	return node;
}

/* A find that no path of a policy can name. */
static enum seal_status skip(struct suggestion *s, const char *why, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append_str(&s->skipped, "# not proposed: ", err));
	SEAL_TRY(buf_append(&s->skipped, buf_bytes(&s->path), err));
	rc = buf_printf(&s->skipped, err, ": %s\n", why);
out:
	return rc;
}

/* Nothing or a reason why no policy can name a header that was seen here. */
static const char *why_no_header(const struct suggestion *s, const struct scan_node *node)
{
	size_t at = 0;
	uint32_t character;

	if (node->step != SCAN_MEMBER)
		return "headers of that many names, or of names that are data";
	if (node->counts.types[SCAN_BYTES] > 0)
		return "not all of its values are UTF-8 text";
	if (s->n_headers == POLICY_HEADERS_MAX)
		return "a topic has no more headers";
	if (node->name.len == 0 || node->name.len > POLICY_HEADER_NAME_MAX)
		return "no policy has headers of such a name";
	while (at < node->name.len)
		if (!utf8_next(node->name, &at, &character) || character < 0x20 || character == 0x7f)
			return "no policy has headers of such a name";
	return NULL;
}

static enum seal_status suggest_header(struct suggestion *s, const struct scan_node *node,
				       const struct scan_verdict *verdict, struct seal_err *err)
{
	const char *why = why_no_header(s, node);

	if (why != NULL)
		return skip(s, why, err);
	s->n_headers++;
	return put_path(s, node, node->name, method_for(s, node, verdict), verdict, &s->headers, err);
}

static enum seal_status suggest_key(struct suggestion *s, const struct scan_node *node,
				    const struct scan_verdict *verdict, struct seal_err *err)
{
	enum seal_status rc;

	if (node->step == SCAN_KEY) {
		s->whole_key = true;
		s->key_bytes = node->counts.types[SCAN_BYTES] > 0;
		s->keep_protected = s->keep_protected || is_protected_in_part(verdict);
		return buf_printf(&s->record_keys, err, "    key: %s  # %s\n", stable(s)->name,
				  verdict->names ? "names of its members are data" : verdict->best->title);
	}
	/* "key.id" of the report is $.id of the key. */
	SEAL_TRY(buf_append_str(&s->record_keys, s->record_keys.len == 0 ? "    key:\n" : "", err));
	memmove(s->path.ptr, s->path.ptr + 2, s->path.len - 2);
	s->path.len -= 2;
	s->path.ptr[0] = '$';
	rc = put_path(s, node, buf_bytes(&s->path), stable(s), verdict, &s->record_keys, err);
out:
	return rc;
}

static enum seal_status suggest_node(struct suggestion *s, const struct scan_node *node,
				     const struct scan_verdict *verdict, struct seal_err *err)
{
	enum scan_step part = part_of(node)->step;
	enum seal_status rc;

	s->path.len = 0;
	SEAL_TRY(scan_node_path(node, &s->path, err));
	if (s->n_paths == SUGGESTIONS_MAX)
		return skip(s, "a topic has no more paths", err);
	if (part == SCAN_KEY)
		return suggest_key(s, node, verdict, err);
	if (part == SCAN_HEADERS)
		return suggest_header(s, node, verdict, err);
	rc = put_path(s, node, buf_bytes(&s->path), method_for(s, node, verdict), verdict, &s->values, err);
out:
	return rc;
}

/* The first open find at `node` or below, as one that is protected with all that stands at `node`. */
static bool find_below(const struct scan_node *node, struct scan_verdict *verdict)
{
	const struct scan_node *end = scan_node_skip(node);

	for (const struct scan_node *at = node; at != end; at = scan_node_next(at)) {
		scan_judge(at, verdict);
		if (scan_node_is_told(at) && scan_is_open_find(verdict))
			return true;
	}
	return false;
}

/* Is there something that a rule for `node` itself must protect? */
static bool is_suggested(const struct scan_node *node, struct scan_verdict *verdict)
{
	/* The object around names that are data. Headers have no whole. */
	bool names = node->step != SCAN_HEADERS && node->any != NULL && node->any->counts.names[0] > 0;

	if (is_only_whole(node))
		return find_below(node, verdict);
	scan_judge(node, verdict);
	verdict->names = verdict->names || names;
	return names || (scan_node_is_told(node) && scan_is_open_find(verdict));
}

static enum seal_status suggest_all(struct suggestion *s, struct seal_err *err)
{
	const struct scan_node *node = scan_node_next(scan_table_top(s->result->table));
	struct scan_verdict verdict;
	enum seal_status rc = SEAL_OK;

	while (node != NULL) {
		if (!is_suggested(node, &verdict)) {
			node = scan_node_next(node);
			continue;
		}
		SEAL_TRY(suggest_node(s, node, &verdict, err));
		node = scan_node_skip(node);
	}
out:
	return rc;
}

/* --- the file --- */

static enum seal_status put_head(const struct suggestion *s, struct seal_buf *out, struct seal_err *err)
{
	const struct scan_totals *t = &s->result->totals;
	bool used[FOR_USES] = {false};
	enum seal_status rc;

	for (size_t i = 0; i < s->n_methods; i++)
		used[s->methods[i].key] = true;
	SEAL_TRY(buf_printf(
		out, err,
		"# Proposed by sealstream scan after %llu record%s. Read each line: what a value looks like is\n"
		"# not what it is. What no record showed is not here.\n",
		(unsigned long long)t->records, plural_s(t->records)));
	SEAL_TRY(buf_append(out, buf_bytes(&s->skipped), err));
	SEAL_TRY(buf_append_str(out, "version: 1\n", err));
	for (size_t i = FOR_NONE + 1, n = 0; i < FOR_USES; i++)
		if (used[i])
			SEAL_TRY(buf_printf(out, err, "%s  %s: local:%s  # %s\n",
					    n++ ? "" : "keys: # or vault:MOUNT/NAME\n", keys[i].name, keys[i].name,
					    keys[i].create));
	SEAL_TRY(buf_append_str(out, "methods:\n", err));
	for (size_t i = 0; i < s->n_methods; i++) {
		const struct suggested *m = &s->methods[i];

		SEAL_TRY(buf_printf(out, err, "  %s: {%s%s%s%s}\n", m->name, m->text, m->key ? ", key: " : "",
				    m->key ? keys[m->key].name : "",
				    m->stable ? ", bind: {domain: record-key}" : ""));
	}
out:
	return rc;
}

/* A topic's name from a file's: purchases.ndjson. */
static struct seal_bytes topic_of(const struct scan_result *result)
{
	const struct scan_options *o = result->options;
	const char *slash = strrchr(result->from, '/'), *name = slash != NULL ? slash + 1 : result->from;
	size_t len = strcspn(name, ".");

	if (o->policy_topic != NULL || o->topic != NULL)
		return bytes_str(o->policy_topic != NULL ? o->policy_topic : o->topic);
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
			return BYTES_LIT("topic");
	return len > 0 && name[0] != '-' ? bytes_of(name, len) : BYTES_LIT("topic");
}

static enum seal_status put_topic(const struct suggestion *s, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append_str(out, "topics:\n  - match: ", err));
	SEAL_TRY(put_scalar(topic_of(s->result), out, err));
	SEAL_TRY(buf_append_str(out, "\n", err));
	if (s->keep_nulls)
		SEAL_TRY(buf_append_str(out, "    on_null: keep  # fpe cannot take a null\n", err));
	if (s->keep_protected)
		SEAL_TRY(buf_append_str(out, "    on_protected: keep  # some values are protected already\n", err));
	SEAL_TRY(buf_append(out, buf_bytes(&s->record_keys), err));
	if (s->key_bytes)
		SEAL_TRY(buf_append_str(out, "    key_format: bytes  # not all keys are UTF-8 text\n", err));
	if (s->headers.len > 0)
		SEAL_TRY(buf_append_str(out, "    headers:\n", err));
	SEAL_TRY(buf_append(out, buf_bytes(&s->headers), err));
	if (is_whole(s))
		SEAL_TRY(buf_append_str(out, "    format: bytes\n", err));
	SEAL_TRY(buf_append_str(
		out, s->values.len > 0 ? "    protect:\n" : "    protect: {}  # nothing was found in values\n", err));
	rc = buf_append(out, buf_bytes(&s->values), err);
out:
	return rc;
}

enum seal_status scan_suggest(const struct scan_result *result, struct seal_buf *out, struct seal_err *err)
{
	struct suggestion s = {.result = result};
	enum seal_status rc;

	s.values.max = s.record_keys.max = s.headers.max = s.skipped.max = s.path.max = SCAN_OUTPUT_MAX;
	SEAL_TRY(suggest_all(&s, err));
	if (s.n_paths == 0 && !s.whole_key) {
		SEAL_TRY(buf_append(out, buf_bytes(&s.skipped), err));
		rc = buf_append_str(out, "# Nothing was found that a policy could protect.\n", err);
		goto out;
	}
	SEAL_TRY(put_head(&s, out, err));
	rc = put_topic(&s, out, err);
out:
	buf_clear(&s.values);
	buf_clear(&s.record_keys);
	buf_clear(&s.headers);
	buf_clear(&s.skipped);
	buf_clear(&s.path);
	return rc;
}
