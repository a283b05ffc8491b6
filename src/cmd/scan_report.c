/* What `scan` tells: a table for people, one object for programs. Paths, counts and names of detectors; never a value. */
#include "cmd/scan.h"

#include "base/utf8.h"
#include "json/string.h"

#define PATH_COLUMN_MAX 48 /* a longer path pushes its line to the right */

static const char *const type_names[SCAN_TYPES] = {"null", "boolean", "number", "string", "bytes", "array", "object"};
static const char *const class_names[] = {"secret", "personal", "token"};
static const char *const status_names[] = {"unclassified", "allowed", "protected"};

struct scan_node *scan_told_next(const struct scan_node *node)
{
	struct scan_node *next = scan_node_next(node);

	while (next != NULL && !scan_node_is_told(next))
		next = scan_node_next(next);
	return next;
}

void scan_count_finds(struct scan_result *result)
{
	const struct scan_node *node = scan_table_top(result->table);
	struct scan_verdict verdict;

	result->finds = result->open_finds = 0;
	while ((node = scan_told_next(node)) != NULL) {
		scan_judge(node, &verdict);
		result->finds += verdict.best != NULL || verdict.names;
		result->open_finds += scan_is_open_find(&verdict);
	}
}

double scan_presence(const struct scan_result *result, const struct scan_node *node)
{
	uint64_t of = result->totals.records - result->totals.failed, values = scan_node_values(node);

	if (node->step == SCAN_ELEMENT || node->step == SCAN_ANY)
		return -1;
	if (node->step == SCAN_VALUE)
		of -= result->totals.tombstones < of ? result->totals.tombstones : of;
	else if (node->step == SCAN_MEMBER && node->parent->step != SCAN_HEADERS)
		of = node->parent->counts.types[SCAN_OBJECT];
	return of == 0 ? -1 : values < of ? (double)values / (double)of : 1; /* a name may be there twice */
}

const char *scan_by_name_note(const struct detect_finding *finding)
{
	/* Detectors that have no test of values say so themselves. */
	return finding->by_name && strstr(finding->what->title, "by field name") == NULL ? " (by field name)" : "";
}

/* The path of a node in `path`, which is emptied first. */
static enum seal_status path_of(const struct scan_node *node, struct seal_buf *path, struct seal_err *err)
{
	path->len = 0;
	return scan_node_path(node, path, err);
}

/* Is it left out by --finds? */
static bool left_out(const struct scan_result *result, const struct scan_verdict *verdict)
{
	return result->options->finds && verdict->best == NULL && !verdict->names;
}

static const char *rule_name(const struct scan_result *result, const struct scan_node *node)
{
	const struct scan_node *part = node;
	const struct policy_topic *topic = result->rules;

	while (part->step == SCAN_MEMBER || part->step == SCAN_ELEMENT || part->step == SCAN_ANY)
		part = part->parent;
	if (topic == NULL || node->rule == 0)
		return NULL;
	if (part->step == SCAN_KEY)
		topic = topic->key;
	for (const struct policy_topic *const *h = topic->headers; part->step == SCAN_HEADERS && h && *h; h++)
		if (bytes_eq_str(node->name, (*h)->header)) {
			topic = *h;
			break;
		}
	return node->rule <= topic->n_rules ? topic->rules[node->rule - 1].method->kind->name : NULL;
}

/* --- text --- */

/* Columns that a text takes, near enough: its characters. */
static size_t columns(struct seal_bytes text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += (text.ptr[i] & 0xc0) != 0x80;
	return n;
}

static enum seal_status pad(struct seal_buf *out, size_t from, size_t to, struct seal_err *err)
{
	return buf_printf(out, err, "%*s", (int)(from < to ? to - from + 2 : 2), "");
}

static enum seal_status put_types(const struct scan_node *node, struct seal_buf *out, struct seal_err *err)
{
	size_t was = out->len;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; rc == SEAL_OK && i < SCAN_TYPES; i++)
		if (node->counts.types[i] > 0)
			rc = buf_printf(out, err, "%s%s", out->len > was ? "|" : "", type_names[i]);
	if (rc == SEAL_OK && node->counts.below > 0)
		rc = buf_printf(out, err, "%sdeeper", out->len > was ? "|" : "");
	return rc;
}

