/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"
#include "fixture.h"
#include "region.h"
#include "settings.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* Two directories, the administrator's and the vendor's. */
static char *etc, *vendor;

static void
put (const char *directory,
     const char *name,
     const char *text)
{
  g_autofree char *path = g_build_filename (directory, name, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
clean (const char *directory)
{
  g_autofree char *folder = g_build_filename (directory, "devices.d", NULL);
  g_autofree char *conf = g_build_filename (directory, "regiond.conf", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  g_remove (conf);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_remove (path);
    }
}

static RegiondSettings *
load (GError **error)
{
  const char *directories[] = { etc, vendor, NULL };
  RegiondSettings *settings = regiond_settings_load (directories, error);

  clean (etc);
  clean (vendor);
  return settings;
}

#define GOOD "[Device]\nBackend=memory\nDescription=\n[Region bar0]\nSize=4K\n"

static guint64
get_machine_memory (void)
{
  return (guint64) sysconf (_SC_PHYS_PAGES) * sysconf (_SC_PAGESIZE);
}

static void
test_defaults (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RegiondSettings) settings = load (&error);

  g_assert_no_error (error);
  g_assert_cmpuint (settings->max_memory, ==, get_machine_memory () / 4);
  g_assert_cmpuint (settings->timeout, ==, 25000);
  g_assert_cmpuint (settings->prompt_timeout, ==, 300000);
  g_assert_cmpuint (settings->devices->len, ==, 0);
  g_assert_false (settings->unsafe_noiommu);
  g_assert_cmpint (settings->authorization, ==, REGIOND_AUTHORIZATION_CONTINUING);
}

static void
test_authorization (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RegiondSettings) settings = NULL;

  put (etc, "regiond.conf", "[Daemon]\nAuthorization=strict\n");
  put (etc, "devices.d/own.conf", "[Device]\nBackend=memory\nAuthorization=one-shot\n[Region bar0]\nSize=4K\n");
  put (etc, "devices.d/plain.conf", GOOD);
  put (etc, "devices.d/card.conf", "[Device]\nBackend=vfio\nMatch=1af4:1110\n");
  put (etc, "devices.d/cards.conf", "[Device]\nBackend=vfio\nMatch=1af4:1111\nAuthorization=continuing\n");
  settings = load (&error);
  g_assert_no_error (error);
  g_assert_cmpint (settings->authorization, ==, REGIOND_AUTHORIZATION_STRICT);
  g_assert_cmpint (((RegiondDeviceSettings *) settings->devices->pdata[0])->authorization, ==,
                   REGIOND_AUTHORIZATION_ONE_SHOT);
  g_assert_cmpint (((RegiondDeviceSettings *) settings->devices->pdata[1])->authorization, ==,
                   REGIOND_AUTHORIZATION_STRICT);
  g_assert_cmpint (((RegiondPciSettings *) settings->pci_devices->pdata[0])->authorization, ==,
                   REGIOND_AUTHORIZATION_STRICT);
  g_assert_cmpint (((RegiondPciSettings *) settings->pci_devices->pdata[1])->authorization, ==,
                   REGIOND_AUTHORIZATION_CONTINUING);
}

static void
test_nowhere (void)
{
  const char *directories[] = { "/nowhere/at/all", NULL };
  g_autoptr (RegiondSettings) settings = regiond_settings_load (directories, NULL);

  g_assert_nonnull (settings);
  g_assert_cmpuint (settings->devices->len, ==, 0);
}

