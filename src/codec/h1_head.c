/*
 * The head parser: a state per element of the grammar, each of which can stop at any byte and go on
 * there when more has come. What the head means as a whole (whom it is for, whether the connection
 * lasts) is settled once, when it is complete. Works on the caller's memory; any thread.
 */
#include "codec/h1_head.h"

#include <string.h>

#include "base/compiler.h"
#include "codec/octet.h"
#include "codec/uri.h"

/*
 * request:   BLANK ──> METHOD ──> TARGET ──> VERSION ─┐
 * response:  STATUS ──> REASON ───────────────────────┴─> FIELD ──> NAME ──> VALUE ─┐
 *                                                           │ <────────────────────┘
 *                                                           └──> END ──> done
 */
enum state {
	STATE_BLANK,   /* at most one empty line before a request (RFC 9112 2.2) */
	STATE_METHOD,
	STATE_TARGET,
	STATE_VERSION, /* of a request, and the end of its line */
	STATE_STATUS,  /* version and code of a response */
	STATE_REASON,
	STATE_FIELD,   /* at the first byte of a line */
	STATE_NAME,
	STATE_VALUE,
	STATE_END,     /* the empty line */
	STATE_DONE,
};

/* What a step says. */
enum step {
	STEP_NEXT, /* another state is set, its step can run */
	STEP_MORE,
	STEP_REFUSED,
};

enum {
	MAX_QUICK_NAME = 64,
	VERSION_BYTES = 8,     /* HTTP/1.1 */
	MAX_METHOD_BYTES = 32, /* longer than any that is registered */
	/* Options of Connection: more is an attack on the loop over all fields that each one costs. */
	MAX_NOMINATIONS = 64,
};

static void
init(struct h1_head *head, const struct h1_limits *limits, struct header *fields, size_t n_fields)
{
	memset(head, 0, offsetof(struct h1_head, fields));
	header_list_init(&head->fields, fields, n_fields);
	head->limits = *limits;
}

void
h1_head_init_request(struct h1_head *head, const struct h1_limits *limits, struct header *fields,
    size_t n_fields)
{
	init(head, limits, fields, n_fields);
	head->state = STATE_BLANK;
}

void
h1_head_init_response(struct h1_head *head, const struct h1_limits *limits, struct header *fields,
    size_t n_fields)
{
	init(head, limits, fields, n_fields);
	head->is_response = true;
	head->state = STATE_STATUS;
}

static void
move_slice(struct str *s, uintptr_t from, size_t n, const char *to)
{
	/* Constants such as the "/" of an empty path do not lie in the buffer. */
	if ((uintptr_t)s->p - from < n)
		s->p = to + ((uintptr_t)s->p - from);
}

void
h1_head_move(struct h1_head *head, const char *to)
{
	struct str *const slices[] = { &head->method_text, &head->target, &head->path, &head->query,
		&head->authority, &head->host, &head->port, &head->reason, &head->name };
	uintptr_t from = (uintptr_t)head->base;
	/* One more: an empty slice may stand behind the last byte looked at. */
	size_t n = head->look + 1;

	for (size_t i = 0; i < ARRAY_LEN(slices); i++)
		move_slice(slices[i], from, n, to);
	for (uint16_t i = 0; i < head->fields.n; i++) {
		move_slice(&head->fields.at[i].name, from, n, to);
		move_slice(&head->fields.at[i].value, from, n, to);
	}
	head->base = to;
}

bool
h1_head_is_blank(const struct h1_head *head)
{
	return head->state == STATE_BLANK ||
	    (head->state == STATE_METHOD && head->look == head->mark);
}

static enum step
refuse(struct h1_head *head, enum err_code e)
{
	if (head->is_response)
		e = e == ERR_HEAD_TOO_LARGE ? ERR_RESPONSE_HEAD_TOO_LARGE : ERR_INVALID_RESPONSE;
	head->error = e;
	return STEP_REFUSED;
}

/* The element from the mark to p[look] has ended; the next one begins `skip` bytes on. */
static enum step
enter(struct h1_head *head, enum state state, size_t skip)
{
	head->look += skip;
	head->mark = head->look;
	head->state = (uint8_t)state;
	return STEP_NEXT;
}

