"""The OpenAPI description is true: schemathesis asks whatever it allows, and more, and looks at every answer."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from telperion.portal.app import create_app
from telperion.portal.settings import Settings
from telperion.serve.sky import Sky

schemathesis = pytest.importorskip("schemathesis", reason="fuzzing the API needs schemathesis")

from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

CALLS = [
    ("GET", "/api/v1/about"),
    ("GET", "/api/v1/objects"),
    ("GET", "/api/v1/object"),
    ("GET", "/api/v1/similar"),
    ("GET", "/api/v1/changes"),
    ("POST", "/api/v1/classify"),
]


MEANS_MORE = ("/api/v1/objects", "/api/v1/classify")
"""What a cursor, a node or a file must hold, no schema can say: some that fit it are refused."""


@pytest.fixture(scope="module")
def schema(sky_folder, model):
    app = create_app(Settings(rate=0.0, names=("testserver",)), model, Sky(sky_folder))
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)


def test_every_call_is_asked(schema):
    described = [result.ok() for result in schema.get_all_operations()]
    assert {(each.method.upper(), each.path) for each in described} == set(CALLS)


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_answer_is_as_described(schema, method, path, mode):
    call = schema[path][method]
    if mode is schemathesis.GenerationMode.NEGATIVE and not list(call.iter_parameters()):
        return  # nothing can be asked wrongly

    @given(case=call.as_strategy(generation_mode=mode))
    @settings(
        max_examples=25,
        deadline=None,
        phases=[Phase.generate],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case):
        case.call_and_validate(excluded_checks=[] if path not in MEANS_MORE else [positive_data_acceptance])

    ask()
