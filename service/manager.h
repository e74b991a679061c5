/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon.h"
#include "regiond-dbus.h"

/* The object /org/regiond1: finds, adds and removes devices. */
#define REGIOND_TYPE_MANAGER (regiond_manager_get_type ())
G_DECLARE_FINAL_TYPE (RegiondManager, regiond_manager, REGIOND, MANAGER, RegiondDBusManagerSkeleton)

/* @daemon outlives it. */
RegiondManager *regiond_manager_new (RegiondDaemon *daemon);
