/*
 * The container of large payloads: its bytes, and the keys that a data key gives. docs/FORMAT-files.md has it for others.
 *
 *   header   "SEALFILE" │ version 1 │ id 16 │ n 4, wrapped key n │ commitment 32 │ n 4, sealed meta n
 *            ╰──────────────── associated data of the meta ────────────────────╯
 *   meta     version 1 │ chunk size 4 │ size 8 │ mtime 8 │ n 4, name n │ n 4, media type n       then tag 16
 *   chunk    ciphertext │ tag 16
 *
 * Invariants: nothing is opened before the commitment was compared; the key of the meta seals one message (nonce 0); the
 * key of the chunks is of this header alone, and the sealer's indexes only go up, so no nonce comes twice; a chunk's
 * length is checked against the meta before it is opened.
 */
#include "files/container.h"

#include "base/mem.h"
#include "crypto/aead.h"
#include "crypto/mac.h"
#include "keys/data_key.h"
#include "keys/kek.h"

#define CONTAINER_VERSION 1
#define META_VERSION 1
#define META_FIXED_LEN (1 + 4 + 8 + 8 + 4 + 4)
#define META_MAX (META_FIXED_LEN + FILE_NAME_LEN_MAX + FILE_TYPE_LEN_MAX)

#define LABEL_COMMIT "sealstream file v1 commit"
#define LABEL_META "sealstream file v1 meta"
#define LABEL_CHUNKS "sealstream file v1 chunks" /* then SHA-256 of the header */

/* What follows from the meta for every chunk. */
struct shape {
	uint64_t size;
	uint32_t chunk_size;
};

struct file_sealer {
	struct aead *chunks;
	struct seal_buf header;
	size_t wrapped_at, wrapped_len; /* within the header */
	struct shape shape;
	uint64_t next; /* the lowest index that may be sealed */
	bool ended;
};

struct file_opener {
	struct aead *chunks;
	struct seal_buf text; /* the opened meta; `meta` has views of it */
	struct file_meta meta;
};

uint64_t file_chunks(uint64_t size, uint32_t chunk_size)
{
	return size == 0 ? 1 : size / chunk_size + (size % chunk_size != 0);
}

/* As many as indexes can count and FILE_SIZE_MAX allows. */
static uint64_t chunks_max(uint32_t chunk_size)
{
	uint64_t by_size = FILE_SIZE_MAX / chunk_size;

	return by_size < FILE_CHUNKS_MAX ? by_size : FILE_CHUNKS_MAX;
}

/* NULL, or why this cannot be chunk `index` of a file of that shape. */
static const char *misfit(const struct shape *shape, uint32_t index, bool last, size_t len)
{
	const uint64_t count = shape->size == FILE_SIZE_UNKNOWN ? 0 : file_chunks(shape->size, shape->chunk_size);

	if (count > 0) {
		if (index >= count)
			return "the file has fewer chunks";
		if (last != (index == count - 1))
			return last ? "the file has more chunks" : "this is the file's last chunk";
	}
	if (!last)
		return len == shape->chunk_size ? NULL : "a chunk before the last is full";
	if (count > 0)
		return len == shape->size - (uint64_t)index * shape->chunk_size ? NULL : "the file has another size";
	if (len == 0 && index > 0)
		return "only a file without bytes ends in an empty chunk";
	return len <= shape->chunk_size ? NULL : "it is longer than a chunk";
}

static void chunk_nonce(uint32_t index, bool last, uint8_t nonce[AEAD_NONCE_LEN])
{
	memset(nonce, 0, AEAD_NONCE_LEN);
	be32_store(nonce + 7, index);
	nonce[11] = last;
}

static enum seal_status derive(const struct secret *key, const char *label, struct seal_bytes context,
			       struct secret *out, struct seal_err *err)
{
	struct seal_buf info = BUF_INIT(256);
	enum seal_status rc;

	SEAL_TRY(buf_append_str(&info, label, err));
	SEAL_TRY(buf_append(&info, context, err));
	SEAL_TRY(hkdf_sha256(secret_bytes(key), BYTES_EMPTY, buf_bytes(&info), DATA_KEY_LEN, out, err));
out:
	buf_clear(&info);
	return rc;
}

static enum seal_status derive_aead(const struct secret *key, const char *label, struct seal_bytes context,
				    struct aead **out, struct seal_err *err)
{
	struct secret derived = SECRET_INIT;
	enum seal_status rc;

