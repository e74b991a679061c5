/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <json-glib/json-glib.h>
#include <string.h>

#include "news.h"

#define LEASE "/org/regiond1/leases/17"
#define ADDED \
  "(objectpath '" LEASE "', {'org.regiond1.Lease': {" \
  "  'Device': <objectpath '/org/regiond1/devices/shm0'>, 'Region': <'bar2'>, " \
  "  'Access': <'rwm'>, 'Uid': <uint32 1000>, 'Pid': <uint32 42>, 'Label': <'ring\n'>}})"
#define REMOVED "(objectpath '" LEASE "', ['org.regiond1.Lease'])"

static CtlEvent *
take (CtlNews    *news,
      const char *path,
      const char *signal,
      const char *text)
{
  g_autoptr (GVariant) parameters = g_variant_ref_sink (g_variant_new_parsed (text));

  return ctl_news_take_signal (news, path, signal, parameters);
}

static void
assert_text (CtlEvent   *event,
             const char *expected)
{
  g_autofree char *text = ctl_event_format (event, FALSE);

  /* After the time of day. */
  g_assert_cmpstr (strchr (text, ' ') + 1, ==, expected);
}

static void
test_life_of_a_lease (void)
{
  g_autoptr (CtlNews) news = ctl_news_new ();
  g_autoptr (CtlEvent) added = take (news, "/org/regiond1", "InterfacesAdded", ADDED);
  g_autoptr (CtlEvent) changed = take (news, LEASE, "PropertiesChanged",
                                       "('org.regiond1.Lease', {'State': <'revoking'>}, @as [])");
  g_autoptr (CtlEvent) removed = take (news, "/org/regiond1", "InterfacesRemoved", REMOVED);
  g_autoptr (CtlEvent) unknown = take (news, "/org/regiond1", "InterfacesRemoved", REMOVED);

  assert_text (added, "lease 17 added: shm0 bar2 rwm, uid 1000, pid 42, ring?");
  assert_text (changed, "lease 17 changed: State revoking");
  assert_text (removed, "lease 17 removed: shm0 bar2 rwm, uid 1000, pid 42, ring?");
  assert_text (unknown, "lease 17 removed");
}

static void
test_lines_are_short (void)
{
  g_autoptr (CtlNews) news = ctl_news_new ();
  g_autoptr (CtlEvent) added = take (news, "/org/regiond1", "InterfacesAdded", ADDED);
  g_autofree char *text = ctl_event_format (added, FALSE);

  g_assert_cmpuint (strlen (text), <, 80);
}

static void
test_invalidated (void)
{
  g_autoptr (CtlNews) news = ctl_news_new ();
  g_autoptr (CtlEvent) event = take (news, "/org/regiond1/devices/shm0", "PropertiesChanged",
                                     "('org.regiond1.Device', @a{sv} {}, ['Leases'])");
  g_autoptr (JsonNode) node = NULL;
  g_autofree char *json = ctl_event_format (event, TRUE);

  g_assert_null (ctl_event_format (event, FALSE));

  g_assert_null (strchr (json, '\n'));
  node = json_from_string (json, NULL);
  g_assert_cmpstr (json_object_get_string_member (json_node_get_object (node), "kind"), ==, "device");
  g_assert_cmpstr (json_object_get_string_member (json_node_get_object (node), "name"), ==, "shm0");
  g_assert_cmpstr (json_object_get_string_member (json_node_get_object (node), "event"), ==, "changed");
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (json_node_get_object (node),
                                                                         "invalidated")), ==, 1);
}

/* A PCI device's id is no element of a path. */
static void
test_pci_device (void)
{
  g_autoptr (CtlNews) news = ctl_news_new ();
  g_autoptr (CtlEvent) added = take (news, "/org/regiond1", "InterfacesAdded",
                                     "(objectpath '/org/regiond1/devices/0000_00_10_0', {'org.regiond1.Device': {"
                                     "  'Id': <'0000:00:10.0'>, 'Description': <'FPGA'>}})");
  g_autoptr (CtlEvent) refused = take (news, "/org/regiond1", "OpenRefused",
                                       "(objectpath '/org/regiond1/devices/0000_00_10_0', 'bar2', 'r', ':1.9',"
                                       " uint32 1000, uint32 42, 'org.regiond1.Error.Gone', 'left', uint32 0)");
  g_autoptr (CtlEvent) lease = take (news, "/org/regiond1", "InterfacesAdded",
                                     "(objectpath '" LEASE "', {'org.regiond1.Lease': {"
                                     "  'Device': <objectpath '/org/regiond1/devices/0000_00_10_0'>, 'Region': <'bar2'>,"
                                     "  'Access': <'r'>, 'Uid': <uint32 1000>, 'Pid': <uint32 42>}})");

  assert_text (added, "device 0000:00:10.0 added: FPGA");
  assert_text (refused, "device 0000:00:10.0 refused: bar2 r, uid 1000, Gone");
  assert_text (lease, "lease 17 added: 0000:00:10.0 bar2 r, uid 1000, pid 42");
}

