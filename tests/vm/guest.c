/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../system/deadline.h"
#include "../system/world.h"

#define DEVICES "/sys/bus/pci/devices"

void
guest_init (int *argc,
            char ***argv)
{
  if (!g_getenv ("REGIOND_TEST_GUEST"))
    {
      g_printerr ("tests of a guest are run by tests/vm/run: skipped\n");
      exit (77);
    }
  world_init (argc, argv);
  world_share ();
  guest_empty_port ();
}

char *
guest_attribute (const char *address,
                 const char *name)
{
  g_autofree char *path = g_build_filename (DEVICES, address, name, NULL);
  char *text = NULL;

  g_file_get_contents (path, &text, NULL, NULL);
  return text ? g_strchomp (text) : NULL;
}

static void
write_file (const char *path,
            const char *value)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  gssize length = strlen (value);

  if (fd < 0 || write (fd, value, length) != length)
    g_error ("cannot write \"%s\" to %s: %s", value, path, g_strerror (errno));
  close (fd);
}

void
guest_set_attribute (const char *address,
                     const char *name,
                     const char *value)
{
  g_autofree char *path = g_build_filename (DEVICES, address, name, NULL);

  write_file (path, value);
}

static gboolean
has_id (const char *address,
        const char *id)
{
  g_autofree char *vendor = guest_attribute (address, "vendor");
  g_autofree char *device = guest_attribute (address, "device");
  g_autofree char *found = NULL;

  if (!vendor || !device)
    return FALSE;
  found = g_strdup_printf ("%s:%s", vendor + strlen ("0x"), device + strlen ("0x"));
  return g_str_equal (found, id);
}

char **
guest_find_all (const char *id)
{
  g_autoptr (GDir) dir = g_dir_open (DEVICES, 0, NULL);
  GPtrArray *found = g_ptr_array_new ();
  const char *address;

  while (dir && (address = g_dir_read_name (dir)))
    if (has_id (address, id))
      g_ptr_array_add (found, g_strdup (address));
  g_ptr_array_add (found, NULL);
  return (char **) g_ptr_array_free (found, FALSE);
}

char *
guest_look_for (const char *id)
{
  g_auto (GStrv) found = guest_find_all (id);

  return g_strdup (found[0]);
}

char *
guest_find (const char *id)
{
  char *address = guest_look_for (id);

  if (!address)
    g_error ("the guest has no device %s", id);
  return address;
}

static char *
linked_name (const char *address,
             const char *link)
{
  g_autofree char *path = g_build_filename (DEVICES, address, link, NULL);
  g_autofree char *target = g_file_read_link (path, NULL);

  return target ? g_path_get_basename (target) : NULL;
}

char *
guest_driver (const char *address)
{
  return linked_name (address, "driver");
}

int
guest_group (const char *address)
{
  g_autofree char *number = linked_name (address, "iommu_group");

  return number ? atoi (number) : -1;
}

static int
compare_names (gconstpointer a,
               gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

char **
guest_group_members (const char *address)
{
  g_autofree char *path = g_build_filename (DEVICES, address, "iommu_group/devices", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  GPtrArray *members = g_ptr_array_new ();
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    g_ptr_array_add (members, g_strdup (name));
  g_ptr_array_sort (members, compare_names);
  g_ptr_array_add (members, NULL);
  return (char **) g_ptr_array_free (members, FALSE);
}

static void
settle_udev (void)
{
  g_autoptr (GError) error = NULL;

  g_spawn_command_line_sync ("udevadm settle --timeout=30", NULL, NULL, NULL, &error);
  g_assert_no_error (error);
}

static void
probe_with (const char *address,
            const char *override)
{
  g_autofree char *driver = guest_driver (address);

  guest_set_attribute (address, "driver_override", override);
  if (driver)
    guest_set_attribute (address, "driver/unbind", address);
  write_file ("/sys/bus/pci/drivers_probe", address);
  settle_udev ();
}

void
guest_bind_to (const char *address,
               const char *driver)
{
  g_autofree char *has = NULL;

  probe_with (address, driver);
  has = guest_driver (address);
  g_assert_cmpstr (has, ==, driver);
}

void
guest_bind (const char *address)
{
  guest_bind_to (address, "vfio-pci");
}

void
guest_give_back (const char *address)
{
  probe_with (address, "\n");
}

gboolean
guest_kernel_is_at_least (guint major,
                          guint minor)
{
  struct utsname name;
  guint has_major = 0, has_minor = 0;

  g_assert_cmpint (uname (&name), ==, 0);
  g_assert_cmpint (sscanf (name.release, "%u.%u", &has_major, &has_minor), ==, 2);
  return has_major > major || (has_major == major && has_minor >= minor);
}

gboolean
guest_is_locked_down (void)
{
  g_autofree char *text = NULL;

  return g_file_get_contents ("/sys/kernel/security/lockdown", &text, NULL, NULL) && !strstr (text, "[none]");
}

gboolean
guest_was_told (const char *word)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) words = NULL;

  g_assert_true (g_file_get_contents ("/proc/cmdline", &text, NULL, NULL));
  words = g_strsplit (g_strchomp (text), " ", -1);
  return g_strv_contains ((const char *const *) words, word);
}

void
guest_needs_told (const char *word)
{
  if (guest_was_told (word))
    return;
  if (g_getenv ("REGIOND_TEST_NAMED"))
    g_error ("this takes --append %s", word);
  printf ("1..0 # SKIP needs a kernel that was told %s\n", word);
  exit (0);
}

guint
guest_cpus (void)
{
  return g_get_num_processors ();
}
