/*
 * The three stories, told with the program's own commands: each is run as a user would type it, by the same parser and the
 * same code, and shown before it runs.
 *
 *   sample > purchases.json ─▶ produce --plain ─▶ purchases ─▶ pump -c 3, key rotate, pump -e ─▶ purchases_encrypted
 *                                                    │                                          │            │
 *                                       consume --plain > admin.json         consume --plain > …    consume > revealed.json
 *
 *   source/ ─▶ file send ─▶ purchases_large_encrypted ─▶ file receive ─▶ destination/
 */
#include "cmd/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/program.h"
#include "cmd/registry.h"

#define ARGS_MAX 96
#define HALF "3" /* of DEMO_RECORDS */
#define ALL "6"

static const char policy_format[] = "version: 1\n"
				    "namespace: demo\n"
				    "keys:\n"
				    "  pii:   %s\n"
				    "  cards: local:cards\n"
				    "methods:\n"
				    "  secret: {type: encrypt, key: pii}\n"
				    "  card:   {type: fpe, key: cards, alphabet: digits, keep: {first: 4, last: 4}}\n"
				    "topics:\n"
				    "  - match: [%s, %s]\n"
				    "    protect:\n"
				    "      $.Address: secret\n"
				    "      $.credit_card: card\n";

static void heading(const struct demo *demo, const char *text)
{
	printf("\n%s%s%s\n", demo_color(demo, DEMO_BOLD), text, demo_color(demo, DEMO_RESET));
}

static void show(const struct demo *demo, const char *const *words, const char *file)
{
	printf("  %s$ sealstream", demo_color(demo, DEMO_DIM));
	for (; *words != NULL; words++)
		printf(" %s", *words);
	printf("%s%s%s\n", file ? " > " : "", file ? file : "", demo_color(demo, DEMO_RESET));
	fflush(stdout);
}

/* stdout goes to the file until restore_stdout. */
static enum seal_status redirect_stdout(const char *file, int *saved, struct seal_err *err)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	*saved = dup(STDOUT_FILENO);
	if (fd < 0 || *saved < 0 || dup2(fd, STDOUT_FILENO) < 0) {
		if (fd >= 0)
			close(fd);
		return err_set_errno(err, SEAL_FATAL, SEAL_E_CREATE, errno, "cannot write to %s", file);
	}
	close(fd);
	return SEAL_OK;
}

static void restore_stdout(int saved)
{
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
}

static int run_words(const struct demo *demo, const char *const *words, bool kafka)
{
	char *argv[ARGS_MAX];
	int argc = 0;

	for (; *words != NULL; words++)
		argv[argc++] = (char *)*words;
	for (size_t i = 0; kafka && demo->extra[i] != NULL; i++) {
		SEAL_INVARIANT(argc < ARGS_MAX - 1);
		argv[argc++] = (char *)demo->extra[i];
	}
	argv[argc] = NULL;
	return program_run(&registry_program, argc, argv);
}

struct step {
	const char *words[14];
	const char *file; /* where its output goes; NULL: it stays */
	bool kafka;
};

/* Steps up to one without words. Ends early at a command's exit code that is not 0. */
static enum seal_status run_steps(const struct demo *demo, const struct step *steps, int *exit_code,
				  struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	int saved = -1;

	for (; steps->words[0] != NULL && *exit_code == 0; steps++) {
		show(demo, steps->words, steps->file);
		if (steps->file != NULL)
			SEAL_TRY(redirect_stdout(steps->file, &saved, err));
		*exit_code = run_words(demo, steps->words, steps->kafka);
		if (steps->file != NULL)
			restore_stdout(saved);
	}
	if (stop_requested() && *exit_code == 0)
		*exit_code = 128 + stop_requested();
out:
	return rc;
}

/* What a policy calls it. */
static const char *last_part(const char *address)
{
	const char *slash = strrchr(address, '/'), *colon = strrchr(address, ':');

	return slash != NULL ? slash + 1 : colon != NULL ? colon + 1 : address;
}

static enum seal_status write_policy(const struct demo *demo, struct seal_err *err)
{
	char text[1024];
	int fd = open("policy.yaml", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	enum seal_status rc;

	if (fd < 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_CREATE, errno, "cannot create policy.yaml");
	snprintf(text, sizeof(text), policy_format, demo->keys[DEMO_KEY_PII].reference, last_part(demo->plain.from),
		 last_part(demo->protected.from));
	rc = file_write_all(fd, bytes_str(text), "policy.yaml", err);
	close(fd);
	heading(demo, "The policy (policy.yaml)");
	for (const char *line = text, *end; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		printf("  %.*s\n", (int)(end - line), line);
	}
	return rc;
}

static enum seal_status story_one(const struct demo *demo, int *exit_code, struct seal_err *err)
{
	const struct step steps[] = {
		{{"sample", "-c", ALL}, "purchases.json", false},
		{{"produce", "-t", demo->plain.to, "--plain", "purchases.json"}, NULL, true},
		{{"consume", "-t", demo->plain.admin, "--plain", "-e"}, "admin.json", true},
		{{NULL}, NULL, false},
	};

