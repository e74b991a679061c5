/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/binding.h"

#include "backends/vfio/usage.h"
#include "backends/vfio/viability.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define DRIVER "vfio-pci"
#define GROUP "Former"
#define NOIOMMU_MODE "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

/* Some drivers take a device on a thread of their own (nvme). */
#define PATIENCE (5 * G_TIME_SPAN_SECOND)
#define LOOK_EVERY (10 * G_TIME_SPAN_MILLISECOND)

struct _RegiondBinding {
  GMutex      lock;
  GHashTable *under_way; /* addresses */
  char       *root;      /* before "/sys" */
  char       *pci;       /* "/sys/bus/pci" */
  char       *folder;
  gboolean    unsafe_noiommu;
};

/* What a device had before it was bound. */
typedef struct {
  char *driver;   /* "": none */
  char *override; /* "": none */
} Former;

static void
former_clear (Former *self)
{
  g_free (self->driver);
  g_free (self->override);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Former, former_clear)

RegiondBinding *
regiond_binding_new (const char *sysfs,
                     const char *folder,
                     gboolean    unsafe_noiommu)
{
  RegiondBinding *self = g_atomic_rc_box_new0 (RegiondBinding);

  g_mutex_init (&self->lock);
  self->under_way = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->root = g_strndup (sysfs, strlen (sysfs) - strlen ("/sys"));
  self->pci = g_build_filename (sysfs, "bus", "pci", NULL);
  self->folder = g_build_filename (folder, "drivers", NULL);
  self->unsafe_noiommu = unsafe_noiommu;
  return self;
}

RegiondBinding *
regiond_binding_ref (RegiondBinding *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
clear (RegiondBinding *self)
{
  g_mutex_clear (&self->lock);
  g_hash_table_unref (self->under_way);
  g_free (self->root);
  g_free (self->pci);
  g_free (self->folder);
}

void
regiond_binding_unref (RegiondBinding *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

static RegiondSysfs *
open_device (RegiondBinding *self,
             const char     *address)
{
  g_autofree char *folder = g_build_filename (self->pci, "devices", address, NULL);

  return regiond_sysfs_new (folder);
}

RegiondIdentity *
regiond_binding_find (RegiondBinding *self,
                      const char     *address,
                      GError        **error)
{
  g_autoptr (RegiondSysfs) sysfs = open_device (self, address);

  if (!regiond_sysfs_is_there (sysfs))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND,
                   "There is no PCI device at %s; 'lspci -D' shows those that are", address);
      return NULL;
    }
  return regiond_identity_read (sysfs, error);
}

/* What is to be planned. */

static gboolean
check_module (RegiondBinding *self,
              GError        **error)
{
  g_autofree char *path = g_build_filename (self->pci, "drivers", DRIVER, NULL);

  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
               "The kernel has no driver " DRIVER " now, so no PCI device can be bound to it; load it: modprobe " DRIVER);
  return FALSE;
}

/* Without an IOMMU the kernel has to consent as well, or vfio-pci takes nothing. */
static gboolean
check_mode (RegiondBinding        *self,
            const RegiondIdentity *identity,
            GError               **error)
{
  g_autofree char *path = g_build_filename (self->root, NOIOMMU_MODE, NULL);
  g_autofree char *mode = NULL;

  if (identity->iommu_group >= 0 || (g_file_get_contents (path, &mode, NULL, NULL) && mode[0] == 'Y'))
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
               "%s is in no IOMMU group, and vfio-pci takes such devices only in VFIO's enable_unsafe_noiommu_mode, which %s",
               identity->address, mode != NULL ? "is off: echo 1 > " NOIOMMU_MODE
                                               : "this kernel does not have (CONFIG_VFIO_NOIOMMU)");
  return FALSE;
}

static gboolean
check_endpoint (RegiondBinding        *self,
                const RegiondIdentity *identity,
                GError               **error)
{
  if (regiond_identity_is_bridge (identity))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                   "%s is a bridge (%s), which cannot be bound; bind what is behind it", identity->address,
                   identity->description);
      return FALSE;
    }
  if (identity->iommu_group < 0 && !self->unsafe_noiommu)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED,
                   "%s is in no IOMMU group, so nothing would keep it from the memory of others; switch the IOMMU on, in the "
                   "firmware (VT-d, AMD-Vi) and for the kernel (intel_iommu=on)", identity->address);
      return FALSE;
    }
  return TRUE;
}

