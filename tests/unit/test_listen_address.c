/* listen/address.h: which sockets are loopback's, and which Host headers are answered there? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "listen/address.h"

static void test_hosts_that_are_ours(void **state)
{
	static const char *const taken[] = {"localhost",      "localhost:9464", "LOCALHOST:1",	   "127.0.0.1",
					    "127.0.0.1:9464", "10.1.2.3:9464",	"[::1]",	   "[::1]:9464",
					    "[fd00::7]:80",   "Ops.Example",	"ops.example:9464"};
	static const char *const refused[] = {"",
					      ":9464",
					      "evil.example",
					      "evil.example:9464",
					      "localhost.evil.example",
					      "127.0.0.1.evil.example",
					      "evil.localhost",
					      "evil.ops.example",
					      "ops.example.",
					      "localhost:",
					      "localhost:99999",
					      "localhost:1:2",
					      "localhost@evil.example",
					      "127.1",
					      "2130706433",
					      "0x7f000001",
					      "::1",
					      "[::1",
					      "[::1]x",
					      "[localhost]",
					      "[127.0.0.1]",
					      "[]"};

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (!address_takes("ops.example:9464", taken[i]))
			fail_msg("%s is refused", taken[i]);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (address_takes("ops.example:9464", refused[i]))
			fail_msg("%s is taken", refused[i]);
	assert_false(address_takes("127.0.0.1:0", "ops.example"));
}

static void test_names_that_are_too_long(void **state)
{
	char host[300];

	memset(host, 'a', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	assert_false(address_takes("127.0.0.1:0", host));
}

static bool is_loopback(const char *address)
{
	char where[LISTEN_ADDRESS_MAX];
	bool loopback;
	int fd;

	assert_int_equal(address_listen(address, &fd, where, NULL), SEAL_OK);
	loopback = address_is_loopback(fd);
	close(fd);
	return loopback;
}

static void test_loopback(void **state)
{
	assert_true(is_loopback("127.0.0.1:0"));
	assert_true(is_loopback("127.8.7.6:0"));
	assert_true(is_loopback("localhost:0"));
	assert_true(is_loopback("[::1]:0"));
	assert_false(is_loopback("0.0.0.0:0"));
	assert_false(is_loopback("[::]:0"));
	assert_false(address_is_loopback(-1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts_that_are_ours),
		cmocka_unit_test(test_names_that_are_too_long),
		cmocka_unit_test(test_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
