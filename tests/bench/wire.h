/*
 * Where an HTTP/1 message ends: for the programs of the benchmark, which stand beside gatherd and share none of its
 * parser. They trust each other: nothing is checked that need not be. Any thread; owns nothing.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>

/* One message under way. Zero it before the first byte. */
struct wire {
	size_t head;      /* bytes of the head; 0: not all there */
	size_t end;       /* bytes up to the end of the message; in chunks: up to the next chunk's line */
	size_t body;      /* bytes of the body that have been found, without framing */
	unsigned status;  /* of an answer */
	bool is_chunked;
	bool is_last;     /* the chunk before end */
	bool until_close; /* neither length nor chunks: the end of the connection ends it */
	bool closes;      /* the sender says that it closes */
};

/*
 * Looks at the first n bytes of a message; earlier calls have seen fewer of the same. True: it is all there. A message
 * that ends with its connection never is: its body is what follows the head when nothing more comes.
 */
bool wire_feed(struct wire *w, const char *bytes, size_t n);

/* Moves the chunks of a whole message together, behind its head. */
void wire_join_chunks(struct wire *w, char *bytes);

#endif