/* Another member than those that are to be bound. */
static gboolean
check_neighbour (const RegiondIdentity *self,
                 const RegiondIdentity *neighbour,
                 GError               **error)
{
  g_autofree char *what = NULL;

  if (neighbour->driver[0] == '\0' || regiond_viability_allows (neighbour->driver))
    return TRUE;

  what = g_strdup_printf ("%s shares IOMMU group %d with %s (%s), which has the driver %s, so it could not be isolated",
                          self->address, self->iommu_group, neighbour->address, neighbour->description,
                          neighbour->driver);

  /* A bridge's hot-plug driver (shpchp): it is never bound here. */
  if (regiond_identity_is_bridge (neighbour))
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED,
                 "%s; it is a bridge, take it from that: echo %s > /sys/bus/pci/drivers/%s/unbind", what,
                 neighbour->address, neighbour->driver);
  else
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED,
                 "%s; bind the group as a whole: option 'group' (regionctl bind --group)", what);
  return FALSE;
}

/* Adds the other members of the group that have to be bound with it. */
static gboolean
add_group (RegiondBinding        *self,
           const RegiondIdentity *identity,
           gboolean               group,
           GPtrArray             *plan,
           GError               **error)
{
  for (char **member = identity->group_devices; *member != NULL; member++)
    {
      g_autoptr (RegiondIdentity) other = NULL;

      if (g_str_equal (*member, identity->address))
        continue;
      if ((other = regiond_binding_find (self, *member, error)) == NULL)
        return FALSE;
      if (group && !regiond_identity_is_bridge (other))
        {
          if (!g_str_equal (other->driver, DRIVER))
            g_ptr_array_add (plan, g_strdup (*member));
        }
      else if (!check_neighbour (identity, other, error))
        return FALSE;
    }

  return TRUE;
}

char **
regiond_binding_plan (RegiondBinding        *self,
                      const RegiondIdentity *identity,
                      gboolean               group,
                      GError               **error)
{
  g_autoptr (GPtrArray) plan = g_ptr_array_new_with_free_func (g_free);

  if (!check_endpoint (self, identity, error) || !check_module (self, error) || !check_mode (self, identity, error))
    return NULL;
  if (!g_str_equal (identity->driver, DRIVER))
    g_ptr_array_add (plan, g_strdup (identity->address));
  else if (!group)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY,
                   "%s is bound to " DRIVER " already; GetDevice tells its path (regionctl show)", identity->address);
      return NULL;
    }
  if (!add_group (self, identity, group, plan, error))
    return NULL;
  if (plan->len == 0)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY, "All of IOMMU group %d, %s among them, is bound to " DRIVER
                   " already; GetDevice tells its path (regionctl show)", identity->iommu_group, identity->address);
      return NULL;
    }

  g_ptr_array_add (plan, NULL);
  return (char **) g_ptr_array_steal (plan, NULL);
}

/* What a device had. */

static char *
get_record (RegiondBinding *self,
            const char     *address)
{
  return g_build_filename (self->folder, address, NULL);
}

static gboolean
write_former (RegiondBinding *self,
              const char     *address,
              const Former   *former,
              GError        **error)
{
  g_autofree char *path = get_record (self, address);
  g_autofree char *text = g_strdup_printf ("[" GROUP "]\nDriver=%s\nOverride=%s\n", former->driver, former->override);
  g_autoptr (GError) reason = NULL;

  if (g_mkdir_with_parents (self->folder, 0700) == 0 &&
      g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &reason))
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, "%s is not bound, since its driver cannot be noted in %s: %s",
               address, path, reason != NULL ? reason->message : g_strerror (errno));
  return FALSE;
}

