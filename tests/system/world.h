/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "agent.h"
#include "bus.h"
#include "deadline.h"
#include "person.h"
#include "polkit.h"
#include "process.h"
#include "sandbox.h"
#include "service.h"

#define MANAGER_PATH "/org/regiond1"
#define DEVICE_PREFIX "/org/regiond1/devices/"
#define MANAGER_INTERFACE "org.regiond1.Manager"
#define DEVICE_INTERFACE "org.regiond1.Device"
#define LEASE_INTERFACE "org.regiond1.Lease"
#define SHM0 DEVICE_PREFIX "shm0"

#define ERROR(name) "org.regiond1.Error." name
#define DENIED "org.freedesktop.DBus.Error.AccessDenied"
#define INVALID "org.freedesktop.DBus.Error.InvalidArgs"
#define NEEDS_PROMPT "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"

/*
 * Bus, polkitd, regiond: one of each, new for every test unless they are shared. The device shm0 has
 * the regions bar2 (1 MiB) and control (4 KiB); the device big has one region,
 * whole, of 8 MiB; kept is persistent and loose tolerates references, each with
 * the region bar2 of 64 KiB. Nothing is allowed until a test writes rules.
 */
typedef struct
{
  Bus *bus;
  GDBusConnection *root;
  Process *polkitd;
  Process *regiond;
  Person *witness; /* nobody that regiond ever hears of */
  char *daemon;    /* what world_new() configured */
} World;

/* Bus and polkitd; the configuration is written. DAEMON: for regiond.conf. */
World *world_new_without_service (const char *daemon);
/* The same, on a bus that starts services by the files in the folder SERVICES. */
World *world_new_with_activation (const char *daemon,
                                  const char *services);
World *world_new (const char *daemon);
/* The same, and everybody may do everything. */
World *world_new_allowing_all (const char *daemon);
void world_free (World *world);

/* From here on a test leaves bus and polkitd to the next one, and regiond where world_new()
 * is asked for the same again: for where it takes seconds to start them. Each still begins
 * without a lease, and with nothing allowed. */
void world_share (void);

void world_set_rules (World *world,
                      const char *rules);

/* Asked as root. */
GVariant *world_get (World *world,
                     const char *path,
                     const char *interface,
                     const char *property);
char *world_get_string (World *world,
                        const char *path,
                        const char *interface,
                        const char *property);
guint64 world_get_uint64 (World *world,
                          const char *path,
                          const char *interface,
                          const char *property);
guint world_get_uint (World *world,
                      const char *path,
                      const char *interface,
                      const char *property);

/* A method call as root, which must succeed. */
GVariant *world_call (World *world,
                      const char *path,
                      const char *interface,
                      const char *method,
                      GVariant *arguments);

/* How many lease objects there are: lingering ones included. */
guint world_count_leases (World *world);
gboolean world_has_object (World *world,
                           const char *path);

/* Waits for it: the test fails after MILLISECONDS. */
void world_wait_string (World *world,
                        const char *path,
                        const char *interface,
                        const char *property,
                        const char *value,
                        guint milliseconds);
void world_wait_uint (World *world,
                      const char *path,
                      const char *interface,
                      const char *property,
                      guint value,
                      guint milliseconds);
void world_wait_gone (World *world,
                      const char *path,
                      guint milliseconds);
/* regiond has no more than MOST descriptors open. */
void world_wait_fds (World *world,
                     guint most);
void world_wait_no_leases (World *world,
                           guint milliseconds);

/* The property must be VALUE. */
void world_expect_string (World *world,
                          const char *path,
                          const char *interface,
                          const char *property,
                          const char *value);

/* For main(): sandbox and g_test_init. */
void world_init (int *argc,
                 char ***argv);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (World, world_free)
