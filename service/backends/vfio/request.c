/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/request.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <unistd.h>

typedef struct {
  int                fd; /* a copy: the handle may be closed while the main thread looks */
  RegiondRequestFunc func;
  gpointer           data;
  GDestroyNotify     destroy;
} Request;

static gboolean
on_readable (int          fd,
             GIOCondition condition,
             gpointer     data)
{
  Request *self = data;

  self->func (self->data);
  return G_SOURCE_REMOVE;
}

static void
request_free (gpointer data)
{
  Request *self = data;

  close (self->fd);
  self->destroy (self->data);
  g_free (self);
}

GSource *
regiond_request_listen (RegiondHandle     *handle,
                        RegiondRequestFunc func,
                        gpointer           data,
                        GDestroyNotify     destroy)
{
  int fd = regiond_handle_get_request_fd (handle);
  Request *self;
  GSource *source;

  if (fd < 0 || (fd = fcntl (fd, F_DUPFD_CLOEXEC, 0)) < 0)
    {
      destroy (data);
      return NULL;
    }

  self = g_new (Request, 1);
  *self = (Request){ fd, func, data, destroy };
  source = g_unix_fd_source_new (fd, G_IO_IN);
  g_source_set_callback (source, G_SOURCE_FUNC (on_readable), self, request_free);
  g_source_attach (source, NULL);
  return source;
}

void
regiond_request_end (GSource *source)
{
  if (source == NULL)
    return;

  g_source_destroy (source);
  g_source_unref (source);
}
