"""Runs a command on a new pseudo-terminal, which node cannot make, and types what the first argument says: a JSON list
of [text, keys], where the keys are sent once the text was seen and the command reads single keys (raw mode)."""

import json
import os
import pty
import select
import sys
import termios
import time

DEADLINE_SECONDS = 150


def is_raw(terminal):
    return not termios.tcgetattr(terminal)[3] & termios.ICANON


def main():
    dialogue = json.loads(sys.argv[1])
    command = sys.argv[2:]
    deadline = time.monotonic() + DEADLINE_SECONDS
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    termios.tcsetwinsize(terminal, (24, 80))
    seen = b""
    while time.monotonic() < deadline:
        if dialogue and dialogue[0][0].encode() in seen and is_raw(terminal):
            os.write(terminal, dialogue.pop(0)[1].encode())
        if not select.select([terminal], [], [], 0.02)[0]:
            continue
        try:
            data = os.read(terminal, 4096)
        except OSError:  # the command has let go of its terminal
            break
        if not data:
            break
        seen += data
        sys.stdout.buffer.write(data)
    else:
        os.kill(pid, 9)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


main()
