/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

/* The connection to the bus that regiond is on. */
typedef struct _CtlBus CtlBus;

#define CTL_BUS_NAME "org.regiond1"
#define CTL_MANAGER_PATH "/org/regiond1"
#define CTL_MANAGER_INTERFACE "org.regiond1.Manager"
#define CTL_DEVICE_INTERFACE "org.regiond1.Device"
#define CTL_LEASE_INTERFACE "org.regiond1.Lease"

/* @address: NULL for the system bus. @ask_password: whether calls may bring up
 * a password prompt, on this terminal if there is one. */
CtlBus *ctl_bus_connect (const char *address,
                         gboolean    ask_password,
                         GError    **error);
void    ctl_bus_free    (CtlBus *bus);

GDBusConnection *ctl_bus_get_connection (CtlBus *bus);

/* A call that nobody is asked about. @reply_type is checked.
 * A floating @parameters is taken. */
GVariant *ctl_bus_call (CtlBus     *bus,
                        const char *path,
                        const char *interface,
                        const char *method,
                        GVariant   *parameters,
                        const char *reply_type,
                        GError    **error);

/* The same for a call that is meant to take long. */
GVariant *ctl_bus_call_patiently (CtlBus     *bus,
                                  const char *path,
                                  const char *interface,
                                  const char *method,
                                  GVariant   *parameters,
                                  const char *reply_type,
                                  GError    **error);

/* GetManagedObjects. Where the user has more of them unanswered than he may, it
 * tries again for a few seconds. */
GVariant *ctl_bus_list (CtlBus  *bus,
                        GError **error);

/* A call that polkit is asked about: it waits for as long as that takes. What is
 * in *@fds goes with it, and the reply's take its place; @fds or what it points to
 * may be NULL. */
GVariant *ctl_bus_call_authorized (CtlBus       *bus,
                                   const char   *path,
                                   const char   *interface,
                                   const char   *method,
                                   GVariant     *parameters,
                                   const char   *reply_type,
                                   GUnixFDList **fds,
                                   GError      **error);

/* Ends the prompting on this terminal, which is somebody else's from now on. */
void ctl_bus_dismiss_agent (CtlBus *bus);

/* The object path of the device with the id @device, which may be one itself. */
char *ctl_bus_find_device (CtlBus     *bus,
                           const char *device,
                           GError    **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlBus, ctl_bus_free)
