/* Results of entries. A message that can never be sent is heard before one that only has to wait. */
#include "streams/aws_entry.h"

static enum outbox_result result_of(const struct aws_entry *entry)
{
	if (entry->good)
		return OUTBOX_DONE;
	if (!entry->failed || entry->failure == AWS_AWAY)
		return OUTBOX_UNSENT;
	return entry->failure == AWS_THROTTLED ? OUTBOX_RETRY : OUTBOX_FAILED;
}

void aws_entries_judge(const char *service, const struct aws_entry *entries, struct outbox_item *const *items,
		       size_t n, struct seal_err *err)
{
	const struct aws_entry *bad = NULL, *later = NULL;

	for (size_t i = 0; i < n; i++) {
		items[i]->result = result_of(&entries[i]);
		items[i]->throttled = items[i]->result == OUTBOX_RETRY;
		if (items[i]->result == OUTBOX_FAILED)
			bad = bad != NULL ? bad : &entries[i];
		else if (items[i]->result != OUTBOX_DONE)
			later = later != NULL ? later : &entries[i];
	}
	if (bad != NULL)
		(void)err_set(err, bad->failure == AWS_DENIED ? SEAL_DENIED : SEAL_DATA, SEAL_E_SERVICE,
			      "%s refused a message: %s", service, bad->code);
	else if (later != NULL)
		(void)err_set(err, SEAL_RETRY, later->failure == AWS_THROTTLED ? SEAL_E_BUSY : SEAL_E_SERVICE,
			      "%s did not take a message: %s", service,
			      later->failed ? later->code : "no word of it");
}
