/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model.h"

#include <gio/gio.h>

/* Somebody on the bus who has nothing, and sees what regiond shows of devices and leases. */
typedef struct {
  GDBusConnection *bus;
  guint            subscription;
  GHashTable      *ends; /* path of a lease -> the reason for which it has ended */
} Onlooker;

/* @bus is taken. */
Onlooker *onlooker_new (GDBusConnection *bus);
void      onlooker_free (Onlooker *self);

/* Forgets the leases that have ended. */
void      onlooker_forget (Onlooker *self);

/* What is seen, against the model: NULL if there is no difference, or the first one. */
char     *onlooker_compare (Onlooker *self, Model *model);
