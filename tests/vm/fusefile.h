/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#define FUSE_FILE_SIZE 8192

/* What the server of a file has seen, in memory that it shares with the test. */
typedef struct
{
  guint reads;
  guint64 offset; /* of the last read or write */
  guint width;
  guint flushes;
  guint releases;
  int ended;      /* what it was told when the file system was gone */
  guint held;     /* accesses that it has not answered */
  guint hold;     /* set by the test: leave accesses unanswered */
  guint serial;   /* set by the test: do not open for parallel writes from here on */
  guint asking;   /* every fstat and every close is asked about */
  int victim;     /* set by the test: leave what that process asks on fstat and close unanswered */
  guint stalled;  /* what has been left so */
} FuseSeen;

/* A file of FUSE's, mounted nowhere, served by a process of its own that has the only fd of the connection. */
typedef struct
{
  FuseSeen *seen;
  int server; /* pid */
  int fd;
} FuseFile;

void fuse_file_init (FuseFile *self);

/* The same, but every fstat and every close is asked about. */
void fuse_file_init_asking (FuseFile *self);

/* Another open file description of it. */
int  fuse_file_open (FuseFile *self);

/* The server dies, and the connection ends with it. */
void fuse_file_cut (FuseFile *self);
void fuse_file_clear (FuseFile *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (FuseFile, fuse_file_clear)
