/*
 * The length of messages, decided in one place, and the decoder of bodies. The framing of chunks is
 * read byte by byte by a state machine without memory, so that no line has to be whole; payload is
 * taken in one piece. Works on the caller's memory; any thread.
 */
#include "codec/h1_frame.h"

#include <string.h>

#include "base/compiler.h"
#include "codec/octet.h"

/*
 * SIZE ─┬──────────────────────────> SIZE_LF ──┬─> DATA ──> DATA_CR ──> DATA_LF ──> SIZE
 *       └─> EXT_GAP ─> EXT_NAME ...  ──┘       └─> TRAILER ─┬─> END_LF ──> DONE
 *                                                 │ ^       └─> (fields) ─┐
 *                                                 └─────────────────────┘
 */
enum state {
	STATE_SIZE,
	STATE_SIZE_LF,
	/* RFC 9112 7.1.1: *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) */
	STATE_EXT_GAP,      /* after BWS: only ";" can follow */
	STATE_EXT_START,    /* after ";" */
	STATE_EXT_NAME,
	STATE_EXT_NAME_GAP, /* after a name's BWS: "=" or ";" */
	STATE_EXT_EQUALS,   /* after "=" */
	STATE_EXT_TOKEN,
	STATE_EXT_QUOTED,
	STATE_EXT_ESCAPED,
	STATE_EXT_END,      /* after the closing quote */
	STATE_DATA,
	STATE_DATA_CR,
	STATE_DATA_LF,
	/* RFC 9112 7.1.2: fields as in a head */
	STATE_TRAILER,
	STATE_TRAILER_NAME,
	STATE_TRAILER_VALUE,
	STATE_TRAILER_LF,
	STATE_END_LF,
	STATE_DONE,
	STATE_BAD,
};

enum {
	MAX_SIZE_DIGITS = 16,
	/*
	 * Framing that a chunk, and each byte of its payload, pays for: streams of small chunks may
	 * go on.
	 */
	CHUNK_ALLOWANCE = 16,
	BYTE_ALLOWANCE = 8,
};

/* --- the length --- */

static void
begin(struct h1_frame *frame, bool is_response)
{
	memset(frame, 0, sizeof(*frame));
	frame->is_response = is_response;
	frame->kind = H1_FRAME_NONE;
	frame->state = STATE_DONE;
}

/*
 * RFC 9110 8.6: one field of digits. A repeated value, which RFC 9112 6.3 lets a recipient repair
 * when all are equal, is refused: no sender needs it, and it is how requests are smuggled.
 */
static enum err_code
read_length(struct h1_frame *frame, const struct header_list *fields)
{
	const struct header *h = header_find(fields, HEADER_CONTENT_LENGTH);

	if (h == NULL)
		return ERR_NONE;
	if (header_next(fields, h) != NULL || !str_to_u64(h->value, &frame->length) ||
	    frame->length > INT64_MAX)
		return ERR_BAD_FRAMING;
	frame->has_length = true;
	return ERR_NONE;
}

/* RFC 9112 6.1, 6.3: chunked, once, at the end; no other coding is implemented. */
static enum err_code
read_codings(const struct header_list *fields)
{
	const struct header *h = header_find(fields, HEADER_TRANSFER_ENCODING);
	size_t n = 0, n_chunked = 0;
	bool is_last_chunked = false;

	for (; h != NULL; h = header_next(fields, h)) {
		for (struct str rest = h->value, coding; header_next_element(&rest, &coding); n++) {
			is_last_chunked = str_ieq(coding, STR("chunked"));
			n_chunked += is_last_chunked;
		}
	}
	if (!is_last_chunked || n_chunked > 1)
		return ERR_BAD_FRAMING;
	return n > 1 ? ERR_CODING_UNKNOWN : ERR_NONE;
}

static void
frame_length(struct h1_frame *frame)
{
	if (frame->length == 0)
		return;
	frame->kind = H1_FRAME_LENGTH;
	frame->state = STATE_DATA;
	frame->left = frame->length;
}

static void
frame_chunked(struct h1_frame *frame)
{
	frame->kind = H1_FRAME_CHUNKED;
	frame->state = STATE_SIZE;
}

/*
 * What holds in both directions. RFC 9112 6.1: Transfer-Encoding in HTTP/1.0 means that someone
 * forwarded what he did not understand. RFC 9112 6.3: with Content-Length it is an attempt at
 * smuggling, or as good as one.
 */
