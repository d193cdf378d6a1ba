/* The answers' side of HTTP/1.1 on a client's connection. */
#ifndef SERVER_CCONN_H1_WRITE_H
#define SERVER_CCONN_H1_WRITE_H

#include "server/cconn_h1.h"

/* What exchanges on HTTP/1.1 connections call. */
extern const struct exchange_ops cconn_h1_write_ops;

/*
 * Nothing is under way on the connection: sends what waits, or asks the exchange for more. True
 * when the answer has ended and all of it is out.
 */
bool cconn_h1_write_on_room(struct cconn_h1_stream *stream);

#endif