	SEAL_TRY(derive(key, label, context, &derived, err));
	SEAL_TRY(aead_new(secret_bytes(&derived), out, err));
out:
	secret_clear(&derived);
	return rc;
}

/* The key of all chunks: bound to every byte of the header. */
static enum seal_status derive_chunks(const struct secret *key, struct seal_bytes header, struct aead **out,
				      struct seal_err *err)
{
	uint8_t hash[SHA256_LEN];
	enum seal_status rc;

	SEAL_TRY(sha256(header, hash, err));
	SEAL_TRY(derive_aead(key, LABEL_CHUNKS, bytes_of(hash, sizeof(hash)), out, err));
out:
	return rc;
}

/* Printable ASCII, which may be shown, and sent as a header. */
static bool is_plain(struct seal_bytes text, uint8_t from)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < from || text.ptr[i] > '~')
			return false;
	return true;
}

/* NULL, or what is out of bounds. */
static const char *meta_fault(const struct file_meta *meta)
{
	if (meta->chunk_size < FILE_CHUNK_MIN || meta->chunk_size > FILE_CHUNK_MAX)
		return "the chunk size is not between 1 KiB and 8 MiB";
	if (meta->name.len > FILE_NAME_LEN_MAX)
		return "the name is longer than 4096 bytes";
	if (meta->media_type.len > FILE_TYPE_LEN_MAX || !is_plain(meta->media_type, ' '))
		return "the media type is not printable ASCII of at most 255 bytes";
	if (meta->size == FILE_SIZE_UNKNOWN)
		return NULL;
	if (meta->size > FILE_SIZE_MAX)
		return "the file is larger than 256 TiB";
	if (file_chunks(meta->size, meta->chunk_size) > chunks_max(meta->chunk_size))
		return "the file has too many chunks of this size; take larger ones";
	return NULL;
}

static enum seal_status meta_write(const struct file_meta *meta, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append_u8(out, META_VERSION, err));
	SEAL_TRY(buf_append_be32(out, meta->chunk_size, err));
	SEAL_TRY(buf_append_be64(out, meta->size, err));
	SEAL_TRY(buf_append_be64(out, (uint64_t)meta->mtime_ns, err));
	SEAL_TRY(buf_append_lp32(out, meta->name, err));
	SEAL_TRY(buf_append_lp32(out, meta->media_type, err));
out:
	return rc;
}

static enum seal_status meta_parse(struct seal_bytes in, struct file_meta *meta, struct seal_err *err)
{
	struct cursor c = {in};
	const char *fault;
	uint64_t mtime;
	uint8_t version;

	if (!cursor_u8(&c, &version) || version != META_VERSION)
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "the container was made by a newer sealstream; use that one to read it");
	if (!cursor_be32(&c, &meta->chunk_size) || !cursor_be64(&c, &meta->size) || !cursor_be64(&c, &mtime) ||
	    !cursor_lp32(&c, FILE_NAME_LEN_MAX, &meta->name) ||
	    !cursor_lp32(&c, FILE_TYPE_LEN_MAX, &meta->media_type) || c.rest.len > 0)
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "the container's sealed header is not what it should be");
	meta->mtime_ns = (int64_t)mtime;
	fault = meta_fault(meta);
	if (fault != NULL)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT, "the container cannot be read: %s", fault);
	return SEAL_OK;
}

/* Appends length, ciphertext and tag; what the header has so far is the associated data. */
static enum seal_status seal_meta(const struct secret *key, const struct file_meta *meta, struct seal_buf *header,
				  struct seal_err *err)
{
	static const uint8_t nonce[AEAD_NONCE_LEN];
	struct seal_buf text = BUF_INIT(META_MAX);
	struct aead *aead = NULL;
	struct aead_item item;
	enum seal_status rc;
	size_t aad_len = header->len;

	SEAL_TRY(meta_write(meta, &text, err));
	SEAL_TRY(derive_aead(key, LABEL_META, BYTES_EMPTY, &aead, err));
	SEAL_TRY(buf_append_be32(header, (uint32_t)(text.len + FILE_TAG_LEN), err));
	SEAL_TRY(buf_reserve(header, text.len + FILE_TAG_LEN, err));
	item = (struct aead_item){.nonce = nonce,
				  .aad = bytes_of(header->ptr, aad_len),
				  .in = buf_bytes(&text),
				  .out = header->ptr + header->len,
				  .tag = header->ptr + header->len + text.len};
	SEAL_TRY(aead_seal_many(aead, &item, 1, err));
	header->len += text.len + FILE_TAG_LEN;
out:
	aead_free(aead);
	buf_clear(&text);
	return rc;
}

