"""Documents made to hurt: each ends in an error or in skipped nodes, in bounded time and memory."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib

import pytest
from comfystow.core.errors import WorkflowError
from comfystow.core.workflow.document import MAX_NODES
from comfystow.core.workflow.images import embedded_texts
from comfystow.core.workflow.load import load_document, parse_json
from comfystow.core.workflow.requirements import requirements
from hypothesis import given, settings
from hypothesis import strategies as st

PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(
    "name",
    ["../../etc/x.safetensors", "/etc/x.safetensors", "C:\\x.safetensors", "a/../../x.safetensors", "<b>x</b>.safetensors",
     "nul.safetensors", "x\u202e.safetensors"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_skipped_with_its_node(graph, name):
    g = graph()
    g.node(4, "VAELoader", name)
    g.node(5, "VAELoader", "good.safetensors")
    found = requirements(g.document())
    assert [model.name for model in found.models] == ["good.safetensors"]
    assert [part.node_id for part in found.skipped] == ["4"]


@pytest.mark.parametrize("folder", ["custom_nodes", "../../etc", "a/b"])
def test_a_folder_that_holds_no_models_is_skipped_with_its_node(graph, folder):
    g = graph()
    g.embed(g.node(4, "SomebodysLoader", "x.safetensors"), "x.safetensors", folder)
    found = requirements(g.document())
    assert not found.models
    assert [part.node_id for part in found.skipped] == ["4"]


def test_a_subgraph_that_contains_itself_is_skipped(graph):
    first, second = graph(), graph()
    first.node(1, "second")
    first.node(2, "VAELoader", "x.safetensors")
    second.node(1, "first")
    g = graph()
    g.subgraph("first", first, {"a": (1, "a")})
    g.subgraph("second", second, {"a": (1, "a")})
    g.node(9, "first", "v")
    found = requirements(g.document())
    assert [model.name for model in found.models] == ["x.safetensors"]
    assert found.skipped[0].node_id == "9:1:1"


def test_subgraphs_that_multiply_are_refused(graph):
    g = graph()
    for level in range(12):
        inner = graph()
        for index in range(8):
            inner.node(index, f"level{level + 1}")
        g.subgraph(f"level{level}", inner, {})
    g.node(1, "level0")
    with pytest.raises(WorkflowError, match=str(MAX_NODES)):
        requirements(g.document())


def test_promotions_that_multiply_cost_no_more_than_their_size(graph):
    g = graph()
    for level in range(15):
        inner = graph()
        for index in range(20):
            inner.node(index, f"level{level + 1}" if level < 14 else "VAELoader", "x")
        g.subgraph(f"level{level}", inner, {f"p{index}": (index, f"p{index}") for index in range(20)})
    g.nodes.append({"id": 1, "type": "level14", "widgets_values": ["y.safetensors"]})
    (model,) = requirements(g.document()).models
    assert (model.name, model.uses[0].node_id) == ("y.safetensors", "1:0")


def test_ten_thousand_nodes_are_read(graph):
    g = graph()
    for index in range(10_000):
        g.node(index, "LoraLoader", f"lora{index}.safetensors", 1, 1)
    assert len(requirements(g.document()).models) == 10_000


def test_ten_thousand_names_of_unknown_folders_beside_as_many_embedded_are_read(graph):
    g = graph()
    for index in range(10_000):
        g.embed(g.node(index, "Unheard", f"m{index}.safetensors"), f"other{index}.safetensors", "vae")
    prompt = {
        str(index): {"class_type": "Unheard", "inputs": {"a": f"m{index}.safetensors"}} for index in range(10_000)
    }
    assert len(requirements(g.document()).models) == 10_000
    assert len(requirements({"prompt": prompt, "workflow": g.document()}).models) == 10_000


def test_parts_of_the_wrong_type_are_skipped_by_id():
    nodes = [None, 3, {}, {"id": [], "type": "x"}, {"id": 5}, {"id": True, "type": "x"},
             {"id": 6, "type": "VAELoader", "widgets_values": "x", "inputs": 7, "properties": [], "mode": {}}]  # fmt: skip
    found = requirements({"nodes": nodes, "links": [1, [1], {"id": {}}], "definitions": {"subgraphs": [1, {"id": 3}]}})
    assert not found.models
    assert [part.node_id for part in found.skipped] == ["#0", "#1", "#2", "#3", "5", "#5"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 20) | st.sampled_from(["1", "-10", "a.safetensors", "s", "VAELoader"]),
    lambda children: st.lists(children, max_size=4)
    | st.dictionaries(
        st.sampled_from(["id", "type", "nodes", "links", "inputs", "widgets_values", "properties", "models", "name",
                         "class_type", "proxyWidgets", "link", "widget", "mode", "lora", "widgets_values_named"]),
        children, max_size=6),
    max_leaves=40,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(nodes=st.lists(_JSON, max_size=4), inner=_JSON, links=_JSON, inputs=_JSON)
def test_any_json_gives_a_result_or_our_error(nodes, inner, links, inputs):
    document = {
        "nodes": [*nodes, {"id": 1, "type": "s", "inputs": inputs, "widgets_values": inner}],
        "links": links,
        "definitions": {"subgraphs": [{"id": "s", "nodes": inner, "links": links, "inputs": inputs}]},
    }
    found = requirements(document)
    assert all(model.name for model in found.models + found.inactive)


@settings(max_examples=200, deadline=None)
@given(document=_JSON)
def test_any_document_is_read_or_refused(document):
    try:
        names = [model.name for model in requirements(document).models]
    except WorkflowError:
        return
    assert all(names)


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe\x00", b"[" * 100_000, b"1" * 10_000, b""])
def test_corrupt_json_is_our_error(data, tmp_path):
    path = tmp_path / "w.json"
    path.write_bytes(data)
    with pytest.raises(WorkflowError):
        requirements(load_document(path))


def test_corrupt_json_names_line_and_column():
    with pytest.raises(WorkflowError, match="line 2, column 3"):
        parse_json("{\n  x", "w.json")


def test_a_png_chunk_of_100_mb_is_stepped_over_or_refused_unread(tmp_path):
    text = chunk(b"tEXt", b"workflow\0" + json.dumps({"nodes": []}).encode())
    for kind, outcome in ((b"IDAT", "read"), (b"tEXt", "refused")):
        path = tmp_path / f"{outcome}.png"
        with path.open("wb") as file:
            file.write(PNG + struct.pack(">I", 100 << 20) + kind)
            file.seek(100 << 20, 1)
            file.write(b"\0\0\0\0" + text + chunk(b"IEND", b""))
        if outcome == "read":
            assert load_document(path) == {"nodes": []}
        else:
            with pytest.raises(WorkflowError, match="longer than 32 MiB"):
                load_document(path)


def test_a_chunk_longer_than_its_file_is_refused():
    data = PNG + struct.pack(">I", 0xFFFFFFFF) + b"tEXt" + b"workflow\0{}"
    with pytest.raises(WorkflowError, match="longer than the file"):
        embedded_texts(io.BytesIO(data), len(data))


def test_a_compressed_text_cannot_blow_up():
    bomb = zlib.compress(b"a" * (64 << 20), 9)
    data = PNG + chunk(b"zTXt", b"workflow\0\0" + bomb)
    with pytest.raises(WorkflowError, match="longer than 32 MiB"):
        embedded_texts(io.BytesIO(data), len(data))


@settings(max_examples=200, deadline=None)
@given(
    body=st.binary(max_size=200),
    start=st.sampled_from([PNG, b"RIFF\0\0\0\0WEBP", b"RIFF\0\0\0\0WEBPEXIF\x40\0\0\0II*\0"]),
)
def test_any_bytes_behind_an_image_head_are_read_or_refused(body, start):
    data = start + body
    try:
        texts = embedded_texts(io.BytesIO(data), len(data))
    except WorkflowError:
        return
    assert set(texts) <= {"workflow", "prompt"}


#: Reads a document under a limit of memory, and says what came of it: with an address space of 400 MiB in all a reader
#: that took in a whole chunk, or copied a document once for each node, would end in a MemoryError.
LIMITED = """
import resource, sys
from pathlib import Path
from comfystow.core.errors import WorkflowError
from comfystow.core.workflow.load import load_document
from comfystow.core.workflow.requirements import requirements
resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
try:
    print(len(requirements(load_document(Path(sys.argv[1]))).models))