static enum seal_status put_status(const struct scan_result *result, const struct scan_node *node,
				   const struct scan_verdict *verdict, struct seal_buf *out, struct seal_err *err)
{
	const char *rule = verdict->status == SCAN_UNCLASSIFIED ? NULL : rule_name(result, node);
	bool part = verdict->status == SCAN_UNCLASSIFIED &&
		    node->counts.by_cover[SCAN_PROTECTED] + node->counts.by_cover[SCAN_ALLOWED] > 0;
	char text[64];

	snprintf(text, sizeof(text), "%s%s%s%s%s", status_names[verdict->status], rule ? " (" : "", rule ? rule : "",
		 rule ? ")" : "", part ? " in part" : "");
	return buf_printf(out, err, "%-24s  ", text);
}

static enum seal_status put_findings(const struct scan_verdict *verdict, struct seal_buf *out, struct seal_err *err)
{
	size_t n = 0;
	enum seal_status rc = SEAL_OK;

	if (verdict->names)
		SEAL_TRY(buf_printf(out, err, "%snames of members are data", n++ ? ", " : ""));
	for (size_t i = 0; i < verdict->n_findings; i++) {
		const struct detect_finding *f = &verdict->findings[i];

		if (f->confidence < DETECT_CONFIDENT)
			break;
		SEAL_TRY(buf_printf(out, err, "%s%s %.0f%%%s", n++ ? ", " : "", f->what->title, f->confidence * 100,
				    scan_by_name_note(f)));
	}
	if (n == 0)
		SEAL_TRY(buf_append_u8(out, '-', err));
out:
	return rc;
}

static enum seal_status put_line(const struct scan_result *result, const struct scan_node *node,
				 const struct scan_verdict *verdict, struct seal_bytes path, size_t width,
				 struct seal_buf *out, struct seal_err *err)
{
	double presence = scan_presence(result, node);
	bool open = scan_is_open_find(verdict) && result->colored;
	size_t types;
	enum seal_status rc;

	SEAL_TRY(buf_append_str(out, open ? "\033[31m" : "", err));
	SEAL_TRY(buf_append(out, path, err));
	SEAL_TRY(pad(out, columns(path), width, err));
	/* Nothing is told as complete that is not. */
	if (presence < 0)
		SEAL_TRY(buf_printf(out, err, "%7s  ", "-"));
	else
		SEAL_TRY(buf_printf(out, err, "%6.1f%%  ", presence < 1 && presence > 0.999 ? 99.9 : presence * 100));
	types = out->len;
	SEAL_TRY(put_types(node, out, err));
	SEAL_TRY(pad(out, out->len - types, 14, err));
	if (result->rules != NULL)
		SEAL_TRY(put_status(result, node, verdict, out, err));
	SEAL_TRY(put_findings(verdict, out, err));
	rc = buf_printf(out, err, "%s\n", open ? "\033[0m" : "");
out:
	return rc;
}

static enum seal_status path_width(const struct scan_result *result, struct seal_buf *path, size_t *width,
				   struct seal_err *err)
{
	const struct scan_node *node = scan_table_top(result->table);
	struct scan_verdict verdict;
	enum seal_status rc = SEAL_OK;

	*width = strlen("path");
	while ((node = scan_told_next(node)) != NULL) {
		scan_judge(node, &verdict);
		if (left_out(result, &verdict))
			continue;
		SEAL_TRY(path_of(node, path, err));
		if (columns(buf_bytes(path)) > *width)
			*width = columns(buf_bytes(path));
	}
	if (*width > PATH_COLUMN_MAX)
		*width = PATH_COLUMN_MAX;
out:
	return rc;
}

static enum seal_status put_head(const struct scan_result *result, struct seal_buf *out, struct seal_err *err)
{
	const struct scan_totals *t = &result->totals;
	enum seal_status rc;

	SEAL_TRY(buf_printf(out, err, "%llu record%s", (unsigned long long)t->records, plural_s(t->records)));
	if (t->tombstones > 0)
		SEAL_TRY(buf_printf(out, err, ", %llu of them tombstones", (unsigned long long)t->tombstones));
	if (t->failed > 0)
		SEAL_TRY(buf_printf(out, err, ", %llu of them cannot be read", (unsigned long long)t->failed));
	rc = buf_printf(out, err, "%s\n", result->more ? "; stopped there (--count)" : "");
out:
	return rc;
}