static struct str
element(const struct h1_head *head, const char *p)
{
	return str_of(p + head->mark, head->look - head->mark);
}

/*
 * At p[look] a line should end. STEP_NEXT: it does, by CRLF and nothing else (RFC 9112 2.2 lets a
 * recipient take a bare LF; two programs that differ about it can be played against each other).
 */
static enum step
line_end(struct h1_head *head, struct str b, enum err_code e)
{
	if (head->look == b.n)
		return STEP_MORE;
	if (b.p[head->look] != '\r')
		return refuse(head, e);
	if (head->look + 1 == b.n)
		return STEP_MORE;
	return b.p[head->look + 1] == '\n' ? STEP_NEXT : refuse(head, e);
}

/* RFC 9112 2.2: a server should ignore at least one empty line before a request line. */
static enum step
step_blank(struct h1_head *head, struct str b)
{
	enum step step;

	if (b.n == 0)
		return STEP_MORE;
	if (b.p[0] != '\r')
		return enter(head, STATE_METHOD, 0);
	step = line_end(head, b, ERR_BAD_REQUEST);
	return step == STEP_NEXT ? enter(head, STATE_METHOD, 2) : step;
}

/* RFC 9112 3.1 */
static enum step
step_method(struct h1_head *head, struct str b)
{
	while (head->look < b.n && octet_is(b.p[head->look], OCTET_TOKEN))
		head->look++;
	head->method_text = element(head, b.p);
	if (head->method_text.n > MAX_METHOD_BYTES)
		return refuse(head, ERR_METHOD_UNKNOWN);
	if (head->look == b.n)
		return STEP_MORE;
	if (b.p[head->look] != ' ' || head->method_text.n == 0)
		return refuse(head, ERR_BAD_REQUEST);
	head->method = http_table_method(head->method_text);
	return enter(head, STATE_TARGET, 1);
}

/* RFC 9112 3.2; which of the four forms it is shows when the line is complete. */
static enum step
step_target(struct h1_head *head, struct str b)
{
	size_t at = head->look + octet_find_not_target(b.p + head->look, b.n - head->look);

	head->look = at;
	head->target = element(head, b.p);
	if (head->target.n > head->limits.target_bytes)
		return refuse(head, ERR_URI_TOO_LONG);
	if (at == b.n)
		return STEP_MORE;
	if (b.p[at] == '\r' || b.p[at] == '\n') /* HTTP/0.9 or a broken line */
		return refuse(head, ERR_BAD_REQUEST);
	if (b.p[at] != ' ' || head->target.n == 0)
		return refuse(head, ERR_BAD_TARGET);
	return enter(head, STATE_VERSION, 1);
}

static bool
fits_version(const char *p, size_t n)
{
	static const char form[] = "HTTP/D.D";

	/* Nearly always this, which is one compare. */
	if (n >= VERSION_BYTES && memcmp(p, "HTTP/1.1", VERSION_BYTES) == 0)
		return true;
	for (size_t i = 0; i < VERSION_BYTES && i < n; i++)
		if (form[i] == 'D' ? !octet_is_digit(p[i]) : p[i] != form[i])
			return false;
	return true;
}

/*
 * RFC 9112 2.3: the VERSION_BYTES from the mark on; what is there must fit already. STEP_NEXT
 * leaves p[look] behind them.
 */
static enum step
version(struct h1_head *head, struct str b)
{
	const char *p = b.p + head->mark;
	size_t n = b.n - head->mark;

	if (!fits_version(p, n))
		return refuse(head, ERR_BAD_REQUEST);
	if (n < VERSION_BYTES)
		return STEP_MORE;
	if (p[5] != '1')
		return refuse(head, ERR_VERSION_UNKNOWN);
	head->minor = p[7] != '0';
	head->look = head->mark + VERSION_BYTES;
	return STEP_NEXT;
}

/*
 * RFC 9112 3.2.2. Nothing but http can be meant: https is told apart by the connection, not by the
 * target.
 */
