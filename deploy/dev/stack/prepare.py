"""What has to exist before anything runs: pinned tools, the Python environment, our own binaries."""

import hashlib
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from stack.console import check_names, locked, run_step
from stack.layout import ROOT

LOGS = ROOT / ".dev" / "prepare"
# The Python that made this environment: one that is made from another environment would depend on that.
PYTHON = Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()
VERSION = sys.version.split()[0]
LOCK = "deploy/ray/requirements.lock"
TINY_LOCK = "deploy/dev/model/tiny.lock"


@dataclass(frozen=True)
class Step:
    """A shell script in the repository's folder, and the files that it makes."""

    title: str
    expected: str
    script: str
    # It runs again when one of these files has changed, or the script; without any, it always runs.
    inputs: tuple[str, ...] = ()
    results: tuple[str, ...] = ()

    def run(self, name: str) -> None:
        stamp = LOGS / f"{name}.made"
        texts = [self.script, *((ROOT / file).read_text() for file in self.inputs)]
        fingerprint = hashlib.sha256("".join(texts).encode()).hexdigest()
        made = bool(self.inputs) and all((ROOT / file).exists() for file in (stamp, *self.results))
        if made and stamp.read_text() == fingerprint:
            return
        # What an interrupted script leaves behind is never current.
        stamp.unlink(missing_ok=True)
        run_step(self.title, self.expected, ["sh", "-ec", self.script], LOGS / f"{name}.log", ROOT)
        stamp.write_text(fingerprint)


def _tool(name: str, programs: str, expected: str, flags: str = "") -> Step:
    """Builds programs that have a module file of their own, so that their dependencies don't mix with ours."""
    module, names = f"deploy/dev/tools/{name}", programs.split()
    return Step(
        title=f"building {' and '.join(names)} from source",
        expected=expected,
        script=f"""
            mkdir -p bin/tools
            go -C {module} build {flags} -o "$PWD"/bin/tools/ tool
            cd bin && ln -sf {" ".join(f"tools/{program}" for program in names)} .""",
        inputs=(f"{module}/go.mod", f"{module}/go.sum"),
        results=tuple(f"bin/{program}" for program in names),
    )


# What can be prepared, in the order in which it is done.
STEPS = {
    "venv": Step(
        title="setting up Python: Ray and what belongs to it",
        expected="about 1 minute, once; 200 MB to download, 700 MB on disk",
        # uv needs seconds where pip needs minutes, so pip only installs uv, as the lock names it. The last line does
        # what an editable install does, without a build backend in the lock.
        script=f"""
            # Python {VERSION}
            "{PYTHON}" -m venv --clear .dev/venv
            sed -n "/^uv==/,/#/p" {LOCK} > .dev/prepare/uv.txt
            .dev/venv/bin/python -m pip install --no-deps -r .dev/prepare/uv.txt
            .dev/venv/bin/uv pip install --python .dev/venv/bin/python --require-hashes -r {LOCK}
            echo "{ROOT}/deploy/ray" > $(echo .dev/venv/lib/python3*/site-packages)/deliberation_ray.pth""",
        inputs=(LOCK,),
        results=(".dev/venv/bin/python",),
    ),
    # The real small model has an environment of its own: nothing else needs its library, which is built here.
    "tiny": Step(
        title="installing a real small model, and building llama.cpp from source",
        expected="6 to 15 minutes on 2 cores, once; 500 MB",
        script=f"""
            # Python {VERSION}
            .dev/venv/bin/uv venv --clear --python "{PYTHON}" .dev/tiny
            .dev/venv/bin/uv pip install --python .dev/tiny/bin/python --require-hashes -r {TINY_LOCK}""",
        inputs=(TINY_LOCK,),
        results=(".dev/tiny/bin/python",),
    ),
    "nats": _tool("nats", "nats-server", "about 30 seconds on 2 cores, once; 25 MB"),
    "temporal": _tool(
        "temporal",
        "temporal",
        "about 5 minutes on 2 cores, once; 250 MB",
        flags="-ldflags '-X github.com/temporalio/cli/temporalcli.Version=1.5.1'",
    ),
    "lint": _tool("lint", "golangci-lint workflowcheck", "about 3 minutes on 2 cores, once"),
    "promtool": _tool(
        "prometheus",
        "promtool",
        "about 3 minutes on 2 cores, once; 50 MB",
        # Testing rules discovers nothing, and each cloud's discovery would bring that cloud's SDK.
        flags="-tags remove_all_sd -ldflags '-s -w'",
    ),
    "binaries": Step(
        title="building bin/worker and bin/starter",
        expected="about a minute the first time",
        script="make --no-print-directory build",
    ),
}


def prepare(items: Collection[str]) -> None:
    """Makes what is missing or no longer current. If nothing is, this takes no time."""
    check_names(items, STEPS, "step")
    # Two stacks of one checkout share bin/ and .dev/venv: the second one waits, then finds everything made.
    with locked(LOGS):
        for name in (name for name in STEPS if name in items):
            STEPS[name].run(name)