static enum err_code
read_fields(struct h1_frame *frame, const struct h1_head *head, bool *is_chunked)
{
	bool has_codings = header_find(&head->fields, HEADER_TRANSFER_ENCODING) != NULL;
	enum err_code e = read_length(frame, &head->fields);

	*is_chunked = has_codings;
	if (e != ERR_NONE || !has_codings)
		return e;
	if (head->minor == 0 || frame->has_length)
		return ERR_BAD_FRAMING;
	return read_codings(&head->fields);
}

enum err_code
h1_frame_request(struct h1_frame *frame, const struct h1_head *head)
{
	bool is_chunked;
	enum err_code e;

	begin(frame, false);
	e = read_fields(frame, head, &is_chunked);
	if (e != ERR_NONE)
		return e;
	if (is_chunked) /* RFC 9112 6.3, 4 */
		frame_chunked(frame);
	else if (frame->has_length) /* RFC 9112 6.3, 6 */
		frame_length(frame);
	/* else RFC 9112 6.3, 7: no body */
	return ERR_NONE;
}

/* RFC 9110 15.2, 15.3.5, 6.4.1: statuses whose responses have no content and may not declare any. */
static bool
is_never_content(unsigned status)
{
	return status < 200 || status == 204;
}

enum err_code
h1_frame_response(struct h1_frame *frame, const struct h1_head *head, enum http_method asked)
{
	bool is_chunked;

	begin(frame, true);
	/* RFC 9110 15.2.2: never asked for. RFC 9112 6.3, 2: a tunnel is never asked for either. */
	if (head->status == 101 || (asked == METHOD_CONNECT && head->status / 100 == 2))
		return ERR_INVALID_RESPONSE;
	if (read_fields(frame, head, &is_chunked) != ERR_NONE)
		return ERR_INVALID_RESPONSE;
	if (is_never_content(head->status)) { /* RFC 9112 6.3, 1 */
		frame->must_close = is_chunked || frame->length > 0;
		return ERR_NONE;
	}
	if (asked == METHOD_HEAD || head->status == 304) /* RFC 9112 6.3, 1 */
		return ERR_NONE;
	if (is_chunked) { /* RFC 9112 6.3, 4 */
		frame_chunked(frame);
	} else if (frame->has_length) { /* RFC 9112 6.3, 6 */
		frame_length(frame);
	} else { /* RFC 9112 6.3, 8 */
		frame->kind = H1_FRAME_UNTIL_CLOSE;
		frame->state = STATE_DATA;
		frame->left = UINT64_MAX;
		frame->must_close = true;
	}
	return ERR_NONE;
}

/* --- the decoder --- */

static bool
refuse(struct h1_frame *frame, enum err_code e)
{
	frame->error = frame->is_response ? ERR_INVALID_RESPONSE : e;
	frame->state = STATE_BAD;
	return false;
}

static bool
enter(struct h1_frame *frame, enum state state)
{
	frame->state = (uint8_t)state;
	return true;
}

/* What may follow a size, or a whole extension: the end of the line, or another extension. */
static bool
after_element(struct h1_frame *frame, char c)
{
	switch (c) {
	case '\r':
		return enter(frame, STATE_SIZE_LF);
	case ';':
		return enter(frame, STATE_EXT_START);
	case ' ':
	case '\t':
		return enter(frame, STATE_EXT_GAP);
	}
	return refuse(frame, ERR_BAD_CHUNK);
}

/* RFC 9112 7.1: hex digits. Bounded, so that no run of leading zeros goes on for ever. */
static bool
on_size(struct h1_frame *frame, char c)
{
	unsigned digit = octet_hex(c);

	if (digit == OCTET_NOT_HEX)
		return frame->n_digits > 0 ? after_element(frame, c) :
					     refuse(frame, ERR_BAD_CHUNK);
	if (frame->n_digits == MAX_SIZE_DIGITS)
		return refuse(frame, ERR_BAD_CHUNK);
	frame->n_digits++;
	frame->left = frame->left << 4 | digit;
	return true;
}

/* The line feed behind a size: the chunk begins, or the trailer section. */
static bool
on_size_lf(struct h1_frame *frame, char c)
{
	uint64_t line = (uint64_t)frame->n_digits + frame->line_bytes + 4; /* with both line ends */
	uint64_t allowance;

	if (c != '\n' || frame->left > INT64_MAX)
		return refuse(frame, ERR_BAD_CHUNK);
	frame->n_digits = 0;
	frame->line_bytes = 0;
	if (frame->left == 0)
		return enter(frame, STATE_TRAILER);
	allowance = CHUNK_ALLOWANCE;
	allowance += frame->left < UINT32_MAX ? frame->left * BYTE_ALLOWANCE : UINT32_MAX;
	frame->overhead_bytes += line;
	frame->overhead_bytes -= allowance < frame->overhead_bytes ? allowance :
								      frame->overhead_bytes;
	if (frame->overhead_bytes > H1_FRAME_MAX_OVERHEAD)
		return refuse(frame, ERR_BAD_CHUNK);
	return enter(frame, STATE_DATA);
}