static void
test_daemon (void)
{
  static const struct {
    const char *memory, *timeouts;
    guint64     bytes;
    guint       timeout, prompt_timeout;
  } cases[] = {
    { "64M", "1s;2min", 64 << 20, 1000, 120000 },
    { "4096", "300ms", 4096, 300, 300 },
    { "1G", "10; 20 ;", 1 << 30, 10000, 20000 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = g_strdup_printf ("[Daemon]\nMaxMemory=%s\nAuthorizationTimeout=%s\n", cases[i].memory,
                                               cases[i].timeouts);
      g_autoptr (RegiondSettings) settings = NULL;
      g_autoptr (GError) error = NULL;

      put (etc, "regiond.conf", text);
      settings = load (&error);
      g_assert_no_error (error);
      g_assert_cmpuint (settings->max_memory, ==, cases[i].bytes);
      g_assert_cmpuint (settings->timeout, ==, cases[i].timeout);
      g_assert_cmpuint (settings->prompt_timeout, ==, cases[i].prompt_timeout);
    }
}

static void
test_percent (void)
{
  g_autoptr (RegiondSettings) half = NULL, all = NULL;

  put (etc, "regiond.conf", "[Daemon]\nMaxMemory=50%\n");
  half = load (NULL);
  put (etc, "regiond.conf", "[Daemon]\nMaxMemory=100%\n");
  all = load (NULL);
  g_assert_cmpuint (half->max_memory, ==, get_machine_memory () / 100 * 50);
  g_assert_cmpuint (all->max_memory, ==, get_machine_memory () / 100 * 100);
}

static void
test_limits (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RegiondSettings) usual = load (NULL), settings = NULL, half = NULL;

  g_assert_cmpuint (usual->max_leases, ==, 4096);
  g_assert_cmpuint (usual->max_leases_per_user, ==, 256);
  g_assert_cmpuint (usual->max_leases_per_connection, ==, 128);
  g_assert_cmpuint (usual->max_proxied_leases_per_user, ==, 128);
  g_assert_cmpuint (usual->max_authorizations_per_user, ==, 1024);
  g_assert_cmpuint (usual->max_authorizations_per_connection, ==, 64);
  g_assert_cmpuint (usual->max_memory_per_user, ==, usual->max_memory / 2);

  put (etc, "regiond.conf", "[Daemon]\nMaxLeases=5\nMaxLeasesPerUser=4\nMaxLeasesPerConnection=3\n"
                            "MaxAuthorizationsPerUser=2\nMaxAuthorizationsPerConnection=1\nMaxMemoryPerUser=8K\n"
                            "MaxProxiedLeasesPerUser=6\n");
  settings = load (&error);
  g_assert_no_error (error);
  g_assert_cmpuint (settings->max_leases, ==, 5);
  g_assert_cmpuint (settings->max_leases_per_user, ==, 4);
  g_assert_cmpuint (settings->max_leases_per_connection, ==, 3);
  g_assert_cmpuint (settings->max_proxied_leases_per_user, ==, 6);
  g_assert_cmpuint (settings->max_authorizations_per_user, ==, 2);
  g_assert_cmpuint (settings->max_authorizations_per_connection, ==, 1);
  g_assert_cmpuint (settings->max_memory_per_user, ==, 8192);

  put (etc, "regiond.conf", "[Daemon]\nMaxMemory=4M\n");
  half = load (NULL);
  g_assert_cmpuint (half->max_memory_per_user, ==, 2 << 20);
}

static void
test_warnings (void)
{
  g_autoptr (RegiondSettings) settings = load (NULL);

  regiond_settings_warn (settings, 1 << 20);
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "*MaxLeases=4096*LimitNOFILE*");
  regiond_settings_warn (settings, 1024);
  g_test_assert_expected_messages ();

  settings->max_leases = 8193;
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "*MaxLeases=8193*max_incoming_unix_fds*");
  regiond_settings_warn (settings, 1 << 20);
  g_test_assert_expected_messages ();
}

