/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An ordinary user's session, which is docs/sessions.md: what is shown there was shown here. */
#include <glib/gstdio.h>
#include <unistd.h>

#include "devices.h"
#include "guest.h"
#include "transcript.h"

#define HOME SANDBOX_DIR "/alice"
#define RULES "usr/share/doc/regiond/examples/polkit/50-regiond-user-develops.rules"

#define GDBUS "gdbus call --system --dest org.regiond1 --object-path "
#define GET_RESETS(device) \
  GDBUS "/org/regiond1/devices/{" device "-id} \\\n" \
  "    --method org.freedesktop.DBus.Properties.Get org.regiond1.Device ResetMethods"

static const char watch[] =
  "import mmap, time\n"
  "bar = mmap.mmap(3, 4096)\n"
  "print('the BAR says:', bar[:13].decode(), flush=True)\n"
  "while True:\n"
  "    bar[0]\n"
  "    time.sleep(0.1)\n";

static const struct
{
  const char *name;
  const char *id;
} devices[] = {
  { "ivshmem", GUEST_IVSHMEM }, { "edu", GUEST_EDU }, { "nvme", GUEST_NVME }, { "e1000e", GUEST_E1000E },
};

static void
administrator_binds (Transcript *told)
{
  transcript_say (told, "## The administrator says which devices are lent\n\n"
                        "`bind` takes a device from its driver. What the machine depends on is left alone, and an\n"
                        "ordinary user may not do it.");
  transcript_run (told, "root", "uname -r", "^[0-9]", NULL);
  transcript_run (told, "root", "regionctl bind {ivshmem}", "^/org/regiond1/devices/{ivshmem-id}$", NULL);
  transcript_run_fails (told, "alice", "regionctl bind {edu}", "org\\.regiond1\\.manage-devices", NULL);
  transcript_run (told, "root", "regionctl bind {edu}", "{edu-id}$", NULL);
  transcript_run_fails (told, "root", "regionctl bind {nvme}", "/run/lab", "force", NULL);
  transcript_run (told, "root", "umount /run/lab; regionctl bind {nvme}", "{nvme-id}$", NULL);
  transcript_run (told, "root", "regionctl bind {e1000e}", "{e1000e-id}$", NULL);
  transcript_run (told, "alice", "regionctl list", "^{ivshmem} +vfio +parked", "^{edu} ", "^{nvme} ", "^{e1000e} ", NULL);
}

static void
nobody_is_let_in (Transcript *told)
{
  transcript_say (told, "Everybody can see them, and nobody has them: as shipped, polkit wants an administrator's password.");
  transcript_run_fails (told, "alice", GDBUS "/org/regiond1/devices/{ivshmem-id} \\\n"
                                       "    --method org.regiond1.Device.OpenRegion bar2 rwm '{}'",
                        "InteractiveAuthorizationRequired", "org\\.regiond1\\.write-region", NULL);
}

static void
a_rule_lets_her_in (World *world,
                    Transcript *told)
{
  g_autofree char *path = sandbox_installed (RULES);
  g_autofree char *rules = NULL;

  g_assert_true (g_file_get_contents (path, &rules, NULL, NULL));
  world_set_rules (world, rules);
  transcript_say (told, "So the administrator writes a rule, `/etc/polkit-1/rules.d/50-regiond-user-develops.rules`:");
  transcript_quote (told, g_strchomp (rules));
  transcript_run (told, "alice", GDBUS "/org/regiond1/devices/{ivshmem-id} \\\n"
                                 "    --method org.regiond1.Device.OpenRegion bar2 rwm '{}'",
                  "^\\(handle 0, objectpath '/org/regiond1/leases/[0-9]+'\\)$", NULL);
}

static void
bar_of_ivshmem (Transcript *told)
{
  transcript_say (told, "A lease lasts as long as the connection that opened it: gdbus has exited, and that one is over.\n\n"
                        "## ivshmem: memory behind a BAR");
  transcript_run (told, "alice", "regionctl show {ivshmem}", "Inter-VM shared memory", "1af4:1110", "^bar2 +2 +4M +mmio +rwm +bar,proxy +immediate",
                  "config ", NULL);
  transcript_run (told, "alice", "echo 'hello, device' | regionctl write {ivshmem} bar2", NULL);
  transcript_run (told, "alice", "regionctl dump {ivshmem} bar2 0 32", "^00000000 .*hello, device", NULL);
  transcript_say (told, "This device cannot be reset (`Reset by` has nothing), and its memory is the host's: what she wrote is still\n"
                        "there when the next one comes. `ZeroRegions=bar2` in its file, see regiond.conf(5), would clear it.\n\n"
                        "Config space can be read, and not more: her rule says no to writing it, and bus mastering is\n"
                        "switched on by nobody.");
  transcript_run (told, "alice", "regionctl dump {ivshmem} config 0 16", "^00000000  f4 1a 10 11 ", NULL);
  transcript_run_fails (told, "alice", "printf '\\4\\0' | regionctl write {ivshmem} config 4", "org\\.regiond1\\.write-region", NULL);
  transcript_run_fails (told, "root", "printf '\\4\\0' | regionctl write {ivshmem} config 4", "not permitted", NULL);
}

