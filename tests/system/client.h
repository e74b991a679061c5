/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/*
 * The program that an unprivileged user runs in these tests: it does what the
 * test tells it, one command a message, and answers each. Descriptors and
 * mappings have numbers: an fd's own, and the index of the mapping.
 */

/* One command: words[0] is its serial, words[1] its name. */
typedef struct
{
  char **words;
  int fd; /* came along; the command takes it by setting -1 */
} Command;

/* Answers with the serial: strings up to NULL. */
void client_answer (const char *serial,
                    const char *string,
                    ...) G_GNUC_NULL_TERMINATED;
/* Answers that it is done. */
void client_done (const char *serial);
/* The same, and sends FD along. */
void client_answer_fd (const char *serial,
                       int fd);
/* Answers with an error: the name and the message, as of D-Bus; NUMBER is an errno. */
void client_fail (const char *serial,
                  const char *name,
                  const char *message);
void client_fail_errno (const char *serial,
                        int number);
/* Answers "ok" if FAILED is FALSE, else with errno. */
void client_answer_errno (const char *serial,
                          gboolean failed);

/* The n-th argument as a number. */
gint64 command_number (Command *command,
                       guint n);
const char *command_string (Command *command,
                            guint n);

/* Each runs the command if it knows its name, and returns whether it does. */
gboolean client_bus_run (Command *command);
gboolean client_bar_run (Command *command);
gboolean client_memory_run (Command *command);
gboolean client_file_run (Command *command);
gboolean client_pins_run (Command *command);
gboolean client_churn_run (Command *command);

void client_bus_connect (void);
/* The connection that is in use. */
GDBusConnection *client_bus_get (void);
