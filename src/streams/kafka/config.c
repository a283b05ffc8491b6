/*
 * The reader of getting_started.ini and client.properties.
 *
 *   [consumer]                    section: fixed set, others are an error
 *   ; remark                      comment: `#`, `;` or `!` as a line's first visible character
 *   group.id = shop-1             name, `=` or `:`, value to the line's end, trimmed; nothing else is special
 *   sasl.jaas.config=… \          Java's own names alone: a backslash at the end continues
 *       username="alice";
 *
 * Invariant: a property is added whole or not at all; every error carries file:line:column and never a value.
 */
#include "streams/kafka/config.h"

#include "base/file.h"
#include "base/log.h"
#include "base/utf8.h"
#include "streams/kafka/java.h"

#define BOM "\xef\xbb\xbf"

enum section {
	SECTION_DEFAULT,
	SECTION_CONSUMER,
	SECTION_PRODUCER,
	SECTION_ENCRYPTOR,
	SECTION_LARGE_PAYLOAD,
	SECTION_PLAINTEXT_DEMO
};

static const char *const section_names[] = {"default",	     "consumer",	   "producer", "encryptor",
					    "large_payload", "plaintext-msg-demo", NULL};
static const char *const encryptor_names[] = {"sourcetopic", "targettopic", NULL};
static const char *const large_payload_names[] = {"topic", "sourcedir", "destinationdir", NULL};
/* What the producer of the Python demo reads: nothing to us, but the file must be usable as it is. */
static const char *const plaintext_demo_names[] = {"topic", "number_of_msg", "sleep_ms", NULL};

struct reader {
	struct kafka_config *config;
	struct seal_bytes text; /* of the whole file */
	size_t at; /* start of the next line */
	const char *file; /* in the config's arena */
	uint32_t line; /* of the line read last, from 1 */
	enum section section;
	bool in_section; /* a [section] line has been seen */
	unsigned taken; /* properties of this file */
	struct kafka_property *seen; /* the first property of this file, for duplicates */
};

void kafka_config_init(struct kafka_config *config)
{
	*config = (struct kafka_config){0};
	config->tail = &config->first;
	arena_init(&config->arena, 0);
}

void kafka_config_clear(struct kafka_config *config)
{
	arena_clear(&config->arena);
	kafka_config_init(config);
}

void kafka_property_place(const struct kafka_property *property, struct seal_err *err)
{
	if (property->file != NULL)
		err_place(err, "%s:%u:%u", property->file, property->line, property->column);
	else
		err_place(err, "-X");
}

static enum seal_status bad_at(const struct reader *r, size_t column, struct seal_err *err)
{
	err_place(err, "%s:%u:%zu", r->file, r->line, column);
	return err ? err->status : SEAL_USAGE;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\f' || c == '\v';
}

static struct seal_bytes trim_end(struct seal_bytes text)
{
	while (text.len > 0 && (is_blank(text.ptr[text.len - 1]) || text.ptr[text.len - 1] == '\r'))
		text.len--;
	return text;
}

static size_t blanks(struct seal_bytes text)
{
	size_t n = 0;

	while (n < text.len && is_blank(text.ptr[n]))
		n++;
	return n;
}

static struct seal_bytes trim(struct seal_bytes text)
{
	text = trim_end(text);
	return bytes_skip(text, blanks(text));
}

static bool next_line(struct reader *r, struct seal_bytes *line)
{
	struct seal_bytes rest = bytes_skip(r->text, r->at);
	const uint8_t *end;

	if (rest.len == 0)
		return false;
	end = memchr(rest.ptr, '\n', rest.len);
	*line = bytes_of(rest.ptr, end ? (size_t)(end - rest.ptr) : rest.len);
	r->at += line->len + 1;
	r->line++;
	*line = trim_end(*line);
	return true;
}

/* A lower-case copy; NULL when out of memory. */
static char *fold(struct arena *arena, struct seal_bytes text)
{
	char *out = arena_strndup(arena, (const char *)text.ptr, text.len);

	for (char *c = out; c != NULL && *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return out;
}

static bool is_name(struct seal_bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
		      c == '_' || c == '-'))
			return false;
	}
	return text.len > 0;
}