/* FALSE: it is not on record. */
static gboolean
read_former (RegiondBinding *self,
             const char     *address,
             Former         *former)
{
  g_autofree char *path = get_record (self, address);
  g_autoptr (GKeyFile) file = g_key_file_new ();

  if (!g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, NULL))
    return FALSE;

  former->driver = g_key_file_get_string (file, GROUP, "Driver", NULL);
  former->override = g_key_file_get_string (file, GROUP, "Override", NULL);
  return former->driver != NULL && former->override != NULL;
}

static void
forget_former (RegiondBinding *self,
               const char     *address)
{
  g_autofree char *path = get_record (self, address);

  g_unlink (path);
}

/* What sysfs says where there is none is "(null)". */
static char *
read_override (RegiondSysfs *sysfs)
{
  g_autofree char *override = regiond_sysfs_read (sysfs, "driver_override", NULL);

  return g_strdup (override != NULL && !g_str_equal (override, "(null)") ? override : "");
}

static char *
read_driver (RegiondSysfs *sysfs)
{
  char *driver = regiond_sysfs_read_link (sysfs, "driver");

  return driver != NULL ? driver : g_strdup ("");
}

/* What is written. */

/* To a file of the bus. */
static gboolean
write_pci (RegiondBinding *self,
           const char     *name,
           const char     *text,
           GError        **error)
{
  g_autofree char *path = g_build_filename (self->pci, name, NULL);
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  gboolean written = fd >= 0 && write (fd, text, strlen (text)) == (gssize) strlen (text);
  int errsv = errno;

  if (fd >= 0)
    close (fd);
  if (!written)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, "%s cannot be written to %s: %s", text, path,
                 g_strerror (errsv));
  return written;
}

/* NULL: any. "": none. */
static gboolean
wait_for_driver (RegiondSysfs *sysfs,
                 const char   *wanted)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE;

  while (TRUE)
    {
      g_autofree char *driver = read_driver (sysfs);

      if (wanted != NULL ? g_str_equal (driver, wanted) : driver[0] != '\0')
        return TRUE;
      if (g_get_monotonic_time () > deadline)
        return FALSE;
      g_usleep (LOOK_EVERY);
    }
}

static gboolean
unbind (RegiondSysfs *sysfs,
        GError      **error)
{
  g_autofree char *driver = read_driver (sysfs);

  if (driver[0] == '\0')
    return TRUE;
  if (!regiond_sysfs_write (sysfs, "driver/unbind", regiond_sysfs_get_name (sysfs), error))
    return FALSE;
  if (wait_for_driver (sysfs, ""))
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, "The driver %s does not let go of %s", driver,
               regiond_sysfs_get_name (sysfs));
  return FALSE;
}

/* A newline takes an override away. */
static gboolean
set_override (RegiondSysfs *sysfs,
              const char   *override,
              GError      **error)
{
  return regiond_sysfs_write (sysfs, "driver_override", override[0] != '\0' ? override : "\n", error);
}

/* To the one that it had, if that is still there and takes it; else to whichever
 * wants it. */
static gboolean
bind_former (RegiondBinding *self,
             RegiondSysfs   *sysfs,
             const char     *driver,
             GError        **error)
{
  const char *address = regiond_sysfs_get_name (sysfs);
  g_autofree char *name = g_strdup_printf ("drivers/%s/bind", driver != NULL ? driver : "");
  g_autoptr (GError) reason = NULL;

  if (driver != NULL && write_pci (self, name, address, &reason) && wait_for_driver (sysfs, driver))
    return TRUE;
  if (!write_pci (self, "drivers_probe", address, error))
    return FALSE;
  if (driver == NULL)
    return TRUE;
  if (wait_for_driver (sysfs, NULL))
    {
      g_autofree char *other = read_driver (sysfs);

      if (!g_str_equal (other, driver))
        g_message ("%s had the driver %s and has %s now: %s", address, driver, other,
                   reason != NULL ? reason->message : "it did not take it");
      return TRUE;
    }

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, "%s has no driver now: %s, which it had, does not take it%s%s",
               address, driver, reason != NULL ? ": " : "", reason != NULL ? reason->message : "");
  return FALSE;
}

