/* The streams of a run. */
#include "cmd/stream_use.h"

#include <stdio.h>

#include "cmd/registry.h"
#include "streams/kafka/kafka.h"
#include "streams/ndjson/ndjson.h"

static struct platform_side *options_of(const struct stream_side *side)
{
	return &side->at.platform->sides[side->which];
}

bool stream_side_is(const struct stream_side *side, const char *scheme)
{
	return side != NULL && stream_address_is(&side->at, scheme);
}

/* ---- files, which are what their options make them ---- */

/* A flag's or choice's value; -1: there is no such row. */
static int value_of(const struct stream_side *side, const char *name)
{
	const struct platform_side *at = options_of(side);
	const struct opt_row *row = at->all != NULL ? opt_find(at->all, bytes_str(name)) : NULL;
	const void *member = row != NULL ? (const char *)at->options + row->offset : NULL;

	if (row == NULL)
		return -1;
	return row->type == OPT_FLAG ? *(const bool *)member : *(const int *)member;
}

void stream_side_look_again(struct stream_side *side)
{
	side->traits = side->at.platform->traits;
	if (side->traits->special != NULL && side->traits->is_special(side->at.rest))
		side->traits = side->traits->special;
	if (!stream_side_is(side, PLATFORM_FILE))
		return;
	if (side->which == PLATFORM_SOURCE ? value_of(side, "envelopes") == 1
					   : value_of(side, "layout") == NDJSON_LAYOUT_ENVELOPE)
		side->traits = &ndjson_envelope_traits;
}

enum seal_status stream_side_init(struct command_call *call, int which, const char *text, struct stream_side *out,
				  struct seal_err *err)
{
	enum seal_status rc;

	*out = (struct stream_side){.which = which};
	SEAL_TRY(stream_address_parse(call->platforms, which, text, &out->at, err));
	out->topic = stream_address_topic(&out->at);
	stream_side_look_again(out);
out:
	return rc;
}

/* ---- options ---- */

/* The row as users see it, when they do. */
static const struct opt_row *long_row(const struct stream_side *side, const char *name)
{
	const struct platform *p = side->at.platform;
	const size_t prefix = strlen(p->scheme) + 1;

	for (int which = 0; which < PLATFORM_SIDES; which++)
		for (const struct opt_row *row = p->sides[which].rows; row != NULL && row->name != NULL; row++)
			if (strcmp(row->name + prefix, name) == 0)
				return row;
	return NULL;
}

/* Does the user say it: on the command line or in the environment? */
static bool is_seen(const struct stream_side *side, const char *name)
{
	const struct opt_row *row = long_row(side, name);

	if (platform_own(side->at.platform, side->which, name) != NULL)
		return true;
	for (int which = 0; row != NULL && which < PLATFORM_SIDES; which++) {
		const struct platform_side *at = &side->at.platform->sides[which];

		for (size_t i = 0; at->rows != NULL && at->rows[i].name != NULL; i++)
			if (&at->rows[i] == row)
				return at->seen != NULL && at->seen[i];
	}
	return false;
}

bool stream_side_has(const struct stream_side *side, const char *row)
{
	const struct opt_row *all = side != NULL ? options_of(side)->all : NULL;

	return stream_side_is(side, PLATFORM_KAFKA) || (all != NULL && opt_find(all, bytes_str(row)) != NULL);
}

enum seal_status stream_side_set(const struct stream_side *side, const char *row, const char *value,
				 struct arena *arena, bool *set, struct seal_err *err)
{
	const struct platform_side *at = options_of(side);
	const struct opt_row *found = at->all != NULL ? opt_find(at->all, bytes_str(row)) : NULL;

	if (set != NULL)
		*set = found != NULL;
	if (found == NULL || is_seen(side, row))
		return SEAL_OK;
	return opt_set(found, at->options, bytes_str(value), arena, err);
}

static bool is_used(const struct platform *p, const struct stream_side *from, const struct stream_side *to)
{
	return (from != NULL && from->at.platform == p) || (to != NULL && to->at.platform == p);
}

/* The audit trail's topic is reached as the command's own. */
static bool is_for_audit(const struct command_call *call, const char *name)
{
	const char *target = call->global->audit_choice.target;

	return target != NULL && strncmp(target, "topic:", sizeof("topic:") - 1) == 0 &&
	       (strcmp(name, "bootstrap-server") == 0 || strncmp(name, "command-", sizeof("command-") - 1) == 0);
}

