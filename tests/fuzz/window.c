/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "window.h"

#include <errno.h>
#include <string.h>

typedef struct {
  FuzzWindowTerms terms;
  GMutex          lock; /* guards what follows */
  GCond           opened;
  gboolean        open;
  gboolean        forbidden;
  guint           begun, inside;
  gsize           width;
  guint8          bytes[WINDOW_SOURCE_SIZE];
} FuzzWindowPrivate;

static void fuzz_window_source_init (RegiondSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (FuzzWindow, fuzz_window, G_TYPE_OBJECT,
                         G_ADD_PRIVATE (FuzzWindow)
                         G_IMPLEMENT_INTERFACE (REGIOND_TYPE_SOURCE, fuzz_window_source_init))

/* The same, and it says that it never waits. */
typedef struct {
  FuzzWindow parent_instance;
} FuzzQuickWindow;

typedef struct {
  FuzzWindowClass parent_class;
} FuzzQuickWindowClass;

static GType fuzz_quick_window_get_type (void);
static void  fuzz_quick_window_source_init (RegiondSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (FuzzQuickWindow, fuzz_quick_window, FUZZ_TYPE_WINDOW,
                         G_IMPLEMENT_INTERFACE (REGIOND_TYPE_SOURCE, fuzz_quick_window_source_init))

static FuzzWindowPrivate *
get_private (gpointer self)
{
  return fuzz_window_get_instance_private (FUZZ_WINDOW (self));
}

static void
fuzz_window_finalize (GObject *object)
{
  FuzzWindowPrivate *self = get_private (object);

  g_mutex_clear (&self->lock);
  g_cond_clear (&self->opened);

  G_OBJECT_CLASS (fuzz_window_parent_class)->finalize (object);
}

static void
fuzz_window_class_init (FuzzWindowClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = fuzz_window_finalize;
}

static void
fuzz_window_init (FuzzWindow *window)
{
  FuzzWindowPrivate *self = get_private (window);

  g_mutex_init (&self->lock);
  g_cond_init (&self->opened);
  self->open = TRUE;
  for (guint i = 0; i < WINDOW_SOURCE_SIZE; i++)
    self->bytes[i] = i * 7 + i / 256;
}

static void
fuzz_quick_window_class_init (FuzzQuickWindowClass *klass)
{
}

static void
fuzz_quick_window_init (FuzzQuickWindow *self)
{
}

static int
reach (RegiondSource *source,
       guint64        offset,
       gsize          width,
       guint8        *to,
       const guint8  *from)
{
  FuzzWindowPrivate *self = get_private (source);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (self->forbidden)
    g_error ("An access at %" G_GUINT64_FORMAT " comes after the end", offset);
  if (width == 0 || offset < self->terms.offset || width > self->terms.length ||
      offset - self->terms.offset > self->terms.length - width)
    g_error ("An access at %" G_GUINT64_FORMAT " of %zu bytes is out of the window", offset, width);

  self->begun++;
  self->inside++;
  self->width = width;
  while (!self->open)
    g_cond_wait (&self->opened, &self->lock);
  self->inside--;

  if (self->terms.most_width != 0 && width > self->terms.most_width)
    return EINVAL;
  memcpy (to != NULL ? to : &self->bytes[offset], to != NULL ? &self->bytes[offset] : from, width);
  return 0;
}

static int
fuzz_window_read (RegiondSource *source,
                  guint64        offset,
                  gsize          width,
                  gpointer       buffer,
                  const guint8 **bytes)
{
  *bytes = buffer;
  return reach (source, offset, width, buffer, NULL);
}

static int
fuzz_window_write (RegiondSource *source,
                   guint64        offset,
                   gsize          width,
                   const guint8  *bytes)
{
  return reach (source, offset, width, NULL, bytes);
}

static gboolean
fuzz_window_is_retired (RegiondSource *source)
{
  return FALSE;
}

static void
fuzz_window_source_init (RegiondSourceInterface *iface)
{
  iface->is_retired = fuzz_window_is_retired;
  iface->read = fuzz_window_read;
  iface->write = fuzz_window_write;
}

static void
fuzz_quick_window_source_init (RegiondSourceInterface *iface)
{
  fuzz_window_source_init (iface);
  iface->is_quick = TRUE;
}

FuzzWindow *
fuzz_window_new (const FuzzWindowTerms *terms)
{
  FuzzWindow *self = g_object_new (terms->quick ? fuzz_quick_window_get_type () : FUZZ_TYPE_WINDOW, NULL);

  get_private (self)->terms = *terms;
  return self;
}

void
fuzz_window_copy (FuzzWindow *window,
                  guint8     *bytes)
{
  FuzzWindowPrivate *self = get_private (window);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  memcpy (bytes, self->bytes, WINDOW_SOURCE_SIZE);
}

void
fuzz_window_let (FuzzWindow *window,
                 gboolean    open)
{
  FuzzWindowPrivate *self = get_private (window);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->open = open;
  g_cond_broadcast (&self->opened);
}

void
fuzz_window_forbid (FuzzWindow *window)
{
  FuzzWindowPrivate *self = get_private (window);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->forbidden = TRUE;
}

guint
fuzz_window_count_begun (FuzzWindow *window)
{
  FuzzWindowPrivate *self = get_private (window);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->begun;
}

guint
fuzz_window_count_inside (FuzzWindow *window)
{
  FuzzWindowPrivate *self = get_private (window);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->inside;
}

gsize
fuzz_window_get_width (FuzzWindow *window)
{
  FuzzWindowPrivate *self = get_private (window);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->width;
}
