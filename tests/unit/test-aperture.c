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

/* @data: the register "command". */
static void
stand_set_up (Stand         *self,
              gconstpointer  data)
{
  /* The third one lies in the middle of a page. */
  const char resource[] = "0x00000000fe000000 0x00000000fe003fff 0x0000000000040200\n"
                          "0x000000000000c000 0x000000000000c0ff 0x0000000000040101\n"
                          "0x00000000fe004100 0x00000000fe0041ff 0x0000000000040200\n"
                          "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
                          "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
                          "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
                          "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
  guint16 command = GPOINTER_TO_UINT (data);
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
stand_tear_down (Stand         *self,
                 gconstpointer  data)
{
  g_autofree char *command = g_strdup_printf ("rm -r %s", self->folder);

  regiond_gate_unref (self->gate);
  regiond_sysfs_unref (self->sysfs);
  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  g_free (self->folder);
}

static RegiondSource *
make (Stand      *stand,
      guint       index,
      guint64     size,
      const char *kind)
{
  g_autoptr (RegiondRegion) region = regiond_region_new ("bar", index, size, kind);

  return REGIOND_SOURCE (regiond_aperture_new (stand->gate, region));
}

/* What is read there. */
static void
expect_bytes (RegiondSource *source,
              guint64        offset,
              gsize          size,
              const void    *wanted)
{
  guint8 buffer[64];
  const guint8 *bytes;

  g_assert_cmpint (regiond_source_read (source, offset, size, buffer, &bytes), ==, 0);
  g_assert_cmpmem (bytes, size, wanted, size);
}

static void
expect_no_bytes (RegiondSource *source,
                 guint64        offset,
                 gsize          size,
                 int            error)
{
  guint8 buffer[64];
  const guint8 *bytes;

  g_assert_cmpint (regiond_source_read (source, offset, size, buffer, &bytes), ==, error);
}

static int
write_text (RegiondSource *source,
            guint64        offset,
            const char    *text)
{
  return regiond_source_write (source, offset, strlen (text), (const guint8 *) text);
}

static void
test_any_width (Stand         *stand,
                gconstpointer  data)
{
  g_autoptr (RegiondSource) source = make (stand, 0, SIZE, "mmio");
  guint8 wanted[64];

  for (guint i = 0; i < sizeof wanted; i++)
    wanted[i] = i;
  for (guint offset = 0; offset < 16; offset++)
    for (guint width = 1; width <= 40; width++)
      expect_bytes (source, offset, width, wanted + offset);
}

static void
test_writes_arrive (Stand         *stand,
                    gconstpointer  data)
{
  g_autoptr (RegiondSource) source = make (stand, 0, SIZE, "mmio");

  g_assert_cmpint (write_text (source, 4, "unaligned"), ==, 0);
  expect_bytes (source, 0, 16, "\x00\x01\x02\x03unaligned\x0d\x0e\x0f");
}

/* Its file maps as the page that it is in: here 0xff is what its first bytes are. */
static void
test_within_a_page (Stand         *stand,
                    gconstpointer  data)
{
  g_autoptr (RegiondSource) source = make (stand, 2, 256, "mmio");
  g_autofree char *path = g_build_filename (stand->folder, "resource2", NULL), *page = NULL;

  expect_bytes (source, 0, 4, "\xff\xff\xff\xff");
  expect_bytes (source, 252, 4, "\xfc\xfd\xfe\xff");
  g_assert_cmpint (write_text (source, 4, "mine"), ==, 0);
  g_assert_true (g_file_get_contents (path, &page, NULL, NULL));
  g_assert_cmpmem (page + 4, 4, "\x04\x05\x06\x07", 4);
  g_assert_cmpmem (page + 256 + 4, 4, "mine", 4);
}

static void
test_ports (Stand         *stand,
            gconstpointer  data)
{
  g_autoptr (RegiondSource) source = make (stand, 1, 256, "io");

  expect_bytes (source, 16, 4, "\x10\x11\x12\x13");
  expect_no_bytes (source, 16, 8, EINVAL);
  expect_bytes (source, 17, 8, "\x11\x12\x13\x14\x15\x16\x17\x18");
}

/* All ones are what a device says that does not answer, and what one may hold. */
static void
test_no_decoding (Stand         *stand,
                  gconstpointer  data)
{
  g_autoptr (RegiondSource) memory = make (stand, 0, SIZE, "mmio");
  g_autoptr (RegiondSource) ports = make (stand, 1, 256, "io");

  expect_no_bytes (memory, 256, 4, EIO);
  g_assert_cmpint (write_text (memory, 0, "four"), ==, EIO);
  g_assert_cmpint (write_text (ports, 0, "four"), ==, EIO);
}

static void
test_all_ones_are_data (Stand         *stand,
                        gconstpointer  data)
{
  g_autoptr (RegiondSource) source = make (stand, 0, SIZE, "mmio");

  expect_bytes (source, 256, 4, "\xff\xff\xff\xff");
}

static void
test_shut (Stand         *stand,
           gconstpointer  data)
{
  g_autoptr (RegiondSource) source = make (stand, 0, SIZE, "mmio");

  expect_bytes (source, 0, 4, "\x00\x01\x02\x03");
  regiond_gate_stop (stand->gate);
  regiond_gate_shut (stand->gate);
  regiond_gate_go (stand->gate);
  expect_no_bytes (source, 0, 4, ENODEV);
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
test_end_between_pieces (Stand         *stand,
                         gconstpointer  data)
{
  g_autoptr (RegiondSource) source = make (stand, 0, SIZE, "mmio");
  g_autoptr (RegiondSource) other = make (stand, 0, SIZE, "mmio");
  GThread *thread;

  regiond_gate_stop (stand->gate);
  thread = g_thread_new ("writer", write_much, source);
  regiond_source_end (source);
  regiond_gate_go (stand->gate);
  g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, ENOTCONN);
  expect_no_bytes (source, 0, 4, ENOTCONN);

  /* Another lease of the same region goes on. */
  expect_bytes (other, 4, 8, "\x04\x05\x06\x07\x08\x09\x0a\x0b");
}

/* Its file ends before it does, as a mapping does that another driver has taken away. */
static void
test_mapping_taken_away (Stand         *stand,
                         gconstpointer  data)
{
  g_autoptr (RegiondSource) source = make (stand, 0, 4 * SIZE, "mmio");

  expect_no_bytes (source, 2 * SIZE, 4, EIO);
  g_assert_cmpint (write_text (source, 2 * SIZE, "four"), ==, EIO);
  expect_bytes (source, 0, 4, "\x00\x01\x02\x03");
}

static void
test_handle_alone (Stand         *stand,
                   gconstpointer  data)
{
  g_autoptr (RegiondSource) source = make (stand, 8, 0xc0000, "vga");

  expect_no_bytes (source, 0, 4, EAGAIN);
}

static void
expect_command (Stand      *stand,
                const char *wanted)
{
  g_autofree char *path = g_build_filename (stand->folder, "config", NULL), *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpmem (text + 4, 2, wanted, 2);
}

static void
test_decoding_is_switched (Stand         *stand,
                           gconstpointer  data)
{
  g_assert_true (regiond_gate_set_decoding (stand->gate, FALSE, NULL));
  expect_command (stand, "\x01\x01");
  g_assert_true (regiond_gate_set_decoding (stand->gate, TRUE, NULL));
  expect_command (stand, "\x03\x01");
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, command, func) \
  g_test_add ("/aperture/" name, Stand, GUINT_TO_POINTER (command), stand_set_up, func, stand_tear_down)
  ADD ("any-width-at-any-offset", 3, test_any_width);
  ADD ("writes-arrive", 3, test_writes_arrive);
  ADD ("in-a-page-with-neighbours-it-reaches-itself", 3, test_within_a_page);
  ADD ("ports-have-no-eight-bytes", 3, test_ports);
  ADD ("device-that-does-not-decode-is-an-error", 0, test_no_decoding);
  ADD ("all-ones-can-be-data", 2, test_all_ones_are_data);
  ADD ("nothing-is-reached-when-it-is-shut", 3, test_shut);
  ADD ("a-lease's-end-stops-a-long-write", 3, test_end_between_pieces);
  ADD ("mapping-taken-away-is-an-error", 3, test_mapping_taken_away);
  ADD ("only-by-the-handle", 3, test_handle_alone);
  ADD ("decoding-is-switched-and-nothing-else", 0x103, test_decoding_is_switched);
  return g_test_run ();
}
