"""Fails if a run left processes (by the mark in their environment) or files (in its temporary directory)."""

import os
import sys
import time

mark = f"BACKUP_CI_RUN={sys.argv[1]}".encode()
directory = sys.argv[2]


def processes():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else []):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read().split(b"\0")
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:  # it ended meanwhile, or it is another user's
            continue
        if mark in environment and command:
            found[pid] = command
    return found


# What is told to end needs a moment.
deadline = time.monotonic() + 15
while (left := processes()) and time.monotonic() < deadline:
    time.sleep(0.2)
files = sorted(os.listdir(directory))

for pid, command in left.items():
    print(f"error: process {pid} still runs: {command}", file=sys.stderr)
for name in files:
    print(f"error: left in the temporary directory: {name}", file=sys.stderr)
sys.exit(1 if left or files else 0)
