/* /etc/hosts. No state; any thread that may block on files. */
#include "net/hosts_file.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/ip.h"

#define FILE_MAX_BYTES (1u << 20)

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line; none at its end. */
static struct str
next_word(struct str *line)
{
	size_t i = 0, n;

	while (i < line->n && is_blank(line->p[i]))
		i++;
	for (n = i; n < line->n && !is_blank(line->p[n]);)
		n++;
	struct str word = str_of(line->p + i, n - i);

	*line = str_of(line->p + n, line->n - n);
	return word;
}

static bool
has_name(struct str line, struct str name)
{
	struct str word;

	while ((word = next_word(&line)).n != 0)
		if (str_ieq(word, name))
			return true;
	return false;
}

static void
add(struct dns_addrs *to, const uint8_t *ip, size_t size)
{
	for (size_t i = 0; i < to->n; i++)
		if (memcmp(to->ip[i], ip, size) == 0)
			return;
	if (to->n == DNS_ADDRS_MAX)
		return;
	memcpy(to->ip[to->n++], ip, size);
	to->error = ERR_NONE;
}

static void
add_text(struct str text, struct dns_addrs out[DNS_FAMILIES])
{
	uint8_t ip[16];

	if (ip_parse_v4(text, ip))
		add(&out[DNS_V4], ip, 4);
	else if (ip_parse_v6(text, ip))
		add(&out[DNS_V6], ip, 16);
}

bool
hosts_file_find(struct str text, struct str name, struct dns_addrs out[DNS_FAMILIES])
{
	struct str line;

	for (int i = 0; i < DNS_FAMILIES; i++)
		out[i] = (struct dns_addrs){ .error = ERR_DNS_NOT_FOUND, .ttl_s = DNS_TTL_NONE };
	while (str_split(&text, '\n', &line)) {
		struct str address;

		line.n = str_find(line, '#');
		address = next_word(&line);
		if (has_name(line, name))
			add_text(address, out);
	}
	if (out[DNS_V4].n + out[DNS_V6].n == 0 && str_ieq(name, STR("localhost"))) {
		add_text(STR("127.0.0.1"), out);
		add_text(STR("::1"), out);
	}
	return out[DNS_V4].n + out[DNS_V6].n != 0;
}

bool
hosts_file_look_up(const char *path, struct str name, struct dns_addrs out[DNS_FAMILIES])
{
	struct buf text = BUF_INIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is_found;

	if (fd >= 0) {
		(void)file_read(fd, FILE_MAX_BYTES, &text); /* what there is has to do */
		close(fd);
	}
	is_found = hosts_file_find(buf_str(&text), name, out);
	buf_fini(&text);
	return is_found;
}