static bool
split_absolute(struct h1_head *head)
{
	struct str rest = head->target;
	size_t colon = str_find(rest, ':'), end;
	struct str scheme = str_of(rest.p, colon);

	if (!str_ieq(scheme, STR("http")) && !str_ieq(scheme, STR("https")))
		return false;
	rest = str_of(rest.p + colon, rest.n - colon);
	if (!str_has_prefix(rest, STR("://")))
		return false;
	rest = str_of(rest.p + 3, rest.n - 3);
	for (end = 0; end < rest.n && rest.p[end] != '/' && rest.p[end] != '?';)
		end++;
	head->authority = str_of(rest.p, end);
	head->path = str_of(rest.p + end, rest.n - end);
	return true;
}

/* Cuts the query off the path (RFC 3986 3.3). */
static void
split_query(struct h1_head *head)
{
	size_t mark = octet_find(head->path.p, head->path.n, '?');

	if (mark == head->path.n)
		return;
	head->query = str_of(head->path.p + mark + 1, head->path.n - mark - 1);
	head->path.n = mark;
}

/*
 * RFC 9112 3.2: takes the target apart; false when the form does not fit the method or is
 * malformed.
 */
static bool
split_target(struct h1_head *head)
{
	struct str target = head->target;

	if (head->method == METHOD_CONNECT) { /* 3.2.3 */
		head->target_form = H1_TARGET_AUTHORITY;
		head->authority = target;
		return uri_split_authority(target, &head->host, &head->port) && head->port.n > 0;
	}
	if (target.n == 1 && target.p[0] == '*') { /* 3.2.4 */
		head->target_form = H1_TARGET_ASTERISK;
		head->path = target;
		return head->method == METHOD_OPTIONS;
	}
	head->path = target;
	if (target.p[0] != '/') {
		head->target_form = H1_TARGET_ABSOLUTE;
		if (!split_absolute(head) ||
		    !uri_split_authority(head->authority, &head->host, &head->port))
			return false;
	}
	split_query(head);
	if (head->path.n == 0) {
		/* RFC 9112 3.2.4: OPTIONS to an authority without path and query asks the server. */
		bool is_server = head->method == METHOD_OPTIONS && str_is_none(head->query);

		head->path = is_server ? STR("*") : STR("/");
	} else if (!uri_check_path(head->path)) {
		return false;
	}
	/* Every byte was looked at by step_target() already; triplets were not. */
	return memchr(target.p, '%', target.n) == NULL || uri_check_query(head->query);
}

static enum step
step_version(struct h1_head *head, struct str b)
{
	enum step step = version(head, b);

	if (step == STEP_NEXT)
		step = line_end(head, b, ERR_BAD_REQUEST);
	if (step != STEP_NEXT)
		return step;
	if (!split_target(head))
		return refuse(head, ERR_BAD_TARGET);
	return enter(head, STATE_FIELD, 2);
}

/*
 * RFC 9112 4: version SP 3DIGIT, then SP and a reason or, from servers that leave an empty reason's
 * space out, the end of the line. Codes outside 100 to 599 are invalid (RFC 9110 15).
 */
static enum step
step_status(struct h1_head *head, struct str b)
{
	enum step step = version(head, b);
	const char *p = b.p + head->look;
	size_t n = b.n - head->look;

	if (step != STEP_NEXT)
		return step;
	for (size_t i = 0; i < 4 && i < n; i++)
		if (i == 0 ? p[i] != ' ' : !octet_is_digit(p[i]))
			return refuse(head, ERR_INVALID_RESPONSE);
	if (n < 5)
		return STEP_MORE;
	if (p[4] != ' ' && p[4] != '\r')
		return refuse(head, ERR_INVALID_RESPONSE);
	for (size_t i = 1; i < 4; i++)
		head->status = head->status * 10 + (unsigned)(p[i] - '0');
	if (head->status < 100 || head->status > 599)
		return refuse(head, ERR_INVALID_RESPONSE);
	return enter(head, STATE_REASON, p[4] == ' ' ? 5 : 4);
}

static enum step
step_reason(struct h1_head *head, struct str b)
{
	enum step step;

	head->look += octet_find_control(b.p + head->look, b.n - head->look);
	head->reason = element(head, b.p);
	step = line_end(head, b, ERR_INVALID_RESPONSE);
	return step == STEP_NEXT ? enter(head, STATE_FIELD, 2) : step;
}

