"""A run of the program with --listen, and its pages."""
import http.client
import re
import signal
import subprocess

from broker import PROGRAM, wait_until

LISTENING = re.compile(r"listening at http://(\S+): ")


class Run:
    """A process of the program that is listened to."""

    def __init__(self, program, *args, **kwargs):
        self.log = program.directory / "stderr.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([PROGRAM, *args], env=program.env, cwd=program.directory,
                                            stdout=subprocess.DEVNULL, stderr=log, **kwargs)
        wait_until(lambda: LISTENING.search(self.said()) or self.process.poll() is not None, pause=0.02)
        self.address = LISTENING.search(self.said()).group(1)

    def said(self):
        return self.log.read_text(encoding="utf-8")

    def ask(self, path, method="GET"):
        client = http.client.HTTPConnection(self.address, timeout=60)
        client.request(method, path)
        answer = client.getresponse()
        text = answer.read().decode()
        client.close()
        return answer.status, text

    def metrics(self):
        """{'name{labels}': value}"""
        status, text = self.ask("/metrics")
        assert status == 200
        return {key: float(value) for key, value in
                (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))}

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)
