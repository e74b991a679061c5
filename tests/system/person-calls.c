/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "person.h"

#include <string.h>

#include "deadline.h"
#include "world.h"

guint
person_send_open (Person *person,
                  const char *device,
                  const char *region,
                  const char *access,
                  const char *options,
                  const char *flags)
{
  g_autofree char *path = g_strconcat (DEVICE_PREFIX, device, NULL);
  g_autoptr (GVariant) region_value = g_variant_ref_sink (g_variant_new_string (region));
  g_autoptr (GVariant) access_value = g_variant_ref_sink (g_variant_new_string (access));
  g_autofree char *region_text = g_variant_print (region_value, FALSE);
  g_autofree char *access_text = g_variant_print (access_value, FALSE);
  g_autofree char *arguments = g_strdup_printf ("(%s, %s, @a{sv} %s)", region_text, access_text, options);

  return person_send (person, "call", path, DEVICE_INTERFACE, "OpenRegion", arguments, flags, NULL);
}

Opened *
person_finish_open (Person *person,
                    guint serial)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) strings = person_finish (person, serial, &error);
  g_autoptr (GVariant) reply = NULL;
  Opened *opened = g_new0 (Opened, 1);

  g_assert_no_error (error);
  reply = g_variant_parse (NULL, strings[0], NULL, NULL, NULL);
  g_assert_nonnull (reply);
  g_variant_get (reply, "(ho)", NULL, &opened->path);
  g_assert_nonnull (strings[1]);
  opened->fd = g_strdup (strings[1]);
  return opened;
}

Opened *
person_open (Person *person,
             const char *device,
             const char *region,
             const char *access,
             const char *options)
{
  return person_finish_open (person, person_send_open (person, device, region, access, options, ""));
}

guint
person_send_attach (Person *person,
                    const char *fd,
                    const char *options)
{
  g_autofree char *arguments = g_strdup_printf ("(handle 0, @a{sv} %s)", options);

  return person_send (person, "call", MANAGER_PATH, MANAGER_INTERFACE, "AttachLease", arguments, fd, NULL);
}

Opened *
person_attach (Person *person,
               const char *fd,
               const char *options)
{
  return person_finish_open (person, person_send_attach (person, fd, options));
}

char *
person_open_fails (Person *person,
                   const char *name,
                   const char *device,
                   const char *region,
                   const char *access,
                   const char *options)
{
  return person_finish_failure (person, person_send_open (person, device, region, access, options, ""), name);
}

char *
person_call (Person *person,
             const char *path,
             const char *interface,
             const char *method,
             const char *arguments)
{
  return person_do (person, "call", path, interface, method, arguments, "", NULL);
}

char *
person_call_fails (Person *person,
                   const char *name,
                   const char *path,
                   const char *interface,
                   const char *method,
                   const char *arguments)
{
  guint serial = person_send (person, "call", path, interface, method, arguments, "", NULL);

  return person_finish_failure (person, serial, name);
}

char *
person_map (Person *person,
            const char *fd,
            const char *protection)
{
  return person_do (person, "map", fd, protection, NULL);
}

void
person_write (Person *person,
              const char *mapping,
              const char *text)
{
  g_free (person_do (person, "write", mapping, "0", text, NULL));
}

void
person_expect_text (Person *person,
                    const char *mapping,
                    const char *text)
{
  g_autofree char *found = person_do (person, "read", mapping, "0", NULL);

  g_assert_cmpstr (found, ==, text);
}

void
person_expect_zeros (Person *person,
                     const char *mapping)
{
  g_autofree char *found = person_do (person, "zeros", mapping, NULL);

  g_assert_cmpstr (found, ==, "yes");
}

void
person_expect_load (Person *person,
                    const char *map,
                    const char *offset,
                    const char *value)
{
  g_autofree char *seen = person_do (person, "load", map, offset, "4", NULL);

  g_assert_cmpstr (seen, ==, value);
}

typedef struct
{
  Person *person;
  const char *fd;
} Reader;

static gboolean
is_cut (gpointer data)
{
  Reader *reader = data;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) seen =
    person_finish (reader->person, person_send (reader->person, "pread", reader->fd, "0", NULL), &error);

  return !seen && g_str_has_prefix (error->message, "ENOTCONN");
}

void
person_wait_cut (Person *person,
                 const char *fd)
{
  Reader reader = { person, fd };

  wait_until (is_cut, &reader, 20000, "what has ended is cut");
}

gboolean
person_shares (Person *one,
               const char *fd,
               Person *other,
               const char *other_fd)
{
  g_autofree char *inode = person_do (one, "stat", fd, "inode", NULL);
  g_autofree char *other_inode = person_do (other, "stat", other_fd, "inode", NULL);

  return g_str_equal (inode, other_inode);
}

void
person_let_go (Person *person,
               const char *mapping,
               const char *fd)
{
  if (mapping)
    g_free (person_do (person, "unmap", mapping, NULL));
  if (fd)
    g_free (person_do (person, "close", fd, NULL));
}

char *
person_signals (Person *person)
{
  return person_do (person, "signals", NULL);
}

typedef struct
{
  Person *person;
  const char *line;
} Wanted;

static gboolean
has_signal (gpointer data)
{
  Wanted *wanted = data;
  g_autofree char *all = person_signals (wanted->person);

  return strstr (all, wanted->line) != NULL;
}

void
person_wait_signal (Person *person,
                    const char *path,
                    const char *member_and_arguments)
{
  g_autofree char *line = g_strdup_printf ("%s %s\n", path, member_and_arguments);
  Wanted wanted = { person, line };

  if (!wait_for (has_signal, &wanted, 5000))
    {
      g_autofree char *all = person_signals (person);

      g_error ("no signal %sbut:\n%s", line, all);
    }
}

void
person_expect_no_signal (Person *person)
{
  g_autofree char *all = person_signals (person);

  g_assert_cmpstr (all, ==, "");
}

void
opened_free (Opened *opened)
{
  g_free (opened->fd);
  g_free (opened->path);
  g_free (opened);
}