/*
 * RFC 9110 5.5: visible characters, spaces, tabs, bytes from 0x80 on; the space around is not part
 * of it.
 */
static enum step
step_value(struct h1_head *head, struct str b)
{
	enum step step;

	head->look += octet_find_control(b.p + head->look, b.n - head->look);
	step = line_end(head, b, ERR_BAD_FIELD);
	if (step != STEP_NEXT)
		return step;
	if (!header_list_add(&head->fields, head->name, str_trim(element(head, b.p))))
		return refuse(head, ERR_HEAD_TOO_LARGE);
	return enter(head, STATE_FIELD, 2);
}

/* RFC 9112 5.1: a token, and no white space between it and the colon. */
static enum step
step_name(struct h1_head *head, struct str b)
{
	while (head->look < b.n && octet_is(b.p[head->look], OCTET_TOKEN))
		head->look++;
	if (head->look == b.n)
		return STEP_MORE;
	if (b.p[head->look] != ':' || head->look == head->mark)
		return refuse(head, ERR_BAD_FIELD);
	head->name = element(head, b.p);
	return enter(head, STATE_VALUE, 1);
}

/* str_trim() for nearly all values: behind one space, with none at either end. */
static inline struct str
trimmed(struct str s)
{
	if (LIKELY(s.n > 1 && s.p[0] == ' ' && s.p[1] > ' ' && s.p[s.n - 1] > ' '))
		return str_of(s.p + 1, s.n - 1);
	return str_trim(s);
}

/*
 * One whole line that is as it should be, taken in one go: nearly all lines are. What is missing or
 * wrong is left to the steps above. Returns the start of the next line, or NULL.
 */
static const char *
take_line(struct header_list *fields, const char *p, const char *end)
{
	size_t n = (size_t)(end - p);
	size_t n_name = octet_find(p, n < MAX_QUICK_NAME ? n : MAX_QUICK_NAME, ':');
	struct str name = str_of(p, n_name), value;
	enum header_id id;
	const char *cr;

	if (n_name >= MAX_QUICK_NAME)
		return NULL;
	cr = p + n_name + octet_find_control(p + n_name, n - n_name);
	if (end - cr < 2 || cr[0] != '\r' || cr[1] != '\n' || p[n_name] != ':')
		return NULL;
	id = http_table_header(name);
	if (id == HEADER_OTHER && !header_is_token(name))
		return NULL;
	value = trimmed(str_of(p + n_name + 1, n - n_name - (size_t)(end - cr) - 1));
	return header_list_add_id(fields, id, name, value) ? cr + 2 : NULL;
}

static void
take_lines(struct h1_head *head, struct str b)
{
	const char *p = b.p + head->look, *end = b.p + b.n;

	while (p < end && *p != '\r') {
		const char *next = take_line(&head->fields, p, end);

		if (next == NULL)
			break;
		p = next;
	}
	enter(head, STATE_FIELD, (size_t)(p - b.p) - head->look);
}

/*
 * The first byte of a line: an empty one ends the head. obs-fold is refused (RFC 9112 5.2), and so
 * is white space before the first field (RFC 9112 2.2), because neither begins a name.
 */
static enum step
step_field(struct h1_head *head, struct str b)
{
	take_lines(head, b);
	if (head->look == b.n)
		return STEP_MORE;
	return enter(head, b.p[head->look] == '\r' ? STATE_END : STATE_NAME, 0);
}

/* str_ieq() with a word in lower case, as nearly everyone writes it. */
static inline bool
is_word(struct str s, struct str word)
{
	return (s.n == word.n && memcmp(s.p, word.p, word.n) == 0) || str_ieq(s, word);
}