static enum seal_status put_foot(const struct scan_result *result, struct seal_buf *out, struct seal_err *err)
{
	unsigned long long finds = result->finds, open = result->open_finds;

	if (scan_table_paths(result->table) >= SCAN_PATHS_MAX &&
	    buf_printf(out, err, "More than %d paths: what stands at others is counted above them, as deeper.\n",
		       SCAN_PATHS_MAX) != SEAL_OK)
		return SEAL_FATAL;
	if (result->totals.records > 0 && result->totals.failed == result->totals.records)
		return buf_append_str(
			out, "Nothing could be read: records are one JSON value a line, or see -J, -K, --format.\n",
			err);
	if (finds == 0)
		return buf_append_str(out, "Nothing was found that asks for protection.\n", err);
	if (result->rules == NULL)
		return buf_printf(out, err, "%llu path%s to protect; --suggest proposes a policy.\n", finds,
				  plural_s(finds));
	if (open == 0)
		return buf_printf(out, err, "%llu path%s to protect, all of them protected or allowed.\n", finds,
				  plural_s(finds));
	return buf_printf(
		out, err,
		"%llu path%s to protect, %llu of them unclassified: add %s to the policy's protect: or allow:.\n",
		finds, plural_s(finds), open, open == 1 ? "it" : "them");
}

enum seal_status scan_report_text(const struct scan_result *result, struct seal_buf *out, struct seal_err *err)
{
	const struct scan_node *node = scan_table_top(result->table);
	struct seal_buf path = BUF_INIT(SCAN_OUTPUT_MAX);
	struct scan_verdict verdict;
	bool head = false;
	enum seal_status rc;
	size_t width;

	SEAL_TRY(put_head(result, out, err));
	SEAL_TRY(path_width(result, &path, &width, err));
	while ((node = scan_told_next(node)) != NULL) {
		scan_judge(node, &verdict);
		if (left_out(result, &verdict))
			continue;
		if (!head)
			SEAL_TRY(buf_printf(out, err, "%-*s  %7s  %-14s  %s%s\n", (int)width, "path", "present",
					    "types", result->rules ? "policy                    " : "",
					    "looks like"));
		head = true;
		SEAL_TRY(path_of(node, &path, err));
		SEAL_TRY(put_line(result, node, &verdict, buf_bytes(&path), width, out, err));
	}
	rc = put_foot(result, out, err);
out:
	buf_clear(&path);
	return rc;
}

/* --- JSON --- */

static enum seal_status put_string(struct seal_bytes text, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc = buf_reserve(out, JSON_STRING_MAX(text.len), err);

	if (rc == SEAL_OK)
		out->len += json_string_write(text, out->ptr + out->len);
	return rc;
}

static enum seal_status put_json_counts(const struct scan_node *node, struct seal_buf *out, struct seal_err *err)
{
	const struct scan_counts *c = &node->counts;
	bool some = false;
	enum seal_status rc;

	SEAL_TRY(buf_printf(out, err, ",\"values\":%llu,\"types\":{", (unsigned long long)scan_node_values(node)));
	for (size_t i = 0; i < SCAN_TYPES; i++) {
		if (c->types[i] == 0)
			continue;
		SEAL_TRY(buf_printf(out, err, "%s\"%s\":%llu", some ? "," : "", type_names[i],
				    (unsigned long long)c->types[i]));
		some = true;
	}
	rc = buf_printf(out, err, "},\"deeper_values\":%llu,\"names_that_are_data\":%llu",
			(unsigned long long)c->below, (unsigned long long)(c->names[0] + c->names[1]));
out:
	return rc;
}

static enum seal_status put_json_status(const struct scan_result *result, const struct scan_node *node,
					const struct scan_verdict *verdict, struct seal_buf *out,
					struct seal_err *err)
{
	const uint64_t *by = node->counts.by_cover;
	const char *rule = rule_name(result, node);
	enum seal_status rc;

