/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/aperture.h"

#include <errno.h>

#define MOST_OF_A_PIECE 4

struct _RegiondAperture {
  GObject        parent_instance;
  RegiondGate   *gate;
  RegiondRegion *region;
  gboolean       ended;  /* atomic */
};

static void regiond_aperture_source_init (RegiondSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (RegiondAperture, regiond_aperture, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (REGIOND_TYPE_SOURCE, regiond_aperture_source_init))

static void
regiond_aperture_finalize (GObject *object)
{
  RegiondAperture *self = REGIOND_APERTURE (object);

  regiond_gate_unref (self->gate);
  regiond_region_unref (self->region);

  G_OBJECT_CLASS (regiond_aperture_parent_class)->finalize (object);
}

static void
regiond_aperture_class_init (RegiondApertureClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = regiond_aperture_finalize;
}

static void
regiond_aperture_init (RegiondAperture *self)
{
}

RegiondAperture *
regiond_aperture_new (RegiondGate         *gate,
                      RegiondRegion *region)
{
  RegiondAperture *self = g_object_new (REGIOND_TYPE_APERTURE, NULL);

  self->gate = regiond_gate_ref (gate);
  self->region = regiond_region_ref (region);
  return self;
}

static gboolean
is_one_access (guint64 offset,
               gsize   width)
{
  return (width == 1 || width == 2 || width == 4 || width == 8) && offset % width == 0;
}

static gsize
measure_piece (guint64 offset,
               gsize   left)
{
  gsize piece = MOST_OF_A_PIECE;

  while (offset % piece != 0 || piece > left)
    piece /= 2;
  return piece;
}

/* Nothing ends a lease on it but a cut. */
static gboolean
is_retired (RegiondSource *source)
{
  return FALSE;
}

static int
read_bytes (RegiondSource *source,
            guint64        offset,
            gsize          width,
            gpointer       buffer,
            const guint8 **bytes)
{
  RegiondAperture *self = REGIOND_APERTURE (source);
  gboolean one = is_one_access (offset, width);
  int errsv = 0;

  *bytes = buffer;
  for (gsize done = 0, piece; done < width && errsv == 0; done += piece)
    {
      piece = one ? width : measure_piece (offset + done, width - done);
      errsv = g_atomic_int_get (&self->ended)
                  ? ENOTCONN
                  : regiond_gate_read (self->gate, self->region, offset + done, piece, (guint8 *) buffer + done);
    }
  return errsv;
}

static int
write_bytes (RegiondSource *source,
             guint64        offset,
             gsize          width,
             const guint8  *bytes)
{
  RegiondAperture *self = REGIOND_APERTURE (source);
  gboolean one = is_one_access (offset, width);
  int errsv = 0;

  for (gsize done = 0, piece; done < width && errsv == 0; done += piece)
    {
      piece = one ? width : measure_piece (offset + done, width - done);
      errsv = g_atomic_int_get (&self->ended)
                  ? ENOTCONN
                  : regiond_gate_write (self->gate, self->region, offset + done, piece, bytes + done);
    }
  return errsv;
}

static void
end (RegiondSource *source)
{
  g_atomic_int_set (&REGIOND_APERTURE (source)->ended, TRUE);
}

static void
regiond_aperture_source_init (RegiondSourceInterface *iface)
{
  iface->is_quick = FALSE;
  iface->is_retired = is_retired;
  iface->read = read_bytes;
  iface->write = write_bytes;
  iface->end = end;
}