static bool contains(const char *const *words, const char *word)
{
	while (words != NULL && *words != NULL && strcmp(*words, word) != 0)
		words++;
	return words != NULL && *words != NULL;
}

/* Is set what the stream cannot do without? */
static enum seal_status check_required(const struct stream_side *side, struct seal_err *err)
{
	const struct opt_row *row = side != NULL ? options_of(side)->all : NULL;

	for (; row != NULL && row->name != NULL; row++)
		if (row->required && !is_seen(side, row->name))
			return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s needs --%s-%s", side->at.text,
				       side->at.platform->scheme, row->name);
	return SEAL_OK;
}

/* What is for one side of a stream that does not stand there. */
static enum seal_status check_own(const struct platform *p, const struct stream_side *side, int which,
				  struct seal_err *err)
{
	const char *flag = p->sides[which].own_flag;

	if (flag == NULL || (side != NULL && side->at.platform == p && side->which == which))
		return SEAL_OK;
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--%s is for %s %s:, and this one is another", flag,
		       which == PLATFORM_SOURCE ? "a source" : "a target", p->scheme);
}

enum seal_status stream_sides_check(struct command_call *call, const struct stream_side *from,
				    const struct stream_side *to, const char *const *takes, struct seal_err *err)
{
	static const char *const always[] = {"exit", "max-record-bytes", "keep-partition", NULL};
	enum seal_status rc;

	for (const struct platform *p = call->platforms; p->scheme != NULL; p++) {
		if (p->flag != NULL && !is_used(p, from, to))
			return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
				       "--%s is for streams %s:, and there is none of them here", p->flag, p->scheme);
		SEAL_TRY(check_own(p, from, PLATFORM_SOURCE, err));
		SEAL_TRY(check_own(p, to, PLATFORM_SINK, err));
	}
	for (const char *const *name = call->given; *name != NULL; name++)
		if (!contains(always, *name) && !contains(takes, *name) && !is_for_audit(call, *name) &&
		    !stream_side_has(from, *name) && !stream_side_has(to, *name))
			return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--%s means nothing to %s%s%s", *name,
				       from != NULL ? from->at.text : to->at.text,
				       from != NULL && to != NULL ? " and " : "",
				       from != NULL && to != NULL ? to->at.text : "");
	SEAL_TRY(check_required(from, err));
	rc = check_required(to, err);
out:
	return rc;
}

bool stream_side_is_told(const struct stream_side *side, const char *name)
{
	return platform_own(side->at.platform, side->which, name) != NULL;
}

/* ---- opening ---- */

enum seal_status stream_side_open_source(const struct stream_side *side, struct source **out, struct seal_err *err)
{
	const struct source_ops *ops = side->at.platform->source;
	struct platform_side *at = options_of(side);

	if (ops->set_stores != NULL)
		ops->set_stores(at->options, registry.stores);
	return ops->open(side->at.rest, at->options, out, err);
}

enum seal_status stream_side_open_sink(const struct stream_side *side, struct sink **out, struct seal_err *err)
{
	return side->at.platform->sink->open(side->at.rest, options_of(side)->options, out, err);
}

/* ---- what is lost ---- */

static void add(char out[STREAM_LOST_MAX], const char *what, const char *how)
{
	size_t used = strlen(out);

	snprintf(out + used, STREAM_LOST_MAX - used, "%s%s%s%s%s", used > 0 ? "; " : "", what,
		 how != NULL ? " (" : "", how != NULL ? how : "", how != NULL ? ")" : "");
}

void stream_lost(const struct stream_traits *from, const struct stream_traits *to, char out[STREAM_LOST_MAX])
{
	out[0] = '\0';
	if (from->key != NULL && to->key == NULL)
		add(out, "keys", NULL);
	if (from->headers != NULL && to->headers == NULL)
		add(out, "headers", NULL);
	if (from->keeps_timestamp && !to->keeps_timestamp)
		add(out, "timestamps", to->timestamp);
	if (from->null == NULL && to->null != NULL)
		add(out, "tombstones", to->null);
	if (from->order > to->order)
		add(out, to->order == STREAM_ORDER_NONE ? "order" : "order across keys", NULL);
}
