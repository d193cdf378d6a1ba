"""Every example of doc/recipes.md is valid as it stands and answers what the page says, byte by byte."""
import os
import re

import pytest
from harness import daemon, recipes

RECIPES = recipes.read_all()


def named(recipe):
    return recipe.title.replace(" ", "_")


def as_shown(body):
    """How long a failed call took differs from run to run."""
    return re.sub(rb'"ms":\d+', b'"ms":0', body)


def test_there_are_many():
    assert len(RECIPES) >= 20
    assert len({r.title for r in RECIPES}) == len(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_its_configuration_is_valid_as_it_stands(recipe, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.conf)
    checked = daemon.run("check", "-c", str(path))
    assert checked.returncode == 0, checked.stderr


@pytest.mark.sanitize
@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_it_answers_what_the_page_says(recipe, gatherd):
    d = gatherd(text=recipe.conf)
    for each in recipe.exchanges:
        answer = each.send(d)
        assert answer.status == each.status, answer
        for name in {name for name, _ in each.answer_fields}:
            assert answer.all(name) == [v for n, v in each.answer_fields if n == name], answer.fields
        assert as_shown(answer.body.rstrip(b"\n")) == as_shown(each.answer), (each.target, answer.body.decode())


def anchors(page):
    """Of the headings, as renderers of Markdown make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_its_links_lead_somewhere():
    page = recipes.read_page()
    for target in re.findall(r"\]\(([^)]+)\)", page):
        file, _, anchor = target.partition("#")
        assert not file or os.path.exists(os.path.join(daemon.ROOT, "doc", file)), target
        assert not anchor or file or anchor in anchors(page), target


def test_every_recipe_is_in_the_table_of_contents():
    page = recipes.read_page()
    listed = set(re.findall(r"\]\(#([^)]+)\)", page))
    assert anchors(page) - listed <= {"recipes", "gathering", "failures", "answers", "around-them", "coming-from-krakend"}
