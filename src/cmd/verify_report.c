/* What `verify` says at the end: for people, and as JSON. Names, counts and places; never a value. */
#include "cmd/verify.h"

#include <stdio.h>
#include <time.h>

#include "cmd/output.h"

static const char *const proofs[] = {[VERIFY_AUTHENTIC] = "authentic", [VERIFY_SHAPE] = "shape"};

bool verify_saw_values(const struct verify *v)
{
	for (size_t p = 0; p < v->n_parts; p++)
		for (size_t i = 0; i < v->views[p].n_fields; i++) {
			const struct verify_field *field = &v->views[p].fields[i];

			if (field->values > 0 || field->nulls > 0 || (field->method->flags & METHOD_REMOVES) != 0)
				return true;
		}
	return false;
}

const char *verify_proof_name(const struct verify_field *field)
{
	if ((field->method->flags & METHOD_REMOVES) != 0)
		return "absent";
	return field->values > 0 ? proofs[field->proof] : "none seen";
}

const char *verify_limit(const struct verify_field *field)
{
	if (field->proof == VERIFY_AUTHENTIC)
		return field->method->bind.mode == BIND_NONE
			       ? "bound to nothing: that a value was made for this field is not proven"
			       : "";
	if ((field->method->flags & METHOD_STORE) != 0)
		return "each is a token of the store, but a plain value of the same shape can be another's";
	if ((field->method->flags & METHOD_REMOVES) != 0 ||
	    (field->method->kind->leaks != NULL && strcmp(field->method->kind->leaks, "nothing") == 0))
		return "";
	if ((field->method->flags & METHOD_ONE_WAY) == 0)
		return "has no integrity: a plain value of the same shape would look the same";
	if (field->method->kind->could_be != NULL)
		return "looks as its method's results do; who made it cannot be proven";
	return "nothing can be proven of it";
}

