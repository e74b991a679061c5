/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/aperture.h"
#include "fixture.h"

#include <errno.h>
#include <string.h>

#define SIZE 4096

/* A device's folder in which the BARs are plain files. */
typedef struct {
  char         *folder;
  RegiondSysfs *sysfs;
  RegiondGate  *gate;
} Stand;

static void
write_file (Stand      *stand,
            const char *name,
            const void *bytes,
            gsize       size)
{
  g_autofree char *path = g_build_filename (stand->folder, name, NULL);

  g_assert_true (g_file_set_contents (path, bytes, size, NULL));
}

/* @command: the register of that name. */
static void
stand_init (Stand   *self,
            guint16  command)
{
  /* The third one lies in the middle of a page. */
  const char resource[] = "0x00000000fe000000 0x00000000fe003fff 0x0000000000040200\n"
                          "0x000000000000c000 0x000000000000c0ff 0x0000000000040101\n"
                          "0x00000000fe004100 0x00000000fe0041ff 0x0000000000040200\n"
                          "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
                          "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
                          "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
                          "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
  guint8 config[64] = { 0 }, bytes[SIZE];

  for (guint i = 0; i < SIZE; i++)
    bytes[i] = i;
  memcpy (config + 4, &command, sizeof command);
  memset (bytes + 256, 0xff, 16);
  self->folder = g_dir_make_tmp ("aperture-XXXXXX", NULL);
  write_file (self, "config", config, sizeof config);
  write_file (self, "resource", resource, sizeof resource - 1);
  write_file (self, "resource0", bytes, sizeof bytes);
  write_file (self, "resource1", bytes, 256);
  write_file (self, "resource2", bytes, sizeof bytes);
  self->sysfs = regiond_sysfs_new (self->folder);
  self->gate = regiond_gate_new (self->sysfs);
  regiond_gate_stop (self->gate);
  regiond_gate_lead_through_mappings (self->gate);
  regiond_gate_go (self->gate);
}

static void
stand_clear (Stand *self)
{
  g_autofree char *command = g_strdup_printf ("rm -r %s", self->folder);

  regiond_gate_unref (self->gate);
  regiond_sysfs_unref (self->sysfs);
  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  g_free (self->folder);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Stand, stand_clear)

static RegiondSource *
make (Stand      *stand,
      guint       index,
      guint64     size,
      const char *kind)
{
  g_autoptr (RegiondRegion) region = regiond_region_new ("bar", index, size, kind);

  return REGIOND_SOURCE (regiond_aperture_new (stand->gate, region));
}

static void
test_any_width (void)
{
  g_auto (Stand) stand = { 0 };
  g_autoptr (RegiondSource) source = NULL;
  guint8 buffer[64];
  const guint8 *bytes;

  stand_init (&stand, 3);
  source = make (&stand, 0, SIZE, "mmio");
  for (guint offset = 0; offset < 16; offset++)
    for (guint width = 1; width <= 40; width++)
      {
        g_assert_cmpint (regiond_source_read (source, offset, width, buffer, &bytes), ==, 0);
        for (guint i = 0; i < width; i++)
          g_assert_cmpuint (bytes[i], ==, offset + i);
      }
}

static void
test_writes_arrive (void)
{
  g_auto (Stand) stand = { 0 };
  g_autoptr (RegiondSource) source = NULL;
  guint8 buffer[16], wanted[16] = { 0, 1, 2, 3, 'u', 'n', 'a', 'l', 'i', 'g', 'n', 'e', 'd', 13, 14, 15 };
  const guint8 *bytes;

  stand_init (&stand, 3);
  source = make (&stand, 0, SIZE, "mmio");
  g_assert_cmpint (regiond_source_write (source, 4, 9, (const guint8 *) "unaligned"), ==, 0);
  g_assert_cmpint (regiond_source_read (source, 0, 16, buffer, &bytes), ==, 0);
  g_assert_cmpmem (bytes, 16, wanted, 16);
}

