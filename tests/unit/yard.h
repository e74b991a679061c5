/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "card.h"
#include "daemon.h"
#include "device.h"
#include "fixture.h"
#include "lease.h"

/* The service in this process, with cards in it; and somebody on the bus. Calls to
 * it must not block: nothing else would turn its loop. */
typedef struct {
  Fixture         *fixture;
  GDBusConnection *bus;
  RegiondDaemon   *daemon;
  GDBusConnection *person;
} Yard;

#define CARD "0000:00:10.0"
#define CARD_PATH "/org/regiond1/devices/0000_00_10_0"
#define SIBLING "0000:00:10.1"
#define SIBLING_PATH "/org/regiond1/devices/0000_00_10_1"

/* What happens in a yard of its own, with the card CARD in group 4. */
typedef void (*YardTest) (Yard *y, Card *card);

void           yard_add (const char *path, YardTest test);

/* main() of a program of such tests. They share a bus, and at the end, in the test @end, it goes. */
int            yard_main (int argc, char *argv[], void (*add_tests) (void), const char *end);

/* In such a program, another one. */
Yard          *yard_new (void);
void           yard_free (Yard *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Yard, yard_free)

/* A card at a PCI address ("0000:00:10.0"), in an IOMMU group. A reference. */
Card          *yard_plug (Yard *self, const char *address, int group);

/* The device; NULL when it is not there. */
RegiondDevice *yard_find (Yard *self, const char *address);
gboolean       yard_sees (Yard *self, const char *address, RegiondDeviceState state);

/* OpenRegion of a card's region, called, and done with. NULL with the error. */
void           yard_call_open (GDBusConnection *client, const char *address, const char *region, const char *access,
                               const char *text, Promise *promise);
RegiondLease  *yard_open (Yard *self, GDBusConnection *client, const char *address, const char *region,
                          const char *access, const char *text, GError **error);

/* As above, and it must work, or be refused so. */
RegiondLease  *yard_must_open (Yard *self, GDBusConnection *client, const char *address, const char *region,
                               const char *access);
void           yard_must_refuse (Yard *self, GDBusConnection *client, const char *address, const char *access,
                                 const char *text, int code, const char *word);

/* A method of a device, of a lease, called. */
void           yard_call_reset (GDBusConnection *client, const char *address, Promise *promise);
void           yard_call_revoke (GDBusConnection *client, RegiondLease *lease, Promise *promise);
void           yard_release (GDBusConnection *client, RegiondLease *lease);

/* So many turns of the loop, for what must not come. */
void           yard_idle (guint milliseconds);

/* Waits until the card has been told just this, and no more. */
void           yard_expect_told (Card *card, const char *told);