/* BWS where the grammar has it (RFC 9112 7.1.1): taken, as RFC 9110 5.6.3 wants. */
static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
on_extension_name(struct h1_frame *frame, char c)
{
	bool is_token = octet_is(c, OCTET_TOKEN);

	switch ((enum state)frame->state) {
	case STATE_EXT_GAP:
		if (is_blank(c))
			return true;
		return c == ';' ? enter(frame, STATE_EXT_START) : refuse(frame, ERR_BAD_CHUNK);
	case STATE_EXT_START:
		if (is_blank(c))
			return true;
		return is_token ? enter(frame, STATE_EXT_NAME) : refuse(frame, ERR_BAD_CHUNK);
	case STATE_EXT_NAME:
		if (is_token)
			return true;
		if (is_blank(c))
			return enter(frame, STATE_EXT_NAME_GAP);
		return c == '=' ? enter(frame, STATE_EXT_EQUALS) : after_element(frame, c);
	default: /* STATE_EXT_NAME_GAP */
		if (is_blank(c))
			return true;
		if (c == ';')
			return enter(frame, STATE_EXT_START);
		return c == '=' ? enter(frame, STATE_EXT_EQUALS) : refuse(frame, ERR_BAD_CHUNK);
	}
}

static bool
on_extension_value(struct h1_frame *frame, char c)
{
	bool is_token = octet_is(c, OCTET_TOKEN);

	switch ((enum state)frame->state) {
	case STATE_EXT_EQUALS:
		if (is_blank(c))
			return true;
		if (c == '"')
			return enter(frame, STATE_EXT_QUOTED);
		return is_token ? enter(frame, STATE_EXT_TOKEN) : refuse(frame, ERR_BAD_CHUNK);
	case STATE_EXT_TOKEN:
		return is_token ? true : after_element(frame, c);
	case STATE_EXT_QUOTED:
		if (c == '"')
			return enter(frame, STATE_EXT_END);
		if (c == '\\')
			return enter(frame, STATE_EXT_ESCAPED);
		return octet_is(c, OCTET_QUOTED) ? true : refuse(frame, ERR_BAD_CHUNK);
	case STATE_EXT_ESCAPED: /* RFC 9110 5.6.4: quoted-pair */
		if (octet_is_control(c))
			return refuse(frame, ERR_BAD_CHUNK);
		return enter(frame, STATE_EXT_QUOTED);
	default: /* STATE_EXT_END */
		return after_element(frame, c);
	}
}

/* The first byte of a line of the trailer section. */
static bool
on_trailer(struct h1_frame *frame, char c)
{
	if (c == '\r')
		return enter(frame, STATE_END_LF);
	if (!octet_is(c, OCTET_TOKEN))
		return refuse(frame, ERR_BAD_FIELD);
	if (++frame->n_trailers > H1_FRAME_MAX_TRAILERS)
		return refuse(frame, ERR_HEAD_TOO_LARGE);
	return enter(frame, STATE_TRAILER_NAME);
}

static bool
on_trailer_name(struct h1_frame *frame, char c)
{
	if (octet_is(c, OCTET_TOKEN))
		return true;
	return c == ':' ? enter(frame, STATE_TRAILER_VALUE) : refuse(frame, ERR_BAD_FIELD);
}

static bool
on_trailer_value(struct h1_frame *frame, char c)
{
	if (!octet_is_control(c))
		return true;
	return c == '\r' ? enter(frame, STATE_TRAILER_LF) : refuse(frame, ERR_BAD_FIELD);
}

static bool
expect(struct h1_frame *frame, char c, char wanted, enum state next)
{
	if (c != wanted)
		return refuse(frame, frame->state >= STATE_TRAILER ? ERR_BAD_FIELD : ERR_BAD_CHUNK);
	return enter(frame, next);
}