static enum seal_status write_header(struct file_sealer *s, const struct file_meta *meta, const struct secret *key,
				     struct seal_bytes wrapped, struct seal_err *err)
{
	struct secret commitment = SECRET_INIT;
	enum seal_status rc;

	SEAL_TRY(derive(key, LABEL_COMMIT, BYTES_EMPTY, &commitment, err));
	SEAL_TRY(buf_append_str(&s->header, FILE_MAGIC, err));
	SEAL_TRY(buf_append_u8(&s->header, CONTAINER_VERSION, err));
	SEAL_TRY(buf_append(&s->header, bytes_of(meta->id, FILE_ID_LEN), err));
	SEAL_TRY(buf_append_lp32(&s->header, wrapped, err));
	s->wrapped_at = s->header.len - wrapped.len;
	s->wrapped_len = wrapped.len;
	SEAL_TRY(buf_append(&s->header, secret_bytes(&commitment), err));
	SEAL_TRY(seal_meta(key, meta, &s->header, err));
out:
	secret_clear(&commitment);
	return rc;
}

enum seal_status file_sealer_new(const struct file_meta *meta, struct key_session *kek, bool derived,
				 const struct key_call *call, struct file_sealer **out, struct seal_err *err)
{
	struct file_sealer *s = NULL;
	struct secret key = SECRET_INIT;
	struct seal_bytes wrapped = BYTES_EMPTY;
	const char *fault = meta_fault(meta);
	enum seal_status rc;

	*out = NULL;
	if (fault != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "this cannot become a container: %s", fault);
	if (kek->ops->data_key == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			       "this key makes no data keys; files need one that encrypts");
	s = mem_calloc(1, sizeof(*s));
	if (s == NULL)
		return err_memory(err);
	s->header.max = FILE_HEADER_MAX;
	s->shape = (struct shape){meta->size, meta->chunk_size};
	SEAL_TRY(kek->ops->data_key(kek, DATA_KEY_LEN, kek_context(derived), &key, &wrapped, call, err));
	if (wrapped.len == 0 || wrapped.len > DATA_KEY_WRAPPED_MAX || !is_plain(wrapped, '!')) {
		rc = err_set(err, SEAL_FATAL, SEAL_E_INTERNAL,
			     "the key store gave a wrapped data key of no known form");
		goto out;
	}
	SEAL_TRY(write_header(s, meta, &key, wrapped, err));
	SEAL_TRY(derive_chunks(&key, buf_bytes(&s->header), &s->chunks, err));
	*out = s;
	s = NULL;
out:
	secret_clear(&key);
	file_sealer_free(s);
	return rc;
}

void file_sealer_free(struct file_sealer *sealer)
{
	if (sealer == NULL)
		return;
	aead_free(sealer->chunks);
	buf_clear(&sealer->header);
	mem_free(sealer);
}

struct seal_bytes file_sealer_header(const struct file_sealer *sealer)
{
	return buf_bytes(&sealer->header);
}

struct seal_bytes file_sealer_wrapped(const struct file_sealer *sealer)
{
	return bytes_of(sealer->header.ptr + sealer->wrapped_at, sealer->wrapped_len);
}

enum seal_status file_seal(struct file_sealer *sealer, uint32_t index, bool last, struct seal_bytes plain,
			   uint8_t *out, struct seal_err *err)
{
	uint8_t nonce[AEAD_NONCE_LEN];
	struct aead_item item = {.nonce = nonce, .in = plain, .out = out, .tag = out + plain.len};
	const char *why;

	if (sealer->ended || index < sealer->next)
		return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "chunk %u would be sealed again or out of order",
			       index);
	if (index >= chunks_max(sealer->shape.chunk_size))
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			       "too many chunks of %u bytes; take larger ones (at most 256 TiB are possible)",
			       sealer->shape.chunk_size);
	why = misfit(&sealer->shape, index, last, plain.len);
	if (why != NULL)
		return err_set(
			err, SEAL_DATA, SEAL_E_DOMAIN,
			"chunk %u does not fit what the header says (%s): did the file change while it was read?",
			index, why);
	chunk_nonce(index, last, nonce);
	sealer->next = (uint64_t)index + 1;
	sealer->ended = last;
	return aead_seal_many(sealer->chunks, &item, 1, err);
}

static enum seal_status cut(size_t have, size_t wanted, size_t *need, struct seal_err *err)
{
	*need = wanted;
	return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "the container is cut in its header, after %zu bytes", have);
}

