/* The sink and what it says; see target.h. */
#include "pump/target.h"

void target_is_away(struct pump *p, const struct seal_err *why)
{
	struct seal_err err = *why;

	p->sink_why = *why;
	if (pump_wait_on(p, &p->sink_wait, why, STREAM_AWAY_TELL_MS))
		return;
	p->sink_given_up = true;
	pump_wait_given_up(p, p->sink_wait.since_ms, &err);
	pump_fail(p, &err);
}

void target_serve(struct pump *p, int timeout_ms, uint64_t *ticket)
{
	struct sink *sink = p->options->sink;
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc = sink->ops->poll(sink, timeout_ms, ticket, &err);

	if (rc == SEAL_RETRY) {
		target_is_away(p, &err);
	} else if (rc != SEAL_OK) {
		p->sink_failed = true;
		pump_fail(p, &err);
	} else if (!p->write_away) {
		pump_wait_end(p, &p->sink_wait, true);
	}
}

void target_acknowledge(struct pump *p, uint64_t ticket)
{
	while (p->acknowledged < p->turn && p->slots[p->acknowledged % p->max_batches].ticket <= ticket)
		p->acknowledged++;
}

enum seal_status target_too_late(const struct pump *p, const char *what, struct seal_err *err)
{
	const bool away = p->sink_wait.since_ms != 0;

	if (away && p->sink_why.place[0] != '\0')
		err_place(err, "%s", p->sink_why.place);
	return err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT, "%s%s%s", what, away ? ": " : "",
		       away ? p->sink_why.text : "");
}