/* Its file maps as the page that it is in: here 0xff is what its first bytes are. */
static void
test_within_a_page (void)
{
  g_auto (Stand) stand = { 0 };
  g_autoptr (RegiondSource) source = NULL;
  g_autofree char *path = NULL, *page = NULL;
  guint8 buffer[4];
  const guint8 *bytes;

  stand_init (&stand, 3);
  source = make (&stand, 2, 256, "mmio");
  g_assert_cmpint (regiond_source_read (source, 0, 4, buffer, &bytes), ==, 0);
  g_assert_cmpmem (bytes, 4, "\xff\xff\xff\xff", 4);
  g_assert_cmpint (regiond_source_read (source, 252, 4, buffer, &bytes), ==, 0);
  g_assert_cmpmem (bytes, 4, "\xfc\xfd\xfe\xff", 4);
  g_assert_cmpint (regiond_source_write (source, 4, 4, (const guint8 *) "mine"), ==, 0);
  path = g_build_filename (stand.folder, "resource2", NULL);
  g_assert_true (g_file_get_contents (path, &page, NULL, NULL));
  g_assert_cmpmem (page + 4, 4, "\x04\x05\x06\x07", 4);
  g_assert_cmpmem (page + 256 + 4, 4, "mine", 4);
}

static void
test_ports (void)
{
  g_auto (Stand) stand = { 0 };
  g_autoptr (RegiondSource) source = NULL;
  guint8 buffer[16];
  const guint8 *bytes;

  stand_init (&stand, 3);
  source = make (&stand, 1, 256, "io");
  g_assert_cmpint (regiond_source_read (source, 16, 4, buffer, &bytes), ==, 0);
  g_assert_cmpmem (bytes, 4, "\x10\x11\x12\x13", 4);
  g_assert_cmpint (regiond_source_read (source, 16, 8, buffer, &bytes), ==, EINVAL);
  g_assert_cmpint (regiond_source_read (source, 17, 8, buffer, &bytes), ==, 0);
}

/* All ones are what a device says that does not answer, and what one may hold. */
static void
test_no_decoding (void)
{
  g_auto (Stand) stand = { 0 };
  g_autoptr (RegiondSource) memory = NULL, ports = NULL;
  guint8 buffer[16];
  const guint8 *bytes;

  stand_init (&stand, 0);
  memory = make (&stand, 0, SIZE, "mmio");
  ports = make (&stand, 1, 256, "io");
  g_assert_cmpint (regiond_source_read (memory, 256, 4, buffer, &bytes), ==, EIO);
  g_assert_cmpint (regiond_source_write (memory, 0, 4, buffer), ==, EIO);
  g_assert_cmpint (regiond_source_write (ports, 0, 4, buffer), ==, EIO);
}

static void
test_all_ones_are_data (void)
{
  g_auto (Stand) stand = { 0 };
  g_autoptr (RegiondSource) source = NULL;
  guint8 buffer[16];
  const guint8 *bytes;

  stand_init (&stand, 2);
  source = make (&stand, 0, SIZE, "mmio");
  g_assert_cmpint (regiond_source_read (source, 256, 4, buffer, &bytes), ==, 0);
  g_assert_cmpmem (bytes, 4, "\xff\xff\xff\xff", 4);
}

static void
test_shut (void)
{
  g_auto (Stand) stand = { 0 };
  g_autoptr (RegiondSource) source = NULL;
  guint8 buffer[16];
  const guint8 *bytes;

  stand_init (&stand, 3);
  source = make (&stand, 0, SIZE, "mmio");
  g_assert_cmpint (regiond_source_read (source, 0, 4, buffer, &bytes), ==, 0);
  regiond_gate_stop (stand.gate);
  regiond_gate_shut (stand.gate);
  regiond_gate_go (stand.gate);
  g_assert_cmpint (regiond_source_read (source, 0, 4, buffer, &bytes), ==, ENODEV);
}

static gpointer
write_much (gpointer data)
{
  guint8 bytes[SIZE];

  memset (bytes, 'x', sizeof bytes);
  return GINT_TO_POINTER (regiond_source_write (data, 0, sizeof bytes, bytes));
}