	heading(demo, "Story one: an admin sees everything");
	return run_steps(demo, steps, exit_code, err);
}

static enum seal_status story_two(const struct demo *demo, int *exit_code, struct seal_err *err)
{
	const char *from = demo->plain.from, *to = demo->protected.to;
	const char *const *m = demo->member;
	const struct step steps[] = {
		{{"key", "create", demo->keys[DEMO_KEY_PII].name}, NULL, false},
		{{"key", "create", "cards", "--type", "ff1"}, NULL, false},
		{{"pump", "--from", from, "--to", to, "-c", HALF, m[0], m[1], m[2], m[3]}, NULL, true},
		{{"key", "rotate", demo->keys[DEMO_KEY_PII].name}, NULL, false},
		{{"pump", "--from", from, "--to", to, "-e", m[0], m[1], m[2], m[3]}, NULL, true},
		{{"consume", "-t", demo->protected.admin, "--plain", "-e"}, "admin-encrypted.json", true},
		{{"consume", "-t", demo->protected.from, "-e"}, "revealed.json", true},
		{{NULL}, NULL, false},
	};

	heading(demo, "Story two: fields are protected, and the key is rotated in the middle");
	return run_steps(demo, steps, exit_code, err);
}

static enum seal_status show_and_check(const struct demo *demo, struct seal_err *err)
{
	struct demo_view sent = {0}, plain = {0}, protected = {0}, revealed = {0};
	struct demo_view *const views[] = {&sent, &plain, &protected, &revealed};
	enum seal_status rc;

	SEAL_TRY(demo_view_read("purchases.json", &sent, err));
	SEAL_TRY(demo_view_read("admin.json", &plain, err));
	SEAL_TRY(demo_view_read("admin-encrypted.json", &protected, err));
	SEAL_TRY(demo_view_read("revealed.json", &revealed, err));
	for (size_t i = 0; demo->platform != NULL && i < 4; i++)
		demo_view_sort(views[i]);
	SEAL_TRY(demo_table(demo, &plain, &protected, &revealed, err));
	SEAL_TRY(demo_check(&sent, &plain, &protected, &revealed, err));
	printf("  %sChecked:%s all %d records came back byte for byte, from two versions of the key.\n",
	       demo_color(demo, DEMO_GREEN), demo_color(demo, DEMO_RESET), DEMO_RECORDS);
out:
	demo_view_clear(&sent);
	demo_view_clear(&plain);
	demo_view_clear(&protected);
	demo_view_clear(&revealed);
	return rc;
}

static enum seal_status story_three(const struct demo *demo, int *exit_code, struct seal_err *err)
{
	const struct demo_key *key = &demo->keys[DEMO_KEY_FILES];
	const char *const *m = demo->member;
	const struct step steps[] = {
		{{"key", "create", key->name}, NULL, false},
		{{"file", "send", "-t", demo->files.to, "--key", key->reference, "--from", DEMO_SOURCE, "--once"},
		 NULL,
		 true},
		{{"file", "receive", "-t", demo->files.from, "--key", key->reference, "--to", DEMO_DESTINATION, "-e",
		  m[0], m[1], m[2], m[3]},
		 NULL,
		 true},
		{{NULL}, NULL, false},
	};
	enum seal_status rc;

	heading(demo, "Story three: files travel, each under a key that is used once");
	SEAL_TRY(demo_files_make(err));
	SEAL_TRY(run_steps(demo, steps, exit_code, err));
	if (*exit_code == 0)
		rc = demo_files_show(demo, err);
out:
	return rc;
}

enum seal_status demo_tell(const struct demo *demo, int *exit_code, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(write_policy(demo, err));
	SEAL_TRY(story_one(demo, exit_code, err));
	if (*exit_code == 0)
		SEAL_TRY(story_two(demo, exit_code, err));
	if (*exit_code == 0)
		SEAL_TRY(show_and_check(demo, err));
	if (*exit_code == 0)
		rc = story_three(demo, exit_code, err);
out:
	return rc;
}
