/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "guest.h"

#define PAGE 4096
#define COMMAND 4
#define COMMAND_MASTER 4
#define COMMAND_MEMORY 2

/* Of edu: its DMA engine, the memory it has, and how far it reaches (28 bits). */
#define DMA_SOURCE "0x80"
#define DMA_TARGET "0x88"
#define DMA_COUNT "0x90"
#define DMA_COMMAND "0x98"
#define FROM_MEMORY "1"
#define TO_MEMORY "3"
#define OWN_MEMORY "0x40000"
#define REACH (1 << 28)

#define POOL (64 * 1024 * 1024)

/* A page of the test's, where the device would find it. */
typedef struct
{
  char *bytes;
  guint64 address;
} Page;

static guint64
find_frame (int pagemap,
            const char *at)
{
  guint64 entry = 0;

  g_assert_cmpint (pread (pagemap, &entry, sizeof entry, (gsize) at / PAGE * sizeof entry), ==, sizeof entry);
  g_assert_true (entry >> 63);
  return (entry & ((G_GUINT64_CONSTANT (1) << 55) - 1)) * PAGE;
}

/* Two of them, within its reach. */
static void
find_pages (Page pages[2])
{
  char *pool = mmap (NULL, POOL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
  int pagemap = open ("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  guint found = 0;

  g_assert_true (pool != MAP_FAILED);
  for (char *at = pool; at < pool + POOL && found < 2; at += PAGE)
    {
      guint64 address = find_frame (pagemap, at);

      if (address < REACH)
        pages[found++] = (Page) { at, address };
    }
  g_assert_cmpuint (found, ==, 2);
  close (pagemap);
}

/* As a device can that does it behind its config space. */
static void
set_command (const char *address,
             guint16 bits)
{
  g_autofree char *path = g_strdup_printf ("/sys/bus/pci/devices/%s/config", address);
  int config = open (path, O_RDWR | O_CLOEXEC);
  guint16 command;

  g_assert_cmpint (pread (config, &command, sizeof command, COMMAND), ==, sizeof command);
  command |= bits;
  g_assert_cmpint (pwrite (config, &command, sizeof command, COMMAND), ==, sizeof command);
  g_assert_cmpint (pread (config, &command, sizeof command, COMMAND), ==, sizeof command);
  g_assert_cmphex (command & bits, ==, bits);
  close (config);
}

/* Copies one page to the other by way of the device; whether it got there. STORE
 * and LOAD reach its registers. */
typedef void (*Store) (gpointer device, const char *offset, guint32 value);
typedef guint32 (*Load) (gpointer device, const char *offset);

static void
transfer (gpointer device,
          Store store,
          Load load,
          guint32 source,
          guint32 target,
          const char *command)
{
  store (device, DMA_SOURCE, source);
  store (device, DMA_TARGET, target);
  store (device, DMA_COUNT, 64);
  store (device, DMA_COMMAND, g_ascii_strtoull (command, NULL, 0));
  for (guint i = 0; i < 1000 && load (device, DMA_COMMAND) & 1; i++)
    g_usleep (10 * 1000);
  g_assert_cmphex (load (device, DMA_COMMAND) & 1, ==, 0);
}

static gboolean
copies (gpointer device,
        Store store,
        Load load)
{
  guint32 own = g_ascii_strtoull (OWN_MEMORY, NULL, 0);
  Page pages[2];
  gboolean arrived;

  find_pages (pages);
  memset (pages[0].bytes, 'B', PAGE);
  memset (pages[1].bytes, 'A', PAGE);
  transfer (device, store, load, pages[0].address, own, FROM_MEMORY);
  transfer (device, store, load, own, pages[1].address, TO_MEMORY);
  arrived = pages[1].bytes[0] == 'B';
  for (guint i = 0; !arrived && i < PAGE; i++)
    g_assert_cmpint (pages[1].bytes[i], ==, 'A');
  return arrived;
}

typedef struct
{
  Person *person;
  const char *map;
} Leased;

static void
store_leased (gpointer device,
              const char *offset,
              guint32 value)
{
  Leased *leased = device;
  g_autofree char *text = g_strdup_printf ("%u", value);

  g_free (person_do (leased->person, "store", leased->map, offset, text, NULL));
}

static guint32
load_leased (gpointer device,
             const char *offset)
{
  Leased *leased = device;
  g_autofree char *text = person_do (leased->person, "load", leased->map, offset, "4", NULL);

  return g_ascii_strtoull (text, NULL, 0);
}

static void
test_a_lent_device_reaches_no_memory (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_EDU);
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, "bar0", "rwm", "{}");
  g_autofree char *map = person_do (bench->alice, "map-bar", opened->fd, "rw", "1048576", NULL);
  Leased leased = { bench->alice, map };

  world_expect_string (bench->world, bench->path, DEVICE_INTERFACE, "Isolation", "iommu");
  set_command (bench->address, COMMAND_MASTER);
  g_assert_false (copies (&leased, store_leased, load_leased));
}

/* Held on to by one whose lease has ended, too. */
static void
test_what_lingers_reaches_no_memory (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_EDU);
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, "bar0", "rwm", "{}");
  g_autoptr (Opened) proxied = NULL;
  g_autofree char *path = g_strdup_printf ("/sys/bus/pci/devices/%s/config", bench->address);
  g_autofree char *config = NULL;

  g_free (person_do (bench->alice, "map-bar", opened->fd, "rw", "1048576", NULL));
  set_command (bench->address, COMMAND_MASTER);
  bench_revoke (bench, opened);
  world_wait_string (bench->world, opened->path, LEASE_INTERFACE, "State", "lingering", 10000);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "draining", 10000);
  proxied = person_open (bench->bob, bench->id, "bar0", "rw", "{}");
  g_assert_true (g_file_get_contents (path, &config, NULL, NULL));
  g_assert_cmphex (config[COMMAND] & COMMAND_MASTER, ==, 0);
}

static void
store_plain (gpointer device,
             const char *offset,
             guint32 value)
{
  *(volatile guint32 *) ((guint8 *) device + g_ascii_strtoull (offset, NULL, 0)) = value;
}

static guint32
load_plain (gpointer device,
            const char *offset)
{
  return *(volatile guint32 *) ((guint8 *) device + g_ascii_strtoull (offset, NULL, 0));
}

/* That the test could see it: a device whose group nobody holds does reach memory,
 * where the kernel passes it through. */
static void
test_what_nobody_holds_does_reach_memory (void)
{
  g_autofree char *address = guest_find (GUEST_EDU);
  g_autofree char *path = g_strdup_printf ("/sys/bus/pci/devices/%s/resource0", address);
  void *device;
  int fd;

  if (!guest_was_told ("iommu=pt"))
    {
      g_test_skip ("needs iommu=pt");
      return;
    }
  guest_bind (address);
  set_command (address, COMMAND_MASTER | COMMAND_MEMORY);
  fd = open (path, O_RDWR | O_CLOEXEC);
  device = mmap (NULL, 1048576, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  g_assert_true (device != MAP_FAILED);
  g_assert_true (copies (device, store_plain, load_plain));
  munmap (device, 1048576);
  close (fd);
  guest_give_back (address);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/isolation/what-nobody-holds-does-reach-memory", test_what_nobody_holds_does_reach_memory);
  g_test_add_func ("/isolation/lent-device-reaches-no-memory", test_a_lent_device_reaches_no_memory);
  g_test_add_func ("/isolation/what-lingers-has-bus-mastering-off", test_what_lingers_reaches_no_memory);
  return g_test_run ();
}
