"""Options, help, manual, completion, documentation: all from the same tables."""
import os
import pathlib
import pty
import re
import select
import subprocess
import time

import pytest

from conftest import ROOT


def commands(program):
    """{path: help} of every command that --help names."""
    found = {}

    def descend(path):
        out = program.run(*path, "--help")[0].decode()
        found[" ".join(path)] = out
        section = re.search(r"^Commands:\n(.*?)\n\n", out, re.M | re.S)
        for name in re.findall(r"^  (\S+)", section.group(1), re.M) if section else ():
            descend([*path, name])

    descend([])
    return found


def options_in(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", "\n".join(
        line for line in text.splitlines() if re.match(r"  (-\w, |    )--", line))))


def test_help_of_everything(program):
    found = commands(program)
    assert {"protect", "reveal", "inspect", "key create", "policy lint", "sample", "doctor", "version",
            "completion"} <= set(found)
    for path, text in found.items():
        assert text.startswith("Usage: sealstream ")
        assert all(len(line) <= 100 for line in text.splitlines())
        assert program.run("help", *path.split())[0].decode() == text or path == ""
        if path:
            assert {"--help", "--log-level", "--keyring"} <= options_in(text)


def test_examples_are_command_lines_that_parse(program):
    """Each command has examples, no line is wider than a terminal, and every option in them is one of the command's."""
    for path, text in commands(program).items():
        section = re.search(r"^Examples:\n(.*?)\n\n", text, re.M | re.S)
        assert bool(section) == (path not in ("", "audit", "file", "key", "policy", "store", "token")), path
        for line in re.sub(r"\\\n *", "", section.group(1)).splitlines() if section else ():
            for words in re.findall(r"sealstream ([^|>()]*)", line):
                program.run(*words.split(), "--help")
        if section:
            assert f"sealstream {path}" in section.group(1)
            assert all(len(line) <= 80 for line in section.group(1).splitlines())


def test_variables_are_named_after_options(program):
    for path, text in commands(program).items():
        for option in re.findall(r"^  (?:-\w, |    )--([a-z-]+)((?:(?!\n  (?:-\w, |    )--)[\s\S])*)", text, re.M):
            for variable in re.findall(r"environment:\s+(\w+)", option[1]):
                if option[0].startswith("vault-"):  # the vault program's own names, where it has one
                    assert variable.startswith(("VAULT_", "SEALSTREAM_" + option[0].upper().replace("-", "_"))), path
                    continue
                assert variable == "SEALSTREAM_" + option[0].upper().replace("-", "_"), path


@pytest.mark.parametrize("variable, value, message", [
    ("FROM", "a", "say --to TOPIC"), ("TO", "a", "say --from TOPIC"),
    ("CONNECT_TIMEOUT", "soon", "SEALSTREAM_CONNECT_TIMEOUT: "), ("KEEP_PARTITION", "maybe", "SEALSTREAM_KEEP_PARTITION: "),
    ("COMMAND_PROPERTY", "linger.ms", "must be name=value"), ("BOOTSTRAP_SERVER", "", "no broker is named")])
def test_a_pump_is_set_up_by_its_environment(shop, variable, value, message):
    brokers = {} if variable == "BOOTSTRAP_SERVER" else {"SEALSTREAM_BOOTSTRAP_SERVER": "127.0.0.1:1"}
    exit_code = 78 if message.startswith("SEALSTREAM_") else 64
    err = shop.run("pump", environment=brokers | {"SEALSTREAM_" + variable: value}, exit_code=exit_code)[1]
    assert message in err


def test_help_goes_to_stdout_and_usage_to_stderr(program):
    out, err = program.run("--help")
    assert out and not err
    out, err = program.run(exit_code=64)
    assert err and not out
    out, err = program.run("key", exit_code=64)
    assert err and not out


def test_version(program):
    meson = (ROOT / "meson.build").read_text()
    version = re.search(r"version: '([^']+)'", meson).group(1)
    assert program.run("version")[0].decode() == f"sealstream {version}\n"
    for arguments in (["--version"], ["-V"], ["protect", "--version"]):
        assert program.run(*arguments)[0].decode() == f"sealstream {version}\n"


