/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/*
 * What tests in a guest do behind regiond's back: to the devices by sysfs, to the
 * machine by QEMU's monitor. Devices are named by vendor and device id, since
 * addresses and groups depend on the machine; run says which there are.
 */
#define GUEST_IVSHMEM "1af4:1110"
#define GUEST_EDU "1234:11e8"
#define GUEST_TESTDEV "1b36:0005"
#define GUEST_VGA "1234:1111"
#define GUEST_NVME "1b36:0010"
#define GUEST_E1000E "8086:10d3"
/* Those two, and the bridge above them, share a group. */
#define GUEST_SERIAL "1b36:0002"
#define GUEST_AUDIO "1274:5000"
/* The root port that nothing is plugged into, as QEMU and the kernel call it, and what guest_plug() plugs in. */
#define GUEST_FREE_PORT "rp4"
#define GUEST_FREE_SLOT "64"
#define GUEST_PLUGGED "plugged"

/* For main(), instead of world_init(). Skips (77) outside of a guest. */
void guest_init (int *argc,
                 char ***argv);

/* The address ("0000:00:10.0") of the device with that ID ("1af4:1110"); the test fails without one. */
char *guest_find (const char *id);
/* The same, or NULL. */
char *guest_look_for (const char *id);
/* All that there are. */
char **guest_find_all (const char *id);
/* The name of the driver that has it, or NULL. */
char *guest_driver (const char *address);
/* -1: in none. */
int guest_group (const char *address);
/* The addresses of all that are in the device's group, itself included, in order. */
char **guest_group_members (const char *address);
/* An attribute of it without the newline, or NULL where there is none. */
char *guest_attribute (const char *address,
                       const char *name);
/* Writes one; the test fails if the kernel refuses. */
void guest_set_attribute (const char *address,
                          const char *name,
                          const char *value);

/* Puts it on DRIVER, whatever has it now; waits until it is there, and udev done. */
void guest_bind_to (const char *address,
                    const char *driver);
/* To vfio-pci. */
void guest_bind (const char *address);
/* Back to whatever driver it would have had, or none. */
void guest_give_back (const char *address);

/* A line for QEMU's monitor, "info pci"; what it says, "" if nothing. */
char *guest_monitor (const char *format,
                     ...) G_GNUC_PRINTF (1, 2);

/*
 * Plugs QEMU's MODEL ("edu", "nvme,serial=late") into the free port; the address of
 * the new device, whose id is ID, once the guest has it beside others of that id.
 */
char *guest_plug (const char *model,
                  const char *id);
/* Asks for its removal: the guest's kernel waits for whoever has it open. */
void guest_start_unplug (void);
/* Waits until the guest and QEMU are rid of it. */
void guest_finish_unplug (void);
/* Both. */
void guest_unplug (void);
/* Unplugs what a program that failed has left there: guest_init() does. */
void guest_empty_port (void);

gboolean guest_kernel_is_at_least (guint major,
                                   guint minor);
/* lockdown=integrity, or more. */
gboolean guest_is_locked_down (void);
/* Whether that is a word of the kernel's command line: "iommu=pt". */
gboolean guest_was_told (const char *word);
/* For a program that takes a guest which was: in any other one it is skipped, and fails where
 * it was asked for by its name. */
void guest_needs_told (const char *word);
guint guest_cpus (void);
