"""The programs that cargo builds, for the scripts beside this one."""

import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMAND = ["build", "--release", "--bin", "flatrec"]


def programs(*commands: list[str]) -> dict[str, str]:
    """Builds with each of these commands of cargo. Returns the programs, by name."""
    found = {}
    for words in commands:
        command = ["cargo", *words, "--locked", "--message-format=json"]
        printed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
        messages = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
        found |= {message["target"]["name"]: message["executable"] for message in messages
                  if message.get("executable")}
    return found