#define REFUSED(omitted) \
  "(objectpath '/org/regiond1/devices/shm0', 'bar2', 'rwm', ':1.9', uint32 1000, uint32 42, " \
  " 'org.regiond1.Error.Busy', 'somebody has it', uint32 " omitted ")"

static void
test_refused (void)
{
  g_autoptr (CtlNews) news = ctl_news_new ();
  g_autoptr (CtlEvent) one = take (news, "/org/regiond1", "OpenRefused", REFUSED ("0"));
  g_autoptr (CtlEvent) flood = take (news, "/org/regiond1", "OpenRefused", REFUSED ("990"));
  g_autofree char *json = ctl_event_format (one, TRUE);

  assert_text (one, "device shm0 refused: bar2 rwm, uid 1000, Busy");
  assert_text (flood, "device shm0 refused: bar2 rwm, uid 1000, Busy, +990");
  g_assert_nonnull (strstr (json, "\"details\":{"));
  g_assert_nonnull (strstr (json, "\"pid\":42"));
  g_assert_nonnull (strstr (json, "\"message\":\"somebody has it\""));
}

#define PASSWORD(uid, omitted) \
  "(objectpath '/org/regiond1/devices/0000_00_10_0', 'bar2', 'rwm', ':1.9', uint32 " uid ", uint32 123456, " \
  " 'org.freedesktop.DBus.Error.InteractiveAuthorizationRequired', 'polkit refuses', uint32 " omitted ")"

/* As it is where there is no rule yet. */
static void
test_refused_for_want_of_a_password (void)
{
  g_autoptr (CtlNews) news = ctl_news_new ();
  g_autoptr (CtlEvent) added = take (news, "/org/regiond1", "InterfacesAdded",
                                     "(objectpath '/org/regiond1/devices/0000_00_10_0', {'org.regiond1.Device': {"
                                     "  'Id': <'0000:00:10.0'>}})");
  g_autoptr (CtlEvent) one = take (news, "/org/regiond1", "OpenRefused", PASSWORD ("4294967294", "0"));
  g_autoptr (CtlEvent) flood = take (news, "/org/regiond1", "OpenRefused", PASSWORD ("1000", "990"));
  g_autofree char *text = ctl_event_format (one, FALSE), *more = ctl_event_format (flood, FALSE);
  g_autofree char *json = ctl_event_format (one, TRUE);

  assert_text (one, "device 0000:00:10.0 refused: bar2 rwm, uid 4294967294, needs a password");
  g_assert_cmpuint (strlen (text), <=, 80);
  g_assert_cmpuint (strlen (more), <=, 80);
  g_assert_nonnull (strstr (json, "\"error\":\"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired\""));
}

static void
test_ended (void)
{
  g_autoptr (CtlNews) news = ctl_news_new ();
  g_autoptr (CtlEvent) added = take (news, "/org/regiond1", "InterfacesAdded", ADDED);
  g_autoptr (CtlEvent) ended = take (news, "/org/regiond1", "LeaseEnded", "(objectpath '" LEASE "', 'withdrawn')");

  assert_text (ended, "lease 17 ended: withdrawn");
  g_assert_cmpstr (added->path, ==, ended->path);
}

static void
test_others (void)
{
  g_autoptr (CtlNews) news = ctl_news_new ();

  g_assert_null (take (news, "/org/regiond1", "PropertiesChanged", "('org.regiond1.Manager', @a{sv} {}, @as [])"));
  g_assert_null (take (news, "/org/regiond1", "InterfacesAdded", "('not', 'its', 'type')"));
  g_assert_null (take (news, "/org/regiond1", "Strange", "()"));
}

static void
test_service (void)
{
  g_autoptr (CtlEvent) event = ctl_event_new ("service", "org.regiond1", "stopped");

  assert_text (event, "service org.regiond1 stopped");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/news/life-of-a-lease", test_life_of_a_lease);
  g_test_add_func ("/news/lines-are-short", test_lines_are_short);
  g_test_add_func ("/news/invalidated-is-for-programs", test_invalidated);
  g_test_add_func ("/news/a-pci-device-has-its-address", test_pci_device);
  g_test_add_func ("/news/refused", test_refused);
  g_test_add_func ("/news/refused-for-want-of-a-password", test_refused_for_want_of_a_password);
  g_test_add_func ("/news/ended", test_ended);
  g_test_add_func ("/news/other-signals", test_others);
  g_test_add_func ("/news/service", test_service);
  return g_test_run ();
}
