/* `policy diff`: what a new policy means for data that was made under the old one. */
#include "cmd/output.h"
#include "cmd/policy.h"
#include "policy/diff.h"

#define EXIT_LOSES 1

struct diff_options {
	struct opt_list *topics;
	bool json;
};

static const struct opt_row rows[] = {
	{.name = "topic",
	 .letter = 't',
	 .help = "compare what this topic gets, too; may be given several times",
	 .arg = "TOPIC",
	 .type = OPT_LIST,
	 .offset = offsetof(struct diff_options, topics)},
	{.name = "json", .help = "print JSON", .type = OPT_FLAG, .offset = offsetof(struct diff_options, json)},
	OPT_END};

struct files {
	const char *was, *is;
};

static void print_place(const char *file, struct policy_mark mark)
{
	if (mark.line > 0)
		printf("%s:%u", file, mark.line);
	else
		printf("-");
}

static void print_text(const struct files *files, const struct policy_diff *diff)
{
	for (const struct policy_change *one = diff->first; one != NULL; one = one->next) {
		printf("%s: %s%s%s: %s (", change_kind_name(one->kind), one->topic, one->path ? " " : "",
		       one->path ? one->path : "", one->text);
		print_place(files->was, one->was);
		printf(", ");
		print_place(files->is, one->is);
		printf(")\n");
	}
}

static void print_member(const char *before, const char *text)
{
	printf("%s", before);
	if (text != NULL)
		output_json_string(stdout, bytes_str(text));
	else
		printf("null");
}

static void print_json(const struct files *files, const struct policy_diff *diff)
{
	print_member("{\"schema\":\"sealstream.policy.diff/1\",\"old\":", files->was);
	print_member(",\"new\":", files->is);
	printf(",\"topics\":%zu,\"loses\":%zu,\"exposes\":%zu,\"differs\":%zu,\"changes\":[", diff->topics,
	       diff->n[CHANGE_LOSES], diff->n[CHANGE_EXPOSES], diff->n[CHANGE_DIFFERS]);
	for (const struct policy_change *one = diff->first; one != NULL; one = one->next) {
		print_member(one == diff->first ? "{\"kind\":" : ",{\"kind\":", change_kind_name(one->kind));
		print_member(",\"topic\":", one->topic);
		print_member(",\"path\":", one->path);
		print_member(",\"text\":", one->text);
		printf(",\"old_line\":%u,\"new_line\":%u}", one->was.line, one->is.line);
	}
	printf("]}\n");
}

static void print_summary(const struct policy_diff *diff)
{
	printf("%zu entries compared: %zu changes lose access to old data, %zu leave new data in clear, %zu others\n",
	       diff->topics, diff->n[CHANGE_LOSES], diff->n[CHANGE_EXPOSES], diff->n[CHANGE_DIFFERS]);
}

/* The list as an array ended by NULL. */
static enum seal_status topics_of(const struct command_call *call, const char *const **out, struct seal_err *err)
{
	const struct diff_options *o = call->options;
	const char **names;
	size_t n = 0;

	for (const struct opt_list *at = o->topics; at != NULL; at = at->next)
		n++;
	names = arena_alloc(call->arena, (n + 1) * sizeof(*names), _Alignof(char *));
	if (names == NULL)
		return err_memory(err);
	n = 0;
	for (const struct opt_list *at = o->topics; at != NULL; at = at->next)
		names[n++] = at->text;
	names[n] = NULL;
	*out = names;
	return SEAL_OK;
}

/* Warnings of either are lint's to tell. */
static enum seal_status load(const char *file, struct policy **out, struct seal_err *err)
{
	struct policy_findings findings;
	enum seal_status rc;

	policy_findings_init(&findings);
	rc = policy_command_read(file, &findings, out, err);
	policy_findings_clear(&findings);
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct diff_options *o = call->options;
	const struct files files = {call->args[0], call->args[1]};
	struct policy *was = NULL, *is = NULL;
	const char *const *topics = NULL;
	struct policy_diff diff;
	enum seal_status rc;

	policy_diff_init(&diff);
	SEAL_TRY(topics_of(call, &topics, err));
	SEAL_TRY(load(files.was, &was, err));
	SEAL_TRY(load(files.is, &is, err));
	SEAL_TRY(policy_diff(was, is, topics, &diff, err));
	if (o->json)
		print_json(&files, &diff);
	else
		print_text(&files, &diff);
	if (!o->json && !call->global->quiet)
		print_summary(&diff);
	*exit_code = diff.n[CHANGE_LOSES] + diff.n[CHANGE_EXPOSES] > 0 ? EXIT_LOSES : 0;
out:
	policy_diff_clear(&diff);
	policy_free(was);
	policy_free(is);
	return rc;
}

const struct command command_policy_diff = {
	.name = "diff",
	.usage = "OLD NEW",
	.summary = "Tell which changes of a policy lose access to old data",
	.details = "Compares two policies by what they mean for data. No key is opened. Each line is one of:\n"
		   "loses: data that was made under OLD is not revealed under NEW, or a record that holds it is "
		   "refused;\n"
		   "exposes: a field that OLD protects goes out in clear under NEW;\n"
		   "differs: old and new data can both be read, but are made or treated differently.\n"
		   "Names of keys, methods and entries may change freely: what they stand for counts. Topics are "
		   "those that "
		   "either policy spells out and those of --topic; a pattern of OLD is looked for, as it is written, "
		   "in NEW.\n"
		   "Ends with 1 when a change loses or exposes something, with 78 when a policy has mistakes.",
	.examples = "sealstream policy diff policy.yaml policy-new.yaml\n"
		    "sealstream policy diff -t shop.orders policy.yaml policy-new.yaml\n",
	.options = rows,
	.options_size = sizeof(struct diff_options),
	.args_min = 2,
	.args_max = 2,
	.run = run,
};
