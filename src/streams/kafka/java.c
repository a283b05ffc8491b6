/*
 * Translation of Java client settings. Four kinds:
 *
 *   renamed     max.request.size → message.max.bytes, ssl.truststore.certificates → ssl.ca.pem …
 *   taken apart sasl.jaas.config → sasl.username, sasl.password
 *   by store    ssl.truststore.*, ssl.keystore.*: PEM and PKCS#12 are translated, JKS is refused with the keytool line
 *   of Java     serializers, interceptors …: left out, said once
 */
#include "streams/kafka/java.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/utf8.h"

enum store_type { STORE_UNKNOWN, STORE_PEM, STORE_PKCS12, STORE_JKS };

static const char *const own_names[] = {"sasl.jaas.config", "ssl.truststore.certificates",
					"ssl.keystore.certificate.chain", "ssl.keystore.key", NULL};

static const struct {
	const char *java, *ours;
	long divisor; /* of a number; 0: copied */
} renamed[] = {
	{"ssl.truststore.certificates", "ssl.ca.pem", 0},
	{"ssl.keystore.certificate.chain", "ssl.certificate.pem", 0},
	{"ssl.keystore.key", "ssl.key.pem", 0},
	{"max.request.size", "message.max.bytes", 0},
	{"buffer.memory", "queue.buffering.max.kbytes", 1024},
};

static const char *const left_out[] = {
	"auto.include.jmx.reporter",
	"default.api.timeout.ms",
	"exclude.internal.topics",
	"interceptor.classes",
	"key.deserializer",
	"key.serializer",
	"max.block.ms",
	"metric.reporters",
	"metrics.num.samples",
	"metrics.recording.level",
	"metrics.sample.window.ms",
	"partitioner.class",
	"sasl.login.class",
	"sasl.login.callback.handler.class",
	"sasl.client.callback.handler.class",
	"security.providers",
	"ssl.enabled.protocols",
	"ssl.engine.factory.class",
	"ssl.keymanager.algorithm",
	"ssl.protocol",
	"ssl.provider",
	"ssl.secure.random.implementation",
	"ssl.trustmanager.algorithm",
	"value.deserializer",
	"value.serializer",
	NULL,
};

static bool one_of(const char *const *words, const char *name)
{
	for (; *words != NULL; words++)
		if (strcmp(*words, name) == 0)
			return true;
	return false;
}

bool java_is_own(const char *name)
{
	return one_of(own_names, name);
}

static bool read_hex4(struct seal_bytes text, uint32_t *out)
{
	*out = 0;
	if (text.len < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef0123456789ABCDEF", *at = strchr(digits, text.ptr[i]);

		if (at == NULL || text.ptr[i] == 0)
			return false;
		*out = *out << 4 | (uint32_t)((at - digits) & 15);
	}
	return *out != 0 && (*out < 0xd800 || *out > 0xdfff);
}

enum seal_status java_unescape(struct seal_bytes text, struct arena *arena, const char **out, struct seal_err *err)
{
	static const char letters[] = "ntrf", meanings[] = "\n\t\r\f";
	uint8_t *to = arena_alloc(arena, text.len + 1, 1);
	size_t n = 0, i = 0;
	const char *letter;
	uint32_t point;

	*out = (const char *)to;
	if (to == NULL)
		return err_memory(err);
	while (i < text.len) {
		uint8_t c = text.ptr[i++];

		if (c != '\\' || i == text.len) {
			to[n++] = c;
			continue;
		}
		c = text.ptr[i++];
		if (c == 'u') {
			if (!read_hex4(bytes_skip(text, i), &point))
				return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
					       "a \\u escape needs four hexadecimal digits of a character");
			n += utf8_put(point, to + n);
			i += 4;
			continue;
		}
		letter = strchr(letters, c);
		to[n++] = letter && c ? (uint8_t)meanings[letter - letters] : c;
	}
	to[n] = '\0';
	return SEAL_OK;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copies a quoted or bare word at `at`; a backslash takes the next character as it is. NULL: unfinished. */
static const char *copy_word(const char *at, struct arena *arena, const char **out)
{
	char quote = *at == '"' || *at == '\'' ? *at++ : '\0';
	char *to = arena_alloc(arena, strlen(at) + 1, 1);
	size_t n = 0;

	if (to == NULL)
		return NULL;
	while (*at != '\0' && (quote ? *at != quote : !is_space(*at) && *at != ';')) {
		if (quote && *at == '\\' && at[1] != '\0')
			at++;
		to[n++] = *at++;
	}
	to[n] = '\0';
	*out = to;
	if (quote && *at != quote)
		return NULL;
	return quote ? at + 1 : at;
}