static enum seal_status read_section(struct reader *r, struct seal_bytes line, size_t column, struct seal_err *err)
{
	struct seal_bytes name = bytes_skip(line, 1);
	const char *folded, *near;

	if (name.len == 0 || name.ptr[name.len - 1] != ']') {
		(void)err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "a section line must end with ]");
		return bad_at(r, column, err);
	}
	name.len--;
	name = trim(name);
	folded = fold(&r->config->arena, name);
	if (folded == NULL)
		return err_memory(err);
	for (int i = 0; section_names[i] != NULL; i++) {
		if (strcmp(folded, section_names[i]) == 0) {
			r->section = (enum section)i;
			r->in_section = true;
			return SEAL_OK;
		}
	}
	near = word_nearest(section_names, name);
	(void)err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
		      "no section [%.*s] is known%s%s%s; there are [default], "
		      "[consumer], [producer], [encryptor] and [large_payload]",
		      BYTES_FMT(name), near ? "; did you mean [" : "", near ? near : "", near ? "]?" : "");
	return bad_at(r, column, err);
}

static bool ends_in_backslash(struct seal_bytes text)
{
	size_t n = 0;

	while (n < text.len && text.ptr[text.len - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

/* A value by Java's rules: continued lines joined (their leading blanks dropped), then escapes undone. */
static enum seal_status read_java_value(struct reader *r, struct seal_bytes first, const char **out,
					struct seal_err *err)
{
	struct seal_buf joined = BUF_INIT(KAFKA_CONFIG_FILE_MAX);
	struct seal_bytes line = first;
	enum seal_status rc = SEAL_OK;

	while (ends_in_backslash(line)) {
		SEAL_TRY(buf_append(&joined, bytes_of(line.ptr, line.len - 1), err));
		if (!next_line(r, &line))
			line = BYTES_EMPTY;
		line = bytes_skip(line, blanks(line));
	}
	SEAL_TRY(buf_append(&joined, line, err));
	SEAL_TRY(java_unescape(buf_bytes(&joined), &r->config->arena, out, err));
out:
	buf_clear(&joined);
	return rc;
}

static enum seal_status check_word(const struct reader *r, const char *const *words, const char *name, size_t column,
				   struct seal_err *err)
{
	const char *near;

	for (size_t i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], name) == 0)
			return SEAL_OK;
	near = word_nearest(words, bytes_str(name));
	(void)err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "[%s] has no key %.60s%s%s%s", section_names[r->section], name,
		      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return bad_at(r, column, err);
}

/* Keys of our own sections. */
static enum seal_status take_own(struct reader *r, const char *name, const char *value, size_t column,
				 struct seal_err *err)
{
	struct kafka_config *config = r->config;
	const struct {
		enum section section;
		const char *name, **slot, *what;
	} own[] = {
		{SECTION_ENCRYPTOR, encryptor_names[0], &config->source_topic, "a topic's name"},
		{SECTION_ENCRYPTOR, encryptor_names[1], &config->target_topic, "a topic's name"},
		{SECTION_LARGE_PAYLOAD, large_payload_names[0], &config->payload_topic, "a topic's name"},
		{SECTION_LARGE_PAYLOAD, large_payload_names[1], &config->payload_source_dir, "a directory"},
		{SECTION_LARGE_PAYLOAD, large_payload_names[2], &config->payload_destination_dir, "a directory"},
	};
	const char *const *words = r->section == SECTION_LARGE_PAYLOAD ? large_payload_names : encryptor_names;
	size_t i = 0;

	if (r->section == SECTION_PLAINTEXT_DEMO)
		return check_word(r, plaintext_demo_names, name, column, err);
	if (check_word(r, words, name, column, err) != SEAL_OK)
		return SEAL_USAGE;
	while (own[i].section != r->section || strcmp(own[i].name, name) != 0)
		i++;
	if (*own[i].slot == NULL && value[0] != '\0') {
		*own[i].slot = value;
		return SEAL_OK;
	}
	if (*own[i].slot != NULL)
		(void)err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s is set twice", name);
	else
		(void)err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s needs %s", name, own[i].what);
	return bad_at(r, column, err);
}

static struct kafka_property *append(struct kafka_config *config, const char *name, const char *value)
{
	struct kafka_property *p = ARENA_NEW(&config->arena, struct kafka_property);

	if (p == NULL)
		return NULL;
	*p = (struct kafka_property){.name = name, .value = value};
	*config->tail = p;
	config->tail = &p->next;
	return p;
}

static enum seal_status take(struct reader *r, const char *name, const char *value, size_t column, uint32_t line,
			     struct seal_err *err)
{
	static const enum kafka_role roles[] = {KAFKA_ANYONE, KAFKA_CONSUMER, KAFKA_PRODUCER};
	struct kafka_property *p;

	if (r->section > SECTION_PRODUCER)
		return take_own(r, name, value, column, err);
	for (p = r->seen; p != NULL; p = p->next) {
		if (p->role == roles[r->section] && strcmp(p->name, name) == 0) {
			(void)err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%.100s is set twice, first on line %u", name,
				      p->line);
			return bad_at(r, column, err);
		}
	}
	if (r->taken++ == KAFKA_PROPERTIES_MAX) {
		(void)err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "more than %d settings", KAFKA_PROPERTIES_MAX);
		return bad_at(r, column, err);
	}
	p = append(r->config, name, value);
	if (p == NULL)
		return err_memory(err);
	p->file = r->file;
	p->line = line;
	p->column = (uint32_t)column;
	p->role = roles[r->section];
	if (r->seen == NULL)
		r->seen = p;
	return SEAL_OK;
}

