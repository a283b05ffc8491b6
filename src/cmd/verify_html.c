/*
 * The report of `verify` as one page: no script, nothing fetched, a style of its own. Everything that is not ours is escaped; paths and
 * errors may hold names of fields that strangers chose.
 */
#include "cmd/verify.h"

#include <stdio.h>

#include "base/utf8.h"

static const char head[] =
	"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
	"<meta name=\"viewport\" content=\"width=device-width\"><title>sealstream verify</title>\n<style>"
	"body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}"
	"table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}"
	"th,td{border-bottom:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top}"
	"td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}code{overflow-wrap:anywhere}"
	".good,.bad{padding:.6rem 1rem;font-weight:600}.good{background:#dff3e0}.bad{background:#f9dcdc}"
	"</style></head><body>\n";

static void escaped(const char *text)
{
	const struct seal_bytes bytes = bytes_str(text);
	size_t at = 0;

	while (at < bytes.len) {
		const size_t from = at;
		uint32_t code;

		if (!utf8_next(bytes, &at, &code)) {
			at = from + 1;
			fputs("&#xfffd;", stdout);
		} else if (utf8_steers(code)) {
			fputs("&#xfffd;", stdout);
		} else if (code == '<' || code == '>' || code == '&' || code == '"' || code == '\'') {
			printf("&#%u;", (unsigned)code);
		} else {
			fwrite(bytes.ptr + from, 1, at - from, stdout);
		}
	}
}

static void cell(const char *text)
{
	fputs("<td><code>", stdout);
	escaped(text);
	fputs("</code></td>", stdout);
}

static void number(uint64_t n)
{
	printf("<td class=\"n\">%llu</td>", (unsigned long long)n);
}

static void fact(const char *name, const char *text)
{
	printf("<tr><th>%s</th>", name);
	cell(text);
	fputs("</tr>\n", stdout);
}

static void verdict(const struct verify *v)
{
	if (v->failed > 0)
		printf("<p class=\"bad\">%llu of %llu record%s fail the policy.</p>\n", (unsigned long long)v->failed,
		       (unsigned long long)v->records, plural_s(v->records));
	else if (v->records == 0)
		puts("<p class=\"bad\">There were no records: nothing is proven.</p>");
	else if (!verify_saw_values(v))
		puts("<p class=\"bad\">No record has a field that the policy protects: nothing is proven of what "
		     "they "
		     "hold.</p>");
	else
		puts("<p class=\"good\">Every record that was read meets the policy.</p>");
	if (!v->complete)
		puts("<p class=\"bad\">Not complete: it was stopped before the end.</p>");
}

static void facts(const struct verify *v)
{
	char time[VERIFY_TIME_MAX];

	puts("<table>");
	fact(v->file ? "file" : "topic", v->source);
	fact("policy", v->policy_file);
	fact("its SHA-256", v->policy_sha256);
	verify_time(v->began_ms, time);
	fact("began", time);
	verify_time(v->ended_ms, time);
	fact("ended", time);
	fact("by", "sealstream " SEALSTREAM_VERSION);
	puts("</table>");
}

static void ranges(const struct verify *v)
{
	const bool lines = v->file && !v->options->envelopes; /* which may name a partition and an offset */

	printf("<h2>What was read</h2>\n<table><tr><th class=\"n\">%s</th><th class=\"n\">first %s</th>"
	       "<th class=\"n\">last %s</th><th class=\"n\">records</th></tr>\n",
	       lines ? "" : "partition", lines ? "line" : "offset", lines ? "line" : "offset");
	for (size_t i = 0; i < v->n_ranges; i++) {
		if (v->ranges[i].partition < 0)
			fputs("<tr><td></td>", stdout);
		else
			printf("<tr><td class=\"n\">%d</td>", (int)v->ranges[i].partition);
		printf("<td class=\"n\">%lld</td><td class=\"n\">%lld</td>", (long long)v->ranges[i].first,
		       (long long)v->ranges[i].last);
		number(v->ranges[i].records);
		puts("</tr>");
	}
	puts("</table>");
	printf("<p>%llu records, %llu of them without a value.", (unsigned long long)v->records,
	       (unsigned long long)v->tombstones);
	if (v->beyond_ranges > 0)
		printf(" %llu of them in partitions that are not listed.", (unsigned long long)v->beyond_ranges);
	puts("</p>");
}

static void versions(const struct verify_field *field)
{
	const char *comma = "";

	fputs("<td>", stdout);
	for (size_t i = 0; i < field->n_versions; i++, comma = ", ")
		printf("%s%u: %llu", comma, field->versions[i].version,
		       (unsigned long long)field->versions[i].values);
	if (field->other_versions > 0) {
		printf("%sothers: %llu", comma, (unsigned long long)field->other_versions);
		comma = ", ";
	}
	if (field->no_version > 0)
		printf("%snone in it: %llu", comma, (unsigned long long)field->no_version);
	fputs("</td>", stdout);
}

static void fields(const struct verify *v)
{
	puts("<h2>Fields</h2>\n<table><tr><th>field</th><th>method</th><th class=\"n\">values</th>"
	     "<th class=\"n\">null</th><th>key versions</th><th>proof</th></tr>");
	for (size_t p = 0; p < v->n_parts; p++)
		for (size_t i = 0; i < v->views[p].n_fields; i++) {
			const struct verify_field *field = &v->views[p].fields[i];

			fputs("<tr>", stdout);
			cell(field->path);
			cell(field->method->kind->name);
			number(field->values);
			number(field->nulls);
			versions(field);
			printf("<td>%s%s%s</td></tr>\n", verify_proof_name(field), *verify_limit(field) ? ": " : "",
			       verify_limit(field));
		}
	puts("</table>");
}

static void failures(const struct verify *v)
{
	puts("<h2>What fails</h2>\n<table><tr><th class=\"n\">records</th><th>field</th><th>why</th>"
	     "<th>first</th></tr>");
	for (size_t i = 0; i < v->n_kinds; i++) {
		fputs("<tr>", stdout);
		number(v->kinds[i].records);
		cell(v->kinds[i].path);
		cell(seal_code_name(v->kinds[i].code));
		cell(v->kinds[i].first);
		puts("</tr>");
	}
	puts("</table>");
	if (v->beyond_kinds > 0)
		printf("<p>%llu records fail in other ways.</p>\n", (unsigned long long)v->beyond_kinds);
	puts("<table><tr><th>record</th><th>field</th><th>why</th></tr>");
	for (size_t i = 0; i < v->n_failures; i++) {
		fputs("<tr>", stdout);
		cell(v->failures[i].record);
		cell(v->failures[i].path);
		cell(v->failures[i].text);
		puts("</tr>");
	}
	puts("</table>");
	if (v->failed > v->n_failures)
		printf("<p>… and %llu more.</p>\n", (unsigned long long)(v->failed - v->n_failures));
}

void verify_html(const struct verify *v)
{
	fputs(head, stdout);
	puts("<h1>Does every record meet the policy?</h1>");
	verdict(v);
	facts(v);
	fields(v);
	if (v->failed > 0)
		failures(v);
	ranges(v);
	puts("</body></html>");
}
