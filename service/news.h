/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon.h"

/* Tells the bus what changes most often of a device: State, Leases, Exclusive and
 * Lingering, in one signal for all that has changed in a turn of the loop. The
 * skeleton's own would be a second one for each lease that comes and goes. */
typedef struct _RegiondNews RegiondNews;

/* @device has it, and is on the bus whenever something is published. */
RegiondNews *regiond_news_new (RegiondDevice *device);
void         regiond_news_free (RegiondNews *self);

/* What there is now is no news: InterfacesAdded says it all. */
void         regiond_news_skip (RegiondNews *self);

/* Something has changed, or @leases have. They are announced soon; the list of
 * leases alone, when there is nothing else to do. */
void         regiond_news_publish (RegiondNews *self, gboolean leases);

/* At once. */
void         regiond_news_announce (RegiondNews *self);
