/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "process.h"
#include "sandbox.h"

#define BUS_ADDRESS "unix:path=" SANDBOX_SOCKET

/* A private system bus with the stock configuration, and limits, of Debian. */
typedef struct
{
  Process *process;
  int journal;
  GThread *drain;
} Bus;

/* Whether the tests run on dbus-broker (REGIOND_TEST_BUS=broker) and not on dbus-daemon. */
gboolean bus_is_broker (void);

/* Starts it and waits until it answers. SERVICES: a folder of service files, or NULL. */
Bus *bus_start (const char *services);

/* A new connection. */
GDBusConnection *bus_connect (void);

void bus_free (Bus *bus);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bus, bus_free)
