/* A small table: what people send, not all that there is. */
#include "files/media_type.h"

#include <strings.h>

static const struct {
	const char *suffix, *type;
} types[] = {
	{"avro", "application/avro"},
	{"bin", "application/octet-stream"},
	{"bmp", "image/bmp"},
	{"bz2", "application/x-bzip2"},
	{"csv", "text/csv"},
	{"doc", "application/msword"},
	{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{"gif", "image/gif"},
	{"gz", "application/gzip"},
	{"htm", "text/html"},
	{"html", "text/html"},
	{"jpeg", "image/jpeg"},
	{"jpg", "image/jpeg"},
	{"json", "application/json"},
	{"log", "text/plain"},
	{"md", "text/markdown"},
	{"mp3", "audio/mpeg"},
	{"mp4", "video/mp4"},
	{"ndjson", "application/x-ndjson"},
	{"parquet", "application/vnd.apache.parquet"},
	{"pdf", "application/pdf"},
	{"png", "image/png"},
	{"svg", "image/svg+xml"},
	{"tar", "application/x-tar"},
	{"tif", "image/tiff"},
	{"tiff", "image/tiff"},
	{"tsv", "text/tab-separated-values"},
	{"txt", "text/plain"},
	{"wav", "audio/x-wav"},
	{"webp", "image/webp"},
	{"xls", "application/vnd.ms-excel"},
	{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{"xml", "application/xml"},
	{"yaml", "application/yaml"},
	{"yml", "application/yaml"},
	{"zip", "application/zip"},
	{"zst", "application/zstd"},
};

const char *media_type_of(struct seal_bytes name)
{
	struct seal_bytes suffix = name;

	if (name.len == 0)
		return "";
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] == '.')
			suffix = bytes_skip(name, i + 1);
	for (size_t i = 0; suffix.len < name.len && i < sizeof(types) / sizeof(types[0]); i++)
		if (suffix.len == strlen(types[i].suffix) &&
		    strncasecmp((const char *)suffix.ptr, types[i].suffix, suffix.len) == 0)
			return types[i].type;
	return "application/octet-stream";
}