static gboolean
give_back (RegiondBinding *self,
           RegiondSysfs   *sysfs,
           GError        **error)
{
  const char *address = regiond_sysfs_get_name (sysfs);
  g_auto (Former) former = { NULL, NULL };
  gboolean known = read_former (self, address, &former);
  g_autofree char *driver = read_driver (sysfs);
  gboolean kept;

  if (!set_override (sysfs, known ? former.override : "", error))
    return FALSE;

  /* It may have it still: when binding has failed early. */
  kept = known && g_str_equal (driver, former.driver);
  if (!kept && !unbind (sysfs, error))
    return FALSE;

  forget_former (self, address);
  if (kept || (known && former.driver[0] == '\0'))
    return TRUE;
  return bind_former (self, sysfs, known ? former.driver : NULL, error);
}

static void
undo (RegiondBinding *self,
      RegiondSysfs   *sysfs)
{
  g_autoptr (GError) error = NULL;

  if (!give_back (self, sysfs, &error))
    g_warning ("%s", error->message);
}

static gboolean
bind_one (RegiondBinding *self,
          RegiondSysfs   *sysfs,
          GError        **error)
{
  const char *address = regiond_sysfs_get_name (sysfs);
  g_auto (Former) former = { read_driver (sysfs), read_override (sysfs) };

  if (g_str_equal (former.driver, DRIVER))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY, "%s is bound to " DRIVER " already", address);
      return FALSE;
    }
  if (!write_former (self, address, &former, error))
    return FALSE;

  if (set_override (sysfs, DRIVER, error) && unbind (sysfs, error) && write_pci (self, "drivers_probe", address, error))
    {
      if (wait_for_driver (sysfs, DRIVER))
        return TRUE;
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED,
                   DRIVER " does not take %s; the kernel's log may say why (dmesg). It has got its former driver again",
                   address);
    }

  undo (self, sysfs);
  return FALSE;
}

/* Nobody else may be at any of them. */
static gboolean
claim (RegiondBinding    *self,
       const char *const *addresses,
       GError           **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  for (const char *const *address = addresses; *address != NULL; address++)
    {
      if (g_hash_table_contains (self->under_way, *address))
        {
          g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY, "%s is being bound or unbound just now; try again",
                       *address);
          return FALSE;
        }
    }
  for (const char *const *address = addresses; *address != NULL; address++)
    g_hash_table_add (self->under_way, g_strdup (*address));
  return TRUE;
}

static void
let_go (RegiondBinding    *self,
        const char *const *addresses)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  for (; *addresses != NULL; addresses++)
    g_hash_table_remove (self->under_way, *addresses);
}

static gboolean
bind_all (RegiondBinding *self,
          GPtrArray      *devices,
          gboolean        force,
          GError        **error)
{
  for (guint i = 0; i < devices->len && !force; i++)
    {
      if (!regiond_usage_check (g_ptr_array_index (devices, i), self->root, error))
        return FALSE;
    }

  for (guint i = 0; i < devices->len; i++)
    {
      if (bind_one (self, g_ptr_array_index (devices, i), error))
        continue;
      while (i > 0)
        undo (self, g_ptr_array_index (devices, --i));
      return FALSE;
    }

  return TRUE;
}

gboolean
regiond_binding_bind (RegiondBinding    *self,
                      const char *const *addresses,
                      gboolean           force,
                      GError           **error)
{
  g_autoptr (GPtrArray) devices = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_sysfs_unref);
  gboolean bound;

  if (!claim (self, addresses, error))
    return FALSE;

  for (const char *const *address = addresses; *address != NULL; address++)
    g_ptr_array_add (devices, open_device (self, *address));
  bound = bind_all (self, devices, force, error);
  let_go (self, addresses);
  return bound;
}

gboolean
regiond_binding_give_back (RegiondBinding *self,
                           const char     *address,
                           GError        **error)
{
  const char *const addresses[] = { address, NULL };
  g_autoptr (RegiondSysfs) sysfs = open_device (self, address);
  gboolean done;

  if (!claim (self, addresses, error))
    return FALSE;

  done = give_back (self, sysfs, error);
  let_go (self, addresses);
  return done;
}
