"""Which files a run reads: scope, context, what is ignored, and what a file system can throw at it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gpulint.discovery import Files, discover, project_root


def write(root: Path, *names: str, text: str = "a: 1\n") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def found(root: Path, *paths: str, exclude: tuple[str, ...] = ()) -> list[str]:
    files = discover([str(root / path) for path in paths] or [str(root)], list(exclude))
    assert [problem.reason for problem in files.problems] == []
    return relative(root, files.scope)


def relative(root: Path, paths: list[str]) -> list[str]:
    return [os.path.relpath(path, root) for path in paths]


def reasons(files: Files) -> list[tuple[str, str]]:
    return [(problem.path, problem.reason) for problem in files.problems]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    return tmp_path


def test_yaml_and_json_files_are_found_in_order(project: Path) -> None:
    write(project, "b.yml", "a/z.yaml", "a/b/c.json", "a.txt", "yaml", "x.yaml.bak", "d é 日本/e +f.yaml")
    assert found(project) == sorted(["b.yml", "a/z.yaml", "a/b/c.json", "d é 日本/e +f.yaml"])


def test_folders_of_tools_are_passed_over(project: Path) -> None:
    write(
        project, ".git/a.yaml", "node_modules/x/a.yaml", ".venv/a.yaml", ".terraform/a.yaml", ".github/a.yaml", "b.yaml"
    )
    assert found(project) == [".github/a.yaml", "b.yaml"]


def test_a_folder_with_a_yaml_name_is_a_folder(project: Path) -> None:
    write(project, "x.yaml/y.yaml")
    assert found(project) == ["x.yaml/y.yaml"]


def test_kustomizations_are_kept_apart(project: Path) -> None:
    write(project, "kustomization.yaml", "a/Kustomization", "a/kustomization.yml", "a/b.yaml")
    files = discover([str(project)], [])
    assert relative(project, files.scope) == ["a/b.yaml"]
    assert relative(project, files.kustomizations) == ["a/Kustomization", "a/kustomization.yml", "kustomization.yaml"]


def test_paths_named_twice_and_overlapping_folders_are_read_once(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, "a/b/c.yaml", "a/d.yaml")
    monkeypatch.chdir(project / "a")
    files = discover([".", "b", "b/c.yaml", "../a/b/./c.yaml", str(project / "a" / "b" / "c.yaml"), "..", "../a//"], [])
    assert relative(project, files.scope) == ["a/b/c.yaml", "a/d.yaml"]
    assert files.context == []
    assert files.root == str(project)


def test_a_named_file_brings_its_project_as_context(project: Path) -> None:
    write(project, "a/b.yaml", "c.yaml", "notes.txt")
    files = discover([str(project / "a/b.yaml"), str(project / "notes.txt")], [])
    assert relative(project, files.scope) == ["a/b.yaml", "notes.txt"]
    assert relative(project, files.context) == ["c.yaml"]
    assert discover([str(project / "c.yaml")], [], context=False).context == []
    assert discover([str(project / "a")], []).context == []


def test_the_project_is_the_nearest_marked_folder(tmp_path: Path) -> None:
    write(tmp_path, "outer/gpulint.toml", "outer/inner/a.yaml", text="")
    assert project_root(str(tmp_path / "outer/inner/a.yaml")) == str(tmp_path / "outer")
    (tmp_path / "outer/inner/.git").write_text("gitdir: elsewhere\n")  # a worktree or submodule
    assert project_root(str(tmp_path / "outer/inner/missing/x.yaml")) == str(tmp_path / "outer/inner")


# -- what is ignored


@pytest.mark.parametrize(
    ("ignores", "kept"),
    [
        ({".gitignore": "build/\n"}, ["a.yaml", "x/a.yaml"]),
        ({".gitignore": "/build/\n"}, ["a.yaml", "x/a.yaml", "x/build/b.yaml"]),
        ({".gitignore": "a.yaml\n"}, ["build/b.yaml", "x/build/b.yaml"]),
        ({".gitignore": "/a.yaml\n"}, ["build/b.yaml", "x/a.yaml", "x/build/b.yaml"]),
        ({".gitignore": "*.yaml\n!a.yaml\n"}, ["a.yaml", "x/a.yaml"]),
        ({".gitignore": "*.yaml\n", "x/.gitignore": "!a.yaml\n"}, ["x/a.yaml"]),
        ({".gitignore": "x/\n", "x/.gitignore": "!a.yaml\n"}, ["a.yaml", "build/b.yaml"]),
        ({"x/.gitignore": "/build\n"}, ["a.yaml", "build/b.yaml", "x/a.yaml"]),
        ({"x/.gitignore": "build/*\n!build/b.yaml\n"}, ["a.yaml", "build/b.yaml", "x/a.yaml", "x/build/b.yaml"]),
        ({".gitignore": "# c\n\n**/build/**\n\\#x\n"}, ["a.yaml", "x/a.yaml"]),
        ({".gitignore": "build/\r\n"}, ["a.yaml", "x/a.yaml"]),
        ({".gitignore": "\ufeffbuild/\n"}, ["a.yaml", "x/a.yaml"]),
        ({".gitignore": "!\nbuild/\n"}, ["a.yaml", "x/a.yaml"]),
        ({".gitignore": "x/build\n"}, ["a.yaml", "build/b.yaml", "x/a.yaml"]),
    ],
)
def test_gitignore_files_hold(project: Path, ignores: dict[str, str], kept: list[str]) -> None:
    write(project, "a.yaml", "build/b.yaml", "x/a.yaml", "x/build/b.yaml")
    for name, text in ignores.items():
        (project / name).write_bytes(text.encode())
    assert found(project) == kept


def test_a_gitignore_above_the_named_folder_holds(project: Path) -> None:
    write(project, "x/y/a.yaml", "x/y/b.yaml")
    (project / ".gitignore").write_text("b.yaml\n")
    (project / "x/.gitignore").write_text("/y/a.yaml\n")
    assert found(project, "x/y") == []
    (project / "x/.gitignore").unlink()
    assert found(project, "x/y") == ["x/y/a.yaml"]


def test_what_is_named_is_read_although_it_is_ignored(project: Path) -> None:
    write(project, "rendered/a.yaml", "rendered/b/c.yaml")
    (project / ".gitignore").write_text("rendered/\n")
    assert found(project) == []
    assert found(project, "rendered") == ["rendered/a.yaml", "rendered/b/c.yaml"]
    assert found(project, "rendered/b") == ["rendered/b/c.yaml"]
    assert found(project, "rendered/a.yaml") == ["rendered/a.yaml"]


def test_excluded_patterns_are_relative_to_the_root(project: Path) -> None:
    write(project, "a.yaml", "vendor/b.yaml", "x/vendor/c.yaml", "x/d.yaml")
    assert found(project, exclude=("/vendor/",)) == ["a.yaml", "x/d.yaml", "x/vendor/c.yaml"]
    assert found(project, "x", exclude=("x/vendor", "*.yml")) == ["x/d.yaml"]
    assert found(project, exclude=("*.yaml", "!x/d.yaml")) == ["x/d.yaml"]


# -- what a file system holds


def test_missing_and_empty_paths_are_problems(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    write(project, "a.yaml")
    files = discover(["missing.yaml", "", "a.yaml/b.yaml", "a.yaml", "x" * 300], [])
    assert reasons(files) == [
        ("missing.yaml", "no such file or folder"),
        ("", "an empty path"),
        ("a.yaml/b.yaml", "not a directory"),
        ("x" * 300, "file name too long"),
    ]
    assert relative(project, files.scope) == ["a.yaml"]


def test_pipes_sockets_and_devices_are_not_opened(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    write(project, "a.yaml")
    os.mkfifo("pipe.yaml")
    (project / "x").mkdir()
    os.mkfifo("x/.gitignore")
    write(project, "x/b.yaml")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.yaml")
        assert found(project) == ["a.yaml", "x/b.yaml"]
        files = discover(["pipe.yaml", "socket.yaml", "/dev/null"], [])
    assert {reason for _, reason in reasons(files)} == {"not a regular file (use - to read standard input)"}
    assert len(files.problems) == 3


def test_links_are_followed_to_files_inside_alone(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    write(outside, "secret.yaml", "folder/x.yaml")
    write(project, "a.yaml", "base.tmpl", "x/b.yaml")
    links = {
        "out.yaml": outside / "secret.yaml",
        "out-folder": outside / "folder",
        "in.yaml": project / "a.yaml",  # the same file again
        "other.yaml": project / "base.tmpl",
        "another.yaml": project / "base.tmpl",
        "loop": project,
        "x/loop.yaml": project / "x/loop.yaml",
        "x/up": project / "x",
        "broken.yaml": project / "gone.yaml",
    }
    for name, target in links.items():
        (project / name).symlink_to(target)
    assert found(project) == ["a.yaml", "another.yaml", "x/b.yaml"]


def test_a_named_link_is_read_and_its_target_is_no_second_file(project: Path) -> None:
    write(project, "k8s/a.yaml", "k8s/b.yaml")
    (project / "link.yaml").symlink_to("k8s/a.yaml")
    (project / "folder").symlink_to("k8s")
    (project / "loop.yaml").symlink_to("loop.yaml")
    files = discover([str(project / "link.yaml"), str(project / "folder/b.yaml"), str(project / "loop.yaml")], [])
    assert relative(project, files.scope) == ["folder/b.yaml", "link.yaml"]
    assert relative(project, files.context) == []
    assert [reason for _, reason in reasons(files)] == ["too many levels of symbolic links"]
    assert found(project, "folder") == ["folder/a.yaml", "folder/b.yaml"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are not UTF-8")
def test_names_that_are_not_text_are_read(project: Path) -> None:
    name = os.fsdecode(b"\xff\xfe.yaml")
    write(project, name)
    assert found(project) == [name]


UNREADABLE = """
import os, sys
os.chdir(sys.argv[1])
from gpulint.discovery import discover
from gpulint.load import load, load_texts
load_texts({"x.yaml": "kind: Deployment"})  # what is imported late may be out of reach without privileges
if os.geteuid() == 0:
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
loaded = load(discover(["."], []))
print([(p.path, p.reason) for p in loaded.problems])
print(sorted(loaded.scope))
print([(p.path, p.reason) for p in discover(["closed", "closed/a.yaml"], []).problems])
"""


@pytest.mark.skipif(os.name != "posix", reason="permissions of this kind are POSIX's")
def test_unreadable_files_and_folders_are_problems() -> None:
    # In a process of its own without privileges, as root reads everything; so not in pytest's private folder.
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        write(project, "a.yaml", "closed/a.yaml", "b/secret.yaml", text="kind: Deployment\n")
        project.chmod(0o755)
        (project / "b/secret.yaml").chmod(0)
        (project / "closed").chmod(0)
        try:
            done = subprocess.run(
                [sys.executable, "-c", UNREADABLE, folder],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        finally:
            (project / "closed").chmod(0o755)
    if "os.sete" in done.stderr or "os.setgroups" in done.stderr:
        pytest.skip("privileges cannot be dropped here")
    assert done.stdout.splitlines() == [
        "[('closed', 'no permission to read it'), ('b/secret.yaml', 'no permission to read it')]",
        "['a.yaml', 'b/secret.yaml']",
        "[('closed', 'no permission to read it'), ('closed/a.yaml', 'no permission to read it')]",
    ], done.stderr


def test_a_thousand_levels_of_folders_are_walked(project: Path) -> None:
    deep = project / "/".join("d" * 400)
    write(deep, "a.yaml")
    assert len(found(project)) == 1
