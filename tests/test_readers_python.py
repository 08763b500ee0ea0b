"""Python launchers: engines as objects, models of Ray Serve, and processes, with the constants of the file folded."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpulint.lint import check, selected_rules
from gpulint.load import load_texts
from gpulint.model.engine import Engine
from gpulint.model.workload import Workload
from gpulint.source.python import Call, Constant, Entries, Items, Rest, Text, Value, calls
from gpulint.source.text import Source


def read(text: str) -> list[Workload]:
    loaded = load_texts({"serve.py": textwrap.dedent(text)})
    assert not loaded.problems
    return loaded.project.workloads


def engines(text: str) -> list[Engine]:
    return [engine for workload in read(text) for engine in workload.engines]


def settings(engine: Engine) -> dict[str, object]:
    """The settings that are written, by their fields."""
    names = ("model", "tensor_parallel", "memory_fraction", "max_model_len")
    found = {name: getattr(engine, name) for name in names}
    return {name: setting.value for name, setting in found.items() if setting is not None and not setting.default}


# -- engines


def test_an_engine_as_an_object() -> None:
    (workload,) = read(
        """
        # é
        from vllm import LLM, SamplingParams
        MODEL, TP = "org/model-7b", 4
        llm = LLM(MODEL, tensor_parallel_size=TP, gpu_memory_utilization=0.95, max_model_len=8 * 1024)
        """
    )
    assert (str(workload.ref), workload.complete, workload.uses_gpus) == ("Python launcher serve.py", False, False)
    (engine,) = workload.engines
    assert settings(engine) == {
        "model": "org/model-7b",
        "tensor_parallel": 4,
        "memory_fraction": 0.95,
        "max_model_len": 8192,
    }
    assert (engine.place.line, engine.place.text(), engine.arguments_known) == (5, "LLM", True)
    tensor = engine.tensor_parallel
    assert tensor is not None
    assert tensor.place is not None
    assert (tensor.spelled, tensor.place.text(), tensor.place.line) == ("tensor_parallel_size", "TP", 5)


@pytest.mark.parametrize(
    "text",
    [
        "import vllm\nvllm.LLM(model='a/b', tensor_parallel_size=2)",
        "from vllm.engine.arg_utils import AsyncEngineArgs as Args\nArgs(model='a/b', tensor_parallel_size=2)",
        "from vllm import EngineArgs\nkwargs = dict(tensor_parallel_size=2)\nEngineArgs('a/b', **kwargs)",
        "from vllm import LLM\nk = {'model': 'a/b'}\nk['tensor_parallel_size'] = 2\nasync def f():\n    return LLM(**k)",
        "import os\nfrom vllm import LLM\nLLM(os.environ.get('M', 'a/b'), tensor_parallel_size=int(os.getenv('N', '2')))",
        "from vllm import LLM\nif __name__ == '__main__':\n    n = '2'\n    LLM('a' + '/b', tensor_parallel_size=int(n))",
        "from vllm import LLM\ntry:\n    m = f'{\"a\"}/b'\nfinally:\n    pass\nwith x() as y:\n"
        "    LLM(m, tensor_parallel_size=1 + 1)",
    ],
)
def test_ways_to_make_one(text: str) -> None:
    (engine,) = engines(text)
    assert (engine.name, settings(engine)) == ("vllm", {"model": "a/b", "tensor_parallel": 2})
    assert engine.arguments_known


@pytest.mark.parametrize(
    "text",
    [
        "def f(n=2):\n    LLM('a/b', tensor_parallel_size=n)",
        "n = 1\nif x:\n    n = 2\nLLM('a/b', tensor_parallel_size=n)",
        "n = 1\nfor _ in range(2):\n    LLM('a/b', tensor_parallel_size=n)\n    n *= 2",
        "n = 2\ndef g():\n    global n\n    n = 4\ndef f():\n    LLM('a/b', tensor_parallel_size=n)",
        "n = 2\nn = 4\ndef f():\n    LLM('a/b', tensor_parallel_size=n)",
        "n = torch.cuda.device_count()\nLLM('a/b', tensor_parallel_size=n)",
        "import os\nLLM('a/b', tensor_parallel_size=int(os.environ['N']))",
        "n = 2 if x else 4\nLLM('a/b', tensor_parallel_size=n)",
        "k = {'tensor_parallel_size': 2}\nif x:\n    k['tensor_parallel_size'] = 4\nLLM('a/b', **k)",
        "n = 2\nwhile x:\n    n = 4\nelse:\n    pass\nLLM('a/b', tensor_parallel_size=n)",
        "args = parse()\nLLM('a/b', tensor_parallel_size=args.n)",
    ],
)
def test_what_is_not_constant_is_unknown(text: str) -> None:
    (engine,) = engines("from vllm import LLM\n" + text)
    assert settings(engine) == {"model": "a/b", "tensor_parallel": None}


def test_a_branch_that_leaves_decides_nothing() -> None:
    text = "from vllm import LLM\nn = 2\nif x:\n    n = 4\n    raise SystemExit\nLLM('a/b', tensor_parallel_size=n)"
    assert settings(engines(text)[0])["tensor_parallel"] == 2


def test_unknown_arguments_hide_defaults() -> None:
    (engine,) = engines("from vllm import LLM\nLLM('a/b', **options())")
    assert not engine.arguments_known
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.value is None


def test_several_engines_of_a_file() -> None:
    found = engines("from vllm import LLM\nLLM('a/b')\nLLM('c/d')")
    assert [(settings(engine)["model"], engine.sole) for engine in found] == [("a/b", False), ("c/d", False)]


@pytest.mark.parametrize(
    "text",
    [
        "from langchain import LLM\nLLM('a/b')  # vllm",
        "class LLM: ...\nvllm = 1\nLLM('a/b')",
        "from vllm import SamplingParams\nSamplingParams()",
        "import subprocess\nsubprocess.run(['curl', 'x'])\n# vllm serve",
        "import subprocess\nsubprocess.run(['vllm', 'serve', '--help'])",
        "import subprocess\nsubprocess.run('vllm serve a/b')",  # no shell: a program of this name
    ],
)
def test_what_starts_nothing(text: str) -> None:
    assert not engines(text)


def test_sglang() -> None:
    (engine,) = engines(
        "import sglang as sgl\nsgl.Engine(model_path='a/b', tp_size=2, mem_fraction_static=0.8, context_length=4096)"
    )
    assert engine.name == "sglang"
    assert settings(engine) == {
        "model": "a/b",
        "tensor_parallel": 2,
        "memory_fraction": 0.8,
        "max_model_len": 4096,
    }
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.spelled == "tp_size"


# -- Ray Serve


def test_a_model_of_ray_serve() -> None:
    loaded = load_texts(
        {
            "app.py": textwrap.dedent(
                """
                from ray.serve.llm import LLMConfig, ModelLoadingConfig, build_openai_app
                config = LLMConfig(
                    model_loading_config=ModelLoadingConfig(model_id="m", model_source="org/model-7b"),
                    accelerator_type="L4",
                    deployment_config=dict(autoscaling_config={"min_replicas": 0, "max_replicas": 2}),
                    engine_kwargs=dict(tensor_parallel_size=4),
                )
                """
            )
        }
    )
    (workload,) = loaded.project.workloads
    (pod,) = workload.pods
    assert (workload.ref.kind, pod.hosted, workload.uses_gpus) == ("Ray Serve application", True, True)
    assert pod.placement is not None
    assert [gpu.name for gpu in pod.placement.gpus] == ["NVIDIA L4"]
    assert settings(workload.engines[0]) == {"model": "org/model-7b", "tensor_parallel": 4}
    (scaler,) = loaded.project.autoscalers
    assert scaler.workload is workload
    assert scaler.min_replicas is not None
    assert (scaler.min_replicas.value, scaler.min_replicas.place.text()) == (0, "0")
    findings, _ = check(loaded, selected_rules(["tensor-parallel-over-pcie"], []))
    assert [found.finding.place.text() for found in findings] == ["4"]


# -- processes


@pytest.mark.parametrize(
    "text",
    [
        "subprocess.run(['vllm', 'serve', 'a/b', '--tensor-parallel-size', '2'])",
        "subprocess.Popen(args=['vllm', 'serve', 'a/b', f'--tensor-parallel-size={1 + 1}'])",
        "cmd = ['vllm', 'serve']\ncmd.append('a/b')\ncmd += ['-tp', str(2)]\nsubprocess.check_call(cmd)",
        "cmd = ['vllm', 'serve', *['a/b']]\ncmd.extend(['-tp', '2'])\nif x:\n    cmd.append('--foo')\nsubprocess.call(cmd)",
        "subprocess.run([sys.executable, '-m', 'vllm.entrypoints.openai.api_server', '--model', 'a/b', '-tp=2'])",
        "subprocess.run(f'cd /x && vllm serve {M} -tp 2', shell=True)",
        "os.system('vllm serve a/b '\n          '-tp 2 &')",
        "subprocess.Popen(['bash', '-c', f'vllm serve {M} \\\\\\n -tp 2'])",
        "subprocess.run(shlex.split('vllm serve \"a/b\" -tp 2'))",
        "subprocess.run('vllm serve a/b -tp 2'.split())",
        "subprocess.run(' '.join(['vllm', 'serve', M, '-tp', '2']), shell=True)",
        "os.execvp('vllm', ['vllm', 'serve', 'a/b', '-tp', '2'])",
        "async def f():\n    await asyncio.create_subprocess_exec('vllm', 'serve', M, '-tp', '2')",
    ],
)
def test_processes(text: str) -> None:
    imports = "import asyncio, os, shlex, subprocess, sys\nM = 'a/b'\n"
    (engine,) = engines(imports + text)
    assert settings(engine) == {"model": "a/b", "tensor_parallel": 2}


def test_the_places_of_a_process() -> None:
    text = 'import subprocess\nTP = 8\nsubprocess.run(["vllm", "serve", "a/b", "-tp", f"{TP}"])\n'
    (engine,) = engines(text)
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.place is not None
    assert engine.tensor_parallel.place.text() == '-tp", f"{TP}'
    assert engine.place.text() == 'vllm", "serve'


def test_a_container_that_a_process_runs() -> None:
    text = (
        "import subprocess\nsubprocess.run(['docker', 'run', '--gpus', '2', '--ipc=host', 'vllm/vllm-openai:v0.9.0', "
        "'--model', 'a/b', '--tensor-parallel-size', '4'])\n"
    )
    loaded = load_texts({"serve.py": text})
    findings, failed = check(loaded, selected_rules([], []))
    assert [(found.rule, found.ref and found.ref.kind) for found in findings] == [
        ("parallel-size-exceeds-gpus", "docker run")
    ]
    assert not failed


# -- folding


def called(text: str) -> list[Call]:
    return calls(Source("a.py", text), lambda name: name == "f")


def shown(value: Value) -> object:
    if isinstance(value, Text):
        return value.known
    if isinstance(value, Constant):
        return value.value
    if isinstance(value, Items):
        return [shown(item) for item in value.items]
    if isinstance(value, Entries):
        return {key: shown(entry[0]) for key, entry in value.entries.items()}
    return ... if isinstance(value, Rest) else None


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'a' 'b'", "ab"),
        ("r'a\\n' + '\\n'", "a\\n\n"),
        ("'\\x41\\u00e9'", "Aé"),
        ("f'{1}{\"x\"}{{}}'", "1x{}"),
        ("f'{y}'", None),
        ("f'{1:02d}'", None),
        ("b'a'", None),
        ("-0.5", -0.5),
        ("1_000", 1000),
        ("0x10", 16),
        ("3 * 4 + 1", 13),
        ("True", True),
        ("[1, *[2, 'x'], *y]", [1, 2, "x", ...]),
        ("(1,) + (2,)", [1, 2]),
        ("[1] + y", [1, ...]),
        ("{'a': 1, **{'b': 2}}", {"a": 1, "b": 2}),
        ("dict(a=1)", {"a": 1}),
        ("{'a': 3}['a']", 3),
        ("str(1) + str('a')", "1a"),
        ("int('4')", 4),
        ("y or 'a'", None),
        ("[i for i in y]", None),
        ("(z := 'a')", "a"),
        ("lambda: 1", None),
    ],
)
def test_folding(expression: str, value: object) -> None:
    (call,) = called(f"f({expression})\n")
    assert [shown(argument) for argument in call.positional] == [value]


@pytest.mark.parametrize("part", ["(", "not ", "a.", "f(", "lambda: ", "'a' ", "f'a' ", "1 and ", "1 + ", "import a."])
def test_what_is_nested_too_deeply_is_passed_over(part: str) -> None:
    """libcst would end the process."""
    closing = {"(": ")", "f(": ")"}.get(part, "")
    body = "import " + "a." * 20_000 + "b" if part.startswith("import") else part * 20_000 + "a" + closing * 20_000
    for text in (body, body[:60_000]):
        assert called(f"f(1)\n{text}\n") == []


def test_many_branches_take_no_time() -> None:
    assert called("".join(f"if x:\n  a{i} = 1\n" for i in range(1200)) + "f(1)\n") == []


def test_an_expression_that_grows_without_end_is_given_up() -> None:
    text = "a = 'x' * 1\na = 'xxxxxxxxxxxxxxxx'\n" + "a = a + a\n" * 40 + "f(a)\n"
    (call,) = called(text)
    assert shown(call.positional[0]) is None
    nested = "f(" + "[" * 200 + "]" * 200 + ")\n"
    assert len(called(nested)) <= 1


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.sampled_from(["'", '"', "'''", '"""']))
def test_strings_are_what_python_makes_of_them(text: str, quote: str) -> None:
    literal = quote + text.encode("unicode_escape").decode().replace(quote[0], "\\" + quote[0]) + quote
    source = f"# é\nf({literal})\n"
    (call,) = called(source)
    value = call.positional[0]
    assert shown(value) == text
    assert source[: value.start].count("\n") == 1
    if isinstance(value, Text):
        for piece in value.pieces:
            if piece.text is not None and len(piece.text) == piece.end - piece.start and "\\" not in literal and text:
                assert source[piece.start : piece.end] == piece.text


@given(st.text(st.sampled_from("fa(=)[]{}'\"\n :,*+1.#é\\"), max_size=40))
def test_any_text_can_be_read(text: str) -> None:
    called(f"f({text})\n")
    called(text)
