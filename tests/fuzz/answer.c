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
             GVariant        *arguments,
             int              fd)
{
  g_autoptr (GUnixFDList) fds = fd >= 0 ? g_unix_fd_list_new () : NULL;

  *self = (Answer){ FALSE, NULL, NULL, NULL };
  if (fd >= 0)
    g_assert_cmpint (g_unix_fd_list_append (fds, fd, NULL), ==, 0);
  g_dbus_connection_call_with_unix_fd_list (bus, REGIOND_BUS_NAME, path, interface, method, arguments, NULL,
                                            G_DBUS_CALL_FLAGS_NONE, -1, fds, NULL, on_reply, self);
  wait_until (self->done);
}

void
answer_expect (const Answer *self,
               ModelAnswer   wanted,
               const char   *what)
{
  const struct {
    const char *name;
    GQuark      domain;
    int         code;
  } errors[] = {
    [MODEL_FINE] = { "success", 0, 0 },
    [MODEL_BUSY] = { "Busy", REGIOND_ERROR, REGIOND_ERROR_BUSY },
    [MODEL_LINGERING] = { "Lingering", REGIOND_ERROR, REGIOND_ERROR_LINGERING },
    [MODEL_NOT_FOUND] = { "NotFound", REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND },
    [MODEL_NOT_SUPPORTED] = { "NotSupported", REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED },
    [MODEL_INVALID] = { "InvalidArgs", G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS },
  };

  if (wanted == MODEL_FINE ? self->error != NULL
                           : !g_error_matches (self->error, errors[wanted].domain, errors[wanted].code))
    g_error ("%s: expected %s, and got: %s", what, errors[wanted].name,
             self->error != NULL ? self->error->message : "success");
}
