/* Whole purchases through the public API: one field under `encrypt` or `envelope`, one under `fpe`; and back. */
#include "bench.h"

#include <ftw.h>
#include <unistd.h>

#include "sealstream/engine.h"

static char dir[] = "/tmp/sealstream-bench-XXXXXX";

struct job {
	struct seal_engine *engine;
	const struct seal_topic *topic;
	bool reveal;
	bool headers; /* records have some */
	struct seal_bytes values[BENCH_PURCHASES], key_headers[BENCH_PURCHASES];
};

static void run_records(struct job *job)
{
	const struct seal_records records = {sizeof records, job->values, job->key_headers, BENCH_PURCHASES};
	struct seal_err err = SEAL_ERR_INIT;

	if (job->reveal)
		bench_check(seal_engine_reveal_records(job->engine, job->topic, &records, &err), &err);
	else
		bench_check(seal_engine_protect_records(job->engine, job->topic, &records, &err), &err);
}

static void run(void *arg)
{
	struct job *job = arg;
	struct seal_err err = SEAL_ERR_INIT;

	if (job->headers)
		run_records(job);
	else if (job->reveal)
		bench_check(seal_engine_reveal(job->engine, job->topic, job->values, BENCH_PURCHASES, &err), &err);
	else
		bench_check(seal_engine_protect(job->engine, job->topic, job->values, BENCH_PURCHASES, &err), &err);
	SEAL_INVARIANT(seal_result_status(job->engine, BENCH_PURCHASES - 1) == SEAL_OK);
	SEAL_INVARIANT(seal_result_fields(job->engine, BENCH_PURCHASES - 1) > 0);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	return remove(path);
}

static void remove_keyring(void)
{
	(void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_keyring(const struct seal_keyring_options *options)
{
	struct seal_key_options how = {.size = sizeof how, .derived = true};
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_keyring *keyring;

	if (mkdtemp(dir) == NULL || atexit(remove_keyring) != 0)
		abort();
	bench_check(seal_keyring_open(options, &keyring, &err), &err);
	bench_check(seal_keyring_create_key(keyring, "pii", "aes256-gcm96", false, &err), &err);
	bench_check(seal_keyring_create_key(keyring, "cards", "ff1", false, &err), &err);
	bench_check(seal_keyring_create_key_with(keyring, "derived", &how, &err), &err);
	how.convergent = true;
	bench_check(seal_keyring_create_key_with(keyring, "convergent", &how, &err), &err);
	seal_keyring_close(keyring);
}

static struct job *job_new(const struct seal_keyring_options *keyring, const char *rules)
{
	struct seal_engine_options options = {.size = sizeof options, .keyring = keyring};
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_policy *policy;
	struct job *job = calloc(1, sizeof *job);
	char text[512];

	if (job == NULL)
		abort();
	snprintf(text, sizeof text,
		 "version: 1\nkeys: {pii: 'local:pii', cards: 'local:cards', derived: 'local:derived', convergent: "
		 "'local:convergent'}\ntopics:\n- match: purchases\n  protect: {%s}\n",
		 rules);
	bench_check(seal_policy_load(bytes_str(text), "bench", &policy, &err), &err);
	job->topic = seal_policy_topic(policy, "purchases");
	job->headers = strstr(rules, "carry: header") != NULL;
	bench_check(seal_engine_new(policy, &options, &job->engine, &err), &err);
	memcpy(job->values, bench_purchases(), sizeof job->values);
	return job;
}

static struct seal_bytes copy_of(struct seal_bytes value)
{
	return bytes_of(memcpy(malloc(value.len + 1), value.ptr, value.len), value.len);
}

/* What `from` makes of the purchases, to be revealed. */
static struct job *job_back(const struct seal_keyring_options *keyring, const char *rules)
{
	struct job *from = job_new(keyring, rules), *to = job_new(keyring, rules);

	run(from);
	for (size_t i = 0; i < BENCH_PURCHASES; i++) {
		SEAL_INVARIANT(seal_result_status(from->engine, i) == SEAL_OK);
		to->values[i] = copy_of(seal_result_value(from->engine, i));
		if (from->headers)
			to->key_headers[i] = copy_of(seal_result_key_header(from->engine, i));
	}
	/* The reader shares the writer's keys by their directory. */
	to->reveal = true;
	seal_engine_free(from->engine);
	free(from);
	return to;
}

void bench_add_engine(struct bench *bench)
{
	static const char encrypt[] = "$.Address: {type: encrypt, key: pii}";
	static const char envelope[] = "$.Address: {type: envelope, key: pii}";
	static const char carried[] = "$.Address: {type: envelope, key: pii, carry: header}";
	static const char derived[] = "$.Address: {type: encrypt, key: derived}";
	static const char deterministic[] = "$.Address: {type: deterministic, key: convergent}";
	static const char fpe[] = "$.credit_card: {type: fpe, key: cards, alphabet: digits}";
	static const char both[] = "$.Address: {type: encrypt, key: pii}, "
				   "$.credit_card: {type: fpe, key: cards, alphabet: digits}";
	static struct seal_keyring_options keyring = {.size = sizeof keyring, .dir = dir, .create = true};
	const double as_fast = 1 / 1.2;
	struct bench_case c = {.run = run, .ops = BENCH_PURCHASES}, e = c;

	make_keyring(&keyring);
	c.name = "engine: protect, encrypt", c.arg = job_new(&keyring, encrypt);
	bench_add(bench, c);
	e.reference = "engine: protect, encrypt", e.least_ratio = as_fast;
	e.name = "engine: protect, envelope", e.arg = job_new(&keyring, envelope);
	bench_add(bench, e);
	e.name = "engine: protect, envelope, carry: header", e.arg = job_new(&keyring, carried);
	bench_add(bench, e);
	c.name = "engine: reveal, encrypt", c.arg = job_back(&keyring, encrypt);
	bench_add(bench, c);
	e.reference = c.name;
	e.name = "engine: reveal, envelope", e.arg = job_back(&keyring, envelope);
	bench_add(bench, e);
	e.name = "engine: reveal, envelope, carry: header", e.arg = job_back(&keyring, carried);
	bench_add(bench, e);
	c.name = "engine: protect, encrypt, derived key", c.arg = job_new(&keyring, derived);
	bench_add(bench, c);
	e.least_ratio = 1 / 1.3;
	e.name = "engine: reveal, deterministic", e.arg = job_back(&keyring, deterministic);
	bench_add(bench, e);
	e.reference = "engine: protect, encrypt";
	e.name = "engine: protect, deterministic", e.arg = job_new(&keyring, deterministic);
	bench_add(bench, e);
	c.name = "engine: protect, fpe", c.arg = job_new(&keyring, fpe);
	bench_add(bench, c);
	c.name = "engine: protect, both", c.arg = job_new(&keyring, both), c.most_ns = 1000;
	bench_add(bench, c);
	c.name = "engine: reveal, both", c.arg = job_back(&keyring, both);
	bench_add(bench, c);
}
