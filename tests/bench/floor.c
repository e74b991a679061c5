/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The floor under OpenRegion: the least that any service must do that asks
 * polkit the same question and answers with memory of the same size. No
 * leases, no devices, no state. The size comes with the path: BENCH_FLOOR_PATH
 * and a number of bytes.
 */

#include "bench.h"
#include "regiond-dbus.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <polkit/polkit.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static PolkitAuthority *authority;

/* As many details, of about the same length, as the service passes. */
static PolkitDetails *
make_details (const char *region,
              const char *access)
{
  PolkitDetails *details = polkit_details_new ();

  polkit_details_insert (details, "device", "d0");
  polkit_details_insert (details, "backend", "memory");
  polkit_details_insert (details, "address", "");
  polkit_details_insert (details, "vendor", "");
  polkit_details_insert (details, "model", "");
  polkit_details_insert (details, "class", "");
  polkit_details_insert (details, "driver", "");
  polkit_details_insert (details, "iommu_group", "");
  polkit_details_insert (details, "region", region);
  polkit_details_insert (details, "region_kind", "memory");
  polkit_details_insert (details, "access", access);
  polkit_details_insert (details, "offset", "0");
  polkit_details_insert (details, "length", "4096");
  polkit_details_insert (details, "exclusive", "false");
  polkit_details_insert (details, "mechanism", "memfd");
  polkit_details_insert (details, "revocation", "detached");
  polkit_details_insert (details, "label", "");
  polkit_details_insert (details, "proof", "");
  polkit_details_insert (details, "description", "Bench memory");
  return details;
}

static void
answer (GDBusMethodInvocation *invocation)
{
  const char *path = g_dbus_method_invocation_get_object_path (invocation);
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();
  g_autoptr (GError) error = NULL;
  int fd = bench_memfd (strtoul (strrchr (path, '/') + 1, NULL, 10));
  int handle = g_unix_fd_list_append (fds, fd, &error);

  bench_check ("appending the fd", error);
  close (fd);
  g_dbus_method_invocation_return_value_with_unix_fd_list (invocation, g_variant_new ("(ho)", handle, path), fds);
}

static void
on_checked (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PolkitAuthorizationResult) verdict = NULL;

  verdict = polkit_authority_check_authorization_finish (authority, result, &error);
  bench_check ("asking polkit", error);
  if (polkit_authorization_result_get_is_authorized (verdict))
    answer (user_data);
  else
    g_dbus_method_invocation_return_error (user_data, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "Not authorized");
}

static void
on_method_call (GDBusConnection       *bus,
                const char            *sender,
                const char            *path,
                const char            *interface,
                const char            *method,
                GVariant              *parameters,
                GDBusMethodInvocation *invocation,
                gpointer               user_data)
{
  g_autoptr (PolkitSubject) subject = polkit_system_bus_name_new (sender);
  g_autoptr (PolkitDetails) details = NULL;
  const char *region, *access;

  if (!g_str_equal (method, "OpenRegion"))
    {
      g_dbus_method_invocation_return_error (invocation, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD, "No %s", method);
      return;
    }

  g_variant_get (parameters, "(&s&sa{sv})", &region, &access, NULL);
  details = make_details (region, access);
  polkit_authority_check_authorization (authority, subject, "org.regiond1.write-region", details,
                                        POLKIT_CHECK_AUTHORIZATION_FLAGS_NONE, NULL, on_checked, invocation);
}

static GDBusInterfaceInfo **
introspect (GDBusConnection *bus,
            const char      *sender,
            const char      *path,
            const char      *node,
            gpointer         user_data)
{
  GDBusInterfaceInfo **infos = g_new0 (GDBusInterfaceInfo *, 2);

  infos[0] = g_dbus_interface_info_ref (regiond_dbus_device_interface_info ());
  return infos;
}

static char **
enumerate (GDBusConnection *bus,
           const char      *sender,
           const char      *path,
           gpointer         user_data)
{
  return g_new0 (char *, 1);
}

static const GDBusInterfaceVTable *
dispatch (GDBusConnection *bus,
          const char      *sender,
          const char      *path,
          const char      *interface,
          const char      *node,
          gpointer        *out_user_data,
          gpointer         user_data)
{
  static const GDBusInterfaceVTable vtable = { .method_call = on_method_call };

  return &vtable;
}

int
main (int    argc,
      char **argv)
{
  static const GDBusSubtreeVTable subtree = { enumerate, introspect, dispatch, { 0 } };
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GDBusConnection) bus = bench_connect ();
  g_autoptr (GError) error = NULL;

  authority = polkit_authority_get_sync (NULL, &error);
  bench_check ("finding polkit", error);
  g_dbus_connection_register_subtree (bus, BENCH_FLOOR_PATH, &subtree,
                                      G_DBUS_SUBTREE_FLAGS_DISPATCH_TO_UNENUMERATED_NODES, NULL, NULL, &error);
  bench_check ("exporting the floor", error);
  g_bus_own_name_on_connection (bus, BENCH_FLOOR, G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE, NULL, NULL, NULL, NULL);
  g_main_loop_run (loop);
  return 0;
}