void verify_time(int64_t unix_ms, char out[VERIFY_TIME_MAX])
{
	const time_t at = (time_t)(unix_ms / 1000);
	struct tm utc;

	out[0] = '\0';
	if (gmtime_r(&at, &utc) != NULL)
		(void)strftime(out, VERIFY_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* ---- JSON ---- */

static unsigned long long u(uint64_t n)
{
	return (unsigned long long)n;
}

static void member(const char *before, const char *name, const char *text)
{
	printf("%s\"%s\":", before, name);
	output_json_string(stdout, bytes_str(text));
}

static void head_json(const struct verify *v)
{
	char began[VERIFY_TIME_MAX], ended[VERIFY_TIME_MAX];

	verify_time(v->began_ms, began);
	verify_time(v->ended_ms, ended);
	fputs("{\"schema\":\"sealstream.verify/1\"", stdout);
	member(",", "program", "sealstream " SEALSTREAM_VERSION);
	member(",", "source", v->source);
	printf(",\"file\":%s", v->file ? "true" : "false");
	member(",\"policy\":{", "file", v->policy_file);
	member(",", "sha256", v->policy_sha256);
	member("},", "began", began);
	member(",", "ended", ended);
	printf(",\"complete\":%s,\"meets_policy\":%s,\"records\":%llu,\"tombstones\":%llu,\"failed\":%llu",
	       v->complete ? "true" : "false", v->complete && v->failed == 0 && v->records > 0 ? "true" : "false",
	       u(v->records), u(v->tombstones), u(v->failed));
}

static void ranges_json(const struct verify *v)
{
	fputs(",\"ranges\":[", stdout);
	for (size_t i = 0; i < v->n_ranges; i++)
		printf("%s{\"partition\":%d,\"first\":%lld,\"last\":%lld,\"records\":%llu}", i > 0 ? "," : "",
		       (int)v->ranges[i].partition, (long long)v->ranges[i].first, (long long)v->ranges[i].last,
		       u(v->ranges[i].records));
	printf("],\"other_ranges\":%llu", u(v->beyond_ranges));
}

static void field_json(const struct verify_field *field, const char *before)
{
	member(before, "path", field->path);
	member(",", "method", field->method->kind->name);
	member(",", "proof", verify_proof_name(field));
	member(",", "limit", verify_limit(field));
	printf(",\"values\":%llu,\"nulls\":%llu,\"key_versions\":[", u(field->values), u(field->nulls));
	for (size_t i = 0; i < field->n_versions; i++)
		printf("%s{\"version\":%u,\"values\":%llu}", i > 0 ? "," : "", field->versions[i].version,
		       u(field->versions[i].values));
	printf("],\"other_versions\":%llu,\"no_version\":%llu}", u(field->other_versions), u(field->no_version));
}

static void failures_json(const struct verify *v)
{
	fputs(",\"kinds\":[", stdout);
	for (size_t i = 0; i < v->n_kinds; i++) {
		member(i > 0 ? ",{" : "{", "path", v->kinds[i].path);
		member(",", "code", seal_code_name(v->kinds[i].code));
		printf(",\"records\":%llu", u(v->kinds[i].records));
		member(",", "first", v->kinds[i].first);
		putchar('}');
	}
	printf("],\"other_kinds\":%llu,\"failures\":[", u(v->beyond_kinds));
	for (size_t i = 0; i < v->n_failures; i++) {
		member(i > 0 ? ",{" : "{", "record", v->failures[i].record);
		member(",", "path", v->failures[i].path);
		member(",", "code", seal_code_name(v->failures[i].code));
		member(",", "text", v->failures[i].text);
		putchar('}');
	}
	printf("],\"failures_left_out\":%llu", u(v->failed - v->n_failures));
}

static void report_json(const struct verify *v)
{
	bool first = true;

	head_json(v);
	ranges_json(v);
	fputs(",\"fields\":[", stdout);
	for (size_t p = 0; p < v->n_parts; p++)
		for (size_t i = 0; i < v->views[p].n_fields; i++, first = false)
			field_json(&v->views[p].fields[i], first ? "{" : ",{");
	putchar(']');
	failures_json(v);
	puts("}");
}

/* ---- text ---- */

static void ranges_text(const struct verify *v)
{
	for (size_t i = 0; i < v->n_ranges; i++) {
		const struct verify_range *range = &v->ranges[i];

		if (range->partition < 0)
			printf("  lines %lld to %lld", (long long)range->first, (long long)range->last);
		else
			printf("  partition %d: offsets %lld to %lld", (int)range->partition, (long long)range->first,
			       (long long)range->last);
		printf(", %llu record%s\n", u(range->records), plural_s(range->records));
	}
	if (v->beyond_ranges > 0)
		printf("  other partitions: %llu record%s\n", u(v->beyond_ranges), plural_s(v->beyond_ranges));
}

/* The path last: it may be of any length. */
static void field_text(const struct verify_field *field)
{
	const char *comma = "";

	printf("%12llu  %-9s  %-13s  %s", u(field->values), verify_proof_name(field), field->method->kind->name,
	       field->path);
	fputs(field->n_versions + field->other_versions + field->no_version > 0 ? " (" : "", stdout);
	for (size_t i = 0; i < field->n_versions; i++, comma = ", ")
		printf("%skey version %u: %llu", comma, field->versions[i].version, u(field->versions[i].values));
	if (field->other_versions > 0) {
		printf("%sother versions: %llu", comma, u(field->other_versions));
		comma = ", ";
	}
	if (field->no_version > 0)
		printf("%sno version in it: %llu", comma, u(field->no_version));
	fputs(field->n_versions + field->other_versions + field->no_version > 0 ? ")" : "", stdout);
	if (field->nulls > 0)
		printf("; null: %llu", u(field->nulls));
	putchar('\n');
}

static void limits_text(const struct verify *v)
{
	for (size_t p = 0; p < v->n_parts; p++)
		for (size_t i = 0; i < v->views[p].n_fields; i++) {
			const struct verify_field *field = &v->views[p].fields[i];

			if (*verify_limit(field) != '\0')
				printf("note: %s (%s): %s\n", field->path, field->method->kind->name,
				       verify_limit(field));
		}
}

static void failures_text(const struct verify *v)
{
	for (size_t i = 0; i < v->n_kinds; i++)
		printf("%12llu record%s: %s%s%s, first %s\n", u(v->kinds[i].records), plural_s(v->kinds[i].records),
		       seal_code_name(v->kinds[i].code), *v->kinds[i].path != '\0' ? " at " : "", v->kinds[i].path,
		       v->kinds[i].first);
	if (v->beyond_kinds > 0)
		printf("%12llu record%s: other kinds\n", u(v->beyond_kinds), plural_s(v->beyond_kinds));
	for (size_t i = 0; i < v->n_failures; i++)
		printf("%s: %s%s%s\n", v->failures[i].record, v->failures[i].path,
		       *v->failures[i].path != '\0' ? ": " : "", v->failures[i].text);
	if (v->failed > v->n_failures)
		printf("… and %llu more\n", u(v->failed - v->n_failures));
}

static void report_text(const struct verify *v)
{
	printf("%s: %llu record%s", v->source, u(v->records), plural_s(v->records));
	printf(v->tombstones > 0 ? ", %llu of them without a value\n" : "\n", u(v->tombstones));
	ranges_text(v);
	printf("%12s  %-9s  %-13s  %s\n", "values", "proof", "method", "field");
	for (size_t p = 0; p < v->n_parts; p++)
		for (size_t i = 0; i < v->views[p].n_fields; i++)
			field_text(&v->views[p].fields[i]);
	limits_text(v);
	failures_text(v);
	if (!v->complete)
		puts("not complete: it was stopped before the end");
	if (v->failed > 0)
		printf("%llu of %llu record%s fail%s the policy\n", u(v->failed), u(v->records), plural_s(v->records),
		       v->failed == 1 && v->records == 1 ? "s" : "");
	else
		puts(v->records == 0 ? "no records: nothing is proven"
		     : verify_saw_values(v)
			     ? "every record that was read meets the policy"
			     : "no record has a field that the policy protects: nothing is proven of what they hold");
}

void verify_report(const struct verify *v)
{
	if (v->options->report == VERIFY_JSON)
		report_json(v);
	else
		report_text(v);
}
