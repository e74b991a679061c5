/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Where a PCI device sits: domain, bus, slot and function. The kernel writes it
 * as "0000:00:10.0"; a domain above ffff (VMD makes such) has more digits. */
typedef struct {
  guint32 domain;
  guint8  bus;
  guint8  slot;     /* below 32 */
  guint8  function; /* below 8 */
} RegiondAddress;

/* The kernel's spelling, with capital letters as well; nothing left out, nothing
 * around it. FALSE for anything else. */
gboolean regiond_address_parse (const char *text, RegiondAddress *self);

/* Also without the domain, as people write it and lspci does: "00:10.0" is in domain 0. */
gboolean regiond_address_parse_short (const char *text, RegiondAddress *self);

/* As the kernel spells it. */
char    *regiond_address_to_string (const RegiondAddress *self);

/* As an element of an object path: "0000_00_10_0". */
char    *regiond_address_to_id (const RegiondAddress *self);

gboolean regiond_address_equal (const RegiondAddress *self, const RegiondAddress *other);