/* The write is at its first piece at the most when the end comes. */
static void
test_end_between_pieces (void)
{
  g_auto (Stand) stand = { 0 };
  g_autoptr (RegiondSource) source = NULL, other = NULL;
  guint8 buffer[8];
  const guint8 *bytes;
  GThread *thread;

  stand_init (&stand, 3);
  source = make (&stand, 0, SIZE, "mmio");
  other = make (&stand, 0, SIZE, "mmio");
  regiond_gate_stop (stand.gate);
  thread = g_thread_new ("writer", write_much, source);
  regiond_source_end (source);
  regiond_gate_go (stand.gate);
  g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, ENOTCONN);
  g_assert_cmpint (regiond_source_read (source, 0, 4, buffer, &bytes), ==, ENOTCONN);

  /* Another lease of the same region goes on. */
  g_assert_cmpint (regiond_source_read (other, 4, 8, buffer, &bytes), ==, 0);
  g_assert_cmpmem (bytes, 8, "\x04\x05\x06\x07\x08\x09\x0a\x0b", 8);
}

/* Its file ends before it does, as a mapping does that another driver has taken away. */
static void
test_mapping_taken_away (void)
{
  g_auto (Stand) stand = { 0 };
  g_autoptr (RegiondSource) source = NULL;
  guint8 buffer[16];
  const guint8 *bytes;

  stand_init (&stand, 3);
  source = make (&stand, 0, 4 * SIZE, "mmio");
  g_assert_cmpint (regiond_source_read (source, 2 * SIZE, 4, buffer, &bytes), ==, EIO);
  g_assert_cmpint (regiond_source_write (source, 2 * SIZE, 4, buffer), ==, EIO);
  g_assert_cmpint (regiond_source_read (source, 0, 4, buffer, &bytes), ==, 0);
}

static void
test_handle_alone (void)
{
  g_auto (Stand) stand = { 0 };
  g_autoptr (RegiondSource) source = NULL;
  guint8 buffer[16];
  const guint8 *bytes;

  stand_init (&stand, 3);
  source = make (&stand, 8, 0xc0000, "vga");
  g_assert_cmpint (regiond_source_read (source, 0, 4, buffer, &bytes), ==, EAGAIN);
}

static void
test_decoding_is_switched (void)
{
  g_auto (Stand) stand = { 0 };
  g_autofree char *path = NULL, *text = NULL;
  gsize length;

  stand_init (&stand, 0x103);
  path = g_build_filename (stand.folder, "config", NULL);
  g_assert_true (regiond_gate_set_decoding (stand.gate, FALSE, NULL));
  g_assert_true (g_file_get_contents (path, &text, &length, NULL));
  g_assert_cmpmem (text + 4, 2, "\x01\x01", 2);
  g_clear_pointer (&text, g_free);
  g_assert_true (regiond_gate_set_decoding (stand.gate, TRUE, NULL));
  g_assert_true (g_file_get_contents (path, &text, &length, NULL));
  g_assert_cmpmem (text + 4, 2, "\x03\x01", 2);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/aperture/any-width-at-any-offset", test_any_width);
  g_test_add_func ("/aperture/writes-arrive", test_writes_arrive);
  g_test_add_func ("/aperture/in-a-page-with-neighbours-it-reaches-itself", test_within_a_page);
  g_test_add_func ("/aperture/ports-have-no-eight-bytes", test_ports);
  g_test_add_func ("/aperture/device-that-does-not-decode-is-an-error", test_no_decoding);
  g_test_add_func ("/aperture/all-ones-can-be-data", test_all_ones_are_data);
  g_test_add_func ("/aperture/nothing-is-reached-when-it-is-shut", test_shut);
  g_test_add_func ("/aperture/a-lease's-end-stops-a-long-write", test_end_between_pieces);
  g_test_add_func ("/aperture/mapping-taken-away-is-an-error", test_mapping_taken_away);
  g_test_add_func ("/aperture/only-by-the-handle", test_handle_alone);
  g_test_add_func ("/aperture/decoding-is-switched-and-nothing-else", test_decoding_is_switched);
  return g_test_run ();
}
