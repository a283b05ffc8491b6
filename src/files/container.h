/*
 * The container of large payloads: a header and chunks, under a data key that is used once (docs/FORMAT-files.md has the bytes).
 *
 *   header   "SEALFILE" 8 │ version 1 │ transfer id 16 │ wrapped key LP │ commitment 32 │ sealed meta LP
 *   chunk i  ciphertext of chunk_size bytes (the last one may be shorter, even empty) │ tag 16
 *
 *   data key ─┬─ HKDF "commit"            ──▶ commitment
 *             ├─ HKDF "meta"              ──▶ key of the sealed meta
 *             └─ HKDF "chunks", SHA-256(header) ──▶ key of the chunks; nonce = 0 (7 bytes) │ index (4, big-endian) │ last (1)
 *
 * So a chunk is bound to everything the header says (transfer, name, size, media type), to its index, and to being the last: chunks
 * that were reordered, repeated, dropped, cut or taken from another file don't open (STREAM: Hoang, Reyhanitabar, Rogaway,
 * Vizár 2015). A local file is header, chunk 0, chunk 1 …; a record of a transfer is header, index, last, one chunk.
 *
 * Chunk keys of a KEK's `data_key` never repeat, so neither do nonces. A sealer belongs to one thread at a time.
 */
#ifndef FILES_CONTAINER_H
#define FILES_CONTAINER_H

#include "base/buf.h"
#include "keys/key.h"

#define FILE_SUFFIX ".seal"
#define FILE_MAGIC "SEALFILE" /* what a container starts with */
#define FILE_ID_LEN 16
#define FILE_TAG_LEN 16
#define FILE_CHUNK_DEFAULT (512u << 10)
#define FILE_CHUNK_MIN 1024u
#define FILE_CHUNK_MAX (8u << 20)
#define FILE_CHUNKS_MAX (1ull << 32) /* the index has 4 bytes */
#define FILE_SIZE_MAX (1ull << 48) /* what one AES-GCM key may encrypt with ease */
#define FILE_NAME_LEN_MAX 4096 /* bytes of a name, as sent; whether it may become a file is names.h' business */
#define FILE_TYPE_LEN_MAX 255
#define FILE_HEADER_MAX 16384
#define FILE_SIZE_UNKNOWN UINT64_MAX /* from a pipe */
#define FILE_PART_HEADER_LEN 5 /* of a record: index 4, last 1; between the header and the chunk */

/* What the header says, authenticated. Views of the sealer or opener. */
struct file_meta {
	struct seal_bytes name; /* as the sender had it, any bytes; may be empty */
	struct seal_bytes media_type; /* "text/csv", printable ASCII; may be empty */
	uint64_t size; /* bytes of the plaintext, or FILE_SIZE_UNKNOWN */
	int64_t mtime_ns; /* Unix time; INT64_MIN: not known */
	uint32_t chunk_size; /* of the plaintext */
	uint8_t id[FILE_ID_LEN]; /* of the transfer */
};

/* How many chunks a file of `size` bytes has: at least 1. */
uint64_t file_chunks(uint64_t size, uint32_t chunk_size);

struct file_sealer;

/* Asks `kek` for one data key. meta->id is the caller's (random_bytes). SEAL_USAGE for sizes and lengths out of bounds. */
SEAL_MUST_USE enum seal_status file_sealer_new(const struct file_meta *meta, struct key_session *kek, bool derived,
					       const struct key_call *call, struct file_sealer **out,
					       struct seal_err *err);
void file_sealer_free(struct file_sealer *sealer); /* accepts NULL */
struct seal_bytes file_sealer_header(const struct file_sealer *sealer);
struct seal_bytes file_sealer_wrapped(const struct file_sealer *sealer); /* "vault:vN:…" */
/*
 * Seals chunk `index`: `out` has room for plain.len + FILE_TAG_LEN and may be `plain` itself. Indexes go up and may leave gaps;
 * `last` is for the last alone. SEAL_FATAL for an index that is not above all before: its nonce could come twice. SEAL_DATA for
 * one that the limits exclude, and for a length that is not what the meta says (the file changed while it was read).
 */
SEAL_MUST_USE enum seal_status file_seal(struct file_sealer *sealer, uint32_t index, bool last,
					 struct seal_bytes plain, uint8_t *out, struct seal_err *err);

/* A header as it stands, before anything is authenticated: views of the text. */
struct file_header {
	struct seal_bytes all; /* the whole header: what follows it is a chunk, or a part's index */
	uint8_t version; /* of the container */
	const uint8_t *id; /* FILE_ID_LEN bytes */
	struct seal_bytes wrapped;
	const uint8_t *commitment; /* 32 bytes */
	struct seal_bytes sealed_meta;
};

/*
 * Parses what starts `in`. SEAL_DATA/SEAL_E_SYNTAX: not a container, of a newer version, or cut. *need is 0 unless it was cut: then
 * that many bytes are wanted at least, at most FILE_HEADER_MAX.
 */
SEAL_MUST_USE enum seal_status file_header_parse(struct seal_bytes in, struct file_header *header, size_t *need,
						 struct seal_err *err);

struct file_opener;

/* Asks `kek` to unwrap; checks the commitment, opens the meta and checks its bounds. */
SEAL_MUST_USE enum seal_status file_opener_new(const struct file_header *header, struct key_session *kek,
					       bool derived, const struct key_call *call, struct file_opener **out,
					       struct seal_err *err);
void file_opener_free(struct file_opener *opener); /* accepts NULL */
const struct file_meta *file_opener_meta(const struct file_opener *opener);
/*
 * Opens chunk `index` (ciphertext and tag): `out` has room for in.len - FILE_TAG_LEN and may be in.ptr. SEAL_DATA, and out zeroed,
 * when it is not this chunk of this file, or its length is not what the meta says it must be.
 */
SEAL_MUST_USE enum seal_status file_open_chunk(struct file_opener *opener, uint32_t index, bool last,
					       struct seal_bytes in, uint8_t *out, struct seal_err *err);

/* A record of a transfer. */
struct file_part {
	struct file_header header;
	uint32_t index;
	bool last;
	struct seal_bytes chunk; /* ciphertext and tag */
};

SEAL_MUST_USE enum seal_status file_part_parse(struct seal_bytes in, struct file_part *part, struct seal_err *err);

#endif
