/* `token stats`: how many tokens there are, of what kind, bound to what. Never a value. */
#include "base/clock.h"
#include "base/log.h"
#include "cmd/output.h"
#include "cmd/token_use.h"

#define PLACES_MAX 256 /* told one by one; others are counted together */
#define DAY_MS (24ull * 60 * 60 * 1000)

struct stats_options {
	struct token_options token; /* first */
	bool json;
};

static const struct opt_row rows[] = {TOKEN_ROWS,
				      {.name = "json",
				       .help = "print one JSON object",
				       .type = OPT_FLAG,
				       .offset = offsetof(struct stats_options, json)},
				      OPT_END};

struct counts {
	uint64_t tokens, convergent, shaped, expired, expires_soon, left_over, bytes;
};

struct place_counts {
	const char *place;
	struct counts counts;
};

/* Of one target. */
struct stats {
	struct arena *arena; /* of the call: names of places */
	struct counts all;
	struct place_counts places[PLACES_MAX + 1]; /* the last: of all others */
	size_t n;
};

static void add(struct counts *counts, const struct token_record *record)
{
	const uint64_t now_ms = (uint64_t)clock_unix_ms();

	counts->tokens++;
	counts->convergent += record->convergent;
	counts->shaped += record->shaped;
	counts->expired += token_expired(record);
	counts->expires_soon += record->expires_ms > now_ms && record->expires_ms - now_ms < DAY_MS;
	counts->left_over += record->left_over;
	counts->bytes += record->item.value.len;
}

/* NULL without memory. */
static struct counts *counts_of(struct stats *stats, const char *place)
{
	struct place_counts *found;

	for (size_t i = 0; i < stats->n; i++)
		if (strcmp(stats->places[i].place, place) == 0)
			return &stats->places[i].counts;
	if (stats->n > PLACES_MAX)
		return &stats->places[PLACES_MAX].counts;
	found = &stats->places[stats->n];
	found->place = stats->n < PLACES_MAX ? arena_strndup(stats->arena, place, strlen(place)) : "others";
	if (found->place == NULL)
		return NULL;
	stats->n++;
	return &found->counts;
}

static enum seal_status add_page(struct token_use *use, struct token_record *records, size_t n, void *arg,
				 struct seal_err *err)
{
	struct stats *stats = arg;

	for (size_t i = 0; i < n; i++) {
		const char *place = token_place(records[i].item.place, &use->arena);
		struct counts *counts = place != NULL ? counts_of(stats, place) : NULL;

		if (counts == NULL)
			return err_memory(err);
		add(counts, &records[i]);
		add(&stats->all, &records[i]);
	}
	return SEAL_OK;
}

static int by_count(const void *a, const void *b)
{
	const struct place_counts *x = a, *y = b;

	if (x->counts.tokens != y->counts.tokens)
		return x->counts.tokens < y->counts.tokens ? 1 : -1;
	return strcmp(x->place, y->place);
}

static void print_line(const struct counts *counts, const char *place)
{
	printf("%12llu %12llu %12llu %12llu %14llu  %s\n", (unsigned long long)counts->tokens,
	       (unsigned long long)counts->convergent, (unsigned long long)counts->shaped,
	       (unsigned long long)counts->expired, (unsigned long long)counts->bytes, place);
}

static void print_text(const struct token_use *use, const struct stats *stats)
{
	const struct counts *all = &stats->all;

	printf("%skey %s, store %s: %llu token%s\n", use->target > use->targets ? "\n" : "",
	       use->target->method->key->name, use->target->method->store->name, (unsigned long long)all->tokens,
	       plural_s(all->tokens));
	if (all->tokens == 0)
		return;
	if (all->expires_soon > 0)
		printf("%llu expire%s within a day\n", (unsigned long long)all->expires_soon,
		       all->expires_soon == 1 ? "s" : "");
	if (all->left_over > 0)
		printf("%llu still under old keys: sealstream store rekey goes on\n",
		       (unsigned long long)all->left_over);
	printf("%12s %12s %12s %12s %14s  %s\n", "TOKENS", "CONVERGENT", "SHAPED", "EXPIRED", "BYTES", "BOUND TO");
	for (size_t i = 0; i < stats->n; i++)
		print_line(&stats->places[i].counts, stats->places[i].place);
	if (stats->n > 1)
		print_line(all, "all");
}

static void counts_json(const struct counts *counts)
{
	printf("\"tokens\":%llu,\"convergent\":%llu,\"shaped\":%llu,\"expired\":%llu,\"expire_within_a_day\":%llu,"
	       "\"left_over\":%llu,\"value_bytes\":%llu",
	       (unsigned long long)counts->tokens, (unsigned long long)counts->convergent,
	       (unsigned long long)counts->shaped, (unsigned long long)counts->expired,
	       (unsigned long long)counts->expires_soon, (unsigned long long)counts->left_over,
	       (unsigned long long)counts->bytes);
}

static void print_json(const struct token_use *use, const struct stats *stats)
{
	printf("%s{\"key\":\"%s\",\"store\":\"%s\",", use->target > use->targets ? "," : "",
	       use->target->method->key->name, use->target->method->store->name);
	counts_json(&stats->all);
	printf(",\"places\":[");
	for (size_t i = 0; i < stats->n; i++) {
		printf("%s{\"bound_to\":", i > 0 ? "," : "");
		output_json_string(stdout, bytes_str(stats->places[i].place));
		putchar(',');
		counts_json(&stats->places[i].counts);
		putchar('}');
	}
	printf("]}");
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct stats_options *options = call->options;
	struct stats *stats = ARENA_NEW(call->arena, struct stats);
	struct token_use use;
	uint64_t bad = 0;
	enum seal_status rc;

	SEAL_TRY(token_use_begin(call, &use, err));
	if (stats == NULL) {
		rc = err_memory(err);
		goto out;
	}
	if (options->json)
		printf("{\"schema\":\"sealstream.tokens.stats/1\",\"stores\":[");
	for (size_t i = 0; i < use.n && stop_requested() == 0; i++) {
		*stats = (struct stats){.arena = call->arena};
		SEAL_TRY(token_use_open(&use, i, false, err));
		SEAL_TRY(token_use_walk(&use, add_page, stats, &bad, err));
		qsort(stats->places, stats->n > PLACES_MAX ? PLACES_MAX : stats->n, sizeof(stats->places[0]),
		      by_count);
		(options->json ? print_json : print_text)(&use, stats);
	}
	if (options->json)
		printf("],\"damaged\":%llu}\n", (unsigned long long)bad);
	*exit_code = token_use_exit(&use, bad);
out:
	token_use_end(&use);
	return rc;
}

const struct command command_token_stats = {
	.name = "stats",
	.usage = "-p POLICY",
	.summary = "Count the tokens of a policy: of what kind, bound to what, expired",
	.details =
		"Each row is decrypted, so that it also finds those that were damaged or tampered with, tells their "
		"number and ends with 1. No value is shown.",
	.examples = "sealstream token stats -p policy.yaml\n"
		    "sealstream token stats -p policy.yaml --json | jq .stores[].tokens\n",
	.options = rows,
	.options_size = sizeof(struct stats_options),
	.keys = true,
	.run = run,
};
