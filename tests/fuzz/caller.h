/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A process of an ordinary user that holds a file and makes the system calls
 * that it is told to. It runs nothing but system calls, so it may be made at
 * any time, and killed in any of them. */
typedef struct {
  GPid    pid;
  int     channel;
  guint8 *buffer; /* shared with it: what a call writes, or has read */
} Caller;

#define CALLER_UID 4242
#define CALLER_SLOTS 4             /* fds that it has, by number; the given one is 0 */
#define CALLER_BUFFER (72 * 1024)

typedef enum {
  CALL_READ,     /* at the file's own position */
  CALL_WRITE,
  CALL_PREAD,
  CALL_PWRITE,
  CALL_PREADV,   /* into two parts, with flags (RWF_…) */
  CALL_PWRITEV,
  CALL_SEEK,     /* flags: whence */
  CALL_MAP,      /* privately, and read what is mapped */
  CALL_MAP_SHARED,
  CALL_SPLICE,   /* the file into a pipe */
  CALL_UNSPLICE, /* a pipe into the file */
  CALL_SENDFILE, /* the file into a pipe */
  CALL_COPY,     /* copy_file_range to slot other, offset to there */
  CALL_DUP,      /* to slot other */
  CALL_REOPEN,   /* with flags (O_…), to slot other */
  CALL_CLOSE,
  CALL_FLAGS,    /* F_SETFL */
  CALL_FCNTL,    /* flags: which one */
  CALL_IOCTL,    /* flags: which one */
  CALL_ALLOCATE, /* flags: FALLOC_FL_… */
  CALL_CHANGE,   /* flags: size, mode, owner, times, attributes */
  CALL_SYNC,     /* flags: which way */
  CALL_STAT,     /* fails unless it is as it ought to be: width bytes of a regular file */
  CALL_CLOSE_ALL,
  CALL_KINDS,
} CallKind;

typedef struct {
  CallKind kind;
  guint    slot, other;
  guint    flags;
  gint64   offset, to;
  gsize    width;
} Call;

typedef struct {
  gint64  result;
  int     error;     /* errno */
  int     had;       /* F_GETFL of the slot before the call, or -1 */
  gint64  position;  /* before the call */
} Reply;

/* Gives @fd away as slot 0. */
void     caller_start (Caller *self, int fd);

/* Waits until the process is gone: 10 s at most, whatever it is at. */
void     caller_kill (Caller *self);

/* FALSE while the call goes on; 0 for no time at all. */
void     caller_begin (Caller *self, const Call *call);
gboolean caller_poll (Caller *self, Reply *reply, int milliseconds);