static void
test_bad_daemon (void)
{
  static const struct {
    const char *text, *word;
  } cases[] = {
    { "[Daemon]\nMaxMemory=4 elephants\n", "MaxMemory=4 elephants" },
    { "[Daemon]\nMaxMemory=\n", "MaxMemory" },
    { "[Daemon]\nMaxMemory=0%\n", "MaxMemory=0%" },
    { "[Daemon]\nMaxMemory=101%\n", "MaxMemory=101%" },
    { "[Daemon]\nMaxMemory=%\n", "MaxMemory=%" },
    { "[Daemon]\nMaxMemory=-5%\n", "MaxMemory=-5%" },
    { "[Daemon]\nAuthorizationTimeout=soon\n", "AuthorizationTimeout=soon" },
    { "[Daemon]\nAuthorizationTimeout=1s;2s;3s\n", "AuthorizationTimeout" },
    { "[Daemon]\nAuthorizationTimeout=1s;0\n", "AuthorizationTimeout" },
    { "[Daemon]\nMaxMemory=1M\nMaxMemory=2M\n", "MaxMemory" },
    { "[Daemon]\nMaxLeasing=3\n", "MaxLeasing" },
    { "[Daemon]\nMaxLeases=0\n", "[Daemon] MaxLeases=0" },
    { "[Daemon]\nMaxLeases=-1\n", "MaxLeases=-1" },
    { "[Daemon]\nMaxLeases=many\n", "MaxLeases=many" },
    { "[Daemon]\nMaxLeases=9999999999\n", "MaxLeases" },
    { "[Daemon]\nMaxLeasesPerUser=0\n", "MaxLeasesPerUser=0" },
    { "[Daemon]\nMaxLeasesPerConnection=\n", "MaxLeasesPerConnection" },
    { "[Daemon]\nMaxProxiedLeasesPerUser=0\n", "MaxProxiedLeasesPerUser=0" },
    { "[Daemon]\nMaxAuthorizationsPerUser=0\n", "MaxAuthorizationsPerUser=0" },
    { "[Daemon]\nMaxAuthorizationsPerConnection=97\n", "from 1 to 96" },
    { "[Daemon]\nMaxMemoryPerUser=0\n", "MaxMemoryPerUser=0" },
    { "[Daemon]\nMaxMemoryPerUser=half\n", "MaxMemoryPerUser=half" },
    { "[Daemon]\nAuthorization=always\n", "[Daemon] Authorization=always" },
    { "[Daemon]\nAuthorization=\n", "Authorization=" },
    { "[Daemon]\nUnsafeNoIommu=true\n", "[Daemon] UnsafeNoIommu=true" },
    { "[Daemons]\nMaxMemory=1M\n", "[Daemons]" },
    { "[Daemon]\n\377\n", "UTF-8" },
    { "MaxMemory=1M\n", "" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      put (etc, "regiond.conf", cases[i].text);
      g_assert_null (load (&error));
      assert_error_says (error, error->domain, error->code, "regiond.conf", cases[i].word);
    }
}

static void
test_devices (void)
{
  g_autoptr (RegiondSettings) settings = NULL;
  RegiondDeviceSettings *device;
  RegiondRegion *region;

  put (etc, "devices.d/b.conf", GOOD);
  put (etc, "devices.d/a.conf", "[Device]\nBackend=memory\nDescription=Sensor ring\nPersist=true\nLinger=tolerate\n"
                                "[Region bar0]\nSize=8192\n[Region bar2]\nSize=4M\n");
  put (etc, "devices.d/README", "not a device");
  settings = load (NULL);

  g_assert_cmpuint (settings->devices->len, ==, 2);
  device = g_ptr_array_index (settings->devices, 0);
  g_assert_cmpstr (device->id, ==, "a");
  g_assert_cmpstr (device->description, ==, "Sensor ring");
  g_assert_true (device->persist);
  g_assert_true (device->tolerate);
  g_assert_cmpuint (device->regions->len, ==, 2);
  region = g_ptr_array_index (device->regions, 1);
  g_assert_cmpstr (region->name, ==, "bar2");
  g_assert_cmpuint (region->size, ==, 4 << 20);
  g_assert_cmpuint (region->index, ==, 1);

  device = g_ptr_array_index (settings->devices, 1);
  g_assert_cmpstr (device->id, ==, "b");
  g_assert_null (device->description);
  g_assert_false (device->persist);
  g_assert_false (device->tolerate);
}

static void
test_mask (void)
{
  g_autoptr (RegiondSettings) settings = NULL;
  RegiondDeviceSettings *device;

  put (vendor, "regiond.conf", "[Daemon]\nMaxMemory=1M\n");
  put (vendor, "devices.d/shm0.conf", "[Device]\nBackend=memory\nDescription=Vendor\n[Region bar0]\nSize=4K\n");
  put (vendor, "devices.d/shm1.conf", GOOD);
  put (etc, "regiond.conf", "[Daemon]\nAuthorizationTimeout=3s\n");
  put (etc, "devices.d/shm0.conf", "[Device]\nBackend=memory\nDescription=Mine\n[Region bar0]\nSize=4K\n");
  settings = load (NULL);

  g_assert_cmpuint (settings->max_memory, ==, get_machine_memory () / 4);
  g_assert_cmpuint (settings->timeout, ==, 3000);
  g_assert_cmpuint (settings->devices->len, ==, 2);
  device = g_ptr_array_index (settings->devices, 0);
  g_assert_cmpstr (device->description, ==, "Mine");
}

static void
test_faulty_device (void)
{
  static const struct {
    const char *text, *warning;
  } cases[] = {
    { "[Device]\nBackend=memory\n[Region bar0]\nSize=4 elephants\n", "*bad*bad.conf*[Region bar0]*Size=4 elephants*" },
    { "[Device]\nBackend=memory\n[Region bar0]\nSize=4097\n", "*bad.conf*[Region bar0]*Size=4097*4096*" },
    { "[Device]\nBackend=memory\n[Region bar0]\nSize=0\n", "*bad.conf*[Region bar0]*Size=0*" },
    { "[Device]\nBackend=memory\n[Region bar0]\n", "*bad.conf*[Region bar0]*no Size*" },
    { "[Device]\nBackend=memory\n[Region a b]\nSize=4K\n", "*bad.conf*[Region a b]*name*" },
    { "[Device]\nBackend=memory\n", "*bad.conf*at least one region*" },
    { "[Device]\nBackend=vfo\nDescription=x\n[Region bar0]\nSize=4K\n", "*bad.conf*[Device]*Backend=vfo*memory*vfio*" },
    { "[Device]\nBackend=vfio\n", "*bad.conf*[Device]*no Match*" },
    { "[Device]\nBackend=vfio\nMatch=1af4:1110\n[Region bar0]\nSize=4K\n", "*bad.conf*[Region bar0]*Backend=vfio*" },
    { "[Device]\nBackend=vfio\nMatch=1af4:11100\n", "*bad.conf*[Device]*Match=1af4:11100*1af4:1110*" },
    { "[Device]\nBackend=vfio\nMatch=0x1af4:0x1110\n", "*bad.conf*[Device]*Match=0x1af4:0x1110*" },
    { "[Device]\nBackend=vfio\nMatch=1af4:-110\n", "*bad.conf*[Device]*Match=1af4:-110*" },
    { "[Device]\nBackend=vfio\nMatch=00:20.0\n", "*bad.conf*[Device]*Match=00:20.0*0000:00:10.0*" },
    { "[Device]\nBackend=vfio\nMatch=*\n", "*bad.conf*[Device]*Match=*" },
    { "[Device]\nBackend=vfio\nMatch=1af4:1110\nMinimumRevocation=soon\n", "*bad.conf*[Device]*MinimumRevocation=soon*" },
    { "[Device]\nBackend=vfio\nMatch=1af4:1110\nZeroRegions=bar6\n", "*bad.conf*[Device]*ZeroRegions=bar6*" },
    { "[Device]\nBackend=vfio\nMatch=1af4:1110\nZeroRegions=bar2;;bar4\n", "*bad.conf*[Device]*ZeroRegions=bar2;;bar4*" },
    { "[Device]\nBackend=vfio\nMatch=1af4:1110\nPersist=true\n", "*bad.conf*[Device]*Persist*" },
    { "[Device]\n[Region bar0]\nSize=4K\n", "*bad.conf*[Device]*Backend=*" },
    { "[Region bar0]\nSize=4K\n", "*bad.conf*[Device]*Backend=*" },
    { "[Device]\nBackend=memory\nPersist=yes\n[Region bar0]\nSize=4K\n", "*bad.conf*[Device]*Persist=yes*" },
    { "[Device]\nBackend=memory\nLinger=keep\n[Region bar0]\nSize=4K\n", "*bad.conf*[Device]*Linger=keep*" },
    { "[Device]\nBackend=memory\nAuthorization=once\n[Region bar0]\nSize=4K\n", "*bad.conf*[Device]*Authorization=once*" },
    { "[Device]\nBackend=vfio\nMatch=1af4:1110\nAuthorization=Strict\n", "*bad.conf*[Device]*Authorization=Strict*" },
    { "[Device]\nBackend=memory\nMatch=1af4:1110\n[Region bar0]\nSize=4K\n", "*bad.conf*[Device]*Match*" },
    { "[Device]\nBackend=memory\n[Region bar0]\nSize=4K\nKind=rom\n", "*bad.conf*[Region bar0]*Kind*" },
    { "[Device]\nBackend=memory\n[Regio bar0]\nSize=4K\n", "*bad.conf*[Regio bar0]*" },
    { "[Device]\nBackend=memory\n[Region bar0]\nSize=4K\n[Region bar0]\nSize=8K\n", "*bad.conf*[Region bar0]*twice*" },
    { "[Device]\nBackend=memory\nBackend=memory\n[Region bar0]\nSize=4K\n", "*bad.conf*[Device]*Backend*twice*" },
    { "\177ELF\377\376\n", "*bad.conf*UTF-8*" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (RegiondSettings) settings = NULL;

      put (etc, "devices.d/bad.conf", cases[i].text);
      put (etc, "devices.d/good.conf", GOOD);
      g_test_expect_message ("regiond", G_LOG_LEVEL_WARNING, cases[i].warning);
      settings = load (NULL);
      g_test_assert_expected_messages ();
      g_assert_cmpuint (settings->devices->len, ==, 1);
      g_assert_cmpstr (((RegiondDeviceSettings *) g_ptr_array_index (settings->devices, 0))->id, ==, "good");
    }
}

static const char *
find_id (RegiondSettings *settings,
         const char      *address,
         guint32          vendor_id,
         guint32          device_id)
{
  RegiondIdentity identity = { .address = (char *) address, .vendor = vendor_id, .device = device_id };
  const RegiondPciSettings *found = regiond_settings_find_pci (settings, &identity);

  return found != NULL ? found->id : NULL;
}

static void
test_pci (void)
{
  g_autoptr (RegiondSettings) settings = NULL;
  RegiondPciSettings *device;

  put (etc, "devices.d/a.conf", "[Device]\nBackend=vfio\nMatch=1af4:1110\nDescription=Ring\n"
                                "MinimumRevocation=immediate\nZeroRegions=bar2;bar4;\n");
  put (etc, "devices.d/b.conf", "[Device]\nBackend=vfio\nMatch=1AF4:1110\n");
  put (etc, "devices.d/c.conf", "[Device]\nBackend=vfio\nMatch=00:10.0\nDescription=\n");
  put (etc, "regiond.conf", "[Daemon]\nUnsafeNoIommu=yes\n");
  settings = load (NULL);

  g_assert_cmpuint (settings->devices->len, ==, 0);
  g_assert_cmpuint (settings->pci_devices->len, ==, 3);
  g_assert_true (settings->unsafe_noiommu);
  device = g_ptr_array_index (settings->pci_devices, 0);
  g_assert_cmpstr (device->description, ==, "Ring");
  g_assert_cmpuint (device->minimum, ==, REGIOND_REVOCATION_IMMEDIATE);
  g_assert_cmpuint (g_strv_length (device->zero_regions), ==, 2);
  g_assert_cmpstr (device->zero_regions[1], ==, "bar4");
  device = g_ptr_array_index (settings->pci_devices, 1);
  g_assert_null (device->description);
  g_assert_cmpuint (device->minimum, ==, REGIOND_REVOCATION_ON_CLOSE);
  g_assert_cmpuint (g_strv_length (device->zero_regions), ==, 0);

  device = g_ptr_array_index (settings->pci_devices, 2);
  g_assert_null (device->description);

  g_assert_cmpstr (find_id (settings, "0000:00:11.0", 0x1af4, 0x1110), ==, "a");
  g_assert_cmpstr (find_id (settings, "0000:00:10.0", 0x1af4, 0x1110), ==, "c");
  g_assert_cmpstr (find_id (settings, "0000:00:10.0", 0x1234, 0x11e8), ==, "c");
  g_assert_cmpstr (find_id (settings, "0001:00:10.0", 0x1234, 0x11e8), ==, NULL);
}

static gboolean
is_served (RegiondSettings *settings,
           const char      *address,
           guint32          vendor_id,
           guint32          device_id)
{
  RegiondIdentity identity = { .address = (char *) address, .vendor = vendor_id, .device = device_id };
  g_autoptr (GError) error = NULL;

  if (regiond_settings_check_pci (settings, &identity, &error))
    return TRUE;

  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "devices.d"));
  return FALSE;
}

