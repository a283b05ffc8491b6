/* What `inspect` says at the end: the summary, or the table of versions; for people, and as JSON. */
#include "cmd/inspect.h"

#include <stdio.h>

#include "cmd/output.h"

const char *inspect_no_version(bool stored)
{
	return stored ? "in store" : "unknown";
}

const char *inspect_version_name(uint32_t version, const char *none, char name[VERSION_NAME_MAX])
{
	if (version == 0)
		return none;
	snprintf(name, VERSION_NAME_MAX, "%u", version);
	return name;
}

const char *inspect_form_name(const char *method, bool json)
{
	if (strcmp(method, INSPECT_CHUNK) == 0)
		return "file";
	return json ? "json" : "string";
}

static void counts_json(const struct inspection *in, const char *schema)
{
	printf("{\"schema\":\"%s\",\"records\":%llu,\"protected_records\":%llu,\"values\":%llu,\"damaged\":%llu,"
	       "\"failed\":%llu",
	       schema, (unsigned long long)in->records, (unsigned long long)in->protected_records,
	       (unsigned long long)in->values, (unsigned long long)in->damaged, (unsigned long long)in->failed);
}

static void kinds_json(const struct inspection *in)
{
	for (size_t i = 0; i < in->n_kinds; i++) {
		const struct kind *kind = &in->kinds[i];
		char name[VERSION_NAME_MAX];

		printf("%s{\"path\":", i ? "," : "");
		output_json_string(stdout, bytes_str(kind->path));
		if (kind->method == NULL)
			fputs(",\"method\":null", stdout);
		else
			printf(",\"method\":\"%s\",\"value\":\"%s\",\"key_version\":%s", kind->method,
			       inspect_form_name(kind->method, kind->json),
			       inspect_version_name(kind->version, "null", name));
		printf(",\"values\":%llu,\"bytes\":%llu}", (unsigned long long)kind->values,
		       (unsigned long long)kind->bytes);
	}
}

static void summary_json(const struct inspection *in)
{
	counts_json(in, "sealstream.inspect/1");
	fputs(",\"kinds\":[", stdout);
	kinds_json(in);
	puts("]}");
}

static void versions_json(const struct inspection *in)
{
	counts_json(in, "sealstream.inspect.versions/1");
	printf(",\"other_paths\":%llu,\"versions\":[", (unsigned long long)in->beyond);
	kinds_json(in);
	puts("]}");
}

static void counts_text(const struct inspection *in)
{
	printf("%llu record%s, %llu of them with protected values; %llu value%s", (unsigned long long)in->records,
	       plural_s(in->records), (unsigned long long)in->protected_records, (unsigned long long)in->values,
	       plural_s(in->values));
	printf(in->damaged ? ", %llu of them damaged\n" : "\n", (unsigned long long)in->damaged);
}

static void summary_text(const struct inspection *in)
{
	counts_text(in);
	for (size_t i = 0; i < in->n_kinds; i++) {
		const struct kind *kind = &in->kinds[i];
		char name[VERSION_NAME_MAX];

		printf("  %s: %llu x ", kind->path, (unsigned long long)kind->values);
		if (kind->method == NULL)
			puts("damaged");
		else
			printf("%s of a %s, key version %s\n", kind->method,
			       kind->json ? "JSON value" : inspect_form_name(kind->method, false),
			       inspect_version_name(kind->version, inspect_no_version(kind->stored), name));
	}
	if (in->beyond > 0)
		printf("  other paths: %llu value%s\n", (unsigned long long)in->beyond, plural_s(in->beyond));
}

/* The path last: it may be of any length. */
static void versions_text(const struct inspection *in)
{
	counts_text(in);
	if (in->n_kinds > 0)
		printf("%12s  %11s  %-6s  %s\n", "values", "key version", "form", "field");
	for (size_t i = 0; i < in->n_kinds; i++) {
		const struct kind *kind = &in->kinds[i];
		char name[VERSION_NAME_MAX];

		if (kind->method == NULL)
			printf("%12llu  %11s  %-6s  %s\n", (unsigned long long)kind->values, "damaged", "-",
			       kind->path);
		else
			printf("%12llu  %11s  %-6s  %s\n", (unsigned long long)kind->values,
			       inspect_version_name(kind->version, inspect_no_version(kind->stored), name),
			       inspect_form_name(kind->method, kind->json), kind->path);
	}
	if (in->beyond > 0)
		printf("%12llu  %11s  %-6s  other paths\n", (unsigned long long)in->beyond, "-", "-");
}

/* By field, then version, then form; damaged ones after the others of their field. */
static int compare(const void *a, const void *b)
{
	const struct kind *x = a, *y = b;
	int by_path = strcmp(x->path, y->path);

	if (by_path != 0)
		return by_path;
	if ((x->method == NULL) != (y->method == NULL))
		return x->method == NULL ? 1 : -1;
	if (x->version != y->version)
		return x->version < y->version ? -1 : 1;
	if (x->stored != y->stored)
		return x->stored ? 1 : -1;
	return (int)x->json - (int)y->json;
}

void inspect_report(struct inspection *in)
{
	static void (*const reports[2][2])(const struct inspection *in) = {{summary_text, summary_json},
									   {versions_text, versions_json}};

	if (in->options->versions)
		qsort(in->kinds, in->n_kinds, sizeof(in->kinds[0]), compare);
	reports[in->options->versions][in->options->json](in);
}
