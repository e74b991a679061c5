/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/*
 * What people type into a shell and what they see, as a document in Markdown. Each of
 * its lines is told on stdout behind "# | ", among the test's own TAP.
 */
typedef struct Transcript Transcript;

/* The installed programs are in the people's PATH. */
Transcript *transcript_new (void);
/* Ends their shells, and what is left running in them. */
void transcript_free (Transcript *transcript);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Transcript, transcript_free)

/* From now on "{NAME}" means VALUE in commands and in what they must show. */
void transcript_define (Transcript *transcript, const char *name, const char *value);

/* A heading or a paragraph. */
void transcript_say (Transcript *transcript, const char *text);

/* A file, as it is. */
void transcript_quote (Transcript *transcript, const char *text);

/*
 * COMMAND in the shell of USER ("root", "alice"), which must end with status 0; the whole
 * of what it shows must match all the regular expressions, NULL-terminated.
 * What runs on in the background may show more at the next command.
 */
void transcript_run (Transcript *transcript, const char *user, const char *command, ...) G_GNUC_NULL_TERMINATED;

/* The same, and the command must fail. */
void transcript_run_fails (Transcript *transcript, const char *user, const char *command, ...) G_GNUC_NULL_TERMINATED;

/* Runs COMMAND there, unseen, until it succeeds; the test fails if it does not. */
void transcript_wait (Transcript *transcript, const char *user, const char *command);