/* What a file with a mistake demands is not known: what it may be about is not served as if there were none. */
static void
test_pci_device_of_a_faulty_file (void)
{
  static const struct {
    const char *text;
    gboolean its, others, own; /* is it served: the ivshmem; another one; one that has a good file of its own? */
  } cases[] = {
    { "[Device]\nBackend=vfio\nMatch=1af4:1110\nMinimumRevocation=imediate\n", FALSE, TRUE, TRUE },
    { "[Device]\nBackend=vfio\nMatch=1af4:1110\nAuthorisation=strict\n", FALSE, TRUE, TRUE },
    { "[Device]\nBackend=vfio\nAuthorization=Strict\n  Match = 00:10.0  \n", FALSE, TRUE, TRUE },
    { "[Device]\nBackend=vfoi\nMatch=1af4:1110\n", FALSE, TRUE, TRUE },
    { "[Device]\nBackend=vfio\nMatch=1af4:1110\n[Region bar2]\nSize=4K\n", FALSE, TRUE, TRUE },
    { "[Device]\nBackend=memory\nBackend=vfio\nMatch=1af4:1110\n", FALSE, TRUE, TRUE },
    { "[Device]\nBackend=vfio\nMatch=1af4:1110\nMinimumRevocation\n", FALSE, TRUE, TRUE },
    { "[Device]\nBackend=vfio\nMatch=8086:100e\nMatch=1af4:1110\n", FALSE, FALSE, TRUE },
    { "[Device]\nBackend=vfio\nMatch=1af4:111\nMinimumRevocation=immediate\n", FALSE, FALSE, TRUE },
    { "[Device]\nBackend=vfio\nMatsch=1af4:1110\n", FALSE, FALSE, TRUE },
    { "", FALSE, FALSE, TRUE },
    { "\177ELF\377\376\n", FALSE, FALSE, TRUE },
    { "[Device]\nBackend=memory\nColour=red\n[Region a]\nSize=4K\n", TRUE, TRUE, TRUE },
    { "[Device]\nBackend=memroy\n[Region a]\nSize=4K\n", TRUE, TRUE, TRUE },
    { "[Device]\nBackend=memory\n[Region a\nSize=4K\n", TRUE, TRUE, TRUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (RegiondSettings) settings = NULL;

      put (etc, "devices.d/bad.conf", cases[i].text);
      put (etc, "devices.d/good.conf", "[Device]\nBackend=vfio\nMatch=00:11.0\n");
      g_test_expect_message ("regiond", G_LOG_LEVEL_WARNING, "*bad.conf*");
      settings = load (NULL);
      g_test_assert_expected_messages ();
      g_assert_cmpint (is_served (settings, "0000:00:10.0", 0x1af4, 0x1110), ==, cases[i].its);
      g_assert_cmpint (is_served (settings, "0000:00:12.0", 0x8086, 0x100e), ==, cases[i].others);
      g_assert_cmpint (is_served (settings, "0000:00:11.0", 0x1af4, 0x1110), ==, cases[i].own);
    }
}

/* A link to /dev/null is no mistake: the vendor's file is not there. */
static void
test_masked (void)
{
  g_autoptr (RegiondSettings) settings = NULL;
  g_autofree char *path = g_build_filename (etc, "devices.d", "card.conf", NULL);

  put (vendor, "devices.d/card.conf", "[Device]\nBackend=vfio\nMatch=1af4:1110\nMinimumRevocation=immediate\n");
  g_assert_cmpint (symlink ("/dev/null", path), ==, 0);
  settings = load (NULL);
  g_unlink (path);
  g_assert_cmpuint (settings->pci_devices->len, ==, 0);
  g_assert_true (is_served (settings, "0000:00:10.0", 0x1af4, 0x1110));
}

/* Which are described in it is not known, so none that is not described elsewhere is served. */
static void
test_folder_that_cannot_be_read (void)
{
  g_autoptr (RegiondSettings) settings = NULL;
  g_autofree char *path = g_build_filename (etc, "devices.d", NULL);

  put (vendor, "devices.d/card.conf", "[Device]\nBackend=vfio\nMatch=00:11.0\n");
  g_assert_cmpint (g_rmdir (path), ==, 0);
  put (etc, "devices.d", "no folder");
  g_test_expect_message ("regiond", G_LOG_LEVEL_WARNING, "*devices.d cannot be read*");
  settings = load (NULL);
  g_test_assert_expected_messages ();
  g_unlink (path);
  g_mkdir (path, 0755);
  g_assert_false (is_served (settings, "0000:00:10.0", 0x1af4, 0x1110));
  g_assert_true (is_served (settings, "0000:00:11.0", 0x1af4, 0x1110));
}

static char *
make_directory (const char *top,
                const char *name)
{
  g_autofree char *folder = g_build_filename (top, name, "devices.d", NULL);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0755), ==, 0);
  return g_path_get_dirname (folder);
}