@pytest.mark.parametrize("arguments, message", [
    (["protetc"], "there is no command protetc; did you mean protect?"),
    (["key", "rotat"], "there is no command key rotat; did you mean rotate?"),
    (["protect", "--polcy", "x"], "there is no option --polcy; did you mean --policy?"),
    (["protect", "--policy"], "--policy needs a value: FILE"),
    (["protect", "-p"], "-p needs a value: FILE"),
    (["protect", "-p", "x", "-j", "0"], "-j must be a whole number from 1 to 64"),
    (["protect", "-p", "x", "--max-record-bytes=many"], "--max-record-bytes must be a size"),
    (["protect", "-p", "x", "a", "b"], "protect takes at most 1 argument"),
    (["pump", "purchases"], "pump takes options only; see sealstream pump --help"),
    (["pump", "--connect-timeout", "3"], "--connect-timeout must be a duration such as 100ms, 30s, 5m or 1h from 100ms to 10m"),
    (["scan", "-b", "localhost:1", "-t", "purchases", "-o", "begining"], "--offset must be beginning, end, a number, or -N"),
    (["version", "--log-level", "loud"], "--log-level must be one of error|warning|info|debug"),
    (["sample", "-%"], "there is no option -%"),
    (["completion"], "completion needs bash|zsh|fish"),
    (["completion", "csh"], "there is no completion for csh"),
])
def test_usage_errors(program, arguments, message):
    out, err = program.run(*arguments, exit_code=64)
    assert out == b""
    assert err.startswith("sealstream: error: ") and err.count("\n") == 1
    assert message in err


def test_precedence(program):
    def levels(*arguments, **environment):
        return program.run(*arguments, environment=environment)[0].count(b"\n")

    assert levels("sample", "--count=3") == 3
    out, err = program.run("sample", "-c", "1", environment={"SEALSTREAM_LOG_LEVEL": "loud"}, exit_code=78)
    assert "SEALSTREAM_LOG_LEVEL: log-level must be one of" in err
    # A flag wins over its variable, even over a bad one.
    program.run("sample", "-c", "1", "--log-level", "debug", environment={"SEALSTREAM_LOG_LEVEL": "loud"})
    # An empty variable is no variable.
    program.run("sample", "-c", "1", environment={"SEALSTREAM_LOG_LEVEL": ""})


def test_options_anywhere(program):
    for arguments in (["-q", "sample", "-c2"], ["sample", "-c2", "-q"], ["sample", "--count", "2"], ["sample", "-qc", "2"],
                      ["--log-level", "error", "sample", "--count=2", "--"]):
        assert program.run(*arguments)[0].count(b"\n") == 2


def test_quiet(shop):
    _, err = shop.run("-q", "protect", input=b"{\n", exit_code=1)
    assert err.count("\n") == 1 and "error" in err


def test_stdout_full(program):
    with open("/dev/full", "wb") as full:
        process = program.start("--help", stdout=full, stderr=-1)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 74
    assert b"No space left on device" in err


def test_help_into_a_closed_pipe(program):
    ours, theirs = os.pipe()
    os.close(ours)
    process = program.start("--help", stdout=theirs, stderr=-1)
    os.close(theirs)
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141


@pytest.mark.parametrize("arguments", [["sample", "-c", "0"], ["sample", "-c", "0", "--shape", "order"]])
def test_reader_goes_away(program, arguments):
    process = program.start(*arguments, stdout=-1, stderr=-1)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141


def test_progress_on_a_terminal(shop):
    """Also where standard output is one, as long as no records go there."""
    own, terminal = pty.openpty()
    process = shop.start("protect", "-o", "out.ndjson", stdin=-1, stdout=terminal, stderr=terminal)
    os.close(terminal)
    said, deadline = b"", time.monotonic() + 120
    while b" records/s, " not in said:
        assert time.monotonic() < deadline, said
        process.stdin.write(b'{"Name":"Ada","Address":"1 High St","credit_card":"4111-1111-1111-1111"}\n')
        process.stdin.flush()
        if select.select([own], [], [], 0.2)[0]:
            said += os.read(own, 65536)
    process.stdin.close()
    try:
        while chunk := os.read(own, 65536):
            said += chunk
    except OSError:  # EIO: the program's end of the terminal is closed
        pass
    os.close(own)
    assert process.wait(timeout=60) == 0
    assert said.endswith(b"\r\033[K")


# ---- manual ----

@pytest.fixture
def pages(program):
    folder = program.folder / "man"
    folder.mkdir()
    program.run("man", "--dir", folder)
    return folder


def test_manual_is_clean(pages):
    files = sorted(map(str, pages.iterdir()))
    done = subprocess.run(["mandoc", "-T", "lint", *files], capture_output=True, text=True)
    problems = [line for line in done.stdout.splitlines() if "referenced manual not found" not in line]
    assert problems == []