/* A 32-bit length and that many bytes. A length out of bounds is damage, a missing byte a cut. */
static enum seal_status take_lp(struct cursor *c, struct seal_bytes in, size_t max, const char *what,
				struct seal_bytes *out, size_t *need, struct seal_err *err)
{
	size_t used = in.len - c->rest.len;
	uint32_t len;

	if (!cursor_be32(c, &len))
		return cut(in.len, used + 4, need, err);
	if (len == 0 || len > max)
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "the container's header is damaged: %s of %u bytes",
			       what, len);
	if (!cursor_take(c, len, out))
		return cut(in.len, used + 4 + len, need, err);
	return SEAL_OK;
}

enum seal_status file_header_parse(struct seal_bytes in, struct file_header *header, size_t *need,
				   struct seal_err *err)
{
	const struct seal_bytes magic = BYTES_LIT(FILE_MAGIC);
	const size_t start_len = magic.len + 1 + FILE_ID_LEN;
	size_t common = in.len < magic.len ? in.len : magic.len;
	struct cursor c = {in};
	struct seal_bytes part;
	enum seal_status rc = SEAL_OK;

	*header = (struct file_header){.all = BYTES_EMPTY};
	*need = 0;
	if (!bytes_eq(bytes_of(in.ptr, common), bytes_of(magic.ptr, common)))
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "this is no sealstream container");
	if (in.len > magic.len && in.ptr[magic.len] != CONTAINER_VERSION)
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "this container has version %u, made by a newer sealstream; use that one to read it",
			       in.ptr[magic.len]);
	if (!cursor_take(&c, start_len, &part))
		return cut(in.len, start_len, need, err);
	header->version = part.ptr[magic.len];
	header->id = part.ptr + magic.len + 1;
	SEAL_TRY(take_lp(&c, in, DATA_KEY_WRAPPED_MAX, "a wrapped key", &header->wrapped, need, err));
	if (!is_plain(header->wrapped, '!')) {
		rc = err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			     "the container's header is damaged: the wrapped key is no text");
		goto out;
	}
	if (!cursor_take(&c, DATA_KEY_COMMITMENT_LEN, &part)) {
		rc = cut(in.len, in.len - c.rest.len + DATA_KEY_COMMITMENT_LEN, need, err);
		goto out;
	}
	header->commitment = part.ptr;
	SEAL_TRY(take_lp(&c, in, META_MAX + FILE_TAG_LEN, "a sealed meta", &header->sealed_meta, need, err));
	if (header->sealed_meta.len < META_FIXED_LEN + FILE_TAG_LEN) {
		rc = err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			     "the container's header is damaged: its meta is too short");
		goto out;
	}
	header->all = bytes_of(in.ptr, in.len - c.rest.len);
out:
	if (rc != SEAL_OK)
		*header = (struct file_header){.all = BYTES_EMPTY};
	return rc;
}

enum seal_status file_part_parse(struct seal_bytes in, struct file_part *part, struct seal_err *err)
{
	struct cursor c;
	uint8_t last = 0;
	size_t need;
	enum seal_status rc;

	SEAL_TRY(file_header_parse(in, &part->header, &need, err));
	c.rest = bytes_skip(in, part->header.all.len);
	if (!cursor_be32(&c, &part->index) || !cursor_u8(&c, &last) || last > 1 || c.rest.len < FILE_TAG_LEN ||
	    c.rest.len > FILE_CHUNK_MAX + FILE_TAG_LEN)
		rc = err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "a part of a transfer is cut or damaged");
	part->last = last;
	part->chunk = c.rest;
out:
	if (rc != SEAL_OK)
		*part = (struct file_part){.index = 0};
	return rc;
}

/* Asks the KEK. */
static enum seal_status unwrap(struct seal_bytes wrapped, struct key_session *session, bool derived,
			       const struct key_call *call, struct secret *key, struct seal_err *err)
{
	const struct kek kek = {session, derived};
	enum seal_status rc;

	if (session->ops->decrypt == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			       "this key unwraps no data keys; files need one that decrypts");
	SEAL_TRY(kek_unwrap_raw(&kek, wrapped, "the container's key", call, key, err));
	if (key->len != DATA_KEY_LEN)
		rc = err_set(err, SEAL_DATA, SEAL_E_TAMPERED, "the container's key is not one of %d bytes",
			     DATA_KEY_LEN);
out:
	return rc;
}

static enum seal_status check_commitment(const struct secret *key, const uint8_t *commitment, struct seal_err *err)
{
	struct secret expected = SECRET_INIT;
	enum seal_status rc;

