/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A child process of the test. It dies with the test program. */
typedef struct
{
  GPid pid;
  gboolean reaped;
  int status;
} Process;

/* A descriptor and the number that it has in the child. */
typedef struct
{
  int fd;
  int number;
} ProcessFd;

/*
 * Starts ARGV. ENVIRONMENT: more variables, "NAME=value", NULL-terminated or
 * NULL; "LISTEN_PID=" is completed with the child's id. FDS: terminated by an
 * entry whose fd is -1, or NULL. LOG: the file that takes stdout and stderr,
 * or NULL.
 */
Process *process_spawn (const char *const *argv,
                        const char *const *environment,
                        const ProcessFd *fds,
                        const char *log);

gboolean process_is_running (Process *process);

/* Waits until it has ended; returns the wait status. The test fails after a minute. */
int process_wait (Process *process);

void process_signal (Process *process,
                     int signal_number);

/* Stops it with SIGSTOP and waits until every thread stands still. */
void process_stop (Process *process);

/* Kills it if need be, waits, and frees. */
void process_free (Process *process);

/* How many descriptors it has open; GLib's threads have eventfds that come and go: not counted. */
guint process_count_fds (Process *process);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Process, process_free)