	if (result->rules == NULL)
		return SEAL_OK;
	SEAL_TRY(buf_printf(out, err, ",\"policy\":\"%s\",\"method\":", status_names[verdict->status]));
	SEAL_TRY(rule ? put_string(bytes_str(rule), out, err) : buf_append_str(out, "null", err));
	rc = buf_printf(out, err, ",\"protected_values\":%llu,\"allowed_values\":%llu,\"open_values\":%llu",
			(unsigned long long)by[SCAN_PROTECTED], (unsigned long long)by[SCAN_ALLOWED],
			(unsigned long long)by[SCAN_CLEAR]);
out:
	return rc;
}

static enum seal_status put_json_path(const struct scan_result *result, const struct scan_node *node,
				      const struct scan_verdict *verdict, struct seal_bytes path,
				      struct seal_buf *out, struct seal_err *err)
{
	double presence = scan_presence(result, node);
	enum seal_status rc;

	SEAL_TRY(buf_append_str(out, "{\"path\":", err));
	SEAL_TRY(put_string(path, out, err));
	if (presence < 0)
		SEAL_TRY(buf_append_str(out, ",\"presence\":null", err));
	else
		SEAL_TRY(buf_printf(out, err, ",\"presence\":%.6f", presence));
	SEAL_TRY(put_json_counts(node, out, err));
	SEAL_TRY(put_json_status(result, node, verdict, out, err));
	SEAL_TRY(buf_printf(out, err, ",\"find\":%s,\"open\":%s,\"findings\":[",
			    verdict->best != NULL || verdict->names ? "true" : "false",
			    scan_is_open_find(verdict) ? "true" : "false"));
	for (size_t i = 0; i < verdict->n_findings; i++) {
		const struct detect_finding *f = &verdict->findings[i];

		SEAL_TRY(buf_printf(out, err,
				    "%s{\"detector\":\"%s\",\"title\":\"%s\",\"class\":\"%s\",\"values\":%llu,"
				    "\"confidence\":%.3f,\"by_name\":%s,\"sure\":%s}",
				    i ? "," : "", f->what->name, f->what->title, class_names[f->what->class],
				    (unsigned long long)f->hits, f->confidence, f->by_name ? "true" : "false",
				    f->confidence >= DETECT_CONFIDENT ? "true" : "false"));
	}
	rc = buf_append_str(out, "]}", err);
out:
	return rc;
}

enum seal_status scan_report_json(const struct scan_result *result, struct seal_buf *out, struct seal_err *err)
{
	const struct scan_node *node = scan_table_top(result->table);
	const struct scan_totals *t = &result->totals;
	struct seal_buf path = BUF_INIT(SCAN_OUTPUT_MAX);
	struct scan_verdict verdict;
	const char *comma = "";
	enum seal_status rc;

	SEAL_TRY(buf_append_str(out, "{\"schema\":\"sealstream.scan/1\",\"source\":", err));
	SEAL_TRY(
		put_string(utf8_valid(bytes_str(result->from)) ? bytes_str(result->from) : BYTES_LIT("?"), out, err));
	SEAL_TRY(buf_printf(
		out, err,
		",\"records\":%llu,\"tombstones\":%llu,\"failed\":%llu,\"bytes\":%llu,\"stopped_by_count\":%s,"
		"\"paths_full\":%s,\"with_policy\":%s,\"finds\":%llu,\"open_finds\":%llu,\"paths\":[",
		(unsigned long long)t->records, (unsigned long long)t->tombstones, (unsigned long long)t->failed,
		(unsigned long long)t->bytes, result->more ? "true" : "false",
		scan_table_paths(result->table) >= SCAN_PATHS_MAX ? "true" : "false",
		result->rules ? "true" : "false", (unsigned long long)result->finds,
		(unsigned long long)result->open_finds));
	while ((node = scan_told_next(node)) != NULL) {
		scan_judge(node, &verdict);
		if (left_out(result, &verdict))
			continue;
		SEAL_TRY(path_of(node, &path, err));
		SEAL_TRY(buf_append_str(out, comma, err));
		SEAL_TRY(put_json_path(result, node, &verdict, buf_bytes(&path), out, err));
		comma = ",";
	}
	rc = buf_append_str(out, "]}\n", err);
out:
	buf_clear(&path);
	return rc;
}
