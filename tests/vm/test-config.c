/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/config.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/vfio/layout.h"
#include "backends/vfio/rom.h"
#include "bound.h"
#include "devices.h"
#include "error.h"
#include "guest.h"
#include "region.h"

static const char *const all_ids[] = { GUEST_IVSHMEM, GUEST_EDU, GUEST_TESTDEV, GUEST_VGA, GUEST_NVME, GUEST_E1000E };

static void
check_view (Bound *bound,
            RegiondSource *view)
{
  g_autoptr (GBytes) wanted = bound_read_config (bound);
  gsize size = g_bytes_get_size (wanted);
  g_autofree guint8 *buffer = g_malloc (size);
  const guint8 *bytes;

  g_assert_cmpint (regiond_source_read (view, 0, size, buffer, &bytes), ==, 0);
  g_assert_cmpmem (bytes, size, g_bytes_get_data (wanted, NULL), size);
}

/* With VFIO's fd open, too, in which some bytes read otherwise. */
static void
test_same_bytes (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (all_ids); i++)
    {
      g_auto (Bound) bound = bound_set_up (all_ids[i]);
      g_autoptr (RegiondConfig) config = regiond_config_new (bound.sysfs);
      g_autoptr (RegiondSource) view = regiond_config_open (config, FALSE);

      check_view (&bound, view);
      regiond_config_set_handle (config, bound_open (&bound));
      check_view (&bound, view);
      regiond_config_set_handle (config, NULL);
    }
}

static int
write_word (RegiondSource *view,
            guint offset,
            guint word)
{
  const guint8 bytes[] = { word & 0xff, word >> 8 };

  return regiond_source_write (view, offset, sizeof bytes, bytes);
}

static void
check_refusals (Bound *bound,
                RegiondSource *shared,
                RegiondSource *exclusive)
{
  guint command = bound_get16 (bound, PCI_COMMAND);

  g_assert_cmphex (command & (PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE), ==, PCI_COMMAND_INTX_DISABLE);
  g_assert_cmpint (write_word (shared, PCI_COMMAND, command ^ PCI_COMMAND_MEMORY), ==, EPERM);
  g_assert_cmpint (write_word (shared, PCI_COMMAND, command | PCI_COMMAND_MASTER), ==, EPERM);
  g_assert_cmpint (write_word (exclusive, PCI_COMMAND, command | PCI_COMMAND_MASTER), ==, EPERM);
  for (guint bar = PCI_BASE_ADDRESS_0; bar <= PCI_BASE_ADDRESS_5; bar += 4)
    g_assert_cmpint (write_word (exclusive, bar + 2, bound_get16 (bound, bar + 2) ^ 0x1000), ==, EPERM);
  g_assert_cmpint (write_word (exclusive, PCI_ROM_ADDRESS, bound_get16 (bound, PCI_ROM_ADDRESS) ^ 1), ==, EPERM);
  g_assert_cmpint (write_word (shared, PCI_COMMAND, command), ==, 0);
  g_assert_cmphex (bound_get16 (bound, PCI_COMMAND), ==, command);
}

/* Whichever way serves it. */
static void
test_refusals (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (all_ids); i++)
    {
      g_auto (Bound) bound = bound_set_up (all_ids[i]);
      g_autoptr (RegiondConfig) config = regiond_config_new (bound.sysfs);
      g_autoptr (RegiondSource) shared = regiond_config_open (config, FALSE);
      g_autoptr (RegiondSource) exclusive = regiond_config_open (config, TRUE);
      g_autoptr (GError) error = NULL;

      if (guest_is_locked_down ())
        regiond_config_set_handle (config, bound_open (&bound));
      g_assert_true (regiond_config_save (config, &error));
      regiond_config_isolate (config, TRUE, &error);
      g_assert_no_error (error);
      if (!guest_is_locked_down ())
        check_refusals (&bound, shared, exclusive);
      regiond_config_set_handle (config, bound_open (&bound));
      regiond_config_isolate (config, TRUE, &error);
      g_assert_no_error (error);
      check_refusals (&bound, shared, exclusive);
      regiond_config_set_handle (config, NULL);
    }
}

static void
check_permitted (Bound *bound,
                 RegiondSource *shared,
                 RegiondSource *exclusive)
{
  guint before = bound_get16 (bound, PCI_CACHE_LINE_SIZE);
  guint command = bound_get16 (bound, PCI_COMMAND);

  g_assert_cmpint (regiond_source_write (shared, PCI_CACHE_LINE_SIZE, 1, (const guint8[]){ 0x20 }), ==, 0);
  g_assert_cmphex (bound_get16 (bound, PCI_CACHE_LINE_SIZE), ==, (before & 0xff00) | 0x20);
  g_assert_cmpint (write_word (exclusive, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY), ==, 0);
  g_assert_cmphex (bound_get16 (bound, PCI_COMMAND) & PCI_COMMAND_MEMORY, ==, 0);
}

