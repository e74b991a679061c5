/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model.h"

#include <gio/gunixfdlist.h>

/* What a call of a method has led to. */
typedef struct {
  gboolean     done;
  GVariant    *reply;
  GUnixFDList *fds;
  GError      *error;
} Answer;

/* Calls @method of @path and turns the main loop until it is answered. Takes the floating @arguments; sends @fd
 * along, or nothing (-1). */
void answer_call (Answer *self, GDBusConnection *bus, const char *path, const char *interface, const char *method,
                  GVariant *arguments, int fd);

/* It must be as the model has it; @what was called. */
void answer_expect (const Answer *self, ModelAnswer wanted, const char *what);

void answer_clear (Answer *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Answer, answer_clear)