bool java_jaas_option(const char *jaas, const char *name, struct arena *arena, const char **out)
{
	const char *value, *at = jaas;
	size_t len = strlen(name), word;

	while (*at != '\0') {
		while (is_space(*at) || *at == ';')
			at++;
		word = strcspn(at, "= \t\r\n;");
		if (at[word] != '=') {
			at += word;
			continue;
		}
		value = NULL;
		if (word == len && memcmp(at, name, len) == 0) {
			at = copy_word(at + word + 1, arena, &value);
			*out = value;
			return at != NULL;
		}
		at = copy_word(at + word + 1, arena, &value);
		if (at == NULL)
			return false;
	}
	return false;
}

/* Adds a property right behind `after`, with its role and place. */
static enum seal_status add_behind(struct kafka_config *config, struct kafka_property *after, const char *name,
				   const char *value, struct seal_err *err)
{
	struct kafka_property *p = ARENA_NEW(&config->arena, struct kafka_property);

	if (p == NULL)
		return err_memory(err);
	*p = *after;
	p->name = name;
	p->value = value;
	p->warned = false;
	after->next = p;
	if (p->next == NULL)
		config->tail = &p->next;
	return SEAL_OK;
}

/* One option of the module becomes a property behind `p`, if it is there. */
static enum seal_status take_option(struct kafka_config *config, struct kafka_property *p, const char *option,
				    const char *name, struct seal_err *err)
{
	const char *value;

	if (!java_jaas_option(p->value, option, &config->arena, &value))
		return SEAL_OK;
	return add_behind(config, p, name, value, err);
}

/* extension_NAME="VALUE" …, as sasl.oauthbearer.extensions=NAME=VALUE,… */
static enum seal_status take_extensions(struct kafka_config *config, struct kafka_property *p, struct seal_err *err)
{
	static const char prefix[] = "extension_";
	const char *at = p->value, *value, *all = "";

	while ((at = strstr(at, prefix)) != NULL) {
		const char *name = arena_strndup(&config->arena, at, strcspn(at, "= \t\r\n;"));

		if (name == NULL)
			return err_memory(err);
		if (java_jaas_option(p->value, name, &config->arena, &value)) {
			all = arena_printf(&config->arena, "%s%s%s=%s", all, *all ? "," : "",
					   name + sizeof(prefix) - 1, value);
			if (all == NULL)
				return err_memory(err);
		}
		at += strlen(name);
	}
	return *all ? add_behind(config, p, "sasl.oauthbearer.extensions", all, err) : SEAL_OK;
}

static enum seal_status take_oauth_apart(struct kafka_config *config, struct kafka_property *p, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(take_option(config, p, "clientId", "sasl.oauthbearer.client.id", err));
	SEAL_TRY(take_option(config, p, "clientSecret", "sasl.oauthbearer.client.secret", err));
	SEAL_TRY(take_option(config, p, "scope", "sasl.oauthbearer.scope", err));
	SEAL_TRY(take_extensions(config, p, err));
	p->name = "sasl.oauthbearer.method"; /* Java knows it by the login module */
	p->value = "oidc";
out:
	return rc;
}

static enum seal_status take_jaas_apart(struct kafka_config *config, struct kafka_property *p, struct seal_err *err)
{
	const char *user, *password;

	if (strstr(p->value, "OAuthBearerLoginModule") != NULL)
		return take_oauth_apart(config, p, err);
	if (strstr(p->value, "PlainLoginModule") == NULL && strstr(p->value, "ScramLoginModule") == NULL) {
		kafka_property_place(p, err);
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "sasl.jaas.config is understood for PlainLoginModule, ScramLoginModule and "
			       "OAuthBearerLoginModule only; set sasl.kerberos.* instead");
	}
	if (!java_jaas_option(p->value, "username", &config->arena, &user) ||
	    !java_jaas_option(p->value, "password", &config->arena, &password)) {
		kafka_property_place(p, err);
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "sasl.jaas.config has no complete username=\"…\" and password=\"…\"");
	}
	p->name = "sasl.username";
	p->value = user;
	return add_behind(config, p, "sasl.password", password, err);
}

static enum store_type type_of_name(const char *name)
{
	static const struct {
		const char *name;
		enum store_type type;
	} types[] = {{"pem", STORE_PEM}, {"pkcs12", STORE_PKCS12}, {"jks", STORE_JKS}};

	for (size_t i = 0; name != NULL && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(name, types[i].name) == 0)
			return types[i].type;
	return STORE_UNKNOWN;
}

/* Looks at a store's first bytes: Java's magic feedfeed, a DER sequence, or text with a PEM line. */
static enum store_type type_of_file(const char *path)
{
	uint8_t head[4096];
	FILE *file = fopen(path, "rb");
	size_t n = file ? fread(head, 1, sizeof(head), file) : 0;

	if (file != NULL)
		fclose(file);
	if (n >= 4 && be32_load(head) == 0xfeedfeed)
		return STORE_JKS;
	if (n >= 2 && head[0] == 0x30 && head[1] >= 0x80)
		return STORE_PKCS12;
	return n > 0 && memmem(head, n, "-----BEGIN", 10) != NULL ? STORE_PEM : STORE_UNKNOWN;
}

