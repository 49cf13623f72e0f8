"""Images with an embedded workflow, made by Pillow as ComfyUI makes them."""

from __future__ import annotations

import json

import pytest
from comfystow.core.errors import WorkflowError
from comfystow.core.workflow.load import load_document, workflow_files
from PIL import Image
from PIL.PngImagePlugin import PngInfo

WORKFLOW = {"nodes": [], "note": "größer <b>", "links": []}
PROMPT = {"1": {"class_type": "X", "inputs": {}}}


@pytest.mark.parametrize("how", ["plain", "compressed", "international"])
def test_a_png_gives_its_workflow(tmp_path, how):
    info = PngInfo()
    text = json.dumps(WORKFLOW, ensure_ascii=how != "international")
    if how == "international":
        info.add_itxt("workflow", text, zip=True)
    else:
        info.add_text("workflow", text, zip=how == "compressed")
    info.add_text("prompt", json.dumps(PROMPT))
    path = tmp_path / "image.png"
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    assert load_document(path) == WORKFLOW


def test_a_png_with_a_prompt_only_gives_that(tmp_path):
    info = PngInfo()
    info.add_text("prompt", json.dumps(PROMPT))
    Image.new("RGB", (8, 8)).save(tmp_path / "image.png", pnginfo=info)
    assert load_document(tmp_path / "image.png") == PROMPT


def test_a_webp_gives_the_workflow_in_its_exif(tmp_path):
    image = Image.new("RGB", (8, 8))
    exif = image.getexif()
    exif[0x010F] = "workflow:" + json.dumps(WORKFLOW)
    exif[0x0110] = "prompt:" + json.dumps(PROMPT)
    image.save(tmp_path / "image.webp", exif=exif)
    assert load_document(tmp_path / "image.webp") == WORKFLOW


def test_an_image_without_a_workflow_says_so(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "image.png")
    with pytest.raises(WorkflowError, match=r"image\.png` carries no workflow"):
        load_document(tmp_path / "image.png")


def test_a_folder_gives_its_files_in_order_and_only_those_that_can_hold_a_workflow(tmp_path):
    for name in ("b.json", "a.PNG", "sub/c.webp", "x.txt", ".hidden/d.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in workflow_files(tmp_path)] == [
        "a.PNG",
        "b.json",
        "sub/c.webp",
    ]
