/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

static CtlObjects *
make_objects (void)
{
  g_autoptr (GVariant) managed = NULL;

  managed = g_variant_new_parsed ("@a{oa{sa{sv}}} {"
                                  " '/org/regiond1/devices/shm1': {'org.regiond1.Device': {"
                                  "   'Id': <'shm1'>, 'Description': <'a \"ring\"\n\302\265'>, 'Lingering': <uint32 3>,"
                                  "   'Regions': <{'bar2': {'size': <uint64 5497558138880>}}>, 'Leases': <@ao []>}},"
                                  " '/org/regiond1/devices/shm0': {'org.regiond1.Device': {'Id': <'shm0'>}},"
                                  " '/org/regiond1/leases/10': {'org.regiond1.Lease': {"
                                  "   'Device': <objectpath '/org/regiond1/devices/shm1'>, 'Created': <uint64 7>}},"
                                  " '/org/regiond1/leases/9': {'org.regiond1.Lease': {"
                                  "   'Device': <objectpath '/org/regiond1/devices/shm0'>}},"
                                  " '/org/regiond1': {'org.regiond1.Manager': {'Version': <'1'>}}}");
  g_variant_ref_sink (managed);
  return ctl_objects_new (managed);
}

static void
test_object (void)
{
  g_autoptr (CtlObjects) objects = make_objects ();
  g_autoptr (JsonNode) node = NULL;
  g_autoptr (JsonNode) again = NULL;
  g_autofree char *text = NULL;
  JsonObject *device, *regions;

  node = ctl_json_from_object (ctl_objects_find_device (objects, "shm1", NULL));
  text = json_to_string (node, TRUE);
  again = json_from_string (text, NULL);
  device = json_node_get_object (again);
  regions = json_object_get_object_member (device, "Regions");

  g_assert_cmpstr (json_object_get_string_member (device, "Path"), ==, "/org/regiond1/devices/shm1");
  g_assert_cmpstr (json_object_get_string_member (device, "Id"), ==, "shm1");
  g_assert_cmpstr (json_object_get_string_member (device, "Description"), ==, "a \"ring\"\n\302\265");
  g_assert_cmpint (json_object_get_int_member (device, "Lingering"), ==, 3);
  g_assert_cmpint (json_object_get_int_member (json_object_get_object_member (regions, "bar2"), "size"), ==,
                   G_GINT64_CONSTANT (5497558138880));
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (device, "Leases")), ==, 0);
}

static void
test_order (void)
{
  g_autoptr (CtlObjects) objects = make_objects ();
  g_autoptr (JsonNode) devices = ctl_json_from_objects (objects->devices);
  g_autoptr (JsonNode) leases = ctl_json_from_objects (objects->leases);
  JsonArray *array = json_node_get_array (devices);

  g_assert_cmpuint (json_array_get_length (array), ==, 2);
  g_assert_cmpstr (json_object_get_string_member (json_array_get_object_element (array, 0), "Id"), ==, "shm0");

  array = json_node_get_array (leases);
  g_assert_cmpuint (json_array_get_length (array), ==, 2);
  g_assert_cmpstr (json_object_get_string_member (json_array_get_object_element (array, 0), "Path"), ==,
                   "/org/regiond1/leases/9");
}

static void
test_leases_of_a_device (void)
{
  g_autoptr (CtlObjects) objects = make_objects ();

  ctl_objects_keep_leases_of (objects, ctl_objects_find_device (objects, "/org/regiond1/devices/shm1", NULL));
  g_assert_cmpuint (objects->leases->len, ==, 1);
  g_assert_cmpstr (((CtlObject *) objects->leases->pdata[0])->path, ==, "/org/regiond1/leases/10");
}

static void
test_absent_properties (void)
{
  g_autoptr (CtlObjects) objects = make_objects ();
  g_autoptr (GError) error = NULL;
  const CtlObject *device = ctl_objects_find_device (objects, "shm0", NULL);

  g_assert_cmpstr (ctl_object_get_string (device, "Description"), ==, "");
  g_assert_cmpuint (ctl_object_get_number (device, "Lingering"), ==, 0);
  g_assert_null (ctl_objects_find_device (objects, "shm2", &error));
  g_assert_nonnull (error);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json/object", test_object);
  g_test_add_func ("/json/order", test_order);
  g_test_add_func ("/objects/leases-of-a-device", test_leases_of_a_device);
  g_test_add_func ("/objects/absent-properties", test_absent_properties);
  return g_test_run ();
}
