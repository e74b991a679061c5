/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "error.h"
#include "loan.h"
#include "options.h"
#include "spec.h"

static gboolean
check_open (const CtlShown *shown,
            GError        **error)
{
  if (fcntl (shown->fd, F_GETFD) != -1)
    return TRUE;

  g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED,
               "There is no file descriptor %d to be shown: %s; whoever starts regionctl passes it on",
               shown->fd, g_strerror (errno));
  return FALSE;
}

static gboolean
check_new (GPtrArray      *list,
           const CtlShown *shown,
           GError        **error)
{
  for (guint i = 0; i < list->len; i++)
    if (((CtlShown *) g_ptr_array_index (list, i))->fd == shown->fd)
      {
        g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE, "attach: descriptor %d is given twice", shown->fd);
        return FALSE;
      }

  return TRUE;
}

static GPtrArray *
parse_shown (char  **words,
             GError **error)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func ((GDestroyNotify) ctl_shown_free);

  for (char **word = words; *word != NULL; word++)
    {
      g_autoptr (CtlShown) shown = ctl_shown_parse (*word, error);

      if (shown == NULL || !check_new (list, shown, error) || !check_open (shown, error))
        return NULL;

      g_ptr_array_add (list, g_steal_pointer (&shown));
    }

  return g_steal_pointer (&list);
}

static char *
get_region (CtlBus   *bus,
            CtlLease *lease,
            GError  **error)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) region = NULL;

  reply = ctl_bus_call (bus, ctl_lease_get_path (lease), "org.freedesktop.DBus.Properties", "Get",
                        g_variant_new ("(ss)", CTL_LEASE_INTERFACE, "Region"), "(v)", error);
  if (reply == NULL)
    return NULL;

  g_variant_get (reply, "(v)", &region);
  return g_variant_is_of_type (region, G_VARIANT_TYPE_STRING) ? g_variant_dup_string (region, NULL) : g_strdup ("");
}

static gboolean
attach (CtlBus                *bus,
        const CtlShown        *shown,
        GPtrArray             *loans,
        const CtlLeaseOptions *options,
        GError               **error)
{
  CtlLease *lease = ctl_lease_attach (bus, shown->fd, shown->access, options, error);
  g_autofree char *region = lease == NULL ? NULL : get_region (bus, lease, error);
  g_autofree char *title = g_strdup_printf ("%s (descriptor %d)", region, shown->fd);

  if (region == NULL)
    {
      g_prefix_error (error, "Descriptor %d: ", shown->fd);
      g_clear_pointer (&lease, ctl_lease_free);
      return FALSE;
    }

  ctl_loans_add (loans, title, shown->name == NULL ? region : shown->name, lease);
  return TRUE;
}

/* What was shown goes with its own lease: kept, it would be a leak of that. */
static void
close_shown (GPtrArray *list)
{
  for (guint i = 0; i < list->len; i++)
    close (((CtlShown *) g_ptr_array_index (list, i))->fd);
}

/* All of them; from then on the terminal is the command's. */
static gboolean
attach_all (CtlBus                *bus,
            GPtrArray             *list,
            GPtrArray             *loans,
            const CtlLeaseOptions *options,
            GError               **error)
{
  for (guint i = 0; i < list->len; i++)
    if (!attach (bus, g_ptr_array_index (list, i), loans, options, error))
      return FALSE;

  close_shown (list);
  ctl_bus_dismiss_agent (bus);
  return TRUE;
}

int
ctl_verb_attach (const CtlVerb *verb,
                 int            argc,
                 char         **argv,
                 GError       **error)
{
  g_auto (CtlLeaseOptions) options = { 0 };
  const GOptionEntry entries[] = {
    { "label", 0, 0, G_OPTION_ARG_STRING, &options.label, "Show TEXT in the leases", "TEXT" },
    { NULL }
  };
  CtlCommand command = { 0 };
  g_autoptr (GPtrArray) list = NULL;
  g_autoptr (CtlBus) bus = NULL;
  g_autoptr (GPtrArray) loans = ctl_loans_new ();

  if (!ctl_options_parse_command (verb, entries, &argc, &argv, &command.argv, error))
    return CTL_STATUS_USAGE;

  list = parse_shown (argv, error);
  bus = list == NULL ? NULL : ctl_options_connect (error);
  if (bus == NULL || !attach_all (bus, list, loans, &options, error))
    return CTL_STATUS_FAILED;

  return ctl_loans_run (loans, &command, error);
}
