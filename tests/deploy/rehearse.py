"""Carry out the Dockerfile's steps without a container engine: each stage in a root of its own, COPY and RUN as written.

    python -m tests.deploy.rehearse FOLDER [--also PATH]…

As root on Debian, with debootstrap. The base is a minimal Debian with its Python 3.11 in place of the pinned image; all else
is what `docker build` would do, so that a missing step or file shows. Ends with the program's version, an article enriched
by the image's user, and what the image weighs. ``--also`` copies files of this machine into the build's root (pip's
configuration and local packages, say).
"""

import argparse
import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates"
SAMPLE = '{"id": "1", "body": "Foreign Minister Lena Hartmann arrived in Vienna on Tuesday."}'


@dataclass
class Stage:
    """A root under construction, and what its instructions have set."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
    workdir: str = "/"
    user: str = "0:0"

    def run(self, command: list[str], *, stdin: str = "") -> str:
        """Run a command inside, as the stage's user; its output."""
        network = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.lower().endswith("_proxy")}
        inside = ["chroot", f"--userspec={self.user}", str(self.root), "/bin/sh", "-c", f'cd {self.workdir} && exec "$@"', "sh", *command]
        home = {"HOME": "/root" if self.user.startswith("0") else "/tmp"}  # noqa: S108 - as in the image
        done = subprocess.run(inside, env=network | home | self.env, input=stdin, text=True, stdout=subprocess.PIPE, check=True)
        return done.stdout


def instructions(text: str) -> list[tuple[str, str]]:
    """Name and arguments of every instruction, continued lines joined, comments dropped."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [(words[0], words[1]) for line in lines if (words := line.split(maxsplit=1))]


def ignored(path: Path) -> bool:
    """Whether .dockerignore keeps a file of the project out of the build; the last pattern that matches decides."""
    verdict = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip().lstrip("!")
        if not pattern or pattern.startswith("#"):
            continue
        names = [str(path), *map(str, path.parents)]
        if any(
            fnmatch.fnmatch(name, pattern.replace("**/", "*")) or fnmatch.fnmatch(Path(name).name, pattern.replace("**/", ""))
            for name in names
        ):
            verdict = not line.startswith("!")
    return verdict


def copy(stage: Stage, arguments: str, stages: dict[str, Stage]) -> None:
    """COPY: from the project, or from an earlier stage."""
    *sources, target = [word for word in arguments.split() if not word.startswith("--")]
    origin = re.search(r"--from=(\w+)", arguments)
    for source in sources:
        place = stage.root / str(Path(stage.workdir) / target).lstrip("/")
        if origin:
            shutil.copytree(stages[origin[1]].root / source.lstrip("/"), place, symlinks=True)
            continue
        found = [path for path in ([ROOT / source] if (ROOT / source).is_file() else (ROOT / source).rglob("*")) if path.is_file()]
        kept = [path for path in found if not ignored(path.relative_to(ROOT))]
        if not kept:
            sys.exit(f"COPY {source}: nothing there, or .dockerignore keeps it out")
        for path in kept:
            inside = place / (path.relative_to(ROOT / source) if (ROOT / source).is_dir() else path.name)
            inside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, inside)


def step(stage: Stage, name: str, arguments: str, stages: dict[str, Stage]) -> None:
    """Carry out one instruction; those that only describe the image change nothing here."""
    if name == "ENV":
        for word in shlex.split(arguments):
            key, _, value = word.partition("=")
            stage.env[key] = value.replace("${PATH}", stage.env["PATH"])
    elif name == "WORKDIR":
        stage.workdir = arguments
        (stage.root / arguments.lstrip("/")).mkdir(parents=True, exist_ok=True)
    elif name == "USER":
        stage.user = arguments
    elif name == "COPY":
        copy(stage, arguments, stages)
    elif name == "RUN":
        stage.run(["/bin/sh", "-c", arguments])


def build(folder: Path, also: list[Path]) -> Stage:
    """Carry out the Dockerfile; the last stage."""
    base = folder / "base"
    if not base.exists():
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(base)], check=True, stdout=subprocess.DEVNULL
        )
    stages: dict[str, Stage] = {}
    stage = None
    for name, arguments in instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        print(name, arguments[:100], flush=True)  # noqa: T201 - a tool for people
        if name == "FROM":
            label = arguments.split(" AS ")[-1] if " AS " in arguments else "final"
            root = folder / label
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(base, root, symlinks=True, ignore=lambda place, _: ["dev", "proc", "sys"] if Path(place) == base else [])
            prepare(root, also if label != "final" else [])
            stage = stages[label] = Stage(root)
        elif stage is not None:
            step(stage, name, arguments, stages)
    if stage is None:
        sys.exit("the Dockerfile has no stage")
    return stage


def prepare(root: Path, also: list[Path]) -> None:
    """What an engine gives every root: devices, what the CPU can do, a resolver; and the files asked for."""
    for name in ("dev", "proc", "sys", "tmp"):
        (root / name).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for device, number in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
        os.mknod(root / "dev" / device, 0o20666, os.makedev(1, number))
        (root / "dev" / device).chmod(0o666)
    (root / "dev" / "shm").mkdir(mode=0o1777)
    (root / "proc" / "cpuinfo").write_text(Path("/proc/cpuinfo").read_text(encoding="utf-8"), encoding="utf-8")
    for path in [Path("/etc/resolv.conf"), Path("/etc/hosts"), *also]:
        target = root / str(path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            target.unlink(missing_ok=True)
            shutil.copy(path, target)


def weigh(stage: Stage) -> None:
    """Print the heaviest parts of what was installed."""
    packages = next((stage.root / "opt/khabar/lib").glob("python3*")) / "site-packages"
    whole, parts = [str(stage.root / "opt/khabar")], [str(path) for path in packages.iterdir()]
    lines = [line for paths in (whole, parts) for line in subprocess.check_output(["du", "-sm", *paths], text=True).splitlines()]
    for line in sorted(lines, key=lambda line: -int(line.split()[0]))[:12]:
        size, path = line.split(maxsplit=1)
        print(f"{size:>6} MB  {Path(path).name}")  # noqa: T201 - a tool for people


def main() -> None:
    """Build, then use what was built."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--also", type=Path, action="append", default=[])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    final = build(options.folder, options.also)
    print(final.run(["khabar", "version"]).strip())  # noqa: T201 - a tool for people
    print(final.run(["khabar", "enrich", "--json", "-"], stdin=SAMPLE))  # noqa: T201 - a tool for people
    weigh(final)


if __name__ == "__main__":
    main()
