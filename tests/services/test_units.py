"""The unit file of deploy/systemd, as systemd itself judges it."""
import pathlib
import re
import shutil
import subprocess

import pytest

UNIT = pathlib.Path(__file__).resolve().parents[2] / "deploy/systemd/sealstream@.service"
EXPOSURE_MAX = 2.0


def settings():
    """section -> name -> list of values, as a name may come again."""
    found = {}
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            section.setdefault(name, []).append(value)
    return found


def test_exposure():
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={int(EXPOSURE_MAX * 10)}", UNIT],
                          capture_output=True, text=True, timeout=60)
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert done.returncode == 0 and float(level[1]) <= EXPOSURE_MAX, done.stdout


def test_every_line_is_understood(tmp_path):
    """By systemd-analyze verify, with a program in the place of ours."""
    unit = tmp_path / "sealstream@.service"
    unit.write_text(UNIT.read_text().replace("/usr/bin/sealstream", shutil.which("true"))
                    .replace("Documentation=man:sealstream(1)\n", ""))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    assert not [line for line in done.stderr.splitlines() if "sealstream" in line], done.stderr


@pytest.mark.parametrize("name", ["SEALSTREAM_COMMAND_CONFIG", "SEALSTREAM_POLICY", "SEALSTREAM_KEYRING", "SEALSTREAM_SANDBOX"])
def test_its_environment_is_known_to_the_program(sealstream, name):
    assert any(value.startswith(f"{name}=") for value in settings()["Service"]["Environment"])
    assert name in sealstream.run("configuration")[0].decode()


def test_exit_codes_that_no_restart_mends():
    service = settings()["Service"]
    assert service["RestartPreventExitStatus"] == ["64 65 66 77 78"] and service["SuccessExitStatus"] == ["143"]
    assert service["Type"] == ["notify"] and "WatchdogSec" in service and "ExecReload" in service


def test_brokers_that_are_away_for_long_are_waited_for():
    """A run that finds none ends with 69 in ten seconds: any number of starts in a time would be used up, and the unit left dead."""
    assert settings()["Unit"]["StartLimitIntervalSec"] == ["0"] and "StartLimitBurst" not in settings()["Unit"]
    assert "69" not in settings()["Service"]["RestartPreventExitStatus"][0].split()
    assert settings()["Service"]["Restart"] == ["on-failure"]


def test_an_audit_trail_has_a_place():
    """All but its directories is read-only for a run: a trail in a file that docs/AUDIT.md names must be in one of these."""
    service = settings()["Service"]
    assert service["ProtectSystem"] == ["strict"] and service["LogsDirectory"] == ["sealstream/%i"]
    assert service["LogsDirectoryMode"] == ["0700"] == service["StateDirectoryMode"]