static enum seal_status read_property(struct reader *r, struct seal_bytes line, size_t column, struct seal_err *err)
{
	struct seal_bytes name, value;
	const char *folded, *text;
	uint32_t at_line = r->line;
	size_t at = 0;

	while (at < line.len && line.ptr[at] != '=' && line.ptr[at] != ':')
		at++;
	name = trim(bytes_of(line.ptr, at));
	value = trim(bytes_skip(line, at + 1));
	if (at == line.len || !is_name(name)) {
		(void)err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			      at == line.len ? "a line must be name=value, [section] or a comment"
					     : "a name is letters, digits, dots, dashes and underscores");
		return bad_at(r, column, err);
	}
	folded = fold(&r->config->arena, name);
	if (folded == NULL)
		return err_memory(err);
	if (java_is_own(folded)) {
		if (read_java_value(r, value, &text, err) != SEAL_OK)
			return bad_at(r, column, err);
	} else {
		text = arena_strndup(&r->config->arena, (const char *)value.ptr, value.len);
	}
	if (text == NULL)
		return err_memory(err);
	return take(r, folded, text, column, at_line, err);
}

static enum seal_status read_line(struct reader *r, struct seal_bytes line, struct seal_err *err)
{
	size_t indent = blanks(line);
	struct seal_bytes rest = bytes_skip(line, indent);

	if (rest.len == 0 || rest.ptr[0] == '#' || rest.ptr[0] == ';' || rest.ptr[0] == '!')
		return SEAL_OK;
	if (indent > 0 && r->in_section) {
		/* Python's ConfigParser, which made the format, would glue it to the value above. */
		(void)err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			      "an indented line in a section is ambiguous; start it in column 1");
		return bad_at(r, indent + 1, err);
	}
	if (rest.ptr[0] == '[')
		return read_section(r, rest, indent + 1, err);
	return read_property(r, rest, indent + 1, err);
}

enum seal_status kafka_config_parse(struct kafka_config *config, struct seal_bytes text, const char *file,
				    struct seal_err *err)
{
	struct reader r = {.config = config, .text = text};
	struct seal_bytes line;
	enum seal_status rc = SEAL_OK;

	r.file = arena_strndup(&config->arena, file, strlen(file));
	if (r.file == NULL)
		return err_memory(err);
	if (text.len > 0 && (memchr(text.ptr, 0, text.len) != NULL || !utf8_valid(text))) {
		(void)err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "not a text file in UTF-8");
		err_place(err, "%s", file);
		return SEAL_USAGE;
	}
	if (bytes_starts(text, BYTES_LIT(BOM)))
		r.text = bytes_skip(text, 3);
	while (next_line(&r, &line))
		SEAL_TRY(read_line(&r, line, err));
out:
	return rc;
}

