"""A variable that names itself as a shell would, where Kubernetes leaves the text as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.workload import Container, EnvVar
from gpulint.rules import rule

# Lists of folders, in which a folder that does not exist is passed over.
_SEARCHED = frozenset({"PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH", "PYTHONPATH", "CPATH", "MANPATH", "PKG_CONFIG_PATH"})
# Where the programs are that a container cannot do without.
_PROGRAMS = frozenset({"/bin", "/usr/bin"})


@rule("unexpanded-shell-variable")
def check(container: Container) -> Iterator[Finding]:
    workload = container.pod.workload
    if not workload.api_version or not (workload.uses_gpus or workload.engines):
        return  # compose and docker fill in variables themselves
    for variable in container.env.values():
        value = variable.value
        if value is None or "$" not in value or variable.remote:
            continue
        if re.fullmatch(r"\$[A-Za-z_]\w*", value.strip()):
            yield _whole(container, variable)
            continue
        found = re.search(r"\$(?:\{" + re.escape(variable.name) + r"\}|" + re.escape(variable.name) + r"\b)", value)
        if found is None or found[0] == value.strip():
            continue  # alone it is filled in by whoever renders the file
        searched = variable.name in _SEARCHED
        lost = (
            "What the image sets in this variable is lost"
            + (", and the rest of the list is in force" if searched else "")
            + "."
        )
        folders = {folder.rstrip("/") for folder in value.split(":")}
        if variable.name == "PATH" and not folders & _PROGRAMS:
            lost = "The shell and all programs of /usr/bin and /bin are no longer found by their names."
            searched = False
        yield Finding(
            place=variable.place,
            message=f"{variable.name} of {container.ref} holds the characters {found[0]}: Kubernetes fills in $(NAME) "
            f"alone, and no shell reads the value. {lost}",
            help="Write out the whole value as the image has it (`docker inspect` shows it under Config.Env), or "
            "extend it in the command: `sh -c 'export …; exec …'`.",
            evidence=[Evidence(variable.name, value, variable.place)],
            level="info" if searched else None,
        )


def _whole(container: Container, variable: EnvVar) -> Finding:
    """`$NAME` and nothing else: some tool may put a value there before the file is applied."""
    name = (variable.value or "").strip()
    return Finding(
        place=variable.place,
        message=f"{variable.name} of {container.ref} is the text {name} unless something fills it in before the file "
        "is applied: Kubernetes knows $(NAME) alone, and takes the value from no shell.",
        help="Render the file first (`envsubst`), or take the value from a Secret or a ConfigMap with `valueFrom`; of "
        f"a variable that stands before in the list: $({name.removeprefix('$')}).",
        evidence=[Evidence(variable.name, name, variable.place)],
        level="info",
    )
