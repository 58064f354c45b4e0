"""Hosts of their own: network namespaces, each with one line to the host that Postgres and the destinations are on."""

import subprocess


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"chaos: {' '.join(command)}: {result.stderr.strip()}")


def prepare():
    """The loopback interface, and a folder for the names of namespaces that nothing outside sees."""
    run("mount", "-t", "tmpfs", "none", "/run")
    run("mkdir", "-p", "/run/netns")
    run("ip", "link", "set", "lo", "up")


class Host:
    """A namespace with a veth pair. `server` is the address at which it reaches the other side, `address` its own."""

    def __init__(self, number):
        self.name = f"relay{number}"
        self.server = f"10.77.{number}.1"
        self.address = f"10.77.{number}.2"
        outside, self.line = f"veth{number}", "line"
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", outside, "type", "veth", "peer", "name", self.line, "netns", self.name)
        run("ip", "addr", "add", f"{self.server}/24", "dev", outside)
        run("ip", "link", "set", outside, "up")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "addr", "add", f"{self.address}/24", "dev", self.line)
        self.raise_link()

    def command(self, *command):
        """The command as it is run on this host; the process is the command itself."""
        return ["ip", "netns", "exec", self.name, *map(str, command)]

    def run(self, *command):
        run(*self.command(*command))

    def drop_packets(self):
        """Nothing comes and nothing goes, and neither side is told."""
        self.run(
            "nft",
            "add table inet chaos; "
            f'add chain inet chaos arriving {{ type filter hook input priority 0; }}; add rule inet chaos arriving iifname "{self.line}" drop; '
            f'add chain inet chaos leaving {{ type filter hook output priority 0; }}; add rule inet chaos leaving oifname "{self.line}" drop',
        )

    def pass_packets(self):
        self.run("nft", "delete table inet chaos")

    def lower_link(self):
        self.run("ip", "link", "set", self.line, "down")

    def raise_link(self):
        self.run("ip", "link", "set", self.line, "up")
