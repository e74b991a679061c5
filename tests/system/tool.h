/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* The installed regionctl, run by alice. All argument lists end with NULL. */

/* What a finished run has left. */
typedef struct
{
  int status; /* as a shell has it: 128 and the signal that killed it */
  char *out;
  char *err;
} Result;

/* Runs it in pipes, with INPUT (or NULL) as its standard input. */
Result *tool_run (const char *input,
                  const char *argument,
                  ...) G_GNUC_NULL_TERMINATED;

/* Runs it on a terminal of its own, that wide; out is all that was shown. */
Result *tool_run_on_terminal (guint columns,
                              const char *argument,
                              ...) G_GNUC_NULL_TERMINATED;

void result_free (Result *result);

/* It must end with STATUS. */
void result_assert (Result *result,
                    int status);

/* PART is in TEXT, of what was shown. */
void assert_has (const char *text,
                 const char *part);

/* A run that goes on, in pipes. */
typedef struct
{
  GSubprocess *process;
  GOutputStream *in;
  GDataInputStream *out;
} Tool;

Tool *tool_start (const char *argument,
                  ...) G_GNUC_NULL_TERMINATED;

/* The same of another program of alice's: a full path. */
Tool *tool_start_program (const char *program,
                          const char *argument,
                          ...) G_GNUC_NULL_TERMINATED;

/* Waits for one more line of its output; NULL at the end. */
char *tool_read_line (Tool *tool);

void tool_close_input (Tool *tool);
void tool_signal (Tool *tool,
                  int signal_number);
GPid tool_get_pid (Tool *tool);

/* Waits for its end; out is what was not read yet. */
Result *tool_finish (Tool *tool);

/* Kills it if need be. */
void tool_free (Tool *tool);

/* A run on a terminal that goes on. */
typedef struct
{
  GPid pid;
  int terminal;
  GString *shown;
} Session;

Session *session_start (guint columns,
                        const char *argument,
                        ...) G_GNUC_NULL_TERMINATED;

/* Another program instead, by its full path. */
Session *session_start_program (const char *program,
                                const char *argument,
                                ...) G_GNUC_NULL_TERMINATED;

/* Waits until TEXT has been shown. */
void session_wait_for (Session *session,
                       const char *text);

/* Waits until nobody has the terminal any more. */
void session_wait_for_end (Session *session);

/* Whether what is typed would be shown. */
gboolean session_has_echo (Session *session);

void session_type (Session *session,
                   const char *keys);

/* Waits for the end, and frees. */
Result *session_finish (Session *session);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Result, result_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Tool, tool_free)
