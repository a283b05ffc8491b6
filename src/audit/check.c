/* The check of audit trails; see check.h. After a fault it goes on from what the line says, so that one change is told once. */
#include "audit/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/encode.h"
#include "base/utf8.h"

static void tell(struct audit_check *check, const char *place, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void tell(struct audit_check *check, const char *place, const char *fmt, ...)
{
	char text[256];
	va_list args;

	check->faults++;
	if (check->options.fault == NULL)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	check->options.fault(check->options.arg, place, text);
}

void audit_check_init(struct audit_check *check, const struct audit_check_options *options)
{
	SEAL_INVARIANT(options->n_expect <= AUDIT_EXPECT_MAX);
	*check = (struct audit_check){.options = *options};
}

void audit_check_clear(struct audit_check *check)
{
	audit_ids_clear(&check->chains);
	audit_ids_clear(&check->runs);
}

/* The chain of the line. A new one has no lines. */
static enum seal_status chain_of(struct audit_check *check, const struct audit_line *line, struct audit_chain **out,
				 struct seal_err *err)
{
	struct audit_id *found;
	bool added;
	enum seal_status rc;

	rc = audit_ids_find(&check->chains, line->chain, sizeof(**out), &found, &added, err);
	*out = (struct audit_chain *)found;
	return rc;
}

static enum seal_status run_of(struct audit_check *check, const struct audit_line *line, struct audit_run **out,
			       struct seal_err *err)
{
	struct audit_id *found;
	bool added;
	enum seal_status rc;

	rc = audit_ids_find(&check->runs, line->run, sizeof(**out), &found, &added, err);
	*out = (struct audit_run *)found;
	check->unfinished += rc == SEAL_OK && added;
	return rc;
}

/* The first line that is seen of a chain. */
static void check_first(struct audit_check *check, const struct audit_line *line, const char *place)
{
	static const uint8_t zeros[SHA256_LEN];
	const uint8_t *after = check->options.after;

	if (after != NULL && memcmp(line->prev, after, SHA256_LEN) == 0) {
		check->goes_on = true;
		return;
	}
	if (line->seq > 1)
		tell(check, place,
		     "the chain begins with its line %" PRIu64
		     ": what came before is missing, or in another file (--after)",
		     line->seq);
	else if (memcmp(line->prev, zeros, sizeof(zeros)) != 0)
		tell(check, place, "the first line of a chain names one before it");
}

static void check_next(struct audit_check *check, const struct audit_chain *chain, const struct audit_line *line,
		       const char *place)
{
	const uint64_t expected = chain->last_seq + 1;

	if (line->seq > expected)
		tell(check, place, "before line %" PRIu64 " of the chain %" PRIu64 " %s missing", line->seq,
		     line->seq - expected, line->seq - expected == 1 ? "line is" : "lines are");
	else if (line->seq < expected)
		tell(check, place, "line %" PRIu64 " of the chain stands behind line %" PRIu64 ": moved or repeated",
		     line->seq, chain->last_seq);
	else if (memcmp(line->prev, chain->last, SHA256_LEN) != 0)
		tell(check, place,
		     "line %" PRIu64 " of the chain does not follow the one before it: one of the two was replaced",
		     line->seq);
}

static void note_expected(struct audit_check *check, const struct audit_line *line)
{
	for (size_t i = 0; i < check->options.n_expect; i++)
		if (memcmp(check->options.expect[i], line->hash, SHA256_LEN) == 0)
			check->found[i] = true;
}

/* Somebody may have written anything there. */
static void note_time(char out[AUDIT_TIME_LEN + 1], struct seal_bytes time)
{
	snprintf(out, AUDIT_TIME_LEN + 1, "%.*s", BYTES_FMT(time));
	utf8_keep_to_one_line(out, strlen(out));
}

static enum seal_status take(struct audit_check *check, const struct audit_line *line, const char *place,
			     struct seal_err *err)
{
	struct audit_chain *chain;
	struct audit_run *run;
	enum seal_status rc;

	SEAL_TRY(chain_of(check, line, &chain, err));
	SEAL_TRY(run_of(check, line, &run, err));
	if (chain->lines == 0) {
		check_first(check, line, place);
		chain->first_seq = line->seq;
		note_time(chain->first_time, line->time);
	} else {
		check_next(check, chain, line, place);
	}
	chain->lines++;
	chain->last_seq = line->seq;
	memcpy(chain->last, line->hash, SHA256_LEN);
	note_time(chain->last_time, line->time);
	if (bytes_eq_str(line->event, "stop") && !run->stopped) {
		run->stopped = true;
		check->unfinished--;
	}
out:
	return rc;
}

enum seal_status audit_check_line(struct audit_check *check, struct seal_bytes text, const char *place,
				  struct seal_err *err)
{
	struct audit_line line;
	enum audit_line_state state;
	enum seal_status rc;

	check->lines++;
	SEAL_TRY(audit_line_parse(text, &line, &state, err));
	switch (state) {
	case AUDIT_LINE_FOREIGN:
		tell(check, place, "this is no line of an audit trail, or only a part of one");
		goto out;
	case AUDIT_LINE_NEWER:
		tell(check, place, "this line was written by a newer sealstream; verify with that one");
		goto out;
	case AUDIT_LINE_CHANGED:
		tell(check, place, "line %" PRIu64 " of the chain was changed: its hash is of other text", line.seq);
		break;
	case AUDIT_LINE_GOOD:
		note_expected(check, &line);
		break;
	}
	rc = take(check, &line, place, err);
out:
	return rc;
}

void audit_check_end(struct audit_check *check)
{
	if (check->options.after != NULL && check->lines > 0 && !check->goes_on && check->faults == 0)
		tell(check, "", "nothing here goes on from the hash of --after: what did was taken away");
	for (size_t i = 0; i < check->options.n_expect; i++) {
		char hash[2 * SHA256_LEN];

		if (check->found[i])
			continue;
		hex_encode(bytes_of(check->options.expect[i], SHA256_LEN), hash);
		tell(check, "",
		     "the line with the hash %.16s… is not there: it, and what came after it, was taken away or "
		     "changed",
		     hash);
	}
}