/* RFC 9110 7.6.1: what Connection says, and the fields that it names. False when it is malformed. */
static bool
settle_connection(struct h1_head *head)
{
	const struct header *h = header_find(&head->fields, HEADER_CONNECTION);
	bool is_close = false, is_keep_alive = false;
	size_t n = 0;

	for (; h != NULL; h = header_next(&head->fields, h)) {
		if (is_word(h->value, STR("keep-alive"))) { /* nearly always */
			is_keep_alive = true;
			continue;
		}
		for (struct str rest = h->value, option; header_next_element(&rest, &option);) {
			if (is_word(option, STR("keep-alive")))
				is_keep_alive = true;
			else if (is_word(option, STR("close")))
				is_close = true;
			else if (n++ < MAX_NOMINATIONS && header_is_token(option))
				header_list_nominate(&head->fields, option);
			else
				return false;
		}
	}
	/* RFC 9112 9.3 */
	head->is_persistent = !is_close && (head->minor == 1 || is_keep_alive);
	h = header_find(&head->fields, HEADER_UPGRADE);
	head->offers_upgrade = h != NULL && h->is_hop;
	return true;
}

/*
 * RFC 9112 3.2: exactly one valid Host (in HTTP/1.0 there may be none), and RFC 9112 3.2.2: an
 * authority in the target replaces it.
 */
static bool
settle_host(struct h1_head *head)
{
	const struct header *h = header_find(&head->fields, HEADER_HOST);
	struct str host, port;

	if (h == NULL)
		return head->minor == 0;
	if (header_next(&head->fields, h) != NULL || !uri_split_authority(h->value, &host, &port))
		return false;
	if (!str_is_none(head->authority))
		return true;
	head->authority = h->value;
	head->host = host;
	head->port = port;
	return true;
}

/* RFC 9110 10.1.1: 100-continue is the only expectation; HTTP/1.0 clients cannot mean it. */
static bool
settle_expect(struct h1_head *head)
{
	const struct header *h = header_find(&head->fields, HEADER_EXPECT);

	for (; h != NULL; h = header_next(&head->fields, h)) {
		for (struct str rest = h->value, e; header_next_element(&rest, &e);) {
			if (!str_ieq(e, STR("100-continue")))
				return false;
			head->expects_continue = head->minor == 1;
		}
	}
	return true;
}

static enum step
step_end(struct h1_head *head, struct str b)
{
	enum step step = line_end(head, b, ERR_BAD_FIELD);

	if (step != STEP_NEXT)
		return step;
	if (!settle_connection(head))
		return refuse(head, ERR_BAD_FIELD);
	if (!head->is_response && !settle_host(head))
		return refuse(head, ERR_BAD_HOST);
	if (!head->is_response && !settle_expect(head))
		return refuse(head, ERR_EXPECTATION_FAILED);
	return enter(head, STATE_DONE, 2);
}

static enum step
step_run(struct h1_head *head, struct str b)
{
	switch ((enum state)head->state) {
	case STATE_BLANK:
		return step_blank(head, b);
	case STATE_METHOD:
		return step_method(head, b);
	case STATE_TARGET:
		return step_target(head, b);
	case STATE_VERSION:
		return step_version(head, b);
	case STATE_STATUS:
		return step_status(head, b);
	case STATE_REASON:
		return step_reason(head, b);
	case STATE_FIELD:
		return step_field(head, b);
	case STATE_NAME:
		return step_name(head, b);
	case STATE_VALUE:
		return step_value(head, b);
	case STATE_END:
		return step_end(head, b);
	case STATE_DONE:
		break;
	}
	assert(false && "fed after the end");
	return STEP_MORE;
}

enum h1_progress
h1_head_feed(struct h1_head *head, struct str bytes)
{
	bool is_clipped = bytes.n >= head->limits.head_bytes;
	enum step step = STEP_NEXT;

	if (bytes.n == 0)
		return H1_MORE;
	if (head->base != bytes.p && head->look > 0)
		h1_head_move(head, bytes.p);
	head->base = bytes.p;
	if (is_clipped)
		bytes.n = head->limits.head_bytes;
	while (step == STEP_NEXT && head->state != STATE_DONE)
		step = step_run(head, bytes);
	if (step == STEP_MORE && is_clipped)
		step = refuse(head,
		    head->state == STATE_TARGET ? ERR_URI_TOO_LONG : ERR_HEAD_TOO_LARGE);
	head->n_bytes = head->look;
	if (step == STEP_NEXT)
		return H1_DONE;
	return step == STEP_MORE ? H1_MORE : H1_REFUSED;
}