static enum store_type type_of_store(const struct kafka_config *config, const struct kafka_property *location,
				     const char *type_name)
{
	enum store_type type = STORE_UNKNOWN;

	for (int role = KAFKA_ANYONE; role <= KAFKA_PRODUCER && type == STORE_UNKNOWN; role++)
		type = type_of_name(kafka_config_get(config, (enum kafka_role)role, type_name));
	return type != STORE_UNKNOWN ? type : type_of_file(location->value);
}

static enum seal_status refuse_store(const struct kafka_property *p, const char *command, struct seal_err *err)
{
	kafka_property_place(p, err);
	if (access(p->value, R_OK) != 0)
		return err_set_errno(err, SEAL_USAGE, SEAL_E_NO_INPUT, errno, "%s %.200s", p->name, p->value);
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s names a store that only Java can read; convert it: %s",
		       p->name, command);
}

static enum seal_status translate_truststore(struct kafka_config *config, struct kafka_property *p,
					     struct seal_err *err)
{
	char command[400];

	switch (type_of_store(config, p, "ssl.truststore.type")) {
	case STORE_PEM:
		p->name = "ssl.ca.location";
		return SEAL_OK;
	case STORE_PKCS12:
		snprintf(command, sizeof(command),
			 "openssl pkcs12 -in %.100s -nokeys -out ca.pem, then "
			 "ssl.truststore.type=PEM and ssl.truststore.location=ca.pem",
			 p->value);
		return refuse_store(p, command, err);
	case STORE_JKS:
	case STORE_UNKNOWN:
		break;
	}
	snprintf(command, sizeof(command),
		 "keytool -list -rfc -keystore %.100s > ca.pem, then ssl.truststore.type=PEM "
		 "and ssl.truststore.location=ca.pem",
		 p->value);
	return refuse_store(p, command, err);
}

static enum seal_status translate_keystore(struct kafka_config *config, struct kafka_property *p,
					   struct seal_err *err)
{
	char command[400];

	switch (type_of_store(config, p, "ssl.keystore.type")) {
	case STORE_PEM:
		p->name = "ssl.certificate.location";
		return add_behind(config, p, "ssl.key.location", p->value, err);
	case STORE_PKCS12:
		return SEAL_OK;
	case STORE_JKS:
	case STORE_UNKNOWN:
		break;
	}
	snprintf(command, sizeof(command),
		 "keytool -importkeystore -srckeystore %.100s -destkeystore client.p12 "
		 "-deststoretype PKCS12, then ssl.keystore.location=client.p12",
		 p->value);
	return refuse_store(p, command, err);
}

static enum seal_status rename_one(struct kafka_config *config, struct kafka_property *p, struct seal_err *err)
{
	uint64_t number;

	for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++) {
		if (strcmp(p->name, renamed[i].java) != 0)
			continue;
		p->name = renamed[i].ours;
		if (renamed[i].divisor == 0)
			return SEAL_OK;
		if (!bytes_to_u64(bytes_str(p->value), INT64_MAX, &number)) {
			kafka_property_place(p, err);
			return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s must be a whole number", renamed[i].java);
		}
		p->value = arena_printf(&config->arena, "%llu",
					(unsigned long long)number / (unsigned long long)renamed[i].divisor);
		return p->value ? SEAL_OK : err_memory(err);
	}
	return SEAL_OK;
}

static enum seal_status translate_one(struct kafka_config *config, struct kafka_property *p, struct seal_err *err)
{
	if (one_of(left_out, p->name)) {
		log_say(LOG_WARNING, "%s is a setting of Java clients and has no effect here", p->name);
		p->name = NULL;
		return SEAL_OK;
	}
	if (strcmp(p->name, "sasl.jaas.config") == 0)
		return take_jaas_apart(config, p, err);
	if (strcmp(p->name, "ssl.truststore.location") == 0)
		return translate_truststore(config, p, err);
	if (strcmp(p->name, "ssl.keystore.location") == 0)
		return translate_keystore(config, p, err);
	/* Java says "" where librdkafka says none. */
	if (strcmp(p->name, "ssl.endpoint.identification.algorithm") == 0 && p->value[0] == '\0')
		p->value = "none";
	return rename_one(config, p, err);
}

enum seal_status kafka_config_translate(struct kafka_config *config, struct seal_err *err)
{
	struct kafka_property *p;
	enum seal_status rc = SEAL_OK;

	for (p = config->first; p != NULL; p = p->next)
		if (p->name != NULL)
			SEAL_TRY(translate_one(config, p, err));
	/* Only after the stores were looked at, which need them. */
	for (p = config->first; p != NULL; p = p->next)
		if (p->name != NULL &&
		    (strcmp(p->name, "ssl.truststore.type") == 0 || strcmp(p->name, "ssl.keystore.type") == 0 ||
		     strcmp(p->name, "ssl.truststore.password") == 0))
			p->name = NULL;
out:
	return rc;
}