static void
test_written_and_put_back (void)
{
  const char *const ids[] = { GUEST_IVSHMEM, GUEST_EDU, GUEST_NVME, GUEST_E1000E };

  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      g_auto (Bound) bound = bound_set_up (ids[i]);
      g_autoptr (RegiondConfig) config = NULL;
      g_autoptr (RegiondSource) shared = NULL, exclusive = NULL;
      g_autoptr (GError) error = NULL;
      guint line, command;

      bound_open (&bound); /* the kernel enables its BARs */
      bound_close (&bound);
      line = bound_get16 (&bound, PCI_CACHE_LINE_SIZE);
      command = bound_get16 (&bound, PCI_COMMAND) & ~PCI_COMMAND_MASTER;
      config = regiond_config_new (bound.sysfs);
      shared = regiond_config_open (config, FALSE);
      exclusive = regiond_config_open (config, TRUE);
      if (guest_is_locked_down ())
        regiond_config_set_handle (config, bound_open (&bound));
      g_assert_true (regiond_config_save (config, &error));
      regiond_config_isolate (config, TRUE, &error);
      g_assert_no_error (error);
      check_permitted (&bound, shared, exclusive);
      regiond_config_restore (config, &error);
      g_assert_no_error (error);
      g_assert_cmphex (bound_get16 (&bound, PCI_CACHE_LINE_SIZE), ==, line);
      if (!guest_is_locked_down ())
        g_assert_cmphex (bound_get16 (&bound, PCI_COMMAND), ==, command);
      regiond_config_set_handle (config, NULL);
    }
}

/* Switched on behind regiond's back, it is off once the device is isolated, and
 * stays so when what was found is put back. */
static void
test_bus_mastering (void)
{
  g_auto (Bound) bound = { 0 };
  g_autoptr (RegiondConfig) config = NULL;
  g_autoptr (GError) error = NULL;

  if (guest_is_locked_down ())
    {
      g_test_skip ("locked down, nobody can switch it on");
      return;
    }

  bound = bound_set_up (GUEST_EDU);
  config = regiond_config_new (bound.sysfs);
  bound_set16 (&bound, PCI_COMMAND, bound_get16 (&bound, PCI_COMMAND) | PCI_COMMAND_MASTER);
  g_assert_true (regiond_config_save (config, &error));
  regiond_config_isolate (config, TRUE, &error);
  g_assert_no_error (error);
  g_assert_cmphex (bound_get16 (&bound, PCI_COMMAND) & PCI_COMMAND_MASTER, ==, 0);
  regiond_config_restore (config, &error);
  g_assert_no_error (error);
  g_assert_cmphex (bound_get16 (&bound, PCI_COMMAND) & PCI_COMMAND_MASTER, ==, 0);
}

static void
check_regions (Bound *bound,
               GPtrArray *found,
               GPtrArray *complete)
{
  guint seen = 0;

  for (guint i = 0; i < regiond_handle_count_regions (bound->handle); i++)
    {
      const struct vfio_region_info *info = regiond_handle_get_region (bound->handle, i, NULL);
      RegiondRegion *region = NULL;

      for (guint j = 0; j < complete->len; j++)
        {
          if (((RegiondRegion *) g_ptr_array_index (complete, j))->index == i)
            region = g_ptr_array_index (complete, j);
        }
      g_assert_true ((region != NULL) == (info != NULL && info->size > 0));
      if (region != NULL)
        g_assert_cmpuint (region->size, ==, info->size);
      seen += region != NULL;
    }

  g_assert_cmpuint (seen, ==, complete->len);
  for (guint i = 0; i < found->len; i++)
    {
      RegiondRegion *before = g_ptr_array_index (found, i);
      RegiondRegion *after = g_ptr_array_index (complete, i);

      g_assert_cmpstr (before->name, ==, after->name);
      g_assert_cmpuint (before->size, ==, after->size);
    }
}

/* What sysfs says of a parked device is what VFIO says of an open one. */
static void
test_regions (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (all_ids); i++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (Bound) bound = bound_set_up (all_ids[i]);
      g_autoptr (GPtrArray) found = regiond_layout_read (bound.sysfs, &error);
      g_autoptr (GPtrArray) complete = NULL;

      g_assert_no_error (error);
      bound_open (&bound);
      complete = regiond_layout_complete (found, bound.handle);
      check_regions (&bound, found, complete);
      g_assert_true ((regiond_region_find (complete, "vga") != NULL) == g_str_equal (all_ids[i], GUEST_VGA));
    }
}

