/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "process.h"

/* An ordinary program, run by one of the people. It finds the test's bus as the system bus. */
typedef struct
{
  Process *process;
  char *output_path;
} Command;

/* PROGRAM: a full path that the user can reach. Arguments follow, up to NULL. */
Command *command_start (uid_t uid,
                        const char *program,
                        ...) G_GNUC_NULL_TERMINATED;

/* Waits until its output has TEXT. */
void command_wait_output (Command *command,
                          const char *text);

/* Waits until it has ended, and frees it: its exit status. OUTPUT: stdout and stderr. */
int command_finish (Command *command,
                    char **output);

/* SIGKILL, and waits until it is gone. */
void command_kill (Command *command);

/* The program PATH where every user can run it: a copy in the sandbox. */
char *command_publish (const char *path);
