/* What is counted of requests to Vault: by what was asked, how it ended, and how long it took. */
#include "base/metrics.h"
#include "vault/source.h"
#include "vault_check.h"

static struct metrics *metrics;
static struct key_metrics counts;

static struct metric *add(enum metric_type type, const char *name, size_t request, size_t outcome)
{
	char op[8], end[8];
	struct metric *metric;

	snprintf(op, sizeof(op), "%zu", request);
	snprintf(end, sizeof(end), "%zu", outcome);
	assert_int_equal(
		metrics_add(metrics, type, name, "Help.", METRIC_LABELS({"op", op}, {"end", end}), &metric, NULL),
		SEAL_OK);
	return metric;
}

static void open_counted(struct vault_fixture *f)
{
	assert_int_equal(metrics_new(&metrics, NULL), SEAL_OK);
	for (size_t i = 0; i < KEY_REQUESTS; i++) {
		for (size_t j = 0; j < KEY_OUTCOMES; j++)
			counts.requests[i][j] = add(METRIC_COUNTER, "n_total", i, j);
		counts.seconds[i] = add(METRIC_HISTOGRAM, "t_seconds", i, 0);
	}
	fixture_start(f);
	f->config.metrics = &counts;
	VOK(f, vault_source.open(&f->config, &f->source, &f->err));
}

static void close_counted(struct vault_fixture *f)
{
	fixture_close(f);
	metrics_free(metrics);
}

static void assert_counted(const char *series, enum key_request request, enum key_outcome outcome, unsigned n)
{
	struct seal_buf text = BUF_INIT(1 << 20);
	char line[80];

	assert_int_equal(metrics_write(metrics, &text, NULL), SEAL_OK);
	assert_int_equal(buf_append_u8(&text, 0, NULL), SEAL_OK);
	snprintf(line, sizeof(line), "\n%s{op=\"%d\",end=\"%d\"} %u\n", series, request, outcome, n);
	if (strstr((const char *)text.ptr, line) == NULL)
		fail_msg("no line %s", line);
	buf_clear(&text);
}

static void assert_requests(enum key_request request, enum key_outcome outcome, unsigned n)
{
	assert_counted("n_total", request, outcome, n);
}

static void requests_are_counted_by_what_was_asked(void **state)
{
	struct vault_fixture f;
	struct key_session *session;
	struct key_item item;
	struct seal_bytes wrapped;
	struct key *key;

	open_counted(&f);
	session = fixture_session(&f, "transit/pii", &key); /* which reads the key */
	assert_requests(KEY_REQUEST_OTHER, KEY_OUTCOME_SUCCESS, 1);
	VOK(&f, encrypt_one(&f, session, "x", &item));
	item.in = item.out;
	VOK(&f, session->ops->decrypt(session, &item, 1, &f.call, &f.err));
	VOK(&f, session->ops->decrypt(session, &item, 1, &f.call, &f.err));
	VOK(&f, session->ops->data_key(session, 32, BYTES_EMPTY, NULL, &wrapped, &f.call, &f.err));
	assert_requests(KEY_REQUEST_ENCRYPT, KEY_OUTCOME_SUCCESS, 1);
	assert_requests(KEY_REQUEST_DECRYPT, KEY_OUTCOME_SUCCESS, 2);
	assert_requests(KEY_REQUEST_DATA_KEY, KEY_OUTCOME_SUCCESS, 1);
	assert_counted("t_seconds_count", KEY_REQUEST_DECRYPT, KEY_OUTCOME_SUCCESS, 2);
	fixture_end(session, key);
	close_counted(&f);
}

/* How the next POST is answered, and what it counts as. */
static void check_end(unsigned status, enum key_outcome outcome)
{
	const struct status_row row = {.code = status, .said = "no"};
	struct vault_fixture f;
	struct key_session *session;
	struct key_item item;
	struct key *key;

	open_counted(&f);
	session = fixture_session(&f, "transit/pii", &key);
	f.server.arg = (void *)(uintptr_t)&row;
	f.server.hook = answer_row;
	assert_int_not_equal(encrypt_one(&f, session, "x", &item), SEAL_OK);
	assert_requests(KEY_REQUEST_ENCRYPT, outcome, 1);
	assert_requests(KEY_REQUEST_ENCRYPT, KEY_OUTCOME_SUCCESS, 0);
	fixture_end(session, key);
	close_counted(&f);
}

static void ends_are_told_apart(void **state)
{
	check_end(403, KEY_OUTCOME_DENIED);
	check_end(404, KEY_OUTCOME_REFUSED);
	check_end(503, KEY_OUTCOME_AWAY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_counted_by_what_was_asked),
		cmocka_unit_test(ends_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