static void
a_mapping_is_revoked (Transcript *told)
{
  transcript_say (told, "## A mapping, and its end\n\n"
                        "A program of hers gets BAR 2 as descriptor 3 and maps it.");
  transcript_run (told, "alice", "cat watch.py", "mmap", NULL);
  transcript_run (told, "alice", "regionctl exec {ivshmem}:bar2:rwm -- python3 watch.py >watch.log 2>&1 &", NULL);
  transcript_wait (told, "alice", "grep -q says watch.log");
  transcript_run (told, "alice", "cat watch.log", "^the BAR says: hello, device$", NULL);
  transcript_run (told, "alice", "regionctl leases", "^ *[0-9]+ +{ivshmem} +bar2 +rwm +active +alice", NULL);
  transcript_run (told, "root", "regionctl revoke $(regionctl leases --no-legend | cut -d ' ' -f 1) maintenance", NULL);
  transcript_wait (told, "alice", "! kill -0 $!");
  transcript_run (told, "alice", "cat watch.log", "maintenance|revoked", NULL);
  transcript_run (told, "alice", "wait $!; echo $?", "^135$", NULL);
  transcript_run (told, "root", "regionctl verify {ivshmem} --timeout 10s", "^Everything is released", NULL);
  transcript_say (told, "135 is 128 and SIGBUS: the kernel took the mapping out of the running program.");
}

static void
somebody_hangs_on (Transcript *told)
{
  transcript_say (told, "A program that sleeps keeps its descriptor, which is worth nothing any more. But as long as it has it\n"
                        "nobody may map the BAR; reading and writing goes on.");
  transcript_run (told, "alice", "regionctl exec {ivshmem}:bar2:rwm -- sleep 1000 2>sleep.log &", NULL);
  transcript_wait (told, "alice", "regionctl leases | grep -q active");
  transcript_run (told, "root", "regionctl revoke $(regionctl leases --no-legend | cut -d ' ' -f 1)", NULL);
  transcript_run_fails (told, "root", "regionctl verify {ivshmem}", "^Something is left", "^References left: 1$", NULL);
  transcript_run_fails (told, "alice", "regionctl exec {ivshmem}:bar2:rwm -- true", "Lingering|left", NULL);
  transcript_run (told, "alice", "regionctl dump {ivshmem} bar2 0 16", "hello, device", NULL);
  transcript_run (told, "alice", "kill $!", NULL);
  transcript_run (told, "root", "regionctl verify {ivshmem} --timeout 10s", "^Everything is released", NULL);
}

static void
registers_of_edu (Transcript *told)
{
  transcript_say (told, "## edu: registers of four bytes\n\n"
                        "QEMU's teaching device says what it is in its first register, and computes factorials in its\n"
                        "third. It answers accesses of four bytes, so each is made as it was asked for, and not as four of one\n"
                        "byte, to which there is no answer.");
  transcript_run (told, "alice", "regionctl read {edu} bar0 0 4 | od -A n -t x4", "^ 010000ed$", NULL);
  transcript_run (told, "alice", "regionctl read {edu} bar0 0 1 | od -A n -t x1", "^ (00|ff)$", NULL);
  transcript_run (told, "alice", "printf '\\5\\0\\0\\0' | regionctl write {edu} bar0 8", NULL);
  transcript_wait (told, "alice", "test $(regionctl read {edu} bar0 0x20 4 | od -A n -t u1 | cut -c 1-4) = 0");
  transcript_run (told, "alice", "regionctl read {edu} bar0 8 4 | od -A n -t u4", "^ +120$", NULL);
}