def test_manual_has_all_that_help_has(program, pages):
    found = commands(program)
    tops = {path.split()[0] for path in found if path}
    assert {path.name for path in pages.iterdir()} == {f"sealstream-{top}.1" for top in tops} | {"sealstream.1"}
    shared = options_in(found[""])
    main = subprocess.run(["mandoc", "-T", "utf8", pages / "sealstream.1"], capture_output=True, text=True).stdout
    main = re.sub(".\b", "", main)
    for option in shared:
        assert option in main
    for path, text in found.items():
        if not path:
            continue
        page = subprocess.run(["mandoc", "-T", "utf8", pages / f"sealstream-{path.split()[0]}.1"], capture_output=True,
                              text=True).stdout
        page = re.sub(".\b", "", page)
        for option in options_in(text) - shared:
            assert option in page, (path, option)


def test_one_page_of_the_manual(program, pages):
    assert program.run("man")[0] == (pages / "sealstream.1").read_bytes()
    assert program.run("man", "key")[0] == (pages / "sealstream-key.1").read_bytes()
    program.run("man", "nothing", exit_code=64)
    program.run("man", "--dir", "absent", exit_code=73)


def test_manual_has_its_sections(pages):
    wanted = ["NAME", "SYNOPSIS", "DESCRIPTION", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES", "SEE ALSO"]
    for page in pages.iterdir():
        found = re.findall(r"^\.Sh (.*)", page.read_text(), re.M)
        if page.name == "sealstream.1":
            assert "FILES" in found and "ENVIRONMENT" in found and "EXIT STATUS" in found
        else:
            assert [name for name in found if name != "OPTIONS"] == wanted, page.name


def test_manual_tells_exit_codes(pages):
    text = (pages / "sealstream.1").read_text()
    for code in (0, 1, 64, 65, 66, 69, 70, 73, 74, 75, 77, 78, 130, 141, 143):
        assert f".It {code}\n" in text


# ---- docs/CONFIGURATION.md ----

def test_configuration_is_up_to_date(program):
    made = program.run("configuration")[0].decode()
    committed = (ROOT / "docs" / "CONFIGURATION.md").read_text()
    assert made == committed, "run: build/sealstream configuration > docs/CONFIGURATION.md"


# Those that open keys.
KEYS = {"protect", "reveal", "pump", "produce", "consume", "doctor", "demo", "policy test", "key create", "key rotate"}


def test_options_of_a_key_server_stand_where_keys_are_opened(program, pages):
    """In help, manual, completion and CONFIGURATION.md; elsewhere they are no options."""
    found = commands(program)
    rows = {option for option in options_in(found["protect"]) if option.startswith("--vault-")}
    assert {"--vault-addr", "--vault-timeout", "--vault-auth", "--vault-token-file"} <= rows
    takers = {path for path, text in found.items() if rows <= options_in(text)}
    assert KEYS <= takers
    assert not any(rows & options_in(text) for path, text in found.items() if path not in takers)
    section = re.search(r"^## Options for Vault and OpenBao\n(.*?)^## ", program.run("configuration")[0].decode(), re.M | re.S)
    assert all(f"`{option}`" in section.group(1) for option in rows)
    assert set(re.findall(r"`([a-z ]+)`[,.]", section.group(1).split("| option")[0].replace("\n", " "))) == takers
    for variable in ("VAULT_TOKEN", "VAULT_AGENT_ADDR", "SEALSTREAM_VAULT_SECRET_ID"):
        assert f"| `{variable}` |" in section.group(1) and f".It Ev {variable}\n" in (pages / "sealstream-key.1").read_text()
    page = (pages / "sealstream-inspect.1").read_text()
    assert "vault" not in page and "VAULT_ADDR" in (pages / "sealstream-protect.1").read_text()
    for shell in ("bash", "zsh", "fish"):
        assert "vault-addr" in program.run("completion", shell)[0].decode()
    assert "there is no option --vault-addr" in program.run("inspect", "--vault-addr", "x", exit_code=64)[1]
    assert "there is no option --vault-addr" in program.run("--vault-addr", "x", "inspect", exit_code=64)[1]
    assert "did you mean --vault-addr?" in program.run("protect", "--vault-adr", "x", exit_code=64)[1]


def test_options_of_a_key_server_may_lead(shop):
    """Before the command, as any option of every command; and what has no Vault key never looks at them."""
    data = b'{"Name":"Ada"}\n'
    hidden = shop.run("--vault-addr", "http://127.0.0.1:1", "protect", input=data)[0]
    assert shop.run("reveal", input=hidden, environment={"VAULT_ADDR": "http://127.0.0.1:1"})[0] == data


def test_table_of_platforms_is_up_to_date(program):
    text = (ROOT / "docs" / "PLATFORMS.md").read_text()
    table = text.split("-->\n", 1)[1].split("\n\n", 1)[0] + "\n"
    assert "configuration platforms -->\n" in text
    assert table == program.run("configuration", "platforms")[0].decode(), "run: build/sealstream configuration platforms"


def test_configuration_has_every_option(program):
    made = program.run("configuration")[0].decode()
    for path, text in commands(program).items():
        section = made if not path else re.search(rf"^### sealstream {path}\n(.*?)^##", made, re.M | re.S).group(1)
        if "--vault-addr" in options_in(text):
            assert "options for Vault and OpenBao" in section
        if "\nStreams:\n" in text:
            assert "addresses of streams" in section
            streams = made[made.index("## Sources and sinks"):]
            for scheme in re.findall(r"^  (\w+):", text[text.index("\nStreams:\n"):text.index("\nExamples:\n")], re.M):
                for option in options_in(program.run("help", *path.split(), scheme)[0].decode()):
                    assert f"`{option}`" in streams, (path, option)
        for option in options_in(text.split("\nExamples:\n")[0]) - options_in(program.run("--help")[0].decode()):
            assert option.startswith(("--vault-", "--audit")) or f"`{option}`" in section, (path, option)


# ---- completion ----

@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_valid(program, shell):
    script = program.folder / "completion"
    script.write_bytes(program.run("completion", shell)[0])
    subprocess.run([shell, "-n", script], check=True)


def complete(program, shell, *words):
    script = program.folder / f"completion.{shell}"
    script.write_bytes(program.run("completion", shell)[0])
    if shell == "bash":
        text = f"""source {script}; COMP_WORDS=({' '.join(f"'{w}'" for w in words)}); COMP_CWORD={len(words) - 1}
                   _sealstream; printf '%s\\n' "${{COMPREPLY[@]}}" """
        command = ["bash", "-c", text]
    else:
        command = ["fish", "-c", f"source {script}; complete -C '{' '.join(words)}'"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=program.folder,
                          env=program.environment)
    return {line.split("\t")[0] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_completion(program, shell):
    (program.folder / "some.file").touch()
    assert {"protect", "key", "policy"} <= complete(program, shell, "sealstream", "")
    assert complete(program, shell, "sealstream", "prot") == {"protect"}
    assert {"create", "rotate"} <= complete(program, shell, "sealstream", "key", "")
    assert complete(program, shell, "sealstream", "protect", "--poli") == {"--policy"}
    assert complete(program, shell, "sealstream", "sample", "--shape", "") == {"purchase", "order"}
    assert complete(program, shell, "sealstream", "sample", "--log-level", "de") == {"debug"}
    assert "some.file" in complete(program, shell, "sealstream", "protect", "so")


def test_zsh_completion_offers_commands(program):
    """The menu of a real interactive zsh, through its own pseudo terminal."""
    script = program.folder / "_sealstream"
    script.write_bytes(program.run("completion", "zsh")[0])
    driver = f"""
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1=; fpath=({program.folder} $fpath); autoload -U compinit; compinit -u -D; print READY'
zpty -r -m z line '*READY*READY*'
zpty -n -w z $'sealstream ke\\t'
zpty -n -w z $'rota\\t\\x01echo \\n'
zpty -r -m z line '*sealstream key rotate*'
print -- ok
"""
    done = subprocess.run(["timeout", "120", "zsh", "-f", "-c", driver], capture_output=True, text=True,
                          env=program.environment | {"TERM": "dumb"})
    assert done.stdout.strip().endswith("ok")


# ---- installation ----

def test_install_script(program):
    target = program.folder / "target"
    subprocess.run([ROOT / "dev" / "install-generated", program.path, "share/man", "share"], check=True,
                   env=program.environment | {"MESON_INSTALL_DESTDIR_PREFIX": str(target)})
    files = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert {"share/man/man1/sealstream.1", "share/man/man1/sealstream-protect.1",
            "share/bash-completion/completions/sealstream", "share/zsh/site-functions/_sealstream",
            "share/fish/vendor_completions.d/sealstream.fish"} <= files
    assert pathlib.Path(target / "share/man/man1/sealstream.1").read_text().startswith(".Dd ")
