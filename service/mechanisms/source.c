/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mechanisms/source.h"

G_DEFINE_INTERFACE (RegiondSource, regiond_source, G_TYPE_OBJECT)

static void
regiond_source_default_init (RegiondSourceInterface *iface)
{
}

gboolean
regiond_source_is_quick (RegiondSource *self)
{
  return REGIOND_SOURCE_GET_IFACE (self)->is_quick;
}

gboolean
regiond_source_is_retired (RegiondSource *self)
{
  return REGIOND_SOURCE_GET_IFACE (self)->is_retired (self);
}

int
regiond_source_read (RegiondSource *self,
                     guint64        offset,
                     gsize          width,
                     gpointer       buffer,
                     const guint8 **bytes)
{
  return REGIOND_SOURCE_GET_IFACE (self)->read (self, offset, width, buffer, bytes);
}

int
regiond_source_write (RegiondSource *self,
                      guint64        offset,
                      gsize          width,
                      const guint8  *bytes)
{
  return REGIOND_SOURCE_GET_IFACE (self)->write (self, offset, width, bytes);
}

void
regiond_source_end (RegiondSource *self)
{
  RegiondSourceInterface *iface = REGIOND_SOURCE_GET_IFACE (self);

  if (iface->end != NULL)
    iface->end (self);
}
