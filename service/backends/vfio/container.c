/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/container.h"

#include "backends/vfio/viability.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define VFIO_FOLDER "/dev/vfio"

struct _RegiondContainer {
  guint    number;
  int      group;
  int      container;
  gboolean noiommu;
  guint    references; /* guarded by the lock */
};

static GMutex lock;
static GHashTable *containers; /* group number -> RegiondContainer */

static void
free_container (RegiondContainer *self)
{
  /* The group first: it keeps the container's domain. */
  if (self->group >= 0)
    close (self->group);
  if (self->container >= 0)
    close (self->container);
  g_free (self);
}

static char *
make_path (guint    number,
           gboolean noiommu)
{
  return g_strdup_printf (VFIO_FOLDER "/%s%u", noiommu ? "noiommu-" : "", number);
}

static void
set_missing (GError **error,
             guint    number)
{
  g_autofree char *unsafe = make_path (number, TRUE);

  if (!g_file_test (VFIO_FOLDER "/vfio", G_FILE_TEST_EXISTS))
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                 "IOMMU group %u cannot be opened: there is no " VFIO_FOLDER "/vfio; load the module vfio-pci "
                 "(modprobe vfio-pci), or enable VFIO in the kernel", number);
  else if (g_file_test (unsafe, G_FILE_TEST_EXISTS))
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED,
                 "Group %u has no IOMMU, so nothing would keep its devices from all of memory; switch the IOMMU on "
                 "(firmware, and intel_iommu=on or the like), or accept that with UnsafeNoIommu=yes", number);
  else
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED,
                 "IOMMU group %u has no node in " VFIO_FOLDER ": none of its devices is bound to vfio-pci (regionctl bind "
                 "binds it), or the node is hidden from regiond (a /dev of its own)", number);
}

static void
set_open_error (GError **error,
                guint    number,
                int      errsv)
{
  g_autofree char *what = g_strdup_printf ("Cannot open IOMMU group %u", number);

  if (errsv == ENOENT || errsv == ENXIO || errsv == ENODEV)
    set_missing (error, number);
  else if (errsv == EBUSY)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY,
                 "IOMMU group %u is held by somebody else: another program has one of its devices open with VFIO "
                 "(a virtual machine, say), or a copy of such an fd is left somewhere; end it, and try again", number);
  else if (errsv == EACCES || errsv == EPERM)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                 "regiond is not permitted to open IOMMU group %u in " VFIO_FOLDER ": %s; its unit needs "
                 "DeviceAllow=char-vfio rw", number, g_strerror (errsv));
  else
    regiond_error_set_errno (error, errsv, what);
}

/* A group without an IOMMU has a node of another name. */
static gboolean
open_group (RegiondContainer *self,
            gboolean          unsafe_noiommu,
            GError          **error)
{
  g_autofree char *path = make_path (self->number, FALSE), *unsafe = make_path (self->number, TRUE);
  int errsv;

  self->group = open (path, O_RDWR | O_CLOEXEC);
  errsv = errno;
  if (self->group < 0 && errsv == ENOENT && unsafe_noiommu)
    {
      self->noiommu = TRUE;
      self->group = open (unsafe, O_RDWR | O_CLOEXEC);
      errsv = errno;
    }

  if (self->group < 0)
    set_open_error (error, self->number, errsv);
  return self->group >= 0;
}

static gboolean
check_status (RegiondContainer *self,
              GError          **error)
{
  struct vfio_group_status status = { .argsz = sizeof status };
  g_autofree char *what = g_strdup_printf ("Cannot ask for the status of IOMMU group %u", self->number);

  if (ioctl (self->group, VFIO_GROUP_GET_STATUS, &status) < 0)
    {
      regiond_error_set_errno (error, errno, what);
      return FALSE;
    }
  if (status.flags & VFIO_GROUP_FLAGS_VIABLE)
    return TRUE;

  if (regiond_viability_check (self->number, NULL, error))
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED,
                 "IOMMU group %u is not viable: the kernel says that a member's driver uses it for DMA", self->number);
  return FALSE;
}

