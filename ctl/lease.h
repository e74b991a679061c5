/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus.h"
#include "lease-options.h"

/* A lease of our own. */
typedef struct _CtlLease CtlLease;

/* Opens @region of the device at @device_path. */
CtlLease *ctl_lease_open (CtlBus                *bus,
                          const char            *device_path,
                          const char            *region,
                          const char            *access,
                          const CtlLeaseOptions *options,
                          GError               **error);

/* Attaches to the region that @fd is of: @access, or all that @fd has (NULL). Of @options the label
 * alone counts. @fd stays the caller's. */
CtlLease *ctl_lease_attach (CtlBus                *bus,
                            int                    fd,
                            const char            *access,
                            const CtlLeaseOptions *options,
                            GError               **error);

/* Closes the fd. What is left of the lease ends with the bus connection. */
void ctl_lease_free (CtlLease *lease);

const char *ctl_lease_get_path (CtlLease *lease);
int         ctl_lease_get_fd   (CtlLease *lease);
void        ctl_lease_close_fd (CtlLease *lease);

/* Why the lease has ended, NULL while it has not: as far as the main context
 * has heard. "no-service" when the service or the bus is gone. */
const char *ctl_lease_get_end (CtlLease *lease);

/* @ended and @asked are called from the main context: once, when the lease has
 * ended, and whenever the service announces that it will. */
typedef void (*CtlLeaseEndedFunc) (CtlLease *lease,
                                   gpointer  data);
typedef void (*CtlLeaseAskedFunc) (CtlLease   *lease,
                                   const char *reason,
                                   guint       grace,
                                   gpointer    data);

void ctl_lease_watch (CtlLease         *lease,
                      CtlLeaseEndedFunc ended,
                      CtlLeaseAskedFunc asked,
                      gpointer          data);

/* Closes the fd and gives the lease back. A reason of its end that came from
 * elsewhere is an error: what was done through the fd may then be lost. */
gboolean ctl_lease_release (CtlLease *lease,
                            GError  **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlLease, ctl_lease_free)
