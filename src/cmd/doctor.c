/* `doctor`: what this machine has, and what would be better. Looks only; changes nothing. */
#include "cmd/doctor.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/secret.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/stream_use.h"
#include "crypto/aead.h"
#include "crypto/ff1.h"
#include "crypto/library.h"
#include "json/scan.h"

#define WIDTH 14
#define WIDTH_VAULT 30
#define LOCK_BYTES (256u << 10) /* what keys of a large policy and a few workers take */

struct doctor_options {
	const char *policy, *key, *stream;
	bool json, vault;
};

#define AT(member) .offset = offsetof(struct doctor_options, member)

static const struct opt_row rows[] = {
	{.name = "vault",
	 .help = "look at the Vault or OpenBao server instead: address, login, and with --policy each key",
	 .type = OPT_FLAG,
	 AT(vault)},
	{.name = "policy",
	 .letter = 'p',
	 .help = "try each store of this policy; with --vault, each of its keys that lives there",
	 .arg = "FILE",
	 .env = "SEALSTREAM_POLICY",
	 .type = OPT_STRING,
	 AT(policy)},
	{.name = "key",
	 .help = "with --vault, try this key of files, too, as `file` commands use it: vault:MOUNT/NAME",
	 .arg = "KEY",
	 .type = OPT_STRING,
	 AT(key)},
	{.name = "stream",
	 .help = "look at what this address names instead: credentials, is it there, may it be read; see "
		 "docs/PLATFORMS.md",
	 .arg = "ADDRESS",
	 .type = OPT_STRING,
	 AT(stream)},
	{.name = "json", .help = "print one JSON object", .type = OPT_FLAG, AT(json)},
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

static void show_text(const struct doctor_report *report, const char *name, const struct doctor_result *r)
{
	static const char *const colors[] = {"\033[32m", "\033[33m", "\033[31m"};

	printf("%s%-4s%s  %-*s %s\n", report->colored ? colors[r->status] : "", status_names[r->status],
	       report->colored ? "\033[0m" : "", report->width, name, r->text);
	if (r->hint[0] != '\0')
		printf("      %-*s → %s\n", report->width, "", r->hint);
}

static void show_json(const char *name, const struct doctor_result *r, bool first)
{
	printf("%s{\"name\":", first ? "" : ",");
	output_json_string(stdout, bytes_str(name));
	printf(",\"status\":\"%s\",\"text\":", status_names[r->status]);
	output_json_string(stdout, bytes_str(r->text));
	fputs(",\"hint\":", stdout);
	if (r->hint[0] != '\0')
		output_json_string(stdout, bytes_str(r->hint));
	else
		fputs("null", stdout);
	putchar('}');
}

void doctor_tell(struct doctor_report *report, const char *name, const struct doctor_result *result)
{
	if (report->json)
		show_json(name, result, !report->any);
	else
		show_text(report, name, result);
	report->any = true;
	report->failed |= result->status == DOCTOR_FAIL;
}

static void look_at_machine(const struct command_call *call, struct doctor_report *report)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct doctor_result result = {.status = DOCTOR_OK};

		checks[i].run(call, &result);
		doctor_tell(report, checks[i].name, &result);
	}
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct doctor_options *options = call->options;
	struct doctor_report report = {.json = options->json,
				       .colored = output_colored(call->global, stdout),
				       .width = options->vault || options->stream != NULL ? WIDTH_VAULT : WIDTH};
	enum seal_status rc = SEAL_OK;

	if (options->key != NULL && !options->vault)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--key is a key of a server: say --vault, too");
	if (options->stream != NULL && options->vault)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--stream and --vault exclude each other");
	if (options->stream == NULL)
		SEAL_TRY(stream_sides_check(call, NULL, NULL, NULL, err));
	if (options->json)
		printf("{\"schema\":\"sealstream.doctor/1\",\"version\":\"%s\",\"checks\":[", seal_version());
	if (options->vault)
		SEAL_TRY(doctor_vault(call, options->policy, options->key, &report, err));
	else if (options->stream != NULL)
		SEAL_TRY(doctor_stream(call, options->stream, &report, err));
	else
		look_at_machine(call, &report);
	if (!options->vault && options->stream == NULL && options->policy != NULL)
		SEAL_TRY(doctor_stores(call, options->policy, &report, err));
	if (options->json)
		printf("],\"ok\":%s}\n", report.failed ? "false" : "true");
	*exit_code = report.failed;
out:
	return rc;
}

const struct command command_doctor = {
	.name = "doctor",
	.usage = "",
	.summary = "Look at this machine: what sealstream needs, what is slow or unsafe, what to do",
	.details =
		"Each line is ok, warn or fail. Ends with 1 when something fails.\n"
		"With --policy it also looks at the policy's stores: is each there, can it be read and written.\n"
		"With --stream it looks at one stream of a platform instead: are there credentials, is it there, may "
		"it be read. Nothing is committed; what a queue lends for that is given back, and counts as one "
		"delivery.\n"
		"With --vault it looks at the Vault or OpenBao server instead: is it there, who logs in, what the "
		"token is, and with a policy, of each key and Transform role: does it exist, can it do what the "
		"policy "
		"asks, what may the token do with it (and which line of a policy to add), and does a test text, or a "
		"data key, come back. With --key it tries a key of files in the same way. Nothing is created but, "
		"where a method makes tokens, the token of the test text.",
	.examples = "sealstream doctor\n"
		    "sealstream doctor --json\n"
		    "sealstream doctor -p policy.yaml\n"
		    "sealstream doctor --stream kinesis:purchases\n"
		    "sealstream doctor --vault -p policy.yaml\n"
		    "sealstream doctor --vault --key vault:transit/files\n",
	.options = rows,
	.options_size = sizeof(struct doctor_options),
	.streams = COMMAND_READS,
	.keys = true,
	.run = run,
};
