/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "error.h"
#include "json.h"
#include "options.h"
#include "text.h"
#include "view.h"

static void
print_text (const char *title,
            const char *text)
{
  g_autofree char *clean = ctl_text_clean (text);

  printf ("%12s: %s\n", title, *clean == '\0' ? "-" : clean);
}

static void
print_list (const CtlObject *device,
            const char      *title,
            const char      *property)
{
  g_autofree const char **words = NULL;
  g_autofree char *joined = NULL;

  if (g_variant_lookup (device->properties, property, "^a&s", &words))
    joined = g_strjoinv (" ", (char **) words);
  print_text (title, joined == NULL ? "" : joined);
}

/* What only a PCI device has. */
static void
print_pci (const CtlObject *device)
{
  gint32 group = -1;

  print_text ("Address", ctl_object_get_string (device, "Address"));
  printf ("%12s: %04x:%04x (subsystem %04x:%04x), class %06x\n", "Model",
          (guint) ctl_object_get_number (device, "VendorId"),
          (guint) ctl_object_get_number (device, "DeviceId"),
          (guint) ctl_object_get_number (device, "SubsystemVendorId"),
          (guint) ctl_object_get_number (device, "SubsystemId"),
          (guint) ctl_object_get_number (device, "Class"));
  print_text ("Driver", ctl_object_get_string (device, "Driver"));

  g_variant_lookup (device->properties, "IommuGroup", "i", &group);
  printf ("%12s: %d\n", "IOMMU group", group);
  print_list (device, "With", "GroupDevices");
}

static void
print_device (const CtlObject *device)
{
  print_text ("Id", ctl_object_get_string (device, "Id"));
  print_text ("Description", ctl_object_get_string (device, "Description"));
  print_text ("Backend", ctl_object_get_string (device, "Backend"));
  if (*ctl_object_get_string (device, "Address") != '\0')
    print_pci (device);
  print_text ("State", ctl_object_get_string (device, "State"));
  print_text ("Isolation", ctl_object_get_string (device, "Isolation"));
  print_list (device, "Reset by", "ResetMethods");
  print_text ("Exclusive", ctl_object_get_string (device, "Exclusive"));
  printf ("%12s: %u\n", "Lingering", (guint) ctl_object_get_number (device, "Lingering"));
}

static void
print_json (CtlObjects      *objects,
            const CtlObject *device)
{
  JsonNode *node = ctl_json_from_object (device);

  /* The leases themselves, also those that only linger, instead of their paths. */
  json_object_set_member (json_node_get_object (node), "Leases",
                          ctl_json_from_objects (objects->leases));
  ctl_json_print (node);
}

int
ctl_verb_show (const CtlVerb *verb,
               int            argc,
               char         **argv,
               GError       **error)
{
  g_autoptr (CtlBus) bus = NULL;
  g_autoptr (CtlObjects) objects = NULL;
  const CtlObject *device;

  if (!ctl_options_parse (verb, NULL, &argc, &argv, error))
    return CTL_STATUS_USAGE;

  bus = ctl_options_connect (error);
  objects = bus == NULL ? NULL : ctl_objects_load (bus, error);
  device = objects == NULL ? NULL : ctl_objects_find_device (objects, argv[0], error);
  if (device == NULL)
    return CTL_STATUS_FAILED;

  ctl_objects_keep_leases_of (objects, device);
  if (ctl_options.json)
    {
      print_json (objects, device);
      return CTL_STATUS_OK;
    }

  print_device (device);
  printf ("\n");
  ctl_view_print_regions (device);
  if (objects->leases->len > 0)
    {
      printf ("\n");
      ctl_view_print_leases (objects, TRUE);
    }
  return CTL_STATUS_OK;
}
