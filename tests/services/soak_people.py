"""The long form of test_people.py, for `make soak`: a million people cost a real Vault one call."""
from people_flow import forget, people_cost_one_call

PEOPLE = 1_000_000


def test_a_million_people_cost_one_call(own_vault, sealstream):
    people_cost_one_call(own_vault, sealstream, PEOPLE)
    forget(own_vault, sealstream, 1042, PEOPLE)
