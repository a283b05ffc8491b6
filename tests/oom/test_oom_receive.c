/*
 * transfer_receive: every allocation that fails ends the run with SEAL_E_MEMORY, no part of a file gets a name, and the next run
 * makes all of them whole.
 */
#include "receive_fake.h"

#include "oom.h"

static struct sent one, other, open_one;

static enum seal_status work(void *arg, struct seal_err *err)
{
	struct sent *const files[] = {&one, &other};
	const char *const names[] = {"one", "other"};
	enum seal_status rc;

	rc = transfer_receive(&t.options, &t.counts, err);
	mem_set_hook(NULL, NULL);
	for (size_t i = 0; i < 2; i++)
		if (rc == SEAL_OK || there_is(names[i]))
			check_file(files[i], names[i]);
	if (rc != SEAL_OK) {
		topic_rewind();
		receive_ok();
		for (size_t i = 0; i < 2; i++)
			check_file(files[i], names[i]);
	}
	assert_int_equal(count_files(), 2);
	nftw(t.to, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(mkdir(t.to, 0700), 0);
	topic_forget_marks();
	return rc;
}

/* A message of the original script's form: foreign here, but looked at closely. */
static const char script[] =
	"{\"ciphertext\":\"00\\u0030\\u0030\",\"tag\":\"4b870995d53220cc47e389259effe229\",\"nonce\":\"ZGVm\"}";

static void test_run(void **state)
{
	one = sent_new("one", 3 * CHUNK);
	other = sent_as("other", CHUNK + 1, true);
	open_one = sent_new("open", 2 * CHUNK);
	send_chunk(&one, 0, 0);
	send_all(&other, 0);
	send_chunk(&one, 0, 2);
	topic_add(0, BYTES_LIT("foreign"));
	topic_add(0, bytes_str(script));
	send_chunk(&open_one, 1, 0);
	send_chunk(&one, 0, 1);
	topic.batch = 4;
	assert_int_equal(mkdir(t.to, 0700), 0);
	assert_in_range(oom_each(work, NULL), 40, 2000);
	sent_clear(&one);
	sent_clear(&other);
	sent_clear(&open_one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_run, fake_setup, fake_teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
