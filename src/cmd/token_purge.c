/*
 * `token purge`: takes tokens out of the store, for ever: those whose time is over, or others that are asked for.
 *
 * Only what has expired goes without --yes: whatever carries another one can never be revealed.
 */
#include "base/clock.h"
#include "base/log.h"
#include "cmd/token_use.h"
#include "methods/metadata.h"

struct purge_options {
	struct token_options token; /* first */
	const char *metadata; /* NULL: any */
	int64_t older_than_ms; /* 0: any */
	bool also_live, dry_run, yes;
};

#define AT(member) .offset = offsetof(struct purge_options, member)

static const struct opt_row rows[] = {
	TOKEN_ROWS,
	{.name = "also-live", .help = "those that have not expired, too", .type = OPT_FLAG, AT(also_live)},
	{.name = "metadata",
	 .help = "only those whose metadata has this",
	 .arg = "K=V",
	 .type = OPT_STRING,
	 AT(metadata)},
	{.name = "older-than",
	 .help = "only those that were made so long ago, like 90d",
	 .arg = "DURATION",
	 .min = 1,
	 .max = INT64_MAX,
	 .type = OPT_DURATION,
	 AT(older_than_ms)},
	{.name = "dry-run", .help = "say how many it would be, and take none away", .type = OPT_FLAG, AT(dry_run)},
	{.name = "yes", .help = "with --also-live: their values are lost for ever", .type = OPT_FLAG, AT(yes)},
	OPT_END};

struct purge {
	const struct purge_options *options;
	uint64_t seen, chosen, removed;
};

/* Is `part` ("k=v") one of the parts of "k=v,k=v"? */
static bool has_part(struct seal_bytes metadata, struct seal_bytes part)
{
	while (metadata.len > 0) {
		const uint8_t *comma = memchr(metadata.ptr, ',', metadata.len);
		const size_t n = comma != NULL ? (size_t)(comma - metadata.ptr) : metadata.len;

		if (bytes_eq(bytes_of(metadata.ptr, n), part))
			return true;
		metadata = bytes_skip(metadata, comma != NULL ? n + 1 : n);
	}
	return false;
}

static bool is_chosen(const struct purge_options *options, const struct token_record *record)
{
	const int64_t now_ms = clock_unix_ms();

	if (!options->also_live && !token_expired(record))
		return false;
	if (options->older_than_ms > 0 && (int64_t)record->created_ms > now_ms - options->older_than_ms)
		return false;
	return options->metadata == NULL || has_part(record->metadata, bytes_str(options->metadata));
}

static enum seal_status purge_page(struct token_use *use, struct token_record *records, size_t n, void *arg,
				   struct seal_err *err)
{
	const struct key_call call = token_use_call(use);
	struct purge *purge = arg;
	uint64_t removed = 0;
	size_t chosen = 0;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++) {
		if (!is_chosen(purge->options, &records[i]))
			continue;
		records[chosen] = records[i];
		if (purge->options->also_live)
			records[chosen].expires_ms = 0; /* renewed meanwhile or not */
		chosen++;
	}
	purge->seen += n;
	purge->chosen += chosen;
	if (chosen == 0 || purge->options->dry_run)
		goto out;
	SEAL_TRY(tokens_remove(use->tokens, use->open.session, records, chosen, &removed, &call, err));
	purge->removed += removed;
out:
	return rc;
}

static enum seal_status check(const struct purge_options *options, struct seal_err *err)
{
	if (options->metadata != NULL && (!metadata_is_valid(bytes_str(options->metadata), TOKEN_METADATA_MAX) ||
					  strchr(options->metadata, ',') != NULL))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--metadata takes one part, like purpose=billing");
	if (options->also_live && !options->yes && !options->dry_run)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "this takes away tokens that still live: whatever carries one can never be revealed "
			       "again; add --yes, or --dry-run to see how many they are");
	return SEAL_OK;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct purge_options *options = call->options;
	struct token_use use;
	uint64_t bad = 0;
	enum seal_status rc;

	SEAL_TRY(token_use_begin(call, &use, err));
	SEAL_TRY(check(options, err));
	for (size_t i = 0; i < use.n && stop_requested() == 0; i++) {
		struct purge purge = {.options = options};

		SEAL_TRY(token_use_open(&use, i, false, err));
		SEAL_TRY(token_use_walk(&use, purge_page, &purge, &bad, err));
		printf("key %s, store %s: %llu of %llu tokens %s\n", use.target->method->key->name,
		       use.target->method->store->name,
		       (unsigned long long)(options->dry_run ? purge.chosen : purge.removed),
		       (unsigned long long)purge.seen, options->dry_run ? "would be taken away" : "taken away");
	}
	*exit_code = token_use_exit(&use, bad);
out:
	token_use_end(&use);
	return rc;
}

const struct command command_token_purge = {
	.name = "purge",
	.usage = "-p POLICY",
	.summary = "Take tokens that have expired out of the store",
	.details =
		"A token that has expired is not revealed any more, purged or not; its row goes away only here. With "
		"--also-live those that still live go, too; --metadata and --older-than narrow down which. What was "
		"purged cannot be brought back. Backups and replicas of the store still hold the rows, encrypted.",
	.examples = "sealstream token purge -p policy.yaml\n"
		    "sealstream token purge -p policy.yaml --also-live --dry-run \\\n"
		    "  --metadata purpose=trial\n",
	.options = rows,
	.options_size = sizeof(struct purge_options),
	.keys = true,
	.run = run,
};