static void
registers_of_nvme (Transcript *told)
{
  transcript_say (told, "## nvme: reset by its own function\n\n"
                        "The controller's capabilities (eight bytes, one access) and its version, 1.4.");
  transcript_run (told, "alice", "regionctl read {nvme} bar0 0 8 | od -A n -t x8", "^ [0-9a-f]{16}$", NULL);
  transcript_run (told, "alice", "regionctl read {nvme} bar0 8 4 | od -A n -t x4", "^ 00010400$", NULL);
  transcript_run (told, "alice", GET_RESETS ("nvme"), "^\\(<\\['flr'", NULL);
  transcript_say (told, "Which interrupts are masked is at 0xc. What one lease has written, the next one does not find: the device\n"
                        "is reset in between.");
  transcript_run (told, "alice", "regionctl exec {nvme}:bar0:rw -- sh -c '\n"
                                 "    printf ZZZZ | dd of=/proc/self/fd/3 bs=4 seek=3 conv=notrunc status=none\n"
                                 "    dd if=/proc/self/fd/3 bs=4 skip=3 count=1 status=none | od -A n -t x4'",
                  "^ 5a5a5a5a$", NULL);
  transcript_run (told, "alice", "regionctl read {nvme} bar0 0xc 4 | od -A n -t x4", "^ 00000000$", NULL);
  transcript_run_fails (told, "alice", "regionctl reset {nvme}", "org\\.regiond1\\.reset-device", NULL);
  transcript_run (told, "root", "regionctl reset {nvme}", NULL);
}

static void
rom_of_e1000e (Transcript *told)
{
  transcript_say (told, "## e1000e: a better reset first, and a ROM\n\n"
                        "This one says of `pm` that it resets, and it does not: so it is not used where there is `bus`.");
  transcript_run (told, "alice", GET_RESETS ("e1000e"), "^\\(<\\['bus'\\]>,\\)$", NULL);
  transcript_run (told, "alice", "regionctl read {e1000e} bar0 0x5400 4 | od -A n -t x1", "^ 52 54 00 12$", NULL);
  transcript_say (told, "That is how its Ethernet address begins. The ROM was read before anything was lent; a lease of it is a\n"
                        "copy that can be mapped, and never the device's own.");
  transcript_run (told, "alice", "regionctl dump {e1000e} rom 0 32", "^00000000  55 aa ", NULL);
  transcript_run (told, "alice", "regionctl exec {e1000e}:rom:rm -- sh -c \"regionctl leases --json | grep -E 'Mechanism|Revocation'\"",
                  "\"snapshot\"", "\"detached\"", NULL);
  transcript_run_fails (told, "alice", "regionctl exec {e1000e}:rom:rwm -- true", "rom", NULL);
}

static void
administrator_unbinds (Transcript *told)
{
  transcript_say (told, "## Given back\n\nEach gets the driver that it had.");
  transcript_run (told, "root", "regionctl unbind {ivshmem}", NULL);
  transcript_run (told, "root", "regionctl unbind {edu}", NULL);
  transcript_run (told, "root", "regionctl unbind {nvme}", NULL);
  transcript_run (told, "root", "regionctl unbind {e1000e}", NULL);
  transcript_run (told, "root", "basename $(readlink /sys/bus/pci/devices/{e1000e}/driver)", "^e1000e$", NULL);
  transcript_run (told, "alice", "regionctl list", NULL);
}

static Transcript *
begin (void)
{
  Transcript *told = transcript_new ();

  for (guint i = 0; i < G_N_ELEMENTS (devices); i++)
    {
      g_autofree char *address = guest_find (devices[i].id);
      g_autofree char *id = device_id (address);
      g_autofree char *id_name = g_strconcat (devices[i].name, "-id", NULL);

      transcript_define (told, devices[i].name, address);
      transcript_define (told, id_name, id);
    }
  g_assert_no_errno (g_mkdir (HOME, 0755));
  sandbox_write (HOME "/watch.py", watch);
  g_assert_no_errno (chown (HOME, UID_ALICE, UID_ALICE));
  transcript_wait (told, "alice", "cd " HOME);
  transcript_wait (told, "root", "mkfs.minix /dev/nvme0n1 && mkdir /run/lab && mount -t minix /dev/nvme0n1 /run/lab");
  return told;
}

static void
test_ordinary_user (void)
{
  g_autoptr (World) world = world_new_without_service ("");
  g_autoptr (Transcript) told = begin ();

  /* Without the devices of the other tests. */
  service_configure ("");
  world->regiond = service_start (world->root);
  transcript_say (told, "# Sessions with PCI devices\n\n"
                        "What an administrator and an ordinary user, alice, type, and what they see, in a virtual machine with an\n"
                        "emulated IOMMU and four of QEMU's devices. `scripts/documents` has written this page: it runs the\n"
                        "commands (`tests/vm/test-session.c`), which are checked for what they show.");
  administrator_binds (told);
  nobody_is_let_in (told);
  a_rule_lets_her_in (world, told);
  bar_of_ivshmem (told);
  a_mapping_is_revoked (told);
  somebody_hangs_on (told);
  registers_of_edu (told);
  registers_of_nvme (told);
  rom_of_e1000e (told);
  administrator_unbinds (told);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/session/ordinary-user", test_ordinary_user);
  return g_test_run ();
}