static char *
read_rom_by_sysfs (Bound *bound,
                   gsize *size)
{
  g_autofree char *path = g_build_filename (regiond_sysfs_get_folder (bound->sysfs), "rom", NULL);
  char *bytes = NULL;

  guest_set_attribute (bound->address, "rom", "1");
  g_file_get_contents (path, &bytes, size, NULL);
  guest_set_attribute (bound->address, "rom", "0");
  return bytes;
}

/* sysfs gives the image, VFIO the whole region: the image begins it. */
static void
test_rom (void)
{
  const char *const ids[] = { GUEST_VGA, GUEST_E1000E };

  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      g_auto (Bound) bound = bound_set_up (ids[i]);
      g_autoptr (RegiondWatch) watch = regiond_watch_new (NULL);
      g_autoptr (RegiondBudget) budget = regiond_budget_new (64 << 20);
      gsize size = 0;
      g_autofree char *image = read_rom_by_sysfs (&bound, &size);
      g_autoptr (RegiondConfig) config = NULL;
      g_autoptr (RegiondMemfd) memfd = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *buffer = NULL;
      const guint8 *bytes;

      g_assert_cmpuint (size, >=, 512);
      config = regiond_config_new (bound.sysfs);
      regiond_config_set_handle (config, bound_open (&bound));
      regiond_config_isolate (config, TRUE, &error);
      g_assert_no_error (error);
      memfd = regiond_rom_read (bound.handle, watch, budget, "regiond:rom", NULL, &error);
      g_assert_no_error (error);
      buffer = g_malloc (size);
      g_assert_cmpint (regiond_source_read (REGIOND_SOURCE (memfd), 0, size, buffer, &bytes), ==, 0);
      g_assert_cmpmem (bytes, size, image, size);
      g_assert_cmpmem (image, 2, "\x55\xaa", 2);
      regiond_config_set_handle (config, NULL);
    }
}

static void
test_no_rom (void)
{
  g_auto (Bound) bound = bound_set_up (GUEST_IVSHMEM);
  g_autoptr (RegiondWatch) watch = regiond_watch_new (NULL);
  g_autoptr (RegiondBudget) budget = regiond_budget_new (64 << 20);
  g_autoptr (GError) error = NULL;

  g_assert_null (regiond_rom_read (bound_open (&bound), watch, budget, "regiond:rom", NULL, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND);
}

/* VFIO says so; with memory decoding off it would read something else. */
static void
test_rom_without_decoding (void)
{
  g_auto (Bound) bound = bound_set_up (GUEST_E1000E);
  g_autoptr (RegiondWatch) watch = regiond_watch_new (NULL);
  g_autoptr (RegiondBudget) budget = regiond_budget_new (64 << 20);
  g_autoptr (RegiondConfig) config = NULL;
  g_autoptr (GError) error = NULL, why = NULL;

  bound_open (&bound);
  config = regiond_config_new (bound.sysfs);
  regiond_config_set_handle (config, bound.handle);
  regiond_config_isolate (config, FALSE, &error);
  g_assert_no_error (error);
  g_assert_null (regiond_rom_read (bound.handle, watch, budget, "regiond:rom", NULL, &why));
  g_assert_error (why, REGIOND_ERROR, REGIOND_ERROR_FAILED);
  g_assert_nonnull (strstr (why->message, "decodes no memory"));
  regiond_config_isolate (config, TRUE, &error);
  g_assert_no_error (error);
  regiond_config_set_handle (config, NULL);
}

/* From here on: what a person meets on the bus. */

static const char *const lent_ids[] = { GUEST_IVSHMEM, GUEST_EDU, GUEST_NVME, GUEST_E1000E };

typedef struct
{
  World *world;
  Person *alice;
  Bound bound; /* its group is regiond's */
  char *id;
} Lent;

/* Each of them, until it is parked again. */
static void
try_each (void (*act) (Lent *lent))
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  alice = person_new ("alice", UID_ALICE);
  for (guint i = 0; i < G_N_ELEMENTS (lent_ids); i++)
    {
      Lent lent = { world, alice };
      g_autofree char *path = NULL;

      lent.bound = bound_set_up (lent_ids[i]);
      g_clear_pointer (&lent.bound.container, regiond_container_unref);
      path = device_path (lent.bound.address);
      lent.id = device_id (lent.bound.address);
      device_wait (world, lent.bound.address);
      act (&lent);
      world_wait_string (world, path, DEVICE_INTERFACE, "State", "parked", 30000);
      g_free (lent.id);
      bound_clear (&lent.bound);
    }
}

/* The descriptor that she got, which is now the test's too. */
static int
open_config (Lent *self,
             const char *access,
             const char *options)
{
  g_autoptr (Opened) opened = person_open (self->alice, self->id, "config", access, options);
  int fd = person_give (self->alice, opened->fd);

  person_let_go (self->alice, NULL, opened->fd);
  return fd;
}