/* One byte of framing. False when the message is broken. */
static bool
on_byte(struct h1_frame *frame, char c)
{
	switch ((enum state)frame->state) {
	case STATE_SIZE:
		return on_size(frame, c);
	case STATE_SIZE_LF:
		return on_size_lf(frame, c);
	case STATE_EXT_GAP:
	case STATE_EXT_START:
	case STATE_EXT_NAME:
	case STATE_EXT_NAME_GAP:
		return on_extension_name(frame, c);
	case STATE_EXT_EQUALS:
	case STATE_EXT_TOKEN:
	case STATE_EXT_QUOTED:
	case STATE_EXT_ESCAPED:
	case STATE_EXT_END:
		return on_extension_value(frame, c);
	case STATE_DATA_CR:
		return expect(frame, c, '\r', STATE_DATA_LF);
	case STATE_DATA_LF:
		return expect(frame, c, '\n', STATE_SIZE);
	case STATE_TRAILER:
		return on_trailer(frame, c);
	case STATE_TRAILER_NAME:
		return on_trailer_name(frame, c);
	case STATE_TRAILER_VALUE:
		return on_trailer_value(frame, c);
	case STATE_TRAILER_LF:
		return expect(frame, c, '\n', STATE_TRAILER);
	case STATE_END_LF:
		return expect(frame, c, '\n', STATE_DONE);
	case STATE_DATA:
	case STATE_DONE:
	case STATE_BAD:
		break;
	}
	assert(false && "not a state of framing");
	return false;
}

/* Counts what is neither size nor payload; false when it goes on for too long. */
static bool
count(struct h1_frame *frame, enum state before)
{
	bool is_extension = before >= STATE_EXT_GAP && before <= STATE_EXT_END;
	bool is_trailer = before >= STATE_TRAILER;

	if (!is_extension && !is_trailer)
		return true;
	frame->line_bytes++;
	if (is_extension && frame->line_bytes > H1_FRAME_MAX_EXTENSION)
		return refuse(frame, ERR_BAD_CHUNK);
	if (is_trailer && frame->line_bytes > H1_FRAME_MAX_TRAILER_BYTES)
		return refuse(frame, ERR_HEAD_TOO_LARGE);
	return true;
}

/* Takes framing off *in: up to the next payload, the end, or the last byte there is. */
static void
take_framing(struct h1_frame *frame, struct str *in)
{
	while (in->n > 0 && frame->state < STATE_DONE && frame->state != STATE_DATA) {
		if (!count(frame, (enum state)frame->state) || !on_byte(frame, in->p[0]))
			return;
		in->p++;
		in->n--;
	}
}

/* Takes payload off *in, which is not empty. */
static struct str
take_payload(struct h1_frame *frame, struct str *in)
{
	size_t n = in->n < frame->left ? in->n : (size_t)frame->left;
	struct str payload = str_of(in->p, n);

	in->p += n;
	in->n -= n;
	if (frame->kind == H1_FRAME_UNTIL_CLOSE)
		return payload;
	frame->left -= n;
	if (frame->left == 0)
		enter(frame, frame->kind == H1_FRAME_CHUNKED ? STATE_DATA_CR : STATE_DONE);
	return payload;
}

enum h1_progress
h1_frame_feed(struct h1_frame *frame, struct str in, size_t *used, struct str *payload)
{
	struct str rest = in;

	take_framing(frame, &rest);
	*payload = str_of(rest.p, 0);
	if (frame->state == STATE_DATA && rest.n > 0) {
		*payload = take_payload(frame, &rest);
		/* The framing behind the payload goes with it, so that the end shows at once. */
		take_framing(frame, &rest);
	}
	*used = in.n - rest.n;
	if (frame->state == STATE_BAD)
		return H1_REFUSED;
	return frame->state == STATE_DONE ? H1_DONE : H1_MORE;
}

enum h1_progress
h1_frame_feed_all(struct h1_frame *frame, char *bytes, size_t n, size_t *used, struct str *payload)
{
	enum h1_progress progress;

	*used = 0;
	*payload = str_of(bytes, 0);
	do {
		struct str piece;
		size_t part;
		char *to;

		progress = h1_frame_feed(frame, str_of(bytes + *used, n - *used), &part, &piece);
		*used += part;
		if (piece.n == 0)
			continue;
		if (payload->n == 0)
			*payload = str_of(piece.p, 0);
		to = bytes + (payload->p - bytes) + payload->n;
		if (to != piece.p)
			memmove(to, piece.p, piece.n);
		payload->n += piece.n;
	} while (progress == H1_MORE && *used < n);
	return progress;
}

bool
h1_frame_is_done(const struct h1_frame *frame)
{
	return frame->state == STATE_DONE;
}

enum err_code
h1_frame_eof(struct h1_frame *frame)
{
	if (frame->kind == H1_FRAME_UNTIL_CLOSE && frame->state == STATE_DATA)
		enter(frame, STATE_DONE);
	if (frame->state == STATE_DONE)
		return ERR_NONE;
	return frame->is_response ? ERR_RESET : ERR_CLIENT_GONE;
}
