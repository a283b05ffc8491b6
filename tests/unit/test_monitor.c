/*
 * cmd/monitor: when is a run alive, started and ready? Time, stop requests, keys and streams are fakes; the pages are asked as the
 * listener asks them.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/monitor_work.h"

static struct {
	uint64_t now_ms;
	int stop;
	bool away; /* the source's service */
	struct key_info info; /* of every key */
	bool unknown; /* nothing is known of keys */
} t;

/* Not looked into. */
struct plan {
	int number;
};

static struct policy_key keys[] = {{.name = "pii"}};
static struct policy policy = {.keys = keys, .n_keys = 1};
static struct plan plan;

uint64_t __wrap_clock_mono_ms(void);
uint64_t __wrap_clock_mono_ms(void)
{
	return t.now_ms;
}

int stop_requested(void)
{
	return t.stop;
}

const struct policy *plan_policy(const struct plan *of)
{
	return &policy;
}

void plan_use_get(const struct plan *of, size_t method, struct plan_use *out)
{
	*out = (struct plan_use){0};
}

bool plan_key_get(const struct plan *of, size_t index, struct key_info *out)
{
	assert_int_equal(index, 0);
	*out = t.info;
	return !t.unknown;
}

static enum seal_status key_info_get(struct key *key, struct key_info *info, struct seal_err *err)
{
	*info = t.info;
	return t.unknown ? err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "away") : SEAL_OK;
}

static bool is_away(struct source *source)
{
	return t.away;
}

static const struct key_ops key_ops = {.size = sizeof(key_ops), .info = key_info_get};
static struct key key = {.ops = &key_ops};
static const struct source_ops source_ops = {.size = sizeof(source_ops), .name = "fake", .away = is_away};
static struct source source = {.ops = &source_ops};
static struct monitor *monitor;
static char said[1 << 17];

static void open_monitor(const char *files)
{
	const struct monitor_run run = {.address = "127.0.0.1:0", .command = "test", .files = files};
	struct seal_err err = SEAL_ERR_INIT;

	memset(&t, 0, sizeof(t));
	t.now_ms = 1000000;
	t.info = (struct key_info){.counted = true, .uses_left = 5, .latest_version = 1};
	assert_int_equal(monitor_open(&run, &monitor, &err), SEAL_OK);
}

static void start_pump(enum engine_direction direction)
{
	const struct pump_options pump = {.source = &source, .direction = direction};

	monitor_plan(monitor, &plan);
	monitor_start(monitor, &pump, BYTES_LIT("purchases"));
}

static int setup(void **state)
{
	open_monitor(NULL);
	start_pump(ENGINE_PROTECT);
	return 0;
}

static int setup_files(void **state)
{
	open_monitor("sent");
	return 0;
}

static int teardown(void **state)
{
	monitor_close(monitor);
	return 0;
}

/* The status of a page; its text is in `said`. */
static unsigned ask(const char *path)
{
	const struct listen_page *page = monitor_pages;
	struct listen_answer answer = {.status = 200, .body = BUF_INIT(1 << 20)};

	while (strcmp(page->path, path) != 0)
		page++;
	assert_int_equal(page->answer(monitor, true, &answer, NULL), SEAL_OK);
	assert_true(answer.body.len < sizeof(said));
	memcpy(said, answer.body.ptr, answer.body.len);
	said[answer.body.len] = '\0';
	buf_clear(&answer.body);
	return answer.status;
}

static bool says(const char *line)
{
	return strstr(said, line) != NULL;
}

/* Not ready for this one reason, and alive all the same. */
static void not_ready(const char *line)
{
	const char *failed;

	assert_int_equal(ask("/readyz"), 503);
	failed = strstr(said, "[-]");
	assert_non_null(failed);
	assert_null(strstr(failed + 1, "[-]"));
	assert_int_equal(strncmp(failed, line, strlen(line)), 0);
	assert_false(says("\nok\n"));
	assert_int_equal(ask("/livez"), 200);
	assert_int_equal(ask("/startupz"), 200);
	assert_int_equal(ask("/metrics"), 200);
	assert_true(says("sealstream_ready 0\n"));
}

static void is_ready(void)
{
	assert_int_equal(ask("/readyz"), 200);
	assert_null(strstr(said, "[-]"));
	assert_true(says("[+]keys ok\nok\n"));
	assert_int_equal(ask("/metrics"), 200);
	assert_true(says("sealstream_ready 1\n"));
}

static void test_ready(void **state)
{
	is_ready();
}

static void test_stuck(void **state)
{
	t.now_ms += 299999;
	is_ready();
	t.now_ms++;
	assert_int_equal(ask("/livez"), 503);
	assert_string_equal(said, "[-]moving failed: nothing has moved for 300 s\n");
	assert_int_equal(ask("/readyz"), 503);
	assert_true(says("[-]moving failed"));
	assert_int_equal(ask("/startupz"), 200);
	monitor_alive(monitor);
	is_ready();
	assert_int_equal(ask("/livez"), 200);
}

