/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event.h"

/* Makes events of the service's signals, and remembers what they are about:
 * the last one of an object has nothing but its path. */
typedef struct _CtlNews CtlNews;

CtlNews *ctl_news_new  (void);
void     ctl_news_free (CtlNews *news);

/* Remembers what the reply of GetManagedObjects lists. */
void ctl_news_learn (CtlNews  *news,
                     GVariant *managed);

/* Forgets everything: the service has stopped, and its objects with it. */
void ctl_news_forget (CtlNews *news);

/* The event for InterfacesAdded, InterfacesRemoved, PropertiesChanged, OpenRefused
 * or LeaseEnded; NULL for any other signal, and for objects that are no device and
 * no lease. */
CtlEvent *ctl_news_take_signal (CtlNews    *news,
                                const char *path,
                                const char *signal,
                                GVariant   *parameters);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlNews, ctl_news_free)
