"""`bench`: a fresh sandbox in memory for each test."""

import pytest

from tests.sandbox.bench import Bench


@pytest.fixture
def bench():
    it = Bench()
    yield it
    it.sandbox.close()
