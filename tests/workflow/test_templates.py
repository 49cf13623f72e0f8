"""Every workflow template that ComfyUI ships, in two releases."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from comfystow.core.records.workflow import Confidence
from comfystow.core.sources.catalogue import Catalogue, shipped_entries
from comfystow.core.sources.reference import parse_reference
from comfystow.core.workflow.candidates import find_candidates
from comfystow.core.workflow.node_inputs import folder_name
from comfystow.core.workflow.requirements import requirements
from support.templates import embedded, stripped, templates

#: Workflows, and models that they embed and still name (one per workflow, folder and name).
COUNTS = {"0.7.25": (188, 394), "newest": (644, 999)}
#: In no template's embedded data, but in the text of a prompt: `embedding:SDA768.pt`.
IN_A_PROMPT = {("embedding_example", "embeddings", "SDA768.pt")}

pytestmark = pytest.mark.parametrize("release", list(COUNTS))


def all_models(document):
    found = requirements(document)
    assert not found.skipped
    return found.models + found.inactive


def test_requirements_equal_what_is_embedded(release):
    expected, got, workflows = set(), set(), 0
    for template in templates(release):
        workflows += 1
        expected |= {
            (template.name, folder_name(model["directory"]), model["name"]) for model in embedded(template.workflow)
        }
        got |= {(template.name, model.folder_name, model.name) for model in all_models(template.workflow)}
    assert (workflows, len(expected)) == COUNTS[release]
    assert got - IN_A_PROMPT == expected


def test_each_resolves_to_a_normalised_source_in_its_folder(release):
    for template in templates(release):
        for model in all_models(template.workflow):
            if (template.name, model.folder_name, model.name) in IN_A_PROMPT:
                continue
            best = find_candidates(model)[0]
            assert best.confidence in {Confidence.EXACT, Confidence.HIGH}
            assert best.folder_name == model.folder_name
            assert best.name == model.name
            parts = urlsplit(best.url)
            assert parts.hostname in {"huggingface.co", "civitai.com"}
            if parts.hostname == "huggingface.co":
                assert "/resolve/" in parts.path
                assert not parts.query


def test_node_types_alone_give_the_same_requirements(release):
    for template in templates(release):
        with_data = {(model.folder_name, model.name) for model in all_models(template.workflow)}
        assert {(model.folder_name, model.name) for model in all_models(stripped(template.workflow))} == with_data


def test_names_alone_resolve_through_the_shipped_catalogue(release):
    """The catalogue is made of the same templates' lists, so this measures the way from a name to its entry.

    `comfystow bench templates` prints all counts, and those with a catalogue that never saw the release.
    """
    catalogue = Catalogue(shipped_entries())
    required = resolved = listed = wrong_folder = elsewhere = 0
    for template in templates(release):
        urls = {(folder_name(model["directory"]), model["name"]): model["url"] for model in embedded(template.workflow)}
        for model in all_models(stripped(template.workflow)):
            found = find_candidates(model, catalogue)
            required += 1
            listed += bool(found)
            wrong_folder += any(candidate.folder_name != model.folder_name for candidate in found)
            if found and found[0].confidence in {Confidence.EXACT, Confidence.HIGH}:
                resolved += 1
                elsewhere += str(parse_reference(urls[model.folder_name, model.name])) != found[0].source
    assert listed / required >= 0.99, f"{listed} of {required}"
    assert resolved / required >= 0.80, f"{resolved} of {required}"
    # Taken without asking though the template had another address for the name: the same bytes, as far as can be told.
    assert elsewhere / required <= 0.02, f"{elsewhere} of {required}"
    assert wrong_folder == 0