	SEAL_TRY(derive(key, LABEL_COMMIT, BYTES_EMPTY, &expected, err));
	if (!ct_equal(expected.ptr, commitment, DATA_KEY_COMMITMENT_LEN))
		rc = err_set(err, SEAL_DATA, SEAL_E_TAMPERED,
			     "the container was changed: it is not of the key that it carries");
out:
	secret_clear(&expected);
	return rc;
}

static enum seal_status open_meta(struct file_opener *o, const struct file_header *header, const struct secret *key,
				  struct seal_err *err)
{
	static const uint8_t nonce[AEAD_NONCE_LEN];
	const size_t len = header->sealed_meta.len - FILE_TAG_LEN;
	struct aead *aead = NULL;
	struct aead_item item;
	enum seal_status rc;

	SEAL_TRY(derive_aead(key, LABEL_META, BYTES_EMPTY, &aead, err));
	SEAL_TRY(buf_reserve(&o->text, header->sealed_meta.len, err));
	memcpy(o->text.ptr, header->sealed_meta.ptr, header->sealed_meta.len);
	item = (struct aead_item){.nonce = nonce,
				  .aad = bytes_of(header->all.ptr, header->all.len - header->sealed_meta.len - 4),
				  .in = bytes_of(o->text.ptr, len),
				  .out = o->text.ptr,
				  .tag = o->text.ptr + len};
	SEAL_TRY(aead_open_many(aead, &item, 1, err));
	if (!item.ok) {
		rc = err_set(err, SEAL_DATA, SEAL_E_TAMPERED, "the container's header was changed");
		goto out;
	}
	o->text.len = len;
	SEAL_TRY(meta_parse(buf_bytes(&o->text), &o->meta, err));
	memcpy(o->meta.id, header->id, FILE_ID_LEN);
out:
	aead_free(aead);
	return rc;
}

enum seal_status file_opener_new(const struct file_header *header, struct key_session *kek, bool derived,
				 const struct key_call *call, struct file_opener **out, struct seal_err *err)
{
	struct file_opener *o = mem_calloc(1, sizeof(*o));
	struct secret key = SECRET_INIT;
	enum seal_status rc;

	*out = NULL;
	if (o == NULL)
		return err_memory(err);
	o->text.max = META_MAX + FILE_TAG_LEN;
	SEAL_TRY(unwrap(header->wrapped, kek, derived, call, &key, err));
	SEAL_TRY(check_commitment(&key, header->commitment, err));
	SEAL_TRY(open_meta(o, header, &key, err));
	SEAL_TRY(derive_chunks(&key, header->all, &o->chunks, err));
	*out = o;
	o = NULL;
out:
	secret_clear(&key);
	file_opener_free(o);
	return rc;
}

void file_opener_free(struct file_opener *opener)
{
	if (opener == NULL)
		return;
	aead_free(opener->chunks);
	buf_clear(&opener->text);
	mem_free(opener);
}

const struct file_meta *file_opener_meta(const struct file_opener *opener)
{
	return &opener->meta;
}

enum seal_status file_open_chunk(struct file_opener *opener, uint32_t index, bool last, struct seal_bytes in,
				 uint8_t *out, struct seal_err *err)
{
	const struct shape shape = {opener->meta.size, opener->meta.chunk_size};
	uint8_t nonce[AEAD_NONCE_LEN], tag[FILE_TAG_LEN];
	struct aead_item item = {.nonce = nonce, .out = out, .tag = tag};
	enum seal_status rc;
	const char *why;

	if (in.len < FILE_TAG_LEN)
		return err_set(err, SEAL_DATA, SEAL_E_TAMPERED, "chunk %u is cut", index);
	item.in = bytes_of(in.ptr, in.len - FILE_TAG_LEN);
	why = index >= chunks_max(shape.chunk_size) ? "no file has so many chunks"
						    : misfit(&shape, index, last, item.in.len);
	if (why != NULL) {
		mem_wipe(out, item.in.len);
		return err_set(err, SEAL_DATA, SEAL_E_TAMPERED, "chunk %u is not one of this file: %s", index, why);
	}
	memcpy(tag, in.ptr + item.in.len, FILE_TAG_LEN);
	chunk_nonce(index, last, nonce);
	SEAL_TRY(aead_open_many(opener->chunks, &item, 1, err));
	if (!item.ok)
		rc = err_set(err, SEAL_DATA, SEAL_E_TAMPERED,
			     "chunk %u was changed, or belongs elsewhere or to another file", index);
out:
	return rc;
}
