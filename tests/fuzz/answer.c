/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "answer.h"

#include "daemon.h"
#include "fixture.h"

void
answer_clear (Answer *self)
{
  g_clear_pointer (&self->reply, g_variant_unref);
  g_clear_object (&self->fds);
  g_clear_error (&self->error);
}

static void
on_reply (GObject      *source,
          GAsyncResult *result,
          gpointer      data)
{
  Answer *self = data;

  self->reply = g_dbus_connection_call_with_unix_fd_list_finish (G_DBUS_CONNECTION (source), &self->fds, result,
                                                                 &self->error);
  self->done = TRUE;
}

void
answer_call (Answer          *self,
             GDBusConnection *bus,
             const char      *path,
             const char      *interface,
             const char      *method,
             GVariant        *arguments)
{
  *self = (Answer){ FALSE, NULL, NULL, NULL };
  g_dbus_connection_call_with_unix_fd_list (bus, REGIOND_BUS_NAME, path, interface, method, arguments, NULL,
                                            G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL, on_reply, self);
  wait_until (self->done);
}

void
answer_expect (const Answer *self,
               ModelAnswer   wanted,
               const char   *what)
{
  static const int codes[] = { [MODEL_BUSY] = REGIOND_ERROR_BUSY, [MODEL_LINGERING] = REGIOND_ERROR_LINGERING };

  if (wanted == MODEL_FINE ? self->error != NULL : !g_error_matches (self->error, REGIOND_ERROR, codes[wanted]))
    g_error ("%s: expected %s, and got: %s", what,
             wanted == MODEL_FINE ? "success" : wanted == MODEL_BUSY ? "Busy" : "Lingering",
             self->error != NULL ? self->error->message : "success");
}
