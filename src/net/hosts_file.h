/* /etc/hosts: names that are known without asking anybody, hosts(5). */
#ifndef NET_HOSTS_FILE_H
#define NET_HOSTS_FILE_H

#include "base/str.h"
#include "net/dns.h"

/*
 * The addresses that the text of such a file gives a name; lines that cannot be read are passed over. Each family
 * is ERR_NONE with some, or ERR_DNS_NOT_FOUND. localhost is known without a line of its own (RFC 6761 6.3). False
 * when there is none at all.
 */
bool hosts_file_find(struct str text, struct str name, struct dns_addrs out[DNS_FAMILIES]);
/* Reads the file, about 1 MiB of it at most, and looks there; a file that cannot be read is empty. Blocks. */
bool hosts_file_look_up(const char *path, struct str name, struct dns_addrs out[DNS_FAMILIES]);

#endif