enum seal_status kafka_config_read(struct kafka_config *config, const char *path, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(KAFKA_CONFIG_FILE_MAX);
	enum seal_status rc;

	SEAL_TRY(file_read(path, &text, err));
	SEAL_TRY(kafka_config_parse(config, buf_bytes(&text), path, err));
out:
	buf_clear(&text);
	return rc;
}

/* NULL: no memory. */
static struct kafka_property *append_copy(struct kafka_config *config, const char *name, const char *value)
{
	char *name_copy = fold(&config->arena, bytes_str(name));
	char *value_copy = arena_strndup(&config->arena, value, strlen(value));

	return name_copy && value_copy ? append(config, name_copy, value_copy) : NULL;
}

enum seal_status kafka_config_preset(struct kafka_config *config, const struct kafka_preset *rows,
				     struct seal_err *err)
{
	struct kafka_property *p;

	for (; rows->name != NULL; rows++) {
		p = append_copy(config, rows->name, rows->value);
		if (p == NULL)
			return err_memory(err);
		p->role = rows->role;
	}
	return SEAL_OK;
}

enum seal_status kafka_config_set(struct kafka_config *config, const char *name, const char *value,
				  struct seal_err *err)
{
	struct kafka_property *p = append_copy(config, name, value);

	if (p == NULL)
		return err_memory(err);
	if (config->overrides == NULL)
		config->overrides = p;
	return SEAL_OK;
}

bool kafka_property_is_secret(const char *name)
{
	static const char *const parts[] = {"password", "secret", "jaas", "pem", "oauthbearer.config", "passphrase"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(name, parts[i]) != NULL)
			return true;
	return false;
}

enum seal_status kafka_config_override(struct kafka_config *config, const char *text, struct seal_err *err)
{
	const char *equals = strchr(text, '='), *name = text;
	struct seal_bytes view;
	char *copy;

	/* kcat writes topic.acks for the topic's property acks; librdkafka takes both kinds under one name. */
	if (equals != NULL && strncmp(name, "topic.", 6) == 0 && strncmp(name, "topic.metadata.", 15) != 0 &&
	    strncmp(name, "topic.blacklist", 15) != 0)
		name += 6;
	view = trim(bytes_of(name, equals ? (size_t)(equals - name) : 0));
	if (!is_name(view)) {
		err_place(err, "-X");
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "must be name=value, such as -X security.protocol=SSL");
	}
	copy = arena_strndup(&config->arena, (const char *)view.ptr, view.len);
	if (copy == NULL)
		return err_memory(err);
	if (kafka_property_is_secret(copy))
		log_say(LOG_WARNING, "-X %s=… can be read by whoever may list processes; put it into a file for -F",
			copy);
	return kafka_config_set(config, copy, equals + 1, err);
}

static bool applies(const struct kafka_property *p, enum kafka_role role)
{
	return p->name != NULL && p->role == role;
}

const char *kafka_config_get(const struct kafka_config *config, enum kafka_role role, const char *name)
{
	const struct kafka_property *p;
	const char *general = NULL, *own = NULL, *top = NULL;
	bool over = false;

	for (p = config->first; p != NULL; p = p->next) {
		over = over || p == config->overrides;
		if (p->name == NULL || strcmp(p->name, name) != 0)
			continue;
		if (over)
			top = p->value;
		else if (p->role == KAFKA_ANYONE)
			general = p->value;
		else if (p->role == role)
			own = p->value;
	}
	return top ? top : own ? own : general;
}

enum seal_status kafka_config_each(struct kafka_config *config, enum kafka_role role,
				   enum seal_status (*each)(void *arg, struct kafka_property *property,
							    struct seal_err *err),
				   void *arg, struct seal_err *err)
{
	struct kafka_property *p;
	enum seal_status rc = SEAL_OK;

	for (p = config->first; p != config->overrides; p = p->next)
		if (applies(p, KAFKA_ANYONE))
			SEAL_TRY(each(arg, p, err));
	for (p = config->first; p != config->overrides; p = p->next)
		if (role != KAFKA_ANYONE && applies(p, role))
			SEAL_TRY(each(arg, p, err));
	for (p = config->overrides; p != NULL; p = p->next)
		if (p->name != NULL)
			SEAL_TRY(each(arg, p, err));
out:
	return rc;
}