static gboolean
open_container (RegiondContainer *self,
                GError          **error)
{
  int errsv;

  self->container = open (VFIO_FOLDER "/vfio", O_RDWR | O_CLOEXEC);
  errsv = errno;
  if (self->container < 0 && (errsv == EACCES || errsv == EPERM))
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                 "regiond is not permitted to open " VFIO_FOLDER "/vfio: %s; its unit needs DeviceAllow=char-vfio rw",
                 g_strerror (errsv));
  else if (self->container < 0)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                 "Cannot open " VFIO_FOLDER "/vfio: %s; load the module vfio (modprobe vfio-pci)", g_strerror (errsv));
  else if (ioctl (self->container, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
    g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                         VFIO_FOLDER "/vfio speaks another version of VFIO than regiond");
  else
    return TRUE;
  return FALSE;
}

static int
choose_model (RegiondContainer *self)
{
  if (self->noiommu)
    return VFIO_NOIOMMU_IOMMU;
  if (ioctl (self->container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) > 0)
    return VFIO_TYPE1v2_IOMMU;
  return VFIO_TYPE1_IOMMU;
}

/* From here on there is a domain, and nothing in it. */
static gboolean
isolate (RegiondContainer *self,
         GError          **error)
{
  if (ioctl (self->group, VFIO_GROUP_SET_CONTAINER, &self->container) == 0 &&
      ioctl (self->container, VFIO_SET_IOMMU, choose_model (self)) == 0)
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED,
               "IOMMU group %u cannot be isolated: %s; look into the kernel's log, and load the module "
               "vfio_iommu_type1", self->number, g_strerror (errno));
  return FALSE;
}

static RegiondContainer *
make (guint    number,
      gboolean unsafe_noiommu,
      GError **error)
{
  RegiondContainer *self = g_new0 (RegiondContainer, 1);

  self->number = number;
  self->group = self->container = -1;
  self->references = 1;
  if (open_group (self, unsafe_noiommu, error) && check_status (self, error) && open_container (self, error) &&
      isolate (self, error))
    return self;

  free_container (self);
  return NULL;
}

/* Under the lock. Another one may have come to its place. */
static void
forget (RegiondContainer *self)
{
  if (g_hash_table_lookup (containers, GUINT_TO_POINTER (self->number)) == self)
    g_hash_table_remove (containers, GUINT_TO_POINTER (self->number));
}

/* Once the last device of a group was taken from vfio-pci by hand, its fd is of no group
 * for ever, though there may be a new one of that number. */
static gboolean
is_of_no_group (RegiondContainer *self)
{
  struct vfio_group_status status = { .argsz = sizeof status };

  return ioctl (self->group, VFIO_GROUP_GET_STATUS, &status) < 0 && errno == ENODEV;
}

static RegiondContainer *
find (guint number)
{
  RegiondContainer *self = g_hash_table_lookup (containers, GUINT_TO_POINTER (number));

  if (self == NULL || !is_of_no_group (self))
    return self;

  forget (self);
  return NULL;
}

RegiondContainer *
regiond_container_acquire (guint    group,
                           gboolean unsafe_noiommu,
                           GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  RegiondContainer *self;

  if (containers == NULL)
    containers = g_hash_table_new (NULL, NULL);

  self = find (group);
  if (self != NULL)
    self->references++;
  else if ((self = make (group, unsafe_noiommu, error)) != NULL)
    g_hash_table_insert (containers, GUINT_TO_POINTER (group), self);
  return self;
}

RegiondContainer *
regiond_container_ref (RegiondContainer *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);

  self->references++;
  return self;
}

/* Under the lock to the end: whoever acquires the group next would find it busy. */
void
regiond_container_unref (RegiondContainer *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);

  if (--self->references > 0)
    return;

  forget (self);
  free_container (self);
}

int
regiond_container_open_device (RegiondContainer *self,
                               const char       *address)
{
  return ioctl (self->group, VFIO_GROUP_GET_DEVICE_FD, address);
}

int
regiond_container_get_group_fd (RegiondContainer *self)
{
  return self->group;
}