/* A run that opens its streams for long is not stuck, however long. */
static void test_not_started(void **state)
{
	monitor_close(monitor);
	open_monitor(NULL);
	t.now_ms += 3600000;
	assert_int_equal(ask("/livez"), 200);
	assert_int_equal(ask("/startupz"), 503);
	assert_string_equal(said, "[-]started failed: policy, keys and streams are not yet open\n");
	assert_int_equal(ask("/readyz"), 503);
	assert_int_equal(ask("/metrics"), 200);
	assert_true(says("sealstream_ready 0\n"));
	start_pump(ENGINE_PROTECT); /* and what came before does not count */
	is_ready();
	assert_int_equal(ask("/livez"), 200);
}

static void test_draining(void **state)
{
	t.stop = SIGTERM;
	not_ready("[-]not draining failed: a stop was asked for\n");
	t.now_ms += 1000;
	not_ready("[-]not draining failed: a stop was asked for\n");
}

static void test_services(void **state)
{
	struct seal_err why = SEAL_ERR_INIT;

	t.away = true;
	not_ready("[-]services failed: no broker answers\n");
	err_set(&why, SEAL_RETRY, SEAL_E_BUSY, "10.1.2.3 is sealed");
	monitor_waiting(monitor, &why);
	t.now_ms += 12999;
	not_ready("[-]services failed: waiting for 12 s: busy\n");
	t.away = false;
	not_ready("[-]services failed: waiting for 12 s: busy\n");
	assert_true(says("sealstream_waiting 1\n"));
	monitor_resumed(monitor);
	is_ready();
	assert_true(says("sealstream_waiting 0\n"));
	assert_true(says("sealstream_waits_total 1\n"));
}

static void test_a_spent_key(void **state)
{
	t.info.uses_left = 1;
	is_ready();
	t.info.uses_left = 0;
	not_ready("[-]keys failed: key 'pii' has no uses left; rotate it\n");
	assert_true(says("sealstream_key_uses_remaining{key=\"pii\"} 0\n"));
	t.unknown = true; /* not known is not spent */
	is_ready();
	t.unknown = false;
	t.info.counted = false;
	is_ready();
	assert_false(says("sealstream_key_uses_remaining{"));
}

/* Whoever only reveals uses none. */
static void test_a_spent_key_reveals(void **state)
{
	t.info.uses_left = 0;
	start_pump(ENGINE_REVEAL);
	is_ready();
	start_pump(ENGINE_REWRAP);
	not_ready("[-]keys failed: key 'pii'");
}

static void test_late_data_keys(void **state)
{
	atomic_uint *late = monitor_keys(monitor)->data_keys_late;

	atomic_store(late, 1);
	not_ready("[-]keys failed: a data key's age ends soon, and the key server makes no new one\n");
	assert_true(says("sealstream_data_keys_late 1\n"));
	atomic_store(late, 0);
	is_ready();
}

static void test_files(void **state)
{
	const struct file_numbers numbers = {
		.files = 2, .failed = 3, .abandoned = 4, .under_way = 5, .bytes = 6, .chunks = 7, .foreign = 8};

	t.now_ms += 3600000;
	assert_int_equal(ask("/livez"), 200);
	assert_int_equal(ask("/startupz"), 503);
	assert_string_equal(said, "[-]started failed: key and stream are not yet open\n");
	monitor_start_files(monitor, &(struct monitor_transfer){
					     .topic = BYTES_LIT("files"), .key = &key, .key_name = "local:pii"});
	is_ready();
	t.now_ms += 300000;
	assert_int_equal(ask("/livez"), 503);
	monitor_files(monitor, &numbers);
	is_ready();
	assert_true(says("sealstream_files_total{topic=\"files\",outcome=\"sent\"} 2\n"));
	assert_true(says("sealstream_files_total{topic=\"files\",outcome=\"failed\"} 3\n"));
	assert_true(says("sealstream_files_total{topic=\"files\",outcome=\"abandoned\"} 4\n"));
	assert_true(says("sealstream_files_under_way{topic=\"files\"} 5\n"));
	assert_true(says("sealstream_file_bytes_total{topic=\"files\"} 6\n"));
	assert_true(says("sealstream_file_chunks_total{topic=\"files\"} 7\n"));
	assert_true(says("sealstream_file_foreign_records_total{topic=\"files\"} 8\n"));
	assert_false(says("sealstream_records_total"));
	t.info.uses_left = 0;
	not_ready("[-]keys failed: key 'local:pii' has no uses left; rotate it\n");
}

/* A receiver has a source, and encrypts nothing. */
static void test_files_received(void **state)
{
	monitor_start_files(monitor, &(struct monitor_transfer){.topic = BYTES_LIT("files"),
								.source = &source,
								.key = &key,
								.key_name = "local:pii"});
	t.info.uses_left = 0;
	is_ready();
	t.away = true;
	not_ready("[-]services failed: no broker answers\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ready),
		TEST(test_stuck),
		TEST(test_not_started),
		TEST(test_draining),
		TEST(test_services),
		TEST(test_a_spent_key),
		TEST(test_a_spent_key_reveals),
		TEST(test_late_data_keys),
		cmocka_unit_test_setup_teardown(test_files, setup_files, teardown),
		cmocka_unit_test_setup_teardown(test_files_received, setup_files, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
