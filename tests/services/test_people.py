"""A key for each person, wrapped in a store: what a real Vault hears of 20,000 people. The long form is soak_people.py."""
from people_flow import forget, people_cost_one_call

PEOPLE = 20_000


def test_people_cost_one_call(own_vault, sealstream):
    people_cost_one_call(own_vault, sealstream, PEOPLE)
    forget(own_vault, sealstream, 1042, PEOPLE)
    assert (sealstream.folder / "people.db").stat().st_mode & 0o077 == 0  # nobody else's
