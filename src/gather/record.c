/* Writes the records of streamed answers. No state; memory is the arena's. */
#include "gather/record.h"

#include "base/compiler.h"
#include "gather/meta.h"

static struct str
boundary_of(const struct record_style *style)
{
	return str_of(style->boundary, sizeof style->boundary);
}

struct str
record_type(enum route_format format)
{
	static const struct str types[] = {
		[FORMAT_JSON] = STR_INIT("application/json"),
		[FORMAT_NDJSON] = STR_INIT("application/x-ndjson"),
		[FORMAT_SSE] = STR_INIT("text/event-stream"),
		[FORMAT_MULTIPART] = STR_INIT("multipart/mixed"),
	};

	return types[format];
}

struct str
record_media_type(const struct record_style *style, struct arena *arena)
{
	struct str type = record_type(style->format), boundary = boundary_of(style);

	if (style->format != FORMAT_MULTIPART)
		return type;
	return arena_printf(
	    arena, "%.*s; boundary=%.*s", STR_FMT(type), STR_FMT(boundary));
}

/* ---- what all records of a format have in common */

/* Names of calls and events are letters, digits, "_" and "-". */
static struct record
event(struct arena *arena, struct str name, struct str data)
{
	return (struct record){
		.head = arena_printf(arena, "event: %.*s\ndata: ", STR_FMT(name)),
		.body = data,
		.tail = STR("\n\n"),
		.is_one_line = true,
	};
}

static struct record
line(struct str text)
{
	return (struct record){ .head = text, .tail = STR("\n") };
}

/* RFC 2046 5.1: the delimiter with the line ends before and behind it; name: none for the last part. */
static struct record
part(const struct record_style *style, struct arena *arena, struct str name, struct str type, struct str body)
{
	struct str boundary = boundary_of(style), disposition = STR("");

	if (!str_is_none(name))
		disposition = arena_printf(
		    arena, "Content-Disposition: inline; name=\"%.*s\"\r\n", STR_FMT(name));
	return (struct record){
		.head = arena_printf(arena,
		    "--%.*s\r\nContent-Type: %.*s\r\n%.*sContent-Length: %zu\r\n\r\n",
		    STR_FMT(boundary), STR_FMT(type), STR_FMT(disposition), body.n),
		.body = body,
		.tail = STR("\r\n"),
	};
}

/* ---- the records */

struct record
record_of_part(const struct record_style *style, struct arena *arena, struct str call, struct str type,
    struct str body)
{
	if (style->format == FORMAT_MULTIPART)
		return part(style, arena, call, type, body);
	if (style->format == FORMAT_SSE)
		return event(arena, call, body);
	return (struct record){
		.head = arena_printf(arena, "{\"call\":\"%.*s\",\"result\":", STR_FMT(call)),
		.body = body,
		.tail = STR("}\n"),
		.is_one_line = true,
	};
}

struct record
record_of_failure(const struct record_style *style, struct arena *arena, struct str call, enum err_code e,
    uint64_t ms)
{
	const struct meta_problem problem = {
		.status = err_status(e),
		.call = call,
		.error = e,
	};
	struct str text;

	if (style->format == FORMAT_MULTIPART)
		return part(style, arena, call, STR("application/problem+json"),
		    meta_of_problem(arena, &problem));
	text = arena_printf(arena, "{\"call\":\"%.*s\",\"error\":\"%s\",\"ms\":%llu}", STR_FMT(call),
	    err_token(e), (unsigned long long)ms);
	return style->format == FORMAT_SSE ? event(arena, STR("failure"), text) : line(text);
}

struct record
record_of_end(const struct record_style *style, struct arena *arena, bool is_complete, struct str problem)
{
	struct str text = is_complete ? STR("{\"complete\":true}") : STR("{\"complete\":false}");
	struct str boundary = boundary_of(style);
	struct record r;

	if (!str_is_none(problem))
		text = arena_printf(
		    arena, "{\"complete\":false,\"problem\":%.*s}", STR_FMT(problem));
	if (style->format == FORMAT_SSE)
		return event(arena, STR("end"), text);
	if (style->format == FORMAT_NDJSON)
		return line(text);
	r = part(style, arena, str_none(), STR("application/json"), text);
	r.tail = arena_printf(arena, "\r\n--%.*s--\r\n", STR_FMT(boundary));
	return r;
}
