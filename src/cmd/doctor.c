/* `doctor`: what this machine has, and what would be better. Looks only; changes nothing. */
#include "cmd/doctor.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/secret.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "crypto/aead.h"
#include "crypto/ff1.h"
#include "crypto/library.h"
#include "json/scan.h"

#define LOCK_BYTES (256u << 10) /* what keys of a large policy and a few workers take */

struct doctor_options {
	bool json;
};

static const struct opt_row rows[] = {{.name = "json",
				       .help = "print one JSON object",
				       .type = OPT_FLAG,
				       .offset = offsetof(struct doctor_options, json)},
				      OPT_END};

static void check_processor(const struct command_call *call, struct doctor_result *r)
{
#if defined(__x86_64__)
	bool aes, avx2;

	__builtin_cpu_init();
	aes = __builtin_cpu_supports("aes");
	avx2 = __builtin_cpu_supports("avx2");
	snprintf(r->text, sizeof(r->text), "%s: AES instructions %s, AVX2 %s", SEALSTREAM_ARCH, aes ? "yes" : "no",
		 avx2 ? "yes" : "no");
	if (!aes) {
		r->status = DOCTOR_WARN;
		snprintf(r->hint, sizeof(r->hint),
			 "AES is many times slower and may leak through timing; in a virtual "
			 "machine, pass the host's processor through");
	}
#else
	snprintf(r->text, sizeof(r->text), "%s: portable code is used", SEALSTREAM_ARCH);
#endif
}

static void check_openssl(const struct command_call *call, struct doctor_result *r)
{
	snprintf(r->text, sizeof(r->text), "%s", crypto_library_version());
}

static void check_backends(const struct command_call *call, struct doctor_result *r)
{
	snprintf(r->text, sizeof(r->text), "AES-GCM by %s, FF1 by %s, JSON by %s", aead_backend(), ff1_backend(),
		 json_backend());
}

static void check_locked_memory(const struct command_call *call, struct doctor_result *r)
{
	struct rlimit limit = {0, 0};
	struct secret secret = SECRET_INIT;
	struct seal_err ignored = SEAL_ERR_INIT;
	bool locked;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	locked = secret_alloc(&secret, LOCK_BYTES, &ignored) == SEAL_OK && secret_all_locked();
	secret_clear(&secret);
	if (limit.rlim_cur == RLIM_INFINITY)
		snprintf(r->text, sizeof(r->text), "no limit");
	else
		snprintf(r->text, sizeof(r->text), "limit %llu KiB", (unsigned long long)limit.rlim_cur / 1024);
	if (locked)
		return;
	r->status = DOCTOR_WARN;
	snprintf(r->hint, sizeof(r->hint),
		 "keys may be written to swap; raise it with ulimit -l, LimitMEMLOCK= of systemd, "
		 "or in /etc/security/limits.conf");
}

static void check_core_files(const struct command_call *call, struct doctor_result *r)
{
	struct rlimit limit = {1, 1};

	getrlimit(RLIMIT_CORE, &limit);
	if (limit.rlim_cur == 0 && prctl(PR_GET_DUMPABLE) == 0) {
		snprintf(r->text, sizeof(r->text), "off for this program, and no other process may look into it");
		return;
	}
	r->status = DOCTOR_WARN;
	snprintf(r->text, sizeof(r->text), "this system did not let them be switched off");
	snprintf(r->hint, sizeof(r->hint), "a crash could write keys to disk; run with ulimit -c 0");
}

static const struct doctor_check checks[] = {
	{"processor", check_processor},		{"openssl", check_openssl},	  {"back ends", check_backends},
	{"locked memory", check_locked_memory}, {"core files", check_core_files}, {"librdkafka", doctor_check_kafka},
	{"keyring", doctor_check_keyring},
};

static const char *const status_names[] = {"ok", "warn", "fail"};

static void show_text(const struct doctor_check *check, const struct doctor_result *r, bool colored)
{
	static const char *const colors[] = {"\033[32m", "\033[33m", "\033[31m"};

	printf("%s%-4s%s  %-14s %s\n", colored ? colors[r->status] : "", status_names[r->status],
	       colored ? "\033[0m" : "", check->name, r->text);
	if (r->hint[0] != '\0')
		printf("      %-14s → %s\n", "", r->hint);
}

static void show_json(const struct doctor_check *check, const struct doctor_result *r, bool first)
{
	printf("%s{\"name\":\"%s\",\"status\":\"%s\",\"text\":", first ? "" : ",", check->name,
	       status_names[r->status]);
	output_json_string(stdout, bytes_str(r->text));
	fputs(",\"hint\":", stdout);
	if (r->hint[0] != '\0')
		output_json_string(stdout, bytes_str(r->hint));
	else
		fputs("null", stdout);
	putchar('}');
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct doctor_options *options = call->options;
	bool colored = output_colored(call->global, stdout);

	if (options->json)
		printf("{\"schema\":\"sealstream.doctor/1\",\"version\":\"%s\",\"checks\":[", seal_version());
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct doctor_result result = {.status = DOCTOR_OK};

		checks[i].run(call, &result);
		if (options->json)
			show_json(&checks[i], &result, i == 0);
		else
			show_text(&checks[i], &result, colored);
		if (result.status == DOCTOR_FAIL)
			*exit_code = 1;
	}
	if (options->json)
		printf("],\"ok\":%s}\n", *exit_code == 0 ? "true" : "false");
	return SEAL_OK;
}

const struct command command_doctor = {
	.name = "doctor",
	.usage = "",
	.summary = "Look at this machine: what sealstream needs, what is slow or unsafe, what to do",
	.details = "Each line is ok, warn or fail. Ends with 1 when something fails.",
	.examples = "sealstream doctor\n"
		    "sealstream doctor --json\n",
	.options = rows,
	.options_size = sizeof(struct doctor_options),
	.keys = true,
	.run = run,
};
