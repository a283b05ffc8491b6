/*
 * YAML 1.2.2, 10.3.2 (core schema): which plain scalars are not strings. A number that YAML has and JSON has not
 * (+1, 0x10, .5, .inf) is a mistake and not a string: whoever writes it means a number.
 */
#include "policy/node_json.h"

#include "json/scan.h"
#include "json/string.h"
#include "policy/write.h"

static bool is_one_of(struct seal_bytes text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (bytes_eq_str(text, *words))
			return true;
	return false;
}

static size_t skip_digits(struct seal_bytes text, size_t at, const char *digits)
{
	while (at < text.len && text.ptr[at] != '\0' && strchr(digits, text.ptr[at]) != NULL)
		at++;
	return at;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?, which has the integers in it */
static bool is_decimal(struct seal_bytes text)
{
	static const char digits[] = "0123456789";
	size_t at = text.len && (text.ptr[0] == '-' || text.ptr[0] == '+');
	size_t whole = skip_digits(text, at, digits) - at, part = 0, from;

	at += whole;
	if (at < text.len && text.ptr[at] == '.') {
		part = skip_digits(text, at + 1, digits) - (at + 1);
		at += 1 + part;
	}
	if (whole + part == 0)
		return false;
	if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
		at++;
		if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
			at++;
		from = at;
		at = skip_digits(text, at, digits);
		if (at == from)
			return false;
	}
	return at == text.len;
}

/* 0o [0-7]+, 0x [0-9a-fA-F]+, [-+]? \.inf, \.nan */
static bool is_other_number(struct seal_bytes text)
{
	static const char *const words[] = {".inf",  ".Inf",  ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
					    "-.Inf", "-.INF", ".nan", ".NaN",  ".NAN",	NULL};

	if (text.len > 2 && bytes_starts(text, BYTES_LIT("0o")))
		return skip_digits(text, 2, "01234567") == text.len;
	if (text.len > 2 && bytes_starts(text, BYTES_LIT("0x")))
		return skip_digits(text, 2, "0123456789abcdefABCDEF") == text.len;
	return is_one_of(text, words);
}

static bool append(struct build *build, const struct node *node, enum seal_status rc, const struct seal_err *err)
{
	if (rc != SEAL_OK)
		build_fail(build, node->mark, err);
	return rc == SEAL_OK;
}

static bool scalar_to_json(struct build *build, const struct node *node, struct seal_buf *out)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_bytes text = node->text;

	if (!node->plain)
		return append(build, node, json_string_append(out, text, &err), &err);
	if (is_one_of(text, nulls))
		return append(build, node, buf_append_str(out, "null", &err), &err);
	if (is_one_of(text, trues))
		return append(build, node, buf_append_str(out, "true", &err), &err);
	if (is_one_of(text, falses))
		return append(build, node, buf_append_str(out, "false", &err), &err);
	if (!is_decimal(text) && !is_other_number(text))
		return append(build, node, json_string_append(out, text, &err), &err);
	if (json_is_value(text, false))
		return append(build, node, buf_append(out, text, &err), &err);
	build_error(build, node->mark,
		    "a number of YAML that JSON can't write; put it in quotes or write it in decimal");
	return false;
}

static bool append_text(struct build *build, const struct node *node, struct seal_buf *out, const char *text)
{
	struct seal_err err = SEAL_ERR_INIT;

	return append(build, node, buf_append_str(out, text, &err), &err);
}

/* Recurses at most NODE_DEPTH_MAX deep. */
bool node_to_json(struct build *build, const struct node *node, struct seal_buf *out)
{
	bool map = node->kind == NODE_MAP, good = true;
	struct seal_err err = SEAL_ERR_INIT;

	if (node->kind == NODE_BAD)
		return false;
	if (node->kind == NODE_SCALAR)
		return scalar_to_json(build, node, out);
	if (!append_text(build, node, out, map ? "{" : "["))
		return false;
	for (const struct node *item = node->first; item != NULL && !build->no_memory; item = item->next) {
		if (item != node->first)
			good &= append_text(build, node, out, ",");
		if (map)
			good &= append(build, item, json_string_append(out, item->text, &err), &err) &&
				append_text(build, item, out, ":");
		good &= node_to_json(build, map ? item->value : item, out);
	}
	return good && append_text(build, node, out, map ? "}" : "]");
}
