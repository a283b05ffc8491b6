/*
 * The shared files. A line that begins with white space belongs to the value above it where that is empty ("s3 =" and then
 * "  endpoint_url = …"), else it is a line as any other. What stands behind " #" or " ;" is a comment.
 */
#include "aws/config_file.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/secret_file.h"

const char *aws_variable(const char *name)
{
	const char *text = getenv(name);

	return text != NULL && text[0] != '\0' ? text : NULL;
}

bool aws_variable_true(const char *name)
{
	const char *text = aws_variable(name);

	return text != NULL && strcasecmp(text, "true") == 0;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct seal_bytes trim(struct seal_bytes text)
{
	while (text.len > 0 && is_space(text.ptr[text.len - 1]))
		text.len--;
	while (text.len > 0 && is_space(text.ptr[0]))
		text = bytes_skip(text, 1);
	return text;
}

static struct seal_bytes without_comment(struct seal_bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if ((line.ptr[i] == '#' || line.ptr[i] == ';') && (i == 0 || is_space(line.ptr[i - 1])))
			line.len = i;
	return trim(line);
}

static struct seal_bytes next_line(struct seal_bytes *text)
{
	const uint8_t *end = memchr(text->ptr, '\n', text->len);
	struct seal_bytes line = bytes_of(text->ptr, end != NULL ? (size_t)(end - text->ptr) : text->len);

	*text = bytes_skip(*text, line.len + (end != NULL));
	return line;
}

static bool same_word(struct seal_bytes a, const char *b)
{
	return a.len == strlen(b) && strncasecmp((const char *)a.ptr, b, a.len) == 0;
}

/* The first word of a section's head, which is taken away; the rest may stand in quotes. */
static bool take_word(struct seal_bytes *head, const char *word)
{
	size_t len = strlen(word);

	if (head->len <= len || memcmp(head->ptr, word, len) != 0 || !is_space(head->ptr[len]))
		return false;
	*head = trim(bytes_skip(*head, len));
	if (head->len >= 2 && (head->ptr[0] == '"' || head->ptr[0] == '\'') &&
	    head->ptr[head->len - 1] == head->ptr[0])
		*head = bytes_of(head->ptr + 1, head->len - 2);
	return true;
}

/* Does "[profile NAME]" open the section? In the credentials file, and for "default", the name may stand alone. */
static bool opens(struct seal_bytes line, bool plain, enum aws_section section, const char *name)
{
	static const char *const words[] = {"profile", "sso-session", "services"};
	struct seal_bytes head = trim(bytes_of(line.ptr + 1, line.len - 2));
	const bool worded = take_word(&head, words[section]);

	if (section != AWS_SECTION_PROFILE)
		return worded && !plain && bytes_eq_str(head, name);
	if (!worded && !plain && strcmp(name, "default") != 0)
		return false;
	return bytes_eq_str(head, name);
}

/* NAME = VALUE; false: the line is no such. */
static bool split(struct seal_bytes line, struct seal_bytes *name, struct seal_bytes *value)
{
	const uint8_t *equals = line.len > 0 ? memchr(line.ptr, '=', line.len) : NULL;

	if (equals == NULL)
		return false;
	*name = trim(bytes_of(line.ptr, (size_t)(equals - line.ptr)));
	*value = trim(bytes_skip(line, (size_t)(equals - line.ptr) + 1));
	return true;
}

struct seal_bytes aws_text_value(struct seal_bytes text, bool plain, enum aws_section section, const char *name,
				 const char *key, const char *sub, bool *there)
{
	struct seal_bytes found = BYTES_EMPTY;
	bool inside = false, group = false, ours = false; /* below a NAME without value; is that `key`? */

	*there = false;
	while (text.len > 0) {
		struct seal_bytes raw = next_line(&text), line = without_comment(raw), member, value;
		const bool indented = raw.len > 0 && is_space(raw.ptr[0]);

		if (line.len >= 2 && line.ptr[0] == '[' && line.ptr[line.len - 1] == ']') {
			inside = opens(line, plain, section, name);
			*there |= inside;
			group = false;
			continue;
		}
		if (!inside || !split(line, &member, &value))
			continue;
		if (indented && group) {
			if (ours && sub != NULL && same_word(member, sub))
				found = value;
			continue;
		}
		group = value.len == 0;
		ours = same_word(member, key);
		if (ours && sub == NULL)
			found = value;
	}
	return found;
}

struct seal_bytes aws_files_value(const struct aws_files *files, enum aws_section section, const char *name,
				  const char *key, const char *sub)
{
	struct seal_bytes value;
	bool there;

	value = aws_text_value(secret_bytes(&files->credentials), true, section, name, key, sub, &there);
	if (value.len == 0)
		value = aws_text_value(secret_bytes(&files->config), false, section, name, key, sub, &there);
	return value;
}

bool aws_files_has(const struct aws_files *files, enum aws_section section, const char *name)
{
	bool a, b;

	(void)aws_text_value(secret_bytes(&files->credentials), true, section, name, "", NULL, &a);
	(void)aws_text_value(secret_bytes(&files->config), false, section, name, "", NULL, &b);
	return a || b;
}

static enum seal_status read_one(const char *variable, const char *name, char path[AWS_PATH_MAX], struct secret *out,
				 struct seal_err *err)
{
	const char *given = aws_variable(variable), *home = aws_variable("HOME");
	struct stat st;
	int len;

	path[0] = '\0';
	if (given != NULL && strncmp(given, "~/", 2) != 0)
		len = snprintf(path, AWS_PATH_MAX, "%s", given);
	else if (home != NULL)
		len = snprintf(path, AWS_PATH_MAX, "%s/%s", home, given != NULL ? given + 2 : name);
	else
		return SEAL_OK;
	if (len >= AWS_PATH_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "the path of %s is too long", variable);
	if (stat(path, &st) != 0 || (S_ISREG(st.st_mode) && st.st_size == 0))
		return SEAL_OK;
	return secret_read_file(path, AWS_FILE_MAX, false, out, err);
}

enum seal_status aws_files_read(struct aws_files *out, struct seal_err *err)
{
	enum seal_status rc;

	memset(out, 0, sizeof(*out));
	SEAL_TRY(read_one("AWS_CONFIG_FILE", ".aws/config", out->config_path, &out->config, err));
	SEAL_TRY(read_one("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", out->credentials_path, &out->credentials,
			  err));
out:
	if (rc != SEAL_OK)
		aws_files_clear(out);
	return rc;
}

void aws_files_clear(struct aws_files *files)
{
	secret_clear(&files->config);
	secret_clear(&files->credentials);
}