except WorkflowError as err:
    print(err.message)
"""


def limited(path):
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_hurting_documents_are_read_in_little_memory_and_time(graph, tmp_path):
    image = tmp_path / "chunk.png"
    with image.open("wb") as file:
        file.write(PNG + struct.pack(">I", 100 << 20) + b"tEXt")
        file.truncate(len(PNG) + 8 + (100 << 20) + 4)
    assert "longer than 32 MiB" in limited(image)

    g = graph()
    for index in range(10_000):
        g.node(index, "LoraLoader", f"<img src=x onerror=alert(1)>{index}.safetensors", 1, {"a": [1]}, None, True)
        g.nodes[-1] |= {
            "inputs": [{"name": 5, "link": {}}],
            "properties": {"models": [{"name": ["x"]}, 7]},
            "mode": "x",
        }
    many = tmp_path / "many.json"
    many.write_text(json.dumps(g.document()))
    assert limited(many) == "0"  # names that no file system takes: each is a skipped part

    wide = tmp_path / "wide.json"
    wide.write_text(
        json.dumps({"nodes": [{"id": 1, "type": "VAELoader", "widgets_values": ["x.safetensors"] * 500_000}]})
    )
    assert limited(wide) == "1"
    deep = tmp_path / "deep.json"
    deep.write_text('{"nodes":' + "[" * 100_000 + "]" * 100_000 + "}")
    assert "nested too deep" in limited(deep)