static void
remove_directory (char *path)
{
  g_autofree char *folder = g_build_filename (path, "devices.d", NULL);

  g_rmdir (folder);
  g_rmdir (path);
  g_free (path);
}

int
main (int   argc,
      char *argv[])
{
  g_autofree char *top = g_dir_make_tmp ("regiond-XXXXXX", NULL);
  int status;

  g_test_init (&argc, &argv, NULL);
  etc = make_directory (top, "etc");
  vendor = make_directory (top, "vendor");
  g_test_add_func ("/settings/without-files-there-are-defaults", test_defaults);
  g_test_add_func ("/settings/a-directory-that-is-not-there-is-passed-over", test_nowhere);
  g_test_add_func ("/settings/a-devices-own-file-says-what-a-change-of-policy-does", test_authorization);
  g_test_add_func ("/settings/memory-and-timeouts-are-read", test_daemon);
  g_test_add_func ("/settings/a-percentage-is-of-the-machine", test_percent);
  g_test_add_func ("/settings/limits-have-a-key-each", test_limits);
  g_test_add_func ("/settings/a-limit-that-cannot-be-kept-is-said-at-the-start", test_warnings);
  g_test_add_func ("/settings/a-mistake-in-regiond.conf-is-an-error", test_bad_daemon);
  g_test_add_func ("/settings/devices-come-sorted", test_devices);
  g_test_add_func ("/settings/a-file-tells-how-pci-devices-are-served", test_pci);
  g_test_add_func ("/settings/the-administrators-file-masks-the-vendors", test_mask);
  g_test_add_func ("/settings/a-faulty-device-is-left-out-and-the-others-served", test_faulty_device);
  g_test_add_func ("/settings/a-pci-device-is-not-served-without-what-its-file-demands", test_pci_device_of_a_faulty_file);
  g_test_add_func ("/settings/a-link-to-dev-null-is-no-mistake", test_masked);
  g_test_add_func ("/settings/devices-are-not-served-where-their-folder-cannot-be-read", test_folder_that_cannot_be_read);
  status = g_test_run ();
  remove_directory (etc);
  remove_directory (vendor);
  g_rmdir (top);
  return status;
}