static void
read_config (Lent *lent)
{
  g_autoptr (GBytes) wanted = NULL;
  guint8 bytes[4096 + 1];
  struct stat status;
  gssize n;
  int fd = open_config (lent, "r", "{}");

  n = pread (fd, bytes, sizeof bytes, 0);
  wanted = bound_read_config (&lent->bound);
  g_assert_cmpmem (bytes, n, g_bytes_get_data (wanted, NULL), g_bytes_get_size (wanted));
  g_assert_cmpint (fstat (fd, &status), ==, 0);
  g_assert_cmpint (status.st_size, ==, g_bytes_get_size (wanted));
  g_assert_cmpint (pread (fd, bytes, 1, status.st_size), ==, 0);
  g_assert_cmpint (pwrite (fd, bytes, 1, PCI_CACHE_LINE_SIZE), ==, -1);
  g_assert_cmpint (errno, ==, EBADF);
  close (fd);
}

static void
test_person_reads (void)
{
  try_each (read_config);
}

static void
write_refused (int fd,
               guint offset,
               guint word)
{
  const guint8 bytes[] = { word & 0xff, word >> 8 };

  g_assert_cmpint (pwrite (fd, bytes, sizeof bytes, offset), ==, -1);
  g_assert_cmpint (errno, ==, EPERM);
}

static void
write_taken (int fd,
             guint offset,
             guint word)
{
  const guint8 bytes[] = { word & 0xff, word >> 8 };

  g_assert_cmpint (pwrite (fd, bytes, sizeof bytes, offset), ==, sizeof bytes);
}

static void
write_config (Lent *lent)
{
  Bound *bound = &lent->bound;
  int fd = open_config (lent, "rw", "{}");
  guint command = bound_get16 (bound, PCI_COMMAND);

  g_assert_cmphex (command & PCI_COMMAND_MASTER, ==, 0);
  write_refused (fd, PCI_COMMAND, command | PCI_COMMAND_MASTER);
  write_refused (fd, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);
  write_refused (fd, PCI_BASE_ADDRESS_0 + 2, bound_get16 (bound, PCI_BASE_ADDRESS_0 + 2) ^ 0x1000);
  write_taken (fd, PCI_CACHE_LINE_SIZE, bound_get16 (bound, PCI_CACHE_LINE_SIZE) ^ 0x0030);
  g_assert_cmphex (bound_get16 (bound, PCI_COMMAND), ==, command);
  close (fd);
}

static void
test_person_writes (void)
{
  try_each (write_config);
}

static gboolean
is_put_back (gpointer data)
{
  Bound *bound = data;

  return (bound_get16 (bound, PCI_CACHE_LINE_SIZE) & 0xff) != 0x33;
}

/* And what she wrote is put back when she has left. */
static void
write_alone (Lent *lent)
{
  Bound *bound = &lent->bound;
  int fd = open_config (lent, "rw", "{'exclusive': <true>}");
  guint command = bound_get16 (bound, PCI_COMMAND);

  write_refused (fd, PCI_COMMAND, command | PCI_COMMAND_MASTER);
  write_taken (fd, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);
  write_taken (fd, PCI_CACHE_LINE_SIZE, 0x0033);
  g_assert_cmphex (bound_get16 (bound, PCI_COMMAND) & PCI_COMMAND_MEMORY, ==, 0);
  close (fd);
  wait_until (is_put_back, bound, 30000, "what was written put back");
  g_assert_cmphex (bound_get16 (bound, PCI_COMMAND) & PCI_COMMAND_MASTER, ==, 0);
}

static void
test_person_alone (void)
{
  try_each (write_alone);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/config/the-same-bytes-either-way", test_same_bytes);
  g_test_add_func ("/config/the-same-refusals-either-way", test_refusals);
  g_test_add_func ("/config/what-was-written-is-put-back", test_written_and_put_back);
  g_test_add_func ("/config/nobody-masters-the-bus", test_bus_mastering);
  g_test_add_func ("/layout/sysfs-and-vfio-agree", test_regions);
  g_test_add_func ("/rom/is-what-the-device-has", test_rom);
  g_test_add_func ("/rom/where-there-is-none-it-is-not-found", test_no_rom);
  g_test_add_func ("/rom/is-not-read-without-decoding", test_rom_without_decoding);
  g_test_add_func ("/config/an-ordinary-user-reads-it-and-no-more", test_person_reads);
  g_test_add_func ("/config/an-ordinary-user-is-refused", test_person_writes);
  g_test_add_func ("/config/who-is-alone-switches-decoding", test_person_alone);
  return g_test_run ();
}
