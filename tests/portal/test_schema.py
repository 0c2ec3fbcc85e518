"""The OpenAPI description is true: schemathesis asks whatever it allows, and more, and looks at every answer."""

import pytest

from telperion.portal.app import create_app
from telperion.portal.settings import Settings
from telperion.serve.sky import Sky

schemathesis = pytest.importorskip("schemathesis", reason="fuzzing the API needs schemathesis")


@pytest.fixture(scope="module")
def described(sky_folder, model):
    app = create_app(Settings(rate=0.0, names=("testserver",)), model, Sky(sky_folder))
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
def test_every_answer_is_as_described(case):
    case.call_and_validate()
