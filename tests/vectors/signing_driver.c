/*
 * Signs one thing a line, for tests that bring vectors and other implementations (tests/services/platforms/test_signatures.py).
 *
 *     sigv4 METHOD PATH QUERY TIME REGION SERVICE ACCESS SECRET BODY NAME VALUE …    ▶ value of Authorization; PATH, QUERY canonical
 *     sas URI KEY-NAME KEY EXPIRES                                                   ▶ a shared access signature
 *     jwt FILE AUDIENCE SCOPE NOW                                                    ▶ "Bearer …" of a service account's key file
 *
 * Fields stand between tabs, and all texts are hex, "-" for an empty one; times are seconds since 1970. An answer is a text, or
 * "error CODE". A line that is not one of these ends the program with status 64.
 */
#include <stdio.h>
#include <stdlib.h>

#include "aws/sigv4.h"
#include "base/mem.h"
#include "google/jwt.h"
#include "streams/eventhubs/sas.h"
#include "vector.h"

#define FIELDS 80
#define ROOM 16384 /* bytes of a field */

static struct sigv4_signer signer = SIGV4_SIGNER_INIT; /* across lines, as across calls */
static uint8_t room[FIELDS][ROOM];
static size_t lengths[FIELDS], n_fields;

/* With a zero byte behind it, which hex of ROOM - 1 bytes leaves room for. */
static const char *text_at(size_t i)
{
	return (const char *)room[i];
}

static void split(char *line)
{
	char *rest = line, *field;

	line[strcspn(line, "\n")] = '\0';
	n_fields = 0;
	while ((field = strsep(&rest, "\t")) != NULL && n_fields < FIELDS) {
		const struct seal_bytes bytes =
			n_fields == 0 ? bytes_str(field) : vector_hex_or_none(field, room[n_fields], ROOM - 1);

		if (n_fields == 0)
			memcpy(room[0], field, strlen(field));
		lengths[n_fields] = bytes.len;
		room[n_fields++][bytes.len] = '\0';
	}
}

static void answer(enum seal_status rc, struct seal_bytes text, const struct seal_err *err)
{
	if (rc != SEAL_OK)
		printf("error %s\n", seal_code_name(err->code));
	else
		printf("%.*s\n", (int)text.len, (const char *)text.ptr);
	fflush(stdout);
}

static void sigv4_line(void)
{
	struct http_header headers[SIGV4_HEADERS_MAX];
	struct sigv4_request request = {.method = text_at(1),
					.path = text_at(2),
					.query = text_at(3),
					.headers = headers,
					.body = bytes_of(room[9], lengths[9]),
					.region = text_at(5),
					.service = text_at(6),
					.unix_s = strtoll(text_at(4), NULL, 10)};
	struct seal_buf out = BUF_INIT(ROOM);
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc;

	for (size_t i = 10; i + 1 < n_fields && request.n_headers < SIGV4_HEADERS_MAX; i += 2)
		headers[request.n_headers++] = (struct http_header){text_at(i), text_at(i + 1)};
	rc = sigv4_sign(&signer, &request, text_at(7), bytes_of(room[8], lengths[8]), &out, &err);
	answer(rc, buf_bytes(&out), &err);
	buf_clear(&out);
}

static void sas_line(void)
{
	struct secret token = SECRET_INIT;
	struct seal_err err = SEAL_ERR_INIT;
	const enum seal_status rc =
		sas_make(text_at(1), text_at(2), text_at(3), strtoll(text_at(4), NULL, 10), &token, &err);

	answer(rc, bytes_str(rc == SEAL_OK ? (const char *)token.ptr : ""), &err);
	secret_clear(&token);
}

static void jwt_line(void)
{
	struct google_credentials credentials;
	struct secret header = SECRET_INIT;
	struct seal_err err = SEAL_ERR_INIT;
	char places[CREDENTIALS_PLACES_MAX];
	enum seal_status rc;

	credentials_init(&credentials);
	rc = credentials_find(text_at(1), &credentials, places, &err);
	if (rc == SEAL_OK)
		rc = jwt_make(&credentials, lengths[2] > 0 ? text_at(2) : NULL, lengths[3] > 0 ? text_at(3) : NULL,
			      strtoll(text_at(4), NULL, 10), &header, &err);
	answer(rc, bytes_str(rc == SEAL_OK ? (const char *)header.ptr : ""), &err);
	secret_clear(&header);
	credentials_clear(&credentials);
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		split(line);
		if (strcmp(text_at(0), "sigv4") == 0 && n_fields >= 10)
			sigv4_line();
		else if (strcmp(text_at(0), "sas") == 0 && n_fields == 5)
			sas_line();
		else if (strcmp(text_at(0), "jwt") == 0 && n_fields == 5)
			jwt_line();
		else
			return 64;
	}
	free(line);
	sigv4_signer_clear(&signer);
	return 0;
}
