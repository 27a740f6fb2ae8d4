"""Write the locks beside this file from ``pyproject.toml``: every package pinned, every file by its SHA-256.

    python requirements/lock.py            (needs `uv` on the PATH)

Nine files, because torch comes in two builds: PyTorch's own index has one for the CPU alone, PyPI's for Linux wants
several GB of CUDA libraries and does not import without them. ``install.sh`` takes ``torch-cpu.txt`` where it can, else
``torch.txt`` and ``cuda.txt``. The files name no index: pip takes packages from where it is configured to.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Collection
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
CUDA = re.compile(r"(nvidia-|cuda-|triton$)")

# The CPU builds of this version for Python 3.11 on Linux, x86_64 and aarch64. PyPI does not have them.
TORCH_CPU_OF = "2.13.0"
TORCH_CPU = (
    "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
    "84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7",
)


def resolve(*extras: str) -> dict[str, str]:
    """What the project needs with these extras."""
    return compile_("pyproject.toml", *(f"--extra={extra}" for extra in extras))


def compile_(source: str, *options: str, text: str = "") -> dict[str, str]:
    """Package name to its lines in the lock (pin, marker, hashes), for Python 3.11 on every platform."""
    command = ["uv", "pip", "compile", source, *options, "--universal", "--python-version=3.11", "--generate-hashes"]
    command += ["--no-annotate", "--no-header", "--no-config", "--quiet"]
    if "--upgrade" not in sys.argv:
        command += [f"--constraint={lock}" for lock in sorted(HERE.glob("*.txt")) if lock.name != "torch-cpu.txt"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, input=text)  # noqa: S603 - fixed arguments
    packages: dict[str, str] = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", done.stdout.strip()):
        name = block.split("==")[0]  # a package whose pin depends on the Python version has a block for each
        packages[name] = f"{packages[name]}\n{block}" if name in packages else block
    return packages


def write(name: str, packages: dict[str, str], *, about: str, only: Collection[str] | None = None) -> None:
    """Write one lock file, of all packages or only some."""
    blocks = {key: block for key, block in packages.items() if only is None or key in only}
    text = f"# {about}\n# Made by requirements/lock.py; do not edit.\n" + "\n".join(blocks[key] for key in sorted(blocks)) + "\n"
    (HERE / f"{name}.txt").write_text(text, encoding="utf-8")
    print(f"requirements/{name}.txt: {len(blocks)} packages")  # noqa: T201 - a tool for people


def main() -> None:
    """Resolve and write every lock."""
    builder = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    build = compile_("-", text="\n".join(builder))
    runtime, dev, train = resolve(), resolve("demo", "dev"), resolve("train")
    otel, avro = resolve("otel"), resolve("avro")
    if f"torch=={TORCH_CPU_OF} " not in runtime["torch"]:
        sys.exit("torch has a new version: put the hashes of its CPU builds into requirements/lock.py")
    torch_cpu = f"torch=={TORCH_CPU_OF}+cpu" + "".join(f" \\\n    --hash=sha256:{sha256}" for sha256 in TORCH_CPU)
    cuda = {name for name in runtime if CUDA.match(name)}
    write("torch-cpu", {"torch": torch_cpu}, about="torch for the CPU alone, as PyTorch's own index has it.")
    write("torch", runtime, only={"torch"}, about="torch as PyPI has it.")
    write("cuda", runtime, only=cuda, about="What PyPI's torch for Linux needs beside it.")
    write("runtime", runtime, only=runtime.keys() - cuda - {"torch"}, about="What the worker needs.")
    write("build", build, about="What builds the package.")
    write("otel", otel, only=otel.keys() - runtime.keys(), about="What sends spans to a collector.")
    write("avro", avro, only=avro.keys() - runtime.keys(), about="What reads and writes Avro.")
    write("dev", dev, only=dev.keys() - runtime.keys() - build.keys(), about="The demo's broker, spans, Avro, tests and checks.")
    write("train", train, only=train.keys() - runtime.keys() - dev.keys(), about="How the bundled models are made.")


if __name__ == "__main__":
    main()
